/*
 * A machine so slow that the time of a slice has passed when the mailbox is open: every command
 * still comes to its end.
 */
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

#include <unistd.h>

enum { PATIENCE = 10 /* seconds */ };

static uint64_t opening_us, now_us = 1; /* what opening takes; the time */

uint64_t __wrap_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void)
{
    return now_us++;
}

uint64_t __wrap_clock_monotonic_tick_us(void);
uint64_t __wrap_clock_monotonic_tick_us(void)
{
    return now_us++;
}

int __real_mailbox_snapshot_open(struct store_view *view, collection_id mailbox,
                                 struct mailbox_snapshot **snapshot);
int __wrap_mailbox_snapshot_open(struct store_view *view, collection_id mailbox,
                                 struct mailbox_snapshot **snapshot);
int __wrap_mailbox_snapshot_open(struct store_view *view, collection_id mailbox,
                                 struct mailbox_snapshot **snapshot)
{
    now_us += opening_us;
    return __real_mailbox_snapshot_open(view, mailbox, snapshot);
}

static void test_commands_end(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 3; i++)
        dialogue_append(&dialogue, "INBOX", "(\\Seen)", "Subject: x\r\n\r\ntext\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS\r\n");
    opening_us = 2 * STREAM_SLICE_US;
    alarm(PATIENCE);
    check_has(client, "b SEARCH TEXT text\r\n", "* SEARCH 1 2 3\r\n");
    check_has(client, "c FETCH 1:3 BODY.PEEK[HEADER]\r\n", "* 3 FETCH (BODY[HEADER] {14}\r\n");
    check_has(client, "d STORE 1:3 +FLAGS (\\Flagged)\r\n", "d OK");
    check_has(client, "e LIST \"\" *\r\n", "e OK");
    check_has(client, "f COPY 1:3 INBOX\r\n", "f OK");
    check_has(client, "g STORE 1:6 +FLAGS.SILENT (\\Deleted)\r\n", "g OK");
    check_has(client, "h EXPUNGE\r\n", "h OK");
    alarm(0);
    opening_us = 0;
    dialogue_close(&dialogue);
}

/* RFC 9585: every ten seconds a search says how far it is. */
static void test_progress(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 7; i++)
        dialogue_append(&dialogue, "INBOX", "(\\Seen)", "Subject: x\r\n\r\ntext\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 7 EXISTS\r\n");
    opening_us = 4 * 1000 * 1000; /* a message in each slice */
    alarm(PATIENCE);
    check(client, "b SEARCH TEXT text\r\n",
          "* OK [INPROGRESS (\"b\" 3 7)] Searching\r\n"
          "* OK [INPROGRESS (\"b\" 6 7)] Searching\r\n"
          "* SEARCH 1 2 3 4 5 6 7\r\nb OK Search completed\r\n");
    check_has(client, "c] UID SORT (SIZE) UTF-8 ALL\r\n",
              "* OK [INPROGRESS (NIL 3 7)] Searching\r\n");
    opening_us = 1000;
    check(client, "d SEARCH TEXT text\r\n", "* SEARCH 1 2 3 4 5 6 7\r\nd OK Search completed\r\n");
    alarm(0);
    opening_us = 0;
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands_end),
                                       cmocka_unit_test(test_progress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
