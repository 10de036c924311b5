/*
 * What LMTP's files share: a transaction's delivery, and the trace fields that find mail loops.
 */
#ifndef SESSION_LMTP_PRIV_H
#define SESSION_LMTP_PRIV_H

#include "base/spool.h"
#include "proto/lmtp/engine.h"
#include "session/sieve/filter.h"
#include "session/stream.h"
#include "store/directory.h"
#include "store/message.h"

enum {
    TRACE_RECEIVED_MAXIMUM = 100,      /* Received fields; more is a loop (RFC 5321 section 6.3) */
    TRACE_HEADER_MAXIMUM = 256 * 1024, /* bytes of a header that are looked at for loops */
    DELIVERY_SCRATCH = 256 * 1024,     /* bytes that finding one recipient's mailbox may take */
    DELIVERY_ACCOUNTS_MAXIMUM = 10000, /* accounts of all recipients of one transaction */
    DELIVERY_ID_MAXIMUM = 32,
    DELIVERY_NAME_MAXIMUM = 255, /* bytes of the client's name that Received tells */
    DELIVERY_REASON_MAXIMUM = LMTP_REPLY_MAXIMUM, /* bytes of a script's reason that are kept */
};

/* --- trace.c --- */

/* Who the message says it has been delivered to by this server. */
struct trace {
    struct slice header;
    const char *hostname;
    size_t received; /* Received fields */
    size_t own;      /* of them behind a Delivered-To, both of this server */
};

/* Counts. The message and the name must stay while the trace is used. */
void trace_read(struct slice message, const char *hostname, struct trace *trace);

/* Whether delivering to the address would be a loop. */
bool trace_is_loop(const struct trace *trace, struct slice address);

/* What trace_prefix writes about one delivery. */
struct trace_facts {
    struct slice sender, recipient;
    struct slice client_name; /* as it said in LHLO */
    struct slice client;      /* address */
    const char *hostname;
    const char *id;
    bool utf8; /* SMTPUTF8 */
    bool tls, authenticated;
    int64_t date;
};

/* Appends Return-Path, Delivered-To and Received (RFC 5321 section 4.4). Control characters in
 * what strangers chose become '?'. Returns the buffer's error. */
int trace_prefix(const struct trace_facts *facts, struct buffer *prefix);

/* --- delivery.c --- */

/* One account of a recipient. */
struct receiver {
    struct account_id account;
    int error;           /* of its delivery */
    struct slice reason; /* of ERROR_DENIED: a script refuses the message */
};

struct recipient {
    struct recipient *next;
    struct receiver *receivers; /* each account once; a group or an alias may have several */
    size_t count, done;
    size_t duplicates; /* accounts that have the message from an earlier delivery */
    bool reached;      /* an account has the message */
    int error; /* the worst so far: what passes before what does not, so that it is tried again */
    struct slice address;
    struct slice detail;   /* of "local+detail@domain"; empty: none */
    struct slice original; /* ORCPT's, encoded; empty: none */
    bool ignore_quota;     /* IGNOREQUOTA */
    struct slice reason;   /* of ERROR_DENIED */
    uint32_t notify;       /* enum lmtp_notify */
};

/* One transaction: recipients, then the message, then one delivery after the other. */
struct delivery {
    struct stream *stream; /* not owned */
    const struct lmtp *lmtp;
    struct arena arena; /* recipients */
    size_t accounts;    /* of all of them */
    struct arena scratch;
    struct recipient *first, **last;
    struct spool spool;
    uint64_t pending;       /* its bytes, as they count in delivery_pending */
    struct recipient *next; /* to be delivered to */
    struct slice message;   /* in the spool */
    struct prepared_message *prepared;
    struct trace trace;
    int64_t date;
    char id[DELIVERY_ID_MAXIMUM];
    int error; /* every recipient's */
};

void delivery_init(struct delivery *delivery, struct stream *stream, const struct lmtp *lmtp);

/* Forgets the transaction and its memory; the next can begin. */
void delivery_clear(struct delivery *delivery);

/* The decision about RCPT's address. 0: it is remembered. ERROR_NOT_FOUND, ERROR_SYNTAX,
 * ERROR_LIMIT (of the transaction's accounts too), or the store's. */
int delivery_add(struct delivery *delivery, struct slice address);

/* A piece of the message. A failure is remembered. */
void delivery_data(struct delivery *delivery, struct slice bytes);

/* Bytes of all messages that this process has begun to take and is not done with. */
uint64_t delivery_pending(void);

/* The message is complete: prepares it. A failure becomes every recipient's. */
void delivery_begin(struct delivery *delivery);

/* Delivers to the next account of the next recipient; an account gets the message once for all
 * recipients that put it into the same mailbox. True: the recipient has been dealt with, *error is
 * its one reply (RFC 2033 section 4.2), and durable when 0. ERROR_CONFLICT: a mail loop;
 * reason->data not NULL: the recipient's script refuses it. Only while delivery->next. */
bool delivery_step(struct delivery *delivery, int *error, struct slice *reason);

#endif
