/*
 * Keys of kv/sqlite that are numbers beside those that are not, in files of either version.
 */
#include "base/error.h"
#include "kv/kv.h"
#include "kv/sqlite/sqlite_priv.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    char directory[64];
    struct kv_engine *engine;
    struct kv *kv;
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

/* Runs SQL on the space's file; the number that it gives, or 0. */
static int run_sql(const struct fixture *f, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *statement;
    snprintf(path, sizeof(path), "%s/test.db", f->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    int number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-kv-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(kv_sqlite_create(f->directory, &f->engine), 0);
    return kv_open(f->engine, "test", KV_CREATE, &f->kv);
}

/* As version 1 made it: without the numbered table. */
static int set_up_first(void **state)
{
    int error = set_up(state);
    struct fixture *f = *state;
    kv_close(&f->kv);
    run_sql(f, "DROP TABLE numbered");
    run_sql(f, "PRAGMA user_version=1");
    return error ? error : kv_open(f->engine, "test", 0, &f->kv);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    kv_engine_free(&f->engine);
    nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* --- numbers --- */

static void assert_number(const char *key, sqlite3_int64 number)
{
    char bytes[SQLITE_NUMBERED_KEY];
    struct slice expected = slice_from_string(key);
    assert_int_equal(number_of_key(expected), number);
    assert_true(slice_equal(number_to_key(number, bytes), expected));
}

static void test_numbers(void **state)
{
    (void)state;
    assert_number("a", INT64_MIN + (INT64_C(0x61) << 56));
    assert_number("ab", INT64_MIN + (INT64_C(0x6162) << 48));
    assert_number("abcdefgh", INT64_MIN + INT64_C(0x6162636465666768));
    assert_number("\x80", 0);
    assert_number("\xff\xff\xff\xff\xff\xff\xff\xff", INT64_MAX);
}

static void test_ranges_without_numbers(void **state)
{
    sqlite3_int64 first, last;
    struct slice highest = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff");
    (void)state;
    assert_false(number_range(SLICE("abcdefghi"), SLICE("abcdefghj"), &first, &last));
    assert_false(number_range(slice_make("\xff\xff\xff\xff\xff\xff\xff\xff", 9),
                              SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &first, &last));
    assert_true(
        number_range(highest, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &first, &last));
    assert_true(first == INT64_MAX && last == INT64_MAX);
    assert_true(number_range(slice_make("a", 2), SLICE("b"), &first, &last)); /* behind "a" */
    assert_true(first == number_of_key(SLICE("a")) + 1 && last == number_of_key(SLICE("b")) - 1);
}

/* --- walking --- */

/* Keys of every length up to twice what an engine may look at first, of any bytes, with small and
 * large values by turns, in their order. */
enum { LENGTHS = 16, ALPHABET = 3, LENGTH_KEYS = LENGTHS * ALPHABET * 2, LENGTH_LARGE = 3000 };

struct length_keys {
    char bytes[LENGTH_KEYS][LENGTHS];
    struct slice keys[LENGTH_KEYS];
    char value[LENGTH_LARGE];
    bool swapped; /* which of them are large */
};

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void make_length_keys(struct length_keys *all)
{
    static const char letters[ALPHABET] = {'\x01', KV_APPENDED, '\xff'};
    size_t count = 0;
    memset(all->value, 'v', sizeof(all->value));
    for (size_t size = 1; size <= LENGTHS; size++)
        for (size_t i = 0; i < ALPHABET; i++)
            for (int filled = 0; filled < 2; filled++) {
                char *bytes = all->bytes[count];
                memset(bytes, filled ? letters[i] : KV_APPENDED, size);
                bytes[size - 1] = letters[i];
                all->keys[count++] = slice_make(bytes, size);
            }
    qsort(all->keys, count, sizeof(*all->keys), compare_keys);
}

static struct slice length_value(const struct length_keys *all, size_t i)
{
    return slice_make(all->value, i % 2 == all->swapped ? LENGTH_LARGE : i % 100);
}

/* A key that is there twice (those of one byte) has the value of the last. */
static int put_length_keys(struct kv_transaction *transaction, void *arg)
{
    const struct length_keys *all = arg;
    int error = 0;
    for (size_t i = 0; i < LENGTH_KEYS && !error; i++)
        error = kv_put(transaction, all->keys[i], length_value(all, i));
    return error;
}

static void assert_walk(struct kv_transaction *transaction, const struct length_keys *all,
                        struct slice prefix, struct slice after)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    assert_int_equal(kv_cursor_open(transaction, prefix, after, &cursor), 0);
    for (size_t i = 0; i < LENGTH_KEYS; i++) {
        bool last = i + 1 == LENGTH_KEYS || !slice_equal(all->keys[i], all->keys[i + 1]);
        if (!last || !slice_starts_with(all->keys[i], prefix) ||
            (after.size && slice_compare(all->keys[i], after) <= 0))
            continue;
        assert_int_equal(kv_cursor_next(cursor, &key, &value), 0);
        assert_true(slice_equal(key, all->keys[i]));
        assert_true(slice_equal(value, length_value(all, i)));
    }
    assert_int_equal(kv_cursor_next(cursor, &key, &value), ERROR_NOT_FOUND);
    assert_int_equal(kv_cursor_next(cursor, &key, &value), ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
}

static void test_keys_of_all_lengths(void **state)
{
    struct fixture *f = *state;
    struct kv_transaction *transaction;
    struct length_keys *all = calloc(1, sizeof(*all));
    make_length_keys(all);
    for (int round = 0; round < 2; round++, all->swapped = true) {
        assert_int_equal(kv_update(f->kv, KV_RELAXED, put_length_keys, all), 0);
        assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
        assert_walk(transaction, all, SLICE(""), SLICE(""));
        for (size_t i = 0; i < LENGTH_KEYS; i++) {
            assert_walk(transaction, all, all->keys[i], SLICE(""));
            assert_walk(transaction, all, SLICE(""), all->keys[i]);
            assert_walk(transaction, all, slice_sub(all->keys[i], 0, 8), all->keys[i]);
        }
        kv_read_end(&transaction);
    }
    free(all);
}

/* --- files --- */

static void test_where_keys_lie(void **state)
{
    struct fixture *f = *state;
    struct length_keys *all = calloc(1, sizeof(*all));
    make_length_keys(all);
    assert_int_equal(kv_update(f->kv, KV_DURABLE, put_length_keys, all), 0);
    assert_int_equal(run_sql(f, "PRAGMA user_version"), SPACE_VERSION);
    assert_true(run_sql(f, "SELECT count(*) FROM numbered") > 0);
    assert_int_equal(run_sql(f, "SELECT min(length(key)) FROM large WHERE substr(key,1,1)=x'62'"),
                     SQLITE_NUMBERED_KEY + 1);
    assert_int_equal(run_sql(f, "SELECT min(length(key)) FROM large"), 1); /* 0xff */
    free(all);
}

static void test_first_version_stays(void **state)
{
    struct fixture *f = *state;
    struct length_keys *all = calloc(1, sizeof(*all));
    make_length_keys(all);
    assert_int_equal(kv_update(f->kv, KV_DURABLE, put_length_keys, all), 0);
    assert_int_equal(run_sql(f, "PRAGMA user_version"), 1);
    assert_int_equal(run_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name='numbered'"), 0);
    assert_int_equal(run_sql(f, "SELECT min(length(key)) FROM large"), 1);
    free(all);
}

static void test_unknown_version(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    run_sql(f, "PRAGMA user_version=3");
    assert_int_equal(kv_open(f->engine, "test", 0, &f->kv), ERROR_CORRUPT);
    run_sql(f, "PRAGMA user_version=0");
    assert_int_equal(kv_open(f->engine, "test", 0, &f->kv), ERROR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ranges_without_numbers),
        cmocka_unit_test_setup_teardown(test_keys_of_all_lengths, set_up, tear_down),
        {"version 1: test_keys_of_all_lengths", test_keys_of_all_lengths, set_up_first, tear_down,
         NULL},
        cmocka_unit_test_setup_teardown(test_where_keys_lie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_version_stays, set_up_first, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_version, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
