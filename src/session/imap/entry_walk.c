#include "base/error.h"
#include "session/imap/session_priv.h"

void entry_walk_init(struct entry_walk *walk, struct mailbox_snapshot *snapshot,
                     const struct range_set *uids, uint32_t from, uint64_t since)
{
    *walk = (struct entry_walk){.uids = uids, .next_uid = from, .since = since, .some = since != 0};
    entry_cursor_init(&walk->cursor, snapshot, from, since);
}

void entry_walk_pass(struct entry_walk *walk, uint32_t with, uint32_t without)
{
    walk->some |= (with | without) != 0;
    entry_cursor_pass(&walk->cursor, with, without);
}

/* Brings the cursor to the first entry from uid on; one of UINT32_MAX is behind all. */
static int advance_to(struct entry_walk *walk, uint32_t uid)
{
    if (walk->entry.uid >= uid)
        return 0;
    entry_cursor_skip_to(&walk->cursor, uid);
    int error = entry_cursor_next(&walk->cursor, &walk->entry);
    if (error == ERROR_NOT_FOUND)
        walk->entry.uid = UINT32_MAX;
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int step_down(struct entry_walk *walk, uint32_t *uid, const struct entry **entry)
{
    struct mailbox_snapshot *snapshot = walk->cursor.snapshot;
    for (uint32_t next; (next = range_set_previous(walk->uids, walk->next_uid)) != 0;) {
        entry_cursor_release(&walk->cursor);
        entry_cursor_init(&walk->cursor, snapshot, next, 0);
        int error = entry_cursor_next(&walk->cursor, &walk->entry);
        if (error && error != ERROR_NOT_FOUND)
            return error;
        walk->next_uid = next - 1;
        bool there = !error && walk->entry.uid == next;
        if (walk->since && (!there || walk->entry.modseq <= walk->since))
            continue;
        *uid = next;
        *entry = there ? &walk->entry : NULL;
        return 0;
    }
    return ERROR_NOT_FOUND;
}

/* The cursor may be ahead of the set: it stands behind a message that is gone. */
int entry_walk_next(struct entry_walk *walk, uint32_t *uid, const struct entry **entry)
{
    if (walk->down)
        return step_down(walk, uid, entry);
    uint32_t next = range_set_next(walk->uids, walk->next_uid);
    int error = next ? advance_to(walk, next) : ERROR_NOT_FOUND;
    /* Those that are not wanted are passed over, not gone. */
    while (!error && walk->some && walk->entry.uid != next) {
        next = walk->entry.uid == UINT32_MAX ? 0 : range_set_next(walk->uids, walk->entry.uid);
        error = next ? advance_to(walk, next) : ERROR_NOT_FOUND;
    }
    if (error)
        return error;
    walk->next_uid = next + 1;
    *uid = next;
    *entry = walk->entry.uid == next ? &walk->entry : NULL;
    return 0;
}

void entry_walk_release(struct entry_walk *walk)
{
    entry_cursor_release(&walk->cursor);
}
