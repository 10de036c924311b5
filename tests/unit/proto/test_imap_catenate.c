/*
 * CATENATE's parts in APPEND and REPLACE (RFC 4469, RFC 8508 section 4.2).
 */
#include "imap_dialogue.h"
#include "proto/imap/url.h"

static void test_parts(void **state)
{
    (void)state;
    /* As in example 1 of RFC 4469. */
    check_events(
        "A003 APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL \"/D;UID=20\" TEXT {5}\r\n"
        "hello URL /D/;UID=30 TEXT {2+}\r\n\r\n)\r\nb NOOP\r\n",
        "append A003 APPEND 'Drafts' flags 17 $MDNSent parts 0\n"
        "url /D;UID=20\ntext size 5\ncontinue \nmessage hello\nurl /D/;UID=30\n"
        "text size 2\nmessage \r\n\n"
        "command A003 APPEND 'Drafts' flags 17 $MDNSent parts 4\ncommand b NOOP \n");
    check_events("a append x catenate (text {1}\r\nx)\r\n",
                 "append a APPEND 'x' flags 0 parts 0\ntext size 1\ncontinue \nmessage x\n"
                 "command a APPEND 'x' flags 0 parts 1\n");
    check_events("a APPEND x CATENATE (URL u)\r\n", "append a APPEND 'x' flags 0 parts 0\nurl u\n"
                                                    "command a APPEND 'x' flags 0 parts 1\n");
    check_events("a APPEND x CATENATE (TEXT {0+}\r\n)\r\n",
                 "append a APPEND 'x' flags 0 parts 0\ntext size 0\n"
                 "command a APPEND 'x' flags 0 parts 1\n");
    /* A URL may be a literal; its bytes are asked for as those of a name are. */
    check_events("a APPEND x CATENATE (URL {3}\r\nu)v URL {1+}\r\n\" TEXT {1+}\r\nx)\r\n",
                 "append a APPEND 'x' flags 0 parts 0\ncontinue \nurl u)v\nurl \"\ntext size 1\n"
                 "message x\ncommand a APPEND 'x' flags 0 parts 3\n");
    check_events("a APPEND x CATENATE (URL \"a\\\"b\\\\c\" URL {1+}\r\nd)\r\n",
                 "append a APPEND 'x' flags 0 parts 0\nurl a\"b\\c\nurl d\n"
                 "command a APPEND 'x' flags 0 parts 2\n");
}

static void test_with_others(void **state)
{
    (void)state;
    check_events("a APPEND x {1+}\r\n1 (a) CATENATE (URL u) {1+}\r\n2\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "append a APPEND 'x' flags 0 a parts 0\nurl u\n"
                 "append a APPEND 'x' flags 0 size 1\nmessage 2\n"
                 "command a APPEND 'x' flags 0 size 1\n");
    check_events(
        "a UID REPLACE 3 x \"17-Jul-1996 02:44:25 -0700\" CATENATE (TEXT {1+}\r\n1 URL u)\r\n",
        "append a UID REPLACE 3:3'x' flags 0 date 837596665 parts 0\ntext size 1\n"
        "message 1\nurl u\n"
        "command a UID REPLACE 3:3'x' flags 0 date 837596665 parts 2\n");
}

#define BEGUN "append a APPEND 'x' flags 0 parts 0\n"

static void test_wrong(void **state)
{
    (void)state;
    check_bad("APPEND x CATENATE", "Message: expected a list");
    check_bad("APPEND x CATENATE URL u", "Message: expected a list");
    check_events("a APPEND x CATENATE ()\r\n", BEGUN "BAD a Part: expected TEXT or URL\n");
    check_events("a APPEND x CATENATE (\r\n", BEGUN "BAD a Part: expected TEXT or URL\n");
    check_events("a APPEND x CATENATE (URL)\r\n", BEGUN "BAD a URL: expected a space before it\n");
    check_events("a APPEND x CATENATE (URL )\r\n",
                 BEGUN "BAD a URL: expected an atom or a string\n");
    check_events("a APPEND x CATENATE (TEXT)\r\n",
                 BEGUN "BAD a Text: expected a space before it\n");
    check_events("a APPEND x CATENATE (TEXT \"x\")\r\n", BEGUN "BAD a Text: expected a literal\n");
    check_events("a APPEND x CATENATE (TEXT ~{1}\r\nb NOOP\r\n",
                 BEGUN "BAD a Text: expected a literal\ncommand b NOOP \n");
    check_events("a APPEND x CATENATE (FILE u)\r\n", BEGUN "BAD a Part: expected TEXT or URL\n");
    check_events("a APPEND x CATENATE (URL u\r\n",
                 BEGUN "url u\nBAD a Part: expected a space or a closing parenthesis behind it\n");
    check_events("a APPEND x CATENATE (URL u) x\r\n",
                 BEGUN "url u\nBAD a Message: expected a literal\n");
    check_events("a REPLACE 1 x CATENATE (URL u) CATENATE (URL v)\r\n",
                 "append a REPLACE 1:1'x' flags 0 parts 0\nurl u\n"
                 "BAD a Message: something follows it\n");
    /* What is wrong behind a literal: read past with the literals that come anyway. */
    check_events(
        "a APPEND x CATENATE (TEXT {1+}\r\n1 FILE {3+}\r\nabc TEXT {2+}\r\nde)\r\nb NOOP\r\n",
        BEGUN "text size 1\nmessage 1\nBAD a Part: expected TEXT or URL\n"
              "command b NOOP \n");
    check_events("a APPEND x CATENATE (TEXT {3+}\r\na\0b URL u)\r\nb NOOP\r\n", BEGUN
                 "text size 3\nmessage a\n"
                 "BAD a Message: NUL bytes are only allowed in a literal8\ncommand b NOOP \n");
    check_events("a APPEND x CATENATE (URL {3+}\r\na\0b)\r\nb NOOP\r\n",
                 BEGUN "BAD a URL: a NUL byte\ncommand b NOOP \n");
    check_events("a APPEND x CATENATE (TEXT {1001}\r\nb NOOP\r\n",
                 BEGUN "TOO_BIG a Message too large\ncommand b NOOP \n");
    check_events("a APPEND x CATENATE (URL {65537}\r\nb NOOP\r\n",
                 BEGUN "BAD a Literal: too large\ncommand b NOOP \n");
}

/* The caller refuses at the first event; the command is read past to its end. */
static void test_refused(void **state)
{
    (void)state;
    const struct slice inputs[] = {
        SLICE("a APPEND x CATENATE (URL u TEXT {3+}\r\nabc URL v) {2+}\r\nde\r\nb NOOP\r\n"),
        SLICE("a APPEND x CATENATE (URL u TEXT {3}\r\nb NOOP\r\n"),
        SLICE("a APPEND x CATENATE (URL {2+}\r\nuv URL {1+}\r\nx)\r\nb NOOP\r\n"),
        SLICE("a APPEND x CATENATE (URL u)\r\nb NOOP\r\n"),
    };
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        check_dialogue(usual_limits, inputs[i], true, BEGUN "command b NOOP \n", __FILE__,
                       __LINE__);
}

static void test_limits(void **state)
{
    (void)state;
    struct imap_limits limits = usual_limits;
    struct buffer input, expected;
    limits.line = 64 * 1024;
    buffer_init(&input, 1024 * 1024);
    buffer_init(&expected, 1024 * 1024);
    buffer_append_string(&input, "a APPEND x CATENATE (URL u");
    buffer_append_string(&expected, BEGUN "url u\n");
    for (unsigned i = 1; i < IMAP_CATENATE_PARTS_MAXIMUM; i++) {
        buffer_append_string(&input, " URL u");
        buffer_append_string(&expected, "url u\n");
    }
    buffer_append_string(&input, " TEXT {1}\r\nb NOOP\r\n");
    buffer_append(&expected, SLICE("BAD a Part: too many\ncommand b NOOP \n"));
    buffer_append_byte(&expected, '\0');
    check_events_slice(limits, buffer_slice(&input), expected.data);
    buffer_clear(&input);
    buffer_append_string(&input, "a APPEND x CATENATE (URL ");
    for (unsigned i = 0; i <= IMAP_URL_MAXIMUM; i++)
        buffer_append_byte(&input, 'u');
    buffer_append_string(&input, ")\r\n");
    check_events_slice(limits, buffer_slice(&input), BEGUN "BAD a URL: too long\n");
    buffer_release(&input);
    buffer_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_with_others),
        cmocka_unit_test(test_wrong),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
