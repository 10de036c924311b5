/*
 * APPEND (RFC 9051 section 6.3.12; APPENDUID: RFC 4315 section 3; literal8: RFC 3516 section 4.4)
 * with several messages (RFC 3502) and annotations (RFC 5257 section 4.7), and REPLACE (RFC 8508):
 * one transaction of the store.
 *
 * The messages go to one spool while they arrive: small ones stay in memory, large ones lie in an
 * unlinked file.
 */
#include "session/imap/append_priv.h"

#include "base/clock.h"
#include "base/error.h"
#include "format/downgrade.h"

static void release(struct imap_session *session)
{
    struct append_work *work = session->work;
    for (size_t i = 0; i < work->prepared; i++)
        prepared_message_free(&work->messages[i].prepared);
    spool_release(&work->spool);
}

static bool is_replace(const struct imap_session *session)
{
    return session->command->id == IMAP_REPLACE;
}

/* --- before a message's literal is asked for: what is refused costs no transfer --- */

void append_refuse(struct imap_session *session)
{
    imap_reader_refuse_message(&session->reader);
    session->phase = PHASE_SYNCING;
}

/* The replies of a mailbox or a message that is not there. */
static void reply_error(struct imap_session *session, int error)
{
    if (error == ERROR_NOT_FOUND)
        session_reply(session, "NO", "TRYCREATE", "No such mailbox");
    else if (error == ERROR_UNSUPPORTED)
        session_reply(session, "NO", NULL, "A header in UTF-8 needs ENABLE UTF8=ACCEPT");
    else if (error == ERROR_CONFLICT)
        session_reply(session, "NO", "EXPUNGEISSUED", "The message is expunged");
    else
        session_fail(session, error);
}

static bool find_target(struct imap_session *session, struct append_work *work)
{
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->append.mailbox, &place, &mailbox);
    if (!error && !(mailbox.rights & RIGHT_INSERT))
        error = ERROR_DENIED;
    if (error) {
        reply_error(session, error);
        return false;
    }
    work->account = place.account;
    work->mailbox = mailbox.id;
    return true;
}

/* What REPLACE replaces; one transaction is of one account. */
static bool find_replaced(struct imap_session *session, struct append_work *work)
{
    if (session->mailbox.read_only)
        session_reply(session, "NO", NULL, "Mailbox is selected read-only");
    else if (!account_id_equal(work->account, session->mailbox.account))
        session_reply(session, "NO", "CANNOT", "The mailboxes belong to different accounts");
    else if (view_resolve_command(session, &session->command->append.set)) {
        if (session->uids.count) {
            work->replaced = session->uids.ranges[0].first;
            return true;
        }
        session_reply(session, "NO", "NONEXISTENT", "No such message");
    }
    return false;
}

/* Of the first message. */
static struct append_work *begin(struct imap_session *session)
{
    const struct config *config = session->stream->config;
    struct append_work found = {0};
    if (!find_target(session, &found) || (is_replace(session) && !find_replaced(session, &found)))
        return NULL;
    struct append_work *work = session_work(session, sizeof(*work));
    if (!work) {
        session_fail(session, ERROR_LIMIT);
        return NULL;
    }
    *work = found;
    spool_init(&work->spool, session->stream->spool_directory, SESSION_APPEND_MEMORY,
               SESSION_APPEND_TOTAL * (uint64_t)config->message_size);
    spool_keep_free(&work->spool, (uint64_t)config->minimum_free);
    session->release_work = release;
    return work;
}

static bool add_message(struct imap_session *session, struct append_work *work)
{
    const struct imap_append *append = &session->command->append;
    if (work->count == limit_saved(session)) { /* RFC 9738 section 3.1 */
        limit_refuse(session, limit_saved(session), 0);
        return false;
    }
    if (work->count == work->capacity) {
        size_t capacity = work->capacity ? 2 * work->capacity : 1;
        struct append_message *grown = arena_alloc_array(&session->arena, capacity, sizeof(*grown));
        if (!grown) {
            session_fail(session, ERROR_LIMIT);
            return false;
        }
        if (work->count)
            memcpy(grown, work->messages, work->count * sizeof(*grown));
        work->messages = grown;
        work->capacity = capacity;
    }
    struct append_message message = {
        .flags = append->flags,
        .date = append->has_date ? append->date : clock_wall(),
        .begin = work->spool.size,
        .end = work->spool.size,
    };
    if (append->annotations.count &&
        !annotate_make_list(session, &append->annotations, &message.annotations,
                            &message.annotation_count))
        return false;
    work->messages[work->count++] = message;
    return true;
}

bool append_accepts(struct imap_session *session, uint64_t size)
{
    const struct append_work *work = session->work;
    const struct append_message *message = &work->messages[work->count - 1];
    uint64_t maximum = (uint64_t)session->stream->config->message_size;
    if (size > maximum - (message->end - message->begin))
        session_reply(session, "NO", "TOOBIG", "Message too large");
    else if (size > work->spool.maximum - work->spool.size)
        session_reply(session, "NO", "LIMIT", "The messages of one command are too large");
    else
        return true;
    return false;
}

/* RFC 3502: a message without a byte cancels the command. */
static void reply_empty(struct imap_session *session)
{
    session_reply(session, "NO", NULL, "Cancelled by an empty message");
}

void append_begin(struct imap_session *session)
{
    const struct imap_append *append = &session->command->append;
    struct append_work *work = session->work ? session->work : begin(session);
    bool accepted = work && add_message(session, work);
    if (accepted && !append->catenates && !append->size) {
        reply_empty(session);
        accepted = false;
    }
    if (!accepted || !append_accepts(session, append->size))
        append_refuse(session);
}

void append_bytes(struct append_work *work, struct slice bytes)
{
    work->has_nul |= slice_find(bytes, '\0') < bytes.size;
    spool_append(&work->spool, bytes);
    work->messages[work->count - 1].end = work->spool.size;
}

void append_piece(struct imap_session *session, struct slice bytes)
{
    append_bytes(session->work, bytes);
}

/* --- when all have come --- */

/* RFC 9755 section 4: not from who could not be shown it. */
static bool takes_header(const struct imap_session *session, struct slice text)
{
    struct header_field field;
    while (!session_takes_utf8(session) && header_field_next(&text, &field))
        if (!downgrade_is_ascii(field.whole))
            return false;
    return true;
}

/* ERROR_INVALID: an annotation is of a body part that the message does not have. */
static int prepare_one(const struct imap_session *session, struct slice text,
                       struct append_message *message)
{
    struct summary summary;
    if (!takes_header(session, text))
        return ERROR_UNSUPPORTED;
    int error = prepared_message_create(text, &message->prepared);
    if (error || !message->annotation_count)
        return error;
    error = prepared_message_summary(message->prepared, &summary);
    if (!error && !annotate_has_parts(&summary, message->annotations, message->annotation_count))
        error = ERROR_INVALID;
    if (error)
        prepared_message_free(&message->prepared);
    return error;
}

/* Parses those there is time for. ERROR_UNSUPPORTED: a header is not taken. *done: all are. */
static int prepare(struct imap_session *session, struct slice bytes, bool *done)
{
    struct append_work *work = session->work;
    while (work->prepared < work->count) {
        struct append_message *message = &work->messages[work->prepared];
        struct slice text =
            slice_sub(bytes, (size_t)message->begin, (size_t)(message->end - message->begin));
        int error = prepare_one(session, text, message);
        if (error)
            return error;
        work->prepared++;
        if (session_slice_over(session))
            break;
    }
    *done = work->prepared == work->count;
    return 0;
}

static int store_messages(struct imap_session *session, struct append_result *result)
{
    const struct append_work *work = session->work;
    struct store_view *view;
    int error = session_view_of(session, work->account, &view);
    if (error)
        return error;
    struct append *appends = arena_alloc_array(&session->arena, work->count, sizeof(*appends));
    if (!appends)
        return ERROR_LIMIT;
    for (size_t i = 0; i < work->count; i++) {
        const struct append_message *message = &work->messages[i];
        appends[i] = (struct append){
            .message = message->prepared,
            .flags = message->flags.system,
            .keywords = message->flags.keywords,
            .keyword_count = message->flags.keyword_count,
            .internal_date = message->date,
            .annotations = message->annotations,
            .annotation_count = message->annotation_count,
        };
    }
    if (is_replace(session))
        return mailbox_replace(view, session->mailbox.id, work->replaced, work->mailbox, appends,
                               result);
    return mailbox_append_all(view, work->mailbox, appends, work->count, result);
}

/* "APPENDUID 38505 3955:3957" (RFC 4315 section 3, RFC 3502), in the arena. */
static const char *append_uid(struct imap_session *session, const struct append_result *result)
{
    const struct append_work *work = session->work;
    char code[64];
    int size = snprintf(code, sizeof(code), "APPENDUID %u %u", result->uid_validity, result->uid);
    if (work->count > 1)
        snprintf(code + size, sizeof(code) - (size_t)size, ":%u",
                 result->uid + (uint32_t)work->count - 1);
    return arena_string(&session->arena, slice_from_string(code));
}

/* RFC 8508 section 4.3: the new UID is told before the sync tells what has gone. */
static enum progress answer_replaced(struct imap_session *session,
                                     const struct append_result *result)
{
    session->stream->expunged++;
    imap_write_status(session->out, session->language, SLICE("*"), "OK",
                      append_uid(session, result), "Replacement message is ready");
    session_ok(session, "Replace completed");
    session->reply.tells_modseq = session->enabled & ENABLED_CONDSTORE;
    return PROGRESS_DONE;
}

enum progress cmd_append(struct imap_session *session)
{
    struct append_work *work = session->work;
    struct append_result result;
    struct slice bytes;
    bool prepared = false;
    /* What has NUL bytes could not be fetched by those who do not know BINARY. */
    if (work->has_nul)
        return session_reply(session, "NO", "UNKNOWN-CTE", "NUL bytes cannot be stored");
    for (size_t i = 0; i < work->count; i++) {
        if (work->messages[i].begin == work->messages[i].end) {
            reply_empty(session);
            return PROGRESS_DONE;
        }
    }
    int error = spool_view(&work->spool, &bytes);
    if (!error)
        error = prepare(session, bytes, &prepared);
    if (error == ERROR_INVALID)
        return annotate_no_part(session);
    if (!error && !prepared)
        return PROGRESS_AGAIN;
    if (!error)
        error = store_messages(session, &result);
    if (error) { /* of a mailbox or a message that went while the messages came, too */
        reply_error(session, error);
        return PROGRESS_DONE;
    }
    session->stream->stored += work->count;
    events_appended(session, work->account, work->mailbox, result.uid,
                    result.uid + (uint32_t)work->count - 1);
    notify_note_own(session, work->account, work->mailbox, result.uid,
                    result.uid + (uint32_t)work->count - 1, work->count);
    return is_replace(session)
               ? answer_replaced(session, &result)
               : session_reply(session, "OK", append_uid(session, &result), "Append completed");
}
