/*
 * The selected mailbox as the client knows it, and how the client learns what has changed.
 *
 * The client's sequence numbers are positions in mailbox->uids, so every change of that set is
 * told, in the order in which it is made: EXPUNGE takes one out, EXISTS appends. An expunge that
 * may not be told yet (RFC 9051 section 7.5.1) leaves the UID in the set: its number stays taken.
 *
 *     uids            what the client counts
 *     uid_next        below: known; from here on: not told yet
 *     modseq          arrivals and flag changes up to it have been told
 *     vanished_since  expunges up to it have been told; never more than the truth, so asking the
 *                     store again from there is always right, merely longer
 *
 * Nothing of it is looked at while nothing is committed: then told_changes stays the same.
 *
 * A sync that fills the output stops and goes on later; it may see a newer snapshot then. Arrivals
 * and its modseq are the first snapshot's, so nothing is missed; a change may be told twice.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "session/sieve/event.h"
#include "store/annotation.h"

void view_unselect(struct imap_session *session)
{
    notify_unselected(session);
    contexts_release(session);
    range_set_release(&session->mailbox.uids);
    range_set_release(&session->saved);
    session->mailbox = (struct mailbox_view){.uids = session->mailbox.uids};
    notify_watch(session);
}

int view_select(struct imap_session *session, struct account_id account,
                struct mailbox_snapshot *snapshot, bool read_only)
{
    const struct collection *now = mailbox_snapshot_collection(snapshot);
    struct mailbox_view *view = &session->mailbox;
    view_unselect(session);
    int error = mailbox_uids(snapshot, &view->uids);
    if (error) {
        view_unselect(session);
        return error;
    }
    const uint32_t changing = RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_DELETE_MESSAGES |
                              RIGHT_EXPUNGE | RIGHT_ANNOTATE;
    view->id = now->id;
    view->account = account;
    notify_watch(session);
    view->read_only = read_only || !(now->rights & changing);
    view->examined = read_only;
    view->rights = now->rights;
    view->uid_validity = now->uid_validity;
    view->uid_next = now->uid_next;
    view->modseq = view->vanished_since = now->highest_modseq;
    return 0;
}

void view_write_exists(struct imap_session *session)
{
    buffer_append_format(session->out, "* %u EXISTS\r\n", range_set_size(&session->mailbox.uids));
    if (!session_is_rev2(session))
        buffer_append(session->out, SLICE("* 0 RECENT\r\n"));
}

/* --- keywords --- */

static void append_keywords(struct buffer *out, const struct keyword_names *names)
{
    for (unsigned i = 0; i < names->count; i++) {
        buffer_append_byte(out, ' ');
        buffer_append(out, names->names[i]);
    }
}

void view_write_flag_lists(struct imap_session *session, const struct keyword_names *names)
{
    static const struct {
        uint32_t right;
        const char *name;
    } flags[] = {{RIGHT_WRITE, "\\Answered"},
                 {RIGHT_WRITE, "\\Flagged"},
                 {RIGHT_DELETE_MESSAGES, "\\Deleted"},
                 {RIGHT_SEEN, "\\Seen"},
                 {RIGHT_WRITE, "\\Draft"}};
    const struct mailbox_view *view = &session->mailbox;
    struct buffer *out = session->out;
    buffer_append(out, SLICE("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft"));
    append_keywords(out, names);
    buffer_append(out, SLICE(")\r\n* OK [PERMANENTFLAGS ("));
    const char *space = "";
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && !view->read_only; i++)
        if (view->rights & flags[i].right) {
            buffer_append_string(out, space);
            buffer_append_string(out, flags[i].name);
            space = " ";
        }
    if (!view->read_only && view->rights & RIGHT_WRITE) {
        append_keywords(out, names);
        if (names->count < KEYWORDS_MAXIMUM)
            buffer_append(out, SLICE(" \\*"));
    }
    buffer_append(out, SLICE(")] "));
    imap_write_text(out, session->language, "Flags that can be changed");
    session->mailbox.keywords = names->count;
}

void view_announce_keywords(struct imap_session *session, const struct mailbox_snapshot *snapshot)
{
    const struct keyword_names *names = mailbox_snapshot_keywords(snapshot);
    if (names->count != session->mailbox.keywords)
        view_write_flag_lists(session, names);
}

/* --- sync --- */

/* UIDs of the view that do not exist any more. */
static int find_gone(struct mailbox_view *view, struct mailbox_snapshot *snapshot,
                     struct range_set *gone)
{
    struct range_set uids;
    range_set_init(&uids, SESSION_UID_RANGES_MAXIMUM);
    int error = mailbox_vanished(snapshot, view->vanished_since, &uids);
    if (!error) {
        error = set_intersect(gone, &view->uids, &uids);
    } else if (error == ERROR_CANNOT_CALCULATE) {
        range_set_clear(&uids);
        error = mailbox_uids(snapshot, &uids);
        if (!error)
            error = set_subtract(gone, &view->uids, &uids);
    }
    range_set_release(&uids);
    return error;
}

static int remove_uids(struct mailbox_view *view, const struct range_set *uids)
{
    struct range_set left;
    range_set_init(&left, view->uids.maximum);
    int error = set_subtract(&left, &view->uids, uids);
    if (!error)
        set_take(&view->uids, &left);
    range_set_release(&left);
    return error;
}

static int write_vanished(struct imap_session *session, struct range_set *gone)
{
    size_t written = 0;
    if (vanished_write(session, gone, &written, false))
        return 0;
    return range_set_remove(gone, gone->ranges[written].first, UINT32_MAX - 1);
}

/* Writes EXPUNGE for each UID, in ascending order; what was told before shifts the numbers. UIDs
 * that did not fit into the slice are taken out of `gone`; the first always fits. */
static int write_expunges(struct imap_session *session, struct range_set *gone)
{
    if (session->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY))
        return write_vanished(session, gone);
    uint32_t told = 0, uid = range_set_next(gone, 1);
    for (; uid && (!told || !session_slice_over(session)); uid = range_set_next(gone, uid + 1)) {
        char line[NUMBER_MAXIMUM + 16], *end = line;
        memcpy(end, "* ", 2);
        end = number_put(end + 2, range_set_position(&session->mailbox.uids, uid) - told++);
        memcpy(end, " EXPUNGE\r\n", 10);
        buffer_append(session->out, slice_make(line, (size_t)(end + 10 - line)));
    }
    return uid ? range_set_remove(gone, uid, UINT32_MAX - 1) : 0;
}

static enum progress sync_expunges(struct imap_session *session, struct mailbox_snapshot *snapshot,
                                   int *error)
{
    struct mailbox_view *view = &session->mailbox;
    uint64_t modseq = mailbox_snapshot_collection(snapshot)->highest_modseq;
    if (view->vanished_since == modseq)
        return PROGRESS_DONE;
    struct range_set gone;
    range_set_init(&gone, SESSION_UID_RANGES_MAXIMUM);
    *error = find_gone(view, snapshot, &gone);
    uint32_t count = range_set_size(&gone);
    if (!*error && count)
        contexts_expunge(session, &gone);
    if (!*error && count)
        *error = write_expunges(session, &gone);
    bool all = range_set_size(&gone) == count;
    if (!*error && count)
        *error = remove_uids(view, &gone);
    range_set_release(&gone);
    if (!*error && all)
        view->vanished_since = modseq;
    return all || *error ? PROGRESS_DONE : PROGRESS_AGAIN;
}

/* Where nothing has been expunged there is nothing to tell: then modseq_known need not stay behind
 * because expunges may not be told now. */
static int sync_without_expunges(struct imap_session *session, struct mailbox_snapshot *snapshot)
{
    struct mailbox_view *view = &session->mailbox;
    uint64_t modseq = mailbox_snapshot_collection(snapshot)->highest_modseq;
    if (view->vanished_since == modseq)
        return 0;
    struct range_set gone;
    range_set_init(&gone, SESSION_UID_RANGES_MAXIMUM);
    int error = find_gone(view, snapshot, &gone);
    if (!error && !gone.count)
        view->vanished_since = modseq;
    else if (!error)
        contexts_expunge(session, &gone);
    range_set_release(&gone);
    return error;
}

/* Counts in the UIDs that the client does not know yet. */
static int sync_arrivals(struct imap_session *session, struct mailbox_snapshot *snapshot)
{
    struct mailbox_view *view = &session->mailbox;
    const struct collection *now = mailbox_snapshot_collection(snapshot);
    if (view->uid_next == now->uid_next)
        return 0;
    uint32_t before = range_set_size(&view->uids);
    struct entry_cursor cursor;
    struct entry entry;
    entry_cursor_init(&cursor, snapshot, view->uid_next, 0);
    int error;
    while ((error = entry_cursor_next(&cursor, &entry)) == 0)
        if ((error = range_set_add(&view->uids, entry.uid, entry.uid)) != 0 ||
            (error = notify_arrival(session, entry.uid)) != 0)
            break;
    entry_cursor_release(&cursor);
    if (error != ERROR_NOT_FOUND) {
        range_set_remove(&view->uids, view->uid_next, UINT32_MAX - 1);
        return error;
    }
    view->uid_next = now->uid_next;
    if (range_set_size(&view->uids) != before)
        view_write_exists(session);
    return 0;
}

static bool is_own(const struct imap_session *session, uint64_t modseq)
{
    size_t low = 0, high = session->own_change_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (session->own_changes[middle] < modseq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < session->own_change_count && session->own_changes[low] == modseq;
}

/* Whether the command itself has made this change, and its answer has told of it. One that changed
 * nothing may have remembered another session's, of other messages. */
static bool is_answered(const struct imap_session *session, const struct entry *entry)
{
    return is_own(session, entry->modseq) && range_set_contains(&session->uids, entry->uid);
}

/* A change that cannot be remembered is told once more than needed. */
static void remember_own(struct imap_session *session, uint64_t modseq)
{
    if (session->own_change_count == session->own_change_capacity) {
        size_t capacity = session->own_change_capacity ? session->own_change_capacity * 2 : 8;
        uint64_t *grown = arena_alloc_array(&session->arena, capacity, sizeof(*grown));
        if (!grown)
            return;
        if (session->own_change_count)
            memcpy(grown, session->own_changes, session->own_change_count * sizeof(*grown));
        session->own_changes = grown;
        session->own_change_capacity = capacity;
    }
    session->own_changes[session->own_change_count++] = modseq;
}

void view_write_fetch_head(struct imap_session *session, uint32_t uid)
{
    bool only_uids = session->enabled & ENABLED_UIDONLY;
    struct slice words = only_uids ? SLICE(" UIDFETCH (") : SLICE(" FETCH (");
    char line[NUMBER_MAXIMUM + 16] = "* ", *end = line + 2;
    end = number_put(end, only_uids ? uid : range_set_position(&session->mailbox.uids, uid));
    memcpy(end, words.data, words.size);
    buffer_append(session->out, slice_make(line, (size_t)(end - line) + words.size));
}

/* Leaves the response open. */
static void begin_flags(struct imap_session *session, struct flags_cache *cache,
                        const struct entry *entry, const struct keyword_names *names,
                        unsigned parts)
{
    struct buffer *out = session->out;
    bool modseq = session->enabled & ENABLED_CONDSTORE, uid = modseq || parts & TELL_UID;
    view_write_fetch_head(session, entry->uid);
    if (uid) {
        buffer_append(out, SLICE("UID "));
        buffer_append_number(out, entry->uid);
    }
    if (parts & TELL_FLAGS) {
        buffer_append_string(out, uid ? " FLAGS " : "FLAGS ");
        flags_write(out, cache, entry->flags, &entry->keywords, names);
    }
    if (modseq) {
        buffer_append_byte(out, ' ');
        modseq_write(session, entry);
    }
}

void view_write_flags(struct imap_session *session, struct flags_cache *cache,
                      const struct entry *entry, const struct keyword_names *names, unsigned parts)
{
    begin_flags(session, cache, entry, names, parts);
    buffer_append(session->out, SLICE(")\r\n"));
}

/* What another session has changed. */
static void write_change(struct imap_session *session, struct flags_cache *cache,
                         struct mailbox_snapshot *snapshot, const struct entry *entry)
{
    begin_flags(session, cache, entry, mailbox_snapshot_keywords(snapshot), TELL_UID | TELL_FLAGS);
    annotate_write_changed(session, snapshot, entry);
    buffer_append(session->out, SLICE(")\r\n"));
}

/* Flags that others changed. Arrivals since modseq are new to the client anyway. */
static enum progress sync_changes(struct imap_session *session, struct mailbox_snapshot *snapshot,
                                  int *error)
{
    struct mailbox_view *view = &session->mailbox;
    struct flags_cache cache;
    struct entry_cursor cursor;
    struct entry entry;
    flags_cache_init(&cache);
    entry_cursor_init(&cursor, snapshot, view->sync_uid, view->modseq);
    bool over = false;
    while (!over && (*error = entry_cursor_next(&cursor, &entry)) == 0) {
        bool changed = entry.created_modseq <= view->modseq && !is_answered(session, &entry) &&
                       range_set_contains(&view->uids, entry.uid);
        if (changed && session->tells & TELLS_FLAGS)
            write_change(session, &cache, snapshot, &entry);
        else if (changed && !view->muted_modseq)
            view->muted_modseq = view->modseq;
        view->sync_uid = entry.uid + 1;
        over = session_slice_over(session);
    }
    entry_cursor_release(&cursor);
    flags_cache_release(&cache);
    if (*error == ERROR_NOT_FOUND)
        *error = 0;
    return over ? PROGRESS_AGAIN : PROGRESS_DONE;
}

static void sync_done(struct mailbox_view *view)
{
    view->modseq = view->sync_modseq;
    view->sync_modseq = 0;
}

static enum progress sync_with(struct imap_session *session, struct mailbox_snapshot *snapshot,
                               bool expunges, int *error)
{
    struct mailbox_view *view = &session->mailbox;
    const struct collection *now = mailbox_snapshot_collection(snapshot);
    if (now->uid_validity != view->uid_validity) {
        *error = ERROR_NOT_FOUND;
        return PROGRESS_DONE;
    }
    if (expunges && sync_expunges(session, snapshot, error) == PROGRESS_AGAIN)
        return PROGRESS_AGAIN;
    if (!expunges)
        *error = sync_without_expunges(session, snapshot);
    if (*error || !(session->tells & TELLS_ARRIVALS) ||
        (view->modseq == now->highest_modseq && !view->sync_modseq))
        return PROGRESS_DONE;
    view_announce_keywords(session, snapshot);
    if (!view->sync_modseq) {
        *error = sync_arrivals(session, snapshot);
        if (*error)
            return PROGRESS_DONE;
        view->sync_modseq = now->highest_modseq;
        view->sync_uid = 1;
    }
    if (sync_changes(session, snapshot, error) == PROGRESS_AGAIN)
        return PROGRESS_AGAIN;
    if (!*error)
        sync_done(view);
    return PROGRESS_DONE;
}

void view_tell_muted(struct imap_session *session)
{
    struct mailbox_view *view = &session->mailbox;
    if (view->muted_modseq && view->muted_modseq < view->modseq)
        view->modseq = view->muted_modseq;
    view->muted_modseq = 0;
    view->told_changes = 0;
}

/* `changes` is of before the snapshot was taken. */
static void note_told(struct mailbox_view *view, const struct mailbox_snapshot *snapshot,
                      uint32_t changes)
{
    uint64_t modseq = mailbox_snapshot_collection(snapshot)->highest_modseq;
    bool all = view->modseq == modseq && view->vanished_since == modseq && !view->sync_modseq;
    view->told_changes = all ? changes : 0;
}

/* A mailbox that somebody deleted, or took the right to read from, cannot stay selected, and IMAP
 * has no other way to say so than to end the session (RFC 2180 section 3.2). After other failures
 * the next sync goes on from what was told. */
enum progress view_sync(struct imap_session *session, bool expunges)
{
    struct mailbox_view *view = &session->mailbox;
    if (!view->id)
        return PROGRESS_DONE;
    uint32_t changes = (uint32_t)store_account_changes(session->stream->store, view->account);
    if (changes && changes == view->told_changes)
        return PROGRESS_DONE;
    struct mailbox_snapshot *snapshot;
    int error = session_snapshot(session, &snapshot);
    enum progress progress = PROGRESS_DONE;
    if (!error) {
        progress = sync_with(session, snapshot, expunges, &error);
        if (!error)
            note_told(view, snapshot, changes);
        mailbox_snapshot_close(&snapshot);
    }
    if (error == ERROR_NOT_FOUND || error == ERROR_DENIED)
        session_bye(session, "The selected mailbox is not available any more");
    else if (error == ERROR_LIMIT || error == ERROR_MEMORY)
        session_bye(session, "The selected mailbox is too large for this session");
    return progress;
}

/* --- sequence sets --- */

static int compare_ranges(const void *a, const void *b)
{
    const struct imap_sequence_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* The set's numbers in order, '*' replaced by `last`. ERROR_INVALID for one beyond that, unless
 * lenient. */
static int collect_numbers(struct imap_session *session, const struct imap_sequence_set *set,
                           uint32_t last, bool lenient, struct range_set *numbers)
{
    struct imap_sequence_range *ranges =
        arena_alloc_array(&session->arena, set->count, sizeof(*ranges));
    if (!ranges)
        return ERROR_LIMIT;
    for (size_t i = 0; i < set->count; i++) {
        uint32_t a = set->ranges[i].first, b = set->ranges[i].last;
        a = a == IMAP_STAR ? last : a;
        b = b == IMAP_STAR ? last : b;
        ranges[i] = a < b ? (struct imap_sequence_range){a, b} : (struct imap_sequence_range){b, a};
        if (!lenient && (ranges[i].first == 0 || ranges[i].last > last))
            return ERROR_INVALID;
        if (ranges[i].first == 0) /* '*' of an empty mailbox */
            ranges[i].first = 1;
        if (ranges[i].last == UINT32_MAX) /* beyond any UID */
            ranges[i].last--;
    }
    qsort(ranges, set->count, sizeof(*ranges), compare_ranges);
    int error = 0;
    for (size_t i = 0; i < set->count && !error; i++)
        if (ranges[i].first <= ranges[i].last)
            error = range_set_add(numbers, ranges[i].first, ranges[i].last);
    return error;
}

int view_numbers(struct imap_session *session, const struct imap_sequence_set *set, uint32_t last,
                 struct range_set *numbers)
{
    if (set->saved_result)
        return range_set_copy(numbers, &session->saved);
    return collect_numbers(session, set, last, true, numbers);
}

int view_resolve(struct imap_session *session, const struct imap_sequence_set *set, bool uid,
                 bool lenient, struct range_set *uids)
{
    struct range_set *all = &session->mailbox.uids;
    if (set->saved_result)
        return set_intersect(uids, all, &session->saved);
    struct range_set numbers;
    range_set_init(&numbers, SESSION_UID_RANGES_MAXIMUM);
    uint32_t last = uid ? range_set_last(all) : range_set_size(all);
    int error = collect_numbers(session, set, last, lenient || uid, &numbers);
    if (!error)
        error = uid ? set_intersect(uids, all, &numbers) : set_at_positions(uids, all, &numbers);
    range_set_release(&numbers);
    return error;
}

bool view_resolve_command(struct imap_session *session, const struct imap_sequence_set *set)
{
    int error = view_resolve(session, set, session->command->uid, false, &session->uids);
    if (error == ERROR_INVALID)
        session_reply(session, "BAD", NULL, "No message has this sequence number");
    else if (error)
        session_fail(session, error);
    return !error;
}

/* --- what others have done meanwhile --- */

int view_some_gone(struct imap_session *session, struct mailbox_snapshot *snapshot,
                   const struct range_set *uids, bool *gone)
{
    struct range_set all, wanted;
    range_set_init(&all, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&wanted, SESSION_UID_RANGES_MAXIMUM);
    int error = find_gone(&session->mailbox, snapshot, &all);
    if (!error)
        error = set_intersect(&wanted, &all, uids);
    if (!error)
        *gone = wanted.count != 0;
    range_set_release(&all);
    range_set_release(&wanted);
    return error;
}

/* Whether one of the UIDs has been changed after `since`, but not by this command. *highest: the
 * mailbox's modseq at that moment. */
static int changed_by_others(struct imap_session *session, const struct range_set *uids,
                             uint64_t since, bool *changed, uint64_t *highest)
{
    struct mailbox_snapshot *snapshot;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    struct entry_cursor cursor;
    struct entry entry;
    *highest = mailbox_snapshot_collection(snapshot)->highest_modseq;
    *changed = false;
    entry_cursor_init(&cursor, snapshot, range_set_next(uids, 1), since);
    while (!*changed && (error = entry_cursor_next(&cursor, &entry)) == 0 &&
           entry.uid <= range_set_last(uids))
        *changed = !is_own(session, entry.modseq) && range_set_contains(uids, entry.uid);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* What is done to messages. */
struct view_change {
    const struct flag_change *flags; /* NULL: annotations */
    const struct annotation *annotations;
    size_t count;
    uint64_t unchanged_since;
};

static int apply(struct imap_session *session, struct store_view *view,
                 const struct range_set *uids, const struct view_change *change, uint64_t *modseq,
                 struct range_set *failed)
{
    collection_id mailbox = session->mailbox.id;
    if (!change->flags)
        return message_annotations_set(view, mailbox, uids, change->annotations, change->count,
                                       change->unchanged_since, modseq, failed);
    struct flag_change flags = *change->flags;
    flags.unchanged_since = change->unchanged_since;
    return mailbox_change_flags(view, mailbox, uids, &flags, modseq, failed);
}

/* Of the messages that have been left alone, since they had changed: those that the client did not
 * want left alone are changed now. What another session did to one after `highest`, the client has
 * not been told: then the sync tells it all. */
static int change_others(struct imap_session *session, struct store_view *view,
                         const struct range_set *others, const struct view_change *change,
                         uint64_t highest, bool *changed, struct range_set *failed)
{
    uint64_t modseq;
    int error = changed_by_others(session, others, highest, changed, &modseq);
    if (error)
        return error;
    return apply(session, view, others, change, &modseq, failed);
}

/* Changes what nobody has changed after `highest`, then the rest: between looking and changing
 * another session may have been there. When nothing changed, the modseq given is an older one, or
 * that of another session's change of other messages. */
static int change_as_own(struct imap_session *session, struct store_view *view,
                         const struct range_set *uids, const struct view_change *change,
                         uint64_t highest, struct range_set *failed)
{
    struct view_change guarded = *change;
    struct range_set others;
    uint64_t modseq = 0;
    bool changed = false;
    if (highest < guarded.unchanged_since)
        guarded.unchanged_since = highest;
    range_set_init(&others, SESSION_UID_RANGES_MAXIMUM);
    int error = apply(session, view, uids, &guarded, &modseq, &others);
    if (!error && others.count)
        error = change_others(session, view, &others, change, highest, &changed, failed);
    if (!error && !changed && modseq > highest)
        remember_own(session, modseq);
    range_set_release(&others);
    return error;
}

static int change_messages(struct imap_session *session, const struct range_set *uids,
                           const struct view_change *change, bool answered,
                           struct range_set *failed)
{
    bool changed = false;
    uint64_t modseq = 0, highest = 0;
    struct store_view *view;
    int error = session_selected_view(session, &view);
    if (!error && answered)
        error = changed_by_others(session, uids, session->mailbox.modseq, &changed, &highest);
    if (error)
        return error;
    if (answered && !changed)
        return change_as_own(session, view, uids, change, highest, failed);
    return apply(session, view, uids, change, &modseq, failed);
}

int view_change_annotations(struct imap_session *session, const struct range_set *uids,
                            const struct annotation *list, size_t count, uint64_t unchanged_since,
                            struct range_set *failed)
{
    const struct view_change change = {
        .annotations = list, .count = count, .unchanged_since = unchanged_since};
    return change_messages(session, uids, &change, true, failed);
}

int view_change_flags(struct imap_session *session, const struct range_set *uids,
                      const struct flag_change *change, bool answered, struct range_set *failed)
{
    struct buffer differences;
    struct flag_change told = *change;
    buffer_init(&differences, SESSION_DIFFERENCES_MAXIMUM);
    told.differences = &differences;
    told.differences_always = event_of_site(session->stream->store);
    const struct view_change made = {.flags = &told, .unchanged_since = change->unchanged_since};
    int error = change_messages(session, uids, &made, answered, failed);
    if (!error)
        events_flagged(session, &differences);
    buffer_release(&differences);
    return error;
}
