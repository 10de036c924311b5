/*
 * Verbs that are one operation of admin/admin.h: from the command line to its arguments, from its
 * rows to text or JSON.
 */
#include "base/clock.h"
#include "base/error.h"
#include "cli/backend_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_US = 2 * 1000 * 1000, BAR_WIDTH = 40 };

int call_open(struct invocation *invocation, struct config **config, struct backend **backend)
{
    int status = load_config(invocation, config);
    if (!status)
        status = backend_open(*config, backend);
    if (status)
        config_free(config);
    return status;
}

void call_close(struct config **config, struct backend **backend)
{
    backend_close(backend);
    config_free(config);
}

/* --- rows --- */

static void format_time(int64_t seconds, char text[32])
{
    time_t time = (time_t)seconds;
    struct tm utc;
    gmtime_r(&time, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static json_t *field_json(const struct admin_field *field)
{
    char text[32];
    switch (field->kind) {
    case ADMIN_NUMBER:
        return json_integer(field->number);
    case ADMIN_BOOL:
        return json_boolean(field->number);
    case ADMIN_TIME:
        format_time(field->number, text);
        return json_string(text);
    default:
        return json_stringn(field->text.data ? field->text.data : "", field->text.size);
    }
}

json_t *row_json(const struct admin_field *fields, size_t count)
{
    char name[ADMIN_NAME_MAXIMUM + 1];
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%.*s", SLICE_FORMAT(fields[i].name));
        json_object_set_new(object, name, field_json(&fields[i]));
    }
    return object;
}

static void print_field(const struct admin_field *field)
{
    char text[32];
    switch (field->kind) {
    case ADMIN_NUMBER:
        printf("%" PRId64, field->number);
        break;
    case ADMIN_BOOL:
        fputs(field->number ? "yes" : "no", stdout);
        break;
    case ADMIN_TIME:
        format_time(field->number, text);
        fputs(text, stdout);
        break;
    default:
        fwrite(field->text.data, 1, field->text.size, stdout);
    }
}

void row_print(const struct admin_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "  " : "", stdout);
        print_field(&fields[i]);
    }
    putchar('\n');
}

/* --- progress --- */

static uint64_t progress_started;
static bool progress_shown;

void progress_show(uint64_t done, uint64_t total, void *unused)
{
    (void)unused;
    uint64_t now = clock_monotonic_us();
    if (!progress_started)
        progress_started = now;
    if (now - progress_started < PATIENCE_US || !isatty(STDERR_FILENO))
        return;
    int full = total ? (int)(done * BAR_WIDTH / total) : 0;
    full = full < BAR_WIDTH ? full : BAR_WIDTH;
    fprintf(stderr, "\r[%.*s%.*s] %3d %%", full, "########################################",
            BAR_WIDTH - full, "                                        ",
            total ? (int)(done * 100 / total) : 0);
    progress_shown = true;
}

void progress_end(void)
{
    if (progress_shown)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 10, "");
    progress_shown = false;
    progress_started = 0;
}

/* --- one account --- */

struct account_answer {
    struct arena *arena;
    struct account_info *account;
    int error;
};

static int take_account(const struct admin_field *fields, size_t count, void *arg)
{
    struct account_answer *answer = arg;
    struct account_info account = {0};
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(fields[i].name, SLICE("address")))
            account.address = arena_copy(answer->arena, fields[i].text);
        else if (slice_equal(fields[i].name, SLICE("id")))
            answer->error = account_id_parse(fields[i].text, &account.id);
        else if (slice_equal(fields[i].name, SLICE("created")))
            account.created = fields[i].number;
        else if (slice_equal(fields[i].name, SLICE("shared")))
            account.shared = fields[i].number;
    }
    *answer->account = account;
    return answer->error;
}

int call_account(struct backend *backend, const char *operation, const char *address,
                 struct account_info *account)
{
    const struct admin_argument argument = {SLICE("address"), slice_from_string(address)};
    return call_account_with(backend, operation, &argument, 1, account);
}

int call_account_with(struct backend *backend, const char *operation,
                      const struct admin_argument *arguments, size_t count,
                      struct account_info *account)
{
    struct account_answer taken = {
        .arena = &backend->arena, .account = account, .error = ERROR_PROTOCOL};
    const struct answer answer = {.row = take_account, .arg = &taken};
    int error = backend->operations->call(backend, operation, arguments, count, &answer);
    return error ? error : taken.error;
}

/* --- any verb --- */

enum { CALL_ARGUMENTS_MAXIMUM = ADMIN_ARGUMENTS_MAXIMUM };

/* What is read off verb->takes: "address", "account..." (any number), "--deep" (a switch),
 * "--days=" (with a value). */
struct parameter {
    char name[ADMIN_NAME_MAXIMUM];
    bool repeated, option, has_value;
};

static const char *next_parameter(const char *takes, struct parameter *parameter)
{
    size_t size = strcspn(takes, " ");
    struct slice text = slice_make(takes, size);
    *parameter = (struct parameter){.option = slice_starts_with(text, SLICE("--"))};
    if (parameter->option)
        text = slice_sub(text, 2, SIZE_MAX);
    if (text.size && text.data[text.size - 1] == '=') {
        parameter->has_value = true;
        text.size--;
    }
    if (text.size > 3 && memcmp(text.data + text.size - 3, "...", 3) == 0) {
        parameter->repeated = true;
        text.size -= 3;
    }
    snprintf(parameter->name, sizeof(parameter->name), "%.*s", SLICE_FORMAT(text));
    return takes + size + (takes[size] == ' ');
}

struct arguments {
    struct admin_argument list[CALL_ARGUMENTS_MAXIMUM];
    char names[CALL_ARGUMENTS_MAXIMUM][ADMIN_NAME_MAXIMUM];
    size_t count;
};

static bool add_argument(struct arguments *arguments, const char *name, const char *value)
{
    if (arguments->count == CALL_ARGUMENTS_MAXIMUM)
        return false;
    char *kept = arguments->names[arguments->count];
    snprintf(kept, ADMIN_NAME_MAXIMUM, "%s", name);
    arguments->list[arguments->count++] =
        (struct admin_argument){slice_from_string(kept), slice_from_string(value ? value : "")};
    return true;
}

static bool take_options(struct invocation *invocation, const char *takes,
                         struct arguments *arguments)
{
    struct parameter parameter;
    char option[ADMIN_NAME_MAXIMUM + 3];
    while (*takes) {
        takes = next_parameter(takes, &parameter);
        snprintf(option, sizeof(option), "--%s", parameter.name);
        const char *value = NULL;
        bool given = false;
        if (parameter.option && parameter.has_value)
            given = (value = take_option(invocation, option)) != NULL;
        else if (parameter.option)
            given = take_switch(invocation, option);
        if (given && !add_argument(arguments, parameter.name, value))
            return false;
    }
    return true;
}

/* How many plain arguments; -1: any number from *fewest on. */
static bool take_plain(struct invocation *invocation, const struct verb *verb,
                       struct arguments *arguments)
{
    struct parameter parameter;
    int fixed = 0, at = 0;
    bool any = false;
    for (const char *takes = verb->takes; *takes;) {
        takes = next_parameter(takes, &parameter);
        fixed += !parameter.option && !parameter.repeated;
        any = any || parameter.repeated;
    }
    int wanted = any && invocation->count > fixed ? invocation->count : fixed;
    if (!arguments_finish(invocation, verb, wanted))
        return false;
    for (const char *takes = verb->takes; *takes;) {
        takes = next_parameter(takes, &parameter);
        int count = parameter.option ? 0 : parameter.repeated ? wanted - fixed : 1;
        for (; count > 0; count--)
            if (!add_argument(arguments, parameter.name, invocation->arguments[at++]))
                return false;
    }
    return true;
}

struct printed {
    const struct verb *verb;
    json_t *array; /* NULL: as text */
};

static int print_row(const struct admin_field *fields, size_t count, void *arg)
{
    struct printed *printed = arg;
    progress_end();
    if (printed->array)
        return json_array_append_new(printed->array, row_json(fields, count)) ? ERROR_MEMORY : 0;
    if (printed->verb->said && count)
        printf("%s %.*s\n", printed->verb->said, SLICE_FORMAT(fields[0].text));
    else
        row_print(fields, count);
    return ferror(stdout) ? ERROR_CLOSED : 0;
}

/* A verb that does something answers with one object, one that lists with an array. */
static int print_array(const struct verb *verb, json_t *array)
{
    if (!verb->said)
        return print_json(array);
    json_t *first = json_incref(json_array_get(array, 0));
    json_decref(array);
    return print_json(first ? first : json_object());
}

static int run_call(struct invocation *invocation, const struct verb *verb,
                    struct arguments *arguments)
{
    struct config *config = NULL;
    struct backend *backend = NULL;
    struct printed printed = {.verb = verb};
    const struct answer answer = {.row = print_row, .progress = progress_show, .arg = &printed};
    int status = call_open(invocation, &config, &backend);
    if (status)
        return status;
    printed.array = invocation->json ? json_array() : NULL;
    int error = backend->operations->call(backend, verb->operation, arguments->list,
                                          arguments->count, &answer);
    progress_end();
    if (error) {
        const char *what = arguments->count ? arguments->list[0].value.data : verb->noun;
        status = complain_error(what && *what ? what : verb->noun, error, backend->detail);
        json_decref(printed.array);
    } else if (printed.array) {
        status = print_array(verb, printed.array);
    }
    call_close(&config, &backend);
    return status;
}

int call_run(struct invocation *invocation, const struct verb *verb)
{
    struct arguments *arguments = calloc(1, sizeof(*arguments));
    if (!arguments)
        return complain("out of memory");
    int status = EXIT_USAGE;
    if (!take_options(invocation, verb->takes, arguments))
        complain("too many arguments");
    else if (take_plain(invocation, verb, arguments))
        status = run_call(invocation, verb, arguments);
    free(arguments);
    return status;
}
