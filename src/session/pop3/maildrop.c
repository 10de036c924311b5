#include "session/pop3/pop3_priv.h"

#include "base/error.h"

void maildrop_init(struct maildrop *maildrop)
{
    *maildrop = (struct maildrop){0};
    range_set_init(&maildrop->uids, POP3_RANGES_MAXIMUM);
    range_set_init(&maildrop->deleted, POP3_RANGES_MAXIMUM);
    range_set_init(&maildrop->retrieved, POP3_RANGES_MAXIMUM);
}

void maildrop_release(struct maildrop *maildrop)
{
    range_set_release(&maildrop->uids);
    range_set_release(&maildrop->deleted);
    range_set_release(&maildrop->retrieved);
}

static int find_inbox(struct store_view *view, collection_id *inbox)
{
    struct collection found;
    struct arena arena;
    arena_init(&arena, 4096);
    int error = collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &found);
    if (!error)
        *inbox = found.id;
    arena_release(&arena);
    return error;
}

int maildrop_open(struct maildrop *maildrop, struct store_view *view)
{
    struct mailbox_snapshot *snapshot;
    int error = find_inbox(view, &maildrop->mailbox);
    if (!error)
        error = mailbox_snapshot_open(view, maildrop->mailbox, &snapshot);
    if (error)
        return error;
    const struct collection *collection = mailbox_snapshot_collection(snapshot);
    maildrop->uid_validity = collection->uid_validity;
    maildrop->size = collection->size;
    maildrop->has_internationalized = collection->has_internationalized;
    error = mailbox_uids(snapshot, &maildrop->uids);
    mailbox_snapshot_close(&snapshot);
    return error;
}

uint32_t maildrop_uid(struct maildrop *maildrop, uint32_t number)
{
    uint32_t uid = range_set_at(&maildrop->uids, number);
    return uid && !range_set_contains(&maildrop->deleted, uid) ? uid : 0;
}

int maildrop_entry(struct mailbox_snapshot *snapshot, uint32_t uid, struct entry *entry)
{
    struct entry_cursor cursor;
    struct entry found;
    entry_cursor_init(&cursor, snapshot, uid, 0);
    int error = entry_cursor_next(&cursor, &found);
    entry_cursor_release(&cursor);
    if (!error && found.uid != uid)
        error = ERROR_NOT_FOUND;
    if (!error)
        *entry = found;
    return error;
}

int maildrop_delete(struct maildrop *maildrop, struct mailbox_snapshot *snapshot, uint32_t uid)
{
    struct entry entry;
    int error = maildrop_entry(snapshot, uid, &entry);
    if (!error)
        error = range_set_add(&maildrop->deleted, uid, uid);
    if (!error)
        maildrop->deleted_size += entry.size;
    return error;
}

void maildrop_reset(struct maildrop *maildrop)
{
    range_set_clear(&maildrop->deleted);
    maildrop->deleted_size = 0;
}

static int add_flag(struct maildrop *maildrop, struct store_view *view, struct range_set *uids,
                    uint32_t flag)
{
    const struct flag_change change = {
        .operation = FLAGS_ADD, .flags = flag, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    if (range_set_size(uids) == 0)
        return 0;
    return mailbox_change_flags(view, maildrop->mailbox, uids, &change, &modseq, NULL);
}

/* What somebody has marked \Deleted but not removed stays. */
static int remove_marked(struct maildrop *maildrop, struct store_view *view)
{
    struct range_set expunged;
    uint64_t modseq;
    if (range_set_size(&maildrop->deleted) == 0)
        return 0;
    int error = add_flag(maildrop, view, &maildrop->deleted, ENTRY_DELETED);
    range_set_init(&expunged, POP3_RANGES_MAXIMUM);
    if (!error)
        error = mailbox_expunge(view, maildrop->mailbox, &maildrop->deleted, &expunged, &modseq);
    range_set_release(&expunged);
    return error;
}

int maildrop_update(struct maildrop *maildrop, struct store_view *view)
{
    int error = remove_marked(maildrop, view);
    int seen = add_flag(maildrop, view, &maildrop->retrieved, ENTRY_SEEN);
    return error ? error : seen;
}
