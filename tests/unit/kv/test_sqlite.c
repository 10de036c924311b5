/*
 * What only the files of kv/sqlite can show: flushes, damage, a full disk, other processes, a
 * crash.
 */
#include "base/error.h"
#include "kv/engine_priv.h"
#include "kv/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

enum {
    CRASH_ROUNDS = 50,
    CRASH_LONGEST_US = 20000,
    PARTS = 3, /* keys of one commit */
    MESSAGE_BYTES = 20 * 1024,
    DISK_BYTES = 2 * 1024 * 1024,
    LOG_HEADER_BYTES = 32,
    FRAME_BYTES = 24 + 8192
};

/* --- flushes are counted: SQLite's library calls this one --- */

static _Atomic unsigned flushes;

int fdatasync(int descriptor)
{
    atomic_fetch_add(&flushes, 1);
    return (int)syscall(SYS_fdatasync, descriptor);
}

/* And this one for each write to its files. Zeros for what is to come count for themselves. */
static _Atomic unsigned writes;
static _Atomic size_t written, written_ahead;

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off_t offset)
{
    static const char zeros[LOG_HEADER_BYTES];
    bool ahead = size > sizeof(zeros) && memcmp(bytes, zeros, sizeof(zeros)) == 0;
    atomic_fetch_add(&writes, !ahead);
    atomic_fetch_add(ahead ? &written_ahead : &written, size);
    return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

/* And this one for each page that it reads. */
static _Atomic unsigned reads;

ssize_t pread64(int descriptor, void *bytes, size_t size, off_t offset)
{
    atomic_fetch_add(&reads, 1);
    return syscall(SYS_pread64, descriptor, bytes, size, offset);
}

static unsigned flushes_since_last(void)
{
    return atomic_exchange(&flushes, 0);
}

/* --- helpers --- */

struct fixture {
    char directory[64];
    struct kv_engine *engine;
    struct kv *kv;
    bool mounted;
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-kv-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(kv_sqlite_create(f->directory, &f->engine), 0);
    return kv_open(f->engine, "a/test", KV_CREATE, &f->kv);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    kv_engine_free(&f->engine);
    if (f->mounted)
        umount(f->directory);
    nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void path_of(const struct fixture *f, const char *file, char path[128])
{
    snprintf(path, 128, "%s/%s", f->directory, file);
}

struct pair {
    struct slice key;
    struct slice value;
};

static int put_pair(struct kv_transaction *transaction, void *arg)
{
    const struct pair *pair = arg;
    return kv_put(transaction, pair->key, pair->value);
}

static int put_bytes(struct kv *kv, const char *key, size_t size, enum kv_durability durability)
{
    static char bytes[KV_VALUE_MAXIMUM];
    static unsigned char fill;
    memset(bytes, ++fill, size);
    struct pair pair = {slice_from_string(key), slice_make(bytes, size)};
    return kv_update(kv, durability, put_pair, &pair);
}

static int get_error(struct kv *kv, const char *key)
{
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_read_begin(kv, &transaction);
    if (!error) {
        error = kv_get(transaction, slice_from_string(key), &value);
        kv_read_end(&transaction);
    }
    buffer_release(&value);
    return error;
}

/* --- flushes --- */

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

/* --- the cache --- */

enum { CACHED_KEYS = 100, CACHED_BYTES = 7000 /* a page each */ };

/* Reads the first keys in one transaction; how many pages were read from the files for it. */
static unsigned pages_read(struct kv *kv, int count)
{
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, CACHED_BYTES);
    atomic_store(&reads, 0);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof(key), "c%03d", i);
        buffer_clear(&value);
        assert_int_equal(kv_get(transaction, slice_from_string(key), &value), 0);
    }
    kv_read_end(&transaction);
    buffer_release(&value);
    return atomic_load(&reads);
}

static void test_cache(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < CACHED_KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "c%03d", i);
        assert_int_equal(put_bytes(f->kv, key, CACHED_BYTES, KV_RELAXED), 0);
    }
    pages_read(f->kv, 10);
    assert_int_equal(pages_read(f->kv, 10), 0); /* as many as a delivery needs are kept */
    for (int i = 0; i < 3; i++)
        assert_true(pages_read(f->kv, 40) >= 30); /* more of them are not */
    for (int i = 0; i < 2; i++)
        pages_read(f->kv, CACHED_KEYS);
    assert_int_equal(pages_read(f->kv, CACHED_KEYS), 0); /* for who looks at many, they are */
    assert_int_equal(pages_read(f->kv, 10), 0);
    assert_int_equal(kv_maintain(f->kv), 0); /* what a delivery needs is left */
    assert_int_equal(pages_read(f->kv, 10), 0);
    assert_true(pages_read(f->kv, 40) >= 30);
    pages_read(f->kv, 10);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_true(pages_read(f->kv, 10) >= 10);
    assert_true(pages_read(f->kv, 40) >= 30);
}

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

static off_t log_size(struct fixture *f)
{
    char path[128];
    struct stat status;
    path_of(f, "a/test.db-wal", path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Behind commits that are flushed the log is made longer for those that follow. */
static void test_log_grows_ahead(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(put_bytes(f->kv, "a", MESSAGE_BYTES, KV_RELAXED), 0);
    off_t size = log_size(f);
    assert_int_equal(size % FRAME_BYTES, LOG_HEADER_BYTES); /* nothing is behind the last frame */
    unsigned grown = 0;
    atomic_store(&written, 0);
    atomic_store(&written_ahead, 0);
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
        if (i == 60)
            assert_int_equal(kv_rest(f->kv), 0);
    }
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

static int put_many(struct kv_transaction *transaction, void *arg)
{
    static char bytes[MESSAGE_BYTES];
    const int *count = arg;
    int error = 0;
    for (int i = 0; i < *count && !error; i++) {
        char key[16];
        snprintf(key, sizeof(key), "many%05d", i);
        error = kv_put(transaction, slice_from_string(key), slice_make(bytes, sizeof(bytes)));
    }
    return error;
}

static int delete_many(struct kv_transaction *transaction, void *arg)
{
    const int *count = arg;
    int error = 0;
    for (int i = 0; i < *count && !error; i++) {
        char key[16];
        snprintf(key, sizeof(key), "many%05d", i);
        error = kv_delete(transaction, slice_from_string(key));
    }
    return error;
}

static off_t file_size(const struct fixture *f)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/a/test.db", f->directory);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* The space of what was deleted comes back, while a reader sees what it saw. */
static void test_compact(void **state)
{
    struct fixture *f = *state;
    int count = 1000;
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, MESSAGE_BYTES);
    assert_int_equal(put_bytes(f->kv, "kept", 3000, KV_DURABLE), 0);
    assert_int_equal(kv_update(f->kv, KV_DURABLE, put_many, &count), 0);
    assert_int_equal(kv_rest(f->kv), 0);
    off_t full = file_size(f);
    assert_true(full > (off_t)count * MESSAGE_BYTES);
    assert_int_equal(kv_compact(f->kv), 0); /* nothing was deleted */
    assert_int_equal(file_size(f), full);
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_update(f->kv, KV_DURABLE, delete_many, &count), 0);
    assert_int_equal(kv_compact(f->kv), 0);
    assert_int_equal(kv_get(transaction, SLICE("many00500"), &value), 0);
    assert_int_equal(value.size, MESSAGE_BYTES);
    kv_read_end(&transaction);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_true(file_size(f) < full / 10);
    buffer_clear(&value);
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_get(transaction, SLICE("kept"), &value), 0);
    assert_int_equal(value.size, 3000);
    kv_read_end(&transaction);
    buffer_release(&value);
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

/* --- files --- */

static void test_modes(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"a/test.db", "a/test.db-wal", "a/test.db-shm"};
    char path[128];
    struct stat status;
    assert_int_equal(put_bytes(f->kv, "a", 10, KV_DURABLE), 0);
    for (size_t i = 0; i < 3; i++) {
        path_of(f, files[i], path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
    path_of(f, "a", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    close(file);
}

static void test_files_that_are_no_space(void **state)
{
    struct fixture *f = *state;
    char garbage[20000];
    char path[128];
    struct kv *kv = NULL;
    static const size_t sizes[] = {0, 1, 100, 511, 512, 8192, 20000};
    for (size_t i = 0; i < sizeof(garbage); i++)
        garbage[i] = (char)(i * 2654435761u >> 9);
    path_of(f, "a/bad.db", path);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(path, garbage, sizes[i]);
        assert_int_equal(kv_open(f->engine, "a/bad", KV_CREATE, &kv), ERROR_CORRUPT);
    }
    assert_null(kv);
    assert_int_equal(kv_destroy(f->engine, "a/bad"), 0);
    assert_int_equal(kv_open(f->engine, "a/bad", KV_CREATE, &kv), 0);
    kv_close(&kv);
}

static void test_damaged_pages(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char key[16];
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_int_equal(put_bytes(f->kv, key, 3000, KV_RELAXED), 0);
    }
    kv_close(&f->kv);
    path_of(f, "a/test.db", path);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    int file = open(path, O_RDWR);
    for (off_t offset = 8192; offset < status.st_size; offset += 8192)
        assert_int_equal(pwrite(file, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, offset), 8);
    close(file);
    int error = kv_open(f->engine, "a/test", 0, &f->kv);
    assert_int_equal(error ? error : get_error(f->kv, "7"), ERROR_CORRUPT);
}

/* What a crash in the middle of making or removing a space can leave. */
static void test_left_over_files(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"a/new.db.new", "a/new.db-wal", "a/new.db.new-wal"};
    char path[128];
    struct kv *kv = NULL;
    for (size_t i = 0; i < 3; i++) {
        path_of(f, files[i], path);
        write_file(path, "left over", 9);
    }
    assert_int_equal(kv_open(f->engine, "a/new", 0, &kv), ERROR_NOT_FOUND);
    assert_int_equal(kv_open(f->engine, "a/new", KV_CREATE, &kv), 0);
    assert_int_equal(put_bytes(kv, "a", 10, KV_DURABLE), 0);
    assert_int_equal(get_error(kv, "a"), 0);
    kv_close(&kv);
}

/* --- a full disk --- */

/* Fills the space until there is no room, makes room by calling give_room, goes on. */
static void fill(struct fixture *f, void (*give_room)(struct fixture *f))
{
    char key[16];
    assert_int_equal(put_bytes(f->kv, "first", 100, KV_DURABLE), 0);
    int error = 0;
    for (int count = 0; !error && count < 1000; count++) {
        snprintf(key, sizeof(key), "%d", count);
        error = put_bytes(f->kv, key, 50000, count % 2 ? KV_DURABLE : KV_RELAXED);
    }
    assert_int_equal(error, ERROR_SPACE);
    assert_int_equal(put_bytes(f->kv, key, 50000, KV_DURABLE), ERROR_SPACE);
    /* The failed one has left nothing; the others are there. */
    assert_int_equal(get_error(f->kv, key), ERROR_NOT_FOUND);
    assert_int_equal(get_error(f->kv, "first"), 0);
    assert_int_equal(get_error(f->kv, "0"), 0);
    give_room(f);
    assert_int_equal(put_bytes(f->kv, key, 50000, KV_DURABLE), 0);
    assert_int_equal(get_error(f->kv, key), 0);
    kv_close(&f->kv);
    assert_int_equal(kv_open(f->engine, "b/full", 0, &f->kv), 0);
    assert_int_equal(get_error(f->kv, key), 0);
    kv_close(&f->kv);
}

static void remove_ballast(struct fixture *f)
{
    char path[128];
    path_of(f, "ballast", path);
    assert_int_equal(unlink(path), 0);
}

static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char zeros[512 * 1024] = {0};
    kv_close(&f->kv);
    if (mount("none", f->directory, "tmpfs", 0, "size=2m"))
        skip(); /* not permitted */
    f->mounted = true;
    path_of(f, "ballast", path);
    assert_int_equal(kv_open(f->engine, "b/full", KV_CREATE, &f->kv), 0);
    write_file(path, zeros, sizeof(zeros));
    fill(f, remove_ballast);
}

/* As a quota or a limit would do it. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_limit(struct fixture *f)
{
    (void)f;
    limit_files(RLIM_INFINITY);
}

static void test_file_limit(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    limit_files(DISK_BYTES);
    assert_int_equal(kv_open(f->engine, "b/full", KV_CREATE, &f->kv), 0);
    fill(f, lift_limit);
}

static void test_disk_full_at_creation(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = NULL;
    limit_files(1000);
    int error = kv_open(f->engine, "a/new", KV_CREATE, &kv);
    lift_limit(f);
    assert_int_equal(error, ERROR_SPACE);
    assert_null(kv);
    assert_int_equal(kv_open(f->engine, "a/new", 0, &kv), ERROR_NOT_FOUND);
    assert_int_equal(kv_open(f->engine, "a/new", KV_CREATE, &kv), 0);
    kv_close(&kv);
}

/* --- processes --- */

static int count_up(struct kv_transaction *transaction, void *arg)
{
    struct buffer value;
    (void)arg;
    buffer_init(&value, 32);
    int error = kv_get(transaction, SLICE("count"), &value);
    long count = error ? 0 : strtol(value.data, NULL, 10);
    buffer_clear(&value);
    buffer_append_format(&value, "%ld", count + 1);
    if (!error || error == ERROR_NOT_FOUND)
        error = kv_put(transaction, SLICE("count"), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static int count_in_process(const char *directory, int rounds)
{
    struct kv_engine *engine;
    struct kv *kv;
    int error = kv_sqlite_create(directory, &engine);
    if (!error)
        error = kv_open(engine, "b/shared", KV_CREATE, &kv);
    for (int i = 0; i < rounds && !error; i++)
        error = kv_update(kv, i % 4 ? KV_RELAXED : KV_DURABLE, count_up, NULL);
    if (!error)
        kv_close(&kv);
    return error;
}

/* All of them make the space at the same moment, then write to it. */
static void test_several_processes(void **state)
{
    struct fixture *f = *state;
    enum { PROCESSES = 4, ROUNDS = 50 };
    pid_t children[PROCESSES];
    kv_close(&f->kv);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(-count_in_process(f->directory, ROUNDS));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, 32);
    assert_int_equal(kv_open(f->engine, "b/shared", 0, &f->kv), 0);
    assert_int_equal(kv_read_begin(f->kv, &transaction), 0);
    assert_int_equal(kv_get(transaction, SLICE("count"), &value), 0);
    assert_int_equal(strtol(value.data, NULL, 10), PROCESSES * ROUNDS);
    kv_read_end(&transaction);
    buffer_release(&value);
}

/* --- the lock of a space --- */

static void assert_is_file(const struct fixture *f, const char *file, bool there)
{
    char path[128];
    struct stat status;
    path_of(f, file, path);
    assert_int_equal(stat(path, &status), there ? 0 : -1);
    if (there) {
        assert_int_equal(status.st_mode, S_IFREG | 0600);
        assert_int_equal(status.st_size, 0);
    }
}

static void test_lock_file(void **state)
{
    struct fixture *f = *state;
    struct kv_lock *lock = NULL;
    struct kv *kv;
    char path[128];
    assert_int_equal(kv_open(f->engine, "a/other", KV_CREATE, &kv), 0);
    assert_is_file(f, "a/other.lock", false);
    assert_int_equal(kv_lock(kv, &lock), 0);
    assert_is_file(f, "a/other.lock", true);
    kv_unlock(&lock);
    assert_is_file(f, "a/other.lock", true);
    /* Nobody's: it is locked as it stands, and not followed when it leads elsewhere. */
    assert_int_equal(kv_lock(kv, &lock), 0);
    kv_unlock(&lock);
    path_of(f, "a/other.lock", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(kv_lock(kv, &lock), ERROR_IO);
    assert_null(lock);
    assert_is_file(f, "a/elsewhere", false);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(kv_lock(kv, &lock), 0);
    kv_unlock(&lock);
    kv_close(&kv);
    assert_int_equal(kv_destroy(f->engine, "a/other"), 0);
    assert_is_file(f, "a/other.lock", false);
}

static void hold_until_killed(const char *directory, int pipe)
{
    struct kv_engine *engine;
    struct kv *kv;
    struct kv_lock *lock;
    if (kv_sqlite_create(directory, &engine) || kv_open(engine, "a/test", 0, &kv) ||
        kv_lock(kv, &lock) || write(pipe, "h", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* And is let go of by the kernel, whatever ends its holder. */
static void test_lock_excludes_processes(void **state)
{
    struct fixture *f = *state;
    struct kv_lock *lock = NULL;
    int ends[2], status;
    char byte;
    kv_close(&f->kv);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        hold_until_killed(f->directory, ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    f->engine->busy_timeout_ms = 50;
    assert_int_equal(kv_open(f->engine, "a/test", 0, &f->kv), 0);
    assert_int_equal(kv_lock(f->kv, &lock), ERROR_BUSY);
    kill(child, SIGSTOP); /* it is not gone */
    assert_int_equal(kv_lock(f->kv, &lock), ERROR_BUSY);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(kv_lock(f->kv, &lock), 0);
    assert_int_equal(kv_lock_check(lock), 0);
    kv_unlock(&lock);
    close(ends[0]);
    close(ends[1]);
}

static void test_lock_cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    struct kv_lock *lock = NULL;
    char path[128];
    path_of(f, "a/test.lock", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(kv_lock(f->kv, &lock), ERROR_IO);
    assert_null(lock);
}

/* --- a crash --- */

/* One commit: PARTS keys of the same number, each value of the number's own size. */
static int put_parts(struct kv_transaction *transaction, void *arg)
{
    static char bytes[MESSAGE_BYTES];
    unsigned number = *(unsigned *)arg;
    int error = 0;
    for (int part = 0; part < PARTS && !error; part++) {
        char key[32];
        snprintf(key, sizeof(key), "%08u/%d", number, part);
        memset(bytes, (int)number, sizeof(bytes));
        error = kv_put(transaction, slice_from_string(key),
                       slice_make(bytes, 1 + number * 997 % MESSAGE_BYTES));
    }
    return error;
}

static void write_until_killed(const char *directory, unsigned number, int pipe)
{
    struct kv_engine *engine;
    struct kv *kv;
    if (kv_sqlite_create(directory, &engine) || kv_open(engine, "b/crash", KV_CREATE, &kv))
        _exit(1);
    for (;; number++) {
        if (kv_update(kv, KV_DURABLE, put_parts, &number) ||
            write(pipe, &number, sizeof(number)) != sizeof(number) ||
            (number % 16 == 0 && kv_rest(kv)))
            _exit(1);
    }
}

/* Kills a writer that goes on from number; returns the last it has acknowledged. */
static unsigned crash_once(const char *directory, unsigned number, unsigned wait_us)
{
    int ends[2];
    int status;
    unsigned last = number - 1;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        write_until_killed(directory, number, ends[1]);
    close(ends[1]);
    usleep(wait_us);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], &number, sizeof(number)) == sizeof(number))
        last = number;
    close(ends[0]);
    return last;
}

/* Every commit up to the last is there as a whole. Returns how many there are. */
static unsigned check_commits(struct kv *kv)
{
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key;
    struct slice value;
    unsigned keys = 0;
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE(""), SLICE(""), &cursor), 0);
    int error;
    for (; (error = kv_cursor_next(cursor, &key, &value)) == 0; keys++) {
        char expected[32];
        unsigned number = keys / PARTS;
        snprintf(expected, sizeof(expected), "%08u/%d", number, (int)(keys % PARTS));
        assert_true(slice_equal(key, slice_from_string(expected)));
        assert_int_equal(value.size, 1 + number * 997 % MESSAGE_BYTES);
        for (size_t i = 0; i < value.size; i++)
            assert_true(value.data[i] == (char)number);
    }
    assert_int_equal(error, ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    assert_int_equal(keys % PARTS, 0);
    return keys / PARTS;
}

static void test_crash(void **state)
{
    struct fixture *f = *state;
    unsigned next = 0;
    unsigned seed = (unsigned)getpid();
    kv_close(&f->kv);
    for (int round = 0; round < CRASH_ROUNDS; round++) {
        seed = seed * 1103515245u + 12345u;
        unsigned last = crash_once(f->directory, next, 500 + (seed >> 8) % CRASH_LONGEST_US);
        int error = kv_open(f->engine, "b/crash", 0, &f->kv);
        if (error == ERROR_NOT_FOUND && last + 1 == 0)
            continue;
        assert_int_equal(error, 0);
        unsigned count = check_commits(f->kv);
        /* One more may be committed than was acknowledged. */
        assert_in_range(count, last + 1, last + 2);
        next = count;
        kv_close(&f->kv);
    }
    assert_true(next > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_flush_for_each_durable_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_write_for_each_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_of_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_begun_anew_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_flushes_what_is_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_grows_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grown_log_keeps_what_others_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_kept_and_cut_when_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_left_over_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_full_at_creation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_processes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_excludes_processes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_cannot_be_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
