#include "base/error.h"
#include "format/login_name.h"
#include "kv/notice_ring.h"
#include "store/acl_priv.h"

/* --- ids and addresses --- */

void account_id_format(struct account_id id, char text[ACCOUNT_ID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        text[2 * i] = digits[id.bytes[i] >> 4];
        text[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    text[ACCOUNT_ID_TEXT] = '\0';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int account_id_parse(struct slice text, struct account_id *id)
{
    struct account_id parsed;
    if (text.size != ACCOUNT_ID_TEXT)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
        int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERROR_SYNTAX;
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *id = parsed;
    return 0;
}

int store_normalise_address(struct store *store, struct slice address, struct buffer *normal)
{
    return address_normalise(address, store->default_domain, normal);
}

uint64_t store_account_notice(struct account_id account)
{
    char name[SPACE_NAME_MAXIMUM];
    account_space_name(account, name);
    return notice_space(slice_from_string(name));
}

uint64_t store_directory_notice(void)
{
    return notice_space(SLICE(DIRECTORY_SPACE));
}

uint64_t store_account_changes(const struct store *store, struct account_id account)
{
    uint64_t own = kv_changes(store->kv, store_account_notice(account));
    uint64_t directory = kv_changes(store->kv, store_directory_notice());
    return own && directory ? own + directory : 0;
}

bool directory_cut_detail(struct buffer *address)
{
    struct slice text = buffer_slice(address);
    size_t plus = slice_find(text, '+'), at = slice_find(text, '@');
    if (plus == 0 || plus >= at)
        return false;
    memmove(address->data + plus, address->data + at, text.size - at);
    buffer_truncate(address, text.size - (at - plus));
    return true;
}

struct slice directory_domain_of(struct slice address)
{
    return slice_sub(address, slice_find(address, '@') + 1, SIZE_MAX);
}

/* --- transactions --- */

int directory_update(struct store *store, struct who who,
                     int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = kv_update(store->directory, KV_DURABLE, fn, arg);
    pthread_mutex_lock(&store->lock);
    store->directory_changed = store->directory_changed || !error;
    store->events_asked = 0;
    pthread_mutex_unlock(&store->lock);
    return error;
}

/* The snapshot that is kept for the next reader, when nothing has been committed since it was
 * taken; else a new one. NULL: none can be kept, or there is an error. */
static struct kv_transaction *kept_snapshot(struct store *store)
{
    uint64_t changes = kv_changes(store->kv, store_directory_notice());
    if (store->kept_changes != changes)
        kv_read_end(&store->kept);
    if (!store->kept && changes && kv_read_begin(store->directory, &store->kept))
        store->kept = NULL;
    store->kept_changes = changes;
    return store->kept;
}

void directory_let_go(struct store *store)
{
    pthread_mutex_lock(&store->kept_lock);
    kv_read_end(&store->kept);
    pthread_mutex_unlock(&store->kept_lock);
}

/* As many read at once as will: one of them with the snapshot that is kept. */
int directory_read_as_system(struct store *store,
                             int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    struct kv_transaction *transaction;
    if (!pthread_mutex_trylock(&store->kept_lock)) {
        transaction = kept_snapshot(store);
        int error = transaction ? fn(transaction, arg) : 0;
        if (error && error != ERROR_NOT_FOUND)
            kv_read_end(&store->kept);
        pthread_mutex_unlock(&store->kept_lock);
        if (transaction)
            return error;
    }
    int error = kv_read_begin(store->directory, &transaction);
    if (error)
        return error;
    error = fn(transaction, arg);
    kv_read_end(&transaction);
    return error;
}

int directory_read(struct store *store, struct who who,
                   int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    return who.kind == WHO_KIND_SYSTEM ? directory_read_as_system(store, fn, arg) : ERROR_DENIED;
}

/* --- entries --- */

int directory_look_up(struct kv_transaction *transaction, struct slice address,
                      struct directory_name *name)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_name(&key, address), &value);
    if (!error)
        error = directory_name_read(buffer_slice(&value), name);
    buffer_release(&value);
    return error;
}

int directory_get(struct kv_transaction *transaction, struct directory_name name,
                  struct buffer *value, struct directory_entry *entry)
{
    struct directory_key key;
    struct slice bytes = directory_key_entry(&key, name);
    int error = value_get(transaction, bytes, value);
    return error ? error : directory_entry_read(bytes, buffer_slice(value), entry);
}

int directory_copy(struct arena *arena, const struct directory_entry *from,
                   struct directory_entry *to)
{
    struct slice address = arena_copy(arena, from->address);
    if (arena_failed(arena))
        return ERROR_LIMIT;
    *to = *from;
    to->address = address;
    return 0;
}

static int put(struct kv_transaction *transaction, struct slice key, const struct buffer *value)
{
    int error = buffer_error(value);
    return error ? error : kv_put(transaction, key, buffer_slice(value));
}

int directory_put(struct kv_transaction *transaction, const struct directory_entry *entry,
                  struct buffer *value)
{
    struct directory_key key;
    directory_entry_write(entry, value);
    return put(transaction,
               directory_key_entry(&key, (struct directory_name){entry->kind, entry->id}), value);
}

int directory_put_name(struct kv_transaction *transaction, struct slice address,
                       struct directory_name name)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    directory_name_write(name, &value);
    int error = put(transaction, directory_key_name(&key, address), &value);
    buffer_release(&value);
    return error;
}

int directory_add(struct store *store, struct kv_transaction *transaction,
                  const struct directory_entry *entry)
{
    struct directory_name taken;
    struct buffer value;
    int error = directory_look_up(transaction, entry->address, &taken);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    error = directory_require_domain(store, transaction, entry->address);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = directory_put(transaction, entry, &value);
    if (!error)
        error = directory_put_name(transaction, entry->address,
                                   (struct directory_name){entry->kind, entry->id});
    buffer_release(&value);
    return error;
}

/* --- edges --- */

struct directory_name directory_names_at(const struct buffer *names, size_t index)
{
    struct directory_name name;
    memcpy(&name, names->data + index * sizeof(name), sizeof(name));
    return name;
}

bool directory_names_have(const struct buffer *names, struct directory_name name)
{
    for (size_t i = 0; i < directory_names_count(names); i++)
        if (directory_name_equal(directory_names_at(names, i), name))
            return true;
    return false;
}

int directory_edges(struct kv_transaction *transaction, enum directory_side side,
                    struct account_id from, enum directory_kind kind, struct buffer *names)
{
    struct kv_cursor *cursor;
    struct directory_key prefix;
    struct slice key, value;
    int error = kv_cursor_open(transaction, directory_key_edges(&prefix, side, from, kind),
                               SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct directory_name name;
        struct account_id self;
        error = directory_key_edge_read(key, &self, &name);
        if (!error)
            error = directory_edge_read(value);
        if (!error)
            error = buffer_append(names, slice_make(&name, sizeof(name)));
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Both keys of an edge. */
static int delete_edge(struct kv_transaction *transaction, struct directory_name holder,
                       struct directory_name member)
{
    struct directory_key key;
    int error =
        kv_delete(transaction, directory_key_edge(&key, DIRECTORY_MEMBERS, holder.id, member));
    if (!error)
        error =
            kv_delete(transaction, directory_key_edge(&key, DIRECTORY_HOLDERS, member.id, holder));
    return error;
}

int directory_disconnect(struct kv_transaction *transaction, struct directory_name holder,
                         struct directory_name member, size_t *left)
{
    struct directory_entry entry = {0};
    struct buffer value, record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    buffer_init(&record, KV_VALUE_MAXIMUM);
    int error = delete_edge(transaction, holder, member);
    if (!error)
        error = directory_get(transaction, holder, &value, &entry);
    if (!error) {
        entry.members -= entry.members > 0;
        error = directory_put(transaction, &entry, &record);
    }
    buffer_release(&value);
    buffer_release(&record);
    if (!error)
        *left = entry.members;
    return error;
}

/* --- removing --- */

enum { EDGES_MAXIMUM = GROUP_MEMBERS_MAXIMUM + DIRECTORY_HOLDERS_MAXIMUM };

static int remove_members(struct kv_transaction *transaction, struct directory_name name)
{
    struct buffer names;
    buffer_init(&names, EDGES_MAXIMUM * sizeof(struct directory_name));
    int error = directory_edges(transaction, DIRECTORY_MEMBERS, name.id, 0, &names);
    for (size_t i = 0; i < directory_names_count(&names) && !error; i++)
        error = delete_edge(transaction, name, directory_names_at(&names, i));
    buffer_release(&names);
    return error;
}

/* Out of what holds it; aliases that are empty by it are added to `doomed`. */
static int remove_from_holders(struct kv_transaction *transaction, struct directory_name name,
                               struct buffer *doomed)
{
    struct buffer names;
    buffer_init(&names, EDGES_MAXIMUM * sizeof(struct directory_name));
    int error = directory_edges(transaction, DIRECTORY_HOLDERS, name.id, 0, &names);
    for (size_t i = 0; i < directory_names_count(&names) && !error; i++) {
        struct directory_name holder = directory_names_at(&names, i);
        size_t left;
        error = directory_disconnect(transaction, holder, name, &left);
        if (!error && !left && holder.kind == DIRECTORY_ALIAS)
            error = buffer_append(doomed, slice_make(&holder, sizeof(holder)));
    }
    buffer_release(&names);
    return error;
}

static int remove_one(struct kv_transaction *transaction, struct directory_name name,
                      struct buffer *doomed)
{
    struct directory_entry entry = {0};
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, name, &value, &entry);
    if (!error)
        error = remove_from_holders(transaction, name, doomed);
    if (!error)
        error = remove_members(transaction, name);
    if (!error)
        error = shared_remove_subject(transaction, name);
    if (!error)
        error = kv_delete(transaction, directory_key_name(&key, entry.address));
    if (!error)
        error = kv_delete(transaction, directory_key_entry(&key, name));
    buffer_release(&value);
    return error;
}

int directory_remove(struct kv_transaction *transaction, struct directory_name name)
{
    struct buffer doomed;
    buffer_init(&doomed, SIZE_MAX / 2);
    int error = buffer_append(&doomed, slice_make(&name, sizeof(name)));
    for (size_t i = 0; i < directory_names_count(&doomed) && !error; i++)
        error = remove_one(transaction, directory_names_at(&doomed, i), &doomed);
    buffer_release(&doomed);
    return error;
}

/* --- finding --- */

struct find {
    struct slice address;
    struct arena *arena;
    struct directory_entry *entry;
};

static int find(struct kv_transaction *transaction, void *arg)
{
    const struct find *find = arg;
    struct directory_name name;
    struct directory_entry entry;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_look_up(transaction, find->address, &name);
    if (!error) {
        error = directory_get(transaction, name, &value, &entry);
        error = error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
    }
    if (!error)
        error = directory_copy(find->arena, &entry, find->entry);
    buffer_release(&value);
    return error;
}

int store_directory_find(struct store *store, struct who who, struct slice address,
                         struct arena *arena, struct directory_entry *entry)
{
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    struct find call = {buffer_slice(&normal), arena, entry};
    if (!error)
        error = directory_read(store, who, find, &call);
    buffer_release(&normal);
    return error;
}

/* --- listing --- */

struct list {
    enum directory_kind kind;
    struct arena *arena;
    struct directory_entry *entries;
    size_t count, room;
};

/* Calls fn for each name in the directory. */
static int each_name(struct kv_transaction *transaction, struct list *list,
                     int (*fn)(struct kv_transaction *transaction, struct list *list,
                               struct directory_name name))
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE("n"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct directory_name name;
        error = directory_name_read(value, &name);
        if (!error && name.kind == list->kind)
            error = fn(transaction, list, name);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int count_name(struct kv_transaction *transaction, struct list *list,
                      struct directory_name name)
{
    (void)transaction, (void)name;
    list->room++;
    return 0;
}

static int add_name(struct kv_transaction *transaction, struct list *list,
                    struct directory_name name)
{
    struct buffer value;
    struct directory_entry entry;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = directory_get(transaction, name, &value, &entry);
    if (!error)
        error = directory_copy(list->arena, &entry, &list->entries[list->count++]);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int list_names(struct kv_transaction *transaction, void *arg)
{
    struct list *list = arg;
    int error = each_name(transaction, list, count_name);
    if (error)
        return error;
    list->entries = arena_alloc_array(list->arena, list->room, sizeof(*list->entries));
    return list->entries ? each_name(transaction, list, add_name) : ERROR_LIMIT;
}

int store_directory_list(struct store *store, struct who who, enum directory_kind kind,
                         struct arena *arena, struct directory_entry **entries, size_t *count)
{
    struct list list = {.kind = kind, .arena = arena};
    int error = directory_read(store, who, list_names, &list);
    if (error)
        return error;
    *entries = list.entries;
    *count = list.count;
    return 0;
}
