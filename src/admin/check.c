/*
 * check: the directory and every account, or the accounts named, one after the other. A row for
 * each thing found.
 */
#include "store/check.h"
#include "admin/admin_priv.h"
#include "base/error.h"

struct checking {
    struct admin_call *call;
    struct check_options options;
    const struct account_info *account;
    size_t done, total; /* accounts */
    bool refused;       /* nobody wants more */
};

static void report(enum check_finding finding, const char *text, void *arg)
{
    static const char *const names[] = {
        [CHECK_WRONG] = "wrong", [CHECK_REPAIRED] = "repaired", [CHECK_LOST] = "lost"};
    struct checking *checking = arg;
    const struct admin_field fields[] = {
        admin_text("account", checking->account->address),
        admin_text("finding", slice_from_string(names[finding])),
        admin_text("text", slice_from_string(text)),
    };
    if (!checking->refused)
        checking->refused = checking->call->row(checking->call, fields, 3) != 0;
}

static void tell_progress(struct checking *checking, uint64_t part, uint64_t whole)
{
    uint64_t done = checking->done * UINT64_C(1000), total = checking->total * UINT64_C(1000);
    if (whole)
        done += part * 1000 / whole;
    if (!checking->refused)
        checking->refused = checking->call->progress(checking->call, done, total) != 0;
}

static void progress(uint64_t done, uint64_t total, void *arg)
{
    tell_progress(arg, done, total);
}

static int check_account(struct checking *checking, const struct account_info *account)
{
    struct check_result result;
    checking->account = account;
    checking->options.arg = checking;
    int error = store_check_account(checking->call->store, WHO_SYSTEM, account->id,
                                    &checking->options, &result);
    checking->done++;
    tell_progress(checking, 0, 0);
    if (error == ERROR_NOT_FOUND) {
        /* Named in the directory, and not there. */
        report(CHECK_LOST, "the account's data", checking);
        error = 0;
    }
    if (error)
        return admin_fail(checking->call, error, "account %.*s", SLICE_FORMAT(account->address));
    return checking->refused ? ERROR_CLOSED : 0;
}

static int check_directory(struct checking *checking)
{
    static const struct account_info directory = {.address = {"directory", 9}};
    struct check_result result;
    checking->account = &directory;
    checking->options.arg = checking;
    int error =
        store_check_directory(checking->call->store, WHO_SYSTEM, &checking->options, &result);
    if (error)
        return admin_fail(checking->call, error, "the directory");
    return checking->refused ? ERROR_CLOSED : 0;
}

static int check_all(struct checking *checking)
{
    struct arena arena;
    struct account_info *accounts;
    arena_init(&arena, ADMIN_LIST_MEMORY);
    int error = check_directory(checking);
    if (!error)
        error = store_account_list(checking->call->store, WHO_SYSTEM, &arena, &accounts,
                                   &checking->total);
    for (size_t i = 0; i < checking->total && !error; i++)
        error = check_account(checking, &accounts[i]);
    arena_release(&arena);
    return error;
}

static int check_named(struct checking *checking, struct slice address)
{
    struct arena arena;
    struct account_info info;
    struct account_id id;
    arena_init(&arena, 4096);
    int error = admin_find_account(checking->call, address, &id);
    if (!error)
        error = store_account_get(checking->call->store, WHO_SYSTEM, id, &arena, &info);
    if (!error)
        error = check_account(checking, &info);
    arena_release(&arena);
    return error;
}

static int check(struct admin_call *call)
{
    struct checking checking = {
        .call = call,
        .options = {.deep = admin_has_argument(call, "deep"),
                    .repair = admin_has_argument(call, "repair"),
                    .report = report,
                    .progress = progress},
    };
    if (!admin_has_argument(call, "account"))
        return check_all(&checking);
    int error = 0;
    for (size_t i = 0; i < call->argument_count; i++)
        checking.total += slice_equal(call->arguments[i].name, SLICE("account"));
    for (size_t i = 0; i < call->argument_count && !error; i++)
        if (slice_equal(call->arguments[i].name, SLICE("account")))
            error = check_named(&checking, call->arguments[i].value);
    return error;
}

const struct admin_operation check_operations[] = {
    {"check", true, check},
    {NULL, false, NULL},
};
