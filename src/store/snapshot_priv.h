/*
 * Snapshots of a mailbox inside the store.
 */
#ifndef STORE_SNAPSHOT_PRIV_H
#define STORE_SNAPSHOT_PRIV_H

#include "blob/blob.h"
#include "store/seen_priv.h"

struct mailbox_snapshot {
    struct store_view *view;
    struct kv_transaction *transaction;
    struct mailbox mailbox;
    struct collection collection;
    bool own_seen; /* \Seen is who's own, in: */
    struct seen_map seen;
    /* Reading summaries ahead: the last one asked for, and a cursor that stands behind it while
     * they are asked for in order. */
    uint64_t summary;
    struct kv_cursor *ahead;
    struct blob_kept kept;  /* of bodies */
    bool settled;           /* the body that was read last was in a blob */
    struct buffer whole;    /* of which a part was read last, if it is small: */
    uint64_t whole_message; /* 0: none */
};

enum { WHOLE_MAXIMUM = 128 * 1024 }; /* bytes of a message that is small */

/* Whether all of the page are seen. */
static inline bool page_is_seen(const struct mailbox_snapshot *snapshot,
                                const struct page_header *header)
{
    return snapshot->own_seen ? seen_covers(&snapshot->seen, header->first, header->last)
                              : !header->unseen;
}

#endif
