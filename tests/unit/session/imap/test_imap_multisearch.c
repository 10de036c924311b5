/*
 * ESEARCH (RFC 7377) of many mailboxes. What it finds is in tests/wire/imap/search.
 */
#include "unit/check.h"

#include "session/imap/session_priv.h"
#include "unit/session/imap/dialogue.h"

static struct dialogue dialogue;

static void make_mailboxes(int first, int end)
{
    struct store_view *view;
    collection_id id;
    assert_int_equal(
        store_view_open(dialogue.store, who_account(dialogue.account), dialogue.account, &view), 0);
    for (int i = first; i < end; i++) {
        char name[20];
        snprintf(name, sizeof(name), "m%05d", i);
        assert_int_equal(
            collection_create(view, COLLECTION_MAILBOX, slice_from_string(name), ROLE_NONE, &id),
            0);
    }
    store_view_close(&view);
}

/* INBOX and those that an account has from its beginning. */
enum { AT_FIRST = 6, LAST = SESSION_MULTISEARCH_MAXIMUM - AT_FIRST };

/* SESSION_MULTISEARCH_MAXIMUM */
static void test_many(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    make_mailboxes(1, LAST + 1);
    dialogue_append(&dialogue, "m00001", "", "Subject: x\r\n\r\nx\r\n");
    dialogue_append(&dialogue, "m04994", "", "Subject: x\r\n\r\nx\r\n");
    check(client, "a ESEARCH IN (personal) RETURN (COUNT) SUBJECT \"x\"\r\n",
          "* ESEARCH (TAG \"a\" MAILBOX m00001 UIDVALIDITY V) UID COUNT 1\r\n"
          "* ESEARCH (TAG \"a\" MAILBOX m04994 UIDVALIDITY V) UID COUNT 1\r\n"
          "a OK Search completed\r\n");
    make_mailboxes(LAST + 1, LAST + 2);
    check_has(client, "b ESEARCH IN (personal) ALL\r\n", "b NO [LIMIT]");
    check(client, "c ESEARCH IN (subtree m04994) ALL\r\n",
          "* ESEARCH (TAG \"c\" MAILBOX m04994 UIDVALIDITY V) UID ALL 1\r\n"
          "c OK Search completed\r\n");
    dialogue_close(&dialogue);
}

/* The selected mailbox is searched as the client knows it, others as they are. */
static void test_selected(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    dialogue_append(&dialogue, "INBOX", "", "Subject: x\r\n\r\nx\r\n");
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a EXAMINE INBOX\r\n", "a OK");
    check(client, "b NOTIFY SET (selected NONE)\r\n", "b OK Notify completed\r\n");
    dialogue_append(&dialogue, "INBOX", "", "Subject: x\r\n\r\nx\r\n");
    dialogue_append(&dialogue, "Drafts", "", "Subject: x\r\n\r\nx\r\n");
    check(client, "c ESEARCH IN (personal) RETURN (COUNT) ALL\r\n",
          "* ESEARCH (TAG \"c\" MAILBOX INBOX UIDVALIDITY V) UID COUNT 1\r\n"
          "* ESEARCH (TAG \"c\" MAILBOX Drafts UIDVALIDITY V) UID COUNT 1\r\n"
          "c OK Search completed\r\n");
    check_has(client, "d STORE 1 +FLAGS (\\Seen)\r\n", "d NO");
    check(client, "e SEARCH ALL\r\n", "* SEARCH 1\r\ne OK Search completed\r\n");
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_selected),
    };
    return cmocka_run_group_tests_name("imap multisearch", tests, NULL, NULL);
}
