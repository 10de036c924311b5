/*
 * A caller of POP3's engine before login that writes down what happens: what the client is sent as
 * it is, what the engine asks for in brackets. Shared by unit tests and the fuzzer.
 *
 * A PLAIN response is granted for the user "alice", refused for others, and met with ERROR_BUSY
 * for "busy". Any other mechanism is given one challenge before it is refused.
 */
#ifndef TESTS_UNIT_PROTO_POP3_LOGIN_CALLER_H
#define TESTS_UNIT_PROTO_POP3_LOGIN_CALLER_H

#include "base/error.h"
#include "proto/pop3/login.h"
#include "proto/sasl/plain.h"

struct pop3_login_caller {
    struct pop3_login login;
    struct buffer output;
    struct buffer log;
    struct buffer rest; /* the input that the session would get */
    bool granted;
};

static inline void pop3_login_caller_init(struct pop3_login_caller *caller,
                                          const struct login_options *options, bool tls)
{
    *caller = (struct pop3_login_caller){0};
    pop3_login_init(&caller->login, options, tls);
    buffer_init(&caller->output, POP3_LOGIN_OUTPUT_MAXIMUM);
    buffer_init(&caller->log, 64 * 1024 * 1024);
    buffer_init(&caller->rest, 64 * 1024 * 1024);
}

static inline void pop3_login_caller_release(struct pop3_login_caller *caller)
{
    pop3_login_release(&caller->login);
    buffer_release(&caller->output);
    buffer_release(&caller->log);
    buffer_release(&caller->rest);
}

static inline void pop3_login_caller_send(struct pop3_login_caller *caller)
{
    buffer_append(&caller->log, buffer_slice(&caller->output));
    buffer_clear(&caller->output);
}

static inline void pop3_login_caller_answer(struct pop3_login_caller *caller)
{
    struct pop3_login *login = &caller->login;
    struct sasl_plain plain = {0};
    if (strcmp(login->exchange.mechanism, "PLAIN") != 0) {
        if (login->exchange.first_response)
            pop3_login_challenge(login, SLICE("abc"), &caller->output);
        else
            pop3_login_refused(login, ERROR_DENIED, &caller->output);
        return;
    }
    int error = sasl_plain_parse(buffer_slice(&login->exchange.response), &plain);
    bool busy = !error && slice_equal(plain.authentication, SLICE("busy"));
    caller->granted = !error && slice_equal(plain.authentication, SLICE("alice"));
    if (!caller->granted)
        pop3_login_refused(login, busy ? ERROR_BUSY : ERROR_DENIED, &caller->output);
}

/* "[TAG PLAIN first |alice|password]" */
static inline void pop3_login_caller_authenticate(struct pop3_login_caller *caller)
{
    const struct login_exchange *exchange = &caller->login.exchange;
    buffer_append_format(&caller->log, "[%.*s %s%s%s ", SLICE_FORMAT(buffer_slice(&exchange->tag)),
                         exchange->mechanism, exchange->first_response ? " first" : "",
                         exchange->has_response ? "" : " none");
    for (size_t i = 0; i < exchange->response.size; i++) {
        char byte = exchange->response.data[i];
        buffer_append_byte(&caller->log, byte ? byte : '|');
    }
    buffer_append_string(&caller->log, "]\n");
    pop3_login_caller_answer(caller);
}

/* False when the stream is closed or handed over. */
static inline bool pop3_login_caller_feed(struct pop3_login_caller *caller, struct slice input)
{
    for (;;) {
        enum login_action action = pop3_login_consume(&caller->login, &input, &caller->output);
        pop3_login_caller_send(caller);
        if (action == LOGIN_CLOSE)
            return false;
        if (action == LOGIN_AUTHENTICATE)
            pop3_login_caller_authenticate(caller);
        if (action == LOGIN_STARTTLS) {
            buffer_append_string(&caller->log, "[tls]\n");
            pop3_login_tls_started(&caller->login);
        }
        pop3_login_caller_send(caller);
        if (caller->granted) {
            buffer_append(&caller->rest, input);
            return false;
        }
        if ((action == LOGIN_MORE || action == LOGIN_STARTTLS) && input.size == 0)
            return true;
    }
}

static inline void pop3_login_caller_run(struct pop3_login_caller *caller, struct slice input,
                                         size_t piece)
{
    bool open = true;
    while (input.size && open) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        open = pop3_login_caller_feed(caller, part);
    }
    if (caller->granted)
        buffer_append(&caller->rest, input);
}

#endif
