/*
 * What becomes of open accounts once a second: who is looked after, and whose memory is taken.
 */
#include "store_test.h"

enum { MANY = 150, KEPT_WARM = 128 /* ACCOUNTS_KEPT_WARM of cache.c */ };

static unsigned rests, looks;

int __real_kv_rest(struct kv *kv);
int __wrap_kv_rest(struct kv *kv);
int __real_kv_maintain(struct kv *kv);
int __wrap_kv_maintain(struct kv *kv);

int __wrap_kv_rest(struct kv *kv)
{
    rests++;
    return __real_kv_rest(kv);
}

int __wrap_kv_maintain(struct kv *kv)
{
    looks++;
    return __real_kv_maintain(kv);
}

static void assert_maintains(struct store *store, unsigned looked_at, unsigned rested)
{
    looks = rests = 0;
    assert_int_equal(store_maintain(store), 0);
    assert_int_equal(looks, looked_at);
    assert_int_equal(rests, rested);
}

static void test_rests_when_it_is_not_used(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    store_maintain(f->store);
    for (int i = 0; i < 3; i++) {
        append_text(f, inbox, "one", 0);
        assert_maintains(f->store, 1, 0);
    }
    uids_text(f, inbox); /* to read is to use, too */
    assert_maintains(f->store, 1, 0);
    assert_maintains(f->store, 0, 1);
    assert_maintains(f->store, 0, 0);
}

/* Uses many accounts in each round, of which so many are kept in mind, and so many of these warm.
 */
static void use_many(struct fixture *f, size_t open_accounts, unsigned known, unsigned warm)
{
    struct store *store;
    struct store_view *views[MANY];
    struct store_options options = {.kv = f->kv,
                                    .blob = f->blob,
                                    .open_accounts = open_accounts,
                                    .default_domain = "example.test"};
    assert_int_equal(store_open(&options, &store), 0);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        struct account_id id;
        snprintf(name, sizeof(name), "many%d-%zu", i, open_accounts);
        assert_int_equal(store_account_create(store, WHO_SYSTEM, slice_from_string(name), &id), 0);
        assert_int_equal(store_view_open(store, WHO_SYSTEM, id, &views[i]), 0);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            collection_id inbox;
            assert_int_equal(
                collection_find_id(views[i], COLLECTION_MAILBOX, SLICE("INBOX"), &inbox), 0);
        }
        /* The directory, too, behind the accounts that were made. */
        assert_maintains(store, warm, known - warm + (round == 0));
    }
    assert_maintains(store, 0, warm);
    assert_maintains(store, 0, 0);
    for (int i = 0; i < MANY; i++)
        store_view_close(&views[i]);
    store_close(&store);
}

static void test_of_many_some_rest_at_once(void **state)
{
    use_many(*state, 2 * MANY, MANY, KEPT_WARM);
}

/* There is room for others beside those that are kept. */
static void test_of_few_that_may_stay_open_half_rest(void **state)
{
    use_many(*state, 100, 100, 50);
    use_many(*state, 1, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_rests_when_it_is_not_used),
        cmocka_unit_test_setup_teardown(test_of_many_some_rest_at_once, set_up_memory, tear_down),
        cmocka_unit_test_setup_teardown(test_of_few_that_may_stay_open_half_rest, set_up_memory,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
