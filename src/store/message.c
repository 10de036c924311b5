#include "base/error.h"
#include "store/thread_priv.h"

/* The places point into change->message until the next message is read. */
int message_read(struct change *change, uint64_t number, struct message_record *record)
{
    struct key key;
    int error =
        value_get(change->transaction, key_of_message(&key, KEY_MESSAGE, number), &change->message);
    if (!error)
        error = message_record_read(buffer_slice(&change->message), record);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

int message_write(struct change *change, uint64_t number, const struct message_record *record)
{
    struct key key;
    message_record_write(record, &change->value);
    return change_put(change, key_of_message(&key, KEY_MESSAGE, number), &change->value);
}

/* The number kept under the hash, or 0. The message may be another one: the key is 64 bits. */
static int look_up(struct change *change, const uint8_t sha256[32], uint64_t *number)
{
    struct key key;
    int error = value_get(change->transaction, key_hash(&key, sha256), &change->value);
    if (!error)
        error = number_record_read(buffer_slice(&change->value), number);
    if (error == ERROR_NOT_FOUND) {
        *number = 0;
        error = 0;
    }
    return error;
}

static int put_slice(struct change *change, struct slice key, struct slice value)
{
    change->changed = true;
    return kv_put(change->transaction, key, value);
}

static int drop_blob(struct change *change, struct blob_id blob)
{
    return buffer_append(&change->dropped, slice_make(&blob, sizeof(blob)));
}

/* --- places --- */

int message_remove(struct change *change, uint64_t number, const struct message_record *record)
{
    struct key key;
    uint64_t indexed;
    int error = look_up(change, record->sha256, &indexed);
    if (!error && indexed == number)
        error = change_delete(change, key_hash(&key, record->sha256));
    if (!error)
        error = change_delete(change, key_of_message(&key, KEY_MESSAGE, number));
    if (!error)
        error = change_delete(change, key_of_message(&key, KEY_SUMMARY, number));
    if (!error && record->body == MESSAGE_INLINE)
        error = change_delete(change, key_of_message(&key, KEY_BODY, number));
    if (!error && record->body == MESSAGE_IN_BLOB)
        error = drop_blob(change, record->blob);
    return error ? error : thread_remove(change, record->thread, number);
}

/* Writes the record with one entry less (from.uid not 0) and one more (to.uid not 0). */
static int change_places(struct change *change, uint64_t number, struct message_record *record,
                         struct position from, struct position to)
{
    struct buffer places;
    int error = 0;
    buffer_init(&places, KV_VALUE_MAXIMUM);
    buffer_append(&places, record->places);
    if (from.uid)
        error = places_remove(&places, from.collection, from.uid);
    if (!error && to.uid)
        error = places_add(&places, to.collection, to.uid);
    error = error ? error : buffer_error(&places);
    record->places = buffer_slice(&places);
    if (!error && !places.size && !record->retained)
        error = message_remove(change, number, record);
    else if (!error)
        error = message_write(change, number, record);
    buffer_release(&places);
    return error;
}

/* Whether it is in a collection that is there. What is in deleted ones only is retained. */
static int is_live(struct change *change, const struct message_record *record, bool *live)
{
    struct key key;
    int error = ERROR_NOT_FOUND;
    for (size_t i = 0; i < message_places(record) && error == ERROR_NOT_FOUND; i++)
        error = value_get(
            change->transaction,
            key_of_collection(&key, KEY_COLLECTION, message_place_at(record, i).collection),
            &change->value);
    *live = !error;
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* One entry more. A message that was in no mailbox any more is as new to who follows the changes.
 */
static int add_place(struct change *change, uint64_t number, struct message_record *record,
                     struct position to)
{
    bool live;
    int error = is_live(change, record, &live);
    if (!error && !live)
        record->created_modseq = change->modseq;
    return error ? error : change_places(change, number, record, (struct position){0}, to);
}

int message_place(struct change *change, uint64_t number, struct position from, struct position to)
{
    struct message_record record;
    int error = message_read(change, number, &record);
    if (!error && !to.uid)
        record.retained++;
    return error ? error : change_places(change, number, &record, from, to);
}

int message_restore(struct change *change, uint64_t number, struct position to)
{
    struct message_record record;
    int error = message_read(change, number, &record);
    if (!error && !record.retained)
        error = ERROR_CORRUPT;
    if (error)
        return error;
    record.retained--;
    return add_place(change, number, &record, to);
}

int message_release(struct change *change, uint64_t number, struct position from, uint64_t *thread)
{
    struct message_record record;
    int error = message_read(change, number, &record);
    if (!error && !from.uid && !record.retained)
        error = ERROR_CORRUPT;
    if (error)
        return error;
    *thread = record.thread;
    record.retained -= !from.uid;
    return change_places(change, number, &record, from, (struct position){0});
}

/* --- storing --- */

static int add_new(struct change *change, const struct stored_message *message, uint64_t thread,
                   struct position position, bool indexed, uint64_t number)
{
    struct key key;
    struct buffer places;
    buffer_init(&places, PLACE_SIZE);
    int error = places_add(&places, position.collection, position.uid);
    struct message_record record = {
        .body = message->blob.pack ? MESSAGE_IN_BLOB : MESSAGE_INLINE,
        .size = message->bytes.size,
        .thread = thread,
        .created_modseq = change->modseq,
        .blob = message->blob,
        .places = buffer_slice(&places),
    };
    memcpy(record.sha256, message->sha256, sizeof(record.sha256));
    if (!error)
        error = message_write(change, number, &record);
    buffer_release(&places);
    if (!error)
        error = put_slice(change, key_of_message(&key, KEY_SUMMARY, number), message->summary);
    if (!error && record.body == MESSAGE_INLINE)
        error = put_slice(change, key_of_message(&key, KEY_BODY, number), message->bytes);
    if (!error && indexed) {
        number_record_write(number, &change->value);
        error = change_put(change, key_hash(&key, message->sha256), &change->value);
    }
    return error ? error : thread_add(change, thread, number, message->received, message->ids);
}

static bool is_equal(const struct message_record *record, const struct stored_message *message)
{
    return record->size == message->bytes.size &&
           memcmp(record->sha256, message->sha256, sizeof(record->sha256)) == 0;
}

int message_add(struct change *change, const struct stored_message *message, uint64_t thread,
                struct position position, uint64_t *number)
{
    uint64_t known;
    struct message_record record;
    kv_needs_room(change->transaction);
    int error = look_up(change, message->sha256, &known);
    if (!error && known)
        error = message_read(change, known, &record);
    if (error)
        return error;
    if (known && is_equal(&record, message)) {
        *number = known;
        error = add_place(change, known, &record, position);
        return !error && message->blob.pack ? drop_blob(change, message->blob) : error;
    }
    *number = change->account.next_message++;
    return add_new(change, message, thread ? thread : *number, position, !known, *number);
}

/* --- another number --- */

/* What is not there, a check finds. */
static int move_value(struct change *change, enum key_family family, uint64_t old, uint64_t number)
{
    struct key key;
    int error = value_get(change->transaction, key_of_message(&key, family, old), &change->value);
    if (!error)
        error = change_put(change, key_of_message(&key, family, number), &change->value);
    if (!error)
        error = change_delete(change, key_of_message(&key, family, old));
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int message_renumber(struct change *change, uint64_t old, uint64_t number, uint64_t thread,
                     struct slice places)
{
    struct key key;
    uint64_t indexed;
    struct message_record record;
    int error = message_read(change, old, &record);
    if (!error)
        error = look_up(change, record.sha256, &indexed);
    if (!error && indexed == old) {
        number_record_write(number, &change->value);
        error = change_put(change, key_hash(&key, record.sha256), &change->value);
    }
    if (!error)
        error = move_value(change, KEY_SUMMARY, old, number);
    if (!error && record.body == MESSAGE_INLINE)
        error = move_value(change, KEY_BODY, old, number);
    if (!error)
        error = change_delete(change, key_of_message(&key, KEY_MESSAGE, old));
    record.thread = thread;
    record.created_modseq = change->modseq;
    record.places = places;
    return error ? error : message_write(change, number, &record);
}
