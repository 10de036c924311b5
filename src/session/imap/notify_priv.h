/*
 * NOTIFY (RFC 5465): what its files share.
 *
 * Of every mailbox that is watched the session keeps what the client has been told: a record, and
 * its name. When an account has changed, its mailboxes are listed and compared with that; whatever
 * differs, and is among the events asked for, is told, and is the new record. So nothing is kept
 * for messages, however many there are, and what is told is what is true now.
 *
 * The changes of a command of this session are told by its answer: they become part of the records
 * without being told again (section 5).
 */
#ifndef SESSION_IMAP_NOTIFY_PRIV_H
#define SESSION_IMAP_NOTIFY_PRIV_H

#include "session/imap/session_priv.h"
#include "store/annotation.h"

enum {
    NOTIFY_MEMORY_MAXIMUM = 1024 * 1024, /* bytes of all records; beyond, NOTIFICATIONOVERFLOW */
    NOTIFY_ACCOUNTS_MAXIMUM = 256,       /* accounts that are watched, likewise */
    NOTIFY_DIGEST = 16,
};

/* An annotation (RFC 5464) that the client knows. */
struct notify_entry {
    enum annotation_scope scope;
    struct slice name;
    uint8_t digest[NOTIFY_DIGEST]; /* of its value */
};
struct notify_entries {
    struct notify_entry *list;
    size_t count;
};

struct notify_mailbox {
    collection_id id, parent;
    struct slice path; /* as the client names it */
    uint32_t events;   /* enum imap_notify_event bits */
    bool subscribed;
    bool readable; /* else its messages are not told of */
    bool counted;  /* unseen is known; not of the mailbox that was selected last */
    uint32_t uid_validity, uid_next, messages, unseen;
    uint64_t modseq;
    struct notify_entries entries; /* when MailboxMetadataChange is wanted */
};

/* What is known of an account's mailboxes. */
struct notify_account {
    struct account_id id;
    struct slice prefix; /* of its names: empty, or "Other Users/bob@example.test/" */
    bool stale;          /* it has changed, or may have */
    bool gone;           /* nothing is shared any more, or under another prefix */
    struct arena arena;
    struct notify_mailbox *mailboxes; /* by id */
    size_t count;
};

/* What the command under way has put into a mailbox. */
struct notify_arrived {
    struct account_id account;
    collection_id mailbox; /* 0: nothing */
    uint32_t first, last;  /* UIDs, */
    uint32_t count;        /* of which so many are its own */
};

struct notify {
    /* what the client has asked for, in the arena */
    struct arena arena;
    struct imap_notify_group *groups;
    size_t group_count;
    struct imap_fetch_item *items; /* of new messages in the selected mailbox */
    size_t item_count;
    uint32_t events; /* of all groups */
    uint32_t tells;  /* enum session_tells bits */
    bool others;     /* mailboxes of others may be meant */

    /* what the client knows */
    struct notify_account *accounts; /* the session's own is the first */
    size_t account_count;
    struct arena server_arena;
    struct notify_entries server; /* annotations of the server */
    struct range_set arrived;     /* UIDs in the selected mailbox whose items are to be told */
    struct fetch_work *telling;   /* of them; NULL: nothing is under way */
    struct notify_arrived own;

    /* The directory, the accounts but the first, the selected mailbox's. */
    struct stream_watch *watches;
    bool directory_stale;
    bool server_stale; /* annotations of the server may have changed */
    bool beginning;    /* NOTIFY SET: nothing has been told yet */
    bool status;       /* STATUS is told at the beginning */
};

/* --- notify.c --- */

/* Behind what was asked for, which the caller has filled in. ERROR_MEMORY. */
int notify_begin(struct notify *notify, struct account_id own);
void notify_free(struct notify **notify);

/* A slice of the first look at everything, of session->notify. ERROR_LIMIT: it is too much. */
enum progress notify_first(struct imap_session *session, int *error);

/* --- cmd_notify.c --- */

/* Copies groups to the notify, whose arena the caller has made. ERROR_LIMIT. */
int notify_copy_groups(struct imap_session *session, struct notify *notify,
                       const struct imap_notify_group *groups, size_t count);

/* --- notify_match.c: which events of a mailbox are told --- */
bool notify_group_means(const struct imap_notify_group *group, bool own, struct slice path,
                        bool subscribed);
uint32_t notify_events_of(const struct notify *notify, bool own, struct slice path,
                          bool subscribed);
/* Whether a mailbox of this account of another may be meant. */
bool notify_means_account(const struct notify *notify, struct slice prefix);

/* --- notify_account.c --- */

/* Compares the account with what is known of it, and tells. PROGRESS_AGAIN: the slice is over, and
 * the account stale still. ERROR_LIMIT: over NOTIFY_MEMORY_MAXIMUM. */
int notify_account_sync(struct imap_session *session, struct notify_account *account,
                        enum progress *progress);
void notify_account_release(struct notify_account *account);
struct notify_mailbox *notify_find(struct notify_account *account, collection_id id);

/* --- notify_own.c: what the session itself has just done --- */
bool notify_is_own_name(const struct imap_session *session, struct slice path);
bool notify_is_own_rename(const struct imap_session *session, struct slice from, struct slice to);
bool notify_is_own_deletion(const struct imap_session *session, struct slice path);
/* *subscribed: what the command has made of it. */
bool notify_is_own_subscription(const struct imap_session *session, struct slice path,
                                bool *subscribed);
bool notify_is_own_entry(const struct imap_session *session, struct slice path,
                         const struct notify_entry *entry);
/* Counts into `known` what the command has put into the mailbox, if nothing else has happened
 * there. */
int notify_take_own_messages(struct imap_session *session, struct account_id account,
                             struct notify_mailbox *known, const struct collection *now);

/* --- notify_metadata.c --- */

/* What there is now, in the arena. ERROR_LIMIT, also of values beyond NOTIFY_MEMORY_MAXIMUM. */
int notify_entries_read(struct store_view *view, collection_id collection, struct arena *arena,
                        struct notify_entries *entries);
/* METADATA with the names of those that differ (section 5.6); path empty: of the server. */
void notify_entries_tell(struct imap_session *session, struct slice path,
                         const struct notify_entries *known, const struct notify_entries *now);
int notify_entries_copy(struct arena *arena, const struct notify_entries *from,
                        struct notify_entries *to);
/* ServerMetadataChange (section 5.7). */
int notify_server_sync(struct imap_session *session);

#endif
