/*
 * NOTIFY SET and NOTIFY NONE (RFC 5465 section 3.1). What was asked for before stays in force until
 * the new one is complete.
 */
#include "base/error.h"
#include "session/imap/notify_priv.h"

#include <stdlib.h>

struct notify_work {
    struct notify *made; /* NULL: it is the session's, or has failed */
};

static void release(struct imap_session *session)
{
    struct notify_work *work = session->work;
    notify_free(&work->made);
}

/* --- what the client has asked for, copied --- */

/* A name of others is compared as LIST shows it: with the address in its usual spelling. */
static int copy_name(struct imap_session *session, struct notify *notify, struct slice name,
                     struct slice *copy)
{
    const struct session_name split = session_split_name(name);
    const size_t before = split.level.size + 1; /* the address */
    struct buffer usual;
    buffer_init(&usual, 2 * IMAP_MAILBOX_NAME_MAXIMUM);
    if (split.address.size &&
        store_normalise_address(session->stream->store, split.address, &usual) == 0) {
        struct buffer text;
        buffer_init(&text, 4 * IMAP_MAILBOX_NAME_MAXIMUM);
        buffer_append(&text, slice_sub(name, 0, before));
        buffer_append(&text, buffer_slice(&usual));
        buffer_append(&text, slice_sub(name, before + split.address.size, SIZE_MAX));
        *copy = arena_copy(&notify->arena, buffer_slice(&text));
        buffer_release(&text);
    } else {
        *copy = arena_copy(&notify->arena, name);
    }
    buffer_release(&usual);
    notify->others |= split.level.size > 0;
    return arena_failed(&notify->arena) ? ERROR_LIMIT : 0;
}

static int copy_group(struct imap_session *session, struct notify *notify,
                      const struct imap_notify_group *from, struct imap_notify_group *to)
{
    *to = *from;
    to->names = arena_alloc_array(&notify->arena, from->name_count, sizeof(*to->names));
    int error = to->names ? 0 : ERROR_LIMIT;
    for (size_t i = 0; i < from->name_count && !error; i++)
        error = copy_name(session, notify, from->names[i], &to->names[i]);
    notify->others |= from->filter == IMAP_NOTIFY_SUBSCRIBED;
    return error;
}

/* What the selected mailbox is asked about (section 6.1); not being named, it is asked nothing. A
 * message that has another annotation (RFC 5257) has changed as one with other flags has: it is
 * told with its flags, its MODSEQ, and the annotation's name when that was asked for. */
static uint32_t tells_of(const struct imap_notify_group *group)
{
    uint32_t tells = 0;
    if (group->events & IMAP_NOTIFY_MESSAGE_NEW)
        tells |= TELLS_ARRIVALS;
    if (group->events & IMAP_NOTIFY_MESSAGE_EXPUNGE)
        tells |= TELLS_EXPUNGES;
    if (tells && group->filter == IMAP_NOTIFY_SELECTED)
        tells |= TELLS_EXPUNGES_AT_ONCE;
    if (group->events & (IMAP_NOTIFY_FLAG_CHANGE | IMAP_NOTIFY_ANNOTATION_CHANGE))
        tells |= TELLS_FLAGS;
    if (group->events & IMAP_NOTIFY_ANNOTATION_CHANGE)
        tells |= TELLS_ANNOTATIONS;
    return tells;
}

int notify_copy_groups(struct imap_session *session, struct notify *notify,
                       const struct imap_notify_group *groups, size_t count)
{
    int error = 0;
    notify->groups = arena_alloc_array(&notify->arena, count, sizeof(*notify->groups));
    if (!notify->groups)
        return ERROR_LIMIT;
    for (size_t i = 0; i < count && !error; i++)
        error = copy_group(session, notify, &groups[i], &notify->groups[notify->group_count++]);
    return error;
}

static int copy(struct imap_session *session, struct notify *notify)
{
    const struct imap_notify *asked = &session->command->notify;
    arena_init(&notify->arena, SESSION_COMMAND_MAXIMUM);
    notify->status = asked->status;
    notify->item_count = asked->item_count;
    for (size_t i = 0; i < asked->group_count; i++) {
        const struct imap_notify_group *group = &asked->groups[i];
        if (group->filter == IMAP_NOTIFY_SELECTED || group->filter == IMAP_NOTIFY_SELECTED_DELAYED)
            notify->tells = tells_of(group);
        else
            notify->events |= group->events;
    }
    int error = notify_copy_groups(session, notify, asked->groups, asked->group_count);
    if (!error)
        error = fetch_copy_items(&notify->arena, asked->items, asked->item_count, &notify->items);
    return error ? error : notify_begin(notify, session->stream->account);
}

/* --- the command --- */

static enum progress refuse_event(struct imap_session *session)
{
    struct buffer code;
    buffer_init(&code, 512);
    buffer_append(&code, SLICE("BADEVENT"));
    for (size_t i = 0; i < IMAP_NOTIFY_EVENTS; i++)
        buffer_append_format(&code, "%s%s", i ? " " : " (", imap_notify_events[i]);
    buffer_append_byte(&code, ')');
    const char *text = arena_string(&session->arena, buffer_slice(&code));
    buffer_release(&code);
    return session_reply(session, "NO", text, "An event is not known");
}

static enum progress fail(struct imap_session *session, int error)
{
    if (error == ERROR_LIMIT || error == ERROR_MEMORY)
        return session_reply(session, "NO", "NOTIFICATIONOVERFLOW",
                             "There is too much to notify of");
    return session_fail(session, error);
}

static void take_effect(struct imap_session *session, struct notify_work *work)
{
    notify_end(session);
    session->notify = work->made;
    work->made = NULL;
    for (size_t i = 0; i < session->notify->item_count; i++)
        if (session->notify->items[i].kind == IMAP_FETCH_MODSEQ)
            modseq_enable(session);
    /* The sync that follows tells all of the selected mailbox, as NOOP would. */
    session->tells = TELLS_ALL;
    view_tell_muted(session);
    notify_watch(session);
}

static enum progress set(struct imap_session *session)
{
    bool first = !session->work;
    struct notify_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (first) {
        session->release_work = release;
        work->made = calloc(1, sizeof(*work->made));
    }
    int error = !work->made ? ERROR_MEMORY : first ? copy(session, work->made) : 0;
    if (error)
        return fail(session, error);
    struct notify *before = session->notify;
    session->notify = work->made;
    enum progress progress = notify_first(session, &error);
    session->notify = before;
    if (error)
        return fail(session, error);
    if (progress == PROGRESS_AGAIN)
        return progress;
    take_effect(session, work);
    return session_ok(session, "Notify completed");
}

enum progress cmd_notify(struct imap_session *session)
{
    const struct imap_notify *asked = &session->command->notify;
    if (asked->unknown_event)
        return refuse_event(session);
    if (asked->set)
        return set(session);
    notify_end(session);
    session->tells = 0;
    return session_ok(session, "Notify completed");
}
