/*
 * One account's mailboxes, compared with what the client knows of them; see notify_priv.h.
 *
 * A pass makes the records anew. When the slice is over, what has not been looked at keeps its old
 * record, and another pass goes on: what was told is in the records then.
 */
#include "base/error.h"
#include "session/imap/notify_priv.h"

#include <stdlib.h>

struct pass {
    struct imap_session *session;
    struct notify *notify;
    struct notify_account *account;
    bool own;
    struct store_view *view;
    struct arena listing;
    struct collection **now; /* by id */
    size_t now_count;
    struct arena arena; /* of the new records */
    struct notify_mailbox *made;
    size_t made_count;
    bool begun; /* one mailbox at least has been looked at */
};

/* --- reading --- */

static int compare_ids(const void *a, const void *b)
{
    const struct collection *const *left = a, *const *right = b;
    return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

/* An own name is as it is; others' special uses are none of this user's (RFC 6154 section 2). */
static void name_as_client(struct pass *pass, struct collection *mailbox)
{
    struct slice prefix = pass->account->prefix;
    if (pass->own)
        return;
    char *path = arena_alloc(&pass->listing, prefix.size + mailbox->path.size);
    if (!path)
        return;
    memcpy(path, prefix.data, prefix.size);
    memcpy(path + prefix.size, mailbox->path.data, mailbox->path.size);
    mailbox->path = slice_make(path, prefix.size + mailbox->path.size);
    mailbox->role = ROLE_NONE;
}

/* An account that is not there any more, or shares nothing, has no mailboxes. */
static int read_now(struct pass *pass)
{
    struct collection *list = NULL;
    int error = pass->account->gone
                    ? ERROR_NOT_FOUND
                    : session_view_of(pass->session, pass->account->id, &pass->view);
    if (!error)
        error = collection_list(pass->view, COLLECTION_MAILBOX, &pass->listing, &list,
                                &pass->now_count);
    if (error == ERROR_NOT_FOUND || error == ERROR_DENIED)
        error = 0;
    pass->now = arena_alloc_array(&pass->listing, pass->now_count, sizeof(struct collection *));
    if (error || !pass->now)
        return error ? error : ERROR_LIMIT;
    for (size_t i = 0; i < pass->now_count; i++) {
        name_as_client(pass, &list[i]);
        pass->now[i] = &list[i];
    }
    if (pass->now_count)
        qsort(pass->now, pass->now_count, sizeof(struct collection *), compare_ids);
    return arena_failed(&pass->listing) ? ERROR_LIMIT : 0;
}

static const struct collection *find_now(const struct pass *pass, collection_id id)
{
    const struct collection wanted = {.id = id}, *key = &wanted;
    struct collection **found = pass->now_count ? bsearch(&key, pass->now, pass->now_count,
                                                          sizeof(struct collection *), compare_ids)
                                                : NULL;
    return found ? *found : NULL;
}

struct notify_mailbox *notify_find(struct notify_account *account, collection_id id)
{
    size_t low = 0, high = account->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (account->mailboxes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < account->count && account->mailboxes[low].id == id ? &account->mailboxes[low]
                                                                    : NULL;
}

static bool is_selected(const struct pass *pass, collection_id id)
{
    return pass->session->mailbox.id == id &&
           account_id_equal(pass->session->mailbox.account, pass->account->id);
}

/* --- records --- */

/* Who hears of names and subscriptions needs to know them before the mailbox is meant. */
static bool is_kept(const struct pass *pass, const struct notify_mailbox *record)
{
    return record->events ||
           pass->notify->events & (IMAP_NOTIFY_MAILBOX_NAME | IMAP_NOTIFY_SUBSCRIPTION_CHANGE);
}

static int keep(struct pass *pass, const struct notify_mailbox *record)
{
    if (!is_kept(pass, record))
        return 0;
    struct notify_mailbox *kept = &pass->made[pass->made_count++];
    *kept = *record;
    kept->path = arena_copy(&pass->arena, record->path);
    return notify_entries_copy(&pass->arena, &record->entries, &kept->entries);
}

static struct notify_mailbox make_record(const struct pass *pass, const struct collection *now)
{
    return (struct notify_mailbox){
        .id = now->id,
        .parent = now->parent,
        .path = now->path,
        .events = notify_events_of(pass->notify, pass->own, now->path, now->subscribed),
        .subscribed = now->subscribed,
        .readable = now->rights & RIGHT_READ,
        .counted = true,
        .uid_validity = now->uid_validity,
        .uid_next = now->uid_next,
        .messages = now->messages,
        .unseen = now->unseen,
        .modseq = now->highest_modseq,
    };
}

/* Of a mailbox whose messages are told by its being selected, and of one that may not be read. */
static void take_counts(struct notify_mailbox *record, const struct notify_mailbox *from)
{
    record->counted = from->counted;
    record->uid_validity = from->uid_validity;
    record->uid_next = from->uid_next;
    record->messages = from->messages;
    record->unseen = from->unseen;
    record->modseq = from->modseq;
}

static int read_entries(struct pass *pass, struct notify_mailbox *record)
{
    if (!(record->events & IMAP_NOTIFY_MAILBOX_METADATA_CHANGE))
        return 0;
    return notify_entries_read(pass->view, record->id, &pass->listing, &record->entries);
}

/* --- telling --- */

static void tell_list(const struct pass *pass, const struct collection *mailbox,
                      const char *attribute, struct slice old_name)
{
    list_write_mailbox(pass->session, mailbox, attribute, old_name);
}

/* A mailbox that was made or has gone affects the one above it, too (section 5.4). */
static void tell_parent(const struct pass *pass, collection_id id)
{
    const struct collection *parent = id ? find_now(pass, id) : NULL;
    if (parent && notify_find(pass->account, id) &&
        notify_events_of(pass->notify, pass->own, parent->path, parent->subscribed) &
            IMAP_NOTIFY_MAILBOX_NAME)
        tell_list(pass, parent, NULL, SLICE(""));
}

/* What STATUS has of a mailbox whose messages are watched: section 3.1. */
static uint32_t first_items(uint32_t events)
{
    uint32_t items = 0;
    if (events & IMAP_NOTIFY_MESSAGE_NEW)
        items |= IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY;
    if (events & (IMAP_NOTIFY_FLAG_CHANGE | IMAP_NOTIFY_ANNOTATION_CHANGE))
        items |= IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_HIGHESTMODSEQ;
    return items;
}

/* Sections 5.1 to 5.3. */
static uint32_t changed_items(const struct pass *pass, const struct notify_mailbox *known,
                              const struct collection *now, uint32_t events)
{
    bool tells_modseq = pass->session->enabled & ENABLED_CONDSTORE;
    bool flags = events & (IMAP_NOTIFY_FLAG_CHANGE | IMAP_NOTIFY_ANNOTATION_CHANGE);
    uint32_t items = 0;
    if (known->uid_next != now->uid_next || known->messages != now->messages ||
        known->uid_validity != now->uid_validity)
        items |= IMAP_STATUS_UIDNEXT | IMAP_STATUS_MESSAGES |
                 (tells_modseq ? IMAP_STATUS_HIGHESTMODSEQ : 0);
    if (flags && tells_modseq && known->modseq != now->highest_modseq)
        items |= IMAP_STATUS_HIGHESTMODSEQ | IMAP_STATUS_UIDVALIDITY;
    if (flags && known->counted && known->unseen != now->unseen)
        items |= IMAP_STATUS_UNSEEN;
    if (flags && known->uid_validity != now->uid_validity)
        items |= IMAP_STATUS_UIDVALIDITY;
    return items;
}

static int tell_messages(struct pass *pass, struct notify_mailbox known,
                         const struct collection *now, uint32_t events)
{
    if (!(events & IMAP_NOTIFY_OF_MESSAGES))
        return 0;
    int error = notify_take_own_messages(pass->session, pass->account->id, &known, now);
    uint32_t items = error ? 0 : changed_items(pass, &known, now, events);
    return items ? status_write(pass->session, pass->account->id, now, items) : error;
}

/* --- what has become of a mailbox --- */

static int at_beginning(struct pass *pass, const struct notify_mailbox *record,
                        const struct collection *now)
{
    uint32_t items = first_items(record->events);
    if (items && !record->readable)
        tell_list(pass, now, "\\NoAccess", SLICE(""));
    else if (items && pass->notify->status && !is_selected(pass, now->id))
        return status_write(pass->session, pass->account->id, now, items);
    return 0;
}

static int appeared(struct pass *pass, const struct collection *now)
{
    struct notify_mailbox record = make_record(pass, now);
    int error = read_entries(pass, &record);
    if (!error && pass->notify->beginning) {
        error = at_beginning(pass, &record, now);
    } else if (!error) {
        if (record.events & IMAP_NOTIFY_MAILBOX_NAME &&
            !notify_is_own_name(pass->session, now->path)) {
            tell_list(pass, now, NULL, SLICE(""));
            tell_parent(pass, now->parent);
        }
        if (record.events & IMAP_NOTIFY_OF_MESSAGES && !record.readable)
            tell_list(pass, now, "\\NoAccess", SLICE(""));
        else if (now->messages && !is_selected(pass, now->id))
            error = tell_messages(
                pass, (struct notify_mailbox){.uid_next = 1, .uid_validity = now->uid_validity},
                now, record.events);
    }
    return error ? error : keep(pass, &record);
}

/* Of others' mailboxes nobody learns whether they are still there (section 5.9). */
static void disappeared(struct pass *pass, const struct notify_mailbox *known)
{
    const struct collection none = {.path = known->path};
    if (notify_is_own_deletion(pass->session, known->path))
        return;
    if (known->events & IMAP_NOTIFY_MAILBOX_NAME) {
        tell_list(pass, &none, pass->own ? "\\NonExistent" : "\\NonExistent \\NoAccess", SLICE(""));
        tell_parent(pass, known->parent);
    } else if (known->events & IMAP_NOTIFY_OF_MESSAGES && !pass->own) {
        tell_list(pass, &none, "\\NoAccess", SLICE(""));
    }
}

/* Children of a mailbox that was renamed have other paths, too, but no events (section 5.4). */
static bool is_renamed(const struct notify_mailbox *known, const struct collection *now)
{
    struct slice path = known->path;
    size_t begin = path.size;
    while (begin && path.data[begin - 1] != '/')
        begin--;
    return known->parent != now->parent ||
           !slice_equal(slice_sub(path, begin, SIZE_MAX), now->name);
}

/* Name, subscription and the right to read: one LIST says all of it. */
static void tell_facts(struct pass *pass, const struct notify_mailbox *known,
                       const struct notify_mailbox *record, const struct collection *now)
{
    uint32_t events = known->events | record->events;
    bool subscribed = known->subscribed;
    bool renamed = is_renamed(known, now) && events & IMAP_NOTIFY_MAILBOX_NAME &&
                   !notify_is_own_rename(pass->session, known->path, now->path);
    notify_is_own_subscription(pass->session, now->path, &subscribed);
    bool access = events & IMAP_NOTIFY_OF_MESSAGES && known->readable != record->readable;
    if (renamed || access ||
        (events & IMAP_NOTIFY_SUBSCRIPTION_CHANGE && subscribed != now->subscribed))
        tell_list(pass, now, access && !record->readable ? "\\NoAccess" : NULL,
                  renamed ? known->path : SLICE(""));
}

static int remained(struct pass *pass, const struct notify_mailbox *known,
                    const struct collection *now)
{
    struct notify_mailbox record = make_record(pass, now);
    int error = 0;
    bool same = known->modseq == now->highest_modseq;
    tell_facts(pass, known, &record, now);
    if (is_selected(pass, now->id) || !record.readable)
        take_counts(&record, known);
    else
        error = tell_messages(pass, *known, now, record.events);
    /* An annotation's change is one of the mailbox (RFC 7162 section 3.2). */
    if (same && known->events & record.events & IMAP_NOTIFY_MAILBOX_METADATA_CHANGE)
        record.entries = known->entries;
    else if (!error)
        error = read_entries(pass, &record);
    if (!error && known->events & record.events & IMAP_NOTIFY_MAILBOX_METADATA_CHANGE && !same)
        notify_entries_tell(pass->session, now->path, &known->entries, &record.entries);
    return error ? error : keep(pass, &record);
}

/* --- the pass --- */

/* At the end of the slice the rest is left as it was known. */
static int look_at(struct pass *pass, const struct notify_mailbox *known,
                   const struct collection *now, bool *over)
{
    *over = *over || (pass->begun && session_slice_over(pass->session));
    if (*over)
        return known ? keep(pass, known) : 0;
    pass->begun = true;
    if (known && now)
        return remained(pass, known, now);
    if (now)
        return appeared(pass, now);
    disappeared(pass, known);
    return 0;
}

static int merge(struct pass *pass, bool *over)
{
    const struct notify_account *account = pass->account;
    size_t i = 0, k = 0;
    int error = 0;
    while (!error && (i < account->count || k < pass->now_count)) {
        const struct notify_mailbox *known = i < account->count ? &account->mailboxes[i] : NULL;
        const struct collection *now = k < pass->now_count ? pass->now[k] : NULL;
        if (known && now && known->id < now->id)
            now = NULL;
        else if (known && now && known->id > now->id)
            known = NULL;
        error = look_at(pass, known, now, over);
        i += known != NULL;
        k += now != NULL;
    }
    return error ? error : arena_failed(&pass->arena) ? ERROR_LIMIT : 0;
}

static int run(struct pass *pass, bool *over)
{
    int error = read_now(pass);
    if (error)
        return error;
    pass->made = arena_alloc_array(&pass->arena, pass->account->count + pass->now_count,
                                   sizeof(*pass->made));
    return pass->made ? merge(pass, over) : ERROR_LIMIT;
}

static size_t memory_left(const struct notify *notify, const struct notify_account *account)
{
    size_t used = notify->server_arena.used;
    for (size_t i = 0; i < notify->account_count; i++)
        used += &notify->accounts[i] == account ? 0 : notify->accounts[i].arena.used;
    return used < NOTIFY_MEMORY_MAXIMUM ? NOTIFY_MEMORY_MAXIMUM - used : 0;
}

int notify_account_sync(struct imap_session *session, struct notify_account *account,
                        enum progress *progress)
{
    struct pass pass = {.session = session,
                        .notify = session->notify,
                        .account = account,
                        .own = session_is_own(session, account->id)};
    bool over = false;
    arena_init(&pass.listing, (size_t)session->stream->config->command_memory);
    arena_init(&pass.arena, memory_left(session->notify, account));
    int error = run(&pass, &over);
    if (error) {
        arena_release(&pass.arena);
    } else {
        arena_release(&account->arena);
        account->arena = pass.arena;
        account->mailboxes = pass.made;
        account->count = pass.made_count;
        account->stale = over;
    }
    arena_release(&pass.listing);
    *progress = over ? PROGRESS_AGAIN : PROGRESS_DONE;
    return error;
}

void notify_account_release(struct notify_account *account)
{
    arena_release(&account->arena);
    free((char *)account->prefix.data);
}
