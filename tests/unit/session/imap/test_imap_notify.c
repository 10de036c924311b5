/*
 * NOTIFY (RFC 5465): its limits, what is long, and what happens in between. What it tells is in
 * tests/wire/imap/notify and tests/wire/test_notify.py.
 */
#include "unit/check.h"

#include "session/imap/notify_priv.h"
#include "store/acl.h"
#include "unit/session/imap/dialogue.h"

static struct dialogue dialogue;

/* Mailboxes of an account, with names of that size. */
static void make_mailboxes(struct account_id account, const char *prefix, int count, int size)
{
    struct store_view *view;
    collection_id id;
    assert_int_equal(store_view_open(dialogue.store, who_account(account), account, &view), 0);
    for (int i = 0; i < count; i++) {
        char name[300];
        snprintf(name, sizeof(name), "%s%0*d", prefix, size, i);
        assert_int_equal(
            collection_create(view, COLLECTION_MAILBOX, slice_from_string(name), ROLE_NONE, &id),
            0);
    }
    store_view_close(&view);
}

/* An account that shares a mailbox with alice. */
static void make_sharer(int number)
{
    struct account_id account;
    struct store_view *view;
    collection_id id;
    char address[40];
    snprintf(address, sizeof(address), "sharer%d@example.test", number);
    assert_int_equal(
        store_account_create(dialogue.store, WHO_SYSTEM, slice_from_string(address), &account), 0);
    assert_int_equal(store_view_open(dialogue.store, who_account(account), account, &view), 0);
    assert_int_equal(collection_create(view, COLLECTION_MAILBOX, SLICE("Work"), ROLE_NONE, &id), 0);
    assert_int_equal(
        acl_set(view, id, SLICE("alice@example.test"), ACL_REPLACE, RIGHT_LOOKUP | RIGHT_READ), 0);
    store_view_close(&view);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* NOTIFY_MEMORY_MAXIMUM, before and afterwards (sections 3.1 and 5.8). */
static void test_memory(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    const int size = 240, most = NOTIFY_MEMORY_MAXIMUM / (int)(sizeof(struct notify_mailbox) + 240);
    make_mailboxes(dialogue.account, "a", most / 2, size);
    check(client, "a NOTIFY SET (personal (MailboxName))\r\n", "a OK Notify completed\r\n");
    make_mailboxes(dialogue.account, "b", most / 2 + 10, size);
    const char *received = client_notice(client);
    assert_non_null(
        strstr(received, "* OK [NOTIFICATIONOVERFLOW] There is too much to notify of\r\n"));
    /* Then it is as with NOTIFY NONE. */
    make_mailboxes(dialogue.account, "c", 1, 1);
    assert_string_equal(client_notice(client), "");
    check(client, "b NOTIFY SET (personal (MailboxName))\r\n",
          "b NO [NOTIFICATIONOVERFLOW] There is too much to notify of\r\n");
    check(client, "c NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))\r\n",
          "c OK Notify completed\r\n");
    dialogue_close(&dialogue);
}

/* What was asked for before stays when more is too much. */
static void test_refused_changes_nothing(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    make_mailboxes(dialogue.account, "a", 4000, 240);
    check(client, "a NOTIFY SET (inboxes NONE) (mailboxes INBOX (MessageNew MessageExpunge))\r\n",
          "a OK Notify completed\r\n");
    check(client, "b NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))\r\n",
          "b OK Notify completed\r\n");
    check_has(client, "c NOTIFY SET (personal (MailboxName))\r\n", "c NO [NOTIFICATIONOVERFLOW]");
    dialogue_append(&dialogue, "INBOX", "", "Subject: x\r\n\r\nx\r\n");
    assert_string_equal(client_notice(client), "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)\r\n");
    dialogue_close(&dialogue);
}

/* NOTIFY_ACCOUNTS_MAXIMUM, the own one among them. */
static void test_accounts(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 1; i < NOTIFY_ACCOUNTS_MAXIMUM; i++)
        make_sharer(i);
    check(client, "a NOTIFY SET (subscribed (MessageNew MessageExpunge))\r\n",
          "a OK Notify completed\r\n");
    assert_int_equal(client->stream.watched_count, NOTIFY_ACCOUNTS_MAXIMUM);
    make_sharer(NOTIFY_ACCOUNTS_MAXIMUM);
    client->stream.watched[0].noticed = true; /* the directory's */
    assert_string_equal(client_notice(client),
                        "* OK [NOTIFICATIONOVERFLOW] There is too much to notify of\r\n");
    assert_int_equal(client->stream.watched_count, 0);
    check_has(client, "b NOTIFY SET (subscribed (MessageNew MessageExpunge))\r\n",
              "b NO [NOTIFICATIONOVERFLOW]");
    /* Whose mailboxes are not meant does not count. */
    check(client,
          "c NOTIFY SET (mailboxes \"Other Users/sharer7@example.test/Work\" (MailboxName))\r\n",
          "c OK Notify completed\r\n");
    assert_int_equal(client->stream.watched_count, 2);
    dialogue_close(&dialogue);
}

/* Slice by slice, each mailbox once. */
static void test_many(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    make_mailboxes(dialogue.account, "before", 1000, 40);
    const char *received = client_send(
        client, "a NOTIFY SET STATUS (personal (MailboxName MessageNew MessageExpunge))\r\n");
    assert_int_equal(count_of(received, "* STATUS before"), 1000);
    assert_non_null(strstr(received, "a OK Notify completed\r\n"));
    assert_true(client->runs > 1);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 1024);
    make_mailboxes(dialogue.account, "after", 1500, 40);
    received = client_notice(client);
    assert_int_equal(count_of(received, "* LIST (\\HasNoChildren) \"/\" after"), 1500);
    assert_true(client->runs > 1);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 1024);
    assert_string_equal(client_notice(client), "");
    dialogue_close(&dialogue);
}

/* The items of new messages, and of one that is long. */
static void test_long_items(void **state)
{
    (void)state;
    static char text[300 * 1024] = "Subject: long\r\n\r\n";
    memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a SELECT INBOX\r\n", "a OK");
    check(client, "b NOTIFY SET (selected (MessageNew (UID BODY[] FLAGS) MessageExpunge))\r\n",
          "b OK Notify completed\r\n");
    dialogue_append(&dialogue, "INBOX", "", text);
    dialogue_append(&dialogue, "INBOX", "", "Subject: short\r\n\r\nx\r\n");
    const char *received = client_notice(client);
    assert_true(client->runs > 4);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 64 * 1024);
    assert_non_null(strstr(received, "* 2 EXISTS\r\n* 0 RECENT\r\n* 1 FETCH (UID 1 BODY[] {30"));
    /* Nobody has read it: \Seen stays as it is. */
    assert_non_null(strstr(received, "x FLAGS ())\r\n* 2 FETCH (UID 2 BODY[] {21}\r\n"
                                     "Subject: short\r\n\r\nx\r\n FLAGS ())\r\n"));
    assert_string_equal(client_notice(client), "");
    dialogue_close(&dialogue);
}

/* A message that is gone before its items were told is passed over. */
static void test_gone_meanwhile(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    struct client *other = dialogue_client(&dialogue);
    check_has(client, "a SELECT INBOX\r\n", "a OK");
    check_has(other, "a SELECT INBOX\r\n", "a OK");
    check(client, "b NOTIFY SET (selected-delayed (MessageNew (UID) MessageExpunge))\r\n",
          "b OK Notify completed\r\n");
    dialogue_append(&dialogue, "INBOX", "(\\Deleted)", "Subject: x\r\n\r\nx\r\n");
    check_has(other, "b NOOP\r\n", "* 1 EXISTS");
    check_has(other, "c EXPUNGE\r\n", "* 1 EXPUNGE");
    dialogue_append(&dialogue, "INBOX", "", "Subject: y\r\n\r\ny\r\n");
    assert_string_equal(client_notice(client), "* 1 EXISTS\r\n* 0 RECENT\r\n* 1 FETCH (UID 2)\r\n");
    dialogue_close(&dialogue);
}

/* In the middle of a command nothing is told: its own sync does that. */
static void test_between_commands(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a NOTIFY SET (inboxes (MessageNew MessageExpunge))\r\n",
          "a OK Notify completed\r\n");
    assert_int_equal(client->need, STREAM_NEED_NOTICE);
    check(client, "b APPEND Drafts {3}\r\n", "+ OK\r\n");
    assert_int_equal(client->need, STREAM_NEED_INPUT);
    dialogue_append(&dialogue, "INBOX", "", "Subject: x\r\n\r\nx\r\n");
    assert_string_equal(client_notice(client), "");
    check(client, "x\r\n\r\n",
          "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)\r\nb OK [APPENDUID V 1] Append completed\r\n");
    dialogue_close(&dialogue);
}

/* Flags that others changed while the client did not want to hear of flags: HIGHESTMODSEQ stays
 * below them, so that a client that resynchronises finds them. */
static void test_modseq_of_what_is_not_told(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    dialogue_append(&dialogue, "INBOX", "", "Subject: x\r\n\r\nx\r\n");
    struct client *client = dialogue_client(&dialogue);
    struct client *other = dialogue_client(&dialogue);
    check_has(client, "a SELECT INBOX (CONDSTORE)\r\n", "a OK");
    check_has(other, "a SELECT INBOX (CONDSTORE)\r\n", "a OK");
    check(client, "b NOTIFY SET (selected (MessageNew MessageExpunge))\r\n",
          "b OK Notify completed\r\n");
    check_has(other, "b STORE 1 +FLAGS (\\Flagged)\r\n", "b OK");
    assert_string_equal(client_notice(client), "");
    /* What it asks for has a MODSEQ above what it was told. */
    const char *received = client_send(client, "c FETCH 1 MODSEQ\r\n");
    assert_non_null(strstr(received, "* OK [HIGHESTMODSEQ V] Changes up to here have been told"));
    check_has(client, "d NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\r\n",
              "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (");
    dialogue_close(&dialogue);
}

int main(int argc, char **argv)
{
    (void)argv;
    dialogue_bytewise = argc > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),           cmocka_unit_test(test_refused_changes_nothing),
        cmocka_unit_test(test_accounts),         cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_items),       cmocka_unit_test(test_gone_meanwhile),
        cmocka_unit_test(test_between_commands), cmocka_unit_test(test_modseq_of_what_is_not_told),
    };
    return cmocka_run_group_tests_name("imap notify", tests, NULL, NULL);
}
