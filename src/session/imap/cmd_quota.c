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
static void write_quota(struct buffer *out, struct slice root, const struct quota *quota)
{
    const char *before = " (";
    buffer_append(out, SLICE("* QUOTA "));
    imap_write_string(out, root);
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
    struct session_place place;
    struct collection mailbox = {.id = 0};
    bool of_mailbox = session->command->id == IMAP_GETQUOTAROOT;
    int error = of_mailbox
                    ? session_find_mailbox(session, session->command->mailbox, &place, &mailbox)
                    : session_view(session, &place.view);
    if (error && ((error != ERROR_NOT_FOUND && error != ERROR_SYNTAX) ||
                  (of_mailbox && session_is_others(session->command->mailbox))))
        return error;
    return quota_get(place.view, error ? 0 : mailbox.id, quota);
}

/* Another's account is a root of its own, named as the level of its mailboxes. */
static struct slice root_of(struct slice mailbox)
{
    struct session_name name = session_split_name(mailbox);
    if (!name.level.size)
        return SLICE("");
    return slice_sub(mailbox, 0, name.level.size + 1 + name.address.size);
}

enum progress cmd_quota(struct imap_session *session)
{
    bool root = session->command->id == IMAP_GETQUOTAROOT;
    struct slice name = root ? root_of(session->command->mailbox) : SLICE("");
    struct buffer *out = session->out;
    struct quota quota;
    int error = read_quota(session, &quota);
    if (error)
        return session_fail(session, error);
    if (!root && (session->command->quota_root.size || !is_limited(&quota)))
        return session_reply(session, "NO", "NONEXISTENT", "No such quota root");
    if (root) {
        buffer_append(out, SLICE("* QUOTAROOT "));
        imap_write_mailbox(out, session->command->mailbox, session_takes_utf8(session));
        if (is_limited(&quota)) {
            buffer_append_byte(out, ' ');
            imap_write_string(out, name);
        }
        buffer_append(out, SLICE("\r\n"));
    }
    if (is_limited(&quota))
        write_quota(out, name, &quota);
    return session_ok(session, root ? "Getquotaroot completed" : "Getquota completed");
}
