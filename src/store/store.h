/*
 * The store: accounts, the directory that finds them, and who may do what.
 *
 * Every call takes the caller's identity (struct who) directly or through a view. Rights are
 * checked here and nowhere else. The system's own work says WHO_SYSTEM; a lint lists every place
 * that does.
 *
 *     store ──view(who, account)──> view ──> collections (store/collection.h)
 *                                        ──> entries and messages (store/message.h)
 *           ──address──> accounts (store/directory.h)
 *
 * Calls block on the disk. All are thread-safe; a view or a snapshot belongs to one thread at a
 * time. Several processes use one store at once.
 *
 * Errors of every call that reaches storage, besides those it names: ERROR_IO, ERROR_SPACE,
 * ERROR_CORRUPT, ERROR_BUSY, ERROR_MEMORY.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"

struct kv_engine;
struct blob_engine;
struct store;
struct store_view;

/* --- identities --- */

/* An account's stable random id; names map to it in the directory. */
struct account_id {
    uint8_t bytes[16];
};
enum { ACCOUNT_ID_TEXT = 32 }; /* hexadecimal digits, lower case */

void account_id_format(struct account_id id, char text[ACCOUNT_ID_TEXT + 1]);
int account_id_parse(struct slice text, struct account_id *id);
static inline bool account_id_equal(struct account_id a, struct account_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* Who asks. */
enum who_kind {
    WHO_KIND_NOBODY, /* has no right at all: what a zeroed struct means */
    WHO_KIND_ANONYMOUS,
    WHO_KIND_ACCOUNT,
    WHO_KIND_SYSTEM, /* delivery, administration, repair: every right */
};
struct who {
    enum who_kind kind;
    struct account_id account;
    bool administrator; /* an account that has RIGHTS_OF_ADMINISTRATOR everywhere */
};
#define WHO_SYSTEM ((struct who){.kind = WHO_KIND_SYSTEM})
static inline struct who who_account(struct account_id account)
{
    return (struct who){.kind = WHO_KIND_ACCOUNT, .account = account};
}
static inline struct who who_administrator(struct account_id account)
{
    return (struct who){.kind = WHO_KIND_ACCOUNT, .account = account, .administrator = true};
}

/* RFC 4314 rights as bits. */
enum right {
    RIGHT_LOOKUP = 1 << 0,          /* l */
    RIGHT_READ = 1 << 1,            /* r */
    RIGHT_SEEN = 1 << 2,            /* s */
    RIGHT_WRITE = 1 << 3,           /* w */
    RIGHT_INSERT = 1 << 4,          /* i */
    RIGHT_POST = 1 << 5,            /* p */
    RIGHT_CREATE = 1 << 6,          /* k */
    RIGHT_DELETE_MAILBOX = 1 << 7,  /* x */
    RIGHT_DELETE_MESSAGES = 1 << 8, /* t */
    RIGHT_EXPUNGE = 1 << 9,         /* e */
    RIGHT_ADMINISTER = 1 << 10,     /* a */
    RIGHT_ANNOTATE = 1 << 11,       /* n (RFC 5257 section 3.4) */
    RIGHT_ALL = (1 << 12) - 1,
};

/* What an administrator may do with every collection of every account, and at its root, besides
 * what the list gives: neither negative rights nor the owner take it away. No right to messages is
 * among them. Who wants one has to put it into the list, where everybody sees it who may. */
#define RIGHTS_OF_ADMINISTRATOR                                                                    \
    ((uint32_t)(RIGHT_LOOKUP | RIGHT_CREATE | RIGHT_DELETE_MAILBOX | RIGHT_ADMINISTER))

/* --- quota --- */

/* What the quota root of an account limits (RFC 9208 section 5). */
enum quota_resource {
    QUOTA_STORAGE,            /* bytes of messages, once for each entry */
    QUOTA_MESSAGE,            /* entries */
    QUOTA_MAILBOX,            /* collections of every type */
    QUOTA_ANNOTATION_STORAGE, /* bytes of annotations */
    QUOTA_RESOURCES,
};

/* --- opening --- */

/* What an account may have to be done at a time (store/due.h). The letters of the directory's keys.
 */
enum due_kind {
    DUE_OUTGOING = 'o', /* mail on its way out (store/outgoing.h) */
    DUE_SNOOZED = 'w',  /* a message that wakes (store/snooze.h) */
};

struct store_options {
    struct kv_engine *kv;       /* not owned */
    struct blob_engine *blob;   /* not owned */
    size_t open_accounts;       /* accounts kept open when nobody uses them */
    const char *default_domain; /* of a name without one; copied */
    const char *submission;     /* address of the account that submits mail (store/urlauth.h); NULL:
                                   none; copied */
    uint64_t limits[QUOTA_RESOURCES]; /* of the quota of new accounts (store/quota.h); 0: none */
    int64_t keep_expunged;            /* seconds; see store_purge (store/retained.h) */
    int64_t keep_changes;             /* seconds; likewise */
    int64_t keep_delivered;           /* seconds; 0: deliveries are not remembered */
    bool keep_from_anyone;  /* accounts give no rights to anyone or the anonymous (store/acl.h) */
    uint32_t outgoing_rate; /* messages an account sends in an hour; 0: any number */
    /* The account has got something that is to be done at a time, and committed it. Called in the
     * thread that delivers; NULL: nobody is told. */
    void (*due)(struct account_id account, enum due_kind kind, void *arg);
    void *due_arg;
    int64_t (*clock)(void); /* seconds since 1970, to date what is kept; NULL: the wall's */
};

/* Opens the store, making the directory's space when there is none. */
int store_open(const struct store_options *options, struct store **store);

/* Every view must have been closed. */
void store_close(struct store **store);

/* Makes relaxed commits durable and lets engines tidy up, for every account that was used since
 * the last call. Of those that were not, and of those that are too many, it takes the memory. A
 * background job calls it about once a second. */
int store_maintain(struct store *store);

/* --- views --- */

/* An account as `who` may see it. Cheap: the account itself is opened when first needed, and kept
 * open in the store's cache. ERROR_NOT_FOUND when there is no such account. */
int store_view_open(struct store *store, struct who who, struct account_id account,
                    struct store_view **view);
void store_view_close(struct store_view **view);

/* For who asks several things of the account one behind the other: until the view is let go, all
 * its reads are of the moment of the first of them, and only that one costs what a snapshot does
 * (two locks of a file; on a cluster the way to it and back). Keep it short, as any snapshot. A
 * change lets go before it begins, so that what is read behind it is of after it. May be called
 * when it is held, and let go when it is not. */
void store_view_hold(struct store_view *view);
void store_view_let_go(struct store_view *view);

/* What notices about this account carry (kv/notice_ring.h: notice_space of its kv space). */
uint64_t store_account_notice(struct account_id account);

/* kv_changes of the account and of the directory together: while it stays the same, so does all
 * that is read in the account, by whomever. 0: it cannot be said. */
uint64_t store_account_changes(const struct store *store, struct account_id account);

/* The same of the directory: of accounts, groups, and who shares something with whom. */
uint64_t store_directory_notice(void);

#endif
