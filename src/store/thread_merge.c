/*
 * A message has arrived that belongs to two threads: the messages of one go into the other.
 *
 * What has an EMAILID never changes its THREADID (RFC 8474 section 5.2), so RFC 8621 section 3 has
 * the messages deleted and inserted again. They get new numbers, and their entries new UIDs, in the
 * transaction of the arrival: clients see them expunged and others appear, with the flags, dates
 * and annotations that they had. What was expunged before knows its messages by number, so a thread
 * of which something is retained stays as it is.
 *
 *     gather     what there is to be moved, and whether anything speaks against it
 *     entries    mailbox by mailbox
 *     records    message by message
 */
#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/seen_priv.h"
#include "store/thread_priv.h"

#include <stdlib.h>

struct moved {
    uint64_t old, new;
    struct buffer places; /* of the new record */
};

struct moved_place {
    collection_id collection;
    uint32_t uid; /* 0: not known, or of several */
};

struct merge {
    struct change *change;
    uint64_t from, to;
    struct merge_budget left;
    bool refused;
    struct moved moved[MERGE_MESSAGES]; /* by old number */
    size_t count;
    struct moved_place places[MERGE_ENTRIES]; /* by collection and UID */
    size_t place_count;
    struct buffer value;   /* records of collections and threads, pages */
    struct buffer entries; /* that were taken out of a mailbox, as they were */
};

/* --- what there is --- */

static int note_message(struct merge *merge, uint64_t number)
{
    struct message_record record;
    int error = message_read(merge->change, number, &record);
    uint64_t bytes = !error && record.body == MESSAGE_INLINE ? record.size : 0;
    if (error || record.retained || merge->count == merge->left.messages ||
        bytes > merge->left.bytes) {
        merge->refused = true; /* what is damaged stays where it is */
        return error == ERROR_CORRUPT ? 0 : error;
    }
    merge->left.bytes -= bytes;
    merge->moved[merge->count++].old = number;
    for (size_t i = 0; i < message_places(&record); i++) {
        struct place place = message_place_at(&record, i);
        if (place.entries > merge->left.entries)
            return merge->refused = true, 0;
        merge->left.entries -= place.entries;
        merge->places[merge->place_count++] =
            (struct moved_place){place.collection, place.entries == 1 ? place.uid : 0};
    }
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct moved_place *left = a, *right = b;
    if (left->collection != right->collection)
        return left->collection < right->collection ? -1 : 1;
    return (left->uid > right->uid) - (left->uid < right->uid);
}

/* The places of the same mailbox as places[at], which are the next ones. */
static size_t count_places(const struct merge *merge, size_t at)
{
    size_t end = at;
    while (end < merge->place_count &&
           merge->places[end].collection == merge->places[at].collection)
        end++;
    return end - at;
}

static int note_mailbox(struct merge *merge, size_t at, size_t count)
{
    struct collection_record record;
    int error = collection_read(merge->change->transaction, merge->places[at].collection,
                                &merge->value, &record);
    /* A deleted one's entries are retained. */
    if (error == ERROR_NOT_FOUND)
        return merge->refused = true, 0;
    if (error)
        return error;
    /* What sleeps is known by its UID. */
    if (record.flags & COLLECTION_HAS_SNOOZED)
        return merge->refused = true, 0;
    size_t pages = merge->places[at].uid ? count : record.pages + 1U;
    if (pages > merge->left.pages || record.uid_next > UINT32_MAX - 2 * MERGE_ENTRIES ||
        record.pages > MAILBOX_PAGES_MAXIMUM - MERGE_ENTRIES)
        return merge->refused = true, 0;
    merge->left.pages -= pages;
    return 0;
}

static int gather(struct merge *merge)
{
    uint64_t number = 0;
    int error = 0;
    while (!error && !merge->refused) {
        error = thread_next(merge->change->transaction, merge->from, &number, NULL, NULL);
        if (!error)
            error = note_message(merge, number);
    }
    if (error != ERROR_NOT_FOUND)
        return error;
    error = 0;
    merge->left.messages -= merge->count;
    if (merge->place_count)
        qsort(merge->places, merge->place_count, sizeof(merge->places[0]), compare_places);
    for (size_t at = 0, count; at < merge->place_count && !error && !merge->refused; at += count) {
        count = count_places(merge, at);
        error = note_mailbox(merge, at, count);
    }
    return error;
}

/* --- entries --- */

static int compare_moved(const void *a, const void *b)
{
    uint64_t left = ((const struct moved *)a)->old, right = ((const struct moved *)b)->old;
    return (left > right) - (left < right);
}

static struct moved *find_moved(struct merge *merge, uint64_t old)
{
    const struct moved wanted = {.old = old};
    return bsearch(&wanted, merge->moved, merge->count, sizeof(wanted), compare_moved);
}

static int take_from_page(struct merge *merge, size_t count, struct range_set *uids)
{
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        struct entry entry;
        const char *bytes = page_entry(&merge->value, i);
        entry_read(bytes, &entry);
        if (!find_moved(merge, entry.message))
            continue;
        buffer_append(&merge->entries, slice_make(bytes, ENTRY_SIZE));
        error = range_set_add(uids, entry.uid, entry.uid);
    }
    return error ? error : buffer_error(&merge->entries);
}

/* Finds the entries, on the pages that have one of the UIDs `among`, and takes them out. */
static int take_entries(struct merge *merge, struct mailbox *mailbox, const struct range_set *among,
                        struct range_set *uids)
{
    struct range_walk walk = {among, 0};
    struct range_set removed;
    struct removal removal = {.uids = uids};
    range_set_init(&removed, MERGE_ENTRIES);
    buffer_clear(&merge->entries);
    int error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        const struct page_header *header = mailbox_page(mailbox, i);
        if (!range_walk_meets(&walk, header->first, header->last))
            continue;
        error = mailbox_read_page(mailbox, header, &merge->value);
        if (!error)
            error = take_from_page(merge, header->count, uids);
    }
    if (!error)
        error = mailbox_remove(merge->change, mailbox, &removal, &removed);
    range_set_release(&removed);
    return error;
}

/* `uids`: that they had, in their order. */
static int put_entries(struct merge *merge, struct mailbox *mailbox, const struct range_set *uids)
{
    static const struct annotation_rule all = {.shared = true, .everybodys = true};
    struct slice rest = buffer_slice(&merge->entries);
    struct range_set made;
    int error = 0;
    range_set_init(&made, MERGE_ENTRIES);
    for (; rest.size && !error; rest = slice_sub(rest, ENTRY_SIZE, SIZE_MAX)) {
        struct entry entry;
        entry_read(rest.data, &entry);
        struct moved *moved = find_moved(merge, entry.message);
        uint32_t uid = entry.uid;
        entry.message = moved->new;
        error = mailbox_add(merge->change, mailbox, &entry);
        if (!error)
            error = annotations_transfer(merge->change, mailbox, uid, mailbox, entry.uid,
                                         ANNOTATIONS_MOVE, &all);
        if (!error)
            error = places_add(&moved->places, mailbox->id, entry.uid);
        if (!error)
            error = range_set_add(&made, entry.uid, entry.uid);
    }
    if (!error)
        error = seen_follow(merge->change, mailbox->id, uids, mailbox->id, &made, NULL);
    range_set_release(&made);
    return error;
}

static int move_entries(struct merge *merge, const struct moved_place *places, size_t count)
{
    struct mailbox mailbox;
    struct range_set among, uids;
    int error = mailbox_open(merge->change->transaction, places[0].collection, &mailbox);
    if (error)
        return error;
    range_set_init(&among, MERGE_ENTRIES);
    range_set_init(&uids, MERGE_ENTRIES);
    for (size_t i = 0; i < count && places[0].uid && !error; i++)
        error = range_set_add(&among, places[i].uid, places[i].uid);
    if (!error)
        error = take_entries(merge, &mailbox, places[0].uid ? &among : NULL, &uids);
    if (!error)
        error = put_entries(merge, &mailbox, &uids);
    if (!error)
        error = mailbox_finish(merge->change, &mailbox);
    range_set_release(&among);
    range_set_release(&uids);
    mailbox_release(&mailbox);
    return error;
}

/* --- records --- */

/* The record t goes to the other thread, and the ids in it with it. */
static int move_member(struct merge *merge, const struct moved *moved)
{
    struct key key;
    struct change *change = merge->change;
    struct thread_member member;
    struct slice name = key_thread(&key, merge->from, moved->old);
    int error = value_get(change->transaction, name, &merge->value);
    if (!error)
        error = thread_member_read(buffer_slice(&merge->value), &member);
    if (!error)
        error = change_delete(change, name);
    if (error)
        return error;
    thread_member_write(member.received, member.ids, &change->value);
    error = change_put(change, key_thread(&key, merge->to, moved->new), &change->value);
    number_record_write(merge->to, &change->value);
    for (struct slice ids = member.ids; ids.size && !error; ids = slice_sub(ids, 8, SIZE_MAX))
        error = change_put(change, key_thread_id(&key, load_u64(ids.data)), &change->value);
    return error;
}

/* The change log tells that the old ones are gone, and their thread. */
static int leave_tombstone(struct merge *merge)
{
    struct key key;
    struct buffer numbers;
    struct change *change = merge->change;
    buffer_init(&numbers, MERGE_MESSAGES * MESSAGE_NUMBERS_SIZE);
    for (size_t i = 0; i < merge->count; i++)
        messages_record_append(&numbers, merge->moved[i].old, merge->from);
    messages_record_write(buffer_slice(&numbers), &change->value);
    int error = change_put(
        change, key_destroyed(&key, change->modseq, DESTROYED_MESSAGE, merge->moved[0].old),
        &change->value);
    buffer_release(&numbers);
    return error;
}

static int move_all(struct merge *merge)
{
    int error = 0;
    for (size_t i = 0; i < merge->count; i++)
        merge->moved[i].new = merge->change->account.next_message++;
    for (size_t at = 0, count; at < merge->place_count && !error; at += count) {
        count = count_places(merge, at);
        error = move_entries(merge, &merge->places[at], count);
    }
    for (size_t i = 0; i < merge->count && !error; i++) {
        const struct moved *moved = &merge->moved[i];
        error = message_renumber(merge->change, moved->old, moved->new, merge->to,
                                 buffer_slice(&moved->places));
        if (!error)
            error = move_member(merge, moved);
    }
    return error ? error : leave_tombstone(merge);
}

int thread_merge(struct change *change, uint64_t from, uint64_t to, struct merge_budget *budget)
{
    struct merge *merge = calloc(1, sizeof(*merge));
    if (!merge)
        return ERROR_MEMORY;
    merge->change = change;
    merge->from = from;
    merge->to = to;
    merge->left = *budget;
    buffer_init(&merge->value, KV_VALUE_MAXIMUM);
    buffer_init(&merge->entries, (size_t)MERGE_ENTRIES * ENTRY_SIZE);
    for (size_t i = 0; i < MERGE_MESSAGES; i++)
        buffer_init(&merge->moved[i].places, KV_VALUE_MAXIMUM);
    int error = gather(merge);
    if (!error && !merge->refused && merge->count) {
        error = move_all(merge);
        *budget = merge->left;
    }
    for (size_t i = 0; i < MERGE_MESSAGES; i++)
        buffer_release(&merge->moved[i].places);
    buffer_release(&merge->value);
    buffer_release(&merge->entries);
    free(merge);
    return error;
}
