/*
 * One suite for every blob engine.
 */
#include "base/error.h"
#include "blob/blob.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ACCOUNT "accounts/1f/1f0c"

enum { LARGE = 300 * 1024 + 7, RECORD_AT = 24 };

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
    blob_drop(f->engine, ACCOUNT, ids[1]); /* again */
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

/* --- batches --- */

static void test_batch(void **state)
{
    struct fixture *f = *state;
    struct blob_batch *batch = NULL;
    struct blob_id ids[50];
    uint64_t sum = 0;
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(blob_batch_add(batch, slice_make(f->large, i * 4001), &ids[i]), 0);
    assert_int_equal(blob_batch_finish(&batch), 0);
    assert_null(batch);
    for (size_t i = 0; i < 50; i++) {
        assert_range(f, ids[i], 0, SIZE_MAX, slice_make(f->large, i * 4001));
        assert_int_equal(blob_verify(f->engine, ACCOUNT, ids[i]), 0);
    }
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 4001 * 49 * 50 / 2);
}

static void test_batch_cancelled(void **state)
{
    struct fixture *f = *state;
    struct blob_batch *batch = NULL;
    struct blob_id kept, id;
    uint64_t sum = 0;
    blob_batch_cancel(&batch);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("kept"), &kept), 0);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    assert_int_equal(blob_batch_add(batch, slice_make(f->large, LARGE), &id), 0);
    blob_batch_cancel(&batch);
    assert_null(batch);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    assert_int_equal(blob_batch_finish(&batch), 0); /* of nothing */
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 4);
    assert_range(f, kept, 0, 10, SLICE("kept"));
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    struct slice huge = slice_make(f->large, (size_t)BLOB_SIZE_MAXIMUM + 1); /* is not read */
    struct blob_batch *batch = NULL;
    struct blob_id id = {1, 2, 3};
    assert_int_equal(blob_put(f->engine, ACCOUNT, huge, &id), ERROR_LIMIT);
    assert_int_equal(blob_batch_begin(f->engine, "/x", &batch), ERROR_INVALID);
    assert_null(batch);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    assert_int_equal(blob_batch_add(batch, SLICE("before"), &id), 0);
    assert_int_equal(blob_batch_add(batch, huge, &id), ERROR_LIMIT);
    assert_int_equal(blob_batch_add(batch, SLICE("behind"), &id), ERROR_LIMIT);
    assert_int_equal(blob_batch_finish(&batch), ERROR_LIMIT);
    uint64_t sum = 0;
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 0);
}

static int live_none(uint64_t pack, struct buffer *ids, void *arg)
{
    (void)pack, (void)ids, (void)arg;
    return 0;
}

static int moved_none(const struct blob_move *moves, size_t count, void *arg)
{
    (void)moves, (void)count, (void)arg;
    return ERROR_INVALID;
}

static void test_reclaim_nothing(void **state)
{
    struct fixture *f = *state;
    struct blob_reclaim what = {.everything = true, .live = live_none, .moved = moved_none};
    struct blob_id id;
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("new"), &id), 0);
    /* Its commit may be under way. */
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    assert_range(f, id, 0, 10, SLICE("new"));
    assert_int_equal(blob_reclaim(f->engine, "..", &what), ERROR_INVALID);
}

#define CASE(engine, test)                                                                         \
    {                                                                                              \
#engine ": " #test, test, set_up_##engine, tear_down, NULL                                 \
    }

#define SUITE(engine)                                                                              \
    CASE(engine, test_put_get), CASE(engine, test_empty_body), CASE(engine, test_missing),         \
        CASE(engine, test_each_and_drop), CASE(engine, test_batch),                                \
        CASE(engine, test_batch_cancelled), CASE(engine, test_limits),                             \
        CASE(engine, test_reclaim_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE(memory),
        SUITE(pack),
        cmocka_unit_test(test_id_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
