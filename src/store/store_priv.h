/*
 * The store's own structs, and how its calls read and change an account.
 *
 *     store ──cache──> account (an open kv space) <── view (who) <── calls
 *
 * A call reads through view_read or changes through view_change; nothing else opens transactions
 * in an account's space. Every call asks view_require, which asks rights_of, in that transaction: a
 * right that is taken away is gone for whatever is committed later.
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "base/error.h"
#include "kv/kv.h"
#include "store/key_priv.h"
#include "store/record_priv.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- open accounts (cache.c) --- */

enum { SPACE_NAME_MAXIMUM = 48, ACCOUNT_BUCKETS = 1024 };

/* What is to be done with an account later (settle.c, summaries.c). */
enum account_job {
    ACCOUNT_UNSETTLED,     /* it has bodies that are not settled */
    ACCOUNT_DROPPED,       /* it has dropped blobs */
    ACCOUNT_OLD_SUMMARIES, /* a summary of another version was read (summaries.c) */
    ACCOUNT_JOBS,
};

/*
 * An open account. States, all under the store's lock:
 *
 *     opening ──> open ──references 0──> unused (in the list, newest last) ──> closed
 *        └──error──> gone once the last waiter has seen it
 *     doomed: out of the table; its space is destroyed when the last reference is given back
 */
struct account {
    struct store *store;
    struct account_id id;
    char space[SPACE_NAME_MAXIMUM]; /* the name of the kv space, and of the account to blobs */
    struct kv *kv;
    unsigned references;
    bool opening;
    bool used;           /* in the list of those used, which holds a reference */
    bool used_again;     /* since store_maintain looked at it last */
    atomic_bool relaxed; /* has commits that are not flushed */
    atomic_bool doomed;
    bool summaries_seen; /* this process has looked for summaries of another version */
    int64_t purged;      /* when this process did it last, by the store's clock; 0: not yet */
    int64_t since[ACCOUNT_JOBS]; /* when each became due, by the store's clock; 0: it is not */
    int error;                   /* of opening */
    struct account *bucket_next;
    struct account *unused_previous, *unused_next;
    struct account *used_next;
};

struct store {
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct kv *directory;
    char *default_domain;
    char *submission; /* address of the account that submits; NULL: none */
    size_t open_accounts;
    uint64_t limits[QUOTA_RESOURCES];                    /* of new accounts */
    int64_t keep_expunged, keep_changes, keep_delivered; /* seconds */
    bool keep_from_anyone;
    uint32_t outgoing_rate;
    void (*due)(struct account_id account, enum due_kind kind, void *arg);
    void *due_arg;
    int64_t (*clock)(void);
    /* A snapshot of the directory that the last reader has left for the next one, of at most one
     * second ago (store_maintain): a delivery reads it three times, and each snapshot costs two
     * locks of a file. */
    pthread_mutex_t kept_lock; /* of these two; never waited for while it is read with */
    struct kv_transaction *kept;
    uint64_t kept_changes; /* kv_changes of before it was taken */
    pthread_mutex_t lock;  /* of everything below */
    pthread_cond_t opened;
    struct account *buckets[ACCOUNT_BUCKETS];
    struct account *unused_first, *unused_last; /* the one unused longest is first */
    size_t unused;
    struct account *used; /* since the last store_maintain, or kept warm by it */
    size_t used_count;
    bool directory_changed;
    /* What is known of the administrator's scripts for events: site_script.c. */
    int64_t events_asked; /* when, by the store's clock; 0: they may be others now */
    bool has_events;
};

#define DIRECTORY_SPACE "directory"

/* Ends the snapshot that is kept. */
void directory_let_go(struct store *store);

/* "accounts/1f/1f0c..." */
void account_space_name(struct account_id id, char name[SPACE_NAME_MAXIMUM]);

/* Opens it, or takes the one that is open. flags: KV_CREATE or 0. ERROR_NOT_FOUND. */
int account_take(struct store *store, struct account_id id, unsigned flags,
                 struct account **account);
void account_give(struct account *account);

/* Its space and blobs are destroyed as soon as nobody in this process uses it. */
void account_doom(struct account *account);

/* The next open account that was last purged at `before` or earlier; notes that it is purged now.
 */
bool account_next_unpurged(struct store *store, int64_t now, int64_t before,
                           struct account_id *account);

/* The next open account that this was not said of; it is from now on. */
bool account_next_unseen(struct store *store, struct account_id *account);

/* There is such a job from now on. */
void account_mark_due(struct account *account, enum account_job job);

/* An open account of which a job has been due since `before` or earlier; it is not due any more. */
bool account_next_due(struct store *store, enum account_job job, int64_t before,
                      struct account_id *account);

/* Tell store_maintain of a read that has ended, or of a commit. */
void account_mark_used(struct account *account);
void account_mark_changed(struct account *account, enum kv_durability durability);

/* --- views (view.c) --- */

struct store_view {
    struct store *store;
    struct who who;
    struct account *account;
    bool making;               /* the account's record is not there yet */
    struct account_id *groups; /* that who is in, as of the last transaction; NULL: not asked for */
    size_t group_count;
    bool events;                 /* see store_view_take_events */
    bool holds;                  /* see store_view_hold */
    bool ending;                 /* held is let go when the last that reads it ends */
    unsigned reading;            /* how many read held now */
    struct kv_transaction *held; /* NULL: nothing has been read since */
};

/* --- rights (rights.c) --- */

/* What the view's who may do with a collection (0: the root). The one place that decides. */
int rights_of(const struct store_view *view, struct kv_transaction *transaction,
              collection_id collection, uint32_t *rights);

/* ERROR_NOT_FOUND without RIGHT_LOOKUP, ERROR_DENIED when any of the rights is missing. */
int view_require(const struct store_view *view, struct kv_transaction *transaction,
                 collection_id collection, uint32_t rights);

/* ERROR_DENIED unless the view's who is WHO_SYSTEM. */
int view_require_system(const struct store_view *view);

/* Whose subscriptions the view sees: WHO_SYSTEM acts for the account's owner. */
struct account_id view_subscriber(const struct store_view *view);

int view_read(struct store_view *view, struct kv_transaction **transaction);
void view_read_end(struct store_view *view, struct kv_transaction **transaction);

/* One transaction that changes the account. */
struct change {
    struct store_view *view;
    struct kv_transaction *transaction;
    struct account_record account; /* written back when changed is set */
    uint64_t modseq;               /* what everything changed here carries */
    int64_t now;                   /* by the store's clock */
    bool changed;                  /* set by who puts or deletes something */
    bool quiet;                    /* nobody sees a difference: the modseq stays */
    bool account_unreadable;       /* a repair's: there is no account to begin with */
    struct buffer value;           /* where a record is built: change_put's is often this */
    struct buffer message;         /* where message.c reads a message's record */
    struct buffer dropped;         /* struct blob_id: blobs nobody refers to after the commit */
};

/* Runs fn, maybe more than once, then writes the account's record and commits, if fn has changed
 * something. After the commit drops what is in change->dropped. */
int view_change(struct store_view *view, enum kv_durability durability,
                int (*fn)(struct change *change, void *arg), void *arg);

/* The same, guarded by a lock (kv_lock_guard). */
int view_change_guarded(struct store_view *view, enum kv_durability durability,
                        struct kv_lock *lock, int (*fn)(struct change *change, void *arg),
                        void *arg);

/* Whether nothing has come of a change that ended with the error, nor will: a cluster that does not
 * answer may carry it out later. */
static inline bool change_has_failed(int error)
{
    return error && error != ERROR_BUSY && error != ERROR_IO;
}

/* The same for a repair: durable, and change->account_unreadable when the account's record cannot
 * be read. */
int view_repair(struct store_view *view, int (*fn)(struct change *change, void *arg), void *arg);

/* Puts the bytes, unless building them failed. Sets changed. */
int change_put(struct change *change, struct slice key, const struct buffer *value);
int change_delete(struct change *change, struct slice key);

/* Reads a value into a buffer that is cleared first. */
int value_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);

/* --- what is retained (retained.c) --- */

/* So many entries, and their bytes, count as retained from now on; or do not any more. */
void account_retain(struct change *change, uint64_t entries, uint64_t bytes);
void account_unretain(struct change *change, uint64_t entries, uint64_t bytes);

/* --- the change log (purge.c) --- */

/* With the first change of a day, notes the modseq before it, so that tombstones can be dated. */
int changes_mark_day(struct change *change);

/* --- quota (quota.c) --- */

/* Whether so much more would pass the account's limit: ERROR_QUOTA. To be asked before the
 * account's counters are raised. */
int quota_require(const struct change *change, enum quota_resource resource, uint64_t more);

/* The same of QUOTA_MESSAGE and QUOTA_STORAGE. */
int quota_require_messages(const struct change *change, uint64_t messages, uint64_t bytes);

/* Deletes every key that begins with prefix. */
int change_delete_all(struct change *change, struct slice prefix);

#endif
