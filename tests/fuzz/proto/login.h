/*
 * An engine before login with a caller that answers what it asks, whole and byte by byte. The first
 * byte chooses the options.
 */
#ifndef TESTS_FUZZ_PROTO_LOGIN_H
#define TESTS_FUZZ_PROTO_LOGIN_H

#include "../../unit/proto/login_caller.h"

#include <stdlib.h>

/* The engine of the fuzzer that includes this; what it has granted. */
static void set_up(struct login_caller *caller, const struct login_options *options, bool tls);
static void check_granted(const struct login_caller *caller);

static void run(uint8_t options_byte, struct slice input, size_t piece, struct login_caller *caller)
{
    const struct login_options options = {
        .hostname = "mail.example.test",
        .tls_available = options_byte & 1,
        .plaintext_allowed = options_byte & 2,
        .mechanisms = options_byte & 4 ? "PLAIN" : "SCRAM-SHA-256 PLAIN",
        .message = 1000,
        .trusted = options_byte & 16,
    };
    login_caller_init(caller);
    caller->external_error = options_byte & 32 ? ERROR_DENIED : options_byte & 64 ? ERROR_BUSY : 0;
    set_up(caller, &options, options_byte & 8);
    login_engine_greet(&caller->login.engine, &caller->output);
    login_caller_send(caller);
    login_caller_run(caller, input, piece);
    if (buffer_error(&caller->output) || buffer_error(&caller->log))
        abort();
    if (caller->granted)
        check_granted(caller);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    struct login_caller whole, bytes;
    run(data[0], input, SIZE_MAX, &whole);
    run(data[0], input, 1, &bytes);
    /* STARTTLS drops what came with it: that depends on how it came. */
    bool tls = memmem(whole.log.data, whole.log.size, "[tls]", 5);
    if (!tls && (!slice_equal(buffer_slice(&whole.log), buffer_slice(&bytes.log)) ||
                 !slice_equal(buffer_slice(&whole.rest), buffer_slice(&bytes.rest))))
        abort();
    login_caller_release(&whole);
    login_caller_release(&bytes);
    return 0;
}

#endif
