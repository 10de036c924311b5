/*
 * LMTP (RFC 2033) as an engine: begin / consume / produce, no socket, no storage.
 *
 *     action = lmtp_consume(&lmtp, &input, &output);
 *
 * The caller answers what the engine asks: is this recipient known, here is data, deliver now.
 * Commands: LHLO, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, HELP, QUIT; SIZE (RFC 1870), 8BITMIME
 * (RFC 6152), CHUNKING and BINARYMIME (RFC 3030), SMTPUTF8 (RFC 6531), PIPELINING (RFC 2920),
 * ENHANCEDSTATUSCODES (RFC 2034). Where somebody has logged in, MAIL takes AUTH (RFC 4954 section
 * 5), which means nothing here. Every reply carries an enhanced status code (RFC 3463). Replies to
 * pipelined commands are gathered in output. The end of a command line may be a bare LF.
 *
 * DSN's parameters (RFC 3461) are taken and checked, but DSN is not announced: a server that
 * announces it promises to report success itself (section 5.2.3), and one that only takes mail in
 * cannot. A client that is not promised it reports, and knows that LMTP's reply is final.
 *
 * Data is handed on with dots unstuffed and line ends as they came but for a bare LF, which
 * becomes CRLF, so that stored messages always have CRLF; "CRLF . CRLF" alone ends it, so that no
 * other server's idea of a line's end can smuggle a second message in (a bare LF . LF does not).
 * What comes by BDAT has no dots to unstuff, and is left as it is when it is BINARYMIME. A BDAT
 * whose size cannot be read ends the session, since nobody knows where the next command begins.
 */
#ifndef PROTO_LMTP_ENGINE_H
#define PROTO_LMTP_ENGINE_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    LMTP_LINE_MAXIMUM = 2048,   /* a command line, CRLF included (RFC 5321 section 4.5.3.1.4
                                   wants 512, more for extensions) */
    LMTP_ADDRESS_MAXIMUM = 512, /* local part, "@" and domain (section 4.5.3.1: 64 + 1 + 255) */
    LMTP_BAD_MAXIMUM = 10,      /* 5xx answers to commands in a row before 421; a recipient
                                   that the caller refuses is none */
    LMTP_DISCARD_MAXIMUM = 1024 * 1024,          /* bytes of an overlong line before 421 */
    LMTP_TAG_MAXIMUM = LMTP_ADDRESS_MAXIMUM + 5, /* lmtp_resume's, "AUTH name" */
    LMTP_REPLY_MAXIMUM = 512,       /* bytes of a reply (section 4.5.3.1.5), with all its lines */
    LMTP_ENVELOPE_ID_MAXIMUM = 100, /* ENVID as it is encoded (RFC 3461 section 4.4) */
    LMTP_ORIGINAL_RECIPIENT_MAXIMUM = 500, /* ORCPT as it is encoded (section 4.2) */
};

/* BODY's value. */
enum lmtp_body { LMTP_BODY_7BIT, LMTP_BODY_8BITMIME, LMTP_BODY_BINARYMIME };

/* NOTIFY's values as bits (RFC 3461 section 4.1); 0: not said, which is FAILURE and DELAY. */
enum lmtp_notify {
    LMTP_NOTIFY_NEVER = 1,
    LMTP_NOTIFY_SUCCESS = 2,
    LMTP_NOTIFY_FAILURE = 4,
    LMTP_NOTIFY_DELAY = 8,
};

/* RET's value (section 4.3). */
enum lmtp_return { LMTP_RETURN_DEFAULT, LMTP_RETURN_FULL, LMTP_RETURN_HEADERS };

/* What not every client may: bits. */
enum lmtp_permission {
    LMTP_PERMIT_XCLIENT = 1,     /* to tell whom the message came from: XCLIENT as Postfix describes
                                    it in XCLIENT_README, with the attribute ADDR */
    LMTP_PERMIT_IGNOREQUOTA = 2, /* to deliver over a recipient's quota: RCPT's parameter of
                                    draft-murchison-lmtp-ignorequota-02, as Cyrus has it */
};

struct lmtp_limits {
    uint64_t message;  /* bytes; announced by SIZE */
    size_t recipients; /* of one transaction */
};

enum lmtp_action {
    LMTP_MORE,      /* needs more input */
    LMTP_RECIPIENT, /* decide on lmtp->address: call lmtp_recipient_reply */
    LMTP_DATA,      /* take lmtp->data (a piece of the message) */
    LMTP_DELIVER,   /* the message is complete: call lmtp_delivered once for each recipient that
                       was accepted, in order; input is not taken before the last */
    LMTP_RESET,     /* forget the transaction and its data (RSET, LHLO, XCLIENT, message too big) */
    LMTP_CLOSE,     /* send output and close */
};

struct lmtp {
    struct lmtp_limits limits;
    const char *hostname; /* not owned */
    unsigned permissions; /* enum lmtp_permission; the caller's to set, after lmtp_init */
    int state;            /* private to engine.c, as are the next ones */
    bool resumed;         /* by lmtp_resume */
    bool authenticated;   /* likewise, behind AUTH */
    struct buffer line;
    uint64_t discarded; /* bytes of a line over LMTP_LINE_MAXIMUM */
    int bad_count;
    int data_state; /* private to data.c */
    uint64_t data_size;
    bool data_too_big; /* the rest is read past; every recipient gets 552 5.3.4 */
    size_t delivered;  /* replies given after DATA */
    bool chunked;      /* the message has begun to come by BDAT */
    struct lmtp_chunk {
        uint64_t size, left; /* bytes */
        bool last;
        const char *problem; /* the reply when it is read past; NULL: it is taken */
        int resume;          /* the state behind it */
    } chunk;
    /* what the caller may read: */
    struct buffer client;      /* LHLO's name */
    struct buffer told;        /* XCLIENT's ADDR, a numeric address; empty: none */
    struct buffer sender;      /* MAIL's address without <>; empty: the null sender */
    struct buffer envelope_id; /* MAIL's ENVID, decoded; empty: none */
    struct buffer address;     /* RCPT's address without <>, unquoted; UTF-8 when utf8 */
    struct buffer original;    /* RCPT's ORCPT "type;address", still encoded; empty: none */
    bool ignore_quota;         /* RCPT's IGNOREQUOTA */
    uint32_t notify;           /* RCPT's NOTIFY: enum lmtp_notify bits */
    enum lmtp_body body;       /* MAIL's BODY */
    enum lmtp_return ret;      /* MAIL's RET */
    bool utf8;                 /* MAIL's SMTPUTF8 */
    struct slice data;         /* LMTP_DATA's piece, until the next call */
    size_t accepted;           /* recipients accepted in this transaction */
    uint64_t declared_size;    /* MAIL's SIZE, 0: none */
};

void lmtp_init(struct lmtp *lmtp, const char *hostname, const struct lmtp_limits *limits);
void lmtp_release(struct lmtp *lmtp);

void lmtp_greet(struct lmtp *lmtp, struct buffer *output);

/* Instead of the greeting: goes on with a session that the engine before login (login.h) began, and
 * answers the command with which it was handed over. tag: that engine's. ERROR_SYNTAX: it is none
 * of its; nothing is written. */
int lmtp_resume(struct lmtp *lmtp, struct slice tag, struct buffer *output);

/* Takes what it needs from the front of *input. It stops with LMTP_MORE and input left when output
 * has less than LMTP_REPLY_MAXIMUM bytes of room: send, then call again. The replies to a message
 * that is too big are written at once, LMTP_REPLY_MAXIMUM bytes at most for each recipient. */
enum lmtp_action lmtp_consume(struct lmtp *lmtp, struct slice *input, struct buffer *output);

/* The answer to LMTP_RECIPIENT, and the reply for the next accepted recipient after the end of data
 * (RFC 2033 sections 4.2, 4.3), by the error:
 *
 *                              RCPT         end of data
 *     0                        250 2.1.5    250 2.0.0
 *     ERROR_NOT_FOUND          550 5.1.1    550 5.1.1
 *     ERROR_QUOTA              452 4.2.2    452 4.2.2
 *     ERROR_SYNTAX             501 5.1.3    554 5.6.0
 *     ERROR_LIMIT              452 4.5.3    552 5.3.4
 *     ERROR_SPACE              451 4.3.0    452 4.3.1
 *     ERROR_CONFLICT           451 4.3.0    554 5.4.6   (a mail loop, RFC 3463 section 3.5)
 *     ERROR_CORRUPT            451 4.3.0    451 4.3.0   (an account can be mended)
 *     another temporary one    451 4.3.0    451 4.3.0
 *     any other                550 5.7.1    554 5.6.0
 *
 * The last reply after the end of data ends the transaction: accepted is 0 then, sender is empty.
 */
void lmtp_recipient_reply(struct lmtp *lmtp, int error, struct buffer *output);
void lmtp_delivered(struct lmtp *lmtp, int error, struct buffer *output);

/* The same for a recipient who refuses the message (RFC 5429 section 2.1.1): "550 5.7.1" with the
 * reason, in ASCII, of one line or several. What does not fit into LMTP_REPLY_MAXIMUM is cut off.
 */
void lmtp_rejected(struct lmtp *lmtp, struct slice reason, struct buffer *output);

/* "421 4.x.y text" for a caller that closes by itself. */
void lmtp_bye(struct lmtp *lmtp, const char *enhanced, const char *text, struct buffer *output);

#endif
