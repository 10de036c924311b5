/*
 * The notice ring: one process, threads, and processes.
 */
#include "base/error.h"
#include "kv/notice_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { WAKERS = 3, THREADS = 3, POSTS = 2000, WAIT_MS = 10000 };

struct fixture {
    int memory;
    int wake[NOTICE_SLOTS];
    struct notice_ring *ring; /* slot 0 */
};

struct seen {
    uint64_t count;
    uint64_t sum;
    uint64_t last;
    unsigned missed;
};

static void see(uint64_t space, bool missed, void *arg)
{
    struct seen *seen = arg;
    if (missed) {
        seen->missed++;
        return;
    }
    seen->count++;
    seen->sum += space;
    seen->last = space;
}

static struct seen read_all(struct notice_ring *ring)
{
    struct seen seen = {0};
    notice_ring_read(ring, see, &seen);
    return seen;
}

static bool is_woken(int descriptor)
{
    struct pollfd poll_one = {.fd = descriptor, .events = POLLIN};
    return poll(&poll_one, 1, 0) == 1;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    for (int i = 0; i < NOTICE_SLOTS; i++)
        f->wake[i] =
            i < WAKERS || i == NOTICE_SLOTS - 1 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    f->memory = notice_ring_create();
    assert_true(f->memory >= 0);
    int error = notice_ring_attach(f->memory, f->wake, 0, &f->ring);
    if (!error)
        notice_ring_want_all(f->ring);
    return error;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    notice_ring_detach(&f->ring);
    assert_null(f->ring);
    for (int i = 0; i < NOTICE_SLOTS; i++)
        if (f->wake[i] >= 0)
            close(f->wake[i]);
    close(f->memory);
    free(f);
    return 0;
}

static void test_post_and_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(notice_ring_descriptor(f->ring), f->wake[0]);
    assert_int_equal(read_all(f->ring).count, 0);
    notice_ring_post(f->ring, 5);
    notice_ring_post(f->ring, 0);
    notice_ring_post(f->ring, 7);
    struct seen seen = read_all(f->ring);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.sum, 12);
    assert_int_equal(seen.last, 7);
    assert_int_equal(read_all(f->ring).count, 0);
    assert_true(notice_space(SLICE("a")) != notice_space(SLICE("b")));
}

/* Whether something has changed can be told at a look, but while it does, or for ever when that has
 * no end. */
static void test_count(void **state)
{
    struct fixture *f = *state;
    uint64_t five = notice_ring_count(f->ring, 5), six = notice_ring_count(f->ring, 6);
    assert_true(five && six);
    notice_ring_begin(f->ring, 5);
    assert_int_equal(notice_ring_count(f->ring, 5), 0);
    notice_ring_begin(f->ring, 5 + NOTICE_FILTER_BITS);
    notice_ring_end(f->ring, 5);
    assert_int_equal(notice_ring_count(f->ring, 5), 0);
    notice_ring_end(f->ring, 5 + NOTICE_FILTER_BITS);
    assert_true(notice_ring_count(f->ring, 5) && notice_ring_count(f->ring, 5) != five);
    assert_true(notice_ring_count(f->ring, 6) == six);
}

static void test_woken_once(void **state)
{
    struct fixture *f = *state;
    uint64_t count;
    notice_ring_post(f->ring, 1);
    notice_ring_post(f->ring, 2);
    assert_int_equal(read(f->wake[0], &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 1);
    assert_int_equal(read_all(f->ring).count, 2);
    assert_false(is_woken(f->wake[0]));
    notice_ring_post(f->ring, 3);
    assert_true(is_woken(f->wake[0]));
    assert_int_equal(read_all(f->ring).count, 1);
    assert_false(is_woken(f->wake[0]));
}

static void test_slots(void **state)
{
    struct fixture *f = *state;
    struct notice_ring *last;
    struct notice_ring *poster;
    assert_int_equal(notice_ring_attach(f->memory, f->wake, NOTICE_SLOTS, &last), ERROR_INVALID);
    assert_int_equal(notice_ring_attach(f->memory, f->wake, NOTICE_SLOTS - 1, &last), 0);
    notice_ring_want(last, 9);
    assert_int_equal(notice_ring_attach(f->memory, f->wake, -1, &poster), 0);
    assert_int_equal(notice_ring_descriptor(poster), -1);
    notice_ring_post(poster, 9);
    assert_true(is_woken(f->wake[0]));
    assert_false(is_woken(f->wake[1]));
    assert_true(is_woken(f->wake[NOTICE_SLOTS - 1]));
    assert_int_equal(read_all(last).last, 9);
    notice_ring_detach(&last);
    notice_ring_post(poster, 9);
    assert_false(is_woken(f->wake[NOTICE_SLOTS - 1]));
    notice_ring_detach(&poster);
}

static void test_missed(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < NOTICE_ENTRIES; i++)
        notice_ring_post(f->ring, i);
    struct seen seen = read_all(f->ring);
    assert_int_equal(seen.count, NOTICE_ENTRIES);
    assert_int_equal(seen.missed, 0);
    for (uint64_t i = 0; i <= NOTICE_ENTRIES; i++)
        notice_ring_post(f->ring, i);
    seen = read_all(f->ring);
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.missed, 1);
    notice_ring_post(f->ring, 4);
    seen = read_all(f->ring);
    assert_int_equal(seen.last, 4);
    assert_int_equal(seen.missed, 0);
}

static void test_wrong_memory(void **state)
{
    struct fixture *f = *state;
    struct notice_ring *ring = NULL;
    assert_int_equal(notice_ring_attach(-1, f->wake, 1, &ring), ERROR_INVALID);
    assert_int_equal(notice_ring_attach(f->wake[0], f->wake, 1, &ring), ERROR_INVALID);
    /* Nobody can make the mapping fault by shortening the memory. */
    assert_int_equal(ftruncate(f->memory, 4096), -1);
    assert_null(ring);
}

/* Reads, waiting for the eventfd each time, until all is there or was missed. */
static struct seen wait_for(struct notice_ring *ring, uint64_t count)
{
    struct seen seen = {0};
    struct pollfd poll_one = {.fd = notice_ring_descriptor(ring), .events = POLLIN};
    while (seen.count < count && !seen.missed) {
        notice_ring_read(ring, see, &seen);
        if (seen.count < count && !seen.missed && poll(&poll_one, 1, WAIT_MS) != 1)
            break;
    }
    return seen;
}

static void *post_many(void *arg)
{
    struct notice_ring *ring = arg;
    for (uint64_t i = 0; i < POSTS; i++) {
        notice_ring_post(ring, i);
        if (i % 64 == 0)
            usleep(100);
    }
    return NULL;
}

/* When it does not miss any, it sees each once; when it does, it is told; it never waits for what
 * was posted before. */
static void test_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, post_many, f->ring);
    struct seen seen = wait_for(f->ring, (uint64_t)THREADS * POSTS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (!seen.missed) {
        assert_int_equal(seen.count, THREADS * POSTS);
        assert_int_equal(seen.sum, (uint64_t)THREADS * POSTS * (POSTS - 1) / 2);
    }
}

/* Who reads while another is between two steps of posting has missed it, and is told so. */
static void wait_for_space(struct notice_ring *ring, uint64_t space)
{
    struct seen seen = {0};
    while (seen.last != space && !seen.missed)
        seen = wait_for(ring, 1);
}

/* The child: attaches as a started process would, says so, waits for its notice, answers it. */
static void be_a_process(struct fixture *f)
{
    struct notice_ring *ring;
    if (notice_ring_attach(f->memory, f->wake, 1, &ring))
        _exit(1);
    notice_ring_want_all(ring);
    notice_ring_post(ring, 100);
    wait_for_space(ring, 200);
    notice_ring_post(ring, 300);
    notice_ring_detach(&ring);
    _exit(0);
}

static void test_processes(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child = fork();
    if (child == 0)
        be_a_process(f);
    wait_for_space(f->ring, 100);
    notice_ring_post(f->ring, 200);
    wait_for_space(f->ring, 300);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_woken_for_what_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct notice_ring *other;
    assert_int_equal(notice_ring_attach(f->memory, f->wake, 1, &other), 0);
    notice_ring_post(f->ring, 5);
    assert_false(is_woken(f->wake[1]));
    /* What is not wanted may be read all the same: it was posted. */
    assert_int_equal(read_all(other).count, 1);
    notice_ring_want(other, 5);
    notice_ring_want(other, 5);
    notice_ring_unwant(other, 5);
    notice_ring_post(f->ring, 6);
    assert_false(is_woken(f->wake[1]));
    notice_ring_post(f->ring, 5);
    assert_true(is_woken(f->wake[1]));
    assert_int_equal(read_all(other).count, 2);
    notice_ring_unwant(other, 5);
    notice_ring_post(f->ring, 5);
    assert_false(is_woken(f->wake[1]));
    /* Who has the slot next begins with nothing. */
    notice_ring_want(other, 5);
    notice_ring_detach(&other);
    assert_int_equal(notice_ring_attach(f->memory, f->wake, 1, &other), 0);
    notice_ring_post(f->ring, 5);
    assert_false(is_woken(f->wake[1]));
    notice_ring_detach(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_woken_for_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_post_and_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_woken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_processes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
