/*
 * Snapshots of a mailbox inside the store.
 */
#ifndef STORE_SNAPSHOT_PRIV_H
#define STORE_SNAPSHOT_PRIV_H

#include "blob/blob.h"
#include "store/seen_priv.h"

/* What is kept of each message, read ahead: the number last asked for, and a cursor that stands
 * behind it while they are asked for in order. */
struct messages_ahead {
    uint64_t last; /* 0: none */
    struct kv_cursor *cursor;
};

struct mailbox_snapshot {
    struct store_view *view;
    struct kv_transaction *transaction;
    struct mailbox mailbox;
    struct collection collection;
    bool own_seen; /* \Seen is who's own, in: */
    struct seen_map seen;
    struct messages_ahead summaries, records;
    struct buffer record;   /* of the message that was read last */
    struct blob_kept kept;  /* of bodies */
    bool settled;           /* the body that was read last was in a blob */
    struct buffer block;    /* of which a piece was read last: */
    uint64_t block_message; /* 0: none */
    uint64_t block_start;
};

enum { BODY_BLOCK = 128 * 1024 }; /* bytes of a body that are read together: a frame of a blob's */

void messages_stop_ahead(struct messages_ahead *ahead);

/* Whether all of the page are seen. */
static inline bool page_is_seen(const struct mailbox_snapshot *snapshot,
                                const struct page_header *header)
{
    return snapshot->own_seen ? seen_covers(&snapshot->seen, header->first, header->last)
                              : !header->unseen;
}

#endif
