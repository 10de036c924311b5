/*
 * domain.add|delete|list
 */
#include "admin/admin_priv.h"
#include "base/error.h"

enum { LIST_MEMORY = 64 * 1024 * 1024 /* bytes that listing the domains may take */ };

static int answer_info(struct admin_call *call, const struct domain_info *info)
{
    const struct admin_field fields[] = {
        admin_text("domain", info->name),
        admin_time("created", info->created),
        admin_bool("default", info->default_here),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

/* The domain alone when `only`, else all. */
static int answer_list(struct admin_call *call, const struct slice *only)
{
    struct arena arena;
    struct domain_info *domains;
    size_t count = 0;
    arena_init(&arena, LIST_MEMORY);
    int error = store_domain_list(call->store, WHO_SYSTEM, &arena, &domains, &count);
    for (size_t i = 0; i < count && !error; i++)
        if (!only || slice_equal_nocase(domains[i].name, *only))
            error = answer_info(call, &domains[i]);
    arena_release(&arena);
    return error;
}

static int add(struct admin_call *call)
{
    struct slice domain;
    int error = admin_argument(call, "domain", &domain);
    if (!error)
        error = store_domain_add(call->store, WHO_SYSTEM, domain);
    return error ? error : answer_list(call, &domain);
}

static int delete (struct admin_call *call)
{
    struct slice domain;
    int error = admin_argument(call, "domain", &domain);
    if (!error)
        error = store_domain_delete(call->store, WHO_SYSTEM, domain);
    if (error == ERROR_CONFLICT)
        return admin_fail(call, ERROR_INVALID, "there are addresses in it");
    if (error == ERROR_INVALID)
        return admin_fail(call, error, "it is the default_domain of the configuration");
    if (error)
        return error;
    const struct admin_field field = admin_text("domain", domain);
    return call->row(call, &field, 1) ? ERROR_CLOSED : 0;
}

static int list(struct admin_call *call)
{
    return answer_list(call, NULL);
}

const struct admin_operation domain_operations[] = {
    {"domain.add", true, add},
    {"domain.delete", true, delete},
    {"domain.list", false, list},
    {NULL, false, NULL},
};
