/*
 * Each kind of damage is found, said, and mended; what is lost is named; afterwards a deep check
 * finds nothing, and what was not damaged can be read.
 */
#include "kv/kv.h"
#include "store/check.h"
#include "store/key_priv.h"
#include "store/record_priv.h"
#include "store/script.h"
#include "store_test.h"

enum { MESSAGES = 300, LARGE = 300 * 1024 };

/* --- what is told --- */

struct told {
    struct buffer text; /* "wrong: ...\n" */
    struct check_result result;
    uint64_t progress;
};

static void tell(enum check_finding finding, const char *text, void *arg)
{
    static const char *const names[] = {"wrong", "repaired", "lost"};
    struct told *told = arg;
    buffer_append_format(&told->text, "%s: %s\n", names[finding], text);
}

static void progress(uint64_t done, uint64_t total, void *arg)
{
    struct told *told = arg;
    assert_true(done <= total);
    told->progress = done;
}

static struct told check(struct fixture *f, bool deep, bool repair)
{
    struct told told = {0};
    struct check_options options = {
        .deep = deep, .repair = repair, .report = tell, .progress = progress, .arg = &told};
    buffer_init(&told.text, 16 * 1024 * 1024);
    buffer_append_string(&told.text, "\n");
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &told.result),
                     0);
    return told;
}

/* --- damage --- */

static struct kv *open_space(struct fixture *f)
{
    struct kv *kv = NULL;
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    return kv;
}

struct damage {
    struct slice key;
    struct slice value; /* data NULL: the key goes */
};

static int apply(struct kv_transaction *transaction, void *arg)
{
    const struct damage *damage = arg;
    return damage->value.data ? kv_put(transaction, damage->key, damage->value)
                              : kv_delete(transaction, damage->key);
}

static void put(struct fixture *f, struct slice key, struct slice value)
{
    struct kv *kv = open_space(f);
    assert_int_equal(kv_update(kv, KV_RELAXED, apply, &(struct damage){key, value}), 0);
    kv_close(&kv);
}

static void take(struct fixture *f, struct slice key)
{
    put(f, key, (struct slice){NULL, 0});
}

static void get(struct fixture *f, struct slice key, struct buffer *value)
{
    struct kv *kv = open_space(f);
    struct kv_transaction *transaction;
    assert_int_equal(kv_read_begin(kv, &transaction), 0);
    assert_int_equal(kv_get(transaction, key, value), 0);
    kv_read_end(&transaction);
    kv_close(&kv);
}

/* --- the account that is damaged --- */

/* INBOX (1) has 300 messages, of which the last is large; Box (7) has two of them and one of its
 * own, with a keyword; Deep/Inner (9). */
static void fill(struct fixture *f)
{
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct slice keyword = SLICE("$Word");
    struct flag_change change = {.operation = FLAGS_ADD,
                                 .flags = ENTRY_SEEN,
                                 .keywords = &keyword,
                                 .keyword_count = 1,
                                 .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(1, 2);
    struct copy_result result;
    uint64_t modseq;
    char *large = malloc(LARGE + 1);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    append_many(f, inbox, MESSAGES - 1);
    append_text(f, inbox, large, 0);
    free(large);
    append_text(f, box, "Subject: own\r\n\r\n", 0);
    range_set_init(&result.from, 10);
    range_set_init(&result.to, 10);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, false, &result), 0);
    assert_int_equal(mailbox_change_flags(f->view, box, &uids, &change, &modseq, NULL), 0);
    make_mailbox(f, "Deep/Inner");
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    struct told told = check(f, true, false);
    assert_string_equal(told.text.data, "\n");
    buffer_release(&told.text);
}

static struct key key;

static void lose_account(struct fixture *f)
{
    take(f, key_account(&key));
}

static void damage_account(struct fixture *f)
{
    struct buffer value;
    struct account_record record;
    buffer_init(&value, 4096);
    get(f, key_account(&key), &value);
    assert_int_equal(account_record_read(buffer_slice(&value), &record), 0);
    record.entries = 5;
    record.next_message = 3;
    record.next_collection = 2;
    record.modseq = 2;
    record.collections = 1;
    account_record_write(&record, &value);
    put(f, key_account(&key), buffer_slice(&value));
    buffer_release(&value);
}

static void damage_counters(struct fixture *f)
{
    struct buffer value, written;
    struct collection_record record;
    buffer_init(&value, 4096);
    buffer_init(&written, 4096);
    get(f, key_of_collection(&key, KEY_COLLECTION, 1), &value);
    assert_int_equal(collection_record_read(buffer_slice(&value), &record), 0);
    record.messages++;
    record.unseen = 0;
    record.uid_next = 5;
    collection_record_write(&record, &written);
    put(f, key_of_collection(&key, KEY_COLLECTION, 1), buffer_slice(&written));
    buffer_release(&value);
    buffer_release(&written);
}

static void lose_collection(struct fixture *f)
{
    put(f, key_of_collection(&key, KEY_COLLECTION, 7), SLICE("\1?"));
}

static void lose_directory(struct fixture *f)
{
    take(f, key_of_collection(&key, KEY_DIRECTORY, 1));
}

static void lose_page(struct fixture *f)
{
    put(f, key_page(&key, 1, 1), SLICE("\1?"));
}

static void mix_entries(struct fixture *f)
{
    struct buffer value;
    char entry[ENTRY_SIZE];
    buffer_init(&value, PAGE_VALUE_MAXIMUM);
    get(f, key_page(&key, 1, 145), &value);
    char *first = value.data + PAGE_VALUE_HEADER, *second = first + ENTRY_SIZE;
    memcpy(entry, first, ENTRY_SIZE);
    memcpy(first, second, ENTRY_SIZE);
    memcpy(second, entry, ENTRY_SIZE);
    put(f, key_page(&key, 1, 145), buffer_slice(&value));
    buffer_release(&value);
}

/* The record of Box does not say that it may have such. */
static void internationalize(struct fixture *f)
{
    struct buffer value;
    struct entry entry;
    buffer_init(&value, PAGE_VALUE_MAXIMUM);
    get(f, key_page(&key, 7, 1), &value);
    entry_read(value.data + PAGE_VALUE_HEADER, &entry);
    entry.internationalized = true;
    entry_write(&entry, value.data + PAGE_VALUE_HEADER);
    put(f, key_page(&key, 7, 1), buffer_slice(&value));
    buffer_release(&value);
}

static void lose_name(struct fixture *f)
{
    take(f, key_name(&key, COLLECTION_MAILBOX, 0, SLICE("Box")));
}

static void name_nothing(struct fixture *f)
{
    struct buffer value;
    buffer_init(&value, 64);
    number_record_write(99, &value);
    put(f, key_name(&key, COLLECTION_MAILBOX, 0, SLICE("Ghost")), buffer_slice(&value));
    buffer_release(&value);
}

static void lose_parent(struct fixture *f)
{
    take(f, key_of_collection(&key, KEY_COLLECTION, 8));
    take(f, key_name(&key, COLLECTION_MAILBOX, 0, SLICE("Deep")));
}

static void lose_message(struct fixture *f)
{
    take(f, key_of_message(&key, KEY_MESSAGE, 5));
}

static void lose_message_and_body(struct fixture *f)
{
    take(f, key_of_message(&key, KEY_MESSAGE, 5));
    take(f, key_of_message(&key, KEY_BODY, 5));
}

static void lose_summary(struct fixture *f)
{
    take(f, key_of_message(&key, KEY_SUMMARY, 6));
    put(f, key_of_message(&key, KEY_SUMMARY, 7), SLICE("\1?"));
}

static void change_summary(struct fixture *f)
{
    struct buffer value;
    buffer_init(&value, SUMMARY_SIZE_MAXIMUM);
    get(f, key_of_message(&key, KEY_SUMMARY, 6), &value);
    put(f, key_of_message(&key, KEY_SUMMARY, 8), buffer_slice(&value));
    buffer_release(&value);
}

static void lose_body(struct fixture *f)
{
    take(f, key_of_message(&key, KEY_BODY, 9));
}

static void change_body(struct fixture *f)
{
    struct buffer value;
    buffer_init(&value, 4096);
    get(f, key_of_message(&key, KEY_BODY, 9), &value);
    value.data[3] ^= 1;
    put(f, key_of_message(&key, KEY_BODY, 9), buffer_slice(&value));
    buffer_release(&value);
}

static void change_places(struct fixture *f)
{
    struct buffer value, places, written;
    struct message_record record;
    buffer_init(&value, 4096);
    buffer_init(&places, 4096);
    buffer_init(&written, 4096);
    get(f, key_of_message(&key, KEY_MESSAGE, 1), &value);
    assert_int_equal(message_record_read(buffer_slice(&value), &record), 0);
    buffer_append(&places, record.places);
    places_add(&places, 8, 4);
    record.places = buffer_slice(&places);
    message_record_write(&record, &written);
    put(f, key_of_message(&key, KEY_MESSAGE, 1), buffer_slice(&written));
    buffer_release(&value);
    buffer_release(&places);
    buffer_release(&written);
}

static void lose_hash(struct fixture *f)
{
    struct buffer value;
    struct message_record record;
    buffer_init(&value, 4096);
    get(f, key_of_message(&key, KEY_MESSAGE, 3), &value);
    assert_int_equal(message_record_read(buffer_slice(&value), &record), 0);
    take(f, key_hash(&key, record.sha256));
    buffer_release(&value);
}

static void leave_things(struct fixture *f)
{
    put(f, key_of_collection(&key, KEY_KEYWORDS, 55), SLICE("\1\0"));
    put(f, key_vanished(&key, 55, 3, 1), SLICE("\1\1\0\0\0\2\0\0\0"));
    put(f, key_of_message(&key, KEY_SUMMARY, 5555), SLICE("\1?"));
    put(f, key_delivered(&key, 5), SLICE("\1?"));
}

/* Message 4 has an id and a subject, so it began with one of each record. */
static void lose_thread(struct fixture *f)
{
    take(f, key_thread(&key, 4, 4));
}

static void spoil_thread(struct fixture *f)
{
    put(f, key_thread(&key, 4, 4), SLICE("?"));
    put(f, key_thread_id(&key, 77), SLICE("?"));
}

static void change_thread(struct fixture *f)
{
    struct buffer value, written;
    struct message_record record;
    buffer_init(&value, 4096);
    buffer_init(&written, 4096);
    get(f, key_of_message(&key, KEY_MESSAGE, 4), &value);
    assert_int_equal(message_record_read(buffer_slice(&value), &record), 0);
    record.thread = 5;
    message_record_write(&record, &written);
    put(f, key_of_message(&key, KEY_MESSAGE, 4), buffer_slice(&written));
    buffer_release(&value);
    buffer_release(&written);
}

static void leave_thread(struct fixture *f)
{
    struct buffer value;
    buffer_init(&value, 64);
    number_record_write(4, &value);
    put(f, key_thread_id(&key, 77), buffer_slice(&value));
    thread_member_write(5, SLICE(""), &value);
    put(f, key_thread(&key, 4, 5555), buffer_slice(&value));
    buffer_release(&value);
}

static void lose_keywords(struct fixture *f)
{
    put(f, key_of_collection(&key, KEY_KEYWORDS, 7), SLICE("?"));
}

/* --- what is retained: Box, deleted; UID 20 of INBOX, expunged --- */

static uint64_t retain(struct fixture *f)
{
    collection_id inbox = find_mailbox(f, "INBOX");
    struct flag_change change = {FLAGS_ADD, ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(20, 20), expunged;
    uint64_t modseq;
    range_set_init(&expunged, 10);
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, inbox, NULL, &expunged, &modseq), 0);
    assert_int_equal(collection_delete(f->view, find_mailbox(f, "Box")), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
    return modseq;
}

static void spoil_expunged(struct fixture *f)
{
    put(f, key_expunged(&key, 1, retain(f), 20), SLICE("?"));
}

static void lose_expunged_message(struct fixture *f)
{
    retain(f);
    take(f, key_of_message(&key, KEY_MESSAGE, 20));
    take(f, key_of_message(&key, KEY_BODY, 20));
}

static void lose_deleted(struct fixture *f)
{
    retain(f);
    take(f, key_of_collection(&key, KEY_DELETED, 7));
}

static void lose_deleted_page(struct fixture *f)
{
    retain(f);
    put(f, key_page(&key, 7, 1), SLICE("?"));
}

static void miscount_retained(struct fixture *f)
{
    struct buffer value;
    struct account_record record;
    buffer_init(&value, 4096);
    retain(f);
    get(f, key_account(&key), &value);
    assert_int_equal(account_record_read(buffer_slice(&value), &record), 0);
    record.retained = 99;
    record.retained_since = 0;
    account_record_write(&record, &value);
    put(f, key_account(&key), buffer_slice(&value));
    buffer_release(&value);
}

static void miscount_message(struct fixture *f)
{
    struct buffer value, written;
    struct message_record record;
    buffer_init(&value, 4096);
    buffer_init(&written, 4096);
    retain(f);
    get(f, key_of_message(&key, KEY_MESSAGE, 20), &value);
    assert_int_equal(message_record_read(buffer_slice(&value), &record), 0);
    record.retained = 3;
    message_record_write(&record, &written);
    put(f, key_of_message(&key, KEY_MESSAGE, 20), buffer_slice(&written));
    buffer_release(&value);
    buffer_release(&written);
}

static void leave_retained(struct fixture *f)
{
    put(f, key_expunged(&key, 55, 3, 1), SLICE("?"));
    put(f, key_destroyed(&key, 3, DESTROYED_MESSAGE, 1), SLICE("?"));
    put(f, key_day(&key, 99999), SLICE("?"));
}

static void put_scripts(struct fixture *f)
{
    assert_int_equal(script_put(f->view, SLICE("a"), SLICE("keep;")), 0);
    assert_int_equal(script_put(f->view, SLICE("b"), SLICE("stop;")), 0);
    assert_int_equal(script_activate(f->view, SLICE("b")), 0);
}

static void lose_script(struct fixture *f)
{
    put_scripts(f);
    take(f, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){2}));
}

static void lose_script_names(struct fixture *f)
{
    put_scripts(f);
    put(f, key_numbers(&key, KEY_SCRIPTS, 0, NULL), SLICE("\1?"));
}

static void change_scripts(struct fixture *f)
{
    put_scripts(f);
    put(f, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){1}), SLICE("\1keep; keep;"));
    put(f, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){7}), SLICE("\1discard;"));
    put(f, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){8}), SLICE("\2?"));
    put(f, SLICE("f?"), SLICE("\1discard;"));
}

static const struct {
    const char *name;
    void (*damage)(struct fixture *f);
    const char *found[4]; /* by a check alone; NULL: no more */
    const char *lost;     /* by the repair; NULL: nothing */
    bool deep;            /* only a deep check sees it */
    bool remains;         /* what is lost is told again: it can still be seen by its header */
} cases[] = {
    {"account lost", lose_account, {"the account's record cannot be read"}, "quota limits"},
    {"account",
     damage_account,
     {"counts its messages wrongly", "counts its collections wrongly", "gives numbers out again"}},
    {"counters", damage_counters, {"INBOX: its counters are wrong", "INBOX: UIDNEXT"}},
    {"collection", lose_collection, {0}, "collection 7; its messages are in Recovered-7"},
    {"directory", lose_directory, {"INBOX: the page directory is wrong"}},
    {"page", lose_page, {"142 messages in no mailbox"}, "INBOX: the entries of page 1"},
    {"order", mix_entries, {"INBOX: UID 145 is out of order"}},
    {"kinds", internationalize, {"Box: it does not say what kinds of messages"}},
    {"name", lose_name, {"Box is not found by its name"}},
    {"name of nothing", name_nothing, {"a name belongs to nothing"}},
    {"parent", lose_parent, {"Inner is below a mailbox that is not there"}},
    {"message", lose_message, {"message 5: its record cannot be read"}},
    {"message and body", lose_message_and_body, {0}, "INBOX: UID 5: message 5"},
    {"summary", lose_summary, {"message 6: its summary is missing", "message 7: its summary"}},
    {"other summary", change_summary, {"message 8: its summary says something else"}, NULL, true},
    {"body", lose_body, {0}, "message 9: its body", false, true},
    {"changed body", change_body, {0}, "INBOX: UID 9: the body of message 9", true, true},
    {"places", change_places, {"message 1 is in other mailboxes than it says"}},
    {"hash", lose_hash, {"message 3 is not found by its hash"}},
    {"left over",
     leave_things,
     {"names of keywords belongs to nothing", "tombstones", "a summary", "a delivery"}},
    {"expunged entries",
     spoil_expunged,
     {"1 messages in no mailbox"},
     "INBOX: entries that were expunged"},
    {"expunged message", lose_expunged_message, {0}, "message 20, which was expunged"},
    {"deleted collection", lose_deleted, {0}, "collection 7; its messages are in Recovered-7"},
    {"deleted page", lose_deleted_page, {"1 messages in no mailbox"}, "#7: the entries of page 1"},
    {"retained", miscount_retained, {"counts what is retained wrongly"}},
    {"retained message", miscount_message, {"message 20 is in other mailboxes than it says"}},
    {"left over of what was retained",
     leave_retained,
     {"expunged entries belongs to nothing", "a tombstone", "a day's mark"}},
    {"thread", lose_thread, {"message 4 is not in the thread that it says"}},
    {"thread spoilt",
     spoil_thread,
     {"message 4 is not in the thread", "the threads have other messages"}},
    {"thread changed", change_thread, {"message 4 is not in the thread that it says"}},
    {"left over of threads",
     leave_thread,
     {"the threads have other messages", "message ids are not found in their threads"}},
    {"script", lose_script, {0}, "the text of the Sieve script b"},
    {"script names",
     lose_script_names,
     {"the names of the Sieve scripts cannot be read", "a Sieve script has no name"},
     "the names of the Sieve scripts"},
    {"scripts",
     change_scripts,
     {"the size of the Sieve script a", "a Sieve script has no name",
      "a Sieve script belongs to nothing"}},
    {"keywords", lose_keywords, {"Box: UID 1 has unknown flags"}, "Box: the names of keywords"},
};

/* --- the test --- */

static void assert_told(const struct told *told, const char *kind, const char *text,
                        const char *name)
{
    for (const char *line = told->text.data; *line; line = strchr(line, '\n') + 1) {
        size_t size = strcspn(line, "\n");
        const char *found = memmem(line, size, text, strlen(text));
        if (found && strncmp(line, kind, strlen(kind)) == 0)
            return;
    }
    print_error("%s: \"%s: ... %s\" is not in%s", name, kind, text, told->text.data);
    fail();
}

static void assert_works(struct fixture *f)
{
    collection_id inbox = find_mailbox(f, "INBOX");
    struct buffer bytes;
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry;
    unsigned count = 0;
    buffer_init(&bytes, 1024 * 1024);
    assert_int_not_equal(inbox, 0);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry)) {
        buffer_clear(&bytes);
        if (entry.message != 9)
            assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
        count++;
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&bytes);
    assert_true(count >= MESSAGES - 145);
    assert_true(append_text(f, inbox, "Subject: afterwards\r\n\r\n", 0) > MESSAGES - 145);
}

static void run_case(struct fixture *f, size_t i)
{
    cases[i].damage(f);
    struct told told = check(f, cases[i].deep, false);
    for (size_t j = 0; j < 4 && cases[i].found[j]; j++)
        assert_told(&told, "wrong", cases[i].found[j], cases[i].name);
    assert_int_equal(told.result.repaired, 0);
    if (cases[i].lost && i > 0)
        assert_told(&told, "lost", cases[i].lost, cases[i].name);
    buffer_release(&told.text);

    told = check(f, cases[i].deep, true);
    if (cases[i].lost)
        assert_told(&told, "lost", cases[i].lost, cases[i].name);
    else
        assert_int_equal(told.result.lost, 0);
    buffer_release(&told.text);

    told = check(f, true, false);
    if (told.result.wrong || (told.result.lost && !cases[i].remains)) {
        print_error("%s, after the repair:%s", cases[i].name, told.text.data);
        fail();
    }
    buffer_release(&told.text);
    assert_works(f);
}

static void test_cases(int (*set_up)(void **state))
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *state;
        assert_int_equal(set_up(&state), 0);
        fill(state);
        run_case(state, i);
        tear_down(&state);
    }
}

static void test_memory(void **unused)
{
    (void)unused;
    test_cases(set_up_memory);
}

static void test_sqlite(void **unused)
{
    (void)unused;
    test_cases(set_up_sqlite);
}

/* Everything at once: whatever the order, one repair is enough. */
static void test_all_at_once(void **state)
{
    struct fixture *f = *state;
    fill(f);
    static void (*const damages[])(struct fixture * f) = {
        change_places, lose_hash,    lose_account,          lose_directory, lose_page,
        lose_name,     name_nothing, lose_parent,           lose_message,   lose_summary,
        lose_body,     leave_things, lose_message_and_body, lose_keywords,
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
        damages[i](f);
    struct told told = check(f, false, true);
    assert_true(told.result.repaired > 5);
    buffer_release(&told.text);
    told = check(f, false, false);
    assert_int_equal(told.result.wrong, 0);
    buffer_release(&told.text);
}

static void test_messages_come_back(void **state)
{
    struct fixture *f = *state;
    fill(f);
    lose_page(f);
    struct told told = check(f, false, true);
    buffer_release(&told.text);
    assert_int_equal(read_mailbox(f, find_mailbox(f, "INBOX")).messages, MESSAGES - 144);
    /* Two of the 144 are in Box, too. */
    assert_int_equal(read_mailbox(f, find_mailbox(f, CHECK_RESCUE_MAILBOX)).messages, 142);
    check_account(f);
}

static void test_scripts_come_back(void **state)
{
    struct fixture *f = *state;
    struct script *list;
    size_t count;
    fill(f);
    lose_script_names(f);
    struct told told = check(f, false, true);
    buffer_release(&told.text);
    assert_int_equal(script_list(f->view, &f->arena, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_slice_equal(list[1].name, "Recovered 2");
    assert_false(list[0].active || list[1].active);
    struct buffer text;
    buffer_init(&text, 100);
    assert_int_equal(script_read(f->view, &list[1], &text), 0);
    assert_slice_equal(buffer_slice(&text), "stop;");
    buffer_release(&text);
    check_account(f);
}

static void test_progress(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 1100);
    struct told told = check(f, true, false);
    assert_true(told.progress >= 1000);
    buffer_release(&told.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sqlite),
        ON_BOTH(test_all_at_once),
        ON_BOTH(test_messages_come_back),
        ON_BOTH(test_scripts_come_back),
        cmocka_unit_test_setup_teardown(test_progress, set_up_memory, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
