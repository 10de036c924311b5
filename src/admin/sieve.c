/*
 * sieve.list|get|put|delete|activate|deactivate
 *
 * Of an account's scripts: the arguments "address" and "name". Of the administrator's: "domain" or
 * "global", and "before", "after", "event", or the "name" under which scripts include it.
 */
#include "sieve/sieve.h"
#include "admin/admin_priv.h"
#include "base/error.h"
#include "store/script.h"
#include "store/site_script.h"

#include <stdlib.h>

enum { LIST_MEMORY = 64 * 1024 * 1024 /* bytes that listing scripts may take */ };

/* --- which one is meant --- */

static bool is_of_account(const struct admin_call *call)
{
    return admin_has_argument(call, "address");
}

/* Place, domain and name of one of the administrator's. */
static int read_site(struct admin_call *call, struct site_script *script)
{
    bool global = admin_has_argument(call, "global"),
         of_domain = admin_has_argument(call, "domain");
    bool before = admin_has_argument(call, "before"), after = admin_has_argument(call, "after");
    bool named = admin_has_argument(call, "name"), event = admin_has_argument(call, "event");
    if (global == of_domain)
        return admin_fail(call, ERROR_INVALID, "of an account, of one domain, or global");
    if (before + after + event + named != 1)
        return admin_fail(call, ERROR_INVALID,
                          "before or after the users' scripts, for events, or a name to include "
                          "it by");
    *script = (struct site_script){.place = before  ? SITE_BEFORE
                                            : after ? SITE_AFTER
                                            : event ? SITE_EVENT
                                                    : SITE_INCLUDED};
    int error = of_domain ? admin_argument(call, "domain", &script->domain) : 0;
    return !error && named ? admin_argument(call, "name", &script->name) : error;
}

static int explain(struct admin_call *call, int error)
{
    if (call->detail[0])
        return error;
    if (error == ERROR_SYNTAX)
        return admin_fail(call, error, "a script has no such name");
    if (error == ERROR_LIMIT)
        return admin_fail(call, error, "an account has at most %d scripts", SCRIPTS_MAXIMUM);
    if (error == ERROR_QUOTA)
        return admin_fail(call, error, "a script has at most %d bytes, all of an account %d",
                          SCRIPT_TEXT_MAXIMUM, SCRIPTS_TEXT_MAXIMUM);
    if (error == ERROR_CONFLICT)
        return admin_fail(call, ERROR_INVALID, "the script is active: deactivate it before");
    if (error == ERROR_INVALID)
        return admin_fail(call, error, "a script that is included is not active by itself");
    return error;
}

/* --- list --- */

static int answer_script(struct admin_call *call, const struct script *script)
{
    const struct admin_field fields[] = {
        admin_text("name", script->name),
        admin_bool("active", script->active),
        admin_number("bytes", (int64_t)script->size),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

static int list_account(struct admin_call *call, struct arena *arena)
{
    struct store_view *view;
    struct script *list = NULL;
    size_t count = 0;
    int error = admin_open_view(call, &view);
    if (error)
        return error;
    error = script_list(view, arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer_script(call, &list[i]);
    store_view_close(&view);
    return error;
}

static struct slice place_name(enum site_place place)
{
    return place == SITE_BEFORE  ? SLICE("before")
           : place == SITE_AFTER ? SLICE("after")
           : place == SITE_EVENT ? SLICE("event")
                                 : SLICE("included");
}

static int answer_site(struct admin_call *call, const struct site_script *script)
{
    const struct admin_field fields[] = {
        admin_text("domain", script->domain.size ? script->domain : SLICE("(all)")),
        admin_text("place", place_name(script->place)),
        admin_text("name", script->name),
        admin_bool("active", script->active),
        admin_number("bytes", (int64_t)script->size),
        admin_time("changed", script->changed),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

static bool is_wanted(const struct admin_call *call, struct slice domain,
                      const struct site_script *script)
{
    if (admin_has_argument(call, "domain"))
        return slice_equal_nocase(script->domain, domain);
    return !admin_has_argument(call, "global") || !script->domain.size;
}

static int list_site(struct admin_call *call, struct arena *arena)
{
    struct site_script *list = NULL;
    struct slice domain = {NULL, 0};
    size_t count = 0;
    int error = admin_has_argument(call, "domain") ? admin_argument(call, "domain", &domain) : 0;
    if (!error)
        error = site_script_list(call->store, WHO_SYSTEM, arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++)
        if (is_wanted(call, domain, &list[i]))
            error = answer_site(call, &list[i]);
    return error;
}

static int list(struct admin_call *call)
{
    struct arena arena;
    arena_init(&arena, LIST_MEMORY);
    int error = is_of_account(call) ? list_account(call, &arena) : list_site(call, &arena);
    arena_release(&arena);
    return error;
}

/* --- get --- */

static int read_account_text(struct admin_call *call, struct buffer *text)
{
    struct arena arena;
    struct store_view *view;
    struct script script;
    struct slice name;
    int error = admin_argument(call, "name", &name);
    if (!error)
        error = admin_open_view(call, &view);
    if (error)
        return error;
    arena_init(&arena, 4096);
    error = script_find(view, name, &arena, &script);
    if (!error)
        error = script_read(view, &script, text);
    arena_release(&arena);
    store_view_close(&view);
    return error;
}

static int read_site_text(struct admin_call *call, struct buffer *text)
{
    struct site_script script;
    int error = read_site(call, &script);
    if (!error)
        error = site_script_find(call->store, WHO_SYSTEM, &script);
    if (!error)
        error = site_script_read(call->store, WHO_SYSTEM, &script, text);
    return error;
}

/* The text in pieces. */
static int get(struct admin_call *call)
{
    struct buffer text;
    buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
    int error = is_of_account(call) ? read_account_text(call, &text) : read_site_text(call, &text);
    struct slice rest = buffer_slice(&text);
    while (rest.size && !error) {
        const struct admin_field field =
            admin_text("text", slice_sub(rest, 0, ADMIN_VALUE_MAXIMUM));
        error = call->row(call, &field, 1) ? ERROR_CLOSED : 0;
        rest = slice_sub(rest, ADMIN_VALUE_MAXIMUM, SIZE_MAX);
    }
    buffer_release(&text);
    return error;
}

/* --- put --- */

static int answer_problem(struct admin_call *call, const struct sieve_problem *problem)
{
    const struct admin_field fields[] = {
        admin_number("line", problem->line),
        admin_number("column", problem->column),
        admin_bool("warning", problem->warning),
        admin_text("text", slice_from_string(problem->text)),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

/* Compiles it, and tells what is said of it. */
static int check_text(struct admin_call *call, struct slice text)
{
    struct sieve_report *report = calloc(1, sizeof(*report));
    struct buffer bytecode;
    if (!report)
        return ERROR_MEMORY;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(text, NULL, &bytecode, report);
    for (size_t i = 0; i < report->count; i++)
        if (answer_problem(call, &report->problems[i]))
            error = ERROR_CLOSED;
    if (error == ERROR_SYNTAX || error == ERROR_LIMIT)
        error = admin_fail(call, error, "the script is not valid, and was not stored");
    buffer_release(&bytecode);
    free(report);
    return error;
}

static int put_account(struct admin_call *call, struct slice text)
{
    struct store_view *view;
    struct slice name;
    int error = admin_argument(call, "name", &name);
    if (!error)
        error = admin_open_view(call, &view);
    if (error)
        return error;
    error = script_put(view, name, text);
    if (!error && admin_has_argument(call, "activate"))
        error = script_activate(view, name);
    store_view_close(&view);
    return error;
}

static int put_site(struct admin_call *call, struct slice text)
{
    struct site_script script;
    int error = read_site(call, &script);
    if (!error)
        error = site_script_put(call->store, WHO_SYSTEM, &script, text);
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, "there is no domain %.*s here", SLICE_FORMAT(script.domain));
    return error;
}

static int join_text(struct admin_call *call, struct buffer *text)
{
    struct slice pieces[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count = admin_values(call, "text", pieces);
    for (size_t i = 0; i < count; i++)
        buffer_append(text, pieces[i]);
    return buffer_error(text) == ERROR_LIMIT ? ERROR_QUOTA : buffer_error(text);
}

static int put(struct admin_call *call)
{
    struct buffer text;
    buffer_init(&text, SCRIPT_TEXT_MAXIMUM);
    int error = join_text(call, &text);
    if (!error)
        error = check_text(call, buffer_slice(&text));
    if (!error)
        error = is_of_account(call) ? put_account(call, buffer_slice(&text))
                                    : put_site(call, buffer_slice(&text));
    buffer_release(&text);
    return explain(call, error);
}

/* --- delete, activate, deactivate --- */

/* One row: whose it is. */
static int answer_done(struct admin_call *call)
{
    struct slice what = SLICE("(all)"), name = {NULL, 0};
    if (is_of_account(call))
        admin_argument(call, "address", &what);
    else if (admin_has_argument(call, "domain"))
        admin_argument(call, "domain", &what);
    if (admin_has_argument(call, "name"))
        admin_argument(call, "name", &name);
    const struct admin_field fields[] = {admin_text("of", what), admin_text("name", name)};
    return call->row(call, fields, name.size ? 2 : 1) ? ERROR_CLOSED : 0;
}

static int delete (struct admin_call *call)
{
    struct store_view *view;
    struct site_script script;
    struct slice name;
    int error;
    if (is_of_account(call)) {
        error = admin_argument(call, "name", &name);
        if (!error)
            error = admin_open_view(call, &view);
        if (error)
            return error;
        error = script_delete(view, name);
        store_view_close(&view);
    } else {
        error = read_site(call, &script);
        if (!error)
            error = site_script_delete(call->store, WHO_SYSTEM, &script);
    }
    return error ? explain(call, error) : answer_done(call);
}

/* Of an account, no name makes none active. */
static int set_active(struct admin_call *call, bool active)
{
    struct store_view *view;
    struct site_script script;
    struct slice name = {NULL, 0};
    int error;
    if (is_of_account(call)) {
        error = active ? admin_argument(call, "name", &name) : 0;
        if (!error)
            error = admin_open_view(call, &view);
        if (error)
            return error;
        error = active && !name.size ? ERROR_NOT_FOUND : script_activate(view, name);
        store_view_close(&view);
    } else {
        error = read_site(call, &script);
        if (!error)
            error = site_script_activate(call->store, WHO_SYSTEM, &script, active);
    }
    return error ? explain(call, error) : answer_done(call);
}

static int activate(struct admin_call *call)
{
    return set_active(call, true);
}

static int deactivate(struct admin_call *call)
{
    return set_active(call, false);
}

const struct admin_operation sieve_operations[] = {
    {"sieve.list", false, list},
    {"sieve.get", false, get},
    {"sieve.put", true, put},
    {"sieve.delete", true, delete},
    {"sieve.activate", true, activate},
    {"sieve.deactivate", true, deactivate},
    {NULL, false, NULL},
};
