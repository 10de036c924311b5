/*
 * EXPUNGE and UID EXPUNGE (RFC 9051 sections 6.4.3, 6.4.9). The sync that follows tells which
 * messages are gone, and the tagged response the modseq up to which all has been told (RFC 7162
 * sections 3.2.7 and 3.2.9).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

/* Of UID EXPUNGE's messages those with \\Deleted count, and those above MESSAGELIMIT stay; EXPUNGE
 * has no limit (RFC 9738 section 3.1). */
static int limit(struct imap_session *session, uint32_t *lowest)
{
    struct mailbox_snapshot *snapshot;
    struct range_set deleted;
    struct entry_walk walk;
    const struct entry *entry;
    uint32_t uid;
    *lowest = 0;
    if (range_set_size(&session->uids) <= limit_messages(session))
        return 0;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    range_set_init(&deleted, SESSION_UID_RANGES_MAXIMUM);
    entry_walk_init(&walk, snapshot, &session->uids, 1, 0);
    while ((error = entry_walk_next(&walk, &uid, &entry)) == 0)
        if (entry && entry->flags & ENTRY_DELETED && (error = range_set_add(&deleted, uid, uid)))
            break;
    entry_walk_release(&walk);
    mailbox_snapshot_close(&snapshot);
    if (error == ERROR_NOT_FOUND)
        error = limit_uids(&deleted, limit_messages(session), lowest);
    if (!error)
        set_take(&session->uids, &deleted);
    range_set_release(&deleted);
    return error;
}

enum progress cmd_expunge(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    const struct mailbox_view *mailbox = &session->mailbox;
    struct store_view *view;
    struct range_set expunged;
    uint64_t modseq;
    uint32_t lowest = 0;
    if (mailbox->read_only)
        return session_reply(session, "NO", NULL, "Mailbox is selected read-only");
    if (!command->expunge.all && !view_resolve_command(session, &command->expunge.set))
        return PROGRESS_DONE;
    range_set_init(&expunged, SESSION_UID_RANGES_MAXIMUM);
    int error = command->expunge.all ? 0 : limit(session, &lowest);
    if (!error)
        error = session_selected_view(session, &view);
    if (!error)
        error = mailbox_expunge(view, mailbox->id, command->expunge.all ? NULL : &session->uids,
                                &expunged, &modseq);
    bool any = expunged.count;
    session->stream->expunged += error ? 0 : range_set_size(&expunged);
    range_set_release(&expunged);
    if (error)
        return session_fail(session, error);
    session_ok(session, "Expunge completed");
    session->reply.tells_modseq = any && session->enabled & ENABLED_CONDSTORE;
    return limit_tell(session, lowest);
}
