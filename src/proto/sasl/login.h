/*
 * An engine before login, whatever its protocol: bytes in, bytes out, and what it asks of its
 * caller. No socket, no storage, no password check: it gathers SASL mechanism and response (RFC
 * 4422) and says LOGIN_AUTHENTICATE; the caller asks chapar-auth, then tells the engine:
 * challenged, refused, or (granted) takes the stream away from it.
 *
 *     action = login_engine_consume(engine, &input, &output);
 *     send output; do what action says; call the matching login_engine_* ; repeat while input.size
 *
 * An exchange is: asked (the caller owes an answer) -> exchanging (the client owes a line) -> asked
 * ... until the caller refuses, or grants and takes the stream.
 *
 * A protocol (such as proto/imap/login.h) embeds a struct login_engine as the first
 * member of its own, sets it up, and does through struct login_functions what is its own.
 */
#ifndef PROTO_SASL_LOGIN_H
#define PROTO_SASL_LOGIN_H

#include "base/buffer.h"
#include "format/language.h"

enum {
    LOGIN_MECHANISM_MAXIMUM =
        32, /* bytes of a mechanism's name and its NUL (RFC 4422 section 3.1) */
};

enum login_action {
    LOGIN_MORE,         /* needs more input */
    LOGIN_STARTTLS,     /* send output, drop what input is left (it came in the clear), do the
                           handshake, call login_engine_tls_started */
    LOGIN_AUTHENTICATE, /* check the exchange's mechanism and response with chapar-auth, then call
                           login_engine_challenge or login_engine_refused, or take the stream. No
                           input is taken meanwhile. */
    LOGIN_CLOSE,        /* send output and close */
};

/* Its strings are not owned. */
struct login_options {
    const char *hostname;
    bool tls_available;         /* STARTTLS can be offered */
    bool plaintext_allowed;     /* passwords without TLS */
    const char *mechanisms;     /* separated by spaces, such as "PLAIN" */
    const char *tls_mechanisms; /* those with TLS; NULL: the same */
    uint64_t message;           /* bytes that one may have; LMTP's only */
    bool trusted;               /* may deliver over TLS without logging in; LMTP's only */
};

/* The first of the words, which are separated by spaces, taken off; empty at the end. */
struct slice login_next_mechanism(struct slice *words);

/* The mechanism as the words spell it; empty when it is not one of them. */
struct slice login_find_mechanism(const char *mechanisms, struct slice name);

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

/* --- an engine --- */

struct login_engine;

/* Why a command is refused, for protocols that say it in a code; a text says it in words. */
enum login_problem {
    LOGIN_BAD,          /* it is no command */
    LOGIN_BAD_ARGUMENT, /* it is not said so */
    LOGIN_NOT_NOW,      /* it is, but another one comes first, or it is too late for it */
    LOGIN_NEEDS_LOGIN,  /* first */
    LOGIN_NEEDS_TLS,    /* likewise */
    LOGIN_NO_TLS,       /* there is none */
    LOGIN_NO_MECHANISM, /* of that name */
    LOGIN_CANCELLED,    /* by the client: an exchange */
    LOGIN_NO_BASE64,    /* a response */
    LOGIN_TOO_LONG,     /* likewise */
};

/* What a protocol does its own way. All but step write no more than reply_maximum bytes. */
struct login_functions {
    size_t reply_maximum;         /* bytes of the answers to one command */
    int bad_maximum;              /* login_engine_bad as often ends it */
    const char *challenge_before; /* what stands around a challenge's base64 */
    const char *challenge_after;
    void (*release)(struct login_engine *engine);
    void (*greet)(struct login_engine *engine, struct buffer *output);
    /* Takes the next command or line; false: it needs more input. Sets *action. */
    bool (*step)(struct login_engine *engine, struct slice *input, struct buffer *output,
                 enum login_action *action);
    /* What login_engine_bad and the next ones answer; NULL with a protocol that does all of that
     * itself. tls_begins: to the command that starts TLS. */
    void (*tls_begins)(struct login_engine *engine, struct buffer *output);
    void (*no)(struct login_engine *engine, enum login_problem problem, const char *text,
               struct buffer *output);
    /* The next line is the client's response; what the reader has of the last one is wiped. NULL:
     * responses are lines as commands are. */
    void (*expect_response)(struct login_engine *engine);
    /* Nothing is read for a while: what the reader has of the last line is wiped. */
    void (*wipe_line)(struct login_engine *engine);
    /* Answers the command that began the exchange: it is over, for this reason. */
    enum login_action (*exchange_failed)(struct login_engine *engine, enum login_problem problem,
                                         const char *reason, struct buffer *output);
    void (*refused)(struct login_engine *engine, int error, struct buffer *output);
    void (*bye)(struct login_engine *engine, bool unavailable, const char *text,
                struct buffer *output);
    /* What was said in the clear is forgotten. It may greet again. */
    void (*tls_started)(struct login_engine *engine, struct buffer *output);
};

struct login_engine {
    const struct login_functions *functions;
    struct login_options options;
    bool tls;        /* the stream is encrypted */
    bool asked;      /* the caller owes an answer to LOGIN_AUTHENTICATE */
    bool exchanging; /* the client owes a response */
    bool closed;
    int bad_count;          /* commands that were none */
    enum language language; /* that the client has chosen; forgotten when TLS begins */
    struct login_exchange exchange;
};

/* For the caller. */

void login_engine_release(struct login_engine *engine);

/* Appends the greeting. */
void login_engine_greet(struct login_engine *engine, struct buffer *output);

/* Takes what it needs from the front of *input. It stops with LOGIN_MORE and input left when output
 * has less than the protocol's reply_maximum bytes of room: send, then call again. */
enum login_action login_engine_consume(struct login_engine *engine, struct slice *input,
                                       struct buffer *output);

void login_engine_tls_started(struct login_engine *engine, struct buffer *output);

/* The exchange goes on: appends the challenge. */
void login_engine_challenge(struct login_engine *engine, struct slice challenge,
                            struct buffer *output);

/* Refused: error says why (ERROR_DENIED, or a temporary one). */
void login_engine_refused(struct login_engine *engine, int error, struct buffer *output);

/* Granted: the stream is handed over with the exchange's tag. Nothing is written. */

/* Appends a last line, for a caller that closes by itself. */
void login_engine_bye(struct login_engine *engine, bool unavailable, const char *text,
                      struct buffer *output);

/* For the protocols. */

void login_engine_init(struct login_engine *engine, const struct login_functions *functions,
                       const struct login_options *options, bool tls);

/* Whether a password may be sent: the stream is encrypted, or the administrator says so. */
bool login_engine_password_allowed(const struct login_engine *engine);

/* What the options offer on this stream as it is now. */
const char *login_engine_mechanisms(const struct login_engine *engine);

/* It is the caller's turn: the exchange is set. */
enum login_action login_engine_ask(struct login_engine *engine);

/* It is the client's turn: appends the challenge in base64, as the protocol has it. */
enum login_action login_engine_request_response(struct login_engine *engine, struct slice challenge,
                                                struct buffer *output);

/* The client's response, or its "*". */
enum login_action login_engine_take_response(struct login_engine *engine, struct slice line,
                                             struct buffer *output);

/* The exchange is over without an answer of the caller's. */
enum login_action login_engine_end_exchange(struct login_engine *engine, enum login_problem problem,
                                            const char *reason, struct buffer *output);

/* For protocols without tags: what each would do the same way. */

/* Says no, or goodbye when there have been too many of these. Fits as exchange_failed. */
enum login_action login_engine_bad(struct login_engine *engine, enum login_problem problem,
                                   const char *text, struct buffer *output);

/* Says no, however often. */
enum login_action login_engine_no(struct login_engine *engine, enum login_problem problem,
                                  const char *text, struct buffer *output);

/* The command that starts TLS. */
enum login_action login_engine_start_tls(struct login_engine *engine, struct buffer *output);

/* The command that begins an exchange. initial: the response that came with it, in base64; data
 * NULL: none. */
enum login_action login_engine_authenticate(struct login_engine *engine, struct slice tag,
                                            struct slice mechanism, struct slice initial,
                                            struct buffer *output);

#endif
