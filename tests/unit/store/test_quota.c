#include "store/quota.h"
#include "store_test.h"

/* A view of the system's. */
static struct store_view *open_system(struct fixture *f)
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    return view;
}

static void set_limit(struct fixture *f, enum quota_resource resource, uint64_t limit)
{
    struct store_view *system = open_system(f);
    uint64_t limits[QUOTA_RESOURCES] = {0};
    limits[resource] = limit;
    assert_int_equal(quota_set(system, 1U << resource, limits), 0);
    store_view_close(&system);
}

static struct quota read_quota(struct fixture *f)
{
    struct quota quota;
    assert_int_equal(quota_get(f->view, 0, &quota), 0);
    return quota;
}

/* A message of 10 bytes and a header. */
static int try_append(struct fixture *f, collection_id mailbox, const char *text)
{
    struct append append = {0};
    struct append_result result;
    assert_int_equal(prepared_message_create(slice_from_string(text), &append.message), 0);
    int error = mailbox_append(f->view, mailbox, &append, &result);
    prepared_message_free(&append.message);
    return error;
}

static int try_copy(struct fixture *f, collection_id from, collection_id to, bool move)
{
    struct range_set uids = set_of(1, 100);
    struct copy_result result;
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = mailbox_copy(f->view, from, &uids, to, move, &result);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static void test_messages(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    set_limit(f, QUOTA_MESSAGE, 5);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(try_append(f, inbox, "A: b\r\n\r\n"), 0);
    assert_int_equal(read_quota(f).usage[QUOTA_MESSAGE], 3);
    assert_int_equal(read_quota(f).limits[QUOTA_MESSAGE], 5);
    /* All or nothing. */
    assert_int_equal(try_copy(f, inbox, box, false), ERROR_QUOTA);
    assert_int_equal(read_mailbox(f, box).messages, 0);
    assert_int_equal(try_append(f, inbox, "A: b\r\n\r\n"), 0);
    assert_int_equal(try_append(f, inbox, "A: c\r\n\r\n"), 0);
    assert_int_equal(try_append(f, inbox, "A: d\r\n\r\n"), ERROR_QUOTA);
    /* A full account can still be tidied up. */
    assert_int_equal(try_copy(f, inbox, box, true), 0);
    assert_int_equal(read_quota(f).usage[QUOTA_MESSAGE], 5);
    assert_int_equal(read_mailbox(f, box).messages, 5);
    /* A limit below the usage refuses more, and nothing else. */
    set_limit(f, QUOTA_MESSAGE, 2);
    assert_int_equal(try_copy(f, box, inbox, true), 0);
    assert_int_equal(try_append(f, inbox, "A: d\r\n\r\n"), ERROR_QUOTA);
    set_limit(f, QUOTA_MESSAGE, 0);
    assert_int_equal(try_append(f, inbox, "A: d\r\n\r\n"), 0);
    check_account(f);
}

static void test_storage(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    set_limit(f, QUOTA_STORAGE, 20);
    assert_int_equal(try_append(f, inbox, "A: b\r\n\r\n12"), 0);
    assert_int_equal(try_append(f, inbox, "A: b\r\n\r\n123"), ERROR_QUOTA);
    /* An equal message is stored once and counts twice. */
    assert_int_equal(try_append(f, inbox, "A: b\r\n\r\n12"), 0);
    assert_int_equal(read_quota(f).usage[QUOTA_STORAGE], 20);
    assert_int_equal(try_append(f, inbox, "\r\n"), ERROR_QUOTA);
    check_account(f);
}

/* The system delivers within the same limits. */
static void test_delivery(void **state)
{
    struct fixture *f = *state;
    set_limit(f, QUOTA_STORAGE, 10);
    store_view_close(&f->view);
    f->view = open_system(f);
    assert_int_equal(try_append(f, find_mailbox(f, "INBOX"), "A: b\r\n\r\n123"), ERROR_QUOTA);
    assert_int_equal(try_append(f, find_mailbox(f, "INBOX"), "A: b\r\n\r\n12"), 0);
}

static void test_mailboxes(void **state)
{
    struct fixture *f = *state;
    collection_id id;
    uint64_t there = read_quota(f).usage[QUOTA_MAILBOX];
    assert_int_equal(there, 6);
    set_limit(f, QUOTA_MAILBOX, there + 1);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("a/b"), ROLE_NONE, &id),
                     ERROR_QUOTA);
    assert_int_equal(find_mailbox(f, "a"), 0);
    id = make_mailbox(f, "a");
    assert_int_equal(collection_create(f->view, COLLECTION_CALENDAR, SLICE("c"), ROLE_NONE, &id),
                     ERROR_QUOTA);
    assert_int_equal(collection_rename(f->view, find_mailbox(f, "a"), SLICE("b")), 0);
    /* Renaming INBOX makes a mailbox. */
    assert_int_equal(collection_rename(f->view, find_mailbox(f, "INBOX"), SLICE("old")),
                     ERROR_QUOTA);
    assert_int_equal(collection_delete(f->view, find_mailbox(f, "b")), 0);
    assert_int_equal(collection_rename(f->view, find_mailbox(f, "INBOX"), SLICE("old")), 0);
    check_account(f);
}

static void test_set(void **state)
{
    struct fixture *f = *state;
    const uint64_t limits[QUOTA_RESOURCES] = {100, 200, 300, 400};
    struct store_view *system = open_system(f);
    assert_int_equal(quota_set(f->view, 1, limits), ERROR_DENIED);
    assert_int_equal(quota_set(system, 1U << QUOTA_RESOURCES, limits), ERROR_INVALID);
    assert_int_equal(quota_set(system, 1U << QUOTA_MESSAGE | 1U << QUOTA_MAILBOX, limits), 0);
    store_view_close(&system);
    reopen(f);
    struct quota quota = read_quota(f);
    assert_int_equal(quota.limits[QUOTA_STORAGE], 0);
    assert_int_equal(quota.limits[QUOTA_MESSAGE], 200);
    assert_int_equal(quota.limits[QUOTA_MAILBOX], 300);
    assert_int_equal(quota.limits[QUOTA_ANNOTATION_STORAGE], 0);
}

static void test_names(void **state)
{
    enum quota_resource resource;
    (void)state;
    for (unsigned i = 0; i < QUOTA_RESOURCES; i++) {
        const char *name = quota_resource_name((enum quota_resource)i);
        assert_int_equal(quota_resource_parse(slice_from_string(name), &resource), 0);
        assert_int_equal(resource, i);
    }
    assert_int_equal(quota_resource_parse(SLICE("annotation-storage"), &resource), 0);
    assert_int_equal(quota_resource_parse(SLICE("X"), &resource), ERROR_NOT_FOUND);
}

/* A new account has what the options say, and its mailboxes whatever the limit. */
static void test_default(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct store_view *view;
    struct quota quota;
    store_view_close(&f->view);
    store_close(&f->store);
    struct store_options options = {.kv = f->kv,
                                    .blob = f->blob,
                                    .default_domain = "example.test",
                                    .limits = {[QUOTA_STORAGE] = 1000, [QUOTA_MAILBOX] = 1}};
    assert_int_equal(store_open(&options, &f->store), 0);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    assert_int_equal(store_view_open(f->store, who_account(bob), bob, &view), 0);
    assert_int_equal(quota_get(view, 0, &quota), 0);
    assert_int_equal(quota.limits[QUOTA_STORAGE], 1000);
    assert_int_equal(quota.usage[QUOTA_MAILBOX], 6);
    store_view_close(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_messages),       ON_BOTH(test_storage), ON_BOTH(test_delivery),
        ON_BOTH(test_mailboxes),      ON_BOTH(test_set),     ON_BOTH(test_default),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
