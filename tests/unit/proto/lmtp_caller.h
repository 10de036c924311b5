/*
 * A caller of the LMTP engine that writes down what happens: replies as they are, recipients in
 * brackets, messages in braces; one that is given up has no second brace. Shared by unit tests and
 * the fuzzer.
 *
 * It knows every recipient but those whose address begins with "unknown", "full", "bad", "many",
 * "busy", "damaged" or "no"; delivery fails by the recipient's address too, when it says so.
 */
#ifndef TESTS_UNIT_PROTO_LMTP_CALLER_H
#define TESTS_UNIT_PROTO_LMTP_CALLER_H

#include "base/error.h"
#include "proto/lmtp/engine.h"

struct lmtp_caller {
    struct lmtp lmtp;
    struct buffer output; /* what the client has not been sent yet */
    struct buffer log;
    struct buffer messages; /* their bytes alone, a NUL behind each */
    int delivery_error;
    bool in_message;
};

static inline void lmtp_caller_init(struct lmtp_caller *caller, uint64_t message, size_t recipients)
{
    struct lmtp_limits limits = {.message = message, .recipients = recipients};
    *caller = (struct lmtp_caller){0};
    lmtp_init(&caller->lmtp, "mx.example.test", &limits);
    buffer_init(&caller->output, 16 * 1024);
    buffer_init(&caller->log, 64 * 1024 * 1024);
    buffer_init(&caller->messages, 64 * 1024 * 1024);
}

static inline void lmtp_caller_release(struct lmtp_caller *caller)
{
    lmtp_release(&caller->lmtp);
    buffer_release(&caller->output);
    buffer_release(&caller->log);
    buffer_release(&caller->messages);
}

static inline int lmtp_caller_decide(struct slice address)
{
    static const struct {
        const char *prefix;
        int error;
    } rows[] = {
        {"unknown", ERROR_NOT_FOUND}, {"full", ERROR_QUOTA}, {"bad", ERROR_SYNTAX},
        {"many", ERROR_LIMIT},        {"busy", ERROR_BUSY},  {"no", ERROR_DENIED},
        {"damaged", ERROR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (slice_starts_with(address, slice_from_string(rows[i].prefix)))
            return rows[i].error;
    return 0;
}

static inline void lmtp_caller_send(struct lmtp_caller *caller)
{
    buffer_append(&caller->log, buffer_slice(&caller->output));
    buffer_clear(&caller->output);
}

static inline void lmtp_caller_deliver(struct lmtp_caller *caller)
{
    lmtp_caller_send(caller);
    buffer_append_string(&caller->log, caller->in_message ? "}\n" : "{}\n");
    buffer_append_byte(&caller->messages, '\0');
    caller->in_message = false;
    for (size_t left = caller->lmtp.accepted; left > 0; left--)
        lmtp_delivered(&caller->lmtp, caller->delivery_error, &caller->output);
}

static inline void lmtp_caller_recipient(struct lmtp_caller *caller)
{
    lmtp_caller_send(caller);
    buffer_append_string(&caller->log, "[");
    buffer_append(&caller->log, buffer_slice(&caller->lmtp.sender));
    buffer_append_string(&caller->log, " -> ");
    buffer_append(&caller->log, buffer_slice(&caller->lmtp.address));
    buffer_append_string(&caller->log, "]\n");
    lmtp_recipient_reply(&caller->lmtp, lmtp_caller_decide(buffer_slice(&caller->lmtp.address)),
                         &caller->output);
}

static inline void lmtp_caller_data(struct lmtp_caller *caller)
{
    lmtp_caller_send(caller);
    if (!caller->in_message)
        buffer_append_byte(&caller->log, '{');
    caller->in_message = true;
    buffer_append(&caller->log, caller->lmtp.data);
    buffer_append(&caller->messages, caller->lmtp.data);
}

static inline void lmtp_caller_reset(struct lmtp_caller *caller)
{
    buffer_append_byte(&caller->messages, '\0');
    caller->in_message = false;
    lmtp_caller_send(caller);
}

/* False when the session has ended. */
static inline bool lmtp_caller_feed(struct lmtp_caller *caller, struct slice input)
{
    for (;;) {
        enum lmtp_action action = lmtp_consume(&caller->lmtp, &input, &caller->output);
        if (action == LMTP_RECIPIENT)
            lmtp_caller_recipient(caller);
        else if (action == LMTP_DATA)
            lmtp_caller_data(caller);
        else if (action == LMTP_DELIVER)
            lmtp_caller_deliver(caller);
        else if (action == LMTP_RESET)
            lmtp_caller_reset(caller);
        else
            lmtp_caller_send(caller);
        if (action == LMTP_CLOSE)
            return false;
        if (action == LMTP_MORE && input.size == 0)
            return true;
    }
}

static inline void lmtp_caller_run(struct lmtp_caller *caller, struct slice input, size_t piece)
{
    while (input.size) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        if (!lmtp_caller_feed(caller, part))
            break;
    }
    lmtp_caller_send(caller);
}

#endif
