/*
 * Messages. A record says where the message is (its places), which is computed from the entries;
 * its hash and its summary are computed from it. A body is the truth.
 */
#include "base/clock.h"
#include "base/error.h"
#include "blob/blob.h"
#include "store/check_priv.h"
#include "store/hash_priv.h"

#include <stdlib.h>

enum {
    SLICE_MESSAGES = 64,           /* of a deep check, read in one snapshot */
    SLICE_BYTES = 8 * 1024 * 1024, /* of bodies; then the snapshot ends */
    REPORTED_EVERY = 1000,         /* messages between two reports of progress */
};

static const uint64_t *message_numbers(const struct check *check, size_t *count)
{
    *count = check->messages.size / sizeof(uint64_t);
    return (const uint64_t *)(const void *)check->messages.data;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Whether ascending numbers have this one. */
static bool has_number(const struct buffer *numbers, uint64_t number)
{
    return numbers->size && bsearch(&number, numbers->data, numbers->size / sizeof(number),
                                    sizeof(number), compare_numbers);
}

bool check_has_message(const struct check *check, uint64_t number)
{
    return has_number(&check->messages, number);
}

/* --- which messages there are --- */

static int load_message(struct check *check, struct slice key, const uint64_t *numbers,
                        struct slice value)
{
    struct message_record record;
    (void)key;
    if (!numbers || message_record_read(value, &record))
        return 0;
    return buffer_append(&check->messages, slice_make(numbers, sizeof(*numbers)));
}

/* Into check->body: the numbers of messages that have a body and no record. */
static int look_for_body(struct check *check, struct slice key, const uint64_t *numbers,
                         struct slice value)
{
    (void)key, (void)value;
    if (!numbers || check_has_message(check, *numbers))
        return 0;
    return buffer_append(&check->body, slice_make(numbers, sizeof(*numbers)));
}

static void sort_messages(struct check *check)
{
    if (check->messages.size)
        qsort(check->messages.data, check->messages.size / sizeof(uint64_t), sizeof(uint64_t),
              compare_numbers);
}

static int put_message(struct check *check, uint64_t number, const struct message_record *record)
{
    struct key key;
    message_record_write(record, &check->value);
    return change_put(check->change, key_of_message(&key, KEY_MESSAGE, number), &check->value);
}

/* Its body lies in the space, so it can be described anew. */
static int rebuild_message(struct check *check, uint64_t number)
{
    struct key key;
    struct message_record record = {.body = MESSAGE_INLINE};
    if (!check_wrong(check, "message %llu: its record cannot be read", (unsigned long long)number))
        return 0;
    int error =
        value_get(check->transaction, key_of_message(&key, KEY_BODY, number), &check->value);
    if (!error)
        error = bytes_hash(buffer_slice(&check->value), record.sha256);
    record.size = check->value.size;
    record.created_modseq = check->change->modseq;
    return error ? error : put_message(check, number, &record);
}

int check_load_messages(struct check *check)
{
    buffer_clear(&check->body);
    int error = check_each(check, KEY_MESSAGE, 1, load_message);
    if (!error)
        error = check_each(check, KEY_BODY, 1, look_for_body);
    size_t found = check->body.size / sizeof(uint64_t);
    for (size_t i = 0; i < found && !error; i++) {
        uint64_t number;
        memcpy(&number, check->body.data + i * sizeof(number), sizeof(number));
        error = rebuild_message(check, number);
        if (!error)
            error = buffer_append(&check->messages, slice_make(&number, sizeof(number)));
    }
    sort_messages(check);
    return error;
}

/* --- places --- */

static int compare_entries(const void *a, const void *b)
{
    const struct checked_entry *left = a, *right = b;
    if (left->message != right->message)
        return left->message < right->message ? -1 : 1;
    if (left->collection != right->collection)
        return left->collection < right->collection ? -1 : 1;
    return (left->uid > right->uid) - (left->uid < right->uid);
}

/* The entries of one message: entries[0..count). */
struct message_entries {
    const struct checked_entry *entries;
    size_t count;
};

static bool has_entry(const struct message_entries *found, collection_id collection, uint32_t uid)
{
    struct checked_entry wanted = {found->count ? found->entries[0].message : 0, collection, uid};
    return found->count &&
           bsearch(&wanted, found->entries, found->count, sizeof(*found->entries), compare_entries);
}

static size_t count_in(const struct message_entries *found, collection_id collection)
{
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++)
        count += found->entries[i].collection == collection;
    return count;
}

static bool places_are_right(const struct message_record *record,
                             const struct message_entries *found)
{
    size_t total = 0;
    for (size_t i = 0; i < message_places(record); i++) {
        struct place place = message_place_at(record, i);
        total += place.entries;
        if (place.entries == 0 || count_in(found, place.collection) != place.entries ||
            (place.uid && !has_entry(found, place.collection, place.uid)) ||
            (i && message_place_at(record, i - 1).collection >= place.collection))
            return false;
    }
    return total == found->count;
}

static int make_places(const struct message_entries *found, struct buffer *places)
{
    int error = 0;
    for (size_t i = 0; i < found->count && !error; i++)
        error = places_add(places, found->entries[i].collection, found->entries[i].uid);
    return error;
}

static int write_places(struct check *check, uint64_t number, struct message_record *record,
                        const struct message_entries *found)
{
    struct buffer places;
    buffer_init(&places, KV_VALUE_MAXIMUM);
    int error = make_places(found, &places);
    record->places = buffer_slice(&places);
    if (!error)
        error = put_message(check, number, record);
    buffer_release(&places);
    return error;
}

/* --- summaries, hashes, bodies --- */

static int read_body(struct check *check, uint64_t number, const struct message_record *record)
{
    return message_read_body(check->view, check->transaction, number, record, &check->body);
}

static int make_summary(struct check *check, struct buffer *summary)
{
    struct arena scratch;
    arena_init(&scratch, SUMMARY_MEMORY_MAXIMUM);
    int error = summary_build(buffer_slice(&check->body), &scratch, summary);
    arena_release(&scratch);
    return error;
}

static int write_summary(struct check *check, uint64_t number, const struct message_record *record)
{
    struct key key;
    struct buffer summary;
    int error = read_body(check, number, record);
    if (error)
        return error == ERROR_CORRUPT || error == ERROR_NOT_FOUND ? 0 : error; /* told as lost */
    buffer_init(&summary, SUMMARY_SIZE_MAXIMUM);
    error = make_summary(check, &summary);
    if (!error)
        error = change_put(check->change, key_of_message(&key, KEY_SUMMARY, number), &summary);
    buffer_release(&summary);
    return error;
}

/* Whether what is stored is of another version, and the account says that there may be such: then
 * the server makes it anew. */
static bool is_to_be_remade(const struct check *check)
{
    return check->account && check->account->summary_version != SUMMARY_VERSION &&
           check->value.size && !summary_is_current(buffer_slice(&check->value));
}

static int check_summary(struct check *check, uint64_t number, const struct message_record *record)
{
    struct key key;
    struct summary summary;
    int error =
        value_get(check->transaction, key_of_message(&key, KEY_SUMMARY, number), &check->value);
    if (!error && is_to_be_remade(check))
        return 0;
    if (!error)
        error = summary_parse(buffer_slice(&check->value), &summary);
    if (!error && summary.size == record->size && !has_number(&check->remake, number))
        return 0;
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    bool mend = check_wrong(check, "message %llu: its summary is missing, old or wrong",
                            (unsigned long long)number);
    return mend ? write_summary(check, number, record) : 0;
}

/* Under a hash is the number of a message that has it (or one whose first 64 bits are the same). */
static int check_hash(struct check *check, uint64_t number, const struct message_record *record)
{
    struct key key;
    uint64_t known = 0;
    int error = value_get(check->transaction, key_hash(&key, record->sha256), &check->value);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    if (!error && !number_record_read(buffer_slice(&check->value), &known) &&
        check_has_message(check, known))
        return 0;
    if (!check_wrong(check, "message %llu is not found by its hash", (unsigned long long)number))
        return 0;
    number_record_write(number, &check->value);
    return change_put(check->change, key_hash(&key, record->sha256), &check->value);
}

static int check_inline_body(struct check *check, uint64_t number,
                             const struct message_record *record)
{
    struct key key;
    int error =
        value_get(check->transaction, key_of_message(&key, KEY_BODY, number), &check->value);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    bool there = !error;
    if (record->body == MESSAGE_INLINE && (!there || check->value.size != record->size))
        check_lost(check, "message %llu: its body", (unsigned long long)number);
    if (record->body == MESSAGE_IN_BLOB && there &&
        check_wrong(check, "message %llu has two bodies", (unsigned long long)number))
        return change_delete(check->change, key_of_message(&key, KEY_BODY, number));
    return 0;
}

/* --- each message --- */

static int check_message(struct check *check, uint64_t number, const struct message_entries *found)
{
    struct key key;
    struct message_record record;
    struct buffer bytes;
    buffer_init(&bytes, KV_VALUE_MAXIMUM);
    int error = kv_get(check->transaction, key_of_message(&key, KEY_MESSAGE, number), &bytes);
    if (!error)
        error = message_record_read(buffer_slice(&bytes), &record);
    if (error) { /* one that a check without repair has described, but not written */
        buffer_release(&bytes);
        return error == ERROR_CORRUPT || error == ERROR_NOT_FOUND ? 0 : error;
    }
    uint32_t retained = check_expunged_with(check, number);
    bool stray = !found->count && !retained;
    if (stray)
        error = buffer_append(&check->strays, slice_make(&number, sizeof(number)));
    if (!error)
        error = check_summary(check, number, &record);
    if (!error)
        error = check_hash(check, number, &record);
    if (!error)
        error = check_inline_body(check, number, &record);
    /* Strays are told together, by check_strays. */
    bool right = places_are_right(&record, found) && record.retained == retained;
    record.retained = retained;
    if (!error && !right &&
        (stray ? check->change != NULL
               : check_wrong(check, "message %llu is in other mailboxes than it says",
                             (unsigned long long)number)))
        error = write_places(check, number, &record, found);
    buffer_release(&bytes);
    return error;
}

int check_messages(struct check *check)
{
    size_t count, at = 0, total = check->entries.size / sizeof(struct checked_entry);
    const uint64_t *numbers = message_numbers(check, &count);
    struct checked_entry *entries = (struct checked_entry *)(void *)check->entries.data;
    int error = 0;
    if (total)
        qsort(entries, total, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < count && !error; i++) {
        struct message_entries found = {entries + at, 0};
        while (at < total && entries[at].message == numbers[i]) {
            at++;
            found.count++;
        }
        error = check_message(check, numbers[i], &found);
    }
    return error;
}

/* --- messages without an entry --- */

/* The mailbox they come back to: one of that name, or a new one. */
static int find_rescue(struct change *change, collection_id *id)
{
    struct slice name = SLICE(CHECK_RESCUE_MAILBOX);
    int error = collection_child(change->transaction, COLLECTION_MAILBOX, 0, name, id);
    return error == ERROR_NOT_FOUND
               ? collection_add(change, COLLECTION_MAILBOX, 0, name, ROLE_NONE, id)
               : error;
}

static int rescue(struct change *change, struct mailbox *mailbox, uint64_t number)
{
    struct key key;
    struct message_record record = {0};
    int error =
        value_get(change->transaction, key_of_message(&key, KEY_MESSAGE, number), &change->message);
    if (!error)
        error = message_record_read(buffer_slice(&change->message), &record);
    struct entry entry = {.message = number,
                          .internal_date = clock_wall(),
                          .save_date = clock_wall(),
                          .size = record.size};
    if (!error)
        error = message_place(change, number, (struct position){0}, mailbox_next_position(mailbox));
    return error ? error : mailbox_add(change, mailbox, &entry);
}

static int rescue_all(struct check *check, struct mailbox *mailbox)
{
    int error = 0;
    for (size_t at = 0; at < check->strays.size && !error; at += sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, check->strays.data + at, sizeof(number));
        error = rescue(check->change, mailbox, number);
    }
    return error ? error : mailbox_finish(check->change, mailbox);
}

int check_strays(struct check *check)
{
    struct mailbox mailbox;
    collection_id id;
    size_t count = check->strays.size / sizeof(uint64_t);
    if (!count || !check_wrong(check, "%zu messages in no mailbox; a repair puts them into %s",
                               count, CHECK_RESCUE_MAILBOX))
        return 0;
    int error = find_rescue(check->change, &id);
    if (!error)
        error = mailbox_open(check->transaction, id, &mailbox);
    if (error)
        return error;
    error = rescue_all(check, &mailbox);
    mailbox_release(&mailbox);
    return error;
}

/* --- a deep check --- */

static void tell_lost_body(struct check *check, uint64_t number,
                           const struct message_record *record)
{
    if (!message_places(record))
        check_lost(check, "message %llu: its body", (unsigned long long)number);
    for (size_t i = 0; i < message_places(record); i++) {
        struct place place = message_place_at(record, i);
        check_lost(check, "%s: UID %u: the body of message %llu",
                   check_path(check, place.collection), place.uid, (unsigned long long)number);
    }
}

static int check_body(struct check *check, uint64_t number, const struct message_record *record)
{
    struct key key;
    struct buffer summary;
    uint8_t sha256[32];
    int error = read_body(check, number, record);
    if (!error)
        error = bytes_hash(buffer_slice(&check->body), sha256);
    if (!error &&
        (check->body.size != record->size || memcmp(sha256, record->sha256, sizeof(sha256)) != 0))
        error = ERROR_CORRUPT;
    if (error == ERROR_CORRUPT || error == ERROR_NOT_FOUND) {
        tell_lost_body(check, number, record);
        return 0;
    }
    buffer_init(&summary, SUMMARY_SIZE_MAXIMUM);
    if (!error)
        error = make_summary(check, &summary);
    if (!error)
        error =
            value_get(check->transaction, key_of_message(&key, KEY_SUMMARY, number), &check->value);
    if (!error && !is_to_be_remade(check) &&
        !slice_equal(buffer_slice(&summary), buffer_slice(&check->value))) {
        if (check->options->repair) /* which tells */
            error = buffer_append(&check->remake, slice_make(&number, sizeof(number)));
        else
            check_wrong(check, "message %llu: its summary says something else than its body",
                        (unsigned long long)number);
    }
    buffer_release(&summary);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

struct body_slice {
    uint64_t numbers[SLICE_MESSAGES];
    size_t count;
};

/* The next messages behind *after. */
static int next_messages(struct check *check, uint64_t after, struct body_slice *slice)
{
    struct key prefix, start;
    struct kv_cursor *cursor;
    struct slice key, value;
    slice->count = 0;
    int error =
        kv_cursor_open(check->transaction, key_numbers(&prefix, KEY_MESSAGE, 0, NULL),
                       after ? key_of_message(&start, KEY_MESSAGE, after) : SLICE(""), &cursor);
    if (error)
        return error;
    while (slice->count < SLICE_MESSAGES && !(error = kv_cursor_next(cursor, &key, &value))) {
        key = slice_sub(key, 1, SIZE_MAX);
        if (!key_read_number(&key, &slice->numbers[slice->count]))
            slice->count++;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int check_body_of(struct check *check, uint64_t number, uint64_t *bytes)
{
    struct key key;
    struct message_record record;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(check->transaction, key_of_message(&key, KEY_MESSAGE, number), &value);
    if (!error)
        error = message_record_read(buffer_slice(&value), &record);
    if (!error) {
        error = check_body(check, number, &record);
        *bytes += record.size;
    }
    buffer_release(&value);
    return error == ERROR_CORRUPT || error == ERROR_NOT_FOUND ? 0 : error;
}

static int check_slice(struct check *check, uint64_t *after, size_t *done)
{
    struct body_slice slice;
    uint64_t bytes = 0;
    int error = next_messages(check, *after, &slice);
    *done = 0;
    while (!error && *done < slice.count && bytes < SLICE_BYTES) {
        error = check_body_of(check, slice.numbers[*done], &bytes);
        *after = slice.numbers[(*done)++];
    }
    return error;
}

/* Which version its summaries have. One that cannot be read is told of later. */
static int load_account(struct check *check)
{
    struct key key;
    int error = value_get(check->transaction, key_account(&key), &check->value);
    if (!error)
        error = account_record_read(buffer_slice(&check->value), &check->found_account);
    if (!error)
        check->account = &check->found_account;
    return error == ERROR_CORRUPT || error == ERROR_NOT_FOUND ? 0 : error;
}

static int count_messages(struct check *check, uint64_t *count)
{
    int error = view_read(check->view, &check->transaction);
    if (error)
        return error;
    error = load_account(check);
    if (!error)
        error = check_each(check, KEY_MESSAGE, 1, load_message);
    if (!error)
        error = check_load_collections(check);
    view_read_end(check->view, &check->transaction);
    *count = check->messages.size / sizeof(uint64_t);
    return error;
}

int check_bodies(struct check *check)
{
    uint64_t after = 0, total, read = 0, reported = 0;
    size_t done = 1;
    int error = count_messages(check, &total);
    while (!error && done) {
        error = view_read(check->view, &check->transaction);
        if (error)
            break;
        error = check_slice(check, &after, &done);
        view_read_end(check->view, &check->transaction);
        read += done;
        if (check->options->progress && read >= reported + REPORTED_EVERY) {
            reported = read;
            check->options->progress(read, total > read ? total : read, check->options->arg);
        }
    }
    return error;
}
