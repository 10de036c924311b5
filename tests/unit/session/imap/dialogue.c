#include "unit/check.h"

#include "base/clock.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "kv/notice_ring.h"
#include "session/imap/sort_priv.h"
#include "store/directory.h"
#include "unit/session/imap/dialogue.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

bool dialogue_bytewise;

/* The engine notes what it serves; here nobody reads it. */
void service_note(struct service *service, const char *text)
{
    (void)service, (void)text;
}

static void open_notices(struct dialogue *dialogue)
{
    int wake[NOTICE_SLOTS];
    for (size_t i = 0; i < NOTICE_SLOTS; i++)
        wake[i] = -1;
    dialogue->memory = notice_ring_create();
    assert_int_equal(notice_ring_attach(dialogue->memory, wake, -1, &dialogue->notices), 0);
    kv_engine_set_notices(dialogue->kv, dialogue->notices);
}

void dialogue_open(struct dialogue *dialogue)
{
    memset(dialogue, 0, sizeof(*dialogue));
    sort_memory_forget_all(); /* it is of another store */
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    dialogue->spool = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    dialogue->config.command_memory = 8 * 1024 * 1024;
    dialogue->config.message_size = 1024 * 1024;
    dialogue->config.idle_timeout = 1800;
    assert_int_equal(kv_memory_create(&dialogue->kv), 0);
    open_notices(dialogue);
    assert_int_equal(blob_memory_create(&dialogue->blob), 0);
    struct store_options options = {.kv = dialogue->kv,
                                    .blob = dialogue->blob,
                                    .open_accounts = 4,
                                    .default_domain = "example.test"};
    assert_int_equal(store_open(&options, &dialogue->store), 0);
    assert_int_equal(store_account_create(dialogue->store, WHO_SYSTEM, SLICE("alice@example.test"),
                                          &dialogue->account),
                     0);
}

void dialogue_close(struct dialogue *dialogue)
{
    for (size_t i = 0; i < DIALOGUE_CLIENTS; i++)
        client_close(&dialogue->clients[i]);
    store_close(&dialogue->store);
    blob_engine_free(&dialogue->blob);
    kv_engine_free(&dialogue->kv);
    notice_ring_detach(&dialogue->notices);
    close(dialogue->memory);
    close(dialogue->spool);
}

static bool take_within_run(struct stream *stream);

struct client *dialogue_stream(struct dialogue *dialogue, const char *tag)
{
    struct client *client = dialogue->clients;
    while (client->open)
        client++;
    assert_true(client < dialogue->clients + DIALOGUE_CLIENTS);
    memset(client, 0, sizeof(*client));
    client->stream = (struct stream){
        .protocol = &imap_protocol,
        .config = &dialogue->config,
        .store = dialogue->store,
        .spool_directory = dialogue->spool,
        .send = take_within_run,
        .account = dialogue->account,
        .user = "alice@example.test",
        .client = "192.0.2.1",
        .tag = tag,
    };
    buffer_init(&client->unread, 64 * 1024 * 1024);
    buffer_init(&client->received, 512 * 1024 * 1024);
    buffer_init(&client->stream.output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    assert_int_equal(imap_protocol.open(&client->stream), 0);
    client->open = true;
    return client;
}

struct client *dialogue_client(struct dialogue *dialogue)
{
    struct client *client = dialogue_stream(dialogue, "L");
    client_send(client, "");
    assert_non_null(strstr(client->received.data, "L OK [CAPABILITY IMAP4rev1 "));
    return client;
}

void client_close(struct client *client)
{
    if (!client->open)
        return;
    imap_protocol.close(&client->stream, "closed");
    assert_null(client->stream.state);
    buffer_release(&client->unread);
    buffer_release(&client->received);
    buffer_release(&client->stream.output);
    client->open = false;
}

/* The size of a word at the text's start behind which something differs each time, or 0. */
static size_t varying_word(struct slice text)
{
    static const char *const words[] = {"UIDVALIDITY ", "APPENDUID ", "COPYUID ", "MAILBOXID (",
                                        "[HIGHESTMODSEQ "};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal(slice_sub(text, 0, strlen(words[i])), slice_from_string(words[i])))
            return strlen(words[i]);
    return 0;
}

/* Copies output to received, with what differs each time replaced. */
static void receive(struct client *client, struct slice text)
{
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        size_t word = strchr("UACM[", text.data[i]) ? varying_word(slice_sub(text, i, 16)) : 0;
        if (!word)
            continue;
        i += word;
        buffer_append(&client->received, slice_sub(text, begin, i - begin));
        buffer_append_byte(&client->received, 'V');
        while (i < text.size && isalnum((unsigned char)text.data[i]))
            i++;
        begin = i;
    }
    buffer_append(&client->received, slice_sub(text, begin, text.size));
}

static void take(struct client *client)
{
    struct buffer *output = &client->stream.output;
    if (output->size > client->widest)
        client->widest = output->size;
    receive(client, buffer_slice(output));
    buffer_clear(output);
}

static bool take_within_run(struct stream *stream)
{
    struct client *client = (struct client *)stream;
    if (!client->takes)
        return false;
    take(client);
    client->sent++;
    return true;
}

static void run_once(struct client *client)
{
    struct stream *stream = &client->stream;
    struct slice given = buffer_slice(&client->unread);
    uint64_t start = clock_monotonic_us();
    stream->input = given;
    client->need = imap_protocol.run(stream);
    client->time += clock_monotonic_us() - start;
    stream->noticed = false;
    buffer_consume(&client->unread, given.size - stream->input.size);
    take(client);
    client->runs++;
}

/* Runs as the worker does, until the session wants something that is not there. */
static void run(struct client *client)
{
    do
        run_once(client);
    while (client->need == STREAM_NEED_OUTPUT);
    if (client->need != STREAM_NEED_CLOSE)
        assert_int_equal(client->unread.size, 0);
}

static void begin(struct client *client)
{
    buffer_clear(&client->received);
    buffer_append(&client->received, SLICE(""));
    client->runs = client->widest = client->sent = 0;
    client->time = 0;
}

const char *client_send_bytes(struct client *client, struct slice bytes)
{
    begin(client);
    size_t step = dialogue_bytewise ? 1 : bytes.size;
    if (bytes.size == 0)
        run(client);
    for (size_t i = 0; i < bytes.size; i += step) {
        buffer_append(&client->unread, slice_sub(bytes, i, step));
        run(client);
        if (client->need == STREAM_NEED_CLOSE)
            break;
    }
    return client->received.data ? client->received.data : "";
}

const char *client_send(struct client *client, const char *text)
{
    return client_send_bytes(client, slice_from_string(text));
}

const char *client_run_once(struct client *client, const char *text)
{
    begin(client);
    buffer_append(&client->unread, slice_from_string(text));
    run_once(client);
    return client->received.data ? client->received.data : "";
}

const char *client_notice(struct client *client)
{
    begin(client);
    client->stream.noticed = true;
    run(client);
    return client->received.data ? client->received.data : "";
}

void check_at(struct client *client, const char *text, const char *expected, const char *file,
              int line)
{
    const char *received = client_send(client, text);
    if (strcmp(received, expected) == 0)
        return;
    print_error("--- sent\n%s--- expected\n%s--- received\n%s", text, expected, received);
    _fail(file, line);
}

void check_has_at(struct client *client, const char *text, const char *expected, const char *file,
                  int line)
{
    const char *received = client_send(client, text);
    if (strstr(received, expected))
        return;
    print_error("--- sent\n%s--- expected within\n%s--- received\n%s", text, expected, received);
    _fail(file, line);
}

uint64_t dice_state = 1;

unsigned dice(unsigned sides)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (unsigned)((dice_state * 0x2545f4914f6cdd1dULL) >> 33) % sides;
}

void dialogue_append(struct dialogue *dialogue, const char *mailbox, const char *flags,
                     const char *message)
{
    struct client *client = dialogue_client(dialogue);
    struct buffer command;
    buffer_init(&command, 4 * 1024 * 1024);
    buffer_append_format(&command,
                         "x APPEND %s %s%s\"01-Feb-2024 10:20:30 +0000\" {%zu+}\r\n%s\r\n", mailbox,
                         flags, flags[0] ? " " : "", strlen(message), message);
    const char *received = client_send_bytes(client, buffer_slice(&command));
    if (!strstr(received, "x OK [APPENDUID "))
        print_error("%s\n", received ? received : "");
    assert_non_null(strstr(received, "x OK [APPENDUID "));
    buffer_release(&command);
    client_close(client);
}
