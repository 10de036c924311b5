/*
 * A view that is held: one snapshot for all that is asked, until it is let go.
 */
#include "store_test.h"

static unsigned snapshots; /* that were begun */

int __real_kv_read_begin(struct kv *kv, struct kv_transaction **transaction);
int __wrap_kv_read_begin(struct kv *kv, struct kv_transaction **transaction);

int __wrap_kv_read_begin(struct kv *kv, struct kv_transaction **transaction)
{
    snapshots++;
    return __real_kv_read_begin(kv, transaction);
}

static uint32_t messages(struct fixture *f, struct store_view *view, collection_id mailbox)
{
    struct collection found;
    assert_int_equal(collection_get(view, mailbox, &f->arena, &found), 0);
    return found.messages;
}

static struct store_view *open_view(struct fixture *f)
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    return view;
}

static void test_one_moment(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct store_view *view = open_view(f);
    append_text(f, inbox, "one", 0);
    store_view_hold(view);
    append_text(f, inbox, "two", 0);
    snapshots = 0;
    assert_int_equal(messages(f, view, inbox), 2); /* the moment is the first read's */
    assert_int_equal(snapshots, 1);
    append_text(f, inbox, "three", 0);
    store_view_hold(view); /* which changes nothing */
    snapshots = 0;
    assert_int_equal(messages(f, view, inbox), 2);
    assert_int_equal(snapshots, 0);
    store_view_let_go(view);
    assert_int_equal(messages(f, view, inbox), 3);
    store_view_let_go(view);
    assert_int_equal(messages(f, view, inbox), 3);
    assert_int_equal(snapshots, 2);
    store_view_close(&view);
}

static void test_change_lets_go(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    store_view_hold(f->view);
    assert_int_equal(messages(f, f->view, inbox), 0);
    append_text(f, inbox, "one", 0);
    assert_int_equal(messages(f, f->view, inbox), 1);
    snapshots = 0;
    assert_int_equal(messages(f, f->view, inbox), 1);
    assert_int_equal(snapshots, 1); /* it is not held any more */
}

/* What reads when the view is let go, or changes something, still sees what it saw. */
static void test_let_go_while_read(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    append_text(f, inbox, "one", 0);
    store_view_hold(f->view);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    append_text(f, inbox, "two", 0);
    store_view_hold(f->view);
    assert_int_equal(messages(f, f->view, inbox), 2);
    entry_cursor_init(&cursor, snapshot, 0, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), ERROR_NOT_FOUND);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    snapshots = 0;
    assert_int_equal(messages(f, f->view, inbox), 2);
    assert_int_equal(messages(f, f->view, inbox), 2);
    assert_int_equal(snapshots, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_one_moment),
        ON_BOTH(test_change_lets_go),
        ON_BOTH(test_let_go_while_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
