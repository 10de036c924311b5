#include "store/annotation.h"
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/annotation_priv.h"
#include "store/event.h"

/* --- names --- */

static size_t count_components(struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < name.size; i++)
        count += name.data[i] == '/';
    return count;
}

/* The grammar that both RFCs share; `least`: the smallest byte that may be in a name. */
static bool is_name(struct slice name, unsigned char least)
{
    if (name.size < 2 || name.data[0] != '/' || name.data[name.size - 1] == '/')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < least || c > 0x7f || c == '*' || c == '%' || (c == '/' && name.data[i + 1] == '/'))
            return false;
    }
    return true;
}

int annotation_name_parse(struct slice entry, enum annotation_scope *scope, struct slice *name)
{
    static const struct {
        const char *prefix;
        enum annotation_scope scope;
    } scopes[] = {{"/private", ANNOTATION_PRIVATE}, {"/shared", ANNOTATION_SHARED}};
    for (size_t i = 0; i < 2; i++) {
        struct slice prefix = slice_from_string(scopes[i].prefix);
        struct slice rest = slice_sub(entry, prefix.size, SIZE_MAX);
        if (!slice_equal_nocase(slice_sub(entry, 0, prefix.size), prefix) || !is_name(rest, 0x1a))
            continue;
        /* "/vendor/TOKEN" is a level, not an entry. */
        if (slice_equal_nocase(slice_sub(rest, 0, 8), SLICE("/vendor/")) &&
            count_components(rest) < 3)
            continue;
        *scope = scopes[i].scope;
        *name = rest;
        return 0;
    }
    return ERROR_SYNTAX;
}

int annotations_validate(const struct annotation *list, size_t count, bool of_message)
{
    size_t most = of_message ? MESSAGE_ANNOTATIONS_MAXIMUM : ANNOTATIONS_MAXIMUM;
    if (count > 2 * most)
        return ERROR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!is_name(list[i].name, of_message ? 1 : 0x1a))
            return ERROR_SYNTAX;
        if (list[i].name.size > ANNOTATION_NAME_MAXIMUM ||
            list[i].value.size > ANNOTATION_VALUE_MAXIMUM)
            return ERROR_LIMIT;
    }
    return 0;
}

int annotation_tail_read(struct slice rest, struct annotation_tail *tail)
{
    struct annotation_tail read = {{NULL, 0}, slice_sub(rest, 1, SIZE_MAX)};
    struct account_id id;
    if (rest.size && rest.data[0] == 'p') {
        read.owner = slice_sub(rest, 1, ACCOUNT_ID_TEXT);
        read.name = slice_sub(rest, 1 + ACCOUNT_ID_TEXT, SIZE_MAX);
        if (account_id_parse(read.owner, &id))
            return ERROR_CORRUPT;
    } else if (!rest.size || rest.data[0] != 's') {
        return ERROR_CORRUPT;
    }
    if (!is_name(read.name, 1) || read.name.size > ANNOTATION_NAME_MAXIMUM)
        return ERROR_CORRUPT;
    *tail = read;
    return 0;
}

/* --- listing --- */

struct listing {
    struct kv_transaction *transaction;
    collection_id collection;
    uint32_t uid;
    struct arena *arena;
    struct annotation *list;
    size_t count, capacity;
};

static int add(struct listing *listing, enum annotation_scope scope, struct slice name,
               struct slice value)
{
    if (listing->count == listing->capacity)
        return ERROR_CORRUPT;
    listing->list[listing->count++] = (struct annotation){scope, arena_copy(listing->arena, name),
                                                          arena_copy(listing->arena, value)};
    return arena_failed(listing->arena) ? ERROR_LIMIT : 0;
}

static int list_scope(struct listing *listing, const struct account_id *owner)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value, bytes;
    int error =
        kv_cursor_open(listing->transaction,
                       key_annotation(&prefix, listing->collection, listing->uid, owner, SLICE("")),
                       SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = annotation_record_read(value, &bytes);
        if (!error)
            error = add(listing, owner ? ANNOTATION_PRIVATE : ANNOTATION_SHARED,
                        slice_sub(key, prefix.size, SIZE_MAX), bytes);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int annotations_read(struct kv_transaction *transaction, collection_id collection, uint32_t uid,
                     const struct account_id *who, struct arena *arena, struct annotation **list,
                     size_t *count)
{
    struct listing listing = {
        .transaction = transaction,
        .collection = collection,
        .uid = uid,
        .arena = arena,
        .capacity = 2 * (uid ? (size_t)MESSAGE_ANNOTATIONS_MAXIMUM : (size_t)ANNOTATIONS_MAXIMUM)};
    listing.list = arena_alloc_array(arena, listing.capacity, sizeof(*listing.list));
    if (!listing.list)
        return ERROR_LIMIT;
    int error = who ? list_scope(&listing, who) : 0;
    if (!error)
        error = list_scope(&listing, NULL);
    if (error)
        return error;
    *list = listing.list;
    *count = listing.count;
    return 0;
}

/* --- setting one --- */

/* Whether there is room for one more of that scope. */
static int check_count(struct kv_transaction *transaction, collection_id collection, uint32_t uid,
                       const struct account_id *owner)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    size_t count = 0, most = uid ? (size_t)MESSAGE_ANNOTATIONS_MAXIMUM : ANNOTATIONS_MAXIMUM;
    int error =
        kv_cursor_open(transaction, key_annotation(&prefix, collection, uid, owner, SLICE("")),
                       SLICE(""), &cursor);
    if (error)
        return error;
    while (count < most && !(error = kv_cursor_next(cursor, &key, &value)))
        count++;
    kv_cursor_close(&cursor);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    return count < most ? 0 : ERROR_LIMIT;
}

static int put_value(struct change *change, struct slice key, const struct annotation *annotation,
                     uint64_t old, uint64_t new)
{
    int error = new > old ? quota_require(change, QUOTA_ANNOTATION_STORAGE, new - old) : 0;
    if (error)
        return error;
    if (!annotation->value.data)
        return change_delete(change, key);
    annotation_record_write(annotation->value, &change->value);
    return change_put(change, key, &change->value);
}

int annotation_put(struct change *change, collection_id collection, uint32_t uid,
                   const struct account_id *who, const struct annotation *annotation,
                   int64_t *difference, bool *changed)
{
    struct key key;
    struct slice bytes = {NULL, 0};
    const struct account_id *owner = annotation->scope == ANNOTATION_PRIVATE ? who : NULL;
    struct slice name = key_annotation(&key, collection, uid, owner, annotation->name);
    int error = value_get(change->transaction, name, &change->value);
    bool there = !error;
    if (there)
        error = annotation_record_read(buffer_slice(&change->value), &bytes);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    if (there == (annotation->value.data != NULL) && slice_equal(bytes, annotation->value))
        return 0;
    uint64_t old = there ? annotation_size(annotation->name, bytes) : 0;
    uint64_t new =
        annotation->value.data ? annotation_size(annotation->name, annotation->value) : 0;
    error = there ? 0 : check_count(change->transaction, collection, uid, owner);
    if (!error)
        error = put_value(change, name, annotation, old, new);
    if (error)
        return error;
    change->account.annotation_bytes += new - old;
    *difference += (int64_t)(new - old);
    *changed = true;
    return 0;
}

/* --- of the account and of collections --- */

const struct account_id *annotations_private_of(const struct store_view *view,
                                                struct account_id *id)
{
    if (view->who.kind == WHO_KIND_ANONYMOUS || view->who.kind == WHO_KIND_NOBODY)
        return NULL;
    *id = view_subscriber(view);
    return id;
}

/* RFC 5464 section 3.3: l, and one of the rights that let one do something with messages. */
static int require(const struct store_view *view, struct kv_transaction *transaction,
                   collection_id collection, uint32_t *rights)
{
    const uint32_t any = RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST;
    int error = view_require(view, transaction, collection, collection ? RIGHT_LOOKUP : RIGHT_READ);
    if (!error)
        error = rights_of(view, transaction, collection, rights);
    return error ? error : *rights & any || who_is_administrator(view->who) ? 0 : ERROR_DENIED;
}

static bool is_event(const struct annotation *annotation)
{
    return annotation->scope == ANNOTATION_SHARED &&
           slice_equal(annotation->name, slice_from_string(EVENT_ANNOTATION));
}

static int require_change(const struct change *change, collection_id collection,
                          const struct annotation *list, size_t count)
{
    const struct store_view *view = change->view;
    struct account_id id;
    uint32_t rights;
    int error = require(view, change->transaction, collection, &rights);
    bool shared = view->who.kind == WHO_KIND_SYSTEM;
    if (collection)
        shared = !error && (rights & RIGHT_WRITE || who_is_administrator(view->who));
    for (size_t i = 0; i < count && !error; i++) {
        bool own = !collection && is_event(&list[i]) && view_is_owner(view);
        if (list[i].scope == ANNOTATION_SHARED ? !shared && !own
                                               : !annotations_private_of(view, &id))
            error = ERROR_DENIED;
    }
    return error;
}

/* A collection must be there still. */
static int require_there(struct kv_transaction *transaction, collection_id collection)
{
    struct buffer value;
    struct collection_record record;
    if (!collection)
        return 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = collection_read(transaction, collection, &value, &record);
    buffer_release(&value);
    return error;
}

/* What the account has itself hides the server's. */
static bool is_hidden(const struct annotation *list, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].scope == ANNOTATION_SHARED && slice_equal(list[i].name, name))
            return true;
    return false;
}

static int add_servers(struct store *store, struct arena *arena, struct annotation **list,
                       size_t *count)
{
    struct annotation *servers, *both;
    size_t more, own = *count;
    int error = server_annotations_read(store, arena, &servers, &more);
    if (error || !more)
        return error;
    both = arena_alloc_array(arena, own + more, sizeof(*both));
    if (!both)
        return ERROR_LIMIT;
    if (own)
        memcpy(both, *list, own * sizeof(*both));
    for (size_t i = 0; i < more; i++)
        if (!is_hidden(*list, own, servers[i].name))
            both[(*count)++] = servers[i];
    *list = both;
    return 0;
}

int annotations_list(struct store_view *view, collection_id collection, struct arena *arena,
                     struct annotation **list, size_t *count)
{
    struct account_id id;
    struct kv_transaction *transaction;
    uint32_t rights;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = require(view, transaction, collection, &rights);
    if (!error)
        error = require_there(transaction, collection);
    if (!error)
        error = annotations_read(transaction, collection, 0, annotations_private_of(view, &id),
                                 arena, list, count);
    view_read_end(view, &transaction);
    return error || collection ? error : add_servers(view->store, arena, list, count);
}

struct set_call {
    collection_id collection;
    const struct annotation *list; /* names in lower case */
    size_t count;
};

static int put_all(struct change *change, const struct set_call *call, int64_t *difference,
                   bool *changed)
{
    struct account_id id;
    const struct account_id *who = annotations_private_of(change->view, &id);
    int error = 0;
    for (size_t i = 0; i < call->count && !error; i++)
        error =
            annotation_put(change, call->collection, 0, who, &call->list[i], difference, changed);
    return error;
}

/* The flag says whether there is the annotation of store/event.h. */
static uint8_t set_flag(const struct set_call *call, uint8_t flags, uint8_t flag)
{
    for (size_t i = 0; i < call->count; i++)
        if (is_event(&call->list[i]))
            flags = (uint8_t)(call->list[i].value.data ? flags | flag : flags & ~flag);
    return flags;
}

static int set_all(struct change *change, void *arg)
{
    const struct set_call *call = arg;
    struct buffer value;
    struct collection_record record;
    int64_t difference = 0;
    bool changed = false;
    int error = require_change(change, call->collection, call->list, call->count);
    if (!error && !call->collection) {
        error = put_all(change, call, &difference, &changed);
        if (changed)
            change->account.flags = set_flag(call, change->account.flags, ACCOUNT_HAS_EVENTS);
    }
    if (error || !call->collection)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = collection_read(change->transaction, call->collection, &value, &record);
    if (!error)
        error = put_all(change, call, &difference, &changed);
    if (!error && changed) {
        record.annotation_bytes += (uint64_t)difference;
        record.flags = set_flag(call, record.flags, COLLECTION_HAS_EVENTS);
        /* RFC 7162 section 3.2: the mailbox's own modseq, too. */
        record.annotation_modseq = record.highest_modseq = change->modseq;
        error = collection_put(change, call->collection, &record);
    }
    buffer_release(&value);
    return error;
}

static void to_lower(struct slice name, char *lower)
{
    for (size_t i = 0; i < name.size; i++)
        lower[i] =
            (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
}

int annotations_lower(struct arena *arena, const struct annotation *list, size_t count,
                      struct annotation **lower)
{
    *lower = arena_alloc_array(arena, count, sizeof(**lower));
    for (size_t i = 0; *lower && i < count; i++) {
        char *name = arena_alloc_array(arena, list[i].name.size, 1);
        if (name)
            to_lower(list[i].name, name);
        (*lower)[i] = list[i];
        (*lower)[i].name = slice_make(name, list[i].name.size);
    }
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

int annotations_set(struct store_view *view, collection_id collection,
                    const struct annotation *list, size_t count)
{
    struct arena arena;
    struct annotation *lower;
    int error = annotations_validate(list, count, false);
    if (error)
        return error;
    arena_init(&arena, ANNOTATIONS_LOWER_MEMORY);
    error = annotations_lower(&arena, list, count, &lower);
    struct set_call call = {collection, lower, count};
    if (!error)
        error = view_change(view, KV_DURABLE, set_all, &call);
    arena_release(&arena);
    return error;
}
