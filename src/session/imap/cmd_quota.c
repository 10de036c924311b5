/*
 * GETQUOTA and GETQUOTAROOT (RFC 9208). The account is one quota root, whose name is empty; it is
 * named where something is limited. Limits are the administrator's to set: there is no QUOTASET.
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "store/quota.h"

enum { QUOTA_UNIT = 1024 /* bytes; of storage */ };

static bool is_limited(const struct quota *quota)
{
    for (int i = 0; i < QUOTA_RESOURCES; i++)
        if (quota->limits[i])
            return true;
    return false;
}

/* Usage is rounded up, a limit down: who is told to have room has it. */
static void write_quota(struct buffer *out, const struct quota *quota)
{
    const char *before = "* QUOTA \"\" (";
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        bool bytes = i == QUOTA_STORAGE || i == QUOTA_ANNOTATION_STORAGE;
        uint64_t unit = bytes ? QUOTA_UNIT : 1;
        if (!quota->limits[i])
            continue;
        buffer_append_format(out, "%s%s %llu %llu", before, quota_resource_name(i),
                             (unsigned long long)((quota->usage[i] + unit - 1) / unit),
                             (unsigned long long)(quota->limits[i] / unit));
        before = " ";
    }
    buffer_append(out, SLICE(")\r\n"));
}

/* A mailbox that is not there yet would be under the account's root (RFC 9208 section 4.1.2). */
static int read_quota(struct imap_session *session, struct quota *quota)
{
    struct store_view *view;
    struct collection mailbox = {.id = 0};
    int error = session_view(session, &view);
    if (!error && session->command->id == IMAP_GETQUOTAROOT)
        error = session_find_mailbox(session, session->command->mailbox, &mailbox);
    if (error && error != ERROR_NOT_FOUND && error != ERROR_SYNTAX)
        return error;
    return quota_get(view, error ? 0 : mailbox.id, quota);
}

enum progress cmd_quota(struct imap_session *session)
{
    bool root = session->command->id == IMAP_GETQUOTAROOT;
    struct buffer *out = session->out;
    struct quota quota;
    int error = read_quota(session, &quota);
    if (error)
        return session_fail(session, error);
    if (!root && (session->command->quota_root.size || !is_limited(&quota)))
        return session_reply(session, "NO", "NONEXISTENT", "No such quota root");
    if (root) {
        buffer_append(out, SLICE("* QUOTAROOT "));
        imap_write_mailbox(out, session->command->mailbox, session_is_rev2(session));
        buffer_append_string(out, is_limited(&quota) ? " \"\"\r\n" : "\r\n");
    }
    if (is_limited(&quota))
        write_quota(out, &quota);
    return session_ok(session, root ? "Getquotaroot completed" : "Getquota completed");
}
