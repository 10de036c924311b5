/*
 * blob/rados: a body is an object of a Ceph cluster, or several.
 *
 *   object.c   the objects of a body: writing and reading them
 *   index.c    which bodies an account has
 *   writer.c   putting bodies, several at once
 *   rados.c    the engine
 *
 * Objects of an account, in one namespace of the pool. Numbers are big-endian.
 *
 *     ACCOUNT/<number, 16 hex digits>       the first 4 MiB of a body
 *     ACCOUNT/<number, 16 hex digits>.<n>   the n-th 4 MiB of it, n = 1, 2, ...
 *     ACCOUNT/index-<digit>                 the numbers that begin with the digit
 *
 * An object of a body is laid out as a pack (src/blob/record.c) with one record, of a piece of the
 * body; its pack number is the body's number + n. So a part of a body is read by the frames it lies
 * in, and what lies elsewhere than it was written is damaged. The first object has an attribute
 * "size": 8 bytes, the size of the body. It is written last.
 *
 * The omap of an index:
 *
 *     "b" and the number   8 bytes: when it was reserved, seconds since 1970
 *     "d" and the number   8 bytes: when the body was dropped
 *     "p" and the number   8 bytes: its size, where it has several objects
 *
 * A number is reserved, durably, before anything is written under it: so there is no object of
 * which no index knows; so is the size of a body of several objects. A body that is being written,
 * and a number that is not used, is in the index without a first object. What was reserved or
 * dropped more than BLOB_RECLAIM_AGE ago may be removed: its first object last, and then from the
 * index.
 */
#ifndef BLOB_RADOS_PRIV_H
#define BLOB_RADOS_PRIV_H

#include "blob/record_priv.h"
#include "rados/cluster.h"

#include <pthread.h>

enum {
    PIECE_SIZE = 4 * 1024 * 1024,           /* bytes of the body in an object */
    NAME_SIZE = BLOB_ACCOUNT_MAXIMUM + 32,  /* of an object */
    NUMBERS = 64,                           /* reserved at once, at the most */
    NUMBERS_SECONDS = BLOB_RECLAIM_AGE / 4, /* how long reserved ones may be used */
    NUMBERS_FIRST = 8,                      /* reserved at once, at first */
    HINTS = 64,                             /* accounts whose reserved numbers are kept */
    SHARDS = 16,                            /* of an index */
    WRITES = 16,                            /* under way at once */
    WRITE_BYTES = 8 * 1024 * 1024,          /* of them together, but for the last */
    LOOKS = 64,                             /* looks at first objects under way at once */
};

/* Numbers of an account that are reserved and not used. */
struct numbers {
    uint64_t numbers[NUMBERS];
    size_t count;
    size_t wanted;    /* how many to reserve the next time; 0: NUMBERS_FIRST */
    int64_t reserved; /* when */
    char account[BLOB_ACCOUNT_MAXIMUM + 1];
};

struct rados_engine {
    struct blob_engine engine;
    rados_ioctx_t io;
    pthread_mutex_t lock;
    struct numbers hints[HINTS]; /* by lock */
    unsigned next_hint;          /* by lock: which is given up for another */
};

/* --- object.c --- */

void object_name(const char *account, uint64_t number, uint64_t piece, char name[NAME_SIZE]);

uint64_t pieces_of(uint64_t body_size);

/* Appends the object of a piece. */
int object_build(uint64_t number, uint64_t piece, struct slice bytes, void **compressor,
                 struct buffer *object);

/* Appends bytes of a body, which it has, or nothing on failure; verifies pieces of it. */
int object_read(struct rados_engine *engine, const char *account, struct blob_id id,
                uint64_t offset, size_t size, struct buffer *bytes);
int object_verify(struct rados_engine *engine, const char *account, struct blob_id id);

/* The body's size, for at most LOOKS numbers at once. */
static const uint64_t SIZE_MISSING = UINT64_MAX;     /* there is no first object */
static const uint64_t SIZE_DAMAGED = UINT64_MAX - 1; /* it does not say */
int object_sizes(struct rados_engine *engine, const char *account, const uint64_t *numbers,
                 size_t count, uint64_t *sizes);

/* Removes the objects of a body. */
int object_remove(struct rados_engine *engine, const char *account, uint64_t number,
                  uint64_t body_size);

/* --- index.c --- */

/* A number that is reserved; takes it from `numbers`, which it fills when it is empty or old. */
int index_take(struct rados_engine *engine, struct numbers *numbers, uint64_t *number);

/* Between uses: takes an account's numbers out of the engine, and gives them back. */
void index_take_hint(struct rados_engine *engine, const char *account, struct numbers *numbers);
void index_give_hint(struct rados_engine *engine, const struct numbers *numbers);

/* Notes the size of a body of several objects. */
int index_note_size(struct rados_engine *engine, const char *account, uint64_t number,
                    uint64_t size);
int index_drop(struct rados_engine *engine, const char *account, uint64_t number);
int index_forget(struct rados_engine *engine, const char *account, uint64_t number);

/* What an index says of a number. */
struct index_entry {
    uint64_t number;
    int64_t reserved, dropped; /* 0: it is not */
    uint64_t size;             /* of a body of several objects */
};

/* Appends a struct index_entry for each number of a shard, ascending. */
int index_list(struct rados_engine *engine, const char *account, unsigned shard,
               struct buffer *entries);
int index_remove(struct rados_engine *engine, const char *account, unsigned shard);

/* --- writer.c --- */

struct rados_writer;

int rados_writer_new(struct rados_engine *engine, const char *account,
                     struct rados_writer **writer);
int rados_writer_add(struct rados_writer *writer, struct slice body, struct blob_id *id);

/* Waits for all; frees. Without keep, or when it fails, takes back what was written. */
int rados_writer_end(struct rados_writer *writer, bool keep);

#endif
