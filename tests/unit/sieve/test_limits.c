/*
 * Limits of scripts that tests written in Sieve are too small for: what is as large as may be
 * works, one more is refused by name.
 */
#include "../check.h"

#include "base/error.h"
#include "sieve/run_priv.h"
#include "sieve/variables_priv.h"
#include "world.h"

static struct sieve_report report;

/* head, the piece `count` times with %u for its number, tail. */
static void make_script(struct buffer *script, const char *head, const char *before,
                        const char *after, unsigned count, const char *tail)
{
    buffer_init(script, SIEVE_SCRIPT_MAXIMUM);
    buffer_append_string(script, head);
    for (unsigned i = 0; i < count; i++)
        buffer_append_format(script, "%s%u%s", before, i, after);
    buffer_append_string(script, tail);
    assert_int_equal(buffer_error(script), 0);
}

/* Frees the script. problem NULL: it compiles. */
static void check_compiles(struct buffer *script, const char *problem)
{
    struct buffer bytecode;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(buffer_slice(script), NULL, &bytecode, &report);
    if (problem) {
        assert_true(error != 0 && report.errors > 0);
        assert_string_equal(report.problems[0].text, problem);
    } else {
        assert_int_equal(error, 0);
    }
    buffer_release(&bytecode);
    buffer_release(script);
}

/* Frees the script. message.data NULL: the world's; problem NULL: it runs to its end, and nothing
 * goes to the mailbox "wrong". */
static void check_runs_for(struct buffer *script, struct slice message, const char *problem)
{
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    struct world world;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    assert_int_equal(sieve_compile(buffer_slice(script), NULL, &bytecode, &report), 0);
    assert_int_equal(sieve_program_load(buffer_slice(&bytecode), NULL, &program), 0);
    world_init(&world, NULL);
    assert_true(world_set(&world, SLICE("personal:empty"), SLICE("")));
    if (message.data)
        world.input.message = message;
    assert_int_equal(sieve_run(program, &world.input, &world.host, &outcome), 0);
    assert_int_equal(outcome.failed, problem != NULL);
    if (problem)
        assert_string_equal(outcome.text, problem);
    assert_null(memmem(world.performed.data, world.performed.size, "wrong", 5));
    world_release(&world);
    sieve_program_free(&program);
    buffer_release(&bytecode);
    buffer_release(script);
}

static void check_runs(struct buffer *script, const char *problem)
{
    check_runs_for(script, slice_make(NULL, 0), problem);
}

static void test_variables(void **state)
{
    (void)state;
    static const char head[] = "require \"variables\";";
    struct buffer script;
    make_script(&script, head, "set \"v", "\" \"x\";", SIEVE_VARIABLES_MAXIMUM, "");
    check_compiles(&script, NULL);
    make_script(&script, head, "set \"v", "\" \"x\";", SIEVE_VARIABLES_MAXIMUM + 1, "");
    check_compiles(&script, "a script may have 256 variables");
}

static void test_pieces_of_a_string(void **state)
{
    (void)state;
    static const char head[] = "require \"variables\"; set \"a\" \"x\"; set \"b\" \"";
    struct buffer script;
    /* "N${a}": two pieces each. */
    make_script(&script, head, "", "${a}", VARIABLE_PIECES_MAXIMUM / 2, "\";");
    check_compiles(&script, NULL);
    make_script(&script, head, "", "${a}", VARIABLE_PIECES_MAXIMUM / 2, "y\";");
    check_compiles(&script, "this string names too many variables");
}

/* SIEVE_VARIABLE_MAXIMUM: of a value that is written in the script. */
static void test_constant_value(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buffer script;
        make_script(&script, "require \"variables\"; set \"a\" \"", "", "", 0, "");
        for (int i = 0; i < SIEVE_VARIABLE_MAXIMUM + more; i++)
            buffer_append_byte(&script, 'x');
        buffer_append_string(&script, "\";");
        check_compiles(&script, more ? "a variable holds at most 16384 bytes" : NULL);
    }
}

static void put_regex(struct buffer *script, const char *part, int count)
{
    make_script(script, "require \"regex\"; if header :regex \"a\" \"", "", "", 0, "");
    for (int i = 0; i < count; i++)
        buffer_append_string(script, part);
    buffer_append_string(script, "\" {}");
}

static void test_regex_size(void **state)
{
    (void)state;
    struct buffer script;
    put_regex(&script, "x", SIEVE_REGEX_MAXIMUM);
    check_compiles(&script, NULL);
    put_regex(&script, "x", SIEVE_REGEX_MAXIMUM + 1);
    check_compiles(&script, "a regular expression may have 1024 bytes");
}

/* SIEVE_REGEX_MEMORY_MAXIMUM, or PCRE2's own limit where that is less: a few bytes of a pattern may
 * stand for very many, and are refused. */
static void test_regex_memory(void **state)
{
    (void)state;
    struct buffer script, bytecode;
    put_regex(&script, "(((x{250}){250}){250}){250}", 1);
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    assert_true(sieve_compile(buffer_slice(&script), NULL, &bytecode, &report) != 0);
    assert_non_null(strstr(report.problems[0].text, "too large"));
    buffer_release(&bytecode);
    buffer_release(&script);
}

static void test_includes(void **state)
{
    (void)state;
    static const char head[] = "require \"include\";#", line[] = "\ninclude \"empty\";#";
    struct buffer script;
    make_script(&script, head, "", line, SIEVE_INCLUDES_MAXIMUM, "\n");
    check_runs(&script, NULL);
    make_script(&script, head, "", line, SIEVE_INCLUDES_MAXIMUM + 1, "\n");
    check_runs(&script, "more than 100 scripts are included");
}

static void test_duplicate_marks(void **state)
{
    (void)state;
    static const char head[] = "require \"duplicate\";";
    struct buffer script;
    make_script(&script, head, "if duplicate :uniqueid \"", "\" {}", RUN_MARKS_MAXIMUM, "");
    check_runs(&script, NULL);
    make_script(&script, head, "if duplicate :uniqueid \"", "\" {}", RUN_MARKS_MAXIMUM + 1, "");
    check_runs(&script, "the script tracks more than 32 duplicates");
}

/* FIELD_MAXIMUM of ext_editheader.c. */
static void test_added_field(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buffer script;
        make_script(&script, "require \"editheader\"; addheader \"X\" \"", "", "", 0, "");
        for (int i = 0; i < 4096 + more; i++)
            buffer_append_byte(&script, 'x');
        buffer_append_string(&script, "\";");
        check_runs(&script, more ? "a header field may have 4096 bytes" : NULL);
    }
}

/* FLAGS_MAXIMUM of ext_imap4flags.c: a set takes no more, and the script goes on. */
static void test_flags(void **state)
{
    (void)state;
    for (unsigned more = 0; more <= 1; more++) {
        struct buffer script;
        make_script(&script, "require [\"imap4flags\", \"fileinto\"]; setflag [\"a\"", ", \"k",
                    "\"", 255 + more, "];");
        /* The last one is in the set as long as there was room for it. */
        buffer_append_format(&script, "if %shasflag \"k%u\" { fileinto \"wrong\"; }",
                             more ? "" : "not ", 254 + more);
        check_runs(&script, NULL);
    }
}

/* VACATION_ADDRESSES_MAXIMUM of ext_vacation.c. */
static void test_vacation_addresses(void **state)
{
    (void)state;
    for (unsigned more = 0; more <= 1; more++) {
        struct buffer script;
        make_script(&script, "require \"vacation\"; vacation :addresses [\"a@example.org\"",
                    ", \"b", "@example.org\"", 99 + more, "] \"away\";");
        check_runs(&script, more ? "vacation: there are more than 100 addresses" : NULL);
    }
}

/* NOTIFY_OPTIONS_MAXIMUM of ext_enotify.c. */
static void test_notify_options(void **state)
{
    (void)state;
    for (unsigned more = 0; more <= 1; more++) {
        struct buffer script;
        make_script(&script, "require \"enotify\"; notify :options [\"a=1\"", ", \"b", "=1\"",
                    15 + more, "] \"mailto:a@example.org\";");
        check_runs(&script, more ? "notify: there are more than 16 options" : NULL);
    }
}

static void test_snooze_times(void **state)
{
    struct buffer script;
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        make_script(&script, "require \"snooze\"; snooze [\"09:00\"", ", \"10:00:00\" #", "\n",
                    SIEVE_SNOOZE_TIMES_MAXIMUM - 1 + more, "];");
        check_compiles(&script, more ? "snooze takes 100 times at most" : NULL);
    }
}

/* SIEVE_CHANGED_MAXIMUM: one text of the message may be larger, several together not. */
static void test_changed(void **state)
{
    (void)state;
    static const struct {
        size_t mebibytes;
        unsigned times;
        bool too_many;
    } cases[] = {{30, 2, false}, {30, 3, true}, {66, 1, false}, {66, 2, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer script, message;
        buffer_init(&message, 70 * 1024 * 1024);
        buffer_append_string(&message, "From: a@x.example\r\n\r\n");
        char *body = buffer_reserve(&message, cases[i].mebibytes << 20);
        assert_non_null(body);
        memset(body, 'x', cases[i].mebibytes << 20);
        buffer_commit(&message, cases[i].mebibytes << 20);
        make_script(&script, "require \"enclose\";", "enclose \"", "\";", cases[i].times, "");
        check_runs_for(&script, buffer_slice(&message),
                       cases[i].too_many ? "the message is changed too often for its size" : NULL);
        buffer_release(&message);
    }
}

/* SUBJECT_MAXIMUM of ext_replace.c, ENCLOSE_SUBJECT_MAXIMUM of ext_enclose.c. */
static void test_subjects(void **state)
{
    (void)state;
    static const char *const commands[] = {"replace", "enclose"};
    for (int i = 0; i < 4; i++) {
        struct buffer script;
        bool more = i % 2;
        buffer_init(&script, SIEVE_SCRIPT_MAXIMUM);
        buffer_append_format(&script, "require \"%s\"; %s :subject \"", commands[i / 2],
                             commands[i / 2]);
        for (int j = 0; j < 4096 + more; j++)
            buffer_append_byte(&script, 'x');
        buffer_append_string(&script, "\" \"text\";");
        check_runs(&script, more ? "a subject may have 4096 bytes" : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables),       cmocka_unit_test(test_pieces_of_a_string),
        cmocka_unit_test(test_constant_value),  cmocka_unit_test(test_regex_size),
        cmocka_unit_test(test_regex_memory),    cmocka_unit_test(test_includes),
        cmocka_unit_test(test_duplicate_marks), cmocka_unit_test(test_added_field),
        cmocka_unit_test(test_flags),           cmocka_unit_test(test_vacation_addresses),
        cmocka_unit_test(test_notify_options),  cmocka_unit_test(test_changed),
        cmocka_unit_test(test_subjects),        cmocka_unit_test(test_snooze_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
