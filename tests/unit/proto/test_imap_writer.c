#include "../check.h"

#include "proto/imap/writer.h"

static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    buffer_init(&out, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

/* What has been written since the last look. */
#define check_written(expected)                                                                    \
    do {                                                                                           \
        assert_slice_equal(buffer_slice(&out), expected);                                          \
        buffer_clear(&out);                                                                        \
    } while (0)

static void test_status(void **state)
{
    (void)state;
    imap_write_status(&out, LANGUAGE_DEFAULT, SLICE("a1"), "OK", NULL, "Done");
    check_written("a1 OK Done\r\n");
    imap_write_status(&out, LANGUAGE_DEFAULT, SLICE("*"), "NO", "TRYCREATE", "a\r\nb\xc3\xa4");
    check_written("* NO [TRYCREATE] a??b??\r\n");
    imap_write_status(&out, LANGUAGE_SPANISH, SLICE("a2"), "NO", "NONEXISTENT", "No such mailbox");
    check_written("a2 NO [NONEXISTENT] Ese buz\xc3\xb3n no existe\r\n");
    imap_write_status(&out, LANGUAGE_SPANISH, SLICE("a3"), "BAD", NULL, "Tag\r\nreuse");
    check_written("a3 BAD Tag??reuse\r\n");
    imap_write_languages(&out);
    check_written("* LANGUAGE (i-default en de fr es)\r\n");
}

static void test_strings(void **state)
{
    (void)state;
    imap_write_astring(&out, SLICE("INBOX/a]"));
    check_written("INBOX/a]");
    imap_write_astring(&out, SLICE(""));
    check_written("\"\"");
    imap_write_astring(&out, SLICE("nil"));
    check_written("\"nil\"");
    imap_write_astring(&out, SLICE("a b"));
    check_written("\"a b\"");
    imap_write_astring(&out, SLICE("a%"));
    check_written("\"a%\"");
    imap_write_string(&out, SLICE("x"));
    check_written("\"x\"");
    imap_write_string(&out, SLICE("a\"\\b"));
    check_written("\"a\\\"\\\\b\"");
    imap_write_string(&out, SLICE("a\nb"));
    check_written("{3}\r\na\nb");
    imap_write_string(&out, SLICE("\xc3\xa4"));
    check_written("{2}\r\n\xc3\xa4");
    imap_write_nstring(&out, (struct slice){NULL, 0});
    check_written("NIL");
    imap_write_nstring(&out, SLICE(""));
    check_written("\"\"");
    imap_write_literal_head(&out, 12345678901);
    check_written("{12345678901}\r\n");
    imap_write_value(&out, (struct slice){NULL, 0});
    check_written("NIL");
    imap_write_value(&out, SLICE("a\"b"));
    check_written("\"a\\\"b\"");
    imap_write_literal8_head(&out, 2);
    check_written("~{2}\r\n");
}

static void test_mailbox(void **state)
{
    (void)state;
    imap_write_mailbox(&out, SLICE("Entw\xc3\xbcrfe"), false);
    check_written("Entw&APw-rfe");
    imap_write_mailbox(&out, SLICE("Entw\xc3\xbcrfe"), true);
    check_written("\"Entw\xc3\xbcrfe\"");
    imap_write_mailbox(&out, SLICE("A&B c"), false);
    check_written("\"A&-B c\"");
    imap_write_mailbox(&out, SLICE("A&B"), true);
    check_written("A&B");
}

static void test_flags(void **state)
{
    (void)state;
    struct slice keywords[] = {SLICE("$Forwarded"), SLICE("x")};
    imap_write_flags(&out, 0, NULL, 0);
    check_written("()");
    imap_write_flags(&out, 31, NULL, 0);
    check_written("(\\Seen \\Answered \\Flagged \\Deleted \\Draft)");
    imap_write_flags(&out, IMAP_FLAG_DRAFT, keywords, 2);
    check_written("(\\Draft $Forwarded x)");
    imap_write_flags(&out, 0, keywords, 1);
    check_written("($Forwarded)");
}

static void test_set_and_date(void **state)
{
    (void)state;
    struct range_set set;
    range_set_init(&set, 10);
    range_set_add(&set, 1, 5);
    range_set_add(&set, 7, 7);
    range_set_add(&set, 9, 10);
    imap_write_set(&out, &set);
    check_written("1:5,7,9:10");
    range_set_release(&set);
    imap_write_date(&out, 837571465);
    check_written("\"17-Jul-1996 02:44:25 +0000\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mailbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_and_date, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
