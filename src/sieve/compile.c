/*
 * The tree to bytecode. Tests leave their result in the machine's truth; allof and anyof jump over
 * what cannot change it any more (RFC 5228 section 5.3). Jumps whose target is not known yet are a
 * chain through their operands, ended by CHAIN_END.
 */
#include "base/error.h"
#include "sieve/validate_priv.h"
#include "sieve/variables_priv.h"

#define CHAIN_END UINT32_MAX

struct compiler {
    const struct sieve_options *options;
    struct validator *validator;
    struct arena *arena;
    struct buffer constants, items, code, bytes;
    struct variable_names names;
    const struct command *command; /* at hand */
    int error;
};

static size_t words_of(const struct buffer *buffer)
{
    return buffer->size / sizeof(uint32_t);
}

static void append_word(struct buffer *buffer, uint32_t word)
{
    buffer_append(buffer, slice_make(&word, sizeof(word)));
}

static void emit(struct compiler *compiler, uint32_t word)
{
    append_word(&compiler->code, word);
}

static void emit_opcode(struct compiler *compiler, uint32_t opcode, const struct command *command)
{
    emit(compiler, opcode);
    emit(compiler, command->line);
}

/* Jumps. */

static void emit_jump(struct compiler *compiler, uint32_t opcode, const struct command *command,
                      uint32_t *chain)
{
    emit_opcode(compiler, opcode, command);
    emit(compiler, *chain);
    *chain = (uint32_t)words_of(&compiler->code) - 1;
}

static void land_here(struct compiler *compiler, uint32_t chain)
{
    uint32_t here = (uint32_t)words_of(&compiler->code);
    if (buffer_error(&compiler->code))
        return;
    while (chain != CHAIN_END) {
        uint32_t next;
        char *place = compiler->code.data + chain * sizeof(uint32_t);
        memcpy(&next, place, sizeof(next));
        memcpy(place, &here, sizeof(here));
        chain = next;
    }
}

/* Constants. */

static uint32_t add_constant(struct compiler *compiler, enum constant_kind kind, uint32_t a,
                             uint32_t b)
{
    struct constant constant = {kind, a, b, 0};
    buffer_append(&compiler->constants, slice_make(&constant, sizeof(constant)));
    return (uint32_t)(compiler->constants.size / sizeof(constant)) - 1;
}

static uint32_t add_plain_string(struct compiler *compiler, struct slice text)
{
    uint32_t offset = (uint32_t)compiler->bytes.size;
    buffer_append(&compiler->bytes, text);
    return add_constant(compiler, CONSTANT_STRING, offset, (uint32_t)text.size);
}

static uint32_t add_number(struct compiler *compiler, uint64_t number)
{
    return add_constant(compiler, CONSTANT_NUMBER, (uint32_t)number, (uint32_t)(number >> 32));
}

/* A string as it stands, or a template of its pieces when it names variables. */
static uint32_t add_string(struct compiler *compiler, const struct tree_string *string)
{
    struct slice rest = string->text;
    struct variable_piece piece;
    uint32_t pieces[VARIABLE_PIECES_MAXIMUM];
    size_t count = 0;
    if (!validator_has(compiler->validator, EXT_VARIABLES) ||
        !memmem(rest.data, rest.size, "${", 2))
        return add_plain_string(compiler, rest);
    bool plain = true;
    while (variable_next_piece(compiler->validator, &compiler->names, string, &rest, &piece)) {
        if (count == VARIABLE_PIECES_MAXIMUM) {
            validator_error(compiler->validator, string->line, string->column,
                            "this string names too many variables");
            break;
        }
        plain &= piece.kind == PIECE_STRING;
        pieces[count++] = piece.kind == PIECE_STRING
                              ? piece_make(PIECE_STRING, add_plain_string(compiler, piece.text))
                              : piece_make(piece.kind, piece.index);
    }
    if (plain)
        return add_plain_string(compiler, string->text);
    uint32_t first = (uint32_t)words_of(&compiler->items);
    for (size_t i = 0; i < count; i++)
        append_word(&compiler->items, pieces[i]);
    return add_constant(compiler, CONSTANT_TEMPLATE, first, (uint32_t)count);
}

static uint32_t add_list(struct compiler *compiler, const struct argument *argument)
{
    uint32_t *members =
        arena_alloc_array(compiler->arena, argument->string_count + 1, sizeof(uint32_t));
    if (!members) {
        compiler->error = ERROR_LIMIT;
        return NO_CONSTANT;
    }
    size_t count = 0;
    for (const struct tree_string *string = argument->strings; string; string = string->next)
        members[count++] = add_string(compiler, string);
    uint32_t first = (uint32_t)words_of(&compiler->items);
    for (size_t i = 0; i < count; i++)
        append_word(&compiler->items, members[i]);
    return add_constant(compiler, CONSTANT_LIST, first, (uint32_t)count);
}

static uint32_t add_variable(struct compiler *compiler, const struct tree_string *name)
{
    uint32_t number = 0;
    validator_needs(compiler->validator, compiler->command, EXT_VARIABLES, "a variable's name ",
                    name->text);
    variable_number(compiler->validator, &compiler->names, name, name->text, &number);
    return number;
}

static uint32_t add_operand(struct compiler *compiler, const struct command *command, char letter,
                            const struct operand *operand)
{
    if (letter == 'w')
        return operand->word;
    if (operand->kind != OPERAND_ARGUMENT)
        return NO_CONSTANT;
    if (letter == 'v' || letter == 'V')
        return add_variable(compiler, operand->argument->strings);
    if (letter == 's' || letter == 'S')
        return add_string(compiler, operand->argument->strings);
    if (letter == 'n' || letter == 'N')
        return add_number(compiler, operand->argument->number);
    uint32_t list = add_list(compiler, operand->argument);
    if (letter != 'k' && letter != 'K')
        return list;
    return add_constant(compiler, CONSTANT_KEYS, list,
                        match_word(command->match, command->comparator, command->relation));
}

/* Commands and tests. */

static uint32_t opcode_of(const struct compiler *compiler, const struct definition *definition)
{
    uint32_t opcode = OP_FIRST_DEFINITION;
    while (opcode_definition(compiler->options, opcode) != definition)
        opcode = opcode_definition(compiler->options, opcode) ? opcode + 1 : OP_FIRST_EXTRA;
    return opcode;
}

static void compile_test(struct compiler *compiler, const struct command *test);

static void compile_defined(struct compiler *compiler, const struct command *command)
{
    const struct definition *definition = command->definition;
    uint32_t words[OPERANDS_MAXIMUM];
    size_t count = strlen(definition->operands);
    if (command->tests)
        compile_test(compiler, command->tests);
    compiler->command = command;
    for (size_t i = 0; i < count; i++)
        words[i] = add_operand(compiler, command, definition->operands[i], &command->operands[i]);
    emit_opcode(compiler, opcode_of(compiler, definition), command);
    for (size_t i = 0; i < count; i++)
        emit(compiler, words[i]);
}

static void compile_test_list(struct compiler *compiler, const struct command *test, uint32_t jump)
{
    uint32_t end = CHAIN_END;
    for (const struct command *inner = test->tests; inner; inner = inner->next) {
        compile_test(compiler, inner);
        if (inner->next)
            emit_jump(compiler, jump, inner, &end);
    }
    land_here(compiler, end);
}

static void compile_test(struct compiler *compiler, const struct command *test)
{
    if (test->skipped) {
        emit_opcode(compiler, OP_FALSE, test);
        return;
    }
    switch ((enum control)test->control) {
    case CONTROL_TRUE:
        emit_opcode(compiler, OP_TRUE, test);
        break;
    case CONTROL_FALSE:
        emit_opcode(compiler, OP_FALSE, test);
        break;
    case CONTROL_IHAVE:
        emit_opcode(compiler, test->operands[0].word ? OP_TRUE : OP_FALSE, test);
        break;
    case CONTROL_NOT:
        compile_test(compiler, test->tests);
        emit_opcode(compiler, OP_NOT, test);
        break;
    case CONTROL_ALLOF:
        compile_test_list(compiler, test, OP_JUMP_FALSE);
        break;
    case CONTROL_ANYOF:
        compile_test_list(compiler, test, OP_JUMP_TRUE);
        break;
    default:
        compile_defined(compiler, test);
        break;
    }
}

static void compile_commands(struct compiler *compiler, const struct command *command);

static void declare_globals(struct compiler *compiler, const struct command *command)
{
    for (const struct tree_string *name = command->arguments->strings; name; name = name->next)
        variable_declare_global(compiler->validator, &compiler->names, name);
}

/* An if with its elsifs and its else; returns the last of them. */
static const struct command *compile_branches(struct compiler *compiler,
                                              const struct command *command)
{
    uint32_t end = CHAIN_END;
    for (;; command = command->next) {
        uint32_t other = CHAIN_END;
        if (command->control != CONTROL_ELSE && !command->test_skipped) {
            compile_test(compiler, command->tests);
            emit_jump(compiler, OP_JUMP_FALSE, command, &other);
        }
        if (!command->skipped)
            compile_commands(compiler, command->block);
        const struct command *next = command->next;
        bool goes_on = next && (next->control == CONTROL_ELSIF || next->control == CONTROL_ELSE);
        if (goes_on)
            emit_jump(compiler, OP_JUMP, command, &end);
        land_here(compiler, other);
        if (!goes_on)
            break;
    }
    land_here(compiler, end);
    return command;
}

static void compile_loop(struct compiler *compiler, const struct command *command)
{
    uint32_t end = CHAIN_END;
    emit_jump(compiler, OP_LOOP, command, &end);
    compile_commands(compiler, command->block);
    emit_opcode(compiler, OP_NEXT, command);
    land_here(compiler, end);
}

static void compile_commands(struct compiler *compiler, const struct command *command)
{
    for (; command; command = command->next) {
        switch ((enum control)command->control) {
        case CONTROL_REQUIRE:
            break;
        case CONTROL_IF:
            command = compile_branches(compiler, command);
            break;
        case CONTROL_STOP:
            emit_opcode(compiler, OP_STOP, command);
            break;
        case CONTROL_RETURN:
            emit_opcode(compiler, OP_RETURN, command);
            break;
        case CONTROL_GLOBAL:
            declare_globals(compiler, command);
            break;
        case CONTROL_FOREVERYPART:
            compile_loop(compiler, command);
            break;
        case CONTROL_BREAK:
            emit_opcode(compiler, OP_BREAK, command);
            emit(compiler, command->operands[0].word);
            break;
        default:
            compile_defined(compiler, command);
            break;
        }
    }
}

/* The whole. */

static uint32_t add_names(struct compiler *compiler)
{
    uint32_t shared[SIEVE_VARIABLES_MAXIMUM];
    for (size_t i = 0; i < compiler->names.count; i++)
        shared[i] = compiler->names.names[i].shared
                        ? add_plain_string(compiler, compiler->names.names[i].name)
                        : NO_CONSTANT;
    uint32_t first = (uint32_t)words_of(&compiler->items);
    for (size_t i = 0; i < compiler->names.count; i++)
        append_word(&compiler->items, shared[i]);
    return first;
}

static uint32_t flags_of(const struct validator *validator)
{
    static const struct {
        enum extension extension;
        uint32_t flag;
    } flags[] = {{EXT_VARIABLES, BYTECODE_VARIABLES},
                 {EXT_REJECT, BYTECODE_REJECT},
                 {EXT_EREJECT, BYTECODE_EREJECT},
                 {EXT_VACATION, BYTECODE_VACATION}};
    uint32_t all = 0;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (validator->has[flags[i].extension] &&
            (flags[i].extension == EXT_VARIABLES || validator->required[flags[i].extension]))
            all |= flags[i].flag;
    return all;
}

static int assemble(struct compiler *compiler, struct buffer *bytecode)
{
    uint32_t names = add_names(compiler);
    uint32_t header[HEADER_WORDS] = {
        [HEADER_MAGIC] = BYTECODE_MAGIC,
        [HEADER_VERSION] = SIEVE_BYTECODE_VERSION,
        [HEADER_FLAGS] = flags_of(compiler->validator),
        [HEADER_CONSTANTS] = (uint32_t)(compiler->constants.size / sizeof(struct constant)),
        [HEADER_ITEMS] = (uint32_t)words_of(&compiler->items),
        [HEADER_CODE] = (uint32_t)words_of(&compiler->code),
        [HEADER_BYTES] = (uint32_t)compiler->bytes.size,
        [HEADER_VARIABLES] = (uint32_t)compiler->names.count,
        [HEADER_NAMES] = names,
    };
    struct buffer *parts[] = {&compiler->constants, &compiler->items, &compiler->code,
                              &compiler->bytes};
    size_t before = bytecode->size;
    buffer_append(bytecode, slice_make(header, sizeof(header)));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (buffer_error(parts[i]))
            compiler->error = buffer_error(parts[i]);
        buffer_append(bytecode, buffer_slice(parts[i]));
    }
    if (bytecode->size - before > SIEVE_BYTECODE_MAXIMUM)
        compiler->error = ERROR_LIMIT;
    if (!compiler->error)
        compiler->error = buffer_error(bytecode);
    if (compiler->error)
        buffer_truncate(bytecode, before);
    return compiler->error;
}

static int compile_tree(struct validator *validator, const struct command *commands,
                        struct buffer *bytecode)
{
    struct compiler compiler = {
        .options = validator->options, .validator = validator, .arena = validator->arena};
    buffer_init(&compiler.constants, SIEVE_CONSTANTS_MAXIMUM * sizeof(struct constant));
    buffer_init(&compiler.items, SIEVE_CONSTANTS_MAXIMUM * sizeof(uint32_t));
    buffer_init(&compiler.code, SIEVE_CODE_MAXIMUM * sizeof(uint32_t));
    buffer_init(&compiler.bytes, SIEVE_BYTECODE_MAXIMUM);
    static const struct command end = {.line = 0};
    compile_commands(&compiler, commands);
    emit_opcode(&compiler, OP_END, &end);
    int error = validator->report->errors ? ERROR_SYNTAX : assemble(&compiler, bytecode);
    if (error == ERROR_LIMIT)
        report_error(validator->report, 1, 1, "the script is too large");
    buffer_release(&compiler.constants);
    buffer_release(&compiler.items);
    buffer_release(&compiler.code);
    buffer_release(&compiler.bytes);
    return error;
}

int compile_parsed(struct command *commands, const struct sieve_options *options,
                   struct arena *arena, struct buffer *bytecode, struct sieve_report *report)
{
    struct validator validator = {.options = options, .report = report, .arena = arena};
    int error = validate_script(&validator, commands);
    if (!error && arena_failed(arena)) {
        report_error(report, 1, 1, "the script is too large");
        error = ERROR_LIMIT;
    }
    if (!error)
        error = compile_tree(&validator, commands, bytecode);
    warn_of_unused(&validator);
    return error;
}

int sieve_compile(struct slice script, const struct sieve_options *options, struct buffer *bytecode,
                  struct sieve_report *report)
{
    struct arena arena;
    struct command *commands = NULL;
    report->errors = report->count = 0;
    arena_init(&arena, TREE_MEMORY_MAXIMUM);
    int error = parse_script(script, &arena, report, &commands);
    if (!error)
        error = compile_parsed(commands, options, &arena, bytecode, report);
    arena_release(&arena);
    return error;
}
