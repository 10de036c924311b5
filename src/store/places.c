/*
 * From a message to its entries: its record says which mailboxes have it.
 */
#include "base/error.h"
#include "store/snapshot_priv.h"

static int read_message(struct kv_transaction *transaction, uint64_t number, struct buffer *value,
                        struct message_record *record)
{
    struct key key;
    int error = value_get(transaction, key_of_message(&key, KEY_MESSAGE, number), value);
    return error ? error : message_record_read(buffer_slice(value), record);
}

static bool find_in_page(const struct buffer *page, uint64_t message, struct entry *entry)
{
    size_t count = (page->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    for (size_t i = 0; i < count; i++) {
        struct entry found;
        entry_read(page_entry(page, i), &found);
        if (found.message == message) {
            *entry = found;
            return true;
        }
    }
    return false;
}

/* The entry that the place names, or the first that has the message. ERROR_CORRUPT: none has. */
static int find_entry(struct mailbox *mailbox, uint64_t message, uint32_t uid, struct entry *entry)
{
    struct buffer page;
    bool found = false;
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    int error = mailbox_load_pages(mailbox);
    size_t i = !error && uid ? mailbox_page_from(mailbox, uid) : 0;
    for (; !error && !found && i < mailbox_page_count(mailbox); i++) {
        error = mailbox_read_page(mailbox, mailbox_page(mailbox, i), &page);
        found = !error && find_in_page(&page, message, entry);
    }
    buffer_release(&page);
    return error ? error : found ? 0 : ERROR_CORRUPT;
}

int mailbox_find_message(struct mailbox_snapshot *snapshot, uint64_t message, struct entry *entry)
{
    struct mailbox *mailbox = &snapshot->mailbox;
    struct message_record record;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = read_message(snapshot->transaction, message, &value, &record);
    if (!error) {
        size_t index = message_place_find(&record, mailbox->id);
        struct place place = {0};
        if (index < message_places(&record))
            place = message_place_at(&record, index);
        error = place.collection == mailbox->id ? find_entry(mailbox, message, place.uid, entry)
                                                : ERROR_NOT_FOUND;
        if (!error && snapshot->own_seen)
            seen_apply(&snapshot->seen, entry);
    }
    buffer_release(&value);
    return error;
}

/* --- all mailboxes --- */

static int resolve(struct kv_transaction *transaction, uint64_t message, const struct place *place,
                   struct message_mailbox *found)
{
    struct mailbox mailbox;
    struct entry entry = {.uid = place->uid};
    int error = mailbox_open(transaction, place->collection, &mailbox);
    if (error)
        return error;
    if (!place->uid)
        error = find_entry(&mailbox, message, 0, &entry);
    mailbox_release(&mailbox);
    *found = (struct message_mailbox){place->collection, entry.uid, place->entries};
    return error;
}

static int list_mailboxes(struct store_view *view, struct kv_transaction *transaction,
                          uint64_t message, const struct message_record *record,
                          struct arena *arena, struct message_mailbox **list, size_t *count)
{
    size_t places = message_places(record), found = 0;
    struct message_mailbox *mailboxes = arena_alloc_array(arena, places, sizeof(*mailboxes));
    if (!mailboxes)
        return ERROR_LIMIT;
    for (size_t i = 0; i < places; i++) {
        struct place place = message_place_at(record, i);
        int error = view_require(view, transaction, place.collection, RIGHT_READ);
        if (error == ERROR_NOT_FOUND || error == ERROR_DENIED)
            continue;
        if (!error)
            error = resolve(transaction, message, &place, &mailboxes[found]);
        if (error && error != ERROR_NOT_FOUND) /* a deleted one */
            return error;
        found += !error;
    }
    *list = mailboxes;
    *count = found;
    return found ? 0 : ERROR_NOT_FOUND;
}

int message_mailboxes(struct store_view *view, uint64_t message, struct arena *arena,
                      struct message_mailbox **list, size_t *count)
{
    struct kv_transaction *transaction;
    struct message_record record;
    struct buffer value;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = read_message(transaction, message, &value, &record);
    if (!error)
        error = list_mailboxes(view, transaction, message, &record, arena, list, count);
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}
