#include "../check.h"
#include "base/buffer.h"
#include "base/error.h"

static void appends_are_kept_in_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_append_string(&buffer, "a ");
    buffer_append(&buffer, SLICE("b"));
    buffer_append_byte(&buffer, ' ');
    buffer_append_format(&buffer, "%d-%s", 42, "c");
    assert_int_equal(buffer_error(&buffer), 0);
    assert_string_equal(buffer.data, "a b 42-c");
    buffer_consume(&buffer, 4);
    assert_string_equal(buffer.data, "42-c");
    buffer_truncate(&buffer, 2);
    assert_string_equal(buffer.data, "42");
    buffer_consume(&buffer, 100);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

static void numbers_are_digits(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    const uint64_t numbers[] = {0, 7, 10, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buffer_append_number(&buffer, numbers[i]);
        buffer_append_byte(&buffer, ' ');
    }
    assert_string_equal(buffer.data, "0 7 10 4294967296 18446744073709551615 ");
    buffer_release(&buffer);
    buffer_init(&buffer, 3);
    assert_int_equal(buffer_append_number(&buffer, 1234), ERROR_LIMIT);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

static void the_maximum_is_hard_and_the_error_sticky(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_int_equal(buffer_append(&buffer, SLICE("0123456789")), 0);
    assert_int_equal(buffer_append_byte(&buffer, 'x'), ERROR_LIMIT);
    assert_int_equal(buffer_append_string(&buffer, ""), ERROR_LIMIT);
    assert_slice_equal(buffer_slice(&buffer), "0123456789");
    buffer_clear(&buffer);
    assert_int_equal(buffer_append_format(&buffer, "%020d", 1), ERROR_LIMIT);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

static void growing_keeps_the_content(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 100000; i++)
        buffer_append_byte(&buffer, (char)('a' + i % 26));
    assert_int_equal(buffer_error(&buffer), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_are_kept_in_order),
        cmocka_unit_test(numbers_are_digits),
        cmocka_unit_test(the_maximum_is_hard_and_the_error_sticky),
        cmocka_unit_test(growing_keeps_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
