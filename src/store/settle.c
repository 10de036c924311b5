#include "store/settle.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "store/mailbox_priv.h"
#include "store/outgoing_priv.h"

#include <stdlib.h>

enum { SETTLED_ACCOUNTS = 1000 /* looked at by one call of store_settle_used */ };

/* --- settling --- */

struct settled {
    uint64_t message;
    bool outgoing; /* it is one on its way out */
    struct blob_id blob;
};

struct settling {
    struct store_view *view;
    struct settled found[SETTLE_MESSAGES];
    size_t count;
    uint64_t bytes;
    uint64_t after; /* the message that the last batch ended with */
};

static int add_body(struct settling *settling, struct blob_batch *batch, struct slice key,
                    struct slice body)
{
    struct settled *settled = &settling->found[settling->count];
    key = slice_sub(key, 1, SIZE_MAX);
    int error = key_read_number(&key, &settled->message);
    if (!error)
        error = blob_batch_add(batch, body, &settled->blob);
    settling->count++;
    settling->bytes += body.size;
    settling->after = settled->message;
    return error;
}

static int read_bodies(struct settling *settling, struct kv_transaction *transaction,
                       struct blob_batch *batch)
{
    struct key prefix, after;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(
        transaction, key_numbers(&prefix, KEY_BODY, 0, NULL),
        settling->after ? key_of_message(&after, KEY_BODY, settling->after) : SLICE(""), &cursor);
    if (error)
        return error;
    while (settling->count < SETTLE_MESSAGES && settling->bytes < SETTLE_BYTES &&
           !(error = kv_cursor_next(cursor, &key, &value))) {
        error = add_body(settling, batch, key, value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_batch(struct settling *settling, struct blob_batch *batch)
{
    struct kv_transaction *transaction;
    int error = view_read(settling->view, &transaction);
    if (error)
        return error;
    error = read_bodies(settling, transaction, batch);
    view_read_end(settling->view, &transaction);
    return error;
}

static int put_batch(struct settling *settling)
{
    struct blob_batch *batch;
    const struct store_view *view = settling->view;
    int error = blob_batch_begin(view->store->blob, view->account->space, &batch);
    if (error)
        return error;
    error = read_batch(settling, batch);
    if (error || !settling->count) {
        blob_batch_cancel(&batch);
        return error;
    }
    return blob_batch_finish(&batch);
}

/* A message that went meanwhile, or was settled by another process, leaves its blob to nobody. */
static int change_record(struct change *change, const struct settled *settled)
{
    struct key key;
    struct message_record record;
    int error = message_read(change, settled->message, &record);
    if (error == ERROR_CORRUPT || (!error && record.body != MESSAGE_INLINE))
        return buffer_append(&change->dropped, slice_make(&settled->blob, sizeof(settled->blob)));
    if (error)
        return error;
    record.body = MESSAGE_IN_BLOB;
    record.blob = settled->blob;
    error = message_write(change, settled->message, &record);
    return error ? error : change_delete(change, key_of_message(&key, KEY_BODY, settled->message));
}

static int change_records(struct change *change, void *arg)
{
    const struct settling *settling = arg;
    int error = 0;
    change->quiet = true;
    for (size_t i = 0; i < settling->count && !error; i++)
        error = change_record(change, &settling->found[i]);
    return error;
}

/* The blobs are on stable storage before they are referred to; then the records may follow when
 * they like: until they do, the bodies are where they were. */
static int settle_batch(struct settling *settling)
{
    settling->count = 0;
    settling->bytes = 0;
    gate_enter();
    int error = put_batch(settling);
    if (!error && settling->count)
        error = view_change(settling->view, KV_RELAXED, change_records, settling);
    gate_leave();
    return error;
}

static bool goes_on(const atomic_bool *stop)
{
    return !stop || !atomic_load(stop);
}

static int settle_all(struct settling *settling, const atomic_bool *stop,
                      struct settle_result *result)
{
    int error = 0;
    do {
        error = settle_batch(settling);
        if (!error) {
            result->messages += settling->count;
            result->bytes += settling->bytes;
        }
    } while (!error && settling->count && goes_on(stop));
    if (!error && result->messages)
        error = kv_compact(settling->view->account->kv);
    counters_add(COUNTER_STORE_SETTLED, (int64_t)result->messages);
    return error;
}

int store_settle(struct store *store, struct who who, struct account_id account,
                 const atomic_bool *stop, struct settle_result *result)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct settling *settling = calloc(1, sizeof(*settling));
    if (!settling)
        return ERROR_MEMORY;
    struct settle_result settled = {0};
    int error = store_view_open(store, who, account, &settling->view);
    if (!error) {
        error = settle_all(settling, stop, &settled);
        store_view_close(&settling->view);
    }
    free(settling);
    if (!error)
        *result = settled;
    return error;
}

/* --- reclaiming --- */

struct reclaiming {
    struct store_view *view;
    /* of `live` */
    uint64_t pack;
    struct buffer *ids;
    /* of `moved` */
    const struct blob_move *moves;
    size_t count;
    struct settled found[BLOB_MOVES_MAXIMUM]; /* messages, and where they are now */
    size_t found_count;
};

typedef int (*found_fn)(struct reclaiming *reclaiming, const struct settled *found);

/* Calls fn for each message whose body is in a blob. */
static int each_message(struct reclaiming *reclaiming, struct kv_transaction *transaction,
                        found_fn fn)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, key_numbers(&prefix, KEY_MESSAGE, 0, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t number;
        struct message_record record;
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        /* What cannot be read might refer to anything: nothing is reclaimed then. */
        error = key_read_number(&rest, &number);
        if (!error)
            error = message_record_read(value, &record);
        if (!error && record.body == MESSAGE_IN_BLOB)
            error = fn(reclaiming, &(struct settled){number, false, record.blob});
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

struct outgoing_search {
    struct reclaiming *reclaiming;
    found_fn fn;
};

static int show_outgoing(uint64_t number, const struct outgoing_record *record, void *arg)
{
    const struct outgoing_search *search = arg;
    const struct settled found = {number, true, record->blob};
    return record->in_blob ? search->fn(search->reclaiming, &found) : 0;
}

static int read_blobs(struct reclaiming *reclaiming, found_fn fn)
{
    struct kv_transaction *transaction;
    int error = view_read(reclaiming->view, &transaction);
    if (error)
        return error;
    error = each_message(reclaiming, transaction, fn);
    if (!error)
        error =
            outgoing_each(transaction, show_outgoing, &(struct outgoing_search){reclaiming, fn});
    view_read_end(reclaiming->view, &transaction);
    return error;
}

static int note_live(struct reclaiming *reclaiming, const struct settled *found)
{
    return !reclaiming->pack || found->blob.pack == reclaiming->pack
               ? buffer_append(reclaiming->ids, slice_make(&found->blob, sizeof(found->blob)))
               : 0;
}

static int live(uint64_t pack, struct buffer *ids, void *arg)
{
    struct reclaiming *reclaiming = arg;
    reclaiming->pack = pack;
    reclaiming->ids = ids;
    return read_blobs(reclaiming, note_live);
}

static const struct blob_move *find_move(const struct reclaiming *reclaiming, struct blob_id from)
{
    for (size_t i = 0; i < reclaiming->count; i++)
        if (reclaiming->moves[i].from.pack == from.pack &&
            reclaiming->moves[i].from.offset == from.offset)
            return &reclaiming->moves[i];
    return NULL;
}

static int note_moved(struct reclaiming *reclaiming, const struct settled *found)
{
    if (!find_move(reclaiming, found->blob))
        return 0;
    if (reclaiming->found_count == BLOB_MOVES_MAXIMUM)
        return ERROR_CORRUPT; /* two messages with one blob */
    reclaiming->found[reclaiming->found_count++] = *found;
    return 0;
}

static int move_record(struct change *change, const struct reclaiming *reclaiming,
                       const struct settled *found, bool *moved)
{
    struct message_record record;
    const struct blob_move *move = find_move(reclaiming, found->blob);
    if (found->outgoing)
        return outgoing_move_blob(change, found->message, move->from, move->to,
                                  &moved[move - reclaiming->moves]);
    int error = message_read(change, found->message, &record);
    if (error || record.body != MESSAGE_IN_BLOB || record.blob.pack != move->from.pack ||
        record.blob.offset != move->from.offset)
        return error == ERROR_CORRUPT ? 0 : error; /* it has gone meanwhile */
    record.blob = move->to;
    moved[move - reclaiming->moves] = true;
    return message_write(change, found->message, &record);
}

static int move_records(struct change *change, void *arg)
{
    struct reclaiming *reclaiming = arg;
    bool moved[BLOB_MOVES_MAXIMUM] = {false};
    int error = 0;
    change->quiet = true;
    for (size_t i = 0; i < reclaiming->found_count && !error; i++)
        error = move_record(change, reclaiming, &reclaiming->found[i], moved);
    /* Of what went meanwhile, the copy is nobody's. */
    for (size_t i = 0; i < reclaiming->count && !error; i++)
        if (!moved[i])
            error = buffer_append(&change->dropped,
                                  slice_make(&reclaiming->moves[i].to, sizeof(struct blob_id)));
    return error;
}

static int moved(const struct blob_move *moves, size_t count, void *arg)
{
    struct reclaiming *reclaiming = arg;
    reclaiming->moves = moves;
    reclaiming->count = count;
    reclaiming->found_count = 0;
    int error = read_blobs(reclaiming, note_moved);
    return error ? error : view_change(reclaiming->view, KV_DURABLE, move_records, reclaiming);
}

int store_reclaim(struct store *store, struct who who, struct account_id account, bool everything)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct reclaiming *reclaiming = calloc(1, sizeof(*reclaiming));
    if (!reclaiming)
        return ERROR_MEMORY;
    int error = store_view_open(store, who, account, &reclaiming->view);
    if (!error) {
        const struct blob_reclaim what = {
            .everything = everything, .live = live, .moved = moved, .arg = reclaiming};
        gate_enter();
        error = blob_reclaim(store->blob, reclaiming->view->account->space, &what);
        gate_leave();
        store_view_close(&reclaiming->view);
    }
    free(reclaiming);
    return error;
}

/* --- the background job --- */

int store_settle_used(struct store *store, const atomic_bool *stop)
{
    struct account_id id;
    struct settle_result result;
    int64_t now = store->clock();
    int error = 0;
    for (int i = 0; i < SETTLED_ACCOUNTS && !gate_is_closed() && goes_on(stop); i++) {
        int failed;
        if (account_next_due(store, ACCOUNT_UNSETTLED, now - SETTLE_DELAY, &id))
            failed = store_settle(store, WHO_SYSTEM, id, stop, &result);
        else if (account_next_due(store, ACCOUNT_DROPPED, now - RECLAIM_INTERVAL, &id))
            failed = store_reclaim(store, WHO_SYSTEM, id, false);
        else
            break;
        error = error || failed == ERROR_NOT_FOUND ? error : failed;
    }
    return error;
}
