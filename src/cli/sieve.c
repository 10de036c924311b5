/*
 * chapar sieve check|run: Sieve scripts without a server.
 */
#include "sieve/sieve.h"
#include "base/error.h"
#include "cli/sieve_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MESSAGE_MAXIMUM = 256 * 1024 * 1024, /* bytes of a message that is tried */
    INCLUDES_MAXIMUM = 32,               /* different scripts that one may include */
};

int sieve_read_file(const char *path, size_t maximum, struct buffer *content)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    char bytes[65536];
    size_t size;
    buffer_init(content, maximum);
    if (!file)
        return complain_error(path, error_from_errno(errno), NULL);
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buffer_append(content, slice_make(bytes, size));
    int error = ferror(file) ? ERROR_IO : buffer_error(content);
    if (!standard)
        fclose(file);
    return error ? complain_error(path, error, NULL) : EXIT_DONE;
}

static void print_problems(FILE *out, const char *path, const struct sieve_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct sieve_problem *problem = &report->problems[i];
        fprintf(out, "%s:%u:%u: %s%s\n", path, problem->line, problem->column,
                problem->warning ? "warning: " : "", problem->text);
    }
    if (report->errors > SIEVE_PROBLEMS_MAXIMUM)
        fprintf(out, "%s: %zu errors in all\n", path, report->errors);
}

static json_t *slice_json(struct slice text)
{
    json_t *string = json_stringn(text.data ? text.data : "", text.data ? text.size : 0);
    return string ? string : json_null(); /* not UTF-8 */
}

static json_t *problems_json(const struct sieve_report *report)
{
    json_t *array = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const struct sieve_problem *problem = &report->problems[i];
        json_array_append_new(array,
                              json_pack("{s:b, s:i, s:i, s:o}", "warning", problem->warning, "line",
                                        (int)problem->line, "column", (int)problem->column, "text",
                                        slice_json(slice_from_string(problem->text))));
    }
    return array;
}

/* Compiles a file; an exit status. The report is filled in unless the file cannot be read. */
static int compile_file(const char *path, struct buffer *bytecode, struct sieve_report *report)
{
    struct buffer script;
    buffer_init(bytecode, SIEVE_BYTECODE_MAXIMUM);
    report->count = report->errors = 0;
    int status = sieve_read_file(path, SIEVE_SCRIPT_MAXIMUM + 1, &script);
    if (!status && sieve_compile(buffer_slice(&script), NULL, bytecode, report))
        status = EXIT_FAILED;
    buffer_release(&script);
    return status;
}

int verb_sieve_check(struct invocation *invocation)
{
    static struct sieve_report report;
    struct buffer bytecode;
    if (!arguments_finish(invocation, find_verb("sieve", "check"), 1))
        return EXIT_USAGE;
    const char *path = invocation->arguments[0];
    int status = compile_file(path, &bytecode, &report);
    buffer_release(&bytecode);
    if (status && !report.count)
        return status;
    if (invocation->json) {
        int printed = print_json(
            json_pack("{s:b, s:o}", "valid", !status, "problems", problems_json(&report)));
        return printed ? printed : status;
    }
    print_problems(stdout, path, &report);
    if (!status)
        printf("%s: no error found\n", path);
    return status;
}

enum { TRIAL_FLAGS = 64 };

/* What a run is told of and tells. */
struct trial {
    /* For an IMAP event (RFC 6785 section 4); cause NULL: a delivery. */
    const char *cause, *mailbox, *user, *email, *changed;
    struct slice flags[TRIAL_FLAGS]; /* that the message has */
    size_t flag_count;
    const char *folder; /* where included scripts are looked for */
    bool json, messages;
    json_t *steps, *actions;
    struct {
        char name[128];
        struct sieve_program *program;
    } included[INCLUDES_MAXIMUM];
    size_t included_count;
};

static void print_flags(const struct sieve_action *action)
{
    if (!action->flags_given)
        return;
    printf(", with flags");
    for (size_t i = 0; i < action->flag_count; i++)
        printf(" %.*s", SLICE_FORMAT(action->flags[i]));
    if (!action->flag_count)
        printf(" (none)");
}

static void print_list(const char *before, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%.*s", i ? " " : before, SLICE_FORMAT(list[i]));
}

static void format_until(const struct sieve_action *action, char text[32])
{
    struct tm parts;
    time_t seconds = (time_t)action->until;
    if (!gmtime_r(&seconds, &parts) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts))
        snprintf(text, 32, "%lld", (long long)action->until);
}

/* Where it goes is what stands before. */
static void print_awaking(const struct sieve_action *action)
{
    char until[32];
    if (action->kind != SIEVE_SNOOZE)
        return;
    format_until(action, until);
    printf(", until %s", until);
    print_list(", then with flags ", action->add_flags, action->add_count);
    print_list(", then without flags ", action->remove_flags, action->remove_count);
}

static const char *action_word(enum sieve_action_kind kind)
{
    static const char *const words[] = {
        [SIEVE_KEEP] = "keep",
        [SIEVE_FILEINTO] = "file into",
        [SIEVE_REDIRECT] = "redirect to",
        [SIEVE_DISCARD] = "discard",
        [SIEVE_REJECT] = "reject",
        [SIEVE_EREJECT] = "reject",
        [SIEVE_VACATION] = "answer",
        [SIEVE_NOTIFY] = "notify",
        [SIEVE_SNOOZE] = "snooze",
    };
    return words[kind];
}

static json_t *action_json(const struct sieve_action *action)
{
    json_t *flags = json_array();
    for (size_t i = 0; i < action->flag_count; i++)
        json_array_append_new(flags, slice_json(action->flags[i]));
    json_t *json = json_pack("{s:s, s:i, s:o, s:o, s:o}", "action", action_word(action->kind),
                             "line", (int)action->line, "target", slice_json(action->target),
                             "text", slice_json(action->text), "flags", flags);
    if (json && action->kind == SIEVE_SNOOZE) {
        char until[32];
        format_until(action, until);
        json_object_set_new(json, "until", json_string(until));
    }
    return json;
}

static int perform(void *arg, const struct sieve_action *action)
{
    struct trial *trial = arg;
    if (trial->json) {
        json_array_append_new(trial->actions, action_json(action));
        return 0;
    }
    printf("=> %s", action_word(action->kind));
    if (action->kind == SIEVE_KEEP && !trial->cause)
        printf(" in the inbox");
    else if (action->kind == SIEVE_KEEP)
        printf(" as it is"); /* RFC 6785 section 3.1 */
    else if (action->target.size)
        printf(" %.*s", SLICE_FORMAT(action->target));
    if (action->text.size)
        printf(": %.*s", SLICE_FORMAT(action->text));
    print_flags(action);
    print_awaking(action);
    putchar('\n');
    if (action->kind == SIEVE_VACATION || trial->messages)
        printf("%.*s%.*s\n", SLICE_FORMAT(action->header), SLICE_FORMAT(action->body));
    return 0;
}

static void trace(void *arg, unsigned line, struct slice text)
{
    struct trial *trial = arg;
    if (trial->json)
        json_array_append_new(trial->steps,
                              json_pack("{s:i, s:o}", "line", (int)line, "text", slice_json(text)));
    else
        printf("line %u: %.*s\n", line, SLICE_FORMAT(text));
}

static int load_file(const char *path, struct sieve_program **program)
{
    static struct sieve_report report;
    struct buffer bytecode;
    int status = compile_file(path, &bytecode, &report);
    print_problems(stderr, path, &report);
    int error = status ? ERROR_SYNTAX : sieve_program_load(buffer_slice(&bytecode), NULL, program);
    buffer_release(&bytecode);
    return error;
}

/* An included script is NAME or NAME.sieve beside the script that is tried. */
static int find_script(void *arg, bool global, struct slice name,
                       const struct sieve_program **program)
{
    struct trial *trial = arg;
    char path[4096], plain[128];
    (void)global;
    int size = snprintf(plain, sizeof(plain), "%.*s", SLICE_FORMAT(name));
    if (size <= 0 || (size_t)size >= sizeof(plain) || strchr(plain, '/'))
        return ERROR_NOT_FOUND;
    for (size_t i = 0; i < trial->included_count; i++)
        if (strcmp(trial->included[i].name, plain) == 0)
            return *program = trial->included[i].program, 0;
    snprintf(path, sizeof(path), "%s/%s", trial->folder, plain);
    if (access(path, R_OK) != 0)
        snprintf(path, sizeof(path), "%s/%s.sieve", trial->folder, plain);
    if (access(path, R_OK) != 0)
        return ERROR_NOT_FOUND;
    if (trial->included_count == INCLUDES_MAXIMUM)
        return ERROR_LIMIT;
    int error = load_file(path, &trial->included[trial->included_count].program);
    if (error)
        return error;
    memcpy(trial->included[trial->included_count].name, plain, sizeof(plain));
    *program = trial->included[trial->included_count++].program;
    return 0;
}

static void print_failure(const struct sieve_outcome *outcome)
{
    printf("line %u: error: %s; the message is kept\n", outcome->line, outcome->text);
}

static int print_outcome(struct trial *trial, const struct sieve_outcome *outcome)
{
    if (!trial->json) {
        if (outcome->failed)
            print_failure(outcome);
        if (trial->cause && !outcome->kept) /* section 2.2.4 */
            printf("=> mark as \\Deleted\n");
        return outcome->failed ? EXIT_FAILED : EXIT_DONE;
    }
    int status = print_json(
        json_pack("{s:b, s:b, s:o, s:o, s:o}", "failed", outcome->failed, "kept", outcome->kept,
                  "error", slice_json(slice_from_string(outcome->text)), "steps",
                  json_incref(trial->steps), "actions", json_incref(trial->actions)));
    return status ? status : outcome->failed ? EXIT_FAILED : EXIT_DONE;
}

/* RFC 6785 section 4. */
static int environment(void *arg, struct slice name, struct buffer *value)
{
    const struct trial *trial = arg;
    const struct {
        const char *name, *value;
    } items[] = {{"location", "MS"},
                 {"phase", "post"},
                 {"imap.cause", trial->cause},
                 {"imap.mailbox", trial->mailbox ? trial->mailbox : "INBOX"},
                 {"imap.user", trial->user ? trial->user : ""},
                 {"imap.email", trial->email ? trial->email : ""},
                 {"imap.changedflags", trial->changed ? trial->changed : ""}};
    for (size_t i = 0; trial->cause && i < sizeof(items) / sizeof(items[0]); i++)
        if (slice_equal_nocase(name, slice_from_string(items[i].name)))
            return buffer_append_string(value, items[i].value);
    return ERROR_NOT_FOUND;
}

/* False: there is something wrong, which is said. */
static bool take_event(struct invocation *invocation, struct trial *trial)
{
    struct slice flags = slice_from_string(take_option(invocation, "--flags"));
    trial->cause = take_option(invocation, "--imap-cause");
    trial->mailbox = take_option(invocation, "--imap-mailbox");
    trial->user = take_option(invocation, "--imap-user");
    trial->email = take_option(invocation, "--imap-email");
    trial->changed = take_option(invocation, "--changed-flags");
    while (flags.size && trial->flag_count < TRIAL_FLAGS) {
        struct slice word = slice_sub(flags, 0, slice_find(flags, ' '));
        if (word.size)
            trial->flags[trial->flag_count++] = word;
        flags = slice_sub(flags, word.size + 1, SIZE_MAX);
    }
    bool known = !trial->cause || strcmp(trial->cause, "APPEND") == 0 ||
                 strcmp(trial->cause, "COPY") == 0 || strcmp(trial->cause, "FLAG") == 0;
    if (!known)
        complain("--imap-cause is APPEND, COPY or FLAG");
    else if (!trial->cause &&
             (trial->mailbox || trial->user || trial->email || trial->changed || trial->flag_count))
        complain("--imap-mailbox, --imap-user, --imap-email, --flags and --changed-flags need "
                 "--imap-cause");
    else
        return true;
    return false;
}

/* There is no envelope then. */
static void use_event(const struct trial *trial, struct sieve_input *input)
{
    const struct slice none = {NULL, 0};
    if (!trial->cause)
        return;
    input->event = true;
    input->envelope_from = input->envelope_to = none;
    input->flags = trial->flags;
    input->flag_count = trial->flag_count;
}

static int run_trial(struct trial *trial, const char *path, const struct sieve_input *input)
{
    struct sieve_program *program = NULL;
    struct sieve_outcome outcome;
    struct sieve_host host = {.arg = trial,
                              .perform = perform,
                              .script = find_script,
                              .environment = environment,
                              .trace = trace};
    int error = load_file(path, &program);
    if (error == ERROR_SYNTAX)
        return EXIT_FAILED; /* said already */
    if (!error)
        error = sieve_run(program, input, &host, &outcome);
    int status = error ? complain_error(path, error, NULL) : print_outcome(trial, &outcome);
    sieve_program_free(&program);
    return status;
}

int verb_sieve_run(struct invocation *invocation)
{
    const char *from = take_option(invocation, "--from"), *to = take_option(invocation, "--to");
    struct trial trial = {.json = invocation->json,
                          .messages = take_switch(invocation, "--messages")};
    struct buffer message;
    if (!take_event(invocation, &trial) ||
        !arguments_finish(invocation, find_verb("sieve", "run"), 2))
        return EXIT_USAGE;
    const char *path = invocation->arguments[0], *slash = strrchr(path, '/');
    char folder[4096];
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    trial.folder = *folder ? folder : "/";
    int status = sieve_read_file(invocation->arguments[1], MESSAGE_MAXIMUM, &message);
    struct sieve_input input = {.message = buffer_slice(&message),
                                .envelope_from = slice_from_string(from),
                                .envelope_to = slice_from_string(to)};
    use_event(&trial, &input);
    trial.steps = json_array();
    trial.actions = json_array();
    if (!status)
        status = run_trial(&trial, path, &input);
    json_decref(trial.steps);
    json_decref(trial.actions);
    for (size_t i = 0; i < trial.included_count; i++)
        sieve_program_free(&trial.included[i].program);
    buffer_release(&message);
    return status;
}
