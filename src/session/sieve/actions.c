/*
 * What scripts want done, as filings of one delivery.
 */
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "session/sieve/filter_priv.h"

enum { SNOOZED_NAMES = 10 }; /* that are tried */

/* --- versions of the message --- */

static bool is_version(const struct version *version, const struct sieve_action *action)
{
    size_t header = action->header.size;
    return version->text.size == header + action->body.size &&
           slice_equal(slice_sub(version->text, 0, header), action->header) &&
           slice_equal(slice_sub(version->text, header, SIZE_MAX), action->body);
}

static bool is_wanted(const struct filter *filter, const struct version *version)
{
    if (version == filter->input || version == &filter->versions[0])
        return true;
    for (size_t i = 0; i < filter->filing_count; i++)
        if (filter->filings[i].append.message == version->prepared)
            return true;
    for (size_t i = 0; i < filter->departure_count; i++)
        if (filter->departures[i].pieces[1].data == version->text.data)
            return true;
    return false;
}

static void forget_version(struct version *version)
{
    prepared_message_free(&version->prepared);
    buffer_release(&version->bytes);
}

void filter_forget_versions(struct filter *filter, bool all)
{
    for (size_t i = 1; i < FILTER_VERSIONS_MAXIMUM; i++)
        if (all || !is_wanted(filter, &filter->versions[i]))
            forget_version(&filter->versions[i]);
}

static int make_version(struct version *version, const struct sieve_action *action)
{
    *version = (struct version){.text = {NULL, 0}};
    buffer_init(&version->bytes, SIZE_MAX - 1);
    buffer_reserve(&version->bytes, action->header.size + action->body.size);
    buffer_append(&version->bytes, action->header);
    buffer_append(&version->bytes, action->body);
    version->text = buffer_slice(&version->bytes);
    int error = buffer_error(&version->bytes);
    if (!error)
        error = prepared_message_create(version->text, &version->prepared);
    if (error)
        buffer_release(&version->bytes);
    return error;
}

int filter_find_version(struct filter *filter, const struct sieve_action *action,
                        const struct version **version)
{
    *version = filter->input;
    if (!action->header.data || action->header.data == filter->input->text.data)
        return 0;
    struct version *unused = NULL;
    size_t changed = 0; /* bytes */
    for (size_t i = 0; i < FILTER_VERSIONS_MAXIMUM; i++) {
        struct version *other = &filter->versions[i];
        changed += other->bytes.size;
        if (!other->prepared)
            unused = other;
        else if (is_version(other, action))
            return *version = other, 0;
    }
    size_t size = action->header.size + action->body.size;
    if (!unused || (changed && changed + size > FILTER_CHANGED_MAXIMUM)) {
        filter_problem(filter, action->line, "the message is changed in too many ways");
        return 0;
    }
    int error = make_version(unused, action);
    if (!error)
        *version = unused;
    return error;
}

/* --- flags --- */

static uint32_t system_flag(struct slice name)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {{"\\Seen", ENTRY_SEEN},
                 {"\\Answered", ENTRY_ANSWERED},
                 {"\\Flagged", ENTRY_FLAGGED},
                 {"\\Deleted", ENTRY_DELETED},
                 {"\\Draft", ENTRY_DRAFT}};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (slice_equal_nocase(name, slice_from_string(flags[i].name)))
            return flags[i].flag;
    return 0;
}

/* An IMAP atom (RFC 9051 section 9, flag-keyword). */
static bool is_keyword(struct slice name)
{
    if (!name.size || name.size > KEYWORD_NAME_MAXIMUM)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c))
            return false;
    }
    return true;
}

/* What is no flag is not set (RFC 5232 section 2). */
static const struct slice *take_names(struct filter *filter, const struct slice *names, size_t size,
                                      uint32_t *flags, size_t *count)
{
    struct slice *keywords = arena_alloc_array(&filter->arena, size, sizeof(*keywords));
    *flags = 0;
    *count = 0;
    for (size_t i = 0; i < size && keywords; i++) {
        *flags |= system_flag(names[i]);
        if (is_keyword(names[i]))
            keywords[(*count)++] = arena_copy(&filter->arena, names[i]);
    }
    return keywords;
}

static int take_flags(struct filter *filter, const struct sieve_action *action,
                      struct append *append)
{
    append->keywords = take_names(filter, action->flags, action->flag_count, &append->flags,
                                  &append->keyword_count);
    return arena_failed(&filter->arena) ? ERROR_LIMIT : 0;
}

/* The filing but for its mailbox. */
static int make_filing(struct filter *filter, const struct sieve_action *action,
                       struct filing *filing, const struct version **version)
{
    int error = filter_find_version(filter, action, version);
    if (error)
        return error;
    *filing = (struct filing){.mailbox = filter->facts.keep,
                              .append = {.message = (*version)->prepared,
                                         .prefix = filter->facts.prefix,
                                         .internal_date = filter->facts.date}};
    return take_flags(filter, action, &filing->append);
}

/* --- mailboxes --- */

static int create_mailbox(struct filter *filter, const struct sieve_action *action,
                          collection_id *id)
{
    enum collection_role role = ROLE_NONE;
    if (action->special_use.size && collection_role_parse(action->special_use, &role))
        role = ROLE_NONE;
    int error = collection_create(filter->facts.view, COLLECTION_MAILBOX, action->target, role, id);
    if (!error || error == ERROR_EXISTS)
        filter->collections = NULL; /* the list is another one now */
    if (error != ERROR_EXISTS)
        return error;
    /* Another delivery was faster. */
    error = filter_load_mailboxes(filter);
    const struct collection *found = error ? NULL : filter_find_path(filter, action->target);
    if (found)
        *id = found->id;
    return error ? error : found ? 0 : ERROR_EXISTS;
}

/* RFC 9042 section 3 and RFC 8579 section 4: before the name, if there is such a one. */
static int find_mailbox(struct filter *filter, const struct sieve_action *action, collection_id *id)
{
    const struct collection *found = NULL;
    int error = filter_load_mailboxes(filter);
    if (error)
        return error;
    if (action->mailbox_id.size)
        found = filter_find_id(filter, action->mailbox_id);
    if (!found && action->special_use.size)
        found = filter_find_use(filter, action->special_use);
    if (!found)
        found = filter_find_path(filter, action->target);
    if (found)
        *id = found->id;
    return found ? 0 : action->create ? create_mailbox(filter, action, id) : ERROR_NOT_FOUND;
}

static void tell_no_mailbox(struct filter *filter, const struct sieve_action *action, int error)
{
    char text[SIEVE_PROBLEM_TEXT_MAXIMUM];
    int size = action->target.size < 100 ? (int)action->target.size : 100;
    snprintf(text, sizeof(text),
             action->create ? "the mailbox \"%.*s\" cannot be made: %s"
                            : "there is no mailbox \"%.*s\"",
             size, action->target.data, error_text(error));
    filter_problem(filter, action->line, text);
}

/* What sleeps is the same when it wakes together. */
static bool wakes_as(const struct snooze *a, const struct snooze *b)
{
    return a && b ? a->until == b->until && a->role == b->role &&
                        slice_equal(a->mailbox_id, b->mailbox_id) &&
                        slice_equal(a->mailbox, b->mailbox)
                  : a == b;
}

void filter_file(struct filter *filter, const struct filing *filing)
{
    for (size_t i = 0; i < filter->filing_count; i++)
        if (filter->filings[i].mailbox == filing->mailbox &&
            filter->filings[i].append.message == filing->append.message &&
            wakes_as(filter->filings[i].snooze, filing->snooze))
            return; /* RFC 5228 section 2.10.3 */
    /* One is left for what is kept in the end, and one for the message about an error. */
    if (filter->filing_count < FILINGS_MAXIMUM - 2 + (size_t)(filing == &filter->keep))
        filter->filings[filter->filing_count++] = *filing;
    else
        filter_problem(filter, 0, "the message is filed into too many mailboxes");
}

/* --- actions --- */

static int keep(struct filter *filter, const struct sieve_action *action)
{
    const struct version *version;
    struct filing filing;
    if (filter->event) { /* the message is there, and stays what it is */
        filter->kept = true;
        return action->flags_given && action->kind == SIEVE_KEEP
                   ? take_flags(filter, action, &filter->keep.append)
                   : 0;
    }
    int error = make_filing(filter, action, &filing, &version);
    if (error)
        return error;
    if (!action->flags_given) { /* those that a script before has said stay */
        filing.append.flags = filter->keep.append.flags;
        filing.append.keywords = filter->keep.append.keywords;
        filing.append.keyword_count = filter->keep.append.keyword_count;
    }
    filter->keep = filing;
    filter->kept = true;
    filter->input = version;
    return 0;
}

static int file_into(struct filter *filter, const struct sieve_action *action)
{
    const struct version *version;
    struct filing filing;
    int error = make_filing(filter, action, &filing, &version);
    if (error)
        return error;
    error = find_mailbox(filter, action, &filing.mailbox);
    if (error && error_is_temporary(error))
        return error;
    if (error)
        tell_no_mailbox(filter, action, error);
    if (error && filter->event)
        return keep(filter, action);
    filter_file(filter, &filing);
    return 0;
}

/* --- snooze --- */

/* Made, and subscribed to, when there is none. Another mailbox may have its name. */
static int make_snoozed(struct filter *filter, collection_id *id)
{
    struct store_view *view = filter->facts.view;
    char name[32];
    int error = ERROR_EXISTS;
    for (int i = 1; i < SNOOZED_NAMES && error == ERROR_EXISTS; i++) {
        snprintf(name, sizeof(name), i == 1 ? "Snoozed" : "Snoozed %d", i);
        error =
            collection_create(view, COLLECTION_MAILBOX, slice_from_string(name), ROLE_SNOOZED, id);
    }
    filter->collections = NULL; /* the list is another one now */
    return error ? error : collection_subscribe(view, *id, true);
}

/* draft-ietf-extra-sieve-snooze-07 section 4: the mailbox with the use \Snoozed. */
static int find_snoozed(struct filter *filter, collection_id *id)
{
    int error = filter_load_mailboxes(filter);
    const struct collection *found = error ? NULL : filter_find_use(filter, SLICE("\\Snoozed"));
    if (!error && !found) {
        error = make_snoozed(filter, id);
        if (error != ERROR_CONFLICT)
            return error;
        error = filter_load_mailboxes(filter); /* another delivery was faster */
        found = error ? NULL : filter_find_use(filter, SLICE("\\Snoozed"));
    }
    if (found)
        *id = found->id;
    return error ? error : found ? 0 : ERROR_CONFLICT;
}

static int make_snooze(struct filter *filter, const struct sieve_action *action,
                       const struct snooze **made)
{
    struct arena *arena = &filter->arena;
    struct snooze *snooze = arena_alloc(arena, sizeof(*snooze));
    if (!snooze)
        return ERROR_LIMIT;
    *snooze = (struct snooze){.until = action->until,
                              .mailbox = arena_copy(arena, action->target),
                              .create = action->create};
    if (action->mailbox_id.size <= SNOOZE_ID_MAXIMUM)
        snooze->mailbox_id = arena_copy(arena, action->mailbox_id);
    if (collection_role_parse(action->special_use, &snooze->role))
        snooze->role = ROLE_NONE;
    snooze->add_keywords =
        take_names(filter, action->add_flags, action->add_count, &snooze->add, &snooze->add_count);
    snooze->remove_keywords = take_names(filter, action->remove_flags, action->remove_count,
                                         &snooze->remove, &snooze->remove_count);
    if (snooze->add_count > SNOOZE_KEYWORDS_MAXIMUM)
        snooze->add_count = SNOOZE_KEYWORDS_MAXIMUM;
    if (snooze->remove_count > SNOOZE_KEYWORDS_MAXIMUM)
        snooze->remove_count = SNOOZE_KEYWORDS_MAXIMUM;
    if (snooze->mailbox.size > COLLECTION_PATH_MAXIMUM)
        snooze->mailbox = SLICE("INBOX"); /* there is none of that name */
    *made = snooze;
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

static int put_to_sleep(struct filter *filter, const struct sieve_action *action)
{
    char why[SIEVE_PROBLEM_TEXT_MAXIMUM];
    const struct version *version;
    struct filing filing;
    int error = make_filing(filter, action, &filing, &version);
    if (!error)
        error = make_snooze(filter, action, &filing.snooze);
    if (error)
        return error;
    error = find_snoozed(filter, &filing.mailbox);
    if (error && error_is_temporary(error))
        return error;
    if (error) {
        snprintf(why, sizeof(why), "the mailbox for snoozed messages cannot be made: %s",
                 error_text(error));
        return filter_keep_instead(filter, action, why);
    }
    counters_add(COUNTER_SIEVE_SNOOZED, 1);
    filter_file(filter, &filing);
    return 0;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

int filter_keep_instead(struct filter *filter, const struct sieve_action *action, const char *why)
{
    filter_problem(filter, action->line, why);
    return filter->kept ? 0 : keep(filter, action);
}

int filter_file_copy(struct filter *filter, const struct sieve_action *action, struct slice prefix)
{
    struct sieve_action copy = *action;
    const struct version *version;
    struct filing filing;
    copy.target = action->fcc;
    int error = make_filing(filter, &copy, &filing, &version);
    if (error || version == filter->input)
        return error; /* there is no room for it, which has been told */
    filing.append.prefix = prefix;
    error = find_mailbox(filter, &copy, &filing.mailbox);
    if (error && error_is_temporary(error))
        return error;
    if (error)
        tell_no_mailbox(filter, &copy, error);
    filter_file(filter, &filing);
    return 0;
}

/* RFC 5429 sections 2.1.1 and 2.2: as a reply, reject only with its very words. */
static int reject(struct filter *filter, const struct sieve_action *action)
{
    bool ascii = is_ascii(action->text);
    if (!ascii && action->kind == SIEVE_REJECT)
        return filter_report_rejection(filter, action);
    filter->rejected = true;
    counters_add(COUNTER_SIEVE_REJECTED, 1);
    filter->reason = ascii && action->text.size
                         ? arena_copy(&filter->arena, action->text)
                         : SLICE("The recipient's mail filter refuses this message");
    return filter->reason.data ? 0 : ERROR_LIMIT;
}

int filter_perform(void *arg, const struct sieve_action *action)
{
    struct filter *filter = arg;
    switch (action->kind) {
    case SIEVE_KEEP:
        return keep(filter, action);
    case SIEVE_FILEINTO:
        return file_into(filter, action);
    case SIEVE_SNOOZE:
        return put_to_sleep(filter, action);
    case SIEVE_REJECT:
    case SIEVE_EREJECT:
        return reject(filter, action);
    case SIEVE_REDIRECT:
        return filter_redirect(filter, action);
    case SIEVE_VACATION:
        return filter_respond(filter, action);
    case SIEVE_NOTIFY:
        return filter_notify(filter, action);
    case SIEVE_DISCARD:
        return 0;
    }
    return 0;
}
