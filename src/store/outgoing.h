/*
 * Mail on its way out: what an account wants sent (a message that is redirected, a response, a
 * notification), kept from the very transaction that wanted it until the mail server has taken it.
 * So a delivery that has been accepted never loses its redirect.
 *
 *     store_deliver(plan.outgoing) --> waiting --claim--> under way --settle--> gone, or waiting
 *                                        ^-----release------'                      again
 *
 * Who sends first claims: then nobody else does, on any node, until the claim has run out. What was
 * under way when everything was killed is sent again after that, for nobody can know whether it
 * had been taken (RFC 5321 section 4.5.3.2.6); what is known is not sent twice.
 *
 * The directory knows which accounts may have such mail, and when the next of it is due
 * (store/due.h).
 *
 * An account sends so many messages an hour (store_options.outgoing_rate): what is beyond is
 * sent later. Of those that wait it has OUTGOING_MAXIMUM at most, and OUTGOING_BYTES_MAXIMUM.
 *
 * Only WHO_SYSTEM: ERROR_DENIED.
 */
#ifndef STORE_OUTGOING_H
#define STORE_OUTGOING_H

#include "store/due.h"

enum {
    OUTGOING_MAXIMUM = 1000,                     /* messages of one account */
    OUTGOING_BYTES_MAXIMUM = 1024 * 1024 * 1024, /* of them; one may be larger */
    OUTGOING_RECIPIENTS_MAXIMUM = 100,           /* of one message: proto/smtp's */
    OUTGOING_ADDRESS_MAXIMUM = 512,              /* bytes */
    OUTGOING_REPLY_MAXIMUM = 256,                /* bytes of a mail server's reply that are kept */
    OUTGOING_BURST = 30, /* messages that need not wait for the rate to allow them */
};

enum outgoing_kind {
    OUTGOING_REDIRECT = 1, /* when it cannot be sent, the account's owner gets it back */
    OUTGOING_RESPONSE,     /* of vacation */
    OUTGOING_NOTIFICATION,
    OUTGOING_REPORT, /* to the sender of a message that was rejected */
};
const char *outgoing_kind_name(enum outgoing_kind kind); /* "redirect", ... */

/* Which delivery status notifications are asked for (RFC 3461 section 4.1); the same values as
 * proto/smtp's. */
enum outgoing_notify {
    OUTGOING_NOTIFY_NEVER = 1,
    OUTGOING_NOTIFY_SUCCESS = 2,
    OUTGOING_NOTIFY_FAILURE = 4,
    OUTGOING_NOTIFY_DELAY = 8,
};

enum outgoing_state { OUTGOING_WAITING, OUTGOING_SENT, OUTGOING_REFUSED };

struct outgoing_recipient {
    struct slice address;      /* without <> */
    enum outgoing_state state; /* when read */
    struct slice reply;        /* when read: the mail server's last, or why there was none */
};

/* What the mail server is told of a message (its size apart). */
struct outgoing_envelope {
    enum outgoing_kind kind;
    bool eight_bit;      /* bytes beyond ASCII in it */
    bool utf8;           /* in its header, or in an address (RFC 6531) */
    uint8_t notify, ret; /* RFC 3461: enum outgoing_notify bits; 'F', 'H' or 0 */
    uint8_t by_mode;     /* RFC 2852: 'N' or 'R'; 0: no time was set */
    bool by_trace;
    int64_t by_until;    /* seconds since 1970 */
    struct slice sender; /* without <>; empty: the null reverse-path */
    const struct outgoing_recipient *recipients;
    size_t recipient_count; /* 1 .. OUTGOING_RECIPIENTS_MAXIMUM */
};

/* One as it waits. */
struct outgoing_message {
    uint64_t number; /* within its account, never given twice */
    struct outgoing_envelope envelope;
    uint64_t size;   /* bytes */
    int64_t created; /* seconds since 1970, as are the next two */
    int64_t next;    /* not tried before then */
    int64_t claimed; /* under way until then at most; 0: it is not */
    uint32_t attempts;
};

/* All that wait, the oldest first, in the arena. */
int outgoing_list(struct store_view *view, struct arena *arena, struct outgoing_message **list,
                  size_t *count);

/* Claims one that is due and not claimed, for so many seconds, and counts an attempt. Appends
 * its bytes to `body`, not cleared. ERROR_NOT_FOUND: it has gone; ERROR_BUSY: it is claimed, or not
 * due. */
int outgoing_claim(struct store_view *view, uint64_t number, int64_t seconds, struct arena *arena,
                   struct outgoing_message *message, struct buffer *body);

/* Makes a claim that has not run out last for so many seconds from now. ERROR_NOT_FOUND,
 * ERROR_BUSY: it has run out, and somebody else may send the message. */
int outgoing_renew(struct store_view *view, uint64_t number, int64_t seconds);

/* Gives back one that nobody has tried to send, as if it had never been claimed: it is due when it
 * was, and the attempt does not count. attempts: as outgoing_claim gave them; does nothing when
 * they differ, for somebody else has claimed it since. ERROR_NOT_FOUND. */
int outgoing_release(struct store_view *view, uint64_t number, uint32_t attempts);

/* Appends the bytes of one. ERROR_NOT_FOUND. */
int outgoing_read(struct store_view *view, uint64_t number, struct buffer *body);

/* What came of an attempt: the state and reply of each recipient, in order. One without a waiting
 * recipient is removed; else it is tried again at `next`. ERROR_NOT_FOUND; ERROR_INVALID: another
 * number of recipients. Durable. */
int outgoing_settle(struct store_view *view, uint64_t number,
                    const struct outgoing_recipient *recipients, size_t count, int64_t next);

/* Lets the next attempt be now; or removes one unsent. ERROR_NOT_FOUND, ERROR_BUSY: it is under
 * way. Durable. */
int outgoing_retry(struct store_view *view, uint64_t number);
int outgoing_remove(struct store_view *view, uint64_t number);

#endif
