#include "proto/smtp/client.h"
#include "base/error.h"

#include <stdio.h>

/*
 *     GREETING --> EHLO --> MAIL --> RCPT, one after the other --> DATA --> BODY --> END --> DONE
 *                    └--5yz--> HELO ──┘                 └--none accepted--> DONE
 */
enum state { GREETING, EHLO, HELO, MAIL, RCPT, DATA, BODY, END, DONE };

enum extension {
    EXTENSION_SIZE = 1,
    EXTENSION_8BITMIME = 2,
    EXTENSION_SMTPUTF8 = 4,
    EXTENSION_DSN = 8,
};

enum { LINE_BEGUN, LINE_START, LINE_CR }; /* where the message as it is written is */

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

int smtp_client_init(struct smtp_client *client, const struct smtp_mail *mail)
{
    if (!mail->recipient_count || mail->recipient_count > SMTP_RECIPIENTS_MAXIMUM ||
        !is_address(mail->sender))
        return ERROR_INVALID;
    for (size_t i = 0; i < mail->recipient_count; i++)
        if (!mail->recipients[i].size || !is_address(mail->recipients[i]))
            return ERROR_INVALID;
    *client = (struct smtp_client){.mail = mail, .state = GREETING};
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

static void set_result(struct smtp_client *client, size_t index, enum smtp_outcome outcome,
                       struct slice text)
{
    struct smtp_result *result = &client->results[index];
    result->outcome = outcome;
    result->code = client->code;
    set_text(result, text);
}

/* Of all that have not been refused one by one. */
static enum smtp_action finish(struct smtp_client *client, enum smtp_outcome outcome,
                               struct slice text, struct buffer *output)
{
    for (size_t i = 0; i < client->mail->recipient_count; i++)
        if (i >= client->recipient || client->results[i].outcome == SMTP_SENT)
            set_result(client, i, outcome, text);
    client->state = DONE;
    if (output)
        buffer_append_string(output, "QUIT\r\n");
    return SMTP_DONE;
}

static enum smtp_outcome outcome_of(int code)
{
    return code >= 500 ? SMTP_REFUSED : SMTP_DEFERRED;
}

void smtp_client_closed(struct smtp_client *client, const char *why)
{
    if (client->state == DONE)
        return;
    client->code = 0;
    finish(client, SMTP_DEFERRED, slice_from_string(why), NULL);
}

/* --- replies --- */

/* A line of EHLO's answer (section 4.1.1.1). */
static void take_extension(struct smtp_client *client, struct slice text)
{
    static const struct {
        const char *name;
        unsigned extension;
    } names[] = {{"SIZE", EXTENSION_SIZE},
                 {"8BITMIME", EXTENSION_8BITMIME},
                 {"SMTPUTF8", EXTENSION_SMTPUTF8},
                 {"DSN", EXTENSION_DSN}};
    size_t space = slice_find(text, ' ');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal_nocase(slice_sub(text, 0, space), slice_from_string(names[i].name)))
            client->offered |= names[i].extension;
    struct slice number = slice_sub(text, space + 1, SIZE_MAX);
    if (!slice_equal_nocase(slice_sub(text, 0, space), SLICE("SIZE")) || number.size > 18)
        return;
    uint64_t limit = 0;
    for (size_t i = 0; i < number.size && number.data[i] >= '0' && number.data[i] <= '9'; i++)
        limit = limit * 10 + (uint64_t)(number.data[i] - '0');
    client->size_limit = limit;
}

/* What the message needs, and the server lacks: NULL for nothing. */
static const char *missing(const struct smtp_client *client)
{
    if (needs_utf8(client->mail) && !(client->offered & EXTENSION_SMTPUTF8))
        return "the server does not take SMTPUTF8";
    if (client->mail->eight_bit && !(client->offered & EXTENSION_8BITMIME))
        return "the server does not take 8BITMIME";
    if (client->size_limit && client->mail->size > client->size_limit)
        return "the message is larger than the server takes";
    return NULL;
}

static enum smtp_action begin_mail(struct smtp_client *client, struct buffer *output)
{
    const char *why = missing(client);
    if (why) {
        client->code = 0;
        return finish(client, SMTP_REFUSED, slice_from_string(why), output);
    }
    client->state = MAIL;
    say_mail(client, output);
    return SMTP_MORE;
}

static enum smtp_action next_recipient(struct smtp_client *client, struct slice text,
                                       struct buffer *output)
{
    bool taken = client->code / 100 == 2;
    set_result(client, client->recipient, taken ? SMTP_SENT : outcome_of(client->code), text);
    client->accepted += taken;
    if (++client->recipient < client->mail->recipient_count) {
        say_rcpt(client, output);
        return SMTP_MORE;
    }
    if (!client->accepted)
        return finish(client, SMTP_DEFERRED, text, output);
    client->state = DATA;
    buffer_append_string(output, "DATA\r\n");
    return SMTP_MORE;
}

static enum smtp_action greet(struct smtp_client *client, enum state state, struct buffer *output)
{
    client->state = state;
    client->offered = 0;
    buffer_append_format(output, "%s %s\r\n", state == EHLO ? "EHLO" : "HELO",
                         client->mail->hostname);
    return SMTP_MORE;
}

/* The reply is whole: client->code, and the text of its last line. */
static enum smtp_action take_reply(struct smtp_client *client, struct slice text,
                                   struct buffer *output)
{
    int kind = client->code / 100;
    if (client->code == 421) /* section 3.8: it goes away */
        return finish(client, SMTP_DEFERRED, text, NULL);
    switch (client->state) {
    case GREETING:
        return kind == 2 ? greet(client, EHLO, output)
                         : finish(client, SMTP_DEFERRED, text, output);
    case EHLO:
        if (kind == 5) /* section 3.2 */
            return greet(client, HELO, output);
        return kind == 2 ? begin_mail(client, output) : finish(client, SMTP_DEFERRED, text, output);
    case HELO:
        return kind == 2 ? begin_mail(client, output) : finish(client, SMTP_DEFERRED, text, output);
    case MAIL:
        if (kind != 2)
            return finish(client, outcome_of(client->code), text, output);
        client->state = RCPT;
        say_rcpt(client, output);
        return SMTP_MORE;
    case RCPT:
        return next_recipient(client, text, output);
    case DATA:
        if (client->code != 354)
            return finish(client, outcome_of(client->code), text, output);
        client->state = BODY;
        client->at_line_start = LINE_START;
        return SMTP_DATA;
    case END:
        return finish(client, kind == 2 ? SMTP_SENT : outcome_of(client->code), text, output);
    default:
        return SMTP_DONE;
    }
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
        client->lines > SMTP_REPLY_LINES_MAXIMUM) {
        client->code = 0;
        return finish(client, SMTP_DEFERRED, SLICE("the server's answer makes no sense"), output);
    }
    client->code = code;
    if (client->state == EHLO && code / 100 == 2 && !first)
        take_extension(client, text);
    if (!last)
        return SMTP_MORE;
    client->lines = 0;
    return take_reply(client, text, output);
}

enum smtp_action smtp_client_consume(struct smtp_client *client, struct slice *input,
                                     struct buffer *output)
{
    size_t before = output->size;
    enum smtp_action action = client->state == DONE ? SMTP_DONE : SMTP_MORE;
    while (action == SMTP_MORE && input->size && output->size == before) {
        size_t end = slice_find(*input, '\n');
        buffer_append(&client->line, slice_sub(*input, 0, end));
        bool whole = end < input->size;
        *input = slice_sub(*input, end + 1, SIZE_MAX);
        struct slice line = buffer_slice(&client->line);
        if (buffer_error(&client->line))
            return finish(client, SMTP_DEFERRED, SLICE("the server's answer is too long"), output);
        if (!whole)
            break;
        if (line.size && line.data[line.size - 1] == '\r')
            line.size--;
        action = take_line(client, line, output);
        buffer_clear(&client->line);
    }
    return action;
}

/* --- the message --- */

void smtp_client_data(struct smtp_client *client, struct slice bytes, struct buffer *output)
{
    size_t from = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        char c = bytes.data[i];
        if (c == '.' && client->at_line_start == LINE_START) {
            buffer_append(output, slice_sub(bytes, from, i - from));
            buffer_append_byte(output, '.');
            from = i;
        }
        client->at_line_start = c == '\r'                                       ? LINE_CR
                                : c == '\n' && client->at_line_start == LINE_CR ? LINE_START
                                                                                : LINE_BEGUN;
    }
    buffer_append(output, slice_sub(bytes, from, SIZE_MAX));
}

void smtp_client_data_end(struct smtp_client *client, struct buffer *output)
{
    buffer_append_string(output, client->at_line_start == LINE_START ? ".\r\n" : "\r\n.\r\n");
    client->state = END;
}
