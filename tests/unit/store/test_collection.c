#include "store_test.h"

static void test_template(void **state)
{
    struct fixture *f = *state;
    struct collection *list;
    size_t count;
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    static const char *const names[] = {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_slice_equal(list[i].path, names[i]);
        assert_slice_equal(list[i].name, names[i]);
        assert_true(list[i].subscribed);
        assert_false(list[i].has_children);
        assert_int_equal(list[i].rights, RIGHT_ALL);
        assert_int_equal(list[i].uid_next, 1);
        assert_int_not_equal(list[i].uid_validity, 0);
        assert_int_equal(strlen(list[i].object_id), 23);
    }
    assert_string_equal(collection_role_name(list[1].role), "\\Archive");
    assert_int_equal(list[0].role, ROLE_INBOX);
    assert_null(collection_role_name(ROLE_INBOX));
    check_account(f);
}

static void test_create(void **state)
{
    struct fixture *f = *state;
    collection_id id, lists = make_mailbox(f, "Lists/C/");
    assert_int_equal(find_mailbox(f, "Lists/C"), lists);
    struct collection found = read_mailbox(f, lists);
    assert_slice_equal(found.path, "Lists/C");
    assert_slice_equal(found.name, "C");
    assert_int_equal(found.parent, find_mailbox(f, "Lists"));
    assert_false(found.subscribed);
    assert_true(read_mailbox(f, found.parent).has_children);
    assert_int_equal(find_mailbox(f, "inBOX"), find_mailbox(f, "INBOX"));
    make_mailbox(f, "inbox/Below");
    assert_int_not_equal(find_mailbox(f, "INBOX/Below"), 0);
    assert_int_equal(find_mailbox(f, "lists"), 0); /* only INBOX is found in any case */

    static const char *const wrong[] = {"", "/", "/a", "a//b", "a\tb", "a\x7f", "\xff", "a//"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, slice_from_string(wrong[i]),
                                           ROLE_NONE, &id),
                         ERROR_SYNTAX);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("Lists"), ROLE_NONE, &id),
                     ERROR_EXISTS);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("iNBOX"), ROLE_NONE, &id),
                     ERROR_EXISTS);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("S"), ROLE_SENT, &id),
                     ERROR_CONFLICT);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, SLICE("All"), ROLE_ALL, &id),
                     0);
    assert_int_equal(read_mailbox(f, id).role, ROLE_ALL);
    check_account(f);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    collection_id id;
    char path[COLLECTION_PATH_MAXIMUM + 2];
    memset(path, 'a', sizeof(path));
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX,
                                       slice_make(path, COLLECTION_NAME_MAXIMUM), ROLE_NONE, &id),
                     0);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX,
                                       slice_make(path, COLLECTION_NAME_MAXIMUM + 1), ROLE_NONE,
                                       &id),
                     ERROR_SYNTAX);
    for (size_t i = 100; i < COLLECTION_PATH_MAXIMUM; i += 100)
        path[i] = '/';
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX,
                                       slice_make(path, COLLECTION_PATH_MAXIMUM), ROLE_NONE, &id),
                     0);
    assert_int_equal(read_mailbox(f, id).path.size, COLLECTION_PATH_MAXIMUM);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX,
                                       slice_make(path, COLLECTION_PATH_MAXIMUM + 1), ROLE_NONE,
                                       &id),
                     ERROR_SYNTAX);
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? '/' : 'b';
    size_t deepest = 2 * COLLECTION_DEPTH_MAXIMUM - 1;
    assert_int_equal(
        collection_create(f->view, COLLECTION_MAILBOX, slice_make(path, deepest), ROLE_NONE, &id),
        0);
    assert_int_equal(collection_create(f->view, COLLECTION_MAILBOX, slice_make(path, deepest + 2),
                                       ROLE_NONE, &id),
                     ERROR_SYNTAX);
    /* What lies below counts when a collection moves. */
    id = find_mailbox(f, "b");
    assert_int_equal(collection_rename(f->view, id, SLICE("x/y")), ERROR_SYNTAX);
    assert_int_equal(find_mailbox(f, "x"), 0);
    assert_int_equal(collection_rename(f->view, id, SLICE("x")), 0);
    id = find_mailbox(f, "x");
    memset(path, 'a', 100);
    id = 0;
    struct collection *list;
    size_t count;
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        if (list[i].parent == 0 && list[i].name.size == 100)
            id = list[i].id;
    assert_int_equal(collection_rename(f->view, id, slice_make(path, 101)), ERROR_SYNTAX);
    assert_int_equal(collection_rename(f->view, id, SLICE("short")), 0);
    check_account(f);
}

static void test_rename(void **state)
{
    struct fixture *f = *state;
    collection_id a = make_mailbox(f, "A"), c = make_mailbox(f, "A/B/C");
    uint32_t validity = read_mailbox(f, a).uid_validity;
    assert_int_equal(collection_rename(f->view, a, SLICE("New/Name")), 0);
    assert_int_equal(find_mailbox(f, "A"), 0);
    assert_int_equal(find_mailbox(f, "New/Name"), a);
    assert_int_equal(find_mailbox(f, "New/Name/B/C"), c);
    assert_int_equal(read_mailbox(f, a).uid_validity, validity);
    assert_int_equal(collection_rename(f->view, a, SLICE("New/Name/B/X")), ERROR_INVALID);
    assert_int_equal(collection_rename(f->view, a, SLICE("Sent")), ERROR_EXISTS);
    assert_int_equal(collection_rename(f->view, a, SLICE("New/Name")), ERROR_EXISTS);
    assert_int_equal(collection_rename(f->view, a, SLICE("a//b")), ERROR_SYNTAX);
    assert_int_equal(collection_rename(f->view, 999, SLICE("a")), ERROR_NOT_FOUND);
    assert_int_equal(find_mailbox(f, "New/Name/B/X"), 0);
    /* The old name is free, and gets another UIDVALIDITY. */
    collection_id again = make_mailbox(f, "A");
    assert_true(read_mailbox(f, again).uid_validity > validity);
    check_account(f);
}

static void test_rename_inbox(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), below = make_mailbox(f, "INBOX/Below");
    append_many(f, inbox, 300);
    assert_int_equal(collection_rename(f->view, inbox, SLICE("Old/Mail")), 0);
    collection_id old = find_mailbox(f, "Old/Mail");
    assert_int_equal(find_mailbox(f, "INBOX"), inbox);
    assert_int_equal(find_mailbox(f, "INBOX/Below"), below);
    assert_string_equal(uids_text(f, inbox), "");
    assert_int_equal(read_mailbox(f, inbox).messages, 0);
    assert_int_equal(read_mailbox(f, inbox).uid_next, 301);
    assert_string_equal(uids_text(f, old), "1:300");
    check_account(f);
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    collection_id parent = make_mailbox(f, "P"), child = make_mailbox(f, "P/C");
    append_many(f, child, 400);
    uint32_t validity = read_mailbox(f, child).uid_validity;
    assert_int_equal(collection_subscribe(f->view, child, true), 0);
    assert_int_equal(collection_delete(f->view, parent), ERROR_INVALID);
    assert_int_equal(collection_delete(f->view, find_mailbox(f, "INBOX")), ERROR_INVALID);
    assert_int_equal(collection_delete(f->view, 999), ERROR_NOT_FOUND);
    assert_int_equal(collection_delete(f->view, child), 0);
    assert_int_equal(collection_delete(f->view, child), ERROR_NOT_FOUND);
    assert_int_equal(collection_subscribe(f->view, child, true), ERROR_NOT_FOUND);
    struct mailbox_snapshot *snapshot;
    assert_int_equal(mailbox_snapshot_open(f->view, child, &snapshot), ERROR_NOT_FOUND);
    collection_id again = make_mailbox(f, "P/C");
    assert_true(again > child);
    assert_true(read_mailbox(f, again).uid_validity > validity);
    assert_false(read_mailbox(f, again).subscribed);
    check_account(f);
}

static void test_subscribe(void **state)
{
    struct fixture *f = *state;
    collection_id id = make_mailbox(f, "S");
    assert_int_equal(collection_subscribe(f->view, id, true), 0);
    assert_int_equal(collection_subscribe(f->view, id, true), 0);
    assert_true(read_mailbox(f, id).subscribed);
    assert_int_equal(collection_rename(f->view, id, SLICE("T")), 0);
    reopen(f);
    assert_true(read_mailbox(f, id).subscribed);
    assert_int_equal(collection_subscribe(f->view, id, false), 0);
    assert_false(read_mailbox(f, id).subscribed);
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    make_mailbox(f, "A b");
    make_mailbox(f, "A/z");
    make_mailbox(f, "A/b/c");
    make_mailbox(f, "AA");
    struct collection *list;
    size_t count;
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    static const char *const paths[] = {"INBOX", "A",       "A/b",    "A/b/c", "A/z",  "A b",
                                        "AA",    "Archive", "Drafts", "Junk",  "Sent", "Trash"};
    assert_int_equal(count, 12);
    for (size_t i = 0; i < count; i++)
        assert_slice_equal(list[i].path, paths[i]);
    assert_true(list[1].has_children);
    assert_false(list[3].has_children);
    assert_int_equal(collection_list(f->view, COLLECTION_CALENDAR, &f->arena, &list, &count), 0);
    assert_int_equal(count, 0);
    struct arena small;
    arena_init(&small, 2048);
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &small, &list, &count),
                     ERROR_LIMIT);
    arena_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_template),  ON_BOTH(test_create), ON_BOTH(test_limits),
        ON_BOTH(test_rename),    ON_BOTH(test_delete), ON_BOTH(test_rename_inbox),
        ON_BOTH(test_subscribe), ON_BOTH(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
