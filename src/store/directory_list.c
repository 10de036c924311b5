#include "base/clock.h"
#include "base/error.h"
#include "store/directory_priv.h"

#include <stdlib.h>
#include <unistd.h>

enum { CALL_MEMORY = 16 * 1024 * 1024 /* bytes of the addresses that one call may name */ };

/* --- edges --- */

/* Without loops, and not deeper than it may be: what is above the holder and below the member. */
static int check_depth(struct kv_transaction *transaction, struct directory_name holder,
                       struct directory_name member)
{
    size_t above, below;
    if (holder.kind != member.kind)
        return 0;
    int error = directory_measure(transaction, DIRECTORY_MEMBERS, member, holder, &below);
    if (!error)
        error = directory_measure(transaction, DIRECTORY_HOLDERS, holder, member, &above);
    if (!error && above + 1 + below > DIRECTORY_DEPTH_MAXIMUM)
        error = ERROR_LIMIT;
    return error;
}

/* One holder more for the member. */
static int check_holders(struct kv_transaction *transaction, struct directory_name member)
{
    struct buffer names;
    buffer_init(&names, DIRECTORY_HOLDERS_MAXIMUM * sizeof(struct directory_name));
    int error = directory_edges(transaction, DIRECTORY_HOLDERS, member.id, 0, &names);
    if (!error && directory_names_count(&names) >= DIRECTORY_HOLDERS_MAXIMUM)
        error = ERROR_LIMIT;
    buffer_release(&names);
    return error;
}

static int check_edge(struct kv_transaction *transaction, const struct directory_entry *holder,
                      struct directory_name member)
{
    struct directory_key key;
    struct buffer value;
    size_t most = holder->kind == DIRECTORY_GROUP ? GROUP_MEMBERS_MAXIMUM : ALIAS_TARGETS_MAXIMUM;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_edge(&key, DIRECTORY_MEMBERS, holder->id, member),
                       &value);
    buffer_release(&value);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    if (holder->members >= most)
        return ERROR_LIMIT;
    error = check_holders(transaction, member);
    if (!error)
        error = check_depth(transaction, (struct directory_name){holder->kind, holder->id}, member);
    return error;
}

static int put_edge(struct kv_transaction *transaction, struct directory_entry *holder,
                    struct directory_name member)
{
    struct directory_key key;
    struct buffer value;
    struct directory_name name = {holder->kind, holder->id};
    buffer_init(&value, KV_VALUE_MAXIMUM);
    directory_edge_write(&value);
    int error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, directory_key_edge(&key, DIRECTORY_MEMBERS, name.id, member),
                       buffer_slice(&value));
    if (!error)
        error = kv_put(transaction, directory_key_edge(&key, DIRECTORY_HOLDERS, member.id, name),
                       buffer_slice(&value));
    holder->members++;
    if (!error)
        error = directory_put(transaction, holder, &value);
    buffer_release(&value);
    return error;
}

int directory_connect(struct kv_transaction *transaction, struct directory_name holder,
                      struct directory_name member)
{
    struct directory_entry entry;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, holder, &value, &entry);
    if (!error)
        error = check_edge(transaction, &entry, member);
    if (!error)
        error = put_edge(transaction, &entry, member);
    buffer_release(&value);
    return error;
}

/* --- calls --- */

struct list_call {
    struct store *store;
    enum directory_kind kind; /* what the address must be */
    struct slice address;     /* normal, as are the targets */
    struct slice *targets;
    size_t count;
    struct arena arena;
    struct account_id made;
};

static int normalise(struct list_call *call, struct slice address, struct slice *normal)
{
    struct buffer buffer;
    buffer_init(&buffer, ADDRESS_MAXIMUM);
    int error = store_normalise_address(call->store, address, &buffer);
    if (!error)
        *normal = arena_copy(&call->arena, buffer_slice(&buffer));
    buffer_release(&buffer);
    return error ? error : arena_failed(&call->arena) ? ERROR_LIMIT : 0;
}

/* Everything named in its normal form, then fn in a transaction. */
static int run_call(struct list_call *call, struct who who, struct slice address,
                    const struct slice *targets, size_t count,
                    int (*fn)(struct kv_transaction *transaction, void *arg))
{
    arena_init(&call->arena, CALL_MEMORY);
    call->count = count;
    call->targets = arena_alloc_array(&call->arena, count, sizeof(*call->targets));
    int error = call->targets ? normalise(call, address, &call->address) : ERROR_LIMIT;
    for (size_t i = 0; i < count && !error; i++)
        error = normalise(call, targets[i], &call->targets[i]);
    if (!error)
        error = directory_update(call->store, who, fn, call);
    arena_release(&call->arena);
    return error;
}

/* ERROR_NOT_FOUND: it stands for something else. */
static int look_up_kind(struct kv_transaction *transaction, const struct list_call *call,
                        struct directory_name *name)
{
    int error = directory_look_up(transaction, call->address, name);
    return error ? error : name->kind == call->kind ? 0 : ERROR_NOT_FOUND;
}

static int make_list(struct kv_transaction *transaction, struct list_call *call,
                     struct directory_name *name)
{
    struct directory_entry entry = {
        .kind = call->kind, .address = call->address, .created = clock_wall()};
    if (getentropy(entry.id.bytes, sizeof(entry.id.bytes)))
        return ERROR_IO;
    *name = (struct directory_name){entry.kind, entry.id};
    call->made = entry.id;
    return directory_add(call->store, transaction, &entry);
}

static int connect_all(struct kv_transaction *transaction, const struct list_call *call,
                       struct directory_name holder)
{
    int error = 0;
    for (size_t i = 0; i < call->count && !error; i++) {
        struct directory_name target;
        error = directory_look_up(transaction, call->targets[i], &target);
        /* An alias is a way for mail, not somebody: it is in no group. */
        if (!error && holder.kind == DIRECTORY_GROUP && target.kind == DIRECTORY_ALIAS)
            error = ERROR_NOT_FOUND;
        if (!error)
            error = directory_connect(transaction, holder, target);
    }
    return error;
}

static int disconnect_all(struct kv_transaction *transaction, const struct list_call *call,
                          struct directory_name holder, size_t *left)
{
    int error = 0;
    struct buffer names;
    buffer_init(&names, GROUP_MEMBERS_MAXIMUM * sizeof(struct directory_name));
    for (size_t i = 0; i < call->count && !error; i++) {
        struct directory_name target;
        buffer_clear(&names);
        error = directory_look_up(transaction, call->targets[i], &target);
        if (!error)
            error = directory_edges(transaction, DIRECTORY_MEMBERS, holder.id, target.kind, &names);
        if (!error && !directory_names_have(&names, target))
            error = ERROR_NOT_FOUND;
        if (!error)
            error = directory_disconnect(transaction, holder, target, left);
    }
    buffer_release(&names);
    return error;
}

/* --- aliases --- */

static int add_alias(struct kv_transaction *transaction, void *arg)
{
    struct list_call *call = arg;
    struct directory_name alias;
    int error = directory_look_up(transaction, call->address, &alias);
    if (error == ERROR_NOT_FOUND)
        error = make_list(transaction, call, &alias);
    else if (!error && alias.kind != DIRECTORY_ALIAS)
        error = ERROR_EXISTS;
    return error ? error : connect_all(transaction, call, alias);
}

int store_alias_add(struct store *store, struct who who, struct slice address,
                    const struct slice *targets, size_t count)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_ALIAS};
    if (count == 0)
        return ERROR_INVALID;
    return run_call(&call, who, address, targets, count, add_alias);
}

static int delete_alias(struct kv_transaction *transaction, void *arg)
{
    const struct list_call *call = arg;
    struct directory_name alias;
    size_t left = 0;
    int error = look_up_kind(transaction, call, &alias);
    if (!error)
        error = disconnect_all(transaction, call, alias, &left);
    return error || left ? error : directory_remove(transaction, alias);
}

int store_alias_delete(struct store *store, struct who who, struct slice address,
                       const struct slice *targets, size_t count)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_ALIAS};
    return run_call(&call, who, address, targets, count, delete_alias);
}

/* --- groups --- */

static int create_group(struct kv_transaction *transaction, void *arg)
{
    struct directory_name group;
    return make_list(transaction, arg, &group);
}

int store_group_create(struct store *store, struct who who, struct slice address,
                       struct account_id *id)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_GROUP};
    int error = run_call(&call, who, address, NULL, 0, create_group);
    if (!error)
        *id = call.made;
    return error;
}

static int delete_group(struct kv_transaction *transaction, void *arg)
{
    struct directory_name group;
    int error = look_up_kind(transaction, arg, &group);
    return error ? error : directory_remove(transaction, group);
}

int store_group_delete(struct store *store, struct who who, struct slice address)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_GROUP};
    return run_call(&call, who, address, NULL, 0, delete_group);
}

static int add_members(struct kv_transaction *transaction, void *arg)
{
    struct directory_name group;
    int error = look_up_kind(transaction, arg, &group);
    return error ? error : connect_all(transaction, arg, group);
}

int store_group_add(struct store *store, struct who who, struct slice address,
                    const struct slice *members, size_t count)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_GROUP};
    return run_call(&call, who, address, members, count, add_members);
}

static int remove_members(struct kv_transaction *transaction, void *arg)
{
    struct directory_name group;
    size_t left;
    int error = look_up_kind(transaction, arg, &group);
    return error ? error : disconnect_all(transaction, arg, group, &left);
}

int store_group_remove(struct store *store, struct who who, struct slice address,
                       const struct slice *members, size_t count)
{
    struct list_call call = {.store = store, .kind = DIRECTORY_GROUP};
    return run_call(&call, who, address, members, count, remove_members);
}

/* --- their members, and who has them --- */

struct members {
    struct slice address;
    struct account_id id; /* of what holders are asked of */
    struct arena *arena;
    struct directory_entry *entries;
    size_t count;
};

static int by_kind_and_address(const void *a, const void *b)
{
    const struct directory_entry *x = a, *y = b;
    int kinds = (int)x->kind - (int)y->kind;
    return kinds ? kinds : slice_compare(x->address, y->address);
}

static int take_members(struct kv_transaction *transaction, struct members *members,
                        const struct buffer *names)
{
    struct buffer value;
    struct directory_entry entry;
    size_t total = directory_names_count(names);
    int error = 0;
    members->count = 0;
    members->entries = arena_alloc_array(members->arena, total, sizeof(*members->entries));
    if (!members->entries)
        return ERROR_LIMIT;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    for (size_t i = 0; i < total && !error; i++) {
        error = directory_get(transaction, directory_names_at(names, i), &value, &entry);
        if (!error)
            error = directory_copy(members->arena, &entry, &members->entries[members->count++]);
    }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int read_members(struct kv_transaction *transaction, void *arg)
{
    struct members *members = arg;
    struct directory_name name;
    struct buffer names;
    buffer_init(&names, GROUP_MEMBERS_MAXIMUM * sizeof(struct directory_name));
    int error = directory_look_up(transaction, members->address, &name);
    if (!error && name.kind == DIRECTORY_ACCOUNT)
        error = ERROR_NOT_FOUND;
    if (!error)
        error = directory_edges(transaction, DIRECTORY_MEMBERS, name.id, 0, &names);
    if (!error)
        error = take_members(transaction, members, &names);
    buffer_release(&names);
    return error;
}

static int read_holders(struct kv_transaction *transaction, void *arg)
{
    struct members *members = arg;
    struct buffer names;
    buffer_init(&names, DIRECTORY_HOLDERS_MAXIMUM * sizeof(struct directory_name));
    int error = directory_edges(transaction, DIRECTORY_HOLDERS, members->id, 0, &names);
    if (!error)
        error = take_members(transaction, members, &names);
    buffer_release(&names);
    return error;
}

static void give_sorted(struct members *members, struct directory_entry **entries, size_t *count)
{
    qsort(members->entries, members->count, sizeof(*members->entries), by_kind_and_address);
    *entries = members->entries;
    *count = members->count;
}

int store_directory_members(struct store *store, struct who who, struct slice address,
                            struct arena *arena, struct directory_entry **members, size_t *count)
{
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    struct members call = {.address = buffer_slice(&normal), .arena = arena};
    if (!error)
        error = directory_read(store, who, read_members, &call);
    buffer_release(&normal);
    if (!error)
        give_sorted(&call, members, count);
    return error;
}

int store_directory_holders(struct store *store, struct who who, struct account_id id,
                            struct arena *arena, struct directory_entry **holders, size_t *count)
{
    struct members call = {.id = id, .arena = arena};
    int error = directory_read(store, who, read_holders, &call);
    if (!error)
        give_sorted(&call, holders, count);
    return error;
}
