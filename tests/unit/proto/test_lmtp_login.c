#include "../check.h"

#include "login_caller.h"

#include <stdio.h>

#define HELLO                                                                                      \
    "250-lmtp.example.test\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"                  \
    "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n"
#define SIZE      "250 SIZE 5000\r\n"
#define PLAIN     "250-AUTH PLAIN SCRAM-SHA-256\r\n"
#define NEEDS_TLS "530 5.7.0 Start TLS first\r\n"
#define NEEDS     "530 5.7.0 Authentication required\r\n"

static const struct login_options usual = {.hostname = "lmtp.example.test",
                                           .tls_available = true,
                                           .mechanisms = "PLAIN SCRAM-SHA-256",
                                           .message = 5000};
static const struct login_options trusted = {.hostname = "lmtp.example.test",
                                             .tls_available = true,
                                             .mechanisms = "PLAIN SCRAM-SHA-256",
                                             .message = 5000,
                                             .trusted = true};

static void check_pieces(const struct login_options *options, int external_error, bool tls,
                         struct slice input, size_t piece, const char *log, const char *rest)
{
    struct login_caller caller;
    login_caller_init(&caller);
    caller.external_error = external_error;
    lmtp_login_init(&caller.login.lmtp, options, tls);
    login_caller_run(&caller, input, piece);
    assert_slice_equal(buffer_slice(&caller.log), log);
    assert_slice_equal(buffer_slice(&caller.rest), rest);
    login_caller_release(&caller);
}

/* Whole, byte by byte, and in pieces of five bytes. */
static void check_options(const struct login_options *options, int external_error, bool tls,
                          const char *input, const char *log, const char *rest)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 5};
    for (size_t i = 0; i < 3; i++)
        check_pieces(options, external_error, tls, slice_from_string(input), pieces[i], log, rest);
}

static void check_login(const char *input, bool tls, const char *log, const char *rest)
{
    check_options(&usual, 0, tls, input, log, rest);
}

/* RFC 4954 section 4.1: what is sent with the response is the session's. */
static void test_login(void **state)
{
    (void)state;
    check_login("LHLO mx.example.org\r\nAUTH PLAIN AGFsaWNlAHg=\r\nMAIL FROM:<>\r\n", true,
                HELLO PLAIN SIZE "[AUTH mx.example.org PLAIN first |alice|x]\n",
                "MAIL FROM:<>\r\n");
    check_login("lhlo a\nauth plain\nAGFsaWNlAHg=\n", true,
                HELLO PLAIN SIZE "334 \r\n[AUTH a PLAIN first |alice|x]\n", "");
    check_login("LHLO a\r\nAUTH PLAIN AGJvYgB4\r\nAUTH PLAIN AGJ1c3kAeA==\r\nQUIT\r\n", true,
                HELLO PLAIN SIZE "[AUTH a PLAIN first |bob|x]\n"
                                 "535 5.7.8 Authentication credentials invalid\r\n"
                                 "[AUTH a PLAIN first |busy|x]\n"
                                 "454 4.7.0 Temporary authentication failure\r\n"
                                 "221 2.0.0 Goodbye\r\n",
                "");
}

static void test_exchanges(void **state)
{
    (void)state;
    check_login("LHLO a\r\nAUTH SCRAM-SHA-256 YQ==\r\nYg==\r\n*\r\nNOOP\r\n", true,
                HELLO PLAIN SIZE "[AUTH a SCRAM-SHA-256 first a]\n334 YWJj\r\n"
                                 "[AUTH a SCRAM-SHA-256 b]\n334 YWJj\r\n"
                                 "501 5.7.0 Authentication cancelled\r\n250 2.0.0 OK\r\n",
                "");
    check_login("LHLO a\r\nAUTH SCRAM-SHA-256\r\n*\r\nAUTH SCRAM-SHA-256 =\r\n*\r\n", true,
                HELLO PLAIN SIZE
                "[AUTH a SCRAM-SHA-256 first none ]\n334 YWJj\r\n"
                "501 5.7.0 Authentication cancelled\r\n"
                "[AUTH a SCRAM-SHA-256 first ]\n334 YWJj\r\n501 5.7.0 Authentication cancelled\r\n",
                "");
    /* RFC 4954 section 4: characters and padding that are not base64's. */
    check_login("LHLO a\r\nAUTH PLAIN !\r\nAUTH PLAIN\r\n=AAA\r\nAUTH PLAIN AAA=BBB\r\n", true,
                HELLO PLAIN SIZE "501 5.5.2 The response is not base64\r\n334 \r\n"
                                 "501 5.5.2 The response is not base64\r\n"
                                 "501 5.5.2 The response is not base64\r\n",
                "");
    check_login("LHLO a\r\nAUTH CRAM-MD5\r\nAUTH EXTERNAL =\r\nAUTH\r\n", true,
                HELLO PLAIN SIZE "504 5.5.4 Unknown mechanism\r\n504 5.5.4 Unknown mechanism\r\n"
                                 "501 5.5.4 AUTH needs a mechanism\r\n",
                "");
}

/* RFC 3207 section 4: 530 for all but NOOP, LHLO, STARTTLS, QUIT; RFC 4954 section 6: and RSET. */
static void test_nothing_before_login(void **state)
{
    (void)state;
    check_login("NOOP\r\nRSET\r\nLHLO a\r\nAUTH PLAIN AGFsaWNlAHg=\r\nMAIL FROM:<>\r\nXYZZY\r\n",
                false,
                "250 2.0.0 OK\r\n250 2.0.0 Reset\r\n" HELLO
                "250-STARTTLS\r\n" SIZE NEEDS_TLS NEEDS_TLS NEEDS_TLS,
                "");
    check_login(
        "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nBDAT 3 LAST\r\nVRFY a\r\nXCLIENT ADDR=1\r\n", true,
        NEEDS NEEDS NEEDS NEEDS NEEDS NEEDS, "");
    check_login("EHLO a\r\nHELO a\r\nLHLO\r\nLHLO a b\r\nRSET x\r\nAUTH PLAIN =\r\n", true,
                "500 5.5.2 This is LMTP: say LHLO\r\n500 5.5.2 This is LMTP: say LHLO\r\n"
                "501 5.5.4 LHLO needs a host name\r\n501 5.5.4 LHLO needs a host name\r\n"
                "501 5.5.4 RSET takes no argument\r\n503 5.5.1 Say LHLO first\r\n",
                "");
}

/* RFC 3207 section 4.2: what was said in the clear is forgotten, LHLO's name too. */
static void test_starttls(void **state)
{
    (void)state;
    struct login_options open = usual;
    struct login_caller caller;
    open.plaintext_allowed = true;
    login_caller_init(&caller);
    lmtp_login_init(&caller.login.lmtp, &open, false);
    login_caller_run(&caller, SLICE("STARTTLS x\r\nLHLO a\r\nSTARTTLS\r\nAUTH PLAIN injected\r\n"),
                     SIZE_MAX);
    login_caller_run(&caller, SLICE("AUTH PLAIN AGFsaWNlAHg=\r\nSTARTTLS\r\nLHLO b\r\n"), SIZE_MAX);
    assert_slice_equal(
        buffer_slice(&caller.log),
        "501 5.5.4 STARTTLS takes no argument\r\n" HELLO PLAIN "250-STARTTLS\r\n" SIZE
        "220 2.0.0 Ready to start TLS\r\n[tls]\n"
        "503 5.5.1 Say LHLO first\r\n503 5.5.1 TLS is active already\r\n" HELLO PLAIN SIZE);
    login_caller_release(&caller);
    open.tls_available = false;
    check_options(&open, 0, false, "STARTTLS\r\nLHLO a\r\n",
                  "454 4.7.0 TLS is not available\r\n" HELLO PLAIN SIZE, "");
}

/* Handed over at LHLO, and not before TLS. */
static void test_trusted(void **state)
{
    (void)state;
    check_options(&trusted, 0, true, "NOOP\r\nLHLO mx.example.org\r\nMAIL FROM:<>\r\n",
                  "250 2.0.0 OK\r\n[LHLO mx.example.org EXTERNAL first ]\n", "MAIL FROM:<>\r\n");
    check_options(&trusted, 0, false, "LHLO a\r\nMAIL FROM:<>\r\n",
                  HELLO "250-STARTTLS\r\n" SIZE NEEDS_TLS, "");
    check_options(&trusted, ERROR_DENIED, true, "LHLO a\r\nMAIL FROM:<>\r\nLHLO b\r\n",
                  "[LHLO a EXTERNAL first ]\n" HELLO PLAIN SIZE NEEDS HELLO PLAIN SIZE, "");
    check_options(&trusted, ERROR_BUSY, true, "LHLO a\r\nAUTH PLAIN =\r\nLHLO b\r\n",
                  "[LHLO a EXTERNAL first ]\n451 4.3.0 Try again later\r\n"
                  "503 5.5.1 Say LHLO first\r\n[LHLO b EXTERNAL first ]\n"
                  "451 4.3.0 Try again later\r\n",
                  "");
}

static void test_bad_commands_end_it(void **state)
{
    (void)state;
    struct buffer input, log;
    buffer_init(&input, 1000);
    buffer_init(&log, 4000);
    for (int i = 1; i < LMTP_BAD_MAXIMUM; i++) {
        buffer_append_string(&input, "x\r\n");
        buffer_append_string(&log, NEEDS);
    }
    buffer_append_string(&input, "x\r\nQUIT\r\n");
    buffer_append_string(&log, "421 4.7.0 Too many bad commands\r\n");
    check_login(input.data, true, log.data, "");
    buffer_release(&input);
    buffer_release(&log);
}

/* LMTP_LOGIN_LINE_MAXIMUM (RFC 4954 section 4: 500 5.5.6 for a response) and LMTP_ADDRESS_MAXIMUM.
 */
static void test_long_lines(void **state)
{
    (void)state;
    char input[2 * LMTP_LOGIN_LINE_MAXIMUM + 100];
    int size =
        snprintf(input, sizeof(input), "NOOP %0*d\r\nLHLO a\r\nAUTH PLAIN\r\n%0*d\r\nNOOP\r\n",
                 LMTP_LOGIN_LINE_MAXIMUM - 4, 0, LMTP_LOGIN_LINE_MAXIMUM + 1, 0);
    check_pieces(&usual, 0, true, slice_make(input, (size_t)size), 7,
                 "500 5.5.2 The line is too long\r\n" HELLO PLAIN SIZE
                 "334 \r\n500 5.5.6 The response is too long\r\n250 2.0.0 OK\r\n",
                 "");
    size = snprintf(input, sizeof(input), "NOOP %0*d\r\nLHLO %0*d\r\nLHLO %0*d\r\n",
                    LMTP_LOGIN_LINE_MAXIMUM - 5, 0, LMTP_ADDRESS_MAXIMUM + 1, 0,
                    LMTP_ADDRESS_MAXIMUM, 0);
    check_pieces(&usual, 0, true, slice_make(input, (size_t)size), 7,
                 "250 2.0.0 OK\r\n501 5.5.4 LHLO needs a host name\r\n" HELLO PLAIN SIZE, "");
}

/* The longest name goes to the session whole. */
static void test_tag(void **state)
{
    (void)state;
    char input[LMTP_ADDRESS_MAXIMUM + 100];
    struct login_caller caller;
    login_caller_init(&caller);
    lmtp_login_init(&caller.login.lmtp, &usual, true);
    snprintf(input, sizeof(input), "LHLO %0*d\r\nAUTH PLAIN AGFsaWNlAHg=\r\n", LMTP_ADDRESS_MAXIMUM,
             0);
    login_caller_run(&caller, slice_from_string(input), SIZE_MAX);
    assert_true(caller.granted);
    assert_int_equal(caller.login.engine.exchange.tag.size, LMTP_TAG_MAXIMUM);
    login_caller_release(&caller);
}

/* LMTP_REPLY_MAXIMUM holds what LHLO says, with the longest host name and everything that can be
 * offered. */
static void test_reply_maximum(void **state)
{
    (void)state;
    char hostname[254];
    struct login_caller caller;
    struct login_options options = usual;
    snprintf(hostname, sizeof(hostname), "%0253d", 0);
    options.hostname = hostname;
    options.plaintext_allowed = true;
    options.mechanisms = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN";
    options.message = UINT64_MAX;
    login_caller_init(&caller);
    lmtp_login_init(&caller.login.lmtp, &options, false);
    login_caller_run(&caller, SLICE("LHLO a\r\n"), SIZE_MAX);
    assert_in_range(caller.log.size, 450, LMTP_REPLY_MAXIMUM);
    login_caller_release(&caller);
}

static void test_bye(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    lmtp_login_init(&caller.login.lmtp, &usual, true);
    login_engine_greet(&caller.login.engine, &caller.output);
    login_engine_bye(&caller.login.engine, true, "The server is restarting", &caller.output);
    assert_slice_equal(buffer_slice(&caller.output), "220 lmtp.example.test LMTP ready\r\n"
                                                     "421 4.3.2 The server is restarting\r\n");
    login_caller_release(&caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_nothing_before_login),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_bad_commands_end_it),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_reply_maximum),
        cmocka_unit_test(test_bye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
