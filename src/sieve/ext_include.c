/*
 * include (RFC 6609 section 3.1), and error of ihave (RFC 5463 section 5).
 */
#include "base/error.h"
#include "sieve/run_priv.h"

enum { INCLUDE_PERSONAL, INCLUDE_GLOBAL, INCLUDE_ONCE = 1 << 8, INCLUDE_OPTIONAL = 1 << 9 };

static const struct tag include_tags[] = {
    {"personal", EXT_BASE, TAG_CHOICE, 0, INCLUDE_PERSONAL},
    {"global", EXT_BASE, TAG_CHOICE, 0, INCLUDE_GLOBAL},
    {"once", EXT_BASE, TAG_FLAG, 0, INCLUDE_ONCE},
    {"optional", EXT_BASE, TAG_FLAG, 0, INCLUDE_OPTIONAL},
    {0},
};

static bool is_among(const struct sieve_program *const *programs, size_t count,
                     const struct sieve_program *program)
{
    for (size_t i = 0; i < count; i++)
        if (programs[i] == program)
            return true;
    return false;
}

static int include(struct run *run, const struct sieve_program *program, struct slice name)
{
    if (is_among(run->stack, run->depth, program))
        return run_fail(run, "the script \"%.*s\" includes itself", QUOTED(name));
    if (run->depth > SIEVE_INCLUDE_DEPTH_MAXIMUM - 1)
        return run_fail(run, "scripts include one another more than %d deep",
                        SIEVE_INCLUDE_DEPTH_MAXIMUM);
    if (run->included_count == SIEVE_INCLUDES_MAXIMUM)
        return run_fail(run, "more than %d scripts are included", SIEVE_INCLUDES_MAXIMUM);
    run->included[run->included_count++] = program;
    run_trace(run, "include \"%.*s\"", QUOTED(name));
    return run_program(run, program);
}

/* Operands: 0 flags, 1 the name. */
static int run_include(struct run *run, const uint32_t *operands)
{
    const struct sieve_program *program = NULL;
    struct slice name = run_string(run, operands[1]);
    bool global = (operands[0] & 0xff) == INCLUDE_GLOBAL;
    int error = run->host->script ? run->host->script(run->host->arg, global, name, &program)
                                  : ERROR_NOT_FOUND;
    if (error == ERROR_NOT_FOUND && operands[0] & INCLUDE_OPTIONAL)
        return 0;
    if (error == ERROR_NOT_FOUND)
        return run_fail(run, "there is no script \"%.*s\"", QUOTED(name));
    if (error)
        return run_fail(run, "the script \"%.*s\" cannot be used", QUOTED(name));
    bool before = is_among(run->included, run->included_count, program) ||
                  is_among(run->stack, run->depth, program);
    if (before && operands[0] & INCLUDE_ONCE)
        return 0;
    return include(run, program, name);
}

static void check_include(struct validator *validator, struct command *command)
{
    const struct tree_string *name = operand_strings(command, 1);
    if (!validator_is_constant(validator, name->text))
        validator_error(validator, name->line, name->column,
                        "the name of an included script holds no variables");
    else if (!name->text.size)
        validator_error(validator, name->line, name->column, "a script's name is not empty");
}

const struct definition definition_include = {.name = "include",
                                              .extension = EXT_INCLUDE,
                                              .operands = "ws",
                                              .positions = "b",
                                              .tags = {include_tags},
                                              .check = check_include,
                                              .run = run_include};

/* Operands: 0 the message. */
static int run_error(struct run *run, const uint32_t *operands)
{
    struct slice text = run_string(run, operands[0]);
    return run_fail(run, "%.*s", (int)(text.size < 150 ? text.size : 150), text.data);
}

const struct definition definition_error = {
    .name = "error", .extension = EXT_IHAVE, .operands = "s", .positions = "a", .run = run_error};
