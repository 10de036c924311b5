/*
 * What a session with NOTIFY (RFC 5465) watches, and when it looks. See notify_priv.h.
 */
#include "base/error.h"
#include "session/imap/fetch_priv.h"
#include "session/imap/notify_priv.h"

#include <stdlib.h>

/* --- accounts --- */

/* Others' notices are behind the directory's. */
enum { DIRECTORY_WATCH, FIRST_WATCH };

static int add_account(struct imap_session *session, const struct account_info *owner)
{
    struct notify *notify = session->notify;
    struct notify_account *account = &notify->accounts[notify->account_count];
    struct slice prefix = session_prefix_of(&session->arena, owner);
    if (!prefix.size)
        return ERROR_LIMIT;
    if (!notify_means_account(notify, prefix))
        return 0;
    char *kept = malloc(prefix.size);
    if (!kept)
        return ERROR_MEMORY;
    memcpy(kept, prefix.data, prefix.size);
    *account = (struct notify_account){
        .id = owner->id, .prefix = slice_make(kept, prefix.size), .stale = true};
    arena_init(&account->arena, NOTIFY_MEMORY_MAXIMUM);
    notify->account_count++;
    return 0;
}

static struct notify_account *find_account(struct notify *notify, struct account_id id)
{
    for (size_t i = 0; i < notify->account_count; i++)
        if (account_id_equal(notify->accounts[i].id, id) && !notify->accounts[i].gone)
            return &notify->accounts[i];
    return NULL;
}

/* With room for all who share something, and for two watches besides. */
static int make_room(struct notify *notify, size_t more)
{
    size_t count = notify->account_count + more;
    if (count > NOTIFY_ACCOUNTS_MAXIMUM)
        return ERROR_LIMIT;
    void *accounts = reallocarray(notify->accounts, count, sizeof(*notify->accounts));
    if (accounts)
        notify->accounts = accounts;
    void *watches = reallocarray(notify->watches, count + 2, sizeof(*notify->watches));
    if (watches)
        notify->watches = watches;
    return accounts && watches ? 0 : ERROR_MEMORY;
}

/* It is not when its mailboxes have other names now: renamed, or a shared account. */
static bool is_same(struct imap_session *session, const struct notify_account *account,
                    const struct account_info *owner)
{
    return account_id_equal(account->id, owner->id) &&
           slice_equal(account->prefix, session_prefix_of(&session->arena, owner));
}

/* Who shares nothing any more, or has another name, is looked at once more, and then forgotten. */
static void mark_gone(struct imap_session *session, const struct account_info *list, size_t count)
{
    struct notify *notify = session->notify;
    for (size_t i = 1; i < notify->account_count; i++) {
        struct notify_account *account = &notify->accounts[i];
        size_t k = 0;
        while (k < count && !is_same(session, account, &list[k]))
            k++;
        account->gone = k == count;
        account->stale |= account->gone;
    }
}

/* The directory has changed: others may share something. */
static int sync_directory(struct imap_session *session)
{
    struct notify *notify = session->notify;
    struct account_info *list;
    size_t count = 0;
    int error = session_sharers(session, &list, &count);
    if (error)
        return error;
    mark_gone(session, list, count);
    for (size_t i = 0; i < count && !error; i++) {
        if (find_account(notify, list[i].id))
            continue;
        error = make_room(notify, 1);
        if (!error)
            error = add_account(session, &list[i]);
    }
    if (!error)
        notify->directory_stale = false;
    return error;
}

static void forget_gone(struct notify *notify)
{
    size_t kept = 1;
    for (size_t i = 1; i < notify->account_count; i++) {
        struct notify_account *account = &notify->accounts[i];
        if (account->gone && !account->stale)
            notify_account_release(account);
        else
            notify->accounts[kept++] = *account;
    }
    notify->account_count = kept;
}

int notify_begin(struct notify *notify, struct account_id own)
{
    int error = make_room(notify, 1);
    if (error)
        return error;
    notify->accounts[0] = (struct notify_account){.id = own, .stale = true};
    notify->account_count = 1;
    arena_init(&notify->accounts[0].arena, NOTIFY_MEMORY_MAXIMUM);
    arena_init(&notify->server_arena, NOTIFY_MEMORY_MAXIMUM);
    range_set_init(&notify->arrived, SESSION_UID_RANGES_MAXIMUM);
    notify->directory_stale = notify->others;
    notify->beginning = true;
    return 0;
}

void notify_free(struct notify **notify)
{
    if (!*notify)
        return;
    for (size_t i = 0; i < (*notify)->account_count; i++)
        notify_account_release(&(*notify)->accounts[i]);
    free((*notify)->accounts);
    free((*notify)->watches);
    arena_release(&(*notify)->arena);
    arena_release(&(*notify)->server_arena);
    range_set_release(&(*notify)->arrived);
    free(*notify);
    *notify = NULL;
}

void notify_forget_command(struct imap_session *session)
{
    if (!session->notify)
        return;
    fetch_tell_end(&session->notify->telling);
    session->notify->own.mailbox = 0;
}

void notify_end(struct imap_session *session)
{
    notify_forget_command(session);
    notify_free(&session->notify);
    notify_watch(session);
}

/* --- what is watched --- */

/* It says who shares something, and has the annotations of the server. */
static bool watches_directory(const struct notify *notify)
{
    return notify->others || notify->events & IMAP_NOTIFY_SERVER_METADATA_CHANGE;
}

void notify_watch(struct imap_session *session)
{
    struct stream *stream = session->stream;
    struct mailbox_view *view = &session->mailbox;
    struct notify *notify = session->notify;
    bool selected = view->id && !session_is_own(session, view->account);
    uint64_t notice = selected ? store_account_notice(view->account) : 0;
    if (!notify || !watches_directory(notify)) {
        view->watch.notice = notice;
        stream->watched = &view->watch;
        stream->watched_count = selected;
        return;
    }
    size_t count = 0;
    notify->watches[count++] = (struct stream_watch){.notice = store_directory_notice()};
    for (size_t i = 1; i < notify->account_count; i++)
        notify->watches[count++] =
            (struct stream_watch){.notice = store_account_notice(notify->accounts[i].id)};
    if (selected && !find_account(notify, view->account))
        notify->watches[count++] = (struct stream_watch){.notice = notice};
    stream->watched = notify->watches;
    stream->watched_count = count;
}

static bool take_watch(struct stream_watch *watch)
{
    bool noticed = watch->noticed;
    watch->noticed = false;
    return noticed;
}

void notify_noticed(struct imap_session *session)
{
    struct notify *notify = session->notify;
    session->mailbox.watch.noticed = false;
    if (!notify)
        return;
    notify->accounts[0].stale |= session->stream->noticed;
    notify->server_stale |= session->stream->noticed;
    if (!watches_directory(notify))
        return;
    bool directory = take_watch(&notify->watches[DIRECTORY_WATCH]);
    notify->server_stale |= directory;
    notify->directory_stale |= directory && notify->others;
    for (size_t i = 1; i < notify->account_count; i++)
        notify->accounts[i].stale |= take_watch(&notify->watches[FIRST_WATCH + i - 1]);
}

/* --- the selected mailbox --- */

void notify_note_own(struct imap_session *session, struct account_id account, collection_id mailbox,
                     uint32_t first, uint32_t last, uint32_t count)
{
    if (session->notify)
        session->notify->own = (struct notify_arrived){account, mailbox, first, last, count};
}

static bool is_own_arrival(const struct imap_session *session, uint32_t uid)
{
    const struct notify_arrived *arrived = &session->notify->own;
    return arrived->mailbox == session->mailbox.id && uid >= arrived->first &&
           uid <= arrived->last && arrived->count == arrived->last - arrived->first + 1 &&
           account_id_equal(arrived->account, session->mailbox.account);
}

int notify_arrival(struct imap_session *session, uint32_t uid)
{
    struct notify *notify = session->notify;
    if (!notify || !notify->item_count || notify->beginning || is_own_arrival(session, uid))
        return 0;
    return range_set_add(&notify->arrived, uid, uid);
}

/* The client knows of it what it was told while it was selected. */
void notify_unselected(struct imap_session *session)
{
    struct mailbox_view *view = &session->mailbox;
    struct notify *notify = session->notify;
    if (!notify || !view->id)
        return;
    range_set_release(&notify->arrived);
    struct notify_account *account = find_account(notify, view->account);
    struct notify_mailbox *known = account ? notify_find(account, view->id) : NULL;
    if (!known)
        return;
    known->uid_next = view->uid_next;
    known->messages = range_set_size(&view->uids);
    known->modseq = modseq_known(view);
    known->counted = false;
    account->stale = true;
}

/* --- telling --- */

/* A failure of the storage is none of the client's: the next notice finds what was not told. */
static int sync_accounts(struct imap_session *session, enum progress *progress)
{
    struct notify *notify = session->notify;
    bool server = notify->accounts[0].stale || notify->server_stale;
    int error = notify->directory_stale ? sync_directory(session) : 0;
    for (size_t i = 0; i < notify->account_count && !error; i++) {
        if (!notify->accounts[i].stale)
            continue;
        error = notify_account_sync(session, &notify->accounts[i], progress);
        if (*progress == PROGRESS_AGAIN)
            return error;
    }
    if (!error && server)
        error = notify_server_sync(session);
    notify->server_stale = notify->server_stale && error;
    forget_gone(notify);
    return error;
}

enum progress notify_first(struct imap_session *session, int *error)
{
    enum progress progress = PROGRESS_DONE;
    *error = sync_accounts(session, &progress);
    return progress;
}

/* Commands that change what is told of mailboxes, wherever these are. */
static bool changes_mailboxes(enum imap_command_id id)
{
    return id == IMAP_CREATE || id == IMAP_DELETE || id == IMAP_RENAME || id == IMAP_SUBSCRIBE ||
           id == IMAP_UNSUBSCRIBE || id == IMAP_SETMETADATA;
}

/* What the session's command has done is compared while it is known whose it is. */
static void mark_own_changes(struct imap_session *session)
{
    struct notify *notify = session->notify;
    const struct imap_command *command = session->command;
    bool all = command && changes_mailboxes(command->id);
    for (size_t i = 0; i < notify->account_count; i++) {
        struct notify_account *account = &notify->accounts[i];
        account->stale |=
            all || (notify->own.mailbox && account_id_equal(account->id, notify->own.account));
    }
}

/* RFC 5465 section 5.8 */
static void overflow(struct imap_session *session)
{
    imap_write_status(session->out, session->language, SLICE("*"), "OK", "NOTIFICATIONOVERFLOW",
                      "There is too much to notify of");
    notify_end(session);
    session->tells = 0;
}

static enum progress tell_arrived(struct imap_session *session)
{
    struct notify *notify = session->notify;
    if (!notify->arrived.count)
        return PROGRESS_DONE;
    enum progress progress =
        fetch_tell(session, &notify->telling, notify->items, notify->item_count, &notify->arrived);
    if (progress == PROGRESS_DONE)
        range_set_release(&notify->arrived);
    return progress;
}

enum progress notify_sync(struct imap_session *session)
{
    struct notify *notify = session->notify;
    enum progress progress = PROGRESS_DONE;
    if (!notify || session->closing)
        return PROGRESS_DONE;
    if (notify->beginning) { /* the command's own sync, which told everything, is over */
        notify->beginning = false;
        session->tells = notify->tells;
        return PROGRESS_DONE;
    }
    if (tell_arrived(session) == PROGRESS_AGAIN)
        return PROGRESS_AGAIN;
    mark_own_changes(session);
    int error = sync_accounts(session, &progress);
    if (error == ERROR_LIMIT || error == ERROR_MEMORY)
        overflow(session);
    else if (session->notify)
        notify_watch(session);
    return error ? PROGRESS_DONE : progress;
}
