/*
 * Message bodies too large for the account's own key space.
 *
 * A blob is immutable and belongs to one account (named as its kv space). It is written once,
 * flushed by blob_put before that returns, and then referred to by the account's records; a blob
 * nobody refers to (a crash in between) is an orphan that blob_each and the store's check find.
 *
 * Engines: blob/pack (files, docs/format.md), blob/memory (tests and fuzzers), later blob/rados.
 * Thread-safe; several processes may write to the same account at once.
 *
 * Errors: ERROR_IO, ERROR_SPACE, ERROR_CORRUPT (checksum), ERROR_NOT_FOUND, ERROR_MEMORY;
 * ERROR_INVALID for an account that is not named as a kv space is.
 */
#ifndef BLOB_BLOB_H
#define BLOB_BLOB_H

#include "base/buffer.h"

struct blob_engine;

/* Where a blob lies. Made by blob_put; kept by the store in the message's record. */
struct blob_id {
    uint64_t pack;   /* a random number that names the pack; never 0 */
    uint64_t offset; /* of the record in the pack, bytes */
    uint64_t size;   /* of the body, bytes, uncompressed */
};

enum { BLOB_ID_ENCODED = 24 };
void blob_id_encode(struct blob_id id, char bytes[BLOB_ID_ENCODED]);
int blob_id_decode(struct slice bytes, struct blob_id *id);

/* Packs lie in "DIRECTORY/ACCOUNT.packs/". The directory exists; folders within it are made. */
int blob_pack_create(const char *directory, struct blob_engine **engine);
int blob_memory_create(struct blob_engine **engine);
void blob_engine_free(struct blob_engine **engine);

/* Writes a body of any size and brings it to stable storage. */
int blob_put(struct blob_engine *engine, const char *account, struct slice body,
             struct blob_id *id);

/* Appends the bytes from offset on, at most size, to the buffer (fewer at the end). */
int blob_get(struct blob_engine *engine, const char *account, struct blob_id id, uint64_t offset,
             size_t size, struct buffer *bytes);

/* Marks it as not needed. The space comes back now or later. */
int blob_drop(struct blob_engine *engine, const char *account, struct blob_id id);

/* Reads it whole and checks its checksum. */
int blob_verify(struct blob_engine *engine, const char *account, struct blob_id id);

/* Calls fn for each blob of the account until it returns non-zero; returns that. Damaged packs are
 * passed over and make it return ERROR_CORRUPT at the end. fn may drop the blob it is shown. */
int blob_each(struct blob_engine *engine, const char *account,
              int (*fn)(struct blob_id id, void *arg), void *arg);

/* Removes all blobs of an account that is deleted. */
int blob_destroy(struct blob_engine *engine, const char *account);

#endif
