/*
 * IMAP before login: greeting, CAPABILITY, NOOP, ID, STARTTLS, AUTHENTICATE, LOGIN, LOGOUT.
 *
 * The whole engine that reads strangers' bytes: no socket, no storage, no password check. It runs
 * in chapar-login, in unit tests one byte at a time, and in a fuzzer. What it cannot decide (is
 * the password right, start TLS) it asks of its caller by the returned action (proto/sasl/login.h).
 *
 *     action = imap_login_consume(&login, &input, &output);
 *     send output; do what action says; call the matching imap_login_* ; repeat while input.size
 *
 * Memory: within the caller's 64 KiB a connection: IMAP_LOGIN_LINE_MAXIMUM for a line and its
 * literals, IMAP_LOGIN_ARENA_MAXIMUM for the parsed command.
 */
#ifndef PROTO_IMAP_LOGIN_H
#define PROTO_IMAP_LOGIN_H

#include "proto/imap/reader.h"
#include "proto/sasl/login.h"

enum {
    IMAP_LOGIN_LINE_MAXIMUM = 8192,
    IMAP_LOGIN_LITERALS_MAXIMUM = 4096,
    IMAP_LOGIN_ARENA_MAXIMUM = 16384,
    IMAP_LOGIN_OUTPUT_MAXIMUM = 8192,
    IMAP_LOGIN_REPLY_MAXIMUM = 1024, /* bytes of the answer to one command */
    IMAP_LOGIN_BAD_MAXIMUM = 10,     /* BAD answers before the connection is closed */
};

struct imap_login {
    struct login_options options; /* its strings are not owned */
    struct imap_reader reader;
    bool tls; /* the stream is encrypted */
    int bad_count;
    bool asked; /* the caller owes an answer to LOGIN_AUTHENTICATE */
    bool closed;
    bool exchanging;                /* the client owes a response */
    struct login_exchange exchange; /* its tag is the command's; LOGIN is turned into PLAIN */
};

void imap_login_init(struct imap_login *login, const struct login_options *options, bool tls);
void imap_login_release(struct imap_login *login);

/* The greeting. */
void imap_login_greet(struct imap_login *login, struct buffer *output);

/* Takes what it needs from the front of *input. It stops with LOGIN_MORE and input left when
 * output has less than IMAP_LOGIN_REPLY_MAXIMUM bytes of room: send, then call again. */
enum login_action imap_login_consume(struct imap_login *login, struct slice *input,
                                     struct buffer *output);

void imap_login_tls_started(struct imap_login *login);

/* The exchange goes on: sends "+ base64". */
void imap_login_challenge(struct imap_login *login, struct slice challenge, struct buffer *output);

/* Refused: error says which (ERROR_DENIED: AUTHENTICATIONFAILED; a temporary one: UNAVAILABLE;
 * RFC 5530). */
void imap_login_refused(struct imap_login *login, int error, struct buffer *output);

/* Granted: the stream is handed over; the exchange's tag is what the session answers to. Nothing is
 * written. */

/* A line for a caller that closes by itself: "* BYE text". */
void imap_login_bye(struct imap_login *login, const char *code, const char *text,
                    struct buffer *output);

#endif
