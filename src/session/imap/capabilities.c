/*
 * The capabilities after login: the one place that names them.
 */
#include "session/imap/session_priv.h"

/* Those that always apply, in the order in which they are listed. */
static const char *const capabilities[] = {
    "IMAP4rev1",
    "IMAP4rev2",
    "LITERAL+",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "CHILDREN",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LIST-METADATA",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "STATUS=SIZE",
    "OBJECTID",
    "SAVEDATE",
    "PREVIEW",
    "CONDSTORE",
    "QRESYNC",
    "BINARY",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "FILTERS",
    "MULTISEARCH",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "I18NLEVEL=1",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "QUOTA=RES-ANNOTATION-STORAGE",
    "METADATA",
    "PARTIAL",
    "UIDONLY",
    "INPROGRESS",
    "NOTIFY",
    "UNAUTHENTICATE",
    "ACL",
    "RIGHTS=texk",
    "LIST-MYRIGHTS",
};

void capabilities_write(const struct imap_session *session, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
        buffer_append_string(out, capabilities[i]);
        buffer_append_byte(out, ' ');
    }
    if (!session->compression)
        buffer_append(out, SLICE("COMPRESS=DEFLATE "));
    /* One limit for all mailboxes (RFC 7889 section 2). */
    buffer_append(out, SLICE("APPENDLIMIT="));
    number_write(out, (uint64_t)session->stream->config->message_size);
}
