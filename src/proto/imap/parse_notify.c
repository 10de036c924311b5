/*
 * NOTIFY (RFC 5465 section 8), and the mailboxes of ESEARCH (RFC 7377 section 2.2). Events may also
 * stand without the parentheses of the grammar, as in the example of section 3.1.
 */
#include "proto/imap/parse_priv.h"

const char *const imap_notify_events[IMAP_NOTIFY_EVENTS] = {
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "AnnotationChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
};

static const struct {
    const char *name;
    enum imap_notify_filter filter;
} filters[] = {
    {"selected", IMAP_NOTIFY_SELECTED},     {"selected-delayed", IMAP_NOTIFY_SELECTED_DELAYED},
    {"inboxes", IMAP_NOTIFY_INBOXES},       {"personal", IMAP_NOTIFY_PERSONAL},
    {"subscribed", IMAP_NOTIFY_SUBSCRIBED}, {"subtree", IMAP_NOTIFY_SUBTREE},
    {"mailboxes", IMAP_NOTIFY_MAILBOXES},   {"subtree-one", IMAP_NOTIFY_SUBTREE_ONE},
};

static bool is_of_selected(enum imap_notify_filter filter)
{
    return filter == IMAP_NOTIFY_SELECTED || filter == IMAP_NOTIFY_SELECTED_DELAYED;
}

/* What is read next, unless something was wrong before. */
static void call(struct imap_cursor *cursor, const char *what)
{
    if (!cursor->problem)
        cursor->what = what;
}

/* --- which mailboxes --- */

static void take_name(struct imap_cursor *cursor, struct imap_notify *notify,
                      struct imap_notify_group *group)
{
    call(cursor, "Mailbox name");
    if (++notify->name_count > IMAP_NOTIFY_NAMES_MAXIMUM)
        imap_fail(cursor, "too many");
    struct slice name = imap_mailbox(cursor);
    group->names = imap_grow(cursor, group->names, group->name_count, sizeof(name));
    if (!cursor->problem)
        group->names[group->name_count++] = name;
}

/* one-or-more-mailbox = mailbox / many-mailboxes */
static void take_names(struct imap_cursor *cursor, struct imap_notify *notify,
                       struct imap_notify_group *group)
{
    imap_argument(cursor, "Mailbox name");
    if (!imap_take(cursor, '(')) {
        take_name(cursor, notify, group);
        return;
    }
    do {
        take_name(cursor, notify, group);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

/* Only one of the two that mean the selected mailbox may be there (section 6.1). */
static bool has_selected(const struct imap_notify *notify)
{
    for (size_t i = 0; i < notify->group_count; i++)
        if (is_of_selected(notify->groups[i].filter))
            return true;
    return false;
}

/* `other`: the filter that does not belong here. */
static void take_filter(struct imap_cursor *cursor, struct imap_notify *notify,
                        struct imap_notify_group *group, enum imap_notify_filter other)
{
    call(cursor, "Mailbox filter");
    int row = imap_find_name(imap_word(cursor), &filters[0].name,
                             sizeof(filters) / sizeof(filters[0]), sizeof(filters[0]));
    if (row < 0 || filters[row].filter == other) {
        imap_fail(cursor, "unknown");
        return;
    }
    group->filter = filters[row].filter;
    if (is_of_selected(group->filter) && has_selected(notify))
        imap_fail(cursor, "the selected mailbox is named twice");
    if (group->filter >= IMAP_NOTIFY_SUBTREE)
        take_names(cursor, notify, group);
}

/* --- which events --- */

static void take_event(struct imap_cursor *cursor, struct imap_notify *notify,
                       struct imap_notify_group *group)
{
    call(cursor, "Event");
    int row = imap_find_name(imap_atom(cursor), imap_notify_events, IMAP_NOTIFY_EVENTS,
                             sizeof(imap_notify_events[0]));
    if (row < 0) {
        notify->unknown_event = true; /* event-ext: of what comes after the RFC */
        return;
    }
    uint32_t event = 1U << row;
    group->events |= event;
    if (is_of_selected(group->filter) && !(event & IMAP_NOTIFY_OF_MESSAGES))
        imap_fail(cursor, "not of the selected mailbox");
    char *before = cursor->at;
    if (event != IMAP_NOTIFY_MESSAGE_NEW || !imap_take(cursor, ' '))
        return;
    if (imap_peek(cursor) != '(') {
        cursor->at = before; /* the next event */
        return;
    }
    if (!is_of_selected(group->filter) || notify->item_count)
        imap_fail(cursor, "items to fetch are for the selected mailbox, once");
    imap_fetch_items(cursor, &notify->items, &notify->item_count);
}

/* RFC 5465 section 5: what needs what. */
static void check_events(struct imap_cursor *cursor, uint32_t events)
{
    const uint32_t both = IMAP_NOTIFY_MESSAGE_NEW | IMAP_NOTIFY_MESSAGE_EXPUNGE;
    if (events & IMAP_NOTIFY_OF_MESSAGES && (events & both) != both)
        imap_fail(cursor, "events of messages need MessageNew and MessageExpunge");
}

static void take_events(struct imap_cursor *cursor, struct imap_notify *notify,
                        struct imap_notify_group *group)
{
    imap_argument(cursor, "Event");
    if (imap_take_word(cursor, "NONE"))
        return;
    bool list = imap_take(cursor, '(');
    do {
        take_event(cursor, notify, group);
    } while (imap_take(cursor, ' '));
    call(cursor, "Event");
    if (list)
        imap_expect(cursor, ')', "expected a closing parenthesis");
    check_events(cursor, group->events);
}

static void add_group(struct imap_cursor *cursor, struct imap_notify *notify,
                      struct imap_notify_group group)
{
    notify->groups = imap_grow(cursor, notify->groups, notify->group_count, sizeof(group));
    if (!cursor->problem)
        notify->groups[notify->group_count++] = group;
}

/* event-group = "(" filter-mailboxes SP events ")" */
static void take_group(struct imap_cursor *cursor, struct imap_notify *notify)
{
    struct imap_notify_group group = {0};
    imap_argument(cursor, "Event group");
    if (notify->group_count == IMAP_NOTIFY_GROUPS_MAXIMUM)
        imap_fail(cursor, "too many");
    imap_expect(cursor, '(', "expected a list");
    take_filter(cursor, notify, &group, IMAP_NOTIFY_SUBTREE_ONE);
    take_events(cursor, notify, &group);
    imap_expect(cursor, ')', "expected a closing parenthesis");
    add_group(cursor, notify, group);
}

/* No scope-options are defined (RFC 7377 section 4). */
void imap_search_sources(struct imap_cursor *cursor, struct imap_notify *sources)
{
    imap_expect(cursor, '(', "expected a list");
    do {
        struct imap_notify_group group = {0};
        if (sources->group_count == IMAP_NOTIFY_GROUPS_MAXIMUM)
            imap_fail(cursor, "too many");
        take_filter(cursor, sources, &group, IMAP_NOTIFY_SELECTED_DELAYED);
        add_group(cursor, sources, group);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

void imap_parse_notify(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_notify *notify = &command->notify;
    imap_argument(cursor, "What to notify of");
    if (imap_take_word(cursor, "NONE"))
        return;
    if (!imap_take_word(cursor, "SET"))
        imap_fail(cursor, "expected SET or NONE");
    notify->set = true;
    char *before = cursor->at;
    notify->status = imap_take(cursor, ' ') && imap_take_word(cursor, "STATUS");
    if (!notify->status && !cursor->problem)
        cursor->at = before;
    do {
        take_group(cursor, notify);
    } while (cursor->at < cursor->end);
}
