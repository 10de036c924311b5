/*
 * What scripts ask: mailboxes, annotations, the environment, duplicates, other scripts.
 */
#include "base/error.h"
#include "session/sieve/filter_priv.h"
#include "store/annotation.h"

enum {
    /* Bytes that all annotations of a mailbox may take while one is looked for. */
    ANNOTATIONS_MEMORY = 3 * ANNOTATIONS_MAXIMUM * (ANNOTATION_VALUE_MAXIMUM + 1024),
};

/* --- mailboxes --- */

int filter_load_mailboxes(struct filter *filter)
{
    if (filter->collections)
        return 0;
    return collection_list(filter->facts.view, COLLECTION_MAILBOX, &filter->arena,
                           &filter->collections, &filter->collection_count);
}

const struct collection *filter_find_path(const struct filter *filter, struct slice path)
{
    const struct slice inbox = SLICE("INBOX");
    bool in_inbox = slice_equal_nocase(slice_sub(path, 0, inbox.size), inbox) &&
                    (path.size == inbox.size || path.data[inbox.size] == '/');
    for (size_t i = 0; i < filter->collection_count; i++) {
        struct slice other = filter->collections[i].path;
        size_t from = in_inbox && slice_starts_with(other, inbox) ? inbox.size : 0;
        if (other.size == path.size &&
            slice_equal(slice_sub(other, from, SIZE_MAX), slice_sub(path, from, SIZE_MAX)))
            return &filter->collections[i];
    }
    return NULL;
}

const struct collection *filter_find_id(const struct filter *filter, struct slice id)
{
    for (size_t i = 0; i < filter->collection_count; i++)
        if (slice_equal(slice_from_string(filter->collections[i].object_id), id))
            return &filter->collections[i];
    return NULL;
}

const struct collection *filter_find_use(const struct filter *filter, struct slice use)
{
    enum collection_role role;
    if (collection_role_parse(use, &role))
        return NULL;
    for (size_t i = 0; i < filter->collection_count; i++)
        if (filter->collections[i].role == role)
            return &filter->collections[i];
    return NULL;
}

static int mailbox_exists(void *arg, struct slice name, bool *exists)
{
    int error = filter_load_mailboxes(arg);
    *exists = !error && filter_find_path(arg, name);
    return error;
}

static int mailbox_id_exists(void *arg, struct slice id, bool *exists)
{
    int error = filter_load_mailboxes(arg);
    *exists = !error && filter_find_id(arg, id);
    return error;
}

static int special_use_exists(void *arg, struct slice name, struct slice use, bool *exists)
{
    int error = filter_load_mailboxes(arg);
    const struct collection *found = error ? NULL : filter_find_use(arg, use);
    *exists = found && (!name.data || found == filter_find_path(arg, name));
    return error;
}

/* --- annotations --- */

static int find_annotation(struct filter *filter, collection_id collection, struct slice entry,
                           struct arena *arena, struct buffer *value)
{
    enum annotation_scope scope;
    struct slice name;
    struct annotation *list;
    size_t count;
    if (annotation_name_parse(entry, &scope, &name))
        return ERROR_NOT_FOUND;
    int error = annotations_list(filter->facts.view, collection, arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        if (list[i].scope == scope && slice_equal_nocase(list[i].name, name))
            return buffer_append(value, list[i].value);
    return error ? error : ERROR_NOT_FOUND;
}

static int metadata(void *arg, struct slice mailbox, struct slice name, struct buffer *value)
{
    struct filter *filter = arg;
    const struct collection *found = NULL;
    struct arena arena;
    int error = mailbox.data ? filter_load_mailboxes(filter) : 0;
    if (!error && mailbox.data && !(found = filter_find_path(filter, mailbox)))
        error = ERROR_NOT_FOUND;
    if (error)
        return error;
    arena_init(&arena, ANNOTATIONS_MEMORY);
    error = find_annotation(filter, found ? found->id : 0, name, &arena, value);
    arena_release(&arena);
    return error;
}

/* --- the environment (RFC 5183 section 4.1, RFC 6785 section 4) --- */

static int environment(void *arg, struct slice name, struct buffer *value)
{
    struct filter *filter = arg;
    struct slice host = slice_from_string(filter->facts.hostname);
    int error = filter->event ? event_environment(filter, name, value) : ERROR_NOT_FOUND;
    if (error != ERROR_NOT_FOUND)
        return error;
    if (slice_equal_nocase(name, SLICE("host")))
        return buffer_append(value, host);
    if (slice_equal_nocase(name, SLICE("domain")))
        return buffer_append(value, filter->domain);
    if (slice_equal_nocase(name, SLICE("location")))
        return buffer_append(value, SLICE("MDA"));
    if (slice_equal_nocase(name, SLICE("phase")))
        return buffer_append(value, SLICE("during"));
    return ERROR_NOT_FOUND; /* who connected to the mail server, it does not tell */
}

/* --- duplicates --- */

static int duplicate_seen(void *arg, struct slice key, bool *seen)
{
    struct filter *filter = arg;
    return store_remembers(filter->facts.view, remember_number("duplicate", key), seen);
}

static int duplicate_mark(void *arg, struct slice key, uint64_t seconds)
{
    struct filter *filter = arg;
    uint64_t what = remember_number("duplicate", key);
    int64_t until = store_now(filter->facts.view) + (int64_t)seconds;
    size_t i = 0;
    while (i < filter->remembered_count && filter->remembered[i].what != what)
        i++;
    if (i == REMEMBERED_MAXIMUM) {
        filter_problem(filter, 0, "too many duplicates are tracked");
        return 0;
    }
    filter->remembered[i] = (struct remembered){what, until};
    filter->remembered_count += i == filter->remembered_count;
    return 0;
}

/* --- other scripts (RFC 6609 section 3.2) --- */

static int find_site(struct filter *filter, struct slice name, const struct sieve_program **program)
{
    struct site_script script = {.place = SITE_INCLUDED, .domain = filter->domain, .name = name};
    int error = site_script_find(filter->facts.store, WHO_SYSTEM, &script);
    if (error == ERROR_NOT_FOUND) {
        script = (struct site_script){.place = SITE_INCLUDED, .name = name};
        error = site_script_find(filter->facts.store, WHO_SYSTEM, &script);
    }
    return error ? error : filter_site_program(filter, &script, program);
}

static int find_script(void *arg, bool global, struct slice name,
                       const struct sieve_program **program)
{
    struct filter *filter = arg;
    struct script script;
    if (!script_name_is_valid(name) || (global && name.size > SITE_SCRIPT_NAME_MAXIMUM))
        return ERROR_NOT_FOUND;
    if (global)
        return find_site(filter, name, program);
    int error = script_find(filter->facts.view, name, &filter->arena, &script);
    return error ? error : filter_user_program(filter, &script, program);
}

/* --- filters in front --- */

static int spam_score(void *arg, struct buffer *percent)
{
    const struct filter *filter = arg;
    return spam_score_of(filter->facts.message, percent);
}

static int virus_level(void *arg, struct buffer *level)
{
    const struct filter *filter = arg;
    return virus_level_of(filter->facts.message, level);
}

void filter_host(struct filter *filter, struct sieve_host *host)
{
    host->arg = filter;
    host->mailbox_exists = mailbox_exists;
    host->mailbox_id_exists = mailbox_id_exists;
    host->special_use_exists = special_use_exists;
    host->metadata = metadata;
    host->environment = environment;
    host->duplicate_seen = duplicate_seen;
    host->duplicate_mark = duplicate_mark;
    host->script = find_script;
    host->spam_score = spam_score;
    host->virus_level = virus_level;
}
