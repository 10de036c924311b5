/*
 * MESSAGELIMIT and SAVELIMIT (RFC 9738): a command is about so many messages at most. Of more,
 * those with the highest UIDs are done, from the highest down, and the client is told where that
 * stopped.
 */
#include "session/imap/session_priv.h"

uint32_t limit_messages(const struct imap_session *session)
{
    int64_t limit = session->stream->config->message_limit;
    return limit ? (uint32_t)limit : UINT32_MAX;
}

uint32_t limit_saved(const struct imap_session *session)
{
    int64_t limit = session->stream->config->save_limit;
    return limit ? (uint32_t)limit : limit_messages(session);
}

int limit_uids(struct range_set *uids, uint32_t limit, uint32_t *lowest)
{
    uint32_t size = range_set_size(uids);
    *lowest = size > limit ? range_set_at(uids, size - limit + 1) : 0;
    return *lowest > 1 ? range_set_remove(uids, 1, *lowest - 1) : 0;
}

bool limit_is_passed(const struct imap_session *session, const struct imap_partial *partial)
{
    uint32_t first = partial->first, last = partial->last;
    return partial->given &&
           (last > first ? last - first : first - last) >= limit_messages(session);
}

/* "MESSAGELIMIT 1000 23221" in the arena. NULL: over the budget. */
static const char *limit_code(struct imap_session *session, uint32_t limit, uint32_t lowest)
{
    char code[sizeof("MESSAGELIMIT ") + (size_t)2 * NUMBER_MAXIMUM];
    if (lowest)
        snprintf(code, sizeof(code), "MESSAGELIMIT %u %u", limit, lowest);
    else
        snprintf(code, sizeof(code), "MESSAGELIMIT %u", limit);
    return arena_string(&session->arena, slice_from_string(code));
}

enum progress limit_refuse(struct imap_session *session, uint32_t limit, uint32_t lowest)
{
    return session_reply(session, "NO", limit_code(session, limit, lowest),
                         "Too many messages for one command");
}

enum progress limit_tell(struct imap_session *session, uint32_t lowest)
{
    struct session_reply *reply = &session->reply;
    static const char text[] = "Done with the highest UIDs alone";
    if (!lowest)
        return PROGRESS_DONE;
    const char *code = limit_code(session, limit_messages(session), lowest);
    if (!reply->code && !reply->tells_modseq)
        return session_reply(session, reply->status, code, text);
    imap_write_status(session->out, session->language, SLICE("*"), "NO", code, text);
    return PROGRESS_DONE;
}
