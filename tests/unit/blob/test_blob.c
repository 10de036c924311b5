/*
 * One suite for every blob engine; then what only the files of blob/pack can show.
 */
#include "base/error.h"
#include "blob/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ACCOUNT "accounts/1f/1f0c"

enum { LARGE = 300 * 1024 + 7, RECORD_AT = 24, BODY_AT = RECORD_AT + 72 };

struct fixture {
    char directory[64]; /* empty: none */
    struct blob_engine *engine;
    char *large;
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static struct fixture *new_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->large = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        f->large[i] = (char)(i * 2654435761u >> 13);
    *state = f;
    return f;
}

static int set_up_memory(void **state)
{
    return blob_memory_create(&new_fixture(state)->engine);
}

static int set_up_pack(void **state)
{
    struct fixture *f = new_fixture(state);
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-blob-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    return blob_pack_create(f->directory, &f->engine);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_engine_free(&f->engine);
    assert_null(f->engine);
    if (f->directory[0])
        nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f->large);
    free(f);
    return 0;
}

static void assert_range(struct fixture *f, struct blob_id id, uint64_t offset, size_t size,
                         struct slice expected)
{
    struct buffer bytes;
    buffer_init(&bytes, LARGE + 1);
    buffer_append_byte(&bytes, '>');
    assert_int_equal(blob_get(f->engine, ACCOUNT, id, offset, size, &bytes), 0);
    assert_true(slice_equal(slice_sub(buffer_slice(&bytes), 1, SIZE_MAX), expected));
    buffer_release(&bytes);
}

static void test_put_get(void **state)
{
    struct fixture *f = *state;
    struct slice body = slice_make(f->large, LARGE);
    struct blob_id id;
    assert_int_equal(blob_put(f->engine, ACCOUNT, body, &id), 0);
    assert_true(id.pack != 0 && id.size == LARGE);
    assert_range(f, id, 0, LARGE, body);
    assert_range(f, id, 0, SIZE_MAX, body);
    assert_range(f, id, 1000, 10, slice_sub(body, 1000, 10));
    assert_range(f, id, LARGE - 3, 10, slice_sub(body, LARGE - 3, 3));
    assert_range(f, id, LARGE, 10, SLICE(""));
    assert_range(f, id, UINT64_MAX, SIZE_MAX, SLICE(""));
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);

    struct buffer small;
    buffer_init(&small, 100);
    assert_int_equal(blob_get(f->engine, ACCOUNT, id, 0, 101, &small), ERROR_LIMIT);
    buffer_release(&small);
}

static void test_empty_body(void **state)
{
    struct fixture *f = *state;
    struct blob_id id;
    assert_int_equal(blob_put(f->engine, ACCOUNT, (struct slice){NULL, 0}, &id), 0);
    assert_range(f, id, 0, 10, SLICE(""));
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
}

static void test_missing(void **state)
{
    struct fixture *f = *state;
    struct blob_id id = {7, RECORD_AT, 3};
    struct buffer bytes;
    buffer_init(&bytes, 100);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(blob_get(f->engine, ACCOUNT, id, 0, 3, &bytes), ERROR_NOT_FOUND);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_NOT_FOUND);
        assert_int_equal(blob_drop(f->engine, ACCOUNT, id), ERROR_NOT_FOUND);
        struct blob_id other;
        assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("abc"), &other), 0);
        assert_int_equal(blob_verify(f->engine, "accounts/20/2000", other), ERROR_NOT_FOUND);
    }
    assert_int_equal(blob_put(f->engine, "../x", SLICE("abc"), &id), ERROR_INVALID);
    assert_int_equal(blob_put(f->engine, "", SLICE("abc"), &id), ERROR_INVALID);
    buffer_release(&bytes);
}

static int add_sizes(struct blob_id id, void *arg)
{
    *(uint64_t *)arg += id.size;
    return 0;
}

static int stop(struct blob_id id, void *arg)
{
    *(struct blob_id *)arg = id;
    return 42;
}

static int stop_corrupt(struct blob_id id, void *arg)
{
    (void)id;
    ++*(int *)arg;
    return ERROR_CORRUPT;
}

static void test_each_and_drop(void **state)
{
    struct fixture *f = *state;
    struct blob_id ids[4];
    struct blob_id other;
    uint64_t sum = 0;
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(blob_put(f->engine, "other", slice_make(f->large, 1000), &other), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            blob_put(f->engine, ACCOUNT, slice_make(f->large, (size_t)1 << i), &ids[i]), 0);
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 15);
    assert_int_equal(blob_drop(f->engine, ACCOUNT, ids[1]), 0);
    assert_int_equal(blob_drop(f->engine, ACCOUNT, ids[1]), ERROR_NOT_FOUND);
    sum = 0;
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 13);
    assert_int_equal(blob_each(f->engine, ACCOUNT, stop, &ids[1]), 42);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, ids[1]), 0);
    int called = 0;
    assert_int_equal(blob_each(f->engine, ACCOUNT, stop_corrupt, &called), ERROR_CORRUPT);
    assert_int_equal(called, 1);

    assert_int_equal(blob_destroy(f->engine, ACCOUNT), 0);
    assert_int_equal(blob_destroy(f->engine, ACCOUNT), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, ids[0]), ERROR_NOT_FOUND);
    assert_int_equal(blob_verify(f->engine, "other", other), 0);
}

static void test_id_encoding(void **state)
{
    (void)state;
    struct blob_id id = {0x0123456789abcdef, 24, UINT64_MAX};
    struct blob_id back;
    char bytes[BLOB_ID_ENCODED];
    blob_id_encode(id, bytes);
    assert_memory_equal(bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
    assert_int_equal(blob_id_decode(slice_make(bytes, sizeof(bytes)), &back), 0);
    assert_memory_equal(&id, &back, sizeof(id));
    assert_int_equal(blob_id_decode(slice_make(bytes, sizeof(bytes) - 1), &back), ERROR_CORRUPT);
    memset(bytes, 0, 8);
    assert_int_equal(blob_id_decode(slice_make(bytes, sizeof(bytes)), &back), ERROR_CORRUPT);
}

/* --- files --- */

static void pack_path(const struct fixture *f, struct blob_id id, char path[256])
{
    snprintf(path, 256, "%s/" ACCOUNT ".packs/%016llx.pack", f->directory,
             (unsigned long long)id.pack);
}

static void flip(const char *path, off_t offset)
{
    char byte;
    int file = open(path, O_RDWR);
    assert_int_equal(pread(file, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, offset), 1);
    close(file);
}

static void test_flipped_byte(void **state)
{
    struct fixture *f = *state;
    struct blob_id id;
    char path[256];
    struct buffer bytes;
    buffer_init(&bytes, 100);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("The body."), &id), 0);
    pack_path(f, id, path);
    for (off_t i = 0; i < BODY_AT; i++) {
        flip(path, i);
        assert_int_equal(blob_get(f->engine, ACCOUNT, id, 0, 9, &bytes), ERROR_CORRUPT);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
        uint64_t sum = 0;
        assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), ERROR_CORRUPT);
        flip(path, i);
    }
    assert_int_equal(bytes.size, 0);
    for (off_t i = BODY_AT; i < BODY_AT + 9; i++) {
        flip(path, i);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
        flip(path, i);
    }
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
    buffer_release(&bytes);
}

static void test_short_file(void **state)
{
    struct fixture *f = *state;
    struct blob_id id;
    char path[256];
    struct buffer bytes;
    buffer_init(&bytes, 100);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("The body."), &id), 0);
    pack_path(f, id, path);
    for (off_t size = BODY_AT + 8; size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(blob_get(f->engine, ACCOUNT, id, 0, 1, &bytes), ERROR_CORRUPT);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
    }
    buffer_release(&bytes);
}

static void test_wrong_id(void **state)
{
    struct fixture *f = *state;
    struct blob_id id;
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("The body."), &id), 0);
    struct blob_id wrong[] = {
        {id.pack, 0, id.size},
        {id.pack, 25, id.size},
        {id.pack, UINT64_MAX, id.size},
        {id.pack, id.offset, id.size - 1},
        {id.pack, id.offset, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(blob_verify(f->engine, ACCOUNT, wrong[i]), ERROR_CORRUPT);
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    struct blob_id id;
    char path[256];
    struct stat status;
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("x"), &id), 0);
    pack_path(f, id, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    struct rlimit limit;
    struct blob_id id = {1, 2, 3};
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int error = blob_put(f->engine, ACCOUNT, slice_make(f->large, LARGE), &id);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(error, ERROR_SPACE);
    assert_int_equal(id.pack, 1);
    /* Nothing is left, not even under another name. */
    char path[256];
    snprintf(path, sizeof(path), "%s/" ACCOUNT ".packs", f->directory);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(f->large, LARGE), &id), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
}

static void test_left_over(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"0123456789abcdef.new", "0123456789abcdee.new"};
    struct blob_id id;
    uint64_t sum = 0;
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("abc"), &id), 0);
    char path[2][256];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/" ACCOUNT ".packs/%s", f->directory, names[i]);
        close(open(path[i], O_CREAT | O_WRONLY, 0600));
    }
    struct timespec old[] = {{1000, 0}, {1000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path[0], old, 0), 0);
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 3);
    assert_int_equal(access(path[0], F_OK), -1);
    assert_int_equal(access(path[1], F_OK), 0);
}

#define CASE(engine, test)                                                                         \
    {                                                                                              \
#engine ": " #test, test, set_up_##engine, tear_down, NULL                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(memory, test_put_get),         CASE(memory, test_empty_body),
        CASE(memory, test_missing),         CASE(memory, test_each_and_drop),
        CASE(pack, test_put_get),           CASE(pack, test_empty_body),
        CASE(pack, test_missing),           CASE(pack, test_each_and_drop),
        CASE(pack, test_flipped_byte),      CASE(pack, test_short_file),
        CASE(pack, test_wrong_id),          CASE(pack, test_modes),
        CASE(pack, test_disk_full),         CASE(pack, test_left_over),
        cmocka_unit_test(test_id_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
