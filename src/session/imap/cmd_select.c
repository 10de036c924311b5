/*
 * SELECT and EXAMINE, CLOSE and UNSELECT (RFC 9051 sections 6.3.2, 6.3.3, 6.4.1, 6.4.2; MAILBOXID:
 * RFC 8474 section 4.2; HIGHESTMODSEQ, CONDSTORE and QRESYNC: RFC 7162;
 * ANNOTATE and ANNOTATIONS: RFC 5257 sections 4.1 and 4.2).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

/* "* OK [UIDNEXT 7] Next UID" */
static void write_number(struct imap_session *session, const char *code, uint64_t number,
                         const char *text)
{
    buffer_append_format(session->out, "* OK [%s %llu] ", code, (unsigned long long)number);
    imap_write_text(session->out, session->language, text);
}

/* What is to be told of a mailbox beside what the snapshot has. */
struct told {
    uint32_t unseen;          /* the UID of the first; 0: there is none */
    struct collection listed; /* for IMAP4rev2's LIST response */
};

static void write_selected(struct imap_session *session, struct mailbox_snapshot *snapshot,
                           const struct told *told)
{
    struct mailbox_view *view = &session->mailbox;
    view_write_flag_lists(session, mailbox_snapshot_keywords(snapshot));
    view_write_exists(session);
    if (session_is_rev2(session))
        list_write_mailbox(session, &told->listed, NULL, SLICE(""));
    else if (told->unseen && !(session->enabled & ENABLED_UIDONLY))
        write_number(session, "UNSEEN", range_set_position(&view->uids, told->unseen),
                     "First unseen message");
    write_number(session, "UIDVALIDITY", view->uid_validity, "UIDs are valid");
    write_number(session, "UIDNEXT", view->uid_next, "Next UID");
    buffer_append_format(session->out, "* OK [MAILBOXID (%s)] ",
                         mailbox_snapshot_collection(snapshot)->object_id);
    imap_write_text(session->out, session->language, "The mailbox's own id");
    /* RFC 4467 section 8; others' mailboxes are in no URL of one's own. */
    if (session_is_own(session, view->account))
        imap_write_status(session->out, session->language, SLICE("*"), "OK", "URLMECH INTERNAL",
                          "URLs can be signed");
    annotate_write_support(session);
    write_number(session, "HIGHESTMODSEQ", view->modseq, "Highest");
}

/* IMAP4rev2 is told of the mailbox as in LIST; all others of the first unseen message. */
static int find_told(struct imap_session *session, const struct session_place *place,
                     struct mailbox_snapshot *snapshot, struct told *told)
{
    if (!session_is_rev2(session))
        return mailbox_first_unseen(snapshot, &told->unseen);
    return session_get_mailbox(session, session->command->select.mailbox, place,
                               mailbox_snapshot_collection(snapshot)->id, &told->listed);
}

static int select_snapshot(struct imap_session *session, const struct session_place *place,
                           struct mailbox_snapshot *snapshot, struct resync *resync)
{
    struct told told = {0};
    int error = find_told(session, place, snapshot, &told);
    if (!error)
        error =
            view_select(session, place->account, snapshot, session->command->id == IMAP_EXAMINE);
    session->mailbox.annotate = session->command->select.annotate;
    if (!error)
        error = resync_begin(session, snapshot, resync);
    if (!error)
        write_selected(session, snapshot, &told);
    return error;
}

/* All of it is read of one moment. */
static int select_mailbox(struct imap_session *session, const struct session_place *place,
                          struct resync *resync)
{
    struct mailbox_snapshot *snapshot;
    collection_id mailbox;
    store_view_hold(place->view);
    int error = collection_find_id(place->view, COLLECTION_MAILBOX, place->path, &mailbox);
    if (!error)
        error = mailbox_snapshot_open(place->view, mailbox, &snapshot);
    if (!error) {
        error = select_snapshot(session, place, snapshot, resync);
        mailbox_snapshot_close(&snapshot);
    }
    store_view_let_go(place->view);
    return error;
}

static void release(struct imap_session *session)
{
    resync_release(session->work);
}

/* What has been told of it before is told again, if it is still so. */
static int select_named(struct imap_session *session, struct resync *resync)
{
    const struct imap_select *select = &session->command->select;
    const struct stream *stream = session->stream;
    struct session_place place;
    size_t from = session->out->size;
    uint64_t changes = session_is_others(select->mailbox)
                           ? 0
                           : store_account_changes(stream->store, stream->account);
    if (changes && !select->qresync && select_recall(session, changes)) {
        session->mailbox.annotate = select->annotate;
        return 0;
    }
    int error = session_place(session, select->mailbox, &place);
    if (!error)
        error = select_mailbox(session, &place, resync);
    if (!error && changes && !resync->begun)
        select_remember(session, changes, from);
    return error;
}

/* Also when the new mailbox cannot be selected, the old one is not any more. */
static int begin(struct imap_session *session, struct resync *resync)
{
    const struct imap_select *select = &session->command->select;
    resync_init(resync);
    session->release_work = release;
    if (session->mailbox.id) {
        view_unselect(session);
        imap_write_status(session->out, session->language, SLICE("*"), "OK", "CLOSED",
                          "Previous mailbox is closed");
    }
    if (select->condstore || select->qresync)
        modseq_enable(session);
    return select_named(session, resync);
}

static enum progress answer(struct imap_session *session)
{
    return session_reply(session, "OK", session->mailbox.read_only ? "READ-ONLY" : "READ-WRITE",
                         session->command->id == IMAP_EXAMINE ? "Examine completed"
                                                              : "Select completed");
}

enum progress cmd_select(struct imap_session *session)
{
    bool first = !session->work;
    enum progress progress = PROGRESS_DONE;
    if (session->command->select.qresync && !(session->enabled & ENABLED_QRESYNC))
        return session_reply(session, "BAD", NULL, "QRESYNC is not enabled");
    if (session->enabled & ENABLED_UIDONLY && session->command->select.match_numbers.count)
        return session_reply(session, "BAD", "UIDREQUIRED", "Message numbers are not allowed");
    struct resync *resync = session_work(session, sizeof(*resync));
    if (!resync)
        return session_fail(session, ERROR_LIMIT);
    int error = first ? begin(session, resync) : 0;
    if (!error && resync->begun)
        error = resync_run(session, resync, &progress);
    if (error) {
        view_unselect(session);
        return session_fail(session, error);
    }
    return progress == PROGRESS_AGAIN ? progress : answer(session);
}

/* Expunges silently, where the client may; CLOSE does not fail because it may not. */
enum progress cmd_close(struct imap_session *session)
{
    struct store_view *view;
    struct mailbox_view *mailbox = &session->mailbox;
    int error = 0;
    if (!mailbox->read_only && mailbox->rights & RIGHT_EXPUNGE) {
        uint64_t modseq;
        error = session_selected_view(session, &view);
        if (!error)
            error = mailbox_expunge(view, mailbox->id, NULL, &session->uids, &modseq);
        session->stream->expunged += error ? 0 : range_set_size(&session->uids);
    }
    view_unselect(session);
    if (error && error != ERROR_NOT_FOUND && error != ERROR_DENIED)
        return session_fail(session, error);
    return session_ok(session, "Close completed");
}

enum progress cmd_unselect(struct imap_session *session)
{
    view_unselect(session);
    return session_ok(session, "Unselect completed");
}
