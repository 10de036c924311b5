/*
 * The contexts of a session (RFC 5267): made by SEARCH and SORT with UPDATE, kept up to date behind
 * each sync, ended by CANCELUPDATE or with the selected mailbox. See context_priv.h.
 */
#include "base/error.h"
#include "session/imap/context_priv.h"

#include <stdlib.h>

/* --- making and ending --- */

static struct search_context **find(struct imap_session *session, struct slice tag)
{
    struct search_context **place = &session->contexts;
    while (*place && !slice_equal(slice_from_string((*place)->tag), tag))
        place = &(*place)->next;
    return place;
}

bool contexts_has(struct imap_session *session, struct slice tag)
{
    return *find(session, tag) != NULL;
}

static void free_context(struct search_context **place)
{
    struct search_context *context = *place;
    *place = context->next;
    fetch_tell_end(&context->telling);
    arena_release(&context->arena);
    range_set_release(&context->found);
    range_set_release(&context->added);
    range_set_release(&context->removed);
    range_set_release(&context->arrived);
    buffer_release(&context->changes);
    free(context->order);
    free(context);
}

bool contexts_cancel(struct imap_session *session, struct slice tag)
{
    struct search_context **place = find(session, tag);
    if (!*place)
        return false;
    free_context(place);
    return true;
}

void contexts_release(struct imap_session *session)
{
    while (session->contexts)
        free_context(&session->contexts);
}

void contexts_forget_command(struct imap_session *session)
{
    for (struct search_context *context = session->contexts; context; context = context->next) {
        fetch_tell_end(&context->telling);
        context->root = NULL;
    }
}

static struct search_context *make(struct imap_session *session)
{
    struct search_context *context = calloc(1, sizeof(*context));
    if (!context)
        return NULL;
    memcpy(context->tag, session->tag, sizeof(context->tag));
    context->uid = search_has_uids(session);
    arena_init(&context->arena, CONTEXT_PROGRAM_MAXIMUM);
    range_set_init(&context->found, CONTEXT_RANGES_MAXIMUM);
    range_set_init(&context->added, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&context->removed, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&context->arrived, SESSION_UID_RANGES_MAXIMUM);
    buffer_init(&context->changes, CONTEXT_SORTED_MAXIMUM * 2 * sizeof(struct context_change));
    return context;
}

static int take_order(struct search_context *context, const struct sort_list *sorted)
{
    if (!context->sort)
        return 0;
    if (sorted->count > CONTEXT_SORTED_MAXIMUM)
        return ERROR_LIMIT;
    context->order = calloc(sorted->count + 1, sizeof(*context->order));
    if (!context->order)
        return ERROR_MEMORY;
    context->order_room = sorted->count + 1;
    for (; context->order_count < sorted->count; context->order_count++)
        context->order[context->order_count] = sort_items(sorted)[context->order_count].uid;
    return 0;
}

/* What all other criteria look at never changes. Where a message with another annotation belongs
 * would have to be known from the keys that all had before. */
static bool may_move(const struct imap_search *search)
{
    for (size_t i = 0; i < search->sort_count; i++)
        if (search->sort[i].kind == IMAP_SORT_ANNOTATION)
            return true;
    return false;
}

int contexts_add(struct imap_session *session, const struct search_node *root,
                 const struct range_set *found, const struct sort_list *sorted,
                 const struct context_state *begun)
{
    size_t count = 0;
    for (struct search_context *other = session->contexts; other; other = other->next)
        count++;
    if (count == CONTEXTS_MAXIMUM || may_move(&session->command->search))
        return ERROR_LIMIT;
    struct search_context *context = make(session);
    if (!context)
        return ERROR_MEMORY;
    context->next = session->contexts;
    session->contexts = context;
    context->known = *begun;
    int error = context_copy_program(context, &session->command->search, root);
    if (!error)
        error = range_set_copy(&context->found, found);
    if (!error)
        error = take_order(context, sorted);
    if (error)
        free_context(&session->contexts);
    return error;
}

/* Updates that cannot be had any more. */
static void give_up(struct imap_session *session, struct search_context *context)
{
    buffer_append_format(session->out, "* NO [NOUPDATE \"%s\"] ", context->tag);
    imap_write_text(session->out, session->language, "Too much has changed");
    contexts_cancel(session, slice_from_string(context->tag));
}

/* --- expunges --- */

/* Before EXPUNGE, so that the numbers are valid (section 4.3.4). What comes out of the result was
 * put in before. */
void contexts_expunge(struct imap_session *session, const struct range_set *gone)
{
    struct search_context *context = session->contexts, *next;
    for (; context; context = next) {
        next = context->next;
        context_tell(session, context);
        if (context_remove_all(context, gone))
            give_up(session, context);
        else
            context_tell(session, context);
    }
}

/* --- what has changed --- */

static int judge(struct search_context *context, struct search_slice *slice,
                 const struct entry *entry)
{
    bool is_in = range_set_contains(&context->found, entry->uid);
    bool matches = search_matches(slice, context->root, entry);
    bool arrived = entry->uid >= context->known.uid_next;
    if (matches == is_in)
        return 0;
    if (!matches)
        return context_remove(context, entry->uid);
    int error = context_add(context, slice, entry);
    if (!error && arrived && context->item_count)
        error = range_set_add(&context->arrived, entry->uid, entry->uid);
    return error;
}

/* Tries entries changed after `since`, up to the UID `end`. ERROR_NOT_FOUND: that was all. */
static int try_entries(struct search_context *context, struct search_slice *slice, uint64_t since,
                       uint32_t end)
{
    struct imap_session *session = slice->session;
    struct entry_cursor cursor;
    struct entry entry;
    int error;
    entry_cursor_init(&cursor, slice->snapshot, context->next_uid, since);
    while ((error = entry_cursor_next(&cursor, &entry)) == 0) {
        if (entry.uid >= end) {
            error = ERROR_NOT_FOUND;
            break;
        }
        context->next_uid = entry.uid + 1;
        if (range_set_contains(&session->mailbox.uids, entry.uid))
            error = judge(context, slice, &entry);
        if (error || session_slice_over(session))
            break;
    }
    entry_cursor_release(&cursor);
    return error;
}

/* First what has changed of the messages known, then those that have come. */
static int walk(struct search_context *context, struct search_slice *slice)
{
    int error = ERROR_NOT_FOUND;
    if (context->next_uid < context->known.uid_next)
        error = try_entries(context, slice, context->known.modseq, context->known.uid_next);
    if (error != ERROR_NOT_FOUND)
        return error;
    if (context->next_uid < context->known.uid_next)
        context->next_uid = context->known.uid_next;
    error = try_entries(context, slice, 0, context->target.uid_next);
    if (error != ERROR_NOT_FOUND)
        return error;
    context->known = context->target;
    context->walking = false;
    return 0;
}

static int begin_walk(struct imap_session *session, struct search_context *context,
                      struct mailbox_snapshot *snapshot)
{
    if (!context->walking) {
        context->target = (struct context_state){
            mailbox_snapshot_collection(snapshot)->highest_modseq, session->mailbox.uid_next};
        context->next_uid = 1;
        context->walking = context->target.modseq != context->known.modseq ||
                           context->target.uid_next != context->known.uid_next;
    }
    if (!context->walking || context->root)
        return 0;
    context->root = arena_alloc(&session->arena, sizeof(*context->root));
    if (!context->root)
        return ERROR_LIMIT;
    return search_prepare(session, &context->key, mailbox_snapshot_keywords(snapshot),
                          context->root);
}

/* FETCH precedes ADDTO (RFC 5465 section 7). */
static enum progress tell(struct imap_session *session, struct search_context *context)
{
    if (context->arrived.count) {
        if (fetch_tell(session, &context->telling, context->items, context->item_count,
                       &context->arrived) == PROGRESS_AGAIN)
            return PROGRESS_AGAIN;
        range_set_release(&context->arrived);
    }
    context_tell(session, context);
    return PROGRESS_DONE;
}

static int sync_slice(struct imap_session *session, struct search_context *context)
{
    struct mailbox_snapshot *snapshot;
    struct search_slice slice;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    error = begin_walk(session, context, snapshot);
    if (!error && context->walking) {
        search_slice_init(&slice, session, snapshot);
        error = walk(context, &slice);
        search_slice_release(&slice);
    }
    mailbox_snapshot_close(&snapshot);
    return error;
}

static enum progress sync_one(struct imap_session *session, struct search_context *context)
{
    if (!context->telling && !context->arrived.count) {
        int error = sync_slice(session, context);
        if (error == ERROR_LIMIT || error == ERROR_MEMORY)
            give_up(session, context);
        if (error)
            return PROGRESS_DONE; /* of the storage's: it is found out by the next sync */
    }
    if (tell(session, context) == PROGRESS_AGAIN)
        return PROGRESS_AGAIN;
    return context->walking ? PROGRESS_AGAIN : PROGRESS_DONE;
}

enum progress contexts_sync(struct imap_session *session)
{
    struct search_context *context = session->contexts, *next;
    for (; context && !session->closing; context = next) {
        next = context->next;
        if (sync_one(session, context) == PROGRESS_AGAIN)
            return PROGRESS_AGAIN;
    }
    return PROGRESS_DONE;
}

/* --- CANCELUPDATE (section 4.3.5) --- */

enum progress cmd_cancel_update(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    bool all = true;
    for (size_t i = 0; i < command->cancel_update.count; i++)
        all &= contexts_cancel(session, command->cancel_update.tags[i]);
    if (!all)
        return session_reply(session, "NO", NULL, "No search with such a tag is updated");
    return session_ok(session, "No further updates");
}
