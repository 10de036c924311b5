#include "base/error.h"
#include "imap_dialogue.h"

static void test_keys(void **state)
{
    (void)state;
    check_command("SEARCH ALL", "SEARCH and(all)");
    check_command("UID SEARCH unseen Flagged", "UID SEARCH and(not(flag 1) flag 4)");
    check_command("SEARCH ANSWERED UNANSWERED DELETED UNDELETED DRAFT UNDRAFT SEEN UNFLAGGED",
                  "SEARCH and(flag 2 not(flag 2) flag 8 not(flag 8) flag 16 not(flag 16) flag 1 "
                  "not(flag 4))");
    check_command("SEARCH NEW OLD RECENT", "SEARCH and(not(all) all not(all))");
    check_command("SEARCH KEYWORD $Junk UNKEYWORD x",
                  "SEARCH and(keyword '$Junk' not(keyword 'x'))");
    check_command("SEARCH FROM a TO b CC c BCC d SUBJECT \"e f\" BODY g TEXT h HEADER X-i \"\"",
                  "SEARCH and(header FROM'a' header TO'b' header CC'c' header BCC'd' "
                  "header SUBJECT'e f' body 'g' text 'h' header X-i'')");
    check_command("SEARCH LARGER 0 SMALLER 9223372036854775807",
                  "SEARCH and(larger 0 smaller 9223372036854775807)");
    check_command("SEARCH BEFORE 1-Feb-1994 ON \"01-Feb-1994\" SINCE 1-Jan-1970",
                  "SEARCH and(before 760060800 on 760060800 since 0)");
    check_command("SEARCH SENTBEFORE 1-Feb-1994 SENTON 1-Feb-1994 SENTSINCE 1-Feb-1994",
                  "SEARCH and(sentbefore 760060800 senton 760060800 sentsince 760060800)");
    check_command("SEARCH 1:*,7 UID 3 *", "SEARCH and(sequence 1:0,7:7 uid 3:3 sequence 0:0)");
    check_command("SEARCH $", "SEARCH and(sequence $)");
}

static void test_later_keys(void **state)
{
    (void)state;
    check_command("SEARCH SAVEDBEFORE 1-Feb-1994 SAVEDON 1-Feb-1994 SAVEDSINCE 1-Feb-1994",
                  "SEARCH and(savedbefore 760060800 savedon 760060800 savedsince 760060800)");
    check_command("SEARCH SAVEDATESUPPORTED", "SEARCH and(all)");
    check_command("SEARCH OLDER 1 YOUNGER 4294967295", "SEARCH and(older 1 younger 4294967295)");
    check_command("SEARCH EMAILID M1_-z THREADID Tab",
                  "SEARCH and(emailid 'M1_-z' threadid 'Tab')");
    check_command("SEARCH MODSEQ 620162338", "SEARCH and(modseq 620162338)");
    check_command("SEARCH MODSEQ \"/flags/\\\\draft\" all 5 SEEN", "SEARCH and(modseq 5 flag 1)");
    check_bad("SEARCH MODSEQ \"/comment\" all 5",
              "Search key: expected the name of a flag's entry");
    check_bad("SEARCH MODSEQ \"/flags/x\" any 5", "Search key: expected priv, shared or all");
    check_bad("SEARCH MODSEQ \"/flags/x\" 5", "Search key: expected priv, shared or all");
    check_bad("SEARCH MODSEQ", "Search key: expected an argument behind the key");
    check_bad("SEARCH MODSEQ 9223372036854775808", "Search key: the number is too large");
    check_bad("SEARCH OLDER 0", "Search key: expected a number other than 0");
    check_bad("SEARCH YOUNGER 4294967296", "Search key: the number is too large");
    check_bad("SEARCH EMAILID M.1", "Search key: not an object id");
    check_bad("SEARCH THREADID", "Search key: expected an argument behind the key");
}

static void test_object_id_maximum(void **state)
{
    (void)state;
    char id[IMAP_OBJECT_ID_MAXIMUM + 1], line[sizeof(id) + 30], expected[sizeof(id) + 60];
    memset(id, 'x', sizeof(id));
    for (int size = IMAP_OBJECT_ID_MAXIMUM; size <= IMAP_OBJECT_ID_MAXIMUM + 1; size++) {
        snprintf(line, sizeof(line), "a SEARCH EMAILID %.*s\r\n", size, id);
        if (size == IMAP_OBJECT_ID_MAXIMUM)
            snprintf(expected, sizeof(expected), "command a SEARCH and(emailid '%.*s')\n", size,
                     id);
        else
            snprintf(expected, sizeof(expected), "BAD a Search key: the object id is too long\n");
        check_dialogue(usual_limits, slice_from_string(line), false, expected, __FILE__, __LINE__);
    }
}

static void test_groups(void **state)
{
    (void)state;
    check_command("SEARCH OR SEEN (DRAFT NOT 1)",
                  "SEARCH and(or(flag 1 and(flag 16 not(sequence 1:1))))");
    check_command("SEARCH NOT OR ALL ALL DELETED", "SEARCH and(not(or(all all)) flag 8)");
    check_command("SEARCH (1)", "SEARCH and(and(sequence 1:1))");
    check_command("SEARCH NOT UNSEEN", "SEARCH and(not(not(flag 1)))");
}

static void test_return(void **state)
{
    (void)state;
    check_command("SEARCH RETURN (MIN max COUNT) SEEN", "SEARCH return min max count and(flag 1)");
    check_command("SEARCH RETURN () CHARSET UTF-8 SEEN", "SEARCH return all and(flag 1)");
    check_command("SEARCH RETURN (save) $", "SEARCH return save and(sequence $)");
    check_command("SEARCH RETURN (PARTIAL 500:1 COUNT) SEEN",
                  "SEARCH return count and(flag 1) partial 500:1");
    check_command("UID SEARCH RETURN (save partial -1:-100) SEEN",
                  "UID SEARCH return save and(flag 1) partial -1:100");
    check_bad("SEARCH RETURN (PARTIAL 1:2 ALL) SEEN",
              "Return option: ALL and PARTIAL exclude each other");
    check_bad("SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) SEEN",
              "Return option: only one PARTIAL is possible");
    check_bad("SEARCH RETURN (PARTIAL) SEEN", "Return option: expected a range");
    check_bad("SEARCH RETURN (PARTIAL 1) SEEN", "Return option: expected a range");
    check_bad("SEARCH RETURN (PARTIAL 0:5) SEEN", "Return option: expected a number other than 0");
    check_bad("SEARCH RETURN (PARTIAL -1:5) SEEN",
              "Return option: expected both ends from the back");
    check_bad("SEARCH RETURN (PARTIAL 1:*) SEEN", "Return option: expected a number");
    check_command("SORT RETURN (PARTIAL 1:2) (DATE) UTF-8 ALL",
                  "SORT return +2 and(all) partial 1:2");
    check_bad("SORT RETURN (PARTIAL x) (DATE) UTF-8 ALL", "Return option: expected a number");
    check_bad("SEARCH RETURN (KEEP) SEEN", "Return option: unknown");
    check_bad("SEARCH RETURN (MIN)", "Search key: missing");
    check_bad("SEARCH RETURN MIN SEEN", "Return option: expected a list");
}

static void test_sort(void **state)
{
    (void)state;
    check_command("SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994", "SORT +7 and(since 760060800)");
    check_command("UID SORT (subject REVERSE DATE) us-ascii ALL", "UID SORT +7 -2 and(all)");
    check_command("SORT RETURN (MIN) (ARRIVAL CC DISPLAYFROM DISPLAYTO FROM SIZE TO) UTF-8 1",
                  "SORT return min +0 +1 +3 +4 +5 +6 +8 and(sequence 1:1)");
    check_events("a SORT (TO) ISO-8859-1 TEXT {1+}\r\n\xe4\r\n",
                 "command a SORT +8 and(text '\xc3\xa4')\n");
    check_events("a SORT (TO) x-nobody ALL\r\n", "BAD_CHARSET a Unknown charset\n");
    check_bad("SORT SUBJECT UTF-8 ALL", "Sort criterion: expected a list");
    check_bad("SORT () UTF-8 ALL", "Sort criterion: unknown");
    check_bad("SORT (COLOUR) UTF-8 ALL", "Sort criterion: unknown");
    check_bad("SORT (REVERSE) UTF-8 ALL", "Sort criterion: expected what to reverse");
    check_bad("SORT (REVERSE REVERSE TO) UTF-8 ALL", "Sort criterion: unknown");
    check_bad("SORT (TO UTF-8 ALL", "Sort criterion: unknown");
    check_bad("SORT (TO)", "Charset: missing");
    check_bad("SORT (TO) UTF-8", "Search key: missing");
}

static void test_thread(void **state)
{
    (void)state;
    check_command("THREAD ORDEREDSUBJECT UTF-8 SEEN", "THREAD 0 and(flag 1)");
    check_command("UID THREAD references utf-8 1:* DELETED",
                  "UID THREAD 1 and(sequence 1:0 flag 8)");
    check_command("THREAD Refs UTF-8 SEEN", "THREAD 2 and(flag 1)");
    check_bad("THREAD REF UTF-8 ALL", "Threading algorithm: unknown");
    check_bad("THREAD", "Threading algorithm: missing");
    check_bad("THREAD REFERENCES", "Charset: missing");
    check_bad("THREAD REFERENCES UTF-8", "Search key: missing");
    check_bad("THREAD RETURN (ALL) REFERENCES UTF-8 ALL", "Threading algorithm: unknown");
}

static void test_charset(void **state)
{
    (void)state;
    check_command("SEARCH CHARSET utf-8 TEXT \"\xc3\xa4\"", "SEARCH and(text '\xc3\xa4')");
    check_command("SEARCH CHARSET US-ASCII TEXT a", "SEARCH and(text 'a')");
    check_command("SEARCH TEXT \"\xc3\xa4\"", "SEARCH and(text '\xc3\xa4')");
    check_events("a SEARCH CHARSET ISO-8859-1 TEXT {1+}\r\n\xe4 SUBJECT x\r\n",
                 "command a SEARCH and(text '\xc3\xa4' header SUBJECT'x')\n");
    check_bad("SEARCH TEXT \"\xe4\"", "Search key: the text is not valid in its charset");
    check_events("a SEARCH CHARSET x-nobody TEXT a\r\nb NOOP\r\n",
                 "BAD_CHARSET a Unknown charset\ncommand b NOOP \n");
    check_events("a SEARCH CHARSET \"\" ALL\r\n", "BAD_CHARSET a Unknown charset\n");
    check_bad("SEARCH CHARSET UTF-8", "Search key: missing");
}

static void test_bad(void **state)
{
    (void)state;
    check_bad("SEARCH", "Search key: missing");
    check_bad("SEARCH XYZZY", "Search key: unknown");
    check_bad("SEARCH NOT", "Search key: expected another key");
    check_bad("SEARCH OR ALL", "Search key: expected another key");
    check_bad("SEARCH (ALL", "Search key: expected a key or a closing parenthesis");
    check_bad("SEARCH ()", "Search key: unknown");
    check_bad("SEARCH ON yesterday", "Search key: expected a date, such as 1-Feb-1994");
    check_bad("SEARCH LARGER x", "Search key: expected a number");
    check_bad("SEARCH LARGER 9223372036854775808", "Search key: the number is too large");
    check_bad("SEARCH TEXT", "Search key: expected an argument behind the key");
    check_bad("SEARCH HEADER x", "Search key: expected a text behind the field");
    check_bad("SEARCH 0", "Search key: expected a number or *");
    check_bad("SEARCH ALL)", "Command: something follows the arguments");
}

/* RFC 5267 section 5, RFC 5465 section 7 */
static void test_context(void **state)
{
    (void)state;
    check_command("SEARCH RETURN (CONTEXT COUNT) UNDELETED UNKEYWORD $Junk",
                  "SEARCH return count and(not(flag 8) not(keyword '$Junk'))");
    check_command("UID SEARCH RETURN (UPDATE COUNT) DELETED",
                  "UID SEARCH return count update and(flag 8)");
    check_command("UID SORT RETURN (UPDATE PARTIAL 1:5 CONTEXT) (DATE) UTF-8 ALL",
                  "UID SORT return +2 update and(all) partial 1:5");
    check_command("SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) "
                  "FROM \"boss\"",
                  "SEARCH return count update uid section=BODY[HEADER.FIELDS (TO FROM "
                  "SUBJECT)]/2'TO''FROM''SUBJECT' and(header FROM'boss')");
    check_command("SEARCH RETURN (UPDATE(FLAGS) MIN) ALL",
                  "SEARCH return min update flags and(all)");
    check_bad("SEARCH RETURN (UPDATE ()) ALL", "Return option: unknown");
    check_bad("SEARCH RETURN (UPDATE (FLAGS) ) ALL", "Return option: unknown");
    check_bad("SEARCH RETURN (UPDATE (FLAGS) UPDATE (UID)) ALL", "Return option: unknown");
    check_bad("SEARCH RETURN (CONTEXT (FLAGS)) ALL", "Return option: unknown");
    check_command("CANCELUPDATE \"B01\"", "CANCELUPDATE 'B01'");
    check_command("CANCELUPDATE \"B01\" \"B02\"", "CANCELUPDATE 'B01''B02'");
    check_bad("CANCELUPDATE", "Tag: missing");
    check_bad("CANCELUPDATE B01", "Tag: expected a string");
    check_bad("CANCELUPDATE \"B01\" B02", "Tag: expected a string");
    check_bad("CANCELUPDATE \"B01\"\"B02\"", "Tag: expected a space before it");
    check_bad("UID CANCELUPDATE \"B01\"", "Command after UID: unknown");
}

/* RFC 10022; which range comes first is the session's to look at. */
static void test_batches(void **state)
{
    (void)state;
    check_command("UIDBATCHES 2000", "UIDBATCHES 2000 1:4294967295");
    check_command("uidbatches 2000 10:20", "UIDBATCHES 2000 10:20");
    check_command("UIDBATCHES 1 20:10", "UIDBATCHES 1 20:10");
    check_command("UIDBATCHES 4294967295 4294967295:4294967295",
                  "UIDBATCHES 4294967295 4294967295:4294967295");
    check_bad("UIDBATCHES", "Batch size: missing");
    check_bad("UIDBATCHES x", "Batch size: expected a number");
    check_bad("UIDBATCHES 0", "Batch size: expected a number other than 0");
    check_bad("UIDBATCHES 4294967296", "Batch size: the number is too large");
    check_bad("UIDBATCHES 500 ", "Batch range: expected a number");
    check_bad("UIDBATCHES 500,10:20", "Batch range: expected a space before it");
    check_bad("UIDBATCHES 500 10", "Batch range: expected a range");
    check_bad("UIDBATCHES 500 10:", "Batch range: expected a number");
    check_bad("UIDBATCHES 500 0:20", "Batch range: expected a number other than 0");
    check_bad("UIDBATCHES 500 10:*", "Batch range: expected a number");
    check_bad("UIDBATCHES 500 10:20 30:40", "Command: something follows the arguments");
    check_bad("UID UIDBATCHES 500", "Command after UID: unknown");
}

/* RFC 7377 section 4 */
static void test_esearch(void **state)
{
    (void)state;
    check_command("ESEARCH UNSEEN", "ESEARCH  and(not(flag 1))");
    check_command("UID ESEARCH FROM \"frobozz\" 1:100",
                  "UID ESEARCH  and(header FROM'frobozz' sequence 1:100)");
    check_command("ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\") unseen",
                  "ESEARCH none 6/0'folder1' 5/0'folder2' and(not(flag 1))");
    check_command("ESEARCH IN (mailboxes \"folder1\" subtree-one \"folder2\") subject \"chad\"",
                  "ESEARCH none 6/0'folder1' 7/0'folder2' and(header SUBJECT'chad')");
    check_command(
        "ESEARCH IN (selected personal subscribed inboxes subtree (a b)) RETURN (MIN COUNT) "
        "CHARSET UTF-8 ALL",
        "ESEARCH none 0/0 3/0 4/0 2/0 5/0'a''b' return min count and(all)");
    check_bad("ESEARCH", "Search key: missing");
    check_bad("ESEARCH IN", "Mailbox filter: missing");
    check_bad("ESEARCH IN personal ALL", "Mailbox filter: expected a list");
    check_bad("ESEARCH IN () ALL", "Mailbox filter: unknown");
    check_bad("ESEARCH IN (selected-delayed) ALL", "Mailbox filter: unknown");
    check_bad("ESEARCH IN (selected selected) ALL",
              "Mailbox filter: the selected mailbox is named twice");
    check_bad("ESEARCH IN (personal (x y)) ALL", "Mailbox filter: unknown");
    check_bad("ESEARCH IN (mailboxes) ALL", "Mailbox name: expected a space before it");
    check_bad("ESEARCH IN (personal)", "Search key: missing");
    check_bad("ESEARCH IN (personal) RETURN (MIN)", "Search key: missing");
    check_bad("NOTIFY SET (subtree-one x (MailboxName))", "Mailbox filter: unknown");
}

/* RFC 5466 section 4 */
static void test_filter(void **state)
{
    (void)state;
    check_command("SEARCH UID 300:900 FILTER on-the-road SINCE \"3-Dec-2002\"",
                  "SEARCH and(uid 300:900 filter 'on-the-road' since 1038873600)");
    check_command("SEARCH NOT FILTER x", "SEARCH and(not(filter 'x'))");
    check_bad("SEARCH FILTER", "Search key: expected an argument behind the key");
    check_bad("SEARCH FILTER \"x\"", "Search key: expected an atom");
    check_bad("SEARCH FILTER a/b", "Search key: not the name of a filter");
    check_bad("SEARCH FILTER x y", "Search key: unknown");
}

static void check_program(const char *text, int expected)
{
    struct arena arena;
    struct imap_search search;
    arena_init(&arena, 64 * 1024);
    assert_int_equal(imap_search_program(slice_from_string(text), &arena, &search), expected);
    arena_release(&arena);
}

static void test_programs(void **state)
{
    (void)state;
    check_program("OR SMALLER 5000 FROM \"boss@example.com\"", 0);
    check_program("(FILTER a) SUBJECT {3}\r\nx y", 0);
    check_program("SUBJECT \"\xc3\xa9\"", 0);
    check_program("OR SMALLER", ERROR_SYNTAX);
    check_program("OR SMALLER 5000", ERROR_SYNTAX);
    check_program("", ERROR_SYNTAX);
    check_program("ALL ", ERROR_SYNTAX);
    check_program("ALL)", ERROR_SYNTAX);
    check_program("CHARSET UTF-8 ALL", ERROR_SYNTAX);
    check_program("SUBJECT \"\xe9\"", ERROR_SYNTAX);
    check_program("SUBJECT {4}\r\nx", ERROR_SYNTAX);
}

/* IMAP_CANCEL_MAXIMUM */
static void test_many_tags(void **state)
{
    (void)state;
    struct buffer input, expected;
    buffer_init(&input, 4096);
    buffer_init(&expected, 4096);
    buffer_append_string(&input, "a CANCELUPDATE");
    buffer_append_string(&expected, "command a CANCELUPDATE ");
    for (int i = 0; i < IMAP_CANCEL_MAXIMUM; i++) {
        buffer_append_string(&input, " \"t\"");
        buffer_append_string(&expected, "'t'");
    }
    size_t size = input.size;
    buffer_append_string(&input, "\r\n");
    buffer_append_string(&expected, "\n");
    check_events_slice(usual_limits, buffer_slice(&input), expected.data);
    buffer_truncate(&input, size);
    buffer_append_string(&input, " \"t\"\r\n");
    check_events_slice(usual_limits, buffer_slice(&input), "BAD a Tag: too many\n");
    buffer_release(&input);
    buffer_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_later_keys),
        cmocka_unit_test(test_object_id_maximum),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_return),
        cmocka_unit_test(test_charset),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_many_tags),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_esearch),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_programs),
    };
    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
