#include "imap_dialogue.h"

static void test_simple(void **state)
{
    (void)state;
    check_events("a1 NOOP\r\nA.2 noop\nx Logout\r\n",
                 "command a1 NOOP \ncommand A.2 NOOP \ncommand x LOGOUT \n");
    check_command("CAPABILITY", "CAPABILITY ");
    check_command("check", "CHECK ");
    check_command("UNSELECT", "UNSELECT ");
    check_command("SELECT Sent", "SELECT 'Sent'");
    check_command("EXPUNGE", "EXPUNGE all");
    check_command("UID EXPUNGE 3:*", "UID EXPUNGE 3:0");
    check_command("uid move 1 Trash", "UID MOVE 1:1'Trash'");
    check_command("COPY 2,4:7,9,12:* \"Old mail\"", "COPY 2:2,4:7,9:9,12:0'Old mail'");
    check_command("COPY $ x", "COPY $'x'");
    check_command("ENABLE IMAP4rev2 UTF8=ACCEPT", "ENABLE 'IMAP4rev2''UTF8=ACCEPT'");
}

static void test_strings(void **state)
{
    (void)state;
    check_command("LOGIN alice sesame", "LOGIN 'alice''sesame'");
    check_command("LOGIN \"al\\\"i\\\\ce\" \"\"", "LOGIN 'al\"i\\ce'''");
    check_command("LOGIN al]ice p\xc3\xa4ss", "LOGIN 'al]ice''p\xc3\xa4ss'");
    check_command("LOGIN \"\xc3\xa4\" x", "LOGIN '\xc3\xa4''x'");
    check_events("a LOGIN {5}\r\nalice {7}\r\nses\r\nme\r\n",
                 "continue \ncontinue \ncommand a LOGIN 'alice''ses\r\nme'\n");
    check_events("a LOGIN {5+}\r\nalice {7+}\nses{1}\n\r\n", "command a LOGIN 'alice''ses{1}\n'\n");
    check_events("a LOGIN {0}\r\n {0+}\r\n\r\n", "continue \ncommand a LOGIN ''''\n");
    /* A CR at the end of a literal belongs to it. */
    check_events("a LOGIN x {1+}\r\n\r\n", "command a LOGIN 'x''\r'\n");
}

static void test_bad_strings(void **state)
{
    (void)state;
    check_bad("LOGIN alice", "Password: missing");
    check_bad("LOGIN  alice x", "User name: expected an atom or a string");
    check_bad("LOGIN \"alice x", "User name: the quoted string does not end");
    check_bad("LOGIN \"al\\ice\" x",
              "User name: only quotes and backslashes are escaped in a quoted string");
    check_bad("LOGIN al(ice x", "Password: expected a space before it");
    check_bad("LOGIN a x y", "Command: something follows the arguments");
    check_bad("LOGIN a b{3} c", "Command: something follows the arguments");
    check_bad("LOGIN \"a\0b\" x", "User name: the quoted string does not end");
    check_bad("LOGIN a\0b x", "Password: expected a space before it");
    check_events("a LOGIN {3+}\r\na\0b x\r\n", "BAD a User name: a NUL byte\n");
    check_bad("LOGIN a\rb c", "Password: expected a space before it");
    check_bad("NOOP\r", "Command: something follows the arguments");
    check_bad("NOOP ", "Command: something follows the arguments");
}

static void test_bad_head(void **state)
{
    (void)state;
    check_events("\r\n", "BAD * Tag: expected letters and digits\n");
    check_events("\n", "BAD * Tag: expected letters and digits\n");
    check_events("+ NOOP\r\n", "BAD * Tag: expected letters and digits\n");
    check_events("a\0 NOOP\r\n", "BAD * Tag: expected letters, digits and a space\n");
    check_events("a+b NOOP\r\n", "BAD * Tag: expected letters, digits and a space\n");
    check_events("a\r\n", "BAD a Command: missing\n");
    check_events("a \r\n", "BAD a Command: unknown\n");
    check_bad("XYZZY 1", "Command: unknown");
    check_bad("UID NOOP", "Command after UID: unknown");
    check_bad("UID", "Command after UID: missing");
    check_bad("NOOPS", "Command: unknown");
    check_events("\xff\xfe\r\nb NOOP\r\n",
                 "BAD * Tag: expected letters and digits\ncommand b NOOP \n");
}

static void test_states(void **state)
{
    (void)state;
    struct imap_limits limits = usual_limits;
    limits.states = IMAP_STATE_NOT_AUTHENTICATED;
    check_events_slice(limits, SLICE("a SELECT x\r\nb NOOP\r\nc APPEND x {5+}\r\nhello\r\n"),
                       "BAD a Command: unknown\ncommand b NOOP \nBAD c Command: unknown\n");
    limits.states = IMAP_STATE_AUTHENTICATED;
    check_events_slice(limits, SLICE("a LOGIN x y\r\nb SELECT x\r\n"),
                       "BAD a Command: unknown\ncommand b SELECT 'x'\n");
}

/* After ENABLE IMAP4rev2 "&" stands for itself. */
static void test_utf8_names(void **state)
{
    (void)state;
    struct imap_reader reader;
    struct buffer events;
    imap_reader_init(&reader, &usual_limits);
    buffer_init(&events, 1000);
    imap_reader_use_utf8(&reader);
    imap_events_run(&reader,
                    SLICE("a SELECT A&B\r\nb LIST & Entw&APw-*\r\nc SELECT \"\xc3\xa4&-\"\r\n"
                          "d SELECT \"\xc3\"\r\n"),
                    100, false, &events);
    check_slice(buffer_slice(&events),
                "command a SELECT 'A&B'\ncommand b LIST '&''Entw&APw-*'\n"
                "command c SELECT '\xc3\xa4&-'\n"
                "BAD d Mailbox name: control characters or invalid UTF-8\n",
                __FILE__, __LINE__);
    buffer_release(&events);
    imap_reader_release(&reader);
}

static void test_mailbox_names(void **state)
{
    (void)state;
    check_command("SELECT inbox", "SELECT 'INBOX'");
    check_command("SELECT \"InBox/a\"", "SELECT 'INBOX/a'");
    check_command("SELECT inboxes", "SELECT 'inboxes'");
    check_command("SELECT Entw&APw-rfe", "SELECT 'Entw\xc3\xbcrfe'");
    check_command("SELECT \"Entw\xc3\xbcrfe & mehr\"", "SELECT 'Entw\xc3\xbcrfe & mehr'");
    check_command("SELECT A&-B", "SELECT 'A&B'");
    check_command("RENAME INBOX Old", "RENAME 'INBOX''Old'");
    check_bad("SELECT A&B", "Mailbox name: not valid modified UTF-7");
    check_bad("SELECT \"\xff\"", "Mailbox name: control characters or invalid UTF-8");
    check_bad("SELECT \"a\tb\"", "Mailbox name: control characters or invalid UTF-8");
    check_bad("SELECT \"\"", "Mailbox name: empty");
    check_bad("SELECT *", "Mailbox name: expected an atom or a string");
    check_events("a SELECT {4+}\r\na\r\nb\r\n",
                 "BAD a Mailbox name: control characters or invalid UTF-8\n");
    check_command("CREATE Mine (USE (\\Sent))", "CREATE 'Mine'\\Sent");
    check_command("CREATE Mine", "CREATE 'Mine'");
    check_bad("CREATE Mine (USE (\\Sent \\Junk))",
              "Special use: expected one attribute, such as \\Sent");
    check_bad("CREATE Mine (NOTUSE (x))", "Create parameters: only USE is known");
}

static void test_list(void **state)
{
    (void)state;
    check_command("LIST \"\" *", "LIST '''*'");
    check_command("LSUB \"\" \"%/x\"", "LSUB '''%/x'");
    check_command("LIST inbox %]", "LIST 'INBOX''%]'");
    check_command("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a b)",
                  "LIST '''a''b' subscribed recursive extended");
    check_command("LIST (special-use) \"\" % RETURN (CHILDREN SUBSCRIBED STATUS (UNSEEN SIZE))",
                  "LIST '''%' special r:subscribed r:children extended status 80");
    check_command("LIST () \"\" x RETURN ()", "LIST '''x' extended");
    check_command("LIST \"\" \"\"", "LIST ''''");
    check_bad("LIST (RECURSIVEMATCH) \"\" *",
              "Selection option: RECURSIVEMATCH needs another option");
    check_bad("LIST (XYZZY) \"\" *", "Selection option: unknown");
    check_bad("LIST \"\" * RETURN (XYZZY)", "Return option: unknown");
    check_bad("LIST \"\" ()", "Mailbox pattern: expected a pattern");
    check_bad("LIST \"\"", "Mailbox pattern: missing");
    check_bad("LSUB (SUBSCRIBED) \"\" *", "Reference name: expected an atom or a string");
}

static void test_status(void **state)
{
    (void)state;
    check_command("STATUS x (MESSAGES RECENT uidnext UIDVALIDITY UNSEEN DELETED SIZE)",
                  "STATUS 'x' 127");
    check_bad("STATUS x ()", "Status item: unknown");
    check_bad("STATUS x MESSAGES", "Status item: expected a list");
    check_bad("STATUS x (MESSAGES", "Status item: expected a closing parenthesis");
}

static void test_id(void **state)
{
    (void)state;
    check_command("ID NIL", "ID ");
    check_command("ID ()", "ID ");
    check_command("ID (\"name\" \"Mail\" \"os\" NIL)", "ID 'name''Mail''os' NIL");
    check_bad("ID (\"name\")", "ID parameters: expected a value for each name");
    check_bad("ID", "ID parameters: missing");
}

static void test_authenticate(void **state)
{
    (void)state;
    check_events("a AUTHENTICATE PLAIN\r\nAGFiYwA=\r\nb NOOP\r\n",
                 "command a AUTHENTICATE 'PLAIN'\nline AGFiYwA=\ncommand b NOOP \n");
    check_events("a AUTHENTICATE PLAIN YWJj\r\n*\n",
                 "command a AUTHENTICATE 'PLAIN''abc'\nline *\n");
    check_command("AUTHENTICATE EXTERNAL =", "AUTHENTICATE 'EXTERNAL'''");
    check_bad("AUTHENTICATE PLAIN YWJ", "Initial response: not base64");
    check_bad("AUTHENTICATE PLAIN ", "Initial response: not base64");
    check_events("a IDLE\r\ndone\r\nb NOOP\r\n", "command a IDLE \nline done\ncommand b NOOP \n");
    check_events("a IDLE\r\n{3+}\r\n\r\n",
                 "command a IDLE \nline {3+}\nBAD * Tag: expected letters and digits\n");
}

static void test_store(void **state)
{
    (void)state;
    check_command("STORE 1 +FLAGS (\\Seen \\deleted)", "STORE 1:1 + flags 9");
    check_command("STORE 1:2 -FLAGS.SILENT $Junk $junk \\Draft",
                  "STORE 1:2 -silent flags 16 $Junk");
    check_command("UID STORE * FLAGS ()", "UID STORE 0:0 = flags 0");
    check_bad("STORE 1 FLAGS (\\Recent)", "Flags: no system flag that can be set");
    check_bad("STORE 1 FLAGS (\\Mine)", "Flags: no system flag that can be set");
    check_bad("STORE 1 FLAGS (\\*)", "Flags: expected an atom");
    check_bad("STORE 1 FLAGS", "Flags: missing");
    check_bad("STORE 1 FLAGS.LOUD x", "Store item: expected FLAGS, FLAGS.SILENT or ANNOTATION");
    check_bad("STORE 1 FLAGS (a", "Flags: expected a flag or a closing parenthesis");
}

static void test_sequence_sets(void **state)
{
    (void)state;
    check_bad("COPY 0 x", "Sequence set: expected a number or *");
    check_bad("COPY 1,, x", "Sequence set: expected a number or *");
    check_bad("COPY 1: x", "Sequence set: expected a number or *");
    check_bad("COPY a x", "Sequence set: expected a number or *");
    check_bad("COPY 4294967296 x", "Sequence set: the number is too large");
    check_command("COPY 4294967295,*:1 x", "COPY 4294967295:4294967295,0:1'x'");
}

static void test_append(void **state)
{
    (void)state;
    check_events("a APPEND x {5}\r\nhello\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 5\ncontinue \nmessage hello\n"
                 "command a APPEND 'x' flags 0 size 5\ncommand b NOOP \n");
    check_events("a APPEND {5+}\r\ninbox (\\Seen x) \"17-Jul-1996 02:44:25 -0700\" {4+}\nhi\r\n\n",
                 "append a APPEND 'INBOX' flags 1 x date 837596665 size 4\nmessage hi\r\n\n"
                 "command a APPEND 'INBOX' flags 1 x date 837596665 size 4\n");
    check_events("a APPEND x () ~{3}\r\nabc\r\n",
                 "append a APPEND 'x' flags 0 binary size 3\ncontinue \nmessage abc\n"
                 "command a APPEND 'x' flags 0 binary size 3\n");
    check_events("a APPEND {1}\r\nx {0}\r\n\r\n",
                 "continue \nappend a APPEND 'x' flags 0 size 0\ncontinue \n"
                 "command a APPEND 'x' flags 0 size 0\n");
}

static void test_append_refused(void **state)
{
    (void)state;
    check_dialogue(usual_limits, SLICE("a APPEND x {5+}\r\nhello\r\nb NOOP\r\n"), true,
                   "append a APPEND 'x' flags 0 size 5\ncommand b NOOP \n", __FILE__, __LINE__);
    check_dialogue(usual_limits, SLICE("a APPEND x {5}\r\nb NOOP\r\n"), true,
                   "append a APPEND 'x' flags 0 size 5\ncommand b NOOP \n", __FILE__, __LINE__);
    /* RFC 3502: messages behind the refused one are read past with it, however large. */
    check_dialogue(usual_limits, SLICE("a APPEND x {5+}\r\nhello {3+}\r\n\r\n\n\r\nb NOOP\r\n"),
                   true, "append a APPEND 'x' flags 0 size 5\ncommand b NOOP \n", __FILE__,
                   __LINE__);
}

static void test_append_bad(void **state)
{
    (void)state;
    check_bad("APPEND x", "Message: missing");
    check_bad("APPEND x hello", "Message: expected a literal");
    check_bad("APPEND x ~hello", "Message: expected a literal");
    check_bad("APPEND x (\\Recent) {3}", "Flags: no system flag that can be set");
    check_events("a APPEND x (\\Recent) {3+}\r\nabc\r\nb NOOP\r\n",
                 "BAD a Flags: no system flag that can be set\ncommand b NOOP \n");
    check_bad("APPEND x \"yesterday\" {3}", "Date: expected dd-Mon-yyyy hh:mm:ss +zzzz");
    check_events("a APPEND x {5+}\r\nhello\rb NOOP\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 5\nmessage hello\n"
                 "BAD a Message: something follows it\ncommand b NOOP \n");
    check_bad("APPEND", "Mailbox name: missing");
    check_bad("APPEND x () {3} ", "Message: expected a literal");
    check_bad("APPEND x () \"17-Jul-1996 02:44:25 -0700\"", "Message: missing");
}

/* RFC 3502: "append = "APPEND" SP mailbox 1*append-message". */
static void test_append_several(void **state)
{
    (void)state;
    check_events("a APPEND x (\\Seen a) {5}\r\nhello (b) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\n"
                 "a\r\n ~{2+}\r\nab\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 1 a size 5\ncontinue \nmessage hello\n"
                 "append a APPEND 'x' flags 0 b date 837596665 size 3\nmessage a\r\n\n"
                 "append a APPEND 'x' flags 0 binary size 2\nmessage ab\n"
                 "command a APPEND 'x' flags 0 binary size 2\ncommand b NOOP \n");
    /* The mailbox's name is kept, a literal or not. */
    check_events("a APPEND {3+}\r\ny z {1+}\r\n1 {0+}\r\n {1+}\r\n2\r\n",
                 "append a APPEND 'y z' flags 0 size 1\nmessage 1\n"
                 "append a APPEND 'y z' flags 0 size 0\n"
                 "append a APPEND 'y z' flags 0 size 1\nmessage 2\n"
                 "command a APPEND 'y z' flags 0 size 1\n");
    /* Wrong in a later message: before its bytes are asked for, or read past with them. */
    check_events("a APPEND x {1+}\r\n1 (\\Recent) {5}\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "BAD a Flags: no system flag that can be set\ncommand b NOOP \n");
    check_events("a APPEND x {1+}\r\n1 \"today\" {5+}\r\nhello {3+}\r\nabc\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "BAD a Date: expected dd-Mon-yyyy hh:mm:ss +zzzz\ncommand b NOOP \n");
    check_events("a APPEND x {1+}\r\n1 \r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "BAD a Message: expected a literal\ncommand b NOOP \n");
    check_events("a APPEND x {1+}\r\n1 (\\Seen)\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "BAD a Message: missing\ncommand b NOOP \n");
    check_events("a APPEND x {1+}\r\n1 {1001}\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\nmessage 1\n"
                 "TOO_BIG a Message too large\ncommand b NOOP \n");
}

static void test_append_several_limit(void **state)
{
    (void)state;
    struct buffer input, events;
    struct imap_reader reader;
    imap_reader_init(&reader, &usual_limits);
    buffer_init(&input, 1024 * 1024);
    buffer_init(&events, 1024 * 1024);
    buffer_append_string(&input, "a APPEND x");
    for (unsigned i = 0; i <= IMAP_APPEND_MESSAGES_MAXIMUM; i++)
        buffer_append_string(&input, " {1+}\r\nm");
    buffer_append_string(&input, "\r\nb NOOP\r\n");
    imap_events_run(&reader, buffer_slice(&input), SIZE_MAX, false, &events);
    buffer_append_byte(&events, '\0');
    assert_non_null(strstr(events.data, "message m\nBAD a Message: too many\ncommand b NOOP"));
    size_t count = 0;
    for (const char *at = events.data; (at = strstr(at, "append a")) != NULL; at++)
        count++;
    assert_int_equal(count, IMAP_APPEND_MESSAGES_MAXIMUM);
    imap_reader_release(&reader);
    buffer_release(&input);
    buffer_release(&events);
}

/* RFC 9051 section 9: a literal has no NUL byte; a literal8 may have. */
static void test_append_nul(void **state)
{
    (void)state;
    check_events("a APPEND x {5+}\r\nhe\0lo {3+}\r\nabc\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 5\nmessage he\n"
                 "BAD a Message: NUL bytes are only allowed in a literal8\ncommand b NOOP \n");
    check_events("a APPEND x {1}\r\n\0\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 size 1\ncontinue \n"
                 "BAD a Message: NUL bytes are only allowed in a literal8\ncommand b NOOP \n");
    /* What is binary is said of each message. */
    check_events("a APPEND x ~{1+}\r\na {3+}\r\na\0b\r\nb NOOP\r\n",
                 "append a APPEND 'x' flags 0 binary size 1\nmessage a\n"
                 "append a APPEND 'x' flags 0 size 3\nmessage a\n"
                 "BAD a Message: NUL bytes are only allowed in a literal8\ncommand b NOOP \n");
}

/* RFC 8508 section 5: "replace = "REPLACE" SP seq-number SP mailbox append-message". */
static void test_replace(void **state)
{
    (void)state;
    check_events("a REPLACE 4 Drafts (\\Seen \\Draft) {5}\r\nhello\r\nb NOOP\r\n",
                 "append a REPLACE 4:4'Drafts' flags 17 size 5\ncontinue \nmessage hello\n"
                 "command a REPLACE 4:4'Drafts' flags 17 size 5\ncommand b NOOP \n");
    check_events("a UID REPLACE * {6+}\r\nDrafts {1+}\r\nx\r\n",
                 "append a UID REPLACE 0:0'Drafts' flags 0 size 1\nmessage x\n"
                 "command a UID REPLACE 0:0'Drafts' flags 0 size 1\n");
    /* Section 4.7: one message, of one. */
    check_events("a REPLACE 4 x {1+}\r\n1 {1+}\r\n2\r\nb NOOP\r\n",
                 "append a REPLACE 4:4'x' flags 0 size 1\nmessage 1\n"
                 "BAD a Message: something follows it\ncommand b NOOP \n");
    check_bad("REPLACE", "Message number: missing");
    check_bad("REPLACE 0 x {3}", "Message number: expected a number other than 0");
    check_bad("REPLACE x x {3}", "Message number: expected a number");
    check_bad("REPLACE 4:5 x {3}", "Mailbox name: expected a space before it");
    check_bad("REPLACE 4,5 x {3}", "Mailbox name: expected a space before it");
    check_bad("REPLACE $ x {3}", "Message number: expected a number");
    check_bad("REPLACE 4", "Mailbox name: missing");
    check_bad("REPLACE 4 \"\" {3}", "Mailbox name: empty");
    check_bad("REPLACE 4 x", "Message: missing");
    check_bad("REPLACE 4 x (\\Recent) {3}", "Flags: no system flag that can be set");
    check_bad("REPLACE 4 x \"today\" {3}", "Date: expected dd-Mon-yyyy hh:mm:ss +zzzz");
    check_bad("REPLACE 4 x hello", "Message: expected a literal");
}

static void test_message_limit(void **state)
{
    (void)state;
    check_events("a APPEND x {1001}\r\nb NOOP\r\n",
                 "TOO_BIG a Message too large\ncommand b NOOP \n");
    struct imap_limits limits = usual_limits;
    limits.message = 4;
    check_events_slice(limits, SLICE("a APPEND x {5+}\r\nhello\r\nb NOOP\r\n"),
                       "TOO_BIG a Message too large\ncommand b NOOP \n");
}

static void test_literal_limit(void **state)
{
    (void)state;
    struct imap_limits limits = usual_limits;
    limits.literals = 8;
    check_events_slice(limits, SLICE("a LOGIN {9}\r\nb NOOP\r\n"),
                       "BAD a Literal: too large\ncommand b NOOP \n");
    check_events_slice(limits, SLICE("a LOGIN {9+}\r\n12345\n789 x\r\nb NOOP\r\n"),
                       "BAD a Literal: too large\ncommand b NOOP \n");
    check_events_slice(limits,
                       SLICE("a LOGIN {4+}\r\nabcd {5+}\r\n12345\r\nb LOGIN {4+}\r\nabcd "
                             "{4+}\r\n1234\r\n"),
                       "BAD a Literal: too large\ncommand b LOGIN 'abcd''1234'\n");
    /* What is read past may have literals of its own. */
    check_events_slice(limits, SLICE("a XYZZY {3+}\r\na\nb {2+}\r\n\r\n {1}\r\nb NOOP\r\n"),
                       "BAD a Command: unknown\ncommand b NOOP \n");
    check_events("a LOGIN {99999999999999999999}\r\nb NOOP\r\n",
                 "BAD a Literal: too large\ncommand b NOOP \n");
    check_events("a LOGIN {99999999999999999999+}\r\nb NOOP\r\n",
                 "CLOSE Command too large to follow\n");
}

static void test_line_limit(void **state)
{
    (void)state;
    struct imap_limits limits = usual_limits;
    limits.line = 20;
    check_events_slice(limits, SLICE("a LOGIN abcd efghi\r\nb LOGIN abcd efghij\r\nc NOOP\r\n"),
                       "command a LOGIN 'abcd''efghi'\nBAD b Command: too long\n"
                       "command c NOOP \n");
    /* Literals do not count, their heads do. */
    check_events_slice(limits,
                       SLICE("a LOGIN {9+}\r\n123456789 x\r\nb LOGIN {9+}\r\n123456789 "
                             "xyzzy\r\nc NOOP\r\n"),
                       "command a LOGIN '123456789''x'\nBAD b Command: too long\n"
                       "command c NOOP \n");
    check_events_slice(limits, SLICE("a LOGIN abcd 90123456{4+}\r\nabc\n\r\nb NOOP\r\n"),
                       "BAD a Command: too long\ncommand b NOOP \n");
    check_events_slice(limits, SLICE("a IDLE\r\n0123456789012345678901234567\r\nb NOOP\r\n"),
                       "command a IDLE \nBAD a Command: too long\ncommand b NOOP \n");
}

static void test_discard_limit(void **state)
{
    (void)state;
    struct buffer input;
    buffer_init(&input, 4 * IMAP_DISCARD_MAXIMUM);
    buffer_append_string(&input, "a ");
    size_t size = usual_limits.line + IMAP_DISCARD_MAXIMUM;
    memset(buffer_reserve(&input, size), 'x', size);
    buffer_commit(&input, size - 2 - 1);
    buffer_append_string(&input, "\nb NOOP\r\n");
    check_events_slice(usual_limits, buffer_slice(&input),
                       "BAD a Command: too long\ncommand b NOOP \n");
    buffer_truncate(&input, size - 1);
    buffer_append_string(&input, "x\nb NOOP\r\n");
    check_events_slice(usual_limits, buffer_slice(&input), "CLOSE Command too large to follow\n");
    buffer_clear(&input);
    buffer_append_format(&input, "a XYZZY {%d+}\r\n", IMAP_DISCARD_MAXIMUM + 1);
    check_events_slice(usual_limits, buffer_slice(&input), "CLOSE Command too large to follow\n");
    buffer_release(&input);
}

/* "before", then the item count times with a separator, "after". */
static void check_count(const char *before, const char *item, const char *separator, size_t count,
                        const char *after, const char *bad)
{
    struct buffer input, events;
    struct imap_reader reader;
    struct imap_limits limits = usual_limits;
    limits.line = 1024 * 1024;
    imap_reader_init(&reader, &limits);
    buffer_init(&input, limits.line);
    buffer_init(&events, 16 * 1024 * 1024);
    buffer_append_format(&input, "a %s", before);
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&input, "%s%s", i ? separator : "", item);
    buffer_append_format(&input, "%s\r\n", after);
    imap_events_run(&reader, buffer_slice(&input), input.size, false, &events);
    if (bad)
        assert_slice_equal(buffer_slice(&events), bad);
    else
        assert_true(slice_starts_with(buffer_slice(&events), SLICE("command a ")));
    buffer_release(&input);
    buffer_release(&events);
    imap_reader_release(&reader);
}

#define check_maximum(before, item, separator, maximum, after, bad)                                \
    do {                                                                                           \
        check_count(before, item, separator, maximum, after, NULL);                                \
        check_count(before, item, separator, (maximum) + 1, after, "BAD a " bad "\n");             \
    } while (0)

static void test_grammar_limits(void **state)
{
    (void)state;
    check_maximum("SELECT ", "x", "", IMAP_MAILBOX_NAME_MAXIMUM, "", "Mailbox name: too long");
    check_maximum("COPY ", "1", ",", IMAP_SEQUENCE_RANGES_MAXIMUM, " x",
                  "Sequence set: too many ranges");
    check_maximum("STORE 1 FLAGS (", "x", " ", IMAP_FLAGS_MAXIMUM, ")", "Flags: too many flags");
    check_maximum("STORE 1 FLAGS (", "x", "", IMAP_KEYWORD_MAXIMUM, ")",
                  "Flags: a keyword is too long");
    check_maximum("SEARCH KEYWORD ", "x", "", IMAP_KEYWORD_MAXIMUM, "",
                  "Search key: the keyword is too long");
    check_maximum("SEARCH ", "SEEN", " ", IMAP_SEARCH_KEYS_MAXIMUM, "", "Search key: too many");
    check_maximum("SEARCH ", "NOT", " ", IMAP_NESTING_MAXIMUM - 1, " ALL",
                  "Search key: nested too deeply");
    check_count("SEARCH ", "(", "", IMAP_NESTING_MAXIMUM, "ALL",
                "BAD a Search key: nested too deeply\n");
    check_maximum("SEARCH ", "TEXT x", " ", IMAP_SEARCH_TEXTS_MAXIMUM, "",
                  "Search key: too many for BODY, TEXT and ANNOTATION");
    check_maximum("FETCH 1 (", "FLAGS", " ", IMAP_FETCH_ITEMS_MAXIMUM, ")", "Fetch item: too many");
    check_maximum("FETCH 1 BODY[HEADER.FIELDS (", "To", " ", IMAP_FETCH_FIELDS_MAXIMUM, ")]",
                  "Fetch item: too many header fields");
    check_maximum("FETCH 1 BODY[", "1", ".", IMAP_SECTION_DEPTH_MAXIMUM, "]",
                  "Fetch item: too many part numbers");
    check_maximum("LIST \"\" (", "x", " ", IMAP_LIST_PATTERNS_MAXIMUM, ")",
                  "Mailbox pattern: too many");
    check_maximum("ID (", "\"a\" NIL", " ", IMAP_ID_FIELDS_MAXIMUM, ")",
                  "ID parameters: too many fields");
    check_maximum("ENABLE ", "X", " ", IMAP_ENABLE_MAXIMUM, "", "Capability: too many");
    check_maximum("LANGUAGE ", "x", " ", IMAP_LANGUAGES_MAXIMUM, "", "Language: too many");
}

static void test_tag_limit(void **state)
{
    (void)state;
    char input[IMAP_TAG_MAXIMUM + 16], expected[IMAP_TAG_MAXIMUM + 32];
    memset(input, 't', sizeof(input));
    memcpy(input + IMAP_TAG_MAXIMUM, " NOOP\r\n", 7);
    snprintf(expected, sizeof(expected), "command %.*s NOOP \n", IMAP_TAG_MAXIMUM, input);
    check_events_slice(usual_limits, slice_make(input, IMAP_TAG_MAXIMUM + 7), expected);
    memcpy(input + IMAP_TAG_MAXIMUM, "t NOOP\r\n", 8);
    check_events_slice(usual_limits, slice_make(input, IMAP_TAG_MAXIMUM + 8),
                       "BAD * Tag: too long\n");
}

static void test_arena_limit(void **state)
{
    (void)state;
    struct imap_limits limits = usual_limits;
    limits.arena = 200;
    check_events_slice(limits, SLICE("a NOOP\r\nb SELECT A&AOQ-b\r\nc ID (\"a\" NIL)\r\n"),
                       "command a NOOP \ncommand b SELECT 'A\xc3\xa4"
                       "b'\nBAD c ID parameters: too large\n");
    check_events_slice(limits, SLICE("a COPY 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5 x\r\n"),
                       "BAD a Sequence set: too large\n");
    limits.arena = 0;
    check_events_slice(limits,
                       SLICE("a ENABLE X\r\nb STORE 1 FLAGS (x y)\r\nc LIST \"\" x\r\n"
                             "d FETCH $ BODY[HEADER.FIELDS (x y)]\r\n"
                             "e SEARCH NOT SEEN\r\nf SEARCH UNSEEN\r\ng SELECT inbox/x\r\n"
                             "h SEARCH CHARSET latin1 TEXT x\r\n"),
                       "BAD a Capability: too large\nBAD b Sequence set: too large\n"
                       "BAD c Mailbox pattern: too large\nBAD d Fetch item: too large\n"
                       "BAD e Search key: too large\nBAD f Search key: too large\n"
                       "BAD g Mailbox name: too large\nBAD h Search key: too large\n");
}

static void test_idle_costs_nothing(void **state)
{
    (void)state;
    struct imap_reader reader;
    imap_reader_init(&reader, &usual_limits);
    struct slice input = SLICE("a LIST \"\" *\r\n");
    assert_true(imap_reader_is_idle(&reader));
    assert_int_equal(imap_reader_next(&reader, &input).kind, IMAP_EVENT_COMMAND);
    assert_false(imap_reader_is_idle(&reader));
    assert_int_equal(imap_reader_next(&reader, &input).kind, IMAP_EVENT_MORE);
    assert_true(imap_reader_is_idle(&reader));

    input = SLICE("b IDLE\r\n");
    struct imap_event event = imap_reader_next(&reader, &input);
    assert_int_equal(event.kind, IMAP_EVENT_COMMAND);
    struct slice tag = event.command->tag;
    imap_reader_expect_line(&reader);
    assert_int_equal(imap_reader_next(&reader, &input).kind, IMAP_EVENT_MORE);
    assert_true(imap_reader_is_idle(&reader));
    input = SLICE("DONE\r\n");
    assert_int_equal(imap_reader_next(&reader, &input).kind, IMAP_EVENT_LINE);
    assert_slice_equal(tag, "b");
    imap_reader_release(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),         cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bad_strings),    cmocka_unit_test(test_bad_head),
        cmocka_unit_test(test_states),         cmocka_unit_test(test_mailbox_names),
        cmocka_unit_test(test_utf8_names),     cmocka_unit_test(test_list),
        cmocka_unit_test(test_status),         cmocka_unit_test(test_id),
        cmocka_unit_test(test_authenticate),   cmocka_unit_test(test_store),
        cmocka_unit_test(test_sequence_sets),  cmocka_unit_test(test_append),
        cmocka_unit_test(test_append_refused), cmocka_unit_test(test_append_bad),
        cmocka_unit_test(test_append_several), cmocka_unit_test(test_append_several_limit),
        cmocka_unit_test(test_append_nul),     cmocka_unit_test(test_replace),
        cmocka_unit_test(test_message_limit),  cmocka_unit_test(test_literal_limit),
        cmocka_unit_test(test_line_limit),     cmocka_unit_test(test_discard_limit),
        cmocka_unit_test(test_grammar_limits), cmocka_unit_test(test_tag_limit),
        cmocka_unit_test(test_arena_limit),    cmocka_unit_test(test_idle_costs_nothing),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
