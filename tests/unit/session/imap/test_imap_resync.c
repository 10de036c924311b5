/*
 * QRESYNC and CONDSTORE (RFC 7162) where the wire dialogues do not reach: what is not kept any
 * more, and responses that are long.
 */
#include "unit/check.h"

#include "store/retained.h"
#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

enum { DAY = 86400 };

static struct dialogue dialogue;

/* From the store, as what a client has received does not show it here. */
static unsigned validity(void)
{
    struct store_view *view;
    struct arena arena;
    struct collection inbox;
    arena_init(&arena, 1 << 20);
    assert_int_equal(
        store_view_open(dialogue.store, who_account(dialogue.account), dialogue.account, &view), 0);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox), 0);
    unsigned found = inbox.uid_validity;
    store_view_close(&view);
    arena_release(&arena);
    return found;
}

/* SELECT with QRESYNC from modseq `since`; what comes behind its HIGHESTMODSEQ. */
static const char *resync(struct client *client, unsigned since, const char *known)
{
    char command[200];
    snprintf(command, sizeof(command), "r SELECT INBOX (QRESYNC (%u %u%s))\r\n", validity(), since,
             known);
    const char *highest = strstr(client_send(client, command), "[HIGHESTMODSEQ");
    assert_non_null(highest);
    return strstr(highest, "\r\n") + 2;
}

static void purge(void)
{
    struct purge_result result;
    assert_int_equal(store_purge(dialogue.store, WHO_SYSTEM, dialogue.account,
                                 (int64_t)time(NULL) + DAY, &result),
                     0);
    assert_int_equal(result.entries, 3);
}

/* Messages 1 to 8, of which 2, 3 and 8 have been expunged so long ago that it is not kept. */
static struct client *open_purged_box(void)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 8; i++)
        dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a ENABLE QRESYNC\r\n", "a OK");
    check_has(client, "a SELECT INBOX\r\n", "a OK");
    check_has(client, "a STORE 2,3,8 +FLAGS.SILENT (\\Deleted)\r\n", "a OK");
    check_has(client, "a EXPUNGE\r\n", "* VANISHED 2:3,8\r\n");
    purge();
    return client;
}

/* RFC 7162 section 3.2.6: then all that is not there is told. */
static void test_forgotten(void **state)
{
    (void)state;
    struct client *client = open_purged_box();
    assert_string_equal(resync(client, 1, ""), "* VANISHED (EARLIER) 2:3,8\r\n"
                                               "* 1 FETCH (UID 1 FLAGS () MODSEQ (2))\r\n"
                                               "* 2 FETCH (UID 4 FLAGS () MODSEQ (5))\r\n"
                                               "* 3 FETCH (UID 5 FLAGS () MODSEQ (6))\r\n"
                                               "* 4 FETCH (UID 6 FLAGS () MODSEQ (7))\r\n"
                                               "* 5 FETCH (UID 7 FLAGS () MODSEQ (8))\r\n"
                                               "r OK [READ-WRITE] Select completed\r\n");
    check(client, "a UID FETCH 3:* UID (CHANGEDSINCE 8 VANISHED)\r\n",
          "* VANISHED (EARLIER) 3,8\r\na OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

/* Section 3.2.5.2: what the sample shows to be known is left out. Numbers now: 1,4,5,6,7. */
static void test_sample(void **state)
{
    (void)state;
    static const struct {
        const char *known, *vanished;
    } rows[] = {
        {"", "* VANISHED (EARLIER) 2:3,8\r\n"},
        {" 1:8 (1 1)", "* VANISHED (EARLIER) 2:3,8\r\n"},
        {" 1:8 (1,2 1,4)", "* VANISHED (EARLIER) 8\r\n"},
        {" 1:8 (1:8 1:8)", "* VANISHED (EARLIER) 2:3,8\r\n"},
        {" 1:8 (2:5 4:7)", "* VANISHED (EARLIER) 8\r\n"},
        {" 1:8 (1:6 3:8)", "* VANISHED (EARLIER) 8\r\n"},
        {" 1:8 (1:2,4 1,3:4)", "* VANISHED (EARLIER) 2:3,8\r\n"},
        {" 1:3 (2 4)", ""},
        {" (2,3,9 4:5,9)", "* VANISHED (EARLIER) 8\r\n"},
        {" (4294967295 4294967295)", "* VANISHED (EARLIER) 2:3,8\r\n"},
        {" 4294967295", ""},
    };
    struct client *client = open_purged_box();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[200];
        snprintf(expected, sizeof(expected), "%sr OK [READ-WRITE] Select completed\r\n",
                 rows[i].vanished);
        assert_string_equal(resync(client, 8, rows[i].known), expected);
    }
    dialogue_close(&dialogue);
}

/* --- long responses --- */

enum { MANY = 65536 };

/* Every second message is \Flagged. */
static struct client *open_large_box(void)
{
    dialogue_open(&dialogue);
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    dialogue_append(&dialogue, "INBOX", "(\\Flagged)", "a: c\r\n\r\n");
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a SELECT INBOX\r\n", "* 2 EXISTS\r\n");
    for (int count = 4; count <= MANY; count *= 2)
        check_has(client, "a COPY 1:* INBOX\r\n", "a OK");
    check_has(client, "a SEARCH RETURN (SAVE COUNT) FLAGGED\r\n", "COUNT 32768\r\n");
    check_has(client, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\r\n");
    return client;
}

static unsigned modseq_of(struct client *client, unsigned uid)
{
    char command[100];
    snprintf(command, sizeof(command), "m UID FETCH %u MODSEQ\r\n", uid);
    return (unsigned)strtoul(strstr(client_send(client, command), "MODSEQ (") + 8, NULL, 10);
}

/* SESSION_MODIFIED_RANGES_MAXIMUM: every second message of 40,002, and then of 40,000. */
static void check_modified_limit(struct client *client)
{
    char command[200];
    unsigned before = modseq_of(client, MANY);
    check_has(client, "a UID STORE $ +FLAGS.SILENT (\\Deleted)\r\n", "* 2 FETCH (UID 2 MODSEQ (");
    snprintf(command, sizeof(command),
             "a STORE 1:40002 (UNCHANGEDSINCE %u) +FLAGS.SILENT (\\Seen)\r\n", before);
    check_has(client, command, "a NO [LIMIT] ");
    snprintf(command, sizeof(command),
             "a STORE 1:40000 (UNCHANGEDSINCE %u) +FLAGS.SILENT (\\Seen)\r\n",
             modseq_of(client, MANY));
    check_has(client, command, "a OK [MODIFIED 1,3,5,7,9,11,");
}

/* SESSION_VANISHED_RANGES in one response; slice by slice. */
static void check_vanished(const char *text, const char *head)
{
    unsigned next = 2, responses = 0;
    for (; strncmp(text, head, strlen(head)) == 0; responses++) {
        text += strlen(head);
        for (unsigned i = 0; i < 1000 && next <= MANY; i++, next += 2) {
            char *end;
            assert_int_equal(strtoul(text, &end, 10), next);
            text = end + (*end == ',');
        }
        assert_memory_equal(text, "\r\n", 2);
        text += 2;
    }
    assert_int_equal(responses, 33);
    assert_int_equal(next, MANY + 2);
}

static void test_long_responses(void **state)
{
    (void)state;
    char command[100];
    struct client *client = open_large_box();
    check_modified_limit(client);
    check_has(client, "a STORE 1 FLAGS ()\r\n", "a OK");
    unsigned before = modseq_of(client, 1);
    check_vanished(client_send(client, "a EXPUNGE\r\n"), "* VANISHED ");
    assert_true(client->widest < STREAM_OUTPUT_MARK + 16 * 1024);
    snprintf(command, sizeof(command), "a UID FETCH 1:* UID (CHANGEDSINCE %u VANISHED)\r\n",
             before);
    check_vanished(client_send(client, command), "* VANISHED (EARLIER) ");
    assert_true(client->widest < STREAM_OUTPUT_MARK + 16 * 1024);
    check_vanished(resync(client, before, ""), "* VANISHED (EARLIER) ");
    assert_true(client->runs > 1);
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_long_responses),
    };
    return cmocka_run_group_tests_name("imap resync", tests, NULL, NULL);
}
