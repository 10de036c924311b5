/*
 * One suite for every engine of the key-value space: `test_kv rados` runs it on the cluster of
 * tests/harness/cluster.py. What only SQLite's files can show is in test_sqlite.c, what only a
 * cluster can in test_rados.c.
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/engine_priv.h"
#include "kv/kv.h"
#include "kv/notice_ring.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "tests/unit/test_cluster.h"

struct fixture {
    char directory[64]; /* empty: none */
    struct cluster *cluster;
    struct kv_engine *engine;
    struct kv *kv;
};

/* --- helpers --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int set_up_memory(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(kv_memory_create(&f->engine), 0);
    return kv_open(f->engine, "test", KV_CREATE, &f->kv);
}

static struct fixture *make_directory(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-kv-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(kv_sqlite_create(f->directory, &f->engine), 0);
    return f;
}

static int set_up_sqlite(void **state)
{
    struct fixture *f = make_directory(state);
    return kv_open(f->engine, "test", KV_CREATE, &f->kv);
}

/* A file as version 1 made it: it goes on as it is. */
static int set_up_sqlite_first(void **state)
{
    struct fixture *f = make_directory(state);
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/test.db", f->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "PRAGMA page_size=8192;"
            "CREATE TABLE small(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE large(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL);"
            "PRAGMA user_version=1;"
            "PRAGMA journal_mode=WAL;",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    return kv_open(f->engine, "test", 0, &f->kv);
}

/* Each case has a namespace of its own. */
static int set_up_rados(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->cluster = test_cluster();
    assert_int_equal(kv_rados_create(f->cluster, test_namespace(), 0, &f->engine), 0);
    return kv_open(f->engine, "test", KV_CREATE, &f->kv);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    kv_engine_free(&f->engine);
    cluster_free(&f->cluster);
    if (f->directory[0])
        nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* What to put, or with data == NULL delete, in one update; then what to return. */
struct change {
    const char *key;
    struct slice value;
};

struct changes {
    const struct change *list;
    size_t count;
    int result;
};

static int apply(struct kv_transaction *transaction, void *arg)
{
    const struct changes *changes = arg;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        struct slice key = slice_from_string(change->key);
        int error = change->value.data ? kv_put(transaction, key, change->value)
                                       : kv_delete(transaction, key);
        if (error)
            return error;
    }
    return changes->result;
}

static int update(struct kv *kv, struct change *list, size_t count, int result)
{
    struct changes changes = {list, count, result};
    return kv_update(kv, KV_RELAXED, apply, &changes);
}

static void put_string(struct kv *kv, const char *key, const char *value)
{
    struct change change = {key, slice_from_string(value)};
    assert_int_equal(update(kv, &change, 1, 0), 0);
}

static void delete_key(struct kv *kv, const char *key)
{
    struct change change = {key, {NULL, 0}};
    assert_int_equal(update(kv, &change, 1, 0), 0);
}

/* The value, or "-" where there is none. */
static void assert_value(struct kv_transaction *transaction, const char *key, const char *expected)
{
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, slice_from_string(key), &value);
    if (error == ERROR_NOT_FOUND)
        buffer_append_string(&value, "-");
    else
        assert_int_equal(error, 0);
    assert_string_equal(value.size ? value.data : "", expected);
    buffer_release(&value);
}

static void assert_stored(struct kv *kv, const char *key, const char *expected)
{
    struct kv_transaction *transaction;
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_value(transaction, key, expected);
    kv_read_end(&transaction);
    assert_null(transaction);
}

/* All that a cursor shows, as "key=value ..." */
static void assert_range_in(struct kv_transaction *transaction, struct slice prefix,
                            struct slice after, const char *expected)
{
    struct buffer seen;
    buffer_init(&seen, 65536);
    struct kv_cursor *cursor;
    struct slice key;
    struct slice value;
    int error;
    assert_int_equal(kv_cursor_open(transaction, prefix, after, &cursor), 0);
    while ((error = kv_cursor_next(cursor, &key, &value)) == 0)
        buffer_append_format(&seen, "%.*s=%.*s ", SLICE_FORMAT(key), SLICE_FORMAT(value));
    assert_int_equal(error, ERROR_NOT_FOUND);
    assert_int_equal(kv_cursor_next(cursor, &key, &value), ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    assert_null(cursor);
    assert_string_equal(seen.size ? seen.data : "", expected);
    buffer_release(&seen);
}

static void assert_range(struct kv *kv, const char *prefix, const char *after, const char *expected)
{
    struct kv_transaction *transaction;
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_range_in(transaction, slice_from_string(prefix), slice_from_string(after), expected);
    kv_read_end(&transaction);
}

/* --- cases --- */

static void test_put_get_delete(void **state)
{
    struct fixture *f = *state;
    assert_stored(f->kv, "a", "-");
    put_string(f->kv, "a", "1");
    assert_stored(f->kv, "a", "1");
    put_string(f->kv, "a", "2");
    assert_stored(f->kv, "a", "2");
    put_string(f->kv, "a", "");
    assert_stored(f->kv, "a", "");
    delete_key(f->kv, "a");
    assert_stored(f->kv, "a", "-");
    delete_key(f->kv, "a");
}

static void test_get_appends(void **state)
{
    struct fixture *f = *state;
    put_string(f->kv, "a", "12345");
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, 8);
    buffer_append_string(&value, "x");
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_get(transaction, SLICE("a"), &value), 0);
    assert_string_equal(value.data, "x12345");
    assert_int_equal(kv_get(transaction, SLICE("a"), &value), ERROR_LIMIT);
    kv_read_end(&transaction);
    buffer_release(&value);
}

static void test_values_of_any_bytes_and_size(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {1, 900, 8192, 20000, 262144, KV_VALUE_MAXIMUM};
    char *bytes = malloc(KV_VALUE_MAXIMUM);
    for (size_t i = 0; i < KV_VALUE_MAXIMUM; i++)
        bytes[i] = (char)(i * 2654435761u >> 11);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct change change = {"v", slice_make(bytes, sizes[i])};
        assert_int_equal(update(f->kv, &change, 1, 0), 0);
        struct kv_transaction *transaction;
        struct buffer value;
        buffer_init(&value, KV_VALUE_MAXIMUM);
        assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
        assert_int_equal(kv_get(transaction, SLICE("v"), &value), 0);
        assert_true(slice_equal(buffer_slice(&value), change.value));
        kv_read_end(&transaction);
        buffer_release(&value);
    }
    free(bytes);
}

static int put_bad(struct kv_transaction *transaction, void *arg)
{
    const struct slice *pair = arg;
    assert_int_equal(kv_put(transaction, SLICE("good"), SLICE("1")), 0);
    assert_int_equal(kv_put(transaction, pair[0], pair[1]), ERROR_INVALID);
    return 0;
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    char *bytes = malloc(KV_VALUE_MAXIMUM + 1);
    memset(bytes, 'k', KV_VALUE_MAXIMUM + 1);
    struct slice bad[][2] = {
        {{NULL, 0}, SLICE("v")},
        {slice_make(bytes, KV_KEY_MAXIMUM + 1), SLICE("v")},
        {slice_make("a\0b", 3), SLICE("v")},
        {SLICE("a"), slice_make(bytes, KV_VALUE_MAXIMUM + 1)},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        /* A change that failed fails the update, whatever fn makes of it. */
        assert_int_equal(kv_update(f->kv, KV_RELAXED, put_bad, bad[i]), ERROR_INVALID);
        assert_stored(f->kv, "good", "-");
    }
    bytes[KV_KEY_MAXIMUM] = '\0';
    put_string(f->kv, bytes, "longest");
    assert_stored(f->kv, bytes, "longest");
    assert_range(f->kv, bytes, bytes, "");
    struct kv_transaction *transaction;
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_put(transaction, SLICE("a"), SLICE("b")), ERROR_INVALID);
    assert_int_equal(kv_delete(transaction, SLICE("a")), ERROR_INVALID);
    kv_read_end(&transaction);
    free(bytes);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"", "/a", "a/", "a//b", "..", "a.db", "A", "a b"};
    struct kv *kv = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(kv_open(f->engine, bad[i], KV_CREATE, &kv), ERROR_INVALID);
    char name[KV_NAME_MAXIMUM + 2];
    memset(name, 'n', sizeof(name));
    name[KV_NAME_MAXIMUM + 1] = '\0';
    assert_int_equal(kv_open(f->engine, name, KV_CREATE, &kv), ERROR_INVALID);
    name[KV_NAME_MAXIMUM] = '\0';
    assert_int_equal(kv_open(f->engine, name, KV_CREATE, &kv), 0);
    kv_close(&kv);
    assert_int_equal(kv_destroy(f->engine, name), 0);
    assert_null(kv);
}

static void test_cursor(void **state)
{
    struct fixture *f = *state;
    struct change list[] = {
        {"b/2", SLICE("2")}, {"a", SLICE("a")},     {"b", SLICE("b")},
        {"b/1", SLICE("1")}, {"b/10", SLICE("10")}, {"c", SLICE("c")},
    };
    assert_int_equal(update(f->kv, list, 6, 0), 0);
    assert_range(f->kv, "", "", "a=a b=b b/1=1 b/10=10 b/2=2 c=c ");
    assert_range(f->kv, "b", "", "b=b b/1=1 b/10=10 b/2=2 ");
    assert_range(f->kv, "b/", "", "b/1=1 b/10=10 b/2=2 ");
    assert_range(f->kv, "b/", "b/1", "b/10=10 b/2=2 ");
    assert_range(f->kv, "b/", "b/11", "b/2=2 ");
    assert_range(f->kv, "b/", "a", "b/1=1 b/10=10 b/2=2 ");
    assert_range(f->kv, "b", "b", "b/1=1 b/10=10 b/2=2 ");
    assert_range(f->kv, "b/", "c", "");
    assert_range(f->kv, "x", "", "");
    assert_range(f->kv, "", "b/2", "c=c ");
}

static void test_cursor_at_the_end_of_all_keys(void **state)
{
    struct fixture *f = *state;
    struct change list[] = {{"\xfe", SLICE("1")},
                            {"\xfe\xff", SLICE("2")},
                            {"\xff", SLICE("3")},
                            {"\xff\xff", SLICE("4")}};
    assert_int_equal(update(f->kv, list, 4, 0), 0);
    assert_range(f->kv, "\xfe\xff", "", "\xfe\xff=2 ");
    assert_range(f->kv, "\xff", "", "\xff=3 \xff\xff=4 ");
    assert_range(f->kv, "\xff\xff", "\xff", "\xff\xff=4 ");
    assert_range(f->kv, "", "\xff", "\xff\xff=4 ");
}

static void test_several_cursors(void **state)
{
    struct fixture *f = *state;
    struct change list[] = {{"a1", SLICE("1")}, {"a2", SLICE("2")}, {"b1", SLICE("3")}};
    assert_int_equal(update(f->kv, list, 3, 0), 0);
    struct kv_transaction *transaction;
    struct kv_cursor *outer;
    struct slice key;
    struct slice value;
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE("a"), SLICE(""), &outer), 0);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(kv_cursor_next(outer, &key, &value), 0);
        assert_int_equal(key.data[1], '0' + i);
        assert_range_in(transaction, SLICE("b"), SLICE(""), "b1=3 ");
        assert_value(transaction, "a2", "2");
    }
    assert_int_equal(kv_cursor_next(outer, &key, &value), ERROR_NOT_FOUND);
    kv_cursor_close(&outer);
    kv_read_end(&transaction);
}

/* More than are kept with a connection, closed in another order than they were opened in. */
static void test_many_cursors(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 5 };
    struct kv_transaction *transaction;
    struct kv_cursor *cursors[MANY];
    struct slice key, value;
    char text[MANY + 1] = "";
    for (char digit = '1'; digit <= '5'; digit++)
        put_string(f->kv, (char[]){'a', digit, '\0'}, (char[]){digit, '\0'});
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++)
            assert_int_equal(kv_cursor_open(transaction, SLICE("a"), SLICE(""), &cursors[i]), 0);
        for (int i = 0; i < MANY; i++) {
            for (int step = 0; step <= i; step++)
                assert_int_equal(kv_cursor_next(cursors[i], &key, &value), 0);
            text[i] = value.data[0];
        }
        assert_string_equal(text, "12345");
        for (int i = 0; i < MANY; i++)
            kv_cursor_close(&cursors[(i * 2 + 1) % MANY]);
    }
    kv_read_end(&transaction);
}

static int read_own(struct kv_transaction *transaction, void *arg)
{
    (void)arg;
    assert_value(transaction, "a", "1");
    assert_int_equal(kv_put(transaction, SLICE("a"), SLICE("2")), 0);
    assert_int_equal(kv_put(transaction, SLICE("b"), SLICE("3")), 0);
    assert_value(transaction, "a", "2");
    assert_range_in(transaction, SLICE(""), SLICE(""), "a=2 b=3 ");
    assert_int_equal(kv_delete(transaction, SLICE("a")), 0);
    assert_value(transaction, "a", "-");
    return 0;
}

static void test_update_sees_its_own_changes(void **state)
{
    struct fixture *f = *state;
    put_string(f->kv, "a", "1");
    assert_int_equal(kv_update(f->kv, KV_DURABLE, read_own, NULL), 0);
    assert_stored(f->kv, "a", "-");
    assert_stored(f->kv, "b", "3");
}

static void test_failed_update_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    put_string(f->kv, "a", "1");
    struct change list[] = {{"a", SLICE("2")}, {"b", SLICE("3")}};
    assert_int_equal(update(f->kv, list, 2, ERROR_QUOTA), ERROR_QUOTA);
    assert_int_equal(update(f->kv, list, 2, 77), 77);
    assert_range(f->kv, "", "", "a=1 ");
    put_string(f->kv, "c", "4");
    assert_range(f->kv, "", "", "a=1 c=4 ");
}

static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    put_string(f->kv, "a", "1");
    struct kv_transaction *before;
    struct kv_transaction *between;
    assert_int_equal(kv_read_begin(f->kv, &before), 0);
    put_string(f->kv, "a", "2");
    put_string(f->kv, "b", "1");
    assert_int_equal(kv_read_begin(f->kv, &between), 0);
    delete_key(f->kv, "a");
    assert_value(before, "a", "1");
    assert_value(before, "b", "-");
    assert_range_in(before, SLICE(""), SLICE(""), "a=1 ");
    assert_value(before, "a", "1");
    assert_range_in(between, SLICE(""), SLICE(""), "a=2 b=1 ");
    assert_stored(f->kv, "a", "-");
    assert_int_equal(kv_maintain(f->kv), 0);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_range_in(before, SLICE(""), SLICE(""), "a=1 ");
    kv_read_end(&before);
    assert_range_in(between, SLICE(""), SLICE(""), "a=2 b=1 ");
    kv_read_end(&between);
}

static void test_two_opens_are_one_space(void **state)
{
    struct fixture *f = *state;
    struct kv *other;
    assert_int_equal(kv_open(f->engine, "test", 0, &other), 0);
    put_string(f->kv, "a", "1");
    assert_stored(other, "a", "1");
    put_string(other, "a", "2");
    assert_stored(f->kv, "a", "2");
    assert_int_equal(kv_sync(f->kv), 0);
    assert_int_equal(kv_maintain(other), 0);
    assert_int_equal(kv_sync(f->kv), 0);
    kv_close(&other);
    assert_stored(f->kv, "a", "2");
}

static void test_open_and_destroy(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = NULL;
    assert_int_equal(kv_open(f->engine, "accounts/1f/1f0c", 0, &kv), ERROR_NOT_FOUND);
    assert_int_equal(kv_destroy(f->engine, "accounts/1f/1f0c"), ERROR_NOT_FOUND);
    assert_null(kv);
    assert_int_equal(kv_open(f->engine, "accounts/1f/1f0c", KV_CREATE, &kv), 0);
    put_string(kv, "a", "1");
    kv_close(&kv);
    assert_null(kv);
    assert_int_equal(kv_open(f->engine, "accounts/1f/1f0c", KV_CREATE, &kv), 0);
    assert_stored(kv, "a", "1");
    kv_close(&kv);
    assert_int_equal(kv_destroy(f->engine, "accounts/1f/1f0c"), 0);
    assert_int_equal(kv_open(f->engine, "accounts/1f/1f0c", 0, &kv), ERROR_NOT_FOUND);
    assert_int_equal(kv_open(f->engine, "accounts/1f/1f0c", KV_CREATE, &kv), 0);
    assert_stored(kv, "a", "-");
    kv_close(&kv);
}

static int count_space(const char *name, void *arg)
{
    struct buffer *names = arg;
    buffer_append_format(names, "%s ", name);
    return 0;
}

static int stop(const char *name, void *arg)
{
    (void)name;
    ++*(int *)arg;
    return 42;
}

static void assert_spaces(struct kv_engine *engine, const char *prefix, size_t count,
                          const char *const *expected)
{
    struct buffer names;
    buffer_init(&names, 4096);
    buffer_append_byte(&names, ' ');
    assert_int_equal(kv_each_space(engine, prefix, count_space, &names), 0);
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        char wanted[KV_NAME_MAXIMUM + 3];
        snprintf(wanted, sizeof(wanted), " %s ", expected[i]);
        assert_non_null(strstr(names.data, wanted));
        size += strlen(expected[i]) + 1;
    }
    assert_int_equal(names.size, size);
    buffer_release(&names);
}

static void test_each_space(void **state)
{
    struct fixture *f = *state;
    static const char *const all[] = {"accounts/1f/1f01", "accounts/1f/1f02", "accounts/20/2001",
                                      "directory", "test"};
    for (size_t i = 0; i < 4; i++) {
        struct kv *kv;
        assert_int_equal(kv_open(f->engine, all[i], KV_CREATE, &kv), 0);
        kv_close(&kv);
    }
    assert_spaces(f->engine, "", 5, all);
    assert_spaces(f->engine, "accounts/", 3, all);
    assert_spaces(f->engine, "accounts/1", 2, all);
    assert_spaces(f->engine, "accounts/1f/1f02", 1, all + 1);
    assert_spaces(f->engine, "d", 1, all + 3);
    assert_spaces(f->engine, "x", 0, all);
    int called = 0;
    assert_int_equal(kv_each_space(f->engine, "", stop, &called), 42);
    assert_int_equal(called, 1);
}

static int nested(struct kv_transaction *transaction, void *arg)
{
    (void)transaction;
    put_string(arg, "x", "1");
    return 0;
}

static int nested_busy(struct kv_transaction *transaction, void *arg)
{
    struct kv *kv = arg;
    struct change change = {"x", SLICE("1")};
    assert_int_equal(update(kv, &change, 1, 0), ERROR_BUSY);
    return kv_put(transaction, SLICE("y"), SLICE("1"));
}

static void test_busy(void **state)
{
    struct fixture *f = *state;
    f->engine->busy_timeout_ms = 20;
    struct kv *other;
    assert_int_equal(kv_open(f->engine, "test", 0, &other), 0);
    assert_int_equal(kv_update(f->kv, KV_RELAXED, nested_busy, f->kv), 0);
    assert_int_equal(kv_update(f->kv, KV_RELAXED, nested_busy, other), 0);
    assert_range(other, "", "", "y=1 ");
    kv_close(&other);
    assert_int_equal(kv_open(f->engine, "other", KV_CREATE, &other), 0);
    assert_int_equal(kv_update(f->kv, KV_RELAXED, nested, other), 0);
    kv_close(&other);
}

/* --- the lock of a space --- */

static void test_lock(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"another", "test"};
    struct kv *same, *another;
    struct kv_lock *lock = NULL, *other = NULL;
    f->engine->busy_timeout_ms = 100;
    assert_int_equal(kv_open(f->engine, "test", 0, &same), 0);
    assert_int_equal(kv_open(f->engine, "another", KV_CREATE, &another), 0);
    assert_int_equal(kv_lock(f->kv, &lock), 0);
    uint64_t start = clock_monotonic_us();
    assert_int_equal(kv_lock(same, &other), ERROR_BUSY);
    assert_true(clock_monotonic_us() - start >= 100000);
    assert_int_equal(kv_lock(f->kv, &other), ERROR_BUSY);
    assert_null(other);
    assert_int_equal(kv_lock(another, &other), 0);
    put_string(same, "a", "1");
    assert_range(f->kv, "", "", "a=1 ");
    assert_int_equal(kv_lock_check(lock), 0);
    assert_int_equal(kv_lock_check(other), 0);
    assert_spaces(f->engine, "", 2, names);
    kv_unlock(&lock);
    kv_unlock(&other);
    assert_null(lock);
    kv_unlock(&lock);
    assert_int_equal(kv_lock(same, &lock), 0);
    assert_int_equal(kv_lock_check(lock), 0);
    assert_range(same, "", "", "a=1 ");
    kv_unlock(&lock);
    kv_close(&same);
    kv_close(&another);
    assert_int_equal(kv_destroy(f->engine, "another"), 0);
    assert_int_equal(kv_open(f->engine, "another", KV_CREATE, &another), 0);
    assert_int_equal(kv_lock(another, &lock), 0);
    kv_unlock(&lock);
    kv_close(&another);
}

enum { LOCKERS = 4, LOCK_ROUNDS = 15 };

static int put_new(struct kv_transaction *transaction, void *arg)
{
    kv_needs_room(transaction);
    return kv_put(transaction, SLICE("new"), slice_from_string(arg));
}

static void test_needs_room(void **state)
{
    struct fixture *f = *state;
    char value[] = "1";
    for (; value[0] < '4'; value[0]++)
        assert_int_equal(kv_update(f->kv, KV_DURABLE, put_new, value), 0);
    put_string(f->kv, "a", "1");
    assert_range(f->kv, "", "", "a=1 new=3 ");
}

struct locker {
    pthread_t thread;
    struct kv *kv;
    int *inside, *count; /* by the lock */
    int error;
};

static void *lock_many(void *arg)
{
    struct locker *locker = arg;
    for (int i = 0; i < LOCK_ROUNDS && !locker->error; i++) {
        struct kv_lock *lock;
        locker->error = kv_lock(locker->kv, &lock);
        if (locker->error)
            break;
        if (++*locker->inside != 1)
            locker->error = ERROR_CONFLICT;
        ++*locker->count;
        usleep(200);
        --*locker->inside;
        kv_unlock(&lock);
    }
    return NULL;
}

static void test_lock_excludes_threads(void **state)
{
    struct fixture *f = *state;
    struct kv *other;
    struct locker lockers[LOCKERS];
    int inside = 0, count = 0;
    assert_int_equal(kv_open(f->engine, "test", 0, &other), 0);
    for (int i = 0; i < LOCKERS; i++) {
        lockers[i] =
            (struct locker){.kv = i % 2 ? f->kv : other, .inside = &inside, .count = &count};
        pthread_create(&lockers[i].thread, NULL, lock_many, &lockers[i]);
    }
    for (int i = 0; i < LOCKERS; i++) {
        pthread_join(lockers[i].thread, NULL);
        assert_int_equal(lockers[i].error, 0);
    }
    assert_int_equal(count, LOCKERS * LOCK_ROUNDS);
    kv_close(&other);
}

struct step {
    struct kv_lock *lock;
    const char *value; /* NULL: nothing is changed */
    int guard;         /* what kv_lock_guard is to return */
};

static int guarded(struct kv_transaction *transaction, void *arg)
{
    const struct step *step = arg;
    assert_int_equal(kv_lock_guard(step->lock, transaction), step->guard);
    if (step->value && !step->guard)
        assert_int_equal(kv_put(transaction, SLICE("a"), slice_from_string(step->value)), 0);
    return 0;
}

static void test_lock_guards_updates(void **state)
{
    struct fixture *f = *state;
    struct kv *other, *elsewhere;
    struct kv_engine *another;
    struct kv_transaction *transaction;
    struct step step = {.value = "1"};
    assert_int_equal(kv_open(f->engine, "other", KV_CREATE, &other), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(kv_lock(f->kv, &step.lock), 0);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(kv_update(f->kv, KV_DURABLE, guarded, &step), 0);
            assert_int_equal(kv_update(other, KV_DURABLE, guarded, &step), 0);
        }
        struct step idle = {.lock = step.lock};
        assert_int_equal(kv_update(other, KV_DURABLE, guarded, &idle), 0);
        assert_range(f->kv, "", "", "a=1 ");
        assert_range(other, "", "", "a=1 ");
        kv_unlock(&step.lock);
    }
    assert_int_equal(kv_lock(f->kv, &step.lock), 0);
    assert_int_equal(kv_read_begin(other, &transaction), 0);
    assert_int_equal(kv_lock_guard(step.lock, transaction), ERROR_INVALID);
    kv_read_end(&transaction);
    assert_int_equal(kv_memory_create(&another), 0);
    assert_int_equal(kv_open(another, "test", KV_CREATE, &elsewhere), 0);
    step.guard = ERROR_INVALID;
    assert_int_equal(kv_update(elsewhere, KV_DURABLE, guarded, &step), 0);
    assert_range(elsewhere, "", "", "");
    kv_unlock(&step.lock);
    kv_close(&elsewhere);
    kv_engine_free(&another);
    kv_close(&other);
}

/* --- notices --- */

struct noticed {
    int count;
    uint64_t space;
};

static void notice(uint64_t space, bool missed, void *arg)
{
    struct noticed *noticed = arg;
    assert_false(missed);
    noticed->count++;
    noticed->space = space;
}

static void test_notices(void **state)
{
    struct fixture *f = *state;
    int wake[NOTICE_SLOTS];
    memset(wake, 0xff, sizeof(wake));
    wake[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int memory = notice_ring_create();
    struct notice_ring *ring;
    assert_int_equal(notice_ring_attach(memory, wake, 0, &ring), 0);
    kv_engine_set_notices(f->engine, ring);

    struct change list[] = {{"a", SLICE("2")}, {"b", SLICE("3")}};
    struct change delete_none = {"none", {NULL, 0}};
    struct noticed noticed = {0};
    uint64_t space = notice_space(SLICE("test")), before = kv_changes(f->engine, space);
    assert_int_equal(update(f->kv, list, 2, 0), 0);
    assert_true(before == 0 ? f->engine->operations->has_nodes
                            : kv_changes(f->engine, space) != before);
    before = kv_changes(f->engine, space);
    assert_int_equal(update(f->kv, list, 2, ERROR_QUOTA), ERROR_QUOTA);
    assert_int_equal(update(f->kv, NULL, 0, 0), 0);
    assert_int_equal(update(f->kv, &delete_none, 1, 0), 0);
    assert_true(kv_changes(f->engine, space) == before);
    notice_ring_read(ring, notice, &noticed);
    assert_int_equal(noticed.count, 1);
    assert_true(noticed.space == notice_space(SLICE("test")));

    notice_ring_detach(&ring);
    close(memory);
    close(wake[0]);
}

/* --- threads --- */

enum { WRITERS = 3, READERS = 2, ROUNDS = 60, ACCOUNTS = 8 };

struct worker {
    struct kv *kv;
    unsigned seed;
    _Atomic bool *done;
    pthread_t thread;
};

/* Moves 1 from one of the counters to another: their sum stays. */
static int move_one(struct kv_transaction *transaction, void *arg)
{
    struct worker *worker = arg;
    char key[2] = "0";
    for (int step = -1; step <= 1; step += 2) {
        worker->seed = worker->seed * 1103515245u + 12345u;
        key[0] = (char)('0' + (worker->seed >> 16) % ACCOUNTS);
        struct buffer value;
        buffer_init(&value, 32);
        int error = kv_get(transaction, slice_from_string(key), &value);
        long number = error ? 0 : strtol(value.data, NULL, 10);
        buffer_clear(&value);
        buffer_append_format(&value, "%ld", number + step);
        if (!error || error == ERROR_NOT_FOUND)
            error = kv_put(transaction, slice_from_string(key), buffer_slice(&value));
        buffer_release(&value);
        if (error)
            return error;
    }
    return 0;
}

static void *write_many(void *arg)
{
    struct worker *worker = arg;
    intptr_t error = 0;
    for (int i = 0; i < ROUNDS && !error; i++)
        error = kv_update(worker->kv, i % 2 ? KV_RELAXED : KV_DURABLE, move_one, worker);
    return (void *)error;
}

static long sum(struct kv *kv)
{
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key;
    struct slice value;
    long total = 0;
    if (kv_read_begin(kv, &transaction))
        return -1;
    if (kv_cursor_open(transaction, SLICE(""), SLICE(""), &cursor) == 0) {
        while (kv_cursor_next(cursor, &key, &value) == 0) {
            char text[32] = "";
            memcpy(text, value.data, value.size);
            total += strtol(text, NULL, 10);
        }
        kv_cursor_close(&cursor);
    }
    kv_read_end(&transaction);
    return total;
}

static void *read_many(void *arg)
{
    struct worker *worker = arg;
    intptr_t error = 0;
    while (!atomic_load(worker->done) && !error) {
        error = sum(worker->kv);
        if (!error && worker->seed++ % 16 == 0)
            error = worker->seed % 32   ? kv_sync(worker->kv)
                    : worker->seed % 64 ? kv_maintain(worker->kv)
                                        : kv_rest(worker->kv);
        usleep(500);
    }
    return (void *)error;
}

static void test_threads(void **state)
{
    struct fixture *f = *state;
    struct worker workers[WRITERS + READERS];
    _Atomic bool done = false;
    struct kv *other;
    assert_int_equal(kv_open(f->engine, "test", 0, &other), 0);
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (struct worker){.kv = i % 2 ? f->kv : other, .seed = i, .done = &done};
        pthread_create(&workers[i].thread, NULL, i < WRITERS ? write_many : read_many, &workers[i]);
    }
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        void *error;
        if (i == WRITERS)
            atomic_store(&done, true);
        pthread_join(workers[i].thread, &error);
        assert_null(error);
    }
    assert_int_equal(sum(f->kv), 0);
    kv_close(&other);
}

/* --- many keys, against a plain model --- */

enum { MODEL_KEYS = 400, MODEL_STEPS = 3000 };

struct model {
    int values[MODEL_KEYS]; /* 0: not there */
    unsigned seed;
};

enum { MODEL_LARGE = 4000 };

/* The number, and behind it so many dots that an engine may keep values apart by their sizes. */
static struct slice model_value(int number, char bytes[MODEL_LARGE])
{
    static const size_t sizes[] = {0, 1980, 1997, 1998, 2010, MODEL_LARGE};
    memset(bytes, '.', MODEL_LARGE);
    size_t size = (size_t)snprintf(bytes, MODEL_LARGE, "%d", number);
    size_t wanted = sizes[(unsigned)number / 7 % 6];
    bytes[size] = '.';
    return slice_make(bytes, wanted > size ? wanted : size);
}

static int random_changes(struct kv_transaction *transaction, void *arg)
{
    struct model *model = arg;
    char value[MODEL_LARGE];
    for (int i = 0; i < MODEL_STEPS; i++) {
        model->seed = model->seed * 1103515245u + 12345u;
        unsigned n = (model->seed >> 16) % MODEL_KEYS;
        bool delete = (model->seed >> 8) % 3 == 0;
        char key[16];
        snprintf(key, sizeof(key), "%03u", n);
        model->values[n] = delete ? 0 : i + 1;
        int error = delete ? kv_delete(transaction, slice_from_string(key))
                           : kv_put(transaction, slice_from_string(key), model_value(i + 1, value));
        if (error)
            return error;
    }
    return 0;
}

/* Walks all keys, and reads each of them. */
static void assert_model(struct kv *kv, const struct model *model)
{
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key, value;
    struct buffer read;
    char bytes[MODEL_LARGE], name[16];
    buffer_init(&read, MODEL_LARGE);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE(""), SLICE(""), &cursor), 0);
    for (int i = 0; i < MODEL_KEYS; i++) {
        snprintf(name, sizeof(name), "%03d", i);
        buffer_clear(&read);
        int error = kv_get(transaction, slice_from_string(name), &read);
        assert_int_equal(error, model->values[i] ? 0 : ERROR_NOT_FOUND);
        if (error)
            continue;
        struct slice expected = model_value(model->values[i], bytes);
        assert_true(slice_equal(buffer_slice(&read), expected));
        assert_int_equal(kv_cursor_next(cursor, &key, &value), 0);
        assert_true(slice_equal(key, slice_from_string(name)));
        assert_true(slice_equal(value, expected));
    }
    assert_int_equal(kv_cursor_next(cursor, &key, &value), ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    buffer_release(&read);
}

static void test_against_a_model(void **state)
{
    struct fixture *f = *state;
    struct model model = {.seed = 7};
    for (int round = 0; round < 3; round++) {
        assert_int_equal(kv_update(f->kv, KV_RELAXED, random_changes, &model), 0);
        assert_model(f->kv, &model);
    }
}

#define CASE(engine, test)                                                                         \
    {                                                                                              \
#engine ": " #test, test, set_up_##engine, tear_down, NULL                                 \
    }

/* clang-format off */
#define CASES(engine)                                                                              \
    CASE(engine, test_put_get_delete),                                                             \
    CASE(engine, test_get_appends),                                                                \
    CASE(engine, test_values_of_any_bytes_and_size),                                               \
    CASE(engine, test_limits),                                                                     \
    CASE(engine, test_names),                                                                      \
    CASE(engine, test_cursor),                                                                     \
    CASE(engine, test_cursor_at_the_end_of_all_keys),                                              \
    CASE(engine, test_several_cursors),                                                            \
    CASE(engine, test_many_cursors),                                                               \
    CASE(engine, test_update_sees_its_own_changes),                                                \
    CASE(engine, test_failed_update_leaves_nothing),                                               \
    CASE(engine, test_snapshot),                                                                   \
    CASE(engine, test_two_opens_are_one_space),                                                    \
    CASE(engine, test_open_and_destroy),                                                           \
    CASE(engine, test_each_space),                                                                 \
    CASE(engine, test_busy),                                                                       \
    CASE(engine, test_needs_room),                                                                 \
    CASE(engine, test_lock),                                                                       \
    CASE(engine, test_lock_excludes_threads),                                                      \
    CASE(engine, test_lock_guards_updates),                                                        \
    CASE(engine, test_notices),                                                                    \
    CASE(engine, test_threads),                                                                    \
    CASE(engine, test_against_a_model)
/* clang-format on */

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {CASES(memory), CASES(sqlite), CASES(sqlite_first)};
    const struct CMUnitTest rados[] = {CASES(rados)};
    if (count == 2 && strcmp(arguments[1], "rados") == 0)
        return cmocka_run_group_tests(rados, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
