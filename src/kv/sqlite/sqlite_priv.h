/*
 * kv/sqlite: a database file for each space, in WAL mode, with three tables of keys and
 * values: small ones, large ones, and large ones whose key is a number.
 *
 *   engine.c       the engine, the files of spaces: making, removing, finding them
 *   connection.c   SQLite connections, their set-up, the pool of a space, SQLite's errors
 *   transaction.c  reading, changing, flushing, checkpoints
 *   cursor.c       walking a range, which may lie in all tables
 *   number.c       short keys as numbers
 *   log_file.c     a commit is one write to the log, which grows ahead
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
    /* Longer keys are no numbers. */
    SQLITE_NUMBERED_KEY = 8,
    /* user_version of a file that is made now; of the first files, which have no numbered table. */
    SPACE_VERSION = 2,
    SPACE_VERSION_FIRST = 1,
};

enum table { TABLE_SMALL, TABLE_LARGE, TABLE_NUMBERED, TABLES };

enum statement {
    STATEMENT_PIN,
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_GET,          /* in `small`, else in `large` */
    STATEMENT_GET_NUMBERED, /* in `small`, else in `numbered` */
    STATEMENT_PUT_SMALL,
    STATEMENT_PUT_LARGE,
    STATEMENT_PUT_NUMBERED,
    STATEMENT_DELETE_SMALL,
    STATEMENT_DELETE_LARGE,
    STATEMENT_DELETE_NUMBERED,
    STATEMENT_RANGE, /* of each cursor that is kept: one for each table, by enum table */
    STATEMENT_SECOND_RANGE = STATEMENT_RANGE + (int)TABLES,
    STATEMENTS = STATEMENT_SECOND_RANGE + (int)TABLES
};

/* Cursors whose statements are kept. A listing has two in each of its slices, one of pages and one
 * of summaries; preparing a statement takes as long as reading twenty of these. */
enum { KEPT_CURSORS = (STATEMENTS - STATEMENT_RANGE) / TABLES };

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
    atomic_int log_frames;   /* in the log, at the last commit by this process; 0: all are copied */
    atomic_int log_longest;  /* the same, at its most since it was cut */
    char path[];
};

/* How much a connection's cache may hold. */
enum cache {
    CACHE_FEW,   /* for transactions that look at a few keys */
    CACHE_USUAL, /* for those that look at many */
    CACHE_LARGE, /* for updates with many changes */
};

/* What a range has in one table. */
struct range_side {
    sqlite3_stmt *statement; /* NULL: nothing */
    enum {
        SIDE_PASSED,
        SIDE_AT_ROW,
        SIDE_ENDED
    } state;                          /* passed: its row was given, or none yet */
    struct slice key;                 /* of the row it is at */
    char number[SQLITE_NUMBERED_KEY]; /* the key's bytes, of a numbered one */
};

struct sqlite_cursor {
    struct kv_cursor cursor;
    struct range_side sides[TABLES];
    bool used;
    int ended; /* what the last cursor_next returned, once it was not 0 */
    char lower[KV_BOUND_MAXIMUM];
    char upper[KV_BOUND_MAXIMUM];
};

struct connection {
    struct kv_transaction transaction;
    sqlite3 *db;
    int version;                                /* of the file */
    sqlite3_stmt *statements[STATEMENTS];       /* made when first used */
    struct sqlite_cursor cursors[KEPT_CURSORS]; /* those opened first; others are allocated */
    enum kv_durability durability;              /* what PRAGMA synchronous is set for */
    unsigned changes;                           /* in the update that goes on */
    unsigned looks;                             /* at keys, in the transaction that goes on */
    enum cache cache;
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

/* Before each commit: whether it will be flushed. */
void log_file_commits(sqlite3 *db, bool flushed);

/* Makes the file of a new, empty space and brings it to stable storage. */
int connection_make_file(const char *path);

/* Out of the pool, or newly opened: then it is checked that the file is a space of a version that
 * is known. */
int connection_take(struct sqlite_kv *kv, struct connection **connection);

/* Back into the pool, or closed when enough are there. */
void connection_give(struct sqlite_kv *kv, struct connection *connection);
void connection_close(struct connection *connection);

/* All in the pool but the `kept` that were used last, whose caches become small. */
void connection_close_idle(struct sqlite_kv *kv, unsigned kept);

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

/* The size of its cache. */
void connection_set_cache(struct connection *connection, enum cache cache);

/* A key of a transaction was looked at: with many of them the cache becomes the usual one, until
 * kv_maintain. */
void connection_look(struct connection *connection);

/* The bytes that a column of the statement's row has; valid until its next step. ERROR_MEMORY. */
int connection_column(struct connection *connection, sqlite3_stmt *statement, int index,
                      struct slice *bytes);

/* Bytes live as long as the statement is not reset. */
void connection_bind(sqlite3_stmt *statement, int index, struct slice bytes);

/* Whether a large value of the key belongs into the numbered table: short, KV_APPENDED. */
bool connection_is_numbered(const struct connection *connection, struct slice key);

/* --- number.c --- */

/* A key of at most SQLITE_NUMBERED_KEY bytes as a number: its bytes, then zeros, the first one the
 * most significant, less 2^63. Numbers are in the order of keys. */
sqlite3_int64 number_of_key(struct slice key);

/* The key of a number, whose bytes are written there. */
struct slice number_to_key(sqlite3_int64 number, char bytes[SQLITE_NUMBERED_KEY]);

/* Of keys that have a number, those that are not less than `lower`, and less than `upper`, have
 * first..last. Bounds are as of kv_operations.cursor_open, of any size. False: there is none. */
bool number_range(struct slice lower, struct slice upper, sqlite3_int64 *first,
                  sqlite3_int64 *last);

/* engine.c's and cursor.c's parts of the operations; the rest is in transaction.c. */
void sqlite_engine_free(struct kv_engine *engine);
int sqlite_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv);
void sqlite_close(struct kv *kv);
int sqlite_destroy(struct kv_engine *engine, const char *name);
int sqlite_each_space(struct kv_engine *engine, const char *prefix,
                      int (*fn)(const char *name, void *arg), void *arg);

int sqlite_cursor_open(struct kv_transaction *transaction, struct slice lower, struct slice upper,
                       struct kv_cursor **cursor);
int sqlite_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);
void sqlite_cursor_close(struct kv_cursor *cursor);

/* lock.c */
int sqlite_lock(struct kv *kv, struct kv_lock **lock);
void sqlite_unlock(struct kv_lock *lock);

extern const struct kv_operations sqlite_operations;

#endif
