#include "base/error.h"
#include "store/retained_priv.h"

/* --- counting --- */

void account_retain(struct change *change, uint64_t entries, uint64_t bytes)
{
    struct account_record *account = &change->account;
    account->entries -= entries;
    account->entry_bytes -= bytes;
    account->retained += entries;
    account->retained_bytes += bytes;
    if (!account->retained_since || account->retained_since > change->now)
        account->retained_since = change->now;
}

void account_unretain(struct change *change, uint64_t entries, uint64_t bytes)
{
    change->account.retained -= entries;
    change->account.retained_bytes -= bytes;
    change->changed = true;
}

/* --- records --- */

int deleted_read(struct kv_transaction *transaction, collection_id id, struct buffer *value,
                 struct deleted_record *record)
{
    struct key key;
    int error = value_get(transaction, key_of_collection(&key, KEY_DELETED, id), value);
    return error ? error : deleted_record_read(buffer_slice(value), record);
}

int deleted_put(struct change *change, collection_id id, const struct deleted_record *record)
{
    struct key key;
    deleted_record_write(record, &change->value);
    return change_put(change, key_of_collection(&key, KEY_DELETED, id), &change->value);
}

int deleted_open(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox,
                 bool *purging)
{
    struct deleted_record deleted;
    mailbox_init(transaction, id, mailbox);
    int error = deleted_read(transaction, id, &mailbox->record_bytes, &deleted);
    if (error) {
        mailbox_release(mailbox);
        return error;
    }
    mailbox->record = deleted.record;
    *purging = deleted.flags & DELETED_PURGING;
    return 0;
}

/* Copies the first record behind a key, and its numbers. */
static int next_record(struct kv_transaction *transaction, struct slice prefix, struct slice after,
                       size_t count, uint64_t *numbers, struct buffer *value)
{
    struct kv_cursor *cursor;
    struct slice found, bytes;
    int error = kv_cursor_open(transaction, prefix, after, &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &found, &bytes);
    struct slice rest = slice_sub(found, 1, SIZE_MAX);
    for (size_t i = 0; i < count && !error; i++)
        error = key_read_number(&rest, &numbers[i]);
    buffer_clear(value);
    if (!error)
        error = buffer_append(value, bytes);
    kv_cursor_close(&cursor);
    return error;
}

int deleted_next(struct kv_transaction *transaction, collection_id *id, struct buffer *value,
                 struct deleted_record *record)
{
    struct key prefix, after;
    uint64_t number;
    int error = next_record(transaction, key_numbers(&prefix, KEY_DELETED, 0, NULL),
                            key_of_collection(&after, KEY_DELETED, *id), 1, &number, value);
    if (!error)
        error = deleted_record_read(buffer_slice(value), record);
    if (!error)
        *id = (collection_id)number;
    return error;
}

int expunged_next(struct kv_transaction *transaction, collection_id collection,
                  struct expunged_place *at, struct buffer *value, struct expunged_record *record)
{
    struct key prefix, after;
    uint64_t numbers[3];
    int error =
        next_record(transaction, key_of_collection(&prefix, KEY_EXPUNGED, collection),
                    key_expunged(&after, collection, at->modseq, at->uid), 3, numbers, value);
    if (!error)
        error = expunged_record_read(buffer_slice(value), record);
    if (!error)
        *at = (struct expunged_place){numbers[1], (uint32_t)numbers[2]};
    return error;
}

/* --- looking --- */

/* Room for one more in a list in an arena, doubled as it grows; NULL. */
static void *list_next(struct arena *arena, void **list, size_t *count, size_t *capacity,
                       size_t size)
{
    if (*count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 16;
        void *items = arena_alloc_array(arena, more, size);
        if (!items)
            return NULL;
        if (*count)
            memcpy(items, *list, *count * size);
        *list = items;
        *capacity = more;
    }
    return (char *)*list + (*count)++ * size;
}

static int list_deleted(struct kv_transaction *transaction, struct arena *arena, void **list,
                        size_t *count)
{
    struct buffer value;
    struct deleted_record deleted;
    collection_id id = 0;
    size_t capacity = 0;
    int error = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    while (!error && !(error = deleted_next(transaction, &id, &value, &deleted))) {
        if (deleted.flags & DELETED_PURGING)
            continue;
        struct retained_collection *item = list_next(arena, list, count, &capacity, sizeof(*item));
        if (item)
            *item = (struct retained_collection){.id = id,
                                                 .type = deleted.record.type,
                                                 .path = arena_copy(arena, deleted.path),
                                                 .deleted = deleted.when,
                                                 .messages = deleted.record.messages,
                                                 .size = deleted.record.size};
        error = arena_failed(arena) ? ERROR_LIMIT : 0;
    }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int retained_collections(struct store_view *view, struct arena *arena,
                         struct retained_collection **list, size_t *count)
{
    struct kv_transaction *transaction;
    void *items = NULL;
    size_t found = 0;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = view_require(view, transaction, 0, RIGHT_CREATE);
    if (!error)
        error = list_deleted(transaction, arena, &items, &found);
    view_read_end(view, &transaction);
    if (error)
        return error;
    *list = items;
    *count = found;
    return 0;
}

bool retained_filter_has_time(const struct retained_filter *filter, int64_t when)
{
    return (!filter->from || when >= filter->from) && (!filter->until || when < filter->until);
}

bool retained_filter_has_uid(const struct retained_filter *filter, uint32_t uid)
{
    return !filter->uids || range_set_contains(filter->uids, uid);
}

static int list_of_record(const struct expunged_record *record,
                          const struct retained_filter *filter, struct arena *arena, void **list,
                          size_t *count, size_t *capacity)
{
    for (size_t i = 0; i < expunged_count(record); i++) {
        const char *bytes = record->entries.data + i * ENTRY_SIZE;
        struct retained_entry *item = NULL;
        if (!retained_filter_has_uid(filter, entry_read_uid(bytes)))
            continue;
        item = list_next(arena, list, count, capacity, sizeof(*item));
        if (!item)
            return ERROR_LIMIT;
        entry_read(bytes, &item->entry);
        item->expunged = record->when;
    }
    return 0;
}

static int list_expunged(struct kv_transaction *transaction, collection_id collection,
                         const struct retained_filter *filter, struct arena *arena, void **list,
                         size_t *count)
{
    struct buffer value;
    struct expunged_place at = {0, 0};
    struct expunged_record record;
    struct collection_record there;
    size_t capacity = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(transaction, collection, &value, &there);
    if (error) {
        buffer_release(&value);
        return error;
    }
    while (!error && !(error = expunged_next(transaction, collection, &at, &value, &record)))
        if (retained_filter_has_time(filter, record.when))
            error = list_of_record(&record, filter, arena, list, count, &capacity);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int retained_entries(struct store_view *view, collection_id collection,
                     const struct retained_filter *filter, struct arena *arena,
                     struct retained_entry **list, size_t *count)
{
    struct kv_transaction *transaction;
    void *items = NULL;
    size_t found = 0;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = view_require(view, transaction, collection, RIGHT_READ | RIGHT_EXPUNGE);
    if (!error)
        error = list_expunged(transaction, collection, filter, arena, &items, &found);
    view_read_end(view, &transaction);
    if (error)
        return error;
    *list = items;
    *count = found;
    return 0;
}
