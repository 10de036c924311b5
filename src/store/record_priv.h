/*
 * The records of the store: how each value is written and read. Encodings: docs/format.md.
 *
 * Every record begins with a byte that says its version. A reader checks bounds, version and that
 * nothing is left over, else ERROR_CORRUPT. Numbers are little-endian and of fixed size.
 *
 * Readers point into the bytes they are given; writers append to a buffer that is cleared first.
 */
#ifndef STORE_RECORD_PRIV_H
#define STORE_RECORD_PRIV_H

#include "base/buffer.h"
#include "blob/blob.h"
#include "store/message.h"
#include "store/script.h"

#include <endian.h>

/* --- bytes --- */

/* Reads numbers off a value; the first that is not there makes error sticky, and 0 is returned
 * from then on. */
struct record_reader {
    struct slice rest;
    int error;
};
struct record_reader record_reader_make(struct slice value, uint8_t version);
struct slice record_read_bytes(struct record_reader *reader, size_t size);
uint64_t record_read_number(struct record_reader *reader, size_t size); /* of size bytes, <= 8 */
/* The sticky error, or ERROR_CORRUPT when bytes are left over. */
int record_reader_finish(const struct record_reader *reader);

void record_write_begin(struct buffer *value, uint8_t version);
void record_write_number(struct buffer *value, size_t size, uint64_t number);

static inline uint32_t load_u32(const void *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return le32toh(number);
}
static inline uint64_t load_u64(const void *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return le64toh(number);
}
static inline void store_u32(void *bytes, uint32_t number)
{
    number = htole32(number);
    memcpy(bytes, &number, sizeof(number));
}
static inline void store_u64(void *bytes, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes, &number, sizeof(number));
}

/* --- the account (key a) --- */

struct account_record {
    uint64_t modseq; /* of the last change; the next one takes modseq + 1 */
    int64_t created; /* seconds since 1970 */
    uint64_t next_message;
    uint32_t next_collection;
    uint32_t collections;  /* how many there are */
    uint32_t uid_validity; /* the last one given out */
    uint64_t entries;      /* messages counted once for each entry: the quota's view */
    uint64_t entry_bytes;
    uint64_t annotation_bytes;
    uint64_t limits[QUOTA_RESOURCES]; /* of the quota root, by enum quota_resource; 0: none */
    uint64_t destroyed_modseq;        /* tombstones are kept for changes after this one */
    int64_t retained_since;           /* nothing that is retained went earlier; 0: there is none */
    uint64_t retained;                /* entries retained: expunged, or of deleted collections */
    uint64_t retained_bytes;          /* of their messages */
    uint64_t restored_modseq;         /* of the last time a deleted collection was brought back */
    uint32_t marked_day;              /* the last one of which there is a key y */
    uint8_t summary_version;          /* that all summaries have; 0: not known */
    uint8_t flags;                    /* enum account_flag bits */
};
enum account_flag {
    ACCOUNT_HAS_EVENTS = 1, /* it has the annotation of store/event.h */
};
int account_record_read(struct slice value, struct account_record *record);
void account_record_write(const struct account_record *record, struct buffer *value);

/* --- a page of entries, as its collection's page directory knows it --- */

enum {
    /* As many as fit into one page of SQLite's with their key: a value that needs an overflow page
     * is dearer to rewrite. */
    PAGE_ENTRIES = 144,
    PAGE_HEADER_SIZE = 32,     /* of one page in the directory */
    PAGE_DIRECTORY_HEADER = 8, /* before the first of them */
    PAGE_VALUE_HEADER = 16,    /* before the entries of a page's value */
    ENTRY_SIZE = 56,
    ENTRY_INTERNATIONALIZED = 0x8000, /* beside enum entry_flag's, as they are stored */
    PAGE_VALUE_MAXIMUM = PAGE_VALUE_HEADER + PAGE_ENTRIES * ENTRY_SIZE,
    /* Pages of one mailbox, so that the directory fits into a value of 1 MiB: 4 million messages
     * in full pages, and never fewer than 1.7 million (see PAGE_MERGED). */
    MAILBOX_PAGES_MAXIMUM = 32000,
    /* Two neighbours that have no more entries than this together are made one. */
    PAGE_MERGED = 108,
};

struct page_header {
    uint32_t base;  /* the key's UID; no entry of the page has a smaller one */
    uint32_t first; /* UIDs of the first and the last entry */
    uint32_t last;
    uint16_t count;   /* 0 only for "no page" */
    uint16_t unseen;  /* entries without \Seen */
    uint16_t deleted; /* entries with \Deleted */
    uint64_t modseq;  /* highest of the entries */
};
void page_header_read(const char bytes[PAGE_HEADER_SIZE], struct page_header *header);
void page_header_write(const struct page_header *header, char bytes[PAGE_HEADER_SIZE]);

/* The value of key d. Checks the head and that there are exactly `pages` headers; *headers is
 * where they begin. */
int page_directory_read(struct slice value, size_t pages, const char **headers);
void page_directory_begin(struct buffer *value);

/* The value of key p. Checks the head; entries begin at PAGE_VALUE_HEADER. */
int page_value_read(struct slice value, size_t count);
void page_value_begin(char head[PAGE_VALUE_HEADER], size_t count);

/* Message number and modseqs have 48 bits, size 48, dates 40 (signed; what is beyond becomes the
 * nearest), flags 15. */
void entry_read(const char bytes[ENTRY_SIZE], struct entry *entry);
void entry_write(const struct entry *entry, char bytes[ENTRY_SIZE]);
/* One field alone. */
static inline uint32_t entry_read_uid(const char bytes[ENTRY_SIZE])
{
    return load_u32(bytes);
}
static inline uint32_t entry_read_flags(const char bytes[ENTRY_SIZE])
{
    return load_u32(bytes + 4) & 0x7fff;
}
static inline uint64_t entry_read_modseq(const char bytes[ENTRY_SIZE])
{
    return load_u64(bytes + 34) & 0xffffffffffff;
}

/* --- a collection (keys c, n, k) --- */

enum collection_flag {
    COLLECTION_HAS_ANNOTATIONS = 2, /* there may be keys q: of its messages; 1 means nothing */
    COLLECTION_HAS_EVENTS = 4,      /* it has the annotation of store/event.h */
    COLLECTION_HAS_SNOOZED = 8,     /* there may be keys S: of its messages */
    COLLECTION_HAS_INTERNATIONALIZED = 16, /* there may be entries that say so */
};

struct collection_record {
    uint8_t type;  /* enum collection_type */
    uint8_t role;  /* enum collection_role */
    uint8_t flags; /* enum collection_flag bits */
    collection_id parent;
    uint32_t uid_validity;
    uint32_t uid_next;
    uint64_t highest_modseq;
    uint64_t created_modseq;    /* when it was made, or brought back: then entries are older */
    uint64_t changed_modseq;    /* of the last change to name, parent or role */
    uint64_t vanished_modseq;   /* tombstones are kept for changes after this one */
    uint64_t annotation_modseq; /* of the last change to its own annotations */
    uint64_t annotation_bytes;  /* of these and of its entries', names and values */
    uint32_t messages;
    uint32_t unseen;
    uint32_t deleted;
    uint32_t pages;          /* in the page directory: all but the last one */
    uint64_t size;           /* bytes of all messages */
    struct page_header tail; /* the last page, here so that an append leaves the directory alone */
    struct slice name;
};
int collection_record_read(struct slice value, struct collection_record *record);
void collection_record_write(const struct collection_record *record, struct buffer *value);

/* --- access control lists (key l) --- */

enum acl_subject_kind { ACL_ACCOUNT = 1, ACL_GROUP, ACL_ANYONE, ACL_ANONYMOUS };
struct acl_subject {
    enum acl_subject_kind kind;
    struct account_id id; /* zero of anyone and anonymous */
};
static inline bool acl_subject_equal(struct acl_subject a, struct acl_subject b)
{
    return a.kind == b.kind && account_id_equal(a.id, b.id);
}

struct acl_item {
    struct acl_subject subject;
    bool negative;
    uint32_t rights; /* enum right bits, at least one */
};
enum { ACL_ITEM_SIZE = 20 };

/* ACL_ITEM_SIZE bytes each, all of them sound. */
int acl_record_read(struct slice value, struct slice *items);
struct acl_item acl_item_at(struct slice items, size_t index);
/* items: anything but in `value`. */
void acl_record_write(struct slice items, struct buffer *value);
void acl_item_write(const struct acl_item *item, struct buffer *items);

/* --- keys that sign URLs (key K) --- */

enum { ACCESS_KEY_SIZE = 32 };
int access_key_record_read(struct slice value, uint8_t key[ACCESS_KEY_SIZE]);
void access_key_record_write(const uint8_t key[ACCESS_KEY_SIZE], struct buffer *value);

/* A record that is a number: n of the account's space, h. */
int number_record_read(struct slice value, uint64_t *number);
void number_record_write(uint64_t number, struct buffer *value);

int keyword_names_read(struct slice value, struct keyword_names *names);
void keyword_names_write(const struct keyword_names *names, struct buffer *value);

/* --- a message (key m) --- */

enum { MESSAGE_INLINE = 1, MESSAGE_IN_BLOB = 2 };

/* A collection that has the message. */
struct place {
    collection_id collection;
    uint32_t entries; /* how many of it have the message; never 0 */
    uint32_t uid;     /* of one of them; 0: to be looked for, since the one known has gone */
};
enum { PLACE_SIZE = 12 };

struct message_record {
    uint8_t body;      /* MESSAGE_INLINE: key b; MESSAGE_IN_BLOB: blob */
    uint32_t retained; /* entries retained after they were expunged that have it */
    uint64_t size;     /* bytes */
    uint64_t thread;   /* number of its thread */
    uint64_t created_modseq;
    uint8_t sha256[32];
    struct blob_id blob;
    struct slice places; /* PLACE_SIZE bytes each, ascending by collection */
};

static inline size_t message_places(const struct message_record *record)
{
    return record->places.size / PLACE_SIZE;
}
struct place message_place_at(const struct message_record *record, size_t index);

/* The index of the place of that collection, or of the first one behind. */
size_t message_place_find(const struct message_record *record, collection_id collection);

/* Changes `places`, a copy of the record's: one entry more or less. ERROR_CORRUPT: there is none.
 */
int places_add(struct buffer *places, collection_id collection, uint32_t uid);
int places_remove(struct buffer *places, collection_id collection, uint32_t uid);

/* places points into value; record_write: into anything but `value`. */
int message_record_read(struct slice value, struct message_record *record);
void message_record_write(const struct message_record *record, struct buffer *value);

/* --- what others have seen (key r) --- */

struct seen_range {
    uint32_t first, last; /* UIDs */
    uint64_t modseq;      /* of when they were marked */
    bool seen;            /* or unseen again */
};
/* Appends struct seen_range, which ascend and do not meet. seen: entries that are there and are. */
int seen_record_read(struct slice value, uint32_t *seen, uint64_t *modseq, struct buffer *ranges);
void seen_record_write(uint32_t seen, uint64_t modseq, const struct buffer *ranges,
                       struct buffer *value);

/* --- annotations (keys o, q) --- */

/* The value, which may be empty; its data is not NULL. */
int annotation_record_read(struct slice value, struct slice *bytes);
/* bytes: anything but in `value`. */
void annotation_record_write(struct slice bytes, struct buffer *value);

/* --- which annotations of an entry were changed last (key Q) --- */

struct annotation_change {
    uint64_t modseq;   /* of the last one */
    struct slice name; /* at least two bytes */
};
static inline size_t annotation_change_size(struct slice name)
{
    return 8 + 1 + name.size;
}
/* All of them, in the order of their modseqs: one at least. */
int annotation_changes_record_read(struct slice value, struct slice *changes);
/* Takes the first off. ERROR_NOT_FOUND: there is none; ERROR_CORRUPT. */
int annotation_change_next(struct slice *rest, struct annotation_change *change);
void annotation_changes_record_begin(struct buffer *value);
int annotation_change_write(const struct annotation_change *change, struct buffer *value);

/* --- scripts (keys f, j) --- */

struct script_row {
    uint32_t id;
    uint32_t size; /* bytes of the text */
    uint64_t modseq;
    struct slice name;
};
struct scripts_record {
    uint32_t next_id;
    uint32_t active; /* 0: none */
    size_t count;
    struct script_row list[SCRIPTS_MAXIMUM]; /* by name; no two have one name, or one id */
};
/* Names point into value; scripts_record_write: into anything but `value`. */
int scripts_record_read(struct slice value, struct scripts_record *record);
void scripts_record_write(const struct scripts_record *record, struct buffer *value);

/* A text; it may be empty. */
int script_record_read(struct slice value, struct slice *text);
/* text: anything but in `value`. */
void script_record_write(struct slice text, struct buffer *value);

/* --- threads (key t) --- */

/* A message of a thread, and the ids that it brought into it (store/thread_priv.h). */
struct thread_member {
    int64_t received; /* seconds since 1970 */
    struct slice ids; /* 8 bytes each */
};
int thread_member_read(struct slice value, struct thread_member *member);
/* ids: anything but in `value`. */
void thread_member_write(int64_t received, struct slice ids, struct buffer *value);

/* --- what is retained (keys e, g) --- */

/* Entries in one record: so few that one record is purged at once. */
enum { RETAINED_ENTRIES = 2048 };

/* Entries that were expunged together. */
struct expunged_record {
    int64_t when;         /* seconds since 1970 */
    struct slice entries; /* ENTRY_SIZE bytes each, in UID order; at least one */
};
int expunged_record_read(struct slice value, struct expunged_record *record);
void expunged_record_write(int64_t when, struct slice entries, struct buffer *value);

enum deleted_flag { DELETED_PURGING = 1 }; /* it is not whole any more */

struct deleted_record {
    uint8_t flags; /* enum deleted_flag bits */
    int64_t when;  /* seconds since 1970 */
    uint64_t modseq;
    struct slice path; /* that it had */
    struct collection_record record;
};
/* path and the name point into value; deleted_record_write: into anything but `value`. */
int deleted_record_read(struct slice value, struct deleted_record *record);
void deleted_record_write(const struct deleted_record *record, struct buffer *value);

/* --- lists of numbers (keys u, v, x) --- */

/* Numbers of messages and of the threads they were in. */
enum { MESSAGE_NUMBERS_SIZE = 16 };
int messages_record_read(struct slice value, struct slice *numbers);
void messages_record_write(struct slice numbers, struct buffer *value);
/* One more, into what is to be written. */
int messages_record_append(struct buffer *numbers, uint64_t message, uint64_t thread);

enum { VANISHED_RANGES = 65536 }; /* in one record; more go to the next one */

/* Tombstones: ranges of UIDs. The reader adds them to the set. */
int vanished_record_read(struct slice value, struct range_set *uids);
void vanished_record_write(const struct range *ranges, size_t count, struct buffer *value);

/* Subscriptions: ascending collection ids, as a set. */
int subscriptions_read(struct slice value, struct range_set *ids);
void subscriptions_write(const struct range_set *ids, struct buffer *value);

#endif
