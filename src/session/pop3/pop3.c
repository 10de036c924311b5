/*
 * POP3 (RFC 1939) after login as a stream's protocol. States: pop3_priv.h.
 *
 * There is no exclusive lock: the maildrop is the mailbox as it was at login, others may use it
 * meanwhile, and what they remove is gone here too. Only QUIT changes anything (RFC 1939 section
 * 6): a session that is lost, or times out, has deleted nothing.
 */
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "proto/pop3/login.h"
#include "session/pop3/pop3_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* An idle session costs this, its stream, and 12 bytes for each gap in the mailbox's UIDs. */
_Static_assert(sizeof(struct pop3_session) <= 1024, "many of them are to be idle");

static int pop3_open(struct stream *stream)
{
    struct pop3_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    session->turns.stream = stream;
    session->language = stream->language;
    session->utf8 = stream->tag && strcmp(stream->tag, POP3_TAG_UTF8) == 0;
    line_reader_init(&session->reader, POP3_LINE_MAXIMUM - 2);
    maildrop_init(&session->maildrop);
    surrogate_init(&session->surrogate, stream->spool_directory, POP3_SURROGATE_MEMORY);
    stream->state = session;
    return 0;
}

static void pop3_close(struct stream *stream, const char *why)
{
    struct pop3_session *session = stream->state;
    (void)why;
    pop3_sending_end(session);
    line_reader_release(&session->reader);
    maildrop_release(&session->maildrop);
    stream->state = NULL;
    free(session);
}

static uint32_t pop3_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->pop3_timeout;
}

static void pop3_refuse(struct slice tag, enum language language, int error, struct buffer *output)
{
    (void)tag;
    pop3_write_error(output, language, error == ERROR_LIMIT ? "IN-USE" : "SYS/TEMP",
                     error == ERROR_LIMIT ? "Too many connections" : "Try again later");
}

int pop3_snapshot(struct pop3_session *session, struct mailbox_snapshot **snapshot)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    return error ? error : mailbox_snapshot_open(view, session->maildrop.mailbox, snapshot);
}

void pop3_fail(struct pop3_session *session, int error)
{
    bool temporary = error_is_temporary(error);
    log_warning("pop3_error", LOG_TEXT("user", session->turns.stream->user),
                LOG_TEXT("error", error_name(error)));
    pop3_write_error(&session->turns.stream->output, session->language,
                     temporary ? "SYS/TEMP" : "SYS/PERM", error_text(error));
}

/* --- turns --- */

static struct pop3_session *session_of(struct turns *turns)
{
    return (struct pop3_session *)turns;
}

/* The answer to the login. */
static void greet(struct turns *turns)
{
    struct pop3_session *session = session_of(turns);
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = maildrop_open(&session->maildrop, view);
    if (error) {
        pop3_fail(session, error);
        session->turns.closing = true;
        return;
    }
    buffer_append_format(&session->turns.stream->output,
                         "+OK Logged in: %" PRIu32 " messages (%" PRIu64 " octets)\r\n",
                         range_set_size(&session->maildrop.uids), session->maildrop.size);
}

static void bad(struct pop3_session *session, const char *text)
{
    counters_add(COUNTER_POP3_ERRORS, 1);
    session->turns.closing = ++session->bad_count >= POP3_BAD_MAXIMUM;
    pop3_write_error(&session->turns.stream->output, session->language, NULL,
                     session->turns.closing ? "Too many bad commands" : text);
}

static void take_line(struct pop3_session *session, struct slice line)
{
    struct pop3_command command;
    const char *problem;
    session->turns.stream->commands++;
    counters_add(COUNTER_POP3_COMMANDS, 1);
    if (pop3_command_parse(line, POP3_TRANSACTION, &command, &problem)) {
        bad(session, problem);
        return;
    }
    session->bad_count = 0;
    turns_note(&session->turns, pop3_command_name(command.id));
    pop3_run_command(session, &command);
}

/* False: there is no line yet. */
static bool read_line(struct turns *turns)
{
    struct pop3_session *session = session_of(turns);
    struct slice line;
    switch (line_reader_next(&session->reader, &session->turns.stream->input, &line)) {
    case LINE_MORE:
        return false;
    case LINE_COMPLETE:
        take_line(session, line);
        return true;
    case LINE_TOO_LONG:
        bad(session, "The line is too long");
        return true;
    default:
        session->turns.closing = true;
        return true;
    }
}

/* Between commands. RFC 1939 section 3: when its time is over, the server closes without a word;
 * when the server ends, the client is told. */
static void say_goodbye(struct turns *turns)
{
    const struct stream *stream = turns->stream;
    if (stream->dismissed)
        pop3_write_error(&turns->stream->output, session_of(turns)->language, "AUTH",
                         "Nobody may be logged in to the account any more");
    else if (stream->draining && !stream->timed_out)
        pop3_write_error(&turns->stream->output, session_of(turns)->language, "SYS/TEMP",
                         "The server is shutting down");
    turns->closing = stream->draining || stream->timed_out;
}

static bool is_busy(const struct turns *turns)
{
    return ((const struct pop3_session *)turns)->phase != POP3_READING;
}

static bool changes(const struct turns *turns)
{
    return ((const struct pop3_session *)turns)->phase == POP3_UPDATING;
}

static void go_on(struct turns *turns)
{
    pop3_go_on(session_of(turns));
}

static enum stream_need pop3_run(struct stream *stream)
{
    static const struct turn_functions functions = {.greet = greet,
                                                    .say_goodbye = say_goodbye,
                                                    .read = read_line,
                                                    .is_busy = is_busy,
                                                    .changes = changes,
                                                    .go_on = go_on};
    return turns_run(stream->state, &functions);
}

const struct stream_protocol pop3_protocol = {
    .name = "pop3",
    .open = pop3_open,
    .run = pop3_run,
    .refuse = pop3_refuse,
    .idle_limit = pop3_idle_limit,
    .idle_limit_name = "pop3_timeout",
    .close = pop3_close,
};
