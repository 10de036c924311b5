/*
 * A caller of an engine before login that writes down what happens: what the client is sent as
 * it is, what the engine asks for in brackets. Shared by unit tests and the fuzzer.
 *
 * A PLAIN response is granted for the user "alice", refused for others, and met with ERROR_BUSY
 * for "busy". EXTERNAL comes to external_error. Any other mechanism is given two challenges before
 * it is refused.
 */
#ifndef TESTS_UNIT_PROTO_LOGIN_CALLER_H
#define TESTS_UNIT_PROTO_LOGIN_CALLER_H

#include "base/error.h"
#include "proto/imap/login.h"
#include "proto/lmtp/login.h"
#include "proto/managesieve/login.h"
#include "proto/pop3/login.h"
#include "proto/sasl/plain.h"

struct login_caller {
    union {
        struct login_engine engine;
        struct imap_login imap;
        struct lmtp_login lmtp;
        struct managesieve_login managesieve;
        struct pop3_login pop3;
    } login;
    struct buffer output;
    struct buffer log;
    struct buffer rest; /* the input that the session would get */
    int challenges;
    int external_error; /* 0: granted */
    bool granted;
};

/* The engine is the test's to set up. */
static inline void login_caller_init(struct login_caller *caller)
{
    *caller = (struct login_caller){0};
    buffer_init(&caller->output, IMAP_LOGIN_OUTPUT_MAXIMUM);
    buffer_init(&caller->log, 64 * 1024 * 1024);
    buffer_init(&caller->rest, 64 * 1024 * 1024);
}

static inline void login_caller_release(struct login_caller *caller)
{
    login_engine_release(&caller->login.engine);
    buffer_release(&caller->output);
    buffer_release(&caller->log);
    buffer_release(&caller->rest);
}

static inline void login_caller_send(struct login_caller *caller)
{
    buffer_append(&caller->log, buffer_slice(&caller->output));
    buffer_clear(&caller->output);
}

static inline void login_caller_answer(struct login_caller *caller)
{
    struct login_engine *engine = &caller->login.engine;
    struct sasl_plain plain = {0};
    if (strcmp(engine->exchange.mechanism, "EXTERNAL") == 0) {
        caller->granted = !caller->external_error;
        if (caller->external_error)
            login_engine_refused(engine, caller->external_error, &caller->output);
        return;
    }
    if (strcmp(engine->exchange.mechanism, "PLAIN") != 0) {
        if (engine->exchange.first_response)
            caller->challenges = 0;
        if (caller->challenges++ < 2)
            login_engine_challenge(engine, SLICE("abc"), &caller->output);
        else
            login_engine_refused(engine, ERROR_DENIED, &caller->output);
        return;
    }
    int error = sasl_plain_parse(buffer_slice(&engine->exchange.response), &plain);
    bool busy = !error && slice_equal(plain.authentication, SLICE("busy"));
    caller->granted = !error && slice_equal(plain.authentication, SLICE("alice"));
    if (!caller->granted)
        login_engine_refused(engine, busy ? ERROR_BUSY : ERROR_DENIED, &caller->output);
}

/* "[TAG PLAIN first |alice|password]" */
static inline void login_caller_authenticate(struct login_caller *caller)
{
    const struct login_exchange *exchange = &caller->login.engine.exchange;
    buffer_append_format(&caller->log, "[%.*s %s%s%s ", SLICE_FORMAT(buffer_slice(&exchange->tag)),
                         exchange->mechanism, exchange->first_response ? " first" : "",
                         exchange->has_response ? "" : " none");
    for (size_t i = 0; i < exchange->response.size; i++) {
        char byte = exchange->response.data[i];
        buffer_append_byte(&caller->log, byte ? byte : '|');
    }
    buffer_append_string(&caller->log, "]\n");
    login_caller_answer(caller);
}

/* False when the stream is closed or handed over. */
static inline bool login_caller_feed(struct login_caller *caller, struct slice input)
{
    for (;;) {
        enum login_action action =
            login_engine_consume(&caller->login.engine, &input, &caller->output);
        login_caller_send(caller);
        if (action == LOGIN_CLOSE)
            return false;
        if (action == LOGIN_AUTHENTICATE)
            login_caller_authenticate(caller);
        if (action == LOGIN_STARTTLS) {
            buffer_append_string(&caller->log, "[tls]\n");
            login_engine_tls_started(&caller->login.engine, &caller->output);
        }
        login_caller_send(caller);
        if (caller->granted) {
            buffer_append(&caller->rest, input);
            return false;
        }
        if ((action == LOGIN_MORE || action == LOGIN_STARTTLS) && input.size == 0)
            return true;
    }
}

static inline void login_caller_run(struct login_caller *caller, struct slice input, size_t piece)
{
    bool open = true;
    while (input.size && open) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        open = login_caller_feed(caller, part);
    }
    if (caller->granted)
        buffer_append(&caller->rest, input);
}

#endif
