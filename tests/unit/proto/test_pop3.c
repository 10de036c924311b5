#include "../check.h"

#include "base/error.h"
#include "login_caller.h"
#include "proto/pop3/writer.h"

#include <stdio.h>
#include <stdlib.h>

/* --- commands --- */

/* "NAME number lines argument|second", or what is wrong. */
static void check_command(const char *line, enum pop3_state state, const char *expected)
{
    struct pop3_command command;
    const char *problem = "";
    char text[300];
    int error = pop3_command_parse(slice_from_string(line), state, &command, &problem);
    if (error) {
        assert_int_equal(error, ERROR_SYNTAX);
        snprintf(text, sizeof(text), "%s", problem);
    } else {
        snprintf(text, sizeof(text), "%s %u %llu %.*s%s%.*s", pop3_command_name(command.id),
                 command.has_number ? command.number : 0, (unsigned long long)command.lines,
                 SLICE_FORMAT(command.argument), command.second.data ? "|" : "",
                 SLICE_FORMAT(command.second));
    }
    assert_string_equal(text, expected);
}

static void test_commands(void **state)
{
    (void)state;
    check_command("stat", POP3_TRANSACTION, "STAT 0 0 ");
    check_command("STAT ", POP3_TRANSACTION, "STAT 0 0 ");
    check_command("STAT  ", POP3_TRANSACTION, "Wrong arguments");
    check_command("LIST", POP3_TRANSACTION, "LIST 0 0 ");
    check_command("LIST 7", POP3_TRANSACTION, "LIST 7 0 ");
    check_command("LIST 0", POP3_TRANSACTION, "Wrong arguments");
    check_command("LIST -1", POP3_TRANSACTION, "Wrong arguments");
    check_command("LIST  1", POP3_TRANSACTION, "Wrong arguments");
    check_command("RETR 4294967295", POP3_TRANSACTION, "RETR 4294967295 0 ");
    check_command("RETR 4294967296", POP3_TRANSACTION, "RETR 4294967295 0 ");
    check_command("RETR 99999999999999999999999", POP3_TRANSACTION, "RETR 4294967295 0 ");
    check_command("TOP 3 10", POP3_TRANSACTION, "TOP 3 10 ");
    check_command("TOP 3 18446744073709551615", POP3_TRANSACTION, "TOP 3 18446744073709551615 ");
    check_command("TOP 3 18446744073709551616", POP3_TRANSACTION, "TOP 3 18446744073709551615 ");
    check_command("TOP 3", POP3_TRANSACTION, "Wrong arguments");
    check_command("TOP 3 4 5", POP3_TRANSACTION, "Wrong arguments");
    check_command("USER alice b", POP3_AUTHORIZATION, "USER 0 0 alice b");
    check_command("USER", POP3_AUTHORIZATION, "Wrong arguments");
    check_command("PASS  two spaces ", POP3_AUTHORIZATION, "PASS 0 0  two spaces ");
    check_command("AUTH PLAIN", POP3_AUTHORIZATION, "AUTH 0 0 PLAIN");
    check_command("AUTH PLAIN =", POP3_AUTHORIZATION, "AUTH 0 0 PLAIN|=");
    check_command("AUTH PLAIN a b", POP3_AUTHORIZATION, "Wrong arguments");
    check_command("AUTH", POP3_AUTHORIZATION, "Wrong arguments");
    check_command("LANG", POP3_AUTHORIZATION, "LANG 0 0 ");
    check_command("LANG en", POP3_TRANSACTION, "LANG 0 0 en");
    check_command("STAT", POP3_AUTHORIZATION, "Log in first");
    check_command("USER x", POP3_TRANSACTION, "Not after login");
    check_command("APOP x y", POP3_AUTHORIZATION, "Unknown command");
    check_command("", POP3_AUTHORIZATION, "Unknown command");
}

/* --- messages --- */

static void check_message(const char *text, bool ascii, int64_t lines, const char *expected)
{
    struct slice whole = slice_from_string(text);
    for (size_t piece = 1; piece <= whole.size + 1; piece++) {
        struct pop3_message message;
        struct buffer output;
        buffer_init(&output, 4096);
        pop3_message_begin(&message, ascii);
        if (lines >= 0)
            pop3_message_limit(&message, (uint64_t)lines);
        for (struct slice rest = whole; rest.size; rest = slice_sub(rest, piece, SIZE_MAX))
            pop3_message_add(&message, slice_sub(rest, 0, piece), &output);
        pop3_message_end(&message, &output);
        assert_slice_equal(buffer_slice(&output), expected);
        buffer_release(&output);
    }
}

static void test_messages(void **state)
{
    (void)state;
    check_message("A: b\r\n\r\n.\r\n..x\r\nlast\r\n", false, -1,
                  "A: b\r\n\r\n..\r\n...x\r\nlast\r\n.\r\n");
    check_message("A: b\r\n\r\nno end", false, -1, "A: b\r\n\r\nno end\r\n.\r\n");
    check_message("A: b\r\n\r\nhalf\r", false, -1, "A: b\r\n\r\nhalf\r\n.\r\n");
    check_message("A: b\n\n.bare\n", false, -1, "A: b\r\n\r\n..bare\r\n.\r\n");
    check_message("a\rb\r\n", false, -1, "a\rb\r\n.\r\n");
    check_message("", false, -1, ".\r\n");
    check_message(".", false, -1, "..\r\n.\r\n");
}

static void test_top(void **state)
{
    (void)state;
    static const char text[] = "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n";
    check_message(text, false, 0, "A: b\r\nC: d\r\n\r\n.\r\n");
    check_message(text, false, 1, "A: b\r\nC: d\r\n\r\none\r\n.\r\n");
    check_message(text, false, 2, "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n.\r\n");
    check_message(text, false, 100, "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n.\r\n");
    check_message("A: b\n\none\ntwo", false, 1, "A: b\r\n\r\none\r\n.\r\n");
    check_message("A: b\r\n", false, 0, "A: b\r\n.\r\n");
    check_message("\r\nbody\r\n", false, 0, "\r\n.\r\n");
}

/* RFC 6856 section 2.1. */
static void test_surrogates(void **state)
{
    (void)state;
    check_message("A: \xc3\xa9\r\n\r\nb\xc3\xa9\r\n", true, -1, "A: ??\r\n\r\nb\xc3\xa9\r\n.\r\n");
    check_message("A: \xc3\xa9\r\n\r\n", false, -1, "A: \xc3\xa9\r\n\r\n.\r\n");
}

/* --- before login --- */

static const struct login_options usual = {
    .hostname = "pop.example.test", .tls_available = true, .mechanisms = "PLAIN SCRAM-SHA-256"};

static void check_pieces(struct slice input, bool tls, size_t piece, const char *log,
                         const char *rest)
{
    struct login_caller caller;
    login_caller_init(&caller);
    pop3_login_init(&caller.login.pop3, &usual, tls);
    login_caller_run(&caller, input, piece);
    assert_slice_equal(buffer_slice(&caller.log), log);
    assert_slice_equal(buffer_slice(&caller.rest), rest);
    login_caller_release(&caller);
}

static void check_login(const char *input, bool tls, const char *log, const char *rest)
{
    check_pieces(slice_from_string(input), tls, SIZE_MAX, log, rest);
    check_pieces(slice_from_string(input), tls, 1, log, rest);
    check_pieces(slice_from_string(input), tls, 5, log, rest);
}

static void test_login(void **state)
{
    (void)state;
    check_login("USER alice\r\nPASS a b \r\nSTAT\r\n", true,
                "+OK Now the password\r\n[ PLAIN first |alice|a b ]\n", "STAT\r\n");
    check_login("UTF8\r\nUSER alice\r\nPASS x\r\n", true,
                "+OK UTF8 enabled\r\n+OK Now the password\r\n[UTF8 PLAIN first |alice|x]\n", "");
    check_login("USER busy\r\nPASS x\r\nPASS y\r\n", true,
                "+OK Now the password\r\n[ PLAIN first |busy|x]\n"
                "-ERR [SYS/TEMP] Try again later\r\n-ERR USER comes first\r\n",
                "");
    check_login("PASS x\r\nUSER a\r\nQUIT\r\n", true,
                "-ERR USER comes first\r\n+OK Now the password\r\n+OK Goodbye\r\n", "");
    check_login("USER alice\r\n", false, "-ERR Start TLS first\r\n", "");
}

static void test_exchanges(void **state)
{
    (void)state;
    check_login("AUTH plain AGFsaWNlAHg=\r\nrest", true, "[ PLAIN first |alice|x]\n", "rest");
    check_login("AUTH PLAIN\r\nAGFsaWNlAHg=\r\n", true, "+ \r\n[ PLAIN first |alice|x]\n", "");
    check_login("AUTH SCRAM-SHA-256\r\nYQ==\r\n*\r\n", true,
                "[ SCRAM-SHA-256 first none ]\n+ YWJj\r\n[ SCRAM-SHA-256 a]\n+ YWJj\r\n"
                "-ERR Authentication cancelled\r\n",
                "");
    check_login("AUTH SCRAM-SHA-256 =\r\n*\r\n", true,
                "[ SCRAM-SHA-256 first ]\n+ YWJj\r\n-ERR Authentication cancelled\r\n", "");
    check_login("AUTH PLAIN\r\n!\r\nAUTH PLAIN ?\r\n", true,
                "+ \r\n-ERR The response is not base64\r\n-ERR The response is not base64\r\n", "");
}

/* RFC 2595 section 4: what was said in the clear is forgotten. */
static void test_stls(void **state)
{
    (void)state;
    struct login_options open = usual;
    struct login_caller caller;
    open.plaintext_allowed = true;
    login_caller_init(&caller);
    pop3_login_init(&caller.login.pop3, &open, false);
    login_caller_run(&caller, SLICE("USER alice\r\nSTLS\r\nPASS injected\r\n"), SIZE_MAX);
    login_caller_run(&caller, SLICE("PASS x\r\nSTLS\r\n"), SIZE_MAX);
    assert_slice_equal(buffer_slice(&caller.log),
                       "+OK Now the password\r\n+OK Begin TLS negotiation\r\n[tls]\n"
                       "-ERR USER comes first\r\n-ERR TLS is active already\r\n");
    login_caller_release(&caller);
}

static void test_bad_commands_end_it(void **state)
{
    (void)state;
    struct buffer input, log;
    buffer_init(&input, 1000);
    buffer_init(&log, 4000);
    for (int i = 1; i < POP3_BAD_MAXIMUM; i++) {
        buffer_append_string(&input, "x\r\n");
        buffer_append_string(&log, "-ERR Unknown command\r\n");
    }
    buffer_append_string(&input, "x\r\nQUIT\r\n");
    buffer_append_string(&log, "-ERR Too many bad commands\r\n");
    check_login(input.data, true, log.data, "");
    buffer_release(&input);
    buffer_release(&log);
}

/* POP3_LOGIN_LINE_MAXIMUM: a response may be longer than a command, but not longer than that. */
static void test_long_lines(void **state)
{
    (void)state;
    char input[POP3_LOGIN_LINE_MAXIMUM + 100];
    int size = snprintf(input, sizeof(input), "AUTH PLAIN\r\n%0*d\r\nNOOP %0*d\r\n",
                        POP3_LOGIN_LINE_MAXIMUM + 1 - 400, 0, POP3_LINE_MAXIMUM, 0);
    check_pieces(slice_make(input, (size_t)size), true, 7,
                 "+ \r\n-ERR The response is not base64\r\n-ERR The line is too long\r\n", "");
    size = snprintf(input, sizeof(input), "AUTH PLAIN\r\n%0*d\r\n", POP3_LOGIN_LINE_MAXIMUM + 1, 0);
    check_pieces(slice_make(input, (size_t)size), true, 7,
                 "+ \r\n-ERR The response is too long\r\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),   cmocka_unit_test(test_messages),
        cmocka_unit_test(test_top),        cmocka_unit_test(test_surrogates),
        cmocka_unit_test(test_login),      cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_stls),       cmocka_unit_test(test_bad_commands_end_it),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
