/*
 * The machine: instructions, strings, variables, the implicit keep.
 *
 *     run_init --> run_program (an included script: the same again) --> run_finish --> perform
 */
#include "sieve/run_priv.h"

#include "base/clock.h"
#include "base/error.h"

int run_fail(struct run *run, const char *format, ...)
{
    if (run->failed)
        return ERROR_SYNTAX;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->outcome->text, sizeof(run->outcome->text), format, arguments);
    va_end(arguments);
    run->failed = true;
    run->outcome->line = run->line;
    return ERROR_SYNTAX;
}

bool run_charge(struct run *run, uint64_t steps)
{
    run->steps += steps;
    if (run->steps <= SIEVE_STEPS_MAXIMUM)
        return true;
    run_fail(run, "the script takes too many steps");
    return false;
}

void *run_alloc(struct run *run, size_t size)
{
    void *memory = arena_alloc(&run->arena, size);
    if (!memory)
        run_fail(run, "the script needs too much memory");
    return memory;
}

struct slice run_copy(struct run *run, struct slice bytes)
{
    char *memory = run_alloc(run, bytes.size + 1);
    if (!memory)
        return slice_make(NULL, 0);
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    return slice_make(memory, bytes.size);
}

void run_trace(struct run *run, const char *format, ...)
{
    if (!run->host->trace)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    run->host->trace(run->host->arg, run->line, slice_from_string(text));
}

struct slice run_user(const struct run *run)
{
    const struct sieve_input *input = run->input;
    return input->envelope_to.size || !input->address_count ? input->envelope_to
                                                            : input->addresses[0];
}

void run_set_variable(struct run *run, uint32_t number, struct slice value)
{
    if (value.size > SIEVE_VARIABLE_MAXIMUM) {
        size_t size = SIEVE_VARIABLE_MAXIMUM;
        while (size && (value.data[size] & 0xc0) == 0x80)
            size--; /* not within a character */
        value.size = size;
    }
    *run->variables[number] = value;
}

/* Constants. */

static struct slice piece_text(const struct run *run, uint32_t piece)
{
    switch (piece_kind(piece)) {
    case PIECE_STRING:
        return run->program->strings[piece_index(piece)];
    case PIECE_VARIABLE:
        return *run->variables[piece_index(piece)];
    default:
        return run->matches[piece_index(piece)];
    }
}

static struct slice expand(struct run *run, const struct constant *constant)
{
    const uint32_t *pieces = run->program->code.items + constant->a;
    size_t size = 0, at = 0;
    for (uint32_t i = 0; i < constant->b; i++)
        size += piece_text(run, pieces[i]).size;
    char *text = run_alloc(run, size + 1);
    for (uint32_t i = 0; text && i < constant->b; i++) {
        struct slice piece = piece_text(run, pieces[i]);
        if (piece.size)
            memcpy(text + at, piece.data, piece.size);
        at += piece.size;
    }
    return slice_make(text, text ? size : 0);
}

struct slice run_string(struct run *run, uint32_t index)
{
    if (index == NO_CONSTANT)
        return slice_make(NULL, 0);
    const struct constant *constant = &run->program->code.constants[index];
    return constant->kind == CONSTANT_STRING ? run->program->strings[index] : expand(run, constant);
}

uint64_t run_number(const struct run *run, uint32_t index, uint64_t otherwise)
{
    if (index == NO_CONSTANT)
        return otherwise;
    const struct constant *constant = &run->program->code.constants[index];
    return (uint64_t)constant->b << 32 | constant->a;
}

size_t run_list_size(const struct run *run, uint32_t index)
{
    return index == NO_CONSTANT ? 0 : run->program->code.constants[index].b;
}

uint32_t run_list_constant(const struct run *run, uint32_t constant, size_t index)
{
    const struct constant *list = &run->program->code.constants[constant];
    return run->program->code.items[list->a + index];
}

struct slice run_list_at(struct run *run, uint32_t constant, size_t index)
{
    return run_string(run, run_list_constant(run, constant, index));
}

const struct slice *run_list(struct run *run, uint32_t index, size_t *count)
{
    size_t size = run_list_size(run, index);
    struct slice *list = size ? run_alloc(run, size * sizeof(*list)) : NULL;
    *count = list ? size : 0;
    for (size_t i = 0; i < *count; i++)
        list[i] = run_list_at(run, index, i);
    return list;
}

/* Instructions. */

static void run_defined(struct run *run, const uint32_t *code)
{
    const struct definition *definition = opcode_definition(run->program->options, code[0]);
    int error = definition->run(run, code + 2);
    if (error && !run->failed)
        run_fail(run, "%s: %s", definition->name, error_text(error));
    if (!error && definition->test)
        run_trace(run, "%s: %s", definition->name, run->truth ? "true" : "false");
}

/* One instruction; returns the next one's index. */
static uint32_t step(struct run *run, const uint32_t *code, uint32_t at)
{
    switch (code[at]) {
    case OP_TRUE:
    case OP_FALSE:
        run->truth = code[at] == OP_TRUE;
        return at + 2;
    case OP_NOT:
        run->truth = !run->truth;
        return at + 2;
    case OP_JUMP:
        return code[at + 2];
    case OP_JUMP_TRUE:
        return run->truth ? code[at + 2] : at + 3;
    case OP_JUMP_FALSE:
        return run->truth ? at + 3 : code[at + 2];
    case OP_LOOP:
        return loop_begin(run, at + 3, code[at + 2]);
    case OP_NEXT:
        return loop_next(run);
    case OP_BREAK:
        return loop_break(run, code[at + 2]);
    default:
        run_defined(run, code + at);
        return at + 2 + (uint32_t)strlen(opcode_operands(run->program->options, code[at]));
    }
}

static int run_code(struct run *run)
{
    const uint32_t *code = run->program->code.code;
    struct loops loops;
    loops_open(run, &loops);
    for (uint32_t at = 0; !run->failed && !run->stopped;) {
        run->line = code[at + 1];
        if (!run_charge(run, 1) || code[at] == OP_END || code[at] == OP_RETURN)
            break;
        if (code[at] == OP_STOP)
            run->stopped = true;
        else
            at = step(run, code, at);
    }
    loops_close(run);
    return run->failed ? ERROR_SYNTAX : 0;
}

/* The place of a variable that scripts share, new or not. */
static struct slice *shared_variable(struct run *run, struct slice name)
{
    for (size_t i = 0; i < run->shared_count; i++)
        if (slice_equal_nocase(run->shared[i].name, name))
            return &run->shared[i].value;
    if (!run->shared)
        run->shared = run_alloc(run, SIEVE_VARIABLES_MAXIMUM * sizeof(*run->shared));
    if (!run->shared)
        return NULL;
    if (run->shared_count == SIEVE_VARIABLES_MAXIMUM)
        return run_fail(run, "scripts may share %d variables", SIEVE_VARIABLES_MAXIMUM), NULL;
    run->shared[run->shared_count].name = name;
    return &run->shared[run->shared_count++].value;
}

static void begin_variables(struct run *run, const struct sieve_program *program)
{
    uint32_t count = program->code.variable_count;
    run->variables = run_alloc(run, count * sizeof(struct slice *));
    struct slice *own = run_alloc(run, count * sizeof(struct slice));
    for (uint32_t i = 0; i < count && !run->failed; i++) {
        uint32_t name = program->code.items[program->code.names + i];
        run->variables[i] =
            name == NO_CONSTANT ? &own[i] : shared_variable(run, program->strings[name]);
    }
}

/* RFC 6785 section 3.11: what is for new mail alone. */
static void check_event(struct run *run, const struct sieve_program *program)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } others[] = {{BYTECODE_REJECT, "reject"},
                  {BYTECODE_EREJECT, "ereject"},
                  {BYTECODE_VACATION, "vacation"}};
    for (size_t i = 0; run->input->event && i < sizeof(others) / sizeof(others[0]); i++)
        if (program->code.flags & others[i].flag)
            run_fail(run, "\"%s\" cannot be required for an IMAP event", others[i].name);
}

int run_program(struct run *run, const struct sieve_program *program)
{
    const struct sieve_program *outer = run->program;
    struct slice **outer_variables = run->variables;
    uint32_t line = run->line;
    run->program = program;
    run->stack[run->depth++] = program;
    check_event(run, program);
    begin_variables(run, program);
    int error = run->failed ? ERROR_SYNTAX : run_code(run);
    run->depth--;
    run->program = outer;
    run->variables = outer_variables;
    run->line = line;
    return error;
}

/* The whole. */

int run_init(struct run *run, const struct sieve_program *program, const struct sieve_input *input,
             const struct sieve_host *host, struct sieve_outcome *outcome)
{
    *outcome = (struct sieve_outcome){0};
    *run = (struct run){.program = program, .input = input, .host = host, .outcome = outcome};
    arena_init(&run->arena, SIEVE_MEMORY_MAXIMUM);
    buffer_init(&run->scratch, SIEVE_MEMORY_MAXIMUM);
    run->started = host->now ? host->now(host->arg, &run->zone) : clock_wall();
    if (message_init(&run->message, input->message, &run->arena))
        run_fail(run, "the message's header is too large");
    if (input->event)
        begin_flags(run, input->flags, input->flag_count);
    return 0;
}

void run_finish(struct run *run)
{
    struct slice inbox = {"INBOX", 5};
    struct slice header, body;
    run->line = 0;
    if (!run->failed && !run->keep_cancelled)
        run_message(run, &header, &body); /* may fail */
    if (run->failed) {
        run->action_count = 0;
        run->keep_cancelled = run->has_flags = false;
    }
    if (!run->keep_cancelled) {
        struct sieve_action *keep = &run->implicit_keep;
        *keep =
            (struct sieve_action){.kind = SIEVE_KEEP, .target = inbox, .body = run->input->message};
        if (!run->failed)
            run_message(run, &keep->header, &keep->body);
        action_flags(run, keep, NO_CONSTANT);
        run->actions[run->action_count++] = keep;
    }
    for (size_t i = 0; i < run->action_count; i++)
        run->outcome->kept |= run->actions[i]->kind == SIEVE_KEEP;
    run->outcome->failed = run->failed;
    run->outcome->actions = run->action_count;
    run->outcome->steps = run->steps;
}

/* RFC 7352 section 3: only when the script has ended well, and what it wanted was done. */
static int mark_duplicates(struct run *run)
{
    int error = 0;
    for (size_t i = 0; i < run->mark_count && !error && run->host->duplicate_mark; i++)
        error = run->host->duplicate_mark(run->host->arg, run->marks[i].key, run->marks[i].seconds);
    return error;
}

void run_release(struct run *run)
{
    message_free_changes(&run->message);
    buffer_release(&run->scratch);
    arena_release(&run->arena);
}

int sieve_run(const struct sieve_program *program, const struct sieve_input *input,
              const struct sieve_host *host, struct sieve_outcome *outcome)
{
    struct run run;
    int error = run_init(&run, program, input, host, outcome);
    if (!error) {
        if (!run.failed)
            run_program(&run, program);
        run_finish(&run);
        for (size_t i = 0; i < run.action_count && !error; i++)
            error = host->perform(host->arg, run.actions[i]);
        if (!error && !run.failed)
            error = mark_duplicates(&run);
    }
    run_release(&run);
    return error;
}
