/*
 * Messages in mailboxes: reading through snapshots, changing through the view.
 *
 * An entry is (mailbox, UID) -> message, flags, keywords, dates, size, modseq. A message is
 * immutable and may be in several entries of its account (copies share it). Its summary
 * (format/summary.h) is made once, when it is stored.
 */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "base/range_set.h"
#include "format/summary.h"
#include "store/collection.h"

/* --- flags --- */

/* \Seen is each user's own (RFC 4314 section 4): whoever reads through a view sees, sets and counts
 * that of the view's who. All other flags and keywords are everybody's. */

/* System flags as bits; the same values as enum imap_flag, stored as such. */
enum entry_flag {
    ENTRY_SEEN = 1,
    ENTRY_ANSWERED = 2,
    ENTRY_FLAGGED = 4,
    ENTRY_DELETED = 8,
    ENTRY_DRAFT = 16,
    ENTRY_FLAGS = 31,
};

/* Keywords of an entry: bit i is the mailbox's i-th keyword. */
struct keyword_set {
    uint64_t bits[KEYWORDS_MAXIMUM / 64];
};
static inline bool keyword_set_has(const struct keyword_set *set, unsigned index)
{
    return set->bits[index / 64] >> (index % 64) & 1;
}

/* The names of a mailbox's keywords; those not used any more stay in the list. */
struct keyword_names {
    struct slice names[KEYWORDS_MAXIMUM];
    unsigned count;
};

struct entry {
    uint32_t uid;
    uint32_t flags; /* enum entry_flag bits */
    struct keyword_set keywords;
    uint64_t message; /* the message's number in its account */
    uint64_t modseq;  /* of the last change */
    uint64_t created_modseq;
    int64_t internal_date; /* seconds since 1970 */
    int64_t save_date;
    uint64_t size;          /* bytes */
    bool internationalized; /* a header of the message is not ASCII: it has a surrogate (RFC 6858,
                               format/surrogate.h). False too where nobody has looked */
};

/* --- reading --- */

/* A mailbox as it was at one moment. Keep it short (at most 100 ms); reading may go on in a new
 * one from the UID where the last stopped. */
struct mailbox_snapshot;

/* ERROR_NOT_FOUND; ERROR_DENIED without RIGHT_READ. */
int mailbox_snapshot_open(struct store_view *view, collection_id mailbox,
                          struct mailbox_snapshot **snapshot);
void mailbox_snapshot_close(struct mailbox_snapshot **snapshot);

/* Counters and keyword names at that moment; valid until close. The collection's path is empty:
 * it is not read for this. */
const struct collection *mailbox_snapshot_collection(const struct mailbox_snapshot *snapshot);
const struct keyword_names *mailbox_snapshot_keywords(const struct mailbox_snapshot *snapshot);

/* All UIDs. ERROR_LIMIT from the set. Reads every page's header only where the page is full. */
int mailbox_uids(struct mailbox_snapshot *snapshot, struct range_set *uids);

/* The smallest UID without \Seen, or 0. */
int mailbox_first_unseen(struct mailbox_snapshot *snapshot, uint32_t *uid);

/* Walks entries in UID order from uid `from` on, of those changed after modseq `since` (0: all).
 * Pages without such a change are not read. Nor are, with entry_cursor_pass, those in which no
 * entry has the flags `with` and lacks the flags `without`, as far as pages count them (\Seen and
 * \Deleted); of a page that is read all entries are returned.
 *
 *     struct entry_cursor cursor;
 *     entry_cursor_init(&cursor, snapshot, from, since);
 *     while ((error = entry_cursor_next(&cursor, &entry)) == 0) ...
 *     entry_cursor_release(&cursor);        // ERROR_NOT_FOUND: the end
 */
struct kv_cursor;
struct entry_cursor {
    struct mailbox_snapshot *snapshot;
    uint32_t next_uid;
    uint64_t since;
    uint32_t with, without;
    /* private to entries.c */
    size_t page, index;
    struct buffer loaded;
    struct kv_cursor *ahead; /* of pages that are read in order; behind page ahead_page */
    size_t ahead_page;
};
void entry_cursor_init(struct entry_cursor *cursor, struct mailbox_snapshot *snapshot,
                       uint32_t from, uint64_t since);
void entry_cursor_pass(struct entry_cursor *cursor, uint32_t with, uint32_t without);
int entry_cursor_next(struct entry_cursor *cursor, struct entry *entry);
/* Goes on at uid (forwards only), without reading the pages between. */
void entry_cursor_skip_to(struct entry_cursor *cursor, uint32_t uid);
void entry_cursor_release(struct entry_cursor *cursor);

/* UIDs expunged after modseq `since`. ERROR_CANNOT_CALCULATE when that is not kept any more. */
int mailbox_vanished(struct mailbox_snapshot *snapshot, uint64_t since, struct range_set *uids);

/* The summary of an entry's message: its encoded bytes are appended to `encoded` (cleared
 * first), *summary points into it. Reading entries in UID order reads summaries as one range. */
int mailbox_summary(struct mailbox_snapshot *snapshot, const struct entry *entry,
                    struct buffer *encoded, struct summary *summary);

/* Appends the message's bytes from offset on, at most size; or nothing on failure. Who reads a
 * message in pieces, from front to back, has each block of 128 KiB read and decompressed once. */
int mailbox_message(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t offset,
                    size_t size, struct buffer *bytes);

/* EMAILID and THREADID (RFC 8474), NUL-terminated. */
enum { OBJECT_ID_MAXIMUM = 24 };
void entry_email_id(const struct entry *entry, char text[OBJECT_ID_MAXIMUM]);

/* The entry of a message in this mailbox, any one when there are several.
 * ERROR_NOT_FOUND. One page is read, or where the message's record does not say which, the pages
 * before it, too. */
int mailbox_find_message(struct mailbox_snapshot *snapshot, uint64_t message, struct entry *entry);

/* A mailbox that a message is in. */
struct message_mailbox {
    collection_id mailbox;
    uint32_t uid;     /* of one entry */
    uint32_t entries; /* how many of it have the message */
};

/* All collections that have the message and that who may read, by id, in the arena. ERROR_NOT_FOUND
 * when there is none, ERROR_LIMIT from the arena. */
int message_mailboxes(struct store_view *view, uint64_t message, struct arena *arena,
                      struct message_mailbox **list, size_t *count);

/* --- storing --- */

/* A message ready to be stored in any number of accounts: parsed and hashed once. */
struct prepared_message;

enum { MESSAGE_INLINE_MAXIMUM = 256 * 1024 }; /* bytes kept in the account's own key space */

/* Parses. The bytes are not copied: they must stay until prepared_message_free. */
int prepared_message_create(struct slice message, struct prepared_message **prepared);
void prepared_message_free(struct prepared_message **prepared);

/* What was parsed; it points into the prepared message. */
int prepared_message_summary(const struct prepared_message *prepared, struct summary *summary);

/* A number for the delivery of this message, by its Message-ID, to an envelope's recipient (in any
 * case). 0 when the message has no Message-ID: then no two are the same. */
uint64_t prepared_message_delivery(const struct prepared_message *prepared, struct slice recipient);

/* A prefix (Return-Path, Delivered-To, Received) that differs by recipient goes in front of the
 * message without parsing it again. Whole header fields, each ending in CRLF. */
enum { MESSAGE_PREFIX_MAXIMUM = 4096 };

struct annotation; /* store/annotation.h */

struct append {
    struct prepared_message *message;
    struct slice prefix;          /* empty: none */
    uint32_t flags;               /* enum entry_flag bits */
    const struct slice *keywords; /* names */
    size_t keyword_count;
    int64_t internal_date; /* seconds since 1970 */
    const struct annotation *annotations;
    size_t annotation_count;
};
struct append_result {
    uint32_t uid_validity, uid; /* of the first message; the others' UIDs follow it */
    uint64_t modseq;
};

/* Stores a message durably: one flush. With RIGHT_INSERT or RIGHT_POST; delivery is
 * store/deliver.h's. Flags that who has no right for are not set (RFC 4314 section 5.1.1); for
 * annotations (RFC 5257 section 4.7) who must have the rights that message_annotations_set asks
 * for. ERROR_NOT_FOUND, ERROR_DENIED, ERROR_QUOTA, ERROR_LIMIT (keywords, UIDs used up,
 * annotations), ERROR_SYNTAX (of annotations). */
int mailbox_append(struct store_view *view, collection_id mailbox, const struct append *append,
                   struct append_result *result);

/* The same for several messages (at least one), in their order: all or none of them, in one
 * transaction and with one flush of it (RFC 3502). */
enum { APPENDS_MAXIMUM = 1000 };
int mailbox_append_all(struct store_view *view, collection_id mailbox, const struct append *appends,
                       size_t count, struct append_result *result);

/* Stores a message in `target`, which may be the same mailbox, and removes the one with that UID
 * from `mailbox`, in one transaction (RFC 8508). The new one inherits nothing; what is removed is
 * retained, and the quota is asked for the difference. With mailbox_append's rights on the target,
 * and RIGHT_READ, RIGHT_DELETE_MESSAGES and RIGHT_EXPUNGE on the mailbox. Errors as
 * mailbox_append's; ERROR_CONFLICT: there is no message with that UID. */
int mailbox_replace(struct store_view *view, collection_id mailbox, uint32_t uid,
                    collection_id target, const struct append *append,
                    struct append_result *result);

/* --- changing --- */

enum flag_operation { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
/* What differs in an entry from what it was before. */
struct flag_difference {
    uint32_t uid;
    uint32_t flags; /* enum entry_flag bits that are set now and were not, or the other way */
    struct keyword_set keywords;
};

struct flag_change {
    enum flag_operation operation;
    uint32_t flags;
    const struct slice *keywords;
    size_t keyword_count;
    uint64_t unchanged_since; /* entries changed later are left alone; UINT64_MAX: none */
    /* NULL, or a buffer to which a struct flag_difference is appended for each entry that is
     * changed, as who sees it: always, or where a script is set for events (store/event.h).
     * ERROR_LIMIT of it. */
    struct buffer *differences;
    bool differences_always;
};

/* Changes flags of the UIDs that exist. Relaxed. *modseq: the change's, or the mailbox's when
 * nothing changed. `failed` (NULL allowed) gets the UIDs that unchanged_since held back.
 * ERROR_DENIED when who may set none of the flags; those it may not set are left alone. */
int mailbox_change_flags(struct store_view *view, collection_id mailbox,
                         const struct range_set *uids, const struct flag_change *change,
                         uint64_t *modseq, struct range_set *failed);

/* Removes the entries with \Deleted among uids (NULL: all), and keeps them for some time
 * (store/retained.h). `expunged` gets the UIDs. Durable.
 * ERROR_DENIED without RIGHT_EXPUNGE. */
int mailbox_expunge(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                    struct range_set *expunged, uint64_t *modseq);

/* COPYUID: the i-th number of `from` became the i-th of `to`. */
struct copy_result {
    uint32_t uid_validity;
    struct range_set from; /* in UID order */
    struct range_set to;
};

/* Copies (or moves, as one transaction) the UIDs that exist to another mailbox of the account.
 * Flags and internal dates are kept. Durable. ERROR_NOT_FOUND: no target (TRYCREATE).
 * ERROR_QUOTA, of a copy. A target equal to the source is allowed. The caller inits and releases
 * the sets. */
int mailbox_copy(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                 collection_id target, bool move, struct copy_result *result);

#endif
