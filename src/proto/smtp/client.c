#include "proto/smtp/client.h"
#include "base/error.h"
#include "format/base64.h"
#include "proto/sasl/plain.h"

#include <stdio.h>

/*
 *     GREETING --> EHLO --> STARTTLS --> HANDSHAKE --> EHLO
 *                   |  └--5yz--> HELO ──┐
 *                   └---> AUTH, RESPONSE ┴--> READY
 *
 *     READY --> MAIL --> RCPT, one after the other --> DATA --> BODY --> END --> READY
 *
 * and from each of them to CLOSED, from READY by QUITTING.
 */
enum state {
    GREETING,
    EHLO,
    HELO,
    STARTTLS,
    HANDSHAKE,
    AUTH,     /* the response has been sent */
    RESPONSE, /* the response is asked for */
    READY,
    MAIL,
    RCPT,
    DATA,
    BODY,
    END,
    QUITTING,
    CLOSED
};

enum extension {
    EXTENSION_SIZE = 1,
    EXTENSION_8BITMIME = 2,
    EXTENSION_SMTPUTF8 = 4,
    EXTENSION_DSN = 8,
    EXTENSION_DELIVERBY = 16,
    EXTENSION_STARTTLS = 32,
    EXTENSION_AUTH = 64,
    EXTENSION_AUTH_PLAIN = 128,
};

enum { LINE_BEGUN, LINE_START, LINE_CR }; /* where the message as it is written is */

enum { COMMAND_LINE_MAXIMUM = 512 }; /* of a command without extensions (section 4.5.3.1.4) */

/* --- what is sent --- */

static bool is_address(struct slice address)
{
    if (address.size > SMTP_ADDRESS_MAXIMUM)
        return false;
    for (size_t i = 0; i < address.size; i++) {
        unsigned char c = (unsigned char)address.data[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
            return false;
    }
    return true;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

/* by-time ";" by-mode [by-trace], as RFC 6009 section 4 has the three parts. */
static bool is_by(struct slice by)
{
    size_t i = by.size && by.data[0] == '-';
    size_t digits = i;
    while (i < by.size && by.data[i] >= '0' && by.data[i] <= '9')
        i++;
    if (i == digits || by.size > SMTP_BY_MAXIMUM)
        return false;
    struct slice mode = slice_sub(by, i, SIZE_MAX);
    return slice_equal(mode, SLICE(";R")) || slice_equal(mode, SLICE(";N")) ||
           slice_equal(mode, SLICE(";RT")) || slice_equal(mode, SLICE(";NT"));
}

int smtp_mail_check(const struct smtp_mail *mail)
{
    if (!mail->recipient_count || mail->recipient_count > SMTP_RECIPIENTS_MAXIMUM ||
        !is_address(mail->sender) || (mail->by.size && !is_by(mail->by)))
        return ERROR_INVALID;
    for (size_t i = 0; i < mail->recipient_count; i++)
        if (!mail->recipients[i].size || !is_address(mail->recipients[i]))
            return ERROR_INVALID;
    return 0;
}

int smtp_client_init(struct smtp_client *client, const struct smtp_server *server)
{
    if (server->user.size > SMTP_USER_MAXIMUM || server->password.size > SMTP_PASSWORD_MAXIMUM ||
        slice_find(server->user, '\0') < server->user.size ||
        slice_find(server->password, '\0') < server->password.size)
        return ERROR_INVALID;
    *client = (struct smtp_client){.server = server, .state = GREETING};
    buffer_init(&client->line, SMTP_REPLY_LINE_MAXIMUM);
    return 0;
}

void smtp_client_release(struct smtp_client *client)
{
    buffer_release(&client->line);
}

/* Whether sender or a recipient needs SMTPUTF8, or the message's header does. */
static bool needs_utf8(const struct smtp_mail *mail)
{
    if (mail->utf8 || !is_ascii(mail->sender))
        return true;
    for (size_t i = 0; i < mail->recipient_count; i++)
        if (!is_ascii(mail->recipients[i]))
            return true;
    return false;
}

static void say_mail(const struct smtp_client *client, struct buffer *output)
{
    const struct smtp_mail *mail = client->mail;
    buffer_append_format(output, "MAIL FROM:<%.*s>", SLICE_FORMAT(mail->sender));
    if (client->offered & EXTENSION_SIZE)
        buffer_append_format(output, " SIZE=%llu", (unsigned long long)mail->size);
    if (client->offered & EXTENSION_8BITMIME && mail->eight_bit)
        buffer_append_string(output, " BODY=8BITMIME");
    if (needs_utf8(mail))
        buffer_append_string(output, " SMTPUTF8");
    if (client->offered & EXTENSION_DSN && mail->ret)
        buffer_append_string(output, mail->ret == 'F' ? " RET=FULL" : " RET=HDRS");
    if (client->offered & EXTENSION_DELIVERBY && mail->by.size)
        buffer_append_format(output, " BY=%.*s", SLICE_FORMAT(mail->by));
    buffer_append_string(output, "\r\n");
}

static void say_rcpt(const struct smtp_client *client, struct buffer *output)
{
    static const char *const names[] = {"SUCCESS", "FAILURE", "DELAY"};
    const struct smtp_mail *mail = client->mail;
    const char *before = " NOTIFY=";
    buffer_append_format(output, "RCPT TO:<%.*s>",
                         SLICE_FORMAT(mail->recipients[client->recipient]));
    if (client->offered & EXTENSION_DSN && mail->notify & SMTP_NOTIFY_NEVER)
        buffer_append_string(output, " NOTIFY=NEVER");
    else if (client->offered & EXTENSION_DSN)
        for (unsigned i = 0; i < 3; i++)
            if (mail->notify & (unsigned)SMTP_NOTIFY_SUCCESS << i) {
                buffer_append_format(output, "%s%s", before, names[i]);
                before = ",";
            }
    buffer_append_string(output, "\r\n");
}

/* --- results --- */

static void set_text(struct smtp_result *result, struct slice text)
{
    size_t size = text.size < sizeof(result->text) - 1 ? text.size : sizeof(result->text) - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        result->text[i] = c < ' ' || c >= 0x7f ? '?' : text.data[i];
    }
    result->text[size] = '\0';
}

static void set_result(struct smtp_client *client, struct smtp_result *result,
                       enum smtp_outcome outcome, struct slice text)
{
    result->outcome = outcome;
    result->code = client->code;
    set_text(result, text);
}

/* Of all that have not been refused one by one. */
static enum smtp_action finish(struct smtp_client *client, enum smtp_outcome outcome,
                               struct slice text)
{
    for (size_t i = 0; i < client->mail->recipient_count; i++)
        if (i >= client->recipient || client->results[i].outcome == SMTP_SENT)
            set_result(client, &client->results[i], outcome, text);
    client->mail = NULL;
    client->state = READY;
    return SMTP_DONE;
}

/* The connection ends; output NULL: without QUIT. */
static enum smtp_action fail(struct smtp_client *client, enum smtp_outcome outcome,
                             struct slice text, struct buffer *output)
{
    enum smtp_action action = client->mail ? finish(client, outcome, text) : SMTP_END;
    set_result(client, &client->failure, SMTP_DEFERRED, text);
    client->state = CLOSED;
    if (output)
        buffer_append_string(output, "QUIT\r\n");
    return action;
}

/* ... for a reason of ours. */
static enum smtp_action give_up(struct smtp_client *client, const char *why, struct buffer *output)
{
    client->code = 0;
    return fail(client, SMTP_DEFERRED, slice_from_string(why), output);
}

/* 530 to 538 are not about the message, but about who we are: that is to be put right (RFC 4954
 * section 6, RFC 3207 section 4). */
static enum smtp_outcome outcome_of(int code)
{
    return code >= 500 && !(code >= 530 && code <= 538) ? SMTP_REFUSED : SMTP_DEFERRED;
}

void smtp_client_closed(struct smtp_client *client, const char *why)
{
    if (client->state != CLOSED)
        give_up(client, why, NULL);
}

void smtp_client_quit(struct smtp_client *client, struct buffer *output)
{
    if (client->state != READY)
        return;
    buffer_append_string(output, "QUIT\r\n");
    client->state = QUITTING;
}

/* --- before the first message --- */

/* The words behind AUTH (RFC 4954 section 3). */
static bool has_word(struct slice words, struct slice word)
{
    while (words.size) {
        size_t end = slice_find(words, ' ');
        if (slice_equal_nocase(slice_sub(words, 0, end), word))
            return true;
        words = slice_sub(words, end + 1, SIZE_MAX);
    }
    return false;
}

static uint64_t read_size(struct slice number)
{
    uint64_t size = 0;
    if (number.size > 18)
        return 0;
    for (size_t i = 0; i < number.size && number.data[i] >= '0' && number.data[i] <= '9'; i++)
        size = size * 10 + (uint64_t)(number.data[i] - '0');
    return size;
}

/* A line of EHLO's answer (section 4.1.1.1). */
static void take_extension(struct smtp_client *client, struct slice text)
{
    static const struct {
        const char *name;
        unsigned extension;
    } names[] = {{"SIZE", EXTENSION_SIZE},
                 {"8BITMIME", EXTENSION_8BITMIME},
                 {"SMTPUTF8", EXTENSION_SMTPUTF8},
                 {"DSN", EXTENSION_DSN},
                 {"DELIVERBY", EXTENSION_DELIVERBY},
                 {"STARTTLS", EXTENSION_STARTTLS},
                 {"AUTH", EXTENSION_AUTH}};
    size_t space = slice_find(text, ' ');
    struct slice rest = slice_sub(text, space + 1, SIZE_MAX);
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal_nocase(slice_sub(text, 0, space), slice_from_string(names[i].name)))
            found = names[i].extension;
    if (found == EXTENSION_SIZE)
        client->size_limit = read_size(rest);
    if (found == EXTENSION_AUTH && has_word(rest, SLICE("PLAIN")))
        found |= EXTENSION_AUTH_PLAIN;
    client->offered |= found;
}

/* The server forgets what it knew, and so do we (RFC 3207 section 4.2). */
static enum smtp_action greet(struct smtp_client *client, enum state state, struct buffer *output)
{
    client->state = state;
    client->offered = 0;
    client->size_limit = 0;
    buffer_append_format(output, "%s %s\r\n", state == EHLO ? "EHLO" : "HELO",
                         client->server->hostname);
    return SMTP_MORE;
}

static enum smtp_action become_ready(struct smtp_client *client)
{
    client->state = READY;
    return SMTP_READY;
}

/* `before` is an AUTH command that takes the response with it, or nothing. False: the line is
 * longer than it may be. */
static bool say_response(const struct smtp_client *client, const char *before, size_t maximum,
                         struct buffer *output)
{
    struct buffer message, line;
    buffer_init(&message, SMTP_USER_MAXIMUM + SMTP_PASSWORD_MAXIMUM + 2);
    buffer_init(&line, SMTP_COMMAND_MAXIMUM);
    char *room = buffer_reserve(&line, SMTP_COMMAND_MAXIMUM / 2);
    sasl_plain_write(client->server->user, client->server->password, &message);
    buffer_append_string(&line, before);
    base64_encode(buffer_slice(&message), &line);
    buffer_append_string(&line, "\r\n");
    bool fits = room && !buffer_error(&line) && line.size <= maximum;
    if (fits)
        buffer_append(output, buffer_slice(&line));
    if (message.data)
        explicit_bzero(message.data, message.capacity);
    if (line.data)
        explicit_bzero(line.data, line.capacity);
    buffer_release(&message);
    buffer_release(&line);
    return fits;
}

/* RFC 4954 section 4: the response goes with the command where the line is not too long for it. */
static enum smtp_action authenticate(struct smtp_client *client, struct buffer *output)
{
    if (!(client->offered & EXTENSION_AUTH_PLAIN))
        return give_up(client, "the server does not offer AUTH PLAIN", output);
    if (!client->secured && !client->server->local)
        return give_up(client, "a password is not sent without TLS", output);
    client->state = AUTH;
    if (!say_response(client, "AUTH PLAIN ", COMMAND_LINE_MAXIMUM, output)) {
        client->state = RESPONSE;
        buffer_append_string(output, "AUTH PLAIN\r\n");
    }
    return SMTP_MORE;
}

static enum smtp_action take_auth(struct smtp_client *client, struct slice text,
                                  struct buffer *output)
{
    if (client->state == RESPONSE && client->code == 334) {
        client->state = AUTH;
        say_response(client, "", SMTP_COMMAND_MAXIMUM, output);
        return SMTP_MORE;
    }
    if (client->state == AUTH && client->code / 100 == 2)
        return become_ready(client);
    if (client->code == 334) /* PLAIN has no second challenge: cancelled */
        buffer_append_string(output, "*\r\n");
    return fail(client, SMTP_DEFERRED, text, output);
}

/* Greeted, and under TLS if that is to be. */
static enum smtp_action log_in(struct smtp_client *client, struct buffer *output)
{
    if (!client->secured && client->server->tls == SMTP_TLS_REQUIRED)
        return give_up(client, "the server does not offer STARTTLS", output);
    return client->server->user.size ? authenticate(client, output) : become_ready(client);
}

static enum smtp_action greeted(struct smtp_client *client, struct buffer *output)
{
    if (client->secured || client->server->tls == SMTP_TLS_NEVER ||
        !(client->offered & EXTENSION_STARTTLS))
        return log_in(client, output);
    client->state = STARTTLS;
    buffer_append_string(output, "STARTTLS\r\n");
    return SMTP_MORE;
}

static enum smtp_action take_starttls(struct smtp_client *client, struct slice text,
                                      struct buffer *output)
{
    if (client->code == 220) {
        client->state = HANDSHAKE;
        return SMTP_STARTTLS;
    }
    if (client->server->tls == SMTP_TLS_REQUIRED)
        return fail(client, SMTP_DEFERRED, text, output);
    return log_in(client, output);
}

void smtp_client_secured(struct smtp_client *client, struct buffer *output)
{
    client->secured = true;
    if (client->state == HANDSHAKE)
        greet(client, EHLO, output);
}

/* --- the message's commands --- */

/* What the message needs, and the server lacks: NULL for nothing. */
static const char *missing(const struct smtp_client *client)
{
    if (smtp_mail_check(client->mail))
        return "SMTP cannot carry these addresses or parameters";
    if (needs_utf8(client->mail) && !(client->offered & EXTENSION_SMTPUTF8))
        return "the server does not take SMTPUTF8";
    if (client->mail->eight_bit && !(client->offered & EXTENSION_8BITMIME))
        return "the server does not take 8BITMIME";
    if (client->size_limit && client->mail->size > client->size_limit)
        return "the message is larger than the server takes";
    return NULL;
}

enum smtp_action smtp_client_begin(struct smtp_client *client, const struct smtp_mail *mail,
                                   struct buffer *output)
{
    client->mail = mail;
    client->recipient = client->accepted = 0;
    const char *why = missing(client);
    if (why) {
        client->code = 0;
        return finish(client, SMTP_REFUSED, slice_from_string(why));
    }
    client->state = MAIL;
    say_mail(client, output);
    return SMTP_MORE;
}

/* When it is refused there is no transaction (section 3.3), and the next one can begin. */
static enum smtp_action take_mail(struct smtp_client *client, struct slice text,
                                  struct buffer *output)
{
    int kind = client->code / 100;
    if (kind == 4 || kind == 5)
        return finish(client, outcome_of(client->code), text);
    if (kind != 2)
        return fail(client, SMTP_DEFERRED, text, output);
    client->state = RCPT;
    say_rcpt(client, output);
    return SMTP_MORE;
}

static enum smtp_action next_recipient(struct smtp_client *client, struct slice text,
                                       struct buffer *output)
{
    bool taken = client->code / 100 == 2;
    set_result(client, &client->results[client->recipient],
               taken ? SMTP_SENT : outcome_of(client->code), text);
    client->accepted += taken;
    if (++client->recipient < client->mail->recipient_count) {
        say_rcpt(client, output);
        return SMTP_MORE;
    }
    if (!client->accepted)
        return fail(client, SMTP_DEFERRED, text, output);
    client->state = DATA;
    buffer_append_string(output, "DATA\r\n");
    return SMTP_MORE;
}

static enum smtp_action take_data(struct smtp_client *client, struct slice text,
                                  struct buffer *output)
{
    if (client->code != 354)
        return fail(client, outcome_of(client->code), text, output);
    client->state = BODY;
    client->written = LINE_START;
    return SMTP_DATA;
}

static enum smtp_action take_end(struct smtp_client *client, struct slice text,
                                 struct buffer *output)
{
    int kind = client->code / 100;
    if (kind == 3)
        return fail(client, SMTP_DEFERRED, text, output);
    return finish(client, kind == 2 ? SMTP_SENT : outcome_of(client->code), text);
}

/* --- replies --- */

/* The greeting, and the answers to EHLO and HELO. */
static enum smtp_action take_hello(struct smtp_client *client, struct slice text,
                                   struct buffer *output)
{
    int kind = client->code / 100;
    if (client->state == GREETING && kind == 2)
        return greet(client, EHLO, output);
    if (client->state == EHLO && kind == 5) /* section 3.2 */
        return greet(client, HELO, output);
    return kind == 2 ? greeted(client, output) : fail(client, SMTP_DEFERRED, text, output);
}

/* The answer to QUIT. */
static enum smtp_action take_quit(struct smtp_client *client, struct slice text,
                                  struct buffer *output)
{
    (void)output;
    return fail(client, SMTP_DEFERRED, text, NULL);
}

/* What comes unasked, when nothing is under way, is a farewell. */
static enum smtp_action take_unasked(struct smtp_client *client, struct slice text,
                                     struct buffer *output)
{
    return fail(client, SMTP_DEFERRED, text, output);
}

/* The reply is whole: client->code, and the text of its last line. */
static enum smtp_action take_reply(struct smtp_client *client, struct slice text,
                                   struct buffer *output)
{
    static enum smtp_action (*const takers[])(struct smtp_client * client, struct slice text,
                                              struct buffer * output) = {
        [GREETING] = take_hello,    [EHLO] = take_hello,        [HELO] = take_hello,
        [STARTTLS] = take_starttls, [HANDSHAKE] = take_unasked, [AUTH] = take_auth,
        [RESPONSE] = take_auth,     [READY] = take_unasked,     [MAIL] = take_mail,
        [RCPT] = next_recipient,    [DATA] = take_data,         [BODY] = take_unasked,
        [END] = take_end,           [QUITTING] = take_quit,
    };
    if (client->code == 421) /* section 3.8: it goes away */
        return fail(client, SMTP_DEFERRED, text, NULL);
    return takers[client->state](client, text, output);
}

/* "250-text" or "250 text" or "250" (section 4.2). False: it is none. */
static bool read_line(struct slice line, int *code, bool *last, struct slice *text)
{
    int number = 0;
    for (size_t i = 0; i < 3; i++) {
        if (i >= line.size || line.data[i] < '0' || line.data[i] > '9')
            return false;
        number = number * 10 + (line.data[i] - '0');
    }
    char behind = line.size > 3 ? line.data[3] : ' ';
    *code = number;
    *last = behind == ' ';
    *text = slice_sub(line, 4, SIZE_MAX);
    return number >= 200 && number < 600 && (behind == ' ' || behind == '-');
}

static enum smtp_action take_line(struct smtp_client *client, struct slice line,
                                  struct buffer *output)
{
    int code;
    bool last;
    struct slice text;
    bool first = client->lines++ == 0;
    if (!read_line(line, &code, &last, &text) || (!first && code != client->code) ||
        client->lines > SMTP_REPLY_LINES_MAXIMUM)
        return give_up(client, "the server's answer makes no sense", output);
    client->code = code;
    if (client->state == EHLO && code / 100 == 2 && !first)
        take_extension(client, text);
    if (!last)
        return SMTP_MORE;
    client->lines = 0;
    return take_reply(client, text, output);
}

/* What there is to do without input. */
static enum smtp_action standing(const struct smtp_client *client)
{
    return client->state == CLOSED      ? SMTP_END
           : client->state == READY     ? SMTP_READY
           : client->state == HANDSHAKE ? SMTP_STARTTLS
           : client->state == BODY      ? SMTP_DATA
                                        : SMTP_MORE;
}

/* One line of input, or a part of it. */
static enum smtp_action consume_line(struct smtp_client *client, struct slice *input,
                                     struct buffer *output)
{
    size_t end = slice_find(*input, '\n');
    buffer_append(&client->line, slice_sub(*input, 0, end));
    bool whole = end < input->size;
    *input = slice_sub(*input, end + 1, SIZE_MAX);
    struct slice line = buffer_slice(&client->line);
    if (buffer_error(&client->line))
        return fail(client, SMTP_DEFERRED, SLICE("the server's answer is too long"), output);
    if (!whole)
        return standing(client);
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    enum smtp_action action = take_line(client, line, output);
    buffer_clear(&client->line);
    /* What stands behind the answer came without TLS, and is nobody's word (RFC 3207 section 6). */
    if (action == SMTP_STARTTLS && input->size)
        action = give_up(client, "the server's answer makes no sense", NULL);
    return action;
}

enum smtp_action smtp_client_consume(struct smtp_client *client, struct slice *input,
                                     struct buffer *output)
{
    size_t before = output->size;
    enum smtp_action action = standing(client);
    while ((action == SMTP_MORE || action == SMTP_READY) && input->size && output->size == before)
        action = consume_line(client, input, output);
    return action;
}

/* --- the message --- */

static void end_line(struct smtp_client *client, struct buffer *output)
{
    buffer_append_string(output, "\r\n");
    client->written = LINE_START;
}

/* A CR waits for what comes behind it: with an LF it is one line end, else one by itself. */
static void write_byte(struct smtp_client *client, char c, struct buffer *output)
{
    if (client->written == LINE_CR && c != '\n')
        end_line(client, output);
    if (c == '\n') {
        end_line(client, output);
    } else if (c == '\r') {
        client->written = LINE_CR;
    } else {
        if (c == '.' && client->written == LINE_START)
            buffer_append_byte(output, '.');
        buffer_append_byte(output, c);
        client->written = LINE_BEGUN;
    }
}

void smtp_client_data(struct smtp_client *client, struct slice bytes, struct buffer *output)
{
    while (bytes.size) {
        write_byte(client, bytes.data[0], output);
        size_t end = 1;
        while (client->written == LINE_BEGUN && end < bytes.size && bytes.data[end] != '\r' &&
               bytes.data[end] != '\n')
            end++;
        buffer_append(output, slice_sub(bytes, 1, end - 1));
        bytes = slice_sub(bytes, end, SIZE_MAX);
    }
}

void smtp_client_data_end(struct smtp_client *client, struct buffer *output)
{
    if (client->written != LINE_START)
        end_line(client, output);
    buffer_append_string(output, ".\r\n");
    client->state = END;
}
