/*
 * What sleeps: put by a delivery, woken once and where it shall go, and what becomes of it when
 * somebody moves, copies, expunges or deletes what it lies in meanwhile.
 */
#include "store/check.h"
#include "store/deliver.h"
#include "store/dump.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store/snooze.h"
#include "store/snooze_priv.h"
#include "store_test.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

static struct store_view *open_system(struct fixture *f)
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    return view;
}

static collection_id make_snoozed(struct fixture *f)
{
    collection_id id = find_mailbox(f, "Snoozed");
    if (!id)
        assert_int_equal(
            collection_create(f->view, COLLECTION_MAILBOX, SLICE("Snoozed"), ROLE_SNOOZED, &id), 0);
    return id;
}

static int deliver_text(struct fixture *f, const char *text, const struct snooze *snooze,
                        const struct append *append)
{
    struct filing filing = {.mailbox = make_snoozed(f), .append = *append, .snooze = snooze};
    const struct delivery_plan plan = {.filings = &filing, .filing_count = 1};
    struct store_view *view = open_system(f);
    assert_int_equal(prepared_message_create(slice_from_string(text), &filing.append.message), 0);
    int error = store_deliver(view, &plan);
    prepared_message_free(&filing.append.message);
    store_view_close(&view);
    return error;
}

static void put(struct fixture *f, const char *subject, const struct snooze *snooze)
{
    char text[100];
    const struct append append = {.internal_date = 1000000000, .flags = ENTRY_FLAGGED};
    snprintf(text, sizeof(text), "Subject: %s\r\n\r\nx", subject);
    assert_int_equal(deliver_text(f, text, snooze, &append), 0);
}

static struct snooze in(struct fixture *f, int64_t seconds)
{
    return (struct snooze){.until = f->now + seconds, .mailbox = SLICE("INBOX")};
}

/* How many wake. */
static size_t wake(struct fixture *f, int64_t *next)
{
    size_t woken = 0;
    struct store_view *view = open_system(f);
    assert_int_equal(snooze_wake(view, &woken, next), 0);
    store_view_close(&view);
    return woken;
}

static size_t asleep(struct fixture *f)
{
    struct snoozed *list;
    size_t count = 0;
    struct store_view *view = open_system(f);
    assert_int_equal(snooze_list(view, &f->arena, &list, &count), 0);
    store_view_close(&view);
    return count;
}

static struct entry last_entry(struct fixture *f, collection_id mailbox, char keywords[100])
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry = {0};
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry))
        ;
    entry_cursor_release(&cursor);
    const struct keyword_names *names = mailbox_snapshot_keywords(snapshot);
    keywords[0] = '\0';
    for (unsigned i = 0; i < names->count; i++)
        if (keyword_set_has(&entry.keywords, i))
            snprintf(keywords + strlen(keywords), 100 - strlen(keywords), "%.*s ",
                     SLICE_FORMAT(names->names[i]));
    mailbox_snapshot_close(&snapshot);
    return entry;
}

/* From the delivery to where it goes, with its date, its flags, and once. */
static void test_whole_way(void **state)
{
    struct fixture *f = *state;
    char keywords[100];
    int64_t next = 1;
    struct slice kept[] = {SLICE("$Kept"), SLICE("$Gone")};
    struct slice add[] = {SLICE("$Awake"), SLICE("")}, take[] = {SLICE("$gone")};
    const struct append append = {.internal_date = 1000000000,
                                  .flags = ENTRY_SEEN | ENTRY_ANSWERED,
                                  .keywords = kept,
                                  .keyword_count = 2};
    const struct snooze snooze = {.until = f->now + HOUR,
                                  .mailbox = SLICE("Box"),
                                  .add = ENTRY_FLAGGED | ENTRY_ANSWERED,
                                  .remove = ENTRY_SEEN | ENTRY_ANSWERED,
                                  .add_keywords = add,
                                  .add_count = 2,
                                  .remove_keywords = take,
                                  .remove_count = 1};
    collection_id box = make_mailbox(f, "Box"), there = make_snoozed(f);
    assert_int_equal(wake(f, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(deliver_text(f, "Subject: a\r\n\r\nx", &snooze, &append), 0);
    check_account(f);
    struct entry entry = last_entry(f, there, keywords);
    assert_int_equal(entry.flags, ENTRY_SEEN | ENTRY_ANSWERED);
    assert_string_equal(keywords, "$Kept $Gone ");
    assert_int_equal(asleep(f), 1);
    f->now += HOUR - 1;
    assert_int_equal(wake(f, &next), 0);
    assert_int_equal(next, f->now + 1);
    f->now += 1;
    reopen(f);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(next, 0);
    check_account(f);
    assert_int_equal(read_mailbox(f, there).messages, 0);
    assert_int_equal(read_mailbox(f, box).messages, 1);
    entry = last_entry(f, box, keywords);
    assert_int_equal(entry.flags, ENTRY_FLAGGED | ENTRY_ANSWERED); /* in both: it is set */
    assert_string_equal(keywords, "$Kept $Awake ");
    assert_int_equal(entry.internal_date, 1000000000);
    assert_true(entry.modseq == read_mailbox(f, there).highest_modseq);
    assert_int_equal(wake(f, &next), 0);
    assert_int_equal(asleep(f), 0);
}

/* By id, else by use, else by name, made or not; else INBOX. */
static void test_targets(void **state)
{
    struct fixture *f = *state;
    int64_t next;
    collection_id box = make_mailbox(f, "Box"), inbox = find_mailbox(f, "INBOX");
    struct snooze snooze = in(f, 0);
    snooze.mailbox = SLICE("Box");
    snooze.mailbox_id = slice_from_string(read_mailbox(f, find_mailbox(f, "Archive")).object_id);
    put(f, "by id", &snooze);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(read_mailbox(f, find_mailbox(f, "Archive")).messages, 1);
    static const struct slice wrong[] = {SLICE("F00000000000000000000001"), SLICE("short"),
                                         SLICE("F000000000000000zzzzzzzz")};
    for (size_t i = 0; i < 3; i++) {
        snooze.mailbox_id = wrong[i];
        put(f, "of another account", &snooze);
        assert_int_equal(wake(f, &next), 1);
        assert_int_equal(read_mailbox(f, box).messages, 1 + i);
    }
    snooze.role = ROLE_SENT;
    put(f, "by use", &snooze);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(read_mailbox(f, find_mailbox(f, "Sent")).messages, 1);
    snooze = (struct snooze){.until = f->now, .role = ROLE_IMPORTANT, .mailbox = SLICE("New/Deep")};
    put(f, "not there", &snooze);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(read_mailbox(f, inbox).messages, 1);
    snooze.create = true;
    put(f, "made, with the use", &snooze);
    assert_int_equal(wake(f, &next), 1);
    struct collection made = read_mailbox(f, find_mailbox(f, "New/Deep"));
    assert_int_equal(made.messages, 1);
    assert_int_equal(made.role, ROLE_IMPORTANT);
    snooze.mailbox = SLICE("a//b");
    snooze.role = ROLE_NONE;
    put(f, "cannot be", &snooze);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(read_mailbox(f, inbox).messages, 2);
    snooze = (struct snooze){.until = f->now, .mailbox = SLICE("Snoozed")};
    put(f, "stays where it is", &snooze);
    assert_int_equal(wake(f, &next), 1);
    assert_int_equal(read_mailbox(f, make_snoozed(f)).messages, 1);
    assert_int_equal(asleep(f), 0);
    check_account(f);
}

/* Who moves it wakes it; a copy is awake; what is expunged, or deleted with its mailbox, never
 * wakes, and does not when it is brought back. */
static void test_meanwhile(void **state)
{
    struct fixture *f = *state;
    int64_t next;
    struct copy_result result;
    struct range_set one = set_of(1, 1), two = set_of(2, 2), three = set_of(3, 3), expunged;
    const struct snooze snooze = in(f, HOUR);
    collection_id there = make_snoozed(f), inbox = find_mailbox(f, "INBOX");
    uint64_t modseq;
    for (const char *name = "abcde"; *name; name++)
        put(f, (const char[]){*name, '\0'}, &snooze);
    range_set_init(&result.from, 10);
    range_set_init(&result.to, 10);
    range_set_init(&expunged, 10);
    assert_int_equal(mailbox_copy(f->view, there, &one, inbox, true, &result), 0);
    assert_int_equal(mailbox_copy(f->view, there, &two, inbox, false, &result), 0);
    assert_int_equal(mailbox_copy(f->view, there, &two, there, true, &result), 0); /* is UID 6 */
    const struct flag_change deleting = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    assert_int_equal(mailbox_change_flags(f->view, there, &three, &deleting, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, there, NULL, &expunged, &modseq), 0);
    assert_int_equal(asleep(f), 2); /* 4 and 5 */
    check_account(f);
    f->now += 2 * HOUR;
    assert_int_equal(wake(f, &next), 2);
    assert_string_equal(uids_text(f, there), "6");
    assert_int_equal(read_mailbox(f, inbox).messages, 4);
    put(f, "f", &(struct snooze){.until = f->now + HOUR});
    assert_int_equal(collection_delete(f->view, there), 0);
    assert_int_equal(asleep(f), 0);
    check_account(f);
    f->now += 2 * HOUR;
    assert_int_equal(wake(f, &next), 0);
    assert_int_equal(read_mailbox(f, inbox).messages, 4);
    range_set_release(&one);
    range_set_release(&two);
    range_set_release(&three);
    range_set_release(&expunged);
    range_set_release(&result.from);
    range_set_release(&result.to);
}

/* It counts once for the quota, and a full account wakes it all the same. */
static void test_quota(void **state)
{
    struct fixture *f = *state;
    int64_t next;
    const struct snooze snooze = {.until = f->now, .mailbox = SLICE("Made"), .create = true};
    put(f, "a", &snooze);
    struct store_view *view = open_system(f);
    const uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_MESSAGE] = 1, [QUOTA_MAILBOX] = 1};
    assert_int_equal(quota_set(view, 1U << QUOTA_MESSAGE | 1U << QUOTA_MAILBOX, limits), 0);
    store_view_close(&view);
    assert_int_equal(wake(f, &next), 1); /* no mailbox more: into INBOX */
    assert_int_equal(read_mailbox(f, find_mailbox(f, "INBOX")).messages, 1);
    check_account(f);
}

/* Where as many sleep as may, one more is awake at once, with the flags that it would have had. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    char text[64], keywords[100];
    struct slice add = SLICE("$Awake");
    struct snooze snooze = {.until = f->now + HOUR,
                            .mailbox = SLICE("Box"),
                            .create = true,
                            .remove = ENTRY_FLAGGED,
                            .add_keywords = &add,
                            .add_count = 1};
    for (unsigned i = 0; i < SNOOZED_MAXIMUM; i++) {
        snprintf(text, sizeof(text), "%u", i);
        put(f, text, &snooze);
    }
    assert_int_equal(find_mailbox(f, "Box"), 0);
    put(f, "more", &snooze);
    assert_int_equal(asleep(f), SNOOZED_MAXIMUM);
    struct entry entry = last_entry(f, find_mailbox(f, "Box"), keywords);
    assert_int_equal(entry.flags, 0);
    assert_string_equal(keywords, "$Awake ");
    check_account(f);
    struct slice many[SNOOZE_KEYWORDS_MAXIMUM + 1];
    for (size_t i = 0; i <= SNOOZE_KEYWORDS_MAXIMUM; i++)
        many[i] = add;
    const struct append append = {.internal_date = 0};
    snooze.add_keywords = many;
    snooze.add_count = SNOOZE_KEYWORDS_MAXIMUM + 1;
    assert_int_equal(deliver_text(f, "a: b\r\n\r\n", &snooze, &append), ERROR_LIMIT);
    snooze.add_count = 0;
    snooze.remove_keywords = many;
    snooze.remove_count = SNOOZE_KEYWORDS_MAXIMUM + 1;
    assert_int_equal(deliver_text(f, "a: b\r\n\r\n", &snooze, &append), ERROR_LIMIT);
    char long_id[SNOOZE_ID_MAXIMUM + 1];
    memset(long_id, 'x', sizeof(long_id));
    snooze.remove_count = 0;
    snooze.mailbox_id = slice_make(long_id, sizeof(long_id));
    assert_int_equal(deliver_text(f, "a: b\r\n\r\n", &snooze, &append), ERROR_LIMIT);
}

/* Two that look at the same time: one of them wakes it. */
static void test_twice(void **state)
{
    struct fixture *f = *state;
    size_t first = 0, second = 0;
    int64_t next;
    const struct snooze snooze = in(f, 0);
    put(f, "a", &snooze);
    struct store_view *one = open_system(f), *two = open_system(f);
    assert_int_equal(snooze_wake(one, &first, &next), 0);
    assert_int_equal(snooze_wake(two, &second, &next), 0);
    assert_int_equal(first + second, 1);
    assert_int_equal(read_mailbox(f, find_mailbox(f, "INBOX")).messages, 1);
    assert_int_equal(snooze_wake(f->view, &first, &next), ERROR_DENIED);
    struct snoozed *list;
    assert_int_equal(snooze_list(f->view, &f->arena, &list, &first), ERROR_DENIED);
    store_view_close(&one);
    store_view_close(&two);
}

/* The directory knows of the account from before the delivery on. */
static void test_note(void **state)
{
    struct fixture *f = *state;
    struct due_note note;
    const struct snooze snooze = in(f, DAY);
    put(f, "a", &snooze);
    assert_int_equal(due_note_of(f->store, WHO_SYSTEM, DUE_SNOOZED, f->alice, &note), 0);
    assert_int_equal(note.noted, f->now);
    assert_int_equal(note.due, f->now);
    assert_int_equal(due_note_of(f->store, WHO_SYSTEM, DUE_OUTGOING, f->alice, &note), 0);
    assert_int_equal(note.noted, 0);
}

/* A message that belongs to two threads: what sleeps keeps its UID, and so they stay apart. */
static void test_threads(void **state)
{
    struct fixture *f = *state;
    int64_t next;
    const struct append append = {.internal_date = 1000000000};
    const struct snooze snooze = in(f, HOUR);
    assert_int_equal(deliver_text(f, "Message-ID: <a@x>\r\nSubject: s\r\n\r\n", &snooze, &append),
                     0);
    append_text(f, find_mailbox(f, "INBOX"), "Message-ID: <b@x>\r\nSubject: s\r\n\r\n", 0);
    append_text(f, find_mailbox(f, "INBOX"),
                "Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\nSubject: s\r\n\r\n", 0);
    assert_string_equal(uids_text(f, make_snoozed(f)), "1");
    assert_int_equal(asleep(f), 1);
    check_account(f);
    f->now += HOUR;
    assert_int_equal(wake(f, &next), 1);
    check_account(f);
}

/* --- the check --- */

struct findings {
    unsigned count;
    char last[200];
};

static void note_finding(enum check_finding finding, const char *text, void *arg)
{
    struct findings *findings = arg;
    (void)finding;
    findings->count++;
    snprintf(findings->last, sizeof(findings->last), "%s", text);
}

static void repair(struct fixture *f, const char *text)
{
    struct findings findings = {0};
    struct check_result result;
    const struct check_options options = {.repair = true, .report = note_finding, .arg = &findings};
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    assert_int_equal(findings.count, 1);
    assert_non_null(strstr(findings.last, text));
    check_account(f);
}

static int damage(struct fixture *f, int (*fn)(struct kv_transaction *transaction, void *arg),
                  void *arg)
{
    char space[48], id[ACCOUNT_ID_TEXT + 1];
    struct kv *kv;
    account_id_format(f->alice, id);
    snprintf(space, sizeof(space), "accounts/%.2s/%s", id, id);
    int error = kv_open(f->kv, space, 0, &kv);
    if (error)
        return error;
    error = kv_update(kv, KV_DURABLE, fn, arg);
    kv_close(&kv);
    return error;
}

static int put_stray(struct kv_transaction *transaction, void *arg)
{
    struct key key;
    struct buffer value;
    const struct snooze snooze = {.until = 1};
    buffer_init(&value, 1000);
    snooze_record_write(&snooze, &value);
    int error = kv_put(transaction, key_numbers(&key, KEY_SNOOZED, 2, arg), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    const struct snooze snooze = in(f, HOUR);
    put(f, "a", &snooze);
    uint64_t none[2] = {make_snoozed(f), 99}, other[2] = {find_mailbox(f, "INBOX"), 1};
    assert_int_equal(damage(f, put_stray, none), 0);
    reopen(f);
    repair(f, "when a message wakes belongs to nothing");
    assert_int_equal(asleep(f), 1);
    append_text(f, (collection_id)other[0], "a: b\r\n\r\n", 0);
    assert_int_equal(damage(f, put_stray, other), 0);
    reopen(f);
    repair(f, "INBOX does not say that messages sleep in it");
    assert_int_equal(asleep(f), 2);
    struct due_note note;
    assert_int_equal(due_note_of(f->store, WHO_SYSTEM, DUE_SNOOZED, f->alice, &note), 0);
    f->now += DUE_NOTE_KEPT;
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_SNOOZED, &note, 0), 0);
    repair(f, "the directory does not say that messages sleep");
}

static int find_line(const char *text, void *arg)
{
    const char **wanted = arg;
    if (*wanted && strstr(text, "snoozed") && strstr(text, *wanted))
        *wanted = NULL;
    return 0;
}

static void test_dump(void **state)
{
    struct fixture *f = *state;
    struct slice add = SLICE("$Awake"), take = SLICE("$Gone");
    struct snooze snooze = {.until = f->now + HOUR,
                            .mailbox = SLICE("Box"),
                            .role = ROLE_SENT,
                            .create = true,
                            .add_keywords = &add,
                            .add_count = 1,
                            .remove_keywords = &take,
                            .remove_count = 1};
    put(f, "a", &snooze);
    const char *wanted =
        "until=1970-02-20T01:00:00Z role=7 create=1 add=0 remove=0 mailbox_id=\"\" "
        "mailbox=\"Box\" keyword=\"$Awake\" no_keyword=\"$Gone\"";
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, find_line, &wanted), 0);
    assert_null(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_whole_way), ON_BOTH(test_targets), ON_BOTH(test_meanwhile),
        ON_BOTH(test_quota),     ON_BOTH(test_limit),   ON_BOTH(test_twice),
        ON_BOTH(test_note),      ON_BOTH(test_threads), ON_BOTH(test_check),
        ON_BOTH(test_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
