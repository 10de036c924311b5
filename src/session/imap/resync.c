/*
 * SELECT (QRESYNC ...): what vanished and what has changed since the client was here (RFC 7162
 * section 3.2.5).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

void resync_init(struct resync *resync)
{
    *resync = (struct resync){.next_uid = 1};
    range_set_init(&resync->vanished, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&resync->known, SESSION_UID_RANGES_MAXIMUM);
}

void resync_release(struct resync *resync)
{
    range_set_release(&resync->vanished);
    range_set_release(&resync->known);
}

/* --- the sample of numbers and their UIDs --- */

/* Of `size` numbers from `number` on, whose UIDs the client takes to be those from `uid` on, the
 * last that is right: its UID, or 0. From one number to the next the true UID grows by one at least
 * and the client's by one, so that where they are the same is one stretch. */
static uint32_t match_stretch(struct range_set *uids, uint32_t number, uint32_t uid, uint32_t size)
{
    uint32_t low = 0, high = size; /* below low: not above the client's; from high on: above it */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t is = range_set_at(uids, number + middle);
        if (is && is <= uid + middle)
            low = middle + 1;
        else
            high = middle;
    }
    return low && range_set_at(uids, number + low - 1) == uid + low - 1 ? uid + low - 1 : 0;
}

/* The highest UID of the sample that has the number the client knows. Below it nothing has vanished
 * that the client would not know of (RFC 7162 section 3.2.5.2). */
static uint32_t match(struct range_set *uids, const struct imap_select *select)
{
    const struct imap_sequence_set *numbers = &select->match_numbers, *known = &select->match_uids;
    uint32_t matched = 0, number_offset = 0, uid_offset = 0;
    for (size_t i = 0, j = 0; i < numbers->count && j < known->count;) {
        uint32_t number = numbers->ranges[i].first + number_offset;
        uint32_t uid = known->ranges[j].first + uid_offset;
        uint32_t numbers_left = numbers->ranges[i].last - number;
        uint32_t uids_left = known->ranges[j].last - uid;
        uint32_t step = numbers_left < uids_left ? numbers_left : uids_left;
        uint32_t found = match_stretch(uids, number, uid, step + 1);
        if (found)
            matched = found;
        number_offset = numbers_left == step ? 0 : number_offset + step + 1;
        uid_offset = uids_left == step ? 0 : uid_offset + step + 1;
        i += numbers_left == step;
        j += uids_left == step;
    }
    return matched;
}

/* --- finding out --- */

static int known_uids(struct imap_session *session, struct range_set *known)
{
    const struct imap_select *select = &session->command->select;
    uint32_t last = session->mailbox.uid_next - 1;
    if (select->has_known_uids)
        return view_numbers(session, &select->known_uids, last, known);
    return last ? range_set_add(known, 1, last) : 0;
}

int resync_begin(struct imap_session *session, struct mailbox_snapshot *snapshot,
                 struct resync *resync)
{
    const struct imap_select *select = &session->command->select;
    struct mailbox_view *view = &session->mailbox;
    struct range_set known;
    if (!select->qresync || select->uid_validity != view->uid_validity)
        return 0;
    resync->begun = true;
    range_set_init(&known, SESSION_UID_RANGES_MAXIMUM);
    int error = known_uids(session, &known);
    if (!error)
        error = vanished_find(session, snapshot, select->modseq, &known, &resync->vanished);
    if (!error)
        error = set_intersect(&resync->known, &known, &view->uids);
    range_set_release(&known);
    uint32_t matched = error ? 0 : match(&view->uids, select);
    return matched ? range_set_remove(&resync->vanished, 1, matched) : error;
}

/* --- telling --- */

static int write_changed(struct imap_session *session, struct mailbox_snapshot *snapshot,
                         struct resync *resync)
{
    struct flags_cache cache;
    struct entry_cursor cursor;
    struct entry entry;
    int error;
    flags_cache_init(&cache);
    entry_cursor_init(&cursor, snapshot, resync->next_uid, session->command->select.modseq);
    while ((error = entry_cursor_next(&cursor, &entry)) == 0) {
        if (range_set_contains(&resync->known, entry.uid))
            view_write_flags(session, &cache, &entry, mailbox_snapshot_keywords(snapshot),
                             TELL_UID | TELL_FLAGS);
        resync->next_uid = entry.uid + 1;
        if (session_slice_over(session))
            break;
    }
    entry_cursor_release(&cursor);
    flags_cache_release(&cache);
    return error;
}

/* The first snapshot has ended with SELECT's own responses: what changes from then on is told with
 * the others' changes, whatever is seen of it here. */
int resync_run(struct imap_session *session, struct resync *resync, enum progress *progress)
{
    *progress = PROGRESS_AGAIN;
    if (resync->written < resync->vanished.count) {
        vanished_write(session, &resync->vanished, &resync->written, true);
        return 0;
    }
    struct mailbox_snapshot *snapshot;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    view_announce_keywords(session, snapshot);
    error = write_changed(session, snapshot, resync);
    mailbox_snapshot_close(&snapshot);
    if (error == ERROR_NOT_FOUND)
        *progress = PROGRESS_DONE;
    return error == ERROR_NOT_FOUND ? 0 : error;
}
