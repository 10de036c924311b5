/*
 * Arguments of a command to the operands of its definition (RFC 5228 section 2.6): tagged ones in
 * any order, by the definition's tables, then the positional ones.
 */
#include "sieve/validate_priv.h"

struct binding {
    struct validator *validator;
    struct command *command;
    const struct definition *definition;
    bool choice_given[OPERANDS_MAXIMUM];
    bool match_given, comparator_given;
};

static const struct tag *find_in(const struct tag *tags, struct slice name)
{
    for (; tags && tags->name; tags++)
        if (slice_equal_nocase(slice_from_string(tags->name), name))
            return tags;
    return NULL;
}

static const struct tag *find_tag(const struct definition *definition, struct slice name)
{
    const struct tag *tag = NULL;
    for (size_t i = 0; i < TAG_LISTS && !tag; i++)
        tag = find_in(definition->tags[i], name);
    return tag;
}

static const char *expected_of(char letter)
{
    return strchr("sSvV", letter)           ? "a string"
           : letter == 'n' || letter == 'N' ? "a number"
                                            : "a string or a list of strings";
}

static bool fits(char letter, const struct argument *argument)
{
    switch (letter) {
    case 's':
    case 'S':
    case 'v':
    case 'V':
        return argument->kind == ARGUMENT_STRING;
    case 'n':
    case 'N':
        return argument->kind == ARGUMENT_NUMBER;
    default:
        return argument->kind == ARGUMENT_STRING || argument->kind == ARGUMENT_LIST;
    }
}

static void set_operand(struct binding *binding, unsigned index, const struct argument *argument)
{
    binding->command->operands[index] =
        (struct operand){.kind = OPERAND_ARGUMENT, .argument = argument};
}

/* The argument behind a tag; NULL: reported. */
static struct argument *value_behind(struct binding *binding, struct argument *tag, char letter)
{
    struct argument *value = tag->next;
    if (value && fits(letter, value))
        return value;
    validator_error(binding->validator, tag->line, tag->column, "behind :%.*s %s must stand",
                    QUOTED(tag->tag), expected_of(letter));
    return NULL;
}

static void given_twice(struct binding *binding, const struct argument *argument)
{
    validator_error(binding->validator, argument->line, argument->column,
                    ":%.*s does not go together with another tag before it", QUOTED(argument->tag));
}

static void bind_relation(struct binding *binding, const struct argument *value)
{
    static const char *const names[RELATIONS] = {"gt", "ge", "lt", "le", "eq", "ne"};
    struct slice text = value->strings->text;
    for (unsigned i = 0; i < RELATIONS; i++) {
        if (slice_equal_nocase(text, slice_from_string(names[i]))) {
            binding->command->relation = (enum match_relation)i;
            return;
        }
    }
    validator_error(binding->validator, value->line, value->column,
                    "\"%.*s\" is no relation: it is gt, ge, lt, le, eq or ne", QUOTED(text));
}

/* Returns the last argument that belongs to the tag. */
static struct argument *bind_match(struct binding *binding, const struct tag *tag,
                                   struct argument *argument)
{
    if (binding->match_given)
        given_twice(binding, argument);
    binding->match_given = true;
    binding->command->match = (enum match_type)tag->value;
    if (tag->value != MATCH_COUNT && tag->value != MATCH_VALUE)
        return argument;
    struct argument *value = value_behind(binding, argument, 's');
    if (!value)
        return argument;
    bind_relation(binding, value);
    return value;
}

static struct argument *bind_comparator(struct binding *binding, struct argument *argument)
{
    static const struct {
        const char *name;
        enum extension extension;
    } comparators[COMPARATORS] = {
        [COMPARATOR_ASCII_CASEMAP] = {"i;ascii-casemap", EXT_BASE},
        [COMPARATOR_OCTET] = {"i;octet", EXT_BASE},
        [COMPARATOR_ASCII_NUMERIC] = {"i;ascii-numeric", EXT_COMPARATOR_ASCII_NUMERIC},
        [COMPARATOR_UNICODE_CASEMAP] = {"i;unicode-casemap", EXT_COMPARATOR_UNICODE_CASEMAP},
    };
    if (binding->comparator_given)
        given_twice(binding, argument);
    binding->comparator_given = true;
    struct argument *value = value_behind(binding, argument, 's');
    if (!value)
        return argument;
    for (unsigned i = 0; i < COMPARATORS; i++) {
        if (!slice_equal_nocase(value->strings->text, slice_from_string(comparators[i].name)))
            continue;
        binding->command->comparator = (enum match_comparator)i;
        validator_needs(binding->validator, binding->command, comparators[i].extension,
                        "the comparator ", value->strings->text);
        return value;
    }
    validator_error(binding->validator, value->line, value->column,
                    "there is no comparator \"%.*s\"", QUOTED(value->strings->text));
    return value;
}

static struct argument *bind_value(struct binding *binding, const struct tag *tag,
                                   struct argument *argument)
{
    struct operand *operand = &binding->command->operands[tag->operand];
    struct argument *value =
        value_behind(binding, argument, binding->definition->operands[tag->operand]);
    if (operand->kind != OPERAND_NONE)
        given_twice(binding, argument);
    if (!value)
        return argument;
    if (tag->kind == TAG_SECONDS && !value->number && tag->value > 1)
        value->number = tag->value; /* RFC 5230 section 4.1: zero days are one */
    else if (tag->kind == TAG_SECONDS)
        value->number = value->number > UINT64_MAX / 2 / tag->value ? UINT64_MAX / 2
                                                                    : value->number * tag->value;
    set_operand(binding, tag->operand, value);
    return value;
}

static void bind_word(struct binding *binding, const struct tag *tag,
                      const struct argument *argument)
{
    struct operand *operand = &binding->command->operands[tag->operand];
    operand->kind = OPERAND_WORD;
    if (tag->kind == TAG_FLAG) {
        operand->word |= tag->value;
        return;
    }
    if (binding->choice_given[tag->operand])
        given_twice(binding, argument);
    binding->choice_given[tag->operand] = true;
    operand->word = (operand->word & ~0xffU) | tag->value;
}

static struct argument *bind_tag(struct binding *binding, struct argument *argument)
{
    const struct tag *tag = find_tag(binding->definition, argument->tag);
    if (!tag) {
        validator_error(binding->validator, argument->line, argument->column,
                        "\"%s\" has no argument :%.*s", binding->definition->name,
                        QUOTED(argument->tag));
        return argument;
    }
    validator_needs(binding->validator, binding->command, tag->extension, ":", argument->tag);
    switch (tag->kind) {
    case TAG_MATCH:
        return bind_match(binding, tag, argument);
    case TAG_COMPARATOR:
        return bind_comparator(binding, argument);
    case TAG_VALUE:
    case TAG_SECONDS:
        return bind_value(binding, tag, argument);
    default:
        bind_word(binding, tag, argument);
        return argument;
    }
}

static size_t positional_count(const struct argument *argument, const struct definition *definition)
{
    size_t count = 0;
    for (; argument; argument = argument->next) {
        const struct tag *tag =
            argument->kind == ARGUMENT_TAG ? find_tag(definition, argument->tag) : NULL;
        bool takes =
            tag &&
            (tag->kind == TAG_VALUE || tag->kind == TAG_SECONDS || tag->kind == TAG_COMPARATOR ||
             (tag->kind == TAG_MATCH && (tag->value == MATCH_COUNT || tag->value == MATCH_VALUE)));
        count += argument->kind != ARGUMENT_TAG;
        if (takes && argument->next && argument->next->kind != ARGUMENT_TAG)
            argument = argument->next;
    }
    return count;
}

static const char *bind_positional(struct binding *binding, const char *position,
                                   const struct argument *argument)
{
    const struct definition *definition = binding->definition;
    if (!*position) {
        validator_error(binding->validator, argument->line, argument->column,
                        "\"%s\" takes no further argument here", definition->name);
        return position;
    }
    unsigned index = (unsigned)(*position - 'a');
    if (fits(definition->operands[index], argument))
        set_operand(binding, index, argument);
    else
        validator_error(binding->validator, argument->line, argument->column,
                        "%s must stand here, as argument of \"%s\"",
                        expected_of(definition->operands[index]), definition->name);
    return position + 1;
}

static bool is_required(char letter)
{
    return letter == 's' || letter == 'l' || letter == 'n' || letter == 'k' || letter == 'v';
}

static void check_complete(struct binding *binding, const char *position)
{
    for (; *position; position++) {
        char letter = binding->definition->operands[*position - 'a'];
        if (is_required(letter)) {
            validator_error(binding->validator, binding->command->line, binding->command->column,
                            "\"%s\" lacks an argument: %s", binding->definition->name,
                            expected_of(letter));
            return;
        }
    }
}

/* Constant regular expressions are looked at before any message comes. */
static void check_regexes(struct binding *binding)
{
    const char *keys = strpbrk(binding->definition->operands, "kK");
    unsigned operand = keys ? (unsigned)(keys - binding->definition->operands) : 0;
    const struct tree_string *string = keys ? operand_strings(binding->command, operand) : NULL;
    for (; string; string = string->next) {
        char text[SIEVE_PROBLEM_TEXT_MAXIMUM];
        struct pcre2_real_code_8 *code = NULL;
        if (!validator_is_constant(binding->validator, string->text))
            continue;
        if (regex_compile(string->text, binding->command->comparator, &code, text))
            validator_error(binding->validator, string->line, string->column, "%s", text);
        regex_free(&code);
    }
}

static void check_comparison(struct binding *binding)
{
    const struct command *command = binding->command;
    if (command->match == MATCH_REGEX)
        check_regexes(binding);
    if (command->comparator != COMPARATOR_ASCII_NUMERIC)
        return;
    if (command->match == MATCH_CONTAINS || command->match == MATCH_MATCHES ||
        command->match == MATCH_REGEX)
        validator_error(binding->validator, command->line, command->column,
                        "the comparator \"i;ascii-numeric\" knows no substrings");
}

void bind_arguments(struct validator *validator, struct command *command,
                    const struct definition *definition)
{
    struct binding binding = {.validator = validator, .command = command, .definition = definition};
    const char *position = definition->positions;
    if (definition->first_optional &&
        positional_count(command->arguments, definition) < strlen(position))
        position++;
    for (struct argument *argument = command->arguments; argument; argument = argument->next) {
        if (argument->kind == ARGUMENT_TAG)
            argument = bind_tag(&binding, argument);
        else
            position = bind_positional(&binding, position, argument);
    }
    check_complete(&binding, position);
    check_comparison(&binding);
}
