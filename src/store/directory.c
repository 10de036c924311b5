#include "base/clock.h"
#include "base/error.h"
#include "format/login_name.h"
#include "kv/notice_ring.h"
#include "store/collection_priv.h"

#include <stdlib.h>
#include <unistd.h>

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

/* --- finding --- */

/* The account of a normal address. */
static int look_up(struct kv_transaction *transaction, struct slice address, struct account_id *id)
{
    struct key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_address(&key, address), &value);
    if (!error)
        error = directory_name_read(buffer_slice(&value), id);
    buffer_release(&value);
    return error;
}

/* Cuts "+detail" out of a normal address. False when there is none. */
static bool cut_detail(struct buffer *address)
{
    struct slice text = buffer_slice(address);
    size_t plus = slice_find(text, '+'), at = slice_find(text, '@');
    if (plus == 0 || plus >= at)
        return false;
    memmove(address->data + plus, address->data + at, text.size - at);
    buffer_truncate(address, text.size - (at - plus));
    return true;
}

static int find_normal(struct store *store, struct buffer *address, struct account_id *id)
{
    struct kv_transaction *transaction;
    int error = kv_read_begin(store->directory, &transaction);
    if (error)
        return error;
    error = look_up(transaction, buffer_slice(address), id);
    if (error == ERROR_NOT_FOUND && cut_detail(address))
        error = look_up(transaction, buffer_slice(address), id);
    kv_read_end(&transaction);
    return error;
}

int store_account_find(struct store *store, struct who who, struct slice address,
                       struct account_id *id)
{
    struct buffer normal;
    struct account_id found = {{0}};
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(store, address, &normal);
    if (!error)
        error = find_normal(store, &normal, &found);
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

/* --- listing --- */

static int count_names(struct kv_transaction *transaction, size_t *count)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE("n"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value)))
        ++*count;
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_info(struct kv_transaction *transaction, struct slice name_key,
                     struct slice name_value, struct buffer *value, struct arena *arena,
                     struct account_info *info)
{
    struct key key = {.size = 0};
    struct directory_account record = {0};
    int error = directory_name_read(name_value, &info->id);
    if (!error)
        error = value_get(transaction, key_of_account(&key, KEY_ACCOUNT, info->id), value);
    if (!error)
        error =
            directory_account_read(slice_make(key.bytes, key.size), buffer_slice(value), &record);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
    info->created = record.created;
    info->address = arena_copy(arena, slice_sub(name_key, 1, SIZE_MAX));
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

static int list_names(struct kv_transaction *transaction, struct arena *arena,
                      struct account_info **list, size_t *count)
{
    size_t total = 0, used = 0;
    int error = count_names(transaction, &total);
    if (error)
        return error;
    struct account_info *accounts = arena_alloc_array(arena, total, sizeof(*accounts));
    struct kv_cursor *cursor;
    if (!accounts)
        return ERROR_LIMIT;
    error = kv_cursor_open(transaction, SLICE("n"), SLICE(""), &cursor);
    if (error)
        return error;
    struct buffer value;
    struct slice name_key, name_value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    while (used < total && !(error = kv_cursor_next(cursor, &name_key, &name_value))) {
        error = read_info(transaction, name_key, name_value, &value, arena, &accounts[used++]);
        if (error)
            break;
    }
    buffer_release(&value);
    kv_cursor_close(&cursor);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    *list = accounts;
    *count = used;
    return 0;
}

int store_account_list(struct store *store, struct who who, struct arena *arena,
                       struct account_info **accounts, size_t *count)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct kv_transaction *transaction;
    int error = kv_read_begin(store->directory, &transaction);
    if (error)
        return error;
    error = list_names(transaction, arena, accounts, count);
    kv_read_end(&transaction);
    return error;
}

static int read_account(struct kv_transaction *transaction, struct account_id id,
                        struct arena *arena, struct account_info *info)
{
    struct key key;
    struct buffer value;
    struct directory_account record = {0};
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = value_get(transaction, key_of_account(&key, KEY_ACCOUNT, id), &value);
    if (!error)
        error =
            directory_account_read(slice_make(key.bytes, key.size), buffer_slice(&value), &record);
    struct slice address = {NULL, 0};
    if (!error)
        address = arena_copy(arena, record.address);
    if (!error && arena_failed(arena))
        error = ERROR_LIMIT;
    if (!error)
        *info = (struct account_info){record.id, address, record.created};
    buffer_release(&value);
    return error;
}

int store_account_get(struct store *store, struct who who, struct account_id id,
                      struct arena *arena, struct account_info *info)
{
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    struct kv_transaction *transaction;
    int error = kv_read_begin(store->directory, &transaction);
    if (error)
        return error;
    error = read_account(transaction, id, arena, info);
    kv_read_end(&transaction);
    return error;
}

/* --- making and removing --- */

static int add_names(struct kv_transaction *transaction, void *arg)
{
    const struct directory_account *record = arg;
    struct account_id taken;
    int error = look_up(transaction, record->address, &taken);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    struct key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    directory_account_write(record, &value);
    error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, key_of_account(&key, KEY_ACCOUNT, record->id),
                       buffer_slice(&value));
    directory_name_write(record->id, &value);
    if (!error)
        error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, key_address(&key, record->address), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static int remove_names(struct kv_transaction *transaction, void *arg)
{
    const struct account_id *id = arg;
    struct key account_key, key;
    struct directory_account record = {0};
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    struct slice found = key_of_account(&account_key, KEY_ACCOUNT, *id);
    int error = kv_get(transaction, found, &value);
    if (!error)
        error = directory_account_read(found, buffer_slice(&value), &record);
    if (!error)
        error = kv_delete(transaction, key_address(&key, record.address));
    if (!error)
        error = kv_delete(transaction, found);
    buffer_release(&value);
    return error;
}

static int update_directory(struct store *store,
                            int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    int error = kv_update(store->directory, KV_DURABLE, fn, arg);
    pthread_mutex_lock(&store->lock);
    store->directory_changed = store->directory_changed || !error;
    pthread_mutex_unlock(&store->lock);
    return error;
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
    struct directory_account record = {.created = clock_wall(), .address = address};
    struct kv_transaction *transaction;
    struct account_id taken;
    int error = kv_read_begin(store->directory, &transaction);
    if (error)
        return error;
    error = look_up(transaction, address, &taken);
    kv_read_end(&transaction);
    if (error != ERROR_NOT_FOUND)
        return error ? error : ERROR_EXISTS;
    if (getentropy(record.id.bytes, sizeof(record.id.bytes)))
        return ERROR_IO;
    error = make_account(store, record.id, record.created);
    if (error)
        return error;
    error = update_directory(store, add_names, &record);
    if (error)
        unmake_account(store, record.id);
    else
        *id = record.id;
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
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = update_directory(store, remove_names, &id);
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
