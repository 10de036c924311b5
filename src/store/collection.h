/*
 * Collections: an account's mailboxes, calendars, address books and files, a tree for each type.
 *
 * A collection has a stable id and a parent; its path ("Lists/C" in UTF-8, levels separated by
 * '/') is derived from the tree, so renaming one with a thousand children is one record.
 * INBOX is the one with ROLE_INBOX; it is found by its name in any case, cannot be deleted, and
 * renaming it moves its messages (RFC 9051 section 6.3.6).
 */
#ifndef STORE_COLLECTION_H
#define STORE_COLLECTION_H

#include "store/store.h"

enum {
    COLLECTION_NAME_MAXIMUM = 255,  /* bytes of one level */
    COLLECTION_PATH_MAXIMUM = 1000, /* bytes of a path */
    COLLECTION_DEPTH_MAXIMUM = 32,
    COLLECTIONS_MAXIMUM = 20000, /* in one account */
    KEYWORDS_MAXIMUM = 128,      /* different keywords in one mailbox */
    KEYWORD_NAME_MAXIMUM = 128,  /* bytes of one keyword */
};

typedef uint32_t collection_id; /* within its account; never reused; 0 is none (the root) */

enum collection_type {
    COLLECTION_MAILBOX = 1,
    COLLECTION_CALENDAR,
    COLLECTION_ADDRESS_BOOK,
    COLLECTION_FILES,
};

/* Special uses (RFC 6154, RFC 8457, draft-ietf-extra-sieve-snooze-07 section 8.3), and INBOX. */
enum collection_role {
    ROLE_NONE,
    ROLE_INBOX,
    ROLE_ALL,
    ROLE_ARCHIVE,
    ROLE_DRAFTS,
    ROLE_FLAGGED,
    ROLE_JUNK,
    ROLE_SENT,
    ROLE_TRASH,
    ROLE_IMPORTANT,
    ROLE_SNOOZED,
};

/* "\Sent" <-> ROLE_SENT; NULL for ROLE_NONE and ROLE_INBOX. */
const char *collection_role_name(enum collection_role role);
int collection_role_parse(struct slice name, enum collection_role *role);

struct collection {
    collection_id id;
    collection_id parent; /* 0: top level */
    enum collection_type type;
    enum collection_role role;
    struct slice name; /* of this level */
    struct slice path;
    uint32_t rights;    /* enum right bits of the view's who */
    bool subscribed;    /* by the view's who */
    bool has_children;  /* that the view's who may look up */
    char object_id[24]; /* MAILBOXID (RFC 8474), NUL-terminated */
    uint32_t uid_validity;
    uint32_t uid_next;
    uint64_t highest_modseq;
    uint32_t messages;
    uint32_t unseen;            /* by the view's who */
    uint32_t deleted;           /* with \Deleted */
    uint64_t size;              /* bytes of all messages */
    bool has_internationalized; /* there may be entries that say so of their message */
};

/* All collections of the type that who may look up, parents before children, siblings by name
 * (INBOX first), in the arena. */
int collection_list(struct store_view *view, enum collection_type type, struct arena *arena,
                    struct collection **list, size_t *count);

/* One collection by path or id. Strings are in the arena. ERROR_NOT_FOUND (also without the right
 * to look it up). */
int collection_find(struct store_view *view, enum collection_type type, struct slice path,
                    struct arena *arena, struct collection *found);
int collection_get(struct store_view *view, collection_id id, struct arena *arena,
                   struct collection *found);

/* The same, where nothing but the id is wanted: it is found without reading the collection. */
int collection_find_id(struct store_view *view, enum collection_type type, struct slice path,
                       collection_id *id);

/* Makes a collection, and the levels above it that are missing (RFC 9051 section 6.3.4). A
 * trailing '/' is ignored. Durable. ERROR_EXISTS, ERROR_DENIED, ERROR_SYNTAX (empty level, control
 * characters, not UTF-8, over a limit), ERROR_LIMIT, ERROR_QUOTA, ERROR_CONFLICT (another has this
 * role). */
int collection_create(struct store_view *view, enum collection_type type, struct slice path,
                      enum collection_role role, collection_id *id);

/* Removes a collection and its messages, however many, as one record: all of it is kept for some
 * time (store/retained.h). ERROR_INVALID for INBOX and for one with children. ERROR_NOT_FOUND,
 * ERROR_DENIED. Durable. */
int collection_delete(struct store_view *view, collection_id id);

/* Gives it a new path; children follow. ERROR_EXISTS, ERROR_INVALID (into itself), ERROR_SYNTAX,
 * ERROR_DENIED. Durable. */
int collection_rename(struct store_view *view, collection_id id, struct slice path);

/* Relaxed. */
int collection_subscribe(struct store_view *view, collection_id id, bool subscribed);

#endif
