/*
 * APPEND and REPLACE: what cmd_append.c and append_catenate.c share.
 */
#ifndef SESSION_IMAP_APPEND_PRIV_H
#define SESSION_IMAP_APPEND_PRIV_H

#include "base/spool.h"
#include "session/imap/url_part_priv.h"

struct append_message {
    struct imap_flags flags;
    int64_t date;
    struct annotation *annotations;
    size_t annotation_count;
    uint64_t begin, end; /* in the spool */
    struct prepared_message *prepared;
};

struct append_work {
    struct account_id account; /* whose mailbox it is */
    collection_id mailbox;
    uint32_t replaced; /* REPLACE: the UID of the selected mailbox */
    struct spool spool;
    bool has_nul;
    struct append_message *messages;
    size_t count, capacity;
    size_t prepared;      /* the first so many are */
    struct url_part part; /* that is being copied: session->copying */
    char *bad_url;        /* the code that says that it cannot be */
};

/* The reply is set: answers at once, and has what follows passed over. */
void append_refuse(struct imap_session *session);

/* Whether the last message may grow by so much; else the reply is set. */
bool append_accepts(struct imap_session *session, uint64_t size);

/* More of the last message. What fails is remembered by the spool. */
void append_bytes(struct append_work *work, struct slice bytes);

#endif
