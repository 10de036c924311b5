/*
 * A note is there before the account's own transaction, and is renewed once a minute at the most;
 * one that is younger than DUE_NOTE_KEPT is not taken away, since the transaction that it was made
 * for may still be under way.
 */
#include "base/error.h"
#include "store/directory_priv.h"

struct note_call {
    struct store *store;
    enum due_kind kind;
    struct due_note note;
    int64_t next;
    bool found;
};

static int read_note(struct kv_transaction *transaction, enum due_kind kind, struct due_note *note)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_due(&key, kind, &note->account), &value);
    if (!error)
        error = due_note_read(buffer_slice(&value), note);
    buffer_release(&value);
    return error;
}

static int write_note(struct kv_transaction *transaction, enum due_kind kind,
                      const struct due_note *note)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    due_note_write(note, &value);
    int error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, directory_key_due(&key, kind, &note->account),
                       buffer_slice(&value));
    buffer_release(&value);
    return error;
}

/* --- before the account's transaction --- */

static bool is_fresh(const struct due_note *note, int64_t now)
{
    return note->noted <= now && note->noted > now - DUE_NOTE_MINUTE;
}

static int look(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    int error = read_note(transaction, call->kind, &call->note);
    call->found = !error && is_fresh(&call->note, call->store->clock());
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

static int renew(struct kv_transaction *transaction, void *arg)
{
    const struct note_call *call = arg;
    int64_t now = call->store->clock();
    const struct due_note note = {call->note.account, .noted = now, .due = now};
    return write_note(transaction, call->kind, &note);
}

int due_note_begin(struct store *store, enum due_kind kind, struct account_id account)
{
    struct note_call call = {.store = store, .kind = kind, .note.account = account};
    int error = directory_read(store, WHO_SYSTEM, look, &call);
    return error || call.found ? error : directory_update(store, WHO_SYSTEM, renew, &call);
}

/* --- who does it --- */

/* Of something that a delivery after the last look may have put, and nobody has been told of: a
 * process died between. */
static int64_t look_again(const struct due_note *note, int64_t next, int64_t now)
{
    int64_t kept = note->noted + DUE_NOTE_KEPT;
    return now < kept && (!next || next > kept) ? kept : next;
}

static int advance(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    struct directory_key key;
    struct due_note found = {.account = call->note.account};
    int error = read_note(transaction, call->kind, &found);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    if (found.noted != call->note.noted)
        return 0;
    int64_t due = look_again(&found, call->next, call->store->clock());
    if (!due)
        return kv_delete(transaction, directory_key_due(&key, call->kind, &found.account));
    if (due == found.due)
        return 0;
    found.due = due;
    return write_note(transaction, call->kind, &found);
}

int due_note_next(struct store *store, struct who who, enum due_kind kind,
                  const struct due_note *note, int64_t next)
{
    struct note_call call = {.store = store, .kind = kind, .note = *note, .next = next};
    return directory_update(store, who, advance, &call);
}

/* Another time than before, also within the same second; a time to come counts as not fresh, so the
 * next delivery sets it right. */
static int note_anew(struct kv_transaction *transaction, void *arg)
{
    const struct note_call *call = arg;
    struct due_note found = {.account = call->note.account};
    int64_t now = call->store->clock();
    int error = read_note(transaction, call->kind, &found);
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    found.noted = !error && found.noted >= now ? found.noted + 1 : now;
    found.due = now;
    return write_note(transaction, call->kind, &found);
}

int due_note_renew(struct store *store, struct who who, enum due_kind kind,
                   struct account_id account)
{
    struct note_call call = {.store = store, .kind = kind, .note.account = account};
    return directory_update(store, who, note_anew, &call);
}

struct notes_call {
    enum due_kind kind;
    int64_t due, next;
    struct due_note *notes;
    size_t room, count;
};

static int collect(struct kv_transaction *transaction, void *arg)
{
    struct notes_call *call = arg;
    struct directory_key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, directory_key_due(&prefix, call->kind, NULL), SLICE(""),
                               &cursor);
    if (error)
        return error;
    call->count = 0;
    call->next = INT64_MAX;
    while (call->count < call->room && !(error = kv_cursor_next(cursor, &key, &value))) {
        struct due_note note;
        if (account_id_parse(slice_sub(key, 1, SIZE_MAX), &note.account) ||
            due_note_read(value, &note))
            continue; /* the check tells */
        if (note.due <= call->due)
            call->notes[call->count++] = note;
        else if (note.due < call->next)
            call->next = note.due;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int due_notes(struct store *store, struct who who, enum due_kind kind, int64_t due,
              struct due_note *notes, size_t room, size_t *count, int64_t *next)
{
    struct notes_call call = {.kind = kind, .due = due, .notes = notes, .room = room};
    int error = directory_read(store, who, collect, &call);
    *count = error ? 0 : call.count;
    *next = error ? INT64_MAX : call.next;
    return error;
}

static int is_there(struct kv_transaction *transaction, void *arg)
{
    struct note_call *call = arg;
    int error = read_note(transaction, call->kind, &call->note);
    call->found = !error;
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

int due_note_of(struct store *store, struct who who, enum due_kind kind, struct account_id account,
                struct due_note *note)
{
    struct note_call call = {.store = store, .kind = kind, .note.account = account};
    int error = directory_read(store, who, is_there, &call);
    if (!error)
        *note = call.found ? call.note : (struct due_note){.account = account};
    return error;
}
