/*
 * IMAP after login, as a stream's protocol: takes events from the reader, runs commands slice by
 * slice, brings the client's view up to date, answers. States: session_priv.h.
 *
 * Invariants: a command is under way exactly when phase is not PHASE_READING, or a message for
 * APPEND is being read, or the session idles; session->views are closed outside run().
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "session/imap/session_priv.h"

/* An idle session costs this, its stream, and 12 bytes for each gap in the mailbox's UIDs. */
_Static_assert(sizeof(struct imap_session) <= 1024, "tens of thousands of them are to be idle");

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int imap_open(struct stream *stream)
{
    struct imap_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    size_t memory = (size_t)stream->config->command_memory;
    struct imap_limits limits = {
        .line = least(memory, SESSION_LINE_MAXIMUM),
        .literals = least(memory, SESSION_LITERALS_MAXIMUM),
        .arena = least(memory, SESSION_COMMAND_MAXIMUM),
        .message = (uint64_t)stream->config->message_size,
        .states = IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED,
    };
    session->stream = stream;
    session->out = &stream->output;
    session->tells = TELLS_ALL;
    session->language = (uint8_t)stream->language;
    imap_reader_init(&session->reader, &limits);
    arena_init(&session->arena, memory);
    range_set_init(&session->mailbox.uids, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&session->uids, SESSION_UID_RANGES_MAXIMUM);
    range_set_init(&session->saved, SESSION_UID_RANGES_MAXIMUM);
    stream->state = session;
    return 0;
}

/* --- what commands use --- */

bool session_slice_over(const struct imap_session *session)
{
    return session->out->size >= STREAM_OUTPUT_MARK || buffer_error(session->out) ||
           clock_monotonic_tick_us() >= session->deadline;
}

bool session_slice_over_sent(struct imap_session *session)
{
    struct stream *stream = session->stream;
    bool compressed = session->out != &stream->output;
    if (compressed || !stream->send || session->out->size < STREAM_OUTPUT_MARK ||
        clock_monotonic_us() >= session->deadline)
        return session_slice_over(session);
    if (stream->send(stream))
        return false;
    session->deadline = 0; /* for whoever asks next in this run, too */
    return true;
}

enum progress session_reply(struct imap_session *session, const char *status, const char *code,
                            const char *text)
{
    session->reply = (struct session_reply){.status = status, .code = code, .text = text};
    return PROGRESS_DONE;
}

enum progress session_ok(struct imap_session *session, const char *text)
{
    return session_reply(session, "OK", NULL, text);
}

static const char *command_name(const struct imap_session *session)
{
    return session->command ? imap_commands[session->command->id].name : "IDLE";
}

static void log_failure(const struct imap_session *session, int error)
{
    log_warning("imap_error", LOG_TEXT("user", session->stream->user),
                LOG_TEXT("command", command_name(session)), LOG_TEXT("error", error_name(error)));
}

/* RFC 5530's response codes by cause; RFC 9051 section 7.1. */
static const struct error_reply {
    int error;
    bool logged;
    const char *code, *text;
} error_replies[] = {
    {ERROR_NOT_FOUND, false, "NONEXISTENT", "No such mailbox"},
    {ERROR_EXISTS, false, "ALREADYEXISTS", "There is such a mailbox already"},
    {ERROR_DENIED, false, "NOPERM", "Permission denied"},
    {ERROR_SYNTAX, false, "CANNOT", "Not a valid mailbox name"},
    {ERROR_INVALID, false, "CANNOT", "Not possible with this mailbox"},
    {ERROR_LIMIT, false, "LIMIT", "A limit of the server would be passed"},
    {ERROR_QUOTA, false, "OVERQUOTA", "Quota exceeded"},
    {ERROR_BUSY, true, "INUSE", "Mailbox is in use, try again later"},
    {ERROR_CORRUPT, true, "CORRUPTION", "Stored data is damaged"},
    {0, true, "UNAVAILABLE", "Storage is not available, try again later"},
};

enum progress session_fail(struct imap_session *session, int error)
{
    const struct error_reply *row = error_replies;
    while (row->error && row->error != error)
        row++;
    if (row->logged)
        log_failure(session, error);
    return session_reply(session, "NO", row->code, row->text);
}

void session_bye(struct imap_session *session, const char *text)
{
    imap_write_status(session->out, session->language, SLICE("*"), "BYE", NULL, text);
    session->closing = true;
}

void *session_work(struct imap_session *session, size_t size)
{
    if (!session->work)
        session->work = arena_alloc(&session->arena, size);
    return session->work;
}

/* --- a command's life --- */

static void note(struct imap_session *session)
{
    struct stream *stream = session->stream;
    if (!stream->service)
        return;
    char text[CRASH_NOTE_MAXIMUM];
    snprintf(text, sizeof(text), "imap %s %s", stream->user, command_name(session));
    service_note(stream->service, text);
}

/* Frees what only the command needed. An idle session keeps no arena. */
static void forget_command(struct imap_session *session)
{
    if (session->release_work)
        session->release_work(session);
    notify_forget_command(session);
    contexts_forget_command(session);
    session->release_work = NULL;
    session->work = NULL;
    session->command = NULL;
    session->copying = false;
    events_forget(session);
    session->unasked = false;
    session->own_changes = NULL;
    session->own_change_count = session->own_change_capacity = 0;
    range_set_release(&session->uids);
    arena_release(&session->arena);
    session->phase = PHASE_READING;
}

static void answer(struct imap_session *session)
{
    const struct session_reply *reply = &session->reply;
    char code[NUMBER_MAXIMUM + sizeof("HIGHESTMODSEQ ")];
    bool tells_modseq = reply->tells_modseq && session->mailbox.id;
    if (tells_modseq) {
        snprintf(code, sizeof(code), "HIGHESTMODSEQ %llu",
                 (unsigned long long)modseq_known(&session->mailbox));
        session->mailbox.told_modseq = session->mailbox.lowered_modseq = 0;
    }
    modseq_settle(session);
    imap_write_status(session->out, session->language, slice_from_string(session->tag),
                      reply->status, tells_modseq ? code : reply->code, reply->text);
}

static void answer_bad(struct imap_session *session, struct slice tag, const char *code,
                       const char *text)
{
    counters_add(COUNTER_IMAP_ERRORS, 1);
    imap_write_status(session->out, session->language, tag, "BAD", code, text);
    if (++session->bad_count >= SESSION_BAD_MAXIMUM)
        session_bye(session, "Too many errors");
}

/* With what has been used of the present run. */
static struct stream_times times_now(const struct imap_session *session, uint64_t now)
{
    struct stream_times times = session->stream->times;
    times.run += now - session->stream->run_began;
    return times;
}

static void note_begin(struct imap_session *session)
{
    session->began_us = clock_monotonic_us();
    session->began = times_now(session, session->began_us);
}

/* What the client took its time for is not the server's slowness. */
static void log_slow(const struct imap_session *session)
{
    uint64_t limit = (uint64_t)session->stream->config->slow_command * 1000 * 1000;
    uint64_t now = clock_monotonic_us();
    if (!limit || !session->command || now - session->began_us < limit)
        return;
    struct stream_times times = times_now(session, now);
    uint64_t run = times.run - session->began.run, gate = times.gate - session->began.gate;
    uint64_t thread = times.thread - session->began.thread;
    if (run + gate + thread < limit)
        return;
    log_warning(
        "slow_command", LOG_TEXT("user", session->stream->user),
        LOG_TEXT("client", session->stream->client), LOG_TEXT("command", command_name(session)),
        LOG_NUMBER("mailbox", session->mailbox.id),
        LOG_NUMBER("total_ms", (now - session->began_us) / 1000), LOG_NUMBER("run_ms", run / 1000),
        LOG_NUMBER("gate_ms", gate / 1000), LOG_NUMBER("thread_ms", thread / 1000),
        LOG_NUMBER("peer_ms", (times.peer - session->began.peer) / 1000));
}

/* The command is over but for its tagged response; IDLE's comes with DONE. */
static void finish(struct imap_session *session)
{
    log_slow(session);
    if (session->idling || session->unasked || session->closing) {
        forget_command(session);
        return;
    }
    bool compresses = session->compresses;
    session->compresses = false;
    if (strcmp(session->reply.status, "BAD") == 0) {
        answer_bad(session, slice_from_string(session->tag), session->reply.code,
                   session->reply.text);
    } else {
        session->bad_count = 0;
        answer(session);
    }
    forget_command(session);
    if (compresses && compress_begin(session))
        session->closing = true;
}

static bool is_search(const struct imap_command *command)
{
    return command->id == IMAP_SEARCH || command->id == IMAP_SORT || command->id == IMAP_THREAD ||
           command->id == IMAP_ESEARCH;
}

/* Whether EXPUNGE or VANISHED may be sent now. Without a command it is IDLE, which may have it; a
 * UID SEARCH by numbers may not (RFC 7162 section 3.2.10.2). Whatever NOTIFY says, EXPUNGE and MOVE
 * tell what they have done. */
static bool expunges_allowed(const struct imap_session *session)
{
    const struct imap_command *command = session->command;
    if (session->unasked)
        return session->tells & TELLS_EXPUNGES_AT_ONCE;
    if (command && (command->id == IMAP_EXPUNGE || command->id == IMAP_MOVE))
        return true;
    if (!(session->tells & TELLS_EXPUNGES))
        return false;
    if (!command || !(command_handlers[command->id].flags & COMMAND_KEEPS_NUMBERS))
        return true;
    return command->uid && !(is_search(command) && command->search.numbers);
}

/* Whether the command changes stored data, as far as it can be told beforehand. */
static bool command_changes(const struct imap_session *session)
{
    const struct imap_command *command = session->command;
    if (command->id == IMAP_FETCH)
        return fetch_sets_seen(session);
    return command_handlers[command->id].flags & COMMAND_CHANGES;
}

/* Whether what comes next does. */
static bool changes_next(const struct imap_session *session)
{
    return session->events || (session->phase == PHASE_RUNNING && command_changes(session));
}

static void run_handler(struct imap_session *session)
{
    const struct command_handler *handler = &command_handlers[session->command->id];
    note(session);
    if (handler->run(session) == PROGRESS_AGAIN)
        return;
    bool view = session->mailbox.id && !(handler->flags & COMMAND_WITHOUT_SYNC);
    if (session->events || ((view || session->notify) && !session->closing))
        session->phase = PHASE_SYNCING;
    else
        finish(session);
}

static void advance(struct imap_session *session)
{
    if (session->events)
        events_run(session);
    else if (session->phase == PHASE_RUNNING)
        run_handler(session);
    else if (view_sync(session, expunges_allowed(session)) == PROGRESS_DONE &&
             contexts_sync(session) == PROGRESS_DONE && notify_sync(session) == PROGRESS_DONE)
        finish(session);
}

/* What has been noticed is told where the client waits for it: in IDLE, and with NOTIFY whenever no
 * command is under way. */
static bool waits_for_notices(const struct imap_session *session)
{
    if (session->phase != PHASE_READING || session->command)
        return false;
    return session->notify || (session->idling && session->mailbox.id);
}

static void take_notice(struct imap_session *session)
{
    notify_noticed(session);
    if (!session->stream->noticed || !waits_for_notices(session))
        return;
    session->unasked = !session->idling;
    session->phase = PHASE_SYNCING;
}

/* --- events --- */

static uint32_t state(const struct imap_session *session)
{
    return session->mailbox.id ? IMAP_STATE_SELECTED : IMAP_STATE_AUTHENTICATED;
}

/* Whether the command speaks of message numbers: those that have a UID form do without it
 * (RFC 9586 sections 3.2, 3.5 and 3.8). */
static bool uses_numbers(const struct imap_command *command)
{
    if (!imap_commands[command->id].uid || command->id == IMAP_EXPUNGE)
        return false;
    if (command->id == IMAP_ESEARCH) /* which answers with UIDs */
        return command->search.numbers;
    return !command->uid || (is_search(command) && command->search.numbers);
}

/* Takes the command over. False: not allowed now; it is answered. */
static bool begin_command(struct imap_session *session, const struct imap_command *command)
{
    counters_add(COUNTER_IMAP_COMMANDS, 1);
    session->stream->commands++;
    session_reply(session, "BAD", NULL, "Command is not known here");
    size_t size = least(command->tag.size, IMAP_TAG_MAXIMUM);
    if (size)
        memcpy(session->tag, command->tag.data, size);
    session->tag[size] = '\0';
    session->command = command;
    note_begin(session);
    bool numbers = session->enabled & ENABLED_UIDONLY && uses_numbers(command);
    if (numbers)
        session_reply(session, "BAD", "UIDREQUIRED", "Message numbers are not allowed");
    else if (command_handlers[command->id].run &&
             imap_commands[command->id].states & state(session))
        return true;
    else if (command_handlers[command->id].run)
        session->reply.text =
            session->mailbox.id ? "Not allowed in this state" : "No mailbox is selected";
    finish(session);
    return false;
}

static void on_continue(struct imap_session *session, const struct imap_event *event)
{
    (void)event;
    buffer_append(session->out, SLICE("+ OK\r\n"));
}

static void on_command(struct imap_session *session, const struct imap_event *event)
{
    /* An APPEND whose messages have come was begun by on_append. */
    if (session->command || begin_command(session, event->command))
        session->phase = PHASE_RUNNING;
}

static void on_append(struct imap_session *session, const struct imap_event *event)
{
    if (!session->command && !begin_command(session, event->command)) {
        imap_reader_refuse_message(&session->reader);
        return;
    }
    note(session);
    append_begin(session);
}

static void on_message(struct imap_session *session, const struct imap_event *event)
{
    append_piece(session, event->text);
}

static void on_text(struct imap_session *session, const struct imap_event *event)
{
    (void)event;
    append_text(session);
}

static void on_url(struct imap_session *session, const struct imap_event *event)
{
    append_url(session, event->text);
}

static void on_line(struct imap_session *session, const struct imap_event *event)
{
    idle_line(session, event->text);
}

/* Texts of events are slices; a status line wants a string. */
static const char *event_text(const struct imap_event *event, char *text, size_t size)
{
    snprintf(text, size, "%.*s", SLICE_FORMAT(event->text));
    return text;
}

static void on_bad(struct imap_session *session, const struct imap_event *event)
{
    char text[IMAP_BAD_TEXT_MAXIMUM + 1];
    session->stream->commands++;
    forget_command(session);
    answer_bad(session, event->tag, NULL, event_text(event, text, sizeof(text)));
}

/* Well understood, but refused: no error of the client's. */
static void refuse(struct imap_session *session, const struct imap_event *event, const char *code)
{
    char text[IMAP_BAD_TEXT_MAXIMUM + 1];
    session->stream->commands++;
    forget_command(session);
    imap_write_status(session->out, session->language, event->tag, "NO", code,
                      event_text(event, text, sizeof(text)));
}

static void on_too_big(struct imap_session *session, const struct imap_event *event)
{
    refuse(session, event, "TOOBIG");
}

/* RFC 5182 section 2.1: a search that should be saved and is refused saves that nothing was found.
 */
static void on_bad_charset(struct imap_session *session, const struct imap_event *event)
{
    if (event->command->search.return_save)
        range_set_release(&session->saved);
    refuse(session, event, "BADCHARSET");
}

static void on_close(struct imap_session *session, const struct imap_event *event)
{
    char text[IMAP_BAD_TEXT_MAXIMUM + 1];
    session_bye(session, event_text(event, text, sizeof(text)));
}

static void (*const on_event[])(struct imap_session *, const struct imap_event *) = {
    [IMAP_EVENT_CONTINUE] = on_continue,
    [IMAP_EVENT_COMMAND] = on_command,
    [IMAP_EVENT_APPEND] = on_append,
    [IMAP_EVENT_MESSAGE] = on_message,
    [IMAP_EVENT_TEXT] = on_text,
    [IMAP_EVENT_URL] = on_url,
    [IMAP_EVENT_LINE] = on_line,
    [IMAP_EVENT_BAD] = on_bad,
    [IMAP_EVENT_TOO_BIG] = on_too_big,
    [IMAP_EVENT_CLOSE] = on_close,
    [IMAP_EVENT_BAD_CHARSET] = on_bad_charset,
};

/* --- the stream --- */

static void greet(struct imap_session *session)
{
    const char *tag = session->stream->tag;
    buffer_append_format(session->out, "%s %s [CAPABILITY ", tag ? tag : "*",
                         tag ? "OK" : "PREAUTH");
    capabilities_write(session, session->out);
    buffer_append(session->out, SLICE("] "));
    imap_write_text(session->out, session->language, "Logged in");
    session->greeted = true;
}

/* Between commands, and in IDLE. A message that is being read is waited for when the server
 * stops; its drain_time is the limit. */
static bool say_goodbye(struct imap_session *session)
{
    const struct stream *stream = session->stream;
    char text[100];
    if (stream->timed_out) {
        snprintf(text, sizeof(text), "Autologout (%s)", stream->timed_out);
        session_bye(session, text);
    } else if (stream->draining && (!session->command || session->idling)) {
        session_bye(session, stream->dismissed ? "Nobody may be logged in to the account any more"
                             : stream->administrator
                                 ? "Server shutting down, or its configuration has changed"
                                 : "Server shutting down");
    }
    return session->closing;
}

/* Everything that came was used. */
static enum stream_need wait_for_more(const struct imap_session *session)
{
    if (session->stream->input_ended)
        return STREAM_NEED_CLOSE;
    return waits_for_notices(session) ? STREAM_NEED_NOTICE : STREAM_NEED_INPUT;
}

/* Nobody is logged in any more. The answer is written. */
static enum stream_need leave(struct imap_session *session)
{
    bool ended = false;
    if (compress_leave(session, &ended))
        session_bye(session, "Compressed data cannot be read");
    if (session->closing || (!ended && session->stream->input_ended))
        return STREAM_NEED_CLOSE;
    return ended ? STREAM_NEED_LOGIN : STREAM_NEED_INPUT;
}

static enum stream_need serve(struct imap_session *session)
{
    if (!session->greeted)
        greet(session);
    take_notice(session);
    while (!session->closing) {
        if (session_slice_over(session))
            return STREAM_NEED_OUTPUT;
        if (session->unauthenticated && session->phase == PHASE_READING)
            return leave(session);
        if (changes_next(session) && gate_is_closed())
            return STREAM_NEED_GATE;
        if (session->phase != PHASE_READING) {
            advance(session);
            continue;
        }
        if (session->copying) {
            append_copy(session);
            continue;
        }
        if (say_goodbye(session))
            break;
        struct slice *input;
        if (compress_input(session, &input)) {
            session_bye(session, "Compressed data cannot be read");
            break;
        }
        struct imap_event event = imap_reader_next(&session->reader, input);
        if (event.kind == IMAP_EVENT_MORE) {
            if (compress_has_more(session))
                continue;
            return wait_for_more(session);
        }
        on_event[event.kind](session, &event);
    }
    return STREAM_NEED_CLOSE;
}

static enum stream_need imap_run(struct stream *stream)
{
    struct imap_session *session = stream->state;
    session->deadline = clock_monotonic_us() + STREAM_SLICE_US;
    enum stream_need need = serve(session);
    bool waits = need == STREAM_NEED_INPUT || need == STREAM_NEED_NOTICE;
    int error = compress_output(session, waits);
    session_close_views(session);
    /* What could not be written cannot be left out either: the client would lose count. */
    return error || buffer_error(&stream->output) ? STREAM_NEED_CLOSE : need;
}

static uint32_t imap_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->idle_timeout;
}

static void imap_close(struct stream *stream, const char *why)
{
    struct imap_session *session = stream->state;
    (void)why;
    forget_command(session);
    notify_end(session);
    view_unselect(session);
    compress_end(session);
    imap_reader_release(&session->reader);
    stream->state = NULL;
    free(session);
}

/* RFC 5530 codes: LIMIT, UNAVAILABLE. */
static void imap_refuse(struct slice tag, enum language language, int error, struct buffer *output)
{
    const char *code = error == ERROR_LIMIT ? "LIMIT" : "UNAVAILABLE";
    const char *text = error == ERROR_LIMIT ? "too many connections" : "try again later";
    if (tag.size > 0)
        imap_write_status(output, language, tag, "NO", code, text);
    imap_write_status(output, language, SLICE("*"), "BYE", code, text);
}

const struct stream_protocol imap_protocol = {
    .name = "imap",
    .open = imap_open,
    .run = imap_run,
    .has_administrators = true,
    .refuse = imap_refuse,
    .idle_limit = imap_idle_limit,
    .idle_limit_name = "idle_timeout",
    .close = imap_close,
};
