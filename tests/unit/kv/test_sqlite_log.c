/*
 * The log of a space of kv/sqlite: what is written to it, when it is flushed, copied and cut, and
 * how it grows.
 */
#include "sqlite_test.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- what a commit writes and flushes --- */

static void test_one_flush_for_each_durable_commit(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        /* The first commit to a log that is new or begun again flushes its header too. */
        assert_int_equal(put_bytes(f->kv, "a", 100, KV_DURABLE), 0);
        flushes_since_last();
        for (int i = 0; i < 10; i++)
            assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
        assert_int_equal(flushes_since_last(), 10);
        for (int i = 0; i < 10; i++)
            assert_int_equal(put_bytes(f->kv, "b", 8192, KV_RELAXED), 0);
        assert_int_equal(flushes_since_last(), 0);
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
        assert_int_equal(flushes_since_last(), 1);
        assert_int_equal(kv_rest(f->kv), 0);
    }
}

static int put_three_twice(struct kv_transaction *transaction, void *arg)
{
    static char bytes[3][MESSAGE_BYTES];
    int error = 0;
    for (int i = 0; i < 6 && !error; i++) {
        const char *keys[] = {"x", "y", "z"};
        memset(bytes[i % 3], ++*(char *)arg, MESSAGE_BYTES);
        error = kv_put(transaction, slice_from_string(keys[i % 3]),
                       slice_make(bytes[i % 3], MESSAGE_BYTES));
    }
    return error;
}

/* However many pages it changes: a frame at a time would be two for each. */
static void test_one_write_for_each_commit(void **state)
{
    struct fixture *f = *state;
    char byte = 0;
    for (int round = 0; round < 2; round++) {
        enum kv_durability durability = round ? KV_RELAXED : KV_DURABLE;
        assert_int_equal(kv_update(f->kv, durability, put_three_twice, &byte), 0);
        atomic_store(&writes, 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, durability), 0);
        assert_int_equal(atomic_load(&writes), 10);
        assert_int_equal(kv_update(f->kv, durability, put_three_twice, &byte), 0);
        assert_int_equal(atomic_load(&writes), 11);
    }
}

/* What a delivery does: a body that is new, and a page of a mailbox that is not. */
static int put_body_and_page(struct kv_transaction *transaction, void *arg)
{
    static char bytes[MESSAGE_BYTES];
    const int *number = arg;
    char key[16];
    snprintf(key, sizeof(key), "b%02d", *number);
    int error = kv_put(transaction, slice_from_string(key), slice_make(bytes, sizeof(bytes)));
    return error ? error : kv_put(transaction, SLICE("page"), slice_make(bytes, 4000));
}

/* The leaf, two more and their parent; the mailbox page's leaf; the first page. */
static void test_pages_of_a_body(void **state)
{
    enum { FRAMES = 6 };
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        atomic_store(&written, 0);
        assert_int_equal(kv_update(f->kv, KV_DURABLE, put_body_and_page, &i), 0);
        if (i >= 2) /* the tables have their first leaves */
            assert_true(atomic_load(&written) <= FRAMES * FRAME_BYTES);
    }
}

/* --- how long it is --- */

/* The log is written by whoever has the turn, and begun anew by whoever finds it copied: a
 * connection comes back to one that has become shorter. */
static void test_log_begun_anew_by_another(void **state)
{
    struct fixture *f = *state;
    struct kv_engine *engine;
    struct kv *other;
    struct buffer value;
    char byte = 0;
    buffer_init(&value, MESSAGE_BYTES);
    assert_int_equal(kv_sqlite_create(f->directory, &engine), 0);
    assert_int_equal(kv_open(engine, "a/test", 0, &other), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 150; i++)
            assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
        assert_int_equal(kv_rest(f->kv), 0);
        assert_int_equal(put_bytes(other, "b", 100, KV_RELAXED), 0);
        for (int i = 0; i < 5; i++) {
            struct kv_transaction *transaction;
            assert_int_equal(
                kv_update(f->kv, i % 2 ? KV_RELAXED : KV_DURABLE, put_three_twice, &byte), 0);
            assert_int_equal(kv_read_begin(other, &transaction), 0);
            for (const char *key = "xyz"; *key; key++) {
                buffer_clear(&value);
                assert_int_equal(kv_get(transaction, slice_make(key, 1), &value), 0);
                assert_int_equal(value.size, MESSAGE_BYTES);
                assert_int_equal(value.data[0], (char)(byte - (*key == 'x' ? 2 : *key == 'y')));
                assert_int_equal(value.data[MESSAGE_BYTES - 1], value.data[0]);
            }
            kv_read_end(&transaction);
            assert_int_equal(put_bytes(other, "b", 3000, KV_RELAXED), 0);
        }
    }
    kv_close(&other);
    kv_engine_free(&engine);
    buffer_release(&value);
}

/* Behind commits that are flushed the log is made longer for those that follow. */
static void test_log_grows_ahead(void **state)
{
    struct fixture *f = *state;
    atomic_store(&written_ahead, 0);
    for (int i = 0; i < 3; i++) /* a short log does not */
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
    assert_in_range(log_size(f), 1, 128 * 1024);
    for (int i = 0; i < 20; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    off_t size = log_size(f);
    assert_int_equal(size % FRAME_BYTES, LOG_HEADER_BYTES); /* nothing is behind the last frame */
    assert_int_equal(atomic_load(&written_ahead), 0);
    unsigned grown = 0;
    atomic_store(&written, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
        grown += log_size(f) != size;
        size = log_size(f);
    }
    assert_in_range(grown, 1, 6);
    assert_in_range(atomic_load(&written_ahead), 1, atomic_load(&written) + 512 * 1024);
    for (int i = 0; i < 1000 && log_size(f) == size; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    assert_in_range(log_size(f) - size, 1, 4 * FRAME_BYTES);
}

static void copy_file(struct fixture *f, const char *from, const char *to)
{
    char path[128];
    path_of(f, from, path);
    int read_from = open(path, O_RDONLY);
    path_of(f, to, path);
    int written_to = open(path, O_WRONLY | O_CREAT, 0600);
    ssize_t size;
    do
        size = sendfile(written_to, read_from, NULL, KV_VALUE_MAXIMUM);
    while (size > 0);
    assert_int_equal(size, 0);
    close(written_to);
    close(read_from);
}

static void make_long_and_rest(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        assert_int_equal(put_bytes(f->kv, "long", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_equal(log_size(f), 0);
}

/* What is written ahead lies on no frame of another who writes to the log, and a log that ends in
 * zeros is read after a crash. */
static void test_grown_log_keeps_what_others_wrote(void **state)
{
    struct fixture *f = *state;
    struct kv_engine *engine;
    struct kv *spaces[2] = {f->kv}, *copy;
    assert_int_equal(kv_sqlite_create(f->directory, &engine), 0);
    assert_int_equal(kv_open(engine, "a/test", 0, &spaces[1]), 0);
    for (int i = 0; i < 120; i++) {
        char key[16];
        snprintf(key, sizeof(key), "g%03d", i);
        /* One of them does so rarely that it knows the log as it was long ago. */
        assert_int_equal(
            put_bytes(spaces[i % 7 == 0], key, MESSAGE_BYTES, i % 5 == 1 ? KV_RELAXED : KV_DURABLE),
            0);
        if (i == 60) /* cut, which the other one does not know either */
            make_long_and_rest(f);
    }
    assert_int_not_equal(log_size(f) % FRAME_BYTES, LOG_HEADER_BYTES); /* zeros are behind it */
    copy_file(f, "a/test.db", "a/copy.db");
    copy_file(f, "a/test.db-wal", "a/copy.db-wal");
    assert_int_equal(kv_open(engine, "a/copy", 0, &copy), 0);
    for (int i = 0; i < 120; i++) {
        char key[16];
        snprintf(key, sizeof(key), "g%03d", i);
        assert_int_equal(get_error(spaces[0], key), 0);
        assert_int_equal(get_error(spaces[1], key), 0);
        assert_int_equal(get_error(copy, key), 0);
    }
    kv_close(&copy);
    kv_close(&spaces[1]);
    kv_engine_free(&engine);
}

static void test_sync_flushes_what_is_new(void **state)
{
    struct fixture *f = *state;
    struct kv *other;
    assert_int_equal(put_bytes(f->kv, "a", 100, KV_RELAXED), 0);
    assert_int_equal(kv_sync(f->kv), 0);
    flushes_since_last();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put_bytes(f->kv, "a", 100, KV_RELAXED), 0);
        assert_int_equal(kv_sync(f->kv), 0);
        assert_int_equal(flushes_since_last(), 1);
        assert_int_equal(kv_sync(f->kv), 0);
        assert_int_equal(flushes_since_last(), 0);
    }
    /* What others have committed, too. */
    assert_int_equal(kv_open(f->engine, "a/test", 0, &other), 0);
    assert_int_equal(put_bytes(other, "a", 100, KV_RELAXED), 0);
    flushes_since_last();
    assert_int_equal(kv_sync(f->kv), 0);
    assert_int_equal(flushes_since_last(), 1);
    kv_close(&other);
}

static void test_log_is_kept_and_cut_when_large(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat before;
    struct stat after;
    path_of(f, "a/test.db-wal", path);
    /* A short one is not worth copying: it grows on. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    flushes_since_last();
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_equal(flushes_since_last(), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    assert_int_equal(kv_maintain(f->kv), 0); /* of a busy space a longer one is left */
    assert_int_equal(flushes_since_last(), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_not_equal(flushes_since_last(), 0);
    assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(kv_rest(f->kv), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(put_bytes(f->kv, "a", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    flushes_since_last();
    assert_int_equal(kv_maintain(f->kv), 0);
    assert_int_not_equal(flushes_since_last(), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(after.st_size, 0);
    for (int i = 0; i < 40; i++)
        assert_int_equal(put_bytes(f->kv, "a", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    assert_int_equal(kv_maintain(f->kv), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, 0);
    /* What a busy space may keep is cut when it rests, also when it is all copied before. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(put_bytes(f->kv, "a", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    assert_int_equal(kv_maintain(f->kv), 0);
    assert_int_equal(put_bytes(f->kv, "a", 100, KV_RELAXED), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(after.st_size, 0);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, 0);
    /* A reader is in the way: once more the next time. */
    struct kv_transaction *transaction;
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_bytes(f->kv, "a", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_bytes(f->kv, "a", KV_VALUE_MAXIMUM, KV_RELAXED), 0);
    assert_int_equal(kv_rest(f->kv), 0);
    kv_read_end(&transaction);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(after.st_size, 0);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, 0);
    kv_close(&f->kv);
    assert_int_equal(stat(path, &after), -1);
    assert_int_equal(kv_open(f->engine, "a/test", 0, &f->kv), 0);
    assert_int_equal(get_error(f->kv, "a"), 0);
}

/* Where there is no room for what would be written ahead, none of it stays, and commits go on. */
static void test_no_room_to_grow_ahead(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    off_t size = log_size(f);
    atomic_store(&written_ahead, 0);
    limit_files(size + 128 * 1024);
    int error = put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE);
    off_t grown = log_size(f);
    int again = put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE);
    lift_limit(f);
    assert_int_equal(error, 0);
    assert_int_equal(again, 0);
    assert_true(atomic_load(&written_ahead) > 0); /* it was tried */
    assert_true(grown > size);
    assert_int_equal(grown % FRAME_BYTES, LOG_HEADER_BYTES);
    assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_DURABLE), 0);
    assert_true(log_size(f) > grown + 4 * FRAME_BYTES + 128 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_flush_for_each_durable_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_write_for_each_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_of_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_begun_anew_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_grows_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grown_log_keeps_what_others_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_flushes_what_is_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_kept_and_cut_when_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_to_grow_ahead, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
