#include "../check.h"
#include "base/counters.h"

#include <sys/wait.h>
#include <unistd.h>

static void processes_count_into_their_own_slots(void **state)
{
    (void)state;
    int descriptor = counters_create();
    assert_true(descriptor >= 0);
    for (int slot = 1; slot <= 3; slot++) {
        pid_t child = fork();
        if (child == 0) {
            counters_attach(descriptor, slot);
            counters_add(COUNTER_IMAP_COMMANDS, slot * 10);
            counters_add(COUNTER_SESSION_OPEN, 1);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    assert_int_equal(counters_attach(descriptor, 0), 0);
    close(descriptor);
    assert_int_equal(counters_sum(COUNTER_IMAP_COMMANDS), 60);
    assert_int_equal(counters_get(2, COUNTER_IMAP_COMMANDS), 20);

    counters_add_to_slot(2, COUNTER_PROCESS_CRASHES, 1);
    counters_reset_current(2);
    assert_int_equal(counters_sum(COUNTER_SESSION_OPEN), 2);
    assert_int_equal(counters_get(2, COUNTER_PROCESS_CRASHES), 1);
    assert_int_equal(counters_get(2, COUNTER_IMAP_COMMANDS), 20);
}

static void every_counter_is_described(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        assert_true(strlen(counter_descriptions[i].name) > 0);
        assert_true(strlen(counter_descriptions[i].help) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_is_described),
        cmocka_unit_test(processes_count_into_their_own_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
