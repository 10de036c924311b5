/*
 * What sleeps, inside the store.
 *
 *   record_snooze.c   the record (key S)
 *   snooze.c          putting, following, waking
 *   check_snooze.c    the check
 *
 * A record is under the collection and UID of its entry. A collection whose flags do not say
 * COLLECTION_HAS_SNOOZED has none, and nothing is looked for.
 */
#ifndef STORE_SNOOZE_PRIV_H
#define STORE_SNOOZE_PRIV_H

#include "store/directory_priv.h"
#include "store/mailbox_priv.h"
#include "store/snooze.h"

/* Key S. Slices point into the value, the lists are these. */
struct snooze_record {
    struct snooze snooze;
    struct slice add[SNOOZE_KEYWORDS_MAXIMUM], remove[SNOOZE_KEYWORDS_MAXIMUM];
};
int snooze_record_read(struct slice value, struct snooze_record *record);
void snooze_record_write(const struct snooze *snooze, struct buffer *value);

/* 0 or ERROR_LIMIT: whether it is within the limits of store/snooze.h. */
int snooze_check(const struct snooze *snooze);

/* Whether one more may sleep. */
int snooze_has_room(struct change *change, bool *room);

/* The entry sleeps from now on. */
int snooze_put(struct change *change, struct mailbox *mailbox, uint32_t uid,
               const struct snooze *snooze);

/* Where what wakes now goes: found or made. */
int snooze_target(struct change *change, const struct snooze *snooze, collection_id *target);

/* The entries have gone from the mailbox, or all of a collection that is being deleted (uids NULL).
 */
int snooze_removed(struct change *change, struct mailbox *mailbox, const struct range_set *uids);

/* Sets and takes away the flags that it wakes with; keywords that the mailbox cannot have are left
 * out. The names must live until mailbox_finish. */
int snooze_adjust(struct mailbox *mailbox, const struct snooze *snooze, struct entry *entry);

/* Moves the entry, which wakes. (copy.c) *moved: it was there. */
int mailbox_wake(struct change *change, collection_id from, uint32_t uid, collection_id to,
                 const struct snooze *snooze, bool *moved);

#endif
