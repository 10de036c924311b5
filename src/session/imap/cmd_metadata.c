/*
 * GETMETADATA and SETMETADATA (RFC 5464), over the store's annotations, and what LIST returns of
 * them (RFC 9590). A response for each slice: values may be long.
 */
#include "base/error.h"
#include "base/log.h"
#include "session/imap/search_priv.h"
#include "session/imap/session_priv.h"
#include "store/annotation.h"
#include "store/event.h"

/* And the view of whose it is. */
static int find_collection(struct imap_session *session, struct store_view **view,
                           struct collection *mailbox)
{
    struct slice name = session->command->metadata.mailbox;
    struct session_place place;
    mailbox->id = 0;
    if (!name.size)
        return session_view(session, view);
    int error = session_find_mailbox(session, name, &place, mailbox);
    if (!error)
        *view = place.view;
    return error;
}

static const char *scope_name(enum annotation_scope scope)
{
    return scope == ANNOTATION_PRIVATE ? "/private" : "/shared";
}

/* Whether the entry asked for is the annotation's, or one above it within the depth (RFC 5464
 * section 4.2.2). */
static bool names(const struct imap_metadata *metadata, struct slice entry,
                  const struct annotation *annotation)
{
    struct slice scope = slice_from_string(scope_name(annotation->scope));
    if (!slice_equal_nocase(slice_sub(entry, 0, scope.size), scope))
        return false;
    struct slice name = slice_sub(entry, scope.size, SIZE_MAX);
    if (!slice_equal_nocase(slice_sub(annotation->name, 0, name.size), name))
        return false;
    struct slice below = slice_sub(annotation->name, name.size, SIZE_MAX);
    if (below.size == 0)
        return true;
    if (metadata->depth == 0 || below.data[0] != '/')
        return false;
    struct slice deeper = slice_sub(below, 1, SIZE_MAX);
    return metadata->depth == IMAP_DEPTH_INFINITY || slice_find(deeper, '/') == deeper.size;
}

static bool is_wanted(const struct imap_metadata *metadata, struct metadata_work *work,
                      const struct annotation *annotation)
{
    bool named = false;
    for (size_t i = 0; i < metadata->count && !named; i++)
        named = names(metadata, metadata->entries[i], annotation);
    if (!named)
        return false;
    if (!metadata->has_maximum || annotation->value.size <= metadata->maximum)
        return true;
    if (work->longest < annotation->value.size)
        work->longest = annotation->value.size;
    return false;
}

/* An entry that is named, and not there, is NIL (RFC 9590 section 4); with DEPTH those that are
 * there are told. In the arena, behind the others. */
static int add_missing(const struct imap_metadata *metadata, struct arena *arena,
                       struct metadata_work *work)
{
    size_t found = work->count;
    struct annotation *list = arena_alloc_array(arena, found + metadata->count, sizeof(*list));
    if (!list)
        return ERROR_LIMIT;
    if (found)
        memcpy(list, work->list, found * sizeof(*list));
    for (size_t i = 0; i < metadata->count; i++) {
        struct annotation missing = {.value = {NULL, 0}};
        bool there = annotation_name_parse(metadata->entries[i], &missing.scope, &missing.name);
        for (size_t k = 0; k < work->count && !there; k++)
            there =
                list[k].scope == missing.scope && slice_equal_nocase(list[k].name, missing.name);
        if (!there)
            list[work->count++] = missing;
    }
    work->list = list;
    return 0;
}

int metadata_begin(struct store_view *view, collection_id mailbox,
                   const struct imap_metadata *metadata, struct arena *arena,
                   struct metadata_work *work)
{
    *work = (struct metadata_work){0};
    int error = annotations_list(view, mailbox, arena, &work->list, &work->count);
    return error || metadata->depth ? error : add_missing(metadata, arena, work);
}

bool metadata_write(struct imap_session *session, struct slice mailbox,
                    const struct imap_metadata *metadata, struct metadata_work *work)
{
    struct buffer *out = session->out;
    bool any = false;
    for (; work->next < work->count && !session_slice_over(session); work->next++) {
        const struct annotation *annotation = &work->list[work->next];
        if (!is_wanted(metadata, work, annotation))
            continue;
        if (!any) {
            buffer_append(out, SLICE("* METADATA "));
            imap_write_mailbox(out, mailbox, session_takes_utf8(session));
        }
        buffer_append_string(out, any ? " " : " (");
        buffer_append_string(out, scope_name(annotation->scope));
        buffer_append(out, annotation->name);
        buffer_append_byte(out, ' ');
        imap_write_value(out, annotation->value);
        any = true;
    }
    if (any)
        buffer_append(out, SLICE(")\r\n"));
    return work->next == work->count;
}

static int begin(struct imap_session *session, struct metadata_work *work)
{
    struct store_view *view;
    struct collection mailbox;
    int error = find_collection(session, &view, &mailbox);
    return error ? error
                 : metadata_begin(view, mailbox.id, &session->command->metadata, &session->arena,
                                  work);
}

static enum progress answer(struct imap_session *session, const struct metadata_work *work)
{
    char code[NUMBER_MAXIMUM + sizeof("METADATA LONGENTRIES ")];
    if (!work->longest)
        return session_ok(session, "Getmetadata completed");
    snprintf(code, sizeof(code), "METADATA LONGENTRIES %llu", (unsigned long long)work->longest);
    return session_reply(session, "OK", arena_string(&session->arena, slice_from_string(code)),
                         "Getmetadata completed");
}

enum progress cmd_metadata(struct imap_session *session)
{
    bool first = !session->work;
    struct metadata_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    int error = first ? begin(session, work) : 0;
    if (error)
        return session_fail(session, error);
    const struct imap_metadata *metadata = &session->command->metadata;
    return metadata_write(session, metadata->mailbox, metadata, work) ? answer(session, work)
                                                                      : PROGRESS_AGAIN;
}

/* --- SETMETADATA --- */

/* In the arena. ERROR_SYNTAX of a name, ERROR_LIMIT of a value or the arena. */
static int make_list(struct imap_session *session, struct annotation **list)
{
    const struct imap_metadata *metadata = &session->command->metadata;
    struct annotation *made = arena_alloc_array(&session->arena, metadata->count, sizeof(*made));
    if (!made)
        return ERROR_LIMIT;
    for (size_t i = 0; i < metadata->count; i++) {
        int error = annotation_name_parse(metadata->entries[i], &made[i].scope, &made[i].name);
        if (error)
            return error;
        made[i].value = metadata->values[i];
    }
    *list = made;
    return 0;
}

static bool is_too_large(const struct imap_metadata *metadata)
{
    for (size_t i = 0; i < metadata->count; i++)
        if (metadata->values[i].size > ANNOTATION_VALUE_MAXIMUM)
            return true;
    return false;
}

/* What is stored as a search's program should be one (RFC 5466 section 3.2). */
static bool has_wrong_filter(struct imap_session *session, const struct annotation *list,
                             size_t count)
{
    struct imap_search search;
    bool wrong = session->command->metadata.mailbox.size != 0;
    for (size_t i = 0; i < count && !wrong; i++)
        if (filter_is_value(list[i].name) && list[i].value.data &&
            imap_search_program(list[i].value, &session->arena, &search))
            return true;
    return false;
}

static enum progress fail_set(struct imap_session *session, int error)
{
    if (error == ERROR_SYNTAX)
        return session_reply(session, "BAD", NULL, "Not the name of an entry");
    if (error == ERROR_LIMIT)
        return session_reply(session, "NO", "METADATA TOOMANY", "Too many entries");
    return session_fail(session, error);
}

/* An annotation that all accounts see; that of IMAP events is each account's own (store/event.h).
 */
static bool is_servers(const struct annotation *annotation)
{
    return annotation->scope == ANNOTATION_SHARED &&
           !slice_equal_nocase(annotation->name, SLICE(EVENT_ANNOTATION));
}

/* Names alone: values may be anything. */
static void log_entries(struct imap_session *session)
{
    const struct imap_metadata *metadata = &session->command->metadata;
    struct annotation first;
    struct buffer detail;
    if (!metadata->mailbox.size &&
        (annotation_name_parse(metadata->entries[0], &first.scope, &first.name) ||
         !is_servers(&first)))
        return; /* its own */
    buffer_init(&detail, LOG_LINE_MAXIMUM);
    for (size_t i = 0; i < metadata->count; i++) {
        buffer_append_string(&detail, i ? " " : "");
        buffer_append(&detail, metadata->entries[i]);
    }
    administer_log(session, metadata->mailbox, buffer_slice(&detail));
    buffer_release(&detail);
}

/* How many of the server's an administrator sets; for anybody else shared ones are not there to be
 * set, as the store says. */
static size_t count_servers(const struct imap_session *session, const struct annotation *list)
{
    const struct imap_metadata *metadata = &session->command->metadata;
    size_t servers = 0;
    bool may = session->stream->administrator && !metadata->mailbox.size;
    for (size_t i = 0; i < metadata->count; i++)
        servers += may && is_servers(&list[i]);
    return servers;
}

static enum progress answer_set(struct imap_session *session, int error)
{
    if (error)
        return fail_set(session, error);
    log_entries(session);
    return session_ok(session, "Setmetadata completed");
}

/* All or nothing (RFC 5464 section 4.3), which two places of storage cannot promise together. */
static enum progress set_servers(struct imap_session *session, const struct annotation *list,
                                 size_t servers)
{
    const struct imap_metadata *metadata = &session->command->metadata;
    if (servers < metadata->count)
        return session_reply(
            session, "NO", "CANNOT",
            "Set what is the server's with one command, what is yours with another");
    return answer_set(session, server_annotations_set(session->stream->store, session_who(session),
                                                      list, servers));
}

enum progress cmd_set_metadata(struct imap_session *session)
{
    const struct imap_metadata *metadata = &session->command->metadata;
    struct annotation *list;
    struct collection mailbox;
    struct store_view *view;
    char code[NUMBER_MAXIMUM + sizeof("METADATA MAXSIZE ")];
    if (is_too_large(metadata)) {
        snprintf(code, sizeof(code), "METADATA MAXSIZE %d", ANNOTATION_VALUE_MAXIMUM);
        return session_reply(session, "NO", arena_string(&session->arena, slice_from_string(code)),
                             "A value is too long");
    }
    int error = make_list(session, &list);
    if (error)
        return fail_set(session, error);
    if (has_wrong_filter(session, list, metadata->count))
        return session_reply(session, "NO", "CANNOT", "A filter is no search program");
    size_t servers = count_servers(session, list);
    if (servers)
        return set_servers(session, list, servers);
    error = find_collection(session, &view, &mailbox);
    if (error)
        return session_fail(session, error);
    return answer_set(session, annotations_set(view, mailbox.id, list, metadata->count));
}
