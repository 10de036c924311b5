/*
 * Runs tests that are written in Sieve: each `test "name" { ... }` of a file is a script of its
 * own, behind the file's `require`s, in a new world (commands.h has its further commands).
 *
 * Usage: test_scripts FILE-OR-FOLDER...       prints TAP
 */
#include "base/error.h"
#include "commands.h"
#include "sieve/validate_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static unsigned number, failures;

static void result(const char *path, struct slice name, bool passed, unsigned line,
                   struct slice complaint)
{
    const char *base = strrchr(path, '/');
    printf("%sok %u - %s: %.*s\n", passed ? "" : "not ", ++number, base ? base + 1 : path,
           SLICE_FORMAT(name));
    if (passed)
        return;
    failures++;
    printf("# %s:%u: ", path, line);
    for (size_t i = 0; i < complaint.size; i++)
        printf(complaint.data[i] == '\n' ? "\n#   " : "%c", complaint.data[i]);
    putchar('\n');
}

/* The bytecode of one test, or the problem that it has. */
static int compile_one(struct command *requires, struct command *test, struct arena *arena,
                       struct buffer *bytecode, struct sieve_report *report)
{
    struct command **tail = &requires;
    while (*tail && slice_equal_nocase((*tail)->name, SLICE("require")))
        tail = &(*tail)->next;
    *tail = test->block;
    report->count = report->errors = 0;
    return compile_parsed(requires, &test_options, arena, bytecode, report);
}

static void run_one(const char *path, struct slice name, struct slice bytecode)
{
    struct test_state state = {0};
    struct run run;
    struct sieve_outcome outcome;
    struct sieve_program *program = NULL;
    world_init(&state.world, &test_options);
    buffer_init(&state.complaint, 1024 * 1024);
    int error = sieve_program_load(bytecode, &test_options, &program);
    if (error) {
        result(path, name, false, 0, slice_from_string(error_text(error)));
    } else {
        run_init(&run, program, &state.world.input, &state.world.host, &outcome);
        run.extra = &state;
        run_program(&run, program);
        if (run.failed && !state.failed) {
            buffer_append_string(&state.complaint, outcome.text);
            state.line = outcome.line;
            state.failed = true;
        }
        result(path, name, !state.failed, state.line, buffer_slice(&state.complaint));
        run_release(&run);
    }
    sieve_program_free(&program);
    buffer_release(&state.complaint);
    world_release(&state.world);
}

/* Runs the test at the index; false when there is none. Parsed anew for each, as compiling changes
 * the tree. */
static bool run_test(const char *path, struct slice script, size_t index)
{
    struct arena arena;
    struct sieve_report report = {0};
    struct command *commands = NULL, *test;
    struct buffer bytecode;
    arena_init(&arena, TREE_MEMORY_MAXIMUM);
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = parse_script(script, &arena, &report, &commands);
    test = commands;
    while (test && (!slice_equal_nocase(test->name, SLICE("test")) || index-- > 0))
        test = test->next;
    struct slice name = test && test->arguments ? test->arguments->strings->text : SLICE("parses");
    if (test)
        error = compile_one(commands == test ? NULL : commands, test, &arena, &bytecode, &report);
    if (error)
        result(path, name, false, report.problems[0].line,
               slice_from_string(report.problems[0].text));
    else if (test)
        run_one(path, name, buffer_slice(&bytecode));
    buffer_release(&bytecode);
    arena_release(&arena);
    return test != NULL;
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *script = malloc(SIEVE_SCRIPT_MAXIMUM);
    size_t size = file && script ? fread(script, 1, SIEVE_SCRIPT_MAXIMUM, file) : 0;
    size_t count = 0;
    if (file)
        fclose(file);
    while (run_test(path, slice_make(script, size), count))
        count++;
    if (!count)
        result(path, SLICE("has tests"), false, 1, SLICE("there is no test in this file"));
    free(script);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_name);
    if (count < 0) {
        run_file(path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char full[4096];
        snprintf(full, sizeof(full), "%s/%s", path, entries[i]->d_name);
        if (strstr(entries[i]->d_name, ".sieve"))
            run_file(full);
        free(entries[i]);
    }
    free(entries);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        run_path(arguments[i]);
    printf("1..%u\n", number);
    return failures || !number;
}
