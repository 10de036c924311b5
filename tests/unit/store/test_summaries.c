/*
 * Summaries of another version: made anew for who reads them, and stored in the background.
 */
#include "kv/kv.h"
#include "store/check.h"
#include "store/key_priv.h"
#include "store/record_priv.h"
#include "store/settle.h"
#include "store/summaries.h"
#include "store_test.h"

enum { MESSAGES = 2 * REMAKE_MESSAGES + 10 };

static struct kv *open_space(struct fixture *f)
{
    struct kv *kv = NULL;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    return kv;
}

static void get(struct fixture *f, struct slice key, struct buffer *value)
{
    struct kv *kv = open_space(f);
    struct kv_transaction *transaction;
    buffer_clear(value);
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_get(transaction, key, value), 0);
    kv_read_end(&transaction);
    kv_close(&kv);
}

/* Makes the summary of messages first..last one of another version, with nothing in it that could
 * be read; or the account's record say so. */
struct plant {
    uint64_t first, last;
    bool account;
};

static int plant_in(struct kv_transaction *transaction, void *arg)
{
    const struct plant *plant = arg;
    struct key key;
    struct buffer value;
    struct account_record account;
    int error = 0;
    for (uint64_t i = plant->first; i <= plant->last && !error; i++)
        error = kv_put(transaction, key_of_message(&key, KEY_SUMMARY, i),
                       i % 2 ? SLICE("\xff"
                                     "another")
                             : SLICE("\0"));
    buffer_init(&value, 4096);
    if (!error && plant->account)
        error = kv_get(transaction, key_account(&key), &value);
    if (!error && plant->account) {
        error = account_record_read(buffer_slice(&value), &account);
        account.summary_version = SUMMARY_VERSION - 1;
        account_record_write(&account, &value);
        error = error ? error : kv_put(transaction, key_account(&key), buffer_slice(&value));
    }
    buffer_release(&value);
    return error;
}

static void plant(struct fixture *f, uint64_t first, uint64_t last, bool account)
{
    struct kv *kv = open_space(f);
    struct plant what = {first, last, account};
    assert_int_equal(kv_update(kv, KV_RELAXED, plant_in, &what), 0);
    kv_close(&kv);
}

static uint8_t version_of(struct fixture *f)
{
    struct key key;
    struct buffer value;
    struct account_record account = {0};
    buffer_init(&value, 4096);
    get(f, key_account(&key), &value);
    assert_int_equal(account_record_read(buffer_slice(&value), &account), 0);
    buffer_release(&value);
    return account.summary_version;
}

/* All summaries as they are stored, one behind the other. */
static void read_stored(struct fixture *f, uint64_t count, struct buffer *all)
{
    struct key key;
    struct buffer value;
    buffer_init(all, 64 * 1024 * 1024);
    buffer_init(&value, SUMMARY_SIZE_MAXIMUM);
    for (uint64_t i = 1; i <= count; i++) {
        get(f, key_of_message(&key, KEY_SUMMARY, i), &value);
        buffer_append(all, buffer_slice(&value));
    }
    buffer_release(&value);
}

/* The same as they are read. */
static void read_all(struct fixture *f, collection_id mailbox, struct buffer *all)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry;
    struct summary summary;
    struct buffer encoded;
    buffer_init(all, 64 * 1024 * 1024);
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry)) {
        assert_int_equal(mailbox_summary(snapshot, &entry, &encoded, &summary), 0);
        assert_int_equal(summary.size, entry.size);
        buffer_append(all, buffer_slice(&encoded));
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&encoded);
}

static void assert_same(const struct buffer *a, const struct buffer *b, bool same)
{
    assert_int_equal(slice_equal(buffer_slice(a), buffer_slice(b)), same);
}

static uint64_t remake(struct fixture *f, bool everything)
{
    struct remake_result result = {0};
    assert_int_equal(
        store_remake_summaries(f->store, WHO_SYSTEM, f->alice, everything, NULL, &result), 0);
    return result.messages;
}

/* Reading makes them anew and stores nothing; the job stores. */
static void test_remade(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct buffer right, stored, read;
    append_many(f, inbox, MESSAGES);
    uint64_t modseq = read_mailbox(f, inbox).highest_modseq;
    read_stored(f, MESSAGES, &right);
    assert_int_equal(version_of(f), SUMMARY_VERSION);
    assert_int_equal(remake(f, false), 0);

    plant(f, 1, MESSAGES - 3, true);
    read_all(f, inbox, &read);
    assert_same(&read, &right, true);
    read_stored(f, MESSAGES, &stored);
    assert_same(&stored, &right, false);
    buffer_release(&read);
    buffer_release(&stored);

    assert_int_equal(remake(f, false), MESSAGES - 3);
    assert_int_equal(version_of(f), SUMMARY_VERSION);
    read_stored(f, MESSAGES, &stored);
    assert_same(&stored, &right, true);
    assert_true(read_mailbox(f, inbox).highest_modseq == modseq);
    buffer_release(&stored);
    buffer_release(&right);
    check_account(f);
}

/* A body in a blob is read from there; large ones end a slice. */
static void test_settled_and_large(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct settle_result settled;
    struct buffer right, stored;
    char *large = malloc(REMAKE_BYTES + 1);
    memset(large, 'x', REMAKE_BYTES);
    large[REMAKE_BYTES] = '\0';
    for (unsigned i = 0; i < 3; i++) {
        memcpy(large, (const char *[]){"a: 1\n\n", "a: 2\n\n", "a: 3\n\n"}[i], 6);
        append_text(f, inbox, large, 0);
    }
    free(large);
    append_many(f, inbox, 5);
    read_stored(f, 8, &right);
    assert_int_equal(store_settle(f->store, WHO_SYSTEM, f->alice, NULL, &settled), 0);
    plant(f, 1, 8, true);
    assert_int_equal(remake(f, false), 8);
    read_stored(f, 8, &stored);
    assert_same(&stored, &right, true);
    buffer_release(&right);
    buffer_release(&stored);
    check_account(f);
}

/* One that the account's record does not know of is found when it is read. */
static void test_used(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    atomic_bool stop = false;
    struct buffer right, stored, read;
    append_many(f, inbox, 20);
    read_stored(f, 20, &right);
    plant(f, 5, 6, false);
    assert_int_equal(store_remake_used(f->store, &stop), 0); /* there are none, it says */
    read_stored(f, 20, &stored);
    assert_same(&stored, &right, false);
    buffer_release(&stored);
    read_all(f, inbox, &read);
    assert_int_equal(store_remake_used(f->store, &stop), 0);
    read_stored(f, 20, &stored);
    assert_same(&stored, &right, true);
    buffer_release(&stored);
    buffer_release(&read);
    /* With a new version of the software: each account once, unless it is told to stop. */
    plant(f, 1, 20, true);
    reopen(f);
    assert_int_not_equal(find_mailbox(f, "INBOX"), 0);
    stop = true;
    assert_int_equal(store_remake_used(f->store, &stop), 0);
    assert_int_not_equal(version_of(f), SUMMARY_VERSION);
    stop = false;
    assert_int_equal(store_remake_used(f->store, &stop), 0);
    assert_int_equal(version_of(f), SUMMARY_VERSION);
    read_stored(f, 20, &stored);
    assert_same(&stored, &right, true);
    buffer_release(&stored);
    buffer_release(&right);
    check_account(f);
}

/* Stopped between two slices, it goes on another time. */
static void test_stop_and_rights(void **state)
{
    struct fixture *f = *state;
    struct remake_result result = {7};
    atomic_bool stop = true;
    append_many(f, find_mailbox(f, "INBOX"), 3);
    plant(f, 1, 3, true);
    assert_int_equal(store_remake_summaries(f->store, WHO_SYSTEM, f->alice, false, &stop, &result),
                     0);
    assert_int_equal(result.messages, 0);
    assert_int_not_equal(version_of(f), SUMMARY_VERSION);
    result.messages = 7;
    assert_int_equal(
        store_remake_summaries(f->store, who_account(f->alice), f->alice, true, NULL, &result),
        ERROR_DENIED);
    struct account_id nobody = {{1}};
    assert_int_equal(store_remake_summaries(f->store, WHO_SYSTEM, nobody, true, NULL, &result),
                     ERROR_NOT_FOUND);
    assert_int_equal(result.messages, 7);
    assert_int_equal(remake(f, false), 3);
    check_account(f);
}

static int lose_body(struct kv_transaction *transaction, void *arg)
{
    struct key key;
    return kv_delete(transaction, key_of_message(&key, KEY_BODY, *(const uint64_t *)arg));
}

/* What cannot be made anew stands in nobody's way. */
static void test_lost_body(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct kv *kv = open_space(f);
    uint64_t lost = 2;
    append_many(f, inbox, 3);
    assert_int_equal(kv_update(kv, KV_RELAXED, lose_body, &lost), 0);
    kv_close(&kv);
    plant(f, 1, 3, true);
    assert_int_equal(remake(f, false), 2);
    assert_int_equal(version_of(f), SUMMARY_VERSION);
    struct mailbox_snapshot *snapshot = NULL;
    struct summary summary;
    struct buffer encoded;
    struct entry entry;
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(mailbox_find_message(snapshot, 2, &entry), 0);
    assert_int_equal(mailbox_summary(snapshot, &entry, &encoded, &summary), ERROR_CORRUPT);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&encoded);
}

/* --- what a check says --- */

static void count(enum check_finding finding, const char *text, void *arg)
{
    (void)finding, (void)text;
    ++*(unsigned *)arg;
}

static unsigned findings(struct fixture *f, bool deep, bool repair)
{
    unsigned found = 0;
    struct check_options options = {.deep = deep, .repair = repair, .report = count, .arg = &found};
    struct check_result result;
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    return found;
}

/* Another version is no mistake, unless the account says that there is none. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    append_many(f, find_mailbox(f, "INBOX"), 10);
    plant(f, 1, 4, true);
    assert_int_equal(findings(f, false, false), 0);
    assert_int_equal(findings(f, true, false), 0);
    assert_int_equal(remake(f, false), 4);
    plant(f, 1, 4, false);
    assert_int_equal(findings(f, false, false), 4);
    assert_int_equal(findings(f, false, true), 4);
    check_account(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_remade),          ON_BOTH(test_settled_and_large), ON_BOTH(test_used),
        ON_BOTH(test_stop_and_rights), ON_BOTH(test_lost_body),         ON_BOTH(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
