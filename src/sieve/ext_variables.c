/*
 * set and string (RFC 5229 sections 4, 5).
 */
#include "base/error.h"
#include "sieve/match_priv.h"

enum {
    SET_CASE = 0x3, /* precedence 40 */
    SET_LOWER = 1,
    SET_UPPER = 2,
    SET_FIRST = 0xc, /* 30 */
    SET_LOWERFIRST = 4,
    SET_UPPERFIRST = 8,
    SET_QUOTEWILDCARD = 0x10, /* 20 */
    SET_QUOTEREGEX = 0x20,    /* 20, draft-ietf-sieve-regex */
    SET_ENCODEURL = 0x80,     /* 15, RFC 5435 section 6 */
    SET_LENGTH = 0x40,        /* 10 */
};

const struct tag set_tags[] = {
    {"lower", EXT_BASE, TAG_FLAG, 0, SET_LOWER},
    {"upper", EXT_BASE, TAG_FLAG, 0, SET_UPPER},
    {"lowerfirst", EXT_BASE, TAG_FLAG, 0, SET_LOWERFIRST},
    {"upperfirst", EXT_BASE, TAG_FLAG, 0, SET_UPPERFIRST},
    {"quotewildcard", EXT_BASE, TAG_FLAG, 0, SET_QUOTEWILDCARD},
    {"quoteregex", EXT_REGEX, TAG_FLAG, 0, SET_QUOTEREGEX},
    {"encodeurl", EXT_ENOTIFY, TAG_FLAG, 0, SET_ENCODEURL},
    {"length", EXT_BASE, TAG_FLAG, 0, SET_LENGTH},
    {0},
};

/* Section 4.1: of one precedence one alone. */
void check_modifiers(struct validator *validator, const struct command *command)
{
    uint32_t word = command->operands[0].word;
    size_t tags = 0, kinds = 0;
    for (const struct argument *argument = command->arguments; argument; argument = argument->next)
        tags +=
            argument->kind == ARGUMENT_TAG && !slice_equal_nocase(argument->tag, SLICE("first"));
    kinds = (size_t)((word & SET_CASE) != 0) + ((word & SET_FIRST) != 0) +
            ((word & (SET_QUOTEWILDCARD | SET_QUOTEREGEX)) != 0) + ((word & SET_ENCODEURL) != 0) +
            ((word & SET_LENGTH) != 0);
    if (tags > kinds)
        validator_error(validator, command->line, command->column,
                        "two modifiers of one precedence do not go together");
}

static void check_set(struct validator *validator, struct command *command)
{
    check_modifiers(validator, command);
    const struct tree_string *value = operand_strings(command, 2);
    if (validator_is_constant(validator, value->text) && value->text.size > SIEVE_VARIABLE_MAXIMUM)
        validator_error(validator, value->line, value->column, "a variable holds at most %d bytes",
                        SIEVE_VARIABLE_MAXIMUM);
}

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void change_case(char *text, size_t size, uint32_t word)
{
    for (size_t i = 0; word & SET_CASE && i < size; i++)
        text[i] = word & SET_LOWER ? lower(text[i]) : upper(text[i]);
    if (word & SET_FIRST && size)
        text[0] = word & SET_LOWERFIRST ? lower(text[0]) : upper(text[0]);
}

static struct slice quote(struct run *run, struct slice text, const char *special)
{
    char *quoted = run_alloc(run, text.size * 2 + 1);
    size_t size = 0;
    for (size_t i = 0; quoted && i < text.size; i++) {
        if (text.data[i] && strchr(special, text.data[i]))
            quoted[size++] = '\\';
        quoted[size++] = text.data[i];
    }
    return slice_make(quoted, size);
}

/* RFC 3986 section 2.3: all but unreserved characters. */
static struct slice encode_url(struct run *run, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = run_alloc(run, text.size * 3 + 1);
    size_t size = 0;
    for (size_t i = 0; out && i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out[size++] = (char)c;
            continue;
        }
        out[size++] = '%';
        out[size++] = digits[c >> 4];
        out[size++] = digits[c & 15];
    }
    return slice_make(out, size);
}

static struct slice length_of(struct run *run, struct slice text)
{
    char digits[24];
    size_t characters = 0;
    for (size_t i = 0; i < text.size; i++)
        characters += (text.data[i] & 0xc0) != 0x80;
    int size = snprintf(digits, sizeof(digits), "%zu", characters);
    return run_copy(run, slice_make(digits, (size_t)size));
}

int set_modified(struct run *run, uint32_t modifiers, uint32_t variable, struct slice text)
{
    struct slice value = run_copy(run, text);
    if (!value.data)
        return ERROR_SYNTAX;
    change_case((char *)value.data, value.size, modifiers);
    if (modifiers & SET_QUOTEWILDCARD)
        value = quote(run, value, "*?\\");
    if (modifiers & SET_QUOTEREGEX)
        value = quote(run, value, "\\^$.[]|()?*+{}");
    if (modifiers & SET_ENCODEURL)
        value = encode_url(run, value);
    if (modifiers & SET_LENGTH)
        value = length_of(run, value);
    run_set_variable(run, variable, value);
    run_trace(run, "set to \"%.*s\"", QUOTED(value));
    return run->failed ? ERROR_SYNTAX : 0;
}

/* Operands: 0 modifiers, 1 the variable, 2 the value. */
static int run_set(struct run *run, const uint32_t *operands)
{
    struct slice value = run_string(run, operands[2]);
    return value.data ? set_modified(run, operands[0], operands[1], value) : ERROR_SYNTAX;
}

const struct definition definition_set = {.name = "set",
                                          .extension = EXT_VARIABLES,
                                          .operands = "wvs",
                                          .positions = "bc",
                                          .tags = {set_tags},
                                          .check = check_set,
                                          .run = run_set};

/* Operands: 0 keys, 1 sources. Section 5: the empty string does not count. */
static int run_string_test(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    size_t count = run_list_size(run, operands[1]);
    bool done = false;
    match_begin(&matcher, run, operands[0]);
    for (size_t i = 0; i < count && !done && !run->failed; i++) {
        struct slice text = run_list_at(run, operands[1], i);
        done = match_text(&matcher, text);
        matcher.count -= !text.size;
    }
    return match_end(&matcher);
}

const struct definition definition_string = {.name = "string",
                                             .extension = EXT_VARIABLES,
                                             .test = true,
                                             .operands = "kl",
                                             .positions = "ba",
                                             .tags = {match_tags},
                                             .run = run_string_test};
