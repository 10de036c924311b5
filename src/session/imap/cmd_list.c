/*
 * LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9; LIST-EXTENDED: RFC 5258; SPECIAL-USE: RFC 6154;
 * LIST-STATUS: RFC 5819; LIST-MYRIGHTS: RFC 8440; LIST-METADATA: RFC 9590).
 *
 *     the account itself, then each one that shares with it, or, for an administrator, all of them:
 *         its mailboxes are read ──> matched ──> written, in slices ──> forgotten
 *
 * So the memory is that of one account's mailboxes, however many accounts there are; twenty
 * thousand mailboxes with thirty patterns take their time. Every level of an own path exists; of
 * others' paths some levels are not to be seen: \NonExistent.
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

/* Levels of a name: one of session_levels, below it the account. */
enum { LEVEL_OTHERS, LEVEL_ACCOUNT, LEVEL_MAILBOX };

/* Accounts that an administrator's list reads from the directory in one go. */
enum { LIST_PAGE = 100, LIST_PAGE_MEMORY = 64 * 1024 };

struct list_work {
    struct slice *patterns; /* reference and pattern joined */
    size_t pattern_count;
    /* the others whose mailboxes are listed */
    bool own_listed;
    bool others_begun;
    bool named[SESSION_LEVELS]; /* the level itself is, once for all of them */
    struct account_info *accounts;
    size_t account_count, account_next;
    struct arena page; /* an administrator's accounts */
    /* the account under way */
    bool gathered;
    struct arena arena; /* its own, as it is cleared for each account */
    struct account_id owner;
    struct collection *mailboxes; /* parents before children; others' with their whole names */
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

static int make_room(struct list_work *work)
{
    if (work->count < work->room)
        return 0;
    size_t room = work->room ? 2 * work->room : 64;
    struct collection *mailboxes = arena_alloc_array(&work->arena, room, sizeof(*mailboxes));
    uint32_t *parents = arena_alloc_array(&work->arena, room, sizeof(*parents));
    if (arena_failed(&work->arena))
        return ERROR_LIMIT;
    if (work->count) {
        memcpy(mailboxes, work->mailboxes, work->count * sizeof(*mailboxes));
        memcpy(parents, work->parents, work->count * sizeof(*parents));
    }
    work->mailboxes = mailboxes;
    work->parents = parents;
    work->room = room;
    return 0;
}

/* They come in the order of the tree, so the parent is the last one of the level above. */
static int add(struct list_work *work, const struct collection *mailbox, size_t level)
{
    int error = level < LIST_LEVELS ? make_room(work) : ERROR_LIMIT;
    if (error)
        return error;
    work->mailboxes[work->count] = *mailbox;
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
    work->owner = session->stream->account;
    int error = session_view(session, &view);
    if (!error)
        error = collection_list(view, COLLECTION_MAILBOX, &work->arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = add(work, &list[i], level_of(list[i].path));
    return error;
}

/* Whether `level` is one of the levels that `path` consists of, from the left. */
static bool begins_with(struct slice path, struct slice level)
{
    return slice_starts_with(path, level) &&
           (path.size == level.size || path.data[level.size] == '/');
}

/* Levels above a mailbox that may not be seen, or are none: names alone. */
static int add_levels(struct list_work *work, struct slice path)
{
    struct slice before = work->count ? work->mailboxes[work->count - 1].path : SLICE("");
    size_t level = 0;
    int error = 0;
    for (size_t i = 0; i < path.size && !error; i++) {
        if (path.data[i] != '/')
            continue;
        struct collection none = {.path = slice_sub(path, 0, i), .has_children = true};
        if (!begins_with(before, none.path))
            error = add(work, &none, level);
        level++;
    }
    return error;
}

static int add_mailboxes(struct imap_session *session, struct list_work *work, struct slice prefix)
{
    struct arena *arena = &work->arena;
    struct store_view *view;
    struct collection *list;
    size_t count = 0;
    int error = store_view_open(session->stream->store, session_who(session), work->owner, &view);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error; /* it has just gone */
    error = collection_list(view, COLLECTION_MAILBOX, arena, &list, &count);
    store_view_close(&view);
    for (size_t i = 0; i < count && !error; i++) {
        list[i].path = join(arena, prefix, list[i].path);
        list[i].role = ROLE_NONE; /* another's special uses are none of this user's */
        error = arena_failed(arena) ? ERROR_LIMIT : add_levels(work, list[i].path);
        if (!error)
            error = add(work, &list[i], level_of(list[i].path));
    }
    return error;
}

/* --- which patterns can match what --- */

/* Whether a pattern may match something below the prefix, or a level of it: by what is before its
 * first wildcard. */
static bool may_match(struct slice pattern, struct slice prefix)
{
    size_t size = 0;
    while (size < pattern.size && size < prefix.size && pattern.data[size] != '*' &&
           pattern.data[size] != '%')
        size++;
    return slice_equal(slice_sub(pattern, 0, size), slice_sub(prefix, 0, size));
}

static bool some_may_match(const struct list_work *work, struct slice prefix)
{
    for (size_t i = 0; i < work->pattern_count; i++)
        if (may_match(work->patterns[i], prefix))
            return true;
    return false;
}

/* Whether a pattern can match a name with so many levels, or more. */
static bool some_reach(const struct list_work *work, size_t level)
{
    for (size_t i = 0; i < work->pattern_count; i++)
        if (slice_find(work->patterns[i], '*') < work->patterns[i].size ||
            level_of(work->patterns[i]) >= level)
            return true;
    return false;
}

/* Whether what is not matched itself matters: for the levels above it, or to be chosen. */
static bool looks_below(const struct imap_session *session)
{
    const struct imap_list *list = &session->command->list;
    return is_lsub(session) || list->select_subscribed || list->select_special_use;
}

/* --- account by account --- */

/* Every account has a mailbox that an administrator sees: for the levels above it, it need not be
 * opened. */
static int add_of_owner(struct imap_session *session, struct list_work *work,
                        const struct account_info *owner)
{
    struct slice prefix = session_prefix_of(&work->arena, owner);
    if (!prefix.size)
        return ERROR_LIMIT;
    work->owner = owner->id;
    if (session_is_own(session, owner->id) || !some_may_match(work, prefix) ||
        (work->named[owner->shared] && !some_reach(work, LEVEL_ACCOUNT)))
        return 0;
    if (session->stream->administrator && !looks_below(session) && !some_reach(work, LEVEL_MAILBOX))
        return add_levels(work, prefix);
    return add_mailboxes(session, work, prefix);
}

/* The accounts that come next, none at the end. */
static int next_accounts(struct imap_session *session, struct list_work *work)
{
    struct stream *stream = session->stream;
    char text[ADDRESS_MAXIMUM];
    struct slice last = SLICE("");
    bool first = !work->others_begun;
    work->others_begun = true;
    if (!stream->administrator && first)
        return session_sharers(session, &work->accounts, &work->account_count);
    if (!first)
        last = work->accounts[work->account_count - 1].address;
    work->account_count = 0;
    if (!stream->administrator)
        return 0;
    if (last.size)
        memcpy(text, last.data, last.size);
    arena_clear(&work->page);
    return store_account_page(stream->store, session_who(session), slice_make(text, last.size),
                              LIST_PAGE, &work->page, &work->accounts, &work->account_count);
}

/* Whether nothing that is still to come can be listed. */
static bool ends(const struct list_work *work)
{
    bool more = false;
    for (size_t i = 0; i < SESSION_LEVELS; i++)
        more |= some_may_match(work, session_levels[i]) &&
                (!work->named[i] || some_reach(work, LEVEL_ACCOUNT));
    return !more;
}

/* The next account's mailboxes; *end: there is none. */
static int gather(struct imap_session *session, struct list_work *work, bool *end)
{
    int error = 0;
    arena_clear(&work->arena);
    work->mailboxes = NULL;
    work->parents = NULL;
    work->count = work->room = work->matched = work->written = 0;
    if (!work->own_listed) {
        error = add_own(session, work);
        work->own_listed = true;
    } else {
        if (!ends(work) && work->account_next == work->account_count) {
            error = next_accounts(session, work);
            work->account_next = 0;
        }
        *end = ends(work) || work->account_next == work->account_count;
        if (!error && !*end)
            error = add_of_owner(session, work, &work->accounts[work->account_next++]);
    }
    if (!error)
        work->marks = arena_alloc(&work->arena, work->count);
    work->gathered = true;
    return arena_failed(&work->arena) ? ERROR_LIMIT : error;
}

static void release(struct imap_session *session)
{
    struct list_work *work = session->work;
    arena_release(&work->annotations);
    arena_release(&work->arena);
    arena_release(&work->page);
}

static int begin(struct imap_session *session, struct list_work *work)
{
    const struct imap_list *list = &session->command->list;
    struct arena *arena = &session->arena;
    size_t memory = (size_t)session->stream->config->command_memory;
    arena_init(&work->annotations, memory);
    arena_init(&work->arena, memory);
    arena_init(&work->page, LIST_PAGE_MEMORY);
    session->release_work = release;
    work->asked = (struct imap_metadata){.entries = list->metadata, .count = list->metadata_count};
    work->patterns = arena_alloc_array(arena, list->pattern_count, sizeof(*work->patterns));
    for (; work->patterns && work->pattern_count < list->pattern_count; work->pattern_count++)
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
        if (work->parents[i] != NO_PARENT && (counts || marks & MARK_PARENT))
            work->marks[work->parents[i]] |= MARK_PARENT;
    }
}

/* Returns whether all are matched. */
static bool match(struct imap_session *session, struct list_work *work)
{
    if (work->matched == work->count)
        return true;
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
        status_write(session, work->owner, mailbox, list->return_status);
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
        session_view_of(session, work->owner, &view) == 0 &&
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

/* A level of others is above many accounts' mailboxes, and named once. */
static bool is_named_already(struct list_work *work, const struct collection *mailbox)
{
    bool already = false;
    for (size_t i = 0; i < SESSION_LEVELS; i++) {
        if (!slice_equal(mailbox->path, session_levels[i]))
            continue;
        already = work->named[i];
        work->named[i] = true;
    }
    return already;
}

static bool write_all(struct imap_session *session, struct list_work *work)
{
    while (write_metadata(session, work) && work->written < work->count) {
        if (session_slice_over(session))
            return false;
        size_t index = work->written++;
        uint8_t marks = work->marks[index];
        if (!(marks & MARK_MATCHES) || !(marks & (MARK_SELECTED | MARK_PARENT)) ||
            is_named_already(work, &work->mailboxes[index]))
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
    if (!error)
        status_enable(session, session->command->list.return_status);
    for (bool end = false; !error;) {
        if (session_slice_over(session))
            return PROGRESS_AGAIN;
        if (!work->gathered)
            error = gather(session, work, &end);
        if (end && !error)
            return session_ok(session, lsub ? "Lsub completed" : "List completed");
        if (error || !match(session, work) || !write_all(session, work))
            continue;
        work->gathered = false;
    }
    return session_fail(session, error);
}
