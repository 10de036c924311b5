/*
 * What sets.c adds to range sets, against the plainest way to do it; and the hot parts of text.c.
 */
#include "unit/check.h"

#include "session/imap/session_priv.h"

enum { NUMBERS = 40, ROUNDS = 2000 };

static uint64_t random_state = 88172645463325252ULL;

static void fill(struct range_set *set, bool *has, const bool *within)
{
    range_set_init(set, NUMBERS);
    for (uint32_t i = 1; i < NUMBERS; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        has[i] = random_state % 3 && (!within || within[i]);
        if (has[i])
            assert_int_equal(range_set_add(set, i, i), 0);
    }
}

static void check_round(void)
{
    struct range_set a, b, both, left, positions, back;
    bool in_a[NUMBERS], in_b[NUMBERS];
    fill(&a, in_a, NULL);
    fill(&b, in_b, NULL);
    range_set_init(&both, NUMBERS);
    range_set_init(&left, NUMBERS);
    range_set_init(&positions, NUMBERS);
    range_set_init(&back, NUMBERS);
    assert_int_equal(set_intersect(&both, &a, &b), 0);
    assert_int_equal(set_subtract(&left, &a, &b), 0);
    assert_int_equal(set_positions(&positions, &a, &both), 0);
    assert_int_equal(set_at_positions(&back, &a, &positions), 0);
    for (uint32_t i = 1; i < NUMBERS; i++) {
        assert_int_equal(range_set_contains(&both, i), in_a[i] && in_b[i]);
        assert_int_equal(range_set_contains(&left, i), in_a[i] && !in_b[i]);
        assert_int_equal(range_set_contains(&back, i), in_a[i] && in_b[i]);
        if (in_a[i])
            assert_int_equal(range_set_contains(&positions, range_set_position(&a, i)), in_b[i]);
    }
    set_take(&a, &left);
    assert_int_equal(left.count, 0);
    range_set_release(&a);
    range_set_release(&b);
    range_set_release(&both);
    range_set_release(&positions);
    range_set_release(&back);
}

static void test_sets(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++)
        check_round();
}

/* The example of RFC 10022, and the edges. */
static void test_batches(void **state)
{
    (void)state;
    static const struct range uids[] = {{.first = 4000, .last = 4099},
                                        {.first = 7830, .last = 9829},
                                        {.first = 20351, .last = 22350},
                                        {.first = 99696, .last = 101694},
                                        {.first = 215295, .last = 215295}};
    static const uint32_t lowest[] = {99696, 20351, 7830, 1};
    struct range_set set;
    range_set_init(&set, NUMBERS);
    assert_int_equal(set_batch_count(&set, 2000), 0);
    for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++)
        assert_int_equal(range_set_add(&set, uids[i].first, uids[i].last), 0);
    assert_int_equal(set_batch_count(&set, 2000), 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(set_batch_lowest(&set, 2000, i + 1), lowest[i]);
    assert_int_equal(range_set_size(&set), 6100);
    assert_int_equal(set_batch_count(&set, 6099), 2);
    assert_int_equal(set_batch_lowest(&set, 6099, 1), 4001);
    assert_int_equal(set_batch_count(&set, 6100), 1);
    assert_int_equal(set_batch_lowest(&set, 6100, 1), 1);
    assert_int_equal(set_batch_count(&set, UINT32_MAX), 1);
    assert_int_equal(set_batch_lowest(&set, UINT32_MAX, 1), 1);
    assert_int_equal(set_batch_count(&set, 1), 6100);
    assert_int_equal(set_batch_lowest(&set, 1, 1), 215295);
    range_set_release(&set);
}

static void test_numbers(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 9, 10, 4294967295U, UINT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        char text[NUMBER_MAXIMUM + 1] = "", expected[32];
        *number_put(text, numbers[i]) = '\0';
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
        assert_string_equal(text, expected);
    }
}

/* The cached day gives what the plain way gives. */
static void test_dates(void **state)
{
    (void)state;
    static const int64_t dates[] = {0, 1, 86399, 86400, 86401, 172799, -1, 1706782830, 1706783999};
    struct date_cache cache = {.valid = false};
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct buffer text, expected;
        buffer_init(&text, 64);
        buffer_init(&expected, 64);
        date_write(&text, &cache, dates[i]);
        imap_write_date(&expected, dates[i]);
        assert_slice_equal(buffer_slice(&text), expected.data);
        buffer_release(&text);
        buffer_release(&expected);
    }
}

static void test_header_fields(void **state)
{
    (void)state;
    struct slice header = SLICE("A: one\r\n two\r\nB :x\nnonsense\r\nC:\r\n\r\nD: not\r\n");
    static const char *const names[] = {"A", "B", "", "C"}, *const values[] = {" one\r\n two\r\n",
                                                                               "x\n", "", "\r\n"};
    struct header_field field;
    for (size_t i = 0; i < 4; i++) {
        assert_true(header_field_next(&header, &field));
        assert_slice_equal(field.name, names[i]);
        assert_slice_equal(field.value, values[i]);
    }
    assert_false(header_field_next(&header, &field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),          cmocka_unit_test(test_batches),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_dates),
        cmocka_unit_test(test_header_fields),
    };
    return cmocka_run_group_tests_name("imap sets", tests, NULL, NULL);
}
