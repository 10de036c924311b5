#include "base/error.h"
#include "kv/sqlite/sqlite_priv.h"

#include <stdlib.h>

enum {
    /* A shorter log (2 MiB) is not copied: that takes two flushes, and one more at the next commit.
     * The last to close the space copies it whatever its length. */
    LOG_FRAMES_MINIMUM = 256,
    /* Nor a shorter one (8 MiB) while the space is busy: the disk has other work then, and what is
     * changed again meanwhile is copied once. */
    LOG_FRAMES_BUSY = 1024,
    /* A log that is longer (4 and 32 MiB) is cut when it has been copied. Otherwise the file is
     * kept as it is and written anew from its start: growing a file makes every flush dearer. */
    LOG_FRAMES_KEPT = 512,
    LOG_FRAMES_KEPT_BUSY = 4096,
    /* Fewer unused pages (16 MiB) are left for what comes. */
    COMPACTED_PAGES_MINIMUM = 2048,
    /* Connections that a busy space keeps; one that rests keeps one. */
    IDLE_BUSY = 2,
    /* An update with as many changes gets a cache for large ones. */
    MANY_CHANGES = 64,
};

/* --- reading --- */

/* The space's data version as the connection sees it. Leaves the snapshot pinned. */
static int pin(struct connection *connection, sqlite3_int64 *version)
{
    sqlite3_stmt *statement = connection_statement(connection, STATEMENT_PIN);
    int result = statement ? sqlite3_step(statement) : sqlite3_extended_errcode(connection->db);
    if (result == SQLITE_ROW) {
        *version = sqlite3_column_int64(statement, 0);
        return 0;
    }
    int error = sqlite_error(connection, result);
    sqlite3_reset(statement);
    return error;
}

static void unpin(struct connection *connection)
{
    sqlite3_reset(connection->statements[STATEMENT_PIN]);
}

static int read_begin(struct kv *base, struct kv_transaction **transaction)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    struct connection *connection;
    int error = connection_take(kv, &connection);
    if (error)
        return error;
    sqlite3_int64 version;
    error = pin(connection, &version);
    if (error)
        connection_give(kv, connection);
    else
        *transaction = &connection->transaction;
    return error;
}

static void read_end(struct kv_transaction *transaction)
{
    struct connection *connection = (struct connection *)transaction;
    unpin(connection);
    connection_give((struct sqlite_kv *)transaction->kv, connection);
}

static int get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    struct connection *connection = (struct connection *)transaction;
    bool numbered = connection_is_numbered(connection, key);
    connection_look(connection);
    sqlite3_stmt *statement =
        connection_statement(connection, numbered ? STATEMENT_GET_NUMBERED : STATEMENT_GET);
    if (!statement)
        return sqlite_error(connection, sqlite3_extended_errcode(connection->db));
    connection_bind(statement, 1, key);
    if (numbered)
        sqlite3_bind_int64(statement, 2, number_of_key(key));
    int result = sqlite3_step(statement);
    int error;
    struct slice bytes = {NULL, 0};
    if (result == SQLITE_DONE)
        error = ERROR_NOT_FOUND;
    else if (result != SQLITE_ROW)
        error = sqlite_error(connection, result);
    else
        error = connection_column(connection, statement, 0, &bytes);
    if (!error)
        error = buffer_append(value, bytes);
    sqlite3_reset(statement);
    return error;
}

/* --- changing --- */

/* FULL: the log is flushed at each commit. NORMAL: at checkpoints only. */
static int set_durability(struct connection *connection, enum kv_durability durability)
{
    if (connection->durability == durability)
        return 0;
    int error =
        connection_execute(connection, durability == KV_DURABLE ? "PRAGMA synchronous=FULL"
                                                                : "PRAGMA synchronous=NORMAL");
    if (!error)
        connection->durability = durability;
    return error;
}

static int update_begin(struct kv *base, enum kv_durability durability,
                        struct kv_transaction **transaction)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    int error = turn_take(&kv->turn, base->engine->busy_timeout_ms);
    if (error)
        return error;
    struct connection *connection = NULL;
    error = connection_take(kv, &connection);
    if (!error)
        error = set_durability(connection, durability);
    if (!error)
        error = connection_run(connection, STATEMENT_BEGIN);
    if (!error) {
        *transaction = &connection->transaction;
        return 0;
    }
    if (connection)
        connection_give(kv, connection);
    turn_give(&kv->turn);
    return error;
}

static int update_abort(struct kv_transaction *transaction)
{
    struct connection *connection = (struct connection *)transaction;
    bool many = connection->changes >= MANY_CHANGES;
    struct sqlite_kv *kv = (struct sqlite_kv *)transaction->kv;
    /* SQLite has rolled back itself after some errors. */
    if (!sqlite3_get_autocommit(connection->db))
        connection_run(connection, STATEMENT_ROLLBACK);
    connection->changes = 0;
    if (many)
        connection_set_cache(connection, CACHE_USUAL);
    connection_give(kv, connection);
    turn_give(&kv->turn);
    return 0;
}

static int update_commit(struct kv_transaction *transaction)
{
    struct connection *connection = (struct connection *)transaction;
    log_file_commits(connection->db, connection->durability == KV_DURABLE);
    int error = connection_run(connection, STATEMENT_COMMIT);
    if (!error)
        connection->relaxed = connection->durability == KV_RELAXED;
    update_abort(transaction);
    return error;
}

static bool takes_number(enum statement which)
{
    return which == STATEMENT_PUT_NUMBERED || which == STATEMENT_DELETE_NUMBERED;
}

/* Runs a statement on a key, and on a value unless that is NULL. */
static int change(struct connection *connection, enum statement which, struct slice key,
                  const struct slice *value)
{
    sqlite3_stmt *statement = connection_statement(connection, which);
    if (!statement)
        return sqlite_error(connection, sqlite3_extended_errcode(connection->db));
    if (++connection->changes == MANY_CHANGES)
        connection_set_cache(connection, CACHE_LARGE);
    if (takes_number(which))
        sqlite3_bind_int64(statement, 1, number_of_key(key));
    else
        connection_bind(statement, 1, key);
    if (value)
        connection_bind(statement, 2, *value);
    int result = sqlite3_step(statement);
    int error = result == SQLITE_DONE ? 0 : sqlite_error(connection, result);
    sqlite3_reset(statement);
    return error;
}

/* The key may be in the other table with a value of another size. */
static int put(struct kv_transaction *transaction, struct slice key, struct slice value)
{
    struct connection *connection = (struct connection *)transaction;
    bool numbered = connection_is_numbered(connection, key);
    if (key.size + value.size > SQLITE_SMALL_MAXIMUM) {
        int error = change(connection, STATEMENT_DELETE_SMALL, key, NULL);
        return error ? error
                     : change(connection, numbered ? STATEMENT_PUT_NUMBERED : STATEMENT_PUT_LARGE,
                              key, &value);
    }
    int error = change(connection, numbered ? STATEMENT_DELETE_NUMBERED : STATEMENT_DELETE_LARGE,
                       key, NULL);
    return error ? error : change(connection, STATEMENT_PUT_SMALL, key, &value);
}

static int delete (struct kv_transaction *transaction, struct slice key, bool *deleted)
{
    struct connection *connection = (struct connection *)transaction;
    bool numbered = connection_is_numbered(connection, key);
    int64_t before = sqlite3_total_changes64(connection->db);
    int error = change(connection, STATEMENT_DELETE_SMALL, key, NULL);
    bool found = !error && sqlite3_total_changes64(connection->db) != before;
    if (!error && !found) {
        error = change(connection, numbered ? STATEMENT_DELETE_NUMBERED : STATEMENT_DELETE_LARGE,
                       key, NULL);
        found = !error && sqlite3_total_changes64(connection->db) != before;
    }
    if (!error)
        *deleted = found;
    return error;
}

/* --- flushing and checkpoints --- */

static int flush_log(struct connection *connection)
{
    sqlite3_file *log = NULL;
    int result = sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (result == SQLITE_OK && log && log->pMethods)
        result = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    return result == SQLITE_OK ? 0 : sqlite_error(connection, result);
}

/* There is something to flush when this connection has made relaxed commits, or the data version
 * tells of commits by others (which may have been durable: one flush too many). */
static int flush_new(struct connection *connection)
{
    sqlite3_int64 version;
    int error = pin(connection, &version);
    if (error)
        return error;
    if (connection->relaxed || connection->flushed_version != version)
        error = flush_log(connection);
    unpin(connection);
    if (error)
        return error;
    connection->relaxed = false;
    connection->flushed_version = version;
    return 0;
}

static int sync_space(struct kv *base)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    struct connection *connection;
    int error = connection_take(kv, &connection);
    if (error)
        return error;
    error = flush_new(connection);
    connection_give(kv, connection);
    return error;
}

static bool is_busy(int result)
{
    return (result & 0xff) == SQLITE_BUSY;
}

/* Copies from the log what no reader needs there, waiting for nobody; then cuts it. *done: all of
 * it has been. */
static int checkpoint(struct connection *connection, bool cut, bool *done)
{
    int frames = 0;
    int copied = 0;
    int result = sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames,
                                           &copied);
    *done = result == SQLITE_OK && frames == copied;
    if (*done && cut) {
        sqlite3_busy_handler(connection->db, NULL, NULL);
        result =
            sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        connection_set_waiting(connection);
        *done = result == SQLITE_OK;
    }
    return result == SQLITE_OK || is_busy(result) ? 0 : sqlite_error(connection, result);
}

/* A log that is shorter is left as it is, unless it has been longer than what may be kept. */
static bool is_log_long(const struct sqlite_kv *kv, int shorter, int kept)
{
    return kv->log_frames >= shorter || kv->log_longest > kept;
}

/* Copies it, and cuts it when it has been longer than what may be kept. */
static int tidy_log(struct connection *connection, int kept)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)connection->transaction.kv;
    int frames = kv->log_frames, longest = kv->log_longest;
    bool cut = longest > kept, done;
    int error = checkpoint(connection, cut, &done);
    if (error || !done)
        return error; /* once more the next time */
    /* The next commit says how long it is. */
    atomic_compare_exchange_strong(&kv->log_frames, &frames, 0);
    if (cut)
        atomic_compare_exchange_strong(&kv->log_longest, &longest, 0);
    return 0;
}

static int maintain(struct kv *base)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    struct connection *connection;
    connection_close_idle(kv, IDLE_BUSY);
    if (!is_log_long(kv, LOG_FRAMES_BUSY, LOG_FRAMES_KEPT_BUSY))
        return 0; /* without a connection, which may have to be opened */
    int error = connection_take(kv, &connection);
    if (error)
        return error;
    error = tidy_log(connection, LOG_FRAMES_KEPT_BUSY);
    connection_give(kv, connection);
    return error;
}

static int rest(struct kv *base)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    struct connection *connection;
    connection_close_idle(kv, 1);
    int error = connection_take(kv, &connection);
    if (error)
        return error;
    if (is_log_long(kv, LOG_FRAMES_MINIMUM, LOG_FRAMES_KEPT))
        error = tidy_log(connection, LOG_FRAMES_KEPT);
    sqlite3_db_release_memory(connection->db);
    connection_give(kv, connection);
    return error;
}

/* --- compacting --- */

static int read_number(struct connection *connection, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? 0 : sqlite_error(connection, result);
}

static int is_worth_it(struct connection *connection, bool *worth)
{
    int64_t unused = 0, all = 0;
    int error = read_number(connection, "PRAGMA freelist_count", &unused);
    if (!error)
        error = read_number(connection, "PRAGMA page_count", &all);
    *worth = unused >= COMPACTED_PAGES_MINIMUM && unused > all / 2;
    return error;
}

/* VACUUM writes the database anew into a nameless file of the engine's directory, then into the
 * log, which is copied and cut. */
static int vacuum(struct connection *connection)
{
    int error = connection_execute(connection, "PRAGMA temp_store=FILE");
    if (!error)
        error = connection_execute(connection, "VACUUM");
    int other = connection_execute(connection, "PRAGMA temp_store=MEMORY");
    if (error || other)
        return error ? error : other;
    int result =
        sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return result == SQLITE_OK || is_busy(result) ? 0 : sqlite_error(connection, result);
}

static int compact(struct kv *base)
{
    struct sqlite_kv *kv = (struct sqlite_kv *)base;
    struct connection *connection = NULL;
    bool worth = false;
    int error = turn_take(&kv->turn, base->engine->busy_timeout_ms);
    if (error)
        return error;
    error = connection_take(kv, &connection);
    if (!error)
        error = is_worth_it(connection, &worth);
    if (!error && worth)
        error = vacuum(connection);
    if (connection)
        connection_give(kv, connection);
    turn_give(&kv->turn);
    return error;
}

const struct kv_operations sqlite_operations = {
    .engine_free = sqlite_engine_free,
    .open = sqlite_open,
    .close = sqlite_close,
    .destroy = sqlite_destroy,
    .each_space = sqlite_each_space,
    .read_begin = read_begin,
    .read_end = read_end,
    .update_begin = update_begin,
    .update_commit = update_commit,
    .update_abort = update_abort,
    .get = get,
    .put = put,
    .delete = delete,
    .cursor_open = sqlite_cursor_open,
    .cursor_next = sqlite_cursor_next,
    .cursor_close = sqlite_cursor_close,
    .sync = sync_space,
    .maintain = maintain,
    .rest = rest,
    .compact = compact,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
};
