/*
 * Annotations: named values of the account, of a collection (RFC 5464) or of a message in a mailbox
 * (RFC 5257).
 *
 * A shared one has one value for all; a private one has a value for each user, which nobody else
 * sees. Names are said here without "/shared" and "/private", or ".shared" and ".priv": "/comment"
 * and a scope. A value is any bytes; one that is not there differs from an empty one.
 *
 * Every byte of name and value counts for the quota of the account that has the collection
 * (QUOTA_ANNOTATION_STORAGE), whoever's it is; not while the message or the collection is retained.
 *
 * Those of the server are the same for all accounts (RFC 5464 section 3.2).
 *
 * Rights: an account's own annotations are its owner's to read, the private ones to change; shared
 * ones of an account are changed by WHO_SYSTEM, that of store/event.h by its owner, too. A
 * collection's are for who may look it up and has one of r, s, w, i, p (RFC 5464 section 3.3), a
 * message's for who may read it; shared ones are changed with w, of messages with n, besides.
 * Administrators need none of these rights to what is said of collections. Private ones are for
 * accounts only, WHO_SYSTEM acts for the owner.
 */
#ifndef STORE_ANNOTATION_H
#define STORE_ANNOTATION_H

#include "store/message.h"

enum {
    ANNOTATION_NAME_MAXIMUM = 200, /* bytes */
    ANNOTATION_VALUE_MAXIMUM = 64 * 1024,
    /* The shared ones of one collection, or of the account; or one user's private ones. */
    ANNOTATIONS_MAXIMUM = 256,
    MESSAGE_ANNOTATIONS_MAXIMUM = 64, /* the same of one message */
    /* An arena for all that one user sees of a message, with what is left unused of its blocks. */
    ANNOTATIONS_MEMORY_MAXIMUM =
        3 * MESSAGE_ANNOTATIONS_MAXIMUM * (ANNOTATION_VALUE_MAXIMUM + ANNOTATION_NAME_MAXIMUM),
};

enum annotation_scope { ANNOTATION_PRIVATE, ANNOTATION_SHARED };

struct annotation {
    enum annotation_scope scope;
    struct slice name;
    struct slice value; /* data NULL: there is none */
};

/* Takes "/shared/comment" apart (RFC 5464 section 3.2). name points into entry. ERROR_SYNTAX. */
int annotation_name_parse(struct slice entry, enum annotation_scope *scope, struct slice *name);

/* --- of the account (collection 0) and of collections; names are in lower case here --- */

/* All that who sees, the private ones first, by name, and with those of the account those of the
 * server behind them, but for names that the account has itself; in the arena. ERROR_NOT_FOUND,
 * ERROR_DENIED, ERROR_LIMIT from the arena. */
int annotations_list(struct store_view *view, collection_id collection, struct arena *arena,
                     struct annotation **list, size_t *count);

/* Sets the values, or takes away those whose data is NULL: all or nothing. Durable.
 * ERROR_NOT_FOUND, ERROR_DENIED, ERROR_SYNTAX, ERROR_QUOTA; ERROR_LIMIT: too long, too large or too
 * many. */
int annotations_set(struct store_view *view, collection_id collection,
                    const struct annotation *list, size_t count);

/* --- of the server: shared ones that every account sees; names are in lower case --- */

/* As annotations_set, all ANNOTATION_SHARED: ERROR_INVALID. Only for WHO_SYSTEM and administrators:
 * ERROR_DENIED. ERROR_LIMIT also when there would be more than ANNOTATIONS_MAXIMUM. They count for
 * nobody's quota. */
int server_annotations_set(struct store *store, struct who who, const struct annotation *list,
                           size_t count);

/* --- of messages: entries of a mailbox; case matters in names --- */

/* As annotations_list, of the entry with that UID. There need not be one. */
int message_annotations_list(struct mailbox_snapshot *snapshot, uint32_t uid, struct arena *arena,
                             struct annotation **list, size_t *count);

/* Sets the same for all UIDs that exist, as mailbox_change_flags does: entries changed after
 * unchanged_since (UINT64_MAX: none) are left alone and noted in failed (NULL allowed). Those that
 * differ from now on get the change's modseq; *modseq: it, or the mailbox's when nothing changed.
 * Durable, all or nothing. Errors as annotations_set. */
int message_annotations_set(struct store_view *view, collection_id mailbox,
                            const struct range_set *uids, const struct annotation *list,
                            size_t count, uint64_t unchanged_since, uint64_t *modseq,
                            struct range_set *failed);

/* The names of those that who sees and that were set or taken away after modseq `since`, each once,
 * in the arena. What was changed long ago, or with many others, may not be known any more.
 * ERROR_LIMIT from the arena. */
int message_annotations_changed(struct mailbox_snapshot *snapshot, uint32_t uid, uint64_t since,
                                struct arena *arena, struct slice **names, size_t *count);

#endif
