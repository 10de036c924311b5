#include "base/error.h"
#include "store/directory_priv.h"

/* --- how deep --- */

/* What the names of one level lead to, each once. */
static int next_level(struct kv_transaction *transaction, enum directory_side side,
                      const struct buffer *level, struct buffer *found, struct buffer *next)
{
    int error = 0;
    buffer_clear(next);
    for (size_t i = 0; i < directory_names_count(level) && !error; i++) {
        struct directory_name from = directory_names_at(level, i);
        buffer_clear(found);
        error = directory_edges(transaction, side, from.id, from.kind, found);
        for (size_t j = 0; j < directory_names_count(found) && !error; j++) {
            struct directory_name name = directory_names_at(found, j);
            if (!directory_names_have(next, name))
                error = buffer_append(next, slice_make(&name, sizeof(name)));
        }
    }
    return error;
}

/* Level by level, and not along each path: there can be very many paths over few groups. What is
 * on a level is at the end of a path of that length. */
static int measure(struct kv_transaction *transaction, enum directory_side side,
                   struct directory_name avoid, struct buffer levels[2], struct buffer *found,
                   size_t *steps)
{
    for (size_t step = 0; step <= DIRECTORY_DEPTH_MAXIMUM; step++) {
        struct buffer *level = &levels[step % 2], *next = &levels[(step + 1) % 2];
        if (directory_names_have(level, avoid))
            return ERROR_INVALID;
        int error = next_level(transaction, side, level, found, next);
        if (error)
            return error;
        if (directory_names_count(next) == 0) {
            *steps = step;
            return 0;
        }
    }
    return ERROR_LIMIT;
}

int directory_measure(struct kv_transaction *transaction, enum directory_side side,
                      struct directory_name from, struct directory_name avoid, size_t *steps)
{
    struct buffer levels[2], found;
    size_t most = GROUP_MEMBERS_MAXIMUM * sizeof(struct directory_name);
    buffer_init(&levels[0], most);
    buffer_init(&levels[1], most);
    buffer_init(&found, most);
    int error = buffer_append(&levels[0], slice_make(&from, sizeof(from)));
    if (!error)
        error = measure(transaction, side, avoid, levels, &found, steps);
    buffer_release(&levels[0]);
    buffer_release(&levels[1]);
    buffer_release(&found);
    return error;
}

/* --- up: the groups of an account --- */

struct membership {
    struct account_id account;
    struct buffer groups; /* struct directory_name: found so far */
    struct buffer found;
};

static int add_groups_of(struct kv_transaction *transaction, struct membership *membership,
                         struct account_id id)
{
    struct buffer *found = &membership->found;
    buffer_clear(found);
    int error = directory_edges(transaction, DIRECTORY_HOLDERS, id, DIRECTORY_GROUP, found);
    for (size_t i = 0; i < directory_names_count(found) && !error; i++) {
        struct directory_name group = directory_names_at(found, i);
        if (!directory_names_have(&membership->groups, group))
            error = buffer_append(&membership->groups, slice_make(&group, sizeof(group)));
    }
    return error;
}

static int read_groups(struct kv_transaction *transaction, void *arg)
{
    struct membership *membership = arg;
    buffer_clear(&membership->groups);
    int error = add_groups_of(transaction, membership, membership->account);
    for (size_t i = 0; i < directory_names_count(&membership->groups) && !error; i++)
        error =
            add_groups_of(transaction, membership, directory_names_at(&membership->groups, i).id);
    return error;
}

int directory_groups_of(struct store *store, struct account_id account, struct account_id *groups,
                        size_t maximum, size_t *count)
{
    struct membership membership = {.account = account};
    buffer_init(&membership.groups, maximum * sizeof(struct directory_name));
    buffer_init(&membership.found, DIRECTORY_HOLDERS_MAXIMUM * sizeof(struct directory_name));
    int error = directory_read(store, WHO_SYSTEM, read_groups, &membership);
    if (!error) {
        *count = directory_names_count(&membership.groups);
        for (size_t i = 0; i < *count; i++)
            groups[i] = directory_names_at(&membership.groups, i).id;
    }
    buffer_release(&membership.groups);
    buffer_release(&membership.found);
    return error;
}

/* --- down: the accounts of an address --- */

struct resolving {
    struct buffer *address; /* normal; its detail is cut off when that is needed */
    bool cut;
    struct buffer accounts; /* struct directory_name */
    struct buffer lists;    /* the same: aliases and groups passed */
    struct buffer found;
};

static int find_start(struct kv_transaction *transaction, struct resolving *resolving,
                      struct directory_name *start)
{
    int error = directory_look_up(transaction, buffer_slice(resolving->address), start);
    if (error == ERROR_NOT_FOUND && directory_cut_detail(resolving->address)) {
        resolving->cut = true;
        error = directory_look_up(transaction, buffer_slice(resolving->address), start);
    }
    return error;
}

static int reach(struct resolving *resolving, struct directory_name name)
{
    struct buffer *to = name.kind == DIRECTORY_ACCOUNT ? &resolving->accounts : &resolving->lists;
    if (directory_names_have(to, name))
        return 0;
    return buffer_append(to, slice_make(&name, sizeof(name)));
}

static int resolve(struct kv_transaction *transaction, void *arg)
{
    struct resolving *resolving = arg;
    struct directory_name start;
    int error = find_start(transaction, resolving, &start);
    if (!error)
        error = reach(resolving, start);
    for (size_t i = 0; i < directory_names_count(&resolving->lists) && !error; i++) {
        struct buffer *found = &resolving->found;
        buffer_clear(found);
        error = directory_edges(transaction, DIRECTORY_MEMBERS,
                                directory_names_at(&resolving->lists, i).id, 0, found);
        for (size_t j = 0; j < directory_names_count(found) && !error; j++)
            error = reach(resolving, directory_names_at(found, j));
    }
    if (!error && directory_names_count(&resolving->accounts) == 0)
        error = ERROR_NOT_FOUND;
    return error;
}

static int take_accounts(const struct resolving *resolving, struct slice address,
                         struct arena *arena, struct resolution *resolution)
{
    size_t count = directory_names_count(&resolving->accounts);
    struct account_id *accounts = arena_alloc_array(arena, count, sizeof(*accounts));
    if (!accounts)
        return ERROR_LIMIT;
    for (size_t i = 0; i < count; i++)
        accounts[i] = directory_names_at(&resolving->accounts, i).id;
    *resolution = (struct resolution){.accounts = accounts, .count = count};
    size_t plus = slice_find(address, '+'), at = slice_find(address, '@');
    if (resolving->cut)
        resolution->detail = slice_sub(address, plus + 1, at - plus - 1);
    return 0;
}

int store_resolve(struct store *store, struct who who, struct slice address, struct arena *arena,
                  struct resolution *resolution)
{
    struct buffer normal;
    struct resolving resolving = {.address = &normal};
    buffer_init(&normal, ADDRESS_MAXIMUM);
    buffer_init(&resolving.accounts, RESOLVED_ACCOUNTS_MAXIMUM * sizeof(struct directory_name));
    buffer_init(&resolving.lists, RESOLVED_LISTS_MAXIMUM * sizeof(struct directory_name));
    buffer_init(&resolving.found, GROUP_MEMBERS_MAXIMUM * sizeof(struct directory_name));
    int error = store_normalise_address(store, address, &normal);
    if (!error)
        error = directory_read(store, who, resolve, &resolving);
    if (!error)
        error = take_accounts(&resolving, address, arena, resolution);
    buffer_release(&normal);
    buffer_release(&resolving.accounts);
    buffer_release(&resolving.lists);
    buffer_release(&resolving.found);
    return error;
}
