#include "store/deliver.h"
#include "store/mailbox_priv.h"
#include "store/retained.h"
#include "store_test.h"

#include <stdlib.h>

static struct mailbox_snapshot *open_snapshot(struct fixture *f, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot = NULL;
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    return snapshot;
}

static struct entry entry_of(struct mailbox_snapshot *snapshot, uint32_t uid)
{
    struct entry_cursor cursor;
    struct entry entry = {0};
    entry_cursor_init(&cursor, snapshot, uid, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    entry_cursor_release(&cursor);
    assert_int_equal(entry.uid, uid);
    return entry;
}

/* --- storing --- */

static void test_append(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct slice words[] = {SLICE("$One"), SLICE("two"), SLICE("$one")};
    struct append append = {.prefix = SLICE("Return-Path: <x@example.org>\r\n"),
                            .flags = ENTRY_SEEN | ENTRY_DELETED | 64,
                            .keywords = words,
                            .keyword_count = 3,
                            .internal_date = -5};
    struct append_result result;
    struct slice text = SLICE("Subject: Hi\r\nFrom: a@example.org\r\n\r\nBody\r\n");
    assert_int_equal(prepared_message_create(text, &append.message), 0);
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), 0);
    assert_int_equal(result.uid, 1);
    assert_int_equal(result.uid_validity, read_mailbox(f, inbox).uid_validity);
    assert_int_equal(result.modseq, read_mailbox(f, inbox).highest_modseq);
    assert_int_equal(mailbox_append(f->view, 999, &append, &result), ERROR_NOT_FOUND);
    char long_prefix[MESSAGE_PREFIX_MAXIMUM + 1];
    memset(long_prefix, 'a', sizeof(long_prefix));
    append.prefix = slice_make(long_prefix, sizeof(long_prefix));
    assert_int_equal(mailbox_append(f->view, inbox, &append, &result), ERROR_LIMIT);
    prepared_message_free(&append.message);

    reopen(f);
    struct mailbox_snapshot *snapshot = open_snapshot(f, inbox);
    struct entry entry = entry_of(snapshot, 1);
    assert_int_equal(entry.flags, ENTRY_SEEN | ENTRY_DELETED);
    assert_int_equal(entry.keywords.bits[0], 3);
    assert_int_equal(entry.internal_date, -5);
    assert_true(entry.save_date > 1600000000);
    assert_int_equal(entry.size, text.size + 30);
    assert_int_equal(mailbox_snapshot_keywords(snapshot)->count, 2);
    assert_slice_equal(mailbox_snapshot_keywords(snapshot)->names[0], "$One");
    struct buffer bytes;
    struct summary summary;
    struct summary_part part;
    buffer_init(&bytes, 1024 * 1024);
    assert_int_equal(mailbox_message(snapshot, &entry, 0, 8, &bytes), 0);
    assert_int_equal(mailbox_message(snapshot, &entry, 30, 11, &bytes), 0);
    assert_int_equal(mailbox_message(snapshot, &entry, 10000, 11, &bytes), 0);
    assert_slice_equal(buffer_slice(&bytes), "Return-PSubject: Hi");
    assert_int_equal(mailbox_summary(snapshot, &entry, &bytes, &summary), 0);
    assert_int_equal(summary.size, entry.size);
    assert_int_equal(summary.header_size, entry.size - 6);
    assert_slice_equal(summary.headers[SUMMARY_SUBJECT], "Hi");
    assert_int_equal(summary_part_at(&summary, 0, &part), 0);
    assert_int_equal(part.body_offset, summary.header_size);
    char id[OBJECT_ID_MAXIMUM];
    entry_email_id(&entry, id);
    assert_string_equal(id, "M1");
    buffer_release(&bytes);
    mailbox_snapshot_close(&snapshot);
    check_account(f);
}

static void test_large(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    size_t size = MESSAGE_INLINE_MAXIMUM + 1;
    char *text = malloc(size);
    memset(text, 'x', size);
    memcpy(text, "A: b\r\n\r\n", 8);
    struct append append = {0};
    struct append_result result;
    for (size_t i = 0; i < 3; i++) {
        /* The second is the first one's equal, the third just fits inline. */
        struct slice message = slice_make(text, i == 2 ? size - 1 : size);
        assert_int_equal(prepared_message_create(message, &append.message), 0);
        assert_int_equal(mailbox_append(f->view, inbox, &append, &result), 0);
        prepared_message_free(&append.message);
    }
    reopen(f);
    struct mailbox_snapshot *snapshot = open_snapshot(f, inbox);
    struct buffer bytes;
    buffer_init(&bytes, 1024 * 1024);
    for (uint32_t uid = 1; uid <= 3; uid++) {
        struct entry entry = entry_of(snapshot, uid);
        assert_int_equal(entry.message, uid == 3 ? 2 : 1);
        buffer_clear(&bytes);
        assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
        assert_true(slice_equal(buffer_slice(&bytes), slice_make(text, entry.size)));
        buffer_clear(&bytes);
        assert_int_equal(mailbox_message(snapshot, &entry, entry.size - 2, 100, &bytes), 0);
        assert_slice_equal(buffer_slice(&bytes), "xx");
    }
    mailbox_snapshot_close(&snapshot);
    check_account(f);
    /* With the last reference goes the blob. */
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(1, 100), expunged;
    uint64_t modseq;
    range_set_init(&expunged, 100);
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, inbox, NULL, &expunged, &modseq), 0);
    assert_string_equal(set_text(f, &expunged), "1:3");
    check_account(f);
    range_set_release(&uids);
    range_set_release(&expunged);
    buffer_release(&bytes);
    free(text);
}

static void test_keyword_limits(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_text(f, inbox, "A: b\r\n\r\n", 0);
    struct range_set uids = set_of(1, 1);
    uint64_t modseq;
    char name[KEYWORD_NAME_MAXIMUM + 1];
    memset(name, 'k', sizeof(name));
    struct slice word = slice_make(name, sizeof(name));
    struct flag_change change = {FLAGS_ADD, 0, &word, 1, UINT64_MAX};
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL),
                     ERROR_LIMIT);
    for (unsigned i = 0; i < KEYWORDS_MAXIMUM; i++) {
        word.size = (size_t)snprintf(name, sizeof(name), "word%u", i);
        assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    }
    word = SLICE("one-more");
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL),
                     ERROR_LIMIT);
    change.operation = FLAGS_REMOVE;
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    struct mailbox_snapshot *snapshot = open_snapshot(f, inbox);
    assert_int_equal(mailbox_snapshot_keywords(snapshot)->count, KEYWORDS_MAXIMUM);
    struct entry entry = entry_of(snapshot, 1);
    assert_true(keyword_set_has(&entry.keywords, 127));
    mailbox_snapshot_close(&snapshot);
    /* Words go with a copy, to where they have other bits. */
    collection_id other = make_mailbox(f, "Other");
    struct copy_result result;
    range_set_init(&result.from, 10);
    range_set_init(&result.to, 10);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, other, true, &result), 0);
    assert_int_equal(mailbox_copy(f->view, other, &uids, 999, true, &result), ERROR_NOT_FOUND);
    assert_int_equal(mailbox_copy(f->view, other, &uids, other, true, &result), 0);
    assert_string_equal(uids_text(f, other), "2");
    check_account(f);
    range_set_release(&result.from);
    range_set_release(&result.to);
    range_set_release(&uids);
}

/* --- limits that are far away: the records are set close to them --- */

static int near_limits(struct change *change, void *arg)
{
    struct mailbox mailbox;
    collection_id *id = arg;
    assert_int_equal(mailbox_open(change->transaction, *id, &mailbox), 0);
    assert_int_equal(mailbox_load_pages(&mailbox), 0);
    mailbox.pages = calloc(MAILBOX_PAGES_MAXIMUM, sizeof(*mailbox.pages));
    mailbox.capacity = mailbox.record.pages = MAILBOX_PAGES_MAXIMUM;
    mailbox.record.tail.count = PAGE_ENTRIES;
    mailbox.pages_changed = true;
    mailbox.record.vanished_modseq = 5;
    assert_int_equal(mailbox_finish(change, &mailbox), 0);
    mailbox_release(&mailbox);
    *id += 1;
    assert_int_equal(mailbox_open(change->transaction, *id, &mailbox), 0);
    mailbox.record.uid_next = UINT32_MAX - 1;
    assert_int_equal(mailbox_finish(change, &mailbox), 0);
    mailbox_release(&mailbox);
    return 0;
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    collection_id first = make_mailbox(f, "Pages"), second = make_mailbox(f, "UIDs"), id = first;
    assert_int_equal(second, first + 1);
    assert_int_equal(view_change(f->view, KV_RELAXED, near_limits, &id), 0);
    struct append append = {0};
    struct append_result result;
    assert_int_equal(prepared_message_create(SLICE("A: b\r\n\r\n"), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, first, &append, &result), ERROR_LIMIT);
    assert_int_equal(mailbox_append(f->view, second, &append, &result), ERROR_LIMIT);
    prepared_message_free(&append.message);
    struct mailbox_snapshot *snapshot = open_snapshot(f, first);
    struct range_set uids;
    range_set_init(&uids, 10);
    assert_int_equal(mailbox_vanished(snapshot, 4, &uids), ERROR_CANNOT_CALCULATE);
    assert_int_equal(mailbox_vanished(snapshot, 5, &uids), 0);
    mailbox_snapshot_close(&snapshot);
    range_set_release(&uids);
}

/* --- reading --- */

static void test_snapshot_isolation(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 200);
    struct mailbox_snapshot *snapshot = open_snapshot(f, inbox);
    struct flag_change change = {FLAGS_REPLACE, ENTRY_DELETED | ENTRY_SEEN,
                                 .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(1, 150), expunged, seen;
    uint64_t modseq;
    range_set_init(&expunged, 1000);
    range_set_init(&seen, 1000);
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, inbox, NULL, &expunged, &modseq), 0);
    assert_string_equal(set_text(f, &expunged), "1:150");
    append_many(f, inbox, 10);
    assert_int_equal(mailbox_snapshot_collection(snapshot)->messages, 200);
    assert_int_equal(mailbox_uids(snapshot, &seen), 0);
    assert_string_equal(set_text(f, &seen), "1:200");
    struct entry entry = entry_of(snapshot, 100);
    assert_int_equal(entry.flags, 0);
    struct buffer bytes;
    struct summary summary;
    buffer_init(&bytes, 1024 * 1024);
    assert_int_equal(mailbox_summary(snapshot, &entry, &bytes, &summary), 0);
    mailbox_snapshot_close(&snapshot);
    assert_string_equal(uids_text(f, inbox), "151:210");
    snapshot = open_snapshot(f, inbox);
    assert_int_equal(mailbox_vanished(snapshot, modseq - 1, &seen), 0);
    assert_string_equal(set_text(f, &seen), "1:150");
    assert_int_equal(mailbox_vanished(snapshot, modseq, &seen), 0);
    assert_int_equal(seen.count, 0);
    mailbox_snapshot_close(&snapshot);
    check_account(f);
    buffer_release(&bytes);
    range_set_release(&uids);
    range_set_release(&expunged);
    range_set_release(&seen);
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 1500);
    assert_string_equal(uids_text(f, inbox), "1:1500");
    struct range_set odd, expunged;
    uint64_t modseq;
    range_set_init(&odd, 1000);
    range_set_init(&expunged, 1000);
    for (uint32_t uid = 1; uid < 1500; uid += 2)
        assert_int_equal(range_set_add(&odd, uid, uid), 0);
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    assert_int_equal(mailbox_change_flags(f->view, inbox, &odd, &change, &modseq, NULL), 0);
    assert_int_equal(read_mailbox(f, inbox).deleted, 750);
    check_account(f);
    assert_int_equal(mailbox_expunge(f->view, inbox, NULL, &expunged, &modseq), 0);
    assert_int_equal(range_set_size(&expunged), 750);
    check_account(f);
    /* Nearly all of the rest: pages are merged. */
    range_set_clear(&odd);
    assert_int_equal(range_set_add(&odd, 20, 1480), 0);
    assert_int_equal(mailbox_change_flags(f->view, inbox, &odd, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, inbox, &odd, &expunged, &modseq), 0);
    check_account(f);
    struct mailbox_snapshot *snapshot = open_snapshot(f, inbox);
    struct entry_cursor cursor;
    struct entry entry;
    entry_cursor_init(&cursor, snapshot, 18, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry.uid, 18);
    entry_cursor_skip_to(&cursor, 1491);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry.uid, 1492);
    entry_cursor_skip_to(&cursor, 1501);
    assert_int_equal(entry_cursor_next(&cursor, &entry), ERROR_NOT_FOUND);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    append_many(f, inbox, 10);
    check_account(f);
    range_set_release(&odd);
    range_set_release(&expunged);
}

/* Appends as a delivery to the recipient would. */
static int deliver(struct fixture *f, const char *text, const char *recipient)
{
    struct filing filing = {.mailbox = find_mailbox(f, "INBOX")};
    struct delivery_plan plan = {.filings = &filing, .filing_count = 1};
    struct store_view *system = NULL;
    assert_int_equal(prepared_message_create(slice_from_string(text), &filing.append.message), 0);
    plan.delivery = prepared_message_delivery(filing.append.message, slice_from_string(recipient));
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    int error = store_deliver(system, &plan);
    store_view_close(&system);
    prepared_message_free(&filing.append.message);
    return error;
}

static size_t count_delivered(struct fixture *f)
{
    struct kv *kv;
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key, value;
    char name[ACCOUNT_ID_TEXT + 1], path[64];
    size_t count = 0;
    account_id_format(f->alice, name);
    snprintf(path, sizeof(path), "accounts/%.2s/%s", name, name);
    assert_int_equal(kv_open(f->kv, path, 0, &kv), 0);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE("z"), SLICE(""), &cursor), 0);
    while (kv_cursor_next(cursor, &key, &value) == 0)
        count++;
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    kv_close(&kv);
    return count;
}

enum { DAY = 24 * 60 * 60, MANY = 2100 /* more than one transaction forgets */ };

static void test_delivered(void **state)
{
    struct fixture *f = *state;
    struct purge_result result;
    int many = f->directory[0] ? 10 : MANY; /* each is flushed there */
    char text[64];
    const char *first = "Message-ID: <1@x>\r\n\r\n", *second = "Message-ID: <2@x>\r\n\r\n";
    assert_int_equal(deliver(f, first, "alice@x"), 0);
    uint64_t modseq = read_mailbox(f, find_mailbox(f, "INBOX")).highest_modseq;
    assert_int_equal(deliver(f, first, "ALICE@x"), ERROR_EXISTS);
    assert_int_equal(read_mailbox(f, find_mailbox(f, "INBOX")).highest_modseq, modseq);
    assert_int_equal(deliver(f, first, "alice+a@x"), 0);
    assert_int_equal(deliver(f, second, "alice@x"), 0);
    assert_int_equal(deliver(f, "Subject: none\r\n\r\n", "alice@x"), 0);
    assert_int_equal(deliver(f, "Subject: none\r\n\r\n", "alice@x"), 0);
    assert_int_equal(count_delivered(f), 3);
    check_account(f);
    for (int i = 0; i < many; i++) {
        snprintf(text, sizeof(text), "Message-ID: <%d@y>\r\n\r\n", i);
        assert_int_equal(deliver(f, text, "alice@x"), 0);
    }
    f->now += 7 * DAY;
    assert_int_equal(deliver(f, second, "alice@x"), ERROR_EXISTS);
    assert_int_equal(deliver(f, "Message-ID: <3@x>\r\n\r\n", "alice@x"), 0);
    f->now++;
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, f->now, &result), 0);
    assert_int_equal(count_delivered(f), 1);
    assert_int_equal(deliver(f, second, "alice@x"), 0);
    check_account(f);
}

/* --- internationalized messages (RFC 6858) --- */

static void append_internationalized(struct fixture *f, collection_id mailbox, const char *prefix,
                                     const char *text, bool expected)
{
    struct append append = {.prefix = slice_from_string(prefix)};
    struct append_result result;
    assert_int_equal(prepared_message_create(slice_from_string(text), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, mailbox, &append, &result), 0);
    prepared_message_free(&append.message);
    struct mailbox_snapshot *snapshot = open_snapshot(f, mailbox);
    assert_int_equal(entry_of(snapshot, result.uid).internationalized, expected);
    mailbox_snapshot_close(&snapshot);
}

/* Whether the entries are, as letters. */
static const char *internationalized_text(struct fixture *f, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot = open_snapshot(f, mailbox);
    struct entry_cursor cursor;
    struct entry entry;
    char text[20] = "";
    entry_cursor_init(&cursor, snapshot, 1, 0);
    for (size_t i = 0; entry_cursor_next(&cursor, &entry) == 0; i++)
        text[i] = entry.internationalized ? 'i' : '-';
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return arena_string(&f->arena, slice_from_string(text));
}

#define E "\xc3\xa9"

static void test_internationalized(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_internationalized(f, inbox, "", "Subject: x\r\n\r\n" E, false);
    append_internationalized(f, inbox, "", "", false);
    assert_false(read_mailbox(f, inbox).has_internationalized);
    append_internationalized(f, inbox, "", "Subject: " E "\r\n\r\n", true);
    assert_true(read_mailbox(f, inbox).has_internationalized);
    /* By what is put in front of it. */
    append_internationalized(f, inbox, "Return-Path: <" E "@x>\r\n", "A: b\r\n\r\n", true);
    /* By a part of it. */
    append_internationalized(f, inbox, "",
                             "Content-Type: message/rfc822\r\n\r\nSubject: " E "\r\n\r\n", true);
    assert_int_equal(deliver(f, "Subject: " E E "\r\n\r\n", "alice@x"), 0);
    assert_int_equal(deliver(f, "Subject: x\r\n\r\n" E E, "alice@x"), 0);
    assert_string_equal(internationalized_text(f, inbox), "--iiii-");
    check_account(f);
}

/* It goes along, whatever becomes of the entry. */
static void test_internationalized_goes_along(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct flag_change change = {
        .operation = FLAGS_REPLACE, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    struct retained_filter all = {0};
    struct range_set uids = set_of(1, 2), expunged;
    struct copy_result result;
    uint64_t modseq;
    range_set_init(&result.from, 10);
    range_set_init(&result.to, 10);
    range_set_init(&expunged, 10);
    append_internationalized(f, inbox, "", "A: b\r\n\r\n", false);
    append_internationalized(f, inbox, "", "Subject: " E "\r\n\r\n", true);
    assert_false(read_mailbox(f, box).has_internationalized);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, false, &result), 0);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, true, &result), 0);
    assert_string_equal(internationalized_text(f, box), "-i-i");
    assert_true(read_mailbox(f, box).has_internationalized);
    assert_int_equal(mailbox_change_flags(f->view, box, &uids, &change, &modseq, NULL), 0);
    assert_string_equal(internationalized_text(f, box), "-i-i");
    assert_int_equal(mailbox_expunge(f->view, box, NULL, &expunged, &modseq), 0);
    assert_string_equal(internationalized_text(f, box), "-i");
    assert_int_equal(retained_restore(f->view, box, &all, 0, &result), 0);
    assert_string_equal(internationalized_text(f, box), "-i-i");
    reopen(f);
    assert_string_equal(internationalized_text(f, box), "-i-i");
    check_account(f);
    range_set_release(&uids);
    range_set_release(&expunged);
    range_set_release(&result.from);
    range_set_release(&result.to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_append),
        ON_BOTH(test_large),
        ON_BOTH(test_keyword_limits),
        ON_BOTH(test_limits),
        ON_BOTH(test_snapshot_isolation),
        ON_BOTH(test_pages),
        ON_BOTH(test_delivered),
        ON_BOTH(test_internationalized),
        ON_BOTH(test_internationalized_goes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
