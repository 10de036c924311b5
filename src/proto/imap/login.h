/*
 * IMAP before login: greeting, CAPABILITY, NOOP, ID, STARTTLS, AUTHENTICATE, LOGIN, LOGOUT.
 *
 * The whole engine that reads strangers' bytes: no socket, no storage, no password check. It runs
 * in chapar-login, in unit tests one byte at a time, and in a fuzzer. What it cannot decide (is
 * the password right, start TLS) it asks of its caller by the returned action.
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

enum {
    IMAP_LOGIN_LINE_MAXIMUM = 8192,
    IMAP_LOGIN_LITERALS_MAXIMUM = 4096,
    IMAP_LOGIN_ARENA_MAXIMUM = 16384,
    IMAP_LOGIN_OUTPUT_MAXIMUM = 8192,
    IMAP_LOGIN_REPLY_MAXIMUM = 1024, /* bytes of the answer to one command */
    IMAP_LOGIN_BAD_MAXIMUM = 10,     /* BAD answers before the connection is closed */
};

enum imap_login_action {
    IMAP_LOGIN_MORE,         /* needs more input */
    IMAP_LOGIN_STARTTLS,     /* send output, drop what input is left (RFC 9051 section 11.1), do
                                the handshake, call imap_login_tls_started */
    IMAP_LOGIN_AUTHENTICATE, /* check login.mechanism / login.response with chapar-auth, then call
                                imap_login_challenge, _granted or _refused. No input is taken
                                meanwhile. */
    IMAP_LOGIN_CLOSE,        /* send output and close */
};

struct imap_login_options {
    const char *hostname;
    bool tls_available;     /* STARTTLS can be offered */
    bool plaintext_allowed; /* passwords without TLS */
    const char *mechanisms; /* space-separated, such as "PLAIN" */
};

struct imap_login {
    struct imap_login_options options; /* its strings are not owned */
    struct imap_reader reader;
    bool tls; /* the stream is encrypted */
    int bad_count;
    bool asked; /* the caller owes an answer to IMAP_LOGIN_AUTHENTICATE */
    bool closed;
    bool exchange;          /* a SASL exchange is under way */
    struct buffer tag;      /* of the command that logs in */
    char mechanism[32];     /* "PLAIN"; LOGIN is turned into PLAIN */
    bool first_response;    /* the exchange begins with this response */
    bool has_response;      /* false: AUTHENTICATE without an initial response; never with
                                 PLAIN, whose client is asked at once (RFC 4616) */
    struct buffer response; /* decoded SASL bytes; wiped when used */
};

void imap_login_init(struct imap_login *login, const struct imap_login_options *options, bool tls);
void imap_login_release(struct imap_login *login);

/* The greeting. */
void imap_login_greet(struct imap_login *login, struct buffer *output);

/* Takes what it needs from the front of *input. It stops with IMAP_LOGIN_MORE and input left when
 * output has less than IMAP_LOGIN_REPLY_MAXIMUM bytes of room: send, then call again. */
enum imap_login_action imap_login_consume(struct imap_login *login, struct slice *input,
                                          struct buffer *output);

void imap_login_tls_started(struct imap_login *login);

/* The exchange goes on: sends "+ base64". */
void imap_login_challenge(struct imap_login *login, struct slice challenge, struct buffer *output);

/* Refused: error says which (ERROR_DENIED: AUTHENTICATIONFAILED; a temporary one: UNAVAILABLE;
 * RFC 5530). */
void imap_login_refused(struct imap_login *login, int error, struct buffer *output);

/* Granted: the stream is handed over; tag in login->tag is what the session answers to. Nothing is
 * written. */

/* A line for a caller that closes by itself: "* BYE text". */
void imap_login_bye(struct imap_login *login, const char *code, const char *text,
                    struct buffer *output);

#endif
