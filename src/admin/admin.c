#include "admin/admin_priv.h"
#include "base/error.h"

#include <stdio.h>

static const struct admin_operation *const tables[] = {
    account_operations, alias_operations,   check_operations,    domain_operations,
    group_operations,   mailbox_operations, outgoing_operations, purge_operations,
    quota_operations,   share_operations,   sieve_operations,    undelete_operations};

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

size_t admin_values(const struct admin_call *call, const char *name,
                    struct slice values[ADMIN_ARGUMENTS_MAXIMUM])
{
    size_t count = 0;
    for (size_t i = 0; i < call->argument_count && count < ADMIN_ARGUMENTS_MAXIMUM; i++)
        if (slice_equal(call->arguments[i].name, slice_from_string(name)))
            values[count++] = call->arguments[i].value;
    return count;
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

int admin_work_begin(struct admin_call *call, struct admin_work *work)
{
    *work = (struct admin_work){.call = call};
    arena_init(&work->arena, ADMIN_LIST_MEMORY);
    return admin_open_view(call, &work->view);
}

void admin_work_end(struct admin_work *work)
{
    store_view_close(&work->view);
    arena_release(&work->arena);
}

int admin_find_mailbox(struct admin_work *work, struct slice path, struct collection *found)
{
    int error = collection_find(work->view, COLLECTION_MAILBOX, path, &work->arena, found);
    return error ? admin_fail(work->call, error, "mailbox %.*s", SLICE_FORMAT(path)) : 0;
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

/* --- of the directory --- */

int admin_check_domain(struct admin_call *call, struct slice address)
{
    int error = store_domain_check(call->store, WHO_SYSTEM, address);
    struct slice domain = slice_sub(address, slice_find(address, '@') + 1, SIZE_MAX);
    if (error == ERROR_NOT_FOUND)
        return admin_fail(call, error, "there is no domain %.*s here: chapar domain add %.*s",
                          SLICE_FORMAT(domain), SLICE_FORMAT(domain));
    return error;
}

int admin_check_names(struct admin_call *call, const struct slice *addresses, size_t count)
{
    struct arena arena;
    struct directory_entry entry;
    int error = 0;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < count && !error; i++) {
        arena_clear(&arena);
        error = store_directory_find(call->store, WHO_SYSTEM, addresses[i], &arena, &entry);
        if (error)
            error = admin_fail(call, error, "%.*s", SLICE_FORMAT(addresses[i]));
    }
    arena_release(&arena);
    return error;
}

struct slice admin_kind_name(enum directory_kind kind)
{
    static const char *const names[] = {
        [DIRECTORY_ACCOUNT] = "account", [DIRECTORY_GROUP] = "group", [DIRECTORY_ALIAS] = "alias"};
    return slice_from_string(names[kind]);
}

int admin_answer_entry(struct admin_call *call, const struct directory_entry *entry)
{
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(entry->id, id);
    const struct admin_field fields[] = {
        admin_text("address", entry->address),
        admin_text("kind", admin_kind_name(entry->kind)),
        admin_text("id", slice_from_string(id)),
        admin_time("created", entry->created),
        entry->kind == DIRECTORY_ACCOUNT ? admin_bool("shared", entry->shared)
                                         : admin_number("members", (int64_t)entry->members),
    };
    return call->row(call, fields, sizeof(fields) / sizeof(fields[0])) ? ERROR_CLOSED : 0;
}

int admin_answer_address(struct admin_call *call, struct slice address)
{
    struct arena arena;
    struct directory_entry entry;
    arena_init(&arena, 4096);
    int error = store_directory_find(call->store, WHO_SYSTEM, address, &arena, &entry);
    if (!error)
        error = admin_answer_entry(call, &entry);
    arena_release(&arena);
    return error;
}
