/*
 * APPEND (RFC 9051 section 6.3.12; APPENDUID: RFC 4315 section 3; literal8: RFC 3516 section 4.4).
 * The message goes to a spool while it arrives: small ones stay in memory, large ones lie in an
 * unlinked file.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/spool.h"
#include "session/imap/session_priv.h"

struct append_work {
    struct account_id account; /* whose mailbox it is */
    collection_id mailbox;
    struct spool spool;
    bool has_nul;
};

static void release(struct imap_session *session)
{
    struct append_work *work = session->work;
    spool_release(&work->spool);
}

/* Answers at once, and has the message passed over. */
static void refuse(struct imap_session *session, int error)
{
    imap_reader_refuse_message(&session->reader);
    if (error == ERROR_NOT_FOUND)
        session_reply(session, "NO", "TRYCREATE", "No such mailbox");
    else
        session_fail(session, error);
    session->phase = PHASE_SYNCING;
}

/* Before the literal is asked for: a mailbox that is missing costs no transfer. */
void append_begin(struct imap_session *session)
{
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->append.mailbox, &place, &mailbox);
    if (!error && !(mailbox.rights & RIGHT_INSERT))
        error = ERROR_DENIED;
    struct append_work *work = error ? NULL : session_work(session, sizeof(*work));
    if (!work) {
        refuse(session, error ? error : ERROR_LIMIT);
        return;
    }
    work->account = place.account;
    work->mailbox = mailbox.id;
    spool_init(&work->spool, session->stream->spool_directory, SESSION_APPEND_MEMORY,
               (uint64_t)session->stream->config->message_size);
    spool_keep_free(&work->spool, (uint64_t)session->stream->config->minimum_free);
    session->release_work = release;
}

/* What fails is remembered by the spool. */
void append_piece(struct imap_session *session, struct slice bytes)
{
    struct append_work *work = session->work;
    work->has_nul |= slice_find(bytes, '\0') < bytes.size;
    spool_append(&work->spool, bytes);
}

static int store_message(struct imap_session *session, struct slice message,
                         struct append_result *result)
{
    const struct append_work *work = session->work;
    const struct imap_command *command = session->command;
    struct prepared_message *prepared;
    struct store_view *view;
    int error = session_view_of(session, work->account, &view);
    if (!error)
        error = prepared_message_create(message, &prepared);
    if (error)
        return error;
    struct append append = {
        .message = prepared,
        .flags = command->append.flags.system,
        .keywords = command->append.flags.keywords,
        .keyword_count = command->append.flags.keyword_count,
        .internal_date = command->append.has_date ? command->append.date : clock_wall(),
    };
    error = mailbox_append(view, work->mailbox, &append, result);
    prepared_message_free(&prepared);
    return error;
}

enum progress cmd_append(struct imap_session *session)
{
    struct append_work *work = session->work;
    struct append_result result;
    struct slice message;
    /* What has NUL bytes could not be fetched by those who do not know BINARY. */
    if (session->command->append.binary && work->has_nul)
        return session_reply(session, "NO", "UNKNOWN-CTE", "NUL bytes cannot be stored");
    int error = spool_view(&work->spool, &message);
    if (!error)
        error = store_message(session, message, &result);
    if (error == ERROR_NOT_FOUND) /* deleted while the message came */
        return session_reply(session, "NO", "TRYCREATE", "No such mailbox");
    if (error)
        return session_fail(session, error);
    session->stream->stored++;
    notify_note_own(session, work->account, work->mailbox, result.uid, result.uid, 1);
    char code[64];
    snprintf(code, sizeof(code), "APPENDUID %u %u", result.uid_validity, result.uid);
    return session_reply(session, "OK", arena_string(&session->arena, slice_from_string(code)),
                         "Append completed");
}
