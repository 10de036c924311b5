/*
 * What the check's files share.
 *
 *   check.c          the order of things; the account's record
 *   check_entry.c    collections, their pages and counters
 *   check_retained.c deleted collections, expunged entries
 *   check_message.c  messages: records, places, summaries, hashes, bodies
 *   check_thread.c   threads
 *   check_annotation.c what annotations there are
 *   check_script.c   Sieve scripts
 *   check_seen.c     what others than the owner have seen
 *   check_outgoing.c mail on its way out
 *   check_snooze.c   what sleeps
 *   check_rest.c     names, access control lists, and what belongs to something that is not there
 *   check_shared.c   what the directory says of these lists
 *
 * Each part walks what lies there, computes what must be, and calls check_wrong where it differs.
 * When that returns true it writes what must be. Nothing is written while a cursor is open.
 */
#ifndef STORE_CHECK_PRIV_H
#define STORE_CHECK_PRIV_H

#include "store/check.h"
#include "store/retained_priv.h"

/* An entry, to find the places of its message. */
struct checked_entry {
    uint64_t message;
    collection_id collection;
    uint32_t uid;
};

/* The UIDs that a collection's entries have, and those that were expunged. */
struct checked_uids {
    uint64_t collection;
    bool loaded, unreadable;
    struct range_set there, retained;
};

/* What annotations of a collection, and of its entries that are there, come to. */
struct checked_sum {
    uint64_t collection;
    uint64_t bytes;
    bool of_messages; /* some are of its entries, there or retained */
    bool events;      /* one is that of store/event.h */
};

struct check {
    const struct check_options *options;
    struct check_result result;
    struct store_view *view;
    struct kv_transaction *transaction;
    struct change *change;          /* NULL: nothing is written */
    struct account_record *account; /* found_account, or the change's, which is written back */
    struct account_record found_account;
    struct arena arena;
    struct tree tree; /* collections whose records can be read, sorted by id */
    size_t tree_capacity;
    struct buffer messages; /* uint64_t: numbers of records that can be read, ascending */
    struct buffer entries;  /* struct checked_entry; those of deleted collections too */
    struct buffer deleted;  /* collection_id: of deleted ones that can be read, ascending */
    struct buffer expunged; /* uint64_t: messages of expunged entries, once for each, ascending */
    struct buffer strays;   /* uint64_t: messages without an entry */
    struct buffer remake;   /* uint64_t, ascending: a deep check found their summaries wrong */
    uint64_t entry_bytes;
    uint64_t entries_deleted;          /* of the entries, those of deleted collections */
    uint64_t retained, retained_bytes; /* these and the expunged ones */
    uint64_t highest_modseq;
    uint32_t highest_uid_validity;
    struct checked_threads *threads; /* while they are checked */
    struct checked_scripts *scripts; /* likewise */
    struct buffer *lost_outgoing;    /* likewise; uint64_t: messages whose bytes are lost */
    struct range_set *with_snoozed;  /* collections that have messages that sleep */
    uint64_t highest_outgoing;       /* number of a message on its way out */
    struct checked_uids uids;        /* of the collection whose annotations are looked at */
    struct buffer sums;              /* struct checked_sum, by collection */
    uint64_t annotation_bytes;
    bool events; /* the account has the annotation of store/event.h */
    struct buffer value, body;
    struct buffer findings; /* of a repair: enum check_finding, text, NUL */
};

/* Says that something is wrong. True: it is to be mended now, and is counted as repaired. */
bool check_wrong(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_lost(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls fn for each key of the family, its first `numbers` numbers read, until it fails. A key
 * whose numbers cannot be read is shown with numbers == NULL. */
int check_each(struct check *check, enum key_family family, size_t numbers,
               int (*fn)(struct check *check, struct slice key, const uint64_t *numbers,
                         struct slice value));

/* The collection's path, or "#ID" when there is no such collection. In the arena. */
const char *check_path(struct check *check, collection_id id);
struct tree_node *check_find(struct check *check, uint64_t id);
struct tree_node *check_add_collection(struct check *check, collection_id id,
                                       const struct collection_record *record);

/* Whether the message's record can be read. */
bool check_has_message(const struct check *check, uint64_t number);

bool check_is_deleted(const struct check *check, uint64_t collection);
/* How many expunged entries have the message. */
uint32_t check_expunged_with(const struct check *check, uint64_t number);

/* A collection's pages against its record. deleted: where the record is when it is a deleted one,
 * else NULL. */
int check_collection(struct check *check, struct tree_node *node, struct deleted_record *deleted);

/* The UIDs of a collection's entries; NULL: they cannot be read. (check_annotation.c) */
const struct range_set *check_uids(struct check *check, collection_id collection);

/* Whether an annotation is of something that is there or retained, and can be read. */
bool check_annotation_belongs(struct check *check, struct slice key, const uint64_t *numbers,
                              struct slice value);

/* The same of a message's record of when its annotations changed. */
bool check_annotation_changes_belong(struct check *check, struct slice key, const uint64_t *numbers,
                                     struct slice value);

/* The parts, in this order. */
int check_load_messages(struct check *check);
int check_load_collections(struct check *check);
int check_load_deleted(struct check *check);
int check_collections(struct check *check);
int check_retained(struct check *check);
int check_messages(struct check *check);
int check_threads(struct check *check);
int check_annotations(struct check *check);
int check_scripts(struct check *check);
int check_seen(struct check *check);
int check_outgoing(struct check *check);
int check_snooze(struct check *check);
/* Whether a record of key S may stay. */
bool check_snooze_belongs(struct check *check, const uint64_t *numbers, struct slice value);
int check_rest(struct check *check);
int check_shared(struct check *check);
int check_strays(struct check *check); /* after the account's record */

/* Bodies and summaries of a deep check, in slices of their own. Counts into result. */
int check_bodies(struct check *check);

#endif
