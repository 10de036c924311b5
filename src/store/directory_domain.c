#include "base/clock.h"
#include "base/error.h"
#include "store/directory_priv.h"

#include <stdlib.h>

static bool is_default(const struct store *store, struct slice domain)
{
    return slice_equal_nocase(domain, slice_from_string(store->default_domain));
}

int directory_require_domain(struct store *store, struct kv_transaction *transaction,
                             struct slice address)
{
    struct directory_key key;
    struct buffer value;
    struct slice domain = directory_domain_of(address);
    if (is_default(store, domain))
        return 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_domain(&key, domain), &value);
    buffer_release(&value);
    return error;
}

struct domain_call {
    struct store *store;
    struct slice name; /* a domain, or an address for directory_require_domain; normal */
    struct arena *arena;
    struct domain_info *domains;
    size_t count, room;
};

/* The normal form of a domain: what an address in it has behind its @. */
static int with_domain(struct store *store, struct slice domain, struct domain_call *call,
                       struct buffer *normal)
{
    struct buffer address;
    buffer_init(&address, ADDRESS_MAXIMUM);
    buffer_append(&address, SLICE("x@"));
    buffer_append(&address, domain);
    int error = buffer_error(&address);
    if (!error)
        error = store_normalise_address(store, buffer_slice(&address), normal);
    buffer_release(&address);
    *call = (struct domain_call){.store = store, .name = directory_domain_of(buffer_slice(normal))};
    return error;
}

static int check_domain(struct kv_transaction *transaction, void *arg)
{
    const struct domain_call *call = arg;
    return directory_require_domain(call->store, transaction, call->name);
}

int store_domain_check(struct store *store, struct who who, struct slice address)
{
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    struct domain_call call = {.store = store, .name = buffer_slice(&normal)};
    if (!error)
        error = directory_read(store, who, check_domain, &call);
    buffer_release(&normal);
    return error;
}

/* --- adding and deleting --- */

static int add_domain(struct kv_transaction *transaction, void *arg)
{
    const struct domain_call *call = arg;
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    struct slice bytes = directory_key_domain(&key, call->name);
    int error = kv_get(transaction, bytes, &value);
    error = error == ERROR_NOT_FOUND ? 0 : error ? error : ERROR_EXISTS;
    directory_domain_write(clock_wall(), &value);
    if (!error)
        error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, bytes, buffer_slice(&value));
    buffer_release(&value);
    return error;
}

int store_domain_add(struct store *store, struct who who, struct slice domain)
{
    struct buffer normal;
    struct domain_call call;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = with_domain(store, domain, &call, &normal);
    if (!error)
        error = directory_update(store, who, add_domain, &call);
    buffer_release(&normal);
    return error;
}

/* Reads all names: they are in the order of their local parts. */
static int look_for_names(struct kv_transaction *transaction, struct slice domain)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE("n"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        if (slice_equal(directory_domain_of(key), domain)) {
            error = ERROR_CONFLICT;
            break;
        }
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int delete_domain(struct kv_transaction *transaction, void *arg)
{
    const struct domain_call *call = arg;
    struct directory_key key;
    struct buffer value;
    if (is_default(call->store, call->name))
        return ERROR_INVALID;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_domain(&key, call->name), &value);
    buffer_release(&value);
    if (!error)
        error = look_for_names(transaction, call->name);
    if (!error)
        error = directory_scripts_delete(transaction, call->name);
    return error ? error : kv_delete(transaction, directory_key_domain(&key, call->name));
}

int store_domain_delete(struct store *store, struct who who, struct slice domain)
{
    struct buffer normal;
    struct domain_call call;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = with_domain(store, domain, &call, &normal);
    if (!error)
        error = directory_update(store, who, delete_domain, &call);
    buffer_release(&normal);
    return error;
}

/* --- listing --- */

static int count_domain(struct domain_call *call, struct slice name, struct slice value)
{
    (void)name, (void)value;
    call->room++;
    return 0;
}

static int take_domain(struct domain_call *call, struct slice name, struct slice value)
{
    struct domain_info *info = &call->domains[call->count++];
    info->name = arena_copy(call->arena, name);
    info->default_here = is_default(call->store, name);
    int error = directory_domain_read(value, &info->created);
    return error ? error : arena_failed(call->arena) ? ERROR_LIMIT : 0;
}

static int each_domain(struct kv_transaction *transaction, struct domain_call *call,
                       int (*fn)(struct domain_call *call, struct slice name, struct slice value))
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE("d"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = fn(call, slice_sub(key, 1, SIZE_MAX), value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int by_name(const void *a, const void *b)
{
    return slice_compare(((const struct domain_info *)a)->name,
                         ((const struct domain_info *)b)->name);
}

/* The default domain is among them, whether it has been added or not. */
static void add_default(struct domain_call *call)
{
    struct slice name = slice_from_string(call->store->default_domain);
    for (size_t i = 0; i < call->count; i++)
        if (call->domains[i].default_here)
            return;
    if (!name.size)
        return;
    call->domains[call->count++] =
        (struct domain_info){.name = arena_copy(call->arena, name), .default_here = true};
    qsort(call->domains, call->count, sizeof(*call->domains), by_name);
}

static int list_domains(struct kv_transaction *transaction, void *arg)
{
    struct domain_call *call = arg;
    int error = each_domain(transaction, call, count_domain);
    if (error)
        return error;
    call->domains = arena_alloc_array(call->arena, call->room + 1, sizeof(*call->domains));
    if (!call->domains)
        return ERROR_LIMIT;
    error = each_domain(transaction, call, take_domain);
    if (!error)
        add_default(call);
    return error ? error : arena_failed(call->arena) ? ERROR_LIMIT : 0;
}

int store_domain_list(struct store *store, struct who who, struct arena *arena,
                      struct domain_info **domains, size_t *count)
{
    struct domain_call call = {.store = store, .arena = arena};
    int error = directory_read(store, who, list_domains, &call);
    if (error)
        return error;
    *domains = call.domains;
    *count = call.count;
    return 0;
}
