/*
 * Sending one message by SMTP (RFC 5321) to a server that takes it from us, such as the mail server
 * on this machine, as an engine: no socket, no clock.
 *
 *     smtp_client_init(&client, &mail);
 *     action = smtp_client_consume(&client, &input, &output);
 *
 *     SMTP_MORE  send output, come again with more input
 *     SMTP_DATA  the server wants the message: smtp_client_data with each piece of it, then
 *                smtp_client_data_end; send output, come again
 *     SMTP_DONE  results are there; send output (QUIT), close
 *
 * A connection that ends before SMTP_DONE is told by smtp_client_closed. Then, and after any answer
 * that passes (4yz) or makes no sense, the recipients are deferred: to be tried again later. When
 * that happens after the end of the message and before its answer, nobody can know whether it has
 * been taken, and the next try may be the second one (RFC 5321 section 4.5.3.2.6 has it so).
 *
 * Commands go one by one: the server is near. Used when it offers them: SIZE (RFC 1870), 8BITMIME
 * (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461), ENHANCEDSTATUSCODES.
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
};

/* Which delivery status notifications a recipient's sender wants (RFC 3461 section 4.1). */
enum smtp_notify {
    SMTP_NOTIFY_DEFAULT = 0,
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};

/* What is to be sent. Nothing is owned, all must outlive the client. */
struct smtp_mail {
    const char *hostname;           /* ours, for EHLO */
    struct slice sender;            /* without <>; empty: the null reverse-path */
    const struct slice *recipients; /* without <> */
    size_t recipient_count;         /* 1 .. SMTP_RECIPIENTS_MAXIMUM */
    uint64_t size;                  /* bytes of the message */
    bool eight_bit;                 /* it has bytes beyond ASCII */
    bool utf8;                      /* ... in its header too (RFC 6531 section 3.4) */
    unsigned notify;                /* enum smtp_notify bits, of every recipient */
    char ret;                       /* 'F' full, 'H' headers, 0: not said */
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

enum smtp_action { SMTP_MORE, SMTP_DATA, SMTP_DONE };

struct smtp_client {
    const struct smtp_mail *mail;
    int state; /* private to client.c, as are the next ones */
    struct buffer line;
    size_t lines; /* of the reply at hand */
    int code;
    unsigned offered; /* extensions */
    uint64_t size_limit;
    size_t recipient; /* whose answer is awaited */
    size_t accepted;
    int at_line_start;                                   /* of the message as it is written */
    struct smtp_result results[SMTP_RECIPIENTS_MAXIMUM]; /* to be read after SMTP_DONE */
};

/* ERROR_INVALID: no recipient, too many, an address that is too long or holds what no command can
 * (controls, blanks, angle brackets). */
int smtp_client_init(struct smtp_client *client, const struct smtp_mail *mail);
void smtp_client_release(struct smtp_client *client);

/* Takes what it needs from the front of *input and appends to output, SMTP_COMMAND_MAXIMUM bytes at
 * most. */
enum smtp_action smtp_client_consume(struct smtp_client *client, struct slice *input,
                                     struct buffer *output);

/* A piece of the message, whose lines end in CRLF; leading dots are doubled (section 4.5.2). At
 * most twice its size is appended. The end adds CRLF where it is missing. */
void smtp_client_data(struct smtp_client *client, struct slice bytes, struct buffer *output);
void smtp_client_data_end(struct smtp_client *client, struct buffer *output);

/* The connection has ended or was never there: whoever has no result yet is deferred, for that
 * reason. */
void smtp_client_closed(struct smtp_client *client, const char *why);

#endif
