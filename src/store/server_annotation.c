/*
 * Annotations of the server: keys v of the directory, which all accounts see.
 */
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/annotation_priv.h"

struct listing {
    struct arena *arena;
    struct annotation *list;
    size_t count;
};

static int add(struct listing *listing, struct slice key, struct slice value)
{
    struct annotation_tail tail;
    struct slice bytes;
    int error = annotation_tail_read(slice_sub(key, 1, SIZE_MAX), &tail);
    if (!error)
        error = annotation_record_read(value, &bytes);
    if (!error && (tail.owner.size || listing->count == ANNOTATIONS_MAXIMUM))
        error = ERROR_CORRUPT;
    if (!error)
        listing->list[listing->count++] =
            (struct annotation){ANNOTATION_SHARED, arena_copy(listing->arena, tail.name),
                                arena_copy(listing->arena, bytes)};
    return error ? error : arena_failed(listing->arena) ? ERROR_LIMIT : 0;
}

static int read_all(struct kv_transaction *transaction, void *arg)
{
    struct listing *listing = arg;
    struct kv_cursor *cursor;
    struct slice key, value;
    listing->count = 0;
    int error = kv_cursor_open(transaction, SLICE("v"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!error && !(error = kv_cursor_next(cursor, &key, &value)))
        error = add(listing, key, value);
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int server_annotations_read(struct store *store, struct arena *arena, struct annotation **list,
                            size_t *count)
{
    struct listing listing = {
        .arena = arena, .list = arena_alloc_array(arena, ANNOTATIONS_MAXIMUM, sizeof(**list))};
    int error = listing.list ? directory_read(store, WHO_SYSTEM, read_all, &listing) : ERROR_LIMIT;
    if (error)
        return error;
    *list = listing.list;
    *count = listing.count;
    return 0;
}

/* --- setting --- */

struct set_call {
    const struct annotation *list; /* names in lower case */
    size_t count;
};

static int put(struct kv_transaction *transaction, const struct annotation *annotation)
{
    struct directory_key key;
    struct buffer value;
    struct slice name = directory_key_annotation(&key, annotation->name);
    if (!annotation->value.data)
        return kv_delete(transaction, name);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    annotation_record_write(annotation->value, &value);
    int error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, name, buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static int check_count(struct kv_transaction *transaction)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    size_t count = 0;
    int error = kv_cursor_open(transaction, SLICE("v"), SLICE(""), &cursor);
    if (error)
        return error;
    while (count <= ANNOTATIONS_MAXIMUM && !(error = kv_cursor_next(cursor, &key, &value)))
        count++;
    kv_cursor_close(&cursor);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    return count <= ANNOTATIONS_MAXIMUM ? 0 : ERROR_LIMIT;
}

static int set_all(struct kv_transaction *transaction, void *arg)
{
    const struct set_call *call = arg;
    int error = 0;
    for (size_t i = 0; i < call->count && !error; i++)
        error = put(transaction, &call->list[i]);
    return error ? error : check_count(transaction);
}

int server_annotations_set(struct store *store, struct who who, const struct annotation *list,
                           size_t count)
{
    struct arena arena;
    struct annotation *lower;
    if (who.kind != WHO_KIND_SYSTEM && !who_is_administrator(who))
        return ERROR_DENIED;
    int error = annotations_validate(list, count, false);
    for (size_t i = 0; i < count && !error; i++)
        error = list[i].scope == ANNOTATION_SHARED ? 0 : ERROR_INVALID;
    if (error)
        return error;
    arena_init(&arena, ANNOTATIONS_LOWER_MEMORY);
    error = annotations_lower(&arena, list, count, &lower);
    if (!error)
        error = directory_update(store, WHO_SYSTEM, set_all, &(struct set_call){lower, count});
    arena_release(&arena);
    return error;
}
