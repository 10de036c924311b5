#include "base/error.h"
#include "store/acl_priv.h"

#include <stdlib.h>

/* Every list of an account, deleted collections' included. */
enum { RIGHTS_TABLE_MAXIMUM = 64 * 1024 * 1024 };

/* --- text --- */

static const struct {
    char letter;
    uint32_t rights;
} letters[] = {
    {'l', RIGHT_LOOKUP},
    {'r', RIGHT_READ},
    {'s', RIGHT_SEEN},
    {'w', RIGHT_WRITE},
    {'i', RIGHT_INSERT},
    {'p', RIGHT_POST},
    {'k', RIGHT_CREATE},
    {'x', RIGHT_DELETE_MAILBOX},
    {'t', RIGHT_DELETE_MESSAGES},
    {'e', RIGHT_EXPUNGE},
    {'a', RIGHT_ADMINISTER},
    {'n', RIGHT_ANNOTATE},
    {'c', RIGHT_CREATE | RIGHT_DELETE_MAILBOX},
    {'d', RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE},
};
_Static_assert(sizeof(letters) / sizeof(letters[0]) == RIGHTS_TEXT, "one letter each");

int rights_parse(struct slice text, uint32_t *rights)
{
    uint32_t parsed = 0;
    for (size_t i = 0; i < text.size; i++) {
        size_t at = 0;
        while (at < RIGHTS_TEXT && letters[at].letter != text.data[i])
            at++;
        if (at == RIGHTS_TEXT)
            return ERROR_SYNTAX;
        parsed |= letters[at].rights;
    }
    *rights = parsed;
    return 0;
}

void rights_format(uint32_t rights, char text[RIGHTS_TEXT + 1])
{
    size_t size = 0;
    for (size_t i = 0; i < RIGHTS_TEXT; i++)
        if (rights & letters[i].rights)
            text[size++] = letters[i].letter;
    text[size] = '\0';
}

/* --- who is meant --- */

bool view_is_owner(const struct store_view *view)
{
    return view->who.kind == WHO_KIND_SYSTEM ||
           (view->who.kind == WHO_KIND_ACCOUNT &&
            account_id_equal(view->who.account, view->account->id));
}

int view_require_system(const struct store_view *view)
{
    return view->who.kind == WHO_KIND_SYSTEM ? 0 : ERROR_DENIED;
}

bool who_is_administrator(struct who who)
{
    return who.kind == WHO_KIND_ACCOUNT && who.administrator;
}

/* What who may do with everything, whatever lists say. */
static uint32_t rights_always(const struct store_view *view)
{
    return view_is_owner(view)               ? (uint32_t)RIGHT_ALL
           : who_is_administrator(view->who) ? RIGHTS_OF_ADMINISTRATOR
                                             : 0;
}

int view_load_groups(struct store_view *view)
{
    if (view->who.kind != WHO_KIND_ACCOUNT || view_is_owner(view))
        return 0;
    if (!view->groups)
        view->groups = malloc(GROUPS_OF_ACCOUNT_MAXIMUM * sizeof(*view->groups));
    if (!view->groups)
        return ERROR_MEMORY;
    return directory_groups_of(view->store, view->who.account, view->groups,
                               GROUPS_OF_ACCOUNT_MAXIMUM, &view->group_count);
}

static bool is_in_group(const struct store_view *view, struct account_id group)
{
    for (size_t i = 0; i < view->group_count; i++)
        if (account_id_equal(view->groups[i], group))
            return true;
    return false;
}

/* "anyone" is everybody, the anonymous included (RFC 4314 section 2). */
static bool is_meant(const struct store_view *view, struct acl_subject subject)
{
    switch (subject.kind) {
    case ACL_ANYONE:
        return view->who.kind != WHO_KIND_NOBODY;
    case ACL_ANONYMOUS:
        return view->who.kind == WHO_KIND_ANONYMOUS;
    case ACL_GROUP:
        return view->who.kind == WHO_KIND_ACCOUNT && is_in_group(view, subject.id);
    case ACL_ACCOUNT:
        return view->who.kind == WHO_KIND_ACCOUNT &&
               account_id_equal(view->who.account, subject.id);
    }
    return false;
}

static int rights_of_list(const struct store_view *view, struct slice value, uint32_t *rights)
{
    struct slice items;
    uint32_t granted = 0, denied = 0;
    int error = acl_record_read(value, &items);
    for (size_t i = 0; !error && i < items.size / ACL_ITEM_SIZE; i++) {
        struct acl_item item = acl_item_at(items, i);
        if (is_meant(view, item.subject))
            *(item.negative ? &denied : &granted) |= item.rights;
    }
    if (!error)
        *rights = granted & ~denied;
    return error;
}

/* --- one collection --- */

int rights_of(const struct store_view *view, struct kv_transaction *transaction,
              collection_id collection, uint32_t *rights)
{
    struct key key;
    struct buffer value;
    uint32_t always = rights_always(view);
    *rights = always;
    if (always == RIGHT_ALL || !collection || view->who.kind == WHO_KIND_NOBODY)
        return 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_of_collection(&key, KEY_ACL, collection), &value);
    if (!error)
        error = rights_of_list(view, buffer_slice(&value), rights);
    buffer_release(&value);
    *rights |= always;
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int view_require(const struct store_view *view, struct kv_transaction *transaction,
                 collection_id collection, uint32_t rights)
{
    uint32_t held;
    int error = rights_of(view, transaction, collection, &held);
    if (error)
        return error;
    if (collection && !(held & RIGHT_LOOKUP))
        return ERROR_NOT_FOUND;
    return (held & rights) == rights ? 0 : ERROR_DENIED;
}

/* --- all of them --- */

static int read_lists(const struct store_view *view, struct kv_cursor *cursor,
                      struct rights_table *table)
{
    struct slice key, value;
    int error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct collection_rights item = {0};
        uint64_t id;
        key = slice_sub(key, 1, SIZE_MAX);
        error = key_read_number(&key, &id);
        if (!error)
            error = rights_of_list(view, value, &item.rights);
        item.id = (collection_id)id;
        if (!error && item.rights)
            error = buffer_append(&table->named, slice_make(&item, sizeof(item)));
        if (error)
            return error;
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int rights_table_load(const struct store_view *view, struct kv_transaction *transaction,
                      struct rights_table *table)
{
    struct key prefix;
    struct kv_cursor *cursor;
    table->always = rights_always(view);
    table->all = table->always == RIGHT_ALL;
    buffer_init(&table->named, RIGHTS_TABLE_MAXIMUM);
    if (table->all || view->who.kind == WHO_KIND_NOBODY)
        return 0;
    int error =
        kv_cursor_open(transaction, key_numbers(&prefix, KEY_ACL, 0, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    error = read_lists(view, cursor, table);
    kv_cursor_close(&cursor);
    if (error)
        rights_table_release(table);
    return error;
}

uint32_t rights_table_at(const struct rights_table *table, collection_id collection)
{
    size_t low = 0, high = table->named.size / sizeof(struct collection_rights);
    struct collection_rights item = {0};
    if (table->all)
        return RIGHT_ALL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        memcpy(&item, table->named.data + middle * sizeof(item), sizeof(item));
        if (item.id == collection)
            return item.rights | table->always;
        if (item.id < collection)
            low = middle + 1;
        else
            high = middle;
    }
    return table->always;
}

void rights_table_release(struct rights_table *table)
{
    buffer_release(&table->named);
}
