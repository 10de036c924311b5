/*
 * What has been delivered lately (key family z), so that it is not delivered again when an MTA that
 * has not heard the reply sends it once more; and what else is forgotten in time (family w).
 */
#include "base/error.h"
#include "store/delivered_priv.h"

enum { PRUNED_KEYS = 2048 }; /* of one transaction */

int delivered_note(struct change *change, uint64_t delivery)
{
    struct key key;
    uint64_t when = 0;
    int64_t keep = change->view->store->keep_delivered;
    if (!delivery || !keep)
        return 0;
    struct slice bytes = key_delivered(&key, delivery);
    int error = value_get(change->transaction, bytes, &change->value);
    if (!error)
        error = number_record_read(buffer_slice(&change->value), &when);
    if (!error && (int64_t)when >= change->now - keep)
        return ERROR_EXISTS;
    if (error && error != ERROR_NOT_FOUND)
        return error;
    number_record_write((uint64_t)change->now, &change->value);
    return change_put(change, bytes, &change->value);
}

struct prune {
    enum key_family family;
    int64_t before;
    struct buffer keys; /* of one size each */
    size_t count;
    bool more;
};

/* The keys of what has an earlier time. All keys of the family have the same size. */
static int collect(struct kv_transaction *transaction, struct prune *prune)
{
    const char family = (char)prune->family;
    struct kv_cursor *cursor;
    struct slice key, value;
    uint64_t when;
    prune->count = 0;
    prune->more = false;
    buffer_clear(&prune->keys);
    int error = kv_cursor_open(transaction, slice_make(&family, 1), SLICE(""), &cursor);
    if (error)
        return error;
    while (!prune->more && !(error = kv_cursor_next(cursor, &key, &value))) {
        if (key.size != KEY_DELIVERED_SIZE || number_record_read(value, &when) ||
            (int64_t)when >= prune->before)
            continue;
        buffer_append(&prune->keys, key);
        prune->more = ++prune->count == PRUNED_KEYS;
    }
    kv_cursor_close(&cursor);
    error = error == ERROR_NOT_FOUND ? 0 : error;
    return error ? error : buffer_error(&prune->keys);
}

static int prune_some(struct change *change, void *arg)
{
    struct prune *prune = arg;
    change->quiet = true;
    int error = collect(change->transaction, prune);
    struct slice keys = buffer_slice(&prune->keys);
    for (; keys.size && !error; keys = slice_sub(keys, KEY_DELIVERED_SIZE, SIZE_MAX))
        error = change_delete(change, slice_sub(keys, 0, KEY_DELIVERED_SIZE));
    return error;
}

int delivered_prune(struct store_view *view, enum key_family family, int64_t before,
                    const atomic_bool *stop)
{
    struct prune prune = {.family = family, .before = before};
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&prune.keys, (size_t)PRUNED_KEYS * KEY_DELIVERED_SIZE);
    error = collect(transaction, &prune);
    view_read_end(view, &transaction);
    prune.more = prune.count > 0;
    while (!error && prune.more && !(stop && *stop))
        error = view_change(view, KV_DURABLE, prune_some, &prune);
    buffer_release(&prune.keys);
    return error;
}
