/*
 * Whose mailbox a name means (RFC 2342), and the views of accounts.
 *
 *     Lists/Chapar                                  the account's own
 *     Other Users/alice@example.test/Lists/Chapar   alice's, where she shares it
 *     Shared/info@example.test/Lists/Chapar         a shared account's, which is nobody's own
 *
 * Only accounts that share something are found: of others nobody learns whether they exist, but
 * administrators, who find all. So a mailbox of one's own cannot begin with one of these levels. A
 * mailbox has one name only.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "store/acl.h"
#include "store/directory.h"

/* --- views --- */

bool session_is_own(const struct imap_session *session, struct account_id account)
{
    return account_id_equal(session->stream->account, account);
}

struct who session_who(const struct imap_session *session)
{
    const struct stream *stream = session->stream;
    return stream->administrator ? who_administrator(stream->account)
                                 : who_account(stream->account);
}

int session_view_of(struct imap_session *session, struct account_id account,
                    struct store_view **view)
{
    struct stream *stream = session->stream;
    struct session_view *free = NULL, *other = NULL;
    for (size_t i = 0; i < SESSION_VIEWS; i++) {
        struct session_view *open = &session->views[i];
        if (open->view && account_id_equal(open->account, account)) {
            *view = open->view;
            return 0;
        }
        if (!open->view)
            free = open;
        else if (!session_is_own(session, open->account) &&
                 !account_id_equal(session->mailbox.account, open->account))
            other = open;
    }
    if (!free) {
        store_view_close(&other->view);
        free = other;
    }
    int error = store_view_open(stream->store, session_who(session), account, &free->view);
    if (error)
        return error;
    free->account = account;
    *view = free->view;
    return 0;
}

int session_view(struct imap_session *session, struct store_view **view)
{
    return session_view_of(session, session->stream->account, view);
}

int session_selected_view(struct imap_session *session, struct store_view **view)
{
    return session_view_of(session, session->mailbox.account, view);
}

void session_close_views(struct imap_session *session)
{
    for (size_t i = 0; i < SESSION_VIEWS; i++)
        store_view_close(&session->views[i].view);
}

int session_snapshot(struct imap_session *session, struct mailbox_snapshot **snapshot)
{
    struct store_view *view;
    int error = session_selected_view(session, &view);
    return error ? error : mailbox_snapshot_open(view, session->mailbox.id, snapshot);
}

/* --- names --- */

/* By whether the account is shared: so they are in the order of session_sharers. */
const struct slice session_levels[SESSION_LEVELS] = {
    [false] = {OTHER_USERS, sizeof(OTHER_USERS) - 1},
    [true] = {SHARED_ACCOUNTS, sizeof(SHARED_ACCOUNTS) - 1},
};

struct session_name session_split_name(struct slice name)
{
    struct session_name split = {.level = SLICE(""), .address = SLICE(""), .path = name};
    for (size_t i = 0; i < SESSION_LEVELS; i++) {
        struct slice level = session_levels[i];
        if (!slice_starts_with(name, level) ||
            (name.size > level.size && name.data[level.size] != '/'))
            continue;
        struct slice rest = slice_sub(name, level.size + 1, SIZE_MAX);
        split.level = level;
        split.address = slice_sub(rest, 0, slice_find(rest, '/'));
        split.path = slice_sub(rest, split.address.size + 1, SIZE_MAX);
    }
    return split;
}

struct slice session_prefix_of(struct arena *arena, const struct account_info *owner)
{
    struct slice level = session_levels[owner->shared];
    size_t size = level.size + owner->address.size + 2;
    char *text = arena_alloc(arena, size + 1);
    if (!text)
        return SLICE("");
    snprintf(text, size + 1, "%.*s/%.*s/", SLICE_FORMAT(level), SLICE_FORMAT(owner->address));
    return slice_make(text, size);
}

int session_sharers(struct imap_session *session, struct account_info **list, size_t *count)
{
    struct stream *stream = session->stream;
    return store_shared_with(stream->store, who_account(stream->account), stream->account,
                             &session->arena, list, count);
}

int session_find_owner(struct imap_session *session, const struct session_name *name,
                       struct account_id *owner)
{
    struct account_id found;
    bool shared;
    int error = store_shared_find(session->stream->store, session_who(session), name->address,
                                  &found, &shared);
    /* What is one's own has one name only. */
    if (!error &&
        (session_is_own(session, found) || !slice_equal(session_levels[shared], name->level)))
        error = ERROR_NOT_FOUND;
    if (!error)
        *owner = found;
    return error;
}

int session_place(struct imap_session *session, struct slice name, struct session_place *place)
{
    const struct session_name split = session_split_name(name);
    *place = (struct session_place){.account = session->stream->account, .path = split.path};
    if (!split.level.size)
        return session_view(session, &place->view);
    if (!place->path.size)
        return ERROR_NOT_FOUND; /* a level without a mailbox */
    int error = session_find_owner(session, &split, &place->account);
    return error ? error : session_view_of(session, place->account, &place->view);
}

/* Another's special uses are none of this user's (RFC 6154 section 2). */
static int as_named(struct slice name, int error, struct collection *found)
{
    if (!error && found->type != COLLECTION_MAILBOX)
        error = ERROR_NOT_FOUND;
    if (!error && session_is_others(name)) {
        found->path = name;
        found->role = ROLE_NONE;
    }
    return error;
}

int session_find_mailbox(struct imap_session *session, struct slice name,
                         struct session_place *place, struct collection *found)
{
    int error = session_place(session, name, place);
    if (!error)
        error =
            collection_find(place->view, COLLECTION_MAILBOX, place->path, &session->arena, found);
    return as_named(name, error, found);
}

int session_get_mailbox(struct imap_session *session, struct slice name,
                        const struct session_place *place, collection_id id,
                        struct collection *found)
{
    return as_named(name, collection_get(place->view, id, &session->arena, found), found);
}
