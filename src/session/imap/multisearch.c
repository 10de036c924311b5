/*
 * Which mailboxes ESEARCH searches (RFC 7377 section 2.2): those that its sources mean, as NOTIFY's
 * do, and that the user may look up and read; others are passed over.
 */
#include "base/error.h"
#include "session/imap/notify_priv.h"
#include "session/imap/search_priv.h"

struct finding {
    struct imap_session *session;
    const struct imap_notify *sources;
    struct notify *filter; /* the same, with names in their usual spelling */
    struct search_targets *targets;
    size_t room;
};

static bool is_meant(const struct finding *finding, bool own, const struct collection *mailbox)
{
    const struct notify *filter = finding->filter;
    for (size_t i = 0; i < filter->group_count; i++)
        if (notify_group_means(&filter->groups[i], own, mailbox->path, mailbox->subscribed))
            return true;
    return false;
}

static int add(struct finding *finding, const struct search_target *target)
{
    struct search_targets *targets = finding->targets;
    if (targets->count == SESSION_MULTISEARCH_MAXIMUM)
        return ERROR_LIMIT;
    if (targets->count == finding->room) {
        size_t room = finding->room ? 2 * finding->room : 16;
        struct search_target *list =
            arena_alloc_array(&finding->session->arena, room, sizeof(*list));
        if (!list)
            return ERROR_LIMIT;
        if (targets->count)
            memcpy(list, targets->list, targets->count * sizeof(*list));
        targets->list = list;
        finding->room = room;
    }
    targets->list[targets->count++] = *target;
    return 0;
}

static bool is_there(const struct search_targets *targets, struct account_id account,
                     collection_id id)
{
    /* Only the selected mailbox, which is the first, may come again. */
    return targets->count && targets->list[0].id == id &&
           account_id_equal(targets->list[0].account, account);
}

static struct slice with_prefix(struct arena *arena, struct slice prefix, struct slice path)
{
    char *text = arena_alloc(arena, prefix.size + path.size);
    if (!text)
        return path;
    if (prefix.size)
        memcpy(text, prefix.data, prefix.size);
    memcpy(text + prefix.size, path.data, path.size);
    return slice_make(text, prefix.size + path.size);
}

static int add_account(struct finding *finding, struct account_id account, struct slice prefix)
{
    struct imap_session *session = finding->session;
    struct store_view *view;
    struct collection *list;
    size_t count = 0;
    int error = session_view_of(session, account, &view);
    if (!error)
        error = collection_list(view, COLLECTION_MAILBOX, &session->arena, &list, &count);
    if (error == ERROR_NOT_FOUND || error == ERROR_DENIED)
        return 0; /* it has just gone */
    for (size_t i = 0; i < count && !error; i++) {
        list[i].path = with_prefix(&session->arena, prefix, list[i].path);
        if (list[i].rights & RIGHT_READ && is_meant(finding, !prefix.size, &list[i]) &&
            !is_there(finding->targets, account, list[i].id))
            error = add(finding, &(struct search_target){account, list[i].id, list[i].path,
                                                         list[i].uid_validity});
    }
    return error ? error : arena_failed(&session->arena) ? ERROR_LIMIT : 0;
}

static int add_others(struct finding *finding)
{
    struct imap_session *session = finding->session;
    struct account_info *owners = NULL;
    size_t count = 0;
    int error = session_sharers(session, &owners, &count);
    for (size_t i = 0; i < count && !error; i++) {
        struct slice prefix = session_prefix_of(&session->arena, &owners[i]);
        if (notify_means_account(finding->filter, prefix))
            error = add_account(finding, owners[i].id, prefix);
    }
    return error;
}

/* Its name is looked up, as the session does not keep it. */
static int add_selected(struct finding *finding)
{
    struct imap_session *session = finding->session;
    const struct mailbox_view *selected = &session->mailbox;
    struct account_info *owners = NULL;
    struct collection mailbox;
    struct store_view *view;
    size_t count = 0;
    int error = session_selected_view(session, &view);
    if (!error)
        error = collection_get(view, selected->id, &session->arena, &mailbox);
    if (!error && !session_is_own(session, selected->account))
        error = session_sharers(session, &owners, &count);
    for (size_t i = 0; i < count && !error; i++)
        if (account_id_equal(owners[i].id, selected->account))
            mailbox.path = with_prefix(
                &session->arena, session_prefix_of(&session->arena, &owners[i]), mailbox.path);
    return error ? error
                 : add(finding, &(struct search_target){selected->account, selected->id,
                                                        mailbox.path, selected->uid_validity});
}

static int find_all(struct finding *finding)
{
    const struct imap_notify *sources = finding->sources;
    bool selected = !sources;
    for (size_t i = 0; sources && i < sources->group_count; i++)
        selected |= sources->groups[i].filter == IMAP_NOTIFY_SELECTED;
    int error = selected ? add_selected(finding) : 0;
    if (!error && sources)
        error = notify_copy_groups(finding->session, finding->filter, sources->groups,
                                   sources->group_count);
    if (!error && sources)
        error = add_account(finding, finding->session->stream->account, SLICE(""));
    return error || !finding->filter->others ? error : add_others(finding);
}

int search_find_targets(struct imap_session *session, const struct imap_notify *sources,
                        struct search_targets *targets)
{
    struct notify filter = {0};
    struct finding finding = {
        .session = session, .sources = sources, .filter = &filter, .targets = targets};
    arena_init(&filter.arena, SESSION_COMMAND_MAXIMUM);
    int error = find_all(&finding);
    arena_release(&filter.arena);
    return error;
}
