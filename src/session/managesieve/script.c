#include "session/managesieve/managesieve_priv.h"

static void write_problem(const struct sieve_problem *problem, struct buffer *text)
{
    buffer_append_format(text, "%sline %u, column %u: %s%s", text->size ? "\r\n" : "",
                         problem->line, problem->column, problem->warning ? "warning: " : "",
                         problem->text);
}

/* RFC 5804 section 2.6: of a script that is none, what is wrong; of another one, the warnings. */
int script_compile(struct slice script, struct buffer *text)
{
    struct sieve_report report;
    struct buffer bytecode;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(script, NULL, &bytecode, &report);
    buffer_release(&bytecode);
    for (size_t i = 0; i < report.count; i++)
        write_problem(&report.problems[i], text);
    if (report.errors > SIEVE_PROBLEMS_MAXIMUM)
        buffer_append_format(text, "\r\n%zu errors in all", report.errors);
    return error;
}
