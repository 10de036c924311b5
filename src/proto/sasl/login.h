/*
 * What the engines before login share, whatever their protocol: what they ask of their caller, and
 * the client's side of a SASL exchange (RFC 4422).
 *
 * An engine decides nothing about passwords: it gathers mechanism and response, and says
 * LOGIN_AUTHENTICATE. The caller asks chapar-auth, then tells the engine: challenged, refused, or
 * (granted) takes the stream away from it.
 */
#ifndef PROTO_SASL_LOGIN_H
#define PROTO_SASL_LOGIN_H

#include "base/buffer.h"

enum {
    LOGIN_MECHANISM_MAXIMUM =
        32, /* bytes of a mechanism's name and its NUL (RFC 4422 section 3.1) */
};

enum login_action {
    LOGIN_MORE,         /* needs more input */
    LOGIN_STARTTLS,     /* send output, drop what input is left (it came in the clear), do the
                           handshake, say tls_started */
    LOGIN_AUTHENTICATE, /* check the exchange's mechanism and response with chapar-auth, then say
                           challenge or refused, or take the stream. No input is taken meanwhile. */
    LOGIN_CLOSE,        /* send output and close */
};

/* Its strings are not owned. */
struct login_options {
    const char *hostname;
    bool tls_available;     /* STARTTLS can be offered */
    bool plaintext_allowed; /* passwords without TLS */
    const char *mechanisms; /* separated by spaces, such as "PLAIN" */
};

/* Whether a password may be sent: the stream is encrypted, or the administrator says so. */
static inline bool login_password_allowed(const struct login_options *options, bool tls)
{
    return tls || options->plaintext_allowed;
}

/* The first of the words, which are separated by spaces, taken off; empty at the end. */
struct slice login_next_mechanism(struct slice *words);

/* The mechanism as the options spell it; empty when it is not one of them. */
struct slice login_find_mechanism(const struct login_options *options, struct slice name);

struct login_exchange {
    struct buffer tag; /* what the session says first as the login's answer; see the engine */
    char mechanism[LOGIN_MECHANISM_MAXIMUM];
    bool first_response;    /* the exchange begins with this response */
    bool has_response;      /* false: begun without an initial response; never with PLAIN, whose
                               client is asked at once (RFC 4616) */
    struct buffer response; /* decoded; wiped when used */
};

void login_exchange_init(struct login_exchange *exchange, size_t tag_maximum,
                         size_t response_maximum);
void login_exchange_release(struct login_exchange *exchange);

/* Wipes the response and gives its memory back. */
void login_exchange_wipe(struct login_exchange *exchange);

/* A new exchange, without a response yet. The mechanism is one of the options. */
void login_exchange_begin(struct login_exchange *exchange, struct slice tag, struct slice mechanism,
                          bool has_response);

/* The response of a client that sent a name and a password in commands of their own: as PLAIN's.
 * ERROR_SYNTAX, ERROR_LIMIT: what no account can have; nothing is left of it. */
int login_exchange_set_plain(struct login_exchange *exchange, struct slice name,
                             struct slice password);

/* Takes the client's next response, a line in base64. ERROR_CLOSED: it is "*", the client gives up;
 * ERROR_SYNTAX, ERROR_LIMIT. The response is empty then. */
int login_exchange_take(struct login_exchange *exchange, struct slice line);

/* Appends "+ ", the challenge in base64, and CRLF. */
void login_write_challenge(struct slice challenge, struct buffer *output);

#endif
