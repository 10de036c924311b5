/*
 * LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9; LIST-EXTENDED: RFC 5258; SPECIAL-USE: RFC 6154;
 * LIST-STATUS: RFC 5819; LIST-MYRIGHTS: RFC 8440; LIST-METADATA: RFC 9590).
 *
 * The account's mailboxes, and those that others share with it, are read once; they are matched and
 * written in slices, as twenty thousand mailboxes with thirty patterns take their time. Every level
 * of an own path exists; of others' paths some levels are not to be seen: \NonExistent.
 */
#include "base/error.h"
#include "proto/imap/list_match.h"
#include "session/imap/session_priv.h"

enum list_mark {
    MARK_MATCHES = 1,  /* the pattern */
    MARK_SELECTED = 2, /* the selection criteria */
    MARK_PARENT = 4,   /* it has a descendant that makes it worth naming */
};

/* What lies above a mailbox in the list. */
enum { LIST_LEVELS = COLLECTION_DEPTH_MAXIMUM + 2, NO_PARENT = UINT32_MAX };

struct list_work {
    struct slice *patterns; /* reference and pattern joined */
    size_t pattern_count;
    struct collection *mailboxes; /* parents before children; others' with their whole names */
    struct account_id *owners;    /* of each */
    uint32_t *parents;            /* the index of each one's parent, or NO_PARENT */
    uint8_t *marks;               /* enum list_mark bits of each */
    size_t count, room;
    uint32_t above[LIST_LEVELS]; /* the last one that was added, by its level */
    size_t matched, written;     /* how far it is */
    /* METADATA of the mailbox that was written last */
    bool in_metadata;
    struct imap_metadata asked;
    struct metadata_work metadata;
    struct arena annotations; /* its own, as it is cleared for each mailbox */
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

/* --- gathering --- */

static int make_room(struct arena *arena, struct list_work *work)
{
    if (work->count < work->room)
        return 0;
    size_t room = work->room ? 2 * work->room : 64;
    struct collection *mailboxes = arena_alloc_array(arena, room, sizeof(*mailboxes));
    uint32_t *parents = arena_alloc_array(arena, room, sizeof(*parents));
    struct account_id *owners = arena_alloc_array(arena, room, sizeof(*owners));
    if (arena_failed(arena))
        return ERROR_LIMIT;
    if (work->count) {
        memcpy(mailboxes, work->mailboxes, work->count * sizeof(*mailboxes));
        memcpy(parents, work->parents, work->count * sizeof(*parents));
        memcpy(owners, work->owners, work->count * sizeof(*owners));
    }
    work->mailboxes = mailboxes;
    work->parents = parents;
    work->owners = owners;
    work->room = room;
    return 0;
}

/* They come in the order of the tree, so the parent is the last one of the level above. */
static int add(struct arena *arena, struct list_work *work, struct account_id owner,
               const struct collection *mailbox, size_t level)
{
    int error = level < LIST_LEVELS ? make_room(arena, work) : ERROR_LIMIT;
    if (error)
        return error;
    work->mailboxes[work->count] = *mailbox;
    work->owners[work->count] = owner;
    work->parents[work->count] = level ? work->above[level - 1] : (uint32_t)NO_PARENT;
    work->above[level] = (uint32_t)work->count++;
    return 0;
}

static size_t level_of(struct slice path)
{
    size_t level = 0;
    for (size_t i = 0; i < path.size; i++)
        level += path.data[i] == '/';
    return level;
}

static int add_own(struct imap_session *session, struct list_work *work)
{
    struct store_view *view;
    struct collection *list;
    size_t count = 0;
    int error = session_view(session, &view);
    if (!error)
        error = collection_list(view, COLLECTION_MAILBOX, &session->arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        error =
            add(&session->arena, work, session->stream->account, &list[i], level_of(list[i].path));
    return error;
}

/* Whether `level` is one of the levels that `path` consists of, from the left. */
static bool begins_with(struct slice path, struct slice level)
{
    return slice_starts_with(path, level) &&
           (path.size == level.size || path.data[level.size] == '/');
}

/* Levels above a mailbox that may not be seen, or are none: names alone. */
static int add_levels(struct arena *arena, struct list_work *work, struct slice path)
{
    struct slice before = work->count ? work->mailboxes[work->count - 1].path : SLICE("");
    size_t level = 0;
    int error = 0;
    for (size_t i = 0; i < path.size && !error; i++) {
        if (path.data[i] != '/')
            continue;
        struct collection none = {.path = slice_sub(path, 0, i), .has_children = true};
        if (!begins_with(before, none.path))
            error = add(arena, work, (struct account_id){{0}}, &none, level);
        level++;
    }
    return error;
}

static int add_of_owner(struct imap_session *session, struct list_work *work,
                        const struct account_info *owner, struct slice prefix)
{
    struct arena *arena = &session->arena;
    struct store_view *view;
    struct collection *list;
    size_t count = 0;
    int error = store_view_open(session->stream->store, who_account(session->stream->account),
                                owner->id, &view);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error; /* it has just gone */
    error = collection_list(view, COLLECTION_MAILBOX, arena, &list, &count);
    store_view_close(&view);
    for (size_t i = 0; i < count && !error; i++) {
        list[i].path = join(arena, prefix, list[i].path);
        list[i].role = ROLE_NONE; /* another's special uses are none of this user's */
        error = arena_failed(arena) ? ERROR_LIMIT : add_levels(arena, work, list[i].path);
        if (!error)
            error = add(arena, work, owner->id, &list[i], level_of(list[i].path));
    }
    return error;
}

/* Whether a pattern may match a name that begins so, or a level of that: by what is before the
 * pattern's first wildcard. */
static bool may_match(const struct list_work *work, struct slice prefix)
{
    for (size_t i = 0; i < work->pattern_count; i++) {
        struct slice pattern = work->patterns[i];
        size_t size = 0;
        while (size < pattern.size && size < prefix.size && pattern.data[size] != '*' &&
               pattern.data[size] != '%')
            size++;
        if (slice_equal(slice_sub(pattern, 0, size), slice_sub(prefix, 0, size)))
            return true;
    }
    return false;
}

/* Only accounts that the patterns may mean are opened. */
static int add_others(struct imap_session *session, struct list_work *work)
{
    struct account_info *owners = NULL;
    size_t count = 0;
    bool meant = false;
    int error = 0;
    for (size_t i = 0; i < SESSION_LEVELS; i++)
        meant |= may_match(work, session_levels[i]);
    if (meant)
        error = session_sharers(session, &owners, &count);
    for (size_t i = 0; i < count && !error; i++) {
        struct slice prefix = session_prefix_of(&session->arena, &owners[i]);
        if (may_match(work, prefix))
            error = add_of_owner(session, work, &owners[i], prefix);
    }
    return error;
}

static void release(struct imap_session *session)
{
    struct list_work *work = session->work;
    arena_release(&work->annotations);
}

static int begin(struct imap_session *session, struct list_work *work)
{
    const struct imap_list *list = &session->command->list;
    struct arena *arena = &session->arena;
    arena_init(&work->annotations, (size_t)session->stream->config->command_memory);
    session->release_work = release;
    work->asked = (struct imap_metadata){.entries = list->metadata, .count = list->metadata_count};
    work->patterns = arena_alloc_array(arena, list->pattern_count, sizeof(*work->patterns));
    for (; work->patterns && work->pattern_count < list->pattern_count; work->pattern_count++)
        work->patterns[work->pattern_count] =
            join(arena, list->reference, list->patterns[work->pattern_count]);
    int error = arena_failed(arena) ? ERROR_LIMIT : add_own(session, work);
    if (!error)
        error = add_others(session, work);
    if (!error)
        work->marks = arena_alloc(arena, work->count);
    return arena_failed(arena) ? ERROR_LIMIT : error;
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
        if (work->parents[i] != NO_PARENT && (counts || marks & MARK_PARENT))
            work->marks[work->parents[i]] |= MARK_PARENT;
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

/* The attributes of a LIST response that no option asks for. */
static void write_facts(struct buffer *out, const struct collection *mailbox)
{
    write_children(out, mailbox);
    if (mailbox->subscribed)
        buffer_append(out, SLICE(" \\Subscribed"));
    write_role(out, mailbox);
}

void list_write_mailbox(struct imap_session *session, const struct collection *mailbox,
                        const char *attribute, struct slice old_name)
{
    struct buffer *out = session->out;
    buffer_append(out, SLICE("* LIST ("));
    buffer_append_string(out, attribute ? attribute : "");
    buffer_append_string(out, attribute && mailbox->id ? " " : "");
    if (mailbox->id)
        write_facts(out, mailbox);
    buffer_append(out, SLICE(") \"/\" "));
    imap_write_mailbox(out, mailbox->path, session_takes_utf8(session));
    if (old_name.size) {
        buffer_append(out, SLICE(" (\"OLDNAME\" ("));
        imap_write_mailbox(out, old_name, session_takes_utf8(session));
        buffer_append(out, SLICE("))"));
    }
    buffer_append(out, SLICE("\r\n"));
}

static void write_attributes(struct imap_session *session, const struct collection *mailbox,
                             uint8_t marks)
{
    const struct imap_list *list = &session->command->list;
    struct buffer *out = session->out;
    bool lsub = is_lsub(session);
    write_children(out, mailbox);
    if (!mailbox->id && !lsub)
        buffer_append(out, SLICE(" \\NonExistent"));
    if (!may_select(mailbox) || (lsub && !(marks & MARK_SELECTED)))
        buffer_append(out, SLICE(" \\Noselect"));
    if (mailbox->subscribed && (list->return_subscribed || list->select_subscribed))
        buffer_append(out, SLICE(" \\Subscribed"));
    if (!lsub)
        write_role(out, mailbox);
}

static void write_mailbox(struct imap_session *session, const struct list_work *work, size_t index)
{
    const struct collection *mailbox = &work->mailboxes[index];
    uint8_t marks = work->marks[index];
    const struct imap_list *list = &session->command->list;
    struct buffer *out = session->out;
    buffer_append_string(out, is_lsub(session) ? "* LSUB (" : "* LIST (");
    write_attributes(session, mailbox, marks);
    buffer_append(out, SLICE(") \"/\" "));
    imap_write_mailbox(out, mailbox->path, session_takes_utf8(session));
    if (marks & MARK_PARENT && list->select_recursive_match)
        buffer_append_format(out, " (\"CHILDINFO\" (\"%s\"))",
                             list->select_subscribed ? "SUBSCRIBED" : "SPECIAL-USE");
    buffer_append(out, SLICE("\r\n"));
    if (list->return_status && may_select(mailbox))
        status_write(session, work->owners[index], mailbox, list->return_status);
    if (list->return_my_rights && mailbox->id)
        acl_write_my_rights(session, mailbox);
}

/* Not of what is named for its descendants alone (RFC 9590 section 4). What cannot be had is left
 * out (section 3). */
static void begin_metadata(struct imap_session *session, struct list_work *work, size_t index)
{
    const struct collection *mailbox = &work->mailboxes[index];
    struct store_view *view;
    if (!work->asked.count || !mailbox->id || !(work->marks[index] & MARK_SELECTED))
        return;
    arena_clear(&work->annotations);
    work->in_metadata =
        session_view_of(session, work->owners[index], &view) == 0 &&
        metadata_begin(view, mailbox->id, &work->asked, &work->annotations, &work->metadata) == 0;
}

/* Of the mailbox before the next one. */
static bool write_metadata(struct imap_session *session, struct list_work *work)
{
    if (work->in_metadata)
        work->in_metadata = !metadata_write(session, work->mailboxes[work->written - 1].path,
                                            &work->asked, &work->metadata);
    return !work->in_metadata;
}

static bool write_all(struct imap_session *session, struct list_work *work)
{
    while (write_metadata(session, work) && work->written < work->count) {
        if (session_slice_over(session))
            return false;
        size_t index = work->written++;
        uint8_t marks = work->marks[index];
        if (!(marks & MARK_MATCHES) || !(marks & (MARK_SELECTED | MARK_PARENT)))
            continue;
        write_mailbox(session, work, index);
        begin_metadata(session, work, index);
    }
    return !work->in_metadata && work->written == work->count;
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
    status_enable(session, session->command->list.return_status);
    if (work->matched < work->count && !match(session, work))
        return PROGRESS_AGAIN;
    if (!write_all(session, work))
        return PROGRESS_AGAIN;
    return session_ok(session, lsub ? "Lsub completed" : "List completed");
}
