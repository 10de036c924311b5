#include "commands.h"

#include "base/error.h"
#include "render.h"

static int complain(struct run *run, const char *format, ...)
{
    struct test_state *state = run->extra;
    if (state->failed)
        return ERROR_SYNTAX;
    va_list arguments;
    va_start(arguments, format);
    buffer_append_formatv(&state->complaint, format, arguments);
    va_end(arguments);
    state->failed = true;
    state->line = run->line;
    return ERROR_SYNTAX;
}

static bool holds(struct slice text, struct slice part)
{
    return !part.size ||
           (text.size >= part.size && memmem(text.data, text.size, part.data, part.size));
}

static int run_set(struct run *run, const uint32_t *operands)
{
    struct test_state *state = run->extra;
    struct slice name = run_string(run, operands[0]);
    if (!world_set(&state->world, name, run_string(run, operands[1])))
        return complain(run, "there is no \"%.*s\" to be set", SLICE_FORMAT(name));
    run->started = state->world.now;
    run->zone = state->world.zone;
    if (!slice_equal(name, SLICE("message")))
        return 0;
    message_free_changes(&run->message);
    if (message_init(&run->message, state->world.input.message, &run->arena))
        return complain(run, "the message's header is too large");
    return 0;
}

static const struct definition definition_set_world = {
    .name = "test_set", .operands = "ss", .positions = "ab", .run = run_set};

static int run_assert(struct run *run, const uint32_t *operands)
{
    (void)operands;
    return run->truth ? 0 : complain(run, "this does not hold");
}

static const struct definition definition_assert = {
    .name = "test_assert", .operands = "", .positions = "", .takes_test = true, .run = run_assert};

static int run_test_fail(struct run *run, const uint32_t *operands)
{
    struct slice text = run_string(run, operands[0]);
    return complain(run, "%.*s", SLICE_FORMAT(text));
}

static const struct definition definition_test_fail = {
    .name = "test_fail", .operands = "s", .positions = "a", .run = run_test_fail};

static void expected_lines(struct run *run, uint32_t list, struct buffer *lines)
{
    for (size_t i = 0; i < run_list_size(run, list); i++) {
        struct slice line = run_list_at(run, list, i);
        if (line.size)
            buffer_append(lines, line);
        if (line.size)
            buffer_append_byte(lines, '\n');
    }
}

static int compare_lines(struct run *run, struct buffer *found, uint32_t list)
{
    struct buffer expected;
    buffer_init(&expected, 1024 * 1024);
    expected_lines(run, list, &expected);
    int error = 0;
    if (!slice_equal(buffer_slice(found), buffer_slice(&expected)))
        error = complain(run, "expected:\n%.*sfound:\n%.*s", SLICE_FORMAT(buffer_slice(&expected)),
                         SLICE_FORMAT(buffer_slice(found)));
    buffer_release(&expected);
    return error;
}

static int run_actions(struct run *run, const uint32_t *operands)
{
    struct buffer found;
    buffer_init(&found, 1024 * 1024);
    for (size_t i = 0; i < run->action_count; i++) {
        render_action(run->actions[i], &found);
        buffer_append_byte(&found, '\n');
    }
    if (!run->keep_cancelled)
        buffer_append_string(&found, "implicit keep\n");
    int error = compare_lines(run, &found, operands[0]);
    buffer_release(&found);
    return error;
}

static const struct definition definition_actions = {
    .name = "test_actions", .operands = "l", .positions = "a", .run = run_actions};

static int run_test_message(struct run *run, const uint32_t *operands)
{
    struct buffer found;
    struct slice expected = run_string(run, operands[0]), header, body;
    run_message(run, &header, &body);
    buffer_init(&found, SIEVE_MEMORY_MAXIMUM);
    buffer_append(&found, header);
    buffer_append(&found, body);
    int error = 0;
    if (!slice_equal(buffer_slice(&found), expected))
        error = complain(run, "expected:\n%.*sfound:\n%.*s", SLICE_FORMAT(expected),
                         SLICE_FORMAT(buffer_slice(&found)));
    buffer_release(&found);
    return error;
}

static const struct definition definition_message = {
    .name = "test_message", .operands = "s", .positions = "a", .run = run_test_message};

static int run_output(struct run *run, const uint32_t *operands)
{
    struct buffer found;
    uint64_t number = run_number(run, operands[0], 0);
    struct slice part = run_string(run, operands[1]);
    if (!number || number > run->action_count)
        return complain(run, "there are %zu actions", run->action_count);
    buffer_init(&found, SIEVE_MEMORY_MAXIMUM);
    buffer_append(&found, run->actions[number - 1]->header);
    buffer_append(&found, run->actions[number - 1]->body);
    int error = 0;
    if (!holds(buffer_slice(&found), part))
        error = complain(run, "not in the message:\n%.*sfound:\n%.*s", SLICE_FORMAT(part),
                         SLICE_FORMAT(buffer_slice(&found)));
    buffer_release(&found);
    return error;
}

static const struct definition definition_output = {
    .name = "test_output", .operands = "ns", .positions = "ab", .run = run_output};

/* Compilation. */

static void put_problems(const struct sieve_report *report, struct buffer *text)
{
    for (size_t i = 0; i < report->count; i++)
        buffer_append_format(text, "%u:%u: %s\n", report->problems[i].line,
                             report->problems[i].column, report->problems[i].text);
}

static int check_problems(struct run *run, const struct sieve_report *report, uint32_t list)
{
    struct buffer text;
    int error = 0;
    buffer_init(&text, 1024 * 1024);
    put_problems(report, &text);
    for (size_t i = 0; i < run_list_size(run, list) && !error; i++) {
        struct slice part = run_list_at(run, list, i);
        if (!holds(buffer_slice(&text), part))
            error = complain(run, "not said: %.*s\nsaid:\n%.*s", SLICE_FORMAT(part),
                             SLICE_FORMAT(buffer_slice(&text)));
    }
    buffer_release(&text);
    return error;
}

static int compile(struct run *run, uint32_t script, struct sieve_report *report,
                   struct buffer *bytecode)
{
    buffer_init(bytecode, SIEVE_BYTECODE_MAXIMUM);
    return sieve_compile(run_string(run, script), NULL, bytecode, report);
}

static int run_refuses(struct run *run, const uint32_t *operands)
{
    struct sieve_report report;
    struct buffer bytecode;
    int error = compile(run, operands[0], &report, &bytecode);
    buffer_release(&bytecode);
    if (!error)
        return complain(run, "it compiles");
    return check_problems(run, &report, operands[1]);
}

static const struct definition definition_refuses = {
    .name = "test_refuses", .operands = "sl", .positions = "ab", .run = run_refuses};

static int complain_problems(struct run *run, const struct sieve_report *report)
{
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    put_problems(report, &text);
    complain(run, "it is not accepted:\n%.*s", SLICE_FORMAT(buffer_slice(&text)));
    buffer_release(&text);
    return ERROR_SYNTAX;
}

static int run_warns(struct run *run, const uint32_t *operands)
{
    struct sieve_report report;
    struct buffer bytecode;
    int error = compile(run, operands[0], &report, &bytecode);
    buffer_release(&bytecode);
    return error ? complain_problems(run, &report) : check_problems(run, &report, operands[1]);
}

static const struct definition definition_warns = {
    .name = "test_warns", .operands = "sl", .positions = "ab", .run = run_warns};

static int run_accepts(struct run *run, const uint32_t *operands)
{
    struct sieve_report report;
    struct buffer bytecode;
    int error = compile(run, operands[0], &report, &bytecode);
    buffer_release(&bytecode);
    return error || report.count ? complain_problems(run, &report) : 0;
}

static const struct definition definition_accepts = {
    .name = "test_accepts", .operands = "s", .positions = "a", .run = run_accepts};

/* Compiles, loads and runs another script in this world. */
static int run_other(struct run *run, uint32_t script, struct sieve_outcome *outcome)
{
    struct test_state *state = run->extra;
    struct sieve_report report;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    if (compile(run, script, &report, &bytecode)) {
        buffer_release(&bytecode);
        return complain_problems(run, &report);
    }
    int error = sieve_program_load(buffer_slice(&bytecode), NULL, &program);
    buffer_release(&bytecode);
    if (error)
        return complain(run, "the bytecode is not accepted: %s", error_text(error));
    buffer_clear(&state->world.performed);
    error = sieve_run(program, &state->world.input, &state->world.host, outcome);
    sieve_program_free(&program);
    return error ? complain(run, "the run failed: %s", error_text(error)) : 0;
}

static int run_runs(struct run *run, const uint32_t *operands)
{
    struct test_state *state = run->extra;
    struct sieve_outcome outcome;
    int error = run_other(run, operands[0], &outcome);
    if (!error && outcome.failed)
        error = complain(run, "line %u: %s", outcome.line, outcome.text);
    return error ? error : compare_lines(run, &state->world.performed, operands[1]);
}

static const struct definition definition_runs = {
    .name = "test_runs", .operands = "sl", .positions = "ab", .run = run_runs};

static int run_fails(struct run *run, const uint32_t *operands)
{
    struct test_state *state = run->extra;
    struct sieve_outcome outcome;
    int error = run_other(run, operands[0], &outcome);
    struct slice part = run_string(run, operands[1]);
    if (error)
        return error;
    if (!outcome.failed || !holds(slice_from_string(outcome.text), part))
        return complain(run, "expected: %.*s\nfound: %s", SLICE_FORMAT(part), outcome.text);
    if (!slice_equal(buffer_slice(&state->world.performed), SLICE("keep\n")))
        return complain(run, "not kept:\n%.*s",
                        SLICE_FORMAT(buffer_slice(&state->world.performed)));
    return 0;
}

static const struct definition definition_fails = {
    .name = "test_fails", .operands = "ss", .positions = "ab", .run = run_fails};

static const struct definition *const definitions[] = {
    &definition_set_world, &definition_assert, &definition_test_fail, &definition_actions,
    &definition_message,   &definition_output, &definition_refuses,   &definition_warns,
    &definition_accepts,   &definition_runs,   &definition_fails,     NULL};

const struct sieve_options test_options = {.definitions = definitions};
