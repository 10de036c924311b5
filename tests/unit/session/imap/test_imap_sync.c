/*
 * Several sessions on one mailbox: who is told what, and when.
 */
#include "unit/check.h"

#include "kv/kv.h"
#include "kv/notice_ring.h"
#include "proto/imap/reader.h"
#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

static struct client *select_inbox(struct dialogue *dialogue)
{
    struct client *client = dialogue_client(dialogue);
    check_has(client, "s SELECT INBOX\r\n", "s OK [READ-WRITE]");
    return client;
}

static void open_box(struct dialogue *dialogue, int count)
{
    dialogue_open(dialogue);
    for (int i = 0; i < count; i++)
        dialogue_append(dialogue, "INBOX", "", "a: b\r\n\r\nx");
}

static void test_flags(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 3);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    check(a, "a STORE 2 +FLAGS (\\Seen)\r\n",
          "* 2 FETCH (FLAGS (\\Seen))\r\na OK Store completed\r\n");
    check(a, "a NOOP\r\n", "a OK NOOP completed\r\n");
    check(b, "b NOOP\r\n", "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\nb OK NOOP completed\r\n");
    check(b, "b NOOP\r\n", "b OK NOOP completed\r\n");
    /* Another's change is told although an own one came after it, even a silent one. */
    check_has(a, "a STORE 2 +FLAGS (\\Flagged)\r\n", "a OK");
    check(b, "b STORE 2 +FLAGS.SILENT (\\Answered)\r\n",
          "* 2 FETCH (UID 2 FLAGS (\\Seen \\Answered \\Flagged))\r\nb OK Store completed\r\n");
    check(a, "a FETCH 1 UID\r\n",
          "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2 FLAGS (\\Seen \\Answered \\Flagged))\r\n"
          "a OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

static void test_arrivals(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 1);
    struct client *a = select_inbox(&dialogue);
    dialogue_append(&dialogue, "INBOX", "(\\Seen)", "a: b\r\n\r\n");
    check(a, "a FETCH 1 UID\r\n",
          "* 1 FETCH (UID 1)\r\n* 2 EXISTS\r\n* 0 RECENT\r\na OK Fetch completed\r\n");
    check(a, "a NOOP\r\n", "a OK NOOP completed\r\n");
    dialogue_close(&dialogue);
}

/* EXPUNGE is told neither in FETCH, STORE nor SEARCH, but in their UID forms and all else. */
static void test_expunges(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 5);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    check_has(a, "a STORE 2,4 +FLAGS (\\Deleted)\r\na EXPUNGE\r\n",
              "* 2 EXPUNGE\r\n* 3 EXPUNGE\r\na OK Expunge completed\r\n");
    check(b, "b FETCH 1:3 UID\r\n",
          "* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3)\r\n"
          "b NO [EXPUNGEISSUED] Some messages are expunged\r\n");
    check(b, "b FETCH 5 UID\r\n", "* 5 FETCH (UID 5)\r\nb OK Fetch completed\r\n");
    check(b, "b SEARCH ALL\r\n", "* SEARCH 1 3 5\r\nb OK Search completed\r\n");
    check(b, "b STORE 2:3 +FLAGS (\\Seen)\r\n",
          "* 3 FETCH (FLAGS (\\Seen))\r\nb NO [EXPUNGEISSUED] Some messages are expunged\r\n");
    check(b, "b STORE 4 +FLAGS.SILENT (\\Seen)\r\n",
          "b NO [EXPUNGEISSUED] Some messages are expunged\r\n");
    check(b, "b UID FETCH 5 FLAGS\r\n",
          "* 5 FETCH (UID 5 FLAGS ())\r\n* 2 EXPUNGE\r\n* 3 EXPUNGE\r\n"
          "b OK Fetch completed\r\n");
    check(b, "b FETCH 1:* UID\r\n",
          "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 5)\r\n"
          "b OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

/* Arrivals while an expunge waits to be told: the numbers stay consistent. */
static void test_pending_expunge_and_arrival(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 2);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    check_has(a, "a STORE 1 +FLAGS (\\Deleted)\r\na EXPUNGE\r\n", "* 1 EXPUNGE\r\n");
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check(b, "b FETCH 2 UID\r\n",
          "* 2 FETCH (UID 2)\r\n* 3 EXISTS\r\n* 0 RECENT\r\nb OK Fetch completed\r\n");
    check(b, "b FETCH 3 UID\r\n", "* 3 FETCH (UID 3)\r\nb OK Fetch completed\r\n");
    check(b, "b COPY 1:2 Junk\r\n",
          "* 1 EXPUNGE\r\nb NO [EXPUNGEISSUED] Some messages are expunged\r\n");
    check(b, "b NOOP\r\n", "b OK NOOP completed\r\n");
    dialogue_close(&dialogue);
}

static void test_idle(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 2);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    check_has(a, "a STORE 1 +FLAGS (\\Deleted)\r\n", "a OK");
    check(b, "b IDLE\r\n", "+ idling\r\n* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n");
    assert_int_equal(b->need, STREAM_NEED_NOTICE);
    check_has(a, "a EXPUNGE\r\n", "a OK");
    assert_string_equal(client_notice(b), "* 1 EXPUNGE\r\n");
    assert_int_equal(b->need, STREAM_NEED_NOTICE);
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    assert_string_equal(client_notice(b), "* 2 EXISTS\r\n* 0 RECENT\r\n");
    assert_string_equal(client_notice(b), "");
    check_has(a, "a STORE 1 +FLAGS (\\Seen)\r\n", "a OK");
    check(b, "DONE\r\n", "* 1 FETCH (UID 2 FLAGS (\\Seen))\r\nb OK Idle completed\r\n");
    assert_int_equal(b->need, STREAM_NEED_INPUT);
    check(b, "b IDLE\r\n", "+ idling\r\n");
    check(b, "nonsense\r\n", "b BAD Expected DONE\r\n");
    check_has(b, "b UNSELECT\r\n", "b OK");
    check(b, "b IDLE\r\n", "+ idling\r\n");
    assert_int_equal(b->need, STREAM_NEED_INPUT);
    check(b, "done\r\n", "b OK Idle completed\r\n");
    dialogue_close(&dialogue);
}

static void test_mailbox_is_gone(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *a = dialogue_client(&dialogue), *b = dialogue_client(&dialogue);
    check_has(a, "a CREATE x\r\n", "a OK");
    check_has(b, "b SELECT x\r\n", "b OK");
    check_has(a, "a RENAME x y\r\n", "a OK");
    check(b, "b NOOP\r\n", "b OK NOOP completed\r\n");
    check_has(a, "a DELETE y\r\n", "a OK");
    check(b, "b NOOP\r\n", "* BYE The selected mailbox is not available any more\r\n");
    assert_int_equal(b->need, STREAM_NEED_CLOSE);
    dialogue_close(&dialogue);
}

static void test_move_is_told(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 3);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    check_has(a, "a MOVE 2 Trash\r\n", "* 2 EXPUNGE\r\na OK");
    check(b, "b NOOP\r\n", "* 2 EXPUNGE\r\nb OK NOOP completed\r\n");
    check_has(a, "a RENAME INBOX Old\r\n", "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\na OK");
    check(b, "b NOOP\r\n", "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nb OK NOOP completed\r\n");
    dialogue_close(&dialogue);
}

/* While a long message is being sent, another session adds a keyword and expunges the message: the
 * literal is not broken, and what has changed is told afterwards. */
static void test_changes_within_literal(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    size_t size = 300 * 1000;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, "a: b\r\n\r\n", 8);
    text[size] = '\0';
    dialogue_append(&dialogue, "INBOX", "", text);
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    const char *received = client_run_once(b, "b FETCH 1:2 BODY.PEEK[]\r\n");
    assert_int_equal(b->need, STREAM_NEED_OUTPUT);
    assert_memory_equal(received, "* 1 FETCH (BODY[] {300000}\r\na: b\r\n", 34);
    check_has(a, "a STORE 2 +FLAGS ($New)\r\na MOVE 1 Junk\r\n", "* 1 EXPUNGE\r\na OK");
    received = client_send(b, "");
    assert_non_null(strstr(received, "xxx)\r\n"));
    assert_true(strspn(received, "x") > 200 * 1000);
    assert_non_null(strstr(received, "* 2 FETCH (UID 2 FLAGS ($New))\r\nb OK Fetch completed\r\n"));
    check(b, "b NOOP\r\n", "* 1 EXPUNGE\r\nb OK NOOP completed\r\n");
    free(text);
    dialogue_close(&dialogue);
}

/* The mailbox is not looked at while nothing is known to be committed, but when that is not known:
 * something is being committed, or its process was killed. */
static void test_nothing_committed(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 0);
    struct client *a = select_inbox(&dialogue);
    check(a, "a NOOP\r\n", "a OK NOOP completed\r\n");
    kv_engine_set_notices(dialogue.kv, NULL);
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n"); /* not counted */
    kv_engine_set_notices(dialogue.kv, dialogue.notices);
    check(a, "a NOOP\r\n", "a OK NOOP completed\r\n");
    notice_ring_begin(dialogue.notices, store_account_notice(dialogue.account));
    check(a, "a NOOP\r\n", "* 1 EXISTS\r\n* 0 RECENT\r\na OK NOOP completed\r\n");
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check(a, "a NOOP\r\n", "* 2 EXISTS\r\n* 0 RECENT\r\na OK NOOP completed\r\n");
    notice_ring_end(dialogue.notices, store_account_notice(dialogue.account));
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check(a, "a NOOP\r\n", "* 3 EXISTS\r\n* 0 RECENT\r\na OK NOOP completed\r\n");
    dialogue_close(&dialogue);
}

/* What a SELECT tells, asked for twice: the second time it is recalled, which nobody notices. */
static void select_twice(struct client *client, const char *command, const char *has)
{
    char *first = strdup(client_send(client, command));
    assert_non_null(strstr(first, has));
    assert_string_equal(client_send(client, command), first);
    free(first);
}

/* An answer that is recalled is the one that would be made: it depends on who asks, how, and on all
 * that is stored. */
static void test_select_again(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 2);
    struct client *a = dialogue_client(&dialogue), *b = dialogue_client(&dialogue);
    client_send(a, "a SELECT INBOX\r\n"); /* so that each of these tells of a closed one */
    select_twice(a, "a SELECT INBOX\r\n", "* 2 EXISTS");
    select_twice(a, "a EXAMINE INBOX\r\n", "a OK [READ-ONLY]");
    select_twice(a, "a SELECT inbox\r\n", "* OK [UNSEEN 1]");
    check_has(a, "a STORE 1 +FLAGS (\\Seen $New)\r\n", "a OK");
    select_twice(a, "a SELECT INBOX\r\n", "* OK [UNSEEN 2]");
    select_twice(a, "a SELECT INBOX\r\n", "\\Draft $New)\r\n");
    check_has(b, "b DELETE Junk\r\nb CREATE Junk\r\n", "Create completed\r\n");
    check_has(b, "b SELECT Junk\r\n", "* 0 EXISTS");
    check_has(a, "a MOVE 1 Junk\r\n", "* 1 EXPUNGE\r\na OK");
    select_twice(b, "b SELECT Junk\r\n", "* 1 EXISTS");
    select_twice(b, "b SELECT INBOX\r\n", "* 1 EXISTS");
    check_has(b, "b ENABLE IMAP4rev2\r\n", "b OK");
    select_twice(b, "b SELECT INBOX\r\n", "* LIST (");
    select_twice(a, "a SELECT INBOX\r\n", "* 0 RECENT");
    check_has(a, "a RENAME Junk Old\r\na CREATE Junk\r\n", "Create completed\r\n");
    select_twice(a, "a SELECT Junk\r\n", "* 0 EXISTS");
    select_twice(a, "a SELECT Old\r\n", "* 1 EXISTS");
    check_has(a, "a DELETE Old\r\n", "a OK");
    check(a, "a SELECT Old\r\n", "a NO [NONEXISTENT] No such mailbox\r\n");
    check(a, "a FETCH 1 UID\r\n", "a BAD No mailbox is selected\r\n");
    dialogue_close(&dialogue);
}

/* Recalled, and counted in: what comes then is told, and what is done is done there. */
static void test_select_recalled(void **state)
{
    (void)state;
    struct dialogue dialogue;
    open_box(&dialogue, 2);
    struct client *a = select_inbox(&dialogue), *b = select_inbox(&dialogue);
    kv_engine_set_notices(dialogue.kv, NULL);
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n"); /* not counted */
    kv_engine_set_notices(dialogue.kv, dialogue.notices);
    check_has(b, "b SELECT INBOX\r\n", "* 2 EXISTS\r\n"); /* as it was recalled */
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check(b, "b NOOP\r\n", "* 4 EXISTS\r\n* 0 RECENT\r\nb OK NOOP completed\r\n");
    check_has(b, "b SELECT INBOX (CONDSTORE)\r\n", "* OK [HIGHESTMODSEQ V] Highest");
    check_has(b, "b STORE 1 +FLAGS (\\Deleted)\r\n", "MODSEQ (");
    check_has(b, "b EXPUNGE\r\n", "* 1 EXPUNGE\r\n");
    check_has(a, "a NOOP\r\n", "* 1 EXPUNGE\r\n* 3 EXISTS\r\n");
    dialogue_close(&dialogue);
}

/* Whether a SELECT of it is recalled: then it does not show what is committed and not counted. */
static bool is_recalled(struct dialogue *dialogue, struct client *client, const char *mailbox)
{
    char command[IMAP_MAILBOX_NAME_MAXIMUM + 32], exists[64];
    snprintf(command, sizeof(command), "a SELECT %s\r\n", mailbox);
    const char *first = strstr(client_send(client, command), " EXISTS");
    assert_non_null(first);
    while (first[-1] != ' ')
        first--;
    snprintf(exists, sizeof(exists), "* %ld EXISTS", strtol(first, NULL, 10));
    kv_engine_set_notices(dialogue->kv, NULL);
    dialogue_append(dialogue, mailbox, "", "a: b\r\n\r\n");
    kv_engine_set_notices(dialogue->kv, dialogue->notices);
    return strstr(client_send(client, command), exists);
}

/* The limits of what is remembered: a name of 256 bytes, 512 ranges of UIDs, 4096 bytes told. */
static void test_select_is_remembered_up_to(void **state)
{
    (void)state;
    char name[300], command[400];
    struct dialogue dialogue;
    open_box(&dialogue, 2);
    struct client *a = dialogue_client(&dialogue);
    assert_true(is_recalled(&dialogue, a, "INBOX"));
    for (size_t size = 256; size <= 257; size++) {
        memset(name, 'n', size);
        name[size] = '\0';
        name[100] = name[200] = '/';
        snprintf(command, sizeof(command), "a CREATE %s\r\n", name);
        check_has(a, command, "Create completed");
        assert_true(is_recalled(&dialogue, a, name) == (size == 256));
    }
    check_has(a, "a CREATE Holes\r\n", "Create completed");
    for (int i = 0; i < 1025; i++)
        dialogue_append(&dialogue, "Holes", i % 2 ? "(\\Deleted)" : "", "a: b\r\n\r\n");
    check_has(a, "a SELECT Holes\r\na EXPUNGE\r\n", "* 513 EXPUNGE\r\na OK");
    assert_false(is_recalled(&dialogue, a, "Holes"));
    check_has(a, "a SELECT Holes\r\na STORE 1,2 +FLAGS.SILENT (\\Deleted)\r\na EXPUNGE\r\n",
              "a OK");
    assert_true(is_recalled(&dialogue, a, "Holes"));
    check_has(a, "a CREATE Words\r\na SELECT Words\r\n", "a OK [READ-WRITE]");
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "(keyword-of-some-length-%d-%030d)", i, i);
        dialogue_append(&dialogue, "Words", name, "a: b\r\n\r\n");
    }
    assert_false(is_recalled(&dialogue, a, "Words"));
    dialogue_close(&dialogue);
}

int main(int count, char **arguments)
{
    (void)arguments;
    dialogue_bytewise = count > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_expunges),
        cmocka_unit_test(test_pending_expunge_and_arrival),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_mailbox_is_gone),
        cmocka_unit_test(test_move_is_told),
        cmocka_unit_test(test_changes_within_literal),
        cmocka_unit_test(test_nothing_committed),
        cmocka_unit_test(test_select_again),
        cmocka_unit_test(test_select_recalled),
        cmocka_unit_test(test_select_is_remembered_up_to),
    };
    return cmocka_run_group_tests_name("imap sync", tests, NULL, NULL);
}
