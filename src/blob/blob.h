/*
 * Bodies of messages outside of the account's own key space.
 *
 * A blob is immutable and belongs to one account (named as its kv space). It is written once, on
 * stable storage before its id may be referred to, and then referred to by the account's records; a
 * blob nobody refers to (a crash in between) is an orphan that blob_each finds and blob_reclaim
 * clears away. What is live is what the account's records say, nothing else.
 *
 * Engines: blob/pack (files, the format is at the head of src/blob/record.c), blob/rados
 * (objects of a Ceph cluster), blob/memory (tests and fuzzers). Thread-safe; several processes may
 * write to the same account at once.
 *
 * Errors: ERROR_IO, ERROR_SPACE, ERROR_CORRUPT (checksum), ERROR_NOT_FOUND, ERROR_MEMORY;
 * ERROR_INVALID for an account that is not named as a kv space is, ERROR_LIMIT for a body larger
 * than BLOB_SIZE_MAXIMUM. What is read is verified first: bytes that are not what was put are never
 * returned.
 */
#ifndef BLOB_BLOB_H
#define BLOB_BLOB_H

#include "base/buffer.h"

struct blob_engine;

/* Where a blob lies. Made by blob_put and blob_batch_add; kept by the store in the message's
 * record. */
struct blob_id {
    uint64_t pack;   /* a random number that names the pack; never 0 */
    uint64_t offset; /* of the record in the pack, bytes */
    uint64_t size;   /* of the body, bytes, uncompressed */
};

enum {
    BLOB_SIZE_MAXIMUM = 1024 * 1024 * 1024, /* bytes of one body */
    BLOB_MOVES_MAXIMUM = 512,               /* blobs moved by one call of blob_reclaim.moved */
    /* How long a pack must not have changed before blob_reclaim touches it, seconds: longer than
     * it takes from putting a blob to the commit that refers to it, and from a commit to the last
     * reader of what was before. */
    BLOB_RECLAIM_AGE = 60 * 60,
};

enum { BLOB_ID_ENCODED = 24 };
void blob_id_encode(struct blob_id id, char bytes[BLOB_ID_ENCODED]);
int blob_id_decode(struct slice bytes, struct blob_id *id);

/* Packs lie in "DIRECTORY/ACCOUNT.packs/". The directory exists; folders within it are made. */
int blob_pack_create(const char *directory, struct blob_engine **engine);

/* Objects in a namespace of the cluster's pool (src/blob/rados). The cluster is connected, and
 * outlives the engine. ERROR_BUSY of any call: it does not answer. */
struct cluster;
int blob_rados_create(struct cluster *cluster, const char *name_space, struct blob_engine **engine);

int blob_memory_create(struct blob_engine **engine);
void blob_engine_free(struct blob_engine **engine);

/* Writes a body and brings it to stable storage. On failure nothing of it can be read. */
int blob_put(struct blob_engine *engine, const char *account, struct slice body,
             struct blob_id *id);

/*
 * Many bodies, brought to stable storage together: with packs, by one flush (and by two more when a
 * pack is begun).
 *
 *     blob_batch_begin(engine, account, &batch);
 *     blob_batch_add(batch, body, &ids[i]) ...
 *     error = blob_batch_finish(&batch);        // only now may ids be referred to
 *
 * The first error is kept: later adds do nothing, and finish returns it. Then nothing of the batch
 * counts: what was written of it is taken back or, where that is not possible, is orphans. begin
 * and add may block on the disk, finish does. A batch belongs to one thread at a time. Memory:
 * about 2 MiB, whatever is added; with a cluster 16 MiB.
 */
struct blob_batch;
int blob_batch_begin(struct blob_engine *engine, const char *account, struct blob_batch **batch);
int blob_batch_add(struct blob_batch *batch, struct slice body, struct blob_id *id);
int blob_batch_finish(struct blob_batch **batch);  /* frees it, whatever it returns */
void blob_batch_cancel(struct blob_batch **batch); /* NULL inside is fine */

/* Appends the bytes from offset on, at most size, to the buffer (fewer at the end), or nothing on
 * failure. Reads and decompresses no more than the frames of 128 KiB they lie in.
 *
 * ERROR_NOT_FOUND: it was never there, or was moved or dropped more than BLOB_RECLAIM_AGE ago. */
int blob_get(struct blob_engine *engine, const char *account, struct blob_id id, uint64_t offset,
             size_t size, struct buffer *bytes);

/* What is kept open from one body of an account to the next: {0} at first; of one thread at a time.
 * It is let go of soon, as it holds the room of a pack that is removed meanwhile. */
struct blob_kept {
    uint64_t pack; /* 0: nothing */
    uint64_t size;
    int file;
};

/* As blob_get, with its errors, without opening the pack again when the body before it lay there.
 */
int blob_get_next(struct blob_engine *engine, const char *account, struct blob_kept *kept,
                  struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes);

/* Closes it; also after an error, also of {0}. It can be used again. */
void blob_let_go(struct blob_kept *kept);

/* Says that no record refers to it any more, after the commit that made it so is durable. A note
 * without a flush: a power cut may lose it, and then blob_reclaim has to look at everything. The
 * bytes can be read until they are reclaimed. A second time it may be ERROR_NOT_FOUND. */
int blob_drop(struct blob_engine *engine, const char *account, struct blob_id id);

/* Reads it whole and checks every checksum. ERROR_CORRUPT or ERROR_NOT_FOUND: it is lost. */
int blob_verify(struct blob_engine *engine, const char *account, struct blob_id id);

/* Calls fn for each blob that is not dropped until it returns non-zero; returns that. It goes past
 * what is damaged to the next record that is not, and returns ERROR_CORRUPT at the end. Headers are
 * read, not bodies: blob_verify does that. Bytes at the end of a pack in which there is no record
 * are what a crash leaves, and no error; a power cut may leave gaps as well. So whether something
 * was lost only who refers to it knows.
 * fn may drop the blob it is shown. */
int blob_each(struct blob_engine *engine, const char *account,
              int (*fn)(struct blob_id id, void *arg), void *arg);

/* A blob's old place and its new one. */
struct blob_move {
    struct blob_id from, to;
};

struct blob_reclaim {
    /* Every pack, not only those of which more than half was dropped as far as notes say: now and
     * then, and after a power cut or a restore. */
    bool everything;
    /* Appends a struct blob_id for each blob in that pack (0: in any) that the account's records
     * refer to. It must know them all: what it leaves out will be gone. */
    int (*live)(uint64_t pack, struct buffer *ids, void *arg);
    /* The copies are on stable storage. Replaces each `from` by its `to` in the account's records,
     * in one transaction, and returns 0 when that is durable. A `from` nobody refers to any more
     * is passed over, and its `to` dropped by the caller. Another result ends blob_reclaim. */
    int (*moved)(const struct blob_move *moves, size_t count, void *arg);
    void *arg;
};

/* Gives back the space of packs that are more than half dead: copies what is live in them
 * elsewhere, and removes a pack once nothing in it is live and neither it nor what was dropped from
 * it has changed for BLOB_RECLAIM_AGE. So a pack that was emptied goes with a later call, and who
 * still reads an older snapshot is not disturbed. A crash anywhere leaves orphans, nothing else.
 * Packs whose live records cannot be read are kept, and it returns ERROR_CORRUPT at the end.
 * Blocks; for a background job, one for an account at a time. Engines that need none of it return
 * 0. */
int blob_reclaim(struct blob_engine *engine, const char *account, const struct blob_reclaim *what);

/* Removes all blobs of an account that is deleted. */
int blob_destroy(struct blob_engine *engine, const char *account);

#endif
