#include "base/error.h"
#include "store/mailbox_priv.h"

static int read_message(struct change *change, uint64_t number, struct message_record *record)
{
    struct key key;
    int error =
        value_get(change->transaction, key_of_message(&key, KEY_MESSAGE, number), &change->value);
    if (!error)
        error = message_record_read(buffer_slice(&change->value), record);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int write_message(struct change *change, uint64_t number,
                         const struct message_record *record)
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

static int add_new(struct change *change, const struct stored_message *message, bool indexed,
                   uint64_t number)
{
    struct key key;
    struct message_record record = {
        .place = message->blob.pack ? MESSAGE_IN_BLOB : MESSAGE_INLINE,
        .references = 1,
        .size = message->bytes.size,
        .created_modseq = change->modseq,
        .blob = message->blob,
    };
    memcpy(record.sha256, message->sha256, sizeof(record.sha256));
    int error = write_message(change, number, &record);
    if (!error)
        error = put_slice(change, key_of_message(&key, KEY_SUMMARY, number), message->summary);
    if (!error && record.place == MESSAGE_INLINE)
        error = put_slice(change, key_of_message(&key, KEY_BODY, number), message->bytes);
    if (!error && indexed) {
        number_record_write(number, &change->value);
        error = change_put(change, key_hash(&key, message->sha256), &change->value);
    }
    return error;
}

int message_add(struct change *change, const struct stored_message *message, uint64_t *number)
{
    uint64_t known;
    struct message_record record;
    int error = look_up(change, message->sha256, &known);
    if (!error && known) {
        error = read_message(change, known, &record);
        if (!error && record.size == message->bytes.size &&
            memcmp(record.sha256, message->sha256, sizeof(record.sha256)) == 0) {
            *number = known;
            if (message->blob.pack)
                error = drop_blob(change, message->blob);
            return error ? error : message_reference(change, known);
        }
    }
    if (error)
        return error;
    *number = change->account.next_message++;
    return add_new(change, message, !known, *number);
}

int message_reference(struct change *change, uint64_t number)
{
    struct message_record record;
    int error = read_message(change, number, &record);
    if (!error && record.references == UINT32_MAX)
        error = ERROR_LIMIT;
    if (error)
        return error;
    record.references++;
    return write_message(change, number, &record);
}

static int remove_message(struct change *change, uint64_t number,
                          const struct message_record *record)
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
    if (!error && record->place == MESSAGE_INLINE)
        error = change_delete(change, key_of_message(&key, KEY_BODY, number));
    if (!error && record->place == MESSAGE_IN_BLOB)
        error = drop_blob(change, record->blob);
    return error;
}

int message_release(struct change *change, uint64_t number)
{
    struct message_record record;
    int error = read_message(change, number, &record);
    if (!error && record.references == 0)
        error = ERROR_CORRUPT;
    if (error)
        return error;
    if (--record.references == 0)
        return remove_message(change, number, &record);
    return write_message(change, number, &record);
}
