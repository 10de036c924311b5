/*
 * Every call of the store, by those who have no right to it. A new call belongs into the table.
 */
#include "store/changes.h"
#include "store/check.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store_test.h"

struct caller {
    struct fixture *f;
    struct store *store;
    struct store_view *view;
    struct who who;
    collection_id mailbox;
    struct prepared_message *message;
    struct range_set uids;
};

static int call_list(struct caller *c)
{
    struct collection *list;
    size_t count = 99;
    int error = collection_list(c->view, COLLECTION_MAILBOX, &c->f->arena, &list, &count);
    assert_int_equal(error, 0);
    return count == 0 ? ERROR_NOT_FOUND : 0;
}

static int call_find(struct caller *c)
{
    struct collection found;
    return collection_find(c->view, COLLECTION_MAILBOX, SLICE("INBOX"), &c->f->arena, &found);
}

static int call_get(struct caller *c)
{
    struct collection found;
    return collection_get(c->view, c->mailbox, &c->f->arena, &found);
}

static int call_create(struct caller *c)
{
    collection_id id;
    return collection_create(c->view, COLLECTION_MAILBOX, SLICE("New"), ROLE_NONE, &id);
}

static int call_create_existing(struct caller *c)
{
    collection_id id;
    return collection_create(c->view, COLLECTION_MAILBOX, SLICE("Sent"), ROLE_NONE, &id);
}

static int call_create_below(struct caller *c)
{
    collection_id id;
    return collection_create(c->view, COLLECTION_MAILBOX, SLICE("Sent/New"), ROLE_NONE, &id);
}

static int call_delete(struct caller *c)
{
    return collection_delete(c->view, c->mailbox);
}

static int call_rename(struct caller *c)
{
    return collection_rename(c->view, c->mailbox, SLICE("Other"));
}

static int call_subscribe(struct caller *c)
{
    return collection_subscribe(c->view, c->mailbox, true);
}

static int call_snapshot(struct caller *c)
{
    struct mailbox_snapshot *snapshot;
    int error = mailbox_snapshot_open(c->view, c->mailbox, &snapshot);
    if (!error)
        mailbox_snapshot_close(&snapshot);
    return error;
}

static int call_append(struct caller *c)
{
    struct append append = {.message = c->message};
    struct append_result result;
    return mailbox_append(c->view, c->mailbox, &append, &result);
}

static int call_flags(struct caller *c)
{
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    return mailbox_change_flags(c->view, c->mailbox, &c->uids, &change, &modseq, NULL);
}

static int call_expunge(struct caller *c)
{
    struct range_set expunged;
    uint64_t modseq;
    range_set_init(&expunged, 100);
    int error = mailbox_expunge(c->view, c->mailbox, NULL, &expunged, &modseq);
    range_set_release(&expunged);
    return error;
}

static int copy(struct caller *c, bool move)
{
    struct copy_result result;
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = mailbox_copy(c->view, c->mailbox, &c->uids, c->mailbox, move, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int call_copy(struct caller *c)
{
    return copy(c, false);
}

static int call_move(struct caller *c)
{
    return copy(c, true);
}

static int call_account_create(struct caller *c)
{
    struct account_id id;
    return store_account_create(c->store, c->who, SLICE("carol"), &id);
}

static int call_account_delete(struct caller *c)
{
    return store_account_delete(c->store, c->who, c->f->alice);
}

static int call_account_list(struct caller *c)
{
    struct account_info *list;
    size_t count;
    return store_account_list(c->store, c->who, &c->f->arena, &list, &count);
}

static int call_account_get(struct caller *c)
{
    struct account_info info;
    int error = store_account_get(c->store, c->who, c->f->alice, &c->f->arena, &info);
    if (!error)
        assert_slice_equal(info.address, "alice@example.test");
    return error;
}

static int call_account_find(struct caller *c)
{
    struct account_id id;
    return store_account_find(c->store, c->who, SLICE("alice"), &id);
}

static void ignore(enum check_finding finding, const char *text, void *arg)
{
    (void)finding, (void)text, (void)arg;
}

static int call_check(struct caller *c)
{
    struct check_options options = {.report = ignore};
    struct check_result result;
    return store_check_account(c->store, c->who, c->f->alice, &options, &result);
}

static int call_quota_get(struct caller *c)
{
    struct quota quota;
    return quota_get(c->view, c->mailbox, &quota);
}

static int call_quota_get_root(struct caller *c)
{
    struct quota quota;
    return quota_get(c->view, 0, &quota);
}

static int call_quota_set(struct caller *c)
{
    const uint64_t limits[QUOTA_RESOURCES] = {0};
    return quota_set(c->view, 1, limits);
}

static int call_retained_entries(struct caller *c)
{
    struct retained_entry *list;
    size_t count;
    struct retained_filter filter = {0};
    return retained_entries(c->view, c->mailbox, &filter, &c->f->arena, &list, &count);
}

static int call_retained_restore(struct caller *c)
{
    struct copy_result result;
    struct retained_filter filter = {0};
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    int error = retained_restore(c->view, c->mailbox, &filter, 0, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int call_retained_collections(struct caller *c)
{
    struct retained_collection *list;
    size_t count;
    return retained_collections(c->view, &c->f->arena, &list, &count);
}

static int call_restore_collection(struct caller *c)
{
    struct slice path;
    return retained_restore_collection(c->view, c->mailbox, SLICE("Box"), &c->f->arena, &path);
}

static int call_purge(struct caller *c)
{
    return store_purge(c->store, c->who, c->f->alice, 0, NULL);
}

static int call_message_mailboxes(struct caller *c)
{
    struct message_mailbox *list;
    size_t count;
    return message_mailboxes(c->view, 1, &c->f->arena, &list, &count);
}

static int call_changes(struct caller *c)
{
    struct changes_cursor cursor = changes_since(0);
    struct changed *list;
    size_t count;
    bool more;
    return store_changes(c->view, &cursor, CHANGES_EMAILS, 10, &c->f->arena, &list, &count, &more);
}

static int call_modseq(struct caller *c)
{
    uint64_t modseq;
    return store_modseq(c->view, &modseq);
}

static const struct {
    const char *name;
    int (*call)(struct caller *c);
    int refused; /* for who has no right at all */
    bool system; /* the owner may not either */
} calls[] = {
    {"collection_list", call_list, ERROR_NOT_FOUND, false},
    {"collection_find", call_find, ERROR_NOT_FOUND, false},
    {"collection_get", call_get, ERROR_NOT_FOUND, false},
    {"collection_create", call_create, ERROR_DENIED, false},
    {"collection_create (existing)", call_create_existing, ERROR_DENIED, false},
    {"collection_create (below)", call_create_below, ERROR_DENIED, false},
    {"collection_rename", call_rename, ERROR_NOT_FOUND, false},
    {"collection_subscribe", call_subscribe, ERROR_NOT_FOUND, false},
    {"mailbox_snapshot_open", call_snapshot, ERROR_NOT_FOUND, false},
    {"mailbox_append", call_append, ERROR_NOT_FOUND, false},
    {"mailbox_change_flags", call_flags, ERROR_NOT_FOUND, false},
    {"mailbox_expunge", call_expunge, ERROR_NOT_FOUND, false},
    {"retained_restore", call_retained_restore, ERROR_NOT_FOUND, false},
    {"mailbox_copy", call_copy, ERROR_NOT_FOUND, false},
    {"mailbox_copy (move)", call_move, ERROR_NOT_FOUND, false},
    {"quota_get", call_quota_get, ERROR_NOT_FOUND, false},
    {"quota_get (root)", call_quota_get_root, ERROR_DENIED, false},
    {"quota_set", call_quota_set, ERROR_DENIED, true},
    {"message_mailboxes", call_message_mailboxes, ERROR_NOT_FOUND, false},
    {"store_changes", call_changes, ERROR_DENIED, false},
    {"store_modseq", call_modseq, ERROR_DENIED, false},
    {"retained_entries", call_retained_entries, ERROR_NOT_FOUND, false},
    {"collection_delete", call_delete, ERROR_NOT_FOUND, false},
    {"retained_collections", call_retained_collections, ERROR_DENIED, false},
    {"retained_restore_collection", call_restore_collection, ERROR_DENIED, false},
    {"store_purge", call_purge, ERROR_DENIED, true},
    {"store_account_create", call_account_create, ERROR_DENIED, true},
    {"store_account_find", call_account_find, ERROR_NOT_FOUND, false},
    {"store_account_get", call_account_get, ERROR_DENIED, true},
    {"store_account_list", call_account_list, ERROR_DENIED, true},
    {"store_check_account", call_check, ERROR_DENIED, true},
    {"store_account_delete", call_account_delete, ERROR_DENIED, true},
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void try_all(struct caller *c, struct who who, bool may, bool system)
{
    c->who = who;
    assert_int_equal(store_view_open(c->store, who, c->f->alice, &c->view), 0);
    for (size_t i = 0; i < CALLS; i++) {
        bool allowed = calls[i].system ? system : may;
        int error = calls[i].call(c);
        bool right = allowed ? error == 0 || error == ERROR_EXISTS : error == calls[i].refused;
        if (!right)
            fail_msg("%s: %s", calls[i].name, error_name(error));
    }
    store_view_close(&c->view);
}

static void test_table(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct caller c = {.f = f, .store = f->store, .mailbox = make_mailbox(f, "Box")};
    append_many(f, c.mailbox, 3);
    c.uids = set_of(1, 1000);
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    assert_int_equal(prepared_message_create(SLICE("A: b\r\n\r\n"), &c.message), 0);
    uint64_t modseq = read_mailbox(f, c.mailbox).highest_modseq;

    try_all(&c, (struct who){0}, false, false);
    try_all(&c, (struct who){.kind = WHO_KIND_ANONYMOUS, .account = f->alice}, false, false);
    try_all(&c, (struct who){.kind = WHO_KIND_NOBODY, .account = f->alice}, false, false);
    try_all(&c, who_account(bob), false, false);
    assert_int_equal(read_mailbox(f, c.mailbox).highest_modseq, modseq);
    try_all(&c, who_account(f->alice), true, false);
    store_view_close(&f->view);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &f->view), 0);
    try_all(&c, WHO_SYSTEM, true, true);

    prepared_message_free(&c.message);
    range_set_release(&c.uids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_BOTH(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
