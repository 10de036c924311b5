#include "../check.h"

#include "base/error.h"
#include "proto/sasl/plain.h"

static void test_parse(void **state)
{
    (void)state;
    struct sasl_plain plain;
    assert_int_equal(sasl_plain_parse(SLICE("\0alice\0sesame"), &plain), 0);
    assert_slice_equal(plain.authorization, "");
    assert_slice_equal(plain.authentication, "alice");
    assert_slice_equal(plain.password, "sesame");
    assert_int_equal(sasl_plain_parse(SLICE("bob\0alice\0\xc3\xa4"), &plain), 0);
    assert_slice_equal(plain.authorization, "bob");
    assert_slice_equal(plain.password, "\xc3\xa4");
}

static void test_syntax(void **state)
{
    (void)state;
    struct sasl_plain plain = {.password = SLICE("as it was")};
    assert_int_equal(sasl_plain_parse(SLICE(""), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("alice"), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("\0alice"), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("\0\0sesame"), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("\0alice\0"), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("\0alice\0ses\0ame"), &plain), ERROR_SYNTAX);
    assert_int_equal(sasl_plain_parse(SLICE("\0alice\0\xe4"), &plain), ERROR_SYNTAX);
    assert_slice_equal(plain.password, "as it was");
}

static void check_sizes(size_t user, size_t password, int expected)
{
    static char bytes[2 * SASL_PASSWORD_MAXIMUM];
    memset(bytes, 'x', sizeof(bytes));
    struct sasl_plain plain;
    struct buffer message;
    buffer_init(&message, sizeof(bytes));
    assert_int_equal(
        sasl_plain_write(slice_make(bytes, user), slice_make(bytes, password), &message), 0);
    assert_int_equal(sasl_plain_parse(buffer_slice(&message), &plain), expected);
    if (!expected) {
        assert_int_equal(plain.authentication.size, user);
        assert_int_equal(plain.password.size, password);
    }
    buffer_release(&message);
}

static void test_limits(void **state)
{
    (void)state;
    check_sizes(SASL_NAME_MAXIMUM, SASL_PASSWORD_MAXIMUM, 0);
    check_sizes(SASL_NAME_MAXIMUM + 1, 1, ERROR_LIMIT);
    check_sizes(1, SASL_PASSWORD_MAXIMUM + 1, ERROR_LIMIT);
    struct buffer message;
    buffer_init(&message, 4);
    assert_int_equal(sasl_plain_write(SLICE("ab"), SLICE("c"), &message), ERROR_LIMIT);
    buffer_release(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
