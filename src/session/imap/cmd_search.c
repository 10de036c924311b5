/*
 * SEARCH, SORT, THREAD and their UID forms, and ESEARCH (RFC 7377) (RFC 9051 section 6.4.4, RFC
 * 5256; ESEARCH: RFC 4731; SEARCHRES: RFC 5182; PARTIAL: RFC 9394; ESORT, UPDATE: RFC 5267; MODSEQ:
 * RFC 7162), in slices: first the messages are tried one by one, then the response is written,
 * however long it is.
 */
#include "base/clock.h"
#include "base/error.h"
#include "session/imap/context_priv.h"

enum search_stage { STAGE_MATCH, STAGE_HEAD, STAGE_NUMBERS, STAGE_END, STAGE_OPEN };

struct search_work {
    enum search_stage stage;
    struct search_filters filters;
    struct search_node root;
    uint32_t next_uid;
    struct range_set part;  /* of what was found, what PARTIAL returns; as found */
    struct range_set found; /* UIDs; then the numbers of the response */
    size_t written;         /* of the response: ranges of ESEARCH, numbers of SORT */
    struct sort_list sorted;
    struct thread_tree tree;
    uint32_t next_number;
    bool failed;
    uint64_t first_modseq, last_modseq, highest_modseq; /* of those found */
    uint64_t part_modseq;
    size_t part_first, part_end; /* of SORT: the part's indexes */
    struct context_state begun;
    bool not_updated;
    uint32_t searched, lowest; /* MESSAGELIMIT: how many are tried, down to which; 0: all */
    bool refused;              /* there are too many */
    /* of ESEARCH */
    struct search_targets targets;
    size_t target;            /* the one that is searched */
    bool stands_in;           /* it is not the selected one: */
    struct mailbox_view view; /* of it, as if it was selected */
    uint64_t told; /* when the client was last told how far it is; monotonic microseconds */
};

static bool is_sort(const struct imap_session *session)
{
    return session->command->id == IMAP_SORT;
}

static bool is_thread(const struct imap_session *session)
{
    return session->command->id == IMAP_THREAD;
}

static bool is_multi(const struct imap_session *session)
{
    return session->command->id == IMAP_ESEARCH;
}

static void release(struct imap_session *session)
{
    struct search_work *work = session->work;
    range_set_release(&work->found);
    range_set_release(&work->part);
    range_set_release(&work->view.uids);
    sort_list_release(&work->sorted);
    thread_tree_release(&work->tree);
}

/* Only messages that all top-level sets name need to be tried. */
static int narrow(struct imap_session *session, const struct search_node *root)
{
    int error = range_set_copy(&session->uids, &session->mailbox.uids);
    for (size_t i = 0; i < root->child_count && !error; i++) {
        const struct search_node *node = &root->children[i];
        if (node->key->kind != IMAP_SEARCH_SEQUENCE && node->key->kind != IMAP_SEARCH_UID)
            continue;
        struct range_set both;
        range_set_init(&both, SESSION_UID_RANGES_MAXIMUM);
        error = set_intersect(&both, &session->uids, &node->uids);
        if (!error)
            set_take(&session->uids, &both);
        range_set_release(&both);
    }
    return error;
}

static void begin_sort(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    sort_list_remember(&work->sorted, session->mailbox.account, session->mailbox.id, search->sort,
                       search->sort_count);
}

/* RFC 9738: of too many the highest are searched; to sort, to thread, and in several mailboxes, all
 * are needed (section 3.3). */
static int limit(struct imap_session *session, struct search_work *work)
{
    uint32_t maximum = limit_messages(session), size = range_set_size(&session->uids);
    bool all = is_sort(session) || is_thread(session) || work->targets.count > 1;
    work->refused = limit_is_passed(session, &session->command->search.partial) ||
                    (all && size > maximum - work->searched);
    work->searched += size;
    return work->refused ? ERROR_LIMIT : limit_uids(&session->uids, maximum, &work->lowest);
}

static int begin(struct imap_session *session, struct search_work *work)
{
    struct mailbox_snapshot *snapshot;
    size_t memory = (size_t)session->stream->config->command_memory;
    range_set_init(&work->found, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&work->part, SESSION_UID_RANGES_MAXIMUM);
    sort_list_init(&work->sorted, memory);
    if (is_thread(session))
        thread_tree_init(&work->tree, memory, session->mailbox.account, session->mailbox.id);
    session->release_work = release;
    if (is_sort(session))
        begin_sort(session, work);
    int error = filters_expand(session, &session->command->search, &work->filters);
    if (!error)
        error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    error = search_prepare(session, &work->filters.key, mailbox_snapshot_keywords(snapshot),
                           &work->root);
    work->begun = (struct context_state){mailbox_snapshot_collection(snapshot)->highest_modseq,
                                         session->mailbox.uid_next};
    mailbox_snapshot_close(&snapshot);
    work->next_uid = 1;
    work->told = clock_monotonic_us();
    if (work->filters.modseq)
        modseq_enable(session);
    if (!error)
        error = narrow(session, &work->root);
    return error ? error : limit(session, work);
}

static int add_found(struct search_slice *slice, struct search_work *work,
                     const struct entry *entry)
{
    const struct imap_search *search = &slice->session->command->search;
    int error = 0;
    if (is_sort(slice->session))
        error = sort_add(slice, &work->sorted, search->sort, search->sort_count);
    else if (is_thread(slice->session))
        error = thread_tree_add(slice, &work->tree, search->algorithm);
    if (error)
        return error;
    if (!work->found.count)
        work->first_modseq = entry->modseq;
    work->last_modseq = entry->modseq;
    if (work->highest_modseq < entry->modseq)
        work->highest_modseq = entry->modseq;
    return range_set_add(&work->found, entry->uid, entry->uid);
}

/* ERROR_NOT_FOUND: all were tried. Others' expunged messages do not match. */
static int match_entries(struct search_slice *slice, struct search_work *work)
{
    struct imap_session *session = slice->session;
    struct entry_walk walk;
    const struct entry *entry;
    uint32_t uid, with = 0, without = 0;
    int error = 0;
    search_find_flags(&work->root, &with, &without);
    entry_walk_init(&walk, slice->snapshot, &session->uids, work->next_uid, 0);
    entry_walk_pass(&walk, with, without);
    /* One at least: opening the snapshot may have taken the slice's time. */
    while ((error = entry_walk_next(&walk, &uid, &entry)) == 0) {
        work->next_uid = uid + 1;
        if (entry && search_matches(slice, &work->root, entry) &&
            (error = add_found(slice, work, entry)) != 0)
            break;
        if (session_slice_over(session))
            break;
    }
    entry_walk_release(&walk);
    return error;
}

/* How far the search is, every now and then (RFC 9585). */
static void tell_progress(struct imap_session *session, struct search_work *work)
{
    const char *quote = strchr(session->tag, ']') ? "" : "\"";
    uint32_t next = range_set_next(&session->uids, work->next_uid);
    uint64_t now = clock_monotonic_us();
    if (!next || now - work->told < SESSION_PROGRESS_SECONDS * UINT64_C(1000000))
        return;
    work->told = now;
    buffer_append_format(
        session->out, "* OK [INPROGRESS (%s%s%s %u %u)] ", quote, *quote ? session->tag : "NIL",
        quote, range_set_position(&session->uids, next) - 1, range_set_size(&session->uids));
    imap_write_text(session->out, session->language, "Searching");
}

/* Whether what is remembered takes the room: without it there may be enough. */
static bool forget(struct imap_session *session, struct search_work *work)
{
    if (is_thread(session))
        return thread_tree_forget(&work->tree);
    if (!is_sort(session) || !work->sorted.remembers)
        return false;
    sort_list_release(&work->sorted);
    return true;
}

static int begin_again(struct search_work *work)
{
    range_set_release(&work->found);
    range_set_init(&work->found, SESSION_UID_RANGES_MAXIMUM);
    work->first_modseq = work->last_modseq = work->highest_modseq = 0;
    work->next_uid = 1;
    return 0;
}

static int match(struct imap_session *session, struct search_work *work)
{
    struct mailbox_snapshot *snapshot;
    struct search_slice slice;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_CLOSED : error;
    search_slice_init(&slice, session, snapshot);
    error = match_entries(&slice, work);
    work->failed |= slice.failed;
    if (error == ERROR_LIMIT && forget(session, work))
        error = begin_again(work);
    search_slice_release(&slice);
    mailbox_snapshot_close(&snapshot);
    if (error != ERROR_NOT_FOUND) {
        tell_progress(session, work);
        return error;
    }
    work->stage = STAGE_HEAD;
    return 0;
}

/* --- what is saved --- */

static void find_ends(struct imap_session *session, const struct search_work *work, uint32_t *first,
                      uint32_t *last)
{
    const struct sort_list *sorted = &work->sorted;
    *first = range_set_next(&work->found, 1);
    *last = range_set_last(&work->found);
    if (is_sort(session) && sorted->count) {
        *first = sort_items(sorted)[0].uid;
        *last = sort_items(sorted)[sorted->count - 1].uid;
    }
}

/* With MIN, MAX or PARTIAL, and without what needs all, "$" is those alone (RFC 5182 section 2.4,
 * RFC 9394 section 3.2). */
static int save(struct imap_session *session, const struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    bool some = search->return_min || search->return_max || search->partial.given;
    if (!search->return_save)
        return 0;
    if (!some || search->return_all || search->return_count)
        return range_set_copy(&session->saved, &work->found);
    uint32_t first, last;
    find_ends(session, work, &first, &last);
    int error = range_set_copy(&session->saved, &work->part);
    if (first && search->return_min && !error)
        error = range_set_add(&session->saved, first, first);
    if (last && search->return_max && !error)
        error = range_set_add(&session->saved, last, last);
    return error;
}

static enum progress fail(struct imap_session *session, int error)
{
    const struct search_work *work = session->work;
    if (session->command->search.return_save)
        range_set_release(&session->saved);
    if (work && work->refused)
        return limit_refuse(session, limit_messages(session), 0);
    if (!work || !work->filters.undefined.size)
        return session_fail(session, error);
    char code[sizeof("UNDEFINED-FILTER ") + 200];
    snprintf(code, sizeof(code), "UNDEFINED-FILTER %.*s",
             SLICE_FORMAT(slice_sub(work->filters.undefined, 0, 200)));
    return session_reply(session, "NO", arena_string(&session->arena, slice_from_string(code)),
                         "There is no such filter");
}

/* --- the response --- */

/* ESEARCH answers when RETURN was given, and SEARCH always in IMAP4rev2 (RFC 9051
 * section 6.4.4). */
static bool is_extended(const struct imap_session *session)
{
    return session->command->search.extended || is_multi(session) ||
           (session_is_rev2(session) && session->command->id == IMAP_SEARCH);
}

static bool returns_all(const struct imap_session *session)
{
    return session->command->search.return_all || !session->command->search.extended;
}

/* With SAVE alone nothing is asked for (RFC 5182 section 2.4). */
static bool is_silent(const struct imap_search *search)
{
    return search->return_save && !search->return_min && !search->return_max &&
           !search->return_all && !search->return_count && !search->partial.given;
}

static int positions_of(struct imap_session *session, struct range_set *uids)
{
    struct range_set numbers;
    range_set_init(&numbers, SESSION_UID_RANGES_MAXIMUM);
    int error = set_positions(&numbers, &session->mailbox.uids, uids);
    if (!error)
        set_take(uids, &numbers);
    range_set_release(&numbers);
    return error;
}

static int to_numbers(struct imap_session *session, struct search_work *work)
{
    if (search_has_uids(session) || is_sort(session) || is_thread(session))
        return 0;
    int error = positions_of(session, &work->found);
    return error ? error : positions_of(session, &work->part);
}

/* " PARTIAL (-1:-100 ", and NIL for nothing; the numbers and the parenthesis follow. */
static void write_partial_head(struct imap_session *session, const struct search_work *work)
{
    const struct imap_partial *partial = &session->command->search.partial;
    const char *sign = partial->from_back ? "-" : "";
    bool any = work->part.count || work->part_first < work->part_end;
    if (partial->given)
        buffer_append_format(session->out, " PARTIAL (%s%u:%s%u %s", sign, partial->first, sign,
                             partial->last, any ? "" : "NIL");
}

/* SEARCH's have become what the response names already. */
static uint32_t end_number(struct imap_session *session, uint32_t end)
{
    return is_sort(session) ? search_number(session, end) : end;
}

/* RFC 7377 section 2.1 */
static void write_correlators(struct imap_session *session, const struct search_target *target)
{
    buffer_append(session->out, SLICE(" MAILBOX "));
    imap_write_mailbox(session->out, target->path, session_takes_utf8(session));
    buffer_append_format(session->out, " UIDVALIDITY %u", target->uid_validity);
}

static void write_extended_head(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    struct buffer *out = session->out;
    uint32_t first, last, count = range_set_size(&work->found);
    find_ends(session, work, &first, &last);
    buffer_append_format(out, "* ESEARCH (TAG \"%s\"", session->tag);
    if (is_multi(session))
        write_correlators(session, &work->targets.list[work->target]);
    buffer_append_string(out, search_has_uids(session) ? ") UID" : ")");
    if (search->return_count)
        buffer_append_format(out, " COUNT %u", count);
    if (search->return_min && count)
        buffer_append_format(out, " MIN %u", end_number(session, first));
    if (search->return_max && count)
        buffer_append_format(out, " MAX %u", end_number(session, last));
    if (returns_all(session) && count)
        buffer_append(out, SLICE(" ALL "));
    write_partial_head(session, work);
}

static void write_head(struct imap_session *session, struct search_work *work)
{
    if (is_extended(session))
        write_extended_head(session, work);
    else
        buffer_append_string(session->out, is_sort(session)      ? "* SORT"
                                           : !is_thread(session) ? "* SEARCH"
                                           : work->tree.count    ? "* THREAD "
                                                                 : "* THREAD");
}

static int begin_response(struct imap_session *session, struct search_work *work)
{
    int error = to_numbers(session, work);
    if (!error)
        write_head(session, work);
    work->next_number = 1;
    work->stage = STAGE_NUMBERS;
    return error;
}

/* Each returns whether there is nothing more to write. */
static bool write_numbers(struct imap_session *session, struct search_work *work)
{
    uint32_t number = range_set_next(&work->found, work->next_number);
    while (number && !session_slice_over_sent(session))
        for (int i = 0; i < SEARCH_WRITTEN_AT_ONCE && number; i++) {
            char text[NUMBER_MAXIMUM + 1] = " ";
            buffer_append(session->out,
                          slice_make(text, (size_t)(number_put(text + 1, number) - text)));
            work->next_number = number + 1;
            number = range_set_next(&work->found, work->next_number);
        }
    return !number;
}

static bool write_ranges(struct imap_session *session, struct search_work *work,
                         const struct range_set *set)
{
    while (work->written < set->count && !session_slice_over_sent(session)) {
        const struct range *range = &set->ranges[work->written];
        char text[2 * NUMBER_MAXIMUM + 2], *end = text;
        if (work->written++)
            *end++ = ',';
        end = number_put(end, range->first);
        if (range->last != range->first) {
            *end++ = ':';
            end = number_put(end, range->last);
        }
        buffer_append(session->out, slice_make(text, (size_t)(end - text)));
    }
    return work->written == set->count;
}

/* The MODSEQ of what is returned (RFC 7162 section 3.1.6, RFC 4731 section 3.2). */
static uint64_t returned_modseq(struct imap_session *session, const struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    uint64_t first = work->first_modseq, last = work->last_modseq;
    if (returns_all(session) || search->return_count)
        return work->highest_modseq;
    if (is_sort(session)) {
        first = sort_items(&work->sorted)[0].modseq;
        last = sort_items(&work->sorted)[work->sorted.count - 1].modseq;
    }
    first = search->return_min ? first : 0;
    last = search->return_max ? last : 0;
    first = first > last ? first : last;
    return first > work->part_modseq ? first : work->part_modseq;
}

/* Of PARTIAL alone nothing may be returned; THREAD has none (RFC 7162 section 3.1.9). */
static void write_modseq(struct imap_session *session, const struct search_work *work)
{
    if (!work->filters.modseq || !work->found.count || is_thread(session))
        return;
    uint64_t modseq = returned_modseq(session, work);
    if (modseq)
        buffer_append_format(session->out, is_extended(session) ? " MODSEQ %llu" : " (MODSEQ %llu)",
                             (unsigned long long)modseq);
}

static bool write_all(struct imap_session *session, struct search_work *work)
{
    bool extended = is_extended(session);
    bool partial = session->command->search.partial.given;
    if (partial && !is_sort(session))
        return write_ranges(session, work, &work->part);
    if (partial)
        return sort_write(session, &work->sorted, &work->written, work->part_first, work->part_end,
                          ',');
    if (extended && !returns_all(session))
        return true;
    if (is_thread(session))
        return thread_tree_write(session, &work->tree);
    if (is_sort(session))
        return sort_write(session, &work->sorted, &work->written, 0, work->sorted.count,
                          extended ? ',' : ' ');
    return extended ? write_ranges(session, work, &work->found) : write_numbers(session, work);
}

static void write_result(struct imap_session *session, struct search_work *work)
{
    if (!write_all(session, work))
        return;
    if (session->command->search.partial.given)
        buffer_append_byte(session->out, ')');
    write_modseq(session, work);
    buffer_append(session->out, SLICE("\r\n"));
    work->stage = STAGE_END;
}

/* The highest modseq of the part. */
static int find_part_modseq(struct imap_session *session, struct search_work *work)
{
    struct mailbox_snapshot *snapshot;
    struct entry_walk walk;
    const struct entry *entry;
    uint32_t uid;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    entry_walk_init(&walk, snapshot, &work->part, 1, 0);
    while ((error = entry_walk_next(&walk, &uid, &entry)) == 0)
        if (entry && entry->modseq > work->part_modseq)
            work->part_modseq = entry->modseq;
    entry_walk_release(&walk);
    mailbox_snapshot_close(&snapshot);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Of a sorted list, the part is one of its indexes. */
static int find_sorted_part(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    struct range_set all, part;
    range_set_init(&all, 1);
    range_set_init(&part, 1);
    int error = work->sorted.count ? range_set_add(&all, 1, (uint32_t)work->sorted.count) : 0;
    if (!error)
        error = set_partial(&part, &all, &search->partial);
    if (!error && part.count) {
        work->part_first = part.ranges[0].first - 1;
        work->part_end = part.ranges[0].last;
        work->written = work->part_first;
    }
    range_set_release(&all);
    range_set_release(&part);
    if (error || !(search->return_save || work->filters.modseq))
        return error;
    return sort_part(&work->sorted, work->part_first, work->part_end, &work->part);
}

static int find_part(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    if (!search->partial.given)
        return 0;
    int error = is_sort(session) ? find_sorted_part(session, work)
                                 : set_partial(&work->part, &work->found, &search->partial);
    return error || !work->filters.modseq ? error : find_part_modseq(session, work);
}

/* What was found, in order. */
static int arrange(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    int error = sort_finish(&work->sorted, search->sort, search->sort_count);
    if (!error)
        error = find_part(session, work);
    if (error)
        return error;
    return is_thread(session) ? thread_tree_finish(&work->tree, session->command->search.algorithm)
                              : 0;
}

/* Before SEARCH's UIDs become numbers. The result is told all the same (RFC 5267 section 4.3.1).
 * One that MESSAGELIMIT has cut off is none to keep up to date. */
static void keep_updated(struct imap_session *session, struct search_work *work)
{
    work->not_updated = session->command->search.update &&
                        (work->lowest || contexts_add(session, &work->root, &work->found,
                                                      &work->sorted, &work->begun) != 0);
}

static void tell_not_updated(struct imap_session *session, const struct search_work *work)
{
    if (!work->not_updated)
        return;
    buffer_append_format(session->out, "* NO [NOUPDATE \"%s\"] ", session->tag);
    imap_write_text(session->out, session->language, "Too many, or too large");
}

/* One step of the stage the search is in. */
static int advance(struct imap_session *session, struct search_work *work)
{
    int error = 0;
    if (work->stage == STAGE_MATCH) {
        error = match(session, work);
    } else if (work->stage == STAGE_HEAD) {
        error = arrange(session, work);
        if (!error)
            error = save(session, work);
        if (!error)
            keep_updated(session, work);
        work->stage = STAGE_END;
        bool tells =
            !is_silent(&session->command->search) && !(is_multi(session) && !work->found.count);
        if (!error && tells)
            error = begin_response(session, work);
    } else {
        write_result(session, work);
    }
    return error;
}

enum progress cmd_search(struct imap_session *session)
{
    bool first = !session->work;
    /* FILTER implies UTF-8 (RFC 5466 section 3.1). */
    if (session->command->search.filters && session->command->search.other_charset)
        return session_reply(session, "BAD", "BADCHARSET (UTF-8 US-ASCII)", "FILTER needs UTF-8");
    if (first && session->command->search.update &&
        contexts_has(session, slice_from_string(session->tag)))
        return session_reply(session, "BAD", NULL, "Tag reuse");
    struct search_work *work = session_work(session, sizeof(*work));
    if (!work)
        return fail(session, ERROR_LIMIT);
    int error = first ? begin(session, work) : 0;
    if (!error)
        error = advance(session, work);
    if (error)
        return fail(session, error);
    if (work->stage != STAGE_END)
        return PROGRESS_AGAIN;
    tell_not_updated(session, work);
    session_ok(session, work->failed         ? "Completed, but some messages could not be read"
                        : is_sort(session)   ? "Sort completed"
                        : is_thread(session) ? "Thread completed"
                                             : "Search completed");
    return limit_tell(session, work->lowest);
}

/* --- ESEARCH (RFC 7377) --- */

/* A mailbox that is not the selected one is searched as if it was: its view stands in for that
 * one's within each step. */
static void exchange_views(struct imap_session *session, struct search_work *work)
{
    struct mailbox_view view = session->mailbox;
    if (!work->stands_in)
        return;
    session->mailbox = work->view;
    work->view = view;
}

/* The selected mailbox has the view that the client knows. What is gone meanwhile is left out. */
static int open_target(struct imap_session *session, struct search_work *work)
{
    const struct search_target *target = &work->targets.list[work->target];
    struct store_view *view;
    struct mailbox_snapshot *snapshot;
    if (target->id == session->mailbox.id &&
        account_id_equal(target->account, session->mailbox.account))
        return 0;
    int error = session_view_of(session, target->account, &view);
    if (!error)
        error = mailbox_snapshot_open(view, target->id, &snapshot);
    if (error)
        return error;
    work->stands_in = true;
    work->view = (struct mailbox_view){.id = target->id, .account = target->account};
    range_set_init(&work->view.uids, SESSION_UID_RANGES_MAXIMUM);
    work->view.uid_next = mailbox_snapshot_collection(snapshot)->uid_next;
    error = mailbox_uids(snapshot, &work->view.uids);
    mailbox_snapshot_close(&snapshot);
    return error;
}

static void next_target(struct search_work *work)
{
    struct search_work next = {.targets = work->targets,
                               .target = work->target + 1,
                               .failed = work->failed,
                               .not_updated = work->not_updated,
                               .searched = work->searched,
                               .lowest = work->lowest,
                               .stage = STAGE_OPEN};
    range_set_release(&work->found);
    range_set_release(&work->part);
    range_set_release(&work->view.uids);
    sort_list_release(&work->sorted);
    *work = next;
}

static int search_target(struct imap_session *session, struct search_work *work)
{
    int error = 0;
    if (work->stage == STAGE_OPEN) {
        error = open_target(session, work);
        if (!error) {
            exchange_views(session, work);
            error = begin(session, work);
            exchange_views(session, work);
            work->stage = STAGE_MATCH;
        }
    } else {
        exchange_views(session, work);
        error = advance(session, work);
        exchange_views(session, work);
    }
    if (error == ERROR_CLOSED || error == ERROR_DENIED ||
        (error == ERROR_NOT_FOUND && !work->filters.undefined.size)) {
        work->stage = STAGE_END;
        error = 0;
    }
    return error;
}

/* Whether only the selected mailbox is searched, by its name or by none. */
static bool is_of_selected(const struct imap_notify *sources)
{
    return !sources ||
           (sources->group_count == 1 && sources->groups[0].filter == IMAP_NOTIFY_SELECTED);
}

static bool names_selected(const struct imap_notify *sources)
{
    bool selected = !sources;
    for (size_t i = 0; sources && i < sources->group_count; i++)
        selected |= sources->groups[i].filter == IMAP_NOTIFY_SELECTED;
    return selected;
}

/* Section 2.2: what is BAD. */
static const char *find_misuse(const struct imap_session *session)
{
    const struct imap_search *search = &session->command->search;
    if (names_selected(search->sources) && !session->mailbox.id)
        return "No mailbox is selected";
    if (!is_of_selected(search->sources) && search->return_save)
        return "SAVE is for the selected mailbox alone";
    if (!is_of_selected(search->sources) && search->update)
        return "UPDATE is for the selected mailbox alone";
    return NULL;
}

/* MODSEQ keys make the client one that is told of them; HIGHESTMODSEQ is the selected mailbox's. */
static int begin_multi(struct imap_session *session, struct search_work *work)
{
    const struct imap_search *search = &session->command->search;
    struct search_filters filters;
    session->release_work = release;
    work->stage = STAGE_OPEN;
    int error = filters_expand(session, search, &filters);
    work->filters.undefined = filters.undefined;
    if (!error && filters.modseq)
        modseq_enable(session);
    return error ? error : search_find_targets(session, search->sources, &work->targets);
}

enum progress cmd_esearch(struct imap_session *session)
{
    const struct imap_search *search = &session->command->search;
    bool first = !session->work;
    const char *misuse = find_misuse(session);
    if (misuse)
        return session_reply(session, "BAD", NULL, misuse);
    if (search->filters && search->other_charset)
        return session_reply(session, "BAD", "BADCHARSET (UTF-8 US-ASCII)", "FILTER needs UTF-8");
    if (first && search->update && contexts_has(session, slice_from_string(session->tag)))
        return session_reply(session, "BAD", NULL, "Tag reuse");
    struct search_work *work = session_work(session, sizeof(*work));
    if (!work)
        return fail(session, ERROR_LIMIT);
    int error = first ? begin_multi(session, work) : 0;
    if (!error && work->target < work->targets.count)
        error = search_target(session, work);
    if (error)
        return fail(session, error);
    if (work->target < work->targets.count && work->stage == STAGE_END)
        next_target(work);
    if (work->target < work->targets.count)
        return PROGRESS_AGAIN;
    tell_not_updated(session, work);
    session_ok(session, work->failed ? "Completed, but some messages could not be read"
                                     : "Search completed");
    return limit_tell(session, work->lowest);
}
