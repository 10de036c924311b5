/*
 * The tables of extensions, commands and tests.
 */
#include "sieve/definition_priv.h"

static const char *const extension_names[] = {
#define EXTENSION(symbol, name) name,
#include "sieve/extensions.def"
#undef EXTENSION
};

static const struct definition *const definitions[] = {
#define DEFINITION(symbol) &symbol,
#include "sieve/definitions.def"
#undef DEFINITION
};

enum { DEFINITION_COUNT = sizeof(definitions) / sizeof(definitions[0]) };

_Static_assert(OP_FIRST_DEFINITION + DEFINITION_COUNT <= OP_FIRST_EXTRA, "opcodes overlap");

const char *extension_name(enum extension extension)
{
    return extension_names[extension];
}

enum extension extension_find(struct slice name)
{
    enum extension extension = EXT_BASE + 1;
    if (slice_equal(name, SLICE("vnd.cyrus.snooze"))) /* what scripts for Cyrus require */
        return EXT_SNOOZE;
    while (extension < EXTENSION_COUNT &&
           !slice_equal(name, slice_from_string(extension_names[extension])))
        extension++;
    return extension;
}

const struct definition *definition_at(size_t index)
{
    return index < DEFINITION_COUNT ? definitions[index] : NULL;
}

const struct definition *opcode_definition(const struct sieve_options *options, uint32_t opcode)
{
    if (opcode >= OP_FIRST_DEFINITION && opcode < OP_FIRST_EXTRA)
        return definition_at(opcode - OP_FIRST_DEFINITION);
    if (opcode < OP_FIRST_EXTRA || !options || !options->definitions)
        return NULL;
    for (size_t i = 0; options->definitions[i]; i++)
        if (i == opcode - OP_FIRST_EXTRA)
            return options->definitions[i];
    return NULL;
}

const char *opcode_operands(const struct sieve_options *options, uint32_t opcode)
{
    static const char *const core[OP_CORE_COUNT] = {"",  "",  "",  "",  "", "",
                                                    "j", "j", "j", "j", "", "w"};
    if (opcode < OP_CORE_COUNT)
        return core[opcode];
    const struct definition *definition = opcode_definition(options, opcode);
    return definition ? definition->operands : NULL;
}

const struct tag match_tags[] = {
    {"is", EXT_BASE, TAG_MATCH, 0, MATCH_IS},
    {"contains", EXT_BASE, TAG_MATCH, 0, MATCH_CONTAINS},
    {"matches", EXT_BASE, TAG_MATCH, 0, MATCH_MATCHES},
    {"regex", EXT_REGEX, TAG_MATCH, 0, MATCH_REGEX},
    {"list", EXT_EXTLISTS, TAG_MATCH, 0, MATCH_LIST},
    {"count", EXT_RELATIONAL, TAG_MATCH, 0, MATCH_COUNT},
    {"value", EXT_RELATIONAL, TAG_MATCH, 0, MATCH_VALUE},
    {"comparator", EXT_BASE, TAG_COMPARATOR, 0, 0},
    {0},
};
