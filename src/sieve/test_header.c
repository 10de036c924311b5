/*
 * header, exists and size (RFC 5228 sections 5.5, 5.7, 5.9).
 */
#include "base/error.h"
#include "sieve/fields_priv.h"

/* What of a MIME field is compared (RFC 5703 section 4.1): a choice in operand 0. */
enum { PART_WHOLE, PART_TYPE, PART_SUBTYPE, PART_CONTENTTYPE };

static bool parse_mime(struct run *run, const struct field *field, struct content_value *value,
                       bool *is_mime)
{
    bool type = slice_equal_nocase(field->name, SLICE("Content-Type"));
    *is_mime = type || slice_equal_nocase(field->name, SLICE("Content-Disposition"));
    int error = !*is_mime ? ERROR_SYNTAX
                : type    ? content_type_parse(field->raw, &run->arena, value)
                          : content_disposition_parse(field->raw, &run->arena, value);
    if (error == ERROR_LIMIT)
        run_fail(run, "the message's header is too large");
    return !error;
}

/* In lower case, as types are written. */
static struct slice lower_case(struct run *run, struct slice text)
{
    struct slice copy = run_copy(run, text);
    for (size_t i = 0; i < copy.size; i++)
        if (copy.data[i] >= 'A' && copy.data[i] <= 'Z')
            ((char *)copy.data)[i] = (char)(copy.data[i] + 32);
    return copy;
}

static bool match_type(struct matcher *matcher, const struct content_value *value, uint32_t choice)
{
    struct run *run = matcher->run;
    if (choice == PART_SUBTYPE)
        return match_text(matcher, lower_case(run, value->subtype));
    if (choice == PART_TYPE || !value->subtype.size)
        return match_text(matcher, lower_case(run, value->type));
    struct buffer text;
    buffer_init(&text, 2 * CONTENT_VALUE_MAXIMUM + 1);
    buffer_append_format(&text, "%.*s/%.*s", SLICE_FORMAT(value->type),
                         SLICE_FORMAT(value->subtype));
    struct slice both = lower_case(run, buffer_slice(&text));
    buffer_release(&text);
    return match_text(matcher, both);
}

/* Parameters' names are in upper case in struct content_value. */
static bool match_parameters(struct matcher *matcher, const struct content_value *value,
                             uint32_t names)
{
    struct run *run = matcher->run;
    bool done = false;
    for (size_t i = 0; i < run_list_size(run, names) && !done && !run->failed; i++) {
        struct slice wanted = run_list_at(run, names, i);
        for (size_t j = 0; j < value->parameter_count && !done; j++) {
            const struct content_parameter *parameter = &value->parameters[j];
            struct slice name = parameter->name;
            name.size -= parameter->extended && name.size;
            if (!slice_equal_nocase(name, wanted))
                continue;
            struct buffer text;
            buffer_init(&text, 4 * CONTENT_VALUE_MAXIMUM);
            content_parameter_decode(parameter, &text);
            struct slice copy = run_copy(run, buffer_slice(&text));
            buffer_release(&text);
            done = match_text(matcher, copy);
        }
    }
    return done;
}

static bool match_header_field(struct matcher *matcher, struct field *field,
                               const uint32_t *operands)
{
    uint32_t choice = operands[0] & 0xff;
    struct content_value content;
    bool is_mime;
    if (choice == PART_WHOLE && operands[4] == NO_CONSTANT) {
        struct value *value = run_field_value(matcher->run, field);
        return !value || match_value(matcher, value);
    }
    if (!parse_mime(matcher->run, field, &content, &is_mime))
        return !is_mime && operands[4] == NO_CONSTANT && match_text(matcher, slice_make("", 0));
    return operands[4] != NO_CONSTANT ? match_parameters(matcher, &content, operands[4])
                                      : match_type(matcher, &content, choice);
}

/* Operands: 0 flags and choice, 1 keys, 2 names, 3 index, 4 parameters. */
static int run_header(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct field_walk walk;
    struct field *field;
    bool done = false;
    match_begin(&matcher, run, operands[1]);
    field_walk_begin(&walk, run, operands[2], operands[3], operands[0]);
    while (!done && (field = field_walk_next(&walk)))
        done = match_header_field(&matcher, field, operands);
    return match_end(&matcher);
}

static void check_header(struct validator *validator, struct command *command)
{
    uint32_t word = command->operands[0].word;
    bool parameters = operand_strings(command, 4) != NULL;
    check_index(validator, command, 0, 3);
    check_anychild(validator, command);
    if ((word & 0xff || parameters) && !(word & FIELDS_MIME))
        validator_error(validator, command->line, command->column,
                        ":type, :subtype, :contenttype and :param need :mime");
    if (word & 0xff && parameters)
        validator_error(validator, command->line, command->column,
                        ":param does not go together with :type, :subtype or :contenttype");
}

static const struct tag header_tags[] = {
    FIELDS_INDEX_TAGS,
    FIELDS_MIME_TAGS,
    {"type", EXT_MIME, TAG_CHOICE, 0, PART_TYPE},
    {"subtype", EXT_MIME, TAG_CHOICE, 0, PART_SUBTYPE},
    {"contenttype", EXT_MIME, TAG_CHOICE, 0, PART_CONTENTTYPE},
    {"param", EXT_MIME, TAG_VALUE, 4, 0},
    {0},
};

const struct definition definition_header = {.name = "header",
                                             .test = true,
                                             .operands = "wklNL",
                                             .positions = "cb",
                                             .tags = {match_tags, header_tags},
                                             .check = check_header,
                                             .run = run_header};

static const struct tag exists_tags[] = {FIELDS_MIME_TAGS, {0}};

/* Whether a field that a list's member names is in one of the headers. */
static bool is_there(struct run *run, const uint32_t *operands, size_t index)
{
    struct field_walk walk;
    field_walk_begin(&walk, run, operands[1], NO_CONSTANT, operands[0]);
    walk.only = index + 1;
    return field_walk_next(&walk) != NULL;
}

static void check_exists(struct validator *validator, struct command *command)
{
    check_anychild(validator, command);
}

/* Operands: 0 flags, 1 names. */
static int run_exists(struct run *run, const uint32_t *operands)
{
    size_t count = run_list_size(run, operands[1]);
    bool all = true;
    for (size_t i = 0; i < count && all && !run->failed; i++)
        all = is_there(run, operands, i);
    run->truth = all;
    return 0;
}

const struct definition definition_exists = {.name = "exists",
                                             .test = true,
                                             .operands = "wl",
                                             .positions = "b",
                                             .tags = {exists_tags},
                                             .check = check_exists,
                                             .run = run_exists};

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
    const struct mime_part *whole = run_whole(run);
    uint64_t size = run->input->message.size, limit = run_number(run, operands[1], 0);
    if (whole && whole->parent)
        size = whole->body_offset - whole->header_offset + whole->body_size;
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
