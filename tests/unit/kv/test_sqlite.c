/*
 * What only the files of kv/sqlite can show: damage, a full disk, other processes, a crash. Its log
 * is tried by test_sqlite_log.c.
 */
#include "sqlite_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CRASH_ROUNDS = 50,
    CRASH_LONGEST_US = 20000,
    PARTS = 3, /* keys of one commit */
    DISK_BYTES = 2 * 1024 * 1024
};

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

/* --- connections --- */

/* Each has the log open. */
static unsigned count_connections(const struct fixture *f)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char target[256] = "";
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
        count += size > 4 && strncmp(target, f->directory, strlen(f->directory)) == 0 &&
                 strcmp(target + size - 4, "-wal") == 0;
    }
    closedir(folder);
    return count;
}

static void test_connections_that_are_kept(void **state)
{
    struct fixture *f = *state;
    struct kv_transaction *transactions[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(kv_read_begin(f->kv, &transactions[i]), 0);
    assert_int_equal(count_connections(f), 6);
    for (int i = 0; i < 6; i++)
        kv_read_end(&transactions[i]);
    assert_int_equal(count_connections(f), 4);
    assert_int_equal(kv_maintain(f->kv), 0);
    assert_int_equal(count_connections(f), 2);
    assert_int_equal(kv_rest(f->kv), 0);
    assert_int_equal(count_connections(f), 1);
    assert_int_equal(put_bytes(f->kv, "a", 100, KV_DURABLE), 0);
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
        cmocka_unit_test_setup_teardown(test_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_that_are_kept, set_up, tear_down),
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
