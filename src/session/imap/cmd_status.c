/*
 * STATUS (RFC 9051 section 6.3.11; SIZE: RFC 8438; MAILBOXID: RFC 8474; APPENDLIMIT: RFC 7889).
 * HIGHESTMODSEQ: RFC 7162; DELETED-STORAGE: RFC 9208. From the mailbox's counters alone, but for
 * DELETED-STORAGE.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

/* Bytes of the messages with \Deleted (RFC 9208 section 4.1.4): their entries are looked at. */
static int deleted_storage(struct imap_session *session, struct account_id account,
                           const struct collection *mailbox, uint64_t *bytes)
{
    struct store_view *view;
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    *bytes = 0;
    if (!mailbox->deleted)
        return 0;
    int error = session_view_of(session, account, &view);
    if (!error)
        error = mailbox_snapshot_open(view, mailbox->id, &snapshot);
    if (error)
        return error;
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while ((error = entry_cursor_next(&cursor, &entry)) == 0)
        *bytes += entry.flags & ENTRY_DELETED ? entry.size : 0;
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Who asks for this is told modseqs from now on (RFC 7162 section 3.1). */
void status_enable(struct imap_session *session, uint32_t items)
{
    if (items & IMAP_STATUS_HIGHESTMODSEQ)
        modseq_enable(session);
}

int status_write(struct imap_session *session, struct account_id account,
                 const struct collection *mailbox, uint32_t items)
{
    uint64_t deleted_bytes = 0;
    int error = items & IMAP_STATUS_DELETED_STORAGE
                    ? deleted_storage(session, account, mailbox, &deleted_bytes)
                    : 0;
    if (error)
        return error;
    struct buffer *out = session->out;
    const struct {
        uint32_t item;
        const char *name;
        uint64_t value;
    } rows[] = {
        {IMAP_STATUS_MESSAGES, "MESSAGES ", mailbox->messages},
        {IMAP_STATUS_RECENT, "RECENT ", 0},
        {IMAP_STATUS_UIDNEXT, "UIDNEXT ", mailbox->uid_next},
        {IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY ", mailbox->uid_validity},
        {IMAP_STATUS_UNSEEN, "UNSEEN ", mailbox->unseen},
        {IMAP_STATUS_DELETED, "DELETED ", mailbox->deleted},
        {IMAP_STATUS_SIZE, "SIZE ", mailbox->size},
        {IMAP_STATUS_APPENDLIMIT, "APPENDLIMIT ", (uint64_t)session->stream->config->message_size},
        {IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ ", mailbox->highest_modseq},
        {IMAP_STATUS_DELETED_STORAGE, "DELETED-STORAGE ", deleted_bytes},
    };
    buffer_append(out, SLICE("* STATUS "));
    imap_write_mailbox(out, mailbox->path, session_takes_utf8(session));
    const char *before = " (";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!(items & rows[i].item))
            continue;
        buffer_append_string(out, before);
        buffer_append_string(out, rows[i].name);
        buffer_append_number(out, rows[i].value);
        before = " ";
    }
    if (items & IMAP_STATUS_MAILBOXID)
        buffer_append_format(out, "%sMAILBOXID (%s)", before, mailbox->object_id);
    buffer_append(out, SLICE(")\r\n"));
    return 0;
}

/* Counters are for those who may read the mailbox (RFC 4314 section 4). */
enum progress cmd_status(struct imap_session *session)
{
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->status.mailbox, &place, &mailbox);
    if (!error && !(mailbox.rights & RIGHT_READ))
        error = ERROR_DENIED;
    if (!error)
        status_enable(session, session->command->status.items);
    if (!error)
        error = status_write(session, place.account, &mailbox, session->command->status.items);
    return error ? session_fail(session, error) : session_ok(session, "Status completed");
}
