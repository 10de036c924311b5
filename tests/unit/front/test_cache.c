#include "../check.h"
#include "base/error.h"
#include "front/auth/cache_priv.h"

#include <sodium.h>
#include <stdio.h>

static const uint64_t SECOND = 1000 * 1000;
static const uint8_t ALICE[16] = {0xa1};

#define NAME     SLICE("alice@example.test")
#define PASSWORD SLICE("correct horse")

static int set_up(void **state)
{
    return cache_create(300, (struct cache **)state);
}

static int tear_down(void **state)
{
    cache_free((struct cache **)state);
    return 0;
}

static bool finds(struct cache *cache, struct slice name, struct slice password, uint64_t now)
{
    uint8_t account[16] = {0};
    bool found = cache_find(cache, name, password, now, account);
    assert_int_equal(account[0], found ? ALICE[0] : 0);
    return found;
}

static void test_remembers(void **state)
{
    struct cache *cache = *state;
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
    cache_remember(cache, NAME, PASSWORD, ALICE, cache_generation(cache), SECOND);
    assert_true(finds(cache, NAME, PASSWORD, SECOND));
    assert_true(finds(cache, NAME, PASSWORD, 2 * SECOND));
    assert_false(finds(cache, NAME, SLICE("correct horsf"), SECOND));
    assert_false(finds(cache, NAME, SLICE(""), SECOND));
    assert_false(finds(cache, SLICE("alice@example.tes"), SLICE("tcorrect horse"), SECOND));
    assert_false(finds(cache, SLICE("bob@example.test"), PASSWORD, SECOND));
}

static void test_expiry(void **state)
{
    struct cache *cache = *state;
    cache_remember(cache, NAME, PASSWORD, ALICE, cache_generation(cache), SECOND);
    assert_true(finds(cache, NAME, PASSWORD, 301 * SECOND - 1));
    assert_false(finds(cache, NAME, PASSWORD, 301 * SECOND));
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
}

static void test_forget(void **state)
{
    struct cache *cache = *state;
    uint64_t before = cache_generation(cache);
    cache_remember(cache, NAME, PASSWORD, ALICE, before, SECOND);
    cache_forget(cache, NAME);
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
    /* A verification that began before the change comes too late. */
    cache_remember(cache, NAME, PASSWORD, ALICE, before, SECOND);
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
    cache_remember(cache, NAME, SLICE("new"), ALICE, cache_generation(cache), SECOND);
    assert_true(finds(cache, NAME, SLICE("new"), SECOND));
}

static void test_replaced(void **state)
{
    struct cache *cache = *state;
    cache_remember(cache, NAME, PASSWORD, ALICE, cache_generation(cache), SECOND);
    cache_remember(cache, NAME, SLICE("second"), ALICE, cache_generation(cache), SECOND);
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
    assert_true(finds(cache, NAME, SLICE("second"), SECOND));
}

static void test_disabled(void **state)
{
    (void)state;
    struct cache *cache;
    assert_int_equal(cache_create(0, &cache), 0);
    cache_remember(cache, NAME, PASSWORD, ALICE, cache_generation(cache), SECOND);
    assert_false(finds(cache, NAME, PASSWORD, SECOND));
    cache_free(&cache);
}

/* More names than there is room for: the number stays bounded, the newest is there. */
static void test_bounded(void **state)
{
    struct cache *cache = *state;
    char name[32];
    int found = 0;
    for (int i = 0; i < 2 * CACHE_ENTRIES; i++) {
        int size = snprintf(name, sizeof name, "user%d", i);
        struct slice slice = slice_make(name, (size_t)size);
        cache_remember(cache, slice, PASSWORD, ALICE, cache_generation(cache), SECOND + i);
        assert_true(finds(cache, slice, PASSWORD, SECOND + i));
    }
    for (int i = 0; i < 2 * CACHE_ENTRIES; i++) {
        int size = snprintf(name, sizeof name, "user%d", i);
        found += finds(cache, slice_make(name, (size_t)size), PASSWORD, 2 * SECOND);
    }
    assert_in_range(found, CACHE_ENTRIES / 2, CACHE_ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_remembers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replaced, set_up, tear_down),
        cmocka_unit_test(test_disabled),
        cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
