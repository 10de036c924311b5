/*
 * Bringing back what is retained.
 */
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/annotation_priv.h"
#include "store/retained_priv.h"
#include "store/seen_priv.h"

/* --- expunged entries --- */

struct restore_call {
    collection_id from, to;
    const struct retained_filter *filter;
    uint32_t allowed; /* flags that may be set in the target */
    bool annotates;   /* so may shared annotations */
    struct copy_result *result;
};

struct restorer {
    struct change *change;
    const struct restore_call *call;
    struct mailbox *source, *target; /* may be the same */
    struct buffer value;             /* a record of expunged entries */
    struct buffer left;              /* its entries that stay */
};

/* Keywords by name: the target may have other bits for them. */
static int map_keywords(struct restorer *restorer, struct entry *entry)
{
    struct keyword_set mapped = {{0}};
    int error = mailbox_load_names(restorer->source);
    bool may = restorer->call->allowed & ENTRY_FLAGGED;
    for (unsigned i = 0; i < restorer->source->names.count && may && !error; i++) {
        unsigned index;
        if (!keyword_set_has(&entry->keywords, i))
            continue;
        error = mailbox_keyword(restorer->target, restorer->source->names.names[i], true, &index);
        if (!error)
            mapped.bits[index / 64] |= UINT64_C(1) << (index % 64);
    }
    entry->keywords = mapped;
    return error;
}

/* Everybody's where it was; elsewhere as of a copy. */
static int restore_annotations(struct restorer *restorer, uint32_t from, uint32_t to)
{
    bool same = restorer->source == restorer->target;
    struct account_id who = view_subscriber(restorer->change->view);
    struct annotation_rule rule = {.shared = same || restorer->call->annotates,
                                   .everybodys = same,
                                   .who = &who,
                                   .quota = true};
    return annotations_transfer(restorer->change, restorer->source, from, restorer->target, to,
                                ANNOTATIONS_RESTORE, &rule);
}

static int restore_entry(struct restorer *restorer, struct entry *entry)
{
    struct change *change = restorer->change;
    uint32_t uid = entry->uid;
    entry->flags &= restorer->call->allowed & ~(uint32_t)ENTRY_DELETED;
    int error = quota_require_messages(change, 1, entry->size);
    if (!error)
        error = map_keywords(restorer, entry);
    if (!error)
        error = message_restore(change, entry->message, mailbox_next_position(restorer->target));
    if (!error)
        error = mailbox_add(change, restorer->target, entry);
    if (!error)
        error = restore_annotations(restorer, uid, entry->uid);
    if (!error)
        error = range_set_add(&restorer->call->result->from, uid, uid);
    if (!error)
        error = range_set_add(&restorer->call->result->to, entry->uid, entry->uid);
    account_unretain(change, 1, entry->size);
    return error;
}

/* Writes the record without what has been brought back, or deletes it. */
static int write_left(struct restorer *restorer, const struct expunged_place *at, int64_t when)
{
    struct key key;
    struct slice name = key_expunged(&key, restorer->call->from, at->modseq, at->uid);
    struct change *change = restorer->change;
    if (!restorer->left.size)
        return change_delete(change, name);
    expunged_record_write(when, buffer_slice(&restorer->left), &change->value);
    return change_put(change, name, &change->value);
}

static int restore_record(struct restorer *restorer, const struct expunged_place *at,
                          const struct expunged_record *record)
{
    const struct retained_filter *filter = restorer->call->filter;
    size_t count = expunged_count(record);
    int error = 0;
    buffer_clear(&restorer->left);
    for (size_t i = 0; i < count && !error; i++) {
        struct slice bytes = slice_sub(record->entries, i * ENTRY_SIZE, ENTRY_SIZE);
        struct entry entry;
        entry_read(bytes.data, &entry);
        if (retained_filter_has_uid(filter, entry.uid))
            error = restore_entry(restorer, &entry);
        else
            error = buffer_append(&restorer->left, bytes);
    }
    if (error || restorer->left.size == record->entries.size)
        return error;
    return write_left(restorer, at, record->when);
}

static int restore_records(struct restorer *restorer)
{
    struct expunged_place at = {0, 0};
    struct expunged_record record;
    int error = 0;
    while (!error && !(error = expunged_next(restorer->change->transaction, restorer->call->from,
                                             &at, &restorer->value, &record)))
        if (retained_filter_has_time(restorer->call->filter, record.when))
            error = restore_record(restorer, &at, &record);
    if (error != ERROR_NOT_FOUND)
        return error;
    return restorer->call->result->to.count ? 0 : ERROR_NOT_FOUND;
}

static int run(struct change *change, const struct restore_call *call, struct mailbox *source,
               struct mailbox *target)
{
    struct restorer restorer = {.change = change, .call = call, .source = source, .target = target};
    range_set_clear(&call->result->from);
    range_set_clear(&call->result->to);
    buffer_init(&restorer.value, KV_VALUE_MAXIMUM);
    buffer_init(&restorer.left, KV_VALUE_MAXIMUM);
    int error = restore_records(&restorer);
    if (!error)
        error = seen_follow(change, source->id, &call->result->from, target->id, &call->result->to,
                            NULL);
    if (!error)
        error = mailbox_finish(change, target);
    call->result->uid_validity = target->record.uid_validity;
    buffer_release(&restorer.value);
    buffer_release(&restorer.left);
    return error;
}

static int find_allowed(const struct change *change, struct restore_call *call)
{
    const struct store_view *view = change->view;
    uint32_t rights;
    int error = view_require(view, change->transaction, call->from, RIGHT_READ | RIGHT_EXPUNGE);
    if (!error)
        error = view_require(view, change->transaction, call->to, RIGHT_INSERT);
    if (!error)
        error = rights_of(view, change->transaction, call->to, &rights);
    if (error)
        return error;
    call->allowed = flags_allowed(rights) | (view_is_owner(view) ? 0 : ENTRY_SEEN);
    call->annotates = rights & RIGHT_ANNOTATE;
    return 0;
}

static int restore(struct change *change, void *arg)
{
    struct restore_call *call = arg;
    struct mailbox source, target;
    int error = find_allowed(change, call);
    if (!error)
        error = mailbox_open(change->transaction, call->from, &source);
    if (error)
        return error;
    if (call->from == call->to) {
        error = run(change, call, &source, &source);
    } else {
        error = mailbox_open(change->transaction, call->to, &target);
        if (!error) {
            error = run(change, call, &source, &target);
            mailbox_release(&target);
        }
    }
    mailbox_release(&source);
    return error;
}

int retained_restore(struct store_view *view, collection_id collection,
                     const struct retained_filter *filter, collection_id target,
                     struct copy_result *result)
{
    struct restore_call call = {
        .from = collection, .to = target ? target : collection, .filter = filter, .result = result};
    return view_change(view, KV_DURABLE, restore, &call);
}

/* --- deleted collections --- */

struct restore_collection_call {
    collection_id id;
    struct slice path; /* empty: the one it had */
    struct buffer restored;
};

/* The parent of the path's last level; ERROR_EXISTS when the path is taken. */
static int find_room(struct change *change, enum collection_type type, struct slice text,
                     struct path *path, collection_id *parent)
{
    int error = path_parse(type, text, path);
    return error ? error : collection_make_parents(change, type, path, parent);
}

/* The path that was asked for, or the old one, or the first that is free. */
static int choose_path(struct change *change, struct restore_collection_call *call,
                       const struct deleted_record *deleted, struct path *path,
                       collection_id *parent)
{
    struct slice wanted = call->path.size ? call->path : deleted->path;
    int error = 0;
    for (unsigned i = 1; i <= RESTORED_NAMES; i++) {
        buffer_clear(&call->restored);
        buffer_append(&call->restored, wanted);
        if (i > 1)
            buffer_append_format(&call->restored, " %u", i);
        error = buffer_error(&call->restored);
        if (!error)
            error = find_room(change, deleted->record.type, buffer_slice(&call->restored), path,
                              parent);
        if (error != ERROR_EXISTS || call->path.size)
            break;
    }
    return error;
}

static int take_quota(struct change *change, const struct collection_record *record)
{
    int error = quota_require(change, QUOTA_MAILBOX, 1);
    if (!error && change->account.collections >= COLLECTIONS_MAXIMUM)
        error = ERROR_LIMIT;
    if (!error)
        error = quota_require_messages(change, record->messages, record->size);
    if (error)
        return error;
    error = quota_require(change, QUOTA_ANNOTATION_STORAGE, record->annotation_bytes);
    if (error)
        return error;
    account_unretain(change, record->messages, record->size);
    change->account.annotation_bytes += record->annotation_bytes;
    change->account.entries += record->messages;
    change->account.entry_bytes += record->size;
    change->account.collections++;
    return 0;
}

/* Its entries have older modseqs than created_modseq: that is how the change log knows that they
 * are there again. */
static int put_back(struct change *change, collection_id id, struct collection_record *record,
                    struct slice name, collection_id parent)
{
    struct key key;
    int error = collection_check_role(change->transaction, record->role);
    if (error == ERROR_CONFLICT) {
        record->role = ROLE_NONE;
        error = 0;
    }
    change->account.restored_modseq = change->modseq;
    record->parent = parent;
    record->name = name;
    record->created_modseq = record->changed_modseq = record->highest_modseq = change->modseq;
    if (!error)
        error = collection_put(change, id, record);
    if (!error)
        error = collection_put_name(change, record->type, parent, name, id);
    if (!error)
        error = change_delete(change, key_of_collection(&key, KEY_DELETED, id));
    if (!error)
        error = subscriptions_set(change, view_subscriber(change->view), id, true);
    return error;
}

static int restore_deleted(struct change *change, struct restore_collection_call *call,
                           struct deleted_record *deleted)
{
    struct path path;
    collection_id parent;
    if (deleted->flags & DELETED_PURGING)
        return ERROR_NOT_FOUND;
    int error = choose_path(change, call, deleted, &path, &parent);
    if (!error)
        error = take_quota(change, &deleted->record);
    if (!error)
        error = put_back(change, call->id, &deleted->record, path.levels[path.count - 1], parent);
    return error;
}

static int restore_collection(struct change *change, void *arg)
{
    struct restore_collection_call *call = arg;
    struct deleted_record deleted;
    struct buffer value;
    int error = view_require(change->view, change->transaction, 0, RIGHT_CREATE);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = deleted_read(change->transaction, call->id, &value, &deleted);
    if (!error)
        error = restore_deleted(change, call, &deleted);
    buffer_release(&value);
    return error;
}

int retained_restore_collection(struct store_view *view, collection_id id, struct slice path,
                                struct arena *arena, struct slice *restored)
{
    struct restore_collection_call call = {.id = id, .path = path};
    buffer_init(&call.restored, COLLECTION_PATH_MAXIMUM + 16);
    int error = view_change(view, KV_DURABLE, restore_collection, &call);
    if (!error && arena) {
        struct slice copy = arena_copy(arena, buffer_slice(&call.restored));
        if (!arena_failed(arena))
            *restored = copy;
        else
            *restored = (struct slice){NULL, 0};
    }
    buffer_release(&call.restored);
    return error;
}
