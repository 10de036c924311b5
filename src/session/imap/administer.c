/*
 * What is particular to administrators: their traces in the log, and what they are told.
 */
#include "base/error.h"
#include "base/log.h"
#include "session/imap/session_priv.h"

void administer_log(const struct imap_session *session, struct slice name, struct slice detail)
{
    const struct stream *stream = session->stream;
    if (!stream->administrator || (name.size && !session_is_others(name)))
        return;
    log_info("administered", LOG_TEXT("user", stream->user), LOG_TEXT("client", stream->client),
             LOG_TEXT("command", imap_commands[session->command->id].name),
             LOG_SLICE("mailbox", name), LOG_SLICE("detail", detail));
}

enum progress administer_fail(struct imap_session *session, struct slice name, int error,
                              const char *verb)
{
    struct session_place place;
    struct collection found;
    char text[128];
    if (!session->stream->administrator || !session_is_others(name))
        return session_fail(session, error);
    bool inbox = error == ERROR_INVALID &&
                 session_find_mailbox(session, name, &place, &found) == 0 && !found.parent &&
                 slice_equal_nocase(found.name, SLICE("INBOX"));
    bool account = error == ERROR_NOT_FOUND && session_place(session, name, &place) != 0;
    if (!inbox && !account)
        return session_fail(session, error);
    snprintf(text, sizeof(text), "%s; see: chapar account %s",
             inbox ? "Every account has an INBOX" : "Not a mailbox of an account that is there",
             verb);
    return session_reply(session, "NO", account ? "NONEXISTENT" : "CANNOT",
                         arena_string(&session->arena, slice_from_string(text)));
}
