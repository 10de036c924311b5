#include "base/clock.h"
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/seen_priv.h"

/* --- roles --- */

static const char *const role_names[] = {
    [ROLE_ALL] = "\\All",         [ROLE_ARCHIVE] = "\\Archive",     [ROLE_DRAFTS] = "\\Drafts",
    [ROLE_FLAGGED] = "\\Flagged", [ROLE_JUNK] = "\\Junk",           [ROLE_SENT] = "\\Sent",
    [ROLE_TRASH] = "\\Trash",     [ROLE_IMPORTANT] = "\\Important", [ROLE_SNOOZED] = "\\Snoozed",
};
enum { ROLES = sizeof(role_names) / sizeof(role_names[0]) };

const char *collection_role_name(enum collection_role role)
{
    return (unsigned)role < ROLES ? role_names[role] : NULL;
}

int collection_role_parse(struct slice name, enum collection_role *role)
{
    for (unsigned i = 0; i < ROLES; i++) {
        if (role_names[i] && slice_equal_nocase(name, slice_from_string(role_names[i]))) {
            *role = (enum collection_role)i;
            return 0;
        }
    }
    return ERROR_NOT_FOUND;
}

/* --- reading records --- */

int collection_read(struct kv_transaction *transaction, collection_id id, struct buffer *value,
                    struct collection_record *record)
{
    struct key key;
    int error = value_get(transaction, key_of_collection(&key, KEY_COLLECTION, id), value);
    return error ? error : collection_record_read(buffer_slice(value), record);
}

int collection_child(struct kv_transaction *transaction, enum collection_type type,
                     collection_id parent, struct slice name, collection_id *id)
{
    struct key key;
    struct buffer value;
    uint64_t number = 0;
    buffer_init(&value, 64);
    int error = kv_get(transaction, key_name(&key, type, parent, name), &value);
    if (!error)
        error = number_record_read(buffer_slice(&value), &number);
    buffer_release(&value);
    if (!error)
        *id = (collection_id)number;
    return error;
}

void collection_from_record(const struct store_view *view, collection_id id,
                            const struct collection_record *record, uint32_t rights,
                            struct collection *collection)
{
    *collection = (struct collection){
        .id = id,
        .parent = record->parent,
        .type = record->type,
        .role = record->role,
        .name = record->name,
        .rights = rights,
        .uid_validity = record->uid_validity,
        .uid_next = record->uid_next,
        .highest_modseq = record->highest_modseq,
        .messages = record->messages,
        .unseen = record->unseen,
        .deleted = record->deleted,
        .size = record->size,
        .has_internationalized = record->flags & COLLECTION_HAS_INTERNATIONALIZED,
    };
    /* 56 bits of the account's random id make it differ from other accounts' (RFC 8474
     * section 4.1), as one session may see the mailboxes of several. */
    char account[ACCOUNT_ID_TEXT + 1];
    account_id_format(view->account->id, account);
    snprintf(collection->object_id, sizeof(collection->object_id), "F%.14s%08x", account,
             (unsigned)id);
}

/* --- one collection --- */

int collection_has_children(struct kv_transaction *transaction, enum collection_type type,
                            collection_id id, bool *children)
{
    struct key key;
    struct kv_cursor *cursor;
    struct slice found, value;
    int error =
        kv_cursor_open(transaction, key_name(&key, type, id, SLICE("")), SLICE(""), &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &found, &value);
    kv_cursor_close(&cursor);
    *children = error == 0;
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int collection_shows_children(const struct store_view *view, struct kv_transaction *transaction,
                              enum collection_type type, collection_id id, bool *children)
{
    struct key key;
    struct kv_cursor *cursor;
    struct slice found, value;
    if (view_is_owner(view))
        return collection_has_children(transaction, type, id, children);
    int error =
        kv_cursor_open(transaction, key_name(&key, type, id, SLICE("")), SLICE(""), &cursor);
    if (error)
        return error;
    *children = false;
    while (!*children && !(error = kv_cursor_next(cursor, &found, &value))) {
        uint64_t child;
        error = number_record_read(value, &child);
        if (!error)
            error = view_require(view, transaction, (collection_id)child, RIGHT_LOOKUP);
        *children = !error;
        if (error && error != ERROR_NOT_FOUND)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Puts the levels above in front of the path, which is built from its end. */
int collection_path(struct kv_transaction *transaction, const struct collection_record *record,
                    struct buffer *value, struct arena *arena, struct slice *path)
{
    char text[COLLECTION_PATH_MAXIMUM + 1]; /* and the '/' that each level makes room for */
    size_t begin = sizeof(text);
    struct collection_record level = *record;
    for (;;) {
        if (level.name.size + 1 > begin)
            return ERROR_CORRUPT;
        begin -= level.name.size;
        memcpy(text + begin, level.name.data, level.name.size);
        if (!level.parent)
            break;
        text[--begin] = '/';
        int error = collection_read(transaction, level.parent, value, &level);
        if (error)
            return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
    }
    *path = arena_copy(arena, slice_make(text + begin, sizeof(text) - begin));
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

static int is_subscribed(struct kv_transaction *transaction, const struct store_view *view,
                         collection_id id, bool *subscribed)
{
    struct range_set ids;
    range_set_init(&ids, COLLECTIONS_MAXIMUM);
    int error = subscriptions_load(transaction, view_subscriber(view), &ids);
    *subscribed = !error && range_set_contains(&ids, id);
    range_set_release(&ids);
    return error;
}

static int get(struct store_view *view, struct kv_transaction *transaction, collection_id id,
               struct arena *arena, struct collection *found)
{
    struct buffer value;
    struct collection_record record;
    struct collection collection;
    uint32_t rights;
    int error = rights_of(view, transaction, id, &rights);
    if (!error && !(rights & RIGHT_LOOKUP))
        error = ERROR_NOT_FOUND;
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = collection_read(transaction, id, &value, &record);
    if (!error) {
        collection_from_record(view, id, &record, rights, &collection);
        collection.name = arena_copy(arena, record.name);
        record.name = collection.name; /* collection_path uses the value's buffer anew */
        error = arena_failed(arena)
                    ? ERROR_LIMIT
                    : collection_path(transaction, &record, &value, arena, &collection.path);
    }
    if (!error)
        error =
            collection_shows_children(view, transaction, record.type, id, &collection.has_children);
    if (!error)
        error = is_subscribed(transaction, view, id, &collection.subscribed);
    if (!error)
        error = seen_count(view, transaction, &collection);
    if (!error)
        *found = collection;
    buffer_release(&value);
    return error;
}

int collection_get(struct store_view *view, collection_id id, struct arena *arena,
                   struct collection *found)
{
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = get(view, transaction, id, arena, found);
    view_read_end(view, &transaction);
    return error;
}

static int follow(struct kv_transaction *transaction, enum collection_type type,
                  const struct path *path, collection_id *id)
{
    int error = 0;
    *id = 0;
    for (size_t i = 0; i < path->count && !error; i++)
        error = collection_child(transaction, type, *id, path->levels[i], id);
    return error;
}

int collection_find(struct store_view *view, enum collection_type type, struct slice text,
                    struct arena *arena, struct collection *found)
{
    struct path path;
    struct kv_transaction *transaction;
    if (path_parse(type, text, &path))
        return ERROR_NOT_FOUND;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    collection_id id;
    error = follow(transaction, type, &path, &id);
    if (!error)
        error = get(view, transaction, id, arena, found);
    view_read_end(view, &transaction);
    return error;
}

int collection_find_id(struct store_view *view, enum collection_type type, struct slice text,
                       collection_id *id)
{
    struct path path;
    struct kv_transaction *transaction;
    collection_id found;
    if (path_parse(type, text, &path))
        return ERROR_NOT_FOUND;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = follow(transaction, type, &path, &found);
    if (!error)
        error = view_require(view, transaction, found, RIGHT_LOOKUP);
    view_read_end(view, &transaction);
    if (!error)
        *id = found;
    return error;
}

/* --- all collections --- */

struct listing {
    const struct store_view *view;
    enum collection_type type;
    struct tree tree;
    struct rights_table rights;
    struct range_set subscribed;
    struct arena *arena;
    struct collection *list;
    size_t count;
};

static struct slice join(struct arena *arena, struct slice parent, struct slice name)
{
    if (!parent.size)
        return name;
    size_t size = parent.size + 1 + name.size;
    char *path = arena_alloc(arena, size);
    if (!path)
        return (struct slice){NULL, 0};
    memcpy(path, parent.data, parent.size);
    path[parent.size] = '/';
    memcpy(path + parent.size + 1, name.data, name.size);
    return slice_make(path, size);
}

/* One of nodes first to end that who may look up. */
static bool shows_one_of(const struct listing *listing, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (rights_table_at(&listing->rights, listing->tree.nodes[i].id) & RIGHT_LOOKUP)
            return true;
    return false;
}

static void list_below(struct listing *listing, collection_id parent, struct slice parent_path,
                       size_t depth)
{
    size_t first, end, child_first, child_end;
    if (depth > COLLECTION_DEPTH_MAXIMUM)
        return;
    tree_children(&listing->tree, parent, &first, &end);
    for (size_t i = first; i < end; i++) {
        const struct tree_node *node = &listing->tree.nodes[i];
        struct slice path = join(listing->arena, parent_path, node->record.name);
        tree_children(&listing->tree, node->id, &child_first, &child_end);
        uint32_t rights = rights_table_at(&listing->rights, node->id);
        if (node->record.type == listing->type && rights & RIGHT_LOOKUP) {
            struct collection *collection = &listing->list[listing->count++];
            collection_from_record(listing->view, node->id, &node->record, rights, collection);
            collection->path = path;
            collection->has_children = shows_one_of(listing, child_first, child_end);
            collection->subscribed = range_set_contains(&listing->subscribed, node->id);
        }
        list_below(listing, node->id, path, depth + 1);
    }
}

static int list_all(struct listing *listing, struct kv_transaction *transaction)
{
    struct range_set *subscribed = &listing->subscribed;
    int error = rights_table_load(listing->view, transaction, &listing->rights);
    if (error)
        return error;
    range_set_init(subscribed, COLLECTIONS_MAXIMUM);
    error = tree_load(transaction, listing->arena, &listing->tree);
    if (!error)
        error = subscriptions_load(transaction, view_subscriber(listing->view), subscribed);
    if (!error) {
        listing->list =
            arena_alloc_array(listing->arena, listing->tree.count, sizeof(*listing->list));
        if (listing->list)
            list_below(listing, 0, SLICE(""), 1);
        error = arena_failed(listing->arena) ? ERROR_LIMIT : 0;
    }
    for (size_t i = 0; i < listing->count && !error && !listing->rights.all; i++)
        error = seen_count(listing->view, transaction, &listing->list[i]);
    range_set_release(subscribed);
    rights_table_release(&listing->rights);
    return error;
}

int collection_list(struct store_view *view, enum collection_type type, struct arena *arena,
                    struct collection **list, size_t *count)
{
    struct listing listing = {.view = view, .type = type, .arena = arena};
    struct kv_transaction *transaction;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    error = list_all(&listing, transaction);
    view_read_end(view, &transaction);
    if (error)
        return error;
    *list = listing.list;
    *count = listing.count;
    return 0;
}
