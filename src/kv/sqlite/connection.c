#include "base/clock.h"
#include "base/error.h"
#include "kv/sqlite/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* Kept for the next taker; more of them are closed when given back. */
    IDLE_MAXIMUM = 4,
    /* How long a waiter for another process's lock sleeps: doubled up to the longest. */
    WAIT_FIRST_US = 100,
    WAIT_LONGEST_US = 5000,
    /* The commit that makes the log so long copies it itself: a safety net for when nobody calls
     * kv_maintain, at 128 MiB. */
    LOG_FRAMES_MAXIMUM = 16384,
    /* A transaction that looks at as many keys is none of a delivery. */
    MANY_LOOKS = 64,
};

/*
 * The set-up of every connection. A delivery touches about 20 pages, most of which the next one
 * needs again, so the cache has room for them (CACHE_FEW), until kv_rest empties it: a process
 * holds many accounts open. More room would fill with bodies, that nobody reads soon: memory that
 * is new each time costs more than the pages that lay there (9 % of a delivery without its flush,
 * store_bench -d). A change is not written early because of that (cache_spill, in pages). Pages
 * that become free are not filled with zeros, which is the default of Debian's SQLite: to remove a
 * large value, all of it would be read and written. No mapping of the file: it gains nothing
 * measurable here, and a read error would be a signal, not an error.
 */
static const char set_up[] = "PRAGMA cache_size=-256;"
                             "PRAGMA cache_spill=4096;"
                             "PRAGMA secure_delete=FAST;"
                             "PRAGMA mmap_size=0;"
                             "PRAGMA temp_store=MEMORY;"
                             "PRAGMA trusted_schema=OFF;"
                             "PRAGMA cell_size_check=ON;"
                             "PRAGMA synchronous=FULL;";

/*
 * A key is in one of three tables, by the size of its value and its own. The small ones lie in the
 * order of their keys (WITHOUT ROWID): neighbours share pages, so a range of summaries is read at
 * 0.6 us each, and a change touches one page and no index. For large ones that would be wrong: a
 * value that does not fit its page there is read whole by each step of a search that meets it. They
 * have a rowid, and an index of the keys. Where the key is short and begins with KV_APPENDED, as
 * that of a message's body, it is the rowid itself: no index is written with each. A new row is the
 * last of that table, and takes a page of its own or goes onto the last one's; with rows of other
 * families behind it, three pages would be divided anew each time. Measured (bench/kv_bench, pages
 * of 8192 bytes), large ones in a table with an index against one without: 50 values of 256 KB are
 * read in 4.7 ms against 27 ms, 1000 of 20 KB in 21 ms against 73 ms, 400 of 8 KB in 2.4 ms
 * against 3.9 ms. Small ones (bench/store_bench) without against with: 2000 summaries among bodies
 * of 20 KB in 1.9 ms against 8.4 ms. Pages of 16384 bytes make reading 50,000 values by their keys
 * 6 times slower, as fewer fit the cache, and changing a value of 8 KB dearer (41 us against 29
 * us); 4096 and 8192 are level.
 */
static const char make[] =
    "PRAGMA page_size=8192;" /* SQLITE_SPACE_PAGE_SIZE */
    "PRAGMA synchronous=OFF;"
    "PRAGMA journal_mode=MEMORY;"
    "CREATE TABLE small(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE large(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL);"
    "CREATE TABLE numbered(number INTEGER PRIMARY KEY, value BLOB NOT NULL);"
    "PRAGMA user_version=2;" /* SPACE_VERSION */
    "PRAGMA journal_mode=WAL;";

#define RANGE_SMALL "SELECT key,value FROM small WHERE key>=?1 AND key<?2 ORDER BY key"
#define RANGE_LARGE "SELECT key,value FROM large WHERE key>=?1 AND key<?2 ORDER BY key"
#define RANGE_NUMBERED                                                                             \
    "SELECT number,value FROM numbered WHERE number>=?1 AND number<=?2 ORDER BY number"

static const char *const statement_texts[STATEMENTS] = {
    /* Left at its row, it holds the snapshot until it is reset; and it is the cheapest read. */
    [STATEMENT_PIN] = "PRAGMA data_version",
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_GET] = ("SELECT value FROM small WHERE key=?1"
                       " UNION ALL SELECT value FROM large WHERE key=?1"),
    [STATEMENT_GET_NUMBERED] = ("SELECT value FROM small WHERE key=?1"
                                " UNION ALL SELECT value FROM numbered WHERE number=?2"),
    [STATEMENT_PUT_SMALL] = ("INSERT INTO small(key,value) VALUES(?1,?2)"
                             " ON CONFLICT(key) DO UPDATE SET value=excluded.value"),
    [STATEMENT_PUT_LARGE] = ("INSERT INTO large(key,value) VALUES(?1,?2)"
                             " ON CONFLICT(key) DO UPDATE SET value=excluded.value"),
    [STATEMENT_PUT_NUMBERED] = "REPLACE INTO numbered(number,value) VALUES(?1,?2)",
    [STATEMENT_DELETE_SMALL] = "DELETE FROM small WHERE key=?1",
    [STATEMENT_DELETE_LARGE] = "DELETE FROM large WHERE key=?1",
    [STATEMENT_DELETE_NUMBERED] = "DELETE FROM numbered WHERE number=?1",
    [STATEMENT_RANGE + TABLE_SMALL] = RANGE_SMALL,
    [STATEMENT_RANGE + TABLE_LARGE] = RANGE_LARGE,
    [STATEMENT_RANGE + TABLE_NUMBERED] = RANGE_NUMBERED,
    [STATEMENT_SECOND_RANGE + TABLE_SMALL] = RANGE_SMALL,
    [STATEMENT_SECOND_RANGE + TABLE_LARGE] = RANGE_LARGE,
    [STATEMENT_SECOND_RANGE + TABLE_NUMBERED] = RANGE_NUMBERED,
};

/* --- errors --- */

static int error_of_system(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERROR_SPACE;
    case ENOMEM:
        return ERROR_MEMORY;
    case EMFILE:
    case ENFILE:
        return ERROR_BUSY;
    default:
        return ERROR_IO;
    }
}

/* sqlite3_system_errno is not set by all paths, the file itself keeps what its last write met. */
static int errno_of_file(sqlite3 *db, int which)
{
    int errnum = 0;
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", which, &file) == SQLITE_OK && file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errnum);
    return errnum;
}

/* SQLite tells of ENOSPC itself, not of a quota or a limit on the size of files. */
static int write_error(sqlite3 *db)
{
    int error = error_of_system(errno_of_file(db, SQLITE_FCNTL_FILE_POINTER));
    return error == ERROR_SPACE ? error
                                : error_of_system(errno_of_file(db, SQLITE_FCNTL_JOURNAL_POINTER));
}

int sqlite_error(struct connection *connection, int result)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return ERROR_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return ERROR_BUSY;
    case SQLITE_NOMEM:
        return ERROR_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* the table is missing or another one */
    case SQLITE_SCHEMA:
        return ERROR_CORRUPT;
    case SQLITE_IOERR:
        if (result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS)
            return ERROR_CORRUPT;
        if (result == SQLITE_IOERR_NOMEM)
            return ERROR_MEMORY;
        if (result == SQLITE_IOERR_WRITE)
            return write_error(connection->db);
    }
    return error_of_system(connection->db ? sqlite3_system_errno(connection->db) : 0);
}

/* --- statements --- */

sqlite3_stmt *connection_prepare(struct connection *connection, enum statement statement)
{
    sqlite3_stmt *prepared = NULL;
    sqlite3_prepare_v3(connection->db, statement_texts[statement], -1, SQLITE_PREPARE_PERSISTENT,
                       &prepared, NULL);
    return prepared;
}

sqlite3_stmt *connection_statement(struct connection *connection, enum statement statement)
{
    sqlite3_stmt **kept = &connection->statements[statement];
    if (!*kept)
        *kept = connection_prepare(connection, statement);
    return *kept;
}

void connection_bind(sqlite3_stmt *statement, int index, struct slice bytes)
{
    /* SQLite takes a NULL pointer for NULL, not for an empty blob. */
    sqlite3_bind_blob(statement, index, bytes.data ? bytes.data : "", (int)bytes.size,
                      SQLITE_STATIC);
}

int connection_column(struct connection *connection, sqlite3_stmt *statement, int index,
                      struct slice *bytes)
{
    const void *data = sqlite3_column_blob(statement, index);
    size_t size = (size_t)sqlite3_column_bytes(statement, index);
    if (!data && sqlite3_errcode(connection->db) == SQLITE_NOMEM)
        return ERROR_MEMORY;
    *bytes = slice_make(data, size);
    return 0;
}

bool connection_is_numbered(const struct connection *connection, struct slice key)
{
    return connection->version > SPACE_VERSION_FIRST && key.size <= SQLITE_NUMBERED_KEY &&
           key.data[0] == KV_APPENDED;
}

int connection_run(struct connection *connection, enum statement statement)
{
    sqlite3_stmt *prepared = connection_statement(connection, statement);
    if (!prepared)
        return sqlite_error(connection, sqlite3_extended_errcode(connection->db));
    int result = sqlite3_step(prepared);
    int error = result == SQLITE_DONE ? 0 : sqlite_error(connection, result);
    sqlite3_reset(prepared);
    return error;
}

int connection_execute(struct connection *connection, const char *sql)
{
    int result = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : sqlite_error(connection, result);
}

/* In KiB. Pages that an update has changed stay in the cache. Once they fill it, SQLite keeps no
 * other page there, and reads those between the root and a value again for each value. */
static const char *const cache_sizes[] = {
    [CACHE_FEW] = "PRAGMA cache_size=-256",
    [CACHE_USUAL] = "PRAGMA cache_size=-1024",
    [CACHE_LARGE] = "PRAGMA cache_size=-32768",
};

void connection_set_cache(struct connection *connection, enum cache cache)
{
    if (connection->cache == cache)
        return;
    connection_execute(connection, cache_sizes[cache]);
    connection->cache = cache;
}

void connection_look(struct connection *connection)
{
    if (++connection->looks >= MANY_LOOKS && connection->cache == CACHE_FEW)
        connection_set_cache(connection, CACHE_USUAL);
}

/* --- opening --- */

static int wait_for_lock(void *arg, int tries)
{
    struct connection *connection = arg;
    uint64_t now = clock_monotonic_us();
    if (tries == 0)
        connection->deadline_us =
            now + (uint64_t)connection->transaction.kv->engine->busy_timeout_ms * 1000;
    if (now >= connection->deadline_us)
        return 0;
    unsigned wait = tries > 6 ? WAIT_LONGEST_US : (unsigned)WAIT_FIRST_US << tries;
    usleep(wait < WAIT_LONGEST_US ? wait : WAIT_LONGEST_US);
    return 1;
}

void connection_set_waiting(struct connection *connection)
{
    sqlite3_busy_handler(connection->db, wait_for_lock, connection);
}

/* No lookaside memory: the statements are kept, so there is little to allocate. */
static int open_file(struct connection *connection, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(path, &connection->db, flags, SQLITE_VFS_NAME);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(connection->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    return result == SQLITE_OK ? 0 : sqlite_error(connection, result);
}

/* After each commit: how many frames the log has now. */
static int committed(void *arg, sqlite3 *db, const char *database, int frames)
{
    struct connection *connection = arg;
    struct sqlite_kv *kv = (struct sqlite_kv *)connection->transaction.kv;
    kv->log_frames = frames;
    if (frames > kv->log_longest) /* who commits has the turn */
        kv->log_longest = frames;
    if (frames >= LOG_FRAMES_MAXIMUM)
        sqlite3_wal_checkpoint_v2(db, database, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

/* A file of the first version goes on without the numbered table. */
static int read_version(struct connection *connection)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection->db, "PRAGMA user_version", -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    int error = result == SQLITE_ROW ? 0 : sqlite_error(connection, result);
    if (!error)
        connection->version = sqlite3_column_int(statement, 0);
    if (!error &&
        (connection->version < SPACE_VERSION_FIRST || connection->version > SPACE_VERSION))
        error = ERROR_CORRUPT;
    sqlite3_finalize(statement);
    return error;
}

static int set_connection_up(struct connection *connection, const char *path)
{
    int error = open_file(connection, path);
    if (error)
        return error;
    connection_set_waiting(connection);
    sqlite3_wal_hook(connection->db, committed, connection);
    error = connection_execute(connection, set_up);
    if (!error)
        error = read_version(connection);
    if (!error && !connection_statement(connection, STATEMENT_GET))
        error = sqlite_error(connection, sqlite3_extended_errcode(connection->db));
    return error;
}

static int connection_open(struct sqlite_kv *kv, struct connection **connection)
{
    struct connection *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->transaction.kv = &kv->kv;
    made->flushed_version = -1;
    int error = set_connection_up(made, kv->path);
    if (error)
        connection_close(made);
    else
        *connection = made;
    return error;
}

void connection_close(struct connection *connection)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close_v2(connection->db);
    free(connection);
}

int connection_make_file(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return error_of_system(errno);
    struct connection connection = {0};
    int error = open_file(&connection, path);
    if (!error)
        error = connection_execute(&connection, make);
    sqlite3_close_v2(connection.db);
    if (!error && fsync(file))
        error = error_of_system(errno);
    close(file);
    return error;
}

/* --- the pool --- */

int connection_take(struct sqlite_kv *kv, struct connection **connection)
{
    pthread_mutex_lock(&kv->lock);
    struct connection *taken = kv->idle;
    if (taken) {
        kv->idle = taken->next;
        kv->idle_count--;
    }
    pthread_mutex_unlock(&kv->lock);
    if (!taken)
        return connection_open(kv, connection);
    taken->transaction = (struct kv_transaction){.kv = &kv->kv};
    taken->looks = 0;
    *connection = taken;
    return 0;
}

void connection_give(struct sqlite_kv *kv, struct connection *connection)
{
    /* A rollback that failed: let SQLite clean up by closing. */
    bool kept = sqlite3_get_autocommit(connection->db);
    pthread_mutex_lock(&kv->lock);
    kept = kept && kv->idle_count < IDLE_MAXIMUM;
    if (kept) {
        connection->next = kv->idle;
        kv->idle = connection;
        kv->idle_count++;
    }
    pthread_mutex_unlock(&kv->lock);
    if (!kept)
        connection_close(connection);
}

void connection_close_idle(struct sqlite_kv *kv, unsigned kept)
{
    pthread_mutex_lock(&kv->lock);
    struct connection **link = &kv->idle;
    unsigned count = 0;
    for (; *link && count < kept; count++) {
        connection_set_cache(*link, CACHE_FEW);
        link = &(*link)->next;
    }
    struct connection *connection = *link;
    *link = NULL;
    kv->idle_count = count;
    pthread_mutex_unlock(&kv->lock);
    while (connection) {
        struct connection *next = connection->next;
        connection_close(connection);
        connection = next;
    }
}
