/*
 * SMTP's client: dialogues with a server that is told line by line what to answer, in one piece and
 * byte by byte. "<TLS>" in what the client said is a handshake.
 */
#include "base/error.h"
#include "proto/smtp/client.h"

#include "../check.h"

struct dialogue {
    struct smtp_client client;
    const struct smtp_mail *mails;
    size_t mail_count, mail; /* the next one */
    struct buffer said;      /* all that the client sent */
    struct buffer results;
    size_t piece;
    bool ended;
};

static const char message[] = "Subject: x\r\n\r\n.one\r\n..two\r\nthree.\r\n";

static void give_message(struct dialogue *d)
{
    struct slice rest = slice_make(message, sizeof(message) - 1);
    for (; rest.size; rest = slice_sub(rest, d->piece, SIZE_MAX))
        smtp_client_data(&d->client, slice_sub(rest, 0, d->piece), &d->said);
    smtp_client_data_end(&d->client, &d->said);
}

/* "sent 250, refused 550" of each recipient. */
static void note_results(struct dialogue *d)
{
    static const char *const names[] = {"deferred", "sent", "refused"};
    const struct smtp_mail *mail = &d->mails[d->mail++];
    for (size_t i = 0; i < mail->recipient_count; i++) {
        const struct smtp_result *result = &d->client.results[i];
        buffer_append_format(&d->results, "%s%s %d %s", d->results.size ? "; " : "",
                             names[result->outcome], result->code, result->text);
    }
}

/* The connection has failed: so have those that never got to it, one by one. */
static void note_failure(struct dialogue *d)
{
    d->ended = true;
    for (; d->mail < d->mail_count; d->mail++)
        for (size_t i = 0; i < d->mails[d->mail].recipient_count; i++)
            buffer_append_format(&d->results, "%sdeferred %d %s", d->results.size ? "; " : "",
                                 d->client.failure.code, d->client.failure.text);
}

static void react(struct dialogue *d, enum smtp_action action)
{
    switch (action) {
    case SMTP_STARTTLS:
        buffer_append_string(&d->said, "<TLS>\r\n");
        smtp_client_secured(&d->client, &d->said);
        break;
    case SMTP_READY:
        if (d->mail == d->mail_count)
            smtp_client_quit(&d->client, &d->said);
        else if (smtp_client_begin(&d->client, &d->mails[d->mail], &d->said) == SMTP_DONE)
            note_results(d);
        break;
    case SMTP_DATA:
        give_message(d);
        break;
    case SMTP_DONE:
        note_results(d);
        break;
    case SMTP_END:
        note_failure(d);
        break;
    case SMTP_MORE:
        break;
    }
}

/* One answer of the server, which the client has to react to. */
static void answer(struct dialogue *d, const char *text)
{
    struct slice bytes = slice_from_string(text);
    while (bytes.size && !d->ended) {
        struct slice input = slice_sub(bytes, 0, d->piece);
        bytes = slice_sub(bytes, input.size, SIZE_MAX);
        enum smtp_action action;
        do {
            action = smtp_client_consume(&d->client, &input, &d->said);
            react(d, action);
        } while (!d->ended && (action != SMTP_MORE || input.size));
    }
}

static void run_piece(const struct smtp_server *server, const struct smtp_mail *mails, size_t count,
                      const char *const *answers, size_t piece, const char *said,
                      const char *results)
{
    struct dialogue d = {.mails = mails, .mail_count = count, .piece = piece};
    buffer_init(&d.said, 1 << 20);
    buffer_init(&d.results, 1 << 16);
    assert_int_equal(smtp_client_init(&d.client, server), 0);
    for (size_t i = 0; answers[i]; i++)
        answer(&d, answers[i]);
    if (!d.ended && d.client.mail) {
        smtp_client_closed(&d.client, "closed");
        note_results(&d);
    } else if (!d.ended) {
        smtp_client_closed(&d.client, "closed");
        note_failure(&d);
    }
    assert_slice_equal(buffer_slice(&d.said), said);
    assert_slice_equal(buffer_slice(&d.results), results);
    assert_null(d.client.mail);
    smtp_client_release(&d.client);
    buffer_release(&d.said);
    buffer_release(&d.results);
}

/* Runs the answers, and compares what the client said and the results. */
static void run_all(const struct smtp_server *server, const struct smtp_mail *mails, size_t count,
                    const char *const *answers, const char *said, const char *results)
{
    run_piece(server, mails, count, answers, 1, said, results);
    run_piece(server, mails, count, answers, SIZE_MAX, said, results);
}

static const struct smtp_server plain_server = {.hostname = "here.test"};

static void run(const struct smtp_mail *mail, const char *const *answers, const char *said,
                const char *results)
{
    run_all(&plain_server, mail, 1, answers, said, results);
}
#define RUN(mail, said, results, ...)                                                              \
    run(mail, (const char *const[]){__VA_ARGS__, NULL}, said, results)

#define HELLO "EHLO here.test\r\n"
#define BODY  "Subject: x\r\n\r\n..one\r\n...two\r\nthree.\r\n.\r\n"
#define QUIT  "QUIT\r\n"

static const struct slice one[] = {{"a@b.test", 8}},
                          three[] = {{"a@b.test", 8}, {"c@d.test", 8}, {"e@f.test", 8}};
static const struct smtp_mail plain = {
    .sender = {"s@x.test", 8}, .recipients = one, .recipient_count = 1, .size = 30};

static void test_sent(void **state)
{
    (void)state;
    RUN(&plain, HELLO "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" BODY QUIT,
        "sent 250 2.0.0 queued", "220 hello\r\n", "250 there.test\r\n", "250 ok\r\n", "250 ok\r\n",
        "354 go\r\n", "250 2.0.0 queued\r\n", "221 bye\r\n");
}

static void test_extensions(void **state)
{
    (void)state;
    struct smtp_mail mail = plain;
    mail.eight_bit = mail.utf8 = true;
    mail.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY;
    mail.ret = 'H';
    mail.sender = SLICE("");
    RUN(&mail,
        HELLO "MAIL FROM:<> SIZE=30 BODY=8BITMIME SMTPUTF8 RET=HDRS\r\n"
              "RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY\r\nDATA\r\n" BODY QUIT,
        "sent 250 ok", "220-a\r\n220 b\r\n",
        "250-there.test\r\n250-size 1000\r\n250-8BITMIME\r\n250-DSN\r\n250-X-OTHER a b\r\n"
        "250 SMTPUTF8\r\n",
        "250 ok\r\n", "251 ok\r\n", "354\r\n", "250 ok\r\n");
    mail.notify = SMTP_NOTIFY_NEVER;
    RUN(&mail,
        HELLO "MAIL FROM:<> BODY=8BITMIME SMTPUTF8 RET=HDRS\r\n"
              "RCPT TO:<a@b.test> NOTIFY=NEVER\r\n" QUIT,
        "refused 550 no", "220 a\n", "250-a\n250-DSN\n250-8bitmime\n250 smtputf8\n", "250\n",
        "550 no\n");
}

/* What the server lacks, the message cannot do without. */
static void test_lacking(void **state)
{
    (void)state;
    struct smtp_mail mail = plain;
    mail.eight_bit = true;
    RUN(&mail, HELLO QUIT, "refused 0 the server does not take 8BITMIME", "220 a\r\n", "250 a\r\n");
    mail.eight_bit = false;
    mail.sender = SLICE("s\xc3\xa9@x.test");
    RUN(&mail, HELLO QUIT, "refused 0 the server does not take SMTPUTF8", "220 a\r\n",
        "250-a\r\n250 SIZE\r\n");
    mail.sender = plain.sender;
    RUN(&mail, HELLO QUIT, "refused 0 the message is larger than the server takes", "220 a\r\n",
        "250-a\r\n250 SIZE 29\r\n");
    RUN(&mail, HELLO "MAIL FROM:<s@x.test> SIZE=30\r\n" QUIT, "refused 552 too large", "220 a\r\n",
        "250-a\r\n250 SIZE 0\r\n", "552 too large\r\n");
}

static void test_each_recipient(void **state)
{
    (void)state;
    struct smtp_mail mail = plain;
    mail.recipients = three;
    mail.recipient_count = 3;
#define TO_THREE                                                                                   \
    HELLO "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"                   \
          "RCPT TO:<e@f.test>\r\n"
    RUN(&mail, TO_THREE "DATA\r\n" BODY QUIT, "refused 550 no; sent 250 ok; deferred 451 later",
        "220 a\r\n", "250 a\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n", "451 later\r\n",
        "354 go\r\n", "250 ok\r\n");
    RUN(&mail, TO_THREE "DATA\r\n" BODY QUIT,
        "refused 550 no; deferred 452 full; deferred 452 full", "220 a\r\n", "250 a\r\n",
        "250 ok\r\n", "550 no\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "452 full\r\n");
    RUN(&mail, TO_THREE QUIT, "refused 550 no; refused 551 no; deferred 450 no", "220 a\r\n",
        "250 a\r\n", "250 ok\r\n", "550 no\r\n", "551 no\r\n", "450 no\r\n");
    RUN(&mail, TO_THREE "DATA\r\n" QUIT, "refused 554 none; refused 550 no; refused 554 none",
        "220 a\r\n", "250 a\r\n", "250 ok\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n",
        "554 none\r\n");
    /* It goes away in between. */
    RUN(&mail, HELLO "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n",
        "deferred 421 bye; deferred 421 bye; deferred 421 bye", "220 a\r\n", "250 a\r\n",
        "250 ok\r\n", "250 ok\r\n", "421 bye\r\n");
    RUN(&mail, TO_THREE "DATA\r\n" BODY, "deferred 0 closed; refused 550 no; deferred 0 closed",
        "220 a\r\n", "250 a\r\n", "250 ok\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n",
        "354 go\r\n");
}

static void test_refusals(void **state)
{
    (void)state;
    RUN(&plain, QUIT, "deferred 554 no service", "554 no service\r\n");
    RUN(&plain, HELLO "HELO here.test\r\nMAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 not you",
        "220 a\r\n", "502 what?\r\n", "250 a\r\n", "550 not you\r\n");
    RUN(&plain, HELLO "HELO here.test\r\n" QUIT, "deferred 550 no", "220 a\r\n", "502 what?\r\n",
        "550 no\r\n");
    RUN(&plain, HELLO QUIT, "deferred 450 later", "220 a\r\n", "450 later\r\n");
    RUN(&plain, HELLO "MAIL FROM:<s@x.test>\r\n" QUIT, "deferred 451 4.3.0 later", "220 a\r\n",
        "250 a\r\n", "451 4.3.0 later\r\n");
    RUN(&plain, HELLO "MAIL FROM:<s@x.test>\r\n" QUIT, "deferred 530 5.7.0 log in first",
        "220 a\r\n", "250 a\r\n", "530 5.7.0 log in first\r\n");
    RUN(&plain, "", "deferred 0 closed", "");
}

static void test_nonsense(void **state)
{
    (void)state;
    static char longest[SMTP_REPLY_LINE_MAXIMUM + 8], many[8 * (SMTP_REPLY_LINES_MAXIMUM + 2)];
    static const char sense[] = "deferred 0 the server's answer makes no sense";
    RUN(&plain, QUIT, sense, "SSH-2.0\r\n");
    RUN(&plain, QUIT, sense, "\r\n");
    RUN(&plain, QUIT, sense, "99 a\r\n");
    RUN(&plain, QUIT, sense, "199 a\r\n");
    RUN(&plain, QUIT, sense, "600 a\r\n");
    RUN(&plain, QUIT, sense, "220+a\r\n");
    RUN(&plain, QUIT, sense, "220-a\r\n221 b\r\n");
    for (size_t i = 0; i <= SMTP_REPLY_LINES_MAXIMUM; i++)
        memcpy(many + 7 * i, "220-a\r\n", 8);
    RUN(&plain, QUIT, sense, many);
    memset(longest, '2', sizeof(longest) - 1);
    RUN(&plain, QUIT, "deferred 220 the server's answer is too long", "220-a\r\n", longest);
    /* No control character of a stranger's comes through. */
    RUN(&plain, QUIT, "deferred 554 a?b??", "554 a\tb\xc3\xa9\r\n");
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "a b@c", "a@b\r\nDATA", "a@b>", "<a@b", "a\x7f@b"};
    struct smtp_mail mail = plain;
    char text[SMTP_ADDRESS_MAXIMUM + 1];
    struct slice many[SMTP_RECIPIENTS_MAXIMUM + 1], address;
    mail.recipients = &address;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        address = slice_from_string(wrong[i]);
        assert_int_equal(smtp_mail_check(&mail), ERROR_INVALID);
        if (address.size) {
            struct smtp_mail other = plain;
            other.sender = address;
            assert_int_equal(smtp_mail_check(&other), ERROR_INVALID);
        }
    }
    memset(text, 'a', sizeof(text));
    address = slice_make(text, sizeof(text));
    assert_int_equal(smtp_mail_check(&mail), ERROR_INVALID);
    address.size--;
    assert_int_equal(smtp_mail_check(&mail), 0);
    for (size_t i = 0; i <= SMTP_RECIPIENTS_MAXIMUM; i++)
        many[i] = one[0];
    mail.recipients = many;
    mail.recipient_count = SMTP_RECIPIENTS_MAXIMUM + 1;
    assert_int_equal(smtp_mail_check(&mail), ERROR_INVALID);
    mail.recipient_count = 0;
    assert_int_equal(smtp_mail_check(&mail), ERROR_INVALID);
}

/* What is no message is refused without a word, and the connection goes on. */
static void test_no_message(void **state)
{
    (void)state;
    struct smtp_mail mails[] = {plain, plain};
    mails[0].sender = SLICE("a@b> SIZE=1");
    run_all(&plain_server, mails, 2,
            (const char *const[]){"220 a\r\n", "250 a\r\n", "550 no\r\n", NULL},
            HELLO "MAIL FROM:<s@x.test>\r\n" QUIT,
            "refused 0 SMTP cannot carry these addresses or parameters; refused 550 no");
}

static void test_deliver_by(void **state)
{
    (void)state;
    static const char *const right[] = {"120;R", "-10;NT", "0;N", "999999999;RT"};
    static const char *const wrong[] = {
        "120", ";R", "-;R", "120;X", "120;RT ", "120;R RET=FULL", "12345678901234;RT"};
    struct smtp_mail mail = plain;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        mail.by = slice_from_string(right[i]);
        assert_int_equal(smtp_mail_check(&mail), 0);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        mail.by = slice_from_string(wrong[i]);
        assert_int_equal(smtp_mail_check(&mail), ERROR_INVALID);
    }
    mail.by = SLICE("120;RT");
    RUN(&mail, HELLO "MAIL FROM:<s@x.test> BY=120;RT\r\n" QUIT, "refused 550 no", "220 a\r\n",
        "250-a\r\n250 DELIVERBY 240\r\n", "550 no\r\n");
    RUN(&mail, HELLO "MAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no", "220 a\r\n", "250 a\r\n",
        "550 no\r\n");
}

/* --- several messages on one connection --- */

#define ENVELOPE "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@b.test>\r\n"
#define RUN_MANY(mails, said, results, ...)                                                        \
    run_all(&plain_server, mails, sizeof(mails) / sizeof((mails)[0]),                              \
            (const char *const[]){__VA_ARGS__, NULL}, said, results)

static void test_several(void **state)
{
    (void)state;
    struct smtp_mail mails[] = {plain, plain, plain};
    mails[1].recipients = three;
    mails[1].recipient_count = 2;
    RUN_MANY(mails,
             HELLO ENVELOPE "DATA\r\n" BODY
                            "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
                            "DATA\r\n" BODY "MAIL FROM:<s@x.test>\r\n" QUIT,
             "sent 250 one; refused 550 two; sent 250 three; deferred 451 four", "220 a\r\n",
             "250 a\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 one\r\n", "250 ok\r\n",
             "550 two\r\n", "250 ok\r\n", "354 go\r\n", "250 three\r\n", "451 four\r\n");
    /* A message that the server refuses in the end leaves the connection as it was. */
    RUN_MANY(mails, HELLO ENVELOPE "DATA\r\n" BODY "MAIL FROM:<s@x.test>\r\n",
             "refused 554 spam; deferred 421 bye; deferred 421 bye; deferred 421 bye", "220 a\r\n",
             "250 a\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "554 spam\r\n", "421 bye\r\n");
    /* A transaction that stays open ends the connection instead of the next message's. */
    RUN_MANY(mails, HELLO ENVELOPE QUIT,
             "refused 550 no; deferred 550 no; deferred 550 no; deferred 550 no", "220 a\r\n",
             "250 a\r\n", "250 ok\r\n", "550 no\r\n");
}

/* What the server says unasked is a farewell, and never the answer to the next message. */
static void test_unasked(void **state)
{
    (void)state;
    struct smtp_mail mails[] = {plain, plain};
    run_piece(&plain_server, mails, 2,
              (const char *const[]){"220 a\r\n", "250 a\r\n", "250 ok\r\n", "250 ok\r\n",
                                    "354 go\r\n", "250 one\r\n250 two\r\n", NULL},
              SIZE_MAX, HELLO ENVELOPE "DATA\r\n" BODY QUIT, "sent 250 one; deferred 250 two");
    struct smtp_client client;
    struct buffer said;
    buffer_init(&said, 4096);
    assert_int_equal(smtp_client_init(&client, &plain_server), 0);
    struct slice input = SLICE("220 a\r\n");
    assert_int_equal(smtp_client_consume(&client, &input, &said), SMTP_MORE);
    input = SLICE("250 a\r\n250 ok\r\n");
    assert_int_equal(smtp_client_consume(&client, &input, &said), SMTP_END);
    assert_int_equal(client.failure.code, 250);
    smtp_client_closed(&client, "closed"); /* it was already */
    assert_string_equal(client.failure.text, "ok");
    smtp_client_release(&client);
    buffer_release(&said);
}

/* --- TLS and AUTH --- */

#define RUN_SERVER(server, said, results, ...)                                                     \
    run_all(server, &plain, 1, (const char *const[]){__VA_ARGS__, NULL}, said, results)

static void test_starttls(void **state)
{
    (void)state;
    struct smtp_server server = {.hostname = "here.test", .tls = SMTP_TLS_OFFERED};
    /* What was offered before the handshake counts no more (RFC 3207 section 4.2). */
    RUN_SERVER(&server, HELLO "STARTTLS\r\n<TLS>\r\n" HELLO "MAIL FROM:<s@x.test>\r\n" QUIT,
               "refused 550 no", "220 a\r\n", "250-a\r\n250-SIZE 100\r\n250 STARTTLS\r\n",
               "220 go\r\n", "250-a\r\n250 STARTTLS\r\n", "550 no\r\n");
    RUN_SERVER(&server, HELLO "MAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no", "220 a\r\n",
               "250 a\r\n", "550 no\r\n");
    RUN_SERVER(&server, HELLO "STARTTLS\r\nMAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no",
               "220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "454 not now\r\n", "550 no\r\n");
    server.tls = SMTP_TLS_NEVER;
    RUN_SERVER(&server, HELLO "MAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no", "220 a\r\n",
               "250-a\r\n250 STARTTLS\r\n", "550 no\r\n");
    server.tls = SMTP_TLS_REQUIRED;
    RUN_SERVER(&server, HELLO QUIT, "deferred 0 the server does not offer STARTTLS", "220 a\r\n",
               "250 a\r\n");
    RUN_SERVER(&server, HELLO "HELO here.test\r\n" QUIT,
               "deferred 0 the server does not offer STARTTLS", "220 a\r\n", "500 what\r\n",
               "250 a\r\n");
    RUN_SERVER(&server, HELLO "STARTTLS\r\n" QUIT, "deferred 454 not now", "220 a\r\n",
               "250-a\r\n250 STARTTLS\r\n", "454 not now\r\n");
    RUN_SERVER(&server, HELLO "STARTTLS\r\n<TLS>\r\n" HELLO "MAIL FROM:<s@x.test>\r\n" QUIT,
               "refused 550 no", "220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n",
               "250 a\r\n", "550 no\r\n");
}

/* What somebody puts behind the answer to STARTTLS is not taken for the server's word under TLS. */
static void test_injected(void **state)
{
    (void)state;
    struct smtp_server server = {.hostname = "here.test", .tls = SMTP_TLS_OFFERED};
    run_piece(&server, &plain, 1,
              (const char *const[]){"220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n250 a\r\n",
                                    NULL},
              SIZE_MAX, HELLO "STARTTLS\r\n", "deferred 0 the server's answer makes no sense");
}

/* TLS from the first byte: no STARTTLS is wanted. */
static void test_tls_before_the_greeting(void **state)
{
    (void)state;
    const struct smtp_server server = {.hostname = "here.test", .tls = SMTP_TLS_REQUIRED};
    struct smtp_client client;
    struct buffer said;
    buffer_init(&said, 4096);
    assert_int_equal(smtp_client_init(&client, &server), 0);
    smtp_client_secured(&client, &said);
    assert_int_equal(said.size, 0);
    struct slice input = SLICE("220 a\r\n");
    assert_int_equal(smtp_client_consume(&client, &input, &said), SMTP_MORE);
    input = SLICE("250-a\r\n250 STARTTLS\r\n");
    assert_int_equal(smtp_client_consume(&client, &input, &said), SMTP_READY);
    assert_slice_equal(buffer_slice(&said), HELLO);
    smtp_client_release(&client);
    buffer_release(&said);
}

/* RFC 4954 section 4, and RFC 4616's message: "\0tim\0tanstaaftanstaaf". */
static void test_auth(void **state)
{
    (void)state;
    struct smtp_server server = {.hostname = "here.test",
                                 .tls = SMTP_TLS_REQUIRED,
                                 .user = SLICE("tim"),
                                 .password = SLICE("tanstaaftanstaaf")};
#define OFFER                                                                                      \
    "220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n", "250-a\r\n250 auth X plain\r\n"
#define SECRET "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"
#define SECURE HELLO "STARTTLS\r\n<TLS>\r\n" HELLO
    RUN_SERVER(&server, SECURE SECRET "MAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no", OFFER,
               "235 welcome\r\n", "550 no\r\n");
    RUN_SERVER(&server, SECURE SECRET QUIT, "deferred 535 5.7.8 wrong", OFFER,
               "535 5.7.8 wrong\r\n");
    RUN_SERVER(&server, SECURE SECRET QUIT, "deferred 454 4.7.0 later", OFFER,
               "454 4.7.0 later\r\n");
    RUN_SERVER(&server, SECURE SECRET "*\r\n" QUIT, "deferred 334 more", OFFER, "334 more\r\n");
    RUN_SERVER(&server, SECURE QUIT, "deferred 0 the server does not offer AUTH PLAIN", "220 a\r\n",
               "250-a\r\n250 STARTTLS\r\n", "220 go\r\n", "250-a\r\n250 AUTH PLAINTEXT LOGIN\r\n");
    RUN_SERVER(&server, SECURE QUIT, "deferred 0 the server does not offer AUTH PLAIN", "220 a\r\n",
               "250-a\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n", "250 a\r\n");
    /* Without TLS only where nobody listens. */
    server.tls = SMTP_TLS_OFFERED;
    RUN_SERVER(&server, HELLO QUIT, "deferred 0 a password is not sent without TLS", "220 a\r\n",
               "250-a\r\n250 AUTH PLAIN\r\n");
    server.local = true;
    RUN_SERVER(&server, HELLO SECRET "MAIL FROM:<s@x.test>\r\n" QUIT, "refused 550 no", "220 a\r\n",
               "250-a\r\n250 AUTH PLAIN\r\n", "235 ok\r\n", "550 no\r\n");
}

/* A response that would make the command longer than 512 bytes waits until it is asked for. */
static void test_auth_long(void **state)
{
    (void)state;
    static char password[SMTP_PASSWORD_MAXIMUM + 2], user[SMTP_USER_MAXIMUM + 2];
    struct smtp_server server = {.hostname = "here.test", .user = SLICE("a"), .local = true};
    struct buffer expected;
    buffer_init(&expected, 8192);
    memset(password, 'p', sizeof(password));
    /* "AUTH PLAIN " and CRLF leave room for 499 bytes: 372 bytes in base64, but not 375. */
    server.password = slice_make(password, 369);
    buffer_append_string(&expected, HELLO "AUTH PLAIN AGEA");
    for (size_t i = 0; i < 123; i++)
        buffer_append_string(&expected, "cHBw");
    buffer_append_string(&expected, "\r\n" QUIT);
    RUN_SERVER(&server, expected.data, "deferred 535 no", "220 a\r\n",
               "250-a\r\n250 AUTH PLAIN\r\n", "535 no\r\n");
    server.password = slice_make(password, 372);
    buffer_clear(&expected);
    buffer_append_string(&expected, HELLO "AUTH PLAIN\r\nAGEA");
    for (size_t i = 0; i < 124; i++)
        buffer_append_string(&expected, "cHBw");
    buffer_append_string(&expected, "\r\n" QUIT);
    RUN_SERVER(&server, expected.data, "deferred 535 no", "220 a\r\n",
               "250-a\r\n250 AUTH PLAIN\r\n", "334 \r\n", "535 no\r\n");
    RUN_SERVER(&server, HELLO "AUTH PLAIN\r\n" QUIT, "deferred 504 what", "220 a\r\n",
               "250-a\r\n250 AUTH PLAIN\r\n", "504 what\r\n");
    /* The longest that there are. */
    struct smtp_client client;
    memset(user, 'u', sizeof(user));
    server.user = slice_make(user, SMTP_USER_MAXIMUM);
    server.password = slice_make(password, SMTP_PASSWORD_MAXIMUM);
    assert_int_equal(smtp_client_init(&client, &server), 0);
    smtp_client_release(&client);
    server.user.size++;
    assert_int_equal(smtp_client_init(&client, &server), ERROR_INVALID);
    server.user.size--;
    server.password.size++;
    assert_int_equal(smtp_client_init(&client, &server), ERROR_INVALID);
    server.password = slice_make("a\0b", 3);
    assert_int_equal(smtp_client_init(&client, &server), ERROR_INVALID);
    buffer_release(&expected);
}

/* --- the message --- */

static void begin_data(struct smtp_client *client, struct buffer *output)
{
    static const char *const replies[] = {"220\n", "250\n", "250\n", "250\n", "354\n"};
    static const enum smtp_action actions[] = {SMTP_MORE, SMTP_READY, SMTP_MORE, SMTP_MORE,
                                               SMTP_DATA};
    assert_int_equal(smtp_client_init(client, &plain_server), 0);
    for (size_t i = 0; i < 5; i++) {
        struct slice input = slice_from_string(replies[i]);
        assert_int_equal(smtp_client_consume(client, &input, output), actions[i]);
        if (i == 1)
            assert_int_equal(smtp_client_begin(client, &plain, output), SMTP_MORE);
        buffer_clear(output);
    }
}

static void check_data(struct slice bytes, size_t piece, const char *expected)
{
    struct smtp_client client;
    struct buffer output;
    buffer_init(&output, 1 << 16);
    begin_data(&client, &output);
    for (size_t i = 0; i < bytes.size; i += piece < bytes.size ? piece : bytes.size) {
        size_t before = output.size;
        struct slice part = slice_sub(bytes, i, piece);
        smtp_client_data(&client, part, &output);
        assert_true(output.size - before <= 2 * part.size + 2);
    }
    smtp_client_data_end(&client, &output);
    assert_slice_equal(buffer_slice(&output), expected);
    smtp_client_release(&client);
    buffer_release(&output);
}

/* A message without a last line end, and one that is empty. */
static void test_ends(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a\r\n.\r\n"},  {"a\r\n", "a\r\n.\r\n"},        {"", ".\r\n"},
        {".", "..\r\n.\r\n"}, {"a\n.b", "a\r\n..b\r\n.\r\n"}, {"a\r", "a\r\n.\r\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t piece = 1; piece < 4; piece++)
            check_data(slice_from_string(cases[i][0]), piece, cases[i][1]);
}

/* RFC 5321 section 2.3.8: whatever a server takes for the end of a line, the message ends once. */
static void test_bare_line_ends(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\n.\nMAIL FROM:<x@y>\n", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\r\n.\nMAIL FROM:<x@y>", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\n.\r\nMAIL FROM:<x@y>", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\r.\rMAIL FROM:<x@y>", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\r\n.\rMAIL FROM:<x@y>", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\r.\r\nMAIL FROM:<x@y>", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"},
        {"a\r\r\n.\r\nb", "a\r\n\r\n..\r\nb\r\n.\r\n"},
        {"a\n\r.\n\rb", "a\r\n\r\n..\r\n\r\nb\r\n.\r\n"},
        {"\n.", "\r\n..\r\n.\r\n"},
        {"\r.", "\r\n..\r\n.\r\n"},
        {"\r\r\r", "\r\n\r\n\r\n.\r\n"},
        {"\n\n", "\r\n\r\n.\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t piece = 1; piece < 64; piece++)
            check_data(slice_from_string(cases[i][0]), piece, cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent),       cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_lacking),    cmocka_unit_test(test_each_recipient),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_no_message),
        cmocka_unit_test(test_deliver_by), cmocka_unit_test(test_several),
        cmocka_unit_test(test_unasked),    cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_injected),   cmocka_unit_test(test_tls_before_the_greeting),
        cmocka_unit_test(test_auth),       cmocka_unit_test(test_auth_long),
        cmocka_unit_test(test_ends),       cmocka_unit_test(test_bare_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
