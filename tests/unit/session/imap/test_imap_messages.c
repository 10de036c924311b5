/*
 * Messages: APPEND, FETCH, STORE, EXPUNGE, COPY, MOVE.
 */
#include "unit/check.h"

#include "session/imap/session_priv.h"
#include "unit/session/imap/dialogue.h"

#define SIMPLE                                                                                     \
    "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n"                 \
    "Date: Mon, 5 Feb 2024 23:30:00 -0500\r\nX-Long: one\r\n two\r\n\r\nHow are you?\r\n"

#define MULTIPART                                                                                  \
    "From: carol@example.org\r\nSubject: Parts\r\nMIME-Version: 1.0\r\n"                           \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"                                            \
    "--b\r\nContent-Type: text/plain\r\n\r\nplain text\r\n"                                        \
    "--b\r\nContent-Type: message/rfc822\r\n\r\n"                                                  \
    "Subject: Inner\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"                             \
    "--b--\r\n"

static void test_append(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a APPEND none {5}\r\n", "a NO [TRYCREATE] No such mailbox\r\n");
    check(client, "a APPEND none {5+}\r\n12345\r\nb NOOP\r\n",
          "a NO [TRYCREATE] No such mailbox\r\nb OK NOOP completed\r\n");
    check_has(client, "a APPEND INBOX {1048577}\r\n", "a NO [TOOBIG] ");
    check_has(client, "a SELECT INBOX\r\n", "* 0 EXISTS\r\n");
    check(client,
          "a APPEND INBOX (\\Seen $Work) \"17-Jul-1996 02:44:25 -0700\" {10}\r\n"
          "a: b\r\n\r\nx\n\r\n",
          "+ OK\r\n"
          "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
          "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] Flags "
          "that can be changed\r\n"
          "* 1 EXISTS\r\n* 0 RECENT\r\n"
          "a OK [APPENDUID V 1] Append completed\r\n");
    check(client, "a FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\n",
          "* 1 FETCH (UID 1 FLAGS (\\Seen $Work) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
          "RFC822.SIZE 10 BODY[] {10}\r\na: b\r\n\r\nx\n)\r\na OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

/* All messages of one APPEND together, SESSION_APPEND_TOTAL times the largest one. */
static void test_append_total(void **state)
{
    (void)state;
    enum { SIZE = 1000 };
    struct dialogue dialogue;
    char text[6 * (SIZE + 20)], *at = text;
    dialogue_open(&dialogue);
    dialogue.config.message_size = SIZE;
    struct client *client = dialogue_client(&dialogue);
    at += snprintf(at, 20, "a APPEND INBOX");
    for (int i = 0; i < SESSION_APPEND_TOTAL; i++) {
        at += snprintf(at, 20, " {%d+}\r\n", SIZE);
        memset(at, 'x', SIZE);
        memcpy(at, "A: b\r\n\r\n", 8);
        at += SIZE;
    }
    snprintf(at, 100, "\r\n");
    check_has(client, text, "a OK [APPENDUID");
    snprintf(at, 100, " {9+}\r\nA: b\r\n\r\nx\r\n");
    check_has(client, text, "a NO [LIMIT] The messages of one command are too large\r\n");
    check_has(client, "b STATUS INBOX (MESSAGES)\r\n", "(MESSAGES 4)");
    dialogue_close(&dialogue);
}

/* A message that is larger than what is kept in memory. */
static void test_append_large(void **state)
{
    (void)state;
    if (dialogue_bytewise)
        return;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    size_t size = 1000 * 1000;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, "a: b\r\n\r\n", 8);
    for (size_t i = 78; i + 2 < size; i += 80)
        memcpy(text + i, "\r\n", 2);
    text[size] = '\0';
    dialogue_append(&dialogue, "INBOX", "", text);
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS\r\n");
    const char *received = client_send(client, "a FETCH 1 BODY.PEEK[]\r\n");
    assert_true(strncmp(received, "* 1 FETCH (BODY[] {1000000}\r\n", 29) == 0);
    assert_memory_equal(received + 29, text, size);
    assert_string_equal(received + 29 + size, ")\r\na OK Fetch completed\r\n");
    assert_true(client->runs > 5);
    assert_true(client->widest < 2 * STREAM_OUTPUT_MARK + 100);
    /* However often it is asked for, no run gives more. */
    received =
        client_send(client, "a FETCH 1 (RFC822.SIZE BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[1] "
                            "RFC822.HEADER BODY.PEEK[]<0.900000>)\r\n");
    assert_true(strlen(received) > 3900 * 1000);
    assert_non_null(strstr(received, " RFC822.HEADER {8}\r\na: b\r\n\r\n BODY[]<0> {900000}\r\n"));
    assert_true(client->widest < 2 * STREAM_OUTPUT_MARK + 100);
    /* One that takes it at once gets it in one run; what sets \Seen waits for the run's end. */
    client->takes = true;
    received = client_send(client, "a FETCH 1 BODY.PEEK[]\r\n");
    assert_memory_equal(received + 29, text, size);
    assert_string_equal(received + 29 + size, ")\r\na OK Fetch completed\r\n");
    assert_int_equal(client->runs, 1);
    assert_true(client->sent > 5);
    assert_true(client->widest < 2 * STREAM_OUTPUT_MARK + 100);
    client_run_once(client, "a FETCH 1 (BODY[] BODY.PEEK[])\r\n");
    assert_int_equal(client->sent, 0);
    assert_int_equal(client->need, STREAM_NEED_OUTPUT);
    check_has(client, "", " FLAGS (\\Seen))\r\na OK Fetch completed\r\n");
    free(text);
    dialogue_close(&dialogue);
}

static void test_fetch_items(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    dialogue_append(&dialogue, "INBOX", "", SIMPLE);
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS\r\n");
    check(client, "a FETCH 1 FAST\r\n",
          "* 1 FETCH (FLAGS () INTERNALDATE \"01-Feb-2024 10:20:30 +0000\" RFC822.SIZE 143)\r\n"
          "a OK Fetch completed\r\n");
    check(client, "a UID FETCH 1:* ENVELOPE\r\n",
          "* 1 FETCH (UID 1 ENVELOPE (\"Mon, 5 Feb 2024 23:30:00 -0500\" \"Hello\" "
          "((\"Alice\" NIL \"alice\" \"example.org\")) ((\"Alice\" NIL \"alice\" \"example.org\")) "
          "((\"Alice\" NIL \"alice\" \"example.org\")) ((NIL NIL \"bob\" \"example.org\")) "
          "NIL NIL NIL NIL))\r\na OK Fetch completed\r\n");
    check(client, "a FETCH 1 (BODY BODYSTRUCTURE)\r\n",
          "* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 14 1) "
          "BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 14 1 NIL "
          "NIL NIL NIL))\r\na OK Fetch completed\r\n");
    check_has(client, "a FETCH 2 UID\r\n", "a BAD ");
    check_has(client, "a FETCH 1:* UID\r\n", "* 1 FETCH (UID 1)\r\na OK");
    check(client, "a UID FETCH 99 UID\r\n", "a OK Fetch completed\r\n");
    check_has(client, "a UID FETCH 99:* UID\r\n", "* 1 FETCH (UID 1)\r\na OK");
    dialogue_close(&dialogue);
}

static void test_sections(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    dialogue_append(&dialogue, "INBOX", "(\\Seen)", SIMPLE);
    dialogue_append(&dialogue, "INBOX", "(\\Seen)", MULTIPART);
    check_has(client, "a SELECT INBOX\r\n", "* 2 EXISTS\r\n");
    static const struct {
        const char *item, *answer;
    } rows[] = {
        {"1 BODY[TEXT]", "BODY[TEXT] {14}\r\nHow are you?\r\n"},
        {"1 BODY[1]", "BODY[1] {14}\r\nHow are you?\r\n"},
        {"1 BODY[2]", "BODY[2] NIL"},
        {"1 BODY[1.HEADER]", "BODY[1.HEADER] NIL"},
        {"1 BODY[]<4.8>", "BODY[]<4> {8}\r\n: Alice "},
        {"1 BODY[TEXT]<10.100>", "BODY[TEXT]<10> {4}\r\nu?\r\n"},
        {"1 BODY[TEXT]<100.5>", "BODY[TEXT]<100> {0}\r\n"},
        {"1 RFC822.TEXT", "RFC822.TEXT {14}\r\nHow are you?\r\n"},
        {"1 BODY[HEADER.FIELDS (subject x-long none)]",
         "BODY[HEADER.FIELDS (SUBJECT X-LONG NONE)] {37}\r\n"
         "Subject: Hello\r\nX-Long: one\r\n two\r\n\r\n"},
        {"1 BODY[HEADER.FIELDS.NOT (FROM TO SUBJECT DATE)]",
         "BODY[HEADER.FIELDS.NOT (FROM TO SUBJECT DATE)] {21}\r\nX-Long: one\r\n two\r\n\r\n"},
        {"1 BODY[HEADER.FIELDS (SUBJECT)]<9.5>", "BODY[HEADER.FIELDS (SUBJECT)]<9> {5}\r\nHello"},
        {"1 BODY[HEADER]<0.7>", "BODY[HEADER]<0> {7}\r\nFrom: A"},
        {"2 BODY[1]", "BODY[1] {10}\r\nplain text"},
        {"2 BODY[1.MIME]", "BODY[1.MIME] {28}\r\nContent-Type: text/plain\r\n\r\n"},
        {"2 BODY[2.MIME]", "BODY[2.MIME] {32}\r\nContent-Type: message/rfc822\r\n\r\n"},
        {"2 BODY[2.HEADER]",
         "BODY[2.HEADER] {44}\r\nSubject: Inner\r\nContent-Type: text/plain\r\n\r\n"},
        {"2 BODY[2.TEXT]", "BODY[2.TEXT] {10}\r\ninner text"},
        {"2 BODY[2.1]", "BODY[2.1] {10}\r\ninner text"},
        {"2 BODY[2]",
         "BODY[2] {54}\r\nSubject: Inner\r\nContent-Type: text/plain\r\n\r\ninner text"},
        {"2 BODY[2.HEADER.FIELDS (SUBJECT)]",
         "BODY[2.HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: Inner\r\n\r\n"},
        {"2 BODY[3]", "BODY[3] NIL"},
        {"2 BODY[1.TEXT]", "BODY[1.TEXT] NIL"},
        {"2 BODY[9.9.9]", "BODY[9.9.9] NIL"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char command[200], expected[500];
        snprintf(command, sizeof(command), "a FETCH %s\r\n", rows[i].item);
        snprintf(expected, sizeof(expected), "* %c FETCH (%s)\r\na OK Fetch completed\r\n",
                 rows[i].item[0], rows[i].answer);
        check(client, command, expected);
    }
    dialogue_close(&dialogue);
}

static void test_implicit_seen(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 3; i++)
        dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\nx");
    check_has(client, "a EXAMINE INBOX\r\n", "* 3 EXISTS\r\n");
    check(client, "a FETCH 1 BODY[TEXT]\r\n",
          "* 1 FETCH (BODY[TEXT] {1}\r\nx)\r\na OK Fetch completed\r\n");
    check_has(client, "a SELECT INBOX\r\n", "[UNSEEN 1]");
    check(client, "a FETCH 1 BODY.PEEK[TEXT]\r\n",
          "* 1 FETCH (BODY[TEXT] {1}\r\nx)\r\na OK Fetch completed\r\n");
    check(client, "a FETCH 1:2 BODY[TEXT]\r\n",
          "* 1 FETCH (BODY[TEXT] {1}\r\nx FLAGS (\\Seen))\r\n"
          "* 2 FETCH (BODY[TEXT] {1}\r\nx FLAGS (\\Seen))\r\na OK Fetch completed\r\n");
    check(client, "a FETCH 1:2 BODY[TEXT]\r\n",
          "* 1 FETCH (BODY[TEXT] {1}\r\nx)\r\n* 2 FETCH (BODY[TEXT] {1}\r\nx)\r\n"
          "a OK Fetch completed\r\n");
    check(client, "a UID FETCH 3 (FLAGS RFC822)\r\n",
          "* 3 FETCH (UID 3 FLAGS (\\Seen) RFC822 {9}\r\na: b\r\n\r\nx)\r\n"
          "a OK Fetch completed\r\n");
    check(client, "a SEARCH UNSEEN\r\n", "* SEARCH\r\na OK Search completed\r\n");
    dialogue_close(&dialogue);
}

static void test_store(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 3; i++)
        dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS\r\n");
    check(client, "a STORE 1:2 +FLAGS (\\Seen \\Flagged)\r\n",
          "* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n* 2 FETCH (FLAGS (\\Seen \\Flagged))\r\n"
          "a OK Store completed\r\n");
    check(client, "a STORE 2 -FLAGS \\Seen\r\n",
          "* 2 FETCH (FLAGS (\\Flagged))\r\na OK Store completed\r\n");
    check(client, "a STORE 2 -FLAGS.SILENT (\\Flagged)\r\n", "a OK Store completed\r\n");
    check(client, "a UID STORE 3,99 FLAGS ($Work)\r\n",
          "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
          "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] Flags "
          "that can be changed\r\n"
          "* 3 FETCH (UID 3 FLAGS ($Work))\r\na OK Store completed\r\n");
    check(client, "a FETCH 1:* FLAGS\r\n",
          "* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n* 2 FETCH (FLAGS ())\r\n"
          "* 3 FETCH (FLAGS ($Work))\r\na OK Fetch completed\r\n");
    check_has(client, "a STORE 4 +FLAGS (\\Seen)\r\n", "a BAD ");
    check(client, "a UID STORE 99 +FLAGS (\\Seen)\r\n", "a OK Store completed\r\n");
    dialogue_close(&dialogue);
}

static void test_expunge(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 6; i++)
        dialogue_append(&dialogue, "INBOX", i == 1 || i > 3 ? "(\\Deleted)" : "", "a: b\r\n\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 6 EXISTS\r\n");
    check(client, "a UID EXPUNGE 1:5\r\n",
          "* 2 EXPUNGE\r\n* 4 EXPUNGE\r\na OK Expunge completed\r\n");
    check(client, "a EXPUNGE\r\n", "* 4 EXPUNGE\r\na OK Expunge completed\r\n");
    check(client, "a EXPUNGE\r\n", "a OK Expunge completed\r\n");
    check(client, "a FETCH 1:* UID\r\n",
          "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 4)\r\n"
          "a OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

static void test_copy_and_move(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 5; i++)
        dialogue_append(&dialogue, "INBOX", i ? "" : "(\\Seen)", "a: b\r\n\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 5 EXISTS\r\n");
    check(client, "a COPY 1:2,4 Junk\r\n", "a OK [COPYUID V 1:2,4 1:3] Copy completed\r\n");
    check(client, "a COPY 1 none\r\n", "a NO [TRYCREATE] No such mailbox\r\n");
    check(client, "a MOVE 1 none\r\n", "a NO [TRYCREATE] No such mailbox\r\n");
    check(client, "a UID COPY 99 Junk\r\n", "a OK No such message\r\n");
    check_has(client, "a COPY 9 Junk\r\n", "a BAD ");
    check(client, "a MOVE 2:3 Junk\r\n",
          "* OK [COPYUID V 2:3 4:5] Moved\r\n* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n"
          "a OK Move completed\r\n");
    check(client, "a UID MOVE 5 Junk\r\n",
          "* OK [COPYUID V 5 6] Moved\r\n* 3 EXPUNGE\r\na OK Move completed\r\n");
    check(client, "a COPY 1 INBOX\r\n",
          "* 3 EXISTS\r\n* 0 RECENT\r\na OK [COPYUID V 1 6] Copy completed\r\n");
    check_has(client, "a SELECT Junk\r\n", "* 6 EXISTS\r\n");
    check_has(client, "a FETCH 1 (FLAGS INTERNALDATE)\r\n",
              "* 1 FETCH (FLAGS (\\Seen) INTERNALDATE \"01-Feb-2024 10:20:30 +0000\")\r\n");
    dialogue_close(&dialogue);
}

int main(int count, char **arguments)
{
    (void)arguments;
    dialogue_bytewise = count > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),        cmocka_unit_test(test_append_large),
        cmocka_unit_test(test_append_total),  cmocka_unit_test(test_fetch_items),
        cmocka_unit_test(test_sections),      cmocka_unit_test(test_implicit_seen),
        cmocka_unit_test(test_store),         cmocka_unit_test(test_expunge),
        cmocka_unit_test(test_copy_and_move),
    };
    return cmocka_run_group_tests_name("imap messages", tests, NULL, NULL);
}
