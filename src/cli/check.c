/*
 * chapar check: what it finds decides the exit status.
 */
#include "base/error.h"
#include "cli/backend_priv.h"

#include <stdio.h>

struct findings {
    json_t *array; /* NULL: as text */
    size_t left;   /* wrong or lost */
    size_t repaired;
};

static int take_row(const struct admin_field *fields, size_t count, void *arg)
{
    struct findings *findings = arg;
    bool repaired = count > 1 && slice_equal(fields[1].text, SLICE("repaired"));
    findings->repaired += repaired;
    findings->left += !repaired;
    progress_end();
    if (findings->array)
        json_array_append_new(findings->array, row_json(fields, count));
    else if (count > 2)
        printf("%.*s: %.*s: %.*s\n", SLICE_FORMAT(fields[0].text), SLICE_FORMAT(fields[1].text),
               SLICE_FORMAT(fields[2].text));
    return ferror(stdout) ? ERROR_CLOSED : 0;
}

static int check(const struct invocation *invocation, struct backend *backend,
                 const struct admin_argument *arguments, size_t count)
{
    struct findings findings = {.array = invocation->json ? json_array() : NULL};
    const struct answer answer = {.row = take_row, .progress = progress_show, .arg = &findings};
    int error = backend->operations->call(backend, "check", arguments, count, &answer);
    progress_end();
    if (error) {
        json_decref(findings.array);
        return complain_error("check", error, backend->detail);
    }
    if (findings.array)
        print_json(findings.array);
    else if (!findings.left)
        printf(findings.repaired ? "repaired, nothing is lost\n" : "all is well\n");
    return findings.left ? EXIT_FAILED : EXIT_DONE;
}

int verb_check(struct invocation *invocation)
{
    enum { SWITCHES = 2 };
    struct admin_argument arguments[ADMIN_ARGUMENTS_MAXIMUM];
    struct config *config = NULL;
    struct backend *backend = NULL;
    size_t count = 0;
    if (take_switch(invocation, "--deep"))
        arguments[count++] = (struct admin_argument){SLICE("deep"), SLICE("")};
    if (take_switch(invocation, "--repair"))
        arguments[count++] = (struct admin_argument){SLICE("repair"), SLICE("")};
    if (!arguments_finish(invocation, find_verb("check", NULL), invocation->count))
        return EXIT_USAGE;
    if (invocation->count > ADMIN_ARGUMENTS_MAXIMUM - SWITCHES) {
        complain("at most %d accounts at a time", ADMIN_ARGUMENTS_MAXIMUM - SWITCHES);
        return EXIT_USAGE;
    }
    for (int i = 0; i < invocation->count; i++)
        arguments[count++] =
            (struct admin_argument){SLICE("account"), slice_from_string(invocation->arguments[i])};
    int status = call_open(invocation, &config, &backend);
    if (status)
        return status;
    status = check(invocation, backend, arguments, count);
    call_close(&config, &backend);
    return status;
}
