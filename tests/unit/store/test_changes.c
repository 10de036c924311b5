/*
 * The change log: what it tells of each kind of change, and readers that go on in slices of random
 * size from any point while everything that can happen happens, and end with what is there.
 */
#include "store/changes.h"
#include "store/retained.h"
#include "store/thread.h"
#include "store_test.h"

enum {
    DAY = 24 * 60 * 60,
    ALL = CHANGES_EMAILS | CHANGES_THREADS | CHANGES_COLLECTIONS(COLLECTION_MAILBOX),
};

/* --- what each change tells --- */

/* "C7+ E1+ E2- C1* C1#": created, destroyed, updated, only counts updated. */
static const char *tell(struct fixture *f, uint64_t since, uint32_t types)
{
    struct changes_cursor cursor = changes_since(since);
    struct changed *list = NULL;
    size_t count = 0;
    bool more = true;
    static char text[4096];
    int size = 0;
    text[0] = '\0';
    assert_int_equal(store_changes(f->view, &cursor, types, 1000, &f->arena, &list, &count, &more),
                     0);
    assert_false(more);
    for (size_t i = 0; i < count; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s%c%llu%c", i ? " " : "",
                         "?CET"[list[i].kind], (unsigned long long)list[i].number,
                         list[i].counts_only ? '#' : "+*-"[list[i].action]);
    return text;
}

static uint64_t modseq_of(struct fixture *f)
{
    uint64_t modseq = 0;
    assert_int_equal(store_modseq(f->view, &modseq), 0);
    return modseq;
}

static void set_flags(struct fixture *f, collection_id mailbox, uint32_t first, uint32_t last,
                      uint32_t flags)
{
    struct range_set uids = set_of(first, last);
    struct flag_change change = {FLAGS_ADD, flags, .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    assert_int_equal(mailbox_change_flags(f->view, mailbox, &uids, &change, &modseq, NULL), 0);
    range_set_release(&uids);
}

static void expunge(struct fixture *f, collection_id mailbox, uint32_t first, uint32_t last)
{
    struct range_set uids = set_of(first, last), expunged;
    uint64_t modseq;
    range_set_init(&expunged, 100000);
    set_flags(f, mailbox, first, last, ENTRY_DELETED);
    assert_int_equal(mailbox_expunge(f->view, mailbox, &uids, &expunged, &modseq), 0);
    range_set_release(&uids);
    range_set_release(&expunged);
}

static int copy(struct fixture *f, collection_id from, collection_id to, uint32_t first,
                uint32_t last, bool move)
{
    struct range_set uids = set_of(first, last);
    struct copy_result result;
    range_set_init(&result.from, 100000);
    range_set_init(&result.to, 100000);
    int error = mailbox_copy(f->view, from, &uids, to, move, &result);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static int restore(struct fixture *f, collection_id mailbox)
{
    struct copy_result result;
    struct retained_filter filter = {0};
    range_set_init(&result.from, 100000);
    range_set_init(&result.to, 100000);
    int error = retained_restore(f->view, mailbox, &filter, 0, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

static void purge(struct fixture *f, int64_t now)
{
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->alice, now, NULL), 0);
}

static void test_emails(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    uint64_t start = modseq_of(f);
    append_many(f, inbox, 3); /* emails 1 to 3 */
    assert_string_equal(tell(f, start, ALL), "E1+ T1+ E2+ T2+ C1# E3+ T3+");
    uint64_t added = modseq_of(f);
    assert_string_equal(tell(f, added, ALL), "");
    set_flags(f, inbox, 2, 2, ENTRY_SEEN);
    assert_string_equal(tell(f, added, ALL), "C1# E2*");
    assert_string_equal(tell(f, added, CHANGES_EMAILS), "E2*");
    assert_string_equal(tell(f, start, CHANGES_EMAILS), "E1+ E3+ E2+");
    uint64_t seen = modseq_of(f);
    assert_int_equal(copy(f, inbox, box, 1, 1, false), 0);
    assert_int_equal(copy(f, inbox, box, 3, 3, true), 0);
    assert_string_equal(tell(f, seen, CHANGES_EMAILS), "E1* E3*");
    uint64_t copied = modseq_of(f);
    expunge(f, inbox, 1, 2); /* 1 is still in Box */
    assert_string_equal(tell(f, copied, CHANGES_EMAILS), "E1* E2-");
    purge(f, f->now + 31 * DAY);
    assert_string_equal(tell(f, copied, CHANGES_EMAILS), "E1* E2-");
    assert_string_equal(tell(f, start, CHANGES_EMAILS), "E3+ E1+ E2-");
}

/* An email that comes back is created again, for who was told that it went. */
static void test_again(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 2);
    uint64_t there = modseq_of(f);
    expunge(f, inbox, 1, 2);
    uint64_t gone = modseq_of(f);
    append_many(f, inbox, 1); /* equal to email 1 */
    assert_string_equal(tell(f, gone, CHANGES_EMAILS), "E1+");
    assert_string_equal(tell(f, there, CHANGES_EMAILS), "E2- E1+");
    uint64_t back = modseq_of(f);
    assert_int_equal(restore(f, inbox), 0);
    assert_string_equal(tell(f, back, CHANGES_EMAILS), "E1* E2+");
    assert_string_equal(tell(f, gone, CHANGES_EMAILS), "E1+ E2+");
}

static void test_collections(void **state)
{
    struct fixture *f = *state;
    struct slice restored;
    uint64_t start = modseq_of(f);
    collection_id box = make_mailbox(f, "Box"), calendar;
    assert_int_equal(
        collection_create(f->view, COLLECTION_CALENDAR, SLICE("Work"), ROLE_NONE, &calendar), 0);
    assert_string_equal(tell(f, start, ALL), "C7+");
    assert_string_equal(tell(f, start, CHANGES_COLLECTIONS(COLLECTION_CALENDAR)), "C8+");
    uint64_t made = modseq_of(f);
    assert_int_equal(collection_rename(f->view, box, SLICE("Other")), 0);
    assert_string_equal(tell(f, made, ALL), "C7*");
    append_many(f, box, 2);
    assert_string_equal(tell(f, made, ALL), "E1+ T1+ C7* E2+ T2+");
    uint64_t filled = modseq_of(f);
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_int_equal(collection_delete(f->view, calendar), 0);
    assert_string_equal(tell(f, filled, ALL), "C7- E1- E2- T1- T2-");
    assert_string_equal(tell(f, filled, CHANGES_COLLECTIONS(COLLECTION_CALENDAR)), "C8-");
    uint64_t deleted = modseq_of(f);
    assert_int_equal(retained_restore_collection(f->view, box, SLICE(""), &f->arena, &restored), 0);
    assert_string_equal(tell(f, deleted, ALL), "C7+ E1+ E2+ T1+ T2+");
    assert_string_equal(tell(f, filled, ALL), "C7+ E1+ E2+ T1+ T2+");
    assert_int_equal(collection_delete(f->view, box), 0);
    purge(f, f->now + 31 * DAY);
    assert_string_equal(tell(f, filled, ALL), "C7- E1- E2- T1- T2-");
    check_account(f);
}

/* "7:1x2": mailbox, a UID, how many entries. */
static const char *places(struct fixture *f, uint64_t message)
{
    static char text[200];
    struct message_mailbox *list;
    size_t count = 0;
    int size = 0;
    int error = message_mailboxes(f->view, message, &f->arena, &list, &count);
    if (error)
        return error_name(error);
    for (size_t i = 0; i < count; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s%u:%ux%u", i ? " " : "",
                         list[i].mailbox, list[i].uid, list[i].entries);
    return text;
}

static int find_uid(struct fixture *f, collection_id mailbox, uint64_t message, uint32_t *uid)
{
    struct mailbox_snapshot *snapshot;
    struct entry entry = {0};
    assert_int_equal(mailbox_snapshot_open(f->view, mailbox, &snapshot), 0);
    int error = mailbox_find_message(snapshot, message, &entry);
    *uid = entry.uid;
    mailbox_snapshot_close(&snapshot);
    return error;
}

static void test_places(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX"), box = make_mailbox(f, "Box");
    uint32_t uid;
    append_many(f, inbox, 200);
    assert_string_equal(places(f, 150), "1:150x1");
    assert_int_equal(copy(f, inbox, box, 150, 150, false), 0);
    assert_string_equal(places(f, 150), "1:150x1 7:1x1");
    assert_int_equal(copy(f, inbox, inbox, 150, 150, false), 0);
    assert_string_equal(places(f, 150), "1:201x2 7:1x1");
    /* The known one goes: the other is looked for. */
    expunge(f, inbox, 201, 201);
    assert_string_equal(places(f, 150), "1:150x1 7:1x1");
    assert_int_equal(find_uid(f, inbox, 150, &uid), 0);
    assert_int_equal(uid, 150);
    assert_int_equal(find_uid(f, box, 150, &uid), 0);
    assert_int_equal(uid, 1);
    assert_int_equal(find_uid(f, box, 151, &uid), ERROR_NOT_FOUND);
    assert_int_equal(find_uid(f, box, 5000, &uid), ERROR_NOT_FOUND);
    assert_int_equal(collection_delete(f->view, box), 0);
    assert_string_equal(places(f, 150), "1:150x1");
    expunge(f, inbox, 150, 150);
    assert_string_equal(places(f, 150), "not-found");
    assert_string_equal(places(f, 5000), "not-found");
}

static int changes_error(struct fixture *f, struct changes_cursor cursor, size_t limit)
{
    struct changed *list;
    size_t count;
    bool more;
    return store_changes(f->view, &cursor, ALL, limit, &f->arena, &list, &count, &more);
}

static void test_errors(void **state)
{
    struct fixture *f = *state;
    uint64_t modseq = modseq_of(f);
    assert_int_equal(changes_error(f, changes_since(0), 1), 0);
    assert_int_equal(changes_error(f, changes_since(modseq), 0), ERROR_INVALID);
    assert_int_equal(changes_error(f, changes_since(modseq), CHANGES_MAXIMUM + 1), ERROR_INVALID);
    assert_int_equal(changes_error(f, changes_since(modseq + 1), 1), ERROR_CANNOT_CALCULATE);
    assert_int_equal(changes_error(f, (struct changes_cursor){modseq, modseq - 1, 1, 1}, 1),
                     ERROR_INVALID);
    f->now += DAY;
    append_many(f, find_mailbox(f, "INBOX"), 1);
    purge(f, f->now + 90 * DAY);
    assert_int_equal(changes_error(f, changes_since(modseq), 1), 0);
    assert_int_equal(changes_error(f, changes_since(modseq - 1), 1), ERROR_CANNOT_CALCULATE);
}

/* One change of 3000 emails is read in slices; nothing is told twice. */
static void test_slices(void **state)
{
    struct fixture *f = *state;
    collection_id inbox = find_mailbox(f, "INBOX");
    append_many(f, inbox, 3000);
    struct changes_cursor cursor = changes_since(modseq_of(f));
    set_flags(f, inbox, 1, 3000, ENTRY_SEEN);
    bool more = true;
    uint64_t next = 1, slices = 0;
    while (more) {
        struct changed *list;
        size_t count;
        assert_int_equal(
            store_changes(f->view, &cursor, CHANGES_EMAILS, 7, &f->arena, &list, &count, &more), 0);
        assert_true(count <= 7);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(list[i].number, next++);
        arena_clear(&f->arena);
        slices++;
    }
    assert_int_equal(next, 3001);
    assert_int_equal(slices, (3000 + 6) / 7);
    assert_int_equal(cursor.since, modseq_of(f));
}

static int spoil_page(struct kv_transaction *transaction, void *arg)
{
    return kv_put(transaction, *(struct slice *)arg, SLICE("x"));
}

/* Pages without a change are not read: one that cannot be is not noticed. */
static void test_pages(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = NULL;
    collection_id inbox = find_mailbox(f, "INBOX");
    char id[ACCOUNT_ID_TEXT + 1], name[64];
    append_many(f, inbox, 1000);
    uint64_t start = modseq_of(f);
    set_flags(f, inbox, 500, 500, ENTRY_SEEN);
    account_id_format(f->alice, id);
    snprintf(name, sizeof(name), "accounts/%.2s/%s", id, id);
    assert_int_equal(kv_open(f->kv, name, 0, &kv), 0);
    struct slice page = SLICE("p\x81\x81\x81\x81"); /* of INBOX, 1, from UID 1 on */
    assert_int_equal(kv_update(kv, KV_RELAXED, spoil_page, &page), 0);
    kv_close(&kv);
    assert_string_equal(tell(f, start, CHANGES_EMAILS), "E500*");
    assert_int_equal(changes_error(f, changes_since(start - 1), 10), 0);
    assert_int_equal(changes_error(f, changes_since(1), 10), ERROR_CORRUPT);
}

/* --- readers beside random changes --- */

enum { BOXES = 4, EMAILS = 60, READERS = 5, STEPS = 900, NUMBERS = 4096 };

/* What there is of each: 0, or a digest of all that a reader can see of it. */
struct content {
    uint64_t emails[NUMBERS];
    uint64_t threads[NUMBERS];
    uint64_t collections[NUMBERS];
};

struct reader {
    struct changes_cursor cursor;
    struct content knows;
    bool reading; /* in the middle of slices */
};

struct world {
    struct fixture *f;
    uint32_t random;
    collection_id boxes[BOXES];
    struct reader readers[READERS];
    unsigned lost; /* how often a reader had to begin anew */
};

static uint32_t random_below(struct world *world, uint32_t end)
{
    world->random = world->random * 1664525 + 1013904223;
    return (world->random >> 8) % end;
}

static uint64_t digest(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t mixed = (a * UINT64_C(0x9e3779b97f4a7c15)) ^ (b << 32 | c);
    mixed = (mixed ^ mixed >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return (mixed ^ mixed >> 29) | 1;
}

static void look(struct fixture *f, struct content *content)
{
    struct collection *list;
    size_t count;
    *content = (struct content){0};
    assert_int_equal(collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count), 0);
    for (size_t i = 0; i < count; i++) {
        struct mailbox_snapshot *snapshot;
        struct entry_cursor cursor;
        struct entry entry;
        content->collections[list[i].id] = digest(list[i].messages, list[i].unseen, list[i].parent);
        for (size_t j = 0; j < list[i].name.size; j++)
            content->collections[list[i].id] =
                digest(content->collections[list[i].id], (uint8_t)list[i].name.data[j], 1);
        assert_int_equal(mailbox_snapshot_open(f->view, list[i].id, &snapshot), 0);
        entry_cursor_init(&cursor, snapshot, 1, 0);
        while (!entry_cursor_next(&cursor, &entry)) {
            uint64_t thread;
            assert_int_equal(entry_thread(snapshot, &entry, &thread), 0);
            if (!content->emails[entry.message])
                content->threads[thread] += digest(entry.message, 0, 0);
            content->emails[entry.message] += digest(list[i].id, entry.uid, entry.flags);
        }
        entry_cursor_release(&cursor);
        mailbox_snapshot_close(&snapshot);
    }
}

static uint64_t *kind_of(struct content *content, enum change_kind kind)
{
    return kind == CHANGE_EMAIL    ? content->emails
           : kind == CHANGE_THREAD ? content->threads
                                   : content->collections;
}

static void take(uint64_t *knows, const uint64_t *there, const struct changed *changed)
{
    uint64_t number = changed->number;
    assert_true(number < NUMBERS);
    if (changed->action == CHANGE_UPDATED)
        assert_true(knows[number] != 0); /* never of what it does not know */
    if (changed->action != CHANGE_DESTROYED)
        assert_true(there[number] != 0);
    knows[number] = changed->action == CHANGE_DESTROYED ? 0 : there[number];
}

static void read_some(struct world *world, struct reader *reader)
{
    struct changed *list = NULL;
    size_t count = 0, limit = random_below(world, 3) ? random_below(world, 40) + 1 : 1;
    int error = store_changes(world->f->view, &reader->cursor, ALL, limit, &world->f->arena, &list,
                              &count, &reader->reading);
    struct content *there = malloc(sizeof(*there));
    look(world->f, there);
    if (error == ERROR_CANNOT_CALCULATE) {
        reader->knows = *there;
        reader->cursor = changes_since(modseq_of(world->f));
        reader->reading = false;
        world->lost++;
    } else {
        assert_int_equal(error, 0);
        assert_true(count <= limit);
        for (size_t i = 0; i < count; i++) {
            assert_true(!i || list[i - 1].modseq <= list[i].modseq);
            take(kind_of(&reader->knows, list[i].kind), kind_of(there, list[i].kind), &list[i]);
        }
    }
    if (!reader->reading && memcmp(there, &reader->knows, sizeof(*there)) != 0) {
        for (unsigned i = 0; i < NUMBERS; i++) {
            if (there->emails[i] != reader->knows.emails[i])
                print_error("email %u\n", i);
            if (there->threads[i] != reader->knows.threads[i])
                print_error("thread %u\n", i);
            if (there->collections[i] != reader->knows.collections[i])
                print_error("collection %u\n", i);
        }
        fail_msg("a reader at the end does not know what is there");
    }
    free(there);
    arena_clear(&world->f->arena);
}

static collection_id random_box(struct world *world)
{
    return world->boxes[random_below(world, BOXES)];
}

/* Whether it is there. */
static bool is_there(struct world *world, collection_id id)
{
    struct collection found;
    return !collection_get(world->f->view, id, &world->f->arena, &found);
}

static void do_append(struct world *world)
{
    char text[64];
    collection_id box = random_box(world);
    for (unsigned i = random_below(world, 8) + 1; i > 0 && is_there(world, box); i--) {
        snprintf(text, sizeof(text), "Subject: %u\r\n\r\n", random_below(world, EMAILS));
        append_text(world->f, box, text, random_below(world, 32));
    }
}

static void do_flags(struct world *world)
{
    collection_id box = random_box(world);
    uint32_t first = random_below(world, 100) + 1;
    if (is_there(world, box))
        set_flags(world->f, box, first, first + random_below(world, 30), random_below(world, 32));
}

static void do_expunge(struct world *world)
{
    collection_id box = random_box(world);
    uint32_t first = random_below(world, 200) + 1;
    if (is_there(world, box))
        expunge(world->f, box, first, first + random_below(world, 60));
}

static void do_copy(struct world *world)
{
    collection_id from = random_box(world), to = random_box(world);
    uint32_t first = random_below(world, 300) + 1;
    if (is_there(world, from) && is_there(world, to))
        assert_int_equal(copy(world->f, from, to, first, first + 10, random_below(world, 2)), 0);
}

static void do_rename(struct world *world)
{
    char path[32];
    collection_id box = random_box(world);
    snprintf(path, sizeof(path), "Box%u", random_below(world, 1000000));
    if (is_there(world, box))
        assert_int_equal(collection_rename(world->f->view, box, slice_from_string(path)), 0);
}

static void do_delete(struct world *world)
{
    collection_id box = random_box(world);
    if (is_there(world, box))
        assert_int_equal(collection_delete(world->f->view, box), 0);
}

static void do_restore(struct world *world)
{
    collection_id box = random_box(world);
    if (!is_there(world, box))
        return;
    int error = restore(world->f, box);
    assert_true(!error || error == ERROR_NOT_FOUND);
}

/* Brings back a deleted one, or makes a new one in its place. */
static void do_bring_back(struct world *world)
{
    collection_id *box = &world->boxes[random_below(world, BOXES)];
    char path[32];
    struct slice restored;
    if (is_there(world, *box))
        return;
    snprintf(path, sizeof(path), "New%u", random_below(world, 1000000));
    int error = ERROR_NOT_FOUND;
    if (random_below(world, 4))
        error = retained_restore_collection(world->f->view, *box, SLICE(""), &world->f->arena,
                                            &restored);
    if (error)
        *box = make_mailbox(world->f, path);
}

/* Half a day or so; sometimes a purge, rarely a long time without one. */
static void do_wait(struct world *world)
{
    world->f->now += random_below(world, 2 * DAY);
    if (random_below(world, 30) == 0)
        world->f->now += 80 * DAY;
    if (random_below(world, 2))
        purge(world->f, world->f->now);
}

static void step(struct world *world)
{
    static void (*const commands[])(struct world *) = {
        do_append, do_append, do_append, do_flags,   do_flags,      do_expunge,    do_expunge,
        do_copy,   do_copy,   do_rename, do_restore, do_bring_back, do_bring_back, do_wait,
    };
    if (random_below(world, 12) == 0)
        do_delete(world);
    else
        commands[random_below(world, sizeof(commands) / sizeof(commands[0]))](world);
    if (random_below(world, 2))
        read_some(world, &world->readers[random_below(world, READERS)]);
}

static void run(struct fixture *f, uint32_t seed)
{
    struct world *world = calloc(1, sizeof(*world));
    world->f = f;
    world->random = seed;
    for (unsigned i = 0; i < BOXES; i++)
        world->boxes[i] = make_mailbox(f, (const char *[]){"a", "b", "c", "d"}[i]);
    for (unsigned i = 0; i < READERS; i++) /* who knows nothing */
        world->readers[i] = (struct reader){.cursor = changes_since(0), .reading = true};
    for (unsigned i = 0; i < STEPS; i++) {
        step(world);
        if (i % 150 == 0)
            check_account(f);
    }
    for (unsigned i = 0; i < READERS; i++)
        do
            read_some(world, &world->readers[i]);
        while (world->readers[i].reading);
    assert_true(world->lost < STEPS / 10);
    check_account(f);
    free(world);
}

static void test_random(void **state)
{
    run(*state, 20261127);
}

static void test_random_too(void **state)
{
    run(*state, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_emails), ON_BOTH(test_again),  ON_BOTH(test_collections),
        ON_BOTH(test_errors), ON_BOTH(test_slices), ON_BOTH(test_pages),
        ON_BOTH(test_places), ON_BOTH(test_random), ON_BOTH(test_random_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
