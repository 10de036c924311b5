#include "base/error.h"
#include "kv/rados/rados_priv.h"

#include <stdlib.h>

struct rados_cursor {
    struct kv_cursor cursor;
    struct range range;
    struct tree_node *held; /* what was shown last lives there */
    size_t upper_size;
    char from[KV_BOUND_MAXIMUM + 1];
    char upper[KV_BOUND_MAXIMUM];
};

static struct rados_transaction *transaction_new(struct kv *kv)
{
    struct rados_transaction *made = calloc(1, sizeof(*made));
    if (made)
        made->transaction.kv = kv;
    return made;
}

static void transaction_free(struct rados_transaction *transaction)
{
    snapshot_end(&transaction->snapshot);
    tree_drop(transaction->changes);
    free(transaction);
}

static int read_begin(struct kv *kv, struct kv_transaction **transaction)
{
    struct rados_transaction *begun = transaction_new(kv);
    if (!begun)
        return ERROR_MEMORY;
    int error = snapshot_begin(((struct rados_kv *)kv)->space, &begun->snapshot);
    if (error)
        free(begun);
    else
        *transaction = &begun->transaction;
    return error;
}

static void read_end(struct kv_transaction *transaction)
{
    transaction_free((struct rados_transaction *)transaction);
}

static int update_begin(struct kv *kv, enum kv_durability durability,
                        struct kv_transaction **transaction)
{
    (void)durability; /* the cluster has it on stable storage before it answers */
    struct rados_transaction *begun = transaction_new(kv);
    if (!begun)
        return ERROR_MEMORY;
    int error = commit_join(begun);
    if (error)
        free(begun);
    else
        *transaction = &begun->transaction;
    return error;
}

static int end(struct kv_transaction *transaction, bool keep)
{
    int result = commit_leave((struct rados_transaction *)transaction, keep);
    transaction_free((struct rados_transaction *)transaction);
    return result;
}

static int update_commit(struct kv_transaction *transaction)
{
    return end(transaction, true);
}

static int update_abort(struct kv_transaction *transaction)
{
    return end(transaction, false);
}

/* --- keys --- */

static int find(struct rados_transaction *transaction, struct slice key, struct slice *value)
{
    struct tree_entry change;
    if (!tree_find(transaction->changes, key, &change))
        return snapshot_get(&transaction->snapshot, key, value);
    *value = change.value;
    return change.tag == VIEW_VALUE ? 0 : ERROR_NOT_FOUND;
}

static int get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    struct slice found;
    int error = find((struct rados_transaction *)transaction, key, &found);
    return error ? error : buffer_append(value, found);
}

static int change(struct rados_transaction *update, struct slice key, enum view_tag tag,
                  struct slice value)
{
    update->change_bytes += key.size + value.size;
    if (update->change_bytes > CHANGES_BYTES)
        return ERROR_LIMIT;
    return tree_put(&update->changes, key, value, tag);
}

static int put(struct kv_transaction *transaction, struct slice key, struct slice value)
{
    return change((struct rados_transaction *)transaction, key, VIEW_VALUE, value);
}

static int delete (struct kv_transaction *transaction, struct slice key, bool *deleted)
{
    struct slice value;
    int error = find((struct rados_transaction *)transaction, key, &value);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    *deleted = true;
    return change((struct rados_transaction *)transaction, key, VIEW_ABSENT, SLICE(""));
}

/* --- cursors --- */

static int cursor_open(struct kv_transaction *transaction, struct slice lower, struct slice upper,
                       struct kv_cursor **cursor)
{
    struct rados_cursor *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return ERROR_MEMORY;
    opened->cursor.transaction = transaction;
    if (lower.size == 0)
        lower = SLICE("\1"); /* the least key: the empty one is the lock's */
    memcpy(opened->from, lower.data, lower.size);
    memcpy(opened->upper, upper.data, upper.size);
    opened->range = (struct range){slice_make(opened->from, lower.size),
                                   slice_make(opened->upper, upper.size), 0};
    *cursor = &opened->cursor;
    return 0;
}

/* Behind a key, as keys have no NUL, is the key and a NUL. */
static void go_behind(struct rados_cursor *cursor, struct slice key)
{
    memmove(cursor->from, key.data, key.size);
    cursor->from[key.size] = '\0';
    cursor->range.from = slice_make(cursor->from, key.size + 1);
}

/* The next key of what was and what the update has changed: the change counts where both have it.
 */
static int next_of_both(struct rados_cursor *cursor, struct tree_entry *found)
{
    struct rados_transaction *transaction = (struct rados_transaction *)cursor->cursor.transaction;
    struct tree_entry changed;
    int error = snapshot_next(&transaction->snapshot, &cursor->range, &found->key, &found->value);
    found->tag = VIEW_VALUE;
    bool has_change = tree_next(transaction->changes, cursor->range.from, true, &changed) &&
                      slice_compare(changed.key, cursor->range.upper) < 0;
    if (error && (error != ERROR_NOT_FOUND || !has_change))
        return error;
    if (has_change && (error || slice_compare(changed.key, found->key) <= 0))
        *found = changed;
    return 0;
}

static int cursor_next(struct kv_cursor *base, struct slice *key, struct slice *value)
{
    struct rados_cursor *cursor = (struct rados_cursor *)base;
    struct tree_entry found;
    int error;
    do {
        error = next_of_both(cursor, &found);
        if (error)
            return error;
        go_behind(cursor, found.key);
    } while (found.tag != VIEW_VALUE);
    struct tree_node *held =
        tree_hold(((struct rados_transaction *)base->transaction)->snapshot.view.entries);
    tree_drop(cursor->held);
    cursor->held = held;
    *key = found.key;
    *value = found.value;
    return 0;
}

static void cursor_close(struct kv_cursor *base)
{
    struct rados_cursor *cursor = (struct rados_cursor *)base;
    tree_drop(cursor->held);
    free(cursor);
}

/* --- the rest --- */

/* Every commit is on stable storage, and the cluster keeps itself in order. */
static int nothing(struct kv *kv)
{
    (void)kv;
    return 0;
}

const struct kv_operations rados_operations = {
    .has_nodes = true,
    .engine_free = rados_engine_free,
    .open = rados_open,
    .close = rados_close,
    .destroy = rados_destroy,
    .each_space = rados_each_space,
    .read_begin = read_begin,
    .read_end = read_end,
    .update_begin = update_begin,
    .update_commit = update_commit,
    .update_abort = update_abort,
    .get = get,
    .put = put,
    .delete = delete,
    .cursor_open = cursor_open,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
    .sync = nothing,
    .maintain = nothing,
    .rest = nothing,
    .lock = rados_lock_take,
    .unlock = rados_lock_give,
    .lock_check = rados_lock_check,
    .lock_guard = rados_lock_guard,
};
