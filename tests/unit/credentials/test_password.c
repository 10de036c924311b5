#include "../check.h"
#include "base/error.h"
#include "credentials/password_priv.h"

static void test_prepared(void **state)
{
    (void)state;
    static const struct {
        const char *password, *prepared;
        size_t characters;
    } rows[] = {
        {"correct horse battery staple", "correct horse battery staple", 28},
        {"Jack of \xe2\x99\xa6s", "Jack of \xe2\x99\xa6s", 10}, /* RFC 8265 section 4.3 */
        {"foo\xe1\x9a\x80"
         "bar",
         "foo bar", 7},                                        /* OGHAM SPACE MARK */
        {"re\xcc\x81sume\xcc\x81", "r\xc3\xa9sum\xc3\xa9", 6}, /* NFC */
        {"\xf0\x9f\x94\x91\xf0\x9f\x94\x92", "\xf0\x9f\x94\x91\xf0\x9f\x94\x92", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prepared_password prepared;
        assert_int_equal(password_prepare(slice_from_string(rows[i].password), &prepared), 0);
        assert_slice_equal(slice_make(prepared.bytes, prepared.size), rows[i].prepared);
        assert_int_equal(prepared.characters, rows[i].characters);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "my cat is a \tby",
        "bell\a",
        "del\x7f",
        "not utf-8 \xff",
        "c1 \xc2\x85",
        "zwj \xe2\x80\x8d",
        "private \xee\x80\x80",
        "\xef\xbf\xbf",
        "soft\xc2\xad",
        "jamo \xe1\x84\x80",
        "surrogate \xed\xa0\x80",
        "line\xe2\x80\xa8",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prepared_password prepared;
        assert_int_equal(password_prepare(slice_from_string(rows[i]), &prepared), ERROR_SYNTAX);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static char bytes[CREDENTIALS_PASSWORD_MAXIMUM + 2];
    struct prepared_password prepared;
    memset(bytes, 'a', sizeof bytes);
    struct slice longest = slice_make(bytes, CREDENTIALS_PASSWORD_MAXIMUM);
    assert_int_equal(password_prepare(longest, &prepared), 0);
    assert_int_equal(prepared.size, CREDENTIALS_PASSWORD_MAXIMUM);
    assert_int_equal(password_prepare(slice_make(bytes, longest.size + 1), &prepared), ERROR_LIMIT);
    /* U+FB2C grows under NFC: three bytes become six. */
    for (size_t i = 0; i + 3 <= longest.size; i += 3)
        memcpy(bytes + i, "\xef\xac\xac", 3);
    assert_int_equal(password_prepare(slice_make(bytes, 1023), &prepared), ERROR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
