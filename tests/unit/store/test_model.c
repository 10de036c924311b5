/*
 * Random commands against the store and against a model that is as simple as can be; both must
 * say the same, and every invariant hold.
 */
#include "store/retained.h"
#include "store_test.h"

enum { DAY = 24 * 60 * 60, KEPT = 30 * DAY };
enum { BOXES = 3, ENTRIES = 4096, MESSAGES = 40, STEPS = 1500 };

struct model_entry {
    uint32_t uid, flags;
    bool keyword;
    unsigned message;
    uint64_t modseq;
};

struct model_box {
    collection_id id;
    uint32_t uid_next;
    uint64_t modseq;
    size_t count;
    struct model_entry entries[ENTRIES];
    uint64_t vanished[ENTRIES * 4]; /* by UID: the modseq it was expunged with; 0: not */
    size_t retained_count;          /* in the order in which they were expunged */
    struct {
        struct model_entry entry;
        int64_t when;
    } retained[ENTRIES * 4];
};

struct model {
    struct fixture *f;
    uint32_t random;
    struct model_box boxes[BOXES];
};

static uint32_t random_below(struct model *model, uint32_t end)
{
    model->random = model->random * 1664525 + 1013904223;
    return (model->random >> 8) % end;
}

static struct range_set random_uids(struct model *model, const struct model_box *box)
{
    struct range_set uids;
    range_set_init(&uids, 100000);
    for (unsigned i = random_below(model, 4) + 1; i > 0; i--) {
        uint32_t first = random_below(model, box->uid_next) + 1;
        uint32_t size = random_below(model, random_below(model, 4) ? 10 : 400);
        assert_int_equal(range_set_add(&uids, first, first + size), 0);
    }
    return uids;
}

static void message_text(unsigned message, char text[64])
{
    snprintf(text, 64, "Subject: %u\r\n\r\nText of %u.\r\n", message, message);
}

static void model_add(struct model_box *box, struct model_entry entry, uint64_t modseq)
{
    assert_true(box->count < ENTRIES);
    entry.uid = box->uid_next++;
    entry.modseq = box->modseq = modseq;
    box->entries[box->count++] = entry;
}

/* --- commands --- */

static void do_append(struct model *model, struct model_box *box)
{
    char text[64];
    struct slice keyword = SLICE("$Word");
    struct model_entry entry = {.flags = random_below(model, 32),
                                .keyword = random_below(model, 2),
                                .message = random_below(model, MESSAGES)};
    message_text(entry.message, text);
    struct append append = {
        .flags = entry.flags, .keywords = &keyword, .keyword_count = entry.keyword};
    struct append_result result;
    assert_int_equal(prepared_message_create(slice_from_string(text), &append.message), 0);
    for (unsigned i = random_below(model, 60) + 1; i > 0 && box->count < ENTRIES / 4; i--) {
        assert_int_equal(mailbox_append(model->f->view, box->id, &append, &result), 0);
        assert_int_equal(result.uid, box->uid_next);
        model_add(box, entry, result.modseq);
    }
    prepared_message_free(&append.message);
}

static bool model_flag(struct model_entry *entry, const struct flag_change *change)
{
    struct model_entry old = *entry;
    bool word = change->keyword_count;
    if (change->operation == FLAGS_REPLACE)
        entry->flags = change->flags, entry->keyword = word;
    else if (change->operation == FLAGS_ADD)
        entry->flags |= change->flags, entry->keyword |= word;
    else
        entry->flags &= ~change->flags, entry->keyword &= !word;
    return old.flags != entry->flags || old.keyword != entry->keyword;
}

static void do_flags(struct model *model, struct model_box *box)
{
    struct slice keyword = SLICE("$wORD");
    struct flag_change change = {.operation = (enum flag_operation)random_below(model, 3),
                                 .flags = random_below(model, 32),
                                 .keywords = &keyword,
                                 .keyword_count = random_below(model, 2),
                                 .unchanged_since = UINT64_MAX};
    if (random_below(model, 4) == 0 && box->modseq)
        change.unchanged_since = box->modseq - random_below(model, (uint32_t)box->modseq);
    struct range_set uids = random_uids(model, box), failed, expected;
    uint64_t modseq = 0;
    range_set_init(&failed, 100000);
    range_set_init(&expected, 100000);
    assert_int_equal(
        mailbox_change_flags(model->f->view, box->id, &uids, &change, &modseq, &failed), 0);
    for (size_t i = 0; i < box->count; i++) {
        struct model_entry *entry = &box->entries[i];
        if (!range_set_contains(&uids, entry->uid))
            continue;
        if (entry->modseq > change.unchanged_since)
            assert_int_equal(range_set_add(&expected, entry->uid, entry->uid), 0);
        else if (model_flag(entry, &change))
            entry->modseq = box->modseq = modseq;
    }
    assert_string_equal(set_text(model->f, &failed), set_text(model->f, &expected));
    range_set_release(&uids);
    range_set_release(&failed);
    range_set_release(&expected);
}

/* when: 0: they were moved, and are not retained. */
static void model_remove(struct model_box *box, const struct range_set *uids, uint64_t modseq,
                         int64_t when)
{
    size_t kept = 0;
    for (size_t i = 0; i < box->count; i++) {
        if (range_set_contains(uids, box->entries[i].uid)) {
            if (when) {
                box->retained[box->retained_count].entry = box->entries[i];
                box->retained[box->retained_count++].when = when;
            }
            box->vanished[box->entries[i].uid] = modseq;
            box->modseq = modseq;
        } else {
            box->entries[kept++] = box->entries[i];
        }
    }
    box->count = kept;
}

static void do_expunge(struct model *model, struct model_box *box)
{
    struct range_set uids = random_uids(model, box), expunged, expected;
    bool all = random_below(model, 3) == 0;
    uint64_t modseq = 0;
    range_set_init(&expunged, 100000);
    range_set_init(&expected, 100000);
    for (size_t i = 0; i < box->count; i++)
        if (box->entries[i].flags & ENTRY_DELETED &&
            (all || range_set_contains(&uids, box->entries[i].uid)))
            range_set_add(&expected, box->entries[i].uid, box->entries[i].uid);
    assert_int_equal(
        mailbox_expunge(model->f->view, box->id, all ? NULL : &uids, &expunged, &modseq), 0);
    assert_string_equal(set_text(model->f, &expunged), set_text(model->f, &expected));
    model_remove(box, &expunged, modseq, model->f->now);
    range_set_release(&uids);
    range_set_release(&expunged);
    range_set_release(&expected);
}

static void do_copy(struct model *model, struct model_box *box)
{
    struct model_box *target = &model->boxes[random_below(model, BOXES)];
    bool move = random_below(model, 2);
    struct range_set uids = random_uids(model, box);
    struct copy_result result;
    range_set_init(&result.from, 100000);
    range_set_init(&result.to, 100000);
    size_t before = box->count;
    if (target->count + before < ENTRIES / 2) {
        assert_int_equal(mailbox_copy(model->f->view, box->id, &uids, target->id, move, &result),
                         0);
        uint64_t modseq = read_mailbox(model->f, target->id).highest_modseq;
        uint32_t copied = 0;
        for (size_t i = 0; i < before; i++) {
            struct model_entry entry = box->entries[i];
            if (!range_set_contains(&uids, entry.uid))
                continue;
            copied++;
            assert_int_equal(range_set_at(&result.from, copied), entry.uid);
            assert_int_equal(range_set_at(&result.to, copied), target->uid_next);
            model_add(target, entry, modseq);
        }
        assert_int_equal(range_set_size(&result.from), copied);
        if (move && copied)
            model_remove(box, &result.from, modseq, 0);
    }
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
}

/* Takes out of the retained what is meant; adds it to the target, unless that is NULL. */
static size_t model_take(struct model_box *box, const struct range_set *uids, int64_t until,
                         struct model_box *target, uint64_t modseq)
{
    size_t kept = 0, taken = 0;
    for (size_t i = 0; i < box->retained_count; i++) {
        struct model_entry entry = box->retained[i].entry;
        if ((uids && !range_set_contains(uids, entry.uid)) || box->retained[i].when > until) {
            box->retained[kept++] = box->retained[i];
            continue;
        }
        taken++;
        entry.flags &= ~(uint32_t)ENTRY_DELETED;
        if (target)
            model_add(target, entry, modseq);
    }
    box->retained_count = kept;
    return taken;
}

static void do_restore(struct model *model, struct model_box *box)
{
    struct model_box *target = &model->boxes[random_below(model, BOXES)];
    struct range_set uids = random_uids(model, box);
    bool all = random_below(model, 2);
    struct retained_filter filter = {.uids = all ? NULL : &uids};
    struct copy_result result;
    range_set_init(&result.from, 100000);
    range_set_init(&result.to, 100000);
    if (target->count + box->retained_count < ENTRIES / 2) {
        int error = retained_restore(model->f->view, box->id, &filter, target->id, &result);
        uint64_t modseq = read_mailbox(model->f, target->id).highest_modseq;
        size_t taken = model_take(box, filter.uids, INT64_MAX, target, modseq);
        assert_int_equal(error, taken ? 0 : ERROR_NOT_FOUND);
        assert_int_equal(range_set_size(&result.to), taken);
    }
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
}

static void do_purge(struct model *model, struct model_box *box)
{
    struct purge_result result;
    size_t gone = 0;
    (void)box;
    model->f->now += random_below(model, 5 * DAY);
    assert_int_equal(
        store_purge(model->f->store, WHO_SYSTEM, model->f->alice, model->f->now, &result), 0);
    for (size_t i = 0; i < BOXES; i++)
        gone += model_take(&model->boxes[i], NULL, model->f->now - KEPT, NULL, 0);
    assert_int_equal(result.entries, gone);
}

static void do_rename(struct model *model, struct model_box *box)
{
    char path[32];
    snprintf(path, sizeof(path), "Box%u/%u", random_below(model, 1000000), box->id);
    assert_int_equal(collection_rename(model->f->view, box->id, slice_from_string(path)), 0);
}

/* --- comparing --- */

static void check_one(struct mailbox_snapshot *snapshot, const struct model_entry *expected,
                      const struct entry *entry, struct buffer *bytes)
{
    char text[64];
    struct summary summary;
    assert_int_equal(entry->uid, expected->uid);
    assert_int_equal(entry->flags, expected->flags);
    assert_int_equal(entry->modseq, expected->modseq);
    assert_int_equal(keyword_set_has(&entry->keywords, 0), expected->keyword);
    message_text(expected->message, text);
    buffer_clear(bytes);
    assert_int_equal(mailbox_message(snapshot, entry, 0, SIZE_MAX, bytes), 0);
    assert_slice_equal(buffer_slice(bytes), text);
    assert_int_equal(mailbox_summary(snapshot, entry, bytes, &summary), 0);
    assert_int_equal(summary.size, strlen(text));
}

static void compare_entries(struct model *model, struct model_box *box,
                            struct mailbox_snapshot *snapshot)
{
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer bytes;
    size_t i = 0;
    buffer_init(&bytes, 1024 * 1024);
    uint32_t from = random_below(model, 2) ? 1 : random_below(model, box->uid_next) + 1;
    uint64_t since = random_below(model, 2) ? 0 : random_below(model, (uint32_t)box->modseq + 1);
    entry_cursor_init(&cursor, snapshot, from, since);
    for (; i < box->count; i++) {
        if (box->entries[i].uid < from || box->entries[i].modseq <= since)
            continue;
        assert_int_equal(entry_cursor_next(&cursor, &entry), 0);
        check_one(snapshot, &box->entries[i], &entry, &bytes);
    }
    assert_int_equal(entry_cursor_next(&cursor, &entry), ERROR_NOT_FOUND);
    entry_cursor_release(&cursor);
    buffer_release(&bytes);
}

static void compare_sets(struct model *model, struct model_box *box,
                         struct mailbox_snapshot *snapshot)
{
    struct range_set uids, expected;
    uint32_t unseen = 0, first_unseen = 0;
    uint64_t since = random_below(model, (uint32_t)box->modseq + 1);
    range_set_init(&uids, 100000);
    range_set_init(&expected, 100000);
    for (size_t i = 0; i < box->count; i++) {
        range_set_add(&expected, box->entries[i].uid, box->entries[i].uid);
        if (!(box->entries[i].flags & ENTRY_SEEN) && unseen++ == 0)
            first_unseen = box->entries[i].uid;
    }
    assert_int_equal(mailbox_uids(snapshot, &uids), 0);
    assert_string_equal(set_text(model->f, &uids), set_text(model->f, &expected));
    assert_int_equal(mailbox_snapshot_collection(snapshot)->unseen, unseen);
    assert_int_equal(mailbox_snapshot_collection(snapshot)->uid_next, box->uid_next);
    uint32_t found = 99;
    assert_int_equal(mailbox_first_unseen(snapshot, &found), 0);
    assert_int_equal(found, first_unseen);
    range_set_clear(&expected);
    for (uint32_t uid = 1; uid < box->uid_next; uid++)
        if (box->vanished[uid] > since)
            range_set_add(&expected, uid, uid);
    /* Unless that has gone from the change log. */
    int error = mailbox_vanished(snapshot, since, &uids);
    assert_true(!error ||
                (error == ERROR_CANNOT_CALCULATE && model->f->now > CLOCK_START + 90 * DAY));
    if (!error)
        assert_string_equal(set_text(model->f, &uids), set_text(model->f, &expected));
    range_set_release(&uids);
    range_set_release(&expected);
}

static void compare_retained(struct model *model, struct model_box *box)
{
    struct retained_entry *list = NULL;
    struct retained_filter filter = {0};
    size_t count = 0;
    assert_int_equal(
        retained_entries(model->f->view, box->id, &filter, &model->f->arena, &list, &count), 0);
    assert_int_equal(count, box->retained_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].entry.uid, box->retained[i].entry.uid);
        assert_int_equal(list[i].entry.flags, box->retained[i].entry.flags);
        assert_int_equal(list[i].expunged, box->retained[i].when);
    }
}

static void compare(struct model *model)
{
    for (size_t i = 0; i < BOXES; i++) {
        struct mailbox_snapshot *snapshot;
        assert_int_equal(mailbox_snapshot_open(model->f->view, model->boxes[i].id, &snapshot), 0);
        compare_entries(model, &model->boxes[i], snapshot);
        compare_sets(model, &model->boxes[i], snapshot);
        mailbox_snapshot_close(&snapshot);
        compare_retained(model, &model->boxes[i]);
    }
    arena_clear(&model->f->arena);
}

static void run(struct fixture *f, uint32_t seed)
{
    static void (*const commands[])(struct model *, struct model_box *) = {
        do_append,  do_append, do_flags,  do_flags,   do_expunge,
        do_expunge, do_copy,   do_rename, do_restore, do_purge};
    struct model *model = calloc(1, sizeof(*model));
    model->f = f;
    model->random = seed;
    for (size_t i = 0; i < BOXES; i++) {
        model->boxes[i] = (struct model_box){.uid_next = 1};
        model->boxes[i].id = make_mailbox(f, (const char *[]){"a", "b", "c"}[i]);
        model->boxes[i].modseq = read_mailbox(f, model->boxes[i].id).highest_modseq;
    }
    for (unsigned step = 0; step < STEPS; step++) {
        struct model_box *box = &model->boxes[random_below(model, BOXES)];
        if (box->uid_next < ENTRIES * 3)
            commands[random_below(model, sizeof(commands) / sizeof(commands[0]))](model, box);
        if (step % 10 == 0)
            compare(model);
        if (step % 100 == 0)
            check_account(f);
        if (step % 250 == 249)
            reopen(f);
    }
    compare(model);
    check_account(f);
    free(model);
}

static void test_random(void **state)
{
    run(*state, 20240229);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_BOTH(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
