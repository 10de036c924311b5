/*
 * Modification sequences, as the client is told them (RFC 7162).
 *
 * When a command ends, the client keeps as its HIGHESTMODSEQ the highest MODSEQ it was told, and
 * asks from there on when it comes back. So it must not be left with one that lies above something
 * it has not been told, such as an expunge that may not be told yet: then HIGHESTMODSEQ says the
 * lower number, and when all has been told, the higher one (sections 3.2 and 6).
 */
#include "session/imap/session_priv.h"

static void write_highest(struct imap_session *session, const char *text)
{
    buffer_append_format(session->out, "* OK [HIGHESTMODSEQ %llu] ",
                         (unsigned long long)modseq_known(&session->mailbox));
    imap_write_text(session->out, session->language, text);
}

void modseq_enable(struct imap_session *session)
{
    if (session->enabled & ENABLED_CONDSTORE)
        return;
    session->enabled |= ENABLED_CONDSTORE;
    if (session->mailbox.id)
        write_highest(session, "Highest");
}

void modseq_write(struct imap_session *session, const struct entry *entry)
{
    struct mailbox_view *view = &session->mailbox;
    buffer_append(session->out, SLICE("MODSEQ ("));
    buffer_append_number(session->out, entry->modseq);
    buffer_append_byte(session->out, ')');
    if (view->told_modseq < entry->modseq)
        view->told_modseq = entry->modseq;
}

uint64_t modseq_known(const struct mailbox_view *view)
{
    uint64_t known = view->modseq < view->vanished_since ? view->modseq : view->vanished_since;
    return view->muted_modseq && view->muted_modseq < known ? view->muted_modseq : known;
}

void modseq_settle(struct imap_session *session)
{
    struct mailbox_view *view = &session->mailbox;
    uint64_t known = modseq_known(view);
    if (!view->id || !(session->enabled & ENABLED_CONDSTORE))
        return;
    if (view->told_modseq > known) {
        write_highest(session, "Changes up to here have been told");
        view->lowered_modseq = known;
    } else if (view->lowered_modseq && view->lowered_modseq < known) {
        write_highest(session, "Highest");
        view->lowered_modseq = 0;
    }
    view->told_modseq = 0;
}
