/*
 * Moves between accounts that are under way: records j of the directory, and J of the target.
 *
 *     directory    j ID    from where to where, and which UIDs
 *     target       J ID    nothing: the entries are in the target
 *
 * All is done by who holds the lock of the directory's space, and each step's transaction is
 * guarded by it (kv/kv.h): who has lost the lock changes nothing any more. Each can be done again:
 * a UID is never given twice, so removing it again removes nothing.
 */
#ifndef STORE_INTENT_PRIV_H
#define STORE_INTENT_PRIV_H

#include "store/acl_priv.h"

/* Takes the lock, and finishes what others have left. */
int global_lock(struct store *store, struct kv_lock **lock);

/* Writes it down, under a new id. */
int intent_begin(struct store *store, struct kv_lock *lock, struct intent *intent);

/* In the target's transaction: the entries are there. */
int intent_note(struct change *change, const struct intent *intent);

/* What is left when the entries are in the target: the source's part, and the notes. */
int intent_finish(struct store *store, struct kv_lock *lock, struct intent *intent);

/* Nothing has come of it. */
int intent_cancel(struct store *store, struct kv_lock *lock, const struct intent *intent);

#endif
