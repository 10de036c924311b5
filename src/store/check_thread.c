/*
 * Threads. A message's record says which one it is in; the records t and i follow from that and
 * from the summaries, but for the dates and for ids of messages that have gone, which only they
 * know. When they do not agree all are made anew: what is left of a date is kept, such ids are
 * forgotten.
 */
#include "base/clock.h"
#include "base/error.h"
#include "store/check_priv.h"
#include "store/thread_priv.h"

#include <stdlib.h>

struct checked_member {
    uint64_t message, thread;
    int64_t received;
};

struct checked_id {
    uint64_t hash, thread;
};

struct checked_threads {
    struct buffer members; /* struct checked_member, as records t say */
    struct buffer owned;   /* struct checked_id, as records t list them */
    struct buffer ids;     /* struct checked_id, as records i say */
    size_t unreadable, found;
    bool rebuild;
};

/* --- what there is --- */

static int load_member(struct check *check, struct slice key, const uint64_t *numbers,
                       struct slice value)
{
    struct checked_threads *threads = check->threads;
    struct thread_member member;
    (void)key;
    if (!numbers || thread_member_read(value, &member)) {
        threads->unreadable++;
        return 0;
    }
    struct checked_member loaded = {numbers[1], numbers[0], member.received};
    int error = buffer_append(&threads->members, slice_make(&loaded, sizeof(loaded)));
    for (struct slice ids = member.ids; ids.size && !error; ids = slice_sub(ids, 8, SIZE_MAX)) {
        struct checked_id id = {load_u64(ids.data), numbers[0]};
        error = buffer_append(&threads->owned, slice_make(&id, sizeof(id)));
    }
    return error;
}

static int load_id(struct check *check, struct slice key, const uint64_t *numbers,
                   struct slice value)
{
    struct checked_threads *threads = check->threads;
    struct checked_id id;
    (void)numbers;
    if (key_read_thread_id(key, &id.hash) || number_record_read(value, &id.thread)) {
        threads->unreadable++;
        return 0;
    }
    return buffer_append(&threads->ids, slice_make(&id, sizeof(id)));
}

static int compare_members(const void *a, const void *b)
{
    const struct checked_member *left = a, *right = b;
    return (left->message > right->message) - (left->message < right->message);
}

static int compare_ids(const void *a, const void *b)
{
    const struct checked_id *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->thread > right->thread) - (left->thread < right->thread);
}

static void sort(struct buffer *rows, size_t size, int (*compare)(const void *a, const void *b))
{
    if (rows->size)
        qsort(rows->data, rows->size / size, size, compare);
}

static int load(struct check *check)
{
    struct checked_threads *threads = check->threads;
    int error = check_each(check, KEY_THREAD, 2, load_member);
    if (!error)
        error = check_each(check, KEY_THREAD_ID, 0, load_id);
    sort(&threads->members, sizeof(struct checked_member), compare_members);
    sort(&threads->owned, sizeof(struct checked_id), compare_ids);
    sort(&threads->ids, sizeof(struct checked_id), compare_ids);
    return error;
}

/* --- whether it agrees --- */

/* Any one of a message: two are too many already. */
static const struct checked_member *find_member(const struct checked_threads *threads,
                                                uint64_t message)
{
    const struct checked_member wanted = {.message = message};
    return threads->members.size
               ? bsearch(&wanted, threads->members.data, threads->members.size / sizeof(wanted),
                         sizeof(wanted), compare_members)
               : NULL;
}

static int compare_message(struct check *check, struct slice key, const uint64_t *numbers,
                           struct slice value)
{
    struct checked_threads *threads = check->threads;
    struct message_record record;
    (void)key;
    if (!numbers || message_record_read(value, &record))
        return 0;
    const struct checked_member *member = find_member(threads, *numbers);
    threads->found++;
    if (!record.thread || !member || member->thread != record.thread)
        threads->rebuild |= check_wrong(check, "message %llu is not in the thread that it says",
                                        (unsigned long long)*numbers);
    return 0;
}

static bool has_twice(const struct buffer *ids)
{
    const struct checked_id *rows = (const struct checked_id *)(const void *)ids->data;
    for (size_t i = 1; i < ids->size / sizeof(*rows); i++)
        if (rows[i].hash == rows[i - 1].hash)
            return true;
    return false;
}

static int compare(struct check *check)
{
    struct checked_threads *threads = check->threads;
    int error = check_each(check, KEY_MESSAGE, 1, compare_message);
    if (error)
        return error;
    if (threads->unreadable ||
        threads->members.size / sizeof(struct checked_member) != threads->found)
        threads->rebuild |= check_wrong(check, "the threads have other messages than there are");
    if (!slice_equal(buffer_slice(&threads->owned), buffer_slice(&threads->ids)) ||
        has_twice(&threads->owned))
        threads->rebuild |= check_wrong(check, "message ids are not found in their threads");
    return 0;
}

/* --- making it anew --- */

/* The ids of what its summary says, which is made from its body where it cannot be read. */
static int read_summary(struct check *check, uint64_t number, struct thread_ids *ids,
                        int64_t *received)
{
    struct key key;
    struct summary summary = {0};
    ids->count = 0;
    *received = clock_wall();
    int error =
        value_get(check->transaction, key_of_message(&key, KEY_SUMMARY, number), &check->value);
    if (error == ERROR_NOT_FOUND || !summary_is_current(buffer_slice(&check->value)))
        error = message_make_summary(check->view, check->transaction, number, &check->body,
                                     &check->value);
    if (!error)
        error = summary_parse(buffer_slice(&check->value), &summary);
    if (!error && summary.sent_date != INT64_MIN)
        *received = summary.sent_date;
    if (!error)
        error = thread_ids_of(&summary, ids);
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT ? 0 : error;
}

static int rebuild_message(struct check *check, uint64_t number)
{
    struct message_record record;
    struct thread_ids ids;
    int64_t received;
    uint64_t thread = 0;
    const struct checked_member *member = find_member(check->threads, number);
    int error = read_summary(check, number, &ids, &received);
    if (!error)
        error = message_read(check->change, number, &record);
    if (error)
        return error;
    if (!record.thread && member)
        thread = member->thread;
    else if (!record.thread)
        error = thread_find(check->change, &ids, &thread);
    if (!error && !record.thread) {
        record.thread = thread ? thread : number;
        error = message_write(check->change, number, &record);
    }
    return error ? error
                 : thread_add(check->change, record.thread, number,
                              member ? member->received : received, &ids);
}

static int rebuild(struct check *check)
{
    struct key key;
    int error = change_delete_all(check->change, key_numbers(&key, KEY_THREAD, 0, NULL));
    if (!error)
        error = change_delete_all(check->change, key_numbers(&key, KEY_THREAD_ID, 0, NULL));
    for (size_t at = 0; at < check->messages.size && !error; at += sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, check->messages.data + at, sizeof(number));
        error = rebuild_message(check, number);
    }
    return error;
}

int check_threads(struct check *check)
{
    struct checked_threads threads = {0};
    buffer_init(&threads.members, CHECK_ENTRIES_MAXIMUM * sizeof(struct checked_member));
    buffer_init(&threads.owned, CHECK_ENTRIES_MAXIMUM * sizeof(struct checked_id));
    buffer_init(&threads.ids, CHECK_ENTRIES_MAXIMUM * sizeof(struct checked_id));
    check->threads = &threads;
    int error = load(check);
    if (!error)
        error = compare(check);
    if (!error && threads.rebuild)
        error = rebuild(check);
    check->threads = NULL;
    buffer_release(&threads.members);
    buffer_release(&threads.owned);
    buffer_release(&threads.ids);
    return error;
}
