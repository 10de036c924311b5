/*
 * A session after login over a store in memory, run as the worker would. The fuzzer that includes
 * this says what its client does: converse().
 */
#ifndef TESTS_FUZZ_SESSION_SESSION_H
#define TESTS_FUZZ_SESSION_SESSION_H

#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "session/stream.h"
#include "store/directory.h"
#include "store/message.h"

#include <fcntl.h>
#include <stdlib.h>

enum { RUNS_MAXIMUM = 100000 };

struct service;
void service_note(struct service *service, const char *text);

void service_note(struct service *service, const char *text)
{
    (void)service, (void)text;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct config config = {
    .command_memory = 256 * 1024, .message_size = 65536, .idle_timeout = 1800, .pop3_timeout = 600};

static void fill(struct store *store, struct account_id account)
{
    static const struct slice message =
        SLICE("From: A <a@example.org>\r\nSubject: =?utf-8?q?x=C3=A9?=\r\nMIME-Version: 1.0\r\n"
              "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
              "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\n");
    static const struct slice international =
        SLICE("From: \xc3\xa9 <\xc3\xa9@example.org>\r\nSubject: \xc3\xa9\r\nX-\xc3\xa9: x\r\n"
              "Content-Type: message/rfc822; name=\xc3\xa9\r\n\r\nTo: \xc3\xa9@x\r\n\r\ninner\r\n");
    struct store_view *view;
    struct prepared_message *prepared;
    struct collection inbox;
    struct arena arena;
    struct append_result result;
    arena_init(&arena, 65536);
    require(store_view_open(store, who_account(account), account, &view) == 0);
    require(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox) == 0);
    require(prepared_message_create(message, &prepared) == 0);
    struct append append = {.message = prepared, .internal_date = 1700000000};
    for (int i = 0; i < 5; i++)
        require(mailbox_append(view, inbox.id, &append, &result) == 0);
    prepared_message_free(&prepared);
    require(prepared_message_create(international, &append.message) == 0);
    require(mailbox_append(view, inbox.id, &append, &result) == 0);
    prepared_message_free(&append.message);
    store_view_close(&view);
    arena_release(&arena);
}

static void open_stream(struct stream *stream, const struct stream_protocol *protocol,
                        const char *tag, struct store *store, struct account_id account)
{
    *stream = (struct stream){.protocol = protocol,
                              .config = &config,
                              .store = store,
                              .spool_directory = -1,
                              .account = account,
                              .user = "alice@example.test",
                              .client = "192.0.2.1",
                              .tag = tag};
    buffer_init(&stream->output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    require(protocol->open(stream) == 0);
}

/* Until the session waits for what is not there. */
static enum stream_need run(struct stream *stream, struct slice input)
{
    stream->input = input;
    enum stream_need need;
    size_t runs = 0;
    do {
        need = stream->protocol->run(stream);
        stream->noticed = false;
        buffer_clear(&stream->output);
        require(++runs < RUNS_MAXIMUM);
    } while (need == STREAM_NEED_OUTPUT);
    require(need == STREAM_NEED_CLOSE || stream->input.size == 0);
    return need;
}

static void close_stream(struct stream *stream)
{
    stream->protocol->close(stream, "closed");
    buffer_release(&stream->output);
}

/* The account has five messages in INBOX; input is what the fuzzer made. */
static void converse(struct store *store, struct account_id account, struct slice input);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct account_id account;
    log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    require(kv_memory_create(&kv) == 0);
    require(blob_memory_create(&blob) == 0);
    struct store_options options = {
        .kv = kv, .blob = blob, .open_accounts = 1, .default_domain = "example.test"};
    require(store_open(&options, &store) == 0);
    require(store_account_create(store, WHO_SYSTEM, SLICE("alice@example.test"), &account) == 0);
    fill(store, account);
    converse(store, account, slice_make(data, size));
    store_close(&store);
    blob_engine_free(&blob);
    kv_engine_free(&kv);
    return 0;
}

#endif
