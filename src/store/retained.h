/*
 * What was expunged or deleted, and can be brought back for some time.
 *
 * An expunged entry is kept as it was; a deleted collection is kept whole, under its id. Neither
 * counts for the quota. What is kept longer than store_options.keep_expunged is removed for good
 * by store_purge, after which nothing brings it back.
 *
 *     there ──expunge, delete──> retained ──store_purge──> gone
 *       └──────────<──restore──────┘
 *
 * Who may expunge in a mailbox may bring back into it what was expunged; who may make top-level
 * collections, the account's owner, deleted ones. Moving is no expunging: what was moved is where
 * it was moved to.
 */
#ifndef STORE_RETAINED_H
#define STORE_RETAINED_H

#include "store/message.h"

#include <stdatomic.h>

/* --- looking --- */

struct retained_collection {
    collection_id id;
    enum collection_type type;
    struct slice path; /* that it had */
    int64_t deleted;   /* seconds since 1970 */
    uint32_t messages;
    uint64_t size; /* bytes of all messages */
};

/* All deleted collections, the oldest id first, in the arena. ERROR_DENIED, ERROR_LIMIT from the
 * arena. */
int retained_collections(struct store_view *view, struct arena *arena,
                         struct retained_collection **list, size_t *count);

/* Which expunged entries are meant. */
struct retained_filter {
    int64_t from, until;          /* expunged at from or later, and before until; 0: whenever */
    const struct range_set *uids; /* NULL: all */
};

struct retained_entry {
    struct entry entry; /* as it was */
    int64_t expunged;   /* seconds since 1970 */
};

/* The expunged entries of a collection that is there, in the order in which they went, then by UID.
 * ERROR_NOT_FOUND, ERROR_DENIED without RIGHT_READ and RIGHT_EXPUNGE, ERROR_LIMIT from the arena: a
 * narrower filter asks for fewer. */
int retained_entries(struct store_view *view, collection_id collection,
                     const struct retained_filter *filter, struct arena *arena,
                     struct retained_entry **list, size_t *count);

/* --- bringing back --- */

/* Puts expunged entries into target (0: where they were) with new UIDs, and without \Deleted; flags
 * that who has no right for are not set. In the result `from` are the UIDs they had; all at once or
 * nothing. Durable. The caller inits and releases the sets. ERROR_NOT_FOUND also when none is
 * meant; ERROR_DENIED without RIGHT_READ and RIGHT_EXPUNGE, and RIGHT_INSERT in the target;
 * ERROR_QUOTA, ERROR_LIMIT. */
int retained_restore(struct store_view *view, collection_id collection,
                     const struct retained_filter *filter, collection_id target,
                     struct copy_result *result);

enum { RESTORED_NAMES = 100 }; /* how many names are tried when a path is taken */

/* Brings a deleted collection back: its id, UIDs, UIDVALIDITY and what was expunged from it are as
 * they were. path: where to, ERROR_EXISTS when that is taken; empty: where it was, or "PATH 2" and
 * so on when that is taken. Missing levels above are made. The special use is kept unless another
 * has it now; it is subscribed again. Its new path is in the arena, unless that is NULL. Durable.
 * ERROR_NOT_FOUND, ERROR_DENIED, ERROR_SYNTAX, ERROR_QUOTA, ERROR_LIMIT. */
int retained_restore_collection(struct store_view *view, collection_id id, struct slice path,
                                struct arena *arena, struct slice *restored);

/* --- removing for good --- */

struct purge_result {
    uint64_t entries;     /* removed, those of collections included */
    uint64_t bytes;       /* of their messages */
    uint64_t collections; /* deleted ones removed */
};

/* Removes what is retained longer than store_options.keep_expunged, and from the change log what is
 * older than keep_changes, and deliveries remembered longer than keep_delivered, as of `now`
 * (seconds since 1970). Durable, in transactions of some thousand messages, so that nobody waits
 * long; what was done before an error stays done. With nothing to remove it reads two records.
 * ERROR_DENIED unless WHO_SYSTEM, ERROR_NOT_FOUND. */
int store_purge(struct store *store, struct who who, struct account_id account, int64_t now,
                struct purge_result *result);

/* Purges the accounts that this process has open and has not purged for a day. A background job
 * calls it about once a minute; it acts for the system. It ends soon after *stop becomes true. The
 * first error is returned after all have been tried. */
int store_purge_used(struct store *store, const atomic_bool *stop);

#endif
