/*
 * IDLE (RFC 2177): changes are told as they happen, until the client says DONE.
 */
#include "session/imap/session_priv.h"

enum progress cmd_idle(struct imap_session *session)
{
    buffer_append(session->out, SLICE("+ idling\r\n"));
    imap_reader_expect_line(&session->reader);
    session->command = NULL; /* the reader has let it go */
    session->idling = true;
    return session_ok(session, "Idle completed");
}

void idle_line(struct imap_session *session, struct slice line)
{
    session->idling = false;
    if (slice_equal_nocase(line, SLICE("DONE")))
        session_ok(session, "Idle completed");
    else
        session_reply(session, "BAD", NULL, "Expected DONE");
    session->phase = PHASE_SYNCING;
}
