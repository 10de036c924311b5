/*
 * The verifier: see bytecode_priv.h for what holds behind it.
 */
#include "base/error.h"
#include "sieve/definition_priv.h"

struct verifier {
    const struct sieve_options *options;
    const struct bytecode *program;
    uint32_t ends[SIEVE_NESTING_MAXIMUM]; /* of the open loops: the index behind their OP_NEXT */
    size_t depth;
    /* For each word of code: 0 when no instruction begins there, else 1 at the top, and in a loop
     * the index behind its OP_LOOP. */
    uint32_t *places;
};

static bool within(uint32_t first, uint32_t count, uint32_t total)
{
    return first <= total && count <= total - first;
}

static bool has_kind(const struct bytecode *program, uint32_t index, enum constant_kind kind)
{
    return index < program->constant_count && program->constants[index].kind == kind;
}

static bool is_string(const struct bytecode *program, uint32_t index)
{
    return has_kind(program, index, CONSTANT_STRING) || has_kind(program, index, CONSTANT_TEMPLATE);
}

static bool check_template(const struct bytecode *program, const struct constant *constant)
{
    if (!within(constant->a, constant->b, program->item_count))
        return false;
    for (uint32_t i = 0; i < constant->b; i++) {
        uint32_t piece = program->items[constant->a + i], index = piece_index(piece);
        bool good =
            (piece_kind(piece) == PIECE_STRING && has_kind(program, index, CONSTANT_STRING)) ||
            (piece_kind(piece) == PIECE_VARIABLE && index < program->variable_count) ||
            (piece_kind(piece) == PIECE_MATCH && index < MATCH_VARIABLES);
        if (!good)
            return false;
    }
    return true;
}

static bool check_list(const struct bytecode *program, const struct constant *constant)
{
    if (!within(constant->a, constant->b, program->item_count))
        return false;
    for (uint32_t i = 0; i < constant->b; i++)
        if (!is_string(program, program->items[constant->a + i]))
            return false;
    return true;
}

static bool check_keys(const struct bytecode *program, const struct constant *constant)
{
    uint32_t word = constant->b;
    return has_kind(program, constant->a, CONSTANT_LIST) && (word & 0xff) < MATCH_TYPES &&
           (word >> 8 & 0xff) < COMPARATORS && word >> 16 < RELATIONS;
}

static bool check_constant(const struct bytecode *program, const struct constant *constant)
{
    switch (constant->kind) {
    case CONSTANT_STRING:
        return within(constant->a, constant->b, program->byte_count) &&
               constant->b <= SIEVE_STRING_MAXIMUM;
    case CONSTANT_TEMPLATE:
        return check_template(program, constant);
    case CONSTANT_LIST:
        return check_list(program, constant);
    case CONSTANT_KEYS:
        return check_keys(program, constant);
    default:
        return constant->kind == CONSTANT_NUMBER;
    }
}

static bool check_names(const struct bytecode *program)
{
    if (program->variable_count > SIEVE_VARIABLES_MAXIMUM ||
        !within(program->names, program->variable_count, program->item_count))
        return false;
    for (uint32_t i = 0; i < program->variable_count; i++) {
        uint32_t name = program->items[program->names + i];
        if (name != NO_CONSTANT && !has_kind(program, name, CONSTANT_STRING))
            return false;
    }
    return true;
}

static bool check_operand(const struct bytecode *program, char letter, uint32_t operand)
{
    switch (letter) {
    case 'S':
        return operand == NO_CONSTANT || is_string(program, operand);
    case 's':
        return is_string(program, operand);
    case 'L':
        return operand == NO_CONSTANT || has_kind(program, operand, CONSTANT_LIST);
    case 'l':
        return has_kind(program, operand, CONSTANT_LIST);
    case 'N':
        return operand == NO_CONSTANT || has_kind(program, operand, CONSTANT_NUMBER);
    case 'n':
        return has_kind(program, operand, CONSTANT_NUMBER);
    case 'k':
        return has_kind(program, operand, CONSTANT_KEYS);
    case 'K':
        return operand == NO_CONSTANT || has_kind(program, operand, CONSTANT_KEYS);
    case 'v':
        return operand < program->variable_count;
    case 'V':
        return operand == NO_CONSTANT || operand < program->variable_count;
    default:
        return letter == 'w' || letter == 'j';
    }
}

/* Walks the instructions; *size is the next one's length. */
static bool check_instruction(const struct verifier *verifier, uint32_t at, uint32_t *size)
{
    const struct bytecode *program = verifier->program;
    const char *operands = opcode_operands(verifier->options, program->code[at]);
    if (!operands || !within(at, 2 + (uint32_t)strlen(operands), program->code_count))
        return false;
    for (uint32_t i = 0; operands[i]; i++)
        if (!check_operand(program, operands[i], program->code[at + 2 + i]))
            return false;
    *size = 2 + (uint32_t)strlen(operands);
    return true;
}

static bool open_loop(struct verifier *verifier, uint32_t at, uint32_t end)
{
    const struct bytecode *program = verifier->program;
    if (verifier->depth == SIEVE_NESTING_MAXIMUM || end < at + 5 || end >= program->code_count ||
        !verifier->places[end] || !verifier->places[end - 2] || program->code[end - 2] != OP_NEXT ||
        (verifier->depth && end > verifier->ends[verifier->depth - 1] - 2))
        return false;
    verifier->ends[verifier->depth++] = end;
    return true;
}

/* Loops; *place is where the instructions behind this one are. */
static bool check_loop(struct verifier *verifier, uint32_t at, uint32_t places[], uint32_t *place)
{
    const uint32_t *code = verifier->program->code + at;
    switch (code[0]) {
    case OP_LOOP:
        places[verifier->depth] = *place;
        *place = at + 3;
        return open_loop(verifier, at, code[2]);
    case OP_NEXT:
        if (!verifier->depth || verifier->ends[verifier->depth - 1] != at + 2)
            return false;
        *place = places[--verifier->depth];
        return true;
    case OP_BREAK:
        return code[2] >= 1 && code[2] <= verifier->depth;
    default:
        return true;
    }
}

static bool is_jump(uint32_t opcode)
{
    return opcode == OP_JUMP || opcode == OP_JUMP_TRUE || opcode == OP_JUMP_FALSE;
}

static bool check_starts(struct verifier *verifier)
{
    const struct bytecode *program = verifier->program;
    uint32_t size, last = 0;
    for (uint32_t at = 0; at < program->code_count; at += size) {
        if (!check_instruction(verifier, at, &size))
            return false;
        verifier->places[at] = 1;
        last = at;
    }
    return program->code_count && program->code[last] == OP_END;
}

static bool check_code(struct verifier *verifier)
{
    const struct bytecode *program = verifier->program;
    uint32_t size, place = 1, places[SIEVE_NESTING_MAXIMUM + 1];
    if (!check_starts(verifier))
        return false;
    for (uint32_t at = 0; at < program->code_count; at += size) {
        check_instruction(verifier, at, &size);
        verifier->places[at] = place;
        if (!check_loop(verifier, at, places, &place))
            return false;
    }
    for (uint32_t at = 0; at < program->code_count; at += size) {
        check_instruction(verifier, at, &size);
        uint32_t target = is_jump(program->code[at]) ? program->code[at + 2] : 0;
        if (is_jump(program->code[at]) && (target <= at || target >= program->code_count ||
                                           verifier->places[target] != verifier->places[at]))
            return false;
    }
    return verifier->depth == 0;
}

static int take_apart(const uint32_t *words, size_t size, struct bytecode *program)
{
    if (size < HEADER_WORDS * sizeof(uint32_t) || words[HEADER_MAGIC] != BYTECODE_MAGIC)
        return ERROR_CORRUPT;
    if (words[HEADER_VERSION] != SIEVE_BYTECODE_VERSION)
        return ERROR_UNSUPPORTED;
    if (size > SIEVE_BYTECODE_MAXIMUM || words[HEADER_CONSTANTS] > SIEVE_CONSTANTS_MAXIMUM ||
        words[HEADER_ITEMS] > SIEVE_CONSTANTS_MAXIMUM || words[HEADER_CODE] > SIEVE_CODE_MAXIMUM)
        return ERROR_LIMIT;
    *program = (struct bytecode){
        .flags = words[HEADER_FLAGS],
        .constant_count = words[HEADER_CONSTANTS],
        .item_count = words[HEADER_ITEMS],
        .code_count = words[HEADER_CODE],
        .byte_count = words[HEADER_BYTES],
        .variable_count = words[HEADER_VARIABLES],
        .names = words[HEADER_NAMES],
    };
    uint64_t expected = (HEADER_WORDS + (uint64_t)program->constant_count * 4 +
                         program->item_count + program->code_count) *
                            sizeof(uint32_t) +
                        program->byte_count;
    if (expected != size)
        return ERROR_CORRUPT;
    program->constants = (const struct constant *)(const void *)(words + HEADER_WORDS);
    program->items = words + HEADER_WORDS + (size_t)program->constant_count * 4;
    program->code = program->items + program->item_count;
    program->bytes = (const char *)(program->code + program->code_count);
    return 0;
}

int bytecode_verify(const uint32_t *words, size_t size, const struct sieve_options *options,
                    struct bytecode *bytecode)
{
    struct bytecode program;
    int error = take_apart(words, size, &program);
    if (error)
        return error;
    bool good = check_names(&program);
    for (uint32_t i = 0; i < program.constant_count && good; i++)
        good = check_constant(&program, &program.constants[i]);
    if (!good)
        return ERROR_CORRUPT;
    struct verifier verifier = {.options = options, .program = &program};
    verifier.places = calloc(program.code_count + 1, sizeof(uint32_t));
    if (!verifier.places)
        return ERROR_MEMORY;
    good = check_code(&verifier);
    free(verifier.places);
    if (!good)
        return ERROR_CORRUPT;
    *bytecode = program;
    return 0;
}
