/*
 * Settling: bodies that deliveries left in accounts' own key spaces go into blobs, where they are
 * compressed, and blobs that are half dead are written anew.
 *
 * A delivery writes its body in its own transaction, for one flush; later, many are brought into
 * blobs by one. Nobody sees a difference: modseqs stay, and readers find a body where it is.
 */
#ifndef STORE_SETTLE_H
#define STORE_SETTLE_H

#include "store/store.h"

#include <stdatomic.h>

enum {
    SETTLE_DELAY = 60,              /* seconds from an account's first new body to settling it */
    SETTLE_BYTES = 4 * 1024 * 1024, /* of bodies, settled together at the most; and one more */
    SETTLE_MESSAGES = 512,
    RECLAIM_INTERVAL = 60 * 60, /* seconds between two looks at an account that dropped blobs */
};

struct settle_result {
    uint64_t messages, bytes;
};

/* Settles all bodies there are, unless `stop` (may be NULL) becomes true. Blocks on the disk.
 * ERROR_DENIED unless WHO_SYSTEM, ERROR_NOT_FOUND. */
int store_settle(struct store *store, struct who who, struct account_id account,
                 const atomic_bool *stop, struct settle_result *result);

/* Gives back what dropped blobs leave, where it is worth it; with `everything`, after looking at
 * all of them (blob/blob.h: blob_reclaim). Errors as above; ERROR_CORRUPT: some could not be read,
 * and were left alone. */
int store_reclaim(struct store *store, struct who who, struct account_id account, bool everything);

/* Settles the accounts that have had bodies for SETTLE_DELAY seconds, and reclaims in those that
 * have dropped blobs for RECLAIM_INTERVAL: of those open in this process. For a background job. */
int store_settle_used(struct store *store, const atomic_bool *stop);

#endif
