/*
 * What a server may answer to SMTP's client, line by line and byte by byte: the client says the
 * same, and everybody has a result. And any bytes as a message: it ends once, at its end.
 *
 * Input: options (u8), answers.
 */
#include "proto/smtp/client.h"

#include <stdlib.h>

enum { OPTION_TLS = 3, OPTION_AUTH = 4, OPTION_LOCAL = 8, OPTION_LONG = 16, OPTION_EIGHT_BIT = 32 };

enum { MAILS = 3 };

struct run {
    struct smtp_client client;
    struct smtp_server server;
    struct smtp_mail mail;
    size_t mails; /* that have results */
    bool ended;
    struct buffer log;
};

static const struct slice recipients[] = {{"a@b.test", 8}, {"c@d.test", 8}};

static void set_up(struct run *run, unsigned options)
{
    static char password[SMTP_PASSWORD_MAXIMUM];
    memset(password, 'p', sizeof(password));
    run->server = (struct smtp_server){
        .hostname = "here.test",
        .tls = (enum smtp_tls)((options & OPTION_TLS) % 3),
        .user = slice_make("me", options & OPTION_AUTH ? 2 : 0),
        .password = slice_make(password, options & OPTION_LONG ? sizeof(password) : 9),
        .local = options & OPTION_LOCAL,
    };
    run->mail = (struct smtp_mail){.recipients = recipients,
                                   .recipient_count = 2,
                                   .size = 5,
                                   .eight_bit = options & OPTION_EIGHT_BIT,
                                   .by = SLICE("120;R"),
                                   .notify = SMTP_NOTIFY_FAILURE};
    buffer_init(&run->log, 1024 * 1024);
    if (smtp_client_init(&run->client, &run->server))
        abort();
}

static void note(struct run *run, const struct smtp_result *result)
{
    if (result->outcome > SMTP_REFUSED || strlen(result->text) >= SMTP_RESULT_MAXIMUM)
        abort();
    buffer_append_format(&run->log, "%d %d %s\n", result->outcome, result->code, result->text);
}

static void note_results(struct run *run)
{
    run->mails++;
    if (run->client.mail)
        abort();
    for (size_t i = 0; i < 2; i++)
        note(run, &run->client.results[i]);
}

static void react(struct run *run, enum smtp_action action)
{
    struct smtp_client *client = &run->client;
    if (action == SMTP_STARTTLS) {
        smtp_client_secured(client, &run->log);
    } else if (action == SMTP_READY && run->mails == MAILS) {
        smtp_client_quit(client, &run->log);
    } else if (action == SMTP_READY) {
        if (smtp_client_begin(client, &run->mail, &run->log) == SMTP_DONE)
            note_results(run);
    } else if (action == SMTP_DATA) {
        smtp_client_data(client, SLICE(".x\r\n"), &run->log);
        smtp_client_data_end(client, &run->log);
    } else if (action == SMTP_DONE) {
        note_results(run);
    } else if (action == SMTP_END) {
        run->ended = true;
        note(run, &client->failure);
    }
}

static struct slice next_part(struct slice input, size_t piece)
{
    return slice_sub(input, 0, piece ? piece : slice_find(input, '\n') + 1);
}

/* piece 0: a line. */
static void answer(struct run *run, struct slice input, size_t piece)
{
    while (input.size && !run->ended) {
        struct slice part = next_part(input, piece);
        enum smtp_action action;
        input = slice_sub(input, part.size, SIZE_MAX);
        do {
            action = smtp_client_consume(&run->client, &part, &run->log);
            react(run, action);
        } while (!run->ended && (action != SMTP_MORE || part.size));
    }
    bool under_way = run->client.mail;
    smtp_client_closed(&run->client, "closed");
    if (under_way)
        note_results(run);
    note(run, &run->client.failure);
    if (buffer_error(&run->log))
        abort();
    smtp_client_release(&run->client);
}

/* --- any message --- */

static void write_message(struct run *run, struct slice bytes, size_t piece)
{
    static const char *const replies[] = {
        "220\n", "250-a\n250 8BITMIME\n", "250\n", "250\n", "250\n", "354\n"};
    enum smtp_action action = SMTP_MORE;
    for (size_t i = 0; i < 6; i++) {
        struct slice input = slice_from_string(replies[i]);
        action = smtp_client_consume(&run->client, &input, &run->log);
        if (action == SMTP_READY)
            smtp_client_begin(&run->client, &run->mail, &run->log);
    }
    if (action != SMTP_DATA)
        abort();
    buffer_clear(&run->log);
    buffer_append_string(&run->log, "\r\n"); /* the command's own line end */
    for (; bytes.size; bytes = slice_sub(bytes, piece, SIZE_MAX))
        smtp_client_data(&run->client, slice_sub(bytes, 0, piece), &run->log);
    smtp_client_data_end(&run->client, &run->log);
    smtp_client_release(&run->client);
}

static void check_message(const struct buffer *text)
{
    static const char end[] = "\r\n.\r\n";
    for (size_t i = 0; i < text->size; i++) {
        bool cr = i > 0 && text->data[i - 1] == '\r';
        if ((text->data[i] == '\n') != cr)
            abort();
    }
    const char *first = memmem(text->data, text->size, end, sizeof(end) - 1);
    if (!first || first + sizeof(end) - 1 != text->data + text->size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {0, 1, SIZE_MAX};
    static struct run runs[3];
    if (!size || size > 64 * 1024)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    for (size_t i = 0; i < 3; i++) {
        runs[i] = (struct run){.mails = 0};
        set_up(&runs[i], data[0]);
        answer(&runs[i], input, pieces[i]);
    }
    /* The third one sees what the server says too early. */
    if (!slice_equal(buffer_slice(&runs[0].log), buffer_slice(&runs[1].log)))
        abort();
    for (size_t i = 0; i < 3; i++)
        buffer_release(&runs[i].log);
    for (size_t i = 1; i < 3; i++) {
        set_up(&runs[i], 0);
        write_message(&runs[i], input, pieces[i]);
        check_message(&runs[i].log);
    }
    if (!slice_equal(buffer_slice(&runs[1].log), buffer_slice(&runs[2].log)))
        abort();
    buffer_release(&runs[1].log);
    buffer_release(&runs[2].log);
    return 0;
}
