/*
 * \Seen of others than the owner: each has its own, whatever becomes of the messages.
 */
#include "store/acl.h"
#include "store/changes.h"
#include "store/check.h"
#include "store/retained.h"
#include "store_test.h"

#include <stdlib.h>

/* --- shorthands --- */

static struct account_id make_account(struct fixture *f, const char *name)
{
    struct account_id id = {{0}};
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, slice_from_string(name), &id), 0);
    return id;
}

/* A reader of alice's account, who may do everything with that mailbox. */
static struct store_view *make_reader(struct fixture *f, const char *name, collection_id mailbox)
{
    struct store_view *view = NULL;
    struct account_id id = make_account(f, name);
    assert_int_equal(acl_set(f->view, mailbox, slice_from_string(name), ACL_ADD, RIGHT_ALL), 0);
    assert_int_equal(store_view_open(f->store, who_account(id), f->alice, &view), 0);
    return view;
}

static void mark(struct store_view *view, collection_id mailbox, uint32_t first, uint32_t last,
                 bool seen)
{
    struct range_set uids = set_of(first, last);
    struct flag_change change = {.operation = seen ? FLAGS_ADD : FLAGS_REMOVE,
                                 .flags = ENTRY_SEEN,
                                 .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    assert_int_equal(mailbox_change_flags(view, mailbox, &uids, &change, &modseq, NULL), 0);
    range_set_release(&uids);
}

/* How many entries have the flags and lack the others, by a walk that passes over pages; *returned:
 * how many it has returned for that. */
static uint32_t count_by_passing(struct mailbox_snapshot *snapshot, uint32_t with, uint32_t without,
                                 uint32_t *returned)
{
    struct entry_cursor cursor;
    struct entry entry;
    uint32_t count = 0;
    *returned = 0;
    entry_cursor_init(&cursor, snapshot, 0, 0);
    entry_cursor_pass(&cursor, with, without);
    while (!entry_cursor_next(&cursor, &entry)) {
        ++*returned;
        count += (entry.flags & with) == with && !(entry.flags & without);
    }
    entry_cursor_release(&cursor);
    return count;
}

/* The UIDs that a view shows as seen, of those changed after `since`, as "1:3,7". */
static const char *seen(struct fixture *f, struct store_view *view, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct range_set uids;
    uint32_t unseen = 0, first = 0, told, returned;
    int error;
    range_set_init(&uids, 10000);
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 0, 0);
    while (!(error = entry_cursor_next(&cursor, &entry))) {
        if (entry.flags & ENTRY_SEEN)
            assert_int_equal(range_set_add(&uids, entry.uid, entry.uid), 0);
        else if (!unseen++)
            first = entry.uid;
    }
    assert_int_equal(error, ERROR_NOT_FOUND);
    entry_cursor_release(&cursor);
    assert_int_equal(mailbox_snapshot_collection(snapshot)->unseen, unseen);
    assert_int_equal(mailbox_first_unseen(snapshot, &told), 0);
    assert_int_equal(told, first);
    assert_int_equal(count_by_passing(snapshot, 0, ENTRY_SEEN, &returned), unseen);
    assert_int_equal(count_by_passing(snapshot, ENTRY_SEEN, 0, &returned),
                     mailbox_snapshot_collection(snapshot)->messages - unseen);
    mailbox_snapshot_close(&snapshot);

    struct collection found, *list;
    size_t count;
    assert_int_equal(collection_get(view, mailbox, &f->arena, &found), 0);
    assert_int_equal(found.unseen, unseen);
    assert_int_equal(collection_list(view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        if (list[i].id == mailbox)
            assert_int_equal(list[i].unseen, unseen);
    const char *text = set_text(f, &uids);
    range_set_release(&uids);
    return text;
}

/* The UIDs of entries changed after a modseq, as a view sees them. */
static const char *changed(struct fixture *f, struct store_view *view, collection_id mailbox,
                           uint64_t since)
{
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct range_set uids;
    range_set_init(&uids, 10000);
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 0, since);
    while (!entry_cursor_next(&cursor, &entry)) {
        assert_true(entry.modseq > since);
        assert_int_equal(range_set_add(&uids, entry.uid, entry.uid), 0);
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    const char *text = set_text(f, &uids);
    range_set_release(&uids);
    return text;
}

static uint64_t modseq_of(struct fixture *f, collection_id mailbox)
{
    return read_mailbox(f, mailbox).highest_modseq;
}

static void copy(struct store_view *view, collection_id from, uint32_t first, uint32_t last,
                 collection_id to, bool move)
{
    struct range_set uids = set_of(first, last);
    struct copy_result result;
    range_set_init(&result.from, 10000);
    range_set_init(&result.to, 10000);
    assert_int_equal(mailbox_copy(view, from, &uids, to, move, &result), 0);
    range_set_release(&result.from);
    range_set_release(&result.to);
    range_set_release(&uids);
}

static void expunge(struct store_view *view, collection_id mailbox, uint32_t first, uint32_t last)
{
    struct range_set uids = set_of(first, last), expunged;
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    range_set_init(&expunged, 10000);
    assert_int_equal(mailbox_change_flags(view, mailbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(view, mailbox, &uids, &expunged, &modseq), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

/* --- each has its own --- */

static void test_own(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 500);
    struct store_view *bob = make_reader(f, "bob", box), *carol = make_reader(f, "carol", box);
    assert_string_equal(seen(f, bob, box), "");
    mark(f->view, box, 1, 3, true);
    mark(bob, box, 2, 300, true);
    mark(bob, box, 100, 101, false);
    mark(carol, box, 500, 500, true);
    assert_string_equal(seen(f, f->view, box), "1:3");
    assert_string_equal(seen(f, bob, box), "2:99,102:300");
    assert_string_equal(seen(f, carol, box), "500");
    check_account(f);

    /* Another flag of the same change is everybody's. */
    struct range_set uids = set_of(400, 401);
    uint64_t modseq;
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_SEEN | ENTRY_FLAGGED, .unchanged_since = UINT64_MAX};
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, NULL), 0);
    assert_string_equal(seen(f, bob, box), "2:99,102:300,400:401");
    assert_string_equal(seen(f, f->view, box), "1:3");
    assert_string_equal(changed(f, f->view, box, modseq - 1), "400:401");
    change = (struct flag_change){.operation = FLAGS_REPLACE, .unchanged_since = UINT64_MAX};
    range_set_release(&uids);
    uids = set_of(1, 200);
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, NULL), 0);
    assert_string_equal(seen(f, bob, box), "201:300,400:401");
    assert_string_equal(seen(f, f->view, box), "1:3");
    range_set_release(&uids);
    store_view_close(&bob);
    store_view_close(&carol);
    check_account(f);
}

/* Without s nothing of it can be set; the anonymous have nothing that could be kept. */
static void expect_passed(struct store_view *view, collection_id mailbox, uint32_t with,
                          uint32_t without, uint32_t wanted, uint32_t expected)
{
    struct mailbox_snapshot *snapshot;
    uint32_t returned;
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    assert_int_equal(count_by_passing(snapshot, with, without, &returned), wanted);
    assert_int_equal(returned, expected);
    mailbox_snapshot_close(&snapshot);
}

/* Pages of 144 entries each: what their counts say that they do not have is not read. */
static void test_passed_pages(void **state)
{
    struct fixture *f = *state;
    enum { PAGE = 144, ALL = 5 * PAGE };
    collection_id box = make_mailbox(f, "Box");
    struct store_view *bob = make_reader(f, "bob", box);
    append_many(f, box, ALL);
    expect_passed(f->view, box, 0, ENTRY_SEEN, ALL, ALL);
    expect_passed(f->view, box, ENTRY_SEEN, 0, 0, 0);
    expect_passed(f->view, box, ENTRY_DELETED, 0, 0, 0);
    mark(f->view, box, 1, ALL, true);
    mark(f->view, box, PAGE + 7, PAGE + 7, false);
    mark(bob, box, 1, 3 * PAGE, true);
    expect_passed(f->view, box, 0, ENTRY_SEEN, 1, PAGE);
    expect_passed(f->view, box, ENTRY_SEEN, 0, ALL - 1, ALL);
    expect_passed(f->view, box, ENTRY_SEEN, ENTRY_SEEN, 0, PAGE);
    expect_passed(f->view, box, ENTRY_DELETED, ENTRY_SEEN, 0, 0);
    expect_passed(bob, box, 0, ENTRY_SEEN, 2 * PAGE, 2 * PAGE);
    expect_passed(bob, box, ENTRY_SEEN, 0, 3 * PAGE, ALL);
    struct range_set uids = set_of(1, PAGE + 1);
    const struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    assert_int_equal(mailbox_change_flags(f->view, box, &uids, &change, &modseq, NULL), 0);
    expect_passed(f->view, box, ENTRY_DELETED, 0, PAGE + 1, 2 * PAGE);
    expect_passed(f->view, box, 0, ENTRY_DELETED, ALL - PAGE - 1, ALL - PAGE);
    expect_passed(f->view, box, ENTRY_FLAGGED, 0, 0, ALL); /* is not counted */
    range_set_release(&uids);
    store_view_close(&bob);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 3);
    struct store_view *bob = make_reader(f, "bob", box), *anonymous = NULL;
    struct range_set uids = set_of(1, 3);
    uint64_t modseq;
    struct flag_change change = {FLAGS_ADD, ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    mark(bob, box, 1, 1, true);
    assert_int_equal(acl_set(f->view, box, SLICE("bob"), ACL_REMOVE, RIGHT_SEEN), 0);
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, NULL), ERROR_DENIED);
    assert_string_equal(seen(f, bob, box), "1");
    assert_int_equal(acl_set(f->view, box, SLICE("anonymous"), ACL_ADD, RIGHT_ALL), 0);
    assert_int_equal(
        store_view_open(f->store, (struct who){.kind = WHO_KIND_ANONYMOUS}, f->alice, &anonymous),
        0);
    mark(f->view, box, 2, 2, true);
    assert_string_equal(seen(f, anonymous, box), "");
    assert_int_equal(mailbox_change_flags(anonymous, box, &uids, &change, &modseq, NULL),
                     ERROR_DENIED);
    assert_string_equal(seen(f, f->view, box), "2");
    range_set_release(&uids);
    store_view_close(&bob);
    store_view_close(&anonymous);
    check_account(f);
}

static void test_modseqs(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 600);
    struct store_view *bob = make_reader(f, "bob", box), *carol = make_reader(f, "carol", box);
    uint64_t start;
    assert_int_equal(store_modseq(f->view, &start), 0);
    mark(bob, box, 150, 150, true);
    mark(bob, box, 500, 510, true);
    assert_string_equal(changed(f, bob, box, start), "150,500:510");
    assert_string_equal(changed(f, f->view, box, start), "");
    assert_string_equal(changed(f, carol, box, start), "");
    assert_string_equal(changed(f, bob, box, start + 1), "500:510");
    assert_int_equal(modseq_of(f, box), start + 2);

    /* Marked again as it was: nothing has changed. */
    mark(bob, box, 500, 510, true);
    assert_int_equal(modseq_of(f, box), start + 2);

    /* unchanged_since goes by what bob sees. */
    struct range_set uids = set_of(149, 151), failed;
    struct flag_change change = {FLAGS_REMOVE, ENTRY_SEEN, .unchanged_since = start};
    uint64_t modseq;
    range_set_init(&failed, 100);
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, &failed), 0);
    assert_string_equal(set_text(f, &failed), "150");
    assert_string_equal(seen(f, bob, box), "150,500:510");
    range_set_release(&uids);
    range_set_release(&failed);

    /* The change log tells bob of it, and nobody else. */
    struct store_view *const views[] = {bob, carol};
    for (size_t i = 0; i < 2; i++) {
        struct changes_cursor cursor;
        struct changed *list;
        size_t count;
        bool more;
        assert_int_equal(store_changes_now(views[i], &cursor), 0);
        mark(bob, box, 7, 7, i == 0);
        assert_int_equal(
            store_changes(views[i], &cursor, CHANGES_EMAILS, 10, &f->arena, &list, &count, &more),
            0);
        assert_int_equal(count, i == 0);
        if (count)
            assert_int_equal(list[0].action, CHANGE_UPDATED);
    }
    store_view_close(&bob);
    store_view_close(&carol);
    check_account(f);
}

static void test_append(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    struct store_view *bob = make_reader(f, "bob", box), *own = f->view;
    append_text(f, box, "one", ENTRY_SEEN);
    f->view = bob;
    append_text(f, box, "two", ENTRY_SEEN);
    append_text(f, box, "three", 0);
    f->view = own;
    assert_string_equal(seen(f, bob, box), "2");
    assert_string_equal(seen(f, own, box), "1");
    store_view_close(&bob);
    check_account(f);
}

/* --- with what becomes of messages --- */

static void test_expunge_and_restore(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 400);
    struct store_view *bob = make_reader(f, "bob", box);
    mark(bob, box, 100, 299, true);
    mark(f->view, box, 1, 100, true);
    expunge(f->view, box, 90, 109);
    expunge(bob, box, 250, 350);
    assert_string_equal(seen(f, bob, box), "110:249");
    check_account(f);
    struct retained_filter filter = {0};
    struct copy_result result;
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    assert_int_equal(retained_restore(f->view, box, &filter, 0, &result), 0);
    assert_string_equal(set_text(f, &result.from), "90:109,250:350");
    assert_string_equal(set_text(f, &result.to), "401:521");
    assert_string_equal(seen(f, bob, box), "110:249,411:470");
    assert_string_equal(seen(f, f->view, box), "1:89,401:411");
    range_set_release(&result.from);
    range_set_release(&result.to);
    store_view_close(&bob);
    check_account(f);
}

static void test_copy_and_move(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box"), other = make_mailbox(f, "Other");
    append_many(f, box, 10);
    struct store_view *bob = make_reader(f, "bob", box), *carol = make_reader(f, "carol", box);
    assert_int_equal(acl_set(f->view, other, SLICE("bob"), ACL_ADD, RIGHT_ALL), 0);
    assert_int_equal(acl_set(f->view, other, SLICE("carol"), ACL_ADD, RIGHT_ALL), 0);
    mark(f->view, box, 1, 2, true);
    mark(bob, box, 2, 4, true);
    mark(carol, box, 4, 6, true);
    /* Who copies takes along what it has seen, and what the owner has. */
    copy(bob, box, 1, 5, other, false);
    assert_string_equal(seen(f, f->view, other), "1:2");
    assert_string_equal(seen(f, bob, other), "2:4");
    assert_string_equal(seen(f, carol, other), "");
    /* What moves stays what it was, to everybody. */
    copy(carol, box, 2, 6, other, true);
    assert_string_equal(seen(f, f->view, other), "1:2,6");
    assert_string_equal(seen(f, bob, other), "2:4,6:8");
    assert_string_equal(seen(f, carol, other), "8:10");
    assert_string_equal(seen(f, bob, box), "");
    check_account(f);
    /* Within the mailbox, too; and without s the copy is unseen. */
    copy(f->view, other, 1, 6, other, true);
    assert_string_equal(seen(f, bob, other), "7:8,12:14,16");
    assert_int_equal(acl_set(f->view, other, SLICE("bob"), ACL_REMOVE, RIGHT_SEEN), 0);
    copy(bob, other, 7, 8, other, false);
    assert_string_equal(seen(f, bob, other), "7:8,12:14,16");
    store_view_close(&bob);
    store_view_close(&carol);
    check_account(f);
}

static void test_renamed_inbox(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 300);
    struct store_view *bob = make_reader(f, "bob", inbox);
    mark(bob, inbox, 10, 200, true);
    assert_int_equal(collection_rename(f->view, inbox, SLICE("Old")), 0);
    collection_id old = find_mailbox(f, "Old");
    assert_int_equal(acl_set(f->view, old, SLICE("bob"), ACL_ADD, RIGHT_ALL), 0);
    assert_string_equal(seen(f, bob, old), "10:200");
    assert_string_equal(seen(f, bob, inbox), "");
    store_view_close(&bob);
    check_account(f);
}

/* A parent that comes late makes two threads one: the messages of the smaller get other UIDs. */
static void test_merged_threads(void **state)
{
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    static const char *const texts[] = {
        "Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: s\r\n\r\n",
        "Message-ID: <c@x>\r\nReferences: <b@x>\r\nSubject: s\r\n\r\n",
        "Message-ID: <e@x>\r\nReferences: <d@x>\r\nSubject: s\r\n\r\n",
        "Message-ID: <d@x>\r\nReferences: <c@x>\r\nSubject: s\r\n\r\n",
    };
    struct store_view *bob = make_reader(f, "bob", box);
    for (int i = 0; i < 3; i++)
        append_text(f, box, texts[i], 0);
    mark(bob, box, 3, 3, true);
    append_text(f, box, texts[3], 0);
    assert_string_equal(uids_text(f, box), "1:2,4:5");
    assert_int_equal(seen(f, bob, box)[0], '4');
    store_view_close(&bob);
    check_account(f);
}

static void test_deleted_collections(void **state)
{
    struct fixture *f = *state;
    struct slice path;
    struct purge_result result;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 10);
    struct store_view *bob = make_reader(f, "bob", box);
    mark(bob, box, 4, 6, true);
    assert_int_equal(collection_delete(f->view, box), 0);
    check_account(f);
    assert_int_equal(retained_restore_collection(f->view, box, SLICE(""), &f->arena, &path), 0);
    assert_string_equal(seen(f, bob, box), "4:6");
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_int_equal(
        store_purge(f->store, WHO_SYSTEM, f->alice, f->now + 100 * 24 * 60 * 60, &result), 0);
    store_view_close(&bob);
    check_account(f);
}

/* --- a record with too much in it --- */

static void test_too_many_ranges(void **state)
{
    enum { MESSAGES = 2 * 32768 + 10 };
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 10);
    while (read_mailbox(f, box).messages < MESSAGES)
        copy(f->view, box, 1, MESSAGES - read_mailbox(f, box).messages, box, false);
    struct store_view *bob = make_reader(f, "bob", box);
    struct range_set uids;
    struct flag_change change = {FLAGS_ADD, ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    range_set_init(&uids, MESSAGES);
    for (uint32_t uid = 2; uid <= MESSAGES; uid += 2)
        assert_int_equal(range_set_add(&uids, uid, uid), 0);
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, NULL), ERROR_LIMIT);
    /* Many neighbours that were marked at different times become one. */
    for (uint32_t uid = 1; uid <= 200; uid++)
        mark(bob, box, uid, uid, true);
    assert_int_equal(range_set_remove(&uids, 1, 210), 0);
    assert_int_equal(range_set_remove(&uids, MESSAGES - 100, MESSAGES), 0);
    assert_int_equal(mailbox_change_flags(bob, box, &uids, &change, &modseq, NULL), 0);
    check_account(f);
    range_set_release(&uids);
    store_view_close(&bob);
}

/* --- a check --- */

static int miscount(struct kv_transaction *transaction, void *arg)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    char name[KV_KEY_MAXIMUM], bytes[1024];
    (void)arg;
    assert_int_equal(kv_cursor_open(transaction, SLICE("r"), SLICE(""), &cursor), 0);
    assert_int_equal(kv_cursor_next(cursor, &key, &value), 0);
    memcpy(name, key.data, key.size);
    memcpy(bytes, value.data, value.size);
    size_t key_size = key.size, size = value.size;
    kv_cursor_close(&cursor);
    bytes[1]++; /* the lowest byte of the count */
    return kv_put(transaction, slice_make(name, key_size), slice_make(bytes, size));
}

static void note_finding(enum check_finding finding, const char *text, void *arg)
{
    (void)finding;
    snprintf(arg, 256, "%s", text);
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    char space[64], id[ACCOUNT_ID_TEXT + 1], text[256] = "";
    struct kv *kv;
    collection_id box = make_mailbox(f, "Box");
    append_many(f, box, 10);
    struct store_view *bob = make_reader(f, "bob", box);
    mark(bob, box, 4, 6, true);
    account_id_format(f->alice, id);
    snprintf(space, sizeof(space), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, space, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_DURABLE, miscount, NULL), 0);
    kv_close(&kv);
    struct check_options options = {.repair = true, .report = note_finding, .arg = text};
    struct check_result result;
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    assert_int_equal(result.repaired, 1);
    assert_string_equal(text, "Box: what another has seen is counted wrongly");
    assert_string_equal(seen(f, bob, box), "4:6");
    store_view_close(&bob);
    check_account(f);
}

/* --- against a model --- */

enum { MODEL_UIDS = 2000, MODEL_READERS = 3, MODEL_STEPS = 400 };

struct model {
    bool there[MODEL_UIDS];
    bool seen[MODEL_READERS][MODEL_UIDS];
    uint32_t next;
};

static void compare(struct fixture *f, struct store_view *const views[], const struct model *model,
                    collection_id box)
{
    for (int reader = 0; reader < MODEL_READERS; reader++) {
        struct range_set wanted;
        char text[4096];
        range_set_init(&wanted, MODEL_UIDS);
        for (uint32_t uid = 1; uid < model->next; uid++)
            if (model->there[uid] && model->seen[reader][uid])
                assert_int_equal(range_set_add(&wanted, uid, uid), 0);
        snprintf(text, sizeof(text), "%s", set_text(f, &wanted));
        assert_string_equal(seen(f, views[reader], box), text);
        range_set_release(&wanted);
    }
}

static void test_model(void **state)
{
    struct fixture *f = *state;
    static struct model model;
    unsigned seed = 20260101;
    collection_id box = make_mailbox(f, "Box");
    model = (struct model){.next = 1};
    struct store_view *views[MODEL_READERS] = {f->view, make_reader(f, "bob", box),
                                               make_reader(f, "carol", box)};
    for (int step = 0; step < MODEL_STEPS; step++) {
        int reader = rand_r(&seed) % MODEL_READERS, what = rand_r(&seed) % 10;
        uint32_t last = model.next > 1 ? model.next - 1 : 1;
        uint32_t a = 1 + (uint32_t)rand_r(&seed) % last, b = a + (uint32_t)rand_r(&seed) % 40;
        if (what == 0 && model.next + 20 < MODEL_UIDS) {
            append_many(f, box, 20);
            for (int i = 0; i < 20; i++)
                model.there[model.next++] = true;
        } else if (what == 1) {
            expunge(views[reader], box, a, a + 3);
            for (uint32_t uid = a; uid <= a + 3 && uid < MODEL_UIDS; uid++)
                model.there[uid] = false;
        } else if (what == 2 && model.next + 5 < MODEL_UIDS) {
            copy(views[reader], box, a, a + 4, box, true);
            for (uint32_t uid = a; uid <= a + 4 && uid <= last; uid++) {
                if (!model.there[uid])
                    continue;
                model.there[uid] = false;
                for (int i = 0; i < MODEL_READERS; i++)
                    model.seen[i][model.next] = model.seen[i][uid];
                model.there[model.next++] = true;
            }
        } else if (what > 2) {
            bool is_seen = rand_r(&seed) % 3;
            mark(views[reader], box, a, b, is_seen);
            for (uint32_t uid = a; uid <= b && uid <= last; uid++)
                model.seen[reader][uid] = model.there[uid] && is_seen;
        }
        if (step % 20 == 0)
            compare(f, views, &model, box);
        arena_clear(&f->arena);
    }
    compare(f, views, &model, box);
    for (int i = 1; i < MODEL_READERS; i++)
        store_view_close(&views[i]);
    check_account(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_own),
        ON_BOTH(test_passed_pages),
        ON_BOTH(test_rights),
        ON_BOTH(test_modseqs),
        ON_BOTH(test_append),
        ON_BOTH(test_expunge_and_restore),
        ON_BOTH(test_copy_and_move),
        ON_BOTH(test_renamed_inbox),
        ON_BOTH(test_merged_threads),
        ON_BOTH(test_deleted_collections),
        cmocka_unit_test_setup_teardown(test_too_many_ranges, set_up_memory, tear_down),
        ON_BOTH(test_check),
        ON_BOTH(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
