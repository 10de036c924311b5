#include "store/event.h"
#include "store/annotation_priv.h"

bool store_view_take_events(struct store_view *view)
{
    bool events = view->events;
    view->events = false;
    return events;
}

static int read_name(struct kv_transaction *transaction, collection_id collection,
                     struct buffer *value, struct slice *name)
{
    struct key key;
    int error = value_get(
        transaction, key_annotation(&key, collection, 0, NULL, slice_from_string(EVENT_ANNOTATION)),
        value);
    return error ? error : annotation_record_read(buffer_slice(value), name);
}

int event_script_name(struct store_view *view, collection_id mailbox, struct arena *arena,
                      struct slice *name)
{
    struct kv_transaction *transaction;
    struct buffer value;
    struct slice found;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = view_require(view, transaction, 0, RIGHT_READ);
    if (!error)
        error = read_name(transaction, mailbox, &value, &found);
    if (error == ERROR_NOT_FOUND)
        error = read_name(transaction, 0, &value, &found);
    if (!error) {
        *name = arena_copy(arena, found);
        error = arena_failed(arena) ? ERROR_LIMIT : 0;
    }
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}
