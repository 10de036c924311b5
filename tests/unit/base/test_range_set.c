#include "../check.h"
#include "base/error.h"
#include "base/range_set.h"

static void ranges_merge_and_split(void **state)
{
    (void)state;
    struct range_set set;
    range_set_init(&set, 100);
    assert_int_equal(range_set_add(&set, 5, 7), 0);
    assert_int_equal(range_set_add(&set, 9, 9), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(range_set_add(&set, 8, 8), 0);
    assert_int_equal(set.count, 1);
    assert_int_equal(range_set_size(&set), 5);
    assert_int_equal(range_set_remove(&set, 6, 6), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(range_set_position(&set, 7), 2);
    assert_int_equal(range_set_position(&set, 6), 0);
    assert_int_equal(range_set_at(&set, 4), 9);
    assert_int_equal(range_set_at(&set, 5), 0);
    assert_int_equal(range_set_next(&set, 6), 7);
    assert_int_equal(range_set_next(&set, 10), 0);
    assert_int_equal(range_set_previous(&set, 6), 5);
    assert_int_equal(range_set_previous(&set, 8), 8);
    assert_int_equal(range_set_previous(&set, 100), 9);
    assert_int_equal(range_set_previous(&set, 4), 0);
    assert_int_equal(range_set_last(&set), 9);
    range_set_release(&set);
}

static void wrong_numbers_and_too_many_ranges_are_refused(void **state)
{
    (void)state;
    struct range_set set;
    range_set_init(&set, 3);
    assert_int_equal(range_set_add(&set, 0, 1), ERROR_INVALID);
    assert_int_equal(range_set_add(&set, 2, 1), ERROR_INVALID);
    assert_int_equal(range_set_add(&set, 1, UINT32_MAX), ERROR_INVALID);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(range_set_add(&set, i * 10, i * 10), 0);
    assert_int_equal(range_set_add(&set, 100, 100), ERROR_LIMIT);
    assert_int_equal(range_set_size(&set), 3);
    range_set_release(&set);
}

enum { UNIVERSE = 300 };

/* Every operation against an array of booleans. */
static void random_operations_agree_with_a_model(void **state)
{
    (void)state;
    unsigned seed = 12345;
    bool model[UNIVERSE + 1] = {false};
    struct range_set set;
    range_set_init(&set, UNIVERSE);
    for (int round = 0; round < 5000; round++) {
        uint32_t first = 1 + (uint32_t)rand_r(&seed) % UNIVERSE;
        uint32_t last = first + (uint32_t)rand_r(&seed) % 20;
        last = last > UNIVERSE ? UNIVERSE : last;
        bool add = rand_r(&seed) % 2;
        assert_int_equal(
            add ? range_set_add(&set, first, last) : range_set_remove(&set, first, last), 0);
        for (uint32_t i = first; i <= last; i++)
            model[i] = add;
        uint32_t position = 0;
        for (uint32_t i = 1; i <= UNIVERSE; i++) {
            position += model[i];
            assert_int_equal(range_set_contains(&set, i), model[i]);
            assert_int_equal(range_set_position(&set, i), model[i] ? position : 0);
            if (model[i])
                assert_int_equal(range_set_at(&set, position), i);
        }
        assert_int_equal(range_set_size(&set), position);
        for (size_t i = 1; i < set.count; i++)
            assert_true(set.ranges[i].first > set.ranges[i - 1].last + 1);
    }
    range_set_release(&set);
}

static void copies_are_equal(void **state)
{
    (void)state;
    struct range_set set, copy;
    range_set_init(&set, 10);
    range_set_init(&copy, 10);
    range_set_add(&set, 1, 3);
    range_set_add(&set, 8, 9);
    assert_int_equal(range_set_copy(&copy, &set), 0);
    assert_int_equal(range_set_size(&copy), 5);
    assert_true(range_set_contains(&copy, 8));
    range_set_release(&set);
    range_set_release(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_merge_and_split),
        cmocka_unit_test(wrong_numbers_and_too_many_ranges_are_refused),
        cmocka_unit_test(random_operations_agree_with_a_model),
        cmocka_unit_test(copies_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
