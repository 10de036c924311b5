#include "store/summaries.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "store/snapshot_priv.h"

#include <stdlib.h>

enum { REMADE_ACCOUNTS = 1000 /* looked at by one call of store_remake_used */ };

struct remaking {
    struct store_view *view;
    uint64_t after; /* all up to this message have been looked at */
    bool ended;     /* there are no more */
    uint64_t old[REMAKE_MESSAGES];
    size_t count;
    struct buffer body;
    struct buffer made; /* for each: number (8), size (8), the summary */
    size_t made_count;
    uint64_t version; /* that the account's record says */
};

/* --- a slice: reading --- */

static int find_old(struct remaking *remaking, struct kv_transaction *transaction)
{
    struct key prefix, after;
    struct kv_cursor *cursor;
    struct slice key, value;
    struct slice start = key_of_message(&after, KEY_SUMMARY, remaking->after);
    int error = kv_cursor_open(transaction, key_numbers(&prefix, KEY_SUMMARY, 0, NULL),
                               remaking->after ? start : SLICE(""), &cursor);
    if (error)
        return error;
    for (size_t i = 0; i < REMAKE_LOOKED_AT && remaking->count < REMAKE_MESSAGES; i++) {
        error = kv_cursor_next(cursor, &key, &value);
        key = slice_sub(key, 1, SIZE_MAX);
        if (!error)
            error = key_read_number(&key, &remaking->after);
        if (error)
            break;
        if (!summary_is_current(value))
            remaking->old[remaking->count++] = remaking->after;
    }
    kv_cursor_close(&cursor);
    remaking->ended = error == ERROR_NOT_FOUND;
    return remaking->ended ? 0 : error;
}

/* It may have been removed since it was found: then by somebody who removed the message. */
static int make(struct remaking *remaking, struct kv_transaction *transaction, uint64_t number)
{
    char head[16];
    struct buffer summary;
    buffer_init(&summary, SUMMARY_SIZE_MAXIMUM);
    int error =
        message_make_summary(remaking->view, transaction, number, &remaking->body, &summary);
    if (!error) {
        store_u64(head, number);
        store_u64(head + 8, summary.size);
        buffer_append(&remaking->made, slice_make(head, sizeof(head)));
        error = buffer_append(&remaking->made, buffer_slice(&summary));
        remaking->made_count++;
    }
    buffer_release(&summary);
    return error == ERROR_CORRUPT || error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_slice(struct remaking *remaking)
{
    struct kv_transaction *transaction;
    uint64_t bytes = 0;
    size_t i = 0;
    int error = view_read(remaking->view, &transaction);
    if (error)
        return error;
    error = find_old(remaking, transaction);
    for (; i < remaking->count && bytes < REMAKE_BYTES && !error; i++) {
        error = make(remaking, transaction, remaking->old[i]);
        bytes += remaking->body.size;
    }
    if (i < remaking->count) { /* the rest in the next slice */
        remaking->after = remaking->old[i] - 1;
        remaking->ended = false;
    }
    view_read_end(remaking->view, &transaction);
    return error;
}

/* --- a slice: storing --- */

static int put_summary(struct change *change, uint64_t number, struct slice summary)
{
    struct key key;
    struct slice name = key_of_message(&key, KEY_SUMMARY, number);
    int error = value_get(change->transaction, name, &change->value);
    if (error || summary_is_current(buffer_slice(&change->value)))
        return error == ERROR_NOT_FOUND ? 0 : error; /* somebody was faster */
    change->changed = true;
    return kv_put(change->transaction, name, summary);
}

/* With the last slice. */
static int put_version(struct change *change)
{
    struct key key;
    if (change->account.summary_version == SUMMARY_VERSION)
        return 0;
    change->account.summary_version = SUMMARY_VERSION;
    account_record_write(&change->account, &change->value);
    return change_put(change, key_account(&key), &change->value);
}

static int put_slice(struct change *change, void *arg)
{
    const struct remaking *remaking = arg;
    struct slice rest = buffer_slice(&remaking->made);
    int error = 0;
    change->quiet = true;
    while (rest.size && !error) {
        size_t size = (size_t)load_u64(rest.data + 8);
        error = put_summary(change, load_u64(rest.data), slice_sub(rest, 16, size));
        rest = slice_sub(rest, 16 + size, SIZE_MAX);
    }
    return !error && remaking->ended ? put_version(change) : error;
}

/* --- all slices --- */

static int remake_all(struct remaking *remaking, const atomic_bool *stop, uint64_t *messages)
{
    int error = 0;
    while (!error && !remaking->ended && !(stop && *stop)) {
        remaking->count = 0;
        remaking->made_count = 0;
        buffer_clear(&remaking->made);
        error = read_slice(remaking);
        if (!error)
            error = view_change(remaking->view, KV_RELAXED, put_slice, remaking);
        if (!error)
            *messages += remaking->made_count;
    }
    counters_add(COUNTER_STORE_SUMMARIES, (int64_t)*messages);
    return error;
}

static int read_version(struct store_view *view, uint8_t *version)
{
    struct key key;
    struct buffer value;
    struct account_record account = {0};
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = kv_get(transaction, key_account(&key), &value);
    if (!error)
        error = account_record_read(buffer_slice(&value), &account);
    if (!error)
        *version = account.summary_version;
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}

static int remake(struct remaking *remaking, bool everything, const atomic_bool *stop,
                  struct remake_result *result)
{
    uint8_t version = 0;
    uint64_t messages = 0;
    int error = read_version(remaking->view, &version);
    if (!error && (everything || version != SUMMARY_VERSION))
        error = remake_all(remaking, stop, &messages);
    if (!error && result)
        result->messages = messages;
    return error;
}

int store_remake_summaries(struct store *store, struct who who, struct account_id account,
                           bool everything, const atomic_bool *stop, struct remake_result *result)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct remaking *remaking = calloc(1, sizeof(*remaking));
    if (!remaking)
        return ERROR_MEMORY;
    buffer_init(&remaking->body, SIZE_MAX - 1);
    buffer_init(&remaking->made, (size_t)REMAKE_MESSAGES * (SUMMARY_SIZE_MAXIMUM + 16));
    int error = store_view_open(store, who, account, &remaking->view);
    if (!error) {
        error = remake(remaking, everything, stop, result);
        store_view_close(&remaking->view);
    }
    buffer_release(&remaking->body);
    buffer_release(&remaking->made);
    free(remaking);
    return error;
}

int store_remake_used(struct store *store, const atomic_bool *stop)
{
    struct account_id account;
    int error = 0;
    for (int i = 0; i < REMADE_ACCOUNTS && !gate_is_closed() && !*stop; i++) {
        bool read = account_next_due(store, ACCOUNT_OLD_SUMMARIES, store->clock(), &account);
        if (!read && !account_next_unseen(store, &account))
            break;
        int failed = store_remake_summaries(store, WHO_SYSTEM, account, read, stop, NULL);
        if (failed != ERROR_NOT_FOUND) /* one that was deleted meanwhile */
            error = error ? error : failed;
    }
    return error;
}
