/*
 * MailboxMetadataChange and ServerMetadataChange (RFC 5465 sections 5.6 and 5.7): METADATA with the
 * names of the annotations that have another value, or none any more. Of values only a digest is
 * kept.
 */
#include "base/error.h"
#include "session/imap/notify_priv.h"

#include <sodium.h>

static void make_digest(struct slice value, uint8_t digest[NOTIFY_DIGEST])
{
    crypto_generichash(digest, NOTIFY_DIGEST, (const unsigned char *)value.data, value.size, NULL,
                       0);
}

int notify_entries_copy(struct arena *arena, const struct notify_entries *from,
                        struct notify_entries *to)
{
    *to = (struct notify_entries){.list = arena_alloc_array(arena, from->count, sizeof(*to->list))};
    if (!to->list)
        return ERROR_LIMIT;
    for (; to->count < from->count; to->count++) {
        to->list[to->count] = from->list[to->count];
        to->list[to->count].name = arena_copy(arena, from->list[to->count].name);
    }
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

static int keep(struct arena *arena, const struct annotation *list, size_t count,
                struct notify_entries *entries)
{
    *entries =
        (struct notify_entries){.list = arena_alloc_array(arena, count, sizeof(*entries->list))};
    if (!entries->list)
        return ERROR_LIMIT;
    for (; entries->count < count; entries->count++) {
        struct notify_entry *entry = &entries->list[entries->count];
        entry->scope = list[entries->count].scope;
        entry->name = arena_copy(arena, list[entries->count].name);
        make_digest(list[entries->count].value, entry->digest);
    }
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

/* Without the right to read them there are none. */
int notify_entries_read(struct store_view *view, collection_id collection, struct arena *arena,
                        struct notify_entries *entries)
{
    struct arena values;
    struct annotation *list;
    size_t count;
    arena_init(&values, NOTIFY_MEMORY_MAXIMUM);
    int error = annotations_list(view, collection, &values, &list, &count);
    if (error == ERROR_DENIED || error == ERROR_NOT_FOUND)
        count = 0, error = 0;
    if (!error)
        error = keep(arena, list, count, entries);
    arena_release(&values);
    return error;
}

static const struct notify_entry *find(const struct notify_entries *entries,
                                       const struct notify_entry *wanted)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entries->list[i].scope == wanted->scope &&
            slice_equal(entries->list[i].name, wanted->name))
            return &entries->list[i];
    return NULL;
}

struct telling {
    struct imap_session *session;
    struct slice path;
    bool any;
};

static void tell(struct telling *telling, const struct notify_entry *entry)
{
    struct buffer *out = telling->session->out;
    if (notify_is_own_entry(telling->session, telling->path, entry))
        return;
    if (!telling->any) {
        buffer_append(out, SLICE("* METADATA "));
        imap_write_mailbox(out, telling->path, session_takes_utf8(telling->session));
    }
    telling->any = true;
    struct buffer name;
    buffer_init(&name, ANNOTATION_NAME_MAXIMUM + sizeof("/private"));
    buffer_append_string(&name, entry->scope == ANNOTATION_PRIVATE ? "/private" : "/shared");
    buffer_append(&name, entry->name);
    buffer_append_byte(out, ' ');
    imap_write_astring(out, buffer_slice(&name));
    buffer_release(&name);
}

void notify_entries_tell(struct imap_session *session, struct slice path,
                         const struct notify_entries *known, const struct notify_entries *now)
{
    struct telling telling = {session, path, false};
    for (size_t i = 0; i < now->count; i++) {
        const struct notify_entry *before = find(known, &now->list[i]);
        if (!before || memcmp(before->digest, now->list[i].digest, NOTIFY_DIGEST) != 0)
            tell(&telling, &now->list[i]);
    }
    for (size_t i = 0; i < known->count; i++)
        if (!find(now, &known->list[i]))
            tell(&telling, &known->list[i]);
    if (telling.any)
        buffer_append(session->out, SLICE("\r\n"));
}

int notify_server_sync(struct imap_session *session)
{
    struct notify *notify = session->notify;
    struct notify_entries now;
    struct arena arena;
    struct store_view *view;
    if (!(notify->events & IMAP_NOTIFY_SERVER_METADATA_CHANGE))
        return 0;
    arena_init(&arena, NOTIFY_MEMORY_MAXIMUM);
    int error = session_view(session, &view);
    if (!error)
        error = notify_entries_read(view, 0, &arena, &now);
    if (error) {
        arena_release(&arena);
        return error;
    }
    if (!notify->beginning)
        notify_entries_tell(session, SLICE(""), &notify->server, &now);
    arena_release(&notify->server_arena);
    notify->server_arena = arena;
    notify->server = now;
    return 0;
}
