/*
 * Several messages in one transaction (RFC 3502), and a message in place of another (RFC 8508).
 */
#include "store/changes.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store_test.h"

#include <stdlib.h>

enum { MANY = 5 };

static void prepare(struct append *append, const char *text)
{
    *append = (struct append){.internal_date = 1000000000};
    assert_int_equal(prepared_message_create(slice_from_string(text), &append->message), 0);
}

static void prepare_many(struct append *appends)
{
    static const char *const texts[MANY] = {"Subject: 0\r\n\r\n", "Subject: 1\r\n\r\n",
                                            "Subject: 2\r\n\r\n", "Subject: 3\r\n\r\n",
                                            "Subject: 4\r\n\r\n"};
    for (size_t i = 0; i < MANY; i++) {
        prepare(&appends[i], texts[i]);
        appends[i].flags = i % 2 ? ENTRY_SEEN : 0;
    }
}

static void free_many(struct append *appends)
{
    for (size_t i = 0; i < MANY; i++)
        prepared_message_free(&appends[i].message);
}

static void set_limit(struct fixture *f, enum quota_resource resource, uint64_t limit)
{
    struct store_view *system;
    uint64_t limits[QUOTA_RESOURCES] = {0};
    limits[resource] = limit;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    assert_int_equal(quota_set(system, 1U << resource, limits), 0);
    store_view_close(&system);
}

static void test_several(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append appends[MANY];
    struct append_result result;
    uint64_t before, after;
    append_text(f, inbox, "A: b\r\n\r\n", 0);
    prepare_many(appends);
    assert_int_equal(store_modseq(f->view, &before), 0);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, MANY, &result), 0);
    assert_int_equal(store_modseq(f->view, &after), 0);
    assert_int_equal(after, before + 1);
    assert_int_equal(result.modseq, after);
    assert_int_equal(result.uid, 2);
    assert_int_equal(result.uid_validity, read_mailbox(f, inbox).uid_validity);
    assert_string_equal(uids_text(f, inbox), "1:6");
    assert_int_equal(read_mailbox(f, inbox).unseen, 4);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, 0, &result), ERROR_INVALID);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, APPENDS_MAXIMUM + 1, &result),
                     ERROR_LIMIT);
    assert_int_equal(mailbox_append_all(f->view, 999, appends, MANY, &result), ERROR_NOT_FOUND);
    free_many(appends);
    reopen(f);
    assert_string_equal(uids_text(f, inbox), "1:6");
    check_account(f);
}

/* RFC 3502: the mailbox is as it was when one of them cannot be stored. */
static void test_all_or_none(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct slice wrong = SLICE(""); /* no keyword */
    struct append appends[MANY];
    struct append_result result = {.uid = 77};
    prepare_many(appends);
    appends[MANY - 1].keywords = &wrong;
    appends[MANY - 1].keyword_count = 1;
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, MANY, &result), ERROR_SYNTAX);
    appends[MANY - 1].keyword_count = 0;
    set_limit(f, QUOTA_MESSAGE, MANY - 1);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, MANY, &result), ERROR_QUOTA);
    assert_int_equal(result.uid, 77);
    assert_int_equal(read_mailbox(f, inbox).messages, 0);
    assert_int_equal(read_mailbox(f, inbox).uid_next, 1);
    set_limit(f, QUOTA_MESSAGE, MANY);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, MANY, &result), 0);
    free_many(appends);
    check_account(f);
}

/* Large ones lie in blobs, as small ones do that would make the transaction too large. */
static void test_large(void **state)
{
    enum { BODY = MESSAGE_INLINE_MAXIMUM - 10, COUNT = 20 };
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append appends[COUNT] = {0};
    struct append_result result;
    char *texts[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i == 3 ? 2 * BODY : BODY;
        texts[i] = malloc(size);
        memset(texts[i], 'a' + (int)(i == 5 ? 4 : i), size); /* two are equal */
        memcpy(texts[i], "A: b\r\n\r\n", 8);
        assert_int_equal(prepared_message_create(slice_make(texts[i], size), &appends[i].message),
                         0);
    }
    set_limit(f, QUOTA_STORAGE, (uint64_t)COUNT * BODY);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, COUNT, &result), ERROR_QUOTA);
    set_limit(f, QUOTA_STORAGE, 0);
    assert_int_equal(mailbox_append_all(f->view, inbox, appends, COUNT, &result), 0);
    reopen(f);
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer bytes;
    buffer_init(&bytes, 1024 * 1024);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
        buffer_clear(&bytes);
        assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
        assert_true(slice_equal(buffer_slice(&bytes), slice_make(texts[i], (size_t)entry.size)));
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&bytes);
    for (size_t i = 0; i < COUNT; i++) {
        prepared_message_free(&appends[i].message);
        free(texts[i]);
    }
    check_account(f);
}

/* --- RFC 8508 --- */

static void test_replace(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct append append;
    struct append_result result;
    append_many(f, inbox, 3);
    prepare(&append, "Subject: new\r\n\r\n");
    assert_int_equal(mailbox_replace(f->view, inbox, 2, inbox, &append, &result), 0);
    assert_int_equal(result.uid, 4);
    assert_string_equal(uids_text(f, inbox), "1,3:4");
    assert_int_equal(mailbox_replace(f->view, inbox, 4, box, &append, &result), 0);
    assert_int_equal(result.uid, 1);
    assert_int_equal(result.uid_validity, read_mailbox(f, box).uid_validity);
    assert_string_equal(uids_text(f, inbox), "1,3");
    assert_string_equal(uids_text(f, box), "1");
    prepared_message_free(&append.message);
    reopen(f);
    assert_string_equal(uids_text(f, inbox), "1,3");
    check_account(f);
}

/* As with an expunge, it is known to have vanished, and is kept for some time. */
static void test_replaced_is_expunged(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append append;
    struct append_result result;
    struct mailbox_snapshot *snapshot;
    struct range_set vanished;
    struct retained_filter filter = {0};
    struct retained_entry *list;
    size_t count;
    append_many(f, inbox, 2);
    uint64_t before = read_mailbox(f, inbox).highest_modseq;
    prepare(&append, "Subject: new\r\n\r\n");
    assert_int_equal(mailbox_replace(f->view, inbox, 1, inbox, &append, &result), 0);
    prepared_message_free(&append.message);
    range_set_init(&vanished, 10);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(mailbox_vanished(snapshot, before, &vanished), 0);
    mailbox_snapshot_close(&snapshot);
    assert_string_equal(set_text(f, &vanished), "1");
    range_set_release(&vanished);
    assert_int_equal(retained_entries(f->view, inbox, &filter, &f->arena, &list, &count), 0);
    assert_int_equal(count, 1);
    check_account(f);
}

static void test_replace_nothing(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append append;
    struct append_result result;
    append_many(f, inbox, 1);
    prepare(&append, "Subject: new\r\n\r\n");
    assert_int_equal(mailbox_replace(f->view, inbox, 2, inbox, &append, &result), ERROR_CONFLICT);
    assert_int_equal(mailbox_replace(f->view, inbox, 0, inbox, &append, &result), ERROR_INVALID);
    assert_int_equal(mailbox_replace(f->view, inbox, 1, 999, &append, &result), ERROR_NOT_FOUND);
    assert_int_equal(mailbox_replace(f->view, 999, 1, inbox, &append, &result), ERROR_NOT_FOUND);
    prepared_message_free(&append.message);
    assert_string_equal(uids_text(f, inbox), "1");
    check_account(f);
}

/* RFC 8508 section 3.4: only the difference counts. */
static void test_replace_quota(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append append;
    struct append_result result;
    append_text(f, inbox, "Subject: 123456\r\n\r\n", 0);
    set_limit(f, QUOTA_STORAGE, 20);
    prepare(&append, "Subject: 1234567\r\n\r\n");
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), ERROR_QUOTA);
    assert_int_equal(mailbox_replace(f->view, inbox, 1, inbox, &append, &result), 0);
    prepared_message_free(&append.message);
    prepare(&append, "Subject: 123456789\r\n\r\n");
    assert_int_equal(mailbox_replace(f->view, inbox, 2, inbox, &append, &result), ERROR_QUOTA);
    prepared_message_free(&append.message);
    assert_string_equal(uids_text(f, inbox), "2");
    check_account(f);
}

/* The same message again: one of its entries goes, another comes. */
static void test_replace_with_itself(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct append append;
    struct append_result result;
    append_text(f, inbox, "Subject: same\r\n\r\n", ENTRY_FLAGGED);
    prepare(&append, "Subject: same\r\n\r\n");
    assert_int_equal(mailbox_replace(f->view, inbox, 1, inbox, &append, &result), 0);
    prepared_message_free(&append.message);
    assert_string_equal(uids_text(f, inbox), "2");
    check_account(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_several),
        ON_BOTH(test_all_or_none),
        ON_BOTH(test_large),
        ON_BOTH(test_replace),
        ON_BOTH(test_replaced_is_expunged),
        ON_BOTH(test_replace_nothing),
        ON_BOTH(test_replace_quota),
        ON_BOTH(test_replace_with_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
