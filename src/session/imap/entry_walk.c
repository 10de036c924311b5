#include "base/error.h"
#include "session/imap/session_priv.h"

void entry_walk_init(struct entry_walk *walk, struct mailbox_snapshot *snapshot,
                     const struct range_set *uids, uint32_t from)
{
    *walk = (struct entry_walk){.uids = uids, .next_uid = from};
    entry_cursor_init(&walk->cursor, snapshot, from, 0);
}

/* The cursor may be ahead of the set: it stands behind a message that is gone. */
int entry_walk_next(struct entry_walk *walk, uint32_t *uid, const struct entry **entry)
{
    uint32_t next = range_set_next(walk->uids, walk->next_uid);
    if (!next)
        return ERROR_NOT_FOUND;
    if (walk->entry.uid < next) {
        entry_cursor_skip_to(&walk->cursor, next);
        int error = entry_cursor_next(&walk->cursor, &walk->entry);
        if (error == ERROR_NOT_FOUND)
            walk->entry.uid = UINT32_MAX;
        else if (error)
            return error;
    }
    walk->next_uid = next + 1;
    *uid = next;
    *entry = walk->entry.uid == next ? &walk->entry : NULL;
    return 0;
}

void entry_walk_release(struct entry_walk *walk)
{
    entry_cursor_release(&walk->cursor);
}
