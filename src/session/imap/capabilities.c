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
    "LANGUAGE",
    "UTF8=ACCEPT",
    "IDLE",
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "MULTIAPPEND",
    "CATENATE",
    "URLAUTH",
    "URLAUTH=BINARY",
    "URL-PARTIAL",
    "MOVE",
    "REPLACE",
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
    "THREAD=REFS",
    "I18NLEVEL=1",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "QUOTA=RES-ANNOTATION-STORAGE",
    "METADATA",
    "ANNOTATE-EXPERIMENT-1",
    "PARTIAL",
    "UIDONLY",
    "UIDBATCHES",
    "INPROGRESS",
    "NOTIFY",
    "UNAUTHENTICATE",
    "ACL",
    "RIGHTS=texkn",
    "LIST-MYRIGHTS",
};

/* RFC 6785 section 2.1: where scripts are managed, a sieveurl-server (RFC 5804 section 3). The port
 * of the first listener that has one, unless it is ManageSieve's own. */
static void write_imapsieve(const struct config *config, struct buffer *out)
{
    const char *port = NULL;
    for (size_t i = 0; i < config->sieve_listen.count && !port; i++)
        if (strncmp(config->sieve_listen.items[i], "systemd:", 8) != 0)
            port = strrchr(config->sieve_listen.items[i], ':');
    if (!config->sieve_listen.count)
        return;
    buffer_append_format(out, " IMAPSIEVE=sieve://%s%s", config->hostname,
                         port && strcmp(port, ":4190") != 0 ? port : "");
}

/* RFC 9738 section 3: SAVELIMIT where nothing but COPY and APPEND has a limit. */
static void write_limits(const struct config *config, struct buffer *out)
{
    if (config->message_limit)
        buffer_append_format(out, " MESSAGELIMIT=%llu", (unsigned long long)config->message_limit);
    else if (config->save_limit)
        buffer_append_format(out, " SAVELIMIT=%llu", (unsigned long long)config->save_limit);
}

void capabilities_write(const struct imap_session *session, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
        buffer_append_string(out, capabilities[i]);
        buffer_append_byte(out, ' ');
    }
    if (session->stream->administrator)
        buffer_append(out, SLICE("QUOTASET "));
    if (!session->compression)
        buffer_append(out, SLICE("COMPRESS=DEFLATE "));
    /* One limit for all mailboxes (RFC 7889 section 2). */
    buffer_append(out, SLICE("APPENDLIMIT="));
    buffer_append_number(out, (uint64_t)session->stream->config->message_size);
    write_limits(session->stream->config, out);
    write_imapsieve(session->stream->config, out);
}
