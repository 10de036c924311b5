/*
 * ManageSieve (RFC 5804) after login as a stream's protocol.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "session/managesieve/managesieve_priv.h"

#include <stdlib.h>

static int managesieve_open(struct stream *stream)
{
    struct managesieve_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    session->stream = stream;
    managesieve_reader_init(&session->reader, MANAGESIEVE_LITERALS_MAXIMUM);
    stream->state = session;
    return 0;
}

static void managesieve_close(struct stream *stream, const char *why)
{
    struct managesieve_session *session = stream->state;
    (void)why;
    managesieve_reader_release(&session->reader);
    stream->state = NULL;
    free(session);
}

/* RFC 5804 section 1.2 wants 30 minutes at least, as IMAP does. */
static uint32_t managesieve_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->idle_timeout;
}

static void managesieve_refuse(struct slice tag, int error, struct buffer *output)
{
    (void)tag;
    managesieve_write_status(output, "BYE", "TRYLATER",
                             error == ERROR_LIMIT ? SLICE("Too many connections")
                                                  : SLICE("Try again later"));
}

int managesieve_view(struct managesieve_session *session, struct store_view **view)
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

static void note(const struct managesieve_session *session, const char *command)
{
    struct stream *stream = session->stream;
    char text[CRASH_NOTE_MAXIMUM];
    if (!stream->service)
        return;
    snprintf(text, sizeof(text), "managesieve %s %s", stream->user, command);
    service_note(stream->service, text);
}

static void say_bye(struct managesieve_session *session, const char *code, const char *text)
{
    session->closing = true;
    managesieve_write_status(&session->stream->output, "BYE", code, slice_from_string(text));
}

/* --- commands --- */

static void bad(struct managesieve_session *session, const char *text)
{
    counters_add(COUNTER_MANAGESIEVE_ERRORS, 1);
    if (++session->bad_count == MANAGESIEVE_BAD_MAXIMUM)
        say_bye(session, NULL, "Too many bad commands");
    else
        managesieve_write_no(&session->stream->output, NULL, text);
}

static void run_command(struct managesieve_session *session)
{
    session->waiting = false;
    note(session, managesieve_command_name(session->command.id));
    managesieve_run_command(session, &session->command);
}

static void take_line(struct managesieve_session *session, const struct managesieve_line *line)
{
    const char *problem;
    if (managesieve_command_parse(line, MANAGESIEVE_AUTHENTICATED, &session->command, &problem)) {
        bad(session, problem);
        return;
    }
    session->bad_count = 0;
    session->waiting = true;
}

/* False: there is no command yet. */
static bool read_command(struct managesieve_session *session)
{
    struct managesieve_line line;
    const char *problem;
    enum managesieve_event event =
        managesieve_reader_next(&session->reader, &session->stream->input, &line, &problem);
    if (event == MANAGESIEVE_MORE)
        return false;
    session->stream->commands++;
    counters_add(COUNTER_MANAGESIEVE_COMMANDS, 1);
    if (event == MANAGESIEVE_COMMAND)
        take_line(session, &line);
    else if (event == MANAGESIEVE_BAD)
        bad(session, problem);
    else if (event == MANAGESIEVE_TOO_LARGE)
        managesieve_write_no(&session->stream->output, "QUOTA/MAXSIZE", "The script is too large");
    else
        say_bye(session, NULL, problem);
    return true;
}

/* --- the stream --- */

/* Between commands. */
static bool ends(struct managesieve_session *session)
{
    const struct stream *stream = session->stream;
    if (stream->timed_out)
        say_bye(session, NULL, "Too long without a command");
    else if (stream->draining)
        say_bye(session, "TRYLATER", "The server is shutting down");
    return session->closing;
}

static bool slice_over(const struct managesieve_session *session)
{
    const struct buffer *buffer = &session->stream->output;
    return buffer->size >= STREAM_OUTPUT_MARK || buffer_error(buffer) ||
           clock_monotonic_us() >= session->deadline;
}

static enum stream_need serve(struct managesieve_session *session)
{
    if (!session->greeted)
        managesieve_write_ok(&session->stream->output, "Logged in");
    session->greeted = true;
    while (!session->closing) {
        if (session->unauthenticated)
            return STREAM_NEED_LOGIN;
        if (slice_over(session))
            return STREAM_NEED_OUTPUT;
        if (session->waiting && managesieve_changes(session->command.id) && gate_is_closed())
            return STREAM_NEED_GATE;
        if (session->waiting)
            run_command(session);
        else if (!ends(session) && !read_command(session))
            return session->stream->input_ended ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
    }
    return STREAM_NEED_CLOSE;
}

static enum stream_need managesieve_run(struct stream *stream)
{
    struct managesieve_session *session = stream->state;
    session->deadline = clock_monotonic_us() + STREAM_SLICE_US;
    enum stream_need need = serve(session);
    if (session->view)
        store_view_close(&session->view);
    return buffer_error(&stream->output) ? STREAM_NEED_CLOSE : need;
}

const struct stream_protocol managesieve_protocol = {
    .name = "managesieve",
    .open = managesieve_open,
    .run = managesieve_run,
    .refuse = managesieve_refuse,
    .idle_limit = managesieve_idle_limit,
    .idle_limit_name = "idle_timeout",
    .close = managesieve_close,
};
