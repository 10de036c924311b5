/*
 * kv/sqlite: a database file for each space, in WAL mode, with two tables of keys and
 * values, of which one holds the large ones.
 *
 *   engine.c       the engine, the files of spaces: making, removing, finding them
 *   connection.c   SQLite connections, their set-up, the pool of a space, SQLite's errors
 *   transaction.c  reading, changing, flushing, checkpoints
 *   log_file.c     a commit is one write to the log
 *   lock.c         the lock of a space
 *
 * A transaction is a connection that somebody has taken out of its space's pool. Any connection
 * can read or write. Who wants to write takes the space's turn first, which orders the threads of
 * this process; SQLite's lock orders processes.
 */
#ifndef KV_SQLITE_PRIV_H
#define KV_SQLITE_PRIV_H

#include "kv/engine_priv.h"
#include "kv/turn_priv.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    SQLITE_SPACE_PAGE_SIZE = 8192,
    /* Key and value together, of the table of small ones: no row needs an overflow page there
     * (which begins behind 2030 bytes, SQLite's own few of each row included). */
    SQLITE_SMALL_MAXIMUM = 2000,
};

enum statement {
    STATEMENT_PIN,
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_GET,
    STATEMENT_PUT_SMALL,
    STATEMENT_PUT_LARGE,
    STATEMENT_DELETE_SMALL,
    STATEMENT_DELETE_LARGE,
    STATEMENT_RANGE,
    STATEMENT_SECOND_RANGE,
    STATEMENTS
};
/* Cursors whose statements are kept. A listing has two in each of its slices, one of pages and one
 * of summaries; preparing a statement takes as long as reading twenty of these. */
enum { KEPT_CURSORS = STATEMENTS - STATEMENT_RANGE };

struct sqlite_engine {
    struct kv_engine engine;
    char directory[];
};

struct sqlite_kv {
    struct kv kv;
    struct turn turn; /* of who writes */
    pthread_mutex_t lock;
    struct connection *idle; /* by lock; the last used first */
    unsigned idle_count;     /* by lock */
    atomic_int log_frames;   /* in the log, at the last commit by this process */
    char path[];
};

struct sqlite_cursor {
    struct kv_cursor cursor;
    sqlite3_stmt *statement;
    bool used;
    int ended; /* what the last cursor_next returned, once it was not 0 */
    char lower[KV_BOUND_MAXIMUM];
    char upper[KV_BOUND_MAXIMUM];
};

struct connection {
    struct kv_transaction transaction;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];       /* made when first used */
    struct sqlite_cursor cursors[KEPT_CURSORS]; /* those opened first; others are allocated */
    enum kv_durability durability;              /* what PRAGMA synchronous is set for */
    unsigned changes;                           /* in the update that goes on */
    bool relaxed;                  /* has committed without a flush since its last flush */
    sqlite3_int64 flushed_version; /* data_version at its last kv_sync; -1 before */
    uint64_t deadline_us;          /* of waiting for another process's lock */
    struct connection *next;       /* in the pool */
};

/* The error for what SQLite said last. Never 0. */
int sqlite_error(struct connection *connection, int result);

/* The error for a failed system call on a space's files. */
int sqlite_file_error(int errnum);

/* Registers the VFS of all connections (log_file.c). Once in a process. An SQLite result. */
#define SQLITE_VFS_NAME "chapar"
int log_file_register(void);

/* Makes the file of a new, empty space and brings it to stable storage. */
int connection_make_file(const char *path);

/* Out of the pool, or newly opened: then it is checked that the file is a space of a version that
 * is known. */
int connection_take(struct sqlite_kv *kv, struct connection **connection);

/* Back into the pool, or closed when enough are there. */
void connection_give(struct sqlite_kv *kv, struct connection *connection);
void connection_close(struct connection *connection);
void connection_close_idle(struct sqlite_kv *kv);

/* Returns NULL when it cannot be prepared; sqlite_error tells why. */
sqlite3_stmt *connection_statement(struct connection *connection, enum statement statement);

/* One more of the kind, for the caller to finalise. */
sqlite3_stmt *connection_prepare(struct connection *connection, enum statement statement);

/* Makes it wait up to the engine's time limit for locks of other processes. */
void connection_set_waiting(struct connection *connection);

/* Runs a statement that returns no rows. */
int connection_run(struct connection *connection, enum statement statement);

/* Runs SQL that is not worth keeping. */
int connection_execute(struct connection *connection, const char *sql);

/* The size of its cache: the usual one or the one of an update with many changes. */
void connection_set_cache(struct connection *connection, bool large);

/* engine.c's part of the operations; the rest is in transaction.c. */
void sqlite_engine_free(struct kv_engine *engine);
int sqlite_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv);
void sqlite_close(struct kv *kv);
int sqlite_destroy(struct kv_engine *engine, const char *name);
int sqlite_each_space(struct kv_engine *engine, const char *prefix,
                      int (*fn)(const char *name, void *arg), void *arg);

/* lock.c */
int sqlite_lock(struct kv *kv, struct kv_lock **lock);
void sqlite_unlock(struct kv_lock *lock);

extern const struct kv_operations sqlite_operations;

#endif
