/*
 * LMTP over a store in memory; the test is the worker.
 */
#ifndef TESTS_UNIT_SESSION_LMTP_FIXTURE_H
#define TESTS_UNIT_SESSION_LMTP_FIXTURE_H

#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "session/lmtp/lmtp_priv.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIXTURE_ACCOUNTS = 10 };

struct fixture {
    struct config config;
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct account_id accounts[FIXTURE_ACCOUNTS]; /* of the test's making */
    struct stream stream;
    enum stream_need need;
    struct buffer replies; /* what the client was sent */
};

/* The test may say how the store is opened: engines and domain are set here. */
static inline int fixture_set_up(struct store_options options, void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    static char hostname[] = "mail.example.test";
    f->config = (struct config){.hostname = hostname,
                                .message_size = 32 * 1024 * 1024,
                                .lmtp_recipients = 100,
                                .lmtp_pending = 1024 * 1024 * 1024,
                                .lmtp_timeout = 300};
    assert_int_equal(kv_memory_create(&f->kv), 0);
    assert_int_equal(blob_memory_create(&f->blob), 0);
    options.kv = f->kv;
    options.blob = f->blob;
    options.open_accounts = 2 * FIXTURE_ACCOUNTS;
    options.default_domain = "example.test";
    assert_int_equal(store_open(&options, &f->store), 0);
    f->stream = (struct stream){.protocol = &lmtp_protocol,
                                .config = &f->config,
                                .store = f->store,
                                .client = "unix",
                                .spool_directory = open("/tmp", O_RDONLY | O_DIRECTORY)};
    buffer_init(&f->stream.output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    buffer_init(&f->replies, 1024 * 1024);
    *state = f;
    return 0;
}

static inline void fixture_add_account(struct fixture *f, size_t index, const char *name)
{
    assert_int_equal(
        store_account_create(f->store, WHO_SYSTEM, slice_from_string(name), &f->accounts[index]),
        0);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    lmtp_protocol.close(&f->stream, "logout");
    buffer_release(&f->stream.output);
    buffer_release(&f->replies);
    close(f->stream.spool_directory);
    store_close(&f->store);
    blob_engine_free(&f->blob);
    kv_engine_free(&f->kv);
    free(f);
    return 0;
}

/* Until it needs more than its output written. */
static inline void run(struct fixture *f)
{
    do {
        f->need = lmtp_protocol.run(&f->stream);
        buffer_append(&f->replies, buffer_slice(&f->stream.output));
        buffer_clear(&f->stream.output);
    } while (f->need == STREAM_NEED_OUTPUT);
}

#endif
