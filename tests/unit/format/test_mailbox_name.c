#include "format/mailbox_name.h"
#include "format_test.h"

static const char *const names[][2] = {
    {"INBOX", "INBOX"},
    {"", ""},
    {"&-", "&"},
    {"a&-b &-&-", "a&b &&"},
    /* RFC 3501 section 5.1.3. */
    {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
                                        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
    {"&U,BTF2XlZyyKng-", "\xe5\x8f\xb0\xe5\x8c\x97\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
    {"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
    {"&2D3eAA-", "\xf0\x9f\x98\x80"}, /* a surrogate pair */
    {"&AOk-&-&AOk-", "\xc3\xa9&\xc3\xa9"},
    {"&AAE-", "\x01"},
    {"&AH8-", "\x7f"},
};

static void test_both_ways(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(mailbox_name_from_utf7(slice_from_string(names[i][0]), &buffer), 0);
        assert_buffer(&buffer, names[i][1]);
        assert_int_equal(mailbox_name_to_utf7(slice_from_string(names[i][1]), &buffer), 0);
        assert_buffer(&buffer, names[i][0]);
    }
    buffer_release(&buffer);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "&Jjo!",              /* RFC 3501's: "!" is not a digit */
        "&U,BTFw-&ZeVnLIqe-", /* RFC 3501's: a superfluous shift */
        "&Jjo",               /* not ended */
        "&",
        "&A-",    /* less than a unit */
        "&AOl-",  /* padding bits set */
        "&AOkA-", /* a digit too many */
        "&AGE-",  /* "a" stands for itself */
        "&ACY-",  /* "&" is "&-" */
        "&AAA-",  /* NUL */
        "&2D0-",  /* half a surrogate pair */
        "&3gA-",
        "&3gDYPQ-",
        "&2D0AYQ-",
        "\xc3\xa9", /* 8-bit */
        "a\tb",
        "&AOk/-",
    };
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_append_string(&buffer, "kept");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (mailbox_name_from_utf7(slice_from_string(wrong[i]), &buffer) != ERROR_SYNTAX)
            fail_msg("%s", wrong[i]);
    static const char *const invalid[] = {"\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80",
                                          "\xff", "a\xe2\x82"};
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_int_equal(mailbox_name_to_utf7(slice_from_string(invalid[i]), &buffer),
                         ERROR_SYNTAX);
    assert_int_equal(mailbox_name_to_utf7(slice_make("a\0b", 3), &buffer), ERROR_SYNTAX);
    assert_buffer(&buffer, "kept");
    buffer_release(&buffer);
}

static void test_limit(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 4);
    assert_int_equal(mailbox_name_from_utf7(SLICE("INBOX"), &buffer), ERROR_LIMIT);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
