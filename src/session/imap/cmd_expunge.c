/*
 * EXPUNGE and UID EXPUNGE (RFC 9051 sections 6.4.3, 6.4.9). The sync that follows tells which
 * messages are gone, and the tagged response the modseq up to which all has been told (RFC 7162
 * sections 3.2.7 and 3.2.9).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

enum progress cmd_expunge(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    const struct mailbox_view *mailbox = &session->mailbox;
    struct store_view *view;
    struct range_set expunged;
    uint64_t modseq;
    if (mailbox->read_only)
        return session_reply(session, "NO", NULL, "Mailbox is selected read-only");
    if (!command->expunge.all && !view_resolve_command(session, &command->expunge.set))
        return PROGRESS_DONE;
    range_set_init(&expunged, SESSION_UID_RANGES_MAXIMUM);
    int error = session_selected_view(session, &view);
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
    return PROGRESS_DONE;
}
