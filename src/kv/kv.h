/*
 * An ordered, transactional key-value space: what an account, the directory and the credentials
 * are kept in. Engines: kv/sqlite (a file for each space), kv/rados (an object of a Ceph cluster
 * for each), kv/memory (tests and fuzzers). One test suite (tests/unit/kv) runs over all of them.
 *
 * Keys: 1..KV_KEY_MAXIMUM bytes without NUL, ordered as memcmp does. Values: at most
 * KV_VALUE_MAXIMUM bytes, any. Iteration goes forwards from a key within a prefix. This is what
 * every engine can do well; nothing else is asked of one.
 *
 * A space is named by a path of 1..KV_NAME_MAXIMUM bytes [a-z0-9/-], such as "accounts/1f/1f0c..".
 *
 * Thread-safety: engines and spaces may be used by any number of threads; a transaction belongs
 * to one thread. Several processes may have the same space open.
 *
 * Errors of all functions that reach the engine: ERROR_IO, ERROR_SPACE, ERROR_CORRUPT,
 * ERROR_BUSY (a lock was not had within KV_BUSY_TIMEOUT, or the cluster is away), ERROR_MEMORY.
 */
#ifndef KV_KV_H
#define KV_KV_H

#include "base/buffer.h"
#include "base/slice.h"

enum {
    KV_KEY_MAXIMUM = 512,
    KV_VALUE_MAXIMUM = 1024 * 1024,
    KV_NAME_MAXIMUM = 128,
    KV_BUSY_TIMEOUT = 10, /* seconds */
    /* Keys that begin with this byte, and are short, are mostly put in ascending order, have large
     * values, and are not put again: an engine may lay them where that is cheap (bodies of
     * messages; SQLite does). All works for other keys as well. */
    KV_APPENDED = 'b',
};

struct kv_engine;      /* where spaces live */
struct kv;             /* one open space */
struct kv_transaction; /* a snapshot for reading, or a buffered change */
struct notice_ring;    /* kv/notice_ring.h */

/* How soon a commit is on stable storage. Either way it is atomic, ordered after what was
 * committed before, and visible to every process when kv_update returns. */
enum kv_durability {
    KV_DURABLE, /* before kv_update returns: one flush */
    KV_RELAXED, /* by the next durable commit or kv_sync, whichever comes first */
};

/* --- engines --- */

/* Spaces are files below the directory: "NAME.db" and its -wal and -shm, and "NAME.lock" once the
 * space was locked. The directory exists;
 * folders within it are made. The descriptor is not kept: the path is used, so it must stay
 * valid after chroot. */
int kv_sqlite_create(const char *directory, struct kv_engine **engine);

/* Spaces are objects in a namespace of the cluster's pool (src/kv/rados). The cluster is connected,
 * and outlives the engine. Every commit is durable. What was read is kept, at most `cache` bytes of
 * it (0: 64 MiB), and is not read again until it changes, on whatever node.
 *
 * A snapshot can be read for two seconds at the least, however much is committed meanwhile (unless
 * that replaces more than 8 MiB); then it may give ERROR_BUSY. An update of more than 40 MiB is
 * ERROR_LIMIT. A space with more than 200,000 keys, or 1 GiB, is slow to recover when an OSD fails.
 *
 * An update that ends with ERROR_BUSY as the cluster did not answer in time may come about later.
 */
struct cluster;
int kv_rados_create(struct cluster *cluster, const char *name_space, size_t cache,
                    struct kv_engine **engine);

int kv_memory_create(struct kv_engine **engine);

/* Every space must have been closed. */
void kv_engine_free(struct kv_engine **engine);

/* After every commit the engine posts the space's name to the ring: those of other nodes too, as
 * far as they are heard of. NULL: to nobody. The ring is not owned. Set before the first space is
 * opened. */
void kv_engine_set_notices(struct kv_engine *engine, struct notice_ring *ring);

/* Another number than before when something may have been committed since to the space that
 * notice_space gives this number, by whomever: no more than a look at the memory of the ring. What
 * was read after the number was taken is still so while it is the same. 0: it cannot be said (a
 * commit is under way, or its process was killed in it; there is no ring; of what another node
 * commits is heard later). */
uint64_t kv_changes(const struct kv_engine *engine, uint64_t space);

/* --- spaces --- */

/* KV_CREATE makes the space when it is missing (durably: it is there after a crash); without it
 * a missing one is ERROR_NOT_FOUND. */
enum { KV_CREATE = 1 };
int kv_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv);
void kv_close(struct kv **kv);

/* Removes the space and all in it. Nobody may have it open. ERROR_NOT_FOUND. */
int kv_destroy(struct kv_engine *engine, const char *name);

/* Calls fn for each space whose name begins with prefix, in no order, until fn returns non-zero;
 * returns that. */
int kv_each_space(struct kv_engine *engine, const char *prefix,
                  int (*fn)(const char *name, void *arg), void *arg);

/* --- reading --- */

/* A snapshot: sees the space as it was at one moment, whatever is committed meanwhile. Keep it
 * short (the design's 100 ms): the engine cannot reclaim what it still shows. */
int kv_read_begin(struct kv *kv, struct kv_transaction **transaction);
void kv_read_end(struct kv_transaction **transaction);

/* Appends the value to the buffer. ERROR_NOT_FOUND; ERROR_LIMIT when the buffer's maximum would
 * be passed. In an update, sees the update's own changes. */
int kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);

/* Walks the keys that begin with prefix and are greater than `after` (empty: from the first).
 *
 *     struct kv_cursor *cursor;
 *     error = kv_cursor_open(transaction, prefix, after, &cursor);
 *     while ((error = kv_cursor_next(cursor, &key, &value)) == 0) ...
 *     kv_cursor_close(&cursor);     // error == ERROR_NOT_FOUND: the end was reached
 *
 * key and value are valid until the next call on the cursor. Nothing may be put or deleted in
 * the same transaction while a cursor is open. */
struct kv_cursor;
int kv_cursor_open(struct kv_transaction *transaction, struct slice prefix, struct slice after,
                   struct kv_cursor **cursor);
int kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);
void kv_cursor_close(struct kv_cursor **cursor);

/* --- changing --- */

/* Runs fn on a transaction and commits it. fn may read and change through the transaction; when
 * it returns non-zero nothing is changed and that is returned. fn may be run more than once (an
 * engine commits optimistically): it must have no effect but through the transaction and what it
 * writes to arg from scratch each time. A transaction that changed nothing commits nothing and
 * posts no notice. */
int kv_update(struct kv *kv, enum kv_durability durability,
              int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);

/* Within kv_update only. ERROR_INVALID for a key or value outside the limits. Deleting what is
 * not there is no error. A put or delete that failed makes the update fail with its error,
 * whatever fn returns. */
int kv_put(struct kv_transaction *transaction, struct slice key, struct slice value);
int kv_delete(struct kv_transaction *transaction, struct slice key);

/* --- the lock of a space --- */

/* For what takes several updates, of one space or of several, and must not meet with another of its
 * kind. It holds up nobody who does not take it. Threads, processes and nodes exclude one another;
 * whoever comes twice waits for itself.
 *
 *     error = kv_lock(directory, &lock);
 *     for (each step; !error) error = kv_update(some space, KV_DURABLE, step, arg);
 *     kv_unlock(&lock);
 *
 * A process that ends lets go of it: at once on one machine; a cluster, which cannot know, gives it
 * to another when it has not heard of the holder for some seconds (src/kv/rados/lock.c). So a
 * holder that was stopped or cut off for longer may have lost it, and a step of its must not come
 * after those of the next holder. kv_lock_check says so between steps, but a process can be stopped
 * behind it, too. A step that begins with kv_lock_guard is safe from that. */
struct kv_lock;

/* Waits at most KV_BUSY_TIMEOUT: ERROR_BUSY. The space stays open as long as the lock is held. */
int kv_lock(struct kv *kv, struct kv_lock **lock);

/* 0 while it is held. ERROR_BUSY: another has it now, or the cluster is away. */
int kv_lock_check(struct kv_lock *lock);

/* Within kv_update, of any space of the lock's engine, before anything else: the update comes about
 * only if no later holder of the lock has guarded an update of this space (and, in the lock's own
 * space, only while it is held). ERROR_BUSY: it was lost; the update fails with that, whatever fn
 * returns. So who takes over what another has begun does again, guarded, every step that one may
 * still be at. A space is guarded by one lock only. ERROR_INVALID: the engine is another. */
int kv_lock_guard(struct kv_lock *lock, struct kv_transaction *transaction);

/* Of a lost one, too. */
void kv_unlock(struct kv_lock **lock);

/* Within kv_update: what it puts is new, such as mail that comes in, and may wait for better times.
 * On a cluster that is full it is ERROR_SPACE then; all else goes on in what a cluster keeps back,
 * so that there can be room again. A disk keeps nothing back: there this does nothing (base/spool.h
 * does). */
void kv_needs_room(struct kv_transaction *transaction);

/* Brings every commit made so far, relaxed ones too, to stable storage. Cheap when there is
 * nothing to bring. */
int kv_sync(struct kv *kv);

/* Work that keeps the engine fast and its files small (SQLite: checkpoint the log), as far as it
 * cannot wait: for a space that is in use. Called by a background job from time to time; may do
 * nothing. */
int kv_maintain(struct kv *kv);

/* What kv_maintain leaves for later, and lets go of memory that makes the next transactions faster:
 * for a space that nobody has used for a while, or when there are many of them. */
int kv_rest(struct kv *kv);

/* Gives back the space of what was deleted, where that is more than half (SQLite: VACUUM). Who
 * changes the space waits meanwhile, who reads does not. For a background job, after much was
 * deleted. Cheap when there is little to give back; may do nothing. */
int kv_compact(struct kv *kv);

#endif
