/*
 * VANISHED responses (RFC 7162 section 3.2.10).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

/* All UIDs below the next one that no message has. */
static int find_missing(struct mailbox_snapshot *snapshot, struct range_set *missing)
{
    uint32_t next = mailbox_snapshot_collection(snapshot)->uid_next;
    struct range_set all, there;
    range_set_init(&all, 1);
    range_set_init(&there, SESSION_UID_RANGES_MAXIMUM);
    int error = next > 1 ? range_set_add(&all, 1, next - 1) : 0;
    if (!error)
        error = mailbox_uids(snapshot, &there);
    range_set_clear(missing);
    if (!error)
        error = set_subtract(missing, &all, &there);
    range_set_release(&all);
    range_set_release(&there);
    return error;
}

int vanished_find(struct imap_session *session, struct mailbox_snapshot *snapshot, uint64_t since,
                  const struct range_set *known, struct range_set *vanished)
{
    struct range_set gone, asked;
    range_set_init(&gone, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&asked, SESSION_UID_RANGES_MAXIMUM);
    int error = mailbox_vanished(snapshot, since, &gone);
    if (error == ERROR_CANNOT_CALCULATE)
        error = find_missing(snapshot, &gone);
    if (!error)
        error = set_intersect(&asked, &gone, known);
    if (!error)
        error = set_subtract(vanished, &asked, &session->mailbox.uids);
    range_set_release(&gone);
    range_set_release(&asked);
    return error;
}

bool vanished_write(struct imap_session *session, const struct range_set *uids, size_t *written,
                    bool earlier)
{
    struct buffer *out = session->out;
    do {
        size_t left = uids->count - *written;
        struct range_set part = {.ranges = uids->ranges + *written, .count = left};
        if (left > SESSION_VANISHED_RANGES)
            part.count = SESSION_VANISHED_RANGES;
        buffer_append_string(out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
        imap_write_set(out, &part);
        buffer_append(out, SLICE("\r\n"));
        *written += part.count;
    } while (*written < uids->count && !session_slice_over(session));
    return *written == uids->count;
}
