/*
 * account.add|find|delete|list|show|rename|change|dump
 */
#include "admin/admin_priv.h"
#include "base/error.h"
#include "store/dump.h"

static int answer_info(struct admin_call *call, const struct account_info *info)
{
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(info->id, id);
    const struct admin_field fields[] = {
        admin_text("address", info->address),
        admin_text("id", slice_from_string(id)),
        admin_time("created", info->created),
        admin_bool("shared", info->shared),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0]));
}

static int answer(struct admin_call *call, struct account_id id)
{
    struct arena arena;
    struct account_info info;
    arena_init(&arena, 4096);
    int error = store_account_get(call->store, WHO_SYSTEM, id, &arena, &info);
    if (!error)
        error = answer_info(call, &info);
    arena_release(&arena);
    return error;
}

static int add(struct admin_call *call)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_check_domain(call, address);
    if (!error)
        error = store_account_create(call->store, WHO_SYSTEM, address, &id);
    if (error)
        return error;
    if (admin_has_argument(call, "shared"))
        error = store_account_set_shared(call->store, WHO_SYSTEM, id, true);
    if (error)
        store_account_delete(call->store, WHO_SYSTEM, id); /* it is not what was asked for */
    return error ? error : answer(call, id);
}

static int find(struct admin_call *call)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = store_account_find(call->store, WHO_SYSTEM, address, &id);
    return error ? error : answer(call, id);
}

static int delete (struct admin_call *call)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_find_account(call, address, &id);
    if (!error)
        error = answer(call, id);
    if (!error)
        error = store_account_delete(call->store, WHO_SYSTEM, id);
    if (!error)
        call->account_gone(call, id);
    return error;
}

static int list(struct admin_call *call)
{
    struct arena arena;
    struct account_info *accounts;
    size_t count;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = store_account_list(call->store, WHO_SYSTEM, &arena, &accounts, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = answer_info(call, &accounts[i]);
    arena_release(&arena);
    return error;
}

/* The groups and aliases that have it. */
static int answer_holders(struct admin_call *call, struct account_id id)
{
    struct arena arena;
    struct directory_entry *holders;
    size_t count = 0;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = store_directory_holders(call->store, WHO_SYSTEM, id, &arena, &holders, &count);
    for (size_t i = 0; i < count && !error; i++)
        error = admin_answer_entry(call, &holders[i]);
    arena_release(&arena);
    return error;
}

static int show(struct admin_call *call)
{
    struct slice address;
    struct account_id id = {{0}};
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_find_account(call, address, &id);
    if (!error)
        error = admin_answer_address(call, address);
    return error ? error : answer_holders(call, id);
}

static int rename_account(struct admin_call *call)
{
    struct slice address, to = {NULL, 0};
    struct account_id id = {{0}};
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_argument(call, "to", &to);
    if (!error)
        error = admin_find_account(call, address, &id);
    if (!error)
        error = admin_check_domain(call, to);
    if (!error)
        error = store_account_rename(call->store, WHO_SYSTEM, id, to,
                                     admin_has_argument(call, "keep-alias"));
    if (error == ERROR_EXISTS)
        return admin_fail(call, error, "%.*s", SLICE_FORMAT(to));
    return error ? error : answer(call, id);
}

/* Who was logged in to what is shared now is so no more. */
static int change(struct admin_call *call)
{
    struct slice address, text = {NULL, 0};
    struct account_id id = {{0}};
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_argument(call, "shared", &text);
    bool shared = !error && slice_equal(text, SLICE("yes"));
    if (!error && !shared && !slice_equal(text, SLICE("no")))
        error = admin_fail(call, ERROR_INVALID, "shared is yes or no");
    if (!error)
        error = admin_find_account(call, address, &id);
    if (!error)
        error = store_account_set_shared(call->store, WHO_SYSTEM, id, shared);
    if (!error && shared)
        call->account_gone(call, id);
    return error ? error : answer(call, id);
}

static int answer_line(const char *text, void *arg)
{
    struct admin_call *call = arg;
    const struct admin_field line = admin_text("line", slice_from_string(text));
    return call->row(call, &line, 1) ? ERROR_CLOSED : 0;
}

static int dump(struct admin_call *call)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_find_account(call, address, &id);
    return error ? error : store_dump_account(call->store, WHO_SYSTEM, id, answer_line, call);
}

const struct admin_operation account_operations[] = {
    {"account.add", true, add},
    {"account.find", false, find},
    {"account.delete", true, delete},
    {"account.list", false, list},
    {"account.show", false, show},
    {"account.rename", true, rename_account},
    {"account.change", true, change},
    {"account.dump", false, dump},
    {NULL, false, NULL},
};
