/*
 * ManageSieve (RFC 5804) after login as a stream's protocol.
 */
#include "base/counters.h"
#include "base/error.h"
#include "session/managesieve/managesieve_priv.h"

#include <stdlib.h>

static int managesieve_open(struct stream *stream)
{
    struct managesieve_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    session->turns.stream = stream;
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

static void managesieve_refuse(struct slice tag, enum language language, int error,
                               struct buffer *output)
{
    (void)language;
    (void)tag;
    managesieve_write_status(output, "BYE", "TRYLATER",
                             error == ERROR_LIMIT ? SLICE("Too many connections")
                                                  : SLICE("Try again later"));
}

static void say_bye(struct managesieve_session *session, const char *code, const char *text)
{
    session->turns.closing = true;
    managesieve_write_status(&session->turns.stream->output, "BYE", code, slice_from_string(text));
}

/* --- commands --- */

static void bad(struct managesieve_session *session, const char *text)
{
    counters_add(COUNTER_MANAGESIEVE_ERRORS, 1);
    if (++session->bad_count == MANAGESIEVE_BAD_MAXIMUM)
        say_bye(session, NULL, "Too many bad commands");
    else
        managesieve_write_no(&session->turns.stream->output, NULL, text);
}

static struct managesieve_session *session_of(struct turns *turns)
{
    return (struct managesieve_session *)turns;
}

static void run_command(struct turns *turns)
{
    struct managesieve_session *session = session_of(turns);
    session->waiting = false;
    turns_note(&session->turns, managesieve_command_name(session->command.id));
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
static bool read_command(struct turns *turns)
{
    struct managesieve_session *session = session_of(turns);
    struct managesieve_line line;
    const char *problem;
    enum managesieve_event event =
        managesieve_reader_next(&session->reader, &session->turns.stream->input, &line, &problem);
    if (event == MANAGESIEVE_MORE)
        return false;
    session->turns.stream->commands++;
    counters_add(COUNTER_MANAGESIEVE_COMMANDS, 1);
    if (event == MANAGESIEVE_COMMAND)
        take_line(session, &line);
    else if (event == MANAGESIEVE_BAD)
        bad(session, problem);
    else if (event == MANAGESIEVE_TOO_LARGE)
        managesieve_write_no(&session->turns.stream->output, "QUOTA/MAXSIZE",
                             "The script is too large");
    else
        say_bye(session, NULL, problem);
    return true;
}

/* --- turns --- */

static void greet(struct turns *turns)
{
    managesieve_write_ok(&turns->stream->output, "Logged in");
}

static void say_goodbye(struct turns *turns)
{
    if (turns->stream->timed_out)
        say_bye(session_of(turns), NULL, "Too long without a command");
    else if (turns->stream->dismissed)
        say_bye(session_of(turns), NULL, "Nobody may be logged in to the account any more");
    else if (turns->stream->draining)
        say_bye(session_of(turns), "TRYLATER", "The server is shutting down");
}

static bool is_busy(const struct turns *turns)
{
    return ((const struct managesieve_session *)turns)->waiting;
}

static bool changes(const struct turns *turns)
{
    return managesieve_changes(((const struct managesieve_session *)turns)->command.id);
}

static enum stream_need managesieve_run(struct stream *stream)
{
    static const struct turn_functions functions = {.greet = greet,
                                                    .say_goodbye = say_goodbye,
                                                    .read = read_command,
                                                    .is_busy = is_busy,
                                                    .changes = changes,
                                                    .go_on = run_command};
    return turns_run(stream->state, &functions);
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
