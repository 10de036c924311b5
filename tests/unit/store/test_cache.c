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

static void test_of_many_some_rest_at_once(void **state)
{
    struct fixture *f = *state;
    struct store *store;
    struct store_view *views[MANY];
    struct store_options options = {
        .kv = f->kv, .blob = f->blob, .open_accounts = MANY, .default_domain = "example.test"};
    assert_int_equal(store_open(&options, &store), 0);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        struct account_id id;
        snprintf(name, sizeof(name), "many%d", i);
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
        assert_maintains(store, KEPT_WARM, MANY - KEPT_WARM + (round == 0));
    }
    assert_maintains(store, 0, KEPT_WARM);
    for (int i = 0; i < MANY; i++)
        store_view_close(&views[i]);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_rests_when_it_is_not_used),
        cmocka_unit_test_setup_teardown(test_of_many_some_rest_at_once, set_up_memory, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
