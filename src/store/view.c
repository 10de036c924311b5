#include "base/error.h"
#include "base/gate.h"
#include "store/acl_priv.h"

#include <stdlib.h>

enum {
    DROPPED_MAXIMUM = 64 * 1024 * 1024, /* bytes of blob ids dropped by one change */
    DELETED_AT_ONCE = 1024 * 1024,      /* bytes of keys collected before they are deleted */
};

int store_view_open(struct store *store, struct who who, struct account_id account,
                    struct store_view **opened)
{
    struct store_view *view = calloc(1, sizeof(*view));
    if (!view)
        return ERROR_MEMORY;
    *view = (struct store_view){.store = store, .who = who};
    int error = account_take(store, account, 0, &view->account);
    if (error)
        free(view);
    else
        *opened = view;
    return error;
}

void store_view_close(struct store_view **view)
{
    if (!*view)
        return;
    store_view_let_go(*view);
    account_give((*view)->account);
    free((*view)->groups);
    free(*view);
    *view = NULL;
}

struct account_id view_subscriber(const struct store_view *view)
{
    return view->who.kind == WHO_KIND_ACCOUNT ? view->who.account : view->account->id;
}

/* --- reading --- */

int view_read(struct store_view *view, struct kv_transaction **transaction)
{
    if (view->account->doomed)
        return ERROR_NOT_FOUND;
    if (view->held && view->holds && !view->ending) {
        view->reading++;
        *transaction = view->held;
        return 0;
    }
    int error = view_load_groups(view);
    if (!error)
        error = kv_read_begin(view->account->kv, transaction);
    if (!error && view->holds && !view->held) {
        view->held = *transaction;
        view->reading = 1;
    }
    return error;
}

int value_get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    buffer_clear(value);
    return kv_get(transaction, key, value);
}

static void end_read(struct store_view *view, struct kv_transaction **transaction)
{
    kv_read_end(transaction);
    account_mark_used(view->account);
}

static void end_held(struct store_view *view)
{
    view->ending = view->reading > 0;
    if (view->held && !view->ending)
        end_read(view, &view->held);
}

void view_read_end(struct store_view *view, struct kv_transaction **transaction)
{
    if (*transaction != view->held) {
        end_read(view, transaction);
        return;
    }
    *transaction = NULL;
    view->reading--;
    if (view->ending)
        end_held(view);
}

void store_view_hold(struct store_view *view)
{
    view->holds = true;
}

void store_view_let_go(struct store_view *view)
{
    view->holds = false;
    end_held(view);
}

/* --- changing --- */

struct change_call {
    struct change change;
    int (*fn)(struct change *change, void *arg);
    void *arg;
    bool repair;
    struct kv_lock *lock; /* NULL: not guarded */
};

static int read_account(struct change *change)
{
    struct key key;
    int error = value_get(change->transaction, key_account(&key), &change->value);
    if (error == ERROR_NOT_FOUND && change->view->making) {
        change->account = (struct account_record){
            .next_message = 1, .next_collection = 1, .summary_version = SUMMARY_VERSION};
        return 0;
    }
    if (!error)
        error = account_record_read(buffer_slice(&change->value), &change->account);
    return error;
}

static int run_change(struct kv_transaction *transaction, void *arg)
{
    struct change_call *call = arg;
    struct change *change = &call->change;
    change->transaction = transaction;
    change->changed = change->quiet = false;
    buffer_clear(&change->dropped);
    int error = call->lock ? kv_lock_guard(call->lock, transaction) : 0;
    if (!error)
        error = read_account(change);
    change->account_unreadable = error == ERROR_CORRUPT || error == ERROR_NOT_FOUND;
    if (error && !(call->repair && change->account_unreadable))
        return error;
    change->modseq = change->account.modseq + 1;
    change->now = change->view->store->clock();
    error = call->fn(change, call->arg);
    if (!error && change->changed && !change->quiet)
        error = changes_mark_day(change);
    if (error || !change->changed || change->quiet)
        return error;
    struct key key;
    change->account.modseq = change->modseq;
    account_record_write(&change->account, &change->value);
    return change_put(change, key_account(&key), &change->value);
}

/* What cannot be dropped is an orphan, which a check finds. */
static void drop_blobs(struct store_view *view, struct slice dropped)
{
    if (dropped.size)
        account_mark_due(view->account, ACCOUNT_DROPPED);
    for (; dropped.size; dropped = slice_sub(dropped, sizeof(struct blob_id), SIZE_MAX)) {
        struct blob_id id;
        memcpy(&id, dropped.data, sizeof(id));
        blob_drop(view->store->blob, view->account->space, id);
    }
}

static int run_call(struct change_call *call, enum kv_durability durability)
{
    struct change *change = &call->change;
    struct store_view *view = change->view;
    if (view->account->doomed)
        return ERROR_NOT_FOUND;
    store_view_let_go(view);
    int error = view_load_groups(view);
    if (error)
        return error;
    buffer_init(&change->value, KV_VALUE_MAXIMUM);
    buffer_init(&change->message, KV_VALUE_MAXIMUM);
    buffer_init(&change->dropped, DROPPED_MAXIMUM);
    /* The blobs go with the commit: a copy made between would have blobs of nobody. */
    gate_enter();
    error = kv_update(view->account->kv, durability, run_change, call);
    if (!error && change->changed)
        account_mark_changed(view->account, durability);
    if (!error)
        drop_blobs(view, buffer_slice(&change->dropped));
    gate_leave();
    buffer_release(&change->value);
    buffer_release(&change->message);
    buffer_release(&change->dropped);
    return error;
}

int view_change(struct store_view *view, enum kv_durability durability,
                int (*fn)(struct change *change, void *arg), void *arg)
{
    struct change_call call = {.change.view = view, .fn = fn, .arg = arg};
    return run_call(&call, durability);
}

int view_change_guarded(struct store_view *view, enum kv_durability durability,
                        struct kv_lock *lock, int (*fn)(struct change *change, void *arg),
                        void *arg)
{
    struct change_call call = {.change.view = view, .fn = fn, .arg = arg, .lock = lock};
    return run_call(&call, durability);
}

int view_repair(struct store_view *view, int (*fn)(struct change *change, void *arg), void *arg)
{
    struct change_call call = {.change.view = view, .fn = fn, .arg = arg, .repair = true};
    return run_call(&call, KV_DURABLE);
}

int change_put(struct change *change, struct slice key, const struct buffer *value)
{
    change->changed = true;
    int error = buffer_error(value);
    return error ? error : kv_put(change->transaction, key, buffer_slice(value));
}

int change_delete(struct change *change, struct slice key)
{
    change->changed = true;
    return kv_delete(change->transaction, key);
}

/* Collects keys behind `after`, each with two bytes of size in front, until `keys` is full. */
static int collect_keys(struct kv_transaction *transaction, struct slice prefix,
                        struct buffer *keys)
{
    struct kv_cursor *cursor;
    int error = kv_cursor_open(transaction, prefix, SLICE(""), &cursor);
    if (error)
        return error;
    struct slice key, value;
    while (!buffer_error(keys) && !(error = kv_cursor_next(cursor, &key, &value))) {
        uint16_t size = (uint16_t)key.size;
        if (!buffer_reserve(keys, sizeof(size) + key.size))
            break;
        buffer_append(keys, slice_make(&size, sizeof(size)));
        buffer_append(keys, key);
    }
    kv_cursor_close(&cursor);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    return buffer_error(keys) == ERROR_MEMORY ? ERROR_MEMORY : 0;
}

static int delete_keys(struct change *change, struct slice keys)
{
    int error = 0;
    while (!error && keys.size) {
        uint16_t size;
        memcpy(&size, keys.data, sizeof(size));
        error = change_delete(change, slice_sub(keys, sizeof(size), size));
        keys = slice_sub(keys, sizeof(size) + size, SIZE_MAX);
    }
    return error;
}

int change_delete_all(struct change *change, struct slice prefix)
{
    struct buffer keys;
    buffer_init(&keys, DELETED_AT_ONCE);
    int error;
    do {
        buffer_clear(&keys);
        error = collect_keys(change->transaction, prefix, &keys);
        if (!error)
            error = delete_keys(change, buffer_slice(&keys));
    } while (!error && buffer_error(&keys) == ERROR_LIMIT);
    buffer_release(&keys);
    return error;
}
