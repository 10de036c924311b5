/*
 * Mail on its way out: each message has its bytes, and the directory knows that there is some.
 */
#include "base/error.h"
#include "store/check_priv.h"
#include "store/outgoing_priv.h"

/* Those in a blob are read by a deep check alone. */
static int read_bytes(struct check *check, uint64_t number, const struct outgoing_record *record)
{
    struct key key;
    if (!record->in_blob)
        return value_get(check->transaction, key_of_message(&key, KEY_OUTGOING_BODY, number),
                         &check->body);
    buffer_clear(&check->body);
    return blob_get(check->view->store->blob, check->view->account->space, record->blob, 0,
                    (size_t)record->message.size, &check->body);
}

static int look_at_message(struct check *check, struct slice key, const uint64_t *numbers,
                           struct slice value)
{
    struct outgoing_record record;
    (void)key;
    if (!numbers || outgoing_record_read(value, &record))
        return 0; /* check_rest tells */
    check->highest_outgoing = numbers[0];
    if (record.in_blob && !check->options->deep)
        return 0;
    int error = read_bytes(check, numbers[0], &record);
    if (!error && check->body.size == record.message.size)
        return 0;
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    check_lost(check, "message %llu on its way out: its bytes", (unsigned long long)numbers[0]);
    return buffer_append(check->lost_outgoing, slice_make(numbers, sizeof(numbers[0])));
}

/* What cannot be sent any more. */
static int remove_lost(struct check *check)
{
    struct key key;
    const struct buffer *lost = check->lost_outgoing;
    int error = 0;
    for (size_t at = 0; at < lost->size && check->change && !error; at += sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, lost->data + at, sizeof(number));
        error = change_delete(check->change, key_of_message(&key, KEY_OUTGOING, number));
    }
    return error;
}

/* One note too many is no harm, and goes after some time. */
static int check_note(struct check *check)
{
    struct due_note note;
    struct store *store = check->view->store;
    int error = due_note_of(store, WHO_SYSTEM, DUE_OUTGOING, check->view->account->id, &note);
    if (error || note.noted)
        return error;
    bool mend = check_wrong(check, "the directory does not say that mail is on its way out");
    return mend ? due_note_begin(store, DUE_OUTGOING, check->view->account->id) : 0;
}

int check_outgoing(struct check *check)
{
    struct buffer lost;
    buffer_init(&lost, KV_VALUE_MAXIMUM);
    check->lost_outgoing = &lost;
    check->highest_outgoing = 0;
    int error = check_each(check, KEY_OUTGOING, 1, look_at_message);
    if (!error)
        error = remove_lost(check);
    check->lost_outgoing = NULL;
    buffer_release(&lost);
    return !error && check->highest_outgoing ? check_note(check) : error;
}
