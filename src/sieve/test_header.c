/*
 * header, exists and size (RFC 5228 sections 5.5, 5.7, 5.9).
 */
#include "base/error.h"
#include "sieve/fields_priv.h"

/* Operands: 0 flags, 1 keys, 2 names, 3 index. */
static int run_header(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct field_walk walk;
    struct field *field;
    bool done = false;
    match_begin(&matcher, run, operands[1]);
    field_walk_begin(&walk, run, &run->message.fields, operands[2], operands[3], operands[0]);
    while (!done && (field = field_walk_next(&walk))) {
        struct value *value = run_field_value(run, field);
        done = !value || match_value(&matcher, value);
    }
    return match_end(&matcher);
}

static void check_header(struct validator *validator, struct command *command)
{
    check_index(validator, command, 0, 3);
}

static const struct tag header_tags[] = {FIELDS_INDEX_TAGS, {0}};

const struct definition definition_header = {.name = "header",
                                             .test = true,
                                             .operands = "wklN",
                                             .positions = "cb",
                                             .tags = {match_tags, header_tags},
                                             .check = check_header,
                                             .run = run_header};

/* Operands: 0 names. */
static int run_exists(struct run *run, const uint32_t *operands)
{
    size_t count = run_list_size(run, operands[0]);
    run->truth = true;
    for (size_t i = 0; i < count && run->truth; i++) {
        struct slice name = run_list_at(run, operands[0], i);
        run->truth = header_find(&run->message.fields, name, name_hash(name)) != NULL;
    }
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

/* Operands: 0 over or under, 1 the limit. RFC 5293 section 7: of the message as it came. */
static int run_size(struct run *run, const uint32_t *operands)
{
    uint64_t size = run->message.source.size, limit = run_number(run, operands[1], 0);
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
