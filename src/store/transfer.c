#include "store/transfer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/gate.h"
#include "store/annotation_priv.h"
#include "store/append_priv.h"
#include "store/intent_priv.h"
#include "store/snapshot_priv.h"
#include "store/thread_priv.h"

enum {
    SLICE_BYTES = 8 * 1024 * 1024, /* of bodies read in one snapshot */
    BODY_MAXIMUM = BLOB_SIZE_MAXIMUM,
};

/* A message on its way. */
struct item {
    uint32_t uid; /* in the source */
    uint32_t flags;
    int64_t internal_date;
    uint64_t size;
    uint8_t sha256[32];
    struct blob_id blob;    /* in the target, unless the transfer fails */
    struct slice summary;   /* this, and what follows, in the arena */
    struct slice *keywords; /* names */
    size_t keyword_count;
    struct annotation *annotations;
    size_t annotation_count;
};

struct transfer {
    struct store_view *view, *target_view;
    collection_id mailbox, target;
    const struct range_set *uids;
    struct copy_result *result;
    struct arena arena;
    struct buffer items; /* struct item */
    struct range_set from;
    uint64_t bytes;
    struct blob_batch *batch;
    struct buffer body, summary;
    uint32_t next_uid;
    bool more;
    struct intent intent;
    bool noted;     /* the intent is to be noted in the target */
    bool committed; /* the entries are in the target */
};

static size_t item_count(const struct transfer *transfer)
{
    return transfer->items.size / sizeof(struct item);
}

static struct item *item_at(const struct transfer *transfer, size_t index)
{
    return (struct item *)(void *)transfer->items.data + index;
}

/* --- out of the source --- */

static int read_hash(struct mailbox_snapshot *snapshot, uint64_t number, uint8_t sha256[32])
{
    struct key key;
    struct buffer value;
    struct message_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(snapshot->transaction, key_of_message(&key, KEY_MESSAGE, number), &value);
    if (!error)
        error = message_record_read(buffer_slice(&value), &record);
    if (!error)
        memcpy(sha256, record.sha256, sizeof(record.sha256));
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int take_keywords(struct transfer *transfer, struct mailbox_snapshot *snapshot,
                         const struct keyword_set *keywords, struct item *item)
{
    const struct keyword_names *names = mailbox_snapshot_keywords(snapshot);
    item->keywords = arena_alloc_array(&transfer->arena, names->count, sizeof(*item->keywords));
    if (!item->keywords)
        return ERROR_LIMIT;
    for (unsigned i = 0; i < names->count; i++)
        if (keyword_set_has(keywords, i))
            item->keywords[item->keyword_count++] = arena_copy(&transfer->arena, names->names[i]);
    return arena_failed(&transfer->arena) ? ERROR_LIMIT : 0;
}

/* Its body goes to the target's blobs at once: that much is not kept in memory. */
static int take_message(struct transfer *transfer, struct mailbox_snapshot *snapshot,
                        const struct entry *entry)
{
    struct item item = {.uid = entry->uid,
                        .flags = entry->flags,
                        .internal_date = entry->internal_date,
                        .size = entry->size};
    struct summary summary;
    buffer_clear(&transfer->body);
    if (item_count(transfer) == TRANSFER_MESSAGES_MAXIMUM ||
        entry->size > TRANSFER_BYTES_MAXIMUM - transfer->bytes)
        return ERROR_LIMIT;
    int error = mailbox_message(snapshot, entry, 0, BODY_MAXIMUM, &transfer->body);
    if (!error && transfer->body.size != entry->size)
        error = ERROR_CORRUPT;
    if (!error)
        error = read_hash(snapshot, entry->message, item.sha256);
    if (!error)
        error = mailbox_summary(snapshot, entry, &transfer->summary, &summary);
    if (!error)
        error = take_keywords(transfer, snapshot, &entry->keywords, &item);
    if (!error)
        error = message_annotations_list(snapshot, entry->uid, &transfer->arena, &item.annotations,
                                         &item.annotation_count);
    if (error)
        return error;
    item.summary = arena_copy(&transfer->arena, buffer_slice(&transfer->summary));
    transfer->bytes += entry->size;
    buffer_append(&transfer->items, slice_make(&item, sizeof(item)));
    if (arena_failed(&transfer->arena))
        return ERROR_LIMIT;
    struct item *kept = item_at(transfer, item_count(transfer) - 1);
    return blob_batch_add(transfer->batch, buffer_slice(&transfer->body), &kept->blob);
}

static int take_entries(struct transfer *transfer, struct mailbox_snapshot *snapshot)
{
    struct entry_cursor cursor;
    struct entry entry;
    uint64_t until = transfer->bytes + SLICE_BYTES;
    int error = 0;
    transfer->more = false;
    entry_cursor_init(&cursor, snapshot, transfer->next_uid, 0);
    while (!error && transfer->bytes < until) {
        uint32_t wanted = range_set_next(transfer->uids, transfer->next_uid);
        entry_cursor_skip_to(&cursor, wanted);
        error = wanted ? entry_cursor_next(&cursor, &entry) : ERROR_NOT_FOUND;
        if (!error && range_set_contains(transfer->uids, entry.uid))
            error = take_message(transfer, snapshot, &entry);
        transfer->next_uid = error ? transfer->next_uid : entry.uid + 1;
    }
    transfer->more = !error;
    entry_cursor_release(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int take_slice(struct transfer *transfer)
{
    struct mailbox_snapshot *snapshot;
    int error = mailbox_snapshot_open(transfer->view, transfer->mailbox, &snapshot);
    if (error)
        return error;
    error = take_entries(transfer, snapshot);
    mailbox_snapshot_close(&snapshot);
    return error;
}

/* Asked before anything is copied; asked again by each step that counts. */
static int require(struct store_view *view, collection_id collection, uint32_t rights)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = view_require(view, transaction, collection, rights);
    view_read_end(view, &transaction);
    return error;
}

static int take_all(struct transfer *transfer, uint32_t rights)
{
    struct store_view *target = transfer->target_view;
    int error = require(transfer->view, transfer->mailbox, rights);
    if (!error)
        error = require(target, transfer->target, RIGHT_INSERT);
    if (!error)
        error = blob_batch_begin(target->store->blob, target->account->space, &transfer->batch);
    if (error)
        return error;
    do
        error = take_slice(transfer);
    while (!error && transfer->more);
    if (error)
        blob_batch_cancel(&transfer->batch);
    else
        error = blob_batch_finish(&transfer->batch);
    return error;
}

/* --- into the target --- */

/* Those that who may set there. */
static size_t choose_annotations(const struct item *item, uint32_t rights,
                                 struct annotation *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < item->annotation_count && rights & RIGHT_READ; i++)
        if (item->annotations[i].scope == ANNOTATION_PRIVATE || rights & RIGHT_ANNOTATE)
            chosen[count++] = item->annotations[i];
    return count;
}

static int put_item(struct change *change, struct transfer *transfer, const struct item *item,
                    uint32_t rights)
{
    struct annotation annotations[2 * MESSAGE_ANNOTATIONS_MAXIMUM];
    struct summary summary;
    struct thread_ids ids;
    struct stored_message message = {.bytes = slice_make(NULL, (size_t)item->size),
                                     .summary = item->summary,
                                     .blob = item->blob,
                                     .received = item->internal_date,
                                     .ids = &ids};
    struct append append = {.flags = item->flags,
                            .keywords = item->keywords,
                            .keyword_count = item->keyword_count,
                            .internal_date = item->internal_date,
                            .annotations = annotations};
    struct append_call call = {
        .mailbox = transfer->target, .append = &append, .message = &message, .now = clock_wall()};
    memcpy(message.sha256, item->sha256, sizeof(message.sha256));
    append.annotation_count = choose_annotations(item, rights, annotations);
    int error = summary_parse(item->summary, &summary);
    if (!error)
        error = thread_ids_of(&summary, &ids);
    if (!error)
        error = append_message(change, &call);
    if (!error)
        error = range_set_add(&transfer->result->to, call.result.uid, call.result.uid);
    transfer->result->uid_validity = call.result.uid_validity;
    return error;
}

static int put_all(struct change *change, void *arg)
{
    struct transfer *transfer = arg;
    uint32_t rights;
    range_set_clear(&transfer->result->to);
    int error = rights_of(change->view, change->transaction, transfer->target, &rights);
    if (!error && !(rights & RIGHT_INSERT))
        error = rights & RIGHT_LOOKUP ? ERROR_DENIED : ERROR_NOT_FOUND;
    for (size_t i = 0; i < item_count(transfer) && !error; i++)
        error = put_item(change, transfer, item_at(transfer, i), rights);
    if (!error && transfer->noted)
        error = intent_note(change, &transfer->intent);
    return error;
}

static int copy_to(struct transfer *transfer)
{
    int error = view_change(transfer->target_view, KV_DURABLE, put_all, transfer);
    transfer->committed = !error;
    return error;
}

/* The rights may have changed since the messages were read; then the move has not begun. */
static int move_locked(struct transfer *transfer, struct kv_lock *lock)
{
    struct store *store = transfer->view->store;
    int error = require(transfer->view, transfer->mailbox,
                        RIGHT_READ | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE);
    if (!error)
        error = intent_begin(store, lock, &transfer->intent);
    if (error)
        return error;
    transfer->noted = true;
    error = view_change_guarded(transfer->target_view, KV_DURABLE, lock, put_all, transfer);
    transfer->committed = !error;
    if (change_has_failed(error))
        intent_cancel(store, lock, &transfer->intent);
    return error ? error : intent_finish(store, lock, &transfer->intent);
}

/* --- all of it --- */

static void drop_blobs(const struct transfer *transfer)
{
    const struct store_view *target = transfer->target_view;
    for (size_t i = 0; i < item_count(transfer); i++)
        blob_drop(target->store->blob, target->account->space, item_at(transfer, i)->blob);
}

/* The UIDs that were there. */
static int note_uids(struct transfer *transfer)
{
    int error = 0;
    range_set_clear(&transfer->result->from);
    for (size_t i = 0; i < item_count(transfer) && !error; i++) {
        uint32_t uid = item_at(transfer, i)->uid;
        error = range_set_add(&transfer->result->from, uid, uid);
        if (!error)
            error = range_set_add(&transfer->intent.uids, uid, uid);
    }
    return error;
}

/* lock: NULL for a copy. */
static int run_locked(struct transfer *transfer, struct kv_lock *lock)
{
    uint32_t rights = RIGHT_READ | (lock ? RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE : 0);
    gate_enter(); /* a copy made between would have blobs of nobody */
    int error = take_all(transfer, rights);
    if (!error) {
        error = note_uids(transfer);
        if (!error && item_count(transfer))
            error = lock ? move_locked(transfer, lock) : copy_to(transfer);
        if (!transfer->committed && change_has_failed(error))
            drop_blobs(transfer);
    }
    gate_leave();
    return error;
}

/* The lock is taken before the gate is passed: whoever has it may be waiting at the gate, for a
 * freeze that waits for all who are within. */
static int run(struct transfer *transfer, bool move)
{
    struct kv_lock *lock = NULL;
    transfer->intent.source = transfer->view->account->id;
    transfer->intent.target = transfer->target_view->account->id;
    transfer->intent.mailbox = transfer->mailbox;
    transfer->intent.begun = clock_wall();
    int error = move ? global_lock(transfer->view->store, &lock) : 0;
    if (error)
        return error;
    error = run_locked(transfer, lock);
    kv_unlock(&lock);
    return error;
}

static bool are_of_one(struct who a, struct who b)
{
    return a.kind == b.kind &&
           (a.kind != WHO_KIND_ACCOUNT || account_id_equal(a.account, b.account));
}

int mailbox_transfer(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                     struct store_view *target_view, collection_id target, bool move,
                     struct copy_result *result)
{
    if (!are_of_one(view->who, target_view->who))
        return ERROR_INVALID;
    if (view->account == target_view->account)
        return mailbox_copy(view, mailbox, uids, target, move, result);
    struct transfer transfer = {.view = view,
                                .target_view = target_view,
                                .mailbox = mailbox,
                                .target = target,
                                .uids = uids,
                                .result = result,
                                .next_uid = 1};
    range_set_clear(&result->to);
    range_set_init(&transfer.intent.uids, TRANSFER_MESSAGES_MAXIMUM);
    arena_init(&transfer.arena, TRANSFER_MEMORY_MAXIMUM);
    buffer_init(&transfer.items, TRANSFER_MESSAGES_MAXIMUM * sizeof(struct item));
    buffer_init(&transfer.body, BODY_MAXIMUM);
    buffer_init(&transfer.summary, SUMMARY_SIZE_MAXIMUM);
    int error = run(&transfer, move);
    range_set_release(&transfer.intent.uids);
    arena_release(&transfer.arena);
    buffer_release(&transfer.items);
    buffer_release(&transfer.body);
    buffer_release(&transfer.summary);
    return error;
}
