/*
 * Searches that are kept up to date (RFC 5267): their limits, and what is large. What is told is in
 * tests/wire/imap/context.
 */
#include "unit/check.h"

#include "session/imap/context_priv.h"
#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

enum { DOUBLINGS = 15, MESSAGES = 2 << DOUBLINGS };

static struct dialogue dialogue;

/* Every other message is flagged: as many ranges as there can be. */
static struct client *open_large(void)
{
    dialogue_open(&dialogue);
    dialogue_append(&dialogue, "INBOX", "(\\Flagged)", "Subject: a\r\n\r\na\r\n");
    dialogue_append(&dialogue, "INBOX", "", "Subject: b\r\n\r\nb\r\n");
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "s SELECT INBOX\r\n", "s OK");
    for (int i = 0; i < DOUBLINGS; i++)
        check_has(client, "s COPY 1:* INBOX\r\n", "s OK");
    return client;
}

static void test_large(void **state)
{
    (void)state;
    struct client *client = open_large();
    assert_true((int)MESSAGES / 2 > (int)CONTEXT_RANGES_MAXIMUM);
    assert_true((int)MESSAGES > (int)CONTEXT_SORTED_MAXIMUM);
    check(client, "c1 SEARCH RETURN (UPDATE COUNT) FLAGGED\r\n",
          "* ESEARCH (TAG \"c1\") COUNT 32768\r\n"
          "* NO [NOUPDATE \"c1\"] Too many, or too large\r\nc1 OK Search completed\r\n");
    check(client, "c2 UID SORT RETURN (UPDATE COUNT) (ARRIVAL) UTF-8 ALL\r\n",
          "* ESEARCH (TAG \"c2\") UID COUNT 65536\r\n"
          "* NO [NOUPDATE \"c2\"] Too many, or too large\r\nc2 OK Sort completed\r\n");
    /* A result that grows too large loses its updates. */
    check(client, "c3 UID SEARCH RETURN (UPDATE COUNT) KEYWORD x\r\n",
          "* ESEARCH (TAG \"c3\") UID COUNT 0\r\nc3 OK Search completed\r\n");
    check_has(client, "s SEARCH RETURN (SAVE) FLAGGED\r\n", "s OK");
    check_has(client, "s STORE $ +FLAGS.SILENT (x)\r\n", "* NO [NOUPDATE \"c3\"] Too much");
    check(client, "s CANCELUPDATE \"c3\"\r\n", "s NO No search with such a tag is updated\r\n");
    dialogue_close(&dialogue);
}

/* All messages change at once: told in slices, but completely. */
static void test_all_change(void **state)
{
    (void)state;
    struct client *client = open_large(), *other = dialogue_client(&dialogue);
    check_has(other, "s SELECT INBOX\r\n", "s OK");
    check_has(client, "c1 UID SEARCH RETURN (UPDATE COUNT) UNSEEN\r\n", "COUNT 65536\r\n");
    check_has(other, "s STORE 1:* +FLAGS.SILENT (\\Seen)\r\n", "s OK");
    const char *received = client_send(client, "a NOOP\r\n");
    uint32_t next = 1;
    for (const char *at = received; (at = strstr(at, "UID REMOVEFROM (0 ")) != NULL;) {
        char *end;
        at += strlen("UID REMOVEFROM (0 ");
        assert_int_equal(strtoul(at, &end, 10), next);
        next = *end == ':' ? (uint32_t)strtoul(end + 1, &end, 10) + 1 : next + 1;
        assert_int_equal(*end, ')');
    }
    assert_int_equal(next, MESSAGES + 1);
    assert_true(client->widest < 2 * STREAM_OUTPUT_MARK);
    dialogue_close(&dialogue);
}

/* CONTEXT_PROGRAM_MAXIMUM */
static void test_program(void **state)
{
    (void)state;
    const size_t size = CONTEXT_PROGRAM_MAXIMUM;
    char *command = malloc(size + 200);
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    check_has(client, "s SELECT INBOX\r\n", "s OK");
    int head = snprintf(command, 100, "c1 SEARCH RETURN (UPDATE COUNT) SUBJECT {%zu+}\r\n", size);
    memset(command + head, 'x', size);
    memcpy(command + head + size, "\r\n", 3);
    check_has(client, command, "* NO [NOUPDATE \"c1\"]");
    free(command);
    dialogue_close(&dialogue);
}

/* Messages of a sorted result that are gone, and not told yet, when another is put in its place. */
static void test_sorted_with_gone(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    for (char c = 'a'; c < 'k'; c++) {
        char message[40];
        snprintf(message, sizeof(message), "Subject: %c%c\r\n\r\nx\r\n", c, c);
        dialogue_append(&dialogue, "INBOX", c & 1 ? "(\\Deleted)" : "", message);
    }
    struct client *client = dialogue_client(&dialogue), *other = dialogue_client(&dialogue);
    check_has(client, "s SELECT INBOX\r\n", "s OK");
    check_has(other, "s SELECT INBOX\r\n", "s OK");
    check_has(client, "c1 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 ALL\r\n",
              "ALL 1,2,3,4,5,6,7,8,9,10\r\n");
    dialogue_append(&dialogue, "INBOX", "", "Subject: ddd\r\n\r\nx\r\n");
    check_has(other, "s EXPUNGE\r\n", "s OK");
    /* a, c, e, g, i are gone; ddd comes behind b and d. */
    check_has(client, "a FETCH 2 UID\r\n",
              "* ESEARCH (TAG \"c1\") UID REMOVEFROM (1 1 2 3 3 5 4 7 5 9)\r\n"
              "* 11 EXISTS\r\n* 0 RECENT\r\n"
              "* ESEARCH (TAG \"c1\") UID ADDTO (3 11)\r\n");
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_all_change),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_sorted_with_gone),
    };
    return cmocka_run_group_tests_name("imap context", tests, NULL, NULL);
}
