/*
 * Sending by SMTP (RFC 5321) to one server that takes messages from us, such as the mail server on
 * this machine, as an engine: no socket, no TLS, no clock. One connection, one message after the
 * other.
 *
 *     smtp_client_init(&client, &server);
 *     action = smtp_client_consume(&client, &input, &output);
 *
 *     SMTP_MORE      send output, come again with more input
 *     SMTP_STARTTLS  do the handshake, then smtp_client_secured
 *     SMTP_READY     nothing is under way: smtp_client_begin with a message, or smtp_client_quit;
 *                    come again with what the server says meanwhile, which is its farewell
 *     SMTP_DATA      the server wants the message: smtp_client_data with each piece of it, then
 *                    smtp_client_data_end; send output, come again
 *     SMTP_DONE      the message's results are there; come again, without input if there is none,
 *                    for SMTP_READY or SMTP_END
 *     SMTP_END       the connection is of no use any more: send output, close; `failure` says why
 *
 * A connection that ends by itself is told by smtp_client_closed. Then, and after any answer that
 * passes (4yz) or makes no sense, the recipients are deferred: to be tried again later. When that
 * happens after the end of the message and before its answer, nobody can know whether it has been
 * taken, and the next try may be the second one (RFC 5321 section 4.5.3.2.6 has it so).
 *
 * Commands go one by one: the server is near. Used when it offers them: SIZE (RFC 1870), 8BITMIME
 * (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461), DELIVERBY (RFC 2852), STARTTLS (RFC 3207), AUTH
 * PLAIN (RFC 4954), ENHANCEDSTATUSCODES. A message is over when its recipients or DATA are refused,
 * but not so the transaction: there the connection ends, so RSET is never needed.
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include "base/buffer.h"

enum {
    SMTP_REPLY_LINE_MAXIMUM = 2048, /* bytes of a line of a reply (RFC 5321 has 512) */
    SMTP_REPLY_LINES_MAXIMUM = 200, /* of one reply */
    SMTP_RESULT_MAXIMUM = 256,      /* bytes of a result's text, its NUL included */
    SMTP_RECIPIENTS_MAXIMUM = 100,  /* of one message (RFC 5321 section 4.5.3.1.8) */
    SMTP_ADDRESS_MAXIMUM = 512,     /* bytes of one address */
    SMTP_COMMAND_MAXIMUM = 2048,    /* bytes of a command that the engine writes */
    SMTP_USER_MAXIMUM = 255,        /* bytes of a name to log in with (RFC 4616 section 2) */
    SMTP_PASSWORD_MAXIMUM = 1024,   /* bytes of a password */
    SMTP_BY_MAXIMUM = 16,           /* bytes of BY's value */
};

enum smtp_tls {
    SMTP_TLS_NEVER,    /* STARTTLS is not used; the connection may be under TLS all the same */
    SMTP_TLS_OFFERED,  /* where the server offers STARTTLS */
    SMTP_TLS_REQUIRED, /* nothing is sent without */
};

/* How the server is spoken to. Nothing is owned, all must outlive the client. */
struct smtp_server {
    const char *hostname; /* ours, for EHLO */
    enum smtp_tls tls;
    struct slice user, password; /* for AUTH PLAIN; no user: no AUTH */
    bool local; /* nobody listens on the way to it: the password may be sent without TLS */
};

/* Which delivery status notifications a recipient's sender wants (RFC 3461 section 4.1). */
enum smtp_notify {
    SMTP_NOTIFY_DEFAULT = 0,
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};

/* What is to be sent. Nothing is owned, all must outlive its being under way. */
struct smtp_mail {
    struct slice sender;            /* without <>; empty: the null reverse-path */
    const struct slice *recipients; /* without <> */
    size_t recipient_count;         /* 1 .. SMTP_RECIPIENTS_MAXIMUM */
    uint64_t size;                  /* bytes of the message */
    bool eight_bit;                 /* it has bytes beyond ASCII */
    bool utf8;                      /* ... in its header too (RFC 6531 section 3.4) */
    unsigned notify;                /* enum smtp_notify bits, of every recipient */
    char ret;                       /* 'F' full, 'H' headers, 0: not said */
    struct slice by;                /* the value of BY (RFC 2852), "120;RT"; empty: not said */
};

enum smtp_outcome {
    SMTP_DEFERRED, /* not taken now: the answer was 4yz, or there was none */
    SMTP_SENT,     /* the server has taken the responsibility (section 4.2.5) */
    SMTP_REFUSED,  /* it will not (5yz), or cannot: it lacks an extension that the message needs */
};

struct smtp_result {
    enum smtp_outcome outcome;
    int code;                       /* of the answer, 0: there was none */
    char text[SMTP_RESULT_MAXIMUM]; /* its last line, or why; printable ASCII */
};

enum smtp_action { SMTP_MORE, SMTP_STARTTLS, SMTP_READY, SMTP_DATA, SMTP_DONE, SMTP_END };

struct smtp_client {
    const struct smtp_server *server;
    const struct smtp_mail *mail; /* under way; NULL: none */
    int state;                    /* private to client.c, as are the next ones */
    struct buffer line;
    size_t lines; /* of the reply at hand */
    int code;
    unsigned offered; /* extensions */
    uint64_t size_limit;
    bool secured;
    size_t recipient; /* whose answer is awaited */
    size_t accepted;
    int written;                                         /* where the message as it is written is */
    struct smtp_result results[SMTP_RECIPIENTS_MAXIMUM]; /* of the mail, after SMTP_DONE */
    struct smtp_result failure; /* after SMTP_END; its outcome is DEFERRED */
};

/* ERROR_INVALID: a name or password that is too long or holds a NUL. */
int smtp_client_init(struct smtp_client *client, const struct smtp_server *server);
void smtp_client_release(struct smtp_client *client);

/* Takes what it needs from the front of *input and appends to output, SMTP_COMMAND_MAXIMUM bytes at
 * most. */
enum smtp_action smtp_client_consume(struct smtp_client *client, struct slice *input,
                                     struct buffer *output);

/* From here on the connection is under TLS, with a server that is who it should be if that matters:
 * after SMTP_STARTTLS, or before the first byte. */
void smtp_client_secured(struct smtp_client *client, struct buffer *output);

/* ERROR_INVALID: no recipient, too many, an address that is too long or holds what no command can
 * (controls, blanks, angle brackets), a value of BY that is none. */
int smtp_mail_check(const struct smtp_mail *mail);

/* Begins with a message, when SMTP_READY; SMTP_DONE when its results are there at once: the server
 * lacks what it needs, or it is none (smtp_mail_check), and so it is refused. */
enum smtp_action smtp_client_begin(struct smtp_client *client, const struct smtp_mail *mail,
                                   struct buffer *output);

/* A piece of the message. Lines end in CRLF: where there is a CR or an LF alone it becomes one,
 * since servers differ in whether they take it for one, and a message must not end within itself
 * (section 2.3.8). Leading dots are doubled (section 4.5.2). At most twice its size and 2 are
 * appended. The end adds CRLF where it is missing. */
void smtp_client_data(struct smtp_client *client, struct slice bytes, struct buffer *output);
void smtp_client_data_end(struct smtp_client *client, struct buffer *output);

/* The farewell, when SMTP_READY: SMTP_END follows, when it has been answered (section 4.1.1.10). */
void smtp_client_quit(struct smtp_client *client, struct buffer *output);

/* The connection has ended or was never there: whoever has no result yet is deferred, for that
 * reason. */
void smtp_client_closed(struct smtp_client *client, const char *why);

#endif
