/*
 * The result of a context, and how its changes are told (RFC 5267 sections 4.3.2 to 4.3.4). Those
 * of SEARCH have position 0, so that they can be told as sets; those of SORT have their places.
 */
#include "base/error.h"
#include "session/imap/context_priv.h"

#include <stdlib.h>

static int note_change(struct search_context *context, size_t index, uint32_t uid, bool added)
{
    const struct context_change change = {(uint32_t)index + 1, uid, added};
    return buffer_append(&context->changes, slice_make((const char *)&change, sizeof(change)));
}

static int insert(struct search_context *context, size_t place, uint32_t uid)
{
    if (context->order_count == CONTEXT_SORTED_MAXIMUM)
        return ERROR_LIMIT;
    if (context->order_count == context->order_room) {
        size_t room = context->order_room ? 2 * context->order_room : 64;
        uint32_t *order = reallocarray(context->order, room, sizeof(*order));
        if (!order)
            return ERROR_MEMORY;
        context->order = order;
        context->order_room = room;
    }
    memmove(&context->order[place + 1], &context->order[place],
            (context->order_count - place) * sizeof(*context->order));
    context->order[place] = uid;
    context->order_count++;
    return 0;
}

int context_add(struct search_context *context, struct search_slice *slice,
                const struct entry *entry)
{
    size_t place;
    int error = range_set_add(&context->found, entry->uid, entry->uid);
    if (!error && !context->sort) {
        range_set_remove(&context->removed, entry->uid, entry->uid);
        return range_set_add(&context->added, entry->uid, entry->uid);
    }
    if (!error)
        error = sort_place(slice, entry, context->sort, context->sort_count, context->order,
                           context->order_count, &place);
    if (!error)
        error = insert(context, place, entry->uid);
    return error ? error : note_change(context, place, entry->uid, true);
}

/* In one pass, as there may be many: each is told at the place where it is by then. */
static int remove_sorted(struct search_context *context, const struct range_set *uids)
{
    size_t kept = 0;
    int error = 0;
    for (size_t i = 0; i < context->order_count; i++) {
        uint32_t uid = context->order[i];
        if (!range_set_contains(uids, uid))
            context->order[kept++] = uid;
        else if (!error)
            error = note_change(context, kept, uid, false);
    }
    context->order_count = kept;
    return error;
}

int context_remove_all(struct search_context *context, const struct range_set *uids)
{
    struct range_set both, left;
    range_set_init(&both, CONTEXT_RANGES_MAXIMUM);
    range_set_init(&left, CONTEXT_RANGES_MAXIMUM);
    int error = set_intersect(&both, &context->found, uids);
    if (!error)
        error = set_subtract(&left, &context->found, uids);
    if (!error)
        set_take(&context->found, &left);
    if (!error && both.count)
        error = context->sort ? remove_sorted(context, &both) : 0;
    if (!error && !context->sort)
        set_take(&context->removed, &both);
    range_set_release(&both);
    range_set_release(&left);
    return error;
}

int context_remove(struct search_context *context, uint32_t uid)
{
    struct range range = {.first = uid, .last = uid};
    const struct range_set one = {.ranges = &range, .count = 1};
    int error = range_set_remove(&context->found, uid, uid);
    if (error || context->sort)
        return error ? error : remove_sorted(context, &one);
    range_set_remove(&context->added, uid, uid);
    return range_set_add(&context->removed, uid, uid);
}

/* --- telling --- */

bool context_has_changes(const struct search_context *context)
{
    return context->added.count || context->removed.count || context->changes.size;
}

static uint32_t number_of(struct imap_session *session, const struct search_context *context,
                          uint32_t uid)
{
    return context->uid ? uid : range_set_position(&session->mailbox.uids, uid);
}

/* Messages that the client counts; what it has not been told of yet is not among them. */
static void write_set(struct imap_session *session, const struct search_context *context,
                      const char *name, struct range_set *uids)
{
    struct range_set numbers;
    if (!uids->count)
        return;
    range_set_init(&numbers, SESSION_UID_RANGES_MAXIMUM);
    int error = context->uid ? range_set_copy(&numbers, uids)
                             : set_positions(&numbers, &session->mailbox.uids, uids);
    if (!error) {
        buffer_append_format(session->out, " %s (0 ", name);
        imap_write_set(session->out, &numbers);
        buffer_append_byte(session->out, ')');
    }
    range_set_release(&numbers);
}

static void write_changes(struct imap_session *session, const struct search_context *context)
{
    const struct context_change *changes = (const struct context_change *)context->changes.data;
    size_t count = context->changes.size / sizeof(*changes);
    for (size_t i = 0; i < count; i++) {
        if (!i || changes[i].added != changes[i - 1].added)
            buffer_append_format(session->out, "%s %s (", i ? ")" : "",
                                 changes[i].added ? "ADDTO" : "REMOVEFROM");
        else
            buffer_append_byte(session->out, ' ');
        buffer_append_format(session->out, "%u %u", changes[i].position,
                             number_of(session, context, changes[i].uid));
    }
    buffer_append_byte(session->out, ')');
}

void context_tell(struct imap_session *session, struct search_context *context)
{
    if (!context_has_changes(context))
        return;
    buffer_append_format(session->out, "* ESEARCH (TAG \"%s\")%s", context->tag,
                         context->uid ? " UID" : "");
    if (context->sort) {
        write_changes(session, context);
    } else {
        write_set(session, context, "REMOVEFROM", &context->removed);
        write_set(session, context, "ADDTO", &context->added);
    }
    buffer_append(session->out, SLICE("\r\n"));
    range_set_release(&context->added);
    range_set_release(&context->removed);
    buffer_release(&context->changes);
}
