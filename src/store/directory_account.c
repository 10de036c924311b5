#include "base/clock.h"
#include "base/error.h"
#include "store/acl_priv.h"

#include <unistd.h>

static struct directory_name account_name(struct account_id id)
{
    return (struct directory_name){DIRECTORY_ACCOUNT, id};
}

/* --- finding --- */

/* The account of a normal address; of what else it stands for nothing is told. */
static int look_up(struct kv_transaction *transaction, struct slice address, struct account_id *id)
{
    struct directory_name name;
    int error = directory_look_up(transaction, address, &name);
    if (!error && name.kind != DIRECTORY_ACCOUNT)
        return ERROR_DENIED;
    if (!error)
        *id = name.id;
    return error;
}

struct find_call {
    struct buffer *address; /* normal */
    struct account_id *id;
};

static int find_normal(struct kv_transaction *transaction, void *arg)
{
    const struct find_call *call = arg;
    int error = look_up(transaction, buffer_slice(call->address), call->id);
    if (error == ERROR_NOT_FOUND && directory_cut_detail(call->address))
        error = look_up(transaction, buffer_slice(call->address), call->id);
    return error == ERROR_DENIED ? ERROR_NOT_FOUND : error;
}

int store_account_find(struct store *store, struct who who, struct slice address,
                       struct account_id *id)
{
    struct buffer normal;
    struct account_id found = {{0}};
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    if (!error)
        error = directory_read_as_system(store, find_normal, &(struct find_call){&normal, &found});
    buffer_release(&normal);
    /* Nobody learns which other addresses there are. */
    bool may_know = who.kind == WHO_KIND_SYSTEM || (who.kind == WHO_KIND_ACCOUNT && !error &&
                                                    account_id_equal(who.account, found));
    if (!error && !may_know)
        error = ERROR_NOT_FOUND;
    if (!error)
        *id = found;
    return error;
}

static struct account_info info_of(const struct directory_entry *entry)
{
    return (struct account_info){entry->id, entry->address, entry->created, entry->shared};
}

int store_account_list(struct store *store, struct who who, struct arena *arena,
                       struct account_info **accounts, size_t *count)
{
    struct directory_entry *entries;
    size_t total;
    int error = store_directory_list(store, who, DIRECTORY_ACCOUNT, arena, &entries, &total);
    if (error)
        return error;
    struct account_info *list = arena_alloc_array(arena, total, sizeof(*list));
    if (!list)
        return ERROR_LIMIT;
    for (size_t i = 0; i < total; i++)
        list[i] = info_of(&entries[i]);
    *accounts = list;
    *count = total;
    return 0;
}

struct page {
    struct slice after;
    size_t maximum;
    struct arena *arena;
    struct account_info *list;
    size_t count;
};

/* The address is its key's, so the entry of an account alone is read. */
static int add_to_page(struct kv_transaction *transaction, struct page *page,
                       struct slice name_record)
{
    struct directory_name name;
    struct directory_entry entry, copy;
    struct buffer value;
    int error = directory_name_read(name_record, &name);
    if (error || name.kind != DIRECTORY_ACCOUNT)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = directory_get(transaction, name, &value, &entry);
    if (!error)
        error = directory_copy(page->arena, &entry, &copy);
    if (!error)
        page->list[page->count++] = info_of(&copy);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int read_page(struct kv_transaction *transaction, void *arg)
{
    struct page *page = arg;
    struct directory_key after;
    struct kv_cursor *cursor;
    struct slice key, value;
    directory_key_name(&after, page->after);
    page->count = 0;
    page->list = arena_alloc_array(page->arena, page->maximum, sizeof(*page->list));
    if (!page->list)
        return ERROR_LIMIT;
    int error =
        kv_cursor_open(transaction, SLICE("n"), slice_make(after.bytes, after.size), &cursor);
    if (error)
        return error;
    while (!error && page->count < page->maximum && !(error = kv_cursor_next(cursor, &key, &value)))
        error = add_to_page(transaction, page, value);
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int store_account_page(struct store *store, struct who who, struct slice after, size_t maximum,
                       struct arena *arena, struct account_info **accounts, size_t *count)
{
    struct page page = {.after = after, .maximum = maximum, .arena = arena};
    if (after.size > ADDRESS_MAXIMUM)
        return ERROR_SYNTAX;
    if (!who_is_administrator(who) && who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = directory_read(store, WHO_SYSTEM, read_page, &page);
    if (error)
        return error;
    *accounts = page.list;
    *count = page.count;
    return 0;
}

struct get {
    struct account_id id;
    struct arena *arena;
    struct account_info *info;
};

static int get(struct kv_transaction *transaction, void *arg)
{
    const struct get *get = arg;
    struct directory_entry entry, copy;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, account_name(get->id), &value, &entry);
    if (!error)
        error = directory_copy(get->arena, &entry, &copy);
    if (!error)
        *get->info = info_of(&copy);
    buffer_release(&value);
    return error;
}

int store_account_get(struct store *store, struct who who, struct account_id id,
                      struct arena *arena, struct account_info *info)
{
    return directory_read(store, who, get, &(struct get){id, arena, info});
}

/* --- making and removing --- */

struct naming {
    struct store *store;
    struct directory_entry entry;
};

static int add_entry(struct kv_transaction *transaction, void *arg)
{
    const struct naming *naming = arg;
    return directory_add(naming->store, transaction, &naming->entry);
}

/* Before anything is made: whether it may have the name. */
static int look_whether_free(struct kv_transaction *transaction, void *arg)
{
    const struct naming *naming = arg;
    struct directory_name taken;
    int error = directory_look_up(transaction, naming->entry.address, &taken);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    return directory_require_domain(naming->store, transaction, naming->entry.address);
}

/* The space with all that a new account has. It has no name yet. */
static int make_account(struct store *store, struct account_id id, int64_t created)
{
    struct store_view view = {.store = store, .who = WHO_SYSTEM, .making = true};
    int error = account_take(store, id, KV_CREATE, &view.account);
    if (error)
        return error;
    error = view_change(&view, KV_DURABLE, collections_make_template, &created);
    if (error)
        account_doom(view.account);
    account_give(view.account);
    return error;
}

static int unmake_account(struct store *store, struct account_id id)
{
    struct account *account;
    int error = account_take(store, id, 0, &account);
    if (error)
        return error;
    account_doom(account);
    account_give(account);
    return 0;
}

/* Space first, name last: a crash in between leaves a space without a name, never a name without
 * an account. */
static int create_account(struct store *store, struct slice address, struct account_id *id)
{
    struct naming naming = {store, {.kind = DIRECTORY_ACCOUNT, .address = address}};
    struct directory_entry *entry = &naming.entry;
    int error = directory_read(store, WHO_SYSTEM, look_whether_free, &naming);
    if (error)
        return error;
    entry->created = clock_wall();
    if (getentropy(entry->id.bytes, sizeof(entry->id.bytes)))
        return ERROR_IO;
    error = make_account(store, entry->id, entry->created);
    if (error)
        return error;
    error = directory_update(store, WHO_SYSTEM, add_entry, &naming);
    if (error)
        unmake_account(store, entry->id);
    else
        *id = entry->id;
    return error;
}

int store_account_create(struct store *store, struct who who, struct slice address,
                         struct account_id *id)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    if (!error)
        error = create_account(store, buffer_slice(&normal), id);
    buffer_release(&normal);
    return error;
}

struct removing {
    struct account_id id;
    struct buffer subjects; /* with whom it shares something (acl_subjects) */
};

static int remove_entry(struct kv_transaction *transaction, void *arg)
{
    const struct removing *removing = arg;
    int error = directory_remove(transaction, account_name(removing->id));
    return error ? error : shared_remove_owner(transaction, &removing->subjects, removing->id);
}

/* What cannot be read is left: such entries lead nowhere, and a check removes them. */
static void read_subjects(struct store *store, struct removing *removing)
{
    struct account *account;
    struct kv_transaction *transaction;
    if (account_take(store, removing->id, 0, &account))
        return;
    if (!kv_read_begin(account->kv, &transaction)) {
        acl_subjects(transaction, &removing->subjects);
        kv_read_end(&transaction);
    }
    account_give(account);
}

static int remove_record(struct kv_transaction *transaction, void *arg)
{
    (void)arg;
    struct key key;
    struct change change = {.transaction = transaction};
    int error = change_delete_all(&change, key_numbers(&key, KEY_COLLECTION, 0, NULL));
    return error ? error : kv_delete(transaction, key_account(&key));
}

int store_account_delete(struct store *store, struct who who, struct account_id id)
{
    struct removing removing = {.id = id};
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    buffer_init(&removing.subjects, ACL_SUBJECTS_MAXIMUM * sizeof(struct acl_subject));
    read_subjects(store, &removing);
    int error = directory_update(store, who, remove_entry, &removing);
    buffer_release(&removing.subjects);
    if (error)
        return error;
    /* It is gone. What fails from here on leaves a space without a name, which a check finds. */
    struct account *account;
    if (account_take(store, id, 0, &account))
        return 0;
    /* Other processes that have it open find no mailbox in it any more, and without its record
     * can change nothing. */
    kv_update(account->kv, KV_RELAXED, remove_record, NULL);
    account_doom(account);
    account_give(account);
    return 0;
}

/* --- renaming --- */

struct renaming {
    struct store *store;
    struct account_id id;
    struct slice address;
    bool keep_alias;
};

/* The alias that the old address becomes. */
static int keep_alias(const struct renaming *renaming, struct kv_transaction *transaction,
                      struct slice old)
{
    struct directory_entry alias = {
        .kind = DIRECTORY_ALIAS, .address = old, .created = clock_wall()};
    if (getentropy(alias.id.bytes, sizeof(alias.id.bytes)))
        return ERROR_IO;
    int error = directory_add(renaming->store, transaction, &alias);
    if (!error)
        error = directory_connect(transaction, (struct directory_name){DIRECTORY_ALIAS, alias.id},
                                  account_name(renaming->id));
    return error;
}

static int move_name(const struct renaming *renaming, struct kv_transaction *transaction,
                     struct directory_entry *entry, struct buffer *value)
{
    struct directory_key key;
    struct directory_name taken;
    struct slice old = entry->address;
    int error = directory_look_up(transaction, renaming->address, &taken);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    error = directory_require_domain(renaming->store, transaction, renaming->address);
    if (!error)
        error = kv_delete(transaction, directory_key_name(&key, old));
    entry->address = renaming->address;
    if (!error)
        error = directory_put(transaction, entry, value);
    if (!error)
        error = directory_put_name(transaction, entry->address, account_name(entry->id));
    if (!error && renaming->keep_alias)
        error = keep_alias(renaming, transaction, old);
    return error;
}

static int rename_entry(struct kv_transaction *transaction, void *arg)
{
    const struct renaming *renaming = arg;
    struct directory_entry entry;
    struct buffer found, written;
    buffer_init(&found, KV_VALUE_MAXIMUM);
    buffer_init(&written, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, account_name(renaming->id), &found, &entry);
    if (!error)
        error = move_name(renaming, transaction, &entry, &written);
    buffer_release(&found);
    buffer_release(&written);
    return error;
}

int store_account_rename(struct store *store, struct who who, struct account_id id,
                         struct slice address, bool keep_alias)
{
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    struct renaming renaming = {store, id, buffer_slice(&normal), keep_alias};
    if (!error)
        error = directory_update(store, who, rename_entry, &renaming);
    buffer_release(&normal);
    return error;
}

/* --- shared accounts --- */

struct sharing {
    struct account_id id;
    bool shared;
};

static int set_shared(struct kv_transaction *transaction, void *arg)
{
    const struct sharing *sharing = arg;
    struct directory_entry entry;
    struct buffer found, written;
    buffer_init(&found, KV_VALUE_MAXIMUM);
    buffer_init(&written, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, account_name(sharing->id), &found, &entry);
    if (!error && entry.shared != sharing->shared) {
        entry.shared = sharing->shared;
        error = directory_put(transaction, &entry, &written);
    }
    buffer_release(&found);
    buffer_release(&written);
    return error;
}

/* With the keys go the URLs that who owned it has signed. It is a change of its own, too, so that
 * sessions that wait for one look, in every process, and end. */
static int leave_owner(struct change *change, void *arg)
{
    struct key key;
    (void)arg;
    change->changed = true;
    return change_delete_all(change, key_numbers(&key, KEY_ACCESS_KEY, 0, NULL));
}

int store_account_set_shared(struct store *store, struct who who, struct account_id id, bool shared)
{
    struct store_view *view;
    int error = directory_update(store, who, set_shared, &(struct sharing){id, shared});
    if (error || !shared)
        return error;
    error = store_view_open(store, WHO_SYSTEM, id, &view);
    if (error)
        return error;
    error = view_change(view, KV_DURABLE, leave_owner, NULL);
    store_view_close(&view);
    return error;
}

static int check_shared(struct kv_transaction *transaction, void *arg)
{
    const struct account_id *id = arg;
    struct directory_entry entry;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, account_name(*id), &value, &entry);
    if (!error && entry.shared)
        error = ERROR_DENIED;
    buffer_release(&value);
    return error;
}

int store_account_check(struct store *store, struct account_id id)
{
    return directory_read(store, WHO_SYSTEM, check_shared, &id);
}
