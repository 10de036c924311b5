/*
 * Which annotations of an entry were changed last (records Q): so that a client can be told their
 * names (RFC 5257 section 4.4), those that are taken away included.
 */
#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/snapshot_priv.h"

/* --- noting --- */

/* Copies what is noted, but of `name`; from the newest one back as far as there is room. */
static int copy_others(struct slice changes, struct slice name, struct buffer *copy)
{
    struct annotation_change change;
    size_t size = 0, skipped = 0;
    int error;
    for (struct slice rest = changes; !(error = annotation_change_next(&rest, &change));)
        size += slice_equal(change.name, name) ? 0 : annotation_change_size(change.name);
    if (error != ERROR_NOT_FOUND)
        return error;
    for (struct slice rest = changes; !annotation_change_next(&rest, &change);) {
        if (slice_equal(change.name, name))
            continue;
        size_t own = annotation_change_size(change.name);
        if (size - skipped + annotation_change_size(name) > ANNOTATION_CHANGES_MAXIMUM)
            skipped += own;
        else
            annotation_change_write(&change, copy);
    }
    return buffer_error(copy);
}

int annotations_note(struct change *change, collection_id collection, uint32_t uid,
                     const struct account_id *owner, struct slice name)
{
    struct key key;
    struct buffer noted;
    struct slice changes = {NULL, 0};
    struct slice record = key_annotation_changes(&key, collection, uid, owner);
    int error = value_get(change->transaction, record, &change->value);
    if (!error)
        error = annotation_changes_record_read(buffer_slice(&change->value), &changes);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    buffer_init(&noted, ANNOTATION_CHANGES_MAXIMUM + 1);
    annotation_changes_record_begin(&noted);
    error = copy_others(changes, name, &noted);
    if (!error)
        error = annotation_change_write(&(struct annotation_change){change->modseq, name}, &noted);
    if (!error)
        error = change_put(change, record, &noted);
    buffer_release(&noted);
    return error;
}

int annotations_forget_changes(struct change *change, collection_id collection, uint32_t uid)
{
    struct key key;
    return change_delete_all(change, key_annotations_changes(&key, collection, uid));
}

/* --- reading --- */

struct listing {
    uint64_t since;
    struct arena *arena;
    struct slice *names;
    size_t count;
};

static int add(struct listing *listing, struct slice name)
{
    for (size_t i = 0; i < listing->count; i++)
        if (slice_equal(listing->names[i], name))
            return 0;
    listing->names[listing->count++] = arena_copy(listing->arena, name);
    return arena_failed(listing->arena) ? ERROR_LIMIT : 0;
}

static int list(struct mailbox_snapshot *snapshot, uint32_t uid, const struct account_id *owner,
                struct listing *listing)
{
    struct key key;
    struct buffer value;
    struct slice changes;
    struct annotation_change change;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = value_get(snapshot->transaction,
                          key_annotation_changes(&key, snapshot->mailbox.id, uid, owner), &value);
    if (!error)
        error = annotation_changes_record_read(buffer_slice(&value), &changes);
    while (!error && !(error = annotation_change_next(&changes, &change)))
        error = change.modseq > listing->since ? add(listing, change.name) : 0;
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int message_annotations_changed(struct mailbox_snapshot *snapshot, uint32_t uid, uint64_t since,
                                struct arena *arena, struct slice **names, size_t *count)
{
    enum { LEAST = 2 + 8 + 1 }; /* bytes of a change: "/a" */
    struct account_id id;
    const struct account_id *who = annotations_private_of(snapshot->view, &id);
    struct listing listing = {.since = since, .arena = arena};
    *count = 0;
    if (!uid || !(snapshot->mailbox.record.flags & COLLECTION_HAS_ANNOTATIONS))
        return 0;
    listing.names = arena_alloc_array(arena, 2 * (size_t)ANNOTATION_CHANGES_MAXIMUM / LEAST,
                                      sizeof(*listing.names));
    if (!listing.names)
        return ERROR_LIMIT;
    int error = who ? list(snapshot, uid, who, &listing) : 0;
    if (!error)
        error = list(snapshot, uid, NULL, &listing);
    if (error)
        return error;
    *names = listing.names;
    *count = listing.count;
    return 0;
}
