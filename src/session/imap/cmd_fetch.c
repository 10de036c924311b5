/*
 * FETCH (RFC 9051 sections 6.4.5 and 7.5.2), in slices: message by message, item by item, and a
 * long section piece by piece. Where it stands is in struct fetch_work; each slice opens a
 * snapshot of its own.
 *
 * \Seen: a response shows the flag as set, and one change at the end of the slice sets it for all
 * messages begun in the slice; no byte of the slice leaves before. (A slice without such a message
 * sends what it has written, and goes on while the client takes it.) A client that is told
 * modification sequences would need that change's, so it is told of the flag by the sync (RFC 7162
 * section 3.2.4).
 *
 * A message that others have expunged is left out. When the client named it by number, the answer
 * is NO with EXPUNGEISSUED after all that is there was sent (RFC 2180 section 4.1.2, RFC 5530).
 */
#include "base/error.h"
#include "session/imap/fetch_priv.h"
#include "store/thread.h"

int fetch_load_summary(struct fetch_slice *slice)
{
    const struct fetch_surrogate *surrogate = &slice->work->surrogate;
    if (slice->has_summary)
        return 0;
    int error = surrogate->active
                    ? summary_parse(buffer_slice(&surrogate->summary), &slice->summary)
                    : mailbox_summary(slice->snapshot, &slice->work->entry, &slice->encoded,
                                      &slice->summary);
    slice->has_summary = !error;
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

/* --- items --- */

static void write_uid(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    buffer_append(slice->session->out, SLICE("UID "));
    buffer_append_number(slice->session->out, slice->work->entry.uid);
}

static void write_flags(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    const struct entry *entry = &slice->work->entry;
    buffer_append(slice->session->out, SLICE("FLAGS "));
    flags_write(slice->session->out, &slice->flags, entry->flags, &entry->keywords,
                mailbox_snapshot_keywords(slice->snapshot));
}

static void write_date(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    buffer_append(slice->session->out, SLICE("INTERNALDATE "));
    date_write(slice->session->out, &slice->date, slice->work->entry.internal_date);
}

static void write_size(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    buffer_append(slice->session->out, SLICE("RFC822.SIZE "));
    buffer_append_number(slice->session->out, slice->work->entry.size);
}

/* RFC 8474 section 5.3. */
static void write_email_id(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    char id[OBJECT_ID_MAXIMUM];
    entry_email_id(&slice->work->entry, id);
    buffer_append_format(slice->session->out, "EMAILID (%s)", id);
}

static void write_thread_id(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    char id[OBJECT_ID_MAXIMUM];
    thread_id_format(slice->work->thread, id);
    buffer_append_format(slice->session->out, "THREADID (%s)", id);
}

/* RFC 8514 section 4.2. */
static void write_save_date(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    buffer_append(slice->session->out, SLICE("SAVEDATE "));
    imap_write_date(slice->session->out, slice->work->entry.save_date);
}

static struct slice structure_of(const struct summary *summary, enum imap_fetch_kind kind)
{
    return kind == IMAP_FETCH_ENVELOPE ? summary->envelope
           : kind == IMAP_FETCH_BODY   ? summary->body
                                       : summary->bodystructure;
}

/* ENVELOPE, BODY, BODYSTRUCTURE: ready-made in the summary. In a response that goes on in a later
 * slice the summary may fail: then the session must end, as these have no NIL. */
static void write_structure(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    struct buffer *out = slice->session->out;
    slice->work->broken = fetch_load_summary(slice);
    if (!slice->work->broken)
        slice->work->broken =
            fetch_surrogate_for_text(slice, structure_of(&slice->summary, item->kind));
    if (slice->work->broken)
        return;
    bool envelope = item->kind == IMAP_FETCH_ENVELOPE, body = item->kind == IMAP_FETCH_BODY;
    buffer_append_string(out, envelope ? "ENVELOPE " : body ? "BODY " : "BODYSTRUCTURE ");
    buffer_append(out, structure_of(&slice->summary, item->kind));
}

static void write_modseq(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    modseq_write(slice->session, &slice->work->entry);
}

/* RFC 8970 section 3.2: an empty string where there is nothing to show. */
static void write_preview(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    (void)item;
    slice->work->broken = fetch_load_summary(slice);
    if (slice->work->broken)
        return;
    buffer_append(slice->session->out, SLICE("PREVIEW "));
    imap_write_string(slice->session->out, slice->summary.preview);
}

static void (*const writers[])(struct fetch_slice *, const struct imap_fetch_item *) = {
    [IMAP_FETCH_UID] = write_uid,
    [IMAP_FETCH_FLAGS] = write_flags,
    [IMAP_FETCH_INTERNALDATE] = write_date,
    [IMAP_FETCH_RFC822_SIZE] = write_size,
    [IMAP_FETCH_ENVELOPE] = write_structure,
    [IMAP_FETCH_BODY] = write_structure,
    [IMAP_FETCH_BODYSTRUCTURE] = write_structure,
    [IMAP_FETCH_EMAILID] = write_email_id,
    [IMAP_FETCH_THREADID] = write_thread_id,
    [IMAP_FETCH_SAVEDATE] = write_save_date,
    [IMAP_FETCH_MODSEQ] = write_modseq,
    [IMAP_FETCH_PREVIEW] = write_preview,
    [IMAP_FETCH_BINARY] = binary_begin,
    [IMAP_FETCH_BINARY_SIZE] = binary_begin,
    [IMAP_FETCH_SECTION] = section_write,
    [IMAP_FETCH_ANNOTATION] = annotation_begin,
};

/* --- responses --- */

/* Begins the response to an entry. Not when its summary or thread, which an item cannot do without,
 * cannot be had: then it is left out. */
static void begin_message(struct fetch_slice *slice, const struct entry *entry)
{
    struct fetch_work *work = slice->work;
    work->entry = *entry;
    slice->has_summary = false;
    int error = work->needs_summary ? fetch_load_summary(slice) : 0;
    if (!error && work->needs_thread)
        error = entry_thread(slice->snapshot, entry, &work->thread);
    if (!error && work->needs_decoding && !binary_is_known(slice)) {
        work->unknown_encoding = true;
        return;
    }
    bool becomes_seen = !error && work->sets_seen && !(entry->flags & ENTRY_SEEN);
    work->became_seen = becomes_seen && work->shows_seen;
    if (work->became_seen)
        work->entry.flags |= ENTRY_SEEN;
    if (becomes_seen)
        error = range_set_add(&slice->seen, entry->uid, entry->uid);
    if (error) {
        work->failed = error;
        return;
    }
    view_announce_keywords(slice->session, slice->snapshot);
    view_write_fetch_head(slice->session, entry->uid);
    work->open = true;
    work->wrote = false;
    work->item = 0;
}

/* An item that has been begun. */
static bool is_under_way(const struct fetch_work *work)
{
    return work->binary.item || work->annotation.item || work->in_literal;
}

/* An item, with the space before it unless it writes nothing: an ANNOTATION without entries has no
 * form in the grammar. */
static void write_item(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    struct fetch_work *work = slice->work;
    struct buffer *out = slice->session->out;
    size_t before = out->size;
    if (work->wrote)
        buffer_append_byte(out, ' ');
    size_t begin = out->size;
    writers[item->kind](slice, item);
    if (out->size == begin && !is_under_way(work))
        buffer_truncate(out, before);
    else
        work->wrote = true;
}

static void end_message(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    if (!work->wrote) /* nor has a response without items */
        write_uid(slice, NULL);
    if (work->became_seen && !work->tells_flags) {
        buffer_append_byte(slice->session->out, ' ');
        write_flags(slice, NULL);
    }
    buffer_append(slice->session->out, SLICE(")\r\n"));
    slice->session->stream->fetched++;
    work->open = false;
    fetch_surrogate_release(work);
    slice->has_summary = false;
}

/* Writes items until the response is complete or the output long enough. */
static int write_message(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    while (is_under_way(work) || work->item < work->item_count) {
        if (work->binary.item) {
            binary_continue(slice);
        } else if (work->annotation.item) {
            annotation_continue(slice);
        } else if (work->in_literal) {
            int error = section_continue(slice);
            if (error)
                return error;
        } else {
            write_item(slice, &work->items[work->item++]);
            if (work->broken)
                return work->broken;
        }
        /* An item can take its time and write little: a header of which no field is wanted. */
        if (session_slice_over(slice->session))
            break;
    }
    if (!is_under_way(work) && work->item == work->item_count)
        end_message(slice);
    return 0;
}

/* --- slices --- */

static void slice_init(struct fetch_slice *slice, struct imap_session *session,
                       struct fetch_work *work, struct mailbox_snapshot *snapshot)
{
    *slice = (struct fetch_slice){.session = session, .work = work, .snapshot = snapshot};
    flags_cache_init(&slice->flags);
    range_set_init(&slice->seen, SESSION_UID_RANGES_MAXIMUM);
    buffer_init(&slice->encoded, SUMMARY_SIZE_MAXIMUM);
    buffer_init(&slice->header, SESSION_HEADER_MAXIMUM);
    buffer_init(&slice->filtered, SESSION_HEADER_MAXIMUM + 2);
}

static void slice_release(struct fetch_slice *slice)
{
    flags_cache_release(&slice->flags);
    range_set_release(&slice->seen);
    buffer_release(&slice->encoded);
    buffer_release(&slice->header);
    buffer_release(&slice->filtered);
}

/* What is told of \Seen waits for the change. */
static bool slice_is_over(struct fetch_slice *slice)
{
    return slice->seen.count ? session_slice_over(slice->session)
                             : session_slice_over_sent(slice->session);
}

/* ERROR_NOT_FOUND: all messages are done. */
static int write_messages(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    struct entry_walk walk;
    const struct entry *entry;
    uint32_t uid;
    int error = 0;
    entry_walk_init(&walk, slice->snapshot, work->uids, work->next_uid, work->since);
    walk.down = work->lowest != 0;
    /* One step at least: opening the snapshot may have taken the slice's time. */
    do {
        if (work->open) {
            if ((error = write_message(slice)) != 0)
                break;
            continue;
        }
        if ((error = entry_walk_next(&walk, &uid, &entry)) != 0)
            break;
        work->next_uid = walk.next_uid;
        if (entry)
            begin_message(slice, entry);
        else
            work->gone = true;
    } while (!slice_is_over(slice));
    entry_walk_release(&walk);
    return error;
}

static int set_seen(struct fetch_slice *slice)
{
    const struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    if (!slice->seen.count)
        return 0;
    return view_change_flags(slice->session, &slice->seen, &change, slice->work->shows_seen, NULL);
}

static int run_slice(struct imap_session *session, struct fetch_work *work)
{
    struct mailbox_snapshot *snapshot;
    struct fetch_slice slice;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    slice_init(&slice, session, work, snapshot);
    error = write_messages(&slice);
    mailbox_snapshot_close(&snapshot);
    int seen_error = set_seen(&slice);
    slice_release(&slice);
    if (seen_error)
        work->failed = seen_error;
    return error;
}

bool fetch_sets_seen(const struct imap_session *session)
{
    const struct imap_fetch *fetch = &session->command->fetch;
    bool seen = false;
    for (size_t i = 0; i < fetch->item_count; i++)
        seen |= (fetch->items[i].kind == IMAP_FETCH_SECTION ||
                 fetch->items[i].kind == IMAP_FETCH_BINARY) &&
                !fetch->items[i].peek;
    return seen && !session->mailbox.read_only && session->mailbox.rights & RIGHT_SEEN;
}

/* The UIDs asked about, '*' being the highest there was. */
static int find_vanished(struct imap_session *session, struct fetch_work *work)
{
    const struct imap_fetch *fetch = &session->command->fetch;
    struct mailbox_snapshot *snapshot;
    struct range_set known;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    uint32_t next = mailbox_snapshot_collection(snapshot)->uid_next;
    range_set_init(&known, SESSION_UID_RANGES_MAXIMUM);
    error = view_numbers(session, &fetch->set, next - 1, &known);
    if (!error)
        error = vanished_find(session, snapshot, fetch->changed_since, &known, &work->vanished);
    range_set_release(&known);
    mailbox_snapshot_close(&snapshot);
    return error;
}

static void release(struct imap_session *session)
{
    struct fetch_work *work = session->work;
    range_set_release(&work->vanished);
    range_set_release(&work->downgraded);
    binary_release(work);
    annotation_release(work);
    fetch_surrogate_release(work);
}

static bool begin_vanished(struct imap_session *session, struct fetch_work *work)
{
    if (!session->command->fetch.vanished)
        return true;
    if (!(session->enabled & ENABLED_QRESYNC)) {
        session_reply(session, "BAD", NULL, "QRESYNC is not enabled");
        return false;
    }
    int error = find_vanished(session, work);
    if (error)
        session_fail(session, error);
    return !error;
}

/* RFC 9394 section 3.3; CHANGEDSINCE is of what is left (section 3.4). Then what MESSAGELIMIT
 * leaves of it. */
static int narrow(struct imap_session *session, struct fetch_work *work)
{
    const struct imap_partial *partial = &session->command->fetch.partial;
    struct range_set part;
    int error = 0;
    range_set_init(&part, SESSION_UID_RANGES_MAXIMUM);
    if (partial->given)
        error = set_partial(&part, &session->uids, partial);
    if (partial->given && !error)
        set_take(&session->uids, &part);
    range_set_release(&part);
    if (!error)
        error = limit_uids(&session->uids, limit_messages(session), &work->lowest);
    return error;
}

static void look_at_items(struct fetch_work *work, const struct imap_fetch_item *items,
                          size_t count)
{
    work->items = items;
    work->item_count = count;
    work->next_uid = 1;
    for (size_t i = 0; i < count; i++) {
        enum imap_fetch_kind kind = items[i].kind;
        work->tells_flags |= kind == IMAP_FETCH_FLAGS;
        work->tells_modseq |= kind == IMAP_FETCH_MODSEQ;
        work->needs_thread |= kind == IMAP_FETCH_THREADID;
        work->needs_decoding |= kind == IMAP_FETCH_BINARY || kind == IMAP_FETCH_BINARY_SIZE;
        work->needs_summary |= kind == IMAP_FETCH_ENVELOPE || kind == IMAP_FETCH_BODY ||
                               kind == IMAP_FETCH_BODYSTRUCTURE || kind == IMAP_FETCH_PREVIEW;
    }
    work->needs_summary |= work->needs_decoding;
}

static bool begin(struct imap_session *session, struct fetch_work *work)
{
    const struct imap_fetch *fetch = &session->command->fetch;
    range_set_init(&work->vanished, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&work->downgraded, SESSION_UID_RANGES_MAXIMUM);
    session->release_work = release;
    if (limit_is_passed(session, &fetch->partial)) {
        limit_refuse(session, limit_messages(session), 0);
        return false;
    }
    if (!view_resolve_command(session, &fetch->set) || !begin_vanished(session, work))
        return false;
    int error = narrow(session, work);
    if (error) {
        session_fail(session, error);
        return false;
    }
    look_at_items(work, fetch->items, fetch->item_count);
    if (work->lowest)
        work->next_uid = range_set_last(&session->uids);
    work->uids = &session->uids;
    work->since = fetch->changed_since;
    if (work->tells_modseq)
        modseq_enable(session);
    work->sets_seen = fetch_sets_seen(session);
    work->shows_seen = !(session->enabled & ENABLED_CONDSTORE) || !(session->tells & TELLS_FLAGS);
    return true;
}

/* With CHANGEDSINCE, what is gone has not been looked at. */
static int find_gone(struct imap_session *session, struct fetch_work *work)
{
    struct mailbox_snapshot *snapshot;
    if (session->command->uid || !session->command->fetch.changed)
        return 0;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    error = view_some_gone(session, snapshot, &session->uids, &work->gone);
    mailbox_snapshot_close(&snapshot);
    return error;
}

/* "DOWNGRADED 70,105,108:109" (RFC 6858 section 3); NULL when there was no surrogate, or so many
 * that the line would be beyond reason. */
static const char *downgraded(struct imap_session *session, const struct fetch_work *work)
{
    struct buffer text;
    if (!work->downgraded.count || work->downgraded.count > SESSION_COPYUID_RANGES_MAXIMUM)
        return NULL;
    buffer_init(&text, (size_t)SESSION_COPYUID_RANGES_MAXIMUM * 22 + 64);
    buffer_append(&text, SLICE("DOWNGRADED "));
    imap_write_set(&text, &work->downgraded);
    const char *code =
        buffer_error(&text) ? NULL : arena_string(&session->arena, buffer_slice(&text));
    buffer_release(&text);
    return code;
}

static enum progress answer(struct imap_session *session, struct fetch_work *work)
{
    int error = find_gone(session, work);
    if (error && !work->failed)
        work->failed = error;
    if (work->failed)
        return session_fail(session, work->failed);
    if (work->no_part)
        return annotate_no_part(session);
    /* RFC 9738 section 3.1 wants OK where MESSAGELIMIT is told as well. */
    if (work->unknown_encoding)
        session_reply(session, "NO", "UNKNOWN-CTE", "A part's encoding is not known");
    else if (work->gone && !session->command->uid)
        session_reply(session, work->lowest ? "OK" : "NO", "EXPUNGEISSUED",
                      "Some messages are expunged");
    else
        session_reply(session, "OK", downgraded(session, work), "Fetch completed");
    return limit_tell(session, work->lowest);
}

enum progress cmd_fetch(struct imap_session *session)
{
    bool first = !session->work;
    struct fetch_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (first && !begin(session, work))
        return PROGRESS_DONE;
    if (work->vanished_written < work->vanished.count) {
        vanished_write(session, &work->vanished, &work->vanished_written, true);
        return PROGRESS_AGAIN;
    }
    int error = run_slice(session, work);
    if (error == 0)
        return PROGRESS_AGAIN;
    if (error == ERROR_NOT_FOUND && !work->open)
        return answer(session, work);
    if (work->open) /* in the middle of a response nothing else can be said */
        session->closing = true;
    return session_fail(session, error);
}

/* --- what nobody asked for now --- */

static void copy_item(struct arena *arena, const struct imap_fetch_item *from,
                      struct imap_fetch_item *to)
{
    *to = *from;
    to->label = arena_copy(arena, from->label);
    to->numbers = arena_alloc_array(arena, from->number_count, sizeof(*to->numbers));
    to->fields = arena_alloc_array(arena, from->field_count, sizeof(*to->fields));
    if (to->numbers && from->number_count)
        memcpy(to->numbers, from->numbers, from->number_count * sizeof(*to->numbers));
    for (size_t i = 0; i < from->field_count && to->fields; i++)
        to->fields[i] = arena_copy(arena, from->fields[i]);
}

int fetch_copy_items(struct arena *arena, const struct imap_fetch_item *items, size_t count,
                     struct imap_fetch_item **copy)
{
    *copy = arena_alloc_array(arena, count, sizeof(**copy));
    for (size_t i = 0; *copy && i < count; i++)
        copy_item(arena, &items[i], &(*copy)[i]);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

enum progress fetch_tell(struct imap_session *session, struct fetch_work **work,
                         const struct imap_fetch_item *items, size_t count,
                         const struct range_set *uids)
{
    if (!*work) {
        *work = arena_alloc(&session->arena, sizeof(**work));
        if (!*work)
            return PROGRESS_DONE;
        look_at_items(*work, items, count);
        (*work)->uids = uids;
    }
    int error = run_slice(session, *work);
    if (error == 0)
        return PROGRESS_AGAIN;
    if ((*work)->open) /* in the middle of a response nothing else can be said */
        session->closing = true;
    fetch_tell_end(work);
    return PROGRESS_DONE;
}

void fetch_tell_end(struct fetch_work **work)
{
    if (*work) {
        binary_release(*work);
        annotation_release(*work);
    }
    *work = NULL;
}
