#include "../check.h"
#include "base/arena.h"

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t size = 0; size < 300; size++) {
        char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    arena_clear(&arena);
    char *again = arena_alloc(&arena, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    arena_release(&arena);
}

static void the_maximum_is_hard_and_sticky(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    size_t got = 0;
    while (arena_alloc(&arena, 100))
        got += 100;
    assert_true(got >= 8000 && got <= 10000);
    assert_true(arena.used <= 10000);
    assert_true(arena_failed(&arena));
    arena_clear(&arena);
    assert_false(arena_failed(&arena));
    assert_non_null(arena_alloc(&arena, 9000));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    arena_release(&arena);
    assert_int_equal(arena.used, 0);
}

static void array_sizes_do_not_overflow(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 4));
    assert_true(arena_failed(&arena));
    arena_release(&arena);
}

static void strings_are_terminated_copies(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    assert_string_equal(arena_string(&arena, SLICE("INBOX")), "INBOX");
    assert_slice_equal(arena_copy(&arena, SLICE("abc")), "abc");
    assert_int_equal(arena_copy(&arena, SLICE("")).size, 0);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(the_maximum_is_hard_and_sticky),
        cmocka_unit_test(array_sizes_do_not_overflow),
        cmocka_unit_test(strings_are_terminated_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
