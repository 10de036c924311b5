/*
 * What belongs to no mailbox: greeting, states, errors, limits of time and memory.
 */
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

#define CAPABILITIES                                                                               \
    "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE LANGUAGE UTF8=ACCEPT IDLE NAMESPACE UNSELECT UIDPLUS " \
    "MULTIAPPEND CATENATE URLAUTH URLAUTH=BINARY URL-PARTIAL MOVE REPLACE CHILDREN "               \
    "SPECIAL-USE "                                                                                 \
    "CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS LIST-METADATA ESEARCH SEARCHRES WITHIN "         \
    "STATUS=SIZE OBJECTID "                                                                        \
    "SAVEDATE PREVIEW CONDSTORE QRESYNC BINARY SORT SORT=DISPLAY ESORT CONTEXT=SEARCH "            \
    "CONTEXT=SORT FILTERS MULTISEARCH THREAD=ORDEREDSUBJECT "                                      \
    "THREAD=REFERENCES THREAD=REFS I18NLEVEL=1 QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE "         \
    "QUOTA=RES-MAILBOX QUOTA=RES-ANNOTATION-STORAGE METADATA ANNOTATE-EXPERIMENT-1 PARTIAL "       \
    "UIDONLY UIDBATCHES INPROGRESS NOTIFY UNAUTHENTICATE ACL "                                     \
    "RIGHTS=texkn "                                                                                \
    "LIST-MYRIGHTS COMPRESS=DEFLATE "                                                              \
    "APPENDLIMIT=1048576"

static void test_greeting(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    check(dialogue_stream(&dialogue, "a1"), "",
          "a1 OK [CAPABILITY " CAPABILITIES "] Logged in\r\n");
    check(dialogue_stream(&dialogue, NULL), "",
          "* PREAUTH [CAPABILITY " CAPABILITIES "] Logged in\r\n");
    dialogue_close(&dialogue);
}

static void test_simple_commands(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a CAPABILITY\r\n",
          "* CAPABILITY " CAPABILITIES "\r\na OK Capability completed\r\n");
    check(client, "a NOOP\r\n", "a OK NOOP completed\r\n");
    check(client, "a ID NIL\r\n", "* ID (\"name\" \"Chapar\")\r\na OK ID completed\r\n");
    check(client, "a ID (\"name\" \"x\" \"version\" NIL)\r\n",
          "* ID (\"name\" \"Chapar\")\r\na OK ID completed\r\n");
    check(client, "a ENABLE X\r\n", "* ENABLED\r\na OK Enabled\r\n");
    check(client, "a ENABLE qresync X\r\n", "* ENABLED QRESYNC\r\na OK Enabled\r\n");
    check(client, "a ENABLE QRESYNC CONDSTORE\r\n", "* ENABLED\r\na OK Enabled\r\n");
    check(client, "a NAMESPACE\r\n",
          "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))\r\na OK "
          "Namespace "
          "completed\r\n");
    check(client, "a LOGOUT\r\n", "* BYE Logging out\r\na OK Logout completed\r\n");
    assert_int_equal(client->need, STREAM_NEED_CLOSE);
    dialogue_close(&dialogue);
}

static void test_wrong_state(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "a FETCH 1 UID\r\n", "a BAD ");
    check_has(client, "a CLOSE\r\n", "a BAD ");
    check_has(client, "a LOGIN alice secret\r\n", "a BAD ");
    check_has(client, "a STARTTLS\r\n", "a BAD ");
    check_has(client, "a NONSENSE\r\n", "a BAD ");
    dialogue_close(&dialogue);
}

static void test_ten_errors(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    for (int i = 0; i < 9; i++)
        check_has(client, "a NONSENSE\r\n", "a BAD ");
    check(client, "a NOOP\r\n", "a OK NOOP completed\r\n");
    for (int i = 0; i < 9; i++)
        check_has(client, "a NONSENSE\r\n", "a BAD ");
    check_has(client, "a NONSENSE\r\n", "\r\n* BYE Too many errors\r\n");
    assert_int_equal(client->need, STREAM_NEED_CLOSE);
    dialogue_close(&dialogue);
}

static void test_goodbyes(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    assert_int_equal(imap_protocol.idle_limit(&client->stream), 1800);
    client->stream.timed_out = imap_protocol.idle_limit_name;
    check(client, "", "* BYE Autologout (idle_timeout)\r\n");
    assert_int_equal(client->need, STREAM_NEED_CLOSE);

    client = dialogue_client(&dialogue);
    client->stream.draining = true;
    check(client, "", "* BYE Server shutting down\r\n");
    assert_int_equal(client->need, STREAM_NEED_CLOSE);

    client = dialogue_client(&dialogue);
    check(client, "a IDLE\r\n", "+ idling\r\n");
    client->stream.draining = true;
    check(client, "", "* BYE Server shutting down\r\n");

    client = dialogue_client(&dialogue);
    client->stream.input_ended = true;
    check(client, "", "");
    assert_int_equal(client->need, STREAM_NEED_CLOSE);
    dialogue_close(&dialogue);
}

/* A message that is being read is waited for when the server stops. */
static void test_drain_waits_for_append(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(client, "a APPEND INBOX {10}\r\n", "+ OK\r\n");
    client->stream.draining = true;
    check(client, "a: b\r\n", "");
    check(client, "\r\nx\n\r\n",
          "a OK [APPENDUID V 1] Append completed\r\n* BYE Server shutting down\r\n");
    dialogue_close(&dialogue);
}

/* Beyond its memory a command is refused, and the session goes on. */
static void test_memory(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    dialogue.config.command_memory = 65536;
    struct client *client = dialogue_client(&dialogue);
    char command[64];
    for (int i = 0; i < 400; i++) {
        snprintf(command, sizeof(command), "a CREATE m%030d\r\n", i);
        check(client, command, "a OK [MAILBOXID (V)] Create completed\r\n");
    }
    check(client, "a LIST \"\" *\r\n", "a NO [LIMIT] A limit of the server would be passed\r\n");
    check(client, "a NOOP\r\n", "a OK NOOP completed\r\n");
    dialogue_close(&dialogue);
}

/* Commands sent in one go are answered in order. */
static void test_pipelining(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check(
        client, "a NOOP\r\nb CREATE x\r\nc DELETE x\r\nd LOGOUT\r\n",
        "a OK NOOP completed\r\nb OK [MAILBOXID (V)] Create completed\r\nc OK Delete completed\r\n"
        "* BYE Logging out\r\nd OK Logout completed\r\n");
    dialogue_close(&dialogue);
}

int main(int count, char **arguments)
{
    (void)arguments;
    dialogue_bytewise = count > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),    cmocka_unit_test(test_simple_commands),
        cmocka_unit_test(test_wrong_state), cmocka_unit_test(test_ten_errors),
        cmocka_unit_test(test_goodbyes),    cmocka_unit_test(test_drain_waits_for_append),
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_pipelining),
    };
    return cmocka_run_group_tests_name("imap session", tests, NULL, NULL);
}
