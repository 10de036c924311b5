#include "../check.h"

#include "base/error.h"
#include "login_caller.h"
#include "proto/managesieve/writer.h"
#include "sieve/capability.h"

#include <stdio.h>
#include <stdlib.h>

/* --- lines --- */

static void write_line(const struct managesieve_line *line, struct buffer *log)
{
    buffer_append(log, line->name);
    for (size_t i = 0; i < line->argument_count; i++)
        if (line->arguments[i].is_number)
            buffer_append_format(log, " %u", line->arguments[i].number);
        else
            buffer_append_format(log, " [%.*s]", SLICE_FORMAT(line->arguments[i].string));
}

/* False: the connection would end. */
static bool read_piece(struct managesieve_reader *reader, struct slice piece, struct buffer *log)
{
    struct managesieve_line line;
    const char *problem = "";
    for (;;) {
        enum managesieve_event event = managesieve_reader_next(reader, &piece, &line, &problem);
        if (event == MANAGESIEVE_MORE)
            return true;
        if (event == MANAGESIEVE_COMMAND)
            write_line(&line, log);
        else
            buffer_append_format(log, "(%s%s)", event == MANAGESIEVE_CLOSE ? "close: " : "",
                                 event == MANAGESIEVE_TOO_LARGE ? "too large" : problem);
        buffer_append_byte(log, '\n');
        if (event == MANAGESIEVE_CLOSE)
            return false;
    }
}

static void check_lines(struct slice input, const char *expected)
{
    static const size_t pieces[] = {1, 3, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct managesieve_reader reader;
        struct buffer log;
        bool open = true;
        buffer_init(&log, 65536);
        managesieve_reader_init(&reader, 20);
        for (struct slice rest = input; open && rest.size;
             rest = slice_sub(rest, pieces[i], SIZE_MAX))
            open = read_piece(&reader, slice_sub(rest, 0, pieces[i]), &log);
        managesieve_reader_release(&reader);
        assert_slice_equal(buffer_slice(&log), expected);
        buffer_release(&log);
    }
}

static void test_lines(void **state)
{
    (void)state;
    check_lines(
        SLICE("CAPABILITY\r\nnoop\nNOOP \"a b\"\r\nHAVESPACE \"\" 0\r\nX 4294967295 7\r\nre"),
        "CAPABILITY\nnoop\nNOOP [a b]\nHAVESPACE [] 0\nX 4294967295 7\n");
    check_lines(SLICE("NOOP \"q\\\"\\\\\" \"\\\\\"\r\nNOOP \"\t\xc3\xa9\"\r\n"),
                "NOOP [q\"\\] [\\]\nNOOP [\t\xc3\xa9]\n");
    check_lines(SLICE("PUTSCRIPT {3+}\r\na\r\n \"b\"\r\nPUTSCRIPT \"c\" {0+}\r\n\r\n"
                      "X {2+}\r\n{1 {4+}\r\n\r\n\r\n\r\nNOOP\r\n"),
                "PUTSCRIPT [a\r\n] [b]\nPUTSCRIPT [c] []\nX [{1] [\r\n\r\n]\nNOOP\n");
}

static void test_lines_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           " NOOP",           "NOOP ",       "NOOP  \"a\"",     "NOOP \"a\" ",
        "NOOP \"a",   "NOOP a",          "NOOP \"a\"b", "NOOP \"\\a\"",    "NOOP \"\\",
        "NOOP 01",    "NOOP 4294967296", "NOOP -1",     "NOOP 1x",         "NOOP \"a\r\"",
        "NOOP 1 2 3", "NOOP(",           "\"NOOP\"",    "NOOP \"a\"\"b\"", "N\xc3\xa9",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char input[64];
        snprintf(input, sizeof(input), "%s\r\nNOOP\r\n", bad[i]);
        check_lines(slice_from_string(input), "(Not a command)\nNOOP\n");
    }
    check_lines(SLICE("NOOP \"\0\"\r\nNOOP \"\\\0\"\r\nNO\0P\r\nNOOP\r\n"),
                "(Not a command)\n(Not a command)\n(Not a command)\nNOOP\n");
}

/* Octets of a literal are never commands, however wrong what stands around it is. */
static void test_literals_are_passed_over(void **state)
{
    (void)state;
    check_lines(SLICE("X(( {8+}\r\nLOGOUT\r\n\r\nNOOP\r\n"), "(Not a command)\nNOOP\n");
    check_lines(SLICE("X{8+}\r\nLOGOUT\r\n \"a\"\r\nNOOP\r\n"), "(Not a command)\nNOOP\n");
    check_lines(SLICE("X \"a{8+}\r\nLOGOUT\r\n {2+}\r\n\r\n {0+}\r\n x\r\nNOOP\r\n"),
                "(Not a command)\nNOOP\n");
    check_lines(SLICE("X 1 2 {8+}\r\nLOGOUT\r\n\r\nNOOP\r\n"), "(Wrong arguments)\nNOOP\n");
    check_lines(SLICE("X {1+}\r\na{8+}\r\nLOGOUT\r\n\r\nNOOP\r\n"), "(Not a command)\nNOOP\n");
    check_lines(SLICE("X {1+}\r\nab {8+}\r\nLOGOUT\r\n\r\nNOOP\r\n"), "(Not a command)\nNOOP\n");
}

/* RFC 5804 section 4: literal-s2c is the server's alone. Whether its octets come is not known. */
static void test_foreign_literals(void **state)
{
    (void)state;
    static const char *const foreign[] = {"{3}",   "{}",    "{+}", "{4294967296+}",
                                          "{03+}", "{3 +}", "{x}"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        char input[64];
        snprintf(input, sizeof(input), "X %s\r\nNOOP\r\n", foreign[i]);
        check_lines(slice_from_string(input), "(close: A literal of a client's is {size+})\n");
    }
}

static void test_large_literals(void **state)
{
    (void)state;
    check_lines(SLICE("X {20+}\r\n12345678901234567890\r\n"), "X [12345678901234567890]\n");
    check_lines(SLICE("X {21+}\r\n123456789012345678901\r\nNOOP\r\n"), "(too large)\nNOOP\n");
    check_lines(SLICE("X {11+}\r\n12345678901 {10+}\r\n1234567890\r\nNOOP\r\n"),
                "(too large)\nNOOP\n");
    check_lines(SLICE("X {21+}\r\n123456789012345678901 {0+}\r\n(\r\nNOOP\r\n"),
                "(too large)\nNOOP\n");
    char input[100];
    snprintf(input, sizeof(input), "X {%d+}\r\n", MANAGESIEVE_SKIP_MAXIMUM + 1);
    check_lines(slice_from_string(input), "(close: The string is too long)\n");
    snprintf(input, sizeof(input), "X {%d+}\r\n", MANAGESIEVE_SKIP_MAXIMUM);
    check_lines(slice_from_string(input), "");
    /* In pieces all the same. */
    check_lines(SLICE("X {21+}\r\n123456789012345678901 {16777210+}\r\n"),
                "(close: The string is too long)\n");
}

static void test_long_lines(void **state)
{
    (void)state;
    char input[2 * MANAGESIEVE_LINE_MAXIMUM], expected[2 * MANAGESIEVE_LINE_MAXIMUM];
    int size = snprintf(input, sizeof(input), "NOOP \"%0*d\"\r\n", MANAGESIEVE_LINE_MAXIMUM - 8, 0);
    snprintf(expected, sizeof(expected), "NOOP [%0*d]\n", MANAGESIEVE_LINE_MAXIMUM - 8, 0);
    check_lines(slice_make(input, (size_t)size), expected);
    size = snprintf(input, sizeof(input), "NOOP \"%0*d\"\r\n", MANAGESIEVE_LINE_MAXIMUM - 7, 0);
    check_lines(slice_make(input, (size_t)size), "(close: The line is too long)\n");
    /* Literals' octets do not count, what stands around them does. */
    size = snprintf(input, sizeof(input), "NOOP {3+}\r\nabc \"%0*d\"\r\n",
                    MANAGESIEVE_LINE_MAXIMUM - 9, 0);
    snprintf(expected, sizeof(expected), "NOOP [abc] [%0*d]\n", MANAGESIEVE_LINE_MAXIMUM - 9, 0);
    check_lines(slice_make(input, (size_t)size), expected);
    size = snprintf(input, sizeof(input), "NOOP {3+}\r\nabc \"%0*d\"\r\n",
                    MANAGESIEVE_LINE_MAXIMUM - 8, 0);
    check_lines(slice_make(input, (size_t)size), "(close: The line is too long)\n");
}

/* --- commands --- */

/* "NAME first|second number", or what is wrong. */
static void check_command(const char *text, enum managesieve_state state, const char *expected)
{
    struct managesieve_reader reader;
    struct managesieve_line line;
    struct managesieve_command command;
    const char *problem = "";
    char input[200], got[200];
    int size = snprintf(input, sizeof(input), "%s\r\n", text);
    struct slice bytes = slice_make(input, (size_t)size);
    managesieve_reader_init(&reader, 100);
    assert_int_equal(managesieve_reader_next(&reader, &bytes, &line, &problem),
                     MANAGESIEVE_COMMAND);
    if (managesieve_command_parse(&line, state, &command, &problem))
        snprintf(got, sizeof(got), "%s", problem);
    else
        snprintf(got, sizeof(got), "%s %.*s%s%.*s %u", managesieve_command_name(command.id),
                 SLICE_FORMAT(command.first), command.second.data ? "|" : "",
                 SLICE_FORMAT(command.second), command.number);
    assert_string_equal(got, expected);
    managesieve_reader_release(&reader);
}

static void test_commands(void **state)
{
    (void)state;
    const enum managesieve_state before = MANAGESIEVE_NOT_AUTHENTICATED,
                                 after = MANAGESIEVE_AUTHENTICATED;
    check_command("authenticate \"PLAIN\"", before, "AUTHENTICATE PLAIN 0");
    check_command("AUTHENTICATE \"PLAIN\" \"\"", before, "AUTHENTICATE PLAIN| 0");
    check_command("AUTHENTICATE", before, "Wrong arguments");
    check_command("AUTHENTICATE 1", before, "Wrong arguments");
    check_command("AUTHENTICATE \"PLAIN\"", after, "Not after login");
    check_command("Capability", before, "CAPABILITY  0");
    check_command("CAPABILITY \"x\"", after, "Wrong arguments");
    check_command("NOOP", after, "NOOP  0");
    check_command("NOOP \"t\"", before, "NOOP t 0");
    check_command("NOOP \"t\" \"u\"", before, "Wrong arguments");
    check_command("STARTTLS", before, "STARTTLS  0");
    check_command("STARTTLS", after, "Not after login");
    check_command("LISTSCRIPTS", before, "Log in first");
    check_command("UNAUTHENTICATE", before, "Log in first");
    check_command("HAVESPACE \"a\" 7", after, "HAVESPACE a 7");
    check_command("HAVESPACE 7 \"a\"", after, "Wrong arguments");
    check_command("HAVESPACE \"a\" \"7\"", after, "Wrong arguments");
    check_command("HAVESPACE \"a\"", after, "Wrong arguments");
    check_command("PUTSCRIPT \"a\" \"b\"", after, "PUTSCRIPT a|b 0");
    check_command("PUTSCRIPT \"a\"", after, "Wrong arguments");
    check_command("PUTSCRIPT \"a\" 1", after, "Wrong arguments");
    check_command("RENAMESCRIPT \"a\" \"b\"", after, "RENAMESCRIPT a|b 0");
    check_command("SETACTIVE \"\"", after, "SETACTIVE  0");
    check_command("XYZ", after, "Unknown command");
    check_command("XYZ", before, "Unknown command");
}

/* --- responses --- */

static void check_string(struct slice string, const char *expected)
{
    struct buffer output;
    buffer_init(&output, 8192);
    managesieve_write_string(&output, string);
    assert_slice_equal(buffer_slice(&output), expected);
    buffer_release(&output);
}

static void test_strings(void **state)
{
    (void)state;
    char text[MANAGESIEVE_QUOTED_MAXIMUM + 2], expected[MANAGESIEVE_QUOTED_MAXIMUM + 20];
    check_string(SLICE(""), "\"\"");
    check_string(SLICE("a b\t{5}\xc3\xa9"), "\"a b\t{5}\xc3\xa9\"");
    check_string(SLICE("clever\"script"), "{13}\r\nclever\"script");
    check_string(SLICE("back\\slash"), "{10}\r\nback\\slash");
    check_string(SLICE("a\r\nb"), "{4}\r\na\r\nb");
    check_string(SLICE("\xff"), "{1}\r\n\xff");
    snprintf(text, sizeof(text), "%0*d", MANAGESIEVE_QUOTED_MAXIMUM, 0);
    snprintf(expected, sizeof(expected), "\"%s\"", text);
    check_string(slice_from_string(text), expected);
    snprintf(text, sizeof(text), "%0*d", MANAGESIEVE_QUOTED_MAXIMUM + 1, 0);
    snprintf(expected, sizeof(expected), "{1025}\r\n%s", text);
    check_string(slice_from_string(text), expected);
}

static void test_responses(void **state)
{
    (void)state;
    struct buffer output;
    buffer_init(&output, 8192);
    managesieve_write_ok(&output, "Done");
    managesieve_write_no(&output, "QUOTA/MAXSIZE", "Too large");
    managesieve_write_no(&output, NULL, "say \"no\"");
    managesieve_write_status(&output, "BYE", NULL, SLICE(""));
    managesieve_write_noop(&output, (struct slice){0});
    managesieve_write_noop(&output, SLICE(""));
    managesieve_write_noop(&output, SLICE("a\"b"));
    assert_slice_equal(buffer_slice(&output),
                       "OK \"Done\"\r\nNO (QUOTA/MAXSIZE) \"Too large\"\r\n"
                       "NO {8}\r\nsay \"no\"\r\nBYE\r\nOK \"Nothing done\"\r\n"
                       "OK (TAG \"\") \"Nothing done\"\r\n"
                       "OK (TAG {3}\r\na\"b) \"Nothing done\"\r\n");
    buffer_release(&output);
}

/* RFC 5804 section 1.7, with this server's own values. */
static const char *capabilities(const char *sasl_and_more, const char *starttls, const char *owner)
{
    static char text[4096];
    snprintf(text, sizeof(text),
             "\"IMPLEMENTATION\" \"Chapar\"\r\n%s\"SIEVE\" \"%s\"\r\n%s\"NOTIFY\" \"mailto\"\r\n"
             "\"MAXREDIRECTS\" \"8\"\r\n\"LANGUAGE\" \"en\"\r\n%s\"VERSION\" \"1.0\"\r\nOK\r\n",
             sasl_and_more, sieve_extension_list(), starttls, owner);
    return text;
}

static void test_capabilities(void **state)
{
    (void)state;
    struct buffer output;
    const struct managesieve_capabilities said = {.mechanisms = "PLAIN", .owner = "a@example.test"};
    buffer_init(&output, 8192);
    managesieve_write_capabilities(&output, &said);
    assert_slice_equal(buffer_slice(&output),
                       capabilities("\"SASL\" \"PLAIN\"\r\n", "",
                                    "\"OWNER\" \"a@example.test\"\r\n\"UNAUTHENTICATE\"\r\n"));
    buffer_release(&output);
    /* `require` knows each by this name, and the base has none. */
    assert_true(strncmp(sieve_extension_list(), "fileinto envelope ", 18) == 0);
    assert_null(strstr(sieve_extension_list(), "  "));
}

/* --- before login --- */

static const struct login_options usual = {
    .hostname = "sieve.example.test", .tls_available = true, .mechanisms = "PLAIN SCRAM-SHA-256"};

static void check_options(const struct login_options *options, struct slice input, bool tls,
                          size_t piece, const char *log, const char *rest)
{
    struct login_caller caller;
    login_caller_init(&caller);
    managesieve_login_init(&caller.login.managesieve, options, tls);
    login_caller_run(&caller, input, piece);
    assert_slice_equal(buffer_slice(&caller.log), log);
    assert_slice_equal(buffer_slice(&caller.rest), rest);
    login_caller_release(&caller);
}

static void check_login(const char *input, bool tls, const char *log, const char *rest)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 5};
    for (size_t i = 0; i < 3; i++)
        check_options(&usual, slice_from_string(input), tls, pieces[i], log, rest);
}

static void check_greeting(bool tls_available, bool plaintext, bool tls, const char *expected)
{
    struct login_options options = usual;
    struct login_caller caller;
    options.tls_available = tls_available;
    options.plaintext_allowed = plaintext;
    login_caller_init(&caller);
    managesieve_login_init(&caller.login.managesieve, &options, tls);
    login_engine_greet(&caller.login.engine, &caller.output);
    assert_slice_equal(buffer_slice(&caller.output), expected);
    assert_true(caller.output.size <= MANAGESIEVE_LOGIN_REPLY_MAXIMUM);
    login_caller_release(&caller);
}

/* RFC 5804 section 1.7: mechanisms are said where one may be used, and none where STARTTLS helps.
 */
static void test_greeting(void **state)
{
    (void)state;
    const char *sasl = "\"SASL\" \"PLAIN SCRAM-SHA-256\"\r\n";
    check_greeting(true, false, false, capabilities("\"SASL\" \"\"\r\n", "\"STARTTLS\"\r\n", ""));
    check_greeting(true, true, false, capabilities(sasl, "\"STARTTLS\"\r\n", ""));
    check_greeting(true, false, true, capabilities(sasl, "", ""));
    check_greeting(false, true, false, capabilities(sasl, "", ""));
    check_greeting(false, false, false, capabilities("", "", ""));
}

static void test_login(void **state)
{
    (void)state;
    check_login("Authenticate \"plain\" \"AGFsaWNlAHg=\"\r\nLISTSCRIPTS\r\n", true,
                "[ PLAIN first |alice|x]\n", "LISTSCRIPTS\r\n");
    check_login("AUTHENTICATE \"PLAIN\" {12+}\r\nAGFsaWNlAHg=\r\nrest", true,
                "[ PLAIN first |alice|x]\n", "rest");
    check_login("AUTHENTICATE \"PLAIN\"\r\n\"AGFsaWNlAHg=\"\r\n", true,
                "\"\"\r\n[ PLAIN first |alice|x]\n", "");
    check_login("AUTHENTICATE \"PLAIN\"\r\n{12+}\r\nAGFsaWNlAHg=\r\n", true,
                "\"\"\r\n[ PLAIN first |alice|x]\n", "");
    check_login(
        "AUTHENTICATE \"PLAIN\" \"AGJ1c3kAeA==\"\r\nAUTHENTICATE \"PLAIN\" \"AGEAeA==\"\r\n", true,
        "[ PLAIN first |busy|x]\nNO (TRYLATER) \"Try again later\"\r\n"
        "[ PLAIN first |a|x]\nNO \"Authentication failed\"\r\n",
        "");
    check_login("AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHg=\"\r\nLOGOUT\r\nNOOP\r\n", false,
                "NO (ENCRYPT-NEEDED) \"Start TLS first\"\r\nOK \"Goodbye\"\r\n", "");
}

static void test_exchanges(void **state)
{
    (void)state;
    check_login("AUTHENTICATE \"SCRAM-SHA-256\"\r\n\"YQ==\"\r\n{1+}\r\n*\r\nNOOP\r\n", true,
                "[ SCRAM-SHA-256 first none ]\n\"YWJj\"\r\n[ SCRAM-SHA-256 a]\n\"YWJj\"\r\n"
                "NO \"Authentication cancelled\"\r\nOK \"Nothing done\"\r\n",
                "");
    check_login("AUTHENTICATE \"SCRAM-SHA-256\" \"\"\r\n\"*\"\r\n", true,
                "[ SCRAM-SHA-256 first ]\n\"YWJj\"\r\nNO \"Authentication cancelled\"\r\n", "");
    check_login("AUTHENTICATE \"PLAIN\"\r\n\"!\"\r\nAUTHENTICATE \"PLAIN\" \"?\"\r\n", true,
                "\"\"\r\nNO \"The response is not base64\"\r\n"
                "NO \"The response is not base64\"\r\n",
                "");
    check_login("AUTHENTICATE \"NOSUCH\"\r\n", true, "NO \"Unknown mechanism\"\r\n", "");
    /* A response is one string, and after it commands are read again. */
    check_login("AUTHENTICATE \"PLAIN\"\r\nAGFsaWNlAHg=\r\nNOOP\r\n", true,
                "\"\"\r\nNO \"Not a command\"\r\nOK \"Nothing done\"\r\n", "");
    check_login("AUTHENTICATE \"PLAIN\"\r\n\"YQ==\" \"YQ==\"\r\nNOOP\r\n", true,
                "\"\"\r\nNO \"Not a string\"\r\nOK \"Nothing done\"\r\n", "");
    check_login("AUTHENTICATE \"PLAIN\"\r\n7\r\nNOOP\r\n", true,
                "\"\"\r\nNO \"Not a string\"\r\nOK \"Nothing done\"\r\n", "");
    check_login("AUTHENTICATE \"PLAIN\"\r\n\r\nNOOP\r\n", true,
                "\"\"\r\nNO \"Not a command\"\r\nOK \"Nothing done\"\r\n", "");
}

/* RFC 5804 section 2.2: the capabilities come again; what was said in the clear is forgotten. */
static void test_starttls(void **state)
{
    (void)state;
    char log[8192];
    snprintf(log, sizeof(log), "OK \"Begin TLS negotiation\"\r\n[tls]\n%s",
             capabilities("\"SASL\" \"PLAIN SCRAM-SHA-256\"\r\n", "", ""));
    check_options(&usual, SLICE("STARTTLS\r\nNOOP \"injected\"\r\n"), false, SIZE_MAX, log, "");
    struct login_caller caller;
    login_caller_init(&caller);
    managesieve_login_init(&caller.login.managesieve, &usual, false);
    login_caller_run(&caller, SLICE("STARTTLS\r\nNOOP \"inj"), SIZE_MAX);
    buffer_clear(&caller.log);
    login_caller_run(&caller, SLICE("NOOP\r\nSTARTTLS\r\n"), SIZE_MAX);
    assert_slice_equal(buffer_slice(&caller.log),
                       "OK \"Nothing done\"\r\nNO \"TLS is active already\"\r\n");
    login_caller_release(&caller);
    struct login_options without = usual;
    without.tls_available = false;
    check_options(&without, SLICE("STARTTLS\r\n"), false, 1, "NO \"TLS is not available\"\r\n", "");
}

static void test_bad_commands_end_it(void **state)
{
    (void)state;
    struct buffer input, log;
    buffer_init(&input, 1000);
    buffer_init(&log, 4000);
    for (int i = 1; i < MANAGESIEVE_BAD_MAXIMUM; i++) {
        buffer_append_string(&input, i % 2 ? "x\r\n" : "(\r\n");
        buffer_append_string(&log,
                             i % 2 ? "NO \"Unknown command\"\r\n" : "NO \"Not a command\"\r\n");
    }
    buffer_append_string(&input, "x\r\nLOGOUT\r\n");
    buffer_append_string(&log, "BYE \"Too many bad commands\"\r\n");
    check_login(input.data, true, log.data, "");
    check_login("NOOP {3}\r\nNOOP\r\n", true, "BYE \"A literal of a client's is {size+}\"\r\n", "");
    buffer_release(&input);
    buffer_release(&log);
}

/* MANAGESIEVE_LOGIN_LITERALS_MAXIMUM, MANAGESIEVE_TAG_MAXIMUM. */
static void test_long_strings(void **state)
{
    (void)state;
    char input[4 * MANAGESIEVE_LOGIN_LITERALS_MAXIMUM], log[4096];
    snprintf(input, sizeof(input), "AUTHENTICATE \"PLAIN\" {%d+}\r\n%0*d\r\nNOOP\r\n",
             MANAGESIEVE_LOGIN_LITERALS_MAXIMUM + 1, MANAGESIEVE_LOGIN_LITERALS_MAXIMUM + 1, 0);
    check_login(input, true, "NO \"The string is too long\"\r\nOK \"Nothing done\"\r\n", "");
    snprintf(input, sizeof(input), "AUTHENTICATE \"PLAIN\"\r\n{%d+}\r\n%0*d\r\nNOOP\r\n",
             MANAGESIEVE_LOGIN_LITERALS_MAXIMUM + 1, MANAGESIEVE_LOGIN_LITERALS_MAXIMUM + 1, 0);
    check_login(input, true, "\"\"\r\nNO \"The string is too long\"\r\nOK \"Nothing done\"\r\n",
                "");
    snprintf(input, sizeof(input), "NOOP \"%0*d\"\r\nNOOP \"%0*d\"\r\n", MANAGESIEVE_TAG_MAXIMUM, 0,
             MANAGESIEVE_TAG_MAXIMUM + 1, 0);
    snprintf(log, sizeof(log),
             "OK (TAG \"%0*d\") \"Nothing done\"\r\nNO \"The tag is too long\"\r\n",
             MANAGESIEVE_TAG_MAXIMUM, 0);
    check_login(input, true, log, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_that_are_none),
        cmocka_unit_test(test_literals_are_passed_over),
        cmocka_unit_test(test_foreign_literals),
        cmocka_unit_test(test_large_literals),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_bad_commands_end_it),
        cmocka_unit_test(test_long_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
