#include "base/error.h"
#include "store/intent_priv.h"
#include "store/mailbox_priv.h"
#include "store/transfer.h"

#include <unistd.h>

enum { INTENTS_MAXIMUM = 1000 /* looked at in one go */ };

/* --- the directory's record --- */

struct directory_step {
    struct kv_lock *lock;
    const struct intent *intent;
    bool present;
};

static int write_intent(struct kv_transaction *transaction, void *arg)
{
    const struct directory_step *step = arg;
    struct directory_key key;
    struct buffer value;
    struct slice name = directory_key_intent(&key, &step->intent->id);
    int error = kv_lock_guard(step->lock, transaction);
    if (error || !step->present)
        return error ? error : kv_delete(transaction, name);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    intent_record_write(step->intent, &value);
    error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, name, buffer_slice(&value));
    buffer_release(&value);
    return error;
}

int intent_begin(struct store *store, struct kv_lock *lock, struct intent *intent)
{
    if (getentropy(intent->id.bytes, sizeof(intent->id.bytes)))
        return ERROR_IO;
    return directory_update(store, WHO_SYSTEM, write_intent,
                            &(struct directory_step){lock, intent, true});
}

int intent_cancel(struct store *store, struct kv_lock *lock, const struct intent *intent)
{
    return directory_update(store, WHO_SYSTEM, write_intent,
                            &(struct directory_step){lock, intent, false});
}

/* --- the target's note --- */

int intent_note(struct change *change, const struct intent *intent)
{
    struct key key;
    number_record_write((uint64_t)intent->begun, &change->value);
    return change_put(change, key_of_account(&key, KEY_INTENT, intent->id), &change->value);
}

static int remove_note(struct change *change, void *arg)
{
    const struct intent *intent = arg;
    struct key key;
    change->quiet = true;
    return change_delete(change, key_of_account(&key, KEY_INTENT, intent->id));
}

struct looking {
    const struct intent *intent;
    bool found;
};

/* Guarded, so that whoever began the move cannot put the entries there any more: the guard is
 * committed whether there is a note or not. */
static int look_for_note(struct change *change, void *arg)
{
    struct looking *looking = arg;
    struct key key;
    int error = value_get(change->transaction,
                          key_of_account(&key, KEY_INTENT, looking->intent->id), &change->value);
    looking->found = !error;
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- steps --- */

static int with_account(struct store *store, struct kv_lock *lock, struct account_id account,
                        int (*fn)(struct change *change, void *arg), void *arg)
{
    struct store_view *view;
    int error = store_view_open(store, WHO_SYSTEM, account, &view);
    if (error)
        return error;
    error = view_change_guarded(view, KV_DURABLE, lock, fn, arg);
    store_view_close(&view);
    return error;
}

/* What was expunged meanwhile is gone already. The rest is kept for some time, as that is. */
static int take_away(struct change *change, void *arg)
{
    const struct intent *intent = arg;
    struct removal removal = {.uids = &intent->uids, .retain = true};
    struct mailbox mailbox;
    struct range_set removed;
    int error = mailbox_open(change->transaction, intent->mailbox, &mailbox);
    if (error)
        return error;
    range_set_init(&removed, REMOVED_RANGES_MAXIMUM);
    error = mailbox_remove(change, &mailbox, &removal, &removed);
    if (!error && removed.count)
        error = mailbox_finish(change, &mailbox);
    range_set_release(&removed);
    mailbox_release(&mailbox);
    return error;
}

/* An account, or a mailbox, that is not there any more needs no step. */
static int done_when_gone(int error)
{
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int intent_finish(struct store *store, struct kv_lock *lock, struct intent *intent)
{
    int error = done_when_gone(with_account(store, lock, intent->source, take_away, intent));
    if (!error)
        error = done_when_gone(with_account(store, lock, intent->target, remove_note, intent));
    return error ? error : intent_cancel(store, lock, intent);
}

/* --- what others have left --- */

static int resume(struct store *store, struct kv_lock *lock, struct intent *intent)
{
    struct looking looking = {.intent = intent};
    int error = done_when_gone(with_account(store, lock, intent->target, look_for_note, &looking));
    if (error)
        return error;
    return looking.found ? intent_finish(store, lock, intent) : intent_cancel(store, lock, intent);
}

struct found {
    struct buffer ids; /* struct account_id: of intents */
    struct account_id id;
    struct intent intent;
};

static int find_intents(struct kv_transaction *transaction, void *arg)
{
    struct found *found = arg;
    struct directory_key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, directory_key_intent(&prefix, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct account_id id;
        error = account_id_parse(slice_sub(key, 1, SIZE_MAX), &id)
                    ? ERROR_CORRUPT
                    : buffer_append(&found->ids, slice_make(&id, sizeof(id)));
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND || error == ERROR_LIMIT ? 0 : error;
}

static int read_intent(struct kv_transaction *transaction, void *arg)
{
    struct found *found = arg;
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_intent(&key, &found->id), &value);
    if (!error)
        error = intent_record_read(buffer_slice(&value), &found->intent);
    found->intent.id = found->id;
    buffer_release(&value);
    return error;
}

static int resume_all(struct store *store, struct kv_lock *lock, struct found *found,
                      size_t *finished)
{
    struct intent *intent = &found->intent;
    int error = 0;
    *finished = 0;
    range_set_init(&intent->uids, INTENT_RANGES_MAXIMUM);
    for (size_t at = 0; at < found->ids.size && !error; at += sizeof(found->id)) {
        memcpy(&found->id, found->ids.data + at, sizeof(found->id));
        range_set_clear(&intent->uids);
        error = directory_read(store, WHO_SYSTEM, read_intent, found);
        if (!error)
            error = resume(store, lock, intent);
        *finished += !error;
        error = done_when_gone(error);
    }
    range_set_release(&intent->uids);
    return error;
}

static int find_all(struct store *store, struct found *found)
{
    buffer_clear(&found->ids);
    return directory_read(store, WHO_SYSTEM, find_intents, found);
}

static int lock_and_resume(struct store *store, struct kv_lock **lock, size_t *finished)
{
    struct found found;
    *finished = 0;
    buffer_init(&found.ids, INTENTS_MAXIMUM * sizeof(struct account_id));
    int error = kv_lock(store->directory, lock);
    if (!error) {
        error = find_all(store, &found);
        if (!error)
            error = resume_all(store, *lock, &found, finished);
        if (error)
            kv_unlock(lock);
    }
    buffer_release(&found.ids);
    return error;
}

int global_lock(struct store *store, struct kv_lock **lock)
{
    size_t finished;
    return lock_and_resume(store, lock, &finished);
}

int store_recover(struct store *store, size_t *finished)
{
    struct found found;
    struct kv_lock *lock;
    *finished = 0;
    buffer_init(&found.ids, INTENTS_MAXIMUM * sizeof(struct account_id));
    int error = find_all(store, &found);
    bool some = found.ids.size > 0;
    buffer_release(&found.ids);
    if (error || !some)
        return error;
    error = lock_and_resume(store, &lock, finished);
    if (!error)
        kv_unlock(&lock);
    return error;
}
