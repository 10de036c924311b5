/*
 * POP3 before login, the state AUTHORIZATION (RFC 1939 section 4): CAPA, STLS, USER, PASS, AUTH,
 * UTF8, LANG, QUIT.
 *
 * The whole engine that reads strangers' bytes: no socket, no storage, no password check. It asks
 * its caller by the returned action (proto/sasl/login.h). There is no APOP: it needs the password
 * itself where there is a verifier only.
 *
 * The exchange's tag is what the session is to know: POP3_TAG_UTF8 when the client has said UTF8,
 * else empty. The session answers the login with "+OK".
 *
 * Memory: POP3_LOGIN_LINE_MAXIMUM for a line, as much for a response, POP3_LOGIN_NAME_MAXIMUM.
 */
#ifndef PROTO_POP3_LOGIN_H
#define PROTO_POP3_LOGIN_H

#include "proto/pop3/command.h"
#include "proto/sasl/login.h"

#define POP3_TAG_UTF8 "UTF8"

enum {
    /* A response is a line of its own, and longer than commands are (RFC 5034 section 4). */
    POP3_LOGIN_LINE_MAXIMUM = 4096,
    POP3_LOGIN_NAME_MAXIMUM = POP3_LINE_MAXIMUM,
    POP3_LOGIN_OUTPUT_MAXIMUM = 4096,
    POP3_LOGIN_TAG_MAXIMUM = 8,
};

struct pop3_login {
    struct login_options options; /* its strings are not owned */
    struct pop3_reader reader;
    bool tls; /* the stream is encrypted */
    int bad_count;
    bool utf8;
    bool asked; /* the caller owes an answer to LOGIN_AUTHENTICATE */
    bool closed;
    bool exchanging;    /* the client owes a response */
    struct buffer name; /* of USER; empty: none */
    struct login_exchange exchange;
};

void pop3_login_init(struct pop3_login *login, const struct login_options *options, bool tls);
void pop3_login_release(struct pop3_login *login);

/* The greeting. */
void pop3_login_greet(struct pop3_login *login, struct buffer *output);

/* Takes what it needs from the front of *input. It stops with LOGIN_MORE and input left when output
 * has less than POP3_REPLY_MAXIMUM bytes of room: send, then call again. */
enum login_action pop3_login_consume(struct pop3_login *login, struct slice *input,
                                     struct buffer *output);

/* Everything said in the clear is forgotten (RFC 2595 section 4). */
void pop3_login_tls_started(struct pop3_login *login);

/* The exchange goes on. */
void pop3_login_challenge(struct pop3_login *login, struct slice challenge, struct buffer *output);

/* Refused, by cause: -ERR [AUTH] or [SYS/TEMP] (RFC 3206). */
void pop3_login_refused(struct pop3_login *login, int error, struct buffer *output);

/* A last line for a caller that closes by itself. */
void pop3_login_bye(struct pop3_login *login, bool unavailable, const char *text,
                    struct buffer *output);

#endif
