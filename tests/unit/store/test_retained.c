/*
 * What was expunged and deleted: kept, listed, brought back, and purged.
 */
#include "store/quota.h"
#include "store/retained.h"
#include "store_test.h"

enum { DAY = 24 * 60 * 60 };

static struct retained_entry *list_entries(struct fixture *f, collection_id mailbox,
                                           struct retained_filter filter, size_t *count)
{
    struct retained_entry *list = NULL;
    assert_int_equal(retained_entries(f->view, mailbox, &filter, &f->arena, &list, count), 0);
    return list;
}

static size_t count_entries(struct fixture *f, collection_id mailbox)
{
    size_t count = 0;
    list_entries(f, mailbox, (struct retained_filter){0}, &count);
    return count;
}

static struct retained_collection *list_collections(struct fixture *f, size_t *count)
{
    struct retained_collection *list = NULL;
    assert_int_equal(retained_collections(f->view, &f->arena, &list, count), 0);
    return list;
}

static void expunge(struct fixture *f, collection_id mailbox, uint32_t first, uint32_t last)
{
    struct range_set uids = set_of(first, last), expunged;
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    range_set_init(&expunged, 100000);
    assert_int_equal(mailbox_change_flags(f->view, mailbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, mailbox, &uids, &expunged, &modseq), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

/* Returns "FROM>TO" or the error's name. */
static const char *restore(struct fixture *f, collection_id mailbox, struct retained_filter filter,
                           collection_id target)
{
    struct copy_result result;
    static char text[200];
    range_set_init(&result.from, 100000);
    range_set_init(&result.to, 100000);
    int error = retained_restore(f->view, mailbox, &filter, target, &result);
    if (error)
        snprintf(text, sizeof(text), "%s", error_name(error));
    else
        snprintf(text, sizeof(text), "%s>%s", set_text(f, &result.from), set_text(f, &result.to));
    range_set_release(&result.from);
    range_set_release(&result.to);
    return text;
}

static struct quota quota_of(struct fixture *f)
{
    struct quota quota;
    assert_int_equal(quota_get(f->view, 0, &quota), 0);
    return quota;
}

static struct purge_result purge(struct fixture *f, int64_t now)
{
    struct purge_result result = {0};
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, now, &result), 0);
    check_account(f);
    return result;
}

static void set_limit(struct fixture *f, enum quota_resource resource, uint64_t limit)
{
    struct store_view *system = NULL;
    uint64_t limits[QUOTA_RESOURCES] = {0};
    limits[resource] = limit;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(quota_set(system, 1U << resource, limits), 0);
    store_view_close(&system);
}

/* --- expunged entries --- */

static void test_expunged(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    size_t count = 0;
    f->now = 100 * DAY;
    append_many(f, inbox, 10);
    uint64_t bytes = quota_of(f).usage[QUOTA_STORAGE];
    expunge(f, inbox, 3, 5);
    assert_int_equal(quota_of(f).usage[QUOTA_MESSAGE], 7);
    assert_true(quota_of(f).usage[QUOTA_STORAGE] < bytes);
    f->now += 10;
    expunge(f, inbox, 8, 8);
    check_account(f);
    struct retained_entry *list = list_entries(f, inbox, (struct retained_filter){0}, &count);
    assert_int_equal(count, 4);
    assert_int_equal(list[0].entry.uid, 3);
    assert_int_equal(list[0].expunged, 100 * DAY);
    assert_int_equal(list[3].entry.uid, 8);
    assert_int_equal(list[3].expunged, 100 * DAY + 10);
    assert_true(list[3].entry.flags & ENTRY_DELETED);
    /* Either limit of time, and UIDs. */
    struct retained_filter since = {.from = 100 * DAY + 10}, until = {.until = 100 * DAY + 10};
    list_entries(f, inbox, since, &count);
    assert_int_equal(count, 1);
    list_entries(f, inbox, until, &count);
    assert_int_equal(count, 3);
    struct range_set uids = set_of(4, 4);
    struct retained_filter one = {.uids = &uids};
    list_entries(f, inbox, one, &count);
    assert_int_equal(count, 1);
    assert_string_equal(restore(f, inbox, one, 0), "4>11");
    check_account(f);
    assert_string_equal(restore(f, inbox, one, 0), "not-found");
    assert_int_equal(count_entries(f, inbox), 3);
    assert_string_equal(restore(f, inbox, (struct retained_filter){0}, 0), "3,5,8>12:14");
    assert_string_equal(uids_text(f, inbox), "1:2,6:7,9:14");
    assert_int_equal(read_mailbox(f, inbox).deleted, 0);
    assert_int_equal(quota_of(f).usage[QUOTA_STORAGE], bytes);
    assert_int_equal(count_entries(f, inbox), 0);
    range_set_release(&uids);
    check_account(f);
}

static void test_other_mailbox(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct slice names[] = {SLICE("$A"), SLICE("$B")};
    struct append append = {.keywords = names + 1, .keyword_count = 1, .flags = ENTRY_FLAGGED};
    struct append_result appended;
    assert_int_equal(prepared_message_create(SLICE("A: b\r\n\r\n"), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, box, &append, &appended), 0); /* Box: $B is bit 0 */
    append.keywords = names;
    append.keyword_count = 2;
    assert_int_equal(mailbox_append(f->view, inbox, &append, &appended), 0); /* INBOX: bit 1 */
    prepared_message_free(&append.message);
    expunge(f, inbox, 1, 1);
    assert_string_equal(restore(f, inbox, (struct retained_filter){0}, box), "1>2");
    check_account(f);
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    assert_int_equal(mailbox_snapshot_open(f->view, box, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 2, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry.flags, ENTRY_FLAGGED);
    assert_true(keyword_set_has(&entry.keywords, 0)); /* $B */
    assert_true(keyword_set_has(&entry.keywords, 1)); /* $A */
    assert_slice_equal(mailbox_snapshot_keywords(snapshot)->names[1], "$A");
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
}

/* What was moved is not retained where it was. */
static void test_moved(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct range_set uids = set_of(1, 5);
    struct copy_result result;
    append_many(f, inbox, 5);
    range_set_init(&result.from, 100);
    range_set_init(&result.to, 100);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, true, &result), 0);
    assert_int_equal(count_entries(f, inbox), 0);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    check_account(f);
}

/* 5000 entries with 250 messages. */
static void fill(struct fixture *f, collection_id mailbox)
{
    struct range_set uids = set_of(1, 250);
    struct copy_result result;
    range_set_init(&result.from, 10000);
    range_set_init(&result.to, 10000);
    append_many(f, mailbox, 250);
    for (int i = 1; i < 20; i++)
        assert_int_equal(mailbox_copy(f->view, mailbox, &uids, mailbox, false, &result), 0);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
}

/* 5000 entries are few keys, and go in several transactions. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    size_t count = 0;
    fill(f, inbox);
    expunge(f, inbox, 1, 5000);
    check_account(f);
    list_entries(f, inbox, (struct retained_filter){0}, &count);
    assert_int_equal(count, 5000);
    struct range_set uids = set_of(2000, 2100);
    assert_string_equal(restore(f, inbox, (struct retained_filter){.uids = &uids}, 0),
                        "2000:2100>5001:5101");
    range_set_release(&uids);
    check_account(f);
    struct purge_result result = purge(f, f->now + 31 * DAY);
    assert_int_equal(result.entries, 4899);
    assert_int_equal(read_mailbox(f, inbox).messages, 101);
}

/* --- collections --- */

static const char *restore_collection(struct fixture *f, collection_id id, const char *path)
{
    struct slice restored;
    int error =
        retained_restore_collection(f->view, id, slice_from_string(path), &f->arena, &restored);
    return error ? error_name(error) : arena_string(&f->arena, restored);
}

static void test_deleted(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "a/Box");
    size_t count;
    append_many(f, box, 300);
    expunge(f, box, 10, 19);
    struct collection before = read_mailbox(f, box);
    uint64_t bytes = quota_of(f).usage[QUOTA_STORAGE];
    f->now = 200 * DAY;
    assert_int_equal(collection_delete(f->view, box), 0);
    check_account(f);
    assert_int_equal(quota_of(f).usage[QUOTA_MESSAGE], 0);
    assert_int_equal(quota_of(f).usage[QUOTA_MAILBOX], 7);
    assert_int_equal(find_mailbox(f, "a/Box"), 0);
    struct retained_collection *list = list_collections(f, &count);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].id, box);
    assert_slice_equal(list[0].path, "a/Box");
    assert_int_equal(list[0].deleted, 200 * DAY);
    assert_int_equal(list[0].messages, 290);
    assert_int_equal(list[0].size, bytes);
    /* Its parent has gone meanwhile, too. */
    assert_int_equal(collection_delete(f->view, find_mailbox(f, "a")), 0);
    assert_string_equal(restore_collection(f, box, ""), "a/Box");
    check_account(f);
    struct collection after = read_mailbox(f, box);
    assert_int_equal(after.uid_validity, before.uid_validity);
    assert_int_equal(after.uid_next, before.uid_next);
    assert_int_equal(after.messages, 290);
    assert_true(after.subscribed);
    assert_string_equal(uids_text(f, box), "1:9,20:300");
    assert_int_equal(quota_of(f).usage[QUOTA_STORAGE], bytes);
    assert_string_equal(restore(f, box, (struct retained_filter){0}, 0), "10:19>301:310");
    assert_string_equal(restore_collection(f, box, ""), "not-found");
    check_account(f);
}

static void test_path_taken(void **state)
{
    struct fixture *f = *state;
    collection_id first = make_mailbox(f, "Box");
    assert_int_equal(collection_delete(f->view, first), 0);
    collection_id second = make_mailbox(f, "Box");
    assert_int_equal(collection_delete(f->view, second), 0);
    make_mailbox(f, "Box");
    assert_string_equal(restore_collection(f, first, "Box"), "exists");
    assert_string_equal(restore_collection(f, first, "a//b"), "syntax");
    assert_string_equal(restore_collection(f, first, ""), "Box 2");
    assert_string_equal(restore_collection(f, second, "Other/Box"), "Other/Box");
    assert_int_equal(find_mailbox(f, "Box 2"), first);
    check_account(f);
}

static void test_role(void **state)
{
    struct fixture *f = *state;
    collection_id sent = find_mailbox(f, "Sent"), trash = find_mailbox(f, "Trash"), other;
    assert_int_equal(collection_delete(f->view, sent), 0);
    assert_int_equal(collection_delete(f->view, trash), 0);
    assert_int_equal(
        collection_create(f->view, COLLECTION_MAILBOX, SLICE("Gesendet"), ROLE_SENT, &other), 0);
    assert_string_equal(restore_collection(f, sent, ""), "Sent");
    assert_string_equal(restore_collection(f, trash, ""), "Trash");
    assert_int_equal(read_mailbox(f, sent).role, ROLE_NONE);
    assert_int_equal(read_mailbox(f, trash).role, ROLE_TRASH);
}

static void test_quota(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    append_many(f, box, 4);
    append_many(f, inbox, 4);
    expunge(f, inbox, 1, 2);
    assert_int_equal(collection_delete(f->view, box), 0);
    set_limit(f, QUOTA_MESSAGE, 3);
    assert_string_equal(restore(f, inbox, (struct retained_filter){0}, 0), "quota");
    assert_string_equal(restore_collection(f, box, ""), "quota");
    set_limit(f, QUOTA_MESSAGE, 0);
    set_limit(f, QUOTA_MAILBOX, 6);
    assert_string_equal(restore_collection(f, box, ""), "quota");
    set_limit(f, QUOTA_MAILBOX, 7);
    assert_string_equal(restore_collection(f, box, ""), "Box");
    check_account(f);
}

/* --- purging --- */

static void test_purge(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    f->now = 100 * DAY;
    append_many(f, inbox, 10);
    append_many(f, box, 20); /* ten of them are those of INBOX */
    expunge(f, inbox, 1, 4);
    f->now += DAY;
    expunge(f, inbox, 5, 5);
    assert_int_equal(collection_delete(f->view, box), 0);
    /* One second too early, then the first, then all. */
    assert_int_equal(purge(f, 130 * DAY - 1).entries, 0);
    assert_int_equal(purge(f, 130 * DAY).entries, 4);
    assert_int_equal(purge(f, 130 * DAY).entries, 0);
    assert_int_equal(count_entries(f, inbox), 1);
    struct purge_result result = purge(f, 131 * DAY);
    assert_int_equal(result.entries, 21);
    assert_int_equal(result.collections, 1);
    assert_string_equal(restore_collection(f, box, ""), "not-found");
    assert_string_equal(uids_text(f, inbox), "6:10");
    /* The bodies of what is still there are. */
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer bytes;
    buffer_init(&bytes, 1024);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry)) {
        buffer_clear(&bytes);
        assert_int_equal(mailbox_message(snapshot, &entry, 0, 1000, &bytes), 0);
        assert_int_equal(bytes.size, entry.size);
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&bytes);
}

/* A deleted collection that needs several transactions. */
static void test_purge_large(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    fill(f, box);
    expunge(f, box, 1, 10);
    assert_int_equal(collection_delete(f->view, box), 0);
    struct purge_result result = purge(f, f->now + 30 * DAY);
    assert_int_equal(result.entries, 5000);
    assert_int_equal(result.collections, 1);
    assert_int_equal(purge(f, f->now + 30 * DAY).entries, 0);
}

/* A message is stored as long as anything has it. */
static void test_shared(void **state)
{
    struct fixture *f = *state;
    const char *text = "Subject: x\r\n\r\n";
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    f->now = 100 * DAY;
    append_text(f, inbox, text, 0);
    append_text(f, box, text, 0);
    expunge(f, inbox, 1, 1);
    f->now += DAY;
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_int_equal(purge(f, 130 * DAY).entries, 1);
    assert_string_equal(restore_collection(f, box, ""), "Box");
    f->now += DAY;
    expunge(f, box, 1, 1);
    append_text(f, inbox, text, 0);
    check_account(f);
    assert_int_equal(purge(f, 200 * DAY).entries, 1);
    assert_string_equal(uids_text(f, inbox), "2");
}

/* The background job: each open account once a day. */
static void test_purge_used(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = true;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 4);
    expunge(f, inbox, 1, 1);
    f->now += 30 * DAY;
    expunge(f, inbox, 2, 2);
    assert_int_equal(store_purge_used(f->store, &stop), 0);
    assert_int_equal(count_entries(f, inbox), 2);
    stop = false;
    assert_int_equal(store_purge_used(f->store, &stop), 0);
    assert_int_equal(count_entries(f, inbox), 1);
    f->now += DAY - 1;
    expunge(f, inbox, 3, 3);
    f->now += 30 * DAY; /* both are old enough */
    assert_int_equal(store_purge_used(f->store, &stop), 0);
    assert_int_equal(count_entries(f, inbox), 0);
    expunge(f, inbox, 4, 4);
    f->now += DAY - 1;
    assert_int_equal(store_purge_used(f->store, &stop), 0);
    assert_int_equal(count_entries(f, inbox), 1);
    check_account(f);
}

static void test_old_log(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct mailbox_snapshot *snapshot;
    struct range_set uids;
    range_set_init(&uids, 100);
    f->now = 100 * DAY;
    append_many(f, inbox, 10);
    uint64_t first = read_mailbox(f, inbox).highest_modseq;
    expunge(f, inbox, 1, 1);
    f->now = 101 * DAY + 5;
    uint64_t second = read_mailbox(f, inbox).highest_modseq;
    expunge(f, inbox, 2, 2);
    /* The changes of day 100 are older than 90 days once day 191 begins. */
    purge(f, 191 * DAY - 1);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(mailbox_vanished(snapshot, first, &uids), 0);
    mailbox_snapshot_close(&snapshot);
    purge(f, 191 * DAY);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(mailbox_vanished(snapshot, first, &uids), ERROR_CANNOT_CALCULATE);
    assert_int_equal(mailbox_vanished(snapshot, second, &uids), 0);
    assert_string_equal(set_text(f, &uids), "2");
    mailbox_snapshot_close(&snapshot);
    range_set_release(&uids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_expunged),    ON_BOTH(test_other_mailbox), ON_BOTH(test_moved),
        ON_BOTH(test_many),        ON_BOTH(test_deleted),       ON_BOTH(test_path_taken),
        ON_BOTH(test_role),        ON_BOTH(test_quota),         ON_BOTH(test_purge),
        ON_BOTH(test_purge_large), ON_BOTH(test_shared),        ON_BOTH(test_old_log),
        ON_BOTH(test_purge_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
