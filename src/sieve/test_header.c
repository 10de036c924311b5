/*
 * header, exists and size (RFC 5228 sections 5.5, 5.7, 5.9).
 */
#include "base/error.h"
#include "sieve/match_priv.h"

/* The first field that a list's member names. */
static struct field *first_field(struct run *run, uint32_t list, size_t index)
{
    uint32_t constant = run_list_constant(run, list, index);
    struct slice name = run_string(run, constant);
    uint32_t hash = run->program->code.constants[constant].kind == CONSTANT_STRING
                        ? run->program->hashes[constant]
                        : name_hash(name);
    return header_find(&run->message.fields, name, hash);
}

/* Operands: 0 keys, 1 names. */
static int run_header(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    size_t count = run_list_size(run, operands[1]);
    bool done = false;
    match_begin(&matcher, run, operands[0]);
    for (size_t i = 0; i < count && !done; i++) {
        struct field *field = first_field(run, operands[1], i);
        for (; field && !done; field = header_find_next(&run->message.fields, field)) {
            struct value *value = field_value(field, &run->arena);
            if (!value)
                return run_fail(run, "the message's header is too large");
            done = match_value(&matcher, value);
        }
    }
    return match_end(&matcher);
}

const struct definition definition_header = {.name = "header",
                                             .test = true,
                                             .operands = "kl",
                                             .positions = "ba",
                                             .tags = {match_tags},
                                             .run = run_header};

static int run_exists(struct run *run, const uint32_t *operands)
{
    size_t count = run_list_size(run, operands[0]);
    run->truth = true;
    for (size_t i = 0; i < count && run->truth; i++)
        run->truth = first_field(run, operands[0], i) != NULL;
    return 0;
}

const struct definition definition_exists = {
    .name = "exists", .test = true, .operands = "l", .positions = "a", .run = run_exists};

enum { SIZE_OVER = 1, SIZE_UNDER = 2 };

static const struct tag size_tags[] = {
    {"over", EXT_BASE, TAG_CHOICE, 0, SIZE_OVER},
    {"under", EXT_BASE, TAG_CHOICE, 0, SIZE_UNDER},
    {0},
};

static void check_size(struct validator *validator, struct command *command)
{
    if (!command->operands[0].word)
        validator_error(validator, command->line, command->column,
                        "\"size\" needs :over or :under");
}

/* Operands: 0 over or under, 1 the limit. */
static int run_size(struct run *run, const uint32_t *operands)
{
    uint64_t size = run->message.header.size + run->message.body.size;
    uint64_t limit = run_number(run, operands[1], 0);
    run->truth = operands[0] == SIZE_OVER ? size > limit : size < limit;
    return 0;
}

const struct definition definition_size = {.name = "size",
                                           .test = true,
                                           .operands = "wn",
                                           .positions = "b",
                                           .tags = {size_tags},
                                           .check = check_size,
                                           .run = run_size};
