/*
 * alias.add|delete|list
 */
#include "admin/admin_priv.h"
#include "base/error.h"

static int explain(struct admin_call *call, int error, struct slice address)
{
    if (error == ERROR_EXISTS)
        return admin_fail(call, error, "%.*s is an account or a group, or leads there already",
                          SLICE_FORMAT(address));
    if (error == ERROR_INVALID)
        return admin_fail(call, error, "it would lead back to itself");
    if (error == ERROR_LIMIT)
        return admin_fail(call, error,
                          "an alias has at most %d targets, leads over at most %d others, and "
                          "nothing is in more than %d aliases and groups",
                          ALIAS_TARGETS_MAXIMUM, DIRECTORY_DEPTH_MAXIMUM,
                          DIRECTORY_HOLDERS_MAXIMUM);
    return error;
}

static int add(struct admin_call *call)
{
    struct slice address, targets[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count = admin_values(call, "target", targets);
    int error = admin_argument(call, "address", &address);
    if (!error && !count)
        return admin_fail(call, ERROR_INVALID, "target is missing");
    if (!error)
        error = admin_check_domain(call, address);
    if (!error)
        error = admin_check_names(call, targets, count);
    if (error)
        return error;
    error = store_alias_add(call->store, WHO_SYSTEM, address, targets, count);
    return error ? explain(call, error, address) : admin_answer_address(call, address);
}

static int delete (struct admin_call *call)
{
    struct slice address, targets[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count = admin_values(call, "target", targets);
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = store_alias_delete(call->store, WHO_SYSTEM, address, targets, count);
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, count ? "no such alias, or target of it" : "no such alias");
    if (error)
        return error;
    const struct admin_field field = admin_text("address", address);
    return call->row(call, &field, 1) ? ERROR_CLOSED : 0;
}

/* A row for each target. */
static int answer_targets(struct admin_call *call, const struct directory_entry *alias)
{
    struct arena arena;
    struct directory_entry *targets;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error =
        store_directory_members(call->store, WHO_SYSTEM, alias->address, &arena, &targets, &count);
    for (size_t i = 0; i < count && !error; i++) {
        const struct admin_field fields[] = {
            admin_text("address", alias->address),
            admin_text("target", targets[i].address),
            admin_text("kind", admin_kind_name(targets[i].kind)),
            admin_time("created", alias->created),
        };
        error = call->row(call, fields, 4) ? ERROR_CLOSED : 0;
    }
    arena_release(&arena);
    return error == ERROR_NOT_FOUND ? 0 : error; /* it has gone meanwhile */
}

static int list(struct admin_call *call)
{
    struct arena arena;
    struct directory_entry *aliases;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error =
        store_directory_list(call->store, WHO_SYSTEM, DIRECTORY_ALIAS, &arena, &aliases, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer_targets(call, &aliases[i]);
    arena_release(&arena);
    return error;
}

const struct admin_operation alias_operations[] = {
    {"alias.add", true, add},
    {"alias.delete", true, delete},
    {"alias.list", false, list},
    {NULL, false, NULL},
};
