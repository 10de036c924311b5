#include "../check.h"
#include "lmtp_caller.h"

enum { MESSAGE_MAXIMUM = 1000, RECIPIENTS_MAXIMUM = 3 };

#define LHLO                                                                                       \
    "250-mx.example.test\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"                    \
    "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 SIZE 1000\r\n"
#define SENT  "250 2.1.0 Sender accepted\r\n"
#define KNOWN "250 2.1.5 Recipient accepted\r\n"
#define GO    "354 End the message with a dot on a line of its own\r\n"
#define DONE  "250 2.0.0 Delivered\r\n"

static void check_pieces(struct slice input, size_t piece, int delivery_error, const char *expected,
                         const char *file, int line)
{
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    caller.delivery_error = delivery_error;
    lmtp_caller_run(&caller, input, piece);
    check_slice(buffer_slice(&caller.log), expected, file, line);
    lmtp_caller_release(&caller);
}

/* Whole, byte by byte, and in pieces of five bytes. */
static void check_slices(struct slice input, int delivery_error, const char *expected,
                         const char *file, int line)
{
    check_pieces(input, input.size, delivery_error, expected, file, line);
    check_pieces(input, 1, delivery_error, expected, file, line);
    check_pieces(input, 5, delivery_error, expected, file, line);
}

#define check(input, expected)         check_slices(SLICE(input), 0, expected, __FILE__, __LINE__)
/* Behind LHLO. */
#define check_greeted(input, expected) check("LHLO c\r\n" input, LHLO expected)
/* Behind LHLO, MAIL, RCPT and DATA: what is stored, and what comes after it. */
#define check_message(input, stored, after)                                                        \
    check_greeted("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" input,                            \
                  SENT "[a@b -> c@d]\n" KNOWN GO stored after)

static void test_session(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_greet(&caller.lmtp, &caller.output);
    lmtp_caller_run(&caller,
                    SLICE("LHLO client.example.test\r\n"
                          "MAIL FROM:<alice@example.test> SIZE=20 BODY=8BITMIME\r\n"
                          "RCPT TO:<bob@example.test>\r\nRCPT TO:<unknown@example.test>\r\n"
                          "RCPT TO:<carol@example.test>\r\nDATA\r\n"
                          "Subject: x\r\n\r\n..y\r\n.\r\nQUIT\r\nNOOP\r\n"),
                    SIZE_MAX);
    assert_slice_equal(buffer_slice(&caller.log),
                       "220 mx.example.test LMTP ready\r\n" LHLO SENT
                       "[alice@example.test -> bob@example.test]\n" KNOWN
                       "[alice@example.test -> unknown@example.test]\n"
                       "550 5.1.1 No such mailbox here\r\n"
                       "[alice@example.test -> carol@example.test]\n" KNOWN GO
                       "{Subject: x\r\n\r\n.y\r\n}\n" DONE DONE "221 2.0.0 Goodbye\r\n");
    assert_slice_equal(buffer_slice(&caller.lmtp.client), "client.example.test");
    lmtp_caller_release(&caller);
}

static void test_order(void **state)
{
    (void)state;
    check("MAIL FROM:<>\r\n", "503 5.5.1 Say LHLO first\r\n");
    check("RCPT TO:<a>\r\n", "503 5.5.1 Say MAIL first\r\n");
    check("HELO x\r\nehlo x\r\n", "500 5.5.1 This is LMTP: say LHLO\r\n"
                                  "500 5.5.1 This is LMTP: say LHLO\r\n");
    check("LHLO\r\n", "501 5.5.4 LHLO needs a host name\r\n");
    check("LHLO a b\r\n", "501 5.5.4 LHLO needs a host name\r\n");
    check_greeted("MAIL FROM:<a>\r\nMAIL FROM:<b>\r\n",
                  SENT "503 5.5.1 There is a sender already\r\n");
    check_greeted("DATA\r\n", "503 5.5.1 No valid recipients\r\n");
    check_greeted("MAIL FROM:<a>\r\nDATA\r\n", SENT "503 5.5.1 No valid recipients\r\n");
    check_greeted("MAIL FROM:<a>\r\nRCPT TO:<unknown>\r\nDATA\r\nRSET\r\nRCPT TO:<b>\r\n",
                  SENT "[a -> unknown]\n550 5.1.1 No such mailbox here\r\n"
                       "503 5.5.1 No valid recipients\r\n250 2.0.0 Reset\r\n"
                       "503 5.5.1 Say MAIL first\r\n");
    check("RSET\r\nMAIL FROM:<a>\r\n", "250 2.0.0 Reset\r\n503 5.5.1 Say LHLO first\r\n");
    check_greeted("MAIL FROM:<a>\r\nLHLO d\r\nRCPT TO:<b>\r\n",
                  SENT LHLO "503 5.5.1 Say MAIL first\r\n");
}

static void test_other_commands(void **state)
{
    (void)state;
    check("noop\nNOOP x\r\nVRFY x\r\nHELP\r\nquit\r\n",
          "250 2.0.0 OK\r\n250 2.0.0 OK\r\n252 2.5.0 Not verified; RCPT will say\r\n"
          "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT\r\n221 2.0.0 Goodbye\r\n");
    check("XYZZY\r\n\r\nNOOP\0\r\n", "500 5.5.1 Unknown command\r\n500 5.5.1 Unknown command\r\n"
                                     "500 5.5.1 Unknown command\r\n");
    check("RSET x\r\nDATA x\r\n", "501 5.5.4 RSET takes no argument\r\n"
                                  "501 5.5.4 DATA takes no argument\r\n");
}

#define SENDER(input, address)                                                                     \
    check_greeted("MAIL FROM:" input "\r\nRCPT TO:<x>\r\n", SENT "[" address " -> x]\n" KNOWN)
#define RECIPIENT(input, address)                                                                  \
    check_greeted("MAIL FROM:<>\r\nRCPT TO:" input "\r\n", SENT "[ -> " address "]\n" KNOWN)
#define NO_SENDER(input)                                                                           \
    check_greeted("MAIL FROM:" input "\r\n", "501 5.1.7 Malformed sender address\r\n")
#define NO_RECIPIENT(input)                                                                        \
    check_greeted("MAIL FROM:<>\r\nRCPT TO:" input "\r\n",                                         \
                  SENT "501 5.1.3 Malformed recipient address\r\n")

static void test_paths(void **state)
{
    (void)state;
    SENDER("<>", "");
    SENDER(" <a@b>", "a@b");
    SENDER("<@one.test,@two.test:a@b.test>", "a@b.test");
    SENDER("<\"a \\\"b\"@c>", "\"a \\\"b\"@c");
    SENDER("<a+b=c/d'e.@[IPv6:2001:db8::1]>", "a+b=c/d'e.@[IPv6:2001:db8::1]");
    RECIPIENT("<\"a \\\"b\"@c>", "a \"b@c");
    RECIPIENT("<\"\"@c>", "@c");
    RECIPIENT("<postmaster>", "postmaster");
    NO_SENDER("a@b");
    NO_SENDER("<a@b");
    NO_SENDER("<a b@c>");
    NO_SENDER("<a@>");
    NO_SENDER("<@b>");
    NO_SENDER("<a@b..c>");
    NO_SENDER("<a@.b>");
    NO_SENDER("<a@[]>");
    NO_SENDER("<a@[1.2.3.4>");
    NO_SENDER("<@one.test:>");
    NO_SENDER("<@one.test,a@b>");
    NO_SENDER("<\xe4@b>");
    NO_SENDER("<a@\xc3>");
    NO_RECIPIENT("<\"\xff\"@c>");
    NO_SENDER("<\"a@b>");
    NO_SENDER("<\"a\\");
    NO_RECIPIENT("<>");
    NO_RECIPIENT("<\"a\0b\"@c>");
    check_greeted("MAIL TO:<a>\r\n", "501 5.5.4 Expected MAIL FROM:<address>\r\n");
    check_greeted("MAIL FROM:<>\r\nRCPT <a>\r\n", SENT "501 5.5.4 Expected RCPT TO:<address>\r\n");
}

static void test_parameters(void **state)
{
    (void)state;
    check_greeted("MAIL FROM:<> size=1000 body=7bit\r\n", SENT);
    check_greeted("MAIL FROM:<> SIZE=1001\r\nMAIL FROM:<>\r\n",
                  "552 5.3.4 Message too large\r\n" SENT);
    check_greeted("MAIL FROM:<> SIZE=99999999999999999999\r\n", "552 5.3.4 Message too large\r\n");
    check_greeted("MAIL FROM:<> SIZE\r\n", "501 5.5.4 SIZE needs a number\r\n");
    check_greeted("MAIL FROM:<> SIZE=x\r\n", "501 5.5.4 SIZE needs a number\r\n");
    check_greeted("MAIL FROM:<> BODY=BINARYMIME\r\n", SENT);
    check_greeted("MAIL FROM:<> BODY=BINARY\r\n",
                  "501 5.5.4 BODY is 7BIT, 8BITMIME or BINARYMIME\r\n");
    check_greeted("MAIL FROM:<> COLOUR=red\r\n", "555 5.5.4 Unknown parameter\r\n");
    check_greeted("MAIL FROM:<> SIZE=1 size=1\r\n", "501 5.5.4 The same parameter twice\r\n");
    check_greeted("MAIL FROM:<>x\r\n", "501 5.5.4 Malformed parameters\r\n");
    check_greeted("MAIL FROM:<> SIZE=\r\n", "501 5.5.4 Malformed parameters\r\n");
    check_greeted("MAIL FROM:<> =1\r\n", "501 5.5.4 Malformed parameters\r\n");
    check_greeted("MAIL FROM:<>\r\nRCPT TO:<a> SIZE=1\r\nRCPT TO:<a>x\r\n",
                  SENT "555 5.5.4 Unknown parameter\r\n501 5.5.4 Malformed parameters\r\n");
}

/* RFC 6531 section 3.5: a non-ASCII address where none is permitted. */
static void test_utf8(void **state)
{
    (void)state;
    check_greeted("MAIL FROM:<\xc3\xa4@b>\r\nMAIL FROM:<a>\r\nRCPT TO:<a@\xc3\xa4>\r\n",
                  "550 5.6.7 A non-ASCII address needs SMTPUTF8\r\n" SENT
                  "553 5.6.7 A non-ASCII address needs SMTPUTF8\r\n");
    check_greeted("MAIL FROM:<\xc3\xa4@b> smtputf8\r\nRCPT TO:<\"\xc3\xa4 b\"@\xc3\xa4.test>\r\n",
                  SENT "[\xc3\xa4@b -> \xc3\xa4 b@\xc3\xa4.test]\n" KNOWN);
    check_greeted("MAIL FROM:<a> SMTPUTF8\r\nRSET\r\nMAIL FROM:<\xc3\xa4>\r\n",
                  SENT "250 2.0.0 Reset\r\n550 5.6.7 A non-ASCII address needs SMTPUTF8\r\n");
    check_greeted("MAIL FROM:<a> SMTPUTF8=1\r\n", "501 5.5.4 SMTPUTF8 takes no value\r\n");
}

/* --- delivery status notifications (RFC 3461 section 4) --- */

#define BAD_ENVID  "501 5.5.4 Malformed ENVID\r\n"
#define BAD_NOTIFY "501 5.5.4 Malformed NOTIFY\r\n"
#define BAD_ORCPT  "501 5.5.4 Malformed ORCPT\r\n"
#define NO_RCPT(parameter, reply)                                                                  \
    check_greeted("MAIL FROM:<>\r\nRCPT TO:<a> " parameter "\r\n", SENT reply)

static void test_dsn(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_caller_run(&caller,
                    SLICE("LHLO c\r\nMAIL FROM:<> RET=HDRS ENVID=a+2Bb+3D\r\n"
                          "RCPT TO:<a> NOTIFY=success,DELAY ORCPT=rfc822;x+2By@z\r\n"),
                    1);
    assert_slice_equal(buffer_slice(&caller.log), LHLO SENT "[ -> a]\n" KNOWN);
    assert_int_equal(caller.lmtp.ret, LMTP_RETURN_HEADERS);
    assert_slice_equal(buffer_slice(&caller.lmtp.envelope_id), "a+b=");
    assert_int_equal(caller.lmtp.notify, LMTP_NOTIFY_SUCCESS | LMTP_NOTIFY_DELAY);
    assert_slice_equal(buffer_slice(&caller.lmtp.original), "rfc822;x+2By@z");
    /* The next recipient has its own, the next transaction too. */
    lmtp_caller_run(&caller, SLICE("RCPT TO:<b>\r\n"), 1);
    assert_int_equal(caller.lmtp.notify, 0);
    assert_int_equal(caller.lmtp.original.size, 0);
    lmtp_caller_run(&caller, SLICE("RSET\r\nMAIL FROM:<>\r\n"), 1);
    assert_int_equal(caller.lmtp.ret, LMTP_RETURN_DEFAULT);
    assert_int_equal(caller.lmtp.envelope_id.size, 0);
    lmtp_caller_release(&caller);
}

static void test_dsn_malformed(void **state)
{
    (void)state;
    check_greeted("MAIL FROM:<> RET=ALL\r\n", "501 5.5.4 RET is FULL or HDRS\r\n");
    check_greeted("MAIL FROM:<> ENVID=a+2b\r\n", BAD_ENVID);
    check_greeted("MAIL FROM:<> ENVID=a+2\r\n", BAD_ENVID);
    check_greeted("MAIL FROM:<> ENVID=+0A\r\n", BAD_ENVID);
    check_greeted("MAIL FROM:<> ENVID=\xc3\xa4\r\n", BAD_ENVID);
    check_greeted("MAIL FROM:<> ENVID\r\n", BAD_ENVID);
    NO_RCPT("NOTIFY", BAD_NOTIFY);
    NO_RCPT("NOTIFY=NEVER,DELAY", BAD_NOTIFY);
    NO_RCPT("NOTIFY=DELAY,DELAY", BAD_NOTIFY);
    NO_RCPT("NOTIFY=DELAY,", BAD_NOTIFY);
    NO_RCPT("NOTIFY=ALWAYS", BAD_NOTIFY);
    NO_RCPT("ORCPT=rfc822", BAD_ORCPT);
    NO_RCPT("ORCPT=;a@b", BAD_ORCPT);
    NO_RCPT("ORCPT=rfc822;", BAD_ORCPT);
    NO_RCPT("ORCPT=rfc/822;a", BAD_ORCPT);
    NO_RCPT("ORCPT=rfc822;\xc3\xa4", BAD_ORCPT);
    NO_RCPT("ORCPT=utf-8;\xc3", BAD_ORCPT);
    NO_RCPT("ORCPT=utf-8;\xc3\xa4", "[ -> a]\n" KNOWN);
    NO_RCPT("NOTIFY=NEVER", "[ -> a]\n" KNOWN);
}

/* A value of so many bytes. */
static void check_value(const char *before, size_t size, const char *expected)
{
    struct buffer input;
    buffer_init(&input, LMTP_LINE_MAXIMUM);
    buffer_append_format(&input, "LHLO c\r\n%s", before);
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(&input, 'x');
    buffer_append_string(&input, "\r\n");
    check_slices(buffer_slice(&input), 0, expected, __FILE__, __LINE__);
    buffer_release(&input);
}

static void test_dsn_limits(void **state)
{
    (void)state;
    check_value("MAIL FROM:<> ENVID=", LMTP_ENVELOPE_ID_MAXIMUM, LHLO SENT);
    check_value("MAIL FROM:<> ENVID=", LMTP_ENVELOPE_ID_MAXIMUM + 1, LHLO BAD_ENVID);
    check_value("MAIL FROM:<>\r\nRCPT TO:<a> ORCPT=x;", LMTP_ORIGINAL_RECIPIENT_MAXIMUM - 2,
                LHLO SENT "[ -> a]\n" KNOWN);
    check_value("MAIL FROM:<>\r\nRCPT TO:<a> ORCPT=x;", LMTP_ORIGINAL_RECIPIENT_MAXIMUM - 1,
                LHLO SENT BAD_ORCPT);
}

/* --- chunks (RFC 3030) --- */

#define NO_MAIL "503 5.5.1 Say MAIL first\r\n"
#define NOBODY  "503 5.5.1 No valid recipients\r\n"
/* Behind MAIL and RCPT for two. */
#define check_chunks(mail, input, expected)                                                        \
    check_greeted("MAIL FROM:<>" mail "\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\n" input,                  \
                  SENT "[ -> a]\n" KNOWN "[ -> b]\n" KNOWN expected)

/* The log tells replies where they are given: a chunk's comes before the next one's bytes. */
static void test_chunks(void **state)
{
    (void)state;
    check_chunks("", "BDAT 6\r\na\r\n.\r\nbdat 3 last\r\nb\r\nNOOP\r\n",
                 "{a\r\n.\r\n250 2.0.0 6 bytes\r\nb\r\n}\n" DONE DONE "250 2.0.0 OK\r\n");
    check_chunks(
        "", "BDAT 0\r\nBDAT 3\r\n..\rBDAT 1\r\n\nBDAT 0 LAST\r\n",
        "250 2.0.0 0 bytes\r\n{..\r250 2.0.0 3 bytes\r\n\n250 2.0.0 1 bytes\r\n}\n" DONE DONE);
    check_chunks("", "BDAT 0 LAST\r\nBDAT 1 LAST\r\nxNOOP\r\n",
                 "{}\n" DONE DONE NO_MAIL "250 2.0.0 OK\r\n");
    /* A bare LF is mended, as in DATA, but not in what is binary. */
    check_chunks("", "BDAT 4 LAST\r\n\na\nb", "{\r\na\r\nb}\n" DONE DONE);
    check_chunks(" BODY=BINARYMIME", "BDAT 5 LAST\r\n\na\n\xff\r", "{\na\n\xff\r}\n" DONE DONE);
}

static void test_chunks_out_of_order(void **state)
{
    (void)state;
    check("BDAT 6\r\nNOOP\r\nNOOP\r\n", NO_MAIL "250 2.0.0 OK\r\n");
    check_greeted("MAIL FROM:<>\r\nBDAT 1\r\nxBDAT 1 LAST\r\nxNOOP\r\nDATA\r\n",
                  SENT NOBODY "250 2.0.0 OK\r\n" NOBODY);
    check_chunks("", "BDAT 1\r\nxDATA\r\nRCPT TO:<c>\r\nMAIL FROM:<>\r\nRSET\r\nBDAT 1\r\nx",
                 "{x250 2.0.0 1 bytes\r\n503 5.5.1 Not DATA: say BDAT\r\n"
                 "503 5.5.1 The message has begun\r\n503 5.5.1 There is a sender already\r\n"
                 "250 2.0.0 Reset\r\n" NO_MAIL);
    check_chunks(" BODY=BINARYMIME", "DATA\r\n", "503 5.5.1 Not DATA: say BDAT\r\n");
}

/* Nobody knows where the next command begins. */
static void test_chunk_without_size(void **state)
{
    (void)state;
#define LOST "501 5.5.4 BDAT needs a size\r\n421 4.7.0 The next command cannot be found\r\n"
    check("BDAT\r\nNOOP\r\n", LOST);
    check("BDAT x\r\nNOOP\r\n", LOST);
    check("BDAT -1\r\nNOOP\r\n", LOST);
    check("BDAT 1 FIRST\r\nNOOP\r\n", LOST);
    check("BDAT 1  LAST\r\nNOOP\r\n", LOST);
    check("BDAT 100000000000000000000\r\nNOOP\r\n", LOST);
    check("BDAT 99999999999999999999\r\nNOOP\r\n", "");
}

/* Two chunks, the first one of so many bytes. */
static void check_chunk_size(size_t size, size_t piece, const char *expected)
{
    struct lmtp_caller caller;
    struct buffer input;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_caller_run(&caller, SLICE("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\n"),
                    SIZE_MAX);
    buffer_clear(&caller.log);
    buffer_init(&input, 2 * MESSAGE_MAXIMUM);
    buffer_append_format(&input, "BDAT %zu\r\n", size);
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(&input, 'x');
    buffer_append_string(&input, "BDAT 1 LAST\r\nxNOOP\r\n");
    lmtp_caller_run(&caller, buffer_slice(&input), piece);
    struct slice log = buffer_slice(&caller.log);
    assert_slice_equal(slice_sub(log, log.size - strlen(expected), SIZE_MAX), expected);
    buffer_release(&input);
    lmtp_caller_release(&caller);
}

static void test_chunks_limit(void **state)
{
    (void)state;
#define BIG "552 5.3.4 Message too large\r\n"
    static const size_t pieces[] = {1, 5, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        check_chunk_size(MESSAGE_MAXIMUM - 1, pieces[i], "x}\n" DONE DONE "250 2.0.0 OK\r\n");
        check_chunk_size(MESSAGE_MAXIMUM, pieces[i], BIG BIG "250 2.0.0 OK\r\n");
        check_chunk_size(MESSAGE_MAXIMUM + 1, pieces[i], BIG BIG BIG "250 2.0.0 OK\r\n");
    }
}

static void test_recipient_replies(void **state)
{
    (void)state;
    check_greeted("MAIL FROM:<>\r\nRCPT TO:<full>\r\nRCPT TO:<bad>\r\nRCPT TO:<many>\r\n"
                  "RCPT TO:<busy>\r\nRCPT TO:<no>\r\nRCPT TO:<damaged>\r\n",
                  SENT "[ -> full]\n452 4.2.2 Mailbox full\r\n"
                       "[ -> bad]\n501 5.1.3 Malformed recipient address\r\n"
                       "[ -> many]\n452 4.5.3 Too many recipients\r\n"
                       "[ -> busy]\n451 4.3.0 Try again later\r\n"
                       "[ -> no]\n550 5.7.1 Not accepted for this recipient\r\n"
                       "[ -> damaged]\n451 4.3.0 Try again later\r\n");
}

static void test_recipients_limit(void **state)
{
    (void)state;
    check_greeted("MAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nRCPT TO:<d>\r\n",
                  SENT "[ -> a]\n" KNOWN "[ -> b]\n" KNOWN "[ -> c]\n" KNOWN
                       "452 4.5.3 Too many recipients\r\n");
}

static void check_delivery(int error, const char *reply)
{
    char expected[512];
    snprintf(expected, sizeof(expected),
             LHLO SENT "[ -> a]\n" KNOWN "[ -> b]\n" KNOWN GO
                       "{x\r\n}\n%s\r\n%s\r\n250 2.0.0 OK\r\n",
             reply, reply);
    check_slices(SLICE("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\nx\r\n"
                       ".\r\nNOOP\r\n"),
                 error, expected, __FILE__, __LINE__);
}

static void test_delivery_replies(void **state)
{
    (void)state;
    check_delivery(0, "250 2.0.0 Delivered");
    check_delivery(ERROR_SPACE, "452 4.3.1 No space");
    check_delivery(ERROR_QUOTA, "452 4.2.2 Mailbox full");
    check_delivery(ERROR_NOT_FOUND, "550 5.1.1 No such mailbox here");
    check_delivery(ERROR_BUSY, "451 4.3.0 Try again later");
    check_delivery(ERROR_LIMIT, "552 5.3.4 Message too large");
    check_delivery(ERROR_CONFLICT, "554 5.4.6 Mail loop");
    check_delivery(ERROR_CORRUPT, "451 4.3.0 Try again later");
    check_delivery(ERROR_IO, "451 4.3.0 Try again later");
    check_delivery(ERROR_DENIED, "554 5.6.0 The message cannot be stored");
}

static void test_data(void **state)
{
    (void)state;
    check_message(".\r\n", "{}\n", DONE);
    check_message("a\r\n.\r\nNOOP\r\n", "{a\r\n}\n", DONE "250 2.0.0 OK\r\n");
    check_message("\r\n.\r\n", "{\r\n}\n", DONE);
    check_message("..\r\n.a\r\n...\r\n.\r\n", "{.\r\na\r\n..\r\n}\n", DONE);
    check_message("a\nb\n\nc\r\n.\r\n", "{a\r\nb\r\n\r\nc\r\n}\n", DONE);
    check_message("a\rb\r\rc\r\r\n.\r\n", "{a\rb\r\rc\r\r\n}\n", DONE);
    check_message("a.\r\n.\r\n", "{a.\r\n}\n", DONE);
}

/* What other servers have taken for a message's end, followed by a forged one. */
static void test_smuggling(void **state)
{
    (void)state;
    check_message("a\n.\nb\r\n.\r\n", "{a\r\n.\r\nb\r\n}\n", DONE);
    check_message("a\r\n.\nb\r\n.\r\n", "{a\r\n\r\nb\r\n}\n", DONE);
    check_message("a\n.\r\nb\r\n.\r\n", "{a\r\n.\r\nb\r\n}\n", DONE);
    check_message("a\r.\rb\r\n.\r\n", "{a\r.\rb\r\n}\n", DONE);
    check_message("a\r.\r\nb\r\n.\r\n", "{a\r.\r\nb\r\n}\n", DONE);
    check_message("a\r\n.\rb\r\n.\r\n", "{a\r\n\rb\r\n}\n", DONE);
    check_message("a\r\n.\r\r\nb\r\n.\r\n", "{a\r\n\r\r\nb\r\n}\n", DONE);
}

static void test_pieces_are_not_copied(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_caller_run(&caller, SLICE("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n"), SIZE_MAX);
    struct slice input = SLICE("one\r\ntwo\r\nthree.\r\n\r\n..four\r\n.\r\n"), rest = input;
    assert_int_equal(lmtp_consume(&caller.lmtp, &rest, &caller.output), LMTP_DATA);
    assert_ptr_equal(caller.lmtp.data.data, input.data);
    assert_slice_equal(caller.lmtp.data, "one\r\ntwo\r\nthree.\r\n\r\n");
    assert_int_equal(lmtp_consume(&caller.lmtp, &rest, &caller.output), LMTP_DATA);
    assert_slice_equal(caller.lmtp.data, ".");
    assert_int_equal(lmtp_consume(&caller.lmtp, &rest, &caller.output), LMTP_DATA);
    assert_slice_equal(caller.lmtp.data, "four\r\n");
    assert_int_equal(lmtp_consume(&caller.lmtp, &rest, &caller.output), LMTP_DELIVER);
    assert_int_equal(rest.size, 0);
    lmtp_caller_release(&caller);
}

/* A message of so many bytes for two recipients. */
static void check_size(size_t size, size_t piece, bool fits)
{
    struct lmtp_caller caller;
    char message[MESSAGE_MAXIMUM + 8];
    memset(message, 'x', sizeof(message));
    memcpy(message + size - 2, "\r\n.\r\n", 5);
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_caller_run(&caller,
                    SLICE("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
                    SIZE_MAX);
    buffer_clear(&caller.log);
    lmtp_caller_run(&caller, slice_make(message, size + 3), piece);
    const char *expected =
        fits ? "}\n" DONE DONE : "552 5.3.4 Message too large\r\n552 5.3.4 Message too large\r\n";
    struct slice log = buffer_slice(&caller.log);
    assert_slice_equal(slice_sub(log, log.size - strlen(expected), SIZE_MAX), expected);
    lmtp_caller_release(&caller);
}

static void test_message_limit(void **state)
{
    (void)state;
    check_size(MESSAGE_MAXIMUM, SIZE_MAX, true);
    check_size(MESSAGE_MAXIMUM, 1, true);
    check_size(MESSAGE_MAXIMUM + 1, SIZE_MAX, false);
    check_size(MESSAGE_MAXIMUM + 1, 1, false);
}

/* "NOOP xxx" of so many bytes, CRLF included. */
static void check_line(size_t size, const char *expected)
{
    char *line = malloc(size);
    memset(line, 'x', size);
    memcpy(line, "NOOP ", 5);
    memcpy(line + size - 2, "\r\n", 2);
    check_slices(slice_make(line, size), 0, expected, __FILE__, __LINE__);
    free(line);
}

static void test_line_limit(void **state)
{
    (void)state;
    check_line(LMTP_LINE_MAXIMUM, "250 2.0.0 OK\r\n");
    check_line(LMTP_LINE_MAXIMUM + 1, "500 5.5.2 Line too long\r\n");
    check_line(LMTP_DISCARD_MAXIMUM, "500 5.5.2 Line too long\r\n");
    check_line(LMTP_DISCARD_MAXIMUM + 1, "421 4.7.0 The line does not end\r\n");
}

static void test_address_limit(void **state)
{
    (void)state;
    char line[LMTP_ADDRESS_MAXIMUM + 64], *end;
    for (int over = 0; over < 2; over++) {
        struct lmtp_caller caller;
        lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
        memset(line, 'x', sizeof(line));
        memcpy(line, "LHLO c\r\nMAIL FROM:<", 19);
        end = line + 19 + LMTP_ADDRESS_MAXIMUM + over;
        memcpy(end, ">\r\n", 3);
        lmtp_caller_run(&caller, slice_make(line, (size_t)(end + 3 - line)), SIZE_MAX);
        assert_slice_equal(buffer_slice(&caller.log),
                           over ? LHLO "501 5.1.7 Malformed sender address\r\n" : LHLO SENT);
        lmtp_caller_release(&caller);
    }
}

static void test_bad_limit(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    /* A good one begins the count anew; a refused recipient is no bad command. */
    for (int i = 0; i < LMTP_BAD_MAXIMUM - 1; i++)
        assert_true(lmtp_caller_feed(&caller, SLICE("XYZZY\r\n")));
    assert_true(lmtp_caller_feed(&caller, SLICE("LHLO c\r\nMAIL FROM:<>\r\n")));
    for (int i = 0; i < 2 * LMTP_BAD_MAXIMUM; i++)
        assert_true(lmtp_caller_feed(&caller, SLICE("RCPT TO:<unknown>\r\n")));
    for (int i = 0; i < LMTP_BAD_MAXIMUM - 1; i++)
        assert_true(lmtp_caller_feed(&caller, SLICE("XYZZY\r\n")));
    buffer_clear(&caller.log);
    assert_false(lmtp_caller_feed(&caller, SLICE("XYZZY\r\nNOOP\r\n")));
    assert_slice_equal(buffer_slice(&caller.log),
                       "500 5.5.1 Unknown command\r\n421 4.7.0 Too many bad commands\r\n");
    assert_false(lmtp_caller_feed(&caller, SLICE("NOOP\r\n")));
    lmtp_caller_release(&caller);
}

static void test_output_limit(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    struct buffer input;
    buffer_init(&input, 1024 * 1024);
    for (int i = 0; i < 10000; i++)
        buffer_append_string(&input, "NOOP\r\n");
    struct slice rest = buffer_slice(&input);
    assert_int_equal(lmtp_consume(&caller.lmtp, &rest, &caller.output), LMTP_MORE);
    assert_true(rest.size > 0);
    assert_int_equal(buffer_error(&caller.output), 0);
    lmtp_caller_run(&caller, rest, SIZE_MAX);
    assert_int_equal(caller.log.size, 10000 * strlen("250 2.0.0 OK\r\n"));
    buffer_release(&input);
    lmtp_caller_release(&caller);
}

static void test_bye(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    lmtp_bye(&caller.lmtp, "4.4.2", "Too slow", &caller.output);
    assert_slice_equal(buffer_slice(&caller.output), "421 4.4.2 Too slow\r\n");
    assert_false(lmtp_caller_feed(&caller, SLICE("NOOP\r\n")));
    lmtp_caller_release(&caller);
}

/* What a client that may more than others says; resumed with a tag, unless that is NULL. */
static void check_permitted(unsigned permissions, const char *tag, const char *input,
                            const char *expected)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 5};
    for (size_t i = 0; i < 3; i++) {
        struct lmtp_caller caller;
        lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
        caller.lmtp.permissions = permissions;
        if (tag)
            assert_int_equal(lmtp_resume(&caller.lmtp, slice_from_string(tag), &caller.output), 0);
        lmtp_caller_run(&caller, slice_from_string(input), pieces[i]);
        assert_slice_equal(buffer_slice(&caller.log), expected);
        lmtp_caller_release(&caller);
    }
}

#define AUTHENTICATED "235 2.7.0 Authentication succeeded\r\n"
#define NO_SECOND     "503 5.5.1 You may deliver already\r\n"

/* RFC 4954 section 4, RFC 3207 section 4.2: neither a second time, nor announced. */
static void test_resume(void **state)
{
    (void)state;
    check_permitted(0, "AUTH mx.example.org",
                    "MAIL FROM:<a>\r\nRSET\r\nAUTH PLAIN =\r\nSTARTTLS\r\nLHLO b\r\n",
                    AUTHENTICATED SENT "250 2.0.0 Reset\r\n" NO_SECOND NO_SECOND LHLO);
    check_permitted(0, "LHLO mx.example.org", "AUTH PLAIN\r\nMAIL FROM:<a>\r\n",
                    LHLO NO_SECOND SENT);
    check("AUTH PLAIN =\r\nSTARTTLS\r\n",
          "500 5.5.1 Unknown command\r\n500 5.5.1 Unknown command\r\n");
}

static void test_resume_with_nonsense(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "AUTH", "AUTH ", "LHLO", "LHLO a b", "auth a", "x a"};
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(lmtp_resume(&caller.lmtp, slice_from_string(wrong[i]), &caller.output),
                         ERROR_SYNTAX);
    assert_int_equal(caller.output.size, 0);
    assert_int_equal(lmtp_resume(&caller.lmtp, SLICE("AUTH mx.example.org"), &caller.output), 0);
    assert_slice_equal(buffer_slice(&caller.lmtp.client), "mx.example.org");
    lmtp_caller_release(&caller);
}

/* RFC 4954 section 5.1's examples. */
static void test_auth_parameter(void **state)
{
    (void)state;
    check_permitted(0, "AUTH a",
                    "MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com\r\nRSET\r\n"
                    "MAIL FROM:<john+@example.org> AUTH=<>\r\nRSET\r\n"
                    "MAIL FROM:<a> AUTH=+3\r\nMAIL FROM:<a> AUTH\r\n",
                    AUTHENTICATED SENT "250 2.0.0 Reset\r\n" SENT "250 2.0.0 Reset\r\n"
                                       "501 5.5.4 Malformed AUTH\r\n501 5.5.4 Malformed AUTH\r\n");
    check_permitted(0, "LHLO a", "MAIL FROM:<a> AUTH=<>\r\n",
                    LHLO "555 5.5.4 Unknown parameter\r\n");
    check_greeted("MAIL FROM:<a> AUTH=<>\r\n", "555 5.5.4 Unknown parameter\r\n");
}

#define LHLO_WITH(more)                                                                            \
    "250-mx.example.test\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"                    \
    "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n" more "250 SIZE 1000\r\n"
#define READY     "220 mx.example.test LMTP ready\r\n"
#define MALFORMED "501 5.5.4 Malformed ADDR\r\n"

/* Postfix's XCLIENT_README: the session begins anew, and what was told remains. */
static void test_xclient(void **state)
{
    (void)state;
    check_permitted(LMTP_PERMIT_XCLIENT, "LHLO a",
                    "xclient addr=192.0.2.1\r\nMAIL FROM:<a>\r\nLHLO b\r\nMAIL FROM:<a>\r\n"
                    "XCLIENT ADDR=192.0.2.1\r\n",
                    LHLO_WITH("250-XCLIENT ADDR\r\n") READY
                    "503 5.5.1 Say LHLO first\r\n" LHLO_WITH("250-XCLIENT ADDR\r\n") SENT
                    "503 5.5.1 There is a transaction\r\n");
    check_permitted(LMTP_PERMIT_XCLIENT, NULL,
                    "XCLIENT ADDR=ipv6:2001:db8::1\r\nXCLIENT ADDR=[UNAVAILABLE]\r\n", READY READY);
    check_permitted(
        LMTP_PERMIT_XCLIENT, NULL,
        "XCLIENT\r\nXCLIENT ADDR\r\nXCLIENT ADDR=mx\r\nXCLIENT ADDR=2001:db8::1\r\n"
        "XCLIENT ADDR=IPV6:192.0.2.1\r\nXCLIENT NAME=a\r\n"
        "XCLIENT ADDR=192.0.2.1 ADDR=192.0.2.2\r\n",
        "501 5.5.4 XCLIENT needs an attribute\r\n" MALFORMED MALFORMED MALFORMED MALFORMED
        "555 5.5.4 Unknown parameter\r\n501 5.5.4 The same parameter twice\r\n");
    check("XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.0 Not permitted\r\n");
}

static void test_xclient_is_kept(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    caller.lmtp.permissions = LMTP_PERMIT_XCLIENT;
    lmtp_caller_run(&caller, SLICE("XCLIENT ADDR=IPV6:2001:db8::1\r\nLHLO b\r\nRSET\r\n"),
                    SIZE_MAX);
    assert_slice_equal(buffer_slice(&caller.lmtp.told), "2001:db8::1");
    lmtp_caller_run(&caller, SLICE("XCLIENT ADDR=bad\r\n"), SIZE_MAX);
    assert_slice_equal(buffer_slice(&caller.lmtp.told), "2001:db8::1");
    lmtp_caller_run(&caller, SLICE("XCLIENT ADDR=[unavailable]\r\n"), SIZE_MAX);
    assert_int_equal(caller.lmtp.told.size, 0);
    lmtp_caller_release(&caller);
}

/* draft-murchison-lmtp-ignorequota-02: of one recipient, without a value. */
static void test_ignore_quota(void **state)
{
    (void)state;
    struct lmtp_caller caller;
    check_permitted(LMTP_PERMIT_IGNOREQUOTA | LMTP_PERMIT_XCLIENT, NULL,
                    "LHLO a\r\nMAIL FROM:<a>\r\nRCPT TO:<b> ignorequota\r\n"
                    "RCPT TO:<b> IGNOREQUOTA=1\r\n",
                    LHLO_WITH("250-IGNOREQUOTA\r\n250-XCLIENT ADDR\r\n") SENT
                    "[a -> b]\n" KNOWN "501 5.5.4 IGNOREQUOTA takes no value\r\n");
    check_greeted("MAIL FROM:<a>\r\nRCPT TO:<b> IGNOREQUOTA\r\n",
                  SENT "555 5.5.4 Unknown parameter\r\n");
    lmtp_caller_init(&caller, MESSAGE_MAXIMUM, RECIPIENTS_MAXIMUM);
    caller.lmtp.permissions = LMTP_PERMIT_IGNOREQUOTA;
    lmtp_caller_run(&caller, SLICE("LHLO a\r\nMAIL FROM:<a>\r\nRCPT TO:<b> IGNOREQUOTA\r\n"),
                    SIZE_MAX);
    assert_true(caller.lmtp.ignore_quota);
    lmtp_caller_run(&caller, SLICE("RCPT TO:<c>\r\n"), SIZE_MAX);
    assert_false(caller.lmtp.ignore_quota);
    lmtp_caller_release(&caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_other_commands),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_dsn),
        cmocka_unit_test(test_dsn_malformed),
        cmocka_unit_test(test_dsn_limits),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunks_out_of_order),
        cmocka_unit_test(test_chunk_without_size),
        cmocka_unit_test(test_chunks_limit),
        cmocka_unit_test(test_recipient_replies),
        cmocka_unit_test(test_recipients_limit),
        cmocka_unit_test(test_delivery_replies),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_pieces_are_not_copied),
        cmocka_unit_test(test_message_limit),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_address_limit),
        cmocka_unit_test(test_bad_limit),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_bye),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_with_nonsense),
        cmocka_unit_test(test_auth_parameter),
        cmocka_unit_test(test_xclient),
        cmocka_unit_test(test_xclient_is_kept),
        cmocka_unit_test(test_ignore_quota),
    };
    return cmocka_run_group_tests_name("lmtp", tests, NULL, NULL);
}
