/*
 * What an engine implements. blob.c has checked the account's name and the id before an operation
 * is called. Each engine's own struct begins with struct blob_engine.
 */
#ifndef BLOB_ENGINE_PRIV_H
#define BLOB_ENGINE_PRIV_H

#include "blob/blob.h"

enum { BLOB_ACCOUNT_MAXIMUM = 128 };

struct blob_operations {
    void (*engine_free)(struct blob_engine *engine);
    int (*put)(struct blob_engine *engine, const char *account, struct slice body,
               struct blob_id *id);
    /* kept: may be NULL */
    int (*get)(struct blob_engine *engine, const char *account, struct blob_kept *kept,
               struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes);
    int (*drop)(struct blob_engine *engine, const char *account, struct blob_id id);
    int (*verify)(struct blob_engine *engine, const char *account, struct blob_id id);
    int (*each)(struct blob_engine *engine, const char *account,
                int (*fn)(struct blob_id id, void *arg), void *arg);
    int (*destroy)(struct blob_engine *engine, const char *account);

    /* For an engine that flushes several bodies at once; where they are NULL, put is called for
     * each. account lives as long as the batch. batch_end frees; with keep it flushes, without it
     * takes back, and so it does when it fails. */
    int (*batch_begin)(struct blob_engine *engine, const char *account, void **batch);
    int (*batch_add)(void *batch, struct slice body, struct blob_id *id);
    int (*batch_end)(void *batch, bool keep);

    /* NULL for an engine where drop gives the space back. */
    int (*reclaim)(struct blob_engine *engine, const char *account,
                   const struct blob_reclaim *what);
};

struct blob_engine {
    const struct blob_operations *operations;
};

/* A random number that is not 0. */
uint64_t blob_new_number(void);

#endif
