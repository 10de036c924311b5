/*
 * What sleeps: each record is of an entry that is there, its collection says that it has some, and
 * so does the directory.
 */
#include "base/error.h"
#include "store/check_priv.h"
#include "store/snooze_priv.h"

bool check_snooze_belongs(struct check *check, const uint64_t *numbers, struct slice value)
{
    struct snooze_record record;
    if (!check_find(check, numbers[0]) || snooze_record_read(value, &record))
        return false;
    const struct range_set *uids = check_uids(check, (collection_id)numbers[0]);
    return !uids || (numbers[1] < UINT32_MAX && range_set_contains(uids, (uint32_t)numbers[1]));
}

/* Notes the collections that have such records. */
static int look_at(struct check *check, struct slice key, const uint64_t *numbers,
                   struct slice value)
{
    (void)key;
    if (!numbers || !check_snooze_belongs(check, numbers, value))
        return 0; /* check_rest tells */
    return range_set_add(check->with_snoozed, (uint32_t)numbers[0], (uint32_t)numbers[0]);
}

static int check_flag(struct check *check, collection_id id)
{
    struct buffer value;
    struct collection_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(check->transaction, id, &value, &record);
    if (!error && !(record.flags & COLLECTION_HAS_SNOOZED) &&
        check_wrong(check, "%s does not say that messages sleep in it", check_path(check, id))) {
        record.flags |= COLLECTION_HAS_SNOOZED;
        error = collection_put(check->change, id, &record);
    }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

static int check_note(struct check *check)
{
    struct due_note note;
    struct store *store = check->view->store;
    int error = due_note_of(store, WHO_SYSTEM, DUE_SNOOZED, check->view->account->id, &note);
    if (error || note.noted)
        return error;
    bool mend = check_wrong(check, "the directory does not say that messages sleep");
    return mend ? due_note_begin(store, DUE_SNOOZED, check->view->account->id) : 0;
}

int check_snooze(struct check *check)
{
    struct range_set with;
    range_set_init(&with, COLLECTIONS_MAXIMUM);
    check->with_snoozed = &with;
    int error = check_each(check, KEY_SNOOZED, 2, look_at);
    for (size_t i = 0; i < with.count && !error; i++)
        for (uint32_t id = with.ranges[i].first; id <= with.ranges[i].last && !error; id++)
            error = check_flag(check, id);
    if (!error && with.count)
        error = check_note(check);
    check->with_snoozed = NULL;
    range_set_release(&with);
    return error;
}
