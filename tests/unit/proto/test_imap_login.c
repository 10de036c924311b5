#include "../check.h"
#include "login_caller.h"

static const struct login_options usual = {.hostname = "imap.example.test",
                                           .tls_available = true,
                                           .plaintext_allowed = false,
                                           .mechanisms = "PLAIN SCRAM-SHA-256"};

#define CAPABILITIES                                                                               \
    "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE LIST-EXTENDED "            \
    "SPECIAL-USE CREATE-SPECIAL-USE METADATA"

static void check_pieces(const struct login_options *options, bool tls, struct slice input,
                         size_t piece, const char *expected, const char *rest, int line)
{
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, options, tls);
    login_caller_run(&caller, input, piece);
    check_slice(buffer_slice(&caller.log), expected, __FILE__, line);
    check_slice(buffer_slice(&caller.rest), rest, __FILE__, line);
    assert_int_equal(caller.login.engine.exchange.response.size && !caller.granted, 0);
    login_caller_release(&caller);
}

static void check_all(const struct login_options *options, bool tls, struct slice input,
                      const char *expected, const char *rest, int line)
{
    check_pieces(options, tls, input, input.size, expected, rest, line);
    check_pieces(options, tls, input, 1, expected, rest, line);
    check_pieces(options, tls, input, 7, expected, rest, line);
}

#define check_tls(input, expected, rest)                                                           \
    check_all(&usual, true, SLICE(input), expected, rest, __LINE__)
#define check_plain(input, expected) check_all(&usual, false, SLICE(input), expected, "", __LINE__)

static void check_greeting(struct login_options options, bool tls, const char *expected)
{
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &options, tls);
    login_engine_greet(&caller.login.engine, &caller.output);
    assert_slice_equal(buffer_slice(&caller.output), expected);
    login_caller_release(&caller);
}

static void test_greeting(void **state)
{
    (void)state;
    struct login_options options = usual;
    check_greeting(options, false,
                   "* OK [" CAPABILITIES " STARTTLS LOGINDISABLED] imap.example.test ready\r\n");
    check_greeting(options, true,
                   "* OK [" CAPABILITIES " AUTH=PLAIN AUTH=SCRAM-SHA-256] imap.example.test "
                   "ready\r\n");
    options.tls_available = false;
    check_greeting(options, false,
                   "* OK [" CAPABILITIES " LOGINDISABLED] imap.example.test ready\r\n");
    options.plaintext_allowed = true;
    options.mechanisms = "PLAIN";
    check_greeting(options, false,
                   "* OK [" CAPABILITIES " AUTH=PLAIN] imap.example.test ready\r\n");
}

static void test_commands(void **state)
{
    (void)state;
    check_plain("a CAPABILITY\r\nb noop\r\nc ID NIL\r\nd LOGOUT\r\n",
                "* " CAPABILITIES " STARTTLS LOGINDISABLED\r\na OK Capability completed\r\n"
                "b OK NOOP completed\r\n"
                "* ID (\"name\" \"Chapar\")\r\nc OK ID completed\r\n"
                "* BYE Logging out\r\nd OK Logout completed\r\n");
}

/* RFC 5255 section 3.2. */
static void test_language(void **state)
{
    (void)state;
    check_plain("a LANGUAGE\r\nb LANGUAGE MUL\r\nc LANGUAGE mul \"DE-at\" fr\r\nd NOOP\r\n"
                "e LANGUAGE x\r\nf LANGUAGE default\r\n",
                "* LANGUAGE (i-default en de fr es)\r\na OK Language completed\r\n"
                "b NO No such language\r\n"
                "* LANGUAGE (de)\r\nc OK Ab jetzt auf Deutsch\r\nd OK NOOP ausgef\xc3\xbchrt\r\n"
                "e NO Diese Sprache gibt es hier nicht\r\n"
                "* LANGUAGE (i-default)\r\nf OK Now speaking English\r\n");
    check_tls("a LANGUAGE es\r\nb LOGIN bob \"x\"\r\n",
              "* LANGUAGE (es)\r\na OK A partir de ahora en espa\xc3\xb1ol\r\n"
              "[b PLAIN first |bob|x]\n"
              "b NO [AUTHENTICATIONFAILED] La autenticaci\xc3\xb3n ha fallado\r\n",
              "");
}

/* Section 3.1: what was chosen in the clear does not count behind TLS. */
static void test_language_and_tls(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, false);
    assert_true(login_caller_feed(&caller, SLICE("a LANGUAGE de\r\nb STARTTLS\r\n")));
    assert_true(login_caller_feed(&caller, SLICE("c NOOP\r\n")));
    assert_slice_equal(buffer_slice(&caller.log),
                       "* LANGUAGE (de)\r\na OK Ab jetzt auf Deutsch\r\n"
                       "b OK TLS kann beginnen\r\n[tls]\nc OK NOOP completed\r\n");
    login_caller_release(&caller);
}

static void test_login(void **state)
{
    (void)state;
    check_tls("a LOGIN alice sesame\r\nb SELECT INBOX\r\n", "[a PLAIN first |alice|sesame]\n",
              "b SELECT INBOX\r\n");
    check_tls("a LOGIN {5}\r\nalice {6+}\r\nsesame\r\nb", "+ OK\r\n[a PLAIN first |alice|sesame]\n",
              "b");
    check_tls("a LOGIN bob \"x\"\r\nb LOGIN alice x\r\n",
              "[a PLAIN first |bob|x]\na NO [AUTHENTICATIONFAILED] Authentication failed\r\n"
              "[b PLAIN first |alice|x]\n",
              "");
    check_tls("a LOGIN busy x\r\n",
              "[a PLAIN first |busy|x]\na NO [UNAVAILABLE] Try again later\r\n", "");
    check_tls("a LOGIN alice \"\"\r\nb LOGIN alice \"\xff\"\r\n",
              "a NO [AUTHENTICATIONFAILED] Authentication failed\r\n"
              "b NO [AUTHENTICATIONFAILED] Authentication failed\r\n",
              "");
    check_plain("a LOGIN alice sesame\r\nb AUTHENTICATE PLAIN AGFsaWNlAHNlc2FtZQ==\r\n",
                "a NO [PRIVACYREQUIRED] Start TLS first\r\n"
                "b NO [PRIVACYREQUIRED] Start TLS first\r\n");
}

static void test_authenticate(void **state)
{
    (void)state;
    check_tls("a AUTHENTICATE PLAIN AGFsaWNlAHNlc2FtZQ==\r\nrest",
              "[a PLAIN first |alice|sesame]\n", "rest");
    check_tls("a authenticate plain\r\nAGFsaWNlAHNlc2FtZQ==\r\nrest",
              "+ \r\n[a PLAIN first |alice|sesame]\n", "rest");
    check_tls("a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n",
              "+ \r\na BAD Authentication cancelled\r\nb OK NOOP completed\r\n", "");
    check_tls("a AUTHENTICATE PLAIN\r\n!\r\nb NOOP\r\n",
              "+ \r\na BAD The response is not base64\r\nb OK NOOP completed\r\n", "");
    check_tls("a AUTHENTICATE XYZZY\r\nb AUTHENTICATE PLAI\r\n",
              "a NO Unknown mechanism\r\nb NO Unknown mechanism\r\n", "");
    check_tls("a AUTHENTICATE PLAIN =\r\n",
              "[a PLAIN first ]\na NO [AUTHENTICATIONFAILED] Authentication failed\r\n", "");
    check_tls("a AUTHENTICATE PLAIN !\r\n", "a BAD Initial response: not base64\r\n", "");
}

static void test_challenges(void **state)
{
    (void)state;
    check_tls("a AUTHENTICATE scram-sha-256\r\neA==\r\neQ==\r\nb NOOP\r\n",
              "[a SCRAM-SHA-256 first none ]\n+ YWJj\r\n[a SCRAM-SHA-256 x]\n+ YWJj\r\n"
              "[a SCRAM-SHA-256 y]\na NO [AUTHENTICATIONFAILED] Authentication failed\r\n"
              "b OK NOOP completed\r\n",
              "");
    check_tls("a AUTHENTICATE SCRAM-SHA-256 eA==\r\n\r\n*\r\n",
              "[a SCRAM-SHA-256 first x]\n+ YWJj\r\n[a SCRAM-SHA-256 ]\n+ YWJj\r\n"
              "a BAD Authentication cancelled\r\n",
              "");
}

static void test_starttls(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, false);
    /* What was sent in the clear behind STARTTLS is dropped. */
    assert_true(login_caller_feed(&caller, SLICE("a STARTTLS\r\nb NOOP\r\nc LOGIN alice ")));
    assert_false(login_caller_feed(&caller, SLICE("d STARTTLS\r\ne LOGIN alice x\r\n")));
    assert_slice_equal(buffer_slice(&caller.log),
                       "a OK Begin TLS negotiation now\r\n[tls]\n"
                       "d BAD TLS is active already\r\n[e PLAIN first |alice|x]\n");
    login_caller_release(&caller);

    struct login_options options = usual;
    options.tls_available = false;
    check_all(&options, false, SLICE("a STARTTLS\r\n"), "a NO TLS is not available\r\n", "",
              __LINE__);
}

static void test_no_input_while_asked(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, true);
    struct slice input = SLICE("a LOGIN x y\r\nb NOOP\r\n");
    assert_int_equal(login_engine_consume(&caller.login.engine, &input, &caller.output),
                     LOGIN_AUTHENTICATE);
    assert_true(imap_reader_is_idle(&caller.login.imap.reader));
    assert_int_equal(login_engine_consume(&caller.login.engine, &input, &caller.output),
                     LOGIN_AUTHENTICATE);
    assert_slice_equal(input, "b NOOP\r\n");
    login_engine_refused(&caller.login.engine, ERROR_DENIED, &caller.output);
    assert_null(caller.login.engine.exchange.response.data);
    login_caller_release(&caller);
}

static void test_bad_limit(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, true);
    for (int i = 0; i < IMAP_LOGIN_BAD_MAXIMUM - 1; i++)
        assert_true(login_caller_feed(&caller, SLICE("a SELECT x\r\n")));
    buffer_clear(&caller.log);
    assert_false(login_caller_feed(&caller, SLICE("\r\nb NOOP\r\n")));
    assert_slice_equal(buffer_slice(&caller.log),
                       "* BAD Tag: expected letters and digits\r\n* BYE Too many bad commands\r\n");
    assert_false(login_caller_feed(&caller, SLICE("b NOOP\r\n")));
    login_caller_release(&caller);
}

static void check_long(const char *before, size_t size, const char *after, const char *expected)
{
    struct buffer input;
    buffer_init(&input, 4 * 1024 * 1024);
    buffer_append_string(&input, before);
    memset(buffer_reserve(&input, size), 'A', size);
    buffer_commit(&input, size);
    buffer_append_string(&input, after);
    check_all(&usual, true, buffer_slice(&input), expected, "", __LINE__);
    buffer_release(&input);
}

static void test_size_limits(void **state)
{
    (void)state;
    check_long("a LOGIN x ", IMAP_LOGIN_LINE_MAXIMUM, "\r\n", "a BAD Command: too long\r\n");
    check_long("a AUTHENTICATE PLAIN\r\n", IMAP_LOGIN_LINE_MAXIMUM, "\r\nb NOOP\r\n",
               "+ \r\na BAD Command: too long\r\nb OK NOOP completed\r\n");
    check_long("a LOGIN {4096}\r\n", IMAP_LOGIN_LITERALS_MAXIMUM, " {1}\r\nb NOOP\r\n",
               "+ OK\r\na BAD Literal: too large\r\nb OK NOOP completed\r\n");
    check_long("a LOGIN ", IMAP_LOGIN_LINE_MAXIMUM + IMAP_DISCARD_MAXIMUM, "\r\n",
               "* BYE The command is too large\r\n");
}

static void test_output_limit(void **state)
{
    (void)state;
    struct login_caller caller;
    struct buffer input;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, true);
    buffer_init(&input, 1024 * 1024);
    for (int i = 0; i < 2000; i++)
        buffer_append_string(&input, "a CAPABILITY\r\n");
    struct slice rest = buffer_slice(&input);
    assert_int_equal(login_engine_consume(&caller.login.engine, &rest, &caller.output), LOGIN_MORE);
    assert_true(rest.size > 0);
    assert_true(login_caller_feed(&caller, rest));
    assert_int_equal(buffer_error(&caller.output), 0);
    buffer_release(&input);
    login_caller_release(&caller);
}

static void test_bye(void **state)
{
    (void)state;
    struct login_caller caller;
    login_caller_init(&caller);
    imap_login_init(&caller.login.imap, &usual, true);
    login_engine_bye(&caller.login.engine, true, "Too slow", &caller.output);
    assert_slice_equal(buffer_slice(&caller.output), "* BYE [UNAVAILABLE] Too slow\r\n");
    assert_false(login_caller_feed(&caller, SLICE("a NOOP\r\n")));
    login_caller_release(&caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_language_and_tls),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_authenticate),
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_no_input_while_asked),
        cmocka_unit_test(test_bad_limit),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_bye),
    };
    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
