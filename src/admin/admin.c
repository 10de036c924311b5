#include "admin/admin_priv.h"
#include "base/error.h"

#include <stdio.h>

static const struct admin_operation *const tables[] = {
    account_operations, check_operations, purge_operations, quota_operations, undelete_operations};

const struct admin_operation *admin_operation_find(struct slice name)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct admin_operation *operation = tables[i]; operation->name; operation++)
            if (slice_equal(name, slice_from_string(operation->name)))
                return operation;
    return NULL;
}

int admin_run(struct slice name, struct admin_call *call)
{
    const struct admin_operation *operation = admin_operation_find(name);
    call->detail[0] = '\0';
    return operation ? operation->run(call)
                     : admin_fail(call, ERROR_UNSUPPORTED,
                                  "no operation %.*s: the server is of "
                                  "another version than this command",
                                  SLICE_FORMAT(name));
}

/* --- for the operations --- */

static const struct admin_argument *find(const struct admin_call *call, const char *name)
{
    for (size_t i = 0; i < call->argument_count; i++)
        if (slice_equal(call->arguments[i].name, slice_from_string(name)))
            return &call->arguments[i];
    return NULL;
}

int admin_argument(struct admin_call *call, const char *name, struct slice *value)
{
    const struct admin_argument *argument = find(call, name);
    if (!argument)
        return admin_fail(call, ERROR_INVALID, "%s is missing", name);
    *value = argument->value;
    return 0;
}

bool admin_has_argument(const struct admin_call *call, const char *name)
{
    return find(call, name) != NULL;
}

int admin_fail(struct admin_call *call, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->detail, sizeof(call->detail), format, arguments);
    va_end(arguments);
    return error;
}

static int is_own_name(struct admin_call *call, struct slice address, struct account_id id)
{
    struct arena arena;
    struct buffer normal;
    struct account_info info;
    arena_init(&arena, 4096);
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(call->store, address, &normal);
    if (!error)
        error = store_account_get(call->store, WHO_SYSTEM, id, &arena, &info);
    if (!error && !slice_equal(buffer_slice(&normal), info.address))
        error = ERROR_NOT_FOUND;
    buffer_release(&normal);
    arena_release(&arena);
    return error;
}

int admin_find_account(struct admin_call *call, struct slice address, struct account_id *id)
{
    struct account_id found;
    int error = store_account_find(call->store, WHO_SYSTEM, address, &found);
    if (!error)
        error = is_own_name(call, address, found);
    if (error)
        return admin_fail(call, error, "account %.*s", SLICE_FORMAT(address));
    *id = found;
    return 0;
}

int admin_open_view(struct admin_call *call, struct store_view **view)
{
    struct slice address;
    struct account_id id;
    int error = admin_argument(call, "address", &address);
    if (!error)
        error = admin_find_account(call, address, &id);
    return error ? error : store_view_open(call->store, WHO_SYSTEM, id, view);
}

bool admin_read_number(struct slice text, uint64_t *number)
{
    uint64_t read = 0;
    if (!text.size || text.size > 18)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        read = read * 10 + (uint64_t)(text.data[i] - '0');
    }
    *number = read;
    return true;
}

bool admin_read_size(struct slice text, uint64_t *number)
{
    static const char units[] = "KMGT";
    uint64_t read;
    const char *unit = text.size ? strchr(units, text.data[text.size - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (!admin_read_number(slice_sub(text, 0, text.size - (unit != NULL)), &read) ||
        read > (uint64_t)INT64_MAX >> shift)
        return false;
    *number = read << shift;
    return true;
}
