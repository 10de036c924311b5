/*
 * group.add|delete|list|add-member|remove-member|members
 */
#include "admin/admin_priv.h"
#include "base/error.h"

static int add(struct admin_call *call)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_check_domain(call, address);
    if (!error)
        error = store_group_create(call->store, WHO_SYSTEM, address, &id);
    return error ? error : admin_answer_address(call, address);
}

static int delete (struct admin_call *call)
{
    struct slice address;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = store_group_delete(call->store, WHO_SYSTEM, address);
    if (error)
        return error;
    const struct admin_field field = admin_text("address", address);
    return call->row(call, &field, 1) ? ERROR_CLOSED : 0;
}

static int list(struct admin_call *call)
{
    struct arena arena;
    struct directory_entry *groups;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error =
        store_directory_list(call->store, WHO_SYSTEM, DIRECTORY_GROUP, &arena, &groups, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = admin_answer_entry(call, &groups[i]);
    arena_release(&arena);
    return error;
}

/* The group's address and its members' as arguments. */
static int take_members(struct admin_call *call, struct slice *address,
                        struct slice members[ADMIN_ARGUMENTS_MAXIMUM], size_t *count)
{
    int error = admin_argument(call, "address", address);
    *count = admin_values(call, "member", members);
    if (!error && !*count)
        error = admin_fail(call, ERROR_INVALID, "member is missing");
    return error ? error : admin_check_names(call, members, *count);
}

static int explain(struct admin_call *call, int error)
{
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, "no such group, or an alias, which is no member");
    if (error == ERROR_EXISTS)
        return admin_fail(call, error, "it is a member");
    if (error == ERROR_INVALID)
        return admin_fail(call, error, "the group would be in itself");
    if (error == ERROR_LIMIT)
        return admin_fail(call, error,
                          "a group has at most %d members, groups are at most %d deep in one "
                          "another, and nothing is in more than %d aliases and groups",
                          GROUP_MEMBERS_MAXIMUM, DIRECTORY_DEPTH_MAXIMUM,
                          DIRECTORY_HOLDERS_MAXIMUM);
    return error;
}

static int add_member(struct admin_call *call)
{
    struct slice address, list[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count;
    int error = take_members(call, &address, list, &count);
    if (error)
        return error;
    error = store_group_add(call->store, WHO_SYSTEM, address, list, count);
    return error ? explain(call, error) : admin_answer_address(call, address);
}

static int remove_member(struct admin_call *call)
{
    struct slice address, list[ADMIN_ARGUMENTS_MAXIMUM];
    size_t count;
    int error = take_members(call, &address, list, &count);
    if (error)
        return error;
    error = store_group_remove(call->store, WHO_SYSTEM, address, list, count);
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, "no such group, or member of it");
    return error ? error : admin_answer_address(call, address);
}

static int members(struct admin_call *call)
{
    struct arena arena;
    struct slice address;
    struct directory_entry group, *entries;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = store_directory_find(call->store, WHO_SYSTEM, address, &arena, &group);
    if (!error && group.kind != DIRECTORY_GROUP)
        error = ERROR_NOT_FOUND;
    if (!error)
        error = store_directory_members(call->store, WHO_SYSTEM, address, &arena, &entries, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = admin_answer_entry(call, &entries[i]);
    arena_release(&arena);
    return error;
}

const struct admin_operation group_operations[] = {
    {"group.add", true, add},
    {"group.delete", true, delete},
    {"group.list", false, list},
    {"group.add-member", true, add_member},
    {"group.remove-member", true, remove_member},
    {"group.members", false, members},
    {NULL, false, NULL},
};
