/*
 * COPY and MOVE with their UID forms (RFC 9051 sections 6.4.7 and 6.4.8; RFC 6851). Each is all or
 * nothing: one transaction, or between accounts what store/transfer.h promises. Of more messages
 * than MESSAGELIMIT says none is copied, and the highest are moved (RFC 9738 section 3.1).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "store/transfer.h"

/* Others may have expunged what the client names by number: then nothing is copied, and a NOOP
 * tells the client what is left (RFC 2180 section 4.4). A UID without message is passed over. */
static int check_all_there(struct imap_session *session, bool *gone)
{
    struct mailbox_snapshot *snapshot;
    *gone = false;
    if (session->command->uid)
        return 0;
    int error = session_snapshot(session, &snapshot);
    if (error)
        return error;
    error = view_some_gone(session, snapshot, &session->uids, gone);
    mailbox_snapshot_close(&snapshot);
    return error;
}

/* "COPYUID 38505 304,319:320 3956:3958" in the arena; NULL when nothing was copied, or so raggedly
 * that the line would be beyond reason (RFC 4315 section 3 lets it be left out). */
static const char *copyuid(struct imap_session *session, const struct copy_result *result)
{
    if (!result->from.count ||
        result->from.count + result->to.count > SESSION_COPYUID_RANGES_MAXIMUM)
        return NULL;
    struct buffer text;
    buffer_init(&text, (size_t)SESSION_COPYUID_RANGES_MAXIMUM * 22 + 64);
    buffer_append_format(&text, "COPYUID %u ", result->uid_validity);
    imap_write_set(&text, &result->from);
    buffer_append_byte(&text, ' ');
    imap_write_set(&text, &result->to);
    const char *code =
        buffer_error(&text) ? NULL : arena_string(&session->arena, buffer_slice(&text));
    buffer_release(&text);
    return code;
}

/* MOVE reports the new UIDs before the EXPUNGE responses that the sync sends, and the modseq behind
 * them (RFC 6851 sections 4.3 and 4.4). */
static enum progress answer_copied(struct imap_session *session, const struct copy_result *result)
{
    const char *code = copyuid(session, result);
    if (session->command->id == IMAP_COPY)
        return session_reply(session, "OK", code,
                             result->from.count ? "Copy completed" : "No such message");
    if (code)
        imap_write_status(session->out, session->language, SLICE("*"), "OK", code, "Moved");
    session_ok(session, result->from.count ? "Move completed" : "No such message");
    session->reply.tells_modseq = result->from.count && session->enabled & ENABLED_CONDSTORE;
    return PROGRESS_DONE;
}

static enum progress copy(struct imap_session *session, const struct session_place *place,
                          collection_id target, uint32_t lowest)
{
    struct store_view *view;
    bool move = session->command->id == IMAP_MOVE;
    struct copy_result result = {0};
    range_set_init(&result.from, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&result.to, SESSION_UID_RANGES_MAXIMUM);
    int error = session_selected_view(session, &view);
    if (!error)
        error = mailbox_transfer(view, session->mailbox.id, &session->uids, place->view, target,
                                 move, &result);
    if (!error) {
        session->stream->stored += range_set_size(&result.to);
        session->stream->expunged += move ? range_set_size(&result.from) : 0;
        events_copied(session, place->account, target, &result.to);
        notify_note_own(session, place->account, target, range_set_next(&result.to, 1),
                        range_set_last(&result.to), range_set_size(&result.to));
    }
    if (error) {
        session_fail(session, error);
    } else {
        answer_copied(session, &result);
        limit_tell(session, lowest);
    }
    range_set_release(&result.from);
    range_set_release(&result.to);
    return PROGRESS_DONE;
}

/* *lowest: MOVE's last, when some are left out. False: the reply is set. */
static bool limit(struct imap_session *session, uint32_t *lowest)
{
    bool move = session->command->id == IMAP_MOVE;
    uint32_t maximum = move ? limit_messages(session) : limit_saved(session);
    int error = limit_uids(&session->uids, maximum, lowest);
    if (error)
        session_fail(session, error);
    else if (*lowest && !move)
        limit_refuse(session, maximum, *lowest);
    return !error && (move || !*lowest);
}

enum progress cmd_copy(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    struct session_place place;
    struct collection target;
    uint32_t lowest;
    bool gone = false;
    if (command->id == IMAP_MOVE && session->mailbox.read_only)
        return session_reply(session, "NO", NULL, "Mailbox is selected read-only");
    if (!view_resolve_command(session, &command->copy.set) || !limit(session, &lowest))
        return PROGRESS_DONE;
    int error = session_find_mailbox(session, command->copy.mailbox, &place, &target);
    if (error == ERROR_NOT_FOUND)
        return session_reply(session, "NO", "TRYCREATE", "No such mailbox");
    if (!error)
        error = check_all_there(session, &gone);
    if (error)
        return session_fail(session, error);
    if (gone)
        return session_reply(session, "NO", "EXPUNGEISSUED", "Some messages are expunged");
    return copy(session, &place, target.id, lowest);
}
