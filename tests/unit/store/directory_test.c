#include "directory_test.h"

size_t keys_read;

int __real_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);
int __wrap_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);
int __real_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);
int __wrap_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);

int __wrap_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    keys_read++;
    return __real_kv_get(transaction, key, value);
}

int __wrap_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value)
{
    keys_read++;
    return __real_kv_cursor_next(cursor, key, value);
}

struct account_id make_account(struct fixture *f, const char *name)
{
    struct account_id id = {{0}};
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, slice_from_string(name), &id), 0);
    return id;
}
