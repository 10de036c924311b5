/*
 * GETMETADATA and SETMETADATA (RFC 5464), GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208), COMPRESS
 * (RFC 4978).
 */
#include "imap_dialogue.h"

static void test_get(void **state)
{
    (void)state;
    check_command("GETMETADATA \"\" /shared/comment", "GETMETADATA '' depth 0 /shared/comment NIL");
    check_command("GETMETADATA inbox (/a \"/b c\")", "GETMETADATA 'INBOX' depth 0 /a NIL /b c NIL");
    check_command("GETMETADATA (MAXSIZE 1024 DEPTH 1) x (/a)",
                  "GETMETADATA 'x' depth 1 maximum 1024 /a NIL");
    check_command("GETMETADATA x (depth infinity) /a", "GETMETADATA 'x' depth -1 /a NIL");
    check_command("GETMETADATA x (DEPTH 0) /a", "GETMETADATA 'x' depth 0 /a NIL");
    check_bad("GETMETADATA", "Mailbox name: missing");
    check_bad("GETMETADATA x", "Entry: missing");
    check_bad("GETMETADATA x ()", "Entry: expected an atom or a string");
    check_bad("GETMETADATA x a", "Entry: expected the name of an entry");
    check_bad("GETMETADATA x \"\"", "Entry: expected the name of an entry");
    check_bad("GETMETADATA x \"/a*\"", "Entry: no wildcards are possible");
    check_bad("GETMETADATA x \"/a%\"", "Entry: no wildcards are possible");
    /* As cyradm asks for all. */
    check_command("GETMETADATA \"x\" (\"/private/*\")", "GETMETADATA 'x' depth -1 /private NIL");
    check_bad("GETMETADATA x \"/*/*\"", "Entry: no wildcards are possible");
    check_bad("GETMETADATA x \"/*\"", "Entry: no wildcards are possible");
    check_bad("SETMETADATA x (\"/a/*\" \"b\")", "Entry: no wildcards are possible");
    check_bad("GETMETADATA () x /a", "Option: unknown");
    check_bad("GETMETADATA (DEPTH 2) x /a", "Option: expected 0, 1 or infinity");
    check_bad("GETMETADATA (MAXSIZE) x /a", "Option: expected a number of bytes");
    check_bad("GETMETADATA x /a /b", "Command: something follows the arguments");
}

/* RFC 9590 section 5 */
static void test_list(void **state)
{
    (void)state;
    check_command("LIST \"\" % RETURN (METADATA (\"/shared/vendor/cmu/cyrus-imapd/color\"))",
                  "LIST '''%' extended metadata'/shared/vendor/cmu/cyrus-imapd/color'");
    check_command("LIST \"\" % RETURN (CHILDREN METADATA (/a /b) STATUS (MESSAGES))",
                  "LIST '''%' r:children extended status 1 metadata'/a''/b'");
    check_bad("LIST \"\" % RETURN (METADATA)", "Entry: expected a space before it");
    check_bad("LIST \"\" % RETURN (METADATA /a)", "Entry: expected a list");
    check_bad("LIST \"\" % RETURN (METADATA ())", "Entry: expected an atom or a string");
    check_bad("LIST \"\" % RETURN (METADATA (a))", "Entry: expected the name of an entry");
    check_bad("LIST \"\" % RETURN (METADATA (/a*))", "Entry: expected a closing parenthesis");
    check_bad("LIST \"\" % RETURN (METADATA (\"/shared/*\"))", "Entry: no wildcards are possible");
    check_bad("LIST \"\" % RETURN (METADATA (/a)", "Entry: expected a closing parenthesis");
}

static void test_set(void **state)
{
    (void)state;
    check_command("SETMETADATA x (/a \"b\" /c NIL /d \"\")",
                  "SETMETADATA 'x' depth 0 /a'b' /c NIL /d''");
    check_dialogue(usual_limits, SLICE("a SETMETADATA \"\" (/a ~{3+}\r\n)x\n)\r\n"), false,
                   "command a SETMETADATA '' depth 0 /a')x\n'\n", __FILE__, __LINE__);
    check_events("a SETMETADATA x (/a {2+}\r\n\0x)\r\n", "BAD a Entry: a NUL byte\n");
    check_bad("SETMETADATA x /a b", "Entry: expected a list");
    check_bad("SETMETADATA x (/a)", "Entry: expected a value");
    check_bad("SETMETADATA x (/a b)", "Entry: expected a string");
    check_bad("SETMETADATA x (/a \"b\"", "Entry: expected a closing parenthesis");
}

static void test_quota(void **state)
{
    (void)state;
    check_command("GETQUOTA \"\"", "GETQUOTA ''");
    check_command("GETQUOTAROOT inbox", "GETQUOTAROOT 'INBOX'");
    check_command("COMPRESS DEFLATE", "COMPRESS 'DEFLATE'");
    check_command("UNAUTHENTICATE", "UNAUTHENTICATE ");
    check_bad("UNAUTHENTICATE x", "Command: something follows the arguments");
    check_bad("COMPRESS", "Algorithm: missing");
    check_command("SETQUOTA \"\" (STORAGE 512 message 9223372036854775807)",
                  "SETQUOTA '' STORAGE 512 message 9223372036854775807");
    check_command("SETQUOTA \"Other Users/b\" ()", "SETQUOTA 'Other Users/b'");
    check_command("SETQUOTA x (1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 a 1 b 1 c 1 d 1 e 1 f 1 g 1)",
                  "SETQUOTA 'x' 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 a 1 b 1 c 1 d 1 e 1 f 1 g 1");
    check_bad("SETQUOTA x (1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1)",
              "Limit: too many");
    check_bad("SETQUOTA", "Quota root: missing");
    check_bad("SETQUOTA x", "Limit: missing");
    check_bad("SETQUOTA x STORAGE 1", "Limit: expected a list");
    check_bad("SETQUOTA x (STORAGE)", "Limit: expected a limit");
    check_bad("SETQUOTA x (STORAGE -1)", "Limit: expected a number");
    check_bad("SETQUOTA x (STORAGE 9223372036854775808)", "Limit: the number is too large");
    check_bad("SETQUOTA x (STORAGE 1 )", "Limit: expected an atom");
    check_bad("SETQUOTA x (STORAGE 1", "Limit: expected a closing parenthesis");
    check_bad("SETQUOTA x (STORAGE 1) y", "Command: something follows the arguments");
    check_bad("GETQUOTA", "Quota root: missing");
    check_bad("GETQUOTAROOT \"\"", "Mailbox name: empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_quota),
    };
    return cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
}
