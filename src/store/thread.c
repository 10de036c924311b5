#include "store/thread.h"
#include "base/error.h"
#include "store/snapshot_priv.h"
#include "store/thread_priv.h"

#include <stdlib.h>

/* --- ids --- */

void thread_id_format(uint64_t thread, char text[OBJECT_ID_MAXIMUM])
{
    snprintf(text, OBJECT_ID_MAXIMUM, "T%llx", (unsigned long long)thread);
}

int thread_id_parse(struct slice text, uint64_t *thread)
{
    uint64_t number = 0;
    if (text.size < 2 || text.size > 17 || text.data[0] != 'T' || text.data[1] == '0')
        return ERROR_SYNTAX;
    for (size_t i = 1; i < text.size; i++) {
        char c = text.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return ERROR_SYNTAX;
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *thread = number;
    return 0;
}

/* --- reading --- */

static int read_message(struct kv_transaction *transaction, uint64_t number, struct buffer *value,
                        struct message_record *record)
{
    struct key key;
    int error = value_get(transaction, key_of_message(&key, KEY_MESSAGE, number), value);
    return error ? error : message_record_read(buffer_slice(value), record);
}

int entry_thread(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t *thread)
{
    struct message_record record;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = read_message(snapshot->transaction, entry->message, &value, &record);
    if (!error)
        *thread = record.thread;
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

/* ERROR_NOT_FOUND unless the message is in a mailbox that is there and that who may read. */
static int require_readable(struct store_view *view, struct kv_transaction *transaction,
                            const struct message_record *record)
{
    struct buffer value;
    struct collection_record collection;
    int error = ERROR_NOT_FOUND;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    for (size_t i = 0; i < message_places(record) && error == ERROR_NOT_FOUND; i++) {
        collection_id id = message_place_at(record, i).collection;
        error = view_require(view, transaction, id, RIGHT_READ);
        if (!error)
            error = collection_read(transaction, id, &value, &collection);
        error = error == ERROR_DENIED ? ERROR_NOT_FOUND : error;
    }
    buffer_release(&value);
    return error;
}

static int read_thread(struct store_view *view, struct kv_transaction *transaction,
                       uint64_t message, uint64_t *thread)
{
    struct message_record record;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = read_message(transaction, message, &value, &record);
    if (!error)
        error = require_readable(view, transaction, &record);
    if (!error)
        *thread = record.thread;
    buffer_release(&value);
    return error;
}

int message_thread(struct store_view *view, uint64_t message, uint64_t *thread)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = read_thread(view, transaction, message, thread);
    view_read_end(view, &transaction);
    return error;
}

static int compare_received(const void *a, const void *b)
{
    const struct thread_message *left = a, *right = b;
    if (left->received != right->received)
        return left->received < right->received ? -1 : 1;
    return (left->message > right->message) - (left->message < right->message);
}

/* struct thread_message, all there are. */
static int read_members(struct kv_transaction *transaction, uint64_t thread, struct buffer *members)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, key_numbers(&prefix, KEY_THREAD, 1, &thread), SLICE(""),
                               &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct thread_member member = {0};
        struct thread_message message;
        key = slice_sub(key, prefix.size, SIZE_MAX);
        error = key_read_number(&key, &message.message);
        if (!error)
            error = thread_member_read(value, &member);
        message.received = member.received;
        if (!error)
            error = buffer_append(members, slice_make(&message, sizeof(message)));
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int list_messages(struct store_view *view, struct kv_transaction *transaction,
                         struct slice members, struct arena *arena, struct thread_message **list,
                         size_t *count)
{
    size_t total = members.size / sizeof(**list), found = 0;
    struct thread_message *messages = arena_alloc_array(arena, total, sizeof(*messages));
    if (!messages)
        return ERROR_LIMIT;
    for (size_t i = 0; i < total; i++) {
        uint64_t thread;
        memcpy(&messages[found], members.data + i * sizeof(*messages), sizeof(*messages));
        int error = read_thread(view, transaction, messages[found].message, &thread);
        if (error && error != ERROR_NOT_FOUND)
            return error;
        found += !error;
    }
    if (!found)
        return ERROR_NOT_FOUND;
    qsort(messages, found, sizeof(*messages), compare_received);
    *list = messages;
    *count = found;
    return 0;
}

int thread_messages(struct store_view *view, uint64_t thread, struct arena *arena,
                    struct thread_message **list, size_t *count)
{
    struct kv_transaction *transaction;
    struct buffer members;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&members, arena->maximum);
    error = read_members(transaction, thread, &members);
    if (!error)
        error = members.size
                    ? list_messages(view, transaction, buffer_slice(&members), arena, list, count)
                    : ERROR_NOT_FOUND;
    buffer_release(&members);
    view_read_end(view, &transaction);
    return error;
}
