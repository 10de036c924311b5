/*
 * SEARCH and ESEARCH.
 */
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

static const char *const messages[] = {
    "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n"
    "Date: Mon, 5 Feb 2024 23:30:00 -0500\r\nX-Thing: =?utf-8?q?gr=C3=BCn?=\r\n\r\nFirst body\r\n",
    "From: carol@example.org\r\nCc: bob@example.org\r\nSubject: =?iso-8859-1?q?=C4rger?=\r\n"
    "Date: Wed, 7 Feb 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne Gr=FC=DFe\r\n",
    "From: dave@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "aGlkZGVuIHdvcmRz\r\n"
    "--b\r\nContent-Type: image/png\r\n\r\nnotsearched\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner subject\r\n\r\ninner text\r\n"
    "--b--\r\n",
};

enum { DATE_TEXT = 16 };

/* Such as "1-Feb-1994". */
static void today(char text[DATE_TEXT])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, DATE_TEXT, "%d-%b-%Y", &parts);
}

static struct client *open_box(struct dialogue *dialogue)
{
    dialogue_open(dialogue);
    struct client *client = dialogue_client(dialogue);
    dialogue_append(dialogue, "INBOX", "(\\Seen)", messages[0]);
    dialogue_append(dialogue, "INBOX", "(\\Deleted $Work)", messages[1]);
    dialogue_append(dialogue, "INBOX", "(\\Flagged \\Seen)", messages[2]);
    check_has(client, "a SELECT INBOX\r\n", "* 3 EXISTS\r\n");
    return client;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *found;
    } rows[] = {
        {"ALL", " 1 2 3"},
        {"SEEN", " 1 3"},
        {"UNSEEN", " 2"},
        {"DELETED", " 2"},
        {"FLAGGED SEEN", " 3"},
        {"NOT (FLAGGED SEEN)", " 1 2"},
        {"OR DELETED FLAGGED", " 2 3"},
        {"KEYWORD $work", " 2"},
        {"UNKEYWORD $Work", " 1 3"},
        {"KEYWORD $Nothing", ""},
        {"2:3", " 2 3"},
        {"2:3 SEEN", " 3"},
        {"UID 1,3", " 1 3"},
        {"5:9", ""},
        {"FROM alice", " 1"},
        {"FROM ALICE", " 1"},
        {"TO bob", " 1"},
        {"CC bob", " 2"},
        {"SUBJECT hello", " 1"},
        {"HEADER X-Thing \"\"", " 1"},
        {"HEADER X-Other \"\"", ""},
        {"HEADER Subject \"\"", " 1 2 3"},
        {"BODY \"first body\"", " 1"},
        {"BODY hello", ""},
        {"TEXT hello", " 1"},
        {"TEXT x-thing", " 1"},
        {"BODY \"hidden words\"", " 3"},
        {"BODY notsearched", ""},
        {"BODY \"inner text\"", " 3"},
        {"BODY \"inner subject\"", " 3"},
        {"LARGER 150", " 1 2 3"},
        {"SMALLER 20", ""},
        {"ON 1-Feb-2024", " 1 2 3"},
        {"BEFORE 1-Feb-2024", ""},
        {"SINCE 1-Feb-2024", " 1 2 3"},
        {"SINCE 2-Feb-2024", ""},
        {"SENTON 5-Feb-2024", " 1"},
        {"SENTBEFORE 6-Feb-2024", " 1"},
        {"SENTSINCE 6-Feb-2024", " 2"},
        {"SAVEDBEFORE 1-Feb-2024", ""},
        {"SAVEDSINCE 1-Feb-2024", " 1 2 3"},
        {"SAVEDON 1-Feb-2024", ""},
        {"SAVEDATESUPPORTED", " 1 2 3"},
        {"OLDER 86400", " 1 2 3"},
        {"YOUNGER 86400", ""},
        {"YOUNGER 4294967295", " 1 2 3"},
        {"OLDER 4294967295", ""},
        {"EMAILID M1", " 1"},
        {"EMAILID m1", ""},
        {"EMAILID M1001", ""},
        {"THREADID M1", ""},
        {"THREADID Tffffffff", ""},
    };
    struct dialogue dialogue;
    struct client *client = open_box(&dialogue);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char command[200], expected[200];
        snprintf(command, sizeof(command), "a SEARCH %s\r\n", rows[i].keys);
        snprintf(expected, sizeof(expected), "* SEARCH%s\r\na OK Search completed\r\n",
                 rows[i].found);
        check(client, command, expected);
    }
    dialogue_close(&dialogue);
}

static void test_charsets(void **state)
{
    (void)state;
    struct dialogue dialogue;
    struct client *client = open_box(&dialogue);
    check(client, "a SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n\xc3\xa4rger\r\n",
          "* SEARCH 2\r\na OK Search completed\r\n");
    check(client, "a SEARCH CHARSET UTF-8 BODY {7+}\r\nSCH\xc3\x96NE\r\n",
          "* SEARCH 2\r\na OK Search completed\r\n");
    check(client, "a SEARCH CHARSET ISO-8859-1 HEADER X-Thing {4+}\r\ngr\xfcn\r\n",
          "* SEARCH 1\r\na OK Search completed\r\n");
    check_has(client, "a SEARCH CHARSET X-NONE SUBJECT x\r\n", "a NO [BADCHARSET");
    dialogue_close(&dialogue);
}

static void test_extended(void **state)
{
    (void)state;
    struct dialogue dialogue;
    struct client *client = open_box(&dialogue);
    check_has(client, "a STORE 1 +FLAGS (\\Deleted)\r\na EXPUNGE\r\n", "* 1 EXPUNGE\r\n");
    dialogue_append(&dialogue, "INBOX", "", "a: b\r\n\r\n");
    check_has(client, "a NOOP\r\n", "* 2 EXISTS\r\n");
    check(client, "a UID SEARCH ALL\r\n", "* SEARCH 3 4\r\na OK Search completed\r\n");
    check(client, "b SEARCH RETURN () ALL\r\n",
          "* ESEARCH (TAG \"b\") ALL 1:2\r\nb OK Search completed\r\n");
    check(client, "b UID SEARCH RETURN (MIN MAX COUNT ALL) ALL\r\n",
          "* ESEARCH (TAG \"b\") UID COUNT 2 MIN 3 MAX 4 ALL 3:4\r\nb OK Search completed\r\n");
    check(client, "b SEARCH RETURN (COUNT MIN) DRAFT\r\n",
          "* ESEARCH (TAG \"b\") COUNT 0\r\nb OK Search completed\r\n");
    check(client, "b SEARCH RETURN (ALL) DRAFT\r\n",
          "* ESEARCH (TAG \"b\")\r\nb OK Search completed\r\n");
    dialogue_close(&dialogue);
}

/* All were saved between the two moments, which may be of two days. */
static void test_saved_on(void **state)
{
    (void)state;
    struct dialogue dialogue;
    char before[DATE_TEXT], after[DATE_TEXT], command[100];
    today(before);
    struct client *client = open_box(&dialogue);
    today(after);
    snprintf(command, sizeof(command), "a SEARCH OR SAVEDON %s SAVEDON %s\r\n", before, after);
    check(client, command, "* SEARCH 1 2 3\r\na OK Search completed\r\n");
    snprintf(command, sizeof(command), "a SEARCH SAVEDBEFORE %s\r\n", before);
    check(client, command, "* SEARCH\r\na OK Search completed\r\n");
    dialogue_close(&dialogue);
}

/* RFC 5182. */
static void test_saved(void **state)
{
    (void)state;
    struct dialogue dialogue;
    struct client *client = open_box(&dialogue);
    check(client, "a SEARCH $\r\n", "* SEARCH\r\na OK Search completed\r\n");
    check(client, "a UID SEARCH RETURN (SAVE) SEEN\r\n", "a OK Search completed\r\n");
    check(client, "a SEARCH $\r\n", "* SEARCH 1 3\r\na OK Search completed\r\n");
    check(client, "a SEARCH NOT UID $\r\n", "* SEARCH 2\r\na OK Search completed\r\n");
    check(client, "a SEARCH RETURN (SAVE MIN) $\r\n",
          "* ESEARCH (TAG \"a\") MIN 1\r\na OK Search completed\r\n");
    check(client, "a SEARCH OR $ 3\r\n", "* SEARCH 1 3\r\na OK Search completed\r\n");
    check(client, "a SEARCH RETURN (SAVE MIN COUNT) 2:3\r\n",
          "* ESEARCH (TAG \"a\") COUNT 2 MIN 2\r\na OK Search completed\r\n");
    check(client, "a SEARCH $\r\n", "* SEARCH 2 3\r\na OK Search completed\r\n");
    check(client, "a SEARCH RETURN (SAVE MAX) DRAFT\r\n",
          "* ESEARCH (TAG \"a\")\r\na OK Search completed\r\n");
    check(client, "a FETCH $ UID\r\n", "a OK Fetch completed\r\n");
    dialogue_close(&dialogue);
}

/* A text that lies across the pieces in which a part is read. */
static void test_long_body(void **state)
{
    (void)state;
    if (dialogue_bytewise)
        return;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    struct client *client = dialogue_client(&dialogue);
    size_t size = 600 * 1000;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, "a: b\r\n\r\n", 8);
    memcpy(text + 65534, "needle", 6);
    memcpy(text + size - 4, "end\n", 4);
    text[size] = '\0';
    dialogue_append(&dialogue, "INBOX", "", text);
    check_has(client, "a SELECT INBOX\r\n", "* 1 EXISTS\r\n");
    check(client, "a SEARCH BODY NEEDLE\r\n", "* SEARCH 1\r\na OK Search completed\r\n");
    check(client, "a SEARCH BODY xend\r\n", "* SEARCH 1\r\na OK Search completed\r\n");
    check(client, "a SEARCH BODY needles\r\n", "* SEARCH\r\na OK Search completed\r\n");
    free(text);
    dialogue_close(&dialogue);
}

int main(int count, char **arguments)
{
    (void)arguments;
    dialogue_bytewise = count > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_extended), cmocka_unit_test(test_saved_on),
        cmocka_unit_test(test_saved),    cmocka_unit_test(test_long_body),
    };
    return cmocka_run_group_tests_name("imap search", tests, NULL, NULL);
}
