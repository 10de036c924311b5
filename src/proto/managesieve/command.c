#include "proto/managesieve/command.h"

#include "base/error.h"

enum { ANY = MANAGESIEVE_NOT_AUTHENTICATED | MANAGESIEVE_AUTHENTICATED };

static const struct {
    const char *name;
    unsigned states;       /* enum managesieve_state */
    const char *arguments; /* s: a string, n: a number; those behind ? may be left out */
} commands[MANAGESIEVE_COMMANDS] = {
    [MANAGESIEVE_AUTHENTICATE] = {"AUTHENTICATE", MANAGESIEVE_NOT_AUTHENTICATED, "s?s"},
    [MANAGESIEVE_CAPABILITY] = {"CAPABILITY", ANY, ""},
    [MANAGESIEVE_CHECKSCRIPT] = {"CHECKSCRIPT", MANAGESIEVE_AUTHENTICATED, "s"},
    [MANAGESIEVE_DELETESCRIPT] = {"DELETESCRIPT", MANAGESIEVE_AUTHENTICATED, "s"},
    [MANAGESIEVE_GETSCRIPT] = {"GETSCRIPT", MANAGESIEVE_AUTHENTICATED, "s"},
    [MANAGESIEVE_HAVESPACE] = {"HAVESPACE", MANAGESIEVE_AUTHENTICATED, "sn"},
    [MANAGESIEVE_LISTSCRIPTS] = {"LISTSCRIPTS", MANAGESIEVE_AUTHENTICATED, ""},
    [MANAGESIEVE_LOGOUT] = {"LOGOUT", ANY, ""},
    [MANAGESIEVE_NOOP] = {"NOOP", ANY, "?s"},
    [MANAGESIEVE_PUTSCRIPT] = {"PUTSCRIPT", MANAGESIEVE_AUTHENTICATED, "ss"},
    [MANAGESIEVE_RENAMESCRIPT] = {"RENAMESCRIPT", MANAGESIEVE_AUTHENTICATED, "ss"},
    [MANAGESIEVE_SETACTIVE] = {"SETACTIVE", MANAGESIEVE_AUTHENTICATED, "s"},
    [MANAGESIEVE_STARTTLS] = {"STARTTLS", MANAGESIEVE_NOT_AUTHENTICATED, ""},
    [MANAGESIEVE_UNAUTHENTICATE] = {"UNAUTHENTICATE", MANAGESIEVE_AUTHENTICATED, ""},
};

const char *managesieve_command_name(enum managesieve_command_id id)
{
    return commands[id].name;
}

static int find(struct slice name)
{
    int id = 0;
    while (id < MANAGESIEVE_COMMANDS &&
           !slice_equal_nocase(name, slice_from_string(commands[id].name)))
        id++;
    return id;
}

static bool take_argument(const struct managesieve_argument *argument, char form, size_t before,
                          struct managesieve_command *command)
{
    if (argument->is_number != (form == 'n'))
        return false;
    if (argument->is_number)
        command->number = argument->number;
    else if (before == 0)
        command->first = argument->string;
    else
        command->second = argument->string;
    return true;
}

static bool take_arguments(const struct managesieve_line *line, const char *form,
                           struct managesieve_command *command)
{
    size_t taken = 0;
    bool optional = false;
    for (; *form; form++) {
        if (*form == '?') {
            optional = true;
            continue;
        }
        if (taken == line->argument_count)
            return optional;
        if (!take_argument(&line->arguments[taken], *form, taken, command))
            return false;
        taken++;
    }
    return taken == line->argument_count;
}

int managesieve_command_parse(const struct managesieve_line *line, enum managesieve_state state,
                              struct managesieve_command *command, const char **problem)
{
    int id = find(line->name);
    struct managesieve_command parsed = {.id = (enum managesieve_command_id)id};
    if (id == MANAGESIEVE_COMMANDS)
        *problem = "Unknown command";
    else if (!(commands[id].states & state))
        *problem = state == MANAGESIEVE_AUTHENTICATED ? "Not after login" : "Log in first";
    else if (!take_arguments(line, commands[id].arguments, &parsed))
        *problem = "Wrong arguments";
    else if (id == MANAGESIEVE_NOOP && parsed.first.size > MANAGESIEVE_TAG_MAXIMUM)
        *problem = "The tag is too long";
    else {
        *command = parsed;
        return 0;
    }
    return ERROR_SYNTAX;
}
