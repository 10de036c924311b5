/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). The account is one quota root, whose name is empty;
 * another's is named as the level of its mailboxes is. It is there where something is limited.
 * Limits are administrators' to set, who ask for every account's root: QUOTASET is theirs alone.
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

static bool is_bytes(int resource)
{
    return resource == QUOTA_STORAGE || resource == QUOTA_ANNOTATION_STORAGE;
}

/* Usage is rounded up, a limit down: who is told to have room has it. */
static void write_quota(struct buffer *out, struct slice root, const struct quota *quota)
{
    const char *before = " (";
    buffer_append(out, SLICE("* QUOTA "));
    imap_write_string(out, root);
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        uint64_t unit = is_bytes(i) ? QUOTA_UNIT : 1;
        if (!quota->limits[i])
            continue;
        buffer_append_format(out, "%s%s %llu %llu", before, quota_resource_name(i),
                             (unsigned long long)((quota->usage[i] + unit - 1) / unit),
                             (unsigned long long)(quota->limits[i] / unit));
        before = " ";
    }
    buffer_append(out, SLICE(")\r\n"));
}

/* Another's account is a root of its own, named as the level of its mailboxes. */
static struct slice root_of(struct slice mailbox)
{
    struct session_name name = session_split_name(mailbox);
    if (!name.level.size)
        return SLICE("");
    return slice_sub(mailbox, 0, name.level.size + 1 + name.address.size);
}

/* The account of a root; another's for administrators alone. */
static int find_root(struct imap_session *session, struct slice root, struct store_view **view)
{
    const struct session_name name = session_split_name(root);
    struct account_id account;
    if (!root.size)
        return session_view(session, view);
    if (!session->stream->administrator || !slice_equal(root_of(root), root))
        return ERROR_NOT_FOUND;
    int error = session_find_owner(session, &name, &account);
    return error ? error : session_view_of(session, account, view);
}

/* --- asking --- */

/* A mailbox that is not there yet would be under the account's root (RFC 9208 section 4.1.2). */
static int read_quota(struct imap_session *session, struct quota *quota)
{
    struct session_place place;
    struct collection mailbox = {.id = 0};
    bool of_mailbox = session->command->id == IMAP_GETQUOTAROOT;
    int error = of_mailbox
                    ? session_find_mailbox(session, session->command->mailbox, &place, &mailbox)
                    : find_root(session, session->command->quota_root, &place.view);
    if (error && ((error != ERROR_NOT_FOUND && error != ERROR_SYNTAX) || !of_mailbox ||
                  session_is_others(session->command->mailbox)))
        return error;
    return quota_get(place.view, error ? 0 : mailbox.id, quota);
}

static enum progress fail_root(struct imap_session *session)
{
    return session_reply(session, "NO", "NONEXISTENT", "No such quota root");
}

enum progress cmd_quota(struct imap_session *session)
{
    bool root = session->command->id == IMAP_GETQUOTAROOT;
    struct slice name = root ? root_of(session->command->mailbox) : session->command->quota_root;
    struct buffer *out = session->out;
    struct quota quota;
    int error = read_quota(session, &quota);
    if (!root && (error == ERROR_NOT_FOUND || (!error && !is_limited(&quota))))
        return fail_root(session);
    if (error)
        return session_fail(session, error);
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

/* --- setting --- */

static enum progress refuse(struct imap_session *session, struct slice resource, const char *why)
{
    char text[128];
    snprintf(text, sizeof(text), "%.*s: %s", (int)(resource.size < 64 ? resource.size : 64),
             resource.data, why);
    return session_reply(session, "NO", "CANNOT",
                         arena_string(&session->arena, slice_from_string(text)));
}

/* Every limit there is, as what is not listed is limited no more (RFC 9208 section 4.1.3).
 * False: it cannot be set; the reply is. */
static bool make_limits(struct imap_session *session, uint64_t limits[QUOTA_RESOURCES])
{
    const struct imap_quota *asked = &session->command->quota;
    memset(limits, 0, QUOTA_RESOURCES * sizeof(*limits));
    for (size_t i = 0; i < asked->count; i++) {
        const struct imap_quota_limit *item = &asked->limits[i];
        enum quota_resource resource;
        if (quota_resource_parse(item->resource, &resource)) {
            refuse(session, item->resource, "no such resource");
            return false;
        }
        uint64_t unit = is_bytes(resource) ? QUOTA_UNIT : 1;
        if (item->limit == 0 || item->limit > INT64_MAX / QUOTA_UNIT) {
            refuse(session, item->resource,
                   item->limit ? "too large" : "1 at least; what is not listed has no limit");
            return false;
        }
        limits[resource] = item->limit * unit;
    }
    return true;
}

static void log_limits(struct imap_session *session)
{
    const struct imap_quota *asked = &session->command->quota;
    struct buffer detail;
    buffer_init(&detail, 4096);
    for (size_t i = 0; i < asked->count; i++)
        buffer_append_format(&detail, "%s%.*s %llu", i ? " " : "",
                             SLICE_FORMAT(asked->limits[i].resource),
                             (unsigned long long)asked->limits[i].limit);
    administer_log(session, asked->root, buffer_slice(&detail));
    buffer_release(&detail);
}

enum progress cmd_setquota(struct imap_session *session)
{
    const struct imap_quota *asked = &session->command->quota;
    uint64_t limits[QUOTA_RESOURCES];
    struct store_view *view;
    struct quota quota;
    if (!session->stream->administrator)
        return session_reply(session, "NO", "NOPERM", "Only administrators set quotas");
    if (!make_limits(session, limits))
        return PROGRESS_DONE;
    int error = find_root(session, asked->root, &view);
    if (error == ERROR_NOT_FOUND)
        return fail_root(session);
    if (!error)
        error = quota_set(view, (1U << QUOTA_RESOURCES) - 1, limits);
    if (!error)
        error = quota_get(view, 0, &quota);
    if (error)
        return session_fail(session, error);
    log_limits(session);
    if (is_limited(&quota))
        write_quota(session->out, asked->root, &quota);
    return session_ok(session, "Setquota completed");
}
