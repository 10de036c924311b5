/*
 * Which accounts have mail on its way out. A note is there before the account's own transaction,
 * and is renewed once a minute at the most; one that is younger than OUTGOING_NOTE_KEPT is not
 * taken away, since the transaction that it was made for may still be under way.
 */
#include "base/error.h"
#include "store/outgoing_priv.h"

struct note_call {
    struct store *store;
    struct outgoing_note note;
    int64_t next;
    bool found;
};

static int read_note(struct kv_transaction *transaction, struct outgoing_note *note)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_outgoing(&key, &note->account), &value);
    if (!error)
        error = outgoing_note_read(buffer_slice(&value), note);
    buffer_release(&value);
    return error;
}

static int write_note(struct kv_transaction *transaction, const struct outgoing_note *note)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    outgoing_note_write(note, &value);
    int error = buffer_error(&value);
    if (!error)
        error =
            kv_put(transaction, directory_key_outgoing(&key, &note->account), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

/* --- a delivery --- */

/* One that is due later only delays what a crash leaves behind. */
static bool is_fresh(const struct outgoing_note *note, int64_t now)
{
    return note->noted <= now && note->noted > now - OUTGOING_NOTE_MINUTE;
}

static int look(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    int error = read_note(transaction, &call->note);
    call->found = !error && is_fresh(&call->note, call->store->clock());
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

static int renew(struct kv_transaction *transaction, void *arg)
{
    const struct note_call *call = arg;
    int64_t now = call->store->clock();
    const struct outgoing_note note = {call->note.account, .noted = now, .due = now};
    return write_note(transaction, &note);
}

int outgoing_note_begin(struct store *store, struct account_id account)
{
    struct note_call call = {.store = store, .note.account = account};
    int error = directory_read(store, WHO_SYSTEM, look, &call);
    return error || call.found ? error : directory_update(store, WHO_SYSTEM, renew, &call);
}

/* --- who sends --- */

static bool take_away(const struct outgoing_note *note, int64_t now)
{
    return now >= note->noted + OUTGOING_NOTE_KEPT;
}

static int advance(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    struct directory_key key;
    struct outgoing_note found = {.account = call->note.account};
    int64_t now = call->store->clock();
    int error = read_note(transaction, &found);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    if (found.noted != call->note.noted)
        return 0;
    if (!call->next && take_away(&found, now))
        return kv_delete(transaction, directory_key_outgoing(&key, &found.account));
    int64_t kept = found.noted + OUTGOING_NOTE_KEPT;
    int64_t due = call->next ? call->next : kept;
    if (due == found.due)
        return 0;
    found.due = due;
    return write_note(transaction, &found);
}

int outgoing_note_next(struct store *store, struct who who, const struct outgoing_note *note,
                       int64_t next)
{
    struct note_call call = {.store = store, .note = *note, .next = next};
    return directory_update(store, who, advance, &call);
}

struct notes_call {
    int64_t due;
    struct outgoing_note *notes;
    size_t room, count;
};

static int collect(struct kv_transaction *transaction, void *arg)
{
    struct notes_call *call = arg;
    struct directory_key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, directory_key_outgoing(&prefix, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    call->count = 0;
    while (call->count < call->room && !(error = kv_cursor_next(cursor, &key, &value))) {
        struct outgoing_note note;
        if (account_id_parse(slice_sub(key, 1, SIZE_MAX), &note.account) ||
            outgoing_note_read(value, &note))
            continue; /* the check tells */
        if (note.due <= call->due)
            call->notes[call->count++] = note;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int outgoing_notes(struct store *store, struct who who, int64_t due, struct outgoing_note *notes,
                   size_t room, size_t *count)
{
    struct notes_call call = {.due = due, .notes = notes, .room = room};
    int error = directory_read(store, who, collect, &call);
    *count = error ? 0 : call.count;
    return error;
}

static int is_there(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    int error = read_note(transaction, &call->note);
    call->found = !error;
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

int outgoing_note_of(struct store *store, struct who who, struct account_id account,
                     struct outgoing_note *note)
{
    struct note_call call = {.store = store, .note.account = account};
    int error = directory_read(store, who, is_there, &call);
    if (!error)
        *note = call.found ? call.note : (struct outgoing_note){.account = account};
    return error;
}
