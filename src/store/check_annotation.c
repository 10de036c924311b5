/*
 * Annotations: each is of a collection that is there or deleted, or of an entry that is there or
 * was expunged. What those that count come to is in the records of the collections and of the
 * account.
 */
#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/check_priv.h"
#include "store/event.h"

#include <stdlib.h>

/* --- which UIDs a collection has --- */

static int load_there(struct check *check, struct mailbox *mailbox)
{
    struct buffer page;
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    int error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        const struct page_header *header = mailbox_page(mailbox, i);
        error = mailbox_read_page(mailbox, header, &page);
        for (size_t j = 0; j < header->count && !error; j++) {
            uint32_t uid = entry_read_uid(page_entry(&page, j));
            error = range_set_add(&check->uids.there, uid, uid);
        }
    }
    buffer_release(&page);
    return error;
}

static int load_retained(struct check *check, collection_id collection)
{
    struct expunged_place at = {0, 0};
    struct expunged_record record;
    struct buffer value;
    int error = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    while (!error && !(error = expunged_next(check->transaction, collection, &at, &value, &record)))
        for (size_t i = 0; i < expunged_count(&record) && !error; i++) {
            uint32_t uid = entry_read_uid(record.entries.data + i * ENTRY_SIZE);
            error = range_set_add(&check->uids.retained, uid, uid);
        }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Of a collection whose pages cannot be read, every UID may be one of its entries'. */
static void load_uids(struct check *check, uint64_t collection)
{
    struct mailbox mailbox;
    bool purging;
    if (check->uids.loaded && check->uids.collection == collection)
        return;
    range_set_clear(&check->uids.there);
    range_set_clear(&check->uids.retained);
    int error =
        check_is_deleted(check, collection)
            ? deleted_open(check->transaction, (collection_id)collection, &mailbox, &purging)
            : mailbox_open(check->transaction, (collection_id)collection, &mailbox);
    if (!error) {
        error = load_there(check, &mailbox);
        mailbox_release(&mailbox);
    }
    if (!error)
        error = load_retained(check, (collection_id)collection);
    check->uids.collection = collection;
    check->uids.loaded = true;
    check->uids.unreadable = error != 0;
}

const struct range_set *check_uids(struct check *check, collection_id collection)
{
    load_uids(check, collection);
    return check->uids.unreadable ? NULL : &check->uids.there;
}

static bool has_uid(struct check *check, uint64_t collection, uint64_t uid, bool *counts)
{
    load_uids(check, collection);
    *counts = uid < UINT32_MAX && range_set_contains(&check->uids.there, (uint32_t)uid);
    return *counts || check->uids.unreadable ||
           (uid < UINT32_MAX && range_set_contains(&check->uids.retained, (uint32_t)uid));
}

/* --- each annotation --- */

struct seen_annotation {
    struct annotation_tail tail;
    struct slice value;
    bool counts;
};

static bool look_at(struct check *check, struct slice key, const uint64_t *numbers,
                    struct slice value, struct seen_annotation *seen)
{
    uint64_t ignored;
    bool of_message = key.data[0] == (char)KEY_MESSAGE_ANNOTATION;
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    if (!numbers || key_read_number(&rest, &ignored) ||
        (of_message && key_read_number(&rest, &ignored)) ||
        annotation_tail_read(rest, &seen->tail) || annotation_record_read(value, &seen->value))
        return false;
    seen->counts = true;
    if (!of_message && !numbers[0])
        return true;
    if (!check_find(check, numbers[0]) && !check_is_deleted(check, numbers[0]))
        return false;
    return !of_message || has_uid(check, numbers[0], numbers[1], &seen->counts);
}

bool check_annotation_belongs(struct check *check, struct slice key, const uint64_t *numbers,
                              struct slice value)
{
    struct seen_annotation seen;
    return look_at(check, key, numbers, value, &seen);
}

/* Whether changes are those of an entry that is there. */
bool check_annotation_changes_belong(struct check *check, struct slice key, const uint64_t *numbers,
                                     struct slice value)
{
    struct key right;
    struct account_id owner;
    struct slice changes;
    uint64_t ignored;
    bool counts;
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    if (!numbers || key_read_number(&rest, &ignored) || key_read_number(&rest, &ignored) ||
        annotation_changes_record_read(value, &changes) ||
        (!check_find(check, numbers[0]) && !check_is_deleted(check, numbers[0])) ||
        !has_uid(check, numbers[0], numbers[1], &counts) || (!counts && !check->uids.unreadable))
        return false;
    bool shared = slice_equal(rest, SLICE("s"));
    if (!shared && account_id_parse(slice_sub(rest, 1, SIZE_MAX), &owner))
        return false;
    return slice_equal(key, key_annotation_changes(&right, (collection_id)numbers[0],
                                                   (uint32_t)numbers[1], shared ? NULL : &owner));
}

static int add_up(struct check *check, struct slice key, const uint64_t *numbers,
                  struct slice value)
{
    struct seen_annotation seen;
    if (!look_at(check, key, numbers, value, &seen))
        return 0;
    struct checked_sum sum = {
        .collection = numbers[0],
        .bytes = seen.counts ? annotation_size(seen.tail.name, seen.value) : 0,
        .of_messages = key.data[0] == (char)KEY_MESSAGE_ANNOTATION,
        .events = key.data[0] == (char)KEY_ANNOTATION && !seen.tail.owner.size &&
                  slice_equal(seen.tail.name, slice_from_string(EVENT_ANNOTATION)),
    };
    struct checked_sum *rows = (struct checked_sum *)(void *)check->sums.data;
    size_t count = check->sums.size / sizeof(sum);
    if (count && rows[count - 1].collection == sum.collection &&
        rows[count - 1].of_messages == sum.of_messages) {
        rows[count - 1].bytes += sum.bytes;
        rows[count - 1].events |= sum.events;
        return 0;
    }
    return buffer_append(&check->sums, slice_make(&sum, sizeof(sum)));
}

/* --- against the records --- */

static int compare_sums(const void *a, const void *b)
{
    const struct checked_sum *left = a, *right = b;
    return (left->collection > right->collection) - (left->collection < right->collection);
}

/* The two rows that a collection may have, together. */
static struct checked_sum find_sum(const struct check *check, uint64_t collection)
{
    const struct checked_sum *rows = (const struct checked_sum *)(const void *)check->sums.data;
    struct checked_sum sum = {.collection = collection};
    size_t count = check->sums.size / sizeof(*rows);
    const struct checked_sum *found =
        count ? bsearch(&sum, rows, count, sizeof(sum), compare_sums) : NULL;
    if (!found)
        return sum;
    size_t at = (size_t)(found - rows);
    for (size_t i = at ? at - 1 : 0; i <= at + 1 && i < count; i++)
        if (rows[i].collection == collection) {
            sum.bytes += rows[i].bytes;
            sum.of_messages |= rows[i].of_messages;
            sum.events |= rows[i].events;
        }
    return sum;
}

/* Whether it differs, and is to be written. */
static bool compare(struct check *check, collection_id id, struct collection_record *record)
{
    struct checked_sum sum = find_sum(check, id);
    bool flag = record->flags & COLLECTION_HAS_ANNOTATIONS;
    bool events = record->flags & COLLECTION_HAS_EVENTS;
    if (record->annotation_bytes == sum.bytes && (flag || !sum.of_messages) && events == sum.events)
        return false;
    record->annotation_bytes = sum.bytes;
    record->flags |= sum.of_messages ? COLLECTION_HAS_ANNOTATIONS : 0;
    record->flags &= (uint8_t)~COLLECTION_HAS_EVENTS;
    record->flags |= sum.events ? COLLECTION_HAS_EVENTS : 0;
    return check_wrong(check, "%s: its annotations are counted wrongly", check_path(check, id));
}

static int compare_there(struct check *check, collection_id id)
{
    struct buffer value;
    struct collection_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(check->transaction, id, &value, &record);
    if (!error && compare(check, id, &record))
        error = collection_put(check->change, id, &record);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

static int compare_deleted(struct check *check, collection_id id)
{
    struct buffer value;
    struct deleted_record deleted;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = deleted_read(check->transaction, id, &value, &deleted);
    if (!error && !(deleted.flags & DELETED_PURGING) && compare(check, id, &deleted.record))
        error = deleted_put(check->change, id, &deleted);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

int check_annotations(struct check *check)
{
    int error = check_each(check, KEY_ANNOTATION, 1, add_up);
    if (!error)
        error = check_each(check, KEY_MESSAGE_ANNOTATION, 2, add_up);
    if (check->sums.size)
        qsort(check->sums.data, check->sums.size / sizeof(struct checked_sum),
              sizeof(struct checked_sum), compare_sums);
    for (size_t i = 0; i < check->tree.count && !error; i++) {
        error = compare_there(check, check->tree.nodes[i].id);
        check->annotation_bytes += find_sum(check, check->tree.nodes[i].id).bytes;
    }
    for (size_t at = 0; at < check->deleted.size && !error; at += sizeof(collection_id)) {
        collection_id id;
        memcpy(&id, check->deleted.data + at, sizeof(id));
        error = compare_deleted(check, id);
    }
    check->annotation_bytes += find_sum(check, 0).bytes;
    check->events = find_sum(check, 0).events;
    return error;
}
