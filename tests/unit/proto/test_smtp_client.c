/*
 * SMTP's client: dialogues with a server that is told line by line what to answer, in one piece and
 * byte by byte.
 */
#include "base/error.h"
#include "proto/smtp/client.h"

#include "../check.h"

struct dialogue {
    struct smtp_client client;
    struct buffer said; /* all that the client sent */
    bool done;
};

static const char message[] = "Subject: x\r\n\r\n.one\r\n..two\r\nthree.\r\n";

static void give_message(struct dialogue *d, size_t piece)
{
    struct slice rest = slice_make(message, sizeof(message) - 1);
    for (; rest.size; rest = slice_sub(rest, piece, SIZE_MAX))
        smtp_client_data(&d->client, slice_sub(rest, 0, piece), &d->said);
    smtp_client_data_end(&d->client, &d->said);
}

/* One answer of the server, which the client has to react to. */
static void answer(struct dialogue *d, const char *text, size_t piece)
{
    struct slice bytes = slice_from_string(text);
    size_t from = 0, to = 0;
    while (to < bytes.size && !d->done) {
        to = to + piece < bytes.size ? to + piece : bytes.size;
        struct slice input = slice_sub(bytes, from, to - from);
        enum smtp_action action;
        size_t left;
        do {
            left = input.size;
            action = smtp_client_consume(&d->client, &input, &d->said);
            if (action == SMTP_DATA)
                give_message(d, piece);
        } while (action != SMTP_DONE && input.size && input.size < left);
        d->done = action == SMTP_DONE;
        from = to - input.size;
    }
}

/* Runs the answers; what the client said, and "sent 250, refused 550" of each recipient. */
static void run(const struct smtp_mail *mail, const char *const *answers, const char *said,
                const char *results)
{
    static const char *const names[] = {"deferred", "sent", "refused"};
    for (size_t piece = 1; piece < 10000; piece += 9998) {
        struct dialogue d = {.done = false};
        struct buffer got;
        buffer_init(&d.said, 1 << 20);
        buffer_init(&got, 1 << 16);
        assert_int_equal(smtp_client_init(&d.client, mail), 0);
        for (size_t i = 0; answers[i]; i++)
            answer(&d, answers[i], piece);
        if (!d.done)
            smtp_client_closed(&d.client, "closed");
        for (size_t i = 0; i < mail->recipient_count; i++) {
            const struct smtp_result *result = &d.client.results[i];
            buffer_append_format(&got, "%s%s %d %s", i ? "; " : "", names[result->outcome],
                                 result->code, result->text);
        }
        assert_slice_equal(buffer_slice(&d.said), said);
        assert_slice_equal(buffer_slice(&got), results);
        smtp_client_release(&d.client);
        buffer_release(&d.said);
        buffer_release(&got);
    }
}
#define RUN(mail, said, results, ...)                                                              \
    run(mail, (const char *const[]){__VA_ARGS__, NULL}, said, results)

#define HELLO "EHLO here.test\r\n"
#define BODY  "Subject: x\r\n\r\n..one\r\n...two\r\nthree.\r\n.\r\n"
#define QUIT  "QUIT\r\n"

static const struct slice one[] = {{"a@b.test", 8}},
                          three[] = {{"a@b.test", 8}, {"c@d.test", 8}, {"e@f.test", 8}};
static const struct smtp_mail plain = {.hostname = "here.test",
                                       .sender = {"s@x.test", 8},
                                       .recipients = one,
                                       .recipient_count = 1,
                                       .size = 30};

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
    struct smtp_client client;
    struct smtp_mail mail = plain;
    char text[SMTP_ADDRESS_MAXIMUM + 1];
    struct slice many[SMTP_RECIPIENTS_MAXIMUM + 1], address;
    mail.recipients = &address;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        address = slice_from_string(wrong[i]);
        assert_int_equal(smtp_client_init(&client, &mail), ERROR_INVALID);
        if (address.size) {
            struct smtp_mail other = plain;
            other.sender = address;
            assert_int_equal(smtp_client_init(&client, &other), ERROR_INVALID);
        }
    }
    memset(text, 'a', sizeof(text));
    address = slice_make(text, sizeof(text));
    assert_int_equal(smtp_client_init(&client, &mail), ERROR_INVALID);
    address.size--;
    assert_int_equal(smtp_client_init(&client, &mail), 0);
    smtp_client_release(&client);
    for (size_t i = 0; i <= SMTP_RECIPIENTS_MAXIMUM; i++)
        many[i] = one[0];
    mail.recipients = many;
    mail.recipient_count = SMTP_RECIPIENTS_MAXIMUM + 1;
    assert_int_equal(smtp_client_init(&client, &mail), ERROR_INVALID);
    mail.recipient_count = 0;
    assert_int_equal(smtp_client_init(&client, &mail), ERROR_INVALID);
}

/* A message without a last line end, and one that is empty. */
static void test_ends(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a\r\n.\r\n"},  {"a\r\n", "a\r\n.\r\n"},     {"", ".\r\n"},
        {".", "..\r\n.\r\n"}, {"a\n.b", "a\n.b\r\n.\r\n"}, {"a\r", "a\r\r\n.\r\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct smtp_client client;
        struct buffer output;
        struct slice input;
        buffer_init(&output, 4096);
        assert_int_equal(smtp_client_init(&client, &plain), 0);
        static const char *const replies[] = {"220\n", "250\n", "250\n", "250\n", "354\n"};
        for (size_t j = 0; j < 5; j++) {
            input = slice_from_string(replies[j]);
            assert_int_equal(smtp_client_consume(&client, &input, &output),
                             j == 4 ? SMTP_DATA : SMTP_MORE);
        }
        buffer_clear(&output);
        smtp_client_data(&client, slice_from_string(cases[i][0]), &output);
        smtp_client_data_end(&client, &output);
        assert_slice_equal(buffer_slice(&output), cases[i][1]);
        smtp_client_release(&client);
        buffer_release(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent),      cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_lacking),   cmocka_unit_test(test_each_recipient),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
