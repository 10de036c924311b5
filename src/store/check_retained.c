/*
 * What is retained. A deleted collection's pages are checked as those of one that is there.
 * Expunged entries say how often a message is retained; those without a message are taken away.
 */
#include "base/error.h"
#include "store/check_priv.h"

#include <stdlib.h>

/* --- which deleted collections there are --- */

static int load_deleted(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    struct deleted_record deleted;
    (void)key;
    if (!numbers || numbers[0] > UINT32_MAX || check_find(check, numbers[0]) ||
        deleted_record_read(value, &deleted))
        return 0;
    collection_id id = (collection_id)numbers[0];
    return buffer_append(&check->deleted, slice_make(&id, sizeof(id)));
}

int check_load_deleted(struct check *check)
{
    return check_each(check, KEY_DELETED, 1, load_deleted);
}

static int compare_ids(const void *a, const void *b)
{
    collection_id left = *(const collection_id *)a, right = *(const collection_id *)b;
    return (left > right) - (left < right);
}

bool check_is_deleted(const struct check *check, uint64_t collection)
{
    collection_id id = (collection_id)collection;
    return collection <= UINT32_MAX && check->deleted.size &&
           bsearch(&id, check->deleted.data, check->deleted.size / sizeof(id), sizeof(id),
                   compare_ids);
}

static int check_deleted(struct check *check, collection_id id)
{
    struct deleted_record deleted;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = deleted_read(check->transaction, id, &value, &deleted);
    struct tree_node node = {.id = id};
    if (!error) {
        node.record = deleted.record;
        if (check->highest_modseq < deleted.modseq)
            check->highest_modseq = deleted.modseq;
        error = check_collection(check, &node, &deleted);
    }
    buffer_release(&value);
    return error;
}

/* --- expunged entries --- */

/* Those that have a message are appended to `kept`. */
static int take_expunged(struct check *check, const struct expunged_record *record,
                         struct buffer *kept)
{
    int error = 0;
    for (size_t i = 0; i < expunged_count(record) && !error; i++) {
        struct slice bytes = slice_sub(record->entries, i * ENTRY_SIZE, ENTRY_SIZE);
        struct entry entry;
        entry_read(bytes.data, &entry);
        if (!check_has_message(check, entry.message)) {
            check_lost(check, "message %llu, which was expunged",
                       (unsigned long long)entry.message);
            continue;
        }
        check->retained++;
        check->retained_bytes += entry.size;
        error = buffer_append(&check->expunged, slice_make(&entry.message, sizeof(uint64_t)));
        if (!error)
            error = buffer_append(kept, bytes);
    }
    return error;
}

/* Notes keys of records that must be written anew in check->body, each with two bytes of size. */
static int look_at_expunged(struct check *check, struct slice key, const uint64_t *numbers,
                            struct slice value)
{
    struct expunged_record record;
    struct buffer kept;
    if (!numbers || (!check_find(check, numbers[0]) && !check_is_deleted(check, numbers[0])))
        return 0; /* told as belonging to nothing */
    if (check->highest_modseq < numbers[1])
        check->highest_modseq = numbers[1];
    bool readable = !expunged_record_read(value, &record);
    if (!readable)
        check_lost(check, "%s: entries that were expunged",
                   check_path(check, (collection_id)numbers[0]));
    buffer_init(&kept, KV_VALUE_MAXIMUM);
    int error = readable ? take_expunged(check, &record, &kept) : 0;
    bool whole = readable && kept.size == record.entries.size;
    if (!error && !whole && check->change) {
        uint16_t size = (uint16_t)key.size;
        buffer_append(&check->body, slice_make(&size, sizeof(size)));
        error = buffer_append(&check->body, key);
    }
    buffer_release(&kept);
    return error;
}

static int mend_expunged(struct check *check, struct slice key)
{
    struct expunged_record record;
    struct buffer kept;
    int error = value_get(check->transaction, key, &check->value);
    if (error)
        return error;
    buffer_init(&kept, KV_VALUE_MAXIMUM);
    bool readable = !expunged_record_read(buffer_slice(&check->value), &record);
    for (size_t i = 0; readable && i < expunged_count(&record); i++) {
        struct slice bytes = slice_sub(record.entries, i * ENTRY_SIZE, ENTRY_SIZE);
        struct entry entry;
        entry_read(bytes.data, &entry);
        if (check_has_message(check, entry.message))
            buffer_append(&kept, bytes);
    }
    if (kept.size) {
        expunged_record_write(record.when, buffer_slice(&kept), &check->change->value);
        error = change_put(check->change, key, &check->change->value);
    } else {
        error = change_delete(check->change, key);
    }
    buffer_release(&kept);
    return error;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

uint32_t check_expunged_with(const struct check *check, uint64_t number)
{
    const uint64_t *numbers = (const uint64_t *)(const void *)check->expunged.data;
    size_t count = check->expunged.size / sizeof(*numbers);
    const uint64_t *found =
        count ? bsearch(&number, numbers, count, sizeof(number), compare_numbers) : NULL;
    if (!found)
        return 0;
    const uint64_t *first = found, *end = found + 1;
    while (first > numbers && first[-1] == number)
        first--;
    while (end < numbers + count && *end == number)
        end++;
    return (uint32_t)(end - first);
}

static int check_all_expunged(struct check *check)
{
    buffer_clear(&check->body);
    int error = check_each(check, KEY_EXPUNGED, 3, look_at_expunged);
    struct slice rest = buffer_slice(&check->body);
    while (rest.size && !error) {
        uint16_t size;
        memcpy(&size, rest.data, sizeof(size));
        error = mend_expunged(check, slice_sub(rest, sizeof(size), size));
        rest = slice_sub(rest, sizeof(size) + size, SIZE_MAX);
    }
    if (check->expunged.size)
        qsort(check->expunged.data, check->expunged.size / sizeof(uint64_t), sizeof(uint64_t),
              compare_numbers);
    return error;
}

int check_retained(struct check *check)
{
    const collection_id *deleted = (const collection_id *)(const void *)check->deleted.data;
    int error = 0;
    for (size_t i = 0; i < check->deleted.size / sizeof(*deleted) && !error; i++)
        error = check_deleted(check, deleted[i]);
    return error ? error : check_all_expunged(check);
}
