/*
 * METADATA's limits (RFC 5464), and answers that are long.
 */
#include "unit/check.h"

#include "store/annotation.h"
#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

static struct dialogue dialogue;

/* "a SETMETADATA INBOX (NAME VALUE)" with a value of that many bytes. */
static const char *set(struct client *client, const char *name, size_t size)
{
    char *command = malloc(size + 400);
    int head = snprintf(command, 400, "a SETMETADATA INBOX (%s {%zu+}\r\n", name, size);
    memset(command + head, 'x', size);
    memcpy(command + head + size, ")\r\n", 4);
    const char *received = client_send(client, command);
    free(command);
    return received;
}

/* ANNOTATION_VALUE_MAXIMUM, ANNOTATION_NAME_MAXIMUM */
static void test_sizes(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    char name[ANNOTATION_NAME_MAXIMUM + 20];
    assert_string_equal(set(client, "/private/a", ANNOTATION_VALUE_MAXIMUM),
                        "a OK Setmetadata completed\r\n");
    assert_string_equal(set(client, "/private/a", ANNOTATION_VALUE_MAXIMUM + 1),
                        "a NO [METADATA MAXSIZE 65536] A value is too long\r\n");
    memset(name, 'n', sizeof(name));
    memcpy(name, "/private/", 9);
    name[8 + ANNOTATION_NAME_MAXIMUM] = '\0';
    assert_string_equal(set(client, name, 1), "a OK Setmetadata completed\r\n");
    name[8 + ANNOTATION_NAME_MAXIMUM] = 'n';
    name[9 + ANNOTATION_NAME_MAXIMUM] = '\0';
    assert_string_equal(set(client, name, 1), "a NO [METADATA TOOMANY] Too many entries\r\n");
    dialogue_close(&dialogue);
}

/* ANNOTATIONS_MAXIMUM */
static void test_count(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    char name[32];
    for (int i = 0; i <= ANNOTATIONS_MAXIMUM; i++) {
        snprintf(name, sizeof(name), "/private/n%d", i);
        assert_string_equal(set(client, name, 1),
                            i < ANNOTATIONS_MAXIMUM
                                ? "a OK Setmetadata completed\r\n"
                                : "a NO [METADATA TOOMANY] Too many entries\r\n");
    }
    check_has(client, "a SETMETADATA INBOX (/private/n0 NIL /private/more \"x\")\r\n", "a OK");
    dialogue_close(&dialogue);
}

/* Slice by slice, a response each. */
static void test_long(void **state)
{
    (void)state;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "/private/n%02d", i);
        set(client, name, 60 * 1000);
    }
    const char *received = client_send(client, "a GETMETADATA (DEPTH infinity) INBOX /private\r\n");
    unsigned count = 0, responses = 0;
    for (const char *at = received; (at = strstr(at, "/private/n")) != NULL; at++)
        count++;
    for (const char *at = received; (at = strstr(at, "* METADATA INBOX (")) != NULL; at++)
        responses++;
    assert_int_equal(count, 20);
    assert_in_range(responses, 4, client->runs);
    assert_true(client->widest < STREAM_OUTPUT_MARK + 64 * 1024);
    assert_non_null(strstr(received, "x\")\r\na OK Getmetadata completed\r\n"));
    dialogue_close(&dialogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests_name("imap metadata", tests, NULL, NULL);
}
