/*
 * What an engine implements, and the heads of its structs that kv.c works with.
 *
 * kv.c has checked every argument before an operation is called. Each engine's own structs begin
 * with the head given here.
 */
#ifndef KV_ENGINE_PRIV_H
#define KV_ENGINE_PRIV_H

#include "kv/kv.h"

enum { KV_BOUND_MAXIMUM = KV_KEY_MAXIMUM + 1 };

/* Not an error: see update_commit. */
enum { KV_AGAIN = 1 };

struct kv_operations {
    bool has_nodes; /* others commit that do not post to this machine's ring at once */
    void (*engine_free)(struct kv_engine *engine);
    int (*open)(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv);
    void (*close)(struct kv *kv);
    int (*destroy)(struct kv_engine *engine, const char *name);
    int (*each_space)(struct kv_engine *engine, const char *prefix,
                      int (*fn)(const char *name, void *arg), void *arg);

    int (*read_begin)(struct kv *kv, struct kv_transaction **transaction);
    void (*read_end)(struct kv_transaction *transaction);

    /* On success *transaction is zeroed but for what the engine keeps behind the head. */
    int (*update_begin)(struct kv *kv, enum kv_durability durability,
                        struct kv_transaction **transaction);
    /* Both end the transaction, whatever they return. An engine that commits optimistically returns
     * KV_AGAIN when what the update read does not hold: it is run again. An error of update_abort
     * (it cannot be said whether it holds) takes the place of the update's own. */
    int (*update_commit)(struct kv_transaction *transaction);
    int (*update_abort)(struct kv_transaction *transaction);

    int (*get)(struct kv_transaction *transaction, struct slice key, struct buffer *value);
    int (*put)(struct kv_transaction *transaction, struct slice key, struct slice value);
    /* Tells whether there was something to delete. */
    int (*delete)(struct kv_transaction *transaction, struct slice key, bool *deleted);

    /* Walks lower <= key < upper. The bounds live no longer than the call. */
    int (*cursor_open)(struct kv_transaction *transaction, struct slice lower, struct slice upper,
                       struct kv_cursor **cursor);
    int (*cursor_next)(struct kv_cursor *cursor, struct slice *key, struct slice *value);
    void (*cursor_close)(struct kv_cursor *cursor);

    int (*sync)(struct kv *kv);
    int (*maintain)(struct kv *kv);
    int (*rest)(struct kv *kv);
    int (*compact)(struct kv *kv); /* NULL: there is nothing to do */

    int (*lock)(struct kv *kv, struct kv_lock **lock); /* fills in the head */
    void (*unlock)(struct kv_lock *lock);
    /* NULL, both: nobody can lose it. */
    int (*lock_check)(struct kv_lock *lock);
    /* Tells whether it has changed something. */
    int (*lock_guard)(struct kv_lock *lock, struct kv_transaction *transaction, bool *guarded);
};

struct kv_engine {
    const struct kv_operations *operations;
    struct notice_ring *ring; /* not owned; may be NULL */
    unsigned busy_timeout_ms; /* KV_BUSY_TIMEOUT; tests shorten it */
};

struct kv {
    struct kv_engine *engine;
    uint64_t notice; /* what names the space in a notice; set by kv.c */
};

struct kv_transaction {
    struct kv *kv;
    bool writable;
    bool changed; /* something was put or deleted */
    bool needs_room;
    int error; /* sticky: of the first put or delete that failed */
};

struct kv_cursor {
    struct kv_transaction *transaction;
};

struct kv_lock {
    struct kv *kv;
};

/* kv_update without the gate: for what an engine writes that no copy of files is about. */
int kv_update_ungated(struct kv *kv, enum kv_durability durability,
                      int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);

#endif
