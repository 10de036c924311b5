/*
 * One suite for every blob engine: `test_blob rados` runs it on the cluster of
 * tests/harness/cluster.py, with what only a cluster can show.
 */
#include "base/counters.h"
#include "base/error.h"
#include "blob/blob.h"

#include <endian.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/test_cluster.h"

#define ACCOUNT "accounts/1f/1f0c"

enum { LARGE = 300 * 1024 + 7, RECORD_AT = 24 };

struct fixture {
    char directory[64]; /* empty: none */
    char name_space[32];
    struct cluster *cluster;
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

static int set_up_rados(void **state)
{
    struct fixture *f = new_fixture(state);
    f->cluster = test_cluster();
    snprintf(f->name_space, sizeof(f->name_space), "%s", test_namespace());
    return blob_rados_create(f->cluster, f->name_space, &f->engine);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_engine_free(&f->engine);
    assert_null(f->engine);
    cluster_free(&f->cluster);
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

static void assert_next(struct fixture *f, struct blob_kept *kept, struct blob_id id,
                        struct slice expected)
{
    struct buffer bytes;
    buffer_init(&bytes, LARGE);
    assert_int_equal(blob_get_next(f->engine, ACCOUNT, kept, id, 0, SIZE_MAX, &bytes), 0);
    assert_true(slice_equal(buffer_slice(&bytes), expected));
    buffer_release(&bytes);
}

/* One behind the other, and what was put in between. */
static void test_get_next(void **state)
{
    struct fixture *f = *state;
    struct blob_kept kept = {0};
    struct blob_id a, b, c, none;
    struct buffer bytes;
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("first"), &a), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(f->large, LARGE), &b), 0);
    assert_next(f, &kept, a, SLICE("first"));
    assert_next(f, &kept, b, slice_make(f->large, LARGE));
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("behind"), &c), 0);
    assert_next(f, &kept, c, SLICE("behind"));
    assert_next(f, &kept, a, SLICE("first"));
    none = a;
    none.pack += 1;
    buffer_init(&bytes, 100);
    assert_int_equal(blob_get_next(f->engine, ACCOUNT, &kept, none, 0, 3, &bytes), ERROR_NOT_FOUND);
    buffer_release(&bytes);
    assert_next(f, &kept, b, slice_make(f->large, LARGE));
    blob_let_go(&kept);
    blob_let_go(&kept);
    assert_int_equal(kept.pack, 0);
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

/* --- what only a cluster has --- */

/* More than an object holds. */
enum { SEVERAL = 9 * 1024 * 1024 + 5, PIECE = 4 * 1024 * 1024 };

static char *make_several(void)
{
    char *bytes = malloc(SEVERAL);
    uint64_t state = 1;
    for (size_t i = 0; i < SEVERAL; i++) { /* nothing that could be compressed */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (char)state;
    }
    return bytes;
}

static void assert_part(struct fixture *f, struct blob_id id, const char *body, uint64_t offset,
                        size_t size)
{
    struct buffer bytes;
    buffer_init(&bytes, SEVERAL);
    assert_int_equal(blob_get(f->engine, ACCOUNT, id, offset, size, &bytes), 0);
    assert_true(slice_equal(buffer_slice(&bytes), slice_make(body + offset, size)));
    buffer_release(&bytes);
}

static void test_several_objects(void **state)
{
    struct fixture *f = *state;
    char *body = make_several();
    struct blob_id id;
    uint64_t sum = 0;
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &id), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
    assert_part(f, id, body, 0, SEVERAL);
    assert_part(f, id, body, PIECE - 3, 6);
    assert_part(f, id, body, PIECE - 1, 1);
    assert_part(f, id, body, PIECE, 1);
    assert_part(f, id, body, 2 * PIECE - 200000, 300000);
    assert_part(f, id, body, SEVERAL - 1, 1);
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, SEVERAL);
    free(body);
}

static void object_of(struct blob_id id, const char *suffix, char name[100])
{
    snprintf(name, 100, ACCOUNT "/%016llx%s", (unsigned long long)id.pack, suffix);
}

static int64_t read_bytes(void)
{
    return counters_sum(COUNTER_BLOB_READ_BYTES);
}

static void test_reads_only_what_it_needs(void **state)
{
    struct fixture *f = *state;
    char *body = make_several();
    struct blob_id id;
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &id), 0);
    int64_t before = read_bytes();
    assert_part(f, id, body, PIECE + 2000000, 10);
    assert_true(read_bytes() - before <= 128 * 1024 + 2048);
    before = read_bytes();
    assert_part(f, id, body, 0, 10);
    assert_true(read_bytes() - before <= 128 * 1024 + 2048);
    free(body);
}

/* A bit of an object is another, an object is missing, or lies where another was. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    rados_ioctx_t io;
    char *body = make_several(), name[100], other[100], byte, *whole = malloc(2 * PIECE);
    struct blob_id id, second;
    struct buffer bytes;
    buffer_init(&bytes, SEVERAL);
    assert_int_equal(cluster_open(f->cluster, f->name_space, &io), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &id), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &second), 0);
    object_of(id, ".1", name);
    assert_int_equal(rados_read(io, name, &byte, 1, 1000000), 1);
    byte ^= 4;
    assert_int_equal(rados_write(io, name, &byte, 1, 1000000), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
    assert_int_equal(blob_get(f->engine, ACCOUNT, id, 0, SEVERAL, &bytes), ERROR_CORRUPT);
    assert_int_equal(bytes.size, 0);
    object_of(second, ".1", other);
    int size = rados_read(io, other, whole, 2 * PIECE, 0);
    assert_int_equal(rados_write_full(io, name, whole, (size_t)size), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
    assert_int_equal(rados_remove(io, name), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
    object_of(id, "", name);
    uint64_t sum = 0;
    assert_int_equal(rados_rmxattr(io, name, "size"), 0);
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), ERROR_CORRUPT);
    assert_int_equal(sum, SEVERAL); /* the other one */
    rados_ioctx_destroy(io);
    buffer_release(&bytes);
    free(body);
    free(whole);
}

/* --- reclaiming --- */

static void list_objects(struct fixture *f, size_t *bodies)
{
    rados_ioctx_t io;
    rados_list_ctx_t list;
    const char *name;
    *bodies = 0;
    assert_int_equal(cluster_open(f->cluster, f->name_space, &io), 0);
    assert_int_equal(rados_nobjects_list_open(io, &list), 0);
    while (rados_nobjects_list_next(list, &name, NULL, NULL) == 0)
        *bodies += !strstr(name, "index-");
    rados_nobjects_list_close(list);
    rados_ioctx_destroy(io);
}

/* Makes all that the indexes say two hours older. */
static void grow_old(struct fixture *f)
{
    rados_ioctx_t io;
    assert_int_equal(cluster_open(f->cluster, f->name_space, &io), 0);
    for (unsigned shard = 0; shard < 16; shard++) {
        char name[100], *key, *value;
        size_t key_size, size;
        rados_omap_iter_t list;
        unsigned char more;
        snprintf(name, sizeof(name), ACCOUNT "/index-%x", shard);
        rados_read_op_t operation = rados_create_read_op();
        rados_read_op_omap_get_vals2(operation, "", "", 1024, &list, &more, NULL);
        int result = rados_read_op_operate(operation, io, name, 0);
        while (!result && rados_omap_get_next2(list, &key, &value, &key_size, &size) == 0 && key) {
            uint64_t time;
            if (key[0] == 'p')
                continue;
            memcpy(&time, value, sizeof(time));
            time = htobe64(be64toh(time) - 2 * BLOB_RECLAIM_AGE);
            const char *bytes = (const char *)&time;
            rados_write_op_t change = rados_create_write_op();
            rados_write_op_omap_set2(change, (const char *const *)&key, &bytes, &key_size, &size,
                                     1);
            assert_int_equal(rados_write_op_operate2(change, io, name, NULL, 0), 0);
            rados_release_write_op(change);
        }
        rados_omap_get_end(list);
        rados_release_read_op(operation);
    }
    rados_ioctx_destroy(io);
}

static int live_one(uint64_t pack, struct buffer *ids, void *arg)
{
    assert_int_equal(pack, 0);
    return buffer_append(ids, slice_make(arg, sizeof(struct blob_id)));
}

static void test_reclaim(void **state)
{
    struct fixture *f = *state;
    char *body = make_several();
    struct blob_id live, dropped, orphan;
    size_t bodies;
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("live"), &live), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &dropped), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &orphan), 0);
    assert_int_equal(blob_drop(f->engine, ACCOUNT, dropped), 0);
    struct blob_reclaim what = {.live = live_one, .moved = moved_none, .arg = &live};
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    list_objects(f, &bodies);
    assert_int_equal(bodies, 1 + 3 + 3);
    assert_part(f, dropped, body, 5, 5); /* who reads an older snapshot */
    grow_old(f);
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    list_objects(f, &bodies);
    assert_int_equal(bodies, 1 + 3);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, dropped), ERROR_NOT_FOUND);
    what.everything = true;
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    list_objects(f, &bodies);
    assert_int_equal(bodies, 1);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, live), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("new"), &orphan), 0);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, orphan), 0);
    free(body);
}

/* What a put leaves that was cut short: pieces without the first. */
static void test_reclaim_what_is_incomplete(void **state)
{
    struct fixture *f = *state;
    rados_ioctx_t io;
    char *body = make_several(), name[100];
    struct blob_id live, cut;
    size_t bodies;
    uint64_t sum = 0;
    assert_int_equal(cluster_open(f->cluster, f->name_space, &io), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, SLICE("live"), &live), 0);
    assert_int_equal(blob_put(f->engine, ACCOUNT, slice_make(body, SEVERAL), &cut), 0);
    object_of(cut, "", name);
    assert_int_equal(rados_remove(io, name), 0);
    rados_ioctx_destroy(io);
    assert_int_equal(blob_each(f->engine, ACCOUNT, add_sizes, &sum), 0);
    assert_int_equal(sum, 4);
    grow_old(f);
    struct blob_reclaim what = {
        .everything = true, .live = live_one, .moved = moved_none, .arg = &live};
    assert_int_equal(blob_reclaim(f->engine, ACCOUNT, &what), 0);
    list_objects(f, &bodies);
    assert_int_equal(bodies, 1);
    assert_int_equal(blob_destroy(f->engine, ACCOUNT), 0);
    list_objects(f, &bodies);
    assert_int_equal(bodies, 0);
    free(body);
}

#define CASE(engine, test)                                                                         \
    {                                                                                              \
#engine ": " #test, test, set_up_##engine, tear_down, NULL                                 \
    }

#define SUITE(engine)                                                                              \
    CASE(engine, test_put_get), CASE(engine, test_get_next), CASE(engine, test_empty_body),        \
        CASE(engine, test_missing), CASE(engine, test_each_and_drop), CASE(engine, test_batch),    \
        CASE(engine, test_batch_cancelled), CASE(engine, test_limits),                             \
        CASE(engine, test_reclaim_nothing)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SUITE(memory),
        SUITE(pack),
        cmocka_unit_test(test_id_encoding),
    };
    const struct CMUnitTest rados[] = {
        SUITE(rados),
        CASE(rados, test_several_objects),
        CASE(rados, test_reads_only_what_it_needs),
        CASE(rados, test_damage),
        CASE(rados, test_reclaim),
        CASE(rados, test_reclaim_what_is_incomplete),
    };
    if (count == 2 && strcmp(arguments[1], "rados") == 0)
        return cmocka_run_group_tests(rados, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
