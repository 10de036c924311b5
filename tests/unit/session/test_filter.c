/*
 * Compiled scripts that are kept, and the results of filters in front.
 */
#include "base/error.h"
#include "session/sieve/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- programs --- */

static struct kept_program *compile(struct programs *programs, uint64_t script, uint64_t version)
{
    static struct sieve_report report;
    const struct program_key key = {.script = script, .version = version};
    struct kept_program *kept = NULL;
    assert_int_equal(programs_compile(programs, &key, SLICE("keep;"), &kept, &report), 0);
    assert_non_null(kept->program);
    return kept;
}

/* The one that is kept, or NULL; it is in use then. */
static struct kept_program *find(struct programs *programs, const struct program_key *key)
{
    struct kept_program *kept = NULL;
    int error = programs_find(programs, key, &kept);
    assert_true(error == 0 || error == ERROR_NOT_FOUND);
    return error ? NULL : kept;
}

static bool has(struct programs *programs, uint64_t script, uint64_t version)
{
    struct kept_program *kept =
        find(programs, &(struct program_key){.script = script, .version = version});
    if (!kept)
        return false;
    programs_give_back(programs, &kept);
    assert_null(kept);
    return true;
}

static void programs_are_kept_by_their_key(void **state)
{
    (void)state;
    struct programs *programs = NULL;
    assert_int_equal(programs_create(1024 * 1024, &programs), 0);
    assert_false(has(programs, 1, 1));
    struct kept_program *kept = compile(programs, 1, 1);
    const struct sieve_program *program = kept->program;
    programs_give_back(programs, &kept);
    kept = find(programs, &(struct program_key){.script = 1, .version = 1});
    assert_ptr_equal(kept->program, program);
    programs_give_back(programs, &kept);
    assert_false(has(programs, 1, 2) || has(programs, 2, 1));
    const struct program_key other = {.owner = {{1}}, .script = 1, .version = 1};
    assert_null(find(programs, &other));
    /* Two who compile the same at once have one in the end: an include knows a script by it. */
    struct kept_program *first = compile(programs, 3, 1), *second = compile(programs, 3, 1);
    assert_ptr_equal(first, second);
    programs_give_back(programs, &first);
    assert_true(has(programs, 3, 1));
    programs_give_back(programs, &second);
    assert_true(has(programs, 3, 1));
    programs_free(&programs);
    assert_null(programs);
}

static void programs_have_a_maximum(void **state)
{
    (void)state;
    struct programs *programs = NULL;
    assert_int_equal(programs_create(1024 * 1024, &programs), 0);
    struct kept_program *used = compile(programs, 0, 1), *kept;
    unsigned count = 1024 * 1024 / sieve_program_memory(used->program) + 2;
    for (unsigned i = 1; i <= count; i++) {
        kept = compile(programs, i, 1);
        programs_give_back(programs, &kept);
        assert_true(has(programs, 1, 1)); /* which is used again and again */
    }
    assert_true(has(programs, count, 1));
    assert_false(has(programs, 2, 1));
    assert_true(has(programs, 0, 1)); /* in use all the time */
    programs_give_back(programs, &used);
    programs_free(&programs);
    assert_int_equal(programs_create(1, &programs), 0);
    kept = compile(programs, 1, 1);
    programs_give_back(programs, &kept);
    assert_false(has(programs, 1, 1));
    programs_free(&programs);
}

static void what_cannot_be_compiled_is_not_kept(void **state)
{
    (void)state;
    struct programs *programs = NULL;
    struct kept_program *kept = NULL;
    static struct sieve_report report;
    const struct program_key key = {.script = 1, .version = 1};
    assert_int_equal(programs_create(1024 * 1024, &programs), 0);
    assert_int_equal(programs_compile(programs, &key, SLICE("explode;"), &kept, &report),
                     ERROR_SYNTAX);
    assert_int_equal(report.errors, 1);
    assert_null(kept);
    assert_false(has(programs, 1, 1));
    programs_free(&programs);
}

/* --- filters in front --- */

static void assert_says(int (*ask)(struct slice message, struct buffer *value), const char *header,
                        const char *wanted)
{
    struct buffer message, value;
    buffer_init(&message, 4096);
    buffer_init(&value, 16);
    buffer_append_format(&message, "Subject: x\r\n%s\r\nTo: y\r\n\r\nX-Spam: Yes\r\n", header);
    int error = ask(buffer_slice(&message), &value);
    buffer_append_byte(&value, '\0');
    if (strcmp(error ? error_name(error) : value.data, wanted) != 0)
        fail_msg("%s: %s, not %s", header, error ? error_name(error) : value.data, wanted);
    buffer_release(&message);
    buffer_release(&value);
}

static void spam_scores(void **state)
{
    static const char *const cases[][2] = {
        {"X-Spam-Status: Yes, score=7.3 required=5.0 tests=A,B", "100"},
        {"X-Spam-Status: No, score=2.5 required=5.0", "50"},
        {"X-Spam-Status: No, score=0.049 required=5.0", "0"},
        {"X-Spam-Status: No, score=-1.9 required=5.0", "0"},
        {"X-Spam-Status: No,\r\n\tscore=4 required=5", "80"},
        {"X-Spam-Status: No, score=4 required=5\r\nX-Spam-Status: Yes, score=9 required=5", "80"},
        {"X-Spam-Status: No, score= required=", "0"},
        {"X-Spam-Status: Yes, score=7.3 required=0", "100"},
        {"X-Spam-Status: Yes, score=99999999999999999999 required=5", "100"},
        {"X-Spamd-Result: default: False [3.00 / 15.00]; A(1.00)[x]", "20"},
        {"X-Spamd-Result: default: True [15.3 / 15.00];\r\n A(1.00)[x]", "100"},
        {"X-Spamd-Result: nonsense", "not-found"},
        {"X-Spam-Flag: yes", "100"},
        {"X-Spam-Flag: NO", "0"},
        {"X-Spam: Yes", "100"},
        {"X-Other: Yes", "not-found"},
        {"X-Spam-Level: ***", "not-found"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_says(spam_score_of, cases[i][0], cases[i][1]);
}

static void virus_levels(void **state)
{
    static const char *const cases[][2] = {
        {"X-Virus-Status: Clean", "1"},     {"X-Virus-Status: Infected (Eicar)", "5"},
        {"X-Virus-Status: Unchecked", "2"}, {"X-Virus: Eicar-Test", "5"},
        {"X-Virus:", "not-found"},          {"X-Virus-Scanned: amavis at mx.example.org", "1"},
        {"X-Other: x", "not-found"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_says(virus_level_of, cases[i][0], cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_are_kept_by_their_key),
        cmocka_unit_test(programs_have_a_maximum),
        cmocka_unit_test(what_cannot_be_compiled_is_not_kept),
        cmocka_unit_test(spam_scores),
        cmocka_unit_test(virus_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
