/*
 * Variables in strings (RFC 5229 section 3).
 */
#include "sieve/variables_priv.h"

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.size > 0;
}

static bool is_number(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
    return name.size > 0;
}

static bool add_name(struct validator *validator, struct variable_names *names,
                     const struct tree_string *string, struct variable_name name)
{
    if (names->count == SIEVE_VARIABLES_MAXIMUM) {
        validator_error(validator, string->line, string->column, "a script may have %d variables",
                        SIEVE_VARIABLES_MAXIMUM);
        return false;
    }
    names->names[names->count++] = name;
    return true;
}

static void no_name(struct validator *validator, const struct tree_string *string,
                    struct slice name)
{
    validator_error(validator, string->line, string->column, "\"%.*s\" is no name of a variable",
                    QUOTED(name));
}

bool variable_number(struct validator *validator, struct variable_names *names,
                     const struct tree_string *string, struct slice name, uint32_t *number)
{
    bool shared = validator->has[EXT_INCLUDE] && name.size > 7 &&
                  slice_equal_nocase(slice_sub(name, 0, 7), SLICE("global."));
    struct slice base = shared ? slice_sub(name, 7, SIZE_MAX) : name;
    if (!is_name(base))
        return no_name(validator, string, name), false;
    for (size_t i = 0; i < names->count; i++) {
        const struct variable_name *known = &names->names[i];
        if (slice_equal_nocase(known->name, base) &&
            (shared ? known->shared : !known->shared || known->declared)) {
            *number = (uint32_t)i;
            return true;
        }
    }
    *number = (uint32_t)names->count;
    validator->used[EXT_INCLUDE] |= shared;
    return add_name(validator, names, string, (struct variable_name){base, shared, false});
}

void variable_declare_global(struct validator *validator, struct variable_names *names,
                             const struct tree_string *string)
{
    if (!is_name(string->text)) {
        no_name(validator, string, string->text);
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct variable_name *known = &names->names[i];
        if (!slice_equal_nocase(known->name, string->text))
            continue;
        if (!known->shared)
            validator_error(validator, string->line, string->column,
                            "the variable \"%.*s\" is the script's own already",
                            QUOTED(string->text));
        known->declared = true;
        return;
    }
    add_name(validator, names, string, (struct variable_name){string->text, true, true});
}

/* Whether the text begins with a variable's reference; *size is its length then, *name what is in
 * the braces: a name, a number, or a name with a namespace before it. */
static bool is_reference(struct slice text, struct slice *name, size_t *size)
{
    if (!slice_starts_with(text, SLICE("${")))
        return false;
    size_t end = slice_find(text, '}');
    if (end == text.size)
        return false;
    *name = slice_sub(text, 2, end - 2);
    *size = end + 1;
    if (is_number(*name))
        return true;
    struct slice rest = *name;
    for (;;) {
        size_t dot = slice_find(rest, '.');
        if (!is_name(slice_sub(rest, 0, dot)))
            return false;
        if (dot == rest.size)
            return true;
        rest = slice_sub(rest, dot + 1, SIZE_MAX);
    }
}

static bool take_reference(struct validator *validator, struct variable_names *names,
                           const struct tree_string *string, struct slice name,
                           struct variable_piece *piece)
{
    if (!is_number(name)) {
        piece->kind = PIECE_VARIABLE;
        return variable_number(validator, names, string, name, &piece->index);
    }
    while (name.size > 1 && name.data[0] == '0')
        name = slice_sub(name, 1, SIZE_MAX);
    piece->kind = PIECE_MATCH;
    piece->index = (uint32_t)(name.data[0] - '0');
    if (name.size == 1)
        return true;
    validator_error(validator, string->line, string->column, "${%.*s}: matches end with ${%d}",
                    QUOTED(name), MATCH_VARIABLES - 1);
    return false;
}

bool variable_next_piece(struct validator *validator, struct variable_names *names,
                         const struct tree_string *string, struct slice *rest,
                         struct variable_piece *piece)
{
    struct slice name = {NULL, 0};
    size_t size = 0, at = 0;
    if (!rest->size)
        return false;
    while (at < rest->size && !is_reference(slice_sub(*rest, at, SIZE_MAX), &name, &size)) {
        at++;
        at += slice_find(slice_sub(*rest, at, SIZE_MAX), '$');
    }
    validator->used[EXT_VARIABLES] = true;
    if (at) {
        *piece = (struct variable_piece){.kind = PIECE_STRING, .text = slice_sub(*rest, 0, at)};
        *rest = slice_sub(*rest, at, SIZE_MAX);
        return true;
    }
    *rest = slice_sub(*rest, size, SIZE_MAX);
    return take_reference(validator, names, string, name, piece);
}
