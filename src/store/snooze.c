#include "store/snooze.h"
#include "base/error.h"
#include "store/snooze_priv.h"

#include <stdlib.h>

enum { TREE_MEMORY_MAXIMUM = 32 * 1024 * 1024 }; /* COLLECTIONS_MAXIMUM of them with long names */

/* --- records --- */

static struct slice key_snoozed(struct key *key, collection_id mailbox, uint32_t uid)
{
    return key_numbers(key, KEY_SNOOZED, 2, (uint64_t[]){mailbox, uid});
}

/* Its slices point into value. */
static int read_record(struct kv_transaction *transaction, collection_id mailbox, uint32_t uid,
                       struct buffer *value, struct snooze_record *record)
{
    struct key key;
    int error = value_get(transaction, key_snoozed(&key, mailbox, uid), value);
    return error ? error : snooze_record_read(buffer_slice(value), record);
}

static int write_record(struct change *change, collection_id mailbox, uint32_t uid,
                        const struct snooze *snooze)
{
    struct key key;
    snooze_record_write(snooze, &change->value);
    return change_put(change, key_snoozed(&key, mailbox, uid), &change->value);
}

/* Calls fn for each record of the account, or of a mailbox (not 0). Nothing may be written
 * meanwhile; record NULL: it cannot be read. */
static int each(struct kv_transaction *transaction, collection_id mailbox,
                int (*fn)(collection_id mailbox, uint32_t uid, const struct snooze_record *record,
                          void *arg),
                void *arg)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    struct snooze_record record;
    int error = kv_cursor_open(
        transaction, key_numbers(&prefix, KEY_SNOOZED, mailbox ? 1 : 0, (uint64_t[]){mailbox}),
        SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t collection, uid;
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        if (key_read_number(&rest, &collection) || key_read_number(&rest, &uid))
            continue; /* the check tells */
        bool readable = snooze_record_read(value, &record) == 0;
        error = fn((collection_id)collection, (uint32_t)uid, readable ? &record : NULL, arg);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- putting --- */

int snooze_check(const struct snooze *snooze)
{
    if (snooze->mailbox_id.size > SNOOZE_ID_MAXIMUM ||
        snooze->mailbox.size > COLLECTION_PATH_MAXIMUM ||
        snooze->add_count > SNOOZE_KEYWORDS_MAXIMUM ||
        snooze->remove_count > SNOOZE_KEYWORDS_MAXIMUM)
        return ERROR_LIMIT;
    for (size_t i = 0; i < snooze->add_count; i++)
        if (snooze->add_keywords[i].size > KEYWORD_NAME_MAXIMUM)
            return ERROR_LIMIT;
    for (size_t i = 0; i < snooze->remove_count; i++)
        if (snooze->remove_keywords[i].size > KEYWORD_NAME_MAXIMUM)
            return ERROR_LIMIT;
    return 0;
}

static int count_one(collection_id mailbox, uint32_t uid, const struct snooze_record *record,
                     void *arg)
{
    size_t *count = arg;
    (void)mailbox, (void)uid, (void)record;
    ++*count;
    return 0;
}

int snooze_has_room(struct change *change, bool *room)
{
    size_t count = 0;
    int error = each(change->transaction, 0, count_one, &count);
    *room = count < SNOOZED_MAXIMUM;
    return error;
}

int snooze_put(struct change *change, struct mailbox *mailbox, uint32_t uid,
               const struct snooze *snooze)
{
    mailbox->record.flags |= COLLECTION_HAS_SNOOZED;
    return write_record(change, mailbox->id, uid, snooze);
}

/* --- what happens to the entries --- */

struct gone {
    const struct range_set *uids;
    struct buffer found; /* uint32_t: those that have a record */
};

static int find_gone(collection_id mailbox, uint32_t uid, const struct snooze_record *record,
                     void *arg)
{
    struct gone *gone = arg;
    (void)mailbox, (void)record;
    if (gone->uids && !range_set_contains(gone->uids, uid))
        return 0;
    return buffer_append(&gone->found, slice_make(&uid, sizeof(uid)));
}

int snooze_removed(struct change *change, struct mailbox *mailbox, const struct range_set *uids)
{
    struct gone gone = {.uids = uids};
    struct key key;
    if (!(mailbox->record.flags & COLLECTION_HAS_SNOOZED))
        return 0;
    buffer_init(&gone.found, SIZE_MAX - 1);
    int error = each(change->transaction, mailbox->id, find_gone, &gone);
    for (size_t at = 0; at < gone.found.size && !error; at += sizeof(uint32_t)) {
        uint32_t uid;
        memcpy(&uid, gone.found.data + at, sizeof(uid));
        error = change_delete(change, key_snoozed(&key, mailbox->id, uid));
    }
    buffer_release(&gone.found);
    return error;
}

/* --- where it goes --- */

/* RFC 9042 section 3. The id says the collection's number (collection_from_record). */
static int find_id(struct change *change, struct slice text, collection_id *found)
{
    struct collection_record record;
    struct collection collection;
    char hex[9] = "", *end;
    if (text.size < 8)
        return ERROR_NOT_FOUND;
    memcpy(hex, text.data + text.size - 8, 8);
    collection_id id = (collection_id)strtoul(hex, &end, 16);
    int error = *end ? ERROR_NOT_FOUND
                     : collection_read(change->transaction, id, &change->message, &record);
    if (error)
        return error;
    collection_from_record(change->view, id, &record, 0, &collection);
    if (record.type != COLLECTION_MAILBOX ||
        !slice_equal(slice_from_string(collection.object_id), text))
        return ERROR_NOT_FOUND;
    *found = id;
    return 0;
}

/* RFC 8579 section 4. */
static int find_role(struct change *change, enum collection_role role, collection_id *found)
{
    struct arena arena;
    struct tree tree;
    arena_init(&arena, TREE_MEMORY_MAXIMUM);
    int error = tree_load(change->transaction, &arena, &tree);
    size_t i = 0;
    while (!error && i < tree.count && tree.nodes[i].record.role != role)
        i++;
    if (!error && i < tree.count)
        *found = tree.nodes[i].id;
    else if (!error)
        error = ERROR_NOT_FOUND;
    arena_release(&arena);
    return error;
}

static int find_path(struct change *change, const struct path *path, collection_id *found)
{
    collection_id at = 0;
    int error = 0;
    for (size_t i = 0; i < path->count && !error; i++)
        error = collection_child(change->transaction, COLLECTION_MAILBOX, at, path->levels[i], &at);
    if (!error)
        *found = at;
    return error;
}

static int make_path(struct change *change, const struct snooze *snooze, const struct path *path,
                     collection_id *made)
{
    collection_id parent;
    enum collection_role role = snooze->role;
    int error = collection_make_parents(change, COLLECTION_MAILBOX, path, &parent);
    if (!error)
        error = collection_check_role(change->transaction, role);
    if (error == ERROR_CONFLICT) {
        role = ROLE_NONE;
        error = 0;
    }
    return error ? error
                 : collection_add(change, COLLECTION_MAILBOX, parent, path->levels[path->count - 1],
                                  role, made);
}

static int find_target(struct change *change, const struct snooze *snooze, collection_id *target)
{
    struct path path;
    int error = ERROR_NOT_FOUND;
    if (snooze->mailbox_id.size)
        error = find_id(change, snooze->mailbox_id, target);
    if (error == ERROR_NOT_FOUND && snooze->role != ROLE_NONE)
        error = find_role(change, snooze->role, target);
    if (error != ERROR_NOT_FOUND || !snooze->mailbox.size)
        return error;
    error = path_parse(COLLECTION_MAILBOX, snooze->mailbox, &path);
    if (!error)
        error = find_path(change, &path, target);
    return error == ERROR_NOT_FOUND && snooze->create ? make_path(change, snooze, &path, target)
                                                      : error;
}

/* draft-ietf-extra-sieve-snooze-07 section 4.1: INBOX for want of anything else. */
int snooze_target(struct change *change, const struct snooze *snooze, collection_id *target)
{
    int error = find_target(change, snooze, target);
    return error && !error_is_temporary(error)
               ? collection_child(change->transaction, COLLECTION_MAILBOX, 0, SLICE("INBOX"),
                                  target)
               : error;
}

/* --- flags --- */

static uint64_t *keyword_word(struct entry *entry, unsigned index)
{
    return &entry->keywords.bits[index / 64];
}

int snooze_adjust(struct mailbox *mailbox, const struct snooze *snooze, struct entry *entry)
{
    unsigned index;
    int error = 0;
    entry->flags = (entry->flags & ~snooze->remove) | (snooze->add & ENTRY_FLAGS);
    for (size_t i = 0; i < snooze->remove_count && !error; i++) {
        error = mailbox_keyword(mailbox, snooze->remove_keywords[i], false, &index);
        if (!error)
            *keyword_word(entry, index) &= ~(UINT64_C(1) << (index % 64));
        else if (error == ERROR_NOT_FOUND || error == ERROR_SYNTAX)
            error = 0;
    }
    for (size_t i = 0; i < snooze->add_count && !error; i++) {
        error = mailbox_keyword(mailbox, snooze->add_keywords[i], true, &index);
        if (!error)
            *keyword_word(entry, index) |= UINT64_C(1) << (index % 64);
        else if (error == ERROR_LIMIT || error == ERROR_SYNTAX)
            error = 0;
    }
    return error;
}

/* --- reading --- */

struct listing {
    struct arena *arena;
    struct snoozed *list;
    size_t count;
};

static struct slice *copy_names(struct arena *arena, const struct slice *names, size_t count)
{
    struct slice *copy = arena_alloc_array(arena, count, sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = arena_copy(arena, names[i]);
    return copy;
}

static int list_one(collection_id mailbox, uint32_t uid, const struct snooze_record *record,
                    void *arg)
{
    struct listing *listing = arg;
    struct arena *arena = listing->arena;
    if (!record || listing->count == 2 * SNOOZED_MAXIMUM)
        return 0;
    struct snoozed *found = &listing->list[listing->count++];
    *found = (struct snoozed){.mailbox = mailbox, .uid = uid, .snooze = record->snooze};
    struct snooze *snooze = &found->snooze;
    snooze->mailbox = arena_copy(arena, snooze->mailbox);
    snooze->mailbox_id = arena_copy(arena, snooze->mailbox_id);
    snooze->add_keywords = copy_names(arena, record->add, snooze->add_count);
    snooze->remove_keywords = copy_names(arena, record->remove, snooze->remove_count);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

int snooze_list(struct store_view *view, struct arena *arena, struct snoozed **list, size_t *count)
{
    struct kv_transaction *transaction;
    struct listing listing = {.arena = arena};
    int error = view_require_system(view);
    if (!error)
        error = view_read(view, &transaction);
    if (error)
        return error;
    listing.list = arena_alloc_array(arena, (size_t)2 * SNOOZED_MAXIMUM, sizeof(*listing.list));
    error = listing.list ? each(transaction, 0, list_one, &listing) : ERROR_LIMIT;
    view_read_end(view, &transaction);
    if (!error) {
        *list = listing.list;
        *count = listing.count;
    }
    return error;
}

/* --- waking --- */

struct waking {
    int64_t now, next;
    struct buffer due; /* struct place_of_entry */
};

struct place_of_entry {
    collection_id mailbox;
    uint32_t uid;
};

static int look_at(collection_id mailbox, uint32_t uid, const struct snooze_record *record,
                   void *arg)
{
    struct waking *waking = arg;
    const struct place_of_entry place = {mailbox, uid};
    if (record && record->snooze.until > waking->now) {
        if (!waking->next || record->snooze.until < waking->next)
            waking->next = record->snooze.until;
        return 0;
    }
    return buffer_append(&waking->due, slice_make(&place, sizeof(place)));
}

static int find_due(struct store_view *view, struct waking *waking)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = each(transaction, 0, look_at, waking);
    view_read_end(view, &transaction);
    return error;
}

struct wake_call {
    struct place_of_entry place;
    bool to_inbox; /* whatever the record says */
    bool put_off;  /* not moved: to be tried again */
    bool woken;
};

static int wake_by(struct change *change, struct wake_call *call, const struct snooze *snooze)
{
    static const struct snooze none = {.role = ROLE_NONE};
    struct key key;
    collection_id target;
    int error = snooze_target(change, call->to_inbox ? &none : snooze, &target);
    if (!error)
        error = mailbox_wake(change, call->place.mailbox, call->place.uid, target, snooze,
                             &call->woken);
    if (error == ERROR_NOT_FOUND || (!error && !call->woken)) /* what it is about has gone */
        error = change_delete(change, key_snoozed(&key, call->place.mailbox, call->place.uid));
    return error;
}

/* Another process may have been faster. */
static int wake(struct change *change, void *arg)
{
    struct wake_call *call = arg;
    struct snooze_record record;
    struct buffer value;
    struct key key;
    call->woken = false;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error =
        read_record(change->transaction, call->place.mailbox, call->place.uid, &value, &record);
    if (error == ERROR_NOT_FOUND || (!error && record.snooze.until > change->now)) {
        error = 0;
    } else if (error == ERROR_CORRUPT) {
        error = change_delete(change, key_snoozed(&key, call->place.mailbox, call->place.uid));
    } else if (!error && call->put_off) {
        record.snooze.until = change->now + SNOOZE_AGAIN;
        change->quiet = true;
        error = write_record(change, call->place.mailbox, call->place.uid, &record.snooze);
    } else if (!error) {
        error = wake_by(change, call, &record.snooze);
    }
    buffer_release(&value);
    return error;
}

/* To where it shall go, or to INBOX, or later. *failed: why neither can be. */
static int wake_one(struct store_view *view, struct wake_call *call, int *failed)
{
    int error = view_change(view, KV_DURABLE, wake, call);
    if (!error || error_is_temporary(error))
        return error;
    call->to_inbox = true;
    error = view_change(view, KV_DURABLE, wake, call);
    if (!error || error_is_temporary(error))
        return error;
    *failed = error;
    call->put_off = true;
    return view_change(view, KV_DURABLE, wake, call);
}

int snooze_wake(struct store_view *view, size_t *woken, int64_t *next)
{
    struct waking waking = {.now = view->store->clock()};
    int failed = 0;
    *woken = 0;
    buffer_init(&waking.due, SIZE_MAX - 1);
    int error = view_require_system(view);
    if (!error)
        error = find_due(view, &waking);
    for (size_t at = 0; at < waking.due.size && !error; at += sizeof(struct place_of_entry)) {
        struct wake_call call = {.to_inbox = false};
        memcpy(&call.place, waking.due.data + at, sizeof(call.place));
        error = wake_one(view, &call, &failed);
        *woken += !error && call.woken;
        if (call.put_off && (!waking.next || waking.now + SNOOZE_AGAIN < waking.next))
            waking.next = waking.now + SNOOZE_AGAIN;
    }
    *next = waking.next;
    buffer_release(&waking.due);
    return error ? error : failed;
}
