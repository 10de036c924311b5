/*
 * Settling and reclaiming: nobody sees a difference, whatever happens at the same time.
 */
#include "base/counters.h"
#include "kv/kv.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store_test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MESSAGES = 1200, FRAME = 128 * 1024 };

static const char *space_of(struct fixture *f)
{
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    return arena_string(&f->arena, slice_from_string(name));
}

/* Bodies in the account's own key space. */
static unsigned count_inline(struct fixture *f)
{
    struct kv *kv;
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key, value;
    unsigned count = 0;
    assert_int_equal(kv_open(f->kv, space_of(f), 0, &kv), 0);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE("b"), SLICE(""), &cursor), 0);
    while (!kv_cursor_next(cursor, &key, &value))
        count++;
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    kv_close(&kv);
    return count;
}

static struct settle_result settle(struct fixture *f)
{
    struct settle_result result = {0};
    assert_int_equal(store_settle(f->store, WHO_SYSTEM, f->alice, NULL, &result), 0);
    return result;
}

/* Every message's bytes, one behind the other. */
static void read_all(struct fixture *f, collection_id mailbox, struct buffer *all)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry;
    buffer_init(all, 64 * 1024 * 1024);
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry))
        assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, all), 0);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
}

static void test_nobody_sees_it(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct buffer before, after;
    append_many(f, inbox, MESSAGES);
    append_text(f, inbox, "", 0); /* even an empty one */
    uint64_t modseq = read_mailbox(f, inbox).highest_modseq;
    read_all(f, inbox, &before);
    struct settle_result result = settle(f);
    assert_int_equal(result.messages, MESSAGES + 1);
    assert_int_equal(result.bytes, before.size);
    assert_int_equal(count_inline(f), 0);
    assert_true(read_mailbox(f, inbox).highest_modseq == modseq);
    read_all(f, inbox, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    assert_int_equal(settle(f).messages, 0);
    check_account(f);
    /* One that comes again is found by its hash, and one that is new is new. */
    append_many(f, inbox, 2);
    assert_int_equal(count_inline(f), 0);
    append_text(f, inbox, "Subject: new\r\n\r\n", 0);
    assert_int_equal(count_inline(f), 1);
    assert_true(read_mailbox(f, inbox).highest_modseq == modseq + 3);
    buffer_release(&before);
    buffer_release(&after);
    check_account(f);
}

/* A snapshot that was opened before sees the bodies where they were. */
static void test_snapshot_reads_on(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer bytes;
    buffer_init(&bytes, 1024 * 1024);
    append_many(f, inbox, 3);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(settle(f).messages, 3);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry))
        assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    assert_non_null(strstr(bytes.data, "Text 2"));
    buffer_release(&bytes);
}

static void assert_part(struct mailbox_snapshot *snapshot, const struct entry *entry,
                        uint64_t offset, size_t size, struct slice expected)
{
    struct buffer bytes;
    buffer_init(&bytes, 1024 * 1024);
    assert_int_equal(mailbox_message(snapshot, entry, offset, size, &bytes), 0);
    assert_true(slice_equal(buffer_slice(&bytes), expected));
    buffer_release(&bytes);
}

/* What is read ahead for who reads in order is not taken for what another asks for. */
static void test_any_order(void **state)
{
    enum { COUNT = 200 };
    static const int strides[] = {1, 2, 16, 17, 40, -1, -16};
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entries[COUNT];
    struct buffer bytes[COUNT];
    append_many(f, inbox, COUNT);
    settle(f);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(entry_cursor_next(&cursor, &entries[i]), 0);
        buffer_init(&bytes[i], 1024 * 1024);
        assert_int_equal(mailbox_message(snapshot, &entries[i], 0, SIZE_MAX, &bytes[i]), 0);
    }
    entry_cursor_release(&cursor);
    for (size_t s = 0; s < sizeof(strides) / sizeof(strides[0]); s++)
        for (int i = strides[s] > 0 ? 0 : COUNT - 1; i >= 0 && i < COUNT; i += strides[s])
            assert_part(snapshot, &entries[i], 0, SIZE_MAX, buffer_slice(&bytes[i]));
    mailbox_snapshot_close(&snapshot);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(bytes[i].size, entries[i].size);
        buffer_release(&bytes[i]);
    }
}

/* However it is cut into pieces, each block is read once. */
static void assert_pieces(struct mailbox_snapshot *snapshot, const struct entry *entry,
                          struct slice expected)
{
    static const size_t pieces[] = {64 * 1024, 100 * 1000, 128 * 1024, 200 * 1000, SIZE_MAX};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        int64_t before = counters_sum(COUNTER_BLOB_FRAMES_READ);
        for (size_t at = 0; at < expected.size; at += pieces[i])
            assert_part(snapshot, entry, at, pieces[i], slice_sub(expected, at, pieces[i]));
        int64_t frames = counters_sum(COUNTER_BLOB_FRAMES_READ) - before;
        assert_in_range(frames, 0, (expected.size + FRAME - 1) / FRAME);
    }
}

/* Parts of a message, one after the other, are read once. */
static void test_parts(void **state)
{
    static const size_t sizes[] = {100, 20000, FRAME, FRAME + 1, 300 * 1024, 4 * FRAME};
    struct fixture *f = *state;
    collection_id box = make_mailbox(f, "Box");
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    char *text = malloc(4 * FRAME + 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(text, 'a' + (int)i, sizes[i]);
        memcpy(text, "A: b\r\n\r\n", 8);
        text[sizes[i]] = '\0';
        append_text(f, box, text, 0);
    }
    settle(f);
    assert_int_equal(mailbox_snapshot_open(f->view, box, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
        assert_int_equal(entry.size, sizes[i]);
        memset(text, 'a' + (int)i, sizes[i]);
        memcpy(text, "A: b\r\n\r\n", 8);
        struct slice whole = slice_make(text, sizes[i]);
        int64_t before = counters_sum(COUNTER_BLOB_FRAMES_READ);
        assert_part(snapshot, &entry, 0, 8, slice_sub(whole, 0, 8));
        assert_part(snapshot, &entry, 0, SIZE_MAX, whole);
        assert_part(snapshot, &entry, sizes[i] - 10, 100, slice_sub(whole, sizes[i] - 10, 100));
        assert_part(snapshot, &entry, 50, 7, slice_sub(whole, 50, 7));
        assert_part(snapshot, &entry, sizes[i], 7, SLICE(""));
        int64_t frames = counters_sum(COUNTER_BLOB_FRAMES_READ) - before;
        if (sizes[i] <= FRAME)
            assert_in_range(frames, 0, 1);
        assert_pieces(snapshot, &entry, whole);
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    free(text);
}

static void test_rights_and_stop(void **state)
{
    struct fixture *f = *state;
    struct settle_result result = {7, 7};
    atomic_bool stop = true;
    append_many(f, find_mailbox(f, "INBOX"), MESSAGES);
    assert_int_equal(store_settle(f->store, who_account(f->alice), f->alice, NULL, &result),
                     ERROR_DENIED);
    assert_int_equal(store_reclaim(f->store, who_account(f->alice), f->alice, false), ERROR_DENIED);
    assert_int_equal(store_settle(f->store, WHO_SYSTEM, (struct account_id){{1}}, NULL, &result),
                     ERROR_NOT_FOUND);
    assert_int_equal(result.messages, 7);
    /* What it has begun it finishes. */
    assert_int_equal(store_settle(f->store, WHO_SYSTEM, f->alice, &stop, &result), 0);
    assert_int_equal(result.messages, SETTLE_MESSAGES);
    check_account(f);
}

/* What is in between the reading of a body and the change of its record: other stores on the same
 * files, as other processes are. */
static void test_two_at_once(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, MESSAGES);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fixture own = {.alice = f->alice};
        struct settle_result result;
        memcpy(own.directory, f->directory, sizeof(own.directory));
        struct store_options options = {.open_accounts = 4, .default_domain = "example.test"};
        if (kv_sqlite_create(own.directory, &options.kv) ||
            blob_pack_create(own.directory, &options.blob) || store_open(&options, &own.store) ||
            store_settle(own.store, WHO_SYSTEM, own.alice, NULL, &result))
            _exit(1);
        _exit(0);
    }
    settle(f);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(count_inline(f), 0);
    check_account(f);
}

/* --- reclaiming --- */

static uint64_t packs_size(struct fixture *f, bool age)
{
    char path[256];
    uint64_t size = 0;
    snprintf(path, sizeof(path), "%s/%s.packs", f->directory, space_of(f));
    DIR *folder = opendir(path);
    const struct dirent *entry;
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        struct stat status;
        struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
        if (entry->d_name[0] == '.' || fstatat(dirfd(folder), entry->d_name, &status, 0))
            continue;
        if (age)
            assert_int_equal(utimensat(dirfd(folder), entry->d_name, old, 0), 0);
        size += (uint64_t)status.st_size;
    }
    closedir(folder);
    return size;
}

static int64_t later(void)
{
    return INT64_C(1) << 40;
}

/* Expunges all but each tenth, for good. */
static void remove_most(struct fixture *f, collection_id inbox)
{
    struct range_set uids, expunged;
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    struct purge_result purged;
    uint64_t modseq;
    range_set_init(&uids, 100000);
    range_set_init(&expunged, 100000);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        if (uid % 10)
            assert_int_equal(range_set_add(&uids, uid, uid), 0);
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, inbox, NULL, &expunged, &modseq), 0);
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, later(), &purged), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

static void test_reclaim(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct buffer before, after;
    append_many(f, inbox, MESSAGES);
    settle(f);
    uint64_t full = packs_size(f, false);
    remove_most(f, inbox);
    read_all(f, inbox, &before);
    packs_size(f, true);
    assert_int_equal(store_reclaim(f->store, WHO_SYSTEM, f->alice, false), 0);
    check_account(f);
    packs_size(f, true);
    assert_int_equal(store_reclaim(f->store, WHO_SYSTEM, f->alice, true), 0);
    assert_true(packs_size(f, false) < full / 4);
    read_all(f, inbox, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    buffer_release(&before);
    buffer_release(&after);
    check_account(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_nobody_sees_it),
        ON_BOTH(test_snapshot_reads_on),
        ON_BOTH(test_parts),
        ON_BOTH(test_rights_and_stop),
        cmocka_unit_test_setup_teardown(test_any_order, set_up_sqlite, tear_down),
        cmocka_unit_test_setup_teardown(test_two_at_once, set_up_sqlite, tear_down),
        cmocka_unit_test_setup_teardown(test_reclaim, set_up_sqlite, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
