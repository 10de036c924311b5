/*
 * CATENATE (RFC 4469): a message put together from literals and from parts of others. Each part of
 * another is copied to the spool when its URL has come, in slices, before anything else is read: so
 * a URL that is wrong is told before the next literal is asked for.
 */
#include "session/imap/append_priv.h"

#include "base/error.h"

void append_text(struct imap_session *session)
{
    if (!append_accepts(session, session->command->append.size))
        append_refuse(session);
}

/* url-resp-text: no line's end and no "]"; what no URL has becomes '?'. */
static char *make_code(struct imap_session *session, struct slice url)
{
    struct buffer code;
    buffer_init(&code, IMAP_URL_MAXIMUM + sizeof("BADURL "));
    buffer_append_string(&code, "BADURL ");
    for (size_t i = 0; i < url.size; i++) {
        char c = url.data[i];
        buffer_append_byte(&code, c > ' ' && c <= '~' && c != ']' ? c : '?');
    }
    char *text = buffer_error(&code) ? NULL : arena_string(&session->arena, buffer_slice(&code));
    buffer_release(&code);
    return text;
}

/* Whatever it is that is wrong with a URL, only its maker needs to know (section 4.1). */
static void refuse_url(struct imap_session *session, int error)
{
    const struct append_work *work = session->work;
    session->copying = false;
    if (error == ERROR_NOT_FOUND || error == ERROR_DENIED || error == ERROR_SYNTAX)
        session_reply(session, "NO", work->bad_url, "The URL is no part of a message here");
    else if (error)
        session_fail(session, error);
    append_refuse(session);
}

/* A message of this session's own (section 3): no other server, and none that a URLAUTH opens. */
static int find_part(struct imap_session *session, struct slice text, struct url_part *part)
{
    struct imap_url url;
    struct session_place place;
    struct collection mailbox = {0};
    struct mailbox_snapshot *snapshot;
    int error = imap_url_parse(text, &session->arena, &url);
    if (!error && (url.absolute || url.access))
        error = ERROR_SYNTAX;
    if (!error)
        error = session_find_mailbox(session, url.mailbox, &place, &mailbox);
    if (!error)
        error = mailbox_snapshot_open(place.view, mailbox.id, &snapshot);
    if (error)
        return error;
    part->account = place.account;
    part->mailbox = mailbox.id;
    error = url_part_find(snapshot, &url, &session->arena, part);
    mailbox_snapshot_close(&snapshot);
    return error;
}

void append_url(struct imap_session *session, struct slice text)
{
    struct append_work *work = session->work;
    work->part = (struct url_part){0};
    work->bad_url = make_code(session, text);
    int error = work->bad_url ? find_part(session, text, &work->part) : ERROR_LIMIT;
    if (error)
        refuse_url(session, error);
    else if (append_accepts(session, work->part.left))
        session->copying = true;
    else
        append_refuse(session);
}

/* In one snapshot, until the slice is over. */
static int copy_pieces(struct imap_session *session, struct mailbox_snapshot *snapshot)
{
    struct append_work *work = session->work;
    struct buffer piece;
    int error = 0;
    buffer_init(&piece, SESSION_PIECE);
    do {
        buffer_clear(&piece);
        error = url_part_read(snapshot, &work->part, &piece);
        if (!error)
            append_bytes(work, buffer_slice(&piece));
    } while (!error && work->part.left && !session_slice_over(session));
    buffer_release(&piece);
    return error;
}

void append_copy(struct imap_session *session)
{
    struct append_work *work = session->work;
    struct mailbox_snapshot *snapshot;
    struct store_view *view;
    int error = session_view_of(session, work->part.account, &view);
    if (!error)
        error = mailbox_snapshot_open(view, work->part.mailbox, &snapshot);
    if (!error) {
        error = copy_pieces(session, snapshot);
        mailbox_snapshot_close(&snapshot);
    }
    if (error)
        refuse_url(session, error);
    else
        session->copying = work->part.left > 0;
}
