#include "store/acl.h"
#include "base/error.h"
#include "store/intent_priv.h"

enum { IDENTIFIER_MEMORY_MAXIMUM = 4096 };

/* --- identifiers (RFC 4314 section 2) --- */

static const struct {
    const char *name;
    enum acl_subject_kind kind;
} universal[] = {{"anyone", ACL_ANYONE}, {"anonymous", ACL_ANONYMOUS}};
enum { UNIVERSAL = sizeof(universal) / sizeof(universal[0]) };

/* Of an address: an account or a group. ERROR_INVALID. */
static int find_address(struct store *store, struct slice address, struct acl_subject *subject)
{
    struct arena arena;
    struct directory_entry entry;
    arena_init(&arena, IDENTIFIER_MEMORY_MAXIMUM);
    int error = store_directory_find(store, WHO_SYSTEM, address, &arena, &entry);
    if (error == ERROR_NOT_FOUND || error == ERROR_SYNTAX || error == ERROR_LIMIT ||
        (!error && entry.kind == DIRECTORY_ALIAS))
        error = ERROR_INVALID;
    if (!error)
        *subject =
            (struct acl_subject){entry.kind == DIRECTORY_GROUP ? ACL_GROUP : ACL_ACCOUNT, entry.id};
    arena_release(&arena);
    return error;
}

static int parse_identifier(struct store *store, struct slice text, struct acl_subject *subject,
                            bool *negative)
{
    *negative = text.size && text.data[0] == '-';
    text = slice_sub(text, *negative, SIZE_MAX);
    for (size_t i = 0; i < UNIVERSAL; i++) {
        if (slice_equal_nocase(text, slice_from_string(universal[i].name))) {
            *subject = (struct acl_subject){.kind = universal[i].kind};
            return 0;
        }
    }
    return find_address(store, text, subject);
}

static bool is_owner(const struct store_view *view, struct acl_subject subject)
{
    return subject.kind == ACL_ACCOUNT && account_id_equal(subject.id, view->account->id);
}

/* --- asking --- */

struct formatting {
    struct store_view *view;
    struct slice items;
    struct arena *arena;
    struct acl_entry *list;
    size_t count;
};

/* The address of an account or a group, in value. ERROR_NOT_FOUND: it is gone. */
static int find_name(struct kv_transaction *transaction, struct acl_subject subject,
                     struct buffer *value, struct slice *name)
{
    struct directory_entry entry;
    for (size_t i = 0; i < UNIVERSAL; i++) {
        if (subject.kind == universal[i].kind) {
            *name = slice_from_string(universal[i].name);
            return 0;
        }
    }
    enum directory_kind kind = subject.kind == ACL_GROUP ? DIRECTORY_GROUP : DIRECTORY_ACCOUNT;
    int error =
        directory_get(transaction, (struct directory_name){kind, subject.id}, value, &entry);
    *name = error ? SLICE("") : entry.address;
    return error;
}

static int add_entry(struct formatting *formatting, struct slice name, bool negative,
                     uint32_t rights)
{
    char *text = arena_alloc_array(formatting->arena, name.size + negative, 1);
    if (!text)
        return ERROR_LIMIT;
    text[0] = '-';
    memcpy(text + negative, name.data, name.size);
    formatting->list[formatting->count++] =
        (struct acl_entry){slice_make(text, name.size + negative), rights};
    return 0;
}

static int format_list(struct kv_transaction *transaction, void *arg)
{
    struct formatting *formatting = arg;
    struct acl_subject owner = {ACL_ACCOUNT, formatting->view->account->id};
    size_t items = formatting->items.size / ACL_ITEM_SIZE;
    struct buffer value;
    struct slice name;
    formatting->count = 0;
    formatting->list = arena_alloc_array(formatting->arena, items + 1, sizeof(*formatting->list));
    if (!formatting->list)
        return ERROR_LIMIT;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = find_name(transaction, owner, &value, &name);
    if (!error)
        error = add_entry(formatting, name, false, RIGHT_ALL);
    for (size_t i = 0; i < items && !error; i++) {
        struct acl_item item = acl_item_at(formatting->items, i);
        error = find_name(transaction, item.subject, &value, &name);
        if (!error)
            error = add_entry(formatting, name, item.negative, item.rights);
        error = error == ERROR_NOT_FOUND ? 0 : error;
    }
    buffer_release(&value);
    return error;
}

/* A collection must be there, and who must administer it. */
static int require_administer(const struct store_view *view, struct kv_transaction *transaction,
                              collection_id collection)
{
    struct buffer value;
    struct collection_record record;
    int error = view_require(view, transaction, collection, RIGHT_ADMINISTER);
    if (error || !collection)
        return error ? error : ERROR_NOT_FOUND;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = collection_read(transaction, collection, &value, &record);
    buffer_release(&value);
    return error;
}

/* The list of a collection, empty when it has none; items points into value. */
static int read_list(struct kv_transaction *transaction, collection_id collection,
                     struct buffer *value, struct slice *items)
{
    struct key key;
    *items = SLICE("");
    int error = value_get(transaction, key_of_collection(&key, KEY_ACL, collection), value);
    if (!error)
        error = acl_record_read(buffer_slice(value), items);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* value: where the list is read; NULL: it is only asked whether who may. */
static int read_administered(struct store_view *view, collection_id collection,
                             struct buffer *value, struct slice *items)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = require_administer(view, transaction, collection);
    if (!error && value)
        error = read_list(transaction, collection, value, items);
    view_read_end(view, &transaction);
    return error;
}

int acl_get(struct store_view *view, collection_id collection, struct arena *arena,
            struct acl_entry **list, size_t *count)
{
    struct formatting formatting = {.view = view, .arena = arena};
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = read_administered(view, collection, &value, &formatting.items);
    if (!error)
        error = directory_read(view->store, WHO_SYSTEM, format_list, &formatting);
    buffer_release(&value);
    if (error)
        return error;
    *list = formatting.list;
    *count = formatting.count;
    return 0;
}

int acl_granted_always(struct store_view *view, collection_id collection, struct slice identifier,
                       uint32_t *rights)
{
    struct acl_subject subject = {.kind = ACL_ANYONE};
    bool negative = false;
    int error = read_administered(view, collection, NULL, NULL);
    if (!error)
        error = parse_identifier(view->store, identifier, &subject, &negative);
    if (!error && negative && is_owner(view, subject))
        error = ERROR_INVALID;
    if (!error)
        *rights = is_owner(view, subject) ? RIGHT_ALL : 0;
    return error;
}

int acl_takes_post(struct store_view *view, collection_id collection, bool *takes)
{
    struct buffer value;
    struct slice items;
    uint32_t denied = 0;
    int error = view_require_system(view);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = read_administered(view, collection, &value, &items);
    for (size_t i = 0; !error && i < items.size / ACL_ITEM_SIZE; i++) {
        struct acl_item item = acl_item_at(items, i);
        bool stranger = item.subject.kind == ACL_ANYONE || item.subject.kind == ACL_ANONYMOUS;
        if (item.negative && stranger)
            denied |= item.rights;
    }
    buffer_release(&value);
    if (!error)
        *takes = !(denied & RIGHT_POST);
    return error;
}

/* --- changing --- */

struct acl_call {
    collection_id collection;
    struct acl_subject subject;
    bool negative;
    enum acl_operation operation;
    uint32_t rights;
    bool named; /* afterwards some list of the account names the subject */
};

static uint32_t change_rights(const struct acl_call *call, uint32_t old)
{
    switch (call->operation) {
    case ACL_ADD:
        return old | call->rights;
    case ACL_REMOVE:
        return old & ~call->rights;
    default:
        return call->rights;
    }
}

/* The list with the change; *changed: it differs. */
static int edit_list(const struct acl_call *call, struct slice items, struct buffer *edited,
                     bool *changed)
{
    struct acl_item mine = {call->subject, call->negative, change_rights(call, 0)};
    bool found = false;
    for (size_t i = 0; i < items.size / ACL_ITEM_SIZE; i++) {
        struct acl_item item = acl_item_at(items, i);
        if (acl_subject_equal(item.subject, call->subject) && item.negative == call->negative) {
            found = true;
            mine.rights = change_rights(call, item.rights);
            *changed = mine.rights != item.rights;
            item.rights = mine.rights;
        }
        if (item.rights)
            acl_item_write(&item, edited);
    }
    if (!found && mine.rights) {
        *changed = true;
        acl_item_write(&mine, edited);
    }
    return buffer_error(edited);
}

static int write_list(struct change *change, collection_id collection, struct slice items)
{
    struct key key;
    struct slice name = key_of_collection(&key, KEY_ACL, collection);
    if (!items.size)
        return change_delete(change, name);
    acl_record_write(items, &change->value);
    return change_put(change, name, &change->value);
}

/* Whoever follows the changes hears that the collection has changed. */
static int touch_collection(struct change *change, collection_id collection)
{
    struct buffer value;
    struct collection_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(change->transaction, collection, &value, &record);
    record.changed_modseq = change->modseq;
    if (!error)
        error = collection_put(change, collection, &record);
    buffer_release(&value);
    return error;
}

static int is_named(struct kv_transaction *transaction, struct acl_subject subject, bool *named)
{
    struct buffer subjects;
    buffer_init(&subjects, ACL_SUBJECTS_MAXIMUM * sizeof(struct acl_subject));
    int error = acl_subjects(transaction, &subjects);
    *named = acl_subjects_have(&subjects, subject);
    buffer_release(&subjects);
    return error;
}

static int change_list(struct change *change, void *arg)
{
    struct acl_call *call = arg;
    struct buffer value, edited;
    struct slice items = SLICE("");
    bool changed = false;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    buffer_init(&edited, (size_t)ACL_ENTRIES_MAXIMUM * ACL_ITEM_SIZE);
    int error = require_administer(change->view, change->transaction, call->collection);
    if (!error)
        error = read_list(change->transaction, call->collection, &value, &items);
    if (!error)
        error = edit_list(call, items, &edited, &changed);
    if (!error && changed)
        error = write_list(change, call->collection, buffer_slice(&edited));
    if (!error && changed)
        error = touch_collection(change, call->collection);
    if (!error)
        error = is_named(change->transaction, call->subject, &call->named);
    buffer_release(&value);
    buffer_release(&edited);
    return error;
}

/* A crash, or a lock that is lost, leaves at most an entry of the directory too many. */
static int change_locked(struct store_view *view, struct acl_call *call, struct kv_lock *lock)
{
    int error = 0;
    if (call->operation != ACL_REMOVE && call->rights)
        error = shared_put(view->store, lock, call->subject, view->account->id);
    if (!error)
        error = view_change_guarded(view, KV_DURABLE, lock, change_list, call);
    if (!error && !call->named)
        shared_delete(view->store, lock, call->subject, view->account->id);
    return error;
}

/* What others have given stays: who gave it is not known, and administrators may. */
static bool may_give(const struct store_view *view, const struct acl_call *call)
{
    bool to_all = call->subject.kind == ACL_ANYONE || call->subject.kind == ACL_ANONYMOUS;
    bool gives = call->operation != ACL_REMOVE && call->rights && !call->negative;
    return !to_all || !gives || !view->store->keep_from_anyone ||
           view->who.kind == WHO_KIND_SYSTEM || who_is_administrator(view->who);
}

int acl_set(struct store_view *view, collection_id collection, struct slice identifier,
            enum acl_operation operation, uint32_t rights)
{
    struct acl_call call = {
        .collection = collection, .operation = operation, .rights = rights & RIGHT_ALL};
    struct kv_lock *lock;
    int error = read_administered(view, collection, NULL, NULL);
    if (!error)
        error = parse_identifier(view->store, identifier, &call.subject, &call.negative);
    if (!error && is_owner(view, call.subject))
        error = ERROR_INVALID;
    if (!error && !may_give(view, &call))
        error = ERROR_UNSUPPORTED;
    if (!error)
        error = global_lock(view->store, &lock);
    if (error)
        return error;
    error = change_locked(view, &call, lock);
    kv_unlock(&lock);
    return error;
}

/* --- with collections that come --- */

int acl_inherit(struct change *change, collection_id parent, collection_id made)
{
    struct buffer value;
    struct slice items;
    if (!parent)
        return 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = read_list(change->transaction, parent, &value, &items);
    if (!error && items.size)
        error = write_list(change, made, items);
    buffer_release(&value);
    return error;
}

/* --- who is named anywhere --- */

bool acl_subjects_have(const struct buffer *subjects, struct acl_subject subject)
{
    for (size_t at = 0; at < subjects->size; at += sizeof(subject)) {
        struct acl_subject known;
        memcpy(&known, subjects->data + at, sizeof(known));
        if (acl_subject_equal(known, subject))
            return true;
    }
    return false;
}

static int add_subjects(struct slice value, struct buffer *subjects)
{
    struct slice items;
    int error = acl_record_read(value, &items);
    for (size_t i = 0; !error && i < items.size / ACL_ITEM_SIZE; i++) {
        struct acl_subject subject = acl_item_at(items, i).subject;
        if (!acl_subjects_have(subjects, subject))
            error = buffer_append(subjects, slice_make(&subject, sizeof(subject)));
    }
    return error;
}

int acl_subjects(struct kv_transaction *transaction, struct buffer *subjects)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, key_numbers(&prefix, KEY_ACL, 0, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = add_subjects(value, subjects);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}
