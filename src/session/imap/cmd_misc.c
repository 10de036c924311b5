/*
 * CAPABILITY, NOOP (and CHECK), LOGOUT, ID, ENABLE, NAMESPACE.
 */
#include "session/imap/session_priv.h"

enum progress cmd_capability(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* CAPABILITY "));
    capabilities_write(session, session->out);
    buffer_append(session->out, SLICE("\r\n"));
    return session_ok(session, "Capability completed");
}

/* What has changed is told by the sync that follows every command. CHECK is NOOP: commits need no
 * checkpoint (RFC 3501 section 6.4.1 leaves it to the implementation). */
enum progress cmd_noop(struct imap_session *session)
{
    return session_ok(session,
                      session->command->id == IMAP_CHECK ? "Check completed" : "NOOP completed");
}

enum progress cmd_logout(struct imap_session *session)
{
    imap_write_status(session->out, SLICE("*"), "BYE", NULL, "Logging out");
    imap_write_status(session->out, slice_from_string(session->tag), "OK", NULL,
                      "Logout completed");
    session->closing = true;
    return session_ok(session, "");
}

/* The client's fields are for statistics only (RFC 2971 section 3.1); none is kept. */
enum progress cmd_id(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* ID (\"name\" \"Chapar\")\r\n"));
    return session_ok(session, "ID completed");
}

/* None of the capabilities offered has to be enabled, and one that is not known is passed over
 * (RFC 5161 section 3.1): the list is empty. */
enum progress cmd_enable(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* ENABLED\r\n"));
    return session_ok(session, "Enabled");
}

/* Personal, other users', shared (RFC 2342 section 5). An account sees its own mailboxes. */
enum progress cmd_namespace(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
    return session_ok(session, "Namespace completed");
}
