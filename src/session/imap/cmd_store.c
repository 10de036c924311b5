/*
 * STORE (RFC 9051 section 6.4.6; UNCHANGEDSINCE: RFC 7162 section 3.1.3; ANNOTATION: RFC 5257
 * section 4.5). A large set is changed in parts of some thousand messages, each one transaction,
 * and answered part by part, so that no slice holds the account for long. MESSAGELIMIT has them
 * done from the highest UID down.
 *
 * A message has one modification sequence for all its flags, so a change of any flag holds back a
 * conditional change of another.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "store/annotation.h"

enum {
    STORE_PART = 8192,          /* messages changed in one transaction */
    STORE_ANNOTATED_PART = 512, /* the same of annotations, which are a record each */
};

struct store_work {
    uint32_t next_uid;       /* to go on with */
    uint32_t changed;        /* changed up to this UID, not yet answered from next_uid on */
    uint32_t lowest;         /* MESSAGELIMIT: down to this UID; 0: all, upwards */
    bool gone;               /* a message named by number was expunged by others */
    struct range_set failed; /* UIDs that UNCHANGEDSINCE held back */
    struct flag_change change;
    struct annotation *annotations; /* else these are set; in the command's arena */
    size_t annotation_count;
};

static void release(struct imap_session *session)
{
    struct store_work *work = session->work;
    range_set_release(&work->failed);
}

/* False: the reply is set. */
static bool begin(struct imap_session *session, struct store_work *work)
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
        .unchanged_since = command->store.conditional ? command->store.unchanged_since : UINT64_MAX,
    };
    int error = limit_uids(&session->uids, limit_messages(session), &work->lowest);
    work->next_uid = work->lowest ? range_set_last(&session->uids) : 1;
    work->changed = work->lowest ? UINT32_MAX : 0;
    range_set_init(&work->failed, SESSION_UID_RANGES_MAXIMUM);
    session->release_work = release;
    if (command->store.conditional)
        modseq_enable(session);
    if (error)
        session_fail(session, error);
    return !error;
}

/* ERROR_INVALID: an annotation is of a body part that one of the messages does not have. */
static int check_parts(struct imap_session *session, const struct store_work *work,
                       const struct range_set *part)
{
    struct mailbox_snapshot *snapshot;
    struct entry_walk walk;
    struct buffer encoded;
    struct summary summary;
    const struct entry *entry;
    uint32_t uid;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    entry_walk_init(&walk, snapshot, part, 1, 0);
    while (!error && !(error = entry_walk_next(&walk, &uid, &entry))) {
        if (!entry)
            continue;
        error = mailbox_summary(snapshot, entry, &encoded, &summary);
        if (!error && !annotate_has_parts(&summary, work->annotations, work->annotation_count))
            error = ERROR_INVALID;
    }
    entry_walk_release(&walk);
    buffer_release(&encoded);
    mailbox_snapshot_close(&snapshot);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static bool is_of_parts(const struct store_work *work)
{
    for (size_t i = 0; i < work->annotation_count; i++)
        if (annotate_is_of_part(work->annotations[i].name))
            return true;
    return false;
}

static int change(struct imap_session *session, struct store_work *work,
                  const struct range_set *part)
{
    struct range_set failed;
    range_set_init(&failed, SESSION_UID_RANGES_MAXIMUM);
    int error = work->annotations ? view_change_annotations(session, part, work->annotations,
                                                            work->annotation_count,
                                                            work->change.unchanged_since, &failed)
                                  : view_change_flags(session, part, &work->change, true, &failed);
    for (size_t i = 0; i < failed.count && !error; i++)
        error = range_set_add(&work->failed, failed.ranges[i].first, failed.ranges[i].last);
    range_set_release(&failed);
    return error;
}

/* The next UID to be done, or 0. */
static uint32_t next_uid(const struct imap_session *session, const struct store_work *work)
{
    return work->lowest ? range_set_previous(&session->uids, work->next_uid)
                        : range_set_next(&session->uids, work->next_uid);
}

/* Whether the part has been told of. */
static bool is_answered(const struct store_work *work)
{
    return work->lowest ? work->next_uid < work->changed : work->next_uid > work->changed;
}

/* The UIDs of the next part. */
static void find_part(struct imap_session *session, const struct store_work *work, uint32_t *first,
                      uint32_t *last)
{
    struct range_set *uids = &session->uids;
    uint32_t most = work->annotations ? STORE_ANNOTATED_PART : STORE_PART;
    *first = *last = next_uid(session, work);
    uint32_t position = range_set_position(uids, *first);
    if (work->lowest) {
        *first = range_set_at(uids, position > most ? position - most + 1 : 1);
        return;
    }
    *last = range_set_at(uids, position + most - 1);
    if (!*last)
        *last = range_set_last(uids);
}

/* Changes the next part of the set. */
static int change_part(struct imap_session *session, struct store_work *work)
{
    struct range_set *uids = &session->uids, part, limits;
    uint32_t first, last;
    find_part(session, work, &first, &last);
    range_set_init(&part, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&limits, 1);
    int error = range_set_add(&limits, first, last);
    if (!error)
        error = set_intersect(&part, uids, &limits);
    if (!error && is_of_parts(work))
        error = check_parts(session, work, &part);
    if (!error)
        error = change(session, work, &part);
    if (!error)
        work->changed = work->lowest ? first : last;
    range_set_release(&limits);
    range_set_release(&part);
    return error;
}

/* Whether the client is told about each message: also with .SILENT, when it is told modification
 * sequences (RFC 7162 sections 3.1.3 and 3.1.4.2). */
static bool tells_each(const struct imap_session *session)
{
    return !session->command->store.silent || session->enabled & ENABLED_CONDSTORE;
}

/* A message that was left alone is told about as it is, unless the sync does (RFC 7162
 * section 3.1.3, example 6). */
static void answer_one(struct imap_session *session, const struct store_work *work,
                       struct flags_cache *cache, const struct entry *entry,
                       const struct keyword_names *names)
{
    const struct imap_command *command = session->command;
    bool failed = range_set_contains(&work->failed, entry->uid);
    unsigned parts = command->uid ? TELL_UID : 0;
    if (failed && entry->modseq > session->mailbox.modseq)
        return;
    if (failed || !command->store.silent)
        parts |= TELL_FLAGS;
    view_write_flags(session, cache, entry, names, parts);
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
    entry_walk_init(&walk, snapshot, &session->uids, work->next_uid, 0);
    walk.down = work->lowest != 0;
    do {
        if ((error = entry_walk_next(&walk, &uid, &entry)) != 0)
            break;
        work->next_uid = walk.next_uid;
        if (entry)
            answer_one(session, work, &cache, entry, mailbox_snapshot_keywords(snapshot));
        else
            work->gone = true;
    } while (!is_answered(work) && !session_slice_over_sent(session));
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
    if (tells_each(session)) {
        error = answer_part(session, work, snapshot);
    } else {
        view_announce_keywords(session, snapshot);
        error = view_some_gone(session, snapshot, &session->uids, &work->gone);
        work->next_uid = work->lowest ? work->changed - 1 : work->changed + 1;
    }
    mailbox_snapshot_close(&snapshot);
    return error;
}

/* "MODIFIED 7,9" in the arena: numbers, or UIDs of UID STORE. NULL: too many ranges. */
static const char *modified(struct imap_session *session, struct store_work *work)
{
    struct range_set numbers;
    struct buffer text;
    range_set_init(&numbers, SESSION_MODIFIED_RANGES_MAXIMUM);
    buffer_init(&text, (size_t)SESSION_MODIFIED_RANGES_MAXIMUM * 22 + 16);
    int error = session->command->uid
                    ? range_set_copy(&numbers, &work->failed)
                    : set_positions(&numbers, &session->mailbox.uids, &work->failed);
    buffer_append(&text, SLICE("MODIFIED "));
    imap_write_set(&text, &numbers);
    const char *code =
        error || buffer_error(&text) ? NULL : arena_string(&session->arena, buffer_slice(&text));
    range_set_release(&numbers);
    buffer_release(&text);
    return code;
}

static enum progress answer_modified(struct imap_session *session, struct store_work *work)
{
    const char *code = modified(session, work);
    if (!code)
        return session_fail(session, ERROR_LIMIT);
    if (work->gone && !session->command->uid)
        return session_reply(session, "NO", code, "Some messages are expunged, others changed");
    return session_reply(session, "OK", code, "Some messages have changed and were left alone");
}

/* Messages named by number that others have expunged cannot be changed; those that are there have
 * been (RFC 2180 section 4.2.1). */
static enum progress answer_all(struct imap_session *session, struct store_work *work)
{
    if (work->failed.count)
        answer_modified(session, work);
    else if (work->gone && !session->command->uid)
        session_reply(session, work->lowest ? "OK" : "NO", "EXPUNGEISSUED",
                      "Some messages are expunged"); /* RFC 9738 section 3.1 */
    else
        session_ok(session, "Store completed");
    return limit_tell(session, work->lowest);
}

/* Private annotations may be set without a right to change anything else (RFC 5257 section 3.4),
 * but nothing may after EXAMINE (RFC 9051 section 6.3.3). */
static bool may_change(struct imap_session *session)
{
    const struct mailbox_view *view = &session->mailbox;
    bool may = session->command->store.annotates ? !view->examined : !view->read_only;
    if (!may)
        session_reply(session, "NO", NULL, "Mailbox is selected read-only");
    return may;
}

/* Annotations of the parts of the set before the one that failed stay as they were set. */
static enum progress fail(struct imap_session *session, const struct store_work *work, int error)
{
    if (!work->annotations)
        return session_fail(session, error);
    return error == ERROR_INVALID ? annotate_no_part(session) : annotate_fail(session, error);
}

enum progress cmd_store(struct imap_session *session)
{
    bool first = !session->work;
    struct store_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (first) {
        if (!may_change(session) || !view_resolve_command(session, &session->command->store.set) ||
            (session->command->store.annotates &&
             !annotate_make_list(session, &session->command->store.annotations, &work->annotations,
                                 &work->annotation_count)) ||
            !begin(session, work))
            return PROGRESS_DONE;
    }
    if (!next_uid(session, work))
        return answer_all(session, work);
    int error = is_answered(work) ? change_part(session, work) : 0;
    if (!error)
        error = answer_changed(session, work);
    return error ? fail(session, work, error) : PROGRESS_AGAIN;
}
