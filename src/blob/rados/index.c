#include "base/clock.h"
#include "base/error.h"
#include "blob/rados/rados_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
    KEY_SIZE = 18, /* "b" and 16 digits, and a NUL */
    LIST_MAXIMUM = 1024,
};

static void index_name(const char *account, unsigned shard, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%s/index-%x", account, shard);
}

static unsigned shard_of(uint64_t number)
{
    return (unsigned)(number >> 60);
}

static void make_key(char letter, uint64_t number, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%c%016llx", letter, (unsigned long long)number);
}

/* --- reserving --- */

static int write_reserved(struct rados_engine *engine, const struct numbers *numbers)
{
    char name[NAME_SIZE], keys[NUMBERS][KEY_SIZE], value[8];
    const char *key_list[NUMBERS], *values[NUMBERS];
    size_t key_sizes[NUMBERS], sizes[NUMBERS];
    put_number(value, (uint64_t)numbers->reserved);
    for (size_t i = 0; i < numbers->count; i++) {
        make_key('b', numbers->numbers[i], keys[i]);
        key_list[i] = keys[i];
        values[i] = value;
        key_sizes[i] = KEY_SIZE - 1;
        sizes[i] = sizeof(value);
    }
    index_name(numbers->account, shard_of(numbers->numbers[0]), name);
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_omap_set2(operation, key_list, values, key_sizes, sizes, numbers->count);
    int error = cluster_error(rados_write_op_operate2(operation, engine->io, name, NULL, 0));
    rados_release_write_op(operation);
    return error;
}

/* All of one shard, for one operation. */
static int reserve(struct rados_engine *engine, struct numbers *numbers, size_t count)
{
    uint64_t first = blob_new_number();
    numbers->reserved = clock_wall();
    numbers->count = 0;
    while (numbers->count < count) {
        uint64_t number = blob_new_number() & UINT64_MAX >> 4;
        if (number)
            numbers->numbers[numbers->count++] = (first & UINT64_C(0xf) << 60) | number;
    }
    int error = write_reserved(engine, numbers);
    if (error)
        numbers->count = 0;
    return error;
}

int index_take(struct rados_engine *engine, struct numbers *numbers, uint64_t *number)
{
    int error = 0;
    if (numbers->count && numbers->reserved < clock_wall() - NUMBERS_SECONDS)
        numbers->count = 0;
    if (!numbers->count) {
        size_t more = numbers->wanted ? numbers->wanted : NUMBERS_FIRST;
        error = reserve(engine, numbers, more);
        numbers->wanted = 2 * more < NUMBERS ? 2 * more : NUMBERS;
    }
    if (!error)
        *number = numbers->numbers[--numbers->count];
    return error;
}

void index_take_hint(struct rados_engine *engine, const char *account, struct numbers *numbers)
{
    *numbers = (struct numbers){0};
    memcpy(numbers->account, account, strlen(account) + 1);
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < HINTS; i++) {
        struct numbers *hint = &engine->hints[i];
        if (hint->count == 0 || strcmp(hint->account, account) != 0)
            continue;
        *numbers = *hint;
        hint->count = 0;
        break;
    }
    pthread_mutex_unlock(&engine->lock);
    numbers->wanted = NUMBERS_FIRST;
}

void index_give_hint(struct rados_engine *engine, const struct numbers *numbers)
{
    if (!numbers->count)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->hints[engine->next_hint++ % HINTS] = *numbers;
    pthread_mutex_unlock(&engine->lock);
}

/* --- changing --- */

/* Notes something of a number that is in the index. */
static int note(struct rados_engine *engine, const char *account, uint64_t number, char letter,
                uint64_t what)
{
    char name[NAME_SIZE], key[KEY_SIZE], noted[KEY_SIZE], value[8];
    const char *keys[] = {noted}, *values[] = {value};
    const size_t key_size = KEY_SIZE - 1, size = sizeof(value);
    index_name(account, shard_of(number), name);
    make_key('b', number, key);
    make_key(letter, number, noted);
    put_number(value, what);
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_omap_cmp2(operation, key, LIBRADOS_CMPXATTR_OP_GT, "", key_size, 0, NULL);
    rados_write_op_omap_set2(operation, keys, values, &key_size, &size, 1);
    int result = rados_write_op_operate2(operation, engine->io, name, NULL, 0);
    rados_release_write_op(operation);
    return result == -ECANCELED ? ERROR_NOT_FOUND : cluster_error(result);
}

int index_drop(struct rados_engine *engine, const char *account, uint64_t number)
{
    return note(engine, account, number, 'd', (uint64_t)clock_wall());
}

int index_note_size(struct rados_engine *engine, const char *account, uint64_t number,
                    uint64_t size)
{
    return note(engine, account, number, 'p', size);
}

int index_forget(struct rados_engine *engine, const char *account, uint64_t number)
{
    static const char letters[] = {'b', 'd', 'p'};
    enum { LETTERS = sizeof(letters) };
    char name[NAME_SIZE], bytes[LETTERS][KEY_SIZE];
    const char *keys[LETTERS];
    size_t sizes[LETTERS];
    index_name(account, shard_of(number), name);
    for (size_t i = 0; i < LETTERS; i++) {
        make_key(letters[i], number, bytes[i]);
        keys[i] = bytes[i];
        sizes[i] = KEY_SIZE - 1;
    }
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_assert_exists(operation);
    rados_write_op_omap_rm_keys2(operation, keys, sizes, LETTERS);
    int error = cluster_error(rados_write_op_operate2(operation, engine->io, name, NULL, 0));
    rados_release_write_op(operation);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int index_remove(struct rados_engine *engine, const char *account, unsigned shard)
{
    char name[NAME_SIZE];
    index_name(account, shard, name);
    int error = cluster_error(rados_remove(engine->io, name));
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- listing --- */

static int read_key(const char *key, size_t size, uint64_t *number)
{
    char text[KEY_SIZE], again[KEY_SIZE];
    if (size != KEY_SIZE - 1)
        return ERROR_CORRUPT;
    memcpy(text, key, size);
    text[size] = '\0';
    uint64_t read = strtoull(text + 1, NULL, 16);
    make_key(key[0], read, again);
    if (memcmp(text, again, KEY_SIZE) != 0)
        return ERROR_CORRUPT;
    *number = read;
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    uint64_t left = ((const struct index_entry *)a)->number;
    uint64_t right = ((const struct index_entry *)b)->number;
    return (left > right) - (left < right);
}

/* "b" comes first, and makes the entries; the others find them. */
static int take_entry(struct buffer *entries, size_t first, char letter, uint64_t number,
                      uint64_t value)
{
    struct index_entry entry = {.number = number};
    if (letter == 'b') {
        entry.reserved = (int64_t)value;
        return buffer_append(entries, slice_make(&entry, sizeof(entry)));
    }
    struct index_entry *found =
        entries->size > first
            ? bsearch(&entry, entries->data + first, (entries->size - first) / sizeof(entry),
                      sizeof(entry), compare_entries)
            : NULL;
    if (found && letter == 'd')
        found->dropped = (int64_t)value;
    else if (found)
        found->size = value;
    return 0;
}

static int take_page(rados_omap_iter_t page, struct buffer *entries, size_t first,
                     char last[KEY_SIZE])
{
    char *key, *value;
    size_t key_size, size;
    int error = 0;
    while (!error && rados_omap_get_next2(page, &key, &value, &key_size, &size) == 0 && key) {
        uint64_t number;
        error = size == 8 ? read_key(key, key_size, &number) : ERROR_CORRUPT;
        if (error)
            break;
        error = take_entry(entries, first, key[0], number, get_number(value));
        memcpy(last, key, key_size);
        last[key_size] = '\0';
    }
    return error;
}

int index_list(struct rados_engine *engine, const char *account, unsigned shard,
               struct buffer *entries)
{
    char name[NAME_SIZE], last[KEY_SIZE] = "";
    size_t first = entries->size;
    unsigned char more = 1;
    int error = 0;
    index_name(account, shard, name);
    while (more && !error) {
        rados_omap_iter_t page;
        rados_read_op_t operation = rados_create_read_op();
        more = 0;
        rados_read_op_omap_get_vals2(operation, last, "", LIST_MAXIMUM, &page, &more, NULL);
        error = cluster_error(rados_read_op_operate(operation, engine->io, name, 0));
        if (!error)
            error = take_page(page, entries, first, last);
        rados_omap_get_end(page);
        rados_release_read_op(operation);
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}
