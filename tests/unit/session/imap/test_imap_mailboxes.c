/*
 * Mailboxes as a whole: SELECT and its kin, CREATE and its kin, LIST, LSUB, STATUS.
 */
#include "store/directory.h"
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

#define FLAGS "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
#define PERMANENT                                                                                  \
    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags that can "    \
    "be changed\r\n"

static void test_select(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a SELECT inbox\r\n",
          FLAGS PERMANENT
          "* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY V] UIDs are valid\r\n"
          "* OK [UIDNEXT 1] Next UID\r\n* OK [MAILBOXID (V)] The mailbox's own id\r\n"
          "* OK [URLMECH INTERNAL] URLs can be signed\r\n"
          "* OK [ANNOTATIONS 65536] Bytes of a value\r\n"
          "* OK [HIGHESTMODSEQ V] Highest\r\na OK [READ-WRITE] Select completed\r\n");
    dialogue_append(&dialogue, "INBOX", "(\\Seen)", "a: b\r\n\r\n");
    dialogue_append(&dialogue, "INBOX", "($Work)", "a: c\r\n\r\n");
    check(client, "b EXAMINE INBOX\r\n",
          "* OK [CLOSED] Previous mailbox is closed\r\n"
          "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
          "* OK [PERMANENTFLAGS ()] Flags that can be changed\r\n"
          "* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 2] First unseen message\r\n"
          "* OK [UIDVALIDITY V] UIDs are valid\r\n* OK [UIDNEXT 3] Next UID\r\n* OK [MAILBOXID "
          "(V)] The mailbox's own id\r\n* OK [URLMECH INTERNAL] URLs can be signed\r\n"
          "* OK [ANNOTATIONS READ-ONLY] No changes\r\n"
          "* OK [HIGHESTMODSEQ V] Highest\r\n"
          "b OK [READ-ONLY] Examine completed\r\n");
    check(client, "c STORE 1 +FLAGS (\\Deleted)\r\n", "c NO Mailbox is selected read-only\r\n");
    check(client, "c EXPUNGE\r\n", "c NO Mailbox is selected read-only\r\n");
    check(client, "c MOVE 1 Trash\r\n", "c NO Mailbox is selected read-only\r\n");
    check(client, "d SELECT nowhere\r\n",
          "* OK [CLOSED] Previous mailbox is closed\r\nd NO [NONEXISTENT] No such mailbox\r\n");
    check_has(client, "e NOOP\r\nf CHECK\r\n", "f BAD ");
    dialogue_close(&dialogue);
}

static void test_close_and_unselect(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 3; i++)
        dialogue_append(&dialogue, "INBOX", i == 1 ? "(\\Deleted)" : "", "a: b\r\n\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS\r\n");
    check(client, "a UNSELECT\r\n", "a OK Unselect completed\r\n");
    check_has(client, "a EXAMINE INBOX\r\n", "* 3 EXISTS\r\n");
    check(client, "a CLOSE\r\n", "a OK Close completed\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS\r\n");
    check(client, "a CLOSE\r\n", "a OK Close completed\r\n");
    check_has(client, "a SELECT INBOX\r\n", "* 2 EXISTS\r\n");
    check(client, "a CHECK\r\n", "a OK Check completed\r\n");
    dialogue_close(&dialogue);
}

static void test_create_delete_rename(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a CREATE Lists/C/\r\n", "a OK [MAILBOXID (V)] Create completed\r\n");
    check(client, "a CREATE Lists\r\n", "a NO [ALREADYEXISTS] There is such a mailbox already\r\n");
    check(client, "a CREATE inbox\r\n", "a NO [ALREADYEXISTS] There is such a mailbox already\r\n");
    check(client, "a CREATE a//b\r\n", "a NO [CANNOT] Not a valid mailbox name\r\n");
    check(client, "a DELETE Lists\r\n", "a NO [HASCHILDREN] Mailbox has children\r\n");
    check(client, "a DELETE INBOX\r\n", "a NO [CANNOT] Not possible with this mailbox\r\n");
    check(client, "a DELETE none\r\n", "a NO [NONEXISTENT] No such mailbox\r\n");
    check(client, "a RENAME Lists Moved\r\n", "a OK Rename completed\r\n");
    check(client, "a RENAME Moved Moved/C/D\r\n",
          "a NO [CANNOT] Not possible with this mailbox\r\n");
    check(client, "a RENAME Moved Trash\r\n",
          "a NO [ALREADYEXISTS] There is such a mailbox already\r\n");
    check(client, "a RENAME none other\r\n", "a NO [NONEXISTENT] No such mailbox\r\n");
    check(client, "a LIST \"\" Moved*\r\n",
          "* LIST (\\HasChildren) \"/\" Moved\r\n* LIST (\\HasNoChildren) \"/\" Moved/C\r\n"
          "a OK List completed\r\n");
    check(client, "a DELETE Moved/C\r\n", "a OK Delete completed\r\n");
    check(client, "a DELETE Moved\r\n", "a OK Delete completed\r\n");
    check_has(client, "a CREATE x\r\na SELECT x\r\n", "a OK [READ-WRITE]");
    check(client, "a DELETE x\r\n",
          "* OK [CLOSED] The selected mailbox is deleted\r\na OK Delete completed\r\n");
    check_has(client, "a FETCH 1 UID\r\n", "a BAD ");
    dialogue_close(&dialogue);
}

static void test_special_use(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a CREATE All (USE (\\All))\r\n", "a OK [MAILBOXID (V)] Create completed\r\n");
    check(client, "a CREATE Sent2 (USE (\\Sent))\r\n",
          "a NO [USEATTR] No mailbox can be created with this use\r\n");
    check(client, "a CREATE Other (USE (\\Nonsense))\r\n",
          "a NO [USEATTR] No mailbox can be created with this use\r\n");
    check(client, "a LIST (SPECIAL-USE) \"\" *\r\n",
          "* LIST (\\HasNoChildren \\All) \"/\" All\r\n"
          "* LIST (\\HasNoChildren \\Archive) \"/\" Archive\r\n"
          "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
          "* LIST (\\HasNoChildren \\Junk) \"/\" Junk\r\n"
          "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
          "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\r\n"
          "a OK List completed\r\n");
    dialogue_close(&dialogue);
}

static void test_list(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a LIST \"\" \"\"\r\n",
          "* LIST (\\Noselect) \"/\" \"\"\r\na OK List completed\r\n");
    check(client, "a LIST \"\" %\r\n",
          "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
          "* LIST (\\HasNoChildren \\Archive) \"/\" Archive\r\n"
          "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
          "* LIST (\\HasNoChildren \\Junk) \"/\" Junk\r\n"
          "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
          "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\r\n"
          "a OK List completed\r\n");
    check(client, "a CREATE &AOk-t&AOk-/a\r\n", "a OK [MAILBOXID (V)] Create completed\r\n");
    check(client, "a LIST &AOk-t&AOk-/ %\r\n",
          "* LIST (\\HasNoChildren) \"/\" &AOk-t&AOk-/a\r\na OK List completed\r\n");
    check(client, "a LIST \"\" &AOk-*\r\n",
          "* LIST (\\HasChildren) \"/\" &AOk-t&AOk-\r\n"
          "* LIST (\\HasNoChildren) \"/\" &AOk-t&AOk-/a\r\na OK List completed\r\n");
    check(client, "a LIST \"\" inbox\r\n",
          "* LIST (\\HasNoChildren) \"/\" INBOX\r\na OK List completed\r\n");
    check(client, "a LIST \"\" (Sent Junk) RETURN (SUBSCRIBED)\r\n",
          "* LIST (\\HasNoChildren \\Subscribed \\Junk) \"/\" Junk\r\n"
          "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" Sent\r\na OK List completed\r\n");
    check(client, "a LIST \"\" Sent RETURN (STATUS (MESSAGES UIDNEXT))\r\n",
          "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
          "* STATUS Sent (MESSAGES 0 UIDNEXT 1)\r\na OK List completed\r\n");
    dialogue_close(&dialogue);
}

/* More than one run's output. */
static void test_list_many(void **state)
{
    (void)state;
    if (dialogue_bytewise)
        return;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 2000; i++) {
        char command[64];
        snprintf(command, sizeof(command), "a CREATE many/%04d\r\n", i);
        check(client, command, "a OK [MAILBOXID (V)] Create completed\r\n");
    }
    check_has(client, "a LIST \"\" many/* RETURN (STATUS (MESSAGES))\r\n",
              "* LIST (\\HasNoChildren) \"/\" many/1999\r\n* STATUS many/1999 (MESSAGES 0)\r\n"
              "a OK List completed\r\n");
    assert_true(client->runs > 1);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 1024);
    dialogue_close(&dialogue);
}

static void test_subscriptions(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a CREATE foo/bar\r\n", "a OK");
    check(client, "a SUBSCRIBE foo/bar\r\n", "a OK Subscribe completed\r\n");
    check(client, "a SUBSCRIBE none\r\n", "a NO [NONEXISTENT] No such mailbox\r\n");
    check(client, "a LSUB \"\" f%\r\n",
          "* LSUB (\\HasChildren \\Noselect) \"/\" foo\r\na OK Lsub completed\r\n");
    check(client, "a LSUB \"\" f*\r\n",
          "* LSUB (\\HasNoChildren) \"/\" foo/bar\r\na OK Lsub completed\r\n");
    check(client, "a LIST (SUBSCRIBED) \"\" f%\r\n", "a OK List completed\r\n");
    check(client, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" f%\r\n",
          "* LIST (\\HasChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
          "a OK List completed\r\n");
    check(client, "a UNSUBSCRIBE foo/bar\r\n", "a OK Unsubscribe completed\r\n");
    check(client, "a LSUB \"\" f*\r\n", "a OK Lsub completed\r\n");
    check(client, "a LSUB \"\" \"\"\r\n",
          "* LSUB (\\Noselect) \"/\" \"\"\r\na OK Lsub completed\r\n");
    dialogue_close(&dialogue);
}

static void test_status(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    dialogue_append(&dialogue, "Junk", "(\\Seen)", "a: b\r\n\r\n");
    dialogue_append(&dialogue, "Junk", "(\\Deleted)", "a: b\r\n\r\n1");
    check(client, "a STATUS Junk (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE)\r\n",
          "* STATUS Junk (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY V UNSEEN 1 DELETED 1 "
          "SIZE 17)\r\na OK Status completed\r\n");
    check(client, "a STATUS none (MESSAGES)\r\n", "a NO [NONEXISTENT] No such mailbox\r\n");
    dialogue_close(&dialogue);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* An administrator's list has the mailboxes of all accounts, in the memory of one account's. */
static void test_list_of_many_accounts(void **state)
{
    enum { ACCOUNTS = 250, LEVELS = 2, MAILBOXES = 6 };
    (void)state;
    struct dialogue dialogue;
    struct account_id id;
    char name[32];
    dialogue_open(&dialogue);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof(name), "user%03u", i);
        assert_int_equal(
            store_account_create(dialogue.store, WHO_SYSTEM, slice_from_string(name), &id), 0);
    }
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a LIST \"\" *\r\n", "a OK");
    assert_int_equal(count_of(client->received.data, "* LIST"), MAILBOXES);
    client->stream.administrator = true;
    dialogue.config.command_memory = 24 * 1024;
    check_has(client, "a LIST \"\" *\r\n", "a OK");
    assert_int_equal(count_of(client->received.data, "* LIST"),
                     MAILBOXES + 1 + ACCOUNTS * (1 + MAILBOXES));
    assert_int_equal(count_of(client->received.data, " \"Other Users\"\r\n"), 1);
    assert_true(client->runs > 2);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 4096);
    check_has(client, "a LIST \"\" %/%\r\n", "a OK");
    assert_int_equal(count_of(client->received.data, "* LIST"), ACCOUNTS);
    check_has(client, "a LIST \"\" %\r\n", "a OK");
    assert_int_equal(count_of(client->received.data, "* LIST"), MAILBOXES + 1);
    check(client, "a LIST \"Other Users/\" user1%9@example.test/INBOX\r\n",
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user109@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user119@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user129@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user139@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user149@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user159@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user169@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user179@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user189@example.test/INBOX\"\r\n"
          "* LIST (\\HasNoChildren \\Noselect) \"/\" \"Other Users/user199@example.test/INBOX\"\r\n"
          "a OK List completed\r\n");
    check_has(client, "a SUBSCRIBE \"Other Users/user200@example.test/INBOX\"\r\n", "a OK");
    check(client, "a LSUB \"\" Other%\r\n",
          "* LSUB (\\HasChildren \\Noselect) \"/\" \"Other Users\"\r\na OK Lsub completed\r\n");
    check(client, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (Other% Other%/%)\r\n",
          "* LIST (\\HasChildren \\NonExistent \\Noselect) \"/\" \"Other Users\" (\"CHILDINFO\" "
          "(\"SUBSCRIBED\"))\r\n* LIST (\\HasChildren \\NonExistent \\Noselect) \"/\" \"Other "
          "Users/user200@example.test\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\na OK List "
          "completed\r\n");
    dialogue_close(&dialogue);
}

int main(int count, char **arguments)
{
    (void)arguments;
    dialogue_bytewise = count > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_close_and_unselect),
        cmocka_unit_test(test_create_delete_rename),
        cmocka_unit_test(test_special_use),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_many),
        cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_list_of_many_accounts),
    };
    return cmocka_run_group_tests_name("imap mailboxes", tests, NULL, NULL);
}
