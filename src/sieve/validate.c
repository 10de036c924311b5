/*
 * What the grammar does not say: which commands and tests there are, where they may stand, what
 * needs `require` (RFC 5228 sections 2.10.5, 3, 6). Errors are gathered: one wrong command does
 * not hide another.
 */
#include "sieve/validate_priv.h"

#include "base/error.h"

static const struct {
    const char *name;
    enum control control;
    bool test;
    enum extension extension;
} controls[] = {
    {"require", CONTROL_REQUIRE, false, EXT_BASE},
    {"if", CONTROL_IF, false, EXT_BASE},
    {"elsif", CONTROL_ELSIF, false, EXT_BASE},
    {"else", CONTROL_ELSE, false, EXT_BASE},
    {"stop", CONTROL_STOP, false, EXT_BASE},
    {"true", CONTROL_TRUE, true, EXT_BASE},
    {"false", CONTROL_FALSE, true, EXT_BASE},
    {"not", CONTROL_NOT, true, EXT_BASE},
    {"allof", CONTROL_ALLOF, true, EXT_BASE},
    {"anyof", CONTROL_ANYOF, true, EXT_BASE},
    {"ihave", CONTROL_IHAVE, true, EXT_IHAVE},
    {"return", CONTROL_RETURN, false, EXT_INCLUDE},
    {"global", CONTROL_GLOBAL, false, EXT_INCLUDE},
    {"foreverypart", CONTROL_FOREVERYPART, false, EXT_FOREVERYPART},
    {"break", CONTROL_BREAK, false, EXT_FOREVERYPART},
};

/* What is known of a test before it runs: only an ihave makes anything known (RFC 5463). */
enum known { KNOWN_NOTHING, KNOWN_TRUE, KNOWN_FALSE };

void validator_error(struct validator *validator, unsigned line, unsigned column,
                     const char *format, ...)
{
    char text[SIEVE_PROBLEM_TEXT_MAXIMUM];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report_error(validator->report, line, column, "%s", text);
}

static void command_error(struct validator *validator, const struct command *command,
                          const char *text)
{
    validator_error(validator, command->line, command->column, "\"%.*s\" %s", QUOTED(command->name),
                    text);
}

struct arena *validator_arena(struct validator *validator)
{
    return validator->arena;
}

bool validator_has(const struct validator *validator, enum extension extension)
{
    return validator->has[extension];
}

bool extension_in_force(const struct validator *validator, enum extension extension)
{
    return extension == EXT_BASE || validator->has[extension] ||
           (extension == EXT_SPAMTEST && validator->has[EXT_SPAMTESTPLUS]);
}

bool validator_needs(struct validator *validator, const struct command *command,
                     enum extension extension, const char *before, struct slice what)
{
    validator->used[extension] = true;
    validator->used[EXT_SPAMTESTPLUS] |= extension == EXT_SPAMTEST;
    if (extension_in_force(validator, extension))
        return true;
    validator_error(validator, command->line, command->column, "%s%.*s needs: require \"%s\"",
                    before, QUOTED(what), extension_name(extension));
    return false;
}

const struct tree_string *operand_strings(const struct command *command, unsigned operand)
{
    const struct operand *found = &command->operands[operand];
    return found->kind == OPERAND_ARGUMENT ? found->argument->strings : NULL;
}

bool validator_is_constant(const struct validator *validator, struct slice text)
{
    return !validator->has[EXT_VARIABLES] || !memmem(text.data, text.size, "${", 2);
}

static bool is_disabled(const struct validator *validator, enum extension extension)
{
    const char *const *disabled = validator->options ? validator->options->disabled : NULL;
    for (; disabled && *disabled; disabled++)
        if (strcmp(*disabled, extension_name(extension)) == 0)
            return true;
    return false;
}

/* Extensions that need no more than their name. */
static bool need_no_use(enum extension extension)
{
    return extension == EXT_COMPARATOR_OCTET || extension == EXT_COMPARATOR_ASCII_CASEMAP ||
           extension == EXT_IMAPSIEVE;
}

static void validate_require(struct validator *validator, struct command *command)
{
    struct argument *argument = command->arguments;
    if (!argument || argument->next || !argument->strings || command->tests || command->has_block)
        return command_error(validator, command, "has one argument: a list of extensions");
    for (struct tree_string *string = argument->strings; string; string = string->next) {
        enum extension extension = extension_find(string->text);
        if (extension == EXTENSION_COUNT || is_disabled(validator, extension)) {
            validator_error(validator, string->line, string->column,
                            "there is no extension \"%.*s\" here", QUOTED(string->text));
            continue;
        }
        validator->has[extension] = true;
        validator->required[extension] = string;
    }
}

static enum known validate_test(struct validator *validator, struct command *test);

static void decode_arguments(struct validator *validator, struct command *command)
{
    for (struct argument *argument = command->arguments; argument; argument = argument->next)
        for (struct tree_string *string = argument->strings; string; string = string->next)
            decode_characters(validator, string);
}

static const struct definition *find_definition(const struct validator *validator,
                                                struct slice name, bool test)
{
    const struct definition *definition;
    for (size_t i = 0; (definition = definition_at(i)); i++)
        if (definition->test == test &&
            slice_equal_nocase(slice_from_string(definition->name), name))
            return definition;
    for (uint32_t i = OP_FIRST_EXTRA; (definition = opcode_definition(validator->options, i)); i++)
        if (definition->test == test &&
            slice_equal_nocase(slice_from_string(definition->name), name))
            return definition;
    return NULL;
}

static enum control find_control(struct validator *validator, const struct command *command,
                                 bool test)
{
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        if (controls[i].test != test ||
            !slice_equal_nocase(slice_from_string(controls[i].name), command->name))
            continue;
        validator_needs(validator, command, controls[i].extension, "", command->name);
        return controls[i].control;
    }
    return CONTROL_NONE;
}

static void validate_defined(struct validator *validator, struct command *command, bool test)
{
    const struct definition *definition = find_definition(validator, command->name, test);
    if (!definition) {
        validator_error(validator, command->line, command->column, "there is no %s \"%.*s\"",
                        test ? "test" : "command", QUOTED(command->name));
        return;
    }
    command->definition = definition;
    struct slice none = {NULL, 0};
    char what[64];
    snprintf(what, sizeof(what), "\"%s\"", definition->name);
    if (!validator_needs(validator, command, definition->extension, what, none))
        return;
    size_t errors = validator->report->errors;
    decode_arguments(validator, command);
    bind_arguments(validator, command, definition);
    if (command->tests && (!definition->takes_test || command->test_list))
        command_error(validator, command, "takes no test");
    else if (command->tests)
        (void)validate_test(validator, command->tests);
    else if (definition->takes_test)
        command_error(validator, command, "needs a test");
    if (definition->check && validator->report->errors == errors)
        definition->check(validator, command);
}

/* Whether an ihave of the extension holds. What changes how scripts are read cannot be asked for
 * (RFC 5463 section 4). */
static bool is_available(const struct validator *validator, enum extension extension)
{
    if (extension == EXTENSION_COUNT || is_disabled(validator, extension))
        return false;
    return validator->has[extension] ||
           (extension != EXT_VARIABLES && extension != EXT_ENCODED_CHARACTER);
}

static enum known validate_ihave(struct validator *validator, struct command *test)
{
    const struct argument *argument = test->arguments;
    bool all = true;
    if (!argument || argument->next || !argument->strings || test->tests) {
        command_error(validator, test, "has one argument: a list of extensions");
        return KNOWN_NOTHING;
    }
    for (const struct tree_string *string = argument->strings; string; string = string->next) {
        if (!validator_is_constant(validator, string->text))
            validator_error(validator, string->line, string->column,
                            "the names of extensions hold no variables");
        all &= is_available(validator, extension_find(string->text));
    }
    for (const struct tree_string *string = argument->strings; string && all; string = string->next)
        validator->has[extension_find(string->text)] = true;
    test->operands[0].word = all;
    return all ? KNOWN_TRUE : KNOWN_FALSE;
}

/* A list of tests; what need not be run is not validated. */
static enum known validate_test_list(struct validator *validator, struct command *test)
{
    enum known decides = test->control == CONTROL_ALLOF ? KNOWN_FALSE : KNOWN_TRUE;
    enum known result = decides == KNOWN_FALSE ? KNOWN_TRUE : KNOWN_FALSE;
    for (struct command *inner = test->tests; inner; inner = inner->next) {
        inner->skipped = result == decides;
        enum known known = inner->skipped ? decides : validate_test(validator, inner);
        if (known == decides || result == decides)
            result = decides;
        else if (known == KNOWN_NOTHING)
            result = KNOWN_NOTHING;
    }
    return result;
}

static enum known validate_not(struct validator *validator, struct command *test)
{
    enum known known = validate_test(validator, test->tests);
    return known == KNOWN_TRUE ? KNOWN_FALSE : known == KNOWN_FALSE ? KNOWN_TRUE : known;
}

static enum known validate_control_test(struct validator *validator, struct command *test)
{
    bool list = test->control == CONTROL_ALLOF || test->control == CONTROL_ANYOF;
    if (test->control == CONTROL_IHAVE)
        return validate_ihave(validator, test);
    if (test->arguments)
        command_error(validator, test, "takes no arguments");
    if (list && test->test_list)
        return validate_test_list(validator, test);
    if (list)
        command_error(validator, test, "needs a list of tests in parentheses");
    else if (test->control == CONTROL_NOT && (!test->tests || test->test_list))
        command_error(validator, test, "needs one test");
    else if (test->control == CONTROL_NOT)
        return validate_not(validator, test);
    else if (test->tests)
        command_error(validator, test, "takes no test");
    return KNOWN_NOTHING;
}

static enum known validate_test(struct validator *validator, struct command *test)
{
    test->control = find_control(validator, test, true);
    if (test->control != CONTROL_NONE)
        return validate_control_test(validator, test);
    validate_defined(validator, test, true);
    return KNOWN_NOTHING;
}

static void validate_commands(struct validator *validator, struct command *commands, bool top);

static void validate_branch(struct validator *validator, struct command *command,
                            const struct command *before)
{
    bool needs_test = command->control != CONTROL_ELSE;
    if (command->control != CONTROL_IF &&
        (!before || (before->control != CONTROL_IF && before->control != CONTROL_ELSIF)))
        command_error(validator, command, "must stand behind \"if\" or \"elsif\"");
    if (command->arguments)
        command_error(validator, command, "takes no arguments but a test");
    /* Behind a branch that is always taken comes nothing. */
    bool settled = before && command->control != CONTROL_IF && before->settles;
    enum known known = KNOWN_NOTHING;
    if (needs_test && (!command->tests || command->test_list))
        command_error(validator, command, "needs one test");
    else if (!needs_test && command->tests)
        command_error(validator, command, "takes no test");
    else if (needs_test && !settled)
        known = validate_test(validator, command->tests);
    if (!command->has_block)
        command_error(validator, command, "needs a block");
    command->settles = settled || known == KNOWN_TRUE;
    command->test_skipped = settled;
    command->skipped = settled || known == KNOWN_FALSE;
    if (!command->skipped)
        validate_commands(validator, command->block, false);
}

static void validate_simple_control(struct validator *validator, struct command *command)
{
    if (command->arguments || command->tests)
        command_error(validator, command, "takes no arguments");
    if (command->has_block)
        command_error(validator, command, "takes no block");
}

/* RFC 6609 section 3.4.1. */
static void validate_global(struct validator *validator, struct command *command)
{
    const struct argument *argument = command->arguments;
    if (!argument || argument->next || !argument->strings || command->tests || command->has_block)
        command_error(validator, command, "has one argument: a list of names");
    validator_needs(validator, command, EXT_VARIABLES, "", command->name);
}

/* The argument of both is a loop's name: [":name" string]. False: reported. */
static bool take_name(struct validator *validator, const struct command *command,
                      struct slice *name)
{
    const struct argument *tag = command->arguments;
    *name = slice_make(NULL, 0);
    if (!tag)
        return true;
    if (tag->kind != ARGUMENT_TAG || !slice_equal_nocase(tag->tag, SLICE("name")) || !tag->next ||
        tag->next->kind != ARGUMENT_STRING || tag->next->next) {
        command_error(validator, command, "takes no argument but :name and a string");
        return false;
    }
    *name = tag->next->strings->text;
    if (validator_is_constant(validator, *name))
        return true;
    command_error(validator, command, "has a name without variables");
    return false;
}

/* RFC 5703 section 3. */
static void validate_loop(struct validator *validator, struct command *command)
{
    struct slice name;
    if (!take_name(validator, command, &name))
        return;
    if (command->tests)
        command_error(validator, command, "takes no test");
    if (!command->has_block)
        command_error(validator, command, "needs a block");
    if (validator->loop_count == SIEVE_NESTING_MAXIMUM) {
        command_error(validator, command, "is nested too deep");
        return;
    }
    validator->loops[validator->loop_count++] = name;
    validate_commands(validator, command->block, false);
    validator->loop_count--;
}

/* The loops that it leaves are counted from the innermost on. */
static void validate_break(struct validator *validator, struct command *command)
{
    struct slice name;
    if (!take_name(validator, command, &name))
        return;
    if (command->tests || command->has_block)
        command_error(validator, command, "takes no test and no block");
    for (size_t i = validator->loop_count; i-- > 0;) {
        if (name.data && !slice_equal(name, validator->loops[i]))
            continue;
        command->operands[0].word = (uint32_t)(validator->loop_count - i);
        return;
    }
    command_error(validator, command, "is in no such loop");
}

static void validate_command(struct validator *validator, struct command *command,
                             const struct command *before, bool require_allowed)
{
    command->control = find_control(validator, command, false);
    switch ((enum control)command->control) {
    case CONTROL_REQUIRE:
        if (!require_allowed)
            command_error(validator, command, "must stand before all other commands");
        validate_require(validator, command);
        break;
    case CONTROL_IF:
    case CONTROL_ELSIF:
    case CONTROL_ELSE:
        validate_branch(validator, command, before);
        break;
    case CONTROL_NONE:
        validate_defined(validator, command, false);
        if (command->has_block)
            command_error(validator, command, "takes no block");
        break;
    case CONTROL_FOREVERYPART:
        validate_loop(validator, command);
        break;
    case CONTROL_BREAK:
        validate_break(validator, command);
        break;
    case CONTROL_GLOBAL:
        validate_global(validator, command);
        break;
    default:
        validate_simple_control(validator, command);
        break;
    }
}

static bool ends_run(const struct command *command)
{
    return command->control == CONTROL_STOP || command->control == CONTROL_RETURN ||
           command->control == CONTROL_BREAK;
}

static void validate_commands(struct validator *validator, struct command *commands, bool top)
{
    const struct command *before = NULL;
    bool require_allowed = top;
    for (struct command *command = commands; command; command = command->next) {
        if (before && ends_run(before))
            report_warning(validator->report, command->line, command->column,
                           "this is never reached");
        validate_command(validator, command, before, require_allowed);
        require_allowed &= command->control == CONTROL_REQUIRE ||
                           (command->definition && command->definition->may_be_before_require);
        before = command;
    }
}

int validate_script(struct validator *validator, struct command *commands)
{
    validate_commands(validator, commands, true);
    return validator->report->errors ? ERROR_SYNTAX : 0;
}

void warn_of_unused(struct validator *validator)
{
    for (unsigned i = EXT_BASE + 1; i < EXTENSION_COUNT; i++) {
        const struct tree_string *string = validator->required[i];
        if (string && !validator->used[i] && !need_no_use((enum extension)i))
            report_warning(validator->report, string->line, string->column,
                           "\"%s\" is required, but not used", extension_name((enum extension)i));
    }
}
