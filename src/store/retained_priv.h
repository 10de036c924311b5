/*
 * What is retained, inside the store: records of families e and g.
 *
 * An expunged entry: its bytes are in a record e, its message counts it in `retained`. A deleted
 * collection: its record is in g and its name is gone; pages, page directory, keyword names and
 * tombstones stay under its id, and its entries stay among their messages' places. Whoever lists a
 * message's places passes over collections that have no record c.
 */
#ifndef STORE_RETAINED_PRIV_H
#define STORE_RETAINED_PRIV_H

#include "store/mailbox_priv.h"
#include "store/retained.h"

/* Reads a deleted collection's record, which points into value. ERROR_NOT_FOUND. */
int deleted_read(struct kv_transaction *transaction, collection_id id, struct buffer *value,
                 struct deleted_record *record);
int deleted_put(struct change *change, collection_id id, const struct deleted_record *record);

/* As mailbox_open; for reading. Of one that is being purged, the record says what there was. */
int deleted_open(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox,
                 bool *purging);

/* Walks deleted collections by id: those behind *id; it becomes the next one's. The record points
 * into value. ERROR_NOT_FOUND: the end. */
int deleted_next(struct kv_transaction *transaction, collection_id *id, struct buffer *value,
                 struct deleted_record *record);

/* Walks the records e of a collection in the order of their modseq: those behind `at`, a place that
 * begins as {modseq, 0} for "behind that modseq's first". Copies the record into value. Nothing is
 * open in between, so what was walked over may be changed. ERROR_NOT_FOUND: the end. */
struct expunged_place {
    uint64_t modseq;
    uint32_t uid;
};
int expunged_next(struct kv_transaction *transaction, collection_id collection,
                  struct expunged_place *at, struct buffer *value, struct expunged_record *record);

bool retained_filter_has_time(const struct retained_filter *filter, int64_t when);
bool retained_filter_has_uid(const struct retained_filter *filter, uint32_t uid);

static inline size_t expunged_count(const struct expunged_record *record)
{
    return record->entries.size / ENTRY_SIZE;
}

#endif
