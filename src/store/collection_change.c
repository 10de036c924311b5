#include "base/clock.h"
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/retained_priv.h"
#include "store/snooze_priv.h"

enum {
    TREE_MEMORY_MAXIMUM = 32 * 1024 * 1024, /* COLLECTIONS_MAXIMUM of them with long names */
    PATH_MEMORY_MAXIMUM = 16 * 1024,
};

/* --- records --- */

int collection_put(struct change *change, collection_id id, const struct collection_record *record)
{
    struct key key;
    collection_record_write(record, &change->value);
    return change_put(change, key_of_collection(&key, KEY_COLLECTION, id), &change->value);
}

int collection_put_name(struct change *change, enum collection_type type, collection_id parent,
                        struct slice name, collection_id id)
{
    struct key key;
    number_record_write(id, &change->value);
    return change_put(change, key_name(&key, type, parent, name), &change->value);
}

/* The next UIDVALIDITY of the account: never given twice, and growing with time, so that an
 * account brought back from an older backup gives none again either (RFC 9051 section 2.3.1.1). */
static uint32_t next_uid_validity(struct change *change)
{
    uint32_t now = (uint32_t)clock_wall(), next = change->account.uid_validity + 1;
    return change->account.uid_validity = next > now ? next : now;
}

int collection_add(struct change *change, enum collection_type type, collection_id parent,
                   struct slice name, enum collection_role role, collection_id *id)
{
    struct account_record *account = &change->account;
    if (account->collections >= COLLECTIONS_MAXIMUM || account->next_collection >= UINT32_MAX - 1)
        return ERROR_LIMIT;
    int error = quota_require(change, QUOTA_MAILBOX, 1);
    if (error)
        return error;
    struct collection_record record = {
        .type = (uint8_t)type,
        .role = (uint8_t)role,
        .parent = parent,
        .uid_validity = next_uid_validity(change),
        .uid_next = 1,
        .highest_modseq = change->modseq,
        .created_modseq = change->modseq,
        .changed_modseq = change->modseq,
        .name = name,
    };
    *id = account->next_collection++;
    account->collections++;
    error = collection_put(change, *id, &record);
    if (!error)
        error = collection_put_name(change, type, parent, name, *id);
    return error ? error : acl_inherit(change, parent, *id);
}

/* --- making --- */

int collections_make_template(struct change *change, void *arg)
{
    static const struct {
        const char *name;
        enum collection_role role;
    } mailboxes[] = {
        {"INBOX", ROLE_INBOX}, {"Drafts", ROLE_DRAFTS}, {"Sent", ROLE_SENT},
        {"Junk", ROLE_JUNK},   {"Trash", ROLE_TRASH},   {"Archive", ROLE_ARCHIVE},
    };
    change->account.created = *(const int64_t *)arg;
    int error = 0;
    for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]) && !error; i++) {
        collection_id id;
        error = collection_add(change, COLLECTION_MAILBOX, 0, slice_from_string(mailboxes[i].name),
                               mailboxes[i].role, &id);
        if (!error)
            error = subscriptions_set(change, view_subscriber(change->view), id, true);
    }
    /* Only now: the template's mailboxes are the administrator's wish, whatever the limit. */
    memcpy(change->account.limits, change->view->store->limits, sizeof(change->account.limits));
    return error;
}

int collection_check_role(struct kv_transaction *transaction, enum collection_role role)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    struct collection_record record;
    if (role == ROLE_NONE)
        return 0;
    int error = kv_cursor_open(transaction, SLICE("c"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = collection_record_read(value, &record);
        if (!error && record.role == role)
            error = ERROR_CONFLICT;
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* What is there is told to who may look it up (RFC 4314 section 4). */
static int refuse_existing(const struct change *change, collection_id id)
{
    int error = view_require(change->view, change->transaction, id, RIGHT_LOOKUP);
    return !error ? ERROR_EXISTS : error == ERROR_NOT_FOUND ? ERROR_DENIED : error;
}

/* Of a level that is missing. A parent that who may not look up is as good as none. */
static int require_create(const struct change *change, collection_id parent)
{
    uint32_t rights;
    int error = rights_of(change->view, change->transaction, parent, &rights);
    return error ? error : rights & RIGHT_CREATE ? 0 : ERROR_DENIED;
}

int collection_make_parents(struct change *change, enum collection_type type,
                            const struct path *path, collection_id *parent)
{
    collection_id at = 0, child;
    for (size_t i = 0; i < path->count; i++) {
        bool last = i + 1 == path->count;
        int error = collection_child(change->transaction, type, at, path->levels[i], &child);
        if (!error && last)
            return refuse_existing(change, child);
        if (error == ERROR_NOT_FOUND) {
            error = require_create(change, at);
            if (!error && !last)
                error = collection_add(change, type, at, path->levels[i], ROLE_NONE, &child);
        }
        if (error)
            return error;
        if (!last)
            at = child;
    }
    *parent = at;
    return 0;
}

struct create_call {
    enum collection_type type;
    struct path path;
    enum collection_role role;
    collection_id id;
};

static int create(struct change *change, void *arg)
{
    struct create_call *call = arg;
    collection_id parent;
    int error = collection_make_parents(change, call->type, &call->path, &parent);
    if (!error)
        error = collection_check_role(change->transaction, call->role);
    if (!error)
        error = collection_add(change, call->type, parent, call->path.levels[call->path.count - 1],
                               call->role, &call->id);
    return error;
}

int collection_create(struct store_view *view, enum collection_type type, struct slice path,
                      enum collection_role role, collection_id *id)
{
    struct create_call call = {.type = type, .role = role};
    int error = path_parse(type, path, &call.path);
    if (!error)
        error = view_change(view, KV_DURABLE, create, &call);
    if (!error)
        *id = call.id;
    return error;
}

/* --- removing --- */

/* The record goes to those of deleted collections; all that is under its id stays. */
static int retain_collection(struct change *change, struct mailbox *mailbox)
{
    struct deleted_record deleted = {
        .when = change->now, .modseq = change->modseq, .record = mailbox->record};
    struct arena arena;
    struct buffer value;
    arena_init(&arena, PATH_MEMORY_MAXIMUM);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error =
        collection_path(change->transaction, &mailbox->record, &value, &arena, &deleted.path);
    if (!error)
        error = deleted_put(change, mailbox->id, &deleted);
    account_retain(change, mailbox->record.messages, mailbox->record.size);
    change->account.annotation_bytes -= mailbox->record.annotation_bytes;
    change->account.collections--;
    buffer_release(&value);
    arena_release(&arena);
    return error;
}

/* What makes it be found, and a tombstone for the change log instead. */
static int remove_records(struct change *change, struct mailbox *mailbox)
{
    struct key key;
    collection_id id = mailbox->id;
    int error = change_delete(
        change, key_name(&key, mailbox->record.type, mailbox->record.parent, mailbox->record.name));
    if (!error)
        error = change_delete(change, key_of_collection(&key, KEY_COLLECTION, id));
    if (!error)
        error = subscriptions_set(change, view_subscriber(change->view), id, false);
    number_record_write(mailbox->record.type, &change->value);
    if (!error)
        error = change_put(change, key_destroyed(&key, change->modseq, DESTROYED_COLLECTION, id),
                           &change->value);
    return error;
}

static int delete_mailbox(struct change *change, void *arg)
{
    collection_id id = *(const collection_id *)arg;
    struct mailbox mailbox;
    bool children = false;
    int error = view_require(change->view, change->transaction, id, RIGHT_DELETE_MAILBOX);
    if (!error)
        error = mailbox_open(change->transaction, id, &mailbox);
    if (error)
        return error;
    error = collection_has_children(change->transaction, mailbox.record.type, id, &children);
    if (!error && (children || mailbox.record.role == ROLE_INBOX))
        error = ERROR_INVALID;
    if (!error)
        error = snooze_removed(change, &mailbox, NULL);
    if (!error)
        error = retain_collection(change, &mailbox);
    if (!error)
        error = remove_records(change, &mailbox);
    mailbox_release(&mailbox);
    return error;
}

int collection_delete(struct store_view *view, collection_id id)
{
    return view_change(view, KV_DURABLE, delete_mailbox, &id);
}

/* --- renaming --- */

struct rename_call {
    collection_id id;
    struct slice text; /* the new path */
    struct path path;
};

static size_t path_size(const struct path *path)
{
    size_t size = path->count - 1;
    for (size_t i = 0; i < path->count; i++)
        size += path->levels[i].size;
    return size;
}

/* ERROR_INVALID when id is parent or above it. */
static int check_not_below(struct kv_transaction *transaction, collection_id id,
                           collection_id parent)
{
    struct buffer value;
    struct collection_record record;
    int error = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    for (; parent && !error; parent = record.parent) {
        error =
            parent == id ? ERROR_INVALID : collection_read(transaction, parent, &value, &record);
        if (error)
            break;
    }
    buffer_release(&value);
    return error;
}

/* The limits of depth and path hold for what is below it, too. */
static int check_extent(struct kv_transaction *transaction, const struct rename_call *call)
{
    struct arena arena;
    struct tree tree;
    size_t depth, bytes;
    arena_init(&arena, TREE_MEMORY_MAXIMUM);
    int error = tree_load(transaction, &arena, &tree);
    if (!error) {
        tree_extent(&tree, call->id, &depth, &bytes);
        if (call->path.count + depth > COLLECTION_DEPTH_MAXIMUM ||
            path_size(&call->path) + bytes > COLLECTION_PATH_MAXIMUM)
            error = ERROR_SYNTAX;
    }
    arena_release(&arena);
    return error;
}

static int move_record(struct change *change, const struct rename_call *call,
                       struct collection_record *record, collection_id parent)
{
    struct key key;
    struct slice name = call->path.levels[call->path.count - 1];
    int error = change_delete(change, key_name(&key, record->type, record->parent, record->name));
    record->parent = parent;
    record->name = name;
    record->changed_modseq = change->modseq;
    if (!error)
        error = collection_put_name(change, record->type, parent, name, call->id);
    if (!error)
        error = collection_put(change, call->id, record);
    return error;
}

/* INBOX stays, and gives its messages to a new mailbox (RFC 9051 section 6.3.6). */
static int rename_inbox(struct change *change, const struct rename_call *call, collection_id parent)
{
    collection_id made;
    int error = collection_add(change, COLLECTION_MAILBOX, parent,
                               call->path.levels[call->path.count - 1], ROLE_NONE, &made);
    return error ? error : mailbox_move_all(change, call->id, made);
}

/* INBOX gives its messages away instead of its name. */
static int require_rename(const struct change *change, const struct rename_call *call,
                          const struct collection_record *record)
{
    uint32_t rights = RIGHT_DELETE_MAILBOX;
    if (record->role == ROLE_INBOX)
        rights |= RIGHT_READ | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE;
    return view_require(change->view, change->transaction, call->id, rights);
}

static int rename_record(struct change *change, struct rename_call *call,
                         struct collection_record *record)
{
    collection_id parent;
    int error = require_rename(change, call, record);
    if (!error)
        error = path_parse(record->type, call->text, &call->path);
    if (!error)
        error = collection_make_parents(change, record->type, &call->path, &parent);
    if (error || record->role == ROLE_INBOX)
        return error ? error : rename_inbox(change, call, parent);
    error = check_not_below(change->transaction, call->id, parent);
    if (!error)
        error = check_extent(change->transaction, call);
    return error ? error : move_record(change, call, record, parent);
}

static int rename_to(struct change *change, void *arg)
{
    struct rename_call *call = arg;
    struct buffer value;
    struct collection_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(change->transaction, call->id, &value, &record);
    if (!error)
        error = rename_record(change, call, &record);
    buffer_release(&value);
    return error;
}

int collection_rename(struct store_view *view, collection_id id, struct slice path)
{
    struct rename_call call = {.id = id, .text = path};
    return view_change(view, KV_DURABLE, rename_to, &call);
}
