#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "session/sieve/filter_priv.h"
#include "store/directory.h"

#include <stdlib.h>

/* --- problems --- */

static void note_problem(struct filter *filter, struct slice script, unsigned line,
                         const char *text)
{
    char account[ACCOUNT_ID_TEXT + 1];
    account_id_format(filter->facts.account, account);
    log_warning("sieve", LOG_TEXT("id", filter->facts.id), LOG_TEXT("account", account),
                LOG_TEXT("whose", filter->of_site ? "administrator" : "user"),
                LOG_SLICE("script", script), LOG_NUMBER("line", line), LOG_TEXT("problem", text));
    counters_add(COUNTER_SIEVE_ERRORS, 1);
    if (filter->has_problem || filter->of_site)
        return;
    filter->has_problem = true;
    filter->problem_script = arena_copy(&filter->arena, script);
    filter->problem_line = line;
    snprintf(filter->problem, sizeof(filter->problem), "%s", text);
}

void filter_problem(struct filter *filter, unsigned line, const char *text)
{
    note_problem(filter, filter->name, line, text);
}

/* --- programs --- */

static int hold(struct filter *filter, struct kept_program *kept)
{
    struct held_program *held = arena_alloc(&filter->arena, sizeof(*held));
    if (!held) {
        programs_give_back(filter->facts.programs, &kept);
        return ERROR_LIMIT;
    }
    *held = (struct held_program){filter->held, kept};
    filter->held = held;
    return 0;
}

static int compile(struct filter *filter, const struct program_key *key, struct slice name,
                   struct slice text, struct kept_program **kept)
{
    struct sieve_report *report = calloc(1, sizeof(*report));
    if (!report)
        return ERROR_MEMORY;
    int error = programs_compile(filter->facts.programs, key, text, kept, report);
    counters_add(COUNTER_SIEVE_COMPILED, 1);
    for (size_t i = 0; i < report->count && (error == ERROR_SYNTAX || error == ERROR_LIMIT); i++) {
        if (report->problems[i].warning)
            continue;
        note_problem(filter, name, report->problems[i].line, report->problems[i].text);
        error = ERROR_SYNTAX;
    }
    free(report);
    return error;
}

int filter_program(struct filter *filter, const struct program_key *key, struct slice name,
                   int (*load)(struct filter *filter, const void *script, struct buffer *text),
                   const void *script, const struct sieve_program **program)
{
    struct kept_program *kept = NULL;
    struct buffer text;
    int error = programs_find(filter->facts.programs, key, &kept);
    if (error == ERROR_NOT_FOUND) {
        buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
        error = load(filter, script, &text);
        if (!error)
            error = compile(filter, key, name, buffer_slice(&text), &kept);
        buffer_release(&text);
    }
    if (!error)
        error = hold(filter, kept);
    if (!error)
        *program = kept->program;
    return error;
}

static int load_user(struct filter *filter, const void *script, struct buffer *text)
{
    return script_read(filter->facts.view, script, text);
}

int filter_user_program(struct filter *filter, const struct script *script,
                        const struct sieve_program **program)
{
    const struct program_key key = {filter->facts.account, script->id, script->modseq};
    return filter_program(filter, &key, script->name, load_user, script, program);
}

static struct slice site_name(enum site_place place)
{
    return place == SITE_BEFORE  ? SLICE("before")
           : place == SITE_AFTER ? SLICE("after")
                                 : SLICE("event");
}

static int load_site(struct filter *filter, const void *script, struct buffer *text)
{
    return site_script_read(filter->facts.store, WHO_SYSTEM, script, text);
}

int filter_site_program(struct filter *filter, const struct site_script *script,
                        const struct sieve_program **program)
{
    const struct program_key key = {{{0}}, 0, script->version};
    struct slice name = script->name.size ? script->name : site_name(script->place);
    return filter_program(filter, &key, name, load_site, script, program);
}

/* --- running --- */

static int run(struct filter *filter, const struct sieve_program *program)
{
    struct sieve_outcome outcome;
    struct sieve_host host = {.arg = filter, .perform = filter_perform};
    struct sieve_input input = {.message = filter->input->text,
                                .envelope_from = filter->facts.sender,
                                .envelope_to = filter->facts.recipient,
                                .original_to = filter->facts.original,
                                .addresses = &filter->address,
                                .address_count = 1};
    filter_host(filter, &host);
    filter_forget_versions(filter, false);
    filter->kept = false;
    int error = filter->event ? event_input(filter, &input) : 0;
    if (error)
        return error;
    error = sieve_run(program, &input, &host, &outcome);
    counters_add(COUNTER_SIEVE_RUNS, 1);
    if (!error && outcome.failed)
        filter_problem(filter, outcome.line, outcome.text);
    return error;
}

/* A script that cannot be run keeps the message, as one without any command does. One that has just
 * gone is not missed. */
static int run_next(struct filter *filter, int error, const struct sieve_program *program)
{
    if (error == ERROR_SYNTAX || error == ERROR_NOT_FOUND)
        return 0;
    return error ? error : run(filter, program);
}

int filter_run_site(struct filter *filter, const struct site_script *list, size_t count)
{
    int error = 0;
    filter->of_site = true;
    for (size_t i = 0; i < count && filter->kept && !error; i++) {
        const struct sieve_program *program = NULL;
        filter->name = site_name(list[i].place);
        error = filter_site_program(filter, &list[i], &program);
        error = run_next(filter, error, program);
    }
    filter->of_site = false;
    return error;
}

int filter_run_user(struct filter *filter, struct slice name)
{
    struct script script;
    const struct sieve_program *program = NULL;
    if (!filter->kept)
        return 0;
    int error = script_find(filter->facts.view, name, &filter->arena, &script);
    if (error == ERROR_NOT_FOUND)
        return 0;
    if (!error) {
        filter->name = script.name;
        error = filter_user_program(filter, &script, &program);
    }
    return run_next(filter, error, program);
}

int filter_find_domain(struct filter *filter)
{
    struct account_info info;
    int error = store_account_get(filter->facts.store, WHO_SYSTEM, filter->facts.account,
                                  &filter->arena, &info);
    if (error)
        return error;
    filter->address = info.address;
    filter->domain = slice_sub(info.address, slice_find(info.address, '@') + 1, SIZE_MAX);
    return 0;
}

static int run_all(struct filter *filter)
{
    struct site_script around[SITE_SCRIPTS_AROUND];
    size_t count = 0, before = 0;
    int error = filter_find_domain(filter);
    if (!error)
        error = site_scripts_around(filter->facts.store, WHO_SYSTEM, filter->domain, around, &count,
                                    &before);
    if (!error)
        error = filter_run_site(filter, around, before);
    if (!error)
        error = filter_run_user(filter, (struct slice){NULL, 0});
    if (!error)
        error = filter_run_site(filter, around + before, count - before);
    if (!error && filter->kept)
        filter_file(filter, &filter->keep);
    if (!error && filter->has_problem)
        error = filter_add_notice(filter);
    return error;
}

static void begin(struct filter *filter)
{
    const struct filter_facts *facts = &filter->facts;
    filter->input = &filter->versions[0];
    filter->kept = true;
    filter->keep = (struct filing){.mailbox = facts->keep,
                                   .append = {.message = facts->prepared,
                                              .prefix = facts->prefix,
                                              .internal_date = facts->date}};
}

/* What will not pass, such as scripts that cannot be read any more, is no reason to refuse mail: it
 * is stored as if there were no script. */
static int keep_alone(struct filter *filter, int error)
{
    char account[ACCOUNT_ID_TEXT + 1];
    if (!error || error_is_temporary(error) || error == ERROR_NOT_FOUND)
        return error;
    account_id_format(filter->facts.account, account);
    log_error("sieve_failed", LOG_TEXT("id", filter->facts.id), LOG_TEXT("account", account),
              LOG_TEXT("error", error_name(error)));
    filter->filing_count = filter->remembered_count = filter->departure_count = 0;
    filter->rejected = false;
    prepared_message_free(&filter->notice);
    begin(filter);
    filter_file(filter, &filter->keep);
    return 0;
}

struct filter *filter_make(const struct filter_facts *facts)
{
    struct filter *made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    made->facts = *facts;
    arena_init(&made->arena, FILTER_MEMORY_MAXIMUM);
    buffer_init(&made->notice_bytes, 16 * 1024);
    made->versions[0] = (struct version){.text = facts->message, .prepared = facts->prepared};
    begin(made);
    return made;
}

int filter_create(const struct filter_facts *facts, struct filter **filter)
{
    struct filter *made = filter_make(facts);
    if (!made)
        return ERROR_MEMORY;
    int error = facts->programs ? keep_alone(made, run_all(made)) : ERROR_MEMORY;
    if (error)
        filter_free(&made);
    else
        *filter = made;
    return error;
}

void filter_free(struct filter **filter)
{
    struct filter *old = *filter;
    if (!old)
        return;
    for (struct held_program *held = old->held; held; held = held->next)
        programs_give_back(old->facts.programs, &held->kept);
    filter_forget_versions(old, true);
    prepared_message_free(&old->notice);
    buffer_release(&old->notice_bytes);
    arena_release(&old->arena);
    free(old);
    *filter = NULL;
}

struct delivery_plan filter_plan(const struct filter *filter, uint64_t delivery, bool bare)
{
    return (struct delivery_plan){.filings = filter->filings,
                                  .filing_count =
                                      filter->filing_count - (bare && filter->notice != NULL),
                                  .departures = filter->departures,
                                  .departure_count = filter->departure_count,
                                  .remembered = filter->remembered,
                                  .remembered_count = filter->remembered_count,
                                  .delivery = filter->rejected ? 0 : delivery};
}

bool filter_rejects(const struct filter *filter, struct slice *reason)
{
    *reason = filter->reason;
    return filter->rejected;
}
