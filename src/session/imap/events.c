/*
 * Scripts for IMAP events: what a command has committed is noted, and run before the command is
 * answered, slice by slice (session/sieve/event.h). Where no script is set nothing is noted, and
 * nothing is read to find that out (store/event.h).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "session/sieve/event.h"
#include "store/event.h"

#include <stdlib.h>

/* What one transaction has done. */
struct session_events {
    struct session_events *next;
    struct event event;
    struct range_set uids;     /* of messages that have come; those run are taken out */
    struct buffer differences; /* or struct flag_difference, */
    size_t done;               /* of which so many bytes have been run */
};

static void free_first(struct session_events **list)
{
    struct session_events *first = *list;
    *list = first->next;
    range_set_release(&first->uids);
    buffer_release(&first->differences);
    free(first);
}

void events_forget(struct imap_session *session)
{
    while (session->events)
        free_first(&session->events);
}

static struct session_events *add(struct imap_session *session, struct account_id account,
                                  collection_id mailbox, enum event_cause cause)
{
    struct stream *stream = session->stream;
    const char *server = stream->config->outgoing_server;
    struct session_events *made = calloc(1, sizeof(*made)), **end = &session->events;
    if (!made)
        return NULL;
    while (*end)
        end = &(*end)->next;
    *end = made;
    made->event = (struct event){.programs = programs_of_process(),
                                 .store = stream->store,
                                 .hostname = stream->config->hostname,
                                 .sends = server && *server,
                                 .user = stream->user,
                                 .user_id = stream->account,
                                 .account = account,
                                 .mailbox = mailbox,
                                 .cause = cause};
    range_set_init(&made->uids, SESSION_UID_RANGES_MAXIMUM);
    buffer_init(&made->differences, SESSION_DIFFERENCES_MAXIMUM);
    return made;
}

/* Whether there may be a script for what was changed through the account's view. */
static bool is_watched(struct imap_session *session, struct account_id account)
{
    struct store_view *view;
    bool own = !session_view_of(session, account, &view) && store_view_take_events(view);
    return own || event_of_site(session->stream->store);
}

void events_appended(struct imap_session *session, struct account_id account, collection_id mailbox,
                     uint32_t first, uint32_t last)
{
    if (!is_watched(session, account))
        return;
    struct session_events *events = add(session, account, mailbox, EVENT_APPEND);
    if (events)
        range_set_add(&events->uids, first, last);
}

void events_copied(struct imap_session *session, struct account_id account, collection_id mailbox,
                   const struct range_set *uids)
{
    if (!uids->count || !is_watched(session, account))
        return;
    struct session_events *events = add(session, account, mailbox, EVENT_COPY);
    if (!events)
        return;
    range_set_copy(&events->uids, uids);
    if (account_id_equal(account, session->mailbox.account))
        events->event.source = session->mailbox.id;
}

void events_flagged(struct imap_session *session, struct buffer *differences)
{
    struct session_events *events =
        differences->size ? add(session, session->mailbox.account, session->mailbox.id, EVENT_FLAG)
                          : NULL;
    if (!events)
        return;
    events->differences = *differences;
    buffer_init(differences, 0);
}

static int run_added(struct session_events *events)
{
    uint32_t uid = range_set_next(&events->uids, 1);
    range_set_remove(&events->uids, uid, uid);
    return event_run(&events->event, uid);
}

static int run_flagged(struct session_events *events)
{
    struct flag_difference difference;
    memcpy(&difference, events->differences.data + events->done, sizeof(difference));
    events->done += sizeof(difference);
    events->event.changed_flags = difference.flags;
    events->event.changed_keywords = difference.keywords;
    return event_run(&events->event, difference.uid);
}

/* Of one message. Without a script the others need not be looked at. */
static void run_one(struct imap_session *session)
{
    struct session_events *events = session->events;
    int error = ERROR_NOT_FOUND;
    if (events->uids.count)
        error = run_added(events);
    else if (events->done < events->differences.size)
        error = run_flagged(events);
    if (error)
        free_first(&session->events);
}

void events_run(struct imap_session *session)
{
    do
        run_one(session);
    while (session->events && !session_slice_over(session));
}
