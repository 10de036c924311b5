/*
 * The gate: one process is the freezer and, in threads, those who enter; others are forked.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECOND_US = 1000 * 1000, PATIENCE_US = 20 * SECOND_US };

static int descriptor = -1;
static atomic_uint passed;

static int set_up(void **state)
{
    (void)state;
    atomic_store(&passed, 0);
    if (descriptor < 0) { /* once in a process */
        descriptor = gate_create();
        assert_true(descriptor >= 0);
        assert_int_equal(gate_attach(descriptor, GATE_SLOTS), ERROR_INVALID);
        assert_int_equal(gate_attach(descriptor, 3), 0);
    }
    gate_open();
    return 0;
}

static uint64_t in(uint64_t microseconds)
{
    return clock_monotonic_us() + microseconds;
}

static void *pass(void *unused)
{
    (void)unused;
    gate_enter();
    atomic_fetch_add(&passed, 1);
    gate_leave();
    return NULL;
}

static void wait_for(unsigned (*number)(void), unsigned wanted)
{
    uint64_t start = clock_monotonic_us();
    while (number() != wanted) {
        assert_true(clock_monotonic_us() - start < PATIENCE_US);
        usleep(100);
    }
}

static void test_open(void **state)
{
    (void)state;
    assert_false(gate_is_closed());
    gate_enter();
    assert_int_equal(gate_inside(), 1);
    gate_enter(); /* the same stay */
    assert_int_equal(gate_inside(), 1);
    gate_leave();
    assert_int_equal(gate_inside(), 1);
    gate_leave();
    assert_int_equal(gate_inside(), 0);
    assert_false(gate_open());
}

static void test_closed(void **state)
{
    (void)state;
    pthread_t threads[4];
    gate_close(in(PATIENCE_US));
    assert_true(gate_is_closed());
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass, NULL), 0);
    wait_for(gate_waiting, 4);
    wait_for(gate_inside, 0);
    usleep(20000);
    assert_int_equal(atomic_load(&passed), 0);
    assert_true(gate_open());
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&passed), 4);
    assert_int_equal(gate_waiting(), 0);
    assert_int_equal(gate_inside(), 0);
}

/* Who is inside may enter again: its change is not cut in two. */
static void test_closed_while_inside(void **state)
{
    (void)state;
    gate_enter();
    gate_close(in(PATIENCE_US));
    assert_int_equal(gate_inside(), 1);
    gate_enter();
    gate_leave();
    gate_leave();
    assert_int_equal(gate_inside(), 0);
    assert_true(gate_open());
}

static void test_deadline(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t start = clock_monotonic_us();
    gate_close(in(100 * 1000));
    assert_int_equal(pthread_create(&thread, NULL, pass, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&passed), 1);
    assert_true(clock_monotonic_us() - start >= 100 * 1000);
    assert_false(gate_is_closed());
    assert_false(gate_open()); /* not in force any more */
}

static pid_t start_process(void (*run)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    return child;
}

static void close_and_die(void)
{
    gate_close(in(200 * 1000));
    raise(SIGKILL);
}

/* The deadline is in the gate: nobody has to be there to open it. */
static void test_freezer_dies(void **state)
{
    (void)state;
    pid_t child = start_process(close_and_die);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(gate_is_closed());
    uint64_t start = clock_monotonic_us();
    pass(NULL);
    assert_true(clock_monotonic_us() - start < 5 * SECOND_US);
}

static void enter_and_die(void)
{
    gate_attach(descriptor, 7);
    gate_enter();
    raise(SIGKILL);
}

static void test_process_dies_inside(void **state)
{
    (void)state;
    pid_t child = start_process(enter_and_die);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(gate_inside(), 1);
    gate_clear_slot(7);
    assert_int_equal(gate_inside(), 0);
    gate_clear_slot(-1);
    gate_clear_slot(GATE_SLOTS);
}

/* Threads that go in and out all the time, and one that closes: once it has seen nobody inside,
 * nothing changes until it opens. */
static atomic_uint changes;
static atomic_bool ended;

static void *change_all_the_time(void *unused)
{
    (void)unused;
    while (!atomic_load(&ended)) {
        gate_enter();
        atomic_fetch_add(&changes, 1);
        gate_leave();
    }
    return NULL;
}

static void test_nothing_changes(void **state)
{
    (void)state;
    pthread_t threads[3];
    atomic_store(&ended, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change_all_the_time, NULL), 0);
    for (int round = 0; round < 200; round++) {
        gate_close(in(PATIENCE_US));
        wait_for(gate_inside, 0);
        unsigned before = atomic_load(&changes);
        usleep(500);
        assert_int_equal(atomic_load(&changes), before);
        assert_true(gate_open());
        uint64_t start = clock_monotonic_us();
        while (atomic_load(&changes) == before)
            assert_true(clock_monotonic_us() - start < PATIENCE_US);
    }
    atomic_store(&ended, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* Without the memory everybody passes. In a process of its own, as it attaches nothing. */
static void test_without(void **unused)
{
    (void)unused;
    gate_enter();
    assert_false(gate_is_closed());
    gate_leave();
    assert_false(gate_open());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without), /* first: nothing is attached yet */
        cmocka_unit_test_setup(test_open, set_up),
        cmocka_unit_test_setup(test_closed, set_up),
        cmocka_unit_test_setup(test_closed_while_inside, set_up),
        cmocka_unit_test_setup(test_deadline, set_up),
        cmocka_unit_test_setup(test_freezer_dies, set_up),
        cmocka_unit_test_setup(test_process_dies_inside, set_up),
        cmocka_unit_test_setup(test_nothing_changes, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
