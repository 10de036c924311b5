/*
 * chapar sieve list|get|put|delete|activate|deactivate: scripts in the store, of accounts or of the
 * administrator.
 */
#include "base/error.h"
#include "cli/backend_priv.h"
#include "cli/sieve_priv.h"
#include "store/script.h"

#include <stdio.h>

enum { PIECES_MAXIMUM = SCRIPT_TEXT_MAXIMUM / ADMIN_VALUE_MAXIMUM + 1, NAMED_MAXIMUM = 8 };

/* A call of one of the operations. */
struct sieve_call {
    struct invocation *invocation;
    const char *operation;
    struct admin_argument arguments[NAMED_MAXIMUM + PIECES_MAXIMUM];
    size_t count;
    const char *file;  /* put: whose problems are told */
    const char *done;  /* "deleted": what has been done */
    json_t *rows;      /* NULL: as text */
    struct buffer got; /* get: the text */
};

static void add(struct sieve_call *call, const char *name, struct slice value)
{
    call->arguments[call->count++] = (struct admin_argument){slice_from_string(name), value};
}

static void add_switch(struct sieve_call *call, const char *option)
{
    if (take_switch(call->invocation, option))
        add(call, option + 2, SLICE(""));
}

/* --domain, --global, --before, --after, --event. */
static void take_site(struct sieve_call *call)
{
    const char *domain = take_option(call->invocation, "--domain");
    if (domain)
        add(call, "domain", slice_from_string(domain));
    add_switch(call, "--global");
    add_switch(call, "--before");
    add_switch(call, "--after");
    add_switch(call, "--event");
}

/* Whether it is of an account: then there is an ADDRESS before all else. */
static bool is_of_account(const struct sieve_call *call)
{
    for (size_t i = 0; i < call->count; i++)
        if (slice_equal(call->arguments[i].name, SLICE("domain")) ||
            slice_equal(call->arguments[i].name, SLICE("global")))
            return false;
    return true;
}

static bool has_place(const struct sieve_call *call)
{
    for (size_t i = 0; i < call->count; i++)
        if (slice_equal(call->arguments[i].name, SLICE("before")) ||
            slice_equal(call->arguments[i].name, SLICE("after")) ||
            slice_equal(call->arguments[i].name, SLICE("event")))
            return true;
    return false;
}

/* Takes the plain arguments there must be: ADDRESS, NAME unless that is said by a place, and `more`
 * others, which stay. */
static bool take_plain(struct sieve_call *call, const char *verb, bool named, int more)
{
    struct invocation *invocation = call->invocation;
    bool of_account = is_of_account(call);
    named = named && !(has_place(call) && !of_account);
    if (!arguments_finish(invocation, find_verb("sieve", verb), of_account + named + more))
        return false;
    if (of_account)
        add(call, "address", slice_from_string(*invocation->arguments++));
    if (named)
        add(call, "name", slice_from_string(*invocation->arguments++));
    invocation->count = more;
    return true;
}

static int take_row(const struct admin_field *fields, size_t count, void *arg)
{
    struct sieve_call *call = arg;
    if (call->rows)
        return json_array_append_new(call->rows, row_json(fields, count)) ? ERROR_MEMORY : 0;
    if (call->done)
        printf("%s ", call->done);
    row_print(fields, count);
    return ferror(stdout) ? ERROR_CLOSED : 0;
}

/* Runs it; what fails is complained about. */
static int run(struct sieve_call *call, int (*row)(const struct admin_field *, size_t, void *))
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    const struct answer answer = {.row = row, .arg = call};
    int status = call_open(call->invocation, &config, &backend);
    if (status)
        return status;
    int error =
        backend->operations->call(backend, call->operation, call->arguments, call->count, &answer);
    if (error)
        status = complain_error(call->file ? call->file : "sieve", error, backend->detail);
    call_close(&config, &backend);
    return status;
}

/* Runs it, and prints an array of its rows with --json. */
static int run_rows(struct sieve_call *call)
{
    call->rows = call->invocation->json ? json_array() : NULL;
    int status = run(call, take_row);
    if (!call->rows)
        return status;
    if (status)
        json_decref(call->rows);
    return status ? status : print_json(call->rows);
}

int verb_sieve_list(struct invocation *invocation)
{
    struct sieve_call call = {.invocation = invocation, .operation = "sieve.list"};
    const char *domain = take_option(invocation, "--domain");
    if (domain)
        add(&call, "domain", slice_from_string(domain));
    add_switch(&call, "--global");
    int wanted = is_of_account(&call) && invocation->count == 1;
    if (!arguments_finish(invocation, find_verb("sieve", "list"), wanted))
        return EXIT_USAGE;
    if (wanted)
        add(&call, "address", slice_from_string(invocation->arguments[0]));
    return run_rows(&call);
}

static int take_text(const struct admin_field *fields, size_t count, void *arg)
{
    struct sieve_call *call = arg;
    return count ? buffer_append(&call->got, fields[0].text) : 0;
}

int verb_sieve_get(struct invocation *invocation)
{
    struct sieve_call call = {.invocation = invocation, .operation = "sieve.get"};
    take_site(&call);
    if (!take_plain(&call, "get", true, 0))
        return EXIT_USAGE;
    buffer_init(&call.got, SCRIPT_TEXT_MAXIMUM);
    int status = run(&call, take_text);
    struct slice text = buffer_slice(&call.got);
    if (!status && invocation->json)
        status = print_json(
            json_pack("{s:o}", "text", json_stringn(text.data ? text.data : "", text.size)));
    else if (!status && text.size)
        status = fwrite(text.data, 1, text.size, stdout) == text.size ? EXIT_DONE : EXIT_FAILED;
    buffer_release(&call.got);
    return status;
}

/* A row is what is said of the script: on standard error, as of a compiler. */
static int take_problem(const struct admin_field *fields, size_t count, void *arg)
{
    struct sieve_call *call = arg;
    if (count < 4)
        return ERROR_PROTOCOL;
    if (call->rows)
        return take_row(fields, count, arg);
    fprintf(stderr, "%s:%lld:%lld: %s%.*s\n", call->file, (long long)fields[0].number,
            (long long)fields[1].number, fields[2].number ? "warning: " : "",
            SLICE_FORMAT(fields[3].text));
    return 0;
}

static int put(struct sieve_call *call, struct slice text)
{
    for (; text.size; text = slice_sub(text, ADMIN_VALUE_MAXIMUM, SIZE_MAX))
        add(call, "text", slice_sub(text, 0, ADMIN_VALUE_MAXIMUM));
    call->rows = call->invocation->json ? json_array() : NULL;
    int status = run(call, take_problem);
    if (!call->rows) {
        if (!status)
            printf("put %s\n", call->file);
        return status;
    }
    int printed = print_json(json_pack("{s:b, s:o}", "valid", !status, "problems", call->rows));
    return status ? status : printed;
}

int verb_sieve_put(struct invocation *invocation)
{
    struct sieve_call call = {.invocation = invocation, .operation = "sieve.put"};
    struct buffer text;
    take_site(&call);
    if (is_of_account(&call))
        add_switch(&call, "--activate");
    if (!take_plain(&call, "put", true, 1))
        return EXIT_USAGE;
    call.file = invocation->arguments[0];
    int status = sieve_read_file(call.file, SCRIPT_TEXT_MAXIMUM, &text);
    if (!status)
        status = put(&call, buffer_slice(&text));
    buffer_release(&text);
    return status;
}

static int change(struct invocation *invocation, const char *operation, const char *verb,
                  const char *done)
{
    struct sieve_call call = {.invocation = invocation, .operation = operation, .done = done};
    take_site(&call);
    /* Of an account none is active then, whichever it was. */
    bool named = strcmp(verb, "deactivate") != 0 || !is_of_account(&call);
    return take_plain(&call, verb, named, 0) ? run_rows(&call) : EXIT_USAGE;
}

int verb_sieve_delete(struct invocation *invocation)
{
    return change(invocation, "sieve.delete", "delete", "deleted");
}

int verb_sieve_activate(struct invocation *invocation)
{
    return change(invocation, "sieve.activate", "activate", "activated");
}

int verb_sieve_deactivate(struct invocation *invocation)
{
    return change(invocation, "sieve.deactivate", "deactivate", "deactivated");
}
