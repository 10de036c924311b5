/*
 * STORE (RFC 9051 section 6.4.6). A large set is changed in parts of some thousand messages, each
 * one transaction, and answered part by part, so that no slice holds the account for long.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

enum { STORE_PART = 8192 /* messages changed in one transaction */ };

struct store_work {
    uint32_t next_uid; /* to go on with */
    uint32_t changed;  /* changed up to this UID, not yet answered from next_uid on */
    bool gone;         /* a message named by number was expunged by others */
    struct flag_change change;
};

static void begin(struct imap_session *session, struct store_work *work)
{
    const struct imap_command *command = session->command;
    static const enum flag_operation operations[] = {[IMAP_STORE_REPLACE] = FLAGS_REPLACE,
                                                     [IMAP_STORE_ADD] = FLAGS_ADD,
                                                     [IMAP_STORE_REMOVE] = FLAGS_REMOVE};
    work->change = (struct flag_change){
        .operation = operations[command->store.operation],
        .flags = command->store.flags.system,
        .keywords = command->store.flags.keywords,
        .keyword_count = command->store.flags.keyword_count,
        .unchanged_since = UINT64_MAX,
    };
    work->next_uid = 1;
}

/* Changes the next part of the set. */
static int change_part(struct imap_session *session, struct store_work *work)
{
    struct range_set *uids = &session->uids, part, limits;
    uint32_t first = range_set_next(uids, work->next_uid);
    uint32_t last = range_set_at(uids, range_set_position(uids, first) + STORE_PART - 1);
    if (!last)
        last = range_set_last(uids);
    range_set_init(&part, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&limits, 1);
    int error = range_set_add(&limits, first, last);
    if (!error)
        error = set_intersect(&part, uids, &limits);
    if (!error)
        error = view_change_flags(session, &part, &work->change);
    if (!error)
        work->changed = last;
    range_set_release(&limits);
    range_set_release(&part);
    return error;
}

static void write_flags(struct imap_session *session, struct flags_cache *cache,
                        const struct entry *entry, const struct keyword_names *names)
{
    struct buffer *out = session->out;
    buffer_append(out, SLICE("* "));
    number_write(out, range_set_position(&session->mailbox.uids, entry->uid));
    if (session->command->uid) {
        buffer_append(out, SLICE(" FETCH (UID "));
        number_write(out, entry->uid);
        buffer_append(out, SLICE(" FLAGS "));
    } else {
        buffer_append(out, SLICE(" FETCH (FLAGS "));
    }
    flags_write(out, cache, entry->flags, &entry->keywords, names);
    buffer_append(out, SLICE(")\r\n"));
}

/* The changed messages' flags as they are now, from next_uid on, until the slice is over; those of
 * one at least. */
static int answer_part(struct imap_session *session, struct store_work *work,
                       struct mailbox_snapshot *snapshot)
{
    struct flags_cache cache;
    struct entry_walk walk;
    const struct entry *entry;
    uint32_t uid;
    int error = 0;
    view_announce_keywords(session, snapshot);
    flags_cache_init(&cache);
    entry_walk_init(&walk, snapshot, &session->uids, work->next_uid);
    do {
        if ((error = entry_walk_next(&walk, &uid, &entry)) != 0)
            break;
        work->next_uid = uid + 1;
        if (entry)
            write_flags(session, &cache, entry, mailbox_snapshot_keywords(snapshot));
        else
            work->gone = true;
    } while (work->next_uid <= work->changed && !session_slice_over(session));
    entry_walk_release(&walk);
    flags_cache_release(&cache);
    return error;
}

static int answer_changed(struct imap_session *session, struct store_work *work)
{
    struct mailbox_snapshot *snapshot;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    if (session->command->store.silent) {
        view_announce_keywords(session, snapshot);
        error = view_some_gone(session, snapshot, &session->uids, &work->gone);
        work->next_uid = work->changed + 1;
    } else {
        error = answer_part(session, work, snapshot);
    }
    mailbox_snapshot_close(&snapshot);
    return error;
}

/* Messages named by number that others have expunged cannot be changed; those that are there have
 * been (RFC 2180 section 4.2.1). */
static enum progress answer_all(struct imap_session *session, const struct store_work *work)
{
    if (work->gone && !session->command->uid)
        return session_reply(session, "NO", "EXPUNGEISSUED", "Some messages are expunged");
    return session_ok(session, "Store completed");
}

enum progress cmd_store(struct imap_session *session)
{
    bool first = !session->work;
    struct store_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (first) {
        if (session->mailbox.read_only)
            return session_reply(session, "NO", NULL, "Mailbox is selected read-only");
        if (!view_resolve_command(session, &session->command->store.set))
            return PROGRESS_DONE;
        begin(session, work);
    }
    if (!range_set_next(&session->uids, work->next_uid))
        return answer_all(session, work);
    int error = work->next_uid > work->changed ? change_part(session, work) : 0;
    if (!error)
        error = answer_changed(session, work);
    return error ? session_fail(session, error) : PROGRESS_AGAIN;
}
