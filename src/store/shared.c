/*
 * The directory's keys s: which accounts have a list that names somebody.
 */
#include "base/error.h"
#include "store/acl_priv.h"

#include <stdlib.h>

enum { SHARERS_MAXIMUM = 100000 }; /* accounts that share something with one account */

/* --- changing --- */

struct sharing {
    struct acl_subject subject;
    struct account_id owner;
    bool shared; /* what it is to be */
    bool there;  /* what it is */
    bool gone;   /* there is no such subject any more */
    struct kv_lock *lock;
};

static int is_there(struct kv_transaction *transaction, struct slice key, bool *there)
{
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key, &value);
    *there = !error;
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int look_up(struct kv_transaction *transaction, void *arg)
{
    struct sharing *sharing = arg;
    struct directory_key key;
    struct acl_subject subject = sharing->subject;
    bool known = true;
    int error =
        is_there(transaction, directory_key_shared(&key, subject, sharing->owner), &sharing->there);
    if (!error && (subject.kind == ACL_ACCOUNT || subject.kind == ACL_GROUP)) {
        enum directory_kind kind = subject.kind == ACL_GROUP ? DIRECTORY_GROUP : DIRECTORY_ACCOUNT;
        error =
            is_there(transaction,
                     directory_key_entry(&key, (struct directory_name){kind, subject.id}), &known);
    }
    sharing->gone = !known;
    return error;
}

static int write_key(struct kv_transaction *transaction, void *arg)
{
    const struct sharing *sharing = arg;
    struct directory_key key;
    struct buffer value;
    struct slice name = directory_key_shared(&key, sharing->subject, sharing->owner);
    int error = sharing->lock ? kv_lock_guard(sharing->lock, transaction) : 0;
    if (error || !sharing->shared)
        return error ? error : kv_delete(transaction, name);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    directory_edge_write(&value);
    error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, name, buffer_slice(&value));
    buffer_release(&value);
    return error;
}

int shared_is_missing(struct store *store, struct acl_subject subject, struct account_id owner,
                      bool *missing)
{
    struct sharing sharing = {.subject = subject, .owner = owner};
    int error = directory_read(store, WHO_SYSTEM, look_up, &sharing);
    if (!error)
        *missing = !sharing.there && !sharing.gone;
    return error;
}

static int set(struct store *store, struct sharing sharing)
{
    int error = directory_read(store, WHO_SYSTEM, look_up, &sharing);
    if (!error && sharing.there != sharing.shared)
        error = directory_update(store, WHO_SYSTEM, write_key, &sharing);
    return error;
}

int shared_put(struct store *store, struct kv_lock *lock, struct acl_subject subject,
               struct account_id owner)
{
    return set(store,
               (struct sharing){.subject = subject, .owner = owner, .shared = true, .lock = lock});
}

int shared_delete(struct store *store, struct kv_lock *lock, struct acl_subject subject,
                  struct account_id owner)
{
    return set(store, (struct sharing){.subject = subject, .owner = owner, .lock = lock});
}

/* --- who shares with a subject --- */

/* Appends a struct account_id for each, unless it is there. */
static int add_sharers(struct kv_transaction *transaction, struct acl_subject subject,
                       struct buffer *owners)
{
    struct directory_key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, directory_key_sharers(&prefix, subject), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct account_id owner;
        error = directory_key_shared_read(key, &subject, &owner);
        if (!error)
            error = buffer_append(owners, slice_make(&owner, sizeof(owner)));
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int shared_remove_subject(struct kv_transaction *transaction, struct directory_name gone)
{
    struct acl_subject subject = {gone.kind == DIRECTORY_GROUP ? ACL_GROUP : ACL_ACCOUNT, gone.id};
    struct buffer owners;
    if (gone.kind == DIRECTORY_ALIAS)
        return 0;
    buffer_init(&owners, SHARERS_MAXIMUM * sizeof(struct account_id));
    int error = add_sharers(transaction, subject, &owners);
    for (size_t at = 0; at < owners.size && !error; at += sizeof(struct account_id)) {
        struct directory_key key;
        struct account_id owner;
        memcpy(&owner, owners.data + at, sizeof(owner));
        error = kv_delete(transaction, directory_key_shared(&key, subject, owner));
    }
    buffer_release(&owners);
    return error;
}

int shared_remove_owner(struct kv_transaction *transaction, const struct buffer *subjects,
                        struct account_id owner)
{
    int error = 0;
    for (size_t at = 0; at < subjects->size && !error; at += sizeof(struct acl_subject)) {
        struct directory_key key;
        struct acl_subject subject;
        memcpy(&subject, subjects->data + at, sizeof(subject));
        error = kv_delete(transaction, directory_key_shared(&key, subject, owner));
    }
    return error;
}

/* --- what is shared with an account --- */

struct finding {
    struct who who;
    struct slice address; /* normal */
    struct account_id *groups;
    size_t group_count;
    struct account_id owner;
    bool nobodys; /* the owner is a shared account */
};

static int is_shared(struct kv_transaction *transaction, const struct finding *finding,
                     bool *shared)
{
    struct directory_key key;
    struct acl_subject account = {ACL_ACCOUNT, finding->who.account}, anyone = {.kind = ACL_ANYONE};
    int error = is_there(transaction, directory_key_shared(&key, account, finding->owner), shared);
    if (!error && !*shared)
        error = is_there(transaction, directory_key_shared(&key, anyone, finding->owner), shared);
    for (size_t i = 0; i < finding->group_count && !error && !*shared; i++) {
        struct acl_subject group = {ACL_GROUP, finding->groups[i]};
        error = is_there(transaction, directory_key_shared(&key, group, finding->owner), shared);
    }
    return error;
}

static bool knows_all(struct who who)
{
    return who.kind == WHO_KIND_SYSTEM || who_is_administrator(who);
}

static int read_owner(struct kv_transaction *transaction, struct finding *finding)
{
    struct directory_entry entry;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(
        transaction, (struct directory_name){DIRECTORY_ACCOUNT, finding->owner}, &value, &entry);
    if (!error)
        finding->nobodys = entry.shared;
    buffer_release(&value);
    return error;
}

static int find_owner(struct kv_transaction *transaction, void *arg)
{
    struct finding *finding = arg;
    struct directory_name name;
    bool shared = knows_all(finding->who);
    int error = directory_look_up(transaction, finding->address, &name);
    if (!error && name.kind != DIRECTORY_ACCOUNT)
        error = ERROR_NOT_FOUND;
    if (error)
        return error;
    finding->owner = name.id;
    if (!shared)
        error = is_shared(transaction, finding, &shared);
    if (!error && !shared)
        error = ERROR_NOT_FOUND;
    return error ? error : read_owner(transaction, finding);
}

static int load_groups(struct store *store, struct finding *finding)
{
    if (knows_all(finding->who))
        return 0;
    finding->groups = malloc(GROUPS_OF_ACCOUNT_MAXIMUM * sizeof(*finding->groups));
    if (!finding->groups)
        return ERROR_MEMORY;
    return directory_groups_of(store, finding->who.account, finding->groups,
                               GROUPS_OF_ACCOUNT_MAXIMUM, &finding->group_count);
}

int store_shared_find(struct store *store, struct who who, struct slice address,
                      struct account_id *owner, bool *shared)
{
    struct finding finding = {.who = who};
    struct buffer normal;
    if (who.kind != WHO_KIND_SYSTEM && who.kind != WHO_KIND_ACCOUNT)
        return ERROR_NOT_FOUND;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    error = error == ERROR_SYNTAX || error == ERROR_LIMIT ? ERROR_NOT_FOUND : error;
    finding.address = buffer_slice(&normal);
    if (!error)
        error = load_groups(store, &finding);
    if (!error)
        error = directory_read(store, WHO_SYSTEM, find_owner, &finding);
    if (!error) {
        *owner = finding.owner;
        *shared = finding.nobodys;
    }
    free(finding.groups);
    buffer_release(&normal);
    return error;
}

struct listing {
    struct account_id account;
    struct account_id *groups;
    size_t group_count;
    struct arena *arena;
    struct account_info *list;
    size_t count;
    struct buffer owners; /* struct account_id */
};

static int add_all_sharers(struct kv_transaction *transaction, struct listing *listing)
{
    struct acl_subject account = {ACL_ACCOUNT, listing->account}, anyone = {.kind = ACL_ANYONE};
    buffer_clear(&listing->owners);
    int error = add_sharers(transaction, account, &listing->owners);
    if (!error)
        error = add_sharers(transaction, anyone, &listing->owners);
    for (size_t i = 0; i < listing->group_count && !error; i++)
        error = add_sharers(transaction, (struct acl_subject){ACL_GROUP, listing->groups[i]},
                            &listing->owners);
    return error;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct account_id));
}

/* Each once, and without the account itself. */
static size_t unite(struct listing *listing)
{
    struct account_id *owners = (struct account_id *)(void *)listing->owners.data;
    size_t count = listing->owners.size / sizeof(*owners), kept = 0;
    if (count)
        qsort(owners, count, sizeof(*owners), compare_ids);
    for (size_t i = 0; i < count; i++)
        if (!account_id_equal(owners[i], listing->account) &&
            (!kept || !account_id_equal(owners[kept - 1], owners[i])))
            owners[kept++] = owners[i];
    return kept;
}

static int list_owner(struct kv_transaction *transaction, struct listing *listing,
                      struct account_id owner, struct buffer *value)
{
    struct directory_entry entry, copy;
    int error = directory_get(transaction, (struct directory_name){DIRECTORY_ACCOUNT, owner}, value,
                              &entry);
    if (!error)
        error = directory_copy(listing->arena, &entry, &copy);
    if (!error)
        listing->list[listing->count++] =
            (struct account_info){copy.id, copy.address, copy.created, copy.shared};
    return error == ERROR_NOT_FOUND ? 0 : error; /* it is being deleted */
}

static int list_sharers(struct kv_transaction *transaction, void *arg)
{
    struct listing *listing = arg;
    struct buffer value;
    int error = add_all_sharers(transaction, listing);
    size_t count = error ? 0 : unite(listing);
    listing->count = 0;
    listing->list = arena_alloc_array(listing->arena, count, sizeof(*listing->list));
    if (!error && !listing->list)
        error = ERROR_LIMIT;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    for (size_t i = 0; i < count && !error; i++) {
        struct account_id owner;
        memcpy(&owner, listing->owners.data + i * sizeof(owner), sizeof(owner));
        error = list_owner(transaction, listing, owner, &value);
    }
    buffer_release(&value);
    return error;
}

/* Those of one kind together, as their names are. */
static int compare_addresses(const void *a, const void *b)
{
    const struct account_info *left = a, *right = b;
    return left->shared != right->shared ? left->shared - right->shared
                                         : slice_compare(left->address, right->address);
}

static bool may_ask(struct who who, struct account_id account)
{
    return who.kind == WHO_KIND_SYSTEM ||
           (who.kind == WHO_KIND_ACCOUNT && account_id_equal(who.account, account));
}

int store_shared_with(struct store *store, struct who who, struct account_id account,
                      struct arena *arena, struct account_info **list, size_t *count)
{
    struct listing listing = {.account = account, .arena = arena};
    if (!may_ask(who, account))
        return ERROR_DENIED;
    listing.groups = malloc(GROUPS_OF_ACCOUNT_MAXIMUM * sizeof(*listing.groups));
    if (!listing.groups)
        return ERROR_MEMORY;
    buffer_init(&listing.owners, SHARERS_MAXIMUM * sizeof(struct account_id));
    int error = directory_groups_of(store, account, listing.groups, GROUPS_OF_ACCOUNT_MAXIMUM,
                                    &listing.group_count);
    if (!error)
        error = directory_read(store, WHO_SYSTEM, list_sharers, &listing);
    buffer_release(&listing.owners);
    free(listing.groups);
    if (error)
        return error;
    if (listing.count)
        qsort(listing.list, listing.count, sizeof(*listing.list), compare_addresses);
    *list = listing.list;
    *count = listing.count;
    return 0;
}
