/*
 * Messages that go to another account, and moves that are interrupted anywhere.
 */
#include "base/clock.h"
#include "base/gate.h"
#include "store/acl.h"
#include "store/annotation.h"
#include "store/quota.h"
#include "store/retained.h"
#include "store/thread.h"
#include "store/transfer.h"
#include "store_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* --- commits that fail --- */

enum failing { FAIL_NEVER, FAIL_BEFORE, FAIL_AFTER };
static enum failing failing;
static atomic_uint updates;
static unsigned failing_update; /* the failing_update-th from now on, and all behind it */

int __real_kv_update(struct kv *kv, enum kv_durability durability,
                     int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);
int __wrap_kv_update(struct kv *kv, enum kv_durability durability,
                     int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);

int __wrap_kv_update(struct kv *kv, enum kv_durability durability,
                     int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    updates++;
    if (failing != FAIL_NEVER && updates >= failing_update) {
        if (failing == FAIL_AFTER && updates == failing_update)
            __real_kv_update(kv, durability, fn, arg);
        return ERROR_IO;
    }
    return __real_kv_update(kv, durability, fn, arg);
}

static void fail_from(enum failing how, unsigned update)
{
    failing = how;
    failing_update = update;
    updates = 0;
}

/* --- shorthands --- */

/* bob's account beside alice's, as the system sees both. */
struct pair {
    struct fixture *f;
    struct account_id bob;
    struct store_view *from, *to;
    collection_id box, target;
    struct copy_result result;
};

static collection_id find(struct pair *p, struct store_view *view, const char *path)
{
    struct collection found = {0};
    assert_int_equal(
        collection_find(view, COLLECTION_MAILBOX, slice_from_string(path), &p->f->arena, &found),
        0);
    return found.id;
}

static void open_views(struct pair *p, struct who who)
{
    assert_int_equal(store_view_open(p->f->store, who, p->f->alice, &p->from), 0);
    assert_int_equal(store_view_open(p->f->store, who, p->bob, &p->to), 0);
}

static void close_views(struct pair *p)
{
    store_view_close(&p->from);
    store_view_close(&p->to);
}

static void set_up(struct pair *p, struct fixture *f)
{
    *p = (struct pair){.f = f};
    failing = FAIL_NEVER;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob"), &p->bob), 0);
    p->box = make_mailbox(f, "Box");
    open_views(p, WHO_SYSTEM);
    p->target = find(p, p->to, "INBOX");
    range_set_init(&p->result.from, 100000);
    range_set_init(&p->result.to, 100000);
}

static void check_both(struct pair *p)
{
    struct account_id alice = p->f->alice;
    check_account(p->f);
    p->f->alice = p->bob;
    check_account(p->f);
    p->f->alice = alice;
}

static void clean_up(struct pair *p)
{
    close_views(p);
    range_set_release(&p->result.from);
    range_set_release(&p->result.to);
    check_both(p);
}

static int transfer(struct pair *p, uint32_t first, uint32_t last, bool move)
{
    struct range_set uids = set_of(first, last);
    int error = mailbox_transfer(p->from, p->box, &uids, p->to, p->target, move, &p->result);
    range_set_release(&uids);
    return error;
}

static const char *uids_in(struct pair *p, struct store_view *view, collection_id mailbox)
{
    struct mailbox_snapshot *snapshot;
    struct range_set uids;
    range_set_init(&uids, 100000);
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    assert_int_equal(mailbox_uids(snapshot, &uids), 0);
    mailbox_snapshot_close(&snapshot);
    const char *text = set_text(p->f, &uids);
    range_set_release(&uids);
    return text;
}

/* The entry with that UID, and the message's bytes. */
static struct entry read_entry(struct pair *p, struct store_view *view, collection_id mailbox,
                               uint32_t uid, struct buffer *bytes, struct slice *keywords)
{
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry = {0};
    size_t count = 0;
    assert_int_equal(mailbox_snapshot_open(view, mailbox, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, uid, 0);
    assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
    assert_int_equal(entry.uid, uid);
    entry_cursor_release(&cursor);
    buffer_clear(bytes);
    assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, bytes), 0);
    const struct keyword_names *names = mailbox_snapshot_keywords(snapshot);
    for (unsigned i = 0; i < names->count; i++)
        if (keyword_set_has(&entry.keywords, i))
            keywords[count++] = arena_copy(&p->f->arena, names->names[i]);
    keywords[count] = (struct slice){NULL, 0};
    mailbox_snapshot_close(&snapshot);
    return entry;
}

static void append_flagged(struct pair *p, const char *text, uint32_t flags, int64_t date,
                           const char *keyword)
{
    struct prepared_message *message = NULL;
    struct slice name = slice_from_string(keyword);
    assert_int_equal(prepared_message_create(slice_from_string(text), &message), 0);
    struct append append = {.message = message,
                            .flags = flags,
                            .keywords = &name,
                            .keyword_count = 1,
                            .internal_date = date};
    struct append_result result;
    assert_int_equal(mailbox_append(p->from, p->box, &append, &result), 0);
    prepared_message_free(&message);
}

/* --- what goes along --- */

static void test_what_goes_along(void **state)
{
    struct pair p;
    struct buffer bytes;
    struct slice keywords[KEYWORDS_MAXIMUM + 1];
    set_up(&p, *state);
    buffer_init(&bytes, 1 << 20);
    append_flagged(&p, "Subject: a\r\n\r\none", ENTRY_SEEN | ENTRY_FLAGGED, 1000, "$Work");
    append_flagged(&p, "Subject: b\r\n\r\ntwo", ENTRY_ANSWERED, 2000, "$Home");
    struct annotation annotation = {ANNOTATION_SHARED, SLICE("/comment"), SLICE("good")};
    struct range_set uids = set_of(1, 1);
    uint64_t modseq;
    assert_int_equal(
        message_annotations_set(p.from, p.box, &uids, &annotation, 1, UINT64_MAX, &modseq, NULL),
        0);
    range_set_release(&uids);
    for (int move = 0; move < 2; move++) {
        uint32_t first = move ? 3 : 1;
        assert_int_equal(transfer(&p, 1, 10, move), 0);
        assert_string_equal(set_text(p.f, &p.result.from), "1:2");
        assert_string_equal(set_text(p.f, &p.result.to), move ? "3:4" : "1:2");
        assert_string_equal(uids_in(&p, p.from, p.box), move ? "" : "1:2");
        struct entry entry = read_entry(&p, p.to, p.target, first, &bytes, keywords);
        assert_slice_equal(buffer_slice(&bytes), "Subject: a\r\n\r\none");
        assert_int_equal(entry.flags, ENTRY_SEEN | ENTRY_FLAGGED);
        assert_int_equal(entry.internal_date, 1000);
        assert_slice_equal(keywords[0], "$Work");
        assert_null(keywords[1].data);
        entry = read_entry(&p, p.to, p.target, first + 1, &bytes, keywords);
        assert_slice_equal(buffer_slice(&bytes), "Subject: b\r\n\r\ntwo");
        assert_int_equal(entry.flags, ENTRY_ANSWERED);
        assert_slice_equal(keywords[0], "$Home");
        struct mailbox_snapshot *snapshot;
        struct annotation *list;
        size_t count;
        assert_int_equal(mailbox_snapshot_open(p.to, p.target, &snapshot), 0);
        assert_int_equal(message_annotations_list(snapshot, first, &p.f->arena, &list, &count), 0);
        assert_int_equal(count, 1);
        assert_slice_equal(list[0].value, "good");
        mailbox_snapshot_close(&snapshot);
        check_both(&p);
    }
    buffer_release(&bytes);
    clean_up(&p);
}

/* A message that is there already is not stored twice; the two are one thread with what is there.
 */
static void test_equal_messages_and_threads(void **state)
{
    struct pair p;
    struct buffer bytes;
    struct slice keywords[KEYWORDS_MAXIMUM + 1];
    set_up(&p, *state);
    buffer_init(&bytes, 1 << 20);
    append_text(p.f, p.box, "Message-ID: <a@x>\r\nSubject: s\r\n\r\n", 0);
    append_text(p.f, p.box, "Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: s\r\n\r\n", 0);
    assert_int_equal(transfer(&p, 1, 1, false), 0);
    assert_int_equal(transfer(&p, 1, 2, false), 0);
    struct entry one = read_entry(&p, p.to, p.target, 1, &bytes, keywords);
    struct entry again = read_entry(&p, p.to, p.target, 2, &bytes, keywords);
    struct entry answer = read_entry(&p, p.to, p.target, 3, &bytes, keywords);
    uint64_t thread, other;
    assert_int_equal(one.message, again.message);
    assert_int_equal(message_thread(p.to, one.message, &thread), 0);
    assert_int_equal(message_thread(p.to, answer.message, &other), 0);
    assert_int_equal(thread, other);
    buffer_release(&bytes);
    clean_up(&p);
}

static void test_large_messages(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 };
    struct pair p;
    struct buffer bytes, text;
    struct slice keywords[KEYWORDS_MAXIMUM + 1];
    set_up(&p, *state);
    buffer_init(&bytes, 2 * SIZE);
    buffer_init(&text, 2 * SIZE);
    /* More than one snapshot's worth. */
    for (int i = 0; i < 5; i++) {
        buffer_clear(&text);
        buffer_append_format(&text, "Subject: %d\r\n\r\n", i);
        while (text.size < SIZE)
            buffer_append_format(&text, "%zu\r\n", text.size);
        append_text(p.f, p.box, text.data, 0);
    }
    assert_int_equal(transfer(&p, 1, 5, true), 0);
    read_entry(&p, p.to, p.target, 5, &bytes, keywords);
    assert_int_equal(bytes.size, text.size);
    assert_memory_equal(bytes.data, text.data, text.size);
    assert_string_equal(uids_in(&p, p.from, p.box), "");
    buffer_release(&bytes);
    buffer_release(&text);
    clean_up(&p);
}

/* A user moves what is shared with him to himself: he keeps what he has seen, not what the owner
 * has; and sets what he may. */
static void test_as_a_user(void **state)
{
    struct pair p;
    struct buffer bytes;
    struct slice keywords[KEYWORDS_MAXIMUM + 1];
    struct flag_change change = {FLAGS_ADD, ENTRY_SEEN, .unchanged_since = UINT64_MAX};
    struct range_set uids = set_of(2, 2);
    uint64_t modseq;
    set_up(&p, *state);
    buffer_init(&bytes, 1 << 20);
    append_flagged(&p, "Subject: a\r\n\r\n", ENTRY_SEEN | ENTRY_FLAGGED, 1000, "$Work");
    append_flagged(&p, "Subject: b\r\n\r\n", 0, 1000, "$Work");
    close_views(&p);
    assert_int_equal(acl_set(p.f->view, p.box, SLICE("bob"), ACL_REPLACE, RIGHT_ALL), 0);
    open_views(&p, who_account(p.bob));
    assert_int_equal(mailbox_change_flags(p.from, p.box, &uids, &change, &modseq, NULL), 0);
    assert_int_equal(transfer(&p, 1, 2, true), 0);
    assert_int_equal(read_entry(&p, p.to, p.target, 1, &bytes, keywords).flags, ENTRY_FLAGGED);
    assert_int_equal(read_entry(&p, p.to, p.target, 2, &bytes, keywords).flags, ENTRY_SEEN);
    /* Back, with fewer rights. */
    assert_int_equal(acl_set(p.f->view, p.box, SLICE("bob"), ACL_REPLACE,
                             RIGHT_LOOKUP | RIGHT_INSERT | RIGHT_READ),
                     0);
    struct store_view *from = p.from;
    collection_id box = p.box;
    p.from = p.to;
    p.to = from;
    p.box = p.target;
    p.target = box;
    assert_int_equal(transfer(&p, 1, 2, false), 0);
    struct entry entry = read_entry(&p, p.to, p.target, 3, &bytes, keywords);
    assert_int_equal(entry.flags, 0);
    assert_null(keywords[0].data);
    range_set_release(&uids);
    buffer_release(&bytes);
    p.to = p.from;
    p.from = from;
    clean_up(&p);
}

static void test_rights(void **state)
{
    static const struct {
        uint32_t source, target;
        bool move;
        int error;
    } cases[] = {
        {RIGHT_LOOKUP | RIGHT_READ, RIGHT_INSERT | RIGHT_LOOKUP, false, 0},
        {RIGHT_LOOKUP, RIGHT_INSERT | RIGHT_LOOKUP, false, ERROR_DENIED},
        {RIGHT_READ, RIGHT_INSERT | RIGHT_LOOKUP, false, ERROR_NOT_FOUND},
        {RIGHT_LOOKUP | RIGHT_READ, RIGHT_LOOKUP, false, ERROR_DENIED},
        {RIGHT_LOOKUP | RIGHT_READ, RIGHT_INSERT, false, ERROR_NOT_FOUND},
        {RIGHT_LOOKUP | RIGHT_READ | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE,
         RIGHT_INSERT | RIGHT_LOOKUP, true, 0},
        {RIGHT_LOOKUP | RIGHT_READ | RIGHT_DELETE_MESSAGES, RIGHT_INSERT | RIGHT_LOOKUP, true,
         ERROR_DENIED},
        {RIGHT_LOOKUP | RIGHT_READ | RIGHT_EXPUNGE, RIGHT_INSERT | RIGHT_LOOKUP, true,
         ERROR_DENIED},
    };
    struct pair p;
    struct account_id carol;
    set_up(&p, *state);
    assert_int_equal(store_account_create(p.f->store, WHO_SYSTEM, SLICE("carol"), &carol), 0);
    append_many(p.f, p.box, 5);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_view *bob;
        assert_int_equal(acl_set(p.f->view, p.box, SLICE("carol"), ACL_REPLACE, cases[i].source),
                         0);
        assert_int_equal(store_view_open(p.f->store, who_account(p.bob), p.bob, &bob), 0);
        assert_int_equal(acl_set(bob, p.target, SLICE("carol"), ACL_REPLACE, cases[i].target), 0);
        store_view_close(&bob);
        close_views(&p);
        open_views(&p, who_account(carol));
        assert_int_equal(transfer(&p, 1, 5, cases[i].move), cases[i].error);
    }
    /* The two views are of one who. */
    store_view_close(&p.to);
    assert_int_equal(store_view_open(p.f->store, WHO_SYSTEM, p.bob, &p.to), 0);
    assert_int_equal(transfer(&p, 1, 5, false), ERROR_INVALID);
    clean_up(&p);
}

static void test_limits(void **state)
{
    struct pair p;
    const uint64_t limits[QUOTA_RESOURCES] = {[QUOTA_MESSAGE] = 3};
    set_up(&p, *state);
    append_many(p.f, p.box, 5);
    assert_int_equal(quota_set(p.to, 1 << QUOTA_MESSAGE, limits), 0);
    for (int move = 0; move < 2; move++) {
        assert_int_equal(transfer(&p, 1, 4, move), ERROR_QUOTA);
        assert_string_equal(uids_in(&p, p.from, p.box), "1:5");
        assert_string_equal(uids_in(&p, p.to, p.target), "");
        check_both(&p);
    }
    assert_int_equal(transfer(&p, 2, 4, true), 0);
    assert_int_equal(transfer(&p, 100, 200, true), 0);
    assert_int_equal(p.result.from.count, 0);
    assert_string_equal(uids_in(&p, p.from, p.box), "1,5");
    p.target = 9999;
    assert_int_equal(transfer(&p, 1, 1, true), ERROR_NOT_FOUND);
    clean_up(&p);
}

static void test_too_many(void **state)
{
    struct pair p;
    struct range_set all = set_of(1, UINT32_MAX - 1);
    set_up(&p, *state);
    append_many(p.f, p.box, 10);
    while (read_mailbox(p.f, p.box).messages <= TRANSFER_MESSAGES_MAXIMUM) {
        range_set_clear(&p.result.from);
        range_set_clear(&p.result.to);
        assert_int_equal(mailbox_copy(p.f->view, p.box, &all, p.box, false, &p.result), 0);
    }
    assert_int_equal(transfer(&p, 1, UINT32_MAX - 1, false), ERROR_LIMIT);
    assert_int_equal(transfer(&p, 1, TRANSFER_MESSAGES_MAXIMUM, true), 0);
    range_set_release(&all);
    clean_up(&p);
}

/* What has been moved away can be brought back where it was, for some time. */
static void test_undelete(void **state)
{
    struct pair p;
    struct retained_filter filter = {0};
    set_up(&p, *state);
    append_many(p.f, p.box, 3);
    assert_int_equal(transfer(&p, 1, 3, true), 0);
    range_set_clear(&p.result.from);
    range_set_clear(&p.result.to);
    assert_int_equal(retained_restore(p.f->view, p.box, &filter, 0, &p.result), 0);
    assert_string_equal(uids_in(&p, p.from, p.box), "4:6");
    clean_up(&p);
}

/* --- interrupted --- */

/* Whatever update is the last that comes about: afterwards every message is in one account, and in
 * that alone; and nobody has been told that it is in the other when it is not. */
static void test_interrupted_anywhere(void **state)
{
    for (int how = FAIL_BEFORE; how <= FAIL_AFTER; how++) {
        for (unsigned step = 1;; step++) {
            struct pair p;
            size_t finished = 99;
            set_up(&p, *state);
            append_many(p.f, p.box, 5);
            fail_from((enum failing)how, step);
            int error = transfer(&p, 2, 4, true);
            unsigned used = updates;
            fail_from(FAIL_NEVER, 0);
            close_views(&p);
            reopen(p.f);
            assert_int_equal(store_recover(p.f->store, &finished), 0);
            open_views(&p, WHO_SYSTEM);
            bool moved = uids_in(&p, p.to, p.target)[0] != '\0';
            assert_string_equal(uids_in(&p, p.to, p.target), moved ? "1:3" : "");
            assert_string_equal(uids_in(&p, p.from, p.box), moved ? "1,5" : "1:5");
            if (!error)
                assert_true(moved);
            assert_int_equal(store_recover(p.f->store, &finished), 0);
            assert_int_equal(finished, 0);
            clean_up(&p);
            assert_int_equal(store_account_delete(p.f->store, WHO_SYSTEM, p.bob), 0);
            assert_int_equal(collection_delete(p.f->view, p.box), 0);
            if (used < step)
                break;
        }
    }
}

/* The next move, or change of a list, finishes it as well; and an account that is gone does not
 * keep it from being finished. */
static void test_finished_by_others(void **state)
{
    for (int gone = 0; gone < 3; gone++) {
        struct pair p;
        size_t finished = 99;
        set_up(&p, *state);
        append_many(p.f, p.box, 3);
        fail_from(FAIL_BEFORE, 3); /* the source's part */
        assert_int_equal(transfer(&p, 1, 3, true), ERROR_IO);
        fail_from(FAIL_NEVER, 0);
        assert_string_equal(uids_in(&p, p.from, p.box), "1:3");
        assert_string_equal(uids_in(&p, p.to, p.target), "1:3");
        if (gone == 1)
            assert_int_equal(collection_delete(p.f->view, p.box), 0);
        if (gone == 2) {
            close_views(&p);
            assert_int_equal(store_account_delete(p.f->store, WHO_SYSTEM, p.bob), 0);
        }
        assert_int_equal(acl_set(p.f->view, find_mailbox(p.f, "INBOX"), SLICE("anyone"),
                                 ACL_REPLACE, RIGHT_LOOKUP),
                         0);
        assert_int_equal(store_recover(p.f->store, &finished), 0);
        assert_int_equal(finished, 0);
        if (gone == 0)
            assert_string_equal(uids_in(&p, p.from, p.box), "");
        if (gone == 2) {
            assert_string_equal(uids_text(p.f, p.box), "1:3");
            range_set_release(&p.result.from);
            range_set_release(&p.result.to);
            check_account(p.f);
            continue;
        }
        clean_up(&p);
        assert_int_equal(store_account_delete(p.f->store, WHO_SYSTEM, p.bob), 0);
        if (gone == 0)
            assert_int_equal(collection_delete(p.f->view, p.box), 0);
    }
}

/* --- at the same time --- */

enum { OPPOSITE_MOVES = 20 };

struct mover {
    struct fixture *f;
    struct account_id from, to;
    int moves, error;
};

/* Moves the first message of one INBOX to the other's, as often as it is told. */
static int move_first(struct mover *mover, struct store_view *from, struct store_view *to)
{
    struct arena arena;
    struct collection box, target;
    struct copy_result result;
    struct mailbox_snapshot *snapshot = NULL;
    struct range_set uids, first;
    arena_init(&arena, 65536);
    range_set_init(&uids, 1000);
    range_set_init(&first, 1);
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    int error = collection_find(from, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &box);
    if (!error)
        error = collection_find(to, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &target);
    if (!error)
        error = mailbox_snapshot_open(from, box.id, &snapshot);
    if (!error)
        error = mailbox_uids(snapshot, &uids);
    if (snapshot)
        mailbox_snapshot_close(&snapshot);
    uint32_t uid = range_set_next(&uids, 1);
    if (!error && uid)
        error = range_set_add(&first, uid, uid);
    if (!error && uid)
        error = mailbox_transfer(from, box.id, &first, to, target.id, true, &result);
    mover->moves += !error && uid;
    range_set_release(&result.from);
    range_set_release(&result.to);
    range_set_release(&first);
    range_set_release(&uids);
    arena_release(&arena);
    return error;
}

static void *run_mover(void *argument)
{
    struct mover *mover = argument;
    int wanted = mover->moves;
    struct store_view *from = NULL, *to = NULL;
    mover->moves = 0;
    mover->error = store_view_open(mover->f->store, WHO_SYSTEM, mover->from, &from);
    if (!mover->error)
        mover->error = store_view_open(mover->f->store, WHO_SYSTEM, mover->to, &to);
    for (int i = 0; i < wanted && !mover->error; i++)
        mover->error = move_first(mover, from, to);
    store_view_close(&from);
    store_view_close(&to);
    return NULL;
}

static void append_to_both(struct pair *p)
{
    append_many(p->f, find(p, p->from, "INBOX"), OPPOSITE_MOVES);
    struct range_set uids = set_of(1, OPPOSITE_MOVES / 2);
    collection_id inbox = find(p, p->from, "INBOX");
    assert_int_equal(mailbox_transfer(p->from, inbox, &uids, p->to, p->target, true, &p->result),
                     0);
    range_set_release(&uids);
}

static unsigned messages_in(struct store_view *view)
{
    struct arena arena;
    struct collection inbox;
    struct mailbox_snapshot *snapshot;
    struct range_set uids;
    arena_init(&arena, 65536);
    range_set_init(&uids, 1000);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox), 0);
    assert_int_equal(mailbox_snapshot_open(view, inbox.id, &snapshot), 0);
    assert_int_equal(mailbox_uids(snapshot, &uids), 0);
    unsigned count = range_set_size(&uids);
    mailbox_snapshot_close(&snapshot);
    range_set_release(&uids);
    arena_release(&arena);
    return count;
}

/* Moves in both directions wait for each other, not for ever; no message is lost or there twice. */
static void test_opposite_moves(void **state)
{
    struct pair p;
    pthread_t threads[4];
    struct mover movers[4];
    set_up(&p, *state);
    append_to_both(&p);
    for (int i = 0; i < 4; i++) {
        movers[i] = i % 2 ? (struct mover){p.f, p.bob, p.f->alice, OPPOSITE_MOVES, 0}
                          : (struct mover){p.f, p.f->alice, p.bob, OPPOSITE_MOVES, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_mover, &movers[i]), 0);
    }
    int moves = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(movers[i].error, 0);
        moves += movers[i].moves;
    }
    assert_true(moves > 0);
    assert_int_equal(messages_in(p.from) + messages_in(p.to), OPPOSITE_MOVES);
    clean_up(&p);
}

static void wait_for_waiting(unsigned threads)
{
    for (int i = 0; i < 10000 && gate_waiting() != threads; i++)
        usleep(1000);
    assert_int_equal(gate_waiting(), threads);
}

/* During a freeze one move waits at the gate with the lock, the next for the lock, and nobody is
 * inside; who reads goes on. Afterwards both come about. */
static void test_freeze(void **state)
{
    struct pair p;
    pthread_t threads[2];
    struct mover movers[2];
    set_up(&p, *state);
    append_to_both(&p);
    int descriptor = gate_create();
    assert_true(descriptor >= 0);
    assert_int_equal(gate_attach(descriptor, 0), 0);
    gate_close(clock_monotonic_us() + UINT64_C(60) * 1000 * 1000);
    for (int i = 0; i < 2; i++) {
        movers[i] = i ? (struct mover){p.f, p.bob, p.f->alice, 1, 0}
                      : (struct mover){p.f, p.f->alice, p.bob, 1, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_mover, &movers[i]), 0);
        wait_for_waiting(1);
    }
    usleep(
        20000); /* the second has had the time to come to the gate, if it did not wait before it */
    assert_int_equal(gate_waiting(), 1);
    assert_int_equal(gate_inside(), 0);
    assert_int_equal(messages_in(p.from), OPPOSITE_MOVES / 2);
    assert_true(gate_open());
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(movers[i].error, 0);
        assert_int_equal(movers[i].moves, 1);
    }
    assert_int_equal(messages_in(p.from), OPPOSITE_MOVES / 2);
    clean_up(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_what_goes_along),
        ON_BOTH(test_equal_messages_and_threads),
        ON_BOTH(test_large_messages),
        ON_BOTH(test_as_a_user),
        ON_BOTH(test_rights),
        ON_BOTH(test_limits),
        cmocka_unit_test_setup_teardown(test_too_many, set_up_memory, tear_down),
        ON_BOTH(test_undelete),
        ON_BOTH(test_interrupted_anywhere),
        ON_BOTH(test_finished_by_others),
        ON_BOTH(test_opposite_moves),
        /* The last: a process has one gate. */
        cmocka_unit_test_setup_teardown(test_freeze, set_up_sqlite, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
