/*
 * Which events of a mailbox the client wants to hear of: those of all groups whose filter means it
 * (RFC 5465 section 6). A group with NONE takes its mailboxes out, whatever other groups say.
 */
#include "session/imap/notify_priv.h"

static bool is_below(struct slice path, struct slice name)
{
    return slice_starts_with(path, name) && (path.size == name.size || path.data[name.size] == '/');
}

/* One level below at the most. */
static bool is_child(struct slice path, struct slice name)
{
    struct slice rest = slice_sub(path, name.size + 1, SIZE_MAX);
    return slice_find(rest, '/') == rest.size;
}

static bool names_one(const struct imap_notify_group *group, struct slice path)
{
    for (size_t i = 0; i < group->name_count; i++) {
        struct slice name = group->names[i];
        bool deep = group->filter == IMAP_NOTIFY_SUBTREE ||
                    (group->filter == IMAP_NOTIFY_SUBTREE_ONE && is_child(path, name));
        if (deep ? is_below(path, name) : slice_equal(path, name))
            return true;
    }
    return false;
}

/* Sieve scripts and details of addresses deliver into any mailbox: so inboxes are all personal ones
 * (section 6.3). */
bool notify_group_means(const struct imap_notify_group *group, bool own, struct slice path,
                        bool subscribed)
{
    switch (group->filter) {
    case IMAP_NOTIFY_INBOXES:
    case IMAP_NOTIFY_PERSONAL:
        return own;
    case IMAP_NOTIFY_SUBSCRIBED:
        return subscribed;
    case IMAP_NOTIFY_SUBTREE:
    case IMAP_NOTIFY_SUBTREE_ONE:
    case IMAP_NOTIFY_MAILBOXES:
        return names_one(group, path);
    default:
        return false;
    }
}

uint32_t notify_events_of(const struct notify *notify, bool own, struct slice path, bool subscribed)
{
    uint32_t events = 0;
    for (size_t i = 0; i < notify->group_count; i++) {
        const struct imap_notify_group *group = &notify->groups[i];
        if (!notify_group_means(group, own, path, subscribed))
            continue;
        if (!group->events)
            return 0;
        events |= group->events;
    }
    return events;
}

bool notify_means_account(const struct notify *notify, struct slice prefix)
{
    struct slice level = slice_sub(prefix, 0, prefix.size - 1);
    for (size_t i = 0; i < notify->group_count; i++) {
        const struct imap_notify_group *group = &notify->groups[i];
        if (group->filter == IMAP_NOTIFY_SUBSCRIBED)
            return true;
        for (size_t k = 0; k < group->name_count; k++)
            if (is_below(group->names[k], level) || is_below(level, group->names[k]))
                return true;
    }
    return false;
}
