#include "store_test.h"

#include "store/urlauth.h"

#include <pthread.h>

static void test_accounts(void **state)
{
    struct fixture *f = *state;
    struct account_id bob, found;
    struct account_info *list;
    size_t count;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("Bob@Example.ORG"), &bob),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_domain_add(f->store, WHO_SYSTEM, SLICE("Example.org")), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("Bob@Example.ORG"), &bob), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob@example.org"), &found),
                     ERROR_EXISTS);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("a b@example.org"), &found),
                     ERROR_SYNTAX);
    assert_int_equal(store_account_list(f->store, WHO_SYSTEM, &f->arena, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_slice_equal(list[0].address, "alice@example.test");
    assert_slice_equal(list[1].address, "bob@example.org");
    assert_true(account_id_equal(list[1].id, bob));
    assert_true(list[1].created > 1600000000);

    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("ALICE"), &found), 0);
    assert_true(account_id_equal(found, f->alice));
    assert_int_equal(
        store_account_find(f->store, WHO_SYSTEM, SLICE("alice+x+y@example.test"), &found), 0);
    assert_true(account_id_equal(found, f->alice));
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("alice@x.test"), &found),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("+x@example.test"), &found),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("@"), &found), ERROR_SYNTAX);

    reopen(f);
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, bob), 0);
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, bob), ERROR_NOT_FOUND);
    assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("bob@example.org"), &found),
                     ERROR_NOT_FOUND);
    struct store_view *view;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, bob, &view), ERROR_NOT_FOUND);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob@example.org"), &bob), 0);
}

/* The snapshot that a reader leaves for the next one is not read once something is committed. */
static void test_snapshot_that_is_kept(void **state)
{
    struct fixture *f = *state;
    struct account_id bob, found;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("bob"), &found),
                         ERROR_NOT_FOUND);
        assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
        assert_int_equal(store_account_find(f->store, WHO_SYSTEM, SLICE("bob"), &found), 0);
        assert_true(account_id_equal(found, bob));
        assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, bob), 0);
        if (i % 4 == 0)
            assert_int_equal(store_maintain(f->store), 0);
    }
}

/* It is what it was but for the flag, which a change of address and a new start leave alone. */
static void test_shared(void **state)
{
    struct fixture *f = *state;
    struct account_info info;
    struct collection *list;
    size_t count;
    const struct account_id nobody = {{1}};
    append_many(f, find_mailbox(f, "INBOX"), 3);
    assert_int_equal(store_account_check(f->store, f->alice), 0);
    assert_int_equal(store_account_check(f->store, nobody), ERROR_NOT_FOUND);
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, nobody, true), ERROR_NOT_FOUND);
    assert_int_equal(store_account_set_shared(f->store, who_account(f->alice), f->alice, true),
                     ERROR_DENIED);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, true), 0);
    assert_int_equal(store_account_check(f->store, f->alice), ERROR_DENIED);
    reopen(f);
    assert_int_equal(
        store_account_rename(f->store, WHO_SYSTEM, f->alice, SLICE("info@example.test"), true), 0);
    assert_int_equal(store_account_get(f->store, WHO_SYSTEM, f->alice, &f->arena, &info), 0);
    assert_true(info.shared);
    assert_slice_equal(info.address, "info@example.test");
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    assert_int_equal(count, 6);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, false), 0);
    assert_int_equal(store_account_check(f->store, f->alice), 0);
    assert_int_equal(store_account_get(f->store, WHO_SYSTEM, f->alice, &f->arena, &info), 0);
    assert_false(info.shared);
    check_account(f);
}

/* URLs are worth something only while who has signed them has the account. */
static void test_shared_ends_urls(void **state)
{
    struct fixture *f = *state;
    uint8_t token[URLAUTH_TOKEN_SIZE], again[URLAUTH_TOKEN_SIZE];
    struct slice rump = SLICE("imap://alice@example.test/INBOX/;uid=1;urlauth=anonymous");
    collection_id inbox = find_mailbox(f, "INBOX");
    assert_int_equal(urlauth_sign(f->view, inbox, rump, token), 0);
    assert_int_equal(urlauth_sign(f->view, inbox, rump, again), 0);
    assert_memory_equal(token, again, sizeof(token));
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, true), 0);
    /* Nor is a key made by a session that has not noticed yet. */
    assert_int_equal(urlauth_sign(f->view, inbox, rump, again), ERROR_DENIED);
    assert_int_equal(store_account_set_shared(f->store, WHO_SYSTEM, f->alice, false), 0);
    assert_int_equal(urlauth_sign(f->view, inbox, rump, again), 0);
    assert_memory_not_equal(token, again, sizeof(token));
}

/* A session goes on meeting an account that is gone, and its space goes with the session. */
static void test_delete_open(void **state)
{
    struct fixture *f = *state;
    collection_id id, inbox = find_mailbox(f, "INBOX");
    struct collection *list;
    size_t count;
    append_many(f, inbox, 3);
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, f->alice), 0);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("x"), ROLE_NONE, &id),
                     ERROR_NOT_FOUND);
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count),
                     ERROR_NOT_FOUND);
    store_view_close(&f->view);
    assert_int_equal(store_maintain(f->store), 0);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &f->view), ERROR_NOT_FOUND);
}

static void test_ids(void **state)
{
    (void)state;
    struct account_id id = {{0x00, 0xff, 0x1f}}, parsed;
    char text[ACCOUNT_ID_TEXT + 1];
    account_id_format(id, text);
    assert_string_equal(text, "00ff1f00000000000000000000000000");
    assert_int_equal(account_id_parse(slice_from_string(text), &parsed), 0);
    assert_true(account_id_equal(id, parsed));
    assert_int_equal(account_id_parse(SLICE("00FF1f00000000000000000000000000"), &parsed),
                     ERROR_SYNTAX);
    assert_int_equal(account_id_parse(SLICE("00"), &parsed), ERROR_SYNTAX);
}

/* More accounts than are kept open, from several threads. */
struct worker {
    struct store *store;
    struct account_id *ids;
    unsigned seed;
};

static void *open_and_close(void *arg)
{
    struct worker *worker = arg;
    for (unsigned i = 0; i < 300; i++) {
        struct account_id id = worker->ids[(i * 7 + worker->seed) % 12];
        struct store_view *view = NULL;
        struct arena arena;
        struct collection found;
        arena_init(&arena, 4096);
        assert_int_equal(store_view_open(worker->store, WHO_SYSTEM, id, &view), 0);
        assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &found),
                         0);
        if (i % 50 == 0)
            assert_int_equal(collection_subscribe(view, found.id, worker->seed & 1), 0);
        store_view_close(&view);
        arena_release(&arena);
        if (i % 60 == 0)
            assert_int_equal(store_maintain(worker->store), 0);
    }
    return NULL;
}

static void test_cache(void **state)
{
    struct fixture *f = *state;
    struct account_id ids[12];
    struct worker workers[4];
    pthread_t threads[4];
    char address[32];
    for (unsigned i = 0; i < 12; i++) {
        snprintf(address, sizeof(address), "user%u", i);
        assert_int_equal(
            store_account_create(f->store, WHO_SYSTEM, slice_from_string(address), &ids[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){f->store, ids, i};
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        ON_BOTH(test_accounts),
        ON_BOTH(test_snapshot_that_is_kept),
        ON_BOTH(test_shared),
        ON_BOTH(test_shared_ends_urls),
        ON_BOTH(test_delete_open),
        ON_BOTH(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
