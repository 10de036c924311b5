/*
 * Walking a range. Its keys may lie in each of the tables, so a cursor has a side for each and
 * gives the least of the rows that they are at. Mostly all of a range is in one table, and the
 * other sides have ended at their first step. SQLite could merge them (UNION ALL, ORDER BY); it
 * takes longer, and has no order for what is a number in one table and bytes in the others.
 */
#include "base/error.h"
#include "kv/sqlite/sqlite_priv.h"

#include <stdlib.h>

static bool is_kept(const struct connection *connection, const struct sqlite_cursor *cursor)
{
    return cursor >= connection->cursors && cursor < connection->cursors + KEPT_CURSORS;
}

/* Whether keys that begin with KV_APPENDED can be in the range. */
static bool has_appended(struct slice lower, struct slice upper)
{
    static const char first = KV_APPENDED;
    return slice_compare(upper, slice_make(&first, 1)) > 0 &&
           (!lower.size || (unsigned char)lower.data[0] <= KV_APPENDED);
}

/* Its statement bound; or none, when no key of the range can be in the table. */
static int open_side(struct connection *connection, struct sqlite_cursor *cursor, enum table table,
                     struct slice lower, struct slice upper)
{
    struct range_side *side = &cursor->sides[table];
    sqlite3_int64 first = 0, last = 0;
    *side = (struct range_side){.state = SIDE_ENDED};
    if (table == TABLE_NUMBERED &&
        (connection->version == SPACE_VERSION_FIRST || !has_appended(lower, upper) ||
         !number_range(lower, upper, &first, &last)))
        return 0;
    enum statement which = STATEMENT_RANGE + table;
    if (is_kept(connection, cursor))
        which += TABLES * (unsigned)(cursor - connection->cursors);
    side->statement = is_kept(connection, cursor) ? connection_statement(connection, which)
                                                  : connection_prepare(connection, which);
    if (!side->statement)
        return sqlite_error(connection, sqlite3_extended_errcode(connection->db));
    side->state = SIDE_PASSED;
    if (table == TABLE_NUMBERED) {
        sqlite3_bind_int64(side->statement, 1, first);
        sqlite3_bind_int64(side->statement, 2, last);
    } else {
        connection_bind(side->statement, 1, lower);
        connection_bind(side->statement, 2, upper);
    }
    return 0;
}

static struct sqlite_cursor *take_cursor(struct connection *connection)
{
    for (size_t i = 0; i < KEPT_CURSORS; i++)
        if (!connection->cursors[i].used)
            return &connection->cursors[i];
    return calloc(1, sizeof(struct sqlite_cursor));
}

int sqlite_cursor_open(struct kv_transaction *transaction, struct slice lower, struct slice upper,
                       struct kv_cursor **cursor)
{
    struct connection *connection = (struct connection *)transaction;
    struct sqlite_cursor *opened = take_cursor(connection);
    if (!opened)
        return ERROR_MEMORY;
    opened->cursor.transaction = transaction;
    opened->used = true;
    if (lower.size)
        memcpy(opened->lower, lower.data, lower.size);
    memcpy(opened->upper, upper.data, upper.size);
    lower.data = opened->lower;
    upper.data = opened->upper;
    int error = 0;
    for (enum table table = 0; table < TABLES && !error; table++)
        error = open_side(connection, opened, table, lower, upper);
    if (error)
        sqlite_cursor_close(&opened->cursor);
    else
        *cursor = &opened->cursor;
    return error;
}

static int step(struct connection *connection, struct range_side *side, enum table table)
{
    int result = sqlite3_step(side->statement);
    if (result == SQLITE_DONE) {
        side->state = SIDE_ENDED; /* a step after the end would start anew */
        return 0;
    }
    if (result != SQLITE_ROW)
        return sqlite_error(connection, result);
    side->state = SIDE_AT_ROW;
    if (table != TABLE_NUMBERED)
        return connection_column(connection, side->statement, 0, &side->key);
    side->key = number_to_key(sqlite3_column_int64(side->statement, 0), side->number);
    return 0;
}

int sqlite_cursor_next(struct kv_cursor *base, struct slice *key, struct slice *value)
{
    struct sqlite_cursor *cursor = (struct sqlite_cursor *)base;
    struct connection *connection = (struct connection *)base->transaction;
    struct range_side *least = NULL;
    int error = cursor->ended;
    connection_look(connection);
    for (enum table table = 0; table < TABLES && !error; table++) {
        struct range_side *side = &cursor->sides[table];
        if (side->state == SIDE_PASSED)
            error = step(connection, side, table);
        if (side->state == SIDE_AT_ROW && (!least || slice_compare(side->key, least->key) < 0))
            least = side;
    }
    struct slice found;
    if (!error)
        error =
            least ? connection_column(connection, least->statement, 1, &found) : ERROR_NOT_FOUND;
    if (error)
        return cursor->ended = error;
    least->state = SIDE_PASSED;
    *key = least->key;
    *value = found;
    return 0;
}

void sqlite_cursor_close(struct kv_cursor *base)
{
    struct sqlite_cursor *cursor = (struct sqlite_cursor *)base;
    bool kept = is_kept((struct connection *)base->transaction, cursor);
    for (enum table table = 0; table < TABLES; table++) {
        if (kept)
            sqlite3_reset(cursor->sides[table].statement);
        else
            sqlite3_finalize(cursor->sides[table].statement);
        cursor->sides[table].statement = NULL;
    }
    cursor->used = false;
    cursor->ended = 0;
    if (!kept)
        free(cursor);
}
