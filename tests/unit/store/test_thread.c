/*
 * Threads: which messages share one, what becomes of two that turn out to be one, and what the
 * change log says of them.
 */
#include "store/changes.h"
#include "store/dump.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/thread.h"
#include "store_test.h"

enum { DAY = 24 * 60 * 60 };

/* Operations on the key space (the linker puts these in front of them). */
static unsigned reads, writes, steps;
int __real_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);
int __wrap_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value);
int __real_kv_put(struct kv_transaction *transaction, struct slice key, struct slice value);
int __wrap_kv_put(struct kv_transaction *transaction, struct slice key, struct slice value);
int __real_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);
int __wrap_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value);

int __wrap_kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    reads++;
    return __real_kv_get(transaction, key, value);
}

int __wrap_kv_put(struct kv_transaction *transaction, struct slice key, struct slice value)
{
    writes++;
    return __real_kv_put(transaction, key, value);
}

int __wrap_kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value)
{
    steps++;
    return __real_kv_cursor_next(cursor, key, value);
}

/* --- messages --- */

struct mail {
    const char *id, *in_reply_to, *references, *subject;
    int64_t date;
    uint32_t flags;
};

static uint32_t append_mail(struct fixture *f, collection_id mailbox, struct mail mail)
{
    char text[8192];
    struct append append = {.flags = mail.flags, .internal_date = mail.date};
    struct append_result result = {0};
    size_t size = 0;
    const struct {
        const char *name, *value;
    } fields[] = {{"Message-ID", mail.id},
                  {"In-Reply-To", mail.in_reply_to},
                  {"References", mail.references},
                  {"Subject", mail.subject}};
    for (size_t i = 0; i < 4; i++)
        if (fields[i].value)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s: %s\r\n", fields[i].name,
                                     fields[i].value);
    snprintf(text + size, sizeof(text) - size, "\r\nText\r\n");
    assert_int_equal(prepared_message_create(slice_from_string(text), &append.message), 0);
    assert_int_equal(mailbox_append(f->view, mailbox, &append, &result), 0);
    prepared_message_free(&append.message);
    return result.uid;
}
#define MAIL(f, mailbox, ...) append_mail(f, mailbox, (struct mail){__VA_ARGS__})

static struct entry entry_at(struct fixture *f, collection_id mailbox, uint32_t uid,
                             uint64_t *thread)
{
    struct mailbox_snapshot *snapshot = NULL;
    struct entry_cursor cursor;
    struct entry entry = {0};
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, uid, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry.uid, uid);
    assert_int_equal(entry_thread(snapshot, &entry, thread), 0);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return entry;
}

static uint64_t thread_of(struct fixture *f, collection_id mailbox, uint32_t uid)
{
    uint64_t thread = 0, asked = 0;
    struct entry entry = entry_at(f, mailbox, uid, &thread);
    assert_true(thread != 0);
    assert_int_equal(message_thread(f->view, entry.message, &asked), 0);
    assert_true(asked == thread);
    return thread;
}

/* "1 5 3": the numbers of a thread's messages, or the error. */
static const char *messages_text(struct fixture *f, uint64_t thread)
{
    struct thread_message *list;
    size_t count;
    char text[2000] = "";
    int error = thread_messages(f->view, thread, &f->arena, &list, &count);
    if (error)
        return error_name(error);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? " %llu" : "%llu",
                 (unsigned long long)list[i].message);
    return arena_string(&f->arena, slice_from_string(text));
}

/* --- which thread --- */

static void test_linking(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), sent = find_mailbox(f, "Sent");
    uint64_t lunch = thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = "Lunch", .date = 30));
    /* By In-Reply-To, References, in any mailbox, whatever is put around the subject. */
    assert_true(
        thread_of(f, sent, MAIL(f, sent, "<b@x>", "<a@x>", .subject = "Re: Lunch", .date = 20)) ==
        lunch);
    assert_true(thread_of(f, inbox,
                          MAIL(f, inbox, "<c@x>", .references = "<z@x> <b@x>",
                               .subject = "AW: [list]  lunch")) == lunch);
    /* Written otherwise (RFC 5256 section 3). */
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<d@x>", "<\"a\"@x>", .subject = "Lunch")) ==
                lunch);
    /* A brother of one that is not there. */
    assert_true(thread_of(f, inbox,
                          MAIL(f, inbox, "<e@x>", .references = "<z@x>",
                               .subject = "lunch (fwd)")) == lunch);
    /* Another subject begins another conversation (RFC 8621 section 3); which is continued. */
    uint64_t dinner = thread_of(f, inbox, MAIL(f, inbox, "<f@x>", "<a@x>", .subject = "Dinner"));
    assert_true(dinner != lunch);
    assert_true(thread_of(f, inbox,
                          MAIL(f, inbox, "<g@x>", "<f@x>", "<a@x> <f@x>", "Re: Dinner")) == dinner);
    /* The subject alone makes none, nor does nothing at all. */
    uint64_t other = thread_of(f, inbox, MAIL(f, inbox, "<h@y>", .subject = "Lunch"));
    assert_true(other != lunch && other != dinner);
    uint64_t bare = thread_of(f, inbox, MAIL(f, inbox, .subject = "Lunch"));
    assert_true(bare != lunch && bare != other);
    assert_true(thread_of(f, inbox, MAIL(f, inbox, NULL)) != bare);
    check_account(f);
    /* In order of their dates, then of their numbers: 3, 4 and 5 have the date 0. */
    assert_string_equal(messages_text(f, lunch), "3 4 5 2 1");
    assert_string_equal(messages_text(f, 12345), "not-found");
}

/* A reply that is there before what it answers. */
static void test_out_of_order(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    uint64_t thread =
        thread_of(f, inbox, MAIL(f, inbox, "<c@x>", "<b@x>", "<a@x> <b@x>", "Re: Lunch"));
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = "Lunch")) == thread);
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<b@x>", "<a@x>", .subject = "Re: Lunch")) ==
                thread);
    assert_string_equal(uids_text(f, inbox), "1:3"); /* nothing was merged */
    check_account(f);
}

/* Equal messages are one, in one thread; copies and moves are the same message. */
static void test_same_message(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct range_set uids = set_of(1, 1);
    struct copy_result copied;
    range_set_init(&copied.from, 10);
    range_set_init(&copied.to, 10);
    uint64_t thread = thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = "Lunch"));
    assert_true(thread_of(f, box, MAIL(f, box, "<a@x>", .subject = "Lunch")) == thread);
    assert_int_equal(mailbox_copy(f->view, inbox, &uids, box, true, &copied), 0);
    assert_true(thread_of(f, box, 2) == thread);
    assert_string_equal(messages_text(f, thread), "1");
    range_set_release(&uids);
    range_set_release(&copied.from);
    range_set_release(&copied.to);
    check_account(f);
}

/* Of many references, the first and the last ones count. */
static void test_limits_ids(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    char references[4000] = "", id[32];
    for (int i = 0; i < 200; i++)
        snprintf(references + strlen(references), sizeof(references) - strlen(references),
                 "<r%d@x> ", i);
    uint64_t thread =
        thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .references = references, .subject = "Lunch"));
    for (int i = 0; i < 200; i += i == 0 || i > 165 ? 1 : 40) {
        snprintf(id, sizeof(id), "<r%d@x>", i);
        uint32_t uid = MAIL(f, inbox, id, .subject = "Lunch");
        /* The own one, the first and 30 more: 32. */
        assert_int_equal(thread_of(f, inbox, uid) == thread, i == 0 || i >= 170);
    }
    check_account(f);
}

/* One that grows eleven times when it is folded (U+FDFA). */
static void test_long_subject(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    char subject[6004] = "Re: ";
    for (size_t i = 4; i + 3 < sizeof(subject); i += 3)
        memcpy(subject + i, "\xef\xb7\xba", 4);
    uint64_t thread = thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = subject + 4));
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<b@x>", "<a@x>", .subject = subject)) ==
                thread);
    check_account(f);
}

static void test_ids(void **state)
{
    (void)state;
    char text[OBJECT_ID_MAXIMUM];
    uint64_t thread = 7;
    thread_id_format(0xfedcba9876543210, text);
    assert_string_equal(text, "Tfedcba9876543210");
    assert_int_equal(thread_id_parse(slice_from_string(text), &thread), 0);
    assert_true(thread == 0xfedcba9876543210);
    static const char *const wrong[] = {
        "", "T", "M1", "T0", "T01", "TA", "T1g", "t1", "T1fedcba9876543210", "T1 "};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(thread_id_parse(slice_from_string(wrong[i]), &thread), ERROR_SYNTAX);
    assert_true(thread == 0xfedcba9876543210);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    struct store_view *view;
    struct thread_message *list;
    size_t count;
    collection_id inbox = find_mailbox(f, "INBOX");
    uint64_t thread = thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = "Lunch")), found = 0;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &bob), 0);
    struct who whos[] = {who_account(bob), {.kind = WHO_KIND_ANONYMOUS}, {0}};
    for (size_t i = 0; i < sizeof(whos) / sizeof(whos[0]); i++) {
        assert_int_equal(store_view_open(f->store, whos[i], f->alice, &view), 0);
        assert_int_equal(message_thread(view, 1, &found), ERROR_NOT_FOUND);
        assert_int_equal(thread_messages(view, thread, &f->arena, &list, &count), ERROR_NOT_FOUND);
        store_view_close(&view);
    }
    assert_true(found == 0);
}

/* --- the change log --- */

/* "C5 U7 D1": what is said of threads since, in order; marks: 'T' for emails as well. */
static const char *changes_text(struct fixture *f, uint64_t since, uint32_t types, size_t limit)
{
    struct changes_cursor cursor = changes_since(since);
    char text[4000] = "";
    bool more;
    do {
        struct changed *list;
        size_t count;
        assert_int_equal(
            store_changes(f->view, &cursor, types, limit, &f->arena, &list, &count, &more), 0);
        assert_true(count <= limit);
        for (size_t i = 0; i < count; i++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%c%c%llu",
                     *text ? " " : "", list[i].kind == CHANGE_THREAD ? 't' : 'm',
                     "CUD"[list[i].action], (unsigned long long)list[i].number);
    } while (more);
    return arena_string(&f->arena, slice_from_string(text));
}

static uint64_t now(struct fixture *f)
{
    uint64_t modseq;
    assert_int_equal(store_modseq(f->view, &modseq), 0);
    return modseq;
}

static void expunge(struct fixture *f, collection_id mailbox, uint32_t first, uint32_t last)
{
    struct range_set uids = set_of(first, last), expunged;
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_DELETED, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    range_set_init(&expunged, 1000);
    assert_int_equal(mailbox_change_flags(f->view, mailbox, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(mailbox_expunge(f->view, mailbox, &uids, &expunged, &modseq), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

static void purge(struct fixture *f)
{
    struct purge_result result;
    f->now += 31 * DAY;
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, f->now, &result), 0);
}

static void test_changes(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    uint64_t start = now(f);
    MAIL(f, inbox, "<a@x>", .subject = "Lunch");
    MAIL(f, inbox, "<q@x>", .subject = "Dinner");
    uint64_t first = now(f);
    MAIL(f, inbox, "<b@x>", "<a@x>", .subject = "Lunch");
    uint64_t second = now(f);
    for (size_t limit = 1; limit < 8; limit++) {
        assert_string_equal(changes_text(f, first, CHANGES_THREADS, limit), "tU1");
        assert_string_equal(changes_text(f, first, CHANGES_THREADS | CHANGES_EMAILS, limit),
                            "mC3 tU1");
    }
    assert_string_equal(changes_text(f, start, CHANGES_THREADS, 100), "tC2 tC1");
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 100), "");
    /* Flags are not the thread's. */
    struct range_set uids = set_of(1, 3);
    struct flag_change change = {
        .operation = FLAGS_ADD, .flags = ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    assert_int_equal(mailbox_change_flags(f->view, inbox, &uids, &change, &modseq, NULL), 0);
    range_set_release(&uids);
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 100), "");
    expunge(f, inbox, 1, 1);
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 100), "tU1");
    expunge(f, inbox, 3, 3);
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 100), "tD1");
    /* The same when it is gone for good. */
    purge(f);
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 100), "tD1");
    assert_string_equal(changes_text(f, second, CHANGES_THREADS, 1), "tD1 tD1");
    check_account(f);
}

/* --- one becomes of two --- */

static void make_two(struct fixture *f, collection_id first, collection_id second)
{
    MAIL(f, first, "<a@x>", .subject = "Lunch", .date = 1);
    MAIL(f, first, "<b@x>", "<a@x>", .subject = "Lunch", .date = 2);
    MAIL(f, second, "<d@x>", "<c@x>", .subject = "Re: Lunch", .date = 4, .flags = ENTRY_FLAGGED);
}

static void test_merge(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    uint64_t thread;
    make_two(f, inbox, box);
    append_text(f, box, "Subject: other\r\n\r\n", 0);
    assert_true(thread_of(f, box, 1) != thread_of(f, inbox, 1));
    uint64_t before = now(f);
    assert_true(thread_of(f, inbox,
                          MAIL(f, inbox, "<c@x>", .references = "<a@x>", .subject = "Re: Lunch",
                               .date = 3)) == 1);
    /* Expunged and there again, with all that it had. */
    assert_string_equal(uids_text(f, inbox), "1:3");
    assert_string_equal(uids_text(f, box), "2:3");
    struct entry entry = entry_at(f, box, 3, &thread);
    assert_true(thread == 1);
    assert_int_equal(entry.message, 5);
    assert_int_equal(entry.flags, ENTRY_FLAGGED);
    assert_int_equal(entry.internal_date, 4);
    assert_string_equal(messages_text(f, 1), "1 2 6 5");
    assert_string_equal(messages_text(f, 3), "not-found");
    /* Who follows the changes holds nothing that is not there. */
    assert_string_equal(changes_text(f, before, CHANGES_EMAILS | CHANGES_THREADS, 100),
                        "mD3 mC5 mC6 tU1 tD3");
    assert_string_equal(changes_text(f, before, CHANGES_EMAILS | CHANGES_THREADS, 1),
                        "mD3 mC5 mC6 tD3 tU1 tU1");
    struct mailbox_snapshot *snapshot = NULL;
    struct range_set vanished;
    range_set_init(&vanished, 10);
    assert_int_equal(mailbox_snapshot_open(f->view, box, &snapshot), 0);
    assert_int_equal(mailbox_vanished(snapshot, before, &vanished), 0);
    assert_string_equal(set_text(f, &vanished), "1");
    range_set_release(&vanished);
    /* The body and the summary came along. */
    struct buffer bytes;
    struct summary summary;
    buffer_init(&bytes, 1 << 20);
    assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
    assert_int_equal(bytes.size, entry.size);
    assert_int_equal(mailbox_summary(snapshot, &entry, &bytes, &summary), 0);
    buffer_release(&bytes);
    mailbox_snapshot_close(&snapshot);
    check_account(f);
    /* It is found by its hash, and by its id. */
    uint32_t again =
        MAIL(f, box, "<d@x>", "<c@x>", .subject = "Re: Lunch", .date = 4, .flags = ENTRY_FLAGGED);
    assert_int_equal(entry_at(f, box, again, &thread).message, 5);
    assert_true(thread_of(f, box, MAIL(f, box, "<e@x>", "<d@x>", .subject = "Lunch")) == 1);
    check_account(f);
}

/* In several mailboxes, several times in one, settled into a blob, across pages. */
static void test_merge_many_places(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct range_set uids = set_of(1, 1);
    struct settle_result settled;
    struct copy_result copied;
    range_set_init(&copied.from, 10);
    range_set_init(&copied.to, 10);
    make_two(f, inbox, box);
    append_many(f, box, 300);
    assert_int_equal(mailbox_copy(f->view, box, &uids, box, false, &copied), 0);
    assert_int_equal(mailbox_copy(f->view, box, &uids, inbox, false, &copied), 0);
    assert_int_equal(store_settle(f->store, WHO_SYSTEM, f->alice, NULL, &settled), 0);
    struct collection there = read_mailbox(f, box);
    MAIL(f, inbox, "<c@x>", .references = "<a@x>", .subject = "Re: Lunch");
    struct collection after = read_mailbox(f, box);
    assert_int_equal(after.messages, there.messages);
    assert_true(after.size == there.size);
    assert_string_equal(uids_text(f, box), "2:301,303:304");
    assert_string_equal(uids_text(f, inbox), "1:2,4:5");
    assert_true(thread_of(f, box, 304) == 1);
    assert_true(thread_of(f, inbox, 4) == 1);
    range_set_release(&uids);
    range_set_release(&copied.from);
    range_set_release(&copied.to);
    check_account(f);
}

/* The new message joins the larger one, and nothing else moves. */
static void assert_stays_apart(struct fixture *f, collection_id box)
{
    const char *uids = uids_text(f, box);
    collection_id inbox = find_mailbox(f, "INBOX");
    assert_true(thread_of(f, inbox,
                          MAIL(f, inbox, "<c@x>", .references = "<a@x>", .subject = "Re: Lunch")) ==
                1);
    assert_string_equal(uids_text(f, box), uids);
    assert_true(thread_of(f, box, read_mailbox(f, box).uid_next - 1) != 1);
    check_account(f);
}

static void test_retained_stays_apart(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    make_two(f, inbox, box);
    MAIL(f, box, "<e@x>", "<d@x>", .subject = "Lunch");
    MAIL(f, inbox, "<g@x>", "<a@x>", .subject = "Lunch");
    expunge(f, box, 1, 1);
    assert_stays_apart(f, box);
}

static void test_deleted_stays_apart(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    struct range_set uids = set_of(1, 1);
    struct copy_result copied;
    range_set_init(&copied.from, 10);
    range_set_init(&copied.to, 10);
    make_two(f, inbox, box);
    collection_id gone = make_mailbox(f, "Gone");
    assert_int_equal(mailbox_copy(f->view, box, &uids, gone, false, &copied), 0);
    assert_int_equal(collection_delete(f->view, gone), 0);
    range_set_release(&uids);
    range_set_release(&copied.from);
    range_set_release(&copied.to);
    assert_stays_apart(f, box);
}

/* count messages of a thread of their own, larger than the other. */
static void make_large(struct fixture *f, collection_id box, unsigned count, const char *first)
{
    char id[64];
    MAIL(f, box, first, .subject = "Lunch");
    for (unsigned i = 1; i < count; i++) {
        snprintf(id, sizeof(id), "<%u.%s", i, first + 1);
        MAIL(f, box, id, first, .subject = "Lunch");
    }
}

static void test_limits_merging(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    make_large(f, inbox, 102, "<a@x>");
    make_large(f, box, 101, "<d@x>");
    uint64_t other = thread_of(f, box, 1);
    MAIL(f, inbox, "<c@x>", .references = "<a@x> <d@x>", .subject = "Lunch");
    assert_string_equal(uids_text(f, box), "1:101");
    assert_true(thread_of(f, box, 1) == other);
    expunge(f, box, 101, 101); /* retained: it still stands in the way */
    MAIL(f, inbox, "<e@x>", .references = "<a@x> <d@x>", .subject = "Lunch");
    assert_true(thread_of(f, box, 1) == other);
    purge(f);
    MAIL(f, inbox, "<f@x>", .references = "<a@x> <d@x>", .subject = "Lunch");
    assert_string_equal(uids_text(f, box), "102:201");
    assert_true(thread_of(f, box, 102) == 1);
    check_account(f);
}

/* Three at once share one budget. */
static void test_budget_is_shared(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    make_large(f, inbox, 70, "<a@x>");
    make_large(f, box, 60, "<b@x>");
    make_large(f, box, 50, "<c@x>");
    MAIL(f, inbox, "<d@x>", .references = "<a@x> <b@x> <c@x>", .subject = "Lunch");
    assert_string_equal(uids_text(f, box), "61:170");
    assert_true(thread_of(f, box, 111) == 1);
    assert_true(thread_of(f, box, 61) != 1);
    check_account(f);
}

/* --- the end of a thread --- */

static int count_line(const char *text, void *arg)
{
    *(unsigned *)arg += strncmp(text, "thread", 6) == 0;
    return 0;
}

/* Records i and t. */
static unsigned count_records(struct fixture *f)
{
    unsigned count = 0;
    assert_int_equal(store_dump_account(f->store, WHO_SYSTEM, f->alice, count_line, &count), 0);
    return count;
}

static void test_purge(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    MAIL(f, inbox, "<a@x>", .references = "<z@x>", .subject = "Lunch");
    MAIL(f, inbox, "<b@x>", "<a@x>", .subject = "Lunch");
    assert_int_equal(count_records(f), 2 + 3);
    expunge(f, inbox, 1, 1);
    assert_string_equal(messages_text(f, 1), "2");
    assert_int_equal(count_records(f), 2 + 3);
    purge(f);
    check_account(f);
    assert_int_equal(count_records(f), 1 + 3);
    /* What has gone still links. */
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<c@x>", "<z@x>", .subject = "Lunch")) == 1);
    expunge(f, inbox, 2, 3);
    purge(f);
    check_account(f);
    assert_int_equal(count_records(f), 0);
    assert_string_equal(messages_text(f, 1), "not-found");
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<a@x>", .subject = "Lunch")) != 1);
}

static void test_restored(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    struct copy_result restored;
    struct retained_filter filter = {0};
    range_set_init(&restored.from, 10);
    range_set_init(&restored.to, 10);
    MAIL(f, inbox, "<a@x>", .subject = "Lunch");
    expunge(f, inbox, 1, 1);
    assert_string_equal(messages_text(f, 1), "not-found");
    assert_int_equal(retained_restore(f->view, inbox, &filter, 0, &restored), 0);
    assert_string_equal(messages_text(f, 1), "1");
    assert_true(thread_of(f, inbox, MAIL(f, inbox, "<b@x>", "<a@x>", .subject = "Lunch")) == 1);
    range_set_release(&restored.from);
    range_set_release(&restored.to);
    check_account(f);
}

/* --- at random, with somebody who follows --- */

enum { EMAILS = 4096, IDS = 60, STEPS = 600 };

struct follower {
    struct changes_cursor cursor;
    uint64_t thread_of[EMAILS]; /* 0: it is not there */
    bool threads[EMAILS];
};

/* What has an id is in one thread for as long as it is there. */
static void follow(struct fixture *f, struct follower *follower)
{
    bool more;
    do {
        struct changed *list;
        size_t count;
        assert_int_equal(store_changes(f->view, &follower->cursor, CHANGES_EMAILS | CHANGES_THREADS,
                                       7, &f->arena, &list, &count, &more),
                         0);
        for (size_t i = 0; i < count; i++) {
            const struct changed *changed = &list[i];
            assert_true(changed->number < EMAILS && changed->thread && changed->thread < EMAILS);
            if (changed->kind == CHANGE_THREAD) {
                follower->threads[changed->number] = changed->action != CHANGE_DESTROYED;
                continue;
            }
            uint64_t *known = &follower->thread_of[changed->number];
            assert_true(!*known || *known == changed->thread);
            assert_true(*known || changed->action != CHANGE_UPDATED);
            *known = changed->action == CHANGE_DESTROYED ? 0 : changed->thread;
        }
    } while (more);
}

static void compare_follower(struct fixture *f, struct follower *follower)
{
    size_t emails[EMAILS] = {0};
    for (size_t i = 0; i < EMAILS; i++)
        if (follower->thread_of[i])
            emails[follower->thread_of[i]]++;
    for (size_t i = 1; i < EMAILS; i++) {
        struct thread_message *list;
        size_t count = 0;
        int error = thread_messages(f->view, i, &f->arena, &list, &count);
        assert_int_equal(error, emails[i] ? 0 : ERROR_NOT_FOUND);
        assert_int_equal(count, emails[i]);
        assert_int_equal(follower->threads[i], emails[i] > 0);
    }
    arena_clear(&f->arena);
}

static uint32_t random_below(uint32_t *random, uint32_t end)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % end;
}

static void random_mail(struct fixture *f, collection_id mailbox, uint32_t *random)
{
    static const char *const subjects[] = {"Lunch", "Re: lunch", "Dinner"};
    char id[32], references[128] = "";
    snprintf(id, sizeof(id), "<%u@x>", random_below(random, IDS));
    for (uint32_t i = random_below(random, 4); i > 0; i--)
        snprintf(references + strlen(references), sizeof(references) - strlen(references),
                 "<%u@x> ", random_below(random, IDS));
    MAIL(f, mailbox, id, .references = references, .subject = subjects[random_below(random, 3)],
         .date = random_below(random, 1000));
}

static void random_step(struct fixture *f, const collection_id *boxes, uint32_t *random)
{
    collection_id from = boxes[random_below(random, 3)], to = boxes[random_below(random, 3)];
    uint32_t first = random_below(random, read_mailbox(f, from).uid_next) + 1;
    uint32_t what = random_below(random, 20);
    if (what < 12) {
        random_mail(f, to, random);
    } else if (what < 15) {
        expunge(f, from, first, first + random_below(random, 8));
    } else if (what < 19) {
        struct range_set uids = set_of(first, first + random_below(random, 3));
        struct copy_result copied;
        range_set_init(&copied.from, 100);
        range_set_init(&copied.to, 100);
        assert_int_equal(mailbox_copy(f->view, from, &uids, to, what == 18, &copied), 0);
        range_set_release(&uids);
        range_set_release(&copied.from);
        range_set_release(&copied.to);
    } else {
        purge(f);
    }
}

static void test_random(void **state)
{
    struct fixture *f = *state;
    struct follower *follower = calloc(1, sizeof(*follower));
    collection_id boxes[] = {find_mailbox(f, "INBOX"), make_mailbox(f, "Box"),
                             make_mailbox(f, "Other")};
    uint32_t random = 7;
    follower->cursor = changes_since(now(f));
    for (unsigned step = 0; step < STEPS; step++) {
        random_step(f, boxes, &random);
        if (random_below(&random, 4) == 0)
            follow(f, follower);
        if (step % 50 == 49) {
            follow(f, follower);
            compare_follower(f, follower);
            check_account(f);
        }
    }
    free(follower);
}

/* --- what it costs --- */

static void count_operations(struct fixture *f, collection_id mailbox, struct mail mail)
{
    reads = writes = steps = 0;
    append_mail(f, mailbox, mail);
}

static void test_operations(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 10);
    /* Without any id: the account, collection, page, message, summary, body, hash, and t. */
    count_operations(f, inbox, (struct mail){.subject = "x"});
    unsigned base_gets = reads, base_puts = writes;
    assert_int_equal(base_puts, 8);
    assert_int_equal(steps, 0);
    /* A new conversation: its id is looked up twice, and put. */
    count_operations(f, inbox, (struct mail){"<a@x>", .subject = "Lunch"});
    assert_int_equal(reads, base_gets + 2);
    assert_int_equal(writes, base_puts + 1);
    assert_int_equal(steps, 0);
    /* A reply: another id for each of those it names. */
    count_operations(f, inbox, (struct mail){"<b@x>", "<a@x>", "<a@x>", "Re: Lunch"});
    assert_int_equal(reads, base_gets + 4);
    assert_int_equal(writes, base_puts + 1);
    assert_int_equal(steps, 0);
    /* At the limit. */
    char references[4000] = "";
    for (int i = 0; i < 200; i++)
        snprintf(references + strlen(references), sizeof(references) - strlen(references),
                 "<r%d@x> ", i);
    count_operations(f, inbox, (struct mail){"<c@x>", .references = references});
    assert_int_equal(reads, base_gets + 64);
    assert_int_equal(writes, base_puts + 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_linking),
        ON_BOTH(test_out_of_order),
        ON_BOTH(test_same_message),
        ON_BOTH(test_limits_ids),
        ON_BOTH(test_long_subject),
        cmocka_unit_test(test_ids),
        ON_BOTH(test_rights),
        ON_BOTH(test_changes),
        ON_BOTH(test_merge),
        ON_BOTH(test_merge_many_places),
        ON_BOTH(test_retained_stays_apart),
        ON_BOTH(test_deleted_stays_apart),
        ON_BOTH(test_limits_merging),
        ON_BOTH(test_budget_is_shared),
        ON_BOTH(test_purge),
        ON_BOTH(test_restored),
        ON_BOTH(test_random),
        ON_BOTH(test_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
