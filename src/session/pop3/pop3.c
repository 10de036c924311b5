/*
 * POP3 (RFC 1939) after login as a stream's protocol. States: pop3_priv.h.
 *
 * There is no exclusive lock: the maildrop is the mailbox as it was at login, others may use it
 * meanwhile, and what they remove is gone here too. Only QUIT changes anything (RFC 1939 section
 * 6): a session that is lost, or times out, has deleted nothing.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
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
    session->stream = stream;
    session->utf8 = stream->tag && strcmp(stream->tag, POP3_TAG_UTF8) == 0;
    line_reader_init(&session->reader, POP3_LINE_MAXIMUM - 2);
    maildrop_init(&session->maildrop);
    stream->state = session;
    return 0;
}

static void pop3_close(struct stream *stream, const char *why)
{
    struct pop3_session *session = stream->state;
    (void)why;
    line_reader_release(&session->reader);
    maildrop_release(&session->maildrop);
    stream->state = NULL;
    free(session);
}

static uint32_t pop3_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->pop3_timeout;
}

static void pop3_refuse(struct slice tag, int error, struct buffer *output)
{
    (void)tag;
    pop3_write_error(output, error == ERROR_LIMIT ? "IN-USE" : "SYS/TEMP",
                     error == ERROR_LIMIT ? "Too many connections" : "Try again later");
}

int pop3_view(struct pop3_session *session, struct store_view **view)
{
    struct stream *stream = session->stream;
    int error = 0;
    if (!session->view)
        error = store_view_open(stream->store, who_account(stream->account), stream->account,
                                &session->view);
    if (!error)
        *view = session->view;
    return error;
}

int pop3_snapshot(struct pop3_session *session, struct mailbox_snapshot **snapshot)
{
    struct store_view *view;
    int error = pop3_view(session, &view);
    return error ? error : mailbox_snapshot_open(view, session->maildrop.mailbox, snapshot);
}

void pop3_fail(struct pop3_session *session, int error)
{
    bool temporary = error_is_temporary(error);
    log_warning("pop3_error", LOG_TEXT("user", session->stream->user),
                LOG_TEXT("error", error_name(error)));
    pop3_write_error(&session->stream->output, temporary ? "SYS/TEMP" : "SYS/PERM",
                     error_text(error));
}

/* The answer to the login. */
static void greet(struct pop3_session *session)
{
    struct store_view *view;
    session->greeted = true;
    int error = pop3_view(session, &view);
    if (!error)
        error = maildrop_open(&session->maildrop, view);
    if (error) {
        pop3_fail(session, error);
        session->closing = true;
        return;
    }
    buffer_append_format(&session->stream->output,
                         "+OK Logged in: %" PRIu32 " messages (%" PRIu64 " octets)\r\n",
                         range_set_size(&session->maildrop.uids), session->maildrop.size);
}

static void note(const struct pop3_session *session, const char *command)
{
    struct stream *stream = session->stream;
    char text[CRASH_NOTE_MAXIMUM];
    if (!stream->service)
        return;
    snprintf(text, sizeof(text), "pop3 %s %s", stream->user, command);
    service_note(stream->service, text);
}

static void bad(struct pop3_session *session, const char *text)
{
    counters_add(COUNTER_POP3_ERRORS, 1);
    session->closing = ++session->bad_count >= POP3_BAD_MAXIMUM;
    pop3_write_error(&session->stream->output, NULL,
                     session->closing ? "Too many bad commands" : text);
}

static void take_line(struct pop3_session *session, struct slice line)
{
    struct pop3_command command;
    const char *problem;
    session->stream->commands++;
    counters_add(COUNTER_POP3_COMMANDS, 1);
    if (pop3_command_parse(line, POP3_TRANSACTION, &command, &problem)) {
        bad(session, problem);
        return;
    }
    session->bad_count = 0;
    note(session, pop3_command_name(command.id));
    pop3_run_command(session, &command);
}

/* False: there is no line yet. */
static bool read_line(struct pop3_session *session)
{
    struct slice line;
    switch (line_reader_next(&session->reader, &session->stream->input, &line)) {
    case LINE_MORE:
        return false;
    case LINE_COMPLETE:
        take_line(session, line);
        return true;
    case LINE_TOO_LONG:
        bad(session, "The line is too long");
        return true;
    default:
        session->closing = true;
        return true;
    }
}

/* Between commands. RFC 1939 section 3: when its time is over, the server closes without a word;
 * when the server ends, the client is told. */
static bool ends(struct pop3_session *session)
{
    const struct stream *stream = session->stream;
    if (stream->draining && !stream->timed_out)
        pop3_write_error(&session->stream->output, "SYS/TEMP", "The server is shutting down");
    session->closing = stream->draining || stream->timed_out;
    return session->closing;
}

static enum stream_need serve(struct pop3_session *session)
{
    if (!session->greeted)
        greet(session);
    while (!session->closing) {
        if (pop3_slice_over(session))
            return STREAM_NEED_OUTPUT;
        if (session->phase == POP3_UPDATING && gate_is_closed())
            return STREAM_NEED_GATE;
        if (session->phase != POP3_READING)
            pop3_go_on(session);
        else if (!ends(session) && !read_line(session))
            return session->stream->input_ended ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
    }
    return STREAM_NEED_CLOSE;
}

static enum stream_need pop3_run(struct stream *stream)
{
    struct pop3_session *session = stream->state;
    session->deadline = clock_monotonic_us() + STREAM_SLICE_US;
    enum stream_need need = serve(session);
    if (session->view)
        store_view_close(&session->view);
    return buffer_error(&stream->output) ? STREAM_NEED_CLOSE : need;
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
