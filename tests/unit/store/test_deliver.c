/*
 * Delivery: several mailboxes and versions in one transaction, what is remembered, and for how
 * long.
 */
#include "base/counters.h"
#include "store/annotation.h"
#include "store/deliver.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store_test.h"

enum { DAY = 24 * 60 * 60, LARGE = MESSAGE_INLINE_MAXIMUM + 1 };

static struct store_view *open_as(struct fixture *f, struct who who)
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_open(f->store, who, f->alice, &view), 0);
    return view;
}

static int deliver(struct fixture *f, const struct delivery_plan *plan)
{
    struct store_view *system = open_as(f, WHO_SYSTEM);
    int error = store_deliver(system, plan);
    store_view_close(&system);
    return error;
}

static int file(struct fixture *f, const struct filing *filings, size_t count)
{
    return deliver(f, &(struct delivery_plan){.filings = filings, .filing_count = count});
}

static struct prepared_message *prepare(struct slice text)
{
    struct prepared_message *message = NULL;
    assert_int_equal(prepared_message_create(text, &message), 0);
    return message;
}

/* The last message of the mailbox: "flags keywords size email-id". */
static const char *last(struct fixture *f, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry = {0};
    struct buffer text;
    char id[OBJECT_ID_MAXIMUM];
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry))
        ;
    entry_cursor_release(&cursor);
    buffer_init(&text, 4096);
    buffer_append_format(&text, "%u", entry.flags);
    const struct keyword_names *names = mailbox_snapshot_keywords(snapshot);
    for (unsigned i = 0; i < names->count; i++)
        if (keyword_set_has(&entry.keywords, i))
            buffer_append_format(&text, " %.*s", SLICE_FORMAT(names->names[i]));
    entry_email_id(&entry, id);
    buffer_append_format(&text, " %llu %s", (unsigned long long)entry.size, id);
    mailbox_snapshot_close(&snapshot);
    const char *copy = arena_string(&f->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

static void test_several(void **state)
{
    struct fixture *f = *state;
    struct slice words[] = {SLICE("one"), SLICE("two")};
    struct prepared_message *first = prepare(SLICE("Subject: a\r\n\r\nx")),
                            *second = prepare(SLICE("Subject: b\r\n\r\nx"));
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    const struct append plain = {.message = first, .prefix = SLICE("A: b\r\n")};
    const struct filing filings[] = {
        {inbox, plain, {0}},
        {box,
         {.message = first,
          .prefix = plain.prefix,
          .flags = ENTRY_SEEN | ENTRY_FLAGGED,
          .keywords = words,
          .keyword_count = 2},
         {0}},
        {box, {.message = second}, {0}},
    };
    uint64_t modseq = read_mailbox(f, inbox).highest_modseq;
    assert_int_equal(file(f, filings, 2), 0);
    struct collection there = read_mailbox(f, inbox);
    assert_int_equal(there.messages, 1);
    assert_true(there.highest_modseq == read_mailbox(f, box).highest_modseq);
    assert_true(there.highest_modseq == modseq + 2); /* making Box was the other one */
    /* One message in both. */
    const char *flags = last(f, box), *none = last(f, inbox);
    assert_true(strncmp(flags, "5 one two 21 ", 13) == 0);
    assert_string_equal(none + 2, flags + 10);
    assert_int_equal(file(f, filings + 2, 1), 0);
    assert_int_equal(read_mailbox(f, box).messages, 2);
    assert_string_not_equal(last(f, box) + 2, flags + 10);
    check_account(f);
    prepared_message_free(&first);
    prepared_message_free(&second);
}

/* In a blob, which is one however many mailboxes have the message, and goes when none has. */
static void test_large(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(LARGE);
    memset(text, 'x', LARGE);
    memcpy(text, "Subject: large\r\n\r\n", 18);
    struct prepared_message *message = prepare(slice_make(text, LARGE));
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    const struct filing filings[] = {{inbox, {.message = message}, {0}},
                                     {box, {.message = message}, {0}},
                                     {box, {.message = message, .prefix = SLICE("A: b\r\n")}, {0}}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(file(f, filings, 3), 0);
        check_account(f);
    }
    assert_int_equal(read_mailbox(f, box).messages, 4);
    struct buffer bytes;
    struct mailbox_snapshot *snapshot = NULL;
    struct entry entry;
    struct entry_cursor cursor;
    buffer_init(&bytes, 2 * LARGE);
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 2, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
    assert_int_equal(bytes.size, LARGE);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    buffer_release(&bytes);
    prepared_message_free(&message);
    free(text);
}

/* Over the quota, where that is asked for; it counts all the same. */
static void test_ignored_quota(void **state)
{
    struct fixture *f = *state;
    struct prepared_message *message = prepare(SLICE("Subject: a\r\n\r\nx"));
    collection_id inbox = find_mailbox(f, "INBOX");
    const struct filing filings[] = {{inbox, {.message = message}, {0}},
                                     {inbox, {.message = message}, {0}}};
    struct delivery_plan plan = {.filings = filings, .filing_count = 2};
    const uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_MESSAGE] = 1, [QUOTA_STORAGE] = 1};
    struct quota quota;
    struct store_view *view = open_as(f, WHO_SYSTEM);
    assert_int_equal(quota_set(view, 1U << QUOTA_MESSAGE | 1U << QUOTA_STORAGE, limits), 0);
    store_view_close(&view);
    assert_int_equal(deliver(f, &plan), ERROR_QUOTA);
    plan.ignore_quota = true;
    assert_int_equal(deliver(f, &plan), 0);
    assert_int_equal(quota_get(f->view, inbox, &quota), 0);
    assert_int_equal(quota.usage[QUOTA_MESSAGE], 2);
    plan.ignore_quota = false;
    assert_int_equal(deliver(f, &plan), ERROR_QUOTA);
    check_account(f);
    prepared_message_free(&message);
}

/* All or nothing. */
static void test_failures(void **state)
{
    struct fixture *f = *state;
    struct prepared_message *message = prepare(SLICE("Subject: a\r\n\r\nx"));
    collection_id inbox = find_mailbox(f, "INBOX"), gone = make_mailbox(f, "Gone");
    const struct filing filings[] = {{inbox, {.message = message}, {0}},
                                     {gone, {.message = message}, {0}}};
    const struct remembered remembered = {9, f->now + DAY};
    struct delivery_plan plan = {.filings = filings,
                                 .filing_count = 2,
                                 .remembered = &remembered,
                                 .remembered_count = 1,
                                 .delivery = 77};
    bool is = true;
    struct store_view *system = open_as(f, WHO_SYSTEM);
    assert_int_equal(collection_delete(f->view, gone), 0);
    assert_int_equal(deliver(f, &plan), ERROR_BUSY);
    uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_MESSAGE] = 1};
    assert_int_equal(quota_set(system, 1U << QUOTA_MESSAGE, limits), 0);
    const struct filing twice[] = {filings[0], filings[0]};
    plan.filings = twice;
    assert_int_equal(deliver(f, &plan), ERROR_QUOTA);
    assert_int_equal(read_mailbox(f, inbox).messages, 0);
    assert_int_equal(store_remembers(system, 9, &is), 0);
    assert_false(is);
    plan.filing_count = 1;
    assert_int_equal(store_deliver(f->view, &plan), ERROR_DENIED);
    assert_int_equal(deliver(f, &plan), 0);
    assert_int_equal(deliver(f, &plan), ERROR_EXISTS);
    assert_int_equal(read_mailbox(f, inbox).messages, 1);
    plan.filing_count = FILINGS_MAXIMUM + 1;
    assert_int_equal(deliver(f, &plan), ERROR_LIMIT);
    plan = (struct delivery_plan){.remembered = &remembered,
                                  .remembered_count = REMEMBERED_MAXIMUM + 1};
    assert_int_equal(deliver(f, &plan), ERROR_LIMIT);
    check_account(f);
    store_view_close(&system);
    prepared_message_free(&message);
}

/* A keyword too many is not what a message is refused for. */
static void test_keywords(void **state)
{
    struct fixture *f = *state;
    char names[KEYWORDS_MAXIMUM + 2][8];
    struct slice keywords[KEYWORDS_MAXIMUM + 2];
    struct prepared_message *message = prepare(SLICE("Subject: a\r\n\r\nx"));
    collection_id inbox = find_mailbox(f, "INBOX");
    for (int i = 0; i < KEYWORDS_MAXIMUM + 2; i++) {
        snprintf(names[i], sizeof(names[i]), "k%d", i);
        keywords[i] = slice_from_string(names[i]);
    }
    keywords[0] = SLICE("");
    const struct filing filing = {
        inbox,
        {.message = message, .keywords = keywords, .keyword_count = KEYWORDS_MAXIMUM + 2},
        {0}};
    assert_int_equal(file(f, &filing, 1), 0);
    struct mailbox_snapshot *snapshot = NULL;
    assert_int_equal(mailbox_snapshot_open(f->view, inbox, &snapshot), 0);
    assert_int_equal(mailbox_snapshot_keywords(snapshot)->count, KEYWORDS_MAXIMUM);
    mailbox_snapshot_close(&snapshot);
    check_account(f);
    prepared_message_free(&message);
}

static bool remembers(struct fixture *f, uint64_t what)
{
    bool is = false;
    struct store_view *system = open_as(f, WHO_SYSTEM);
    assert_int_equal(store_remembers(system, what, &is), 0);
    store_view_close(&system);
    return is;
}

static void test_remembered(void **state)
{
    struct fixture *f = *state;
    uint64_t a = remember_number("kind", SLICE("a")), b = remember_number("kind", SLICE("b"));
    const struct remembered list[] = {{a, f->now + DAY}, {b, f->now + 2 * DAY}};
    const struct delivery_plan plan = {.remembered = list, .remembered_count = 2};
    bool is;
    assert_true(a && b && a != b && a != remember_number("king", SLICE("a")));
    assert_int_equal(store_remembers(f->view, a, &is), ERROR_DENIED);
    assert_false(remembers(f, a));
    assert_int_equal(deliver(f, &plan), 0);
    assert_true(remembers(f, a) && remembers(f, b));
    check_account(f);
    f->now += DAY;
    assert_false(remembers(f, a));
    assert_true(remembers(f, b));
    /* The purge forgets the one and keeps the other. */
    struct purge_result result;
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, f->now + 1, &result), 0);
    f->now -= DAY;
    assert_false(remembers(f, a));
    assert_true(remembers(f, b));
    check_account(f);
}

static void test_once(void **state)
{
    struct fixture *f = *state;
    struct prepared_message *message = prepare(SLICE("Subject: a\r\n\r\nx")),
                            *notice = prepare(SLICE("Subject: n\r\n\r\nx"));
    collection_id inbox = find_mailbox(f, "INBOX");
    struct filing filings[] = {{inbox, {.message = message}, {0}},
                               {inbox, {.message = notice}, {5, f->now + DAY}},
                               {inbox, {.message = notice}, {5, f->now + DAY}}};
    assert_int_equal(file(f, filings, 3), 0);
    assert_int_equal(read_mailbox(f, inbox).messages, 2);
    assert_int_equal(file(f, filings, 2), 0);
    assert_int_equal(read_mailbox(f, inbox).messages, 3);
    f->now += DAY;
    filings[1].once.until = f->now + DAY;
    assert_int_equal(file(f, filings, 2), 0);
    assert_int_equal(read_mailbox(f, inbox).messages, 5);
    check_account(f);
    prepared_message_free(&message);
    prepared_message_free(&notice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_several),  ON_BOTH(test_large),    ON_BOTH(test_ignored_quota),
        ON_BOTH(test_failures), ON_BOTH(test_keywords), ON_BOTH(test_remembered),
        ON_BOTH(test_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
