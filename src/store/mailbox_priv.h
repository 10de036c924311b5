/*
 * A mailbox inside one transaction: its record, its page directory, its keyword names, its pages.
 * A collection of another type has entries in the same way.
 *
 * Pages are numbered 0 .. mailbox_page_count() - 1 in UID order. The last one's header (the tail)
 * is in the collection record, those of all others are in the page directory, so that an append
 * reads and writes the record and the last page alone, and the directory once in PAGE_ENTRIES.
 *
 * Invariants, of what is stored: headers agree with the entries of their pages, the record's
 * counters with the headers; no page is empty; UIDs ascend; two neighbours together hold more than
 * PAGE_MERGED entries.
 *
 * For reading: mailbox_open, read, mailbox_release. For a change: mailbox_open, change,
 * mailbox_finish, mailbox_release.
 */
#ifndef STORE_MAILBOX_PRIV_H
#define STORE_MAILBOX_PRIV_H

#include "store/collection_priv.h"

struct mailbox {
    struct kv_transaction *transaction;
    collection_id id;
    struct collection_record record;
    struct buffer record_bytes;
    struct page_header *pages; /* record.pages of them, once loaded */
    size_t capacity;
    bool pages_loaded, pages_changed;
    struct keyword_names names;
    struct buffer name_bytes;
    bool names_loaded, names_changed;
    struct buffer tail; /* the last page's value while entries are added to it; else empty */
};

/* Reads the record. ERROR_NOT_FOUND. */
int mailbox_open(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox);
void mailbox_release(struct mailbox *mailbox);

/* Without a record, for who has it from somewhere else. */
void mailbox_init(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox);

/* Read the page directory or the names, unless that was done. */
int mailbox_load_pages(struct mailbox *mailbox);
int mailbox_load_names(struct mailbox *mailbox);

static inline size_t mailbox_page_count(const struct mailbox *mailbox)
{
    return mailbox->record.pages + (mailbox->record.tail.count > 0);
}

/* Whether a script is set for events of it (store/event.h), or for all of the account. */
static inline bool mailbox_has_events(const struct change *change, const struct mailbox *mailbox)
{
    return mailbox->record.flags & COLLECTION_HAS_EVENTS ||
           change->account.flags & ACCOUNT_HAS_EVENTS;
}

/* The pages must have been loaded. */
static inline struct page_header *mailbox_page(struct mailbox *mailbox, size_t index)
{
    return index < mailbox->record.pages ? &mailbox->pages[index] : &mailbox->record.tail;
}

/* The first page that may hold uid or a greater one. */
size_t mailbox_page_from(struct mailbox *mailbox, uint32_t uid);

/* Reads a page's value into the buffer, cleared first. */
int mailbox_read_page(struct mailbox *mailbox, const struct page_header *header,
                      struct buffer *value);
static inline char *page_entry(const struct buffer *value, size_t index)
{
    return value->data + PAGE_VALUE_HEADER + index * ENTRY_SIZE;
}

/* The header of a page with these entries. */
struct page_header mailbox_count_page(const struct buffer *value, uint32_t base);

/* Writes a page whose entries have changed, and brings header and the mailbox's counters (but for
 * its size) up to date. A page without entries is deleted; its header stays with count 0. */
int mailbox_write_page(struct change *change, struct mailbox *mailbox, struct page_header *header,
                       struct buffer *value);

/* The bit of a keyword; case does not matter. add: a new name gets one. ERROR_NOT_FOUND,
 * ERROR_LIMIT, ERROR_SYNTAX. The name must live until mailbox_finish. */
int mailbox_keyword(struct mailbox *mailbox, struct slice name, bool add, unsigned *index);

/* Gives the entry the next UID and the change's modseq, and adds it. ERROR_LIMIT. */
int mailbox_add(struct change *change, struct mailbox *mailbox, struct entry *entry);

/* Writes the last page that entries were added to. */
int mailbox_flush(struct change *change, struct mailbox *mailbox);

enum { REMOVED_RANGES_MAXIMUM = MAILBOX_PAGES_MAXIMUM * PAGE_ENTRIES };

/* Removes entries among uids (NULL: all), or only those with \Deleted, and notes tombstones. They
 * are retained, or not when they have gone elsewhere. removed: added to. */
struct removal {
    const struct range_set *uids;
    bool only_deleted;
    bool retain;
};
int mailbox_remove(struct change *change, struct mailbox *mailbox, const struct removal *removal,
                   struct range_set *removed);

/* Moves everything from one to the other. */
int mailbox_move_all(struct change *change, collection_id from, collection_id to);

/* Writes what has been changed: tail, directory, names, record. The mailbox's modseq becomes the
 * change's. */
int mailbox_finish(struct change *change, struct mailbox *mailbox);

/* --- walking a set beside ascending numbers --- */

struct range_walk {
    const struct range_set *set; /* NULL: all numbers */
    size_t index;
};

/* Whether the set has a number in first..last. first must not be smaller than the last call's. */
static inline bool range_walk_meets(struct range_walk *walk, uint32_t first, uint32_t last)
{
    if (!walk->set)
        return true;
    while (walk->index < walk->set->count && walk->set->ranges[walk->index].last < first)
        walk->index++;
    return walk->index < walk->set->count && walk->set->ranges[walk->index].first <= last;
}

/* --- messages (message.c) --- */

/* What threads a message belongs to may be found by (store/thread_priv.h). */
enum { THREAD_IDS = 32 };
struct thread_ids {
    uint64_t hashes[THREAD_IDS];
    size_t count;
};

/* A message to be stored: its bytes in one piece and its summary. */
struct stored_message {
    struct slice bytes;
    struct slice summary;
    bool internationalized;
    uint8_t sha256[32];
    struct blob_id blob; /* where the bytes are when they are too large to be inline */
    const struct thread_ids *ids;
    int64_t received; /* seconds since 1970: its place in the thread */
};

/* A message's record. Its places point into change->message until the next one is read.
 * ERROR_CORRUPT: there is none. */
int message_read(struct change *change, uint64_t number, struct message_record *record);
int message_write(struct change *change, uint64_t number, const struct message_record *record);

/* Where an entry is; uid 0: nowhere. */
struct position {
    collection_id collection;
    uint32_t uid;
};

/* Stores it in a thread (0: in one of its own), or finds its equal, for an entry there. */
int message_add(struct change *change, const struct stored_message *message, uint64_t thread,
                struct position position, uint64_t *number);

/* The message has another number from now on, is in another thread and in these places; what knows
 * it by its old number is the caller's to change. */
int message_renumber(struct change *change, uint64_t old, uint64_t number, uint64_t thread,
                     struct slice places);

/* An entry has gone from one position to another; either may be nowhere. What goes to nowhere is
 * retained. ERROR_CORRUPT: it was not there. */
int message_place(struct change *change, uint64_t number, struct position from, struct position to);

/* Removes a message that is nowhere any more, with all that belongs to it. */
int message_remove(struct change *change, uint64_t number, const struct message_record *record);

/* An entry that was retained is there again. */
int message_restore(struct change *change, uint64_t number, struct position to);

/* An entry is gone for good: a retained one (from is nowhere), or one of a deleted collection. With
 * the last one goes the message. *thread: which one it is or was in. */
int message_release(struct change *change, uint64_t number, struct position from, uint64_t *thread);

/* Reads all of a message's bytes into body, cleared first. ERROR_CORRUPT, ERROR_NOT_FOUND: they
 * are not there. */
int message_read_body(const struct store_view *view, struct kv_transaction *transaction,
                      uint64_t number, const struct message_record *record, struct buffer *body);

/* Makes its summary from its bytes, which are in body afterwards. Both are cleared first. Errors as
 * above. */
int message_make_summary(const struct store_view *view, struct kv_transaction *transaction,
                         uint64_t number, struct buffer *body, struct buffer *summary);

/* Where the next entry will be. */
static inline struct position mailbox_next_position(const struct mailbox *mailbox)
{
    return (struct position){mailbox->id, mailbox->record.uid_next};
}

/* --- flags --- */

/* The flags that these rights let one set (RFC 4314 section 4). Keywords: ENTRY_FLAGGED's. */
static inline uint32_t flags_allowed(uint32_t rights)
{
    return (rights & RIGHT_SEEN ? ENTRY_SEEN : 0) |
           (rights & RIGHT_DELETE_MESSAGES ? ENTRY_DELETED : 0) |
           (rights & RIGHT_WRITE ? ENTRY_FLAGS & ~(ENTRY_SEEN | ENTRY_DELETED) : 0);
}

#endif
