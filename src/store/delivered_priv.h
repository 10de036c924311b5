/*
 * Deliveries remembered inside the store: records of family z, and what else has its time: w.
 */
#ifndef STORE_DELIVERED_PRIV_H
#define STORE_DELIVERED_PRIV_H

#include "store/mailbox_priv.h"

#include <stdatomic.h>

/* Remembers the delivery (0: none) with the change. ERROR_EXISTS: it is remembered already, and not
 * older than store_options.keep_delivered. */
int delivered_note(struct change *change, uint64_t delivery);

/* Forgets what was delivered before then (seconds since 1970), or (of KEY_REMEMBERED) what was to
 * be remembered until then, in transactions of some thousand. Where there is nothing, nothing is
 * written. It ends soon after *stop (NULL allowed) is true. */
int delivered_prune(struct store_view *view, enum key_family family, int64_t before,
                    const atomic_bool *stop);

#endif
