/*
 * A caller of the engine before login that writes down what happens: what the client is sent as
 * it is, what the engine asks for in brackets. Shared by unit tests and the fuzzer.
 *
 * A PLAIN response is granted for the user "alice", refused for others, and met with ERROR_BUSY
 * for "busy". Any other mechanism is given two challenges before it is refused.
 */
#ifndef TESTS_UNIT_PROTO_IMAP_LOGIN_CALLER_H
#define TESTS_UNIT_PROTO_IMAP_LOGIN_CALLER_H

#include "base/error.h"
#include "proto/imap/login.h"
#include "proto/sasl/plain.h"

struct imap_login_caller {
    struct imap_login login;
    struct buffer output;
    struct buffer log;
    struct buffer rest; /* the input that the session would get */
    int challenges;
    bool granted;
};

static inline void imap_login_caller_init(struct imap_login_caller *caller,
                                          const struct login_options *options, bool tls)
{
    *caller = (struct imap_login_caller){0};
    imap_login_init(&caller->login, options, tls);
    buffer_init(&caller->output, IMAP_LOGIN_OUTPUT_MAXIMUM);
    buffer_init(&caller->log, 64 * 1024 * 1024);
    buffer_init(&caller->rest, 64 * 1024 * 1024);
}

static inline void imap_login_caller_release(struct imap_login_caller *caller)
{
    imap_login_release(&caller->login);
    buffer_release(&caller->output);
    buffer_release(&caller->log);
    buffer_release(&caller->rest);
}

static inline void imap_login_caller_send(struct imap_login_caller *caller)
{
    buffer_append(&caller->log, buffer_slice(&caller->output));
    buffer_clear(&caller->output);
}

static inline void imap_login_caller_answer(struct imap_login_caller *caller)
{
    struct imap_login *login = &caller->login;
    struct sasl_plain plain = {0};
    if (strcmp(login->exchange.mechanism, "PLAIN") != 0) {
        if (login->exchange.first_response)
            caller->challenges = 0;
        if (caller->challenges++ < 2)
            imap_login_challenge(login, SLICE("abc"), &caller->output);
        else
            imap_login_refused(login, ERROR_DENIED, &caller->output);
        return;
    }
    int error = sasl_plain_parse(buffer_slice(&login->exchange.response), &plain);
    caller->granted = error == 0 && slice_equal(plain.authentication, SLICE("alice"));
    if (!caller->granted)
        imap_login_refused(
            login, slice_equal(plain.authentication, SLICE("busy")) ? ERROR_BUSY : ERROR_DENIED,
            &caller->output);
}

static inline void imap_login_caller_authenticate(struct imap_login_caller *caller)
{
    struct imap_login *login = &caller->login;
    buffer_append_format(&caller->log, "[%.*s %s%s%s ",
                         SLICE_FORMAT(buffer_slice(&login->exchange.tag)),
                         login->exchange.mechanism, login->exchange.first_response ? " first" : "",
                         login->exchange.has_response ? "" : " none");
    for (size_t i = 0; i < login->exchange.response.size; i++)
        buffer_append_byte(&caller->log, login->exchange.response.data[i]
                                             ? login->exchange.response.data[i]
                                             : '|');
    buffer_append_string(&caller->log, "]\n");
    imap_login_caller_answer(caller);
}

/* False when the stream is closed or handed over. */
static inline bool imap_login_caller_feed(struct imap_login_caller *caller, struct slice input)
{
    for (;;) {
        enum login_action action = imap_login_consume(&caller->login, &input, &caller->output);
        imap_login_caller_send(caller);
        if (action == LOGIN_CLOSE)
            return false;
        if (action == LOGIN_AUTHENTICATE)
            imap_login_caller_authenticate(caller);
        if (action == LOGIN_STARTTLS) {
            buffer_append_string(&caller->log, "[tls]\n");
            imap_login_tls_started(&caller->login);
        }
        imap_login_caller_send(caller);
        if (caller->granted) {
            buffer_append(&caller->rest, input);
            return false;
        }
        if (action == LOGIN_MORE && input.size == 0)
            return true;
        if (action == LOGIN_STARTTLS && input.size == 0)
            return true;
    }
}

static inline void imap_login_caller_run(struct imap_login_caller *caller, struct slice input,
                                         size_t piece)
{
    bool open = true;
    while (input.size && open) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        open = imap_login_caller_feed(caller, part);
    }
    if (caller->granted)
        buffer_append(&caller->rest, input);
}

#endif
