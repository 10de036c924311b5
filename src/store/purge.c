/*
 * Removing for good: what is retained, and tombstones of the change log.
 *
 * What a purge takes from the records e and g was also what the change log knew of these messages:
 * it leaves their numbers in a record x with the modseq of the expunge.
 */
#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/delivered_priv.h"
#include "store/retained_priv.h"

enum {
    PURGED_ENTRIES = 2048, /* after so many a transaction ends */
    PRUNED_KEYS = 2048,
    PURGED_ACCOUNTS = 1000, /* looked at by one call of store_purge_used */
    DAY_SECONDS = 24 * 60 * 60,
};

struct purge {
    int64_t before;          /* what went then or earlier is removed */
    size_t entries;          /* so far in this transaction */
    bool more;               /* there is more to do in another one */
    const atomic_bool *stop; /* NULL, or whether nobody waits any more */
    int64_t oldest;          /* of what stays; 0: nothing does */
    struct purge_result result;
    struct purge_result transaction; /* added to the result after the commit */
    struct buffer value;             /* the record that is purged */
    struct buffer numbers;           /* its messages (messages_record_append) */
};

/* --- entries --- */

/* Whether entries of the collection, which may be a deleted one, may have annotations. */
static int has_annotations(struct change *change, collection_id collection, bool *has)
{
    struct buffer value;
    struct deleted_record deleted;
    struct collection_record record = {0};
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(change->transaction, collection, &value, &record);
    if (error == ERROR_NOT_FOUND) {
        error = deleted_read(change->transaction, collection, &value, &deleted);
        record.flags = error ? 0 : deleted.record.flags;
    }
    *has = record.flags & COLLECTION_HAS_ANNOTATIONS;
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int purge_annotations(struct change *change, collection_id collection, struct slice entries)
{
    bool has = false;
    int error = has_annotations(change, collection, &has);
    for (; entries.size && has && !error; entries = slice_sub(entries, ENTRY_SIZE, SIZE_MAX))
        error = annotations_purge(change, collection, entry_read_uid(entries.data));
    return error;
}

/* Whether the transaction has done enough. */
static bool is_full(struct purge *purge)
{
    purge->more = purge->more || purge->entries >= PURGED_ENTRIES;
    return purge->more;
}

static int purge_entries(struct change *change, struct purge *purge, collection_id collection,
                         struct slice entries)
{
    int error = 0;
    buffer_clear(&purge->numbers);
    for (; entries.size && !error; entries = slice_sub(entries, ENTRY_SIZE, SIZE_MAX)) {
        struct entry entry;
        uint64_t thread = 0;
        entry_read(entries.data, &entry);
        struct position from = {collection, collection ? entry.uid : 0};
        error = message_release(change, entry.message, from, &thread);
        account_unretain(change, 1, entry.size);
        messages_record_append(&purge->numbers, entry.message, thread);
        purge->entries++;
        purge->transaction.entries++;
        purge->transaction.bytes += entry.size;
    }
    return error ? error : buffer_error(&purge->numbers);
}

/* The change log still has to tell that these messages changed or went, with this modseq. */
static int leave_tombstone(struct change *change, const struct purge *purge, uint64_t modseq,
                           uint64_t place)
{
    struct key key;
    if (modseq <= change->account.destroyed_modseq)
        return 0;
    messages_record_write(buffer_slice(&purge->numbers), &change->value);
    return change_put(change, key_destroyed(&key, modseq, DESTROYED_MESSAGE, place),
                      &change->value);
}

/* --- expunged entries --- */

static int purge_expunged(struct change *change, struct purge *purge, collection_id collection,
                          const struct expunged_place *at, const struct expunged_record *record)
{
    struct key key;
    int error = purge_entries(change, purge, 0, record->entries);
    if (!error)
        error = purge_annotations(change, collection, record->entries);
    if (!error)
        error = leave_tombstone(change, purge, at->modseq, destroyed_place(collection, at->uid));
    if (!error)
        error = change_delete(change, key_expunged(&key, collection, at->modseq, at->uid));
    return error;
}

static void keep(struct purge *purge, int64_t when)
{
    if (!purge->oldest || when < purge->oldest)
        purge->oldest = when;
}

/* Records of a collection; `all`, or until one is young enough to stay. */
static int purge_collection(struct change *change, struct purge *purge, collection_id collection,
                            bool all)
{
    struct expunged_place at = {0, 0};
    struct expunged_record record;
    int error = 0;
    while (!error && !is_full(purge)) {
        error = expunged_next(change->transaction, collection, &at, &purge->value, &record);
        if (!error && !all && record.when > purge->before) {
            keep(purge, record.when);
            break;
        }
        if (!error)
            error = purge_expunged(change, purge, collection, &at, &record);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* The next collection behind *id that has records of the family. ERROR_NOT_FOUND. */
static int next_collection(struct kv_transaction *transaction, enum key_family family,
                           collection_id *id)
{
    struct key prefix, after;
    struct kv_cursor *cursor;
    struct slice key, value;
    uint64_t number = 0;
    int error =
        kv_cursor_open(transaction, key_numbers(&prefix, family, 0, NULL),
                       key_numbers(&after, family, 1, (uint64_t[]){(uint64_t)*id + 1}), &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &key, &value);
    key = slice_sub(key, 1, SIZE_MAX);
    if (!error)
        error = key_read_number(&key, &number);
    if (!error)
        *id = (collection_id)number;
    kv_cursor_close(&cursor);
    return error;
}

static int purge_all_expunged(struct change *change, struct purge *purge)
{
    collection_id collection = 0;
    int error = 0;
    while (!error && !is_full(purge)) {
        error = next_collection(change->transaction, KEY_EXPUNGED, &collection);
        if (!error)
            error = purge_collection(change, purge, collection, false);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- deleted collections --- */

/* The first page there is. ERROR_NOT_FOUND. */
static int first_page(struct kv_transaction *transaction, collection_id id, uint64_t *base,
                      struct buffer *value)
{
    struct key key;
    struct kv_cursor *cursor;
    struct slice found, bytes;
    int error =
        kv_cursor_open(transaction, key_of_collection(&key, KEY_PAGE, id), SLICE(""), &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &found, &bytes);
    found = slice_sub(found, key.size, SIZE_MAX);
    if (!error)
        error = key_read_number(&found, base);
    buffer_clear(value);
    if (!error)
        error = buffer_append(value, bytes);
    kv_cursor_close(&cursor);
    return error;
}

static int purge_page(struct change *change, struct purge *purge, collection_id id, uint64_t modseq)
{
    uint64_t base;
    struct key key;
    int error = first_page(change->transaction, id, &base, &purge->value);
    struct slice entries = slice_sub(buffer_slice(&purge->value), PAGE_VALUE_HEADER, SIZE_MAX);
    if (!error)
        error = page_value_read(buffer_slice(&purge->value), entries.size / ENTRY_SIZE);
    if (!error)
        error = purge_entries(change, purge, id, entries);
    if (!error)
        error = purge_annotations(change, id, entries);
    if (!error)
        error = leave_tombstone(change, purge, modseq, destroyed_place(id, (uint32_t)base));
    if (!error)
        error = change_delete(change, key_page(&key, id, (uint32_t)base));
    return error;
}

/* What is left under its id. */
static int purge_rest(struct change *change, struct purge *purge, collection_id id)
{
    static const enum key_family families[] = {KEY_DIRECTORY,  KEY_KEYWORDS, KEY_VANISHED,
                                               KEY_ANNOTATION, KEY_ACL,      KEY_ACCESS_KEY,
                                               KEY_SEEN,       KEY_DELETED};
    struct key key;
    int error = 0;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !error; i++)
        error = change_delete_all(change, key_of_collection(&key, families[i], id));
    purge->transaction.collections++;
    return error;
}

static int purge_deleted(struct change *change, struct purge *purge, collection_id id,
                         struct deleted_record *deleted)
{
    int error = 0;
    uint64_t modseq = deleted->modseq;
    if (!(deleted->flags & DELETED_PURGING)) {
        deleted->flags |= DELETED_PURGING;
        error = deleted_put(change, id, deleted);
    }
    if (!error)
        error = purge_collection(change, purge, id, true);
    while (!error && !is_full(purge))
        error = purge_page(change, purge, id, modseq);
    return error == ERROR_NOT_FOUND ? purge_rest(change, purge, id) : error;
}

static int purge_all_deleted(struct change *change, struct purge *purge)
{
    collection_id id = 0;
    struct deleted_record deleted;
    struct buffer value;
    int error = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    while (!error && !is_full(purge)) {
        error = deleted_next(change->transaction, &id, &value, &deleted);
        if (!error && deleted.when > purge->before)
            keep(purge, deleted.when);
        else if (!error)
            error = purge_deleted(change, purge, id, &deleted);
    }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int purge_some(struct change *change, void *arg)
{
    struct purge *purge = arg;
    purge->entries = 0;
    purge->oldest = 0;
    purge->more = false;
    purge->transaction = (struct purge_result){0};
    int error = purge_all_expunged(change, purge);
    if (!error)
        error = purge_all_deleted(change, purge);
    if (!error && !purge->more && change->account.retained_since != purge->oldest) {
        change->account.retained_since = purge->oldest;
        change->changed = true;
    }
    return error;
}

static bool is_stopped(const struct purge *purge)
{
    return purge->stop && *purge->stop;
}

static int purge_retained(struct store_view *view, struct purge *purge)
{
    int error;
    buffer_init(&purge->value, KV_VALUE_MAXIMUM);
    buffer_init(&purge->numbers, (size_t)RETAINED_ENTRIES * MESSAGE_NUMBERS_SIZE);
    do {
        error = view_change(view, KV_DURABLE, purge_some, purge);
        if (!error) {
            purge->result.entries += purge->transaction.entries;
            purge->result.bytes += purge->transaction.bytes;
            purge->result.collections += purge->transaction.collections;
        }
    } while (!error && purge->more && !is_stopped(purge));
    buffer_release(&purge->value);
    buffer_release(&purge->numbers);
    return error;
}

/* --- the change log --- */

int changes_mark_day(struct change *change)
{
    struct key key;
    uint32_t day = (uint32_t)(change->now / DAY_SECONDS);
    if (day <= change->account.marked_day)
        return 0;
    change->account.marked_day = day;
    number_record_write(change->account.modseq, &change->value);
    return change_put(change, key_day(&key, day), &change->value);
}

struct prune {
    uint64_t day; /* the last mark that is old enough */
    uint64_t modseq;
    struct buffer keys; /* sizes (2) and keys that are to be deleted */
    size_t count;
    bool more;
};

/* Collects keys of the prefix whose next number is at most the modseq (or the day). */
static int collect(struct change *change, struct prune *prune, struct slice prefix, uint64_t last)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(change->transaction, prefix, SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t number;
        struct slice rest = slice_sub(key, prefix.size, SIZE_MAX);
        uint16_t size = (uint16_t)key.size;
        error = key_read_number(&rest, &number);
        prune->more = prune->more || (!error && number <= last && prune->count >= PRUNED_KEYS);
        if (error || number > last || prune->more)
            break;
        buffer_append(&prune->keys, slice_make(&size, sizeof(size)));
        buffer_append(&prune->keys, key);
        prune->count++;
    }
    kv_cursor_close(&cursor);
    error = error == ERROR_NOT_FOUND ? 0 : error;
    return error ? error : buffer_error(&prune->keys);
}

static int delete_collected(struct change *change, struct prune *prune)
{
    struct slice keys = buffer_slice(&prune->keys);
    int error = 0;
    while (keys.size && !error) {
        uint16_t size;
        memcpy(&size, keys.data, sizeof(size));
        error = change_delete(change, slice_sub(keys, sizeof(size), size));
        keys = slice_sub(keys, sizeof(size) + size, SIZE_MAX);
    }
    buffer_clear(&prune->keys);
    return error;
}

/* A collection's own log begins later now; it may be a deleted one. */
static int raise_vanished(struct change *change, struct prune *prune, collection_id id)
{
    struct key key;
    struct buffer value;
    struct deleted_record deleted;
    struct collection_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(change->transaction, id, &value, &record);
    if (!error && record.vanished_modseq < prune->modseq) {
        record.vanished_modseq = prune->modseq;
        collection_record_write(&record, &change->value);
        error = change_put(change, key_of_collection(&key, KEY_COLLECTION, id), &change->value);
    } else if (error == ERROR_NOT_FOUND) {
        error = deleted_read(change->transaction, id, &value, &deleted);
        if (!error && deleted.record.vanished_modseq < prune->modseq) {
            deleted.record.vanished_modseq = prune->modseq;
            error = deleted_put(change, id, &deleted);
        }
    }
    buffer_release(&value);
    return error;
}

static int prune_vanished(struct change *change, struct prune *prune)
{
    collection_id id = 0;
    struct key key;
    int error = 0;
    while (!error && !prune->more) {
        error = next_collection(change->transaction, KEY_VANISHED, &id);
        if (!error)
            error =
                collect(change, prune, key_of_collection(&key, KEY_VANISHED, id), prune->modseq);
        bool some = prune->keys.size > 0;
        if (!error)
            error = delete_collected(change, prune);
        if (!error && some)
            error = raise_vanished(change, prune, id);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int prune_some(struct change *change, void *arg)
{
    struct prune *prune = arg;
    struct key key;
    prune->count = 0;
    prune->more = false;
    buffer_clear(&prune->keys);
    if (change->account.destroyed_modseq < prune->modseq) {
        change->account.destroyed_modseq = prune->modseq;
        change->changed = true;
    }
    int error = collect(change, prune, key_numbers(&key, KEY_DESTROYED, 0, NULL), prune->modseq);
    if (!error)
        error = delete_collected(change, prune);
    if (!error)
        error = prune_vanished(change, prune);
    if (!error && !prune->more)
        error = collect(change, prune, key_numbers(&key, KEY_DAY, 0, NULL), prune->day);
    return error ? error : delete_collected(change, prune);
}

/* --- what there is to do --- */

/* The last day's mark that is at most `last`. ERROR_NOT_FOUND. */
static int find_mark(struct kv_transaction *transaction, uint64_t last, struct prune *prune)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    bool found = false;
    int error =
        kv_cursor_open(transaction, key_numbers(&prefix, KEY_DAY, 0, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t day, modseq;
        struct slice rest = slice_sub(key, prefix.size, SIZE_MAX);
        error = key_read_number(&rest, &day);
        if (!error)
            error = number_record_read(value, &modseq);
        if (error || day > last)
            break;
        prune->day = day;
        prune->modseq = modseq;
        found = true;
    }
    kv_cursor_close(&cursor);
    return error && error != ERROR_NOT_FOUND ? error : found ? 0 : ERROR_NOT_FOUND;
}

struct due {
    bool retained, changes;
};

static int find_due(struct store_view *view, const struct purge *purge, int64_t changes_before,
                    struct prune *prune, struct due *due)
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
    if (!error) {
        due->retained = account.retained_since && account.retained_since <= purge->before;
        error = changes_before < 0
                    ? ERROR_NOT_FOUND
                    : find_mark(transaction, (uint64_t)(changes_before / DAY_SECONDS), prune);
        due->changes = !error;
        error = error == ERROR_NOT_FOUND ? 0 : error;
    }
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}

static int prune_changes(struct store_view *view, struct prune *prune)
{
    int error;
    buffer_init(&prune->keys, (size_t)PRUNED_KEYS * (KEY_MAXIMUM + 2));
    do
        error = view_change(view, KV_DURABLE, prune_some, prune);
    while (!error && prune->more);
    buffer_release(&prune->keys);
    return error;
}

static int purge_account(struct store *store, struct who who, struct account_id account,
                         int64_t now, const atomic_bool *stop, struct purge_result *result)
{
    struct store_view *view;
    struct purge purge = {.before = now - store->keep_expunged, .stop = stop};
    struct prune prune = {0};
    struct due due = {0};
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = store_view_open(store, who, account, &view);
    if (error)
        return error;
    error = find_due(view, &purge, now - store->keep_changes, &prune, &due);
    if (!error && due.retained)
        error = purge_retained(view, &purge);
    if (!error && due.changes && !is_stopped(&purge))
        error = prune_changes(view, &prune);
    if (!error && !is_stopped(&purge))
        error = delivered_prune(view, KEY_DELIVERED, now - store->keep_delivered, stop);
    if (!error && !is_stopped(&purge))
        error = delivered_prune(view, KEY_REMEMBERED, now, stop);
    store_view_close(&view);
    if (result)
        *result = purge.result;
    return error;
}

int store_purge(struct store *store, struct who who, struct account_id account, int64_t now,
                struct purge_result *result)
{
    return purge_account(store, who, account, now, NULL, result);
}

int store_purge_used(struct store *store, const atomic_bool *stop)
{
    struct account_id account;
    int error = 0;
    int64_t now = store->clock();
    for (unsigned i = 0; i < PURGED_ACCOUNTS && !*stop; i++) {
        if (!account_next_unpurged(store, now, now - DAY_SECONDS, &account))
            break;
        int failed = purge_account(store, WHO_SYSTEM, account, now, stop, NULL);
        if (failed != ERROR_NOT_FOUND) /* one that was deleted meanwhile */
            error = error ? error : failed;
    }
    return error;
}
