#include "session/managesieve/managesieve_priv.h"

#include "base/error.h"
#include "base/log.h"

static struct buffer *output(struct managesieve_session *session)
{
    return &session->turns.stream->output;
}

/* --- answers --- */

/* RFC 5804 section 1.3. */
static const struct {
    int error;
    const char *code, *text;
} refusals[] = {
    {ERROR_NOT_FOUND, "NONEXISTENT", "There is no script by that name"},
    {ERROR_EXISTS, "ALREADYEXISTS", "There is a script by that name already"},
    {ERROR_CONFLICT, "ACTIVE", "The active script cannot be deleted"},
    {ERROR_LIMIT, "QUOTA/MAXSCRIPTS", "There are as many scripts as there may be"},
    {ERROR_QUOTA, "QUOTA/MAXSIZE", "The script, or all scripts together, would be too large"},
    {ERROR_SYNTAX, NULL, "A script cannot have that name"},
};

static void fail(struct managesieve_session *session, int error)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].error != error)
            continue;
        managesieve_write_no(output(session), refusals[i].code, refusals[i].text);
        return;
    }
    log_warning("managesieve_error", LOG_TEXT("user", session->turns.stream->user),
                LOG_TEXT("error", error_name(error)));
    managesieve_write_no(output(session), error_is_temporary(error) ? "TRYLATER" : NULL,
                         error_text(error));
}

static void answer(struct managesieve_session *session, int error, const char *text)
{
    if (error)
        fail(session, error);
    else
        managesieve_write_ok(output(session), text);
}

/* What somebody has done to scripts is worth a line: they decide where mail goes. */
static void log_change(struct managesieve_session *session, const char *event, struct slice name)
{
    log_info(event, LOG_TEXT("user", session->turns.stream->user),
             LOG_TEXT("client", session->turns.stream->client), LOG_SLICE("script", name));
}

static void answer_change(struct managesieve_session *session, int error, const char *event,
                          struct slice name)
{
    if (!error)
        log_change(session, event, name);
    answer(session, error, "Done");
}

/* --- one function for each command --- */

typedef void command_handler(struct managesieve_session *session,
                             const struct managesieve_command *command);

static void do_capability(struct managesieve_session *session,
                          const struct managesieve_command *command)
{
    const struct managesieve_capabilities capabilities = {.owner = session->turns.stream->user};
    (void)command;
    managesieve_write_capabilities(output(session), &capabilities);
}

static void do_noop(struct managesieve_session *session, const struct managesieve_command *command)
{
    managesieve_write_noop(output(session), command->first);
}

static void do_logout(struct managesieve_session *session,
                      const struct managesieve_command *command)
{
    (void)command;
    managesieve_write_ok(output(session), "Goodbye");
    session->turns.closing = true;
}

/* RFC 5804 section 2.14.1. */
static void do_unauthenticate(struct managesieve_session *session,
                              const struct managesieve_command *command)
{
    (void)command;
    managesieve_write_ok(output(session), "Logged out");
    session->turns.leaving = true;
}

static void do_havespace(struct managesieve_session *session,
                         const struct managesieve_command *command)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_check_room(view, command->first, command->number);
    answer(session, error, "There is room");
}

/* False: it is no script, which is answered. */
static bool check_script(struct managesieve_session *session, struct slice script,
                         struct buffer *warnings)
{
    int error = script_compile(script, warnings);
    if (!error)
        return true;
    if (error == ERROR_MEMORY || !warnings->size)
        fail(session, ERROR_MEMORY);
    else
        managesieve_write_status(output(session), "NO", NULL, buffer_slice(warnings));
    return false;
}

static void answer_script(struct managesieve_session *session, const struct buffer *warnings)
{
    if (warnings->size)
        managesieve_write_status(output(session), "OK", "WARNINGS", buffer_slice(warnings));
    else
        managesieve_write_ok(output(session), "No error found");
}

static void do_checkscript(struct managesieve_session *session,
                           const struct managesieve_command *command)
{
    struct buffer warnings;
    buffer_init(&warnings, MANAGESIEVE_PROBLEMS_MAXIMUM);
    if (check_script(session, command->first, &warnings))
        answer_script(session, &warnings);
    buffer_release(&warnings);
}

static void put_script(struct managesieve_session *session,
                       const struct managesieve_command *command, const struct buffer *warnings)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_put(view, command->first, command->second);
    if (error) {
        fail(session, error);
        return;
    }
    log_change(session, "script_put", command->first);
    answer_script(session, warnings);
}

/* RFC 5804 section 2.6: an empty one is not wanted. */
static void do_putscript(struct managesieve_session *session,
                         const struct managesieve_command *command)
{
    struct buffer warnings;
    if (command->second.size == 0) {
        managesieve_write_no(output(session), NULL, "The script is empty");
        return;
    }
    buffer_init(&warnings, MANAGESIEVE_PROBLEMS_MAXIMUM);
    if (check_script(session, command->second, &warnings))
        put_script(session, command, &warnings);
    buffer_release(&warnings);
}

static void do_listscripts(struct managesieve_session *session,
                           const struct managesieve_command *command)
{
    struct store_view *view;
    struct script *list = NULL;
    size_t count = 0;
    struct arena arena;
    (void)command;
    arena_init(&arena, MANAGESIEVE_LIST_MAXIMUM);
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_list(view, &arena, &list, &count);
    for (size_t i = 0; !error && i < count; i++) {
        managesieve_write_string(output(session), list[i].name);
        buffer_append_string(output(session), list[i].active ? " ACTIVE\r\n" : "\r\n");
    }
    answer(session, error, "Done");
    arena_release(&arena);
}

static int read_script(struct managesieve_session *session, struct slice name, struct buffer *text)
{
    struct store_view *view;
    struct script script;
    struct arena arena;
    arena_init(&arena, MANAGESIEVE_LIST_MAXIMUM);
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_find(view, name, &arena, &script);
    if (!error)
        error = script_read(view, &script, text);
    arena_release(&arena);
    return error;
}

static void do_getscript(struct managesieve_session *session,
                         const struct managesieve_command *command)
{
    struct buffer text;
    buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
    int error = read_script(session, command->first, &text);
    if (!error) {
        managesieve_write_string(output(session), buffer_slice(&text));
        buffer_append_string(output(session), "\r\n");
    }
    answer(session, error, "Done");
    buffer_release(&text);
}

static void do_setactive(struct managesieve_session *session,
                         const struct managesieve_command *command)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_activate(view, command->first);
    answer_change(session, error, "script_active", command->first);
}

static void do_deletescript(struct managesieve_session *session,
                            const struct managesieve_command *command)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_delete(view, command->first);
    answer_change(session, error, "script_deleted", command->first);
}

static void do_renamescript(struct managesieve_session *session,
                            const struct managesieve_command *command)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = script_rename(view, command->first, command->second);
    answer_change(session, error, "script_renamed", command->second);
}

static const struct {
    command_handler *run;
    bool changes;
} handlers[MANAGESIEVE_COMMANDS] = {
    [MANAGESIEVE_CAPABILITY] = {do_capability},
    [MANAGESIEVE_CHECKSCRIPT] = {do_checkscript},
    [MANAGESIEVE_DELETESCRIPT] = {do_deletescript, true},
    [MANAGESIEVE_GETSCRIPT] = {do_getscript},
    [MANAGESIEVE_HAVESPACE] = {do_havespace},
    [MANAGESIEVE_LISTSCRIPTS] = {do_listscripts},
    [MANAGESIEVE_LOGOUT] = {do_logout},
    [MANAGESIEVE_NOOP] = {do_noop},
    [MANAGESIEVE_PUTSCRIPT] = {do_putscript, true},
    [MANAGESIEVE_RENAMESCRIPT] = {do_renamescript, true},
    [MANAGESIEVE_SETACTIVE] = {do_setactive, true},
    [MANAGESIEVE_UNAUTHENTICATE] = {do_unauthenticate},
};

bool managesieve_changes(enum managesieve_command_id id)
{
    return handlers[id].changes;
}

void managesieve_run_command(struct managesieve_session *session,
                             const struct managesieve_command *command)
{
    handlers[command->id].run(session, command);
}
