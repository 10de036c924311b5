/*
 * What tests written in Sieve cannot reach: damaged and foreign bytecode, scripts cut anywhere, and
 * the limits that take large scripts.
 */
#include "../check.h"

#include "base/error.h"
#include "sieve/bytecode_priv.h"
#include "sieve/match_priv.h"
#include "world.h"

static struct sieve_report report;

static int compile(const char *script, struct buffer *bytecode)
{
    buffer_init(bytecode, SIEVE_BYTECODE_MAXIMUM);
    return sieve_compile(slice_from_string(script), NULL, bytecode, &report);
}

static const char long_script[] =
    "require [\"fileinto\", \"envelope\", \"variables\"];\r\n"
    "/* a comment */ if anyof (header :contains [\"Subject\", \"X\"] \"a\\\"b\", not allof (true,\n"
    "size :over 10K)) { fileinto text: # here\r\nINBOX\r\n..x\r\n.\r\n; stop; } elsif envelope\n"
    ":comparator \"i;octet\" :matches \"from\" \"*@*\" { redirect \"${1}@b.example\"; } else\n"
    "{ discard; }\n";

/* However a script is cut, it compiles or an error is reported, and nothing else happens. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(long_script); size++) {
        struct buffer bytecode;
        buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
        char *copy = malloc(size + 1); /* its end is the sanitizer's */
        assert_non_null(copy);
        memcpy(copy, long_script, size);
        int error = sieve_compile(slice_make(copy, size), NULL, &bytecode, &report);
        assert_int_equal(error != 0, report.errors > 0);
        if (error)
            assert_int_equal(bytecode.size, 0);
        free(copy);
        buffer_release(&bytecode);
    }
}

/* Any byte at any place of a script is taken or refused. */
static void test_any_byte_anywhere(void **state)
{
    (void)state;
    char copy[sizeof(long_script)];
    static const char bytes[] = {'\0', '"',  '\\', '{', '[',    '(', ';',
                                 ':',  '\n', '\r', 'G', '\xff', '.'};
    for (size_t i = 0; i + 1 < sizeof(long_script); i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) {
            struct buffer bytecode;
            memcpy(copy, long_script, sizeof(copy));
            copy[i] = bytes[j];
            buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
            int error = sieve_compile(slice_make(copy, sizeof(copy) - 1), NULL, &bytecode, &report);
            assert_int_equal(error != 0, report.errors > 0);
            buffer_release(&bytecode);
        }
    }
}

/* RFC 5228 section 8.1: no NUL in a string. */
static void test_nul(void **state)
{
    (void)state;
    struct buffer bytecode;
    static const char script[] = "redirect \"a\0b\";";
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    assert_int_equal(
        sieve_compile(slice_make(script, sizeof(script) - 1), NULL, &bytecode, &report),
        ERROR_SYNTAX);
    assert_string_equal(report.problems[0].text, "this string holds a NUL byte");
    buffer_release(&bytecode);
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    struct buffer bytecode;
    assert_int_equal(compile("\xef\xbb\xbf"
                             "keep;",
                             &bytecode),
                     0);
    buffer_release(&bytecode);
    assert_int_equal(compile("keep;\xef\xbb\xbf", &bytecode), ERROR_SYNTAX);
    buffer_release(&bytecode);
}

static void test_version_and_magic(void **state)
{
    (void)state;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    assert_int_equal(compile(long_script, &bytecode), 0);
    uint32_t *words = (uint32_t *)(void *)bytecode.data;
    words[HEADER_VERSION]++;
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program),
                     ERROR_UNSUPPORTED);
    words[HEADER_VERSION]--;
    words[HEADER_MAGIC] = __builtin_bswap32(words[HEADER_MAGIC]);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), ERROR_CORRUPT);
    words[HEADER_MAGIC] = __builtin_bswap32(words[HEADER_MAGIC]);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), 0);
    sieve_program_free(&program);
    assert_null(program);
    buffer_release(&bytecode);
}

/* Cut or longer bytecode is refused, whatever its length. */
static void test_bytecode_size(void **state)
{
    (void)state;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    assert_int_equal(compile(long_script, &bytecode), 0);
    for (size_t size = 0; size < bytecode.size; size++)
        assert_int_equal(sieve_program_load(slice_make(bytecode.data, size), NULL, &program),
                         ERROR_CORRUPT);
    buffer_append_byte(&bytecode, 0);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), ERROR_CORRUPT);
    buffer_release(&bytecode);
}

static void run_it(const struct sieve_program *program, struct sieve_outcome *outcome)
{
    struct world world;
    world_init(&world, NULL);
    assert_int_equal(sieve_run(program, &world.input, &world.host, outcome), 0);
    world_release(&world);
}

/* Every word of a program set to every value that is near to being right: refused, or safe. */
static void test_damaged_words(void **state)
{
    (void)state;
    struct buffer bytecode;
    assert_int_equal(compile(long_script, &bytecode), 0);
    uint32_t *words = (uint32_t *)(void *)bytecode.data;
    size_t passed = 0, refused = 0;
    for (size_t i = 0; i < bytecode.size / sizeof(uint32_t); i++) {
        uint32_t good = words[i];
        for (unsigned v = 0; v < 48; v++) {
            static const uint32_t far[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x40000000};
            struct sieve_program *program = NULL;
            struct sieve_outcome outcome;
            words[i] = v < 4 ? far[v] : v < 14 ? good + v - 9 : v - 14;
            if (sieve_program_load(buffer_slice(&bytecode), NULL, &program) == 0) {
                run_it(program, &outcome);
                passed++;
            } else {
                refused++;
            }
            sieve_program_free(&program);
        }
        words[i] = good;
    }
    assert_true(passed > 0 && refused > 0);
    buffer_release(&bytecode);
}

/* A program of core instructions alone: just its code. */
static int load_code(const uint32_t *code, size_t count)
{
    uint32_t words[HEADER_WORDS + 64] = {[HEADER_MAGIC] = BYTECODE_MAGIC,
                                         [HEADER_VERSION] = SIEVE_BYTECODE_VERSION,
                                         [HEADER_CODE] = (uint32_t)count};
    struct sieve_program *program = NULL;
    memcpy(words + HEADER_WORDS, code, count * sizeof(uint32_t));
    int error = sieve_program_load(slice_make(words, (HEADER_WORDS + count) * sizeof(uint32_t)),
                                   NULL, &program);
    sieve_program_free(&program);
    return error;
}

#define LOAD(...)                                                                                  \
    load_code((const uint32_t[]){__VA_ARGS__},                                                     \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void test_jumps(void **state)
{
    (void)state;
    assert_int_equal(LOAD(OP_END, 1), 0);
    assert_int_equal(LOAD(OP_JUMP, 1, 3, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_JUMP, 1, 0, OP_END, 1), ERROR_CORRUPT);             /* to itself */
    assert_int_equal(LOAD(OP_TRUE, 1, OP_JUMP, 1, 0, OP_END, 1), ERROR_CORRUPT); /* back */
    assert_int_equal(LOAD(OP_JUMP, 1, 4, OP_END, 1), ERROR_CORRUPT); /* into an instruction */
    assert_int_equal(LOAD(OP_JUMP, 1, 5, OP_END, 1), ERROR_CORRUPT); /* behind the end */
    assert_int_equal(LOAD(OP_TRUE, 1), ERROR_CORRUPT);               /* no end */
    assert_int_equal(LOAD(OP_END), ERROR_CORRUPT);                   /* cut */
    assert_int_equal(LOAD(OP_CORE_COUNT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_FIRST_EXTRA, 1, OP_END, 1), ERROR_CORRUPT);
}

static void test_loops(void **state)
{
    (void)state;
    assert_int_equal(LOAD(OP_LOOP, 1, 5, OP_NEXT, 1, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_LOOP, 1, 3, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_LOOP, 1, 7, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_LOOP, 1, 7, OP_TRUE, 1, OP_TRUE, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_BREAK, 1, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_BREAK, 1, 1, OP_NEXT, 1, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_BREAK, 1, 2, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_BREAK, 1, 0, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    /* One in another, and two that cross. */
    assert_int_equal(LOAD(OP_LOOP, 1, 10, OP_LOOP, 1, 8, OP_NEXT, 1, OP_NEXT, 1, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_LOOP, 1, 10, OP_NEXT, 1, OP_NEXT, 1, OP_END, 1),
                     ERROR_CORRUPT);
    /* Jumps: within, over the whole, out, in. */
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_JUMP, 1, 6, OP_NEXT, 1, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_JUMP, 1, 8, OP_LOOP, 1, 8, OP_NEXT, 1, OP_END, 1), 0);
    assert_int_equal(LOAD(OP_LOOP, 1, 8, OP_JUMP, 1, 8, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
    assert_int_equal(LOAD(OP_JUMP, 1, 6, OP_LOOP, 1, 8, OP_NEXT, 1, OP_END, 1), ERROR_CORRUPT);
}

/* Limits. */

static void put_many(struct buffer *script, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_string(script, text);
}

static int compile_buffer(struct buffer *script, struct buffer *bytecode)
{
    buffer_init(bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(buffer_slice(script), NULL, bytecode, &report);
    buffer_release(script);
    return error;
}

static void test_script_size(void **state)
{
    (void)state;
    struct buffer script, bytecode;
    buffer_init(&script, 2 * SIEVE_SCRIPT_MAXIMUM);
    put_many(&script, "#23456789012345\n", SIEVE_SCRIPT_MAXIMUM / 16);
    assert_int_equal(compile_buffer(&script, &bytecode), 0);
    buffer_release(&bytecode);
    put_many(&script, "#23456789012345\n", SIEVE_SCRIPT_MAXIMUM / 16);
    buffer_append_byte(&script, '#');
    assert_int_equal(compile_buffer(&script, &bytecode), ERROR_LIMIT);
    assert_int_equal(report.errors, 1);
    buffer_release(&bytecode);
}

static void test_string_size(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buffer script, bytecode;
        buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
        buffer_append_string(&script, "if header \"a\" \"");
        put_many(&script, "x", SIEVE_STRING_MAXIMUM + more);
        buffer_append_string(&script, "\" { keep; }");
        assert_int_equal(compile_buffer(&script, &bytecode), more ? ERROR_SYNTAX : 0);
        if (more)
            assert_string_equal(report.problems[0].text, "this string is too long");
        buffer_release(&bytecode);
    }
}

/* A list of n strings takes n constants and four more. */
static void test_constants(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buffer script, bytecode;
        buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
        buffer_append_string(&script, "if header [\"a\"");
        put_many(&script, ",\"a\"", SIEVE_CONSTANTS_MAXIMUM - 5 + more);
        buffer_append_string(&script, "] \"b\" { keep; }");
        assert_int_equal(compile_buffer(&script, &bytecode), more ? ERROR_LIMIT : 0);
        buffer_release(&bytecode);
    }
}

static void test_code_size(void **state)
{
    (void)state;
    struct buffer script, bytecode;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    put_many(&script, "keep;", SIEVE_CODE_MAXIMUM / 2);
    assert_int_equal(compile_buffer(&script, &bytecode), ERROR_LIMIT);
    assert_string_equal(report.problems[0].text, "the script is too large");
    buffer_release(&bytecode);
}

static void test_problem_count(void **state)
{
    (void)state;
    struct buffer script, bytecode;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    put_many(&script, "explode;", 100);
    assert_int_equal(compile_buffer(&script, &bytecode), ERROR_SYNTAX);
    assert_int_equal(report.errors, 100);
    assert_int_equal(report.count, SIEVE_PROBLEMS_MAXIMUM);
    buffer_release(&bytecode);
}

static void expect_failure(struct buffer *script, struct slice message, const char *text)
{
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    struct world world;
    assert_int_equal(compile_buffer(script, &bytecode), 0);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), 0);
    world_init(&world, NULL);
    if (message.data)
        world.input.message = message;
    assert_int_equal(sieve_run(program, &world.input, &world.host, &outcome), 0);
    assert_string_equal(outcome.text, text);
    assert_true(outcome.failed && outcome.kept);
    assert_slice_equal(buffer_slice(&world.performed), "keep\n");
    world_release(&world);
    sieve_program_free(&program);
    buffer_release(&bytecode);
}

static void test_actions(void **state)
{
    (void)state;
    struct buffer script;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    buffer_append_string(&script, "require \"fileinto\";");
    for (unsigned i = 0; i < SIEVE_ACTIONS_MAXIMUM; i++)
        buffer_append_format(&script, "fileinto \"%u\";", i);
    expect_failure(&script, slice_make(NULL, 0), "the script has more than 63 actions");
}

static void test_steps(void **state)
{
    (void)state;
    struct buffer script, message;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    buffer_init(&message, SIEVE_SCRIPT_MAXIMUM);
    buffer_append_string(&message, "Subject: ");
    put_many(&message, "x", 64 * 1024);
    buffer_append_string(&message, "\r\n\r\n");
    put_many(&script, "if header :contains \"subject\" [\"a\", \"b\"] { keep; }",
             SIEVE_STEPS_MAXIMUM / 1024);
    expect_failure(&script, buffer_slice(&message), "the script takes too many steps");
    buffer_release(&message);
}

/* A pattern that would be compared a thousand million times. */
static void test_pattern_steps(void **state)
{
    (void)state;
    struct buffer script, message;
    buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
    buffer_init(&message, SIEVE_SCRIPT_MAXIMUM);
    buffer_append_string(&message, "Subject: ");
    put_many(&message, "x", 60 * 1024);
    buffer_append_string(&message, "\r\n\r\n");
    buffer_append_string(&script, "if header :matches \"subject\" \"*");
    put_many(&script, "x", 20 * 1024);
    buffer_append_string(&script, "?y\" { discard; }");
    expect_failure(&script, buffer_slice(&message), "a pattern takes too long to be compared");
    buffer_release(&message);
}

static void test_spans(void **state)
{
    (void)state;
    struct match_span spans[3];
    size_t used;
    assert_int_equal(glob_match(SLICE("abcbd"), SLICE("*b?*"), true, spans, 3, &used), GLOB_YES);
    assert_int_equal(used, 3);
    assert_int_equal(spans[0].size, 1);
    assert_int_equal(spans[1].offset, 2);
    assert_int_equal(spans[2].offset, 3);
    assert_int_equal(spans[2].size, 2);
    assert_int_equal(glob_match(SLICE("abcbd"), SLICE("*b?"), true, spans, 1, &used), GLOB_YES);
    assert_int_equal(used, 2); /* one more than there was room for */
    assert_int_equal(spans[0].size, 3);
}

static void test_disabled(void **state)
{
    (void)state;
    static const char *const disabled[] = {"fileinto", NULL};
    static const struct sieve_options options = {.disabled = disabled};
    struct buffer bytecode;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    assert_int_equal(
        sieve_compile(SLICE("require \"fileinto\"; fileinto \"a\";"), &options, &bytecode, &report),
        ERROR_SYNTAX);
    buffer_release(&bytecode);
}

/* What perform returns is what the run returns; later actions are not tried. */
static int refuse(void *arg, const struct sieve_action *action)
{
    (void)action;
    ++*(unsigned *)arg;
    return ERROR_SPACE;
}

static void test_perform_fails(void **state)
{
    (void)state;
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    unsigned calls = 0;
    struct sieve_host host = {.arg = &calls, .perform = refuse};
    struct sieve_input input = {.message = SLICE("A: b\r\n\r\n")};
    assert_int_equal(compile("keep; redirect \"a@b.example\";", &bytecode), 0);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), 0);
    assert_int_equal(sieve_run(program, &input, &host, &outcome), ERROR_SPACE);
    assert_int_equal(calls, 1);
    sieve_program_free(&program);
    buffer_release(&bytecode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),  cmocka_unit_test(test_any_byte_anywhere),
        cmocka_unit_test(test_nul),           cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_bytecode_size), cmocka_unit_test(test_version_and_magic),
        cmocka_unit_test(test_damaged_words), cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_loops),         cmocka_unit_test(test_script_size),
        cmocka_unit_test(test_string_size),   cmocka_unit_test(test_constants),
        cmocka_unit_test(test_code_size),     cmocka_unit_test(test_problem_count),
        cmocka_unit_test(test_actions),       cmocka_unit_test(test_steps),
        cmocka_unit_test(test_pattern_steps), cmocka_unit_test(test_spans),
        cmocka_unit_test(test_disabled),      cmocka_unit_test(test_perform_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
