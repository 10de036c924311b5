/*
 * LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9; LIST-EXTENDED: RFC 5258; SPECIAL-USE: RFC 6154;
 * LIST-STATUS: RFC 5819).
 *
 * The account's mailboxes are read once; they are matched and written in slices, as twenty
 * thousand mailboxes with thirty patterns take their time. Every level of a path exists in the
 * store, so there is no \NonExistent.
 */
#include "base/error.h"
#include "proto/imap/list_match.h"
#include "session/imap/session_priv.h"

enum list_mark {
    MARK_MATCHES = 1,  /* the pattern */
    MARK_SELECTED = 2, /* the selection criteria */
    MARK_PARENT = 4,   /* it has a descendant that makes it worth naming */
};

/* Where a mailbox is in the list, sorted by id. */
struct list_place {
    collection_id id;
    uint32_t index;
};

struct list_work {
    struct slice *patterns; /* reference and pattern joined */
    size_t pattern_count;
    struct collection *mailboxes;
    size_t count;
    struct list_place *places;
    uint8_t *marks;          /* enum list_mark bits of each */
    size_t matched, written; /* how far it is */
};

static bool is_lsub(const struct imap_session *session)
{
    return session->command->id == IMAP_LSUB;
}

static struct slice join(struct arena *arena, struct slice reference, struct slice pattern)
{
    char *text = arena_alloc(arena, reference.size + pattern.size);
    if (!text)
        return slice_make(NULL, 0);
    if (reference.size)
        memcpy(text, reference.data, reference.size);
    if (pattern.size)
        memcpy(text + reference.size, pattern.data, pattern.size);
    return slice_make(text, reference.size + pattern.size);
}

static int compare_places(const void *a, const void *b)
{
    const struct list_place *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static struct list_place *find_place(const struct list_work *work, collection_id id)
{
    const struct list_place wanted = {.id = id};
    return bsearch(&wanted, work->places, work->count, sizeof(wanted), compare_places);
}

static int begin(struct imap_session *session, struct list_work *work)
{
    const struct imap_list *list = &session->command->list;
    struct arena *arena = &session->arena;
    struct store_view *view;
    int error = session_view(session, &view);
    if (!error)
        error = collection_list(view, COLLECTION_MAILBOX, arena, &work->mailboxes, &work->count);
    if (error)
        return error;
    work->marks = arena_alloc(arena, work->count);
    work->places = arena_alloc_array(arena, work->count, sizeof(*work->places));
    work->patterns = arena_alloc_array(arena, list->pattern_count, sizeof(*work->patterns));
    if (arena_failed(arena))
        return ERROR_LIMIT;
    for (uint32_t i = 0; i < work->count; i++)
        work->places[i] = (struct list_place){work->mailboxes[i].id, i};
    qsort(work->places, work->count, sizeof(*work->places), compare_places);
    for (; work->pattern_count < list->pattern_count; work->pattern_count++)
        work->patterns[work->pattern_count] =
            join(arena, list->reference, list->patterns[work->pattern_count]);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

/* --- choosing --- */

static bool is_selected(const struct imap_session *session, const struct collection *mailbox)
{
    const struct imap_list *list = &session->command->list;
    if ((is_lsub(session) || list->select_subscribed) && !mailbox->subscribed)
        return false;
    return !list->select_special_use || collection_role_name(mailbox->role);
}

static bool matches_pattern(const struct list_work *work, struct slice path)
{
    for (size_t i = 0; i < work->pattern_count; i++)
        if (imap_list_match(work->patterns[i], path, '/'))
            return true;
    return false;
}

/* A mailbox that is not selected itself is named for its descendants: with RECURSIVEMATCH for any
 * that is selected (RFC 5258 section 3.1), with LSUB for one that the pattern does not reach
 * (RFC 3501 section 6.3.9). As parents come before children, one pass backwards finds them. */
static void mark_parents(const struct imap_session *session, struct list_work *work)
{
    if (!is_lsub(session) && !session->command->list.select_recursive_match)
        return;
    for (size_t i = work->count; i-- > 0;) {
        uint8_t marks = work->marks[i];
        bool counts = marks & MARK_SELECTED && !(is_lsub(session) && marks & MARK_MATCHES);
        struct list_place *parent = find_place(work, work->mailboxes[i].parent);
        if (parent && (counts || marks & MARK_PARENT))
            work->marks[parent->index] |= MARK_PARENT;
    }
}

/* Returns whether all are matched. */
static bool match(struct imap_session *session, struct list_work *work)
{
    for (; work->matched < work->count; work->matched++) {
        if (session_slice_over(session))
            return false;
        const struct collection *mailbox = &work->mailboxes[work->matched];
        work->marks[work->matched] = (is_selected(session, mailbox) ? MARK_SELECTED : 0) |
                                     (matches_pattern(work, mailbox->path) ? MARK_MATCHES : 0);
    }
    mark_parents(session, work);
    return true;
}

/* --- writing --- */

static bool may_select(const struct collection *mailbox)
{
    return mailbox->rights & RIGHT_READ;
}

static void write_children(struct buffer *out, const struct collection *mailbox)
{
    buffer_append_string(out, mailbox->has_children ? "\\HasChildren" : "\\HasNoChildren");
}

static void write_role(struct buffer *out, const struct collection *mailbox)
{
    const char *role = collection_role_name(mailbox->role);
    if (!role)
        return;
    buffer_append_byte(out, ' ');
    buffer_append_string(out, role);
}

void list_write_selected(struct imap_session *session, const struct collection *mailbox)
{
    struct buffer *out = session->out;
    buffer_append(out, SLICE("* LIST ("));
    write_children(out, mailbox);
    if (mailbox->subscribed)
        buffer_append(out, SLICE(" \\Subscribed"));
    write_role(out, mailbox);
    buffer_append(out, SLICE(") \"/\" "));
    imap_write_mailbox(out, mailbox->path, true);
    buffer_append(out, SLICE("\r\n"));
}

static void write_attributes(struct imap_session *session, const struct collection *mailbox,
                             uint8_t marks)
{
    const struct imap_list *list = &session->command->list;
    struct buffer *out = session->out;
    bool lsub = is_lsub(session);
    write_children(out, mailbox);
    if (!may_select(mailbox) || (lsub && !(marks & MARK_SELECTED)))
        buffer_append(out, SLICE(" \\Noselect"));
    if (mailbox->subscribed && (list->return_subscribed || list->select_subscribed))
        buffer_append(out, SLICE(" \\Subscribed"));
    if (!lsub)
        write_role(out, mailbox);
}

static void write_mailbox(struct imap_session *session, const struct collection *mailbox,
                          uint8_t marks)
{
    const struct imap_list *list = &session->command->list;
    struct buffer *out = session->out;
    buffer_append_string(out, is_lsub(session) ? "* LSUB (" : "* LIST (");
    write_attributes(session, mailbox, marks);
    buffer_append(out, SLICE(") \"/\" "));
    imap_write_mailbox(out, mailbox->path, session_is_rev2(session));
    if (marks & MARK_PARENT && list->select_recursive_match)
        buffer_append_format(out, " (\"CHILDINFO\" (\"%s\"))",
                             list->select_subscribed ? "SUBSCRIBED" : "SPECIAL-USE");
    buffer_append(out, SLICE("\r\n"));
    if (list->return_status && may_select(mailbox))
        status_write(session, mailbox, list->return_status);
}

static bool write_all(struct imap_session *session, struct list_work *work)
{
    for (; work->written < work->count; work->written++) {
        if (session_slice_over(session))
            return false;
        uint8_t marks = work->marks[work->written];
        if (marks & MARK_MATCHES && marks & (MARK_SELECTED | MARK_PARENT))
            write_mailbox(session, &work->mailboxes[work->written], marks);
    }
    return true;
}

/* LIST "" "" asks for the hierarchy separator (RFC 9051 section 6.3.9). */
static bool asks_separator(const struct imap_session *session)
{
    const struct imap_list *list = &session->command->list;
    return !list->extended && list->pattern_count == 1 && list->patterns[0].size == 0;
}

enum progress cmd_list(struct imap_session *session)
{
    bool first = !session->work, lsub = is_lsub(session);
    struct list_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (first && asks_separator(session)) {
        buffer_append_string(session->out, lsub ? "* LSUB (\\Noselect) \"/\" \"\"\r\n"
                                                : "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return session_ok(session, lsub ? "Lsub completed" : "List completed");
    }
    int error = first ? begin(session, work) : 0;
    if (error)
        return session_fail(session, error);
    if (work->matched < work->count && !match(session, work))
        return PROGRESS_AGAIN;
    if (!write_all(session, work))
        return PROGRESS_AGAIN;
    return session_ok(session, lsub ? "Lsub completed" : "List completed");
}
