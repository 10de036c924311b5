#include "proto/pop3/command.h"

#include "base/error.h"

/* What follows the keyword. */
enum form {
    NOTHING,
    NUMBER,
    NUMBER_OR_NOTHING,
    NUMBER_AND_LINES,
    WORD_OR_NOTHING,
    WORDS, /* one or two */
    REST,  /* all of it, spaces too (RFC 1939 section 7: a password may have them) */
};

static const struct {
    const char *name;
    unsigned states; /* enum pop3_state */
    enum form form;
} commands[POP3_COMMANDS] = {
    [POP3_AUTH] = {"AUTH", POP3_AUTHORIZATION, WORDS},
    [POP3_CAPA] = {"CAPA", POP3_AUTHORIZATION | POP3_TRANSACTION, NOTHING},
    [POP3_DELE] = {"DELE", POP3_TRANSACTION, NUMBER},
    [POP3_LANG] = {"LANG", POP3_AUTHORIZATION | POP3_TRANSACTION, WORD_OR_NOTHING},
    [POP3_LIST] = {"LIST", POP3_TRANSACTION, NUMBER_OR_NOTHING},
    [POP3_NOOP] = {"NOOP", POP3_TRANSACTION, NOTHING},
    [POP3_PASS] = {"PASS", POP3_AUTHORIZATION, REST},
    [POP3_QUIT] = {"QUIT", POP3_AUTHORIZATION | POP3_TRANSACTION, NOTHING},
    [POP3_RETR] = {"RETR", POP3_TRANSACTION, NUMBER},
    [POP3_RSET] = {"RSET", POP3_TRANSACTION, NOTHING},
    [POP3_STAT] = {"STAT", POP3_TRANSACTION, NOTHING},
    [POP3_STLS] = {"STLS", POP3_AUTHORIZATION, NOTHING},
    [POP3_TOP] = {"TOP", POP3_TRANSACTION, NUMBER_AND_LINES},
    [POP3_UIDL] = {"UIDL", POP3_TRANSACTION, NUMBER_OR_NOTHING},
    [POP3_USER] = {"USER", POP3_AUTHORIZATION, REST},
    [POP3_UTF8] = {"UTF8", POP3_AUTHORIZATION, NOTHING},
};

const char *pop3_command_name(enum pop3_command_id id)
{
    return commands[id].name;
}

/* The next word, taken off with the space behind it. */
static struct slice next_word(struct slice *rest)
{
    size_t end = slice_find(*rest, ' ');
    struct slice word = slice_sub(*rest, 0, end);
    *rest = slice_sub(*rest, end + 1, SIZE_MAX);
    return word;
}

/* Digits only. A number that is too large is the largest: no message has it. */
static bool take_number(struct slice *rest, uint64_t maximum, uint64_t *number)
{
    struct slice word = next_word(rest);
    uint64_t value = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(word.data[i] - '0');
        value = value > (maximum - digit) / 10 ? maximum : value * 10 + digit;
    }
    *number = value;
    return word.size > 0;
}

/* False for 0: messages are numbered from 1. */
static bool take_message(struct slice *rest, struct pop3_command *command)
{
    uint64_t number;
    if (!take_number(rest, UINT32_MAX, &number) || number == 0)
        return false;
    command->number = (uint32_t)number;
    command->has_number = true;
    return true;
}

/* Whether the arguments are of the form; rest is what is left of them then. */
static bool take_arguments(enum form form, struct slice *rest, struct pop3_command *command)
{
    switch (form) {
    case NOTHING:
        return true;
    case NUMBER_OR_NOTHING:
        return rest->size == 0 || take_message(rest, command);
    case NUMBER:
        return take_message(rest, command);
    case NUMBER_AND_LINES:
        return take_message(rest, command) && take_number(rest, UINT64_MAX, &command->lines);
    case WORDS:
        command->argument = next_word(rest);
        if (rest->size)
            command->second = next_word(rest);
        return command->argument.size > 0;
    case WORD_OR_NOTHING:
        command->argument = next_word(rest);
        return true;
    case REST:
        command->argument = *rest;
        *rest = (struct slice){0};
        return command->argument.size > 0;
    }
    return false;
}

static int find(struct slice keyword)
{
    int id = 0;
    while (id < POP3_COMMANDS && !slice_equal_nocase(keyword, slice_from_string(commands[id].name)))
        id++;
    return id;
}

int pop3_command_parse(struct slice line, enum pop3_state state, struct pop3_command *command,
                       const char **problem)
{
    struct slice rest = line;
    int id = find(next_word(&rest));
    struct pop3_command parsed = {.id = (enum pop3_command_id)id};
    if (id == POP3_COMMANDS)
        *problem = "Unknown command";
    else if (!(commands[id].states & state))
        *problem = state == POP3_TRANSACTION ? "Not after login" : "Log in first";
    else if (!take_arguments(commands[id].form, &rest, &parsed) || rest.size)
        *problem = "Wrong arguments";
    else {
        *command = parsed;
        return 0;
    }
    return ERROR_SYNTAX;
}
