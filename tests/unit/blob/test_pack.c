/*
 * What only the files of packs can show: appending, damage, what a crash leaves, how much is read.
 */
#include "base/counters.h"
#include "blob/record_priv.h"
#include "tests/unit/blob/pack_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FRAME = 128 * 1024,
    RECORD_AT = 24,
    INDEX_AT = RECORD_AT + 32,
    BODY_AT = INDEX_AT + 12,
    PACK_FULL = 64 * 1024 * 1024,
};

/* --- frames --- */

/* Text and noise by turns, so that frames are stored both ways. */
static void fill(const struct fixture *f, char *body, size_t size)
{
    for (size_t i = 0; i < size; i++)
        body[i] = i / FRAME % 2 ? f->noise[i % NOISE] : (char)("words and words "[i % 16]);
}

static void test_sizes(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0,         1,         FRAME - 1,     FRAME,
                                   FRAME + 1, 2 * FRAME, 2 * FRAME + 1, 5 * FRAME + 77};
    char *body = malloc(6 * FRAME);
    fill(f, body, 6 * FRAME);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct slice whole = slice_make(body, sizes[i]);
        struct blob_id id = put(f, whole);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
        assert_int_equal(read_range(f, id, 0, SIZE_MAX, whole), 0);
        for (size_t from = 0; from <= sizes[i]; from += FRAME / 2 - 1)
            for (size_t size = 1; size < 3 * FRAME; size = size * 3 + 1)
                assert_int_equal(read_range(f, id, from, size, slice_sub(whole, from, size)), 0);
    }
    free(body);
}

static void test_compressed(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(2 * FRAME);
    memset(text, 'a', (size_t)2 * FRAME);
    struct blob_id id = put(f, slice_make(text, 2 * FRAME));
    off_t before = status_of(f, id.pack).st_size;
    assert_true(before < 1000);
    /* What is small is not, so that reading it costs no decoding. */
    id = put(f, slice_make(text, RAW_MAXIMUM));
    assert_int_equal(status_of(f, id.pack).st_size - before, 32 + 12 + RAW_MAXIMUM);
    before = status_of(f, id.pack).st_size;
    id = put(f, slice_make(text, RAW_MAXIMUM + 1));
    assert_true(status_of(f, id.pack).st_size - before < 100);
    free(text);
    /* What cannot be compressed costs its frames' index, no more. */
    before = status_of(f, id.pack).st_size;
    id = put(f, slice_make(f->noise, 2 * FRAME));
    assert_int_equal(status_of(f, id.pack).st_size - before, 32 + 2 * 12 + 2 * FRAME);
}

static void test_range_reads_little(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 20 * 1024 * 1024 };
    char *body = malloc(LARGE);
    fill(f, body, LARGE);
    struct blob_id id = put(f, slice_make(body, LARGE));
    for (size_t at = 1000; at + 1024 < LARGE; at += 1234567) {
        int64_t frames = counters_sum(COUNTER_BLOB_FRAMES_READ);
        int64_t bytes = counters_sum(COUNTER_BLOB_READ_BYTES);
        assert_int_equal(read_range(f, id, at, 1024, slice_make(body + at, 1024)), 0);
        frames = counters_sum(COUNTER_BLOB_FRAMES_READ) - frames;
        bytes = counters_sum(COUNTER_BLOB_READ_BYTES) - bytes;
        assert_in_range(frames, 1, 2);
        assert_in_range(bytes, 1, 32 + 160 * 12 + 2 * FRAME);
    }
    int64_t frames = counters_sum(COUNTER_BLOB_FRAMES_READ);
    assert_int_equal(read_range(f, id, FRAME - 1, 2, slice_make(body + FRAME - 1, 2)), 0);
    assert_int_equal(counters_sum(COUNTER_BLOB_FRAMES_READ) - frames, 2);
    free(body);
}

/* --- appending --- */

static void test_one_flush(void **state)
{
    struct fixture *f = *state;
    struct blob_id first = put(f, SLICE("one")), id;
    struct blob_batch *batch;
    int64_t flushes = counters_sum(COUNTER_BLOB_FLUSHES);
    id = put(f, SLICE("two"));
    assert_int_equal(counters_sum(COUNTER_BLOB_FLUSHES) - flushes, 1);
    assert_int_equal(id.pack, first.pack);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(blob_batch_add(batch, slice_make(f->noise + i, 3000), &id), 0);
    assert_int_equal(blob_batch_finish(&batch), 0);
    assert_int_equal(counters_sum(COUNTER_BLOB_FLUSHES) - flushes, 2);
    assert_int_equal(id.pack, first.pack);
    assert_int_equal(each(f).count, 502);
}

/* Another process, or this one after a restart, goes on with the same pack. */
static void test_pack_is_found_again(void **state)
{
    struct fixture *f = *state;
    struct blob_id first = put(f, SLICE("one"));
    blob_engine_free(&f->engine);
    assert_int_equal(blob_pack_create(f->directory, &f->engine), 0);
    assert_int_equal(put(f, SLICE("two")).pack, first.pack);
    assert_int_equal(read_range(f, first, 0, 10, SLICE("one")), 0);
}

static void test_full_pack(void **state)
{
    struct fixture *f = *state;
    struct blob_id ids[14];
    struct blob_batch *batch;
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &batch), 0);
    for (int i = 0; i < 14; i++)
        assert_int_equal(blob_batch_add(batch, slice_make(f->noise + i, NOISE - 14), &ids[i]), 0);
    assert_int_equal(blob_batch_finish(&batch), 0);
    assert_true(ids[13].pack != ids[0].pack);
    struct stat status = status_of(f, ids[0].pack);
    assert_in_range(status.st_size, PACK_FULL, PACK_FULL + NOISE + 1000);
    assert_int_equal(status.st_mode & 07777, 0400);
    assert_int_equal(status_of(f, ids[13].pack).st_mode & 07777, 0600);
    for (int i = 0; i < 14; i++)
        assert_int_equal(read_range(f, ids[i], 0, 100, slice_make(f->noise + i, 100)), 0);
    assert_int_equal(put(f, SLICE("next")).pack, ids[13].pack);
    assert_int_equal(status_of(f, ids[0].pack).st_size, status.st_size);
}

static void test_two_writers(void **state)
{
    struct fixture *f = *state;
    struct blob_engine *other;
    struct blob_batch *one, *two;
    struct blob_id ids[4];
    assert_int_equal(blob_pack_create(f->directory, &other), 0);
    assert_int_equal(blob_batch_begin(f->engine, ACCOUNT, &one), 0);
    assert_int_equal(blob_batch_begin(other, ACCOUNT, &two), 0);
    assert_int_equal(blob_batch_add(one, SLICE("a"), &ids[0]), 0);
    assert_int_equal(blob_batch_add(two, SLICE("b"), &ids[1]), 0);
    assert_int_equal(blob_batch_add(one, SLICE("c"), &ids[2]), 0);
    ids[3] = put(f, SLICE("d"));
    assert_int_equal(blob_batch_finish(&one), 0);
    blob_batch_cancel(&two);
    assert_true(ids[0].pack != ids[1].pack && ids[0].pack == ids[2].pack);
    assert_true(ids[3].pack != ids[0].pack && ids[3].pack != ids[1].pack);
    assert_int_equal(read_range(f, ids[0], 0, 1, SLICE("a")), 0);
    assert_int_equal(read_range(f, ids[1], 0, 1, SLICE("b")), ERROR_NOT_FOUND);
    assert_int_equal(read_range(f, ids[2], 0, 1, SLICE("c")), 0);
    assert_int_equal(read_range(f, ids[3], 0, 1, SLICE("d")), 0);
    blob_engine_free(&other);
}

enum { PROCESSES = 4, PUTS = 60 };

static void put_many(const struct fixture *f, unsigned process, int end)
{
    struct blob_engine *engine;
    struct blob_id id;
    if (blob_pack_create(f->directory, &engine))
        _exit(1);
    for (unsigned i = 0; i < PUTS; i++)
        if (blob_put(engine, ACCOUNT, slice_make(f->noise + process, 1000 + i), &id) ||
            write(end, &id, sizeof(id)) != sizeof(id))
            _exit(1);
    _exit(0);
}

static void test_processes(void **state)
{
    struct fixture *f = *state;
    int ends[PROCESSES][2];
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        children[i] = fork();
        if (children[i] == 0)
            put_many(f, i, ends[i][1]);
        close(ends[i][1]);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;
        struct blob_id id;
        for (unsigned count = 0; read(ends[i][0], &id, sizeof(id)) == sizeof(id); count++)
            assert_int_equal(read_range(f, id, 0, SIZE_MAX, slice_make(f->noise + i, 1000 + count)),
                             0);
        close(ends[i][0]);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct seen seen = each(f);
    assert_int_equal(seen.result, 0);
    assert_int_equal(seen.count, PROCESSES * PUTS);
}

struct thread {
    struct fixture *f;
    unsigned number;
    struct blob_id ids[PUTS];
    unsigned failed;
};

static void *put_in_thread(void *arg)
{
    struct thread *thread = arg;
    for (unsigned i = 0; i < PUTS; i++)
        thread->failed |=
            blob_put(thread->f->engine, ACCOUNT,
                     slice_make(thread->f->noise + thread->number, 1000 + i), &thread->ids[i]) != 0;
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture *f = *state;
    static struct thread threads[PROCESSES];
    pthread_t running[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        threads[i] = (struct thread){.f = f, .number = i};
        assert_int_equal(pthread_create(&running[i], NULL, put_in_thread, &threads[i]), 0);
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        pthread_join(running[i], NULL);
    for (unsigned i = 0; i < PROCESSES; i++) {
        assert_int_equal(threads[i].failed, 0);
        for (unsigned j = 0; j < PUTS; j++)
            assert_int_equal(
                read_range(f, threads[i].ids[j], 0, SIZE_MAX, slice_make(f->noise + i, 1000 + j)),
                0);
    }
    assert_int_equal(each(f).count, PROCESSES * PUTS);
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct stat status;
    struct blob_id id = put(f, SLICE("x"));
    assert_int_equal(status_of(f, id.pack).st_mode & 07777, 0600);
    path_of(f, id.pack, "pack", path);
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
    int error = blob_put(f->engine, ACCOUNT, slice_make(f->noise, NOISE), &id);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(error, ERROR_SPACE);
    assert_int_equal(id.pack, 1);
    /* Nothing is left, not even under another name. */
    char path[256];
    snprintf(path, sizeof(path), "%s/" ACCOUNT ".packs", f->directory);
    assert_int_equal(rmdir(path), 0);
    id = put(f, slice_make(f->noise, NOISE));
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
    /* And what an append began is taken back. */
    off_t size = status_of(f, id.pack).st_size;
    limit.rlim_cur = (rlim_t)size + 300000;
    setrlimit(RLIMIT_FSIZE, &limit);
    error = blob_put(f->engine, ACCOUNT, slice_make(f->noise, NOISE), &id);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(error, ERROR_SPACE);
    assert_int_equal(status_of(f, id.pack).st_size, size);
    assert_int_equal(put(f, SLICE("small")).pack, id.pack);
}

/* --- damage --- */

static void test_flipped_byte(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct slice body = SLICE("The body.");
    struct blob_id id = put(f, body);
    path_of(f, id.pack, "pack", path);
    for (uint64_t i = 0; i < BODY_AT + body.size; i++) {
        flip(path, i);
        struct seen seen = each(f);
        /* A pack's own head is not needed to read what is in it. */
        int expected = i < RECORD_AT ? 0 : ERROR_CORRUPT;
        assert_int_equal(read_range(f, id, 0, 9, body), expected);
        assert_int_equal(read_range(f, id, 3, 1, SLICE(" ")), expected);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), expected);
        assert_int_equal(seen.result, i < RECORD_AT ? ERROR_CORRUPT : 0);
        assert_int_equal(seen.count, i < RECORD_AT || i >= INDEX_AT);
        flip(path, i);
    }
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
}

static void test_flipped_frame(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 5 * FRAME };
    char path[256];
    char *body = malloc(SIZE);
    fill(f, body, SIZE);
    struct blob_id id = put(f, slice_make(body, SIZE));
    path_of(f, id.pack, "pack", path);
    /* A damaged frame does not keep others from being read. */
    uint64_t in_last = (uint64_t)status_of(f, id.pack).st_size - 10;
    flip(path, in_last);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
    assert_int_equal(read_range(f, id, 0, SIZE, SLICE("")), ERROR_CORRUPT);
    assert_int_equal(read_range(f, id, 0, 4 * FRAME, slice_make(body, 4 * FRAME)), 0);
    assert_int_equal(read_range(f, id, 4 * FRAME, 1, SLICE("")), ERROR_CORRUPT);
    flip(path, in_last);
    assert_int_equal(blob_verify(f->engine, ACCOUNT, id), 0);
    free(body);
}

static void test_short_file(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct blob_id id = put(f, SLICE("The body."));
    path_of(f, id.pack, "pack", path);
    for (off_t size = BODY_AT + 8; size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(read_range(f, id, 0, 1, SLICE("")), ERROR_CORRUPT);
        assert_int_equal(blob_verify(f->engine, ACCOUNT, id), ERROR_CORRUPT);
        assert_int_equal(each(f).count, 0);
    }
}

static void test_wrong_id(void **state)
{
    struct fixture *f = *state;
    struct blob_id id = put(f, SLICE("The body."));
    struct blob_id wrong[] = {
        {id.pack, 0, id.size},           {id.pack, 25, id.size},
        {id.pack, UINT64_MAX, id.size},  {id.pack, id.offset, id.size - 1},
        {id.pack, id.offset, FRAME + 1}, {id.pack, id.offset, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(blob_verify(f->engine, ACCOUNT, wrong[i]), ERROR_CORRUPT);
        assert_int_equal(read_range(f, wrong[i], 0, 5, SLICE("")), ERROR_CORRUPT);
        assert_int_equal(blob_drop(f->engine, ACCOUNT, wrong[i]), ERROR_CORRUPT);
    }
    assert_int_equal(each(f).count, 1);
}

static void test_behind_damage(void **state)
{
    struct fixture *f = *state;
    struct blob_id ids[5];
    char path[256];
    for (size_t i = 0; i < 5; i++)
        ids[i] = put(f, slice_make(f->noise + i, 100000));
    path_of(f, ids[0].pack, "pack", path);
    flip(path, ids[1].offset + 9);
    flip(path, ids[2].offset);
    struct seen seen = each(f);
    assert_int_equal(seen.result, ERROR_CORRUPT);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ids[1].offset, ids[3].offset);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(blob_verify(f->engine, ACCOUNT, ids[i]),
                         i == 1 || i == 2 ? ERROR_CORRUPT : 0);
    /* Nobody goes on with such a pack. */
    blob_engine_free(&f->engine);
    assert_int_equal(blob_pack_create(f->directory, &f->engine), 0);
    assert_true(put(f, SLICE("next")).pack != ids[0].pack);
    assert_int_equal(status_of(f, ids[0].pack).st_mode & 07777, 0400);
}

/* A message with the bytes of a record in it is not taken for one, whatever is damaged. */
static void test_forged_record(void **state)
{
    struct fixture *f = *state;
    enum { FORGED = 2000 };
    char path[256], bytes[FORGED];
    struct blob_id ids[2] = {put(f, slice_make(f->noise, FORGED - 44))};
    path_of(f, ids[0].pack, "pack", path);
    int file = open(path, O_RDONLY);
    assert_int_equal(pread(file, bytes, FORGED, RECORD_AT), FORGED);
    close(file);
    ids[1] = put(f, slice_make(bytes, FORGED));
    flip(path, ids[1].offset);
    struct seen seen = each(f);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ids[0].offset, ids[0].offset);
}

static void test_torn_tail(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct blob_id first = put(f, SLICE("first"));
    off_t whole = status_of(f, first.pack).st_size;
    path_of(f, first.pack, "pack", path);
    append_to(path, "BLOB\1\0\0\0 what a crash leaves", 28);
    struct seen seen = each(f);
    assert_int_equal(seen.result, 0);
    assert_int_equal(seen.count, 1);
    struct blob_id second = put(f, SLICE("second"));
    assert_true(second.pack != first.pack);
    assert_int_equal(status_of(f, first.pack).st_mode & 07777, 0400);
    assert_int_equal(status_of(f, first.pack).st_size, whole + 28);
    assert_int_equal(read_range(f, first, 0, 10, SLICE("first")), 0);
    seen = each(f);
    assert_int_equal(seen.result, 0);
    assert_int_equal(seen.count, 2);
}

static void test_unknown_version(void **state)
{
    struct fixture *f = *state;
    char path[256];
    struct blob_id first = put(f, SLICE("first"));
    path_of(f, first.pack, "pack", path);
    flip(path, 11);
    assert_int_equal(each(f).result, ERROR_CORRUPT);
    assert_true(put(f, SLICE("second")).pack != first.pack);
}

static void test_left_over(void **state)
{
    struct fixture *f = *state;
    char path[2][256];
    put(f, SLICE("abc"));
    for (int i = 0; i < 2; i++) {
        path_of(f, 0x0123456789abcdef + (unsigned)i, "new", path[i]);
        append_to(path[i], "CHAPPACK", 8);
    }
    struct timespec old[] = {{1000, 0}, {1000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path[0], old, 0), 0);
    assert_int_equal(each(f).count, 1);
    assert_int_equal(access(path[0], F_OK), -1);
    assert_int_equal(access(path[1], F_OK), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sizes),           CASE(test_compressed),          CASE(test_range_reads_little),
        CASE(test_one_flush),       CASE(test_pack_is_found_again), CASE(test_full_pack),
        CASE(test_two_writers),     CASE(test_processes),           CASE(test_threads),
        CASE(test_modes),           CASE(test_disk_full),           CASE(test_flipped_byte),
        CASE(test_flipped_frame),   CASE(test_short_file),          CASE(test_wrong_id),
        CASE(test_behind_damage),   CASE(test_forged_record),       CASE(test_torn_tail),
        CASE(test_unknown_version), CASE(test_left_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
