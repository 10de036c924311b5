/*
 * Summaries of another version than this software's (format/summary.h): made anew from the
 * messages.
 *
 * A summary is derived, so there is no reader of older versions. Who reads one (store/message.h:
 * mailbox_summary) gets it made anew, and notes that the account has such; a background job then
 * stores them, and those that nobody has read. Nobody sees a difference: modseqs stay.
 *
 * The account's record says which version all of its summaries have, so that looking for others
 * costs one read.
 */
#ifndef STORE_SUMMARIES_H
#define STORE_SUMMARIES_H

#include "store/store.h"

#include <stdatomic.h>

enum {
    REMAKE_LOOKED_AT = 2000,        /* summaries looked at in one snapshot */
    REMAKE_MESSAGES = 64,           /* summaries made in one slice, and their messages' bytes: */
    REMAKE_BYTES = 8 * 1024 * 1024, /*  with so many the slice ends */
};

struct remake_result {
    uint64_t messages; /* whose summaries were made anew */
};

/* Makes them anew, slice by slice, unless `stop` (may be NULL) becomes true. everything: looks for
 * them though the account's record says that there are none. A message whose body cannot be read
 * keeps the summary it has. Relaxed; blocks on the disk. ERROR_DENIED unless WHO_SYSTEM,
 * ERROR_NOT_FOUND. */
int store_remake_summaries(struct store *store, struct who who, struct account_id account,
                           bool everything, const atomic_bool *stop, struct remake_result *result);

/* The same for accounts that are open in this process: each once, and those in which one was read.
 * For a background job. */
int store_remake_used(struct store *store, const atomic_bool *stop);

#endif
