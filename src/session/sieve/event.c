/*
 * IMAP events: the message is read, scripts run, and what they want is done.
 */
#include "store/event.h"
#include "base/error.h"
#include "base/log.h"
#include "session/sieve/filter_priv.h"
#include "store/directory.h"

enum { FLAG_NAMES = 5 + KEYWORDS_MAXIMUM };

static const struct {
    uint32_t flag;
    struct slice name;
} system_flags[] = {{ENTRY_ANSWERED, SLICE("\\Answered")},
                    {ENTRY_FLAGGED, SLICE("\\Flagged")},
                    {ENTRY_DELETED, SLICE("\\Deleted")},
                    {ENTRY_SEEN, SLICE("\\Seen")},
                    {ENTRY_DRAFT, SLICE("\\Draft")}};

/* The message, as it is when its scripts run. */
struct subject {
    const struct event *event;
    struct store_view *view; /* the system's, of the account */
    struct arena arena;
    struct entry entry;
    struct keyword_names names; /* in the arena */
    struct buffer bytes;
    struct prepared_message *prepared;
    /* Texts to be sent that were not in lines as they are sent, and what they were. */
    struct buffer lines[DEPARTURES_MAXIMUM];
    struct slice unlined[DEPARTURES_MAXIMUM];
    size_t line_count;
    char id[96]; /* no other change of the message has it */
};

/* --- the message --- */

static int copy_names(struct subject *subject, const struct keyword_names *names)
{
    subject->names.count = names->count;
    for (unsigned i = 0; i < names->count; i++)
        subject->names.names[i] = arena_copy(&subject->arena, names->names[i]);
    return arena_failed(&subject->arena) ? ERROR_LIMIT : 0;
}

static int find_entry(struct subject *subject, struct mailbox_snapshot *snapshot, uint32_t uid)
{
    struct entry_cursor cursor;
    entry_cursor_init(&cursor, snapshot, uid, 0);
    int error = entry_cursor_next(&cursor, &subject->entry);
    entry_cursor_release(&cursor);
    return error ? error : subject->entry.uid == uid ? 0 : ERROR_NOT_FOUND;
}

static int read_message(struct subject *subject, uint32_t uid)
{
    struct mailbox_snapshot *snapshot;
    int error = mailbox_snapshot_open(subject->view, subject->event->mailbox, &snapshot);
    if (error)
        return error;
    error = find_entry(subject, snapshot, uid);
    if (!error)
        error = copy_names(subject, mailbox_snapshot_keywords(snapshot));
    if (!error)
        error = mailbox_message(snapshot, &subject->entry, 0, subject->entry.size, &subject->bytes);
    mailbox_snapshot_close(&snapshot);
    return error ? error
                 : prepared_message_create(buffer_slice(&subject->bytes), &subject->prepared);
}

static void forget_lines(struct subject *subject)
{
    while (subject->line_count)
        buffer_release(&subject->lines[--subject->line_count]);
}

static void subject_release(struct subject *subject)
{
    forget_lines(subject);
    prepared_message_free(&subject->prepared);
    buffer_release(&subject->bytes);
    arena_release(&subject->arena);
    store_view_close(&subject->view);
}

/* Releases it when there is an error. */
static int subject_open(struct subject *subject, const struct event *event, uint32_t uid)
{
    *subject = (struct subject){.event = event};
    arena_init(&subject->arena, 1024 * 1024);
    buffer_init(&subject->bytes, SIZE_MAX - 1);
    int error = store_view_open(event->store, WHO_SYSTEM, event->account, &subject->view);
    if (!error)
        error = read_message(subject, uid);
    snprintf(subject->id, sizeof(subject->id), "event-%u-%u-%llu", event->mailbox, uid,
             (unsigned long long)subject->entry.modseq);
    if (error)
        subject_release(subject);
    return error;
}

/* --- flags --- */

/* The names of those flags, and how many. */
static size_t name_flags(const struct subject *subject, uint32_t flags,
                         const struct keyword_set *keywords, struct slice names[FLAG_NAMES])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof(system_flags) / sizeof(system_flags[0]); i++)
        if (flags & system_flags[i].flag)
            names[count++] = system_flags[i].name;
    for (unsigned i = 0; i < subject->names.count; i++)
        if (keyword_set_has(keywords, i))
            names[count++] = subject->names.names[i];
    return count;
}

/* Those of the list that are not among the others. */
static size_t keywords_less(const struct slice *list, size_t count, const struct slice *others,
                            size_t other_count, struct slice *left)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < other_count && !slice_equal_nocase(list[i], others[k]))
            k++;
        if (k == other_count && found < KEYWORDS_MAXIMUM)
            left[found++] = list[i];
    }
    return found;
}

/* --- what scripts are run with --- */

static struct slice join(struct arena *arena, const struct slice *names, size_t count)
{
    struct buffer text;
    buffer_init(&text, (size_t)FLAG_NAMES * (KEYWORD_NAME_MAXIMUM + 1));
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_byte(&text, ' ');
        buffer_append(&text, names[i]);
    }
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

int event_input(struct filter *filter, struct sieve_input *input)
{
    const struct append *keep = &filter->keep.append;
    const struct slice none = {NULL, 0};
    size_t count = 0;
    struct slice *flags =
        arena_alloc_array(&filter->arena, 5 + keep->keyword_count, sizeof(*flags));
    if (!flags)
        return ERROR_LIMIT;
    for (size_t i = 0; i < sizeof(system_flags) / sizeof(system_flags[0]); i++)
        if (keep->flags & system_flags[i].flag)
            flags[count++] = system_flags[i].name;
    for (size_t i = 0; i < keep->keyword_count; i++)
        flags[count++] = keep->keywords[i];
    input->event = true;
    input->envelope_from = input->envelope_to = input->original_to = none;
    input->flags = flags;
    input->flag_count = count;
    return 0;
}

static int put_mailbox(struct filter *filter, collection_id id, struct buffer *value)
{
    int error = id ? filter_load_mailboxes(filter) : 0;
    for (size_t i = 0; i < filter->collection_count && id && !error; i++)
        if (filter->collections[i].id == id)
            return buffer_append(value, filter->collections[i].path);
    return error;
}

static int put_address(struct filter *filter, struct buffer *value)
{
    struct account_info info;
    int error = store_account_get(filter->facts.store, WHO_SYSTEM, filter->event->user_id,
                                  &filter->arena, &info);
    return error == ERROR_NOT_FOUND ? 0 : error ? error : buffer_append(value, info.address);
}

int event_environment(struct filter *filter, struct slice name, struct buffer *value)
{
    static const struct slice causes[] = {SLICE("APPEND"), SLICE("COPY"), SLICE("FLAG")};
    const struct event *event = filter->event;
    if (slice_equal_nocase(name, SLICE("location")))
        return buffer_append(value, SLICE("MS"));
    if (slice_equal_nocase(name, SLICE("phase")))
        return buffer_append(value, SLICE("post"));
    if (slice_equal_nocase(name, SLICE("imap.user")))
        return buffer_append_string(value, event->user);
    if (slice_equal_nocase(name, SLICE("imap.email")))
        return put_address(filter, value);
    if (slice_equal_nocase(name, SLICE("imap.cause")))
        return buffer_append(value, causes[event->cause]);
    if (slice_equal_nocase(name, SLICE("imap.mailbox")))
        return put_mailbox(filter, event->mailbox, value);
    if (slice_equal_nocase(name, SLICE("vnd.chapar.source")))
        return put_mailbox(filter, event->source, value);
    if (slice_equal_nocase(name, SLICE("imap.changedflags")))
        return buffer_append(value, filter->changed_flags);
    return ERROR_NOT_FOUND;
}

/* --- running --- */

static int begin(struct filter *filter, const struct subject *subject)
{
    const struct event *event = subject->event;
    struct slice names[FLAG_NAMES] = {{0}};
    struct append *keep = &filter->keep.append;
    filter->event = event;
    size_t count = name_flags(subject, event->changed_flags, &event->changed_keywords, names);
    filter->changed_flags = join(&filter->arena, names, count);
    count = name_flags(subject, 0, &subject->entry.keywords, names);
    struct slice *keywords = arena_alloc_array(&filter->arena, count, sizeof(*keywords));
    if (!keywords || !filter->changed_flags.data)
        return ERROR_LIMIT;
    memcpy(keywords, names, count * sizeof(*keywords));
    keep->flags = subject->entry.flags;
    keep->keywords = keywords;
    keep->keyword_count = count;
    return 0;
}

/* *any: there is a script. */
static int run_all(struct filter *filter, bool *any)
{
    struct site_script list[SITE_SCRIPTS_OF_EVENTS];
    struct slice name = {NULL, 0};
    size_t count = 0;
    int error = filter_find_domain(filter);
    /* RFC 6785 section 3.4: what is sent is sent by the owner of the mailbox. */
    filter->facts.sender = filter->facts.recipient = filter->address;
    if (!error)
        error =
            site_scripts_of_events(filter->facts.store, WHO_SYSTEM, filter->domain, list, &count);
    if (!error)
        error = filter_run_site(filter, list, count);
    if (error)
        return error;
    error = event_script_name(filter->facts.view, filter->event->mailbox, &filter->arena, &name);
    *any = count || (!error && name.size);
    if (error == ERROR_NOT_FOUND || (!error && !name.size))
        return 0;
    if (!error)
        error = filter_run_user(filter, name);
    if (!error && filter->has_problem)
        error = filter_add_notice(filter);
    return error;
}

/* --- what is to be sent --- */

/* Lines end in CRLF there (RFC 5321 section 2.3.8), whatever an APPEND has brought. */
static bool is_in_lines(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] == '\n' && (!i || text.data[i - 1] != '\r')) ||
            (text.data[i] == '\r' && (i + 1 == text.size || text.data[i + 1] != '\n')))
            return false;
    return true;
}

static void put_lines(struct slice text, struct buffer *lines)
{
    for (size_t i = 0; i < text.size; i++) {
        bool pair = text.data[i] == '\r' && i + 1 < text.size && text.data[i + 1] == '\n';
        if (text.data[i] != '\r' && text.data[i] != '\n')
            buffer_append_byte(lines, text.data[i]);
        else
            buffer_append_string(lines, "\r\n");
        i += pair;
    }
}

static int make_lines(struct subject *subject, struct slice *text)
{
    size_t at = 0;
    while (at < subject->line_count && subject->unlined[at].data != text->data)
        at++;
    if (at == subject->line_count) {
        if (is_in_lines(*text))
            return 0;
        subject->unlined[at] = *text;
        buffer_init(&subject->lines[at], SIZE_MAX - 1);
        subject->line_count++;
        put_lines(*text, &subject->lines[at]);
    }
    *text = buffer_slice(&subject->lines[at]);
    return buffer_error(&subject->lines[at]);
}

static int make_all_lines(struct subject *subject, struct filter *filter)
{
    int error = 0;
    for (size_t i = 0; i < filter->departure_count && !error; i++)
        error = make_lines(subject, &filter->departures[i].pieces[1]);
    return error;
}

/* What goes elsewhere. For want of room it is not for a message about an error to fail. */
static int store_all(struct filter *filter)
{
    struct delivery_plan plan = filter_plan(filter, 0, false);
    bool nothing = !plan.filing_count && !plan.departure_count && !plan.remembered_count;
    int error = nothing ? 0 : store_deliver(filter->facts.view, &plan);
    if (error != ERROR_QUOTA || !filter->notice)
        return error;
    plan = filter_plan(filter, 0, true);
    nothing = !plan.filing_count && !plan.departure_count && !plan.remembered_count;
    return nothing ? 0 : store_deliver(filter->facts.view, &plan);
}

/* --- the message's flags --- */

static int change_flags(struct subject *subject, enum flag_operation operation, uint32_t flags,
                        const struct slice *keywords, size_t count)
{
    const struct flag_change change = {.operation = operation,
                                       .flags = flags,
                                       .keywords = keywords,
                                       .keyword_count = count,
                                       .unchanged_since = UINT64_MAX};
    struct range_set uids;
    uint64_t modseq;
    int error = ERROR_BUSY;
    if (!flags && !count)
        return 0;
    range_set_init(&uids, 1);
    range_set_add(&uids, subject->entry.uid, subject->entry.uid);
    for (int tries = 0; tries < EVENT_TRIES && error && error_is_temporary(error); tries++)
        error = mailbox_change_flags(subject->view, subject->event->mailbox, &uids, &change,
                                     &modseq, NULL);
    range_set_release(&uids);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static bool has_name(const struct slice *list, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(list[i], name))
            return true;
    return false;
}

/* As the keep says. *changed: what differs from before, of keywords those that the mailbox had. */
static int apply_keep(struct subject *subject, const struct append *keep,
                      struct flag_difference *changed)
{
    struct slice had[FLAG_NAMES] = {{0}}, less[KEYWORDS_MAXIMUM] = {{0}};
    struct slice more[KEYWORDS_MAXIMUM] = {{0}};
    uint32_t before = subject->entry.flags;
    size_t count = name_flags(subject, 0, &subject->entry.keywords, had);
    size_t fewer = keywords_less(had, count, keep->keywords, keep->keyword_count, less);
    size_t added = keywords_less(keep->keywords, keep->keyword_count, had, count, more);
    changed->flags = before ^ keep->flags;
    for (unsigned i = 0; i < subject->names.count; i++)
        if (has_name(less, fewer, subject->names.names[i]) ||
            has_name(more, added, subject->names.names[i]))
            changed->keywords.bits[i / 64] |= UINT64_C(1) << (i % 64);
    int error = change_flags(subject, FLAGS_REMOVE, before & ~keep->flags, less, fewer);
    if (!error)
        error = change_flags(subject, FLAGS_ADD, keep->flags & ~before, more, added);
    return error;
}

/* --- one event --- */

/* What is left to be done with the message. */
struct verdict {
    bool any;  /* a script was run */
    bool kept; /* by the scripts, or as there is none */
    struct filter *filter;
};

static int attempt(struct subject *subject, struct verdict *verdict)
{
    const struct event *event = subject->event;
    const struct filter_facts facts = {.programs = event->programs,
                                       .store = event->store,
                                       .view = subject->view,
                                       .account = event->account,
                                       .message = buffer_slice(&subject->bytes),
                                       .prepared = subject->prepared,
                                       .date = subject->entry.internal_date,
                                       .sends = event->sends,
                                       .hostname = event->hostname,
                                       .id = subject->id,
                                       .keep = event->mailbox};
    struct filter *filter = facts.programs ? filter_make(&facts) : NULL;
    if (!filter)
        return ERROR_MEMORY;
    int error = begin(filter, subject);
    if (!error)
        error = run_all(filter, &verdict->any);
    forget_lines(subject);
    if (!error)
        error = make_all_lines(subject, filter);
    if (!error)
        error = store_all(filter);
    verdict->kept = filter->kept;
    if (error)
        filter_free(&filter);
    verdict->filter = filter;
    return error;
}

static int decide(struct subject *subject, struct verdict *verdict)
{
    int error = ERROR_BUSY;
    for (int tries = 0; tries < EVENT_TRIES && error && error_is_temporary(error); tries++)
        error = attempt(subject, verdict);
    return error;
}

static void log_failure(const struct event *event, const char *id, int error)
{
    char account[ACCOUNT_ID_TEXT + 1];
    account_id_format(event->account, account);
    log_error("sieve_failed", LOG_TEXT("id", id), LOG_TEXT("account", account),
              LOG_TEXT("user", event->user), LOG_TEXT("error", error_name(error)));
}

/* *changed: the flags that a keep has changed. */
static int run_once(const struct event *event, uint32_t uid, struct flag_difference *changed)
{
    struct subject subject;
    struct verdict verdict = {.any = false};
    *changed = (struct flag_difference){.uid = uid};
    int error = subject_open(&subject, event, uid);
    if (error == ERROR_NOT_FOUND)
        return 0;
    if (error) {
        log_failure(event, "event", error);
        return 0;
    }
    error = decide(&subject, &verdict);
    if (!error && verdict.any && verdict.kept)
        error = apply_keep(&subject, &verdict.filter->keep.append, changed);
    else if (!error && verdict.any)
        error = change_flags(&subject, FLAGS_ADD, ENTRY_DELETED, NULL, 0);
    if (error)
        log_failure(event, subject.id, error);
    filter_free(&verdict.filter);
    subject_release(&subject);
    return error || verdict.any ? 0 : ERROR_NOT_FOUND;
}

static bool differs(const struct flag_difference *changed)
{
    uint64_t any = changed->flags;
    for (unsigned i = 0; i < KEYWORDS_MAXIMUM / 64; i++)
        any |= changed->keywords.bits[i];
    return any != 0;
}

bool event_of_site(struct store *store)
{
    bool has = false;
    return !site_has_events(store, WHO_SYSTEM, &has) && has;
}

int event_run(const struct event *event, uint32_t uid)
{
    struct flag_difference changed, ignored;
    int error = run_once(event, uid, &changed);
    if (error || event->cause == EVENT_FLAG || !differs(&changed))
        return error;
    struct event again = *event;
    again.cause = EVENT_FLAG;
    again.source = 0;
    again.changed_flags = changed.flags;
    again.changed_keywords = changed.keywords;
    return run_once(&again, uid, &ignored);
}
