/*
 * kv/rados: a space is one object of a Ceph cluster, its omap is the key space.
 *
 *   view.c         what is known of a space's keys: versions that live side by side
 *   state.c        the records beside the keys: the space's state, and what commits replaced
 *   snapshot.c     reading: from what is known, else from the cluster
 *   commit.c       whose turn it is to change a space, and the one operation that changes it
 *   transaction.c  transactions and cursors
 *   lock.c         the lock of a space
 *   notices.c      notices from and to other nodes
 *   engine.c       spaces
 *
 * RADOS changes an object atomically, but shows its present only. So each commit stores what it
 * replaced beside the keys, under its number, for some seconds: who reads an older state and finds
 * the object changed looks there what its keys were. The same records say which keys other nodes
 * have changed: what this process knows of all others still holds, and is not read again.
 *
 *     reader   [state is still n: read]───yes──> what is read is of n
 *                     │ no: it is m
 *                     └─> reads the records n+1..m: of their keys the oldest values are those of n;
 *                         then goes on, with [state is still m: read]
 *
 *     writer   [state is still n: change keys, store record n+1, state is n+1]
 *                     │ no: it is m, and record n+1 is not mine
 *                     └─> the update is run again on m
 *
 * Records are kept for UNDO_US at the least (by the clock of who commits), unless commits replace
 * more than UNDO_GENERATION bytes in that time. A reader that comes too late gets ERROR_BUSY.
 */
#ifndef KV_RADOS_PRIV_H
#define KV_RADOS_PRIV_H

#include "kv/engine_priv.h"
#include "kv/tree_priv.h"
#include "rados/cluster.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    STATE_SIZE = 72,
    ID_SIZE = 16,
    USER_KEY_MAXIMUM = KV_BOUND_MAXIMUM + 2,
    UNDO_KEY_SIZE = 18, /* "u" and 16 digits, and a NUL */
    UNDO_US = 2 * 1000 * 1000,
    /* Bytes of replaced values that one commit keeps; of others it keeps that they were replaced.
     */
    UNDO_VALUES = 4 * 1024 * 1024,
    UNDO_GENERATION = 8 * 1024 * 1024,
    BATCH_MEMBERS = 32,               /* updates committed together */
    BATCH_BYTES = 4 * 1024 * 1024,    /* a batch of so much is committed without waiting */
    CACHE_BYTES = 64 * 1024 * 1024,   /* of what is known of all spaces */
    CHANGES_BYTES = 40 * 1024 * 1024, /* keys and values of one update */
    GROWTH_MAXIMUM = 1024,            /* bytes of an object's data: see commit.c */
    LOCK_LEASE_MS = 6000, /* KV_BUSY_TIMEOUT is longer: who waits for a dead one gets it */
};

/* --- view.c: what is known of a space's keys at one moment --- */

enum view_tag {
    VIEW_UNKNOWN, /* not known, or not any more */
    VIEW_VALUE,
    VIEW_ABSENT, /* there is no such key */
    VIEW_LOST,   /* there was a value, which is not kept */
};

/* Copies are cheap and live by themselves. Keys that lie in a known range and have no entry are
 * absent. Zeroed: nothing is known. */
struct view {
    struct tree_node *entries;
    struct tree_node *known; /* ranges: first key -> the first one behind */
    size_t bytes;            /* about */
    bool has_unknown;        /* there may be entries VIEW_UNKNOWN */
};

void view_hold(const struct view *view, struct view *copy);
void view_release(struct view *view);

/* The value lives as long as the view or a copy of it. */
enum view_tag view_get(const struct view *view, struct slice key, struct slice *value);

/* The first key from `from` on and below upper: VIEW_VALUE, VIEW_LOST. VIEW_ABSENT: there is none.
 * VIEW_UNKNOWN: that is not known from *key on. */
enum view_tag view_next(const struct view *view, struct slice from, struct slice upper,
                        struct slice *key, struct slice *value);

/* What was read: changes nothing that is known. */
int view_learn(struct view *view, struct slice key, enum view_tag tag, struct slice value);

/* All keys from lower on and below upper have been learnt. */
int view_learn_range(struct view *view, struct slice lower, struct slice upper);

/* What was changed. */
int view_set(struct view *view, struct slice key, enum view_tag tag, struct slice value);
int view_forget(struct view *view, struct slice key);

/* --- state.c --- */

/* What names a state of a space; the value of the key "m". */
struct state {
    char bytes[STATE_SIZE]; /* as it is stored, and compared */
    uint64_t birth;         /* random: of the space */
    uint64_t number;        /* of the last commit */
    uint64_t oldest;        /* of the records kept */
    uint64_t generation;    /* the first record of the generation that is being filled */
    int64_t generation_us;  /* when that was begun */
    uint64_t generation_bytes;
};

bool state_equal(const struct state *a, const struct state *b);
int state_read(struct slice bytes, struct state *state);
void state_first(struct state *state);

/* The state after a commit whose record has so many bytes. With *trim the records from the old
 * state's oldest on and below the new one's are to be removed. */
void state_next(const struct state *state, size_t record_bytes, struct state *next, bool *trim);

void undo_key(uint64_t number, char key[UNDO_KEY_SIZE]);
int undo_number(struct slice key, uint64_t *number);

/* A record: the id of its commit, then what each key was. */
int undo_begin(struct buffer *record, const unsigned char id[ID_SIZE]);
int undo_add(struct buffer *record, struct slice key, enum view_tag tag, struct slice value);
bool undo_is_of(struct slice record, const unsigned char id[ID_SIZE]);
int undo_each(struct slice record,
              int (*fn)(struct slice key, enum view_tag tag, struct slice value, void *arg),
              void *arg);

/* --- spaces --- */

/* Updates that are committed by one operation. */
struct batch;

struct space {
    struct space *next;
    struct rados_engine *engine;
    unsigned opened; /* by the engine's lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the turn, or a batch's result */
    bool taken;             /* the turn of who updates */
    unsigned waiting;       /* for the turn */
    struct batch *batch;    /* what the next operation commits; of who has the turn */
    struct view view;       /* of `state` */
    struct state state;
    bool has_state;
    bool outdated; /* another node has committed since, as an update found out */
    uint64_t used; /* the engine's clock when it was last read */
    uint64_t notice;
    char name[KV_NAME_MAXIMUM + 1];
};

struct notices;

struct rados_engine {
    struct kv_engine engine;
    struct cluster *cluster;
    rados_ioctx_t io;
    pthread_mutex_t lock;
    struct space *spaces;
    _Atomic size_t cached; /* bytes of all spaces' views */
    size_t cache_maximum;
    unsigned lease_ms; /* LOCK_LEASE_MS; tests shorten it */
    _Atomic uint64_t clock;
    struct notices *notices;
};

struct rados_kv {
    struct kv kv;
    struct space *space;
};

/* --- snapshot.c --- */

/* A space at one moment. */
struct snapshot {
    struct space *space;
    struct view view;
    struct state state; /* of the view */
    struct state seen;  /* the object's when it was last read: later ones are undone */
    bool fixed;         /* of an update: it does not go on when the object has changed */
    bool checked;       /* that the object had the state */
    bool stale;         /* it has not */
};

/* Reads the space's present state. */
int snapshot_begin(struct space *space, struct snapshot *snapshot);

/* The state that was last known here, unchecked. */
int snapshot_guess(struct space *space, struct snapshot *snapshot);
void snapshot_end(struct snapshot *snapshot);

int snapshot_get(struct snapshot *snapshot, struct slice key, struct slice *value);

/* Keys from `from` on, below upper. */
struct range {
    struct slice from, upper;
    size_t limit; /* entries the next operation reads; 0 at first */
};

/* The first key of the range. ERROR_NOT_FOUND: there is none. */
int snapshot_next(struct snapshot *snapshot, struct range *range, struct slice *key,
                  struct slice *value);

/* Brings all these keys into the view by as few operations as it takes. */
int snapshot_fetch(struct snapshot *snapshot, const struct slice *keys, size_t count);

/* Whether the object still has the snapshot's state. */
int snapshot_check(struct snapshot *snapshot);

/* The object's state, and calls fn for each record behind `after`, in their order. *kept: there are
 * all of them. */
int read_records(struct space *space, uint64_t after, struct state *state, bool *kept,
                 int (*fn)(uint64_t number, struct slice record, void *arg), void *arg);

/* Under the space's lock: says how its view has grown; later without it: keeps the maximum. */
void cache_account(struct space *space, size_t before);
void cache_limit(struct rados_engine *engine);

/* --- commit.c --- */

struct rados_transaction {
    struct kv_transaction transaction;
    struct snapshot snapshot;
    struct tree_node *changes; /* of the batch and this update: VIEW_VALUE or VIEW_ABSENT */
    size_t change_bytes;       /* of this update */
};

/* Takes the turn and joins the batch. ERROR_BUSY. */
int commit_join(struct rados_transaction *update);

/* Gives both back. With `keep` its changes are committed; without, it waits until what the update
 * saw of the batch has come about. KV_AGAIN: what it saw does not hold. */
int commit_leave(struct rados_transaction *update, bool keep);

/* --- engine.c, transaction.c --- */

extern const struct kv_operations rados_operations;

void rados_engine_free(struct kv_engine *engine);
int rados_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv);
void rados_close(struct kv *kv);
int rados_destroy(struct kv_engine *engine, const char *name);
int rados_each_space(struct kv_engine *engine, const char *prefix,
                     int (*fn)(const char *name, void *arg), void *arg);

/* --- lock.c --- */

int rados_lock_take(struct kv *kv, struct kv_lock **lock);
int rados_lock_check(struct kv_lock *lock);
int rados_lock_guard(struct kv_lock *lock, struct kv_transaction *transaction, bool *guarded);
void rados_lock_give(struct kv_lock *lock);

/* --- notices.c --- */

/* The object that is watched: no space has such a name. */
#define NOTICES_OBJECT "NOTICES"

/* Tells other nodes what is committed here, and the ring what is committed there. */
int notices_start(struct rados_engine *engine, struct notices **notices);
void notices_stop(struct notices **notices);
void notices_post(struct notices *notices, uint64_t space);

#endif
