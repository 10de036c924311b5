#include "base/error.h"
#include "format/subject.h"
#include "store/hash_priv.h"
#include "store/thread_priv.h"

/* --- ids --- */

struct collector {
    struct thread_ids *ids;
    uint8_t subject[HASH_SIZE]; /* hashed apart, since it may be long */
    struct buffer id;
};

static int add_id(struct collector *collector)
{
    struct thread_ids *ids = collector->ids;
    char text[HASH_SIZE + MESSAGE_ID_MAXIMUM];
    uint8_t sha256[HASH_SIZE];
    uint64_t bits;
    memcpy(text, collector->subject, HASH_SIZE);
    memcpy(text + HASH_SIZE, collector->id.data, collector->id.size);
    int error = bytes_hash(slice_make(text, HASH_SIZE + collector->id.size), sha256);
    memcpy(&bits, sha256, sizeof(bits));
    bits = be64toh(bits);
    for (size_t i = 0; i < ids->count && !error; i++)
        if (ids->hashes[i] == bits)
            return 0;
    if (!error && ids->count < THREAD_IDS)
        ids->hashes[ids->count++] = bits;
    return error;
}

/* All but the first `passed`, at most `most`. */
static int add_ids(struct collector *collector, struct slice value, size_t passed, size_t most)
{
    int error = 0;
    while (!error && most && message_id_next(&value, &collector->id)) {
        if (passed) {
            passed--;
        } else {
            error = add_id(collector);
            most--;
        }
    }
    return error;
}

static int add_references(struct collector *collector, struct slice value)
{
    struct slice rest = value;
    size_t count = 0, room = THREAD_IDS - collector->ids->count;
    while (message_id_next(&rest, &collector->id))
        count++;
    int error = add_ids(collector, value, 0, 1);
    if (!error)
        error = add_ids(collector, value, count > room ? count - room + 1 : 1, SIZE_MAX);
    return error;
}

static int hash_subject(struct slice subject, uint8_t sha256[HASH_SIZE])
{
    struct buffer key;
    buffer_init(&key, 4 * SUMMARY_SIZE_MAXIMUM);
    int error = subject_thread_key(subject, &key);
    if (!error)
        error = bytes_hash(buffer_slice(&key), sha256);
    buffer_release(&key);
    return error;
}

int thread_ids_of(const struct summary *summary, struct thread_ids *ids)
{
    struct thread_ids found = {.count = 0};
    struct collector collector = {.ids = &found};
    int error = hash_subject(summary->headers[SUMMARY_SUBJECT], collector.subject);
    buffer_init(&collector.id, MESSAGE_ID_MAXIMUM);
    if (!error)
        error = add_ids(&collector, summary->headers[SUMMARY_MESSAGE_ID], 0, 1);
    if (!error)
        error = add_ids(&collector, summary->headers[SUMMARY_IN_REPLY_TO], 0, THREAD_IN_REPLY_TO);
    if (!error)
        error = add_references(&collector, summary->headers[SUMMARY_REFERENCES]);
    buffer_release(&collector.id);
    if (!error)
        *ids = found;
    return error;
}

/* The thread that an id belongs to; 0: none. */
static int look_up(struct change *change, uint64_t hash, uint64_t *thread)
{
    struct key key;
    int error = value_get(change->transaction, key_thread_id(&key, hash), &change->value);
    if (!error)
        error = number_record_read(buffer_slice(&change->value), thread);
    if (error == ERROR_NOT_FOUND) {
        *thread = 0;
        error = 0;
    }
    return error;
}

/* --- messages of a thread --- */

int thread_next(struct kv_transaction *transaction, uint64_t thread, uint64_t *message,
                struct buffer *value, struct thread_member *member)
{
    struct key prefix, after;
    struct kv_cursor *cursor;
    struct slice key, bytes;
    struct slice start = key_thread(&after, thread, *message);
    int error = kv_cursor_open(transaction, key_numbers(&prefix, KEY_THREAD, 1, &thread),
                               *message ? start : SLICE(""), &cursor);
    if (error)
        return error;
    uint64_t number = 0;
    error = kv_cursor_next(cursor, &key, &bytes);
    key = slice_sub(key, prefix.size, SIZE_MAX);
    if (!error)
        error = key_read_number(&key, &number);
    if (!error && value) {
        buffer_clear(value);
        error = buffer_append(value, bytes);
    }
    kv_cursor_close(&cursor);
    if (!error && value)
        error = thread_member_read(buffer_slice(value), member);
    if (!error)
        *message = number;
    return error;
}

int thread_add(struct change *change, uint64_t thread, uint64_t message, int64_t received,
               const struct thread_ids *ids)
{
    struct key key;
    char owned[THREAD_IDS * sizeof(uint64_t)];
    size_t size = 0;
    int error = 0;
    for (size_t i = 0; i < ids->count && !error; i++) {
        uint64_t known;
        error = look_up(change, ids->hashes[i], &known);
        if (error || known)
            continue;
        number_record_write(thread, &change->value);
        error = change_put(change, key_thread_id(&key, ids->hashes[i]), &change->value);
        store_u64(owned + size, ids->hashes[i]);
        size += sizeof(uint64_t);
    }
    if (error)
        return error;
    thread_member_write(received, slice_make(owned, size), &change->value);
    return change_put(change, key_thread(&key, thread, message), &change->value);
}

/* Those that nobody takes over. */
static int forget_ids(struct change *change, struct slice ids)
{
    struct key key;
    int error = 0;
    for (; ids.size && !error; ids = slice_sub(ids, sizeof(uint64_t), SIZE_MAX))
        error = change_delete(change, key_thread_id(&key, load_u64(ids.data)));
    return error;
}

static int hand_over(struct change *change, uint64_t thread, struct slice ids)
{
    struct key key;
    struct buffer value, all;
    struct thread_member heir;
    uint64_t message = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    buffer_init(&all, KV_VALUE_MAXIMUM);
    int error = ids.size ? thread_next(change->transaction, thread, &message, &value, &heir)
                         : ERROR_NOT_FOUND;
    if (!error) {
        size_t room = THREAD_OWNED_MAXIMUM * sizeof(uint64_t);
        room = heir.ids.size < room ? room - heir.ids.size : 0;
        buffer_append(&all, heir.ids);
        buffer_append(&all, slice_sub(ids, 0, room));
        ids = slice_sub(ids, room, SIZE_MAX);
        thread_member_write(heir.received, buffer_slice(&all), &change->value);
        error = change_put(change, key_thread(&key, thread, message), &change->value);
    }
    buffer_release(&value);
    buffer_release(&all);
    return error && error != ERROR_NOT_FOUND ? error : forget_ids(change, ids);
}

int thread_remove(struct change *change, uint64_t thread, uint64_t message)
{
    struct key key;
    struct buffer value;
    struct thread_member member = {0};
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = value_get(change->transaction, key_thread(&key, thread, message), &value);
    if (!error)
        error = thread_member_read(buffer_slice(&value), &member);
    if (!error)
        error = change_delete(change, key_thread(&key, thread, message));
    if (!error)
        error = hand_over(change, thread, member.ids);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- which thread --- */

/* How many messages it has, but not more than `most`. */
static int count_messages(struct change *change, uint64_t thread, size_t most, size_t *count)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(change->transaction, key_numbers(&prefix, KEY_THREAD, 1, &thread),
                               SLICE(""), &cursor);
    if (error)
        return error;
    for (*count = 0; *count < most && !error; *count += !error)
        error = kv_cursor_next(cursor, &key, &value);
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int thread_find(struct change *change, const struct thread_ids *ids, uint64_t *thread)
{
    uint64_t found = 0;
    int error = 0;
    for (size_t i = 0; i < ids->count && !found && !error; i++)
        error = look_up(change, ids->hashes[i], &found);
    if (!error)
        *thread = found;
    return error;
}

/* The threads that the ids belong to, each once. */
static int find_threads(struct change *change, const struct thread_ids *ids,
                        uint64_t threads[THREAD_IDS], size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < ids->count; i++) {
        uint64_t thread;
        size_t known = 0;
        int error = look_up(change, ids->hashes[i], &thread);
        if (error)
            return error;
        while (known < *count && threads[known] != thread)
            known++;
        if (thread && known == *count)
            threads[(*count)++] = thread;
    }
    return 0;
}

/* The one with the most messages: each message moves seldom, however often threads are merged. */
static int find_largest(struct change *change, const uint64_t *threads, size_t count,
                        uint64_t *largest)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t messages;
        int error = count_messages(change, threads[i], MERGE_MESSAGES + 1, &messages);
        if (error)
            return error;
        if (messages > most) {
            most = messages;
            *largest = threads[i];
        }
    }
    return 0;
}

int thread_join(struct change *change, const struct thread_ids *ids, uint64_t *thread)
{
    uint64_t threads[THREAD_IDS], largest = 0;
    struct merge_budget budget = {MERGE_MESSAGES, MERGE_ENTRIES, MERGE_BYTES, MERGE_PAGES};
    size_t count;
    int error = find_threads(change, ids, threads, &count);
    if (!error && count == 1)
        largest = threads[0];
    if (!error && count > 1)
        error = find_largest(change, threads, count, &largest);
    for (size_t i = 0; i < count && !error; i++)
        if (threads[i] != largest)
            error = thread_merge(change, threads[i], largest, &budget);
    if (!error)
        *thread = largest;
    return error;
}
