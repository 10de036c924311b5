/*
 * RESETKEY, GENURLAUTH and URLFETCH (RFC 4467, RFC 5524).
 */
#include "imap_dialogue.h"
#include "proto/imap/url.h"

static void test_resetkey(void **state)
{
    (void)state;
    check_command("RESETKEY", "RESETKEY ''");
    check_command("RESETKEY inbox", "RESETKEY 'INBOX'");
    check_command("resetkey \"a b\" INTERNAL XSAMPLE", "RESETKEY 'a b''INTERNAL''XSAMPLE'");
    check_bad("RESETKEY ", "Mailbox name: expected an atom or a string");
    check_bad("RESETKEY \"\"", "Mailbox name: empty");
    check_bad("RESETKEY x ", "Mechanism: expected an atom");
    check_bad("RESETKEY x (a)", "Mechanism: expected an atom");
    check_bad("RESETKEY x a(", "Mechanism: expected a space before it");
}

static void test_genurlauth(void **state)
{
    (void)state;
    check_command("GENURLAUTH \"imap://j@x/I/;uid=2;urlauth=user+f\" INTERNAL",
                  "GENURLAUTH 'imap://j@x/I/;uid=2;urlauth=user+f'INTERNAL");
    check_events("a GENURLAUTH a x {1}\r\nb y\r\n", "continue \ncommand a GENURLAUTH 'a'x'b'y\n");
    check_bad("GENURLAUTH", "URL: missing");
    check_bad("GENURLAUTH a", "Mechanism: missing");
    check_bad("GENURLAUTH a b c", "Mechanism: missing");
    check_bad("GENURLAUTH (a) b", "URL: expected an atom or a string");
    check_bad("GENURLAUTH a \"b\"", "Mechanism: expected an atom");
    check_bad("GENURLAUTH a b ", "URL: expected an atom or a string");
}

static void test_urlfetch(void **state)
{
    (void)state;
    check_command("URLFETCH \"a b\" c", "URLFETCH 'a b''c'");
    check_command("URLFETCH (a)", "URLFETCH 'a'");
    check_command("URLFETCH (a BINARY) b (c bodypartstructure body)",
                  "URLFETCH 'a' binary'b''c' body structure");
    check_events("a URLFETCH ({1+}\r\na BODY)\r\n", "command a URLFETCH 'a' body\n");
    check_bad("URLFETCH", "URL: missing");
    check_bad("URLFETCH ()", "URL: expected an atom or a string");
    check_bad("URLFETCH (a BODY BODY)", "Parameter: given twice");
    check_bad("URLFETCH (a BODY BINARY)", "Parameter: BODY and BINARY exclude each other");
    check_bad("URLFETCH (a HEADER)", "Parameter: expected BODY, BINARY or BODYPARTSTRUCTURE");
    check_bad("URLFETCH (a ", "Parameter: expected BODY, BINARY or BODYPARTSTRUCTURE");
    check_bad("URLFETCH (a", "Parameter: expected a space or a closing parenthesis");
    check_bad("URLFETCH (a BODY)b", "URL: expected a space before it");
}

static void check_long(const char *before, const char *item, unsigned count, const char *expected)
{
    struct imap_limits limits = usual_limits;
    struct buffer input;
    limits.line = 64 * 1024;
    buffer_init(&input, 64 * 1024);
    buffer_append_string(&input, before);
    for (unsigned i = 0; i < count; i++)
        buffer_append_string(&input, item);
    buffer_append_string(&input, "\r\n");
    check_events_slice(limits, buffer_slice(&input), expected);
    buffer_release(&input);
}

static void test_limits(void **state)
{
    (void)state;
    check_long("a URLFETCH", " u", IMAP_URLS_MAXIMUM + 1, "BAD a URL: too many\n");
    check_long("a GENURLAUTH", " u m", IMAP_URLS_MAXIMUM + 1, "BAD a Mechanism: too many\n");
    check_long("a RESETKEY x", " m", IMAP_URLS_MAXIMUM + 1, "BAD a Mechanism: too many\n");
    check_long("a URLFETCH ", "u", IMAP_URL_MAXIMUM + 1, "BAD a URL: too long\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resetkey), cmocka_unit_test(test_genurlauth),
        cmocka_unit_test(test_urlfetch), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
