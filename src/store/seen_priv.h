/*
 * What others than the owner have seen of a mailbox (RFC 4314 section 4: \Seen is each user's own).
 *
 * The owner's \Seen is a flag of the entry. Another's is in a record of family r, one for each
 * mailbox and account: ranges of UIDs that were marked as seen, or as unseen again, with the modseq
 * of that. Where there is no range, a message is unseen and was never marked. As UIDs are never
 * given twice, a range may go over UIDs that have gone.
 *
 *     entry.flags ──┐ the owner's \Seen
 *     record r   ───┴─> seen_apply: the entry as the view's who sees it, with the later modseq
 *
 * Invariant: a record counts the entries that are there and that it shows as seen.
 */
#ifndef STORE_SEEN_PRIV_H
#define STORE_SEEN_PRIV_H

#include "store/mailbox_priv.h"

enum { SEEN_RANGES_MAXIMUM = 32768 /* in one record */ };

struct seen_map {
    struct buffer ranges; /* struct seen_range, ascending */
    uint32_t seen;        /* entries that are there and are seen */
    uint64_t modseq;      /* of the last change */
};
void seen_init(struct seen_map *map);
void seen_release(struct seen_map *map);

/* Whether the view's who has a \Seen of its own; *who: whose. The anonymous have none that is kept:
 * to them all is unseen. */
enum seen_whose { SEEN_OWNERS, SEEN_OWN, SEEN_NOBODYS };
enum seen_whose seen_whose(const struct store_view *view, struct account_id *who);

/* The map is emptied first; without a record it stays so. */
int seen_load(struct kv_transaction *transaction, collection_id collection, struct account_id who,
              struct seen_map *map);

/* The same for the view's who. *own: false for the owner, who needs none. */
int seen_load_view(const struct store_view *view, struct kv_transaction *transaction,
                   collection_id collection, struct seen_map *map, bool *own);

/* --- reading --- */

void seen_apply(const struct seen_map *map, struct entry *entry);

/* Whether one of the UIDs was marked after `since`; whether all of them are seen. */
bool seen_changed(const struct seen_map *map, uint32_t first, uint32_t last, uint64_t since);
bool seen_covers(const struct seen_map *map, uint32_t first, uint32_t last);

/* How many of the UIDs are seen. */
uint32_t seen_among(const struct seen_map *map, const struct range_set *uids);

/* What the view's who has not seen, in place of what the owner has not. */
int seen_count(const struct store_view *view, struct kv_transaction *transaction,
               struct collection *collection);

/* --- changing --- */

/* Marks of one change, in the order of the UIDs. */
struct seen_edits {
    struct buffer ranges; /* struct seen_range, without a modseq */
    uint32_t previous;    /* the last entry that was looked at, marked or not; 0: there is none */
    int64_t difference;   /* of what is seen */
};
void seen_edits_init(struct seen_edits *edits);
void seen_edits_release(struct seen_edits *edits);

/* The next entry that is there: stays as it is, or is marked. Passing over a page: seen_pass(0). */
void seen_pass(struct seen_edits *edits, uint32_t uid);
void seen_mark(struct seen_edits *edits, uint32_t uid, bool seen);

/* Writes the record with the marks and the change's modseq. ERROR_LIMIT: too many ranges. */
int seen_write(struct change *change, collection_id collection, struct account_id who,
               const struct seen_map *map, const struct seen_edits *edits);

/* Writes it as it is. ERROR_LIMIT. */
int seen_put(struct change *change, collection_id collection, struct account_id who,
             const struct seen_map *map);

/* Entries have gone from a mailbox: they are not counted any more. */
int seen_removed(struct change *change, collection_id collection, const struct range_set *uids);

/* The i-th of `from_uids` has come as the i-th of `to_uids`: who (NULL: everybody) has seen there
 * what he has seen here. */
int seen_follow(struct change *change, collection_id from, const struct range_set *from_uids,
                collection_id to, const struct range_set *to_uids, const struct account_id *who);

#endif
