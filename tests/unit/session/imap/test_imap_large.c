/*
 * A mailbox of fifty thousand messages: commands run in slices, and none fills the output beyond
 * its mark. With CHAPAR_TEST_TIMES set, says how long each took.
 */
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

enum { MESSAGES = 51200 };

static struct dialogue dialogue;
static struct client *client;

/* Sends and wants this end; the output of every run stays within its bounds. */
static const char *timed(const char *command, const char *end)
{
    const char *received = client_send(client, command);
    if (getenv("CHAPAR_TEST_TIMES"))
        print_message("%8lu us %5zu runs %9zu bytes  %.60s", (unsigned long)client->time,
                      client->runs, strlen(received), command);
    size_t size = strlen(received);
    if (size < strlen(end) || strcmp(received + size - strlen(end), end) != 0)
        print_error("%s: %s\n", command, received + (size > 200 ? size - 200 : 0));
    assert_true(size >= strlen(end));
    assert_string_equal(received + size - strlen(end), end);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 1024);
    return received;
}

static int open_box(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    for (int i = 0; i < 50; i++)
        dialogue_append(&dialogue, "INBOX", "",
                        "From: alice@example.org\r\nSubject: many\r\n\r\nbody\r\n");
    client = dialogue_client(&dialogue);
    check_has(client, "s SELECT INBOX\r\n", "* 50 EXISTS\r\n");
    for (int count = 100; count <= MESSAGES; count *= 2) {
        char expected[64];
        snprintf(expected, sizeof(expected), "* %d EXISTS\r\n", count);
        check_has(client, "s COPY 1:* INBOX\r\n", expected);
    }
    return 0;
}

static int close_box(void **state)
{
    (void)state;
    dialogue_close(&dialogue);
    return 0;
}

static void test_fetch(void **state)
{
    (void)state;
    timed("a SELECT INBOX\r\n", "a OK [READ-WRITE] Select completed\r\n");
    const char *at = timed("a FETCH 1:* (UID FLAGS)\r\n", "a OK Fetch completed\r\n");
    assert_true(client->runs > 20);
    for (int i = 1; i <= MESSAGES; i++) {
        char line[64];
        int size = snprintf(line, sizeof(line), "* %d FETCH (UID %d FLAGS ())\r\n", i, i);
        assert_memory_equal(at, line, (size_t)size);
        at += size;
    }
    timed("a UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)\r\n", "a OK Fetch completed\r\n");
    timed("a FETCH 1:* ENVELOPE\r\n", "a OK Fetch completed\r\n");
    timed("a FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM)]\r\n", "a OK Fetch completed\r\n");
}

static void test_search(void **state)
{
    (void)state;
    timed("a SEARCH UNSEEN\r\n", "51200\r\na OK Search completed\r\n");
    assert_true(client->runs > 3);
    timed("a SEARCH RETURN () UNSEEN\r\n",
          "* ESEARCH (TAG \"a\") ALL 1:51200\r\na OK Search completed\r\n");
    timed("a UID SEARCH SUBJECT nothing\r\n", "* SEARCH\r\na OK Search completed\r\n");
    timed("a STORE 300,40000:40002 FLAGS.SILENT (\\Seen \\Deleted)\r\n",
          "a OK Store completed\r\n");
    timed("a SEARCH SEEN\r\n", "* SEARCH 300 40000 40001 40002\r\na OK Search completed\r\n");
    timed("a SEARCH 40001:* DELETED NOT FLAGGED\r\n",
          "* SEARCH 40001 40002\r\na OK Search completed\r\n");
    timed("a SEARCH NOT (UNSEEN UNDELETED) 1:40000\r\n",
          "* SEARCH 300 40000\r\na OK Search completed\r\n");
    timed("a SEARCH RETURN () OR UNSEEN DELETED\r\n",
          "* ESEARCH (TAG \"a\") ALL 1:51200\r\na OK Search completed\r\n");
    timed("a STORE 300,40000:40002 FLAGS.SILENT ()\r\n", "a OK Store completed\r\n");
    timed("a SEARCH 7 SUBJECT MANY\r\n", "* SEARCH 7\r\na OK Search completed\r\n");
    timed("a SEARCH BODY nothing\r\n", "* SEARCH\r\na OK Search completed\r\n");
}

/* The keys are kept within command_memory. */
static void test_sort(void **state)
{
    (void)state;
    timed("a SORT (SUBJECT REVERSE SIZE FROM) UTF-8 ALL\r\n", "51200\r\na OK Sort completed\r\n");
    assert_true(client->runs > 3);
    timed("a UID SORT RETURN (MIN MAX COUNT) (REVERSE ARRIVAL) UTF-8 ALL\r\n",
          "COUNT 51200 MIN 1 MAX 51200\r\na OK Sort completed\r\n");
    timed("a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n", "(51200))\r\na OK Thread completed\r\n");
    timed("a THREAD REFERENCES UTF-8 ALL\r\n", "(51200))\r\na OK Thread completed\r\n");
    assert_true(client->runs > 3);
    int64_t memory = dialogue.config.command_memory;
    dialogue.config.command_memory = 1024 * 1024;
    timed("a SORT (SUBJECT) UTF-8 ALL\r\n",
          "a NO [LIMIT] A limit of the server would be passed\r\n");
    timed("a THREAD REFERENCES UTF-8 ALL\r\n",
          "a NO [LIMIT] A limit of the server would be passed\r\n");
    timed("a SORT (SUBJECT) UTF-8 1:100\r\n", "100\r\na OK Sort completed\r\n");
    dialogue.config.command_memory = memory;
}

static void test_changes(void **state)
{
    (void)state;
    struct client *other = dialogue_client(&dialogue);
    check_has(other, "b SELECT INBOX\r\n", "b OK");
    timed("a STORE 1:* +FLAGS (\\Flagged)\r\n",
          "* 51200 FETCH (FLAGS (\\Flagged))\r\na OK Store completed\r\n");
    timed("a STORE 1:* +FLAGS.SILENT (\\Answered)\r\n", "a OK Store completed\r\n");
    assert_int_equal(strlen(client->received.data), strlen("a OK Store completed\r\n"));
    timed("a UID FETCH 1:2000 BODY[TEXT]\r\n",
          "* 2000 FETCH (UID 2000 BODY[TEXT] {6}\r\nbody\r\n FLAGS (\\Seen \\Answered "
          "\\Flagged))\r\na OK Fetch completed\r\n");
    timed("a NOOP\r\n", "a OK NOOP completed\r\n");
    assert_int_equal(strlen(client->received.data), strlen("a OK NOOP completed\r\n"));
    client_send(client, "");
    struct client *own = client;
    client = other;
    timed("b NOOP\r\n",
          "* 51200 FETCH (UID 51200 FLAGS (\\Answered \\Flagged))\r\nb OK NOOP completed\r\n");
    client = own;
    client_close(other);
}

/* RFC 10022: what is long is written in slices; no batch is beyond MESSAGELIMIT. */
static void test_batches(void **state)
{
    (void)state;
    timed("a UIDBATCHES 25600\r\n", "* UIDBATCHES (TAG \"a\") 51200:25601,25600:1\r\n"
                                    "a OK Uidbatches completed\r\n");
    timed("a UIDBATCHES 500\r\n", ",700:201,200:1\r\na OK Uidbatches completed\r\n");
    dialogue.config.message_limit = 2;
    const char *at = timed("a UIDBATCHES 500\r\n", ",2:1\r\na OK Uidbatches completed\r\n");
    assert_true(client->runs > 1);
    at += strlen("* UIDBATCHES (TAG \"a\")");
    for (int i = MESSAGES; i > 0; i -= 2) {
        char range[32];
        int size = snprintf(range, sizeof(range), "%c%d:%d", i == MESSAGES ? ' ' : ',', i, i - 1);
        assert_memory_equal(at, range, (size_t)size);
        at += size;
    }
    timed("a UIDBATCHES 500 25600:25601\r\n",
          "* UIDBATCHES (TAG \"a\") 2:1\r\na OK Uidbatches completed\r\n");
    dialogue.config.message_limit = 0;
}

/* Every second message goes; the rest keeps its UID. */
static void test_expunge(void **state)
{
    (void)state;
    struct buffer command;
    buffer_init(&command, 64 * 1024);
    buffer_append_format(&command, "a STORE ");
    for (int i = 1; i < 8000; i += 2)
        buffer_append_format(&command, "%d%s", i, i < 7999 ? "," : "");
    buffer_append_format(&command, " +FLAGS.SILENT (\\Deleted)\r\n");
    timed(command.data, "a OK Store completed\r\n");
    buffer_release(&command);
    timed("a EXPUNGE\r\n", "* 4000 EXPUNGE\r\na OK Expunge completed\r\n");
    timed("a FETCH 1:5 UID\r\n", "* 5 FETCH (UID 10)\r\na OK Fetch completed\r\n");
    timed("a FETCH * UID\r\n", "* 47200 FETCH (UID 51200)\r\na OK Fetch completed\r\n");
    timed("a MOVE 1:* Trash\r\n", "* 1 EXPUNGE\r\na OK Move completed\r\n");
    timed("a SELECT Trash\r\n", "a OK [READ-WRITE] Select completed\r\n");
    assert_non_null(strstr(client->received.data, "* 47200 EXISTS\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch),   cmocka_unit_test(test_search),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_sort),
        cmocka_unit_test(test_changes), cmocka_unit_test(test_expunge),
    };
    return cmocka_run_group_tests_name("imap large", tests, open_box, close_box);
}
