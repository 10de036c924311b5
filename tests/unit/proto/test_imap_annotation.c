/*
 * Annotations of messages (RFC 5257): in SELECT, FETCH, STORE, SEARCH, SORT and APPEND.
 */
#include "imap_dialogue.h"

static void test_select(void **state)
{
    (void)state;
    check_command("SELECT INBOX (ANNOTATE)", "SELECT 'INBOX' annotate");
    check_command("EXAMINE x (annotate CONDSTORE)", "EXAMINE 'x' condstore annotate");
    check_bad("SELECT x (ANNOTATED)", "Select parameter: unknown");
}

static void test_fetch(void **state)
{
    (void)state;
    check_command("FETCH 1 (ANNOTATION (/comment value))", "FETCH 1:1 annotation=/0'/comment' 3");
    check_command("UID FETCH 1123 (UID ANNOTATION (/* (value.priv size.priv)))",
                  "UID FETCH 1123:1123 uid annotation=/0'/*' 5");
    check_command("FETCH 1 ANNOTATION ((/comment \"/altsubject\") value.priv)",
                  "FETCH 1:1 annotation=/0'/comment''/altsubject' 1");
    check_command("FETCH 1 (FLAGS annotation (/% (SIZE.SHARED \"value.shared\")) UID)",
                  "FETCH 1:1 flags annotation=/0'/%' 10 uid");
    check_command("FETCH 1 ANNOTATION ((* %/comment /1.2/comment /1*) size)",
                  "FETCH 1:1 annotation=/0'*''%/comment''/1.2/comment''/1*' 12");
    check_bad("FETCH 1 ANNOTATION", "Fetch item: expected entries and attributes");
    check_bad("FETCH 1 ANNOTATION /comment value", "Fetch item: expected entries and attributes");
    check_bad("FETCH 1 ANNOTATION (/comment)", "Fetch item: expected attributes");
    check_bad("FETCH 1 ANNOTATION (() value)", "Fetch item: expected the name of an entry");
    check_bad("FETCH 1 ANNOTATION (/comment ())", "Fetch item: expected an atom or a string");
    check_bad("FETCH 1 ANNOTATION (/comment value", "Fetch item: expected a closing parenthesis");
    check_bad("FETCH 1 ANNOTATION (/comment (value)", "Fetch item: expected a closing parenthesis");
    check_bad("FETCH 1 ANNOTATION ((/comment value)", "Fetch item: expected the name of an entry");
    check_bad("FETCH 1 ANNOTATION (/comment colour)",
              "Fetch item: expected value or size, with .priv, .shared or nothing behind it");
    check_bad("FETCH 1 ANNOTATION (/comment value.private)",
              "Fetch item: expected value or size, with .priv, .shared or nothing behind it");
}

/* RFC 5257 sections 3.2 and 3.2.1 */
static void test_names(void **state)
{
    (void)state;
    const struct {
        const char *entry, *problem;
    } wrong[] = {
        {"comment", "expected the name of an entry"},
        {"\"\"", "expected the name of an entry"},
        {"/", "expected the name of an entry"},
        {"\"/*\"", "no wildcards are possible"},
        {"\"/a%\"", "no wildcards are possible"},
        {"/a//b", "the name of an entry has an empty level"},
        {"//comment", "the name of an entry has an empty level"},
        {"/comment/", "the name of an entry ends with a slash"},
        {"/\303\251", "the name of an entry is ASCII"},
        {"/flags", "/flags is reserved"},
        {"/flags/seen", "/flags is reserved"},
        {"/1", "a body part itself has no value"},
        {"/1.2", "a body part itself has no value"},
        {"/0/comment", "not the number of a body part"},
        {"/1./comment", "not the number of a body part"},
        {"/1..2/comment", "not the number of a body part"},
        {"/01/comment", "not the number of a body part"},
        {"/1a/comment", "not the number of a body part"},
        {"/1.TEXT/comment", "not the number of a body part"},
        {"/4294967296/comment", "not the number of a body part"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char input[200], expected[200];
        snprintf(input, sizeof(input), "a STORE 1 ANNOTATION (%s (value.priv \"x\"))\r\n",
                 wrong[i].entry);
        snprintf(expected, sizeof(expected), "BAD a Annotation: %s\n", wrong[i].problem);
        check_events_slice(usual_limits, slice_from_string(input), expected);
    }
    check_events("a STORE 1 ANNOTATION ({3+}\r\n/\0a (value.priv \"x\"))\r\n",
                 "BAD a Annotation: a NUL byte\n");
    check_command("STORE 1 ANNOTATION (/Flags/x (value.priv \"x\"))", "STORE 1:1 priv /Flags/x'x'");
    check_command("STORE 1 ANNOTATION (/4294967295.1/comment (value.priv \"x\"))",
                  "STORE 1:1 priv /4294967295.1/comment'x'");
    check_command("STORE 1 ANNOTATION (/vendor/foobar/label.priv (value.priv \"x\"))",
                  "STORE 1:1 priv /vendor/foobar/label.priv'x'");
}

static void test_store(void **state)
{
    (void)state;
    check_command("STORE 1 ANNOTATION (/comment (value.priv \"My new comment\"))",
                  "STORE 1:1 priv /comment'My new comment'");
    check_command("STORE 1 ANNOTATION (/comment (value.shared NIL))", "STORE 1:1 shared /comment");
    check_command("STORE 1:2 (UNCHANGEDSINCE 9) ANNOTATION (/comment (value.priv \"a\" "
                  "value.shared \"b\") /altsubject (VALUE.PRIV \"\"))",
                  "STORE 1:2 unchanged 9 priv /comment'a' shared /comment'b' priv /altsubject''");
    check_events("a UID STORE 1 ANNOTATION (\"/a b\" (value.priv {3}\r\n\"\r\n))\r\n",
                 "continue \ncommand a UID STORE 1:1 priv /a b'\"\r\n'\n");
    check_dialogue(usual_limits,
                   SLICE("a STORE 1 ANNOTATION (\"/a b\" (value.shared ~{2+}\r\n)x))\r\n"), false,
                   "command a STORE 1:1 shared /a b')x'\n", __FILE__, __LINE__);
    check_bad("STORE 1 ANNOTATION", "Annotation: missing");
    check_bad("STORE 1 ANNOTATION /comment (value.priv \"x\")", "Annotation: expected a list");
    check_bad("STORE 1 ANNOTATION ()", "Annotation: expected an atom or a string");
    check_bad("STORE 1 ANNOTATION (/comment)", "Annotation: expected values");
    check_bad("STORE 1 ANNOTATION (/comment ())", "Annotation: expected an atom or a string");
    check_bad("STORE 1 ANNOTATION (/comment (value.priv))", "Annotation: expected a value");
    check_bad("STORE 1 ANNOTATION (/comment (value \"x\"))",
              "Annotation: expected value.priv or value.shared");
    check_bad("STORE 1 ANNOTATION (/comment (size.priv \"1\"))",
              "Annotation: expected value.priv or value.shared");
    check_bad("STORE 1 ANNOTATION (/comment (value.priv \"x\")",
              "Annotation: expected a closing parenthesis");
    check_bad("STORE 1 +ANNOTATION (/comment (value.priv \"x\"))",
              "Store item: expected FLAGS, FLAGS.SILENT or ANNOTATION");
    /* Section 3.2.1: flags of a part. */
    check_command("STORE 1 ANNOTATION (/1/flags/seen (value.priv \"1\" value.shared NIL))",
                  "STORE 1:1 priv /1/flags/seen'1' shared /1/flags/seen");
    check_bad("STORE 1 ANNOTATION (/1/flags/seen (value.priv \"2\"))",
              "Annotation: a flag of a body part is \"1\", \"0\" or NIL");
}

static void test_search_and_sort(void **state)
{
    (void)state;
    check_command("SEARCH ANNOTATION /comment value \"IMAP4\"",
                  "SEARCH and(annotation /comment'IMAP4' 3)");
    check_command("SEARCH SEEN ANNOTATION * value.priv \"x\"",
                  "SEARCH and(flag 1 annotation *'x' 1)");
    check_command("SEARCH ANNOTATION /% value.shared NIL", "SEARCH and(not(annotation /%'' 2))");
    check_bad("SEARCH ANNOTATION /comment size \"1\"",
              "Search key: expected value, value.priv or value.shared");
    check_bad("SEARCH ANNOTATION comment value \"1\"", "Search key: expected the name of an entry");
    check_bad("SEARCH ANNOTATION /comment value", "Search key: expected a value");
    check_bad("SEARCH ANNOTATION /comment", "Search key: expected an attribute");
    check_command("SORT (ANNOTATION /altsubject value.shared) UTF-8 ALL",
                  "SORT +9 shared/altsubject and(all)");
    check_command("SORT (REVERSE ANNOTATION /a value.priv SIZE) UTF-8 ALL",
                  "SORT -9/a +6 and(all)");
    check_bad("SORT (ANNOTATION /a value) UTF-8 ALL",
              "Sort criterion: expected value.priv or value.shared");
    check_bad("SORT (ANNOTATION /a size.priv) UTF-8 ALL",
              "Sort criterion: expected value.priv or value.shared");
    check_bad("SORT (ANNOTATION \"/*\" value.priv) UTF-8 ALL",
              "Sort criterion: no wildcards are possible");
    check_bad("SORT (ANNOTATION) UTF-8 ALL", "Sort criterion: expected an entry");
}

/* What is quoted is read once, however the literals behind it come. */
static void test_append(void **state)
{
    (void)state;
    check_events("a APPEND drafts ANNOTATION (/comment (value.priv \"Don't send\")) {2+}\r\nhi\r\n",
                 "append a APPEND 'drafts' flags 0 priv /comment'Don't send' size 2\nmessage hi\n"
                 "command a APPEND 'drafts' flags 0 priv /comment'Don't send' size 2\n");
    check_events(
        "a APPEND x (\\Seen) ANNOTATION (\"/a\\\\b\" (value.priv \"q\\\"r\" value.shared "
        "{2}\r\n\")) "
        "{2}\r\n/c (value.priv NIL)) {1+}\r\nm ANNOTATION (/d (value.priv \"2\")) {1+}\r\nn\r\n",
        "continue \ncontinue \n"
        "append a APPEND 'x' flags 1 priv /a\\b'q\"r' shared /a\\b'\")' priv /c size 1\n"
        "message m\nappend a APPEND 'x' flags 0 priv /d'2' size 1\nmessage n\n"
        "command a APPEND 'x' flags 0 priv /d'2' size 1\n");
    check_events("a APPEND x ANNOTATION (/c (value.priv \"1\")) CATENATE (TEXT {1+}\r\nm)\r\n",
                 "append a APPEND 'x' flags 0 priv /c'1' parts 0\ntext size 1\nmessage m\n"
                 "command a APPEND 'x' flags 0 priv /c'1' parts 1\n");
    check_bad("APPEND x ANNOTATION (/c (value \"1\")) {1}",
              "Annotation: expected value.priv or value.shared");
    check_bad("APPEND x ANNOTATION (/c (value.priv \"1\")) ANNOTATION (/c (value.priv \"1\")) {1}",
              "Message: expected a literal");
    check_bad("APPEND x ANNOTATION (/c (value.priv \"1\"))", "Message: missing");
    check_bad("APPEND x ANNOTATION () {1}", "Annotation: expected an atom or a string");
}

/* Whether the command is; the text is cleared. */
static void check_taken(struct buffer *text, bool taken)
{
    struct imap_reader reader;
    struct slice input = buffer_slice(text);
    imap_reader_init(&reader, &usual_limits);
    struct imap_event event = imap_reader_next(&reader, &input);
    assert_int_equal(event.kind, taken ? IMAP_EVENT_COMMAND : IMAP_EVENT_BAD);
    imap_reader_release(&reader);
    buffer_clear(text);
}

static void test_limits(void **state)
{
    (void)state;
    struct buffer text;
    char name[IMAP_ANNOTATION_ENTRY_MAXIMUM + 1];
    buffer_init(&text, 1 << 20);
    for (int more = 0; more < 2; more++) {
        /* values */
        buffer_append_string(&text, "a STORE 1 ANNOTATION (/a (");
        for (int i = 0; i < IMAP_ANNOTATIONS_MAXIMUM + more; i++)
            buffer_append_format(&text, "%svalue.priv \"%d\"", i ? " " : "", i);
        buffer_append_string(&text, "))\r\n");
        check_taken(&text, !more);
        /* entries of a FETCH */
        buffer_append_string(&text, "a FETCH 1 (ANNOTATION (/a value) ANNOTATION ((");
        for (int i = 0; i < IMAP_ANNOTATION_ENTRIES_MAXIMUM - 1 + more; i++)
            buffer_append_format(&text, "%s/e%d", i ? " " : "", i);
        buffer_append_string(&text, ") value))\r\n");
        check_taken(&text, !more);
        /* a name's length; part numbers */
        snprintf(name, sizeof(name), "/%0*d", IMAP_ANNOTATION_ENTRY_MAXIMUM - 2 + more, 0);
        name[1] = 'n';
        buffer_append_format(&text, "a STORE 1 ANNOTATION (%s%s (value.priv NIL))\r\n", name, "x");
        check_taken(&text, !more);
        buffer_append_string(&text, "a STORE 1 ANNOTATION (/1");
        for (int i = 1; i < IMAP_SECTION_DEPTH_MAXIMUM + more; i++)
            buffer_append_string(&text, ".1");
        buffer_append_string(&text, "/a (value.priv NIL))\r\n");
        check_taken(&text, !more);
    }
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),          cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_store),
        cmocka_unit_test(test_search_and_sort), cmocka_unit_test(test_append),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
