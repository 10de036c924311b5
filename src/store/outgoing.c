#include "store/outgoing.h"
#include "base/error.h"
#include "store/outgoing_priv.h"

#include <stdlib.h>

const char *outgoing_kind_name(enum outgoing_kind kind)
{
    static const char *const names[] = {[OUTGOING_REDIRECT] = "redirect",
                                        [OUTGOING_RESPONSE] = "response",
                                        [OUTGOING_NOTIFICATION] = "notification",
                                        [OUTGOING_REPORT] = "report"};
    return kind >= OUTGOING_REDIRECT && kind <= OUTGOING_REPORT ? names[kind] : "unknown";
}

/* --- records --- */

static int show(struct slice key, struct slice value, struct outgoing_record *record,
                int (*fn)(uint64_t number, const struct outgoing_record *record, void *arg),
                void *arg)
{
    uint64_t number;
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    int error = key_read_number(&rest, &number);
    if (!error)
        error = outgoing_record_read(value, record);
    record->message.number = number;
    return error ? error : fn(number, record, arg);
}

int outgoing_each(struct kv_transaction *transaction,
                  int (*fn)(uint64_t number, const struct outgoing_record *record, void *arg),
                  void *arg)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    struct outgoing_record *record = malloc(sizeof(*record));
    if (!record)
        return ERROR_MEMORY;
    int error = kv_cursor_open(transaction, key_numbers(&prefix, KEY_OUTGOING, 0, NULL), SLICE(""),
                               &cursor);
    if (!error) {
        int shown = 0;
        while (!shown && !(error = kv_cursor_next(cursor, &key, &value)))
            shown = show(key, value, record, fn, arg);
        kv_cursor_close(&cursor);
        error = shown ? shown : error == ERROR_NOT_FOUND ? 0 : error;
    }
    free(record);
    return error;
}

/* Its slices point into value. */
static int read_record(struct kv_transaction *transaction, uint64_t number, struct buffer *value,
                       struct outgoing_record *record)
{
    struct key key;
    int error = value_get(transaction, key_of_message(&key, KEY_OUTGOING, number), value);
    if (!error)
        error = outgoing_record_read(buffer_slice(value), record);
    record->message.number = number;
    return error;
}

static int write_record(struct change *change, const struct outgoing_record *record)
{
    struct key key;
    outgoing_record_write(record, &change->value);
    return change_put(change, key_of_message(&key, KEY_OUTGOING, record->message.number),
                      &change->value);
}

static int read_body(const struct store_view *view, struct kv_transaction *transaction,
                     const struct outgoing_record *record, struct buffer *body)
{
    struct key key;
    const struct outgoing_message *message = &record->message;
    int error =
        record->in_blob
            ? blob_get(view->store->blob, view->account->space, record->blob, 0,
                       (size_t)message->size, body)
            : kv_get(transaction, key_of_message(&key, KEY_OUTGOING_BODY, message->number), body);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int remove_record(struct change *change, const struct outgoing_record *record)
{
    struct key key;
    uint64_t number = record->message.number;
    int error = change_delete(change, key_of_message(&key, KEY_OUTGOING, number));
    if (!error && record->in_blob)
        return buffer_append(&change->dropped, slice_make(&record->blob, sizeof(record->blob)));
    return error ? error : change_delete(change, key_of_message(&key, KEY_OUTGOING_BODY, number));
}

int outgoing_move_blob(struct change *change, uint64_t number, struct blob_id from,
                       struct blob_id to, bool *moved)
{
    struct outgoing_record record;
    int error = read_record(change->transaction, number, &change->message, &record);
    if (error || !record.in_blob || record.blob.pack != from.pack ||
        record.blob.offset != from.offset)
        return error == ERROR_NOT_FOUND ? 0 : error; /* it has gone meanwhile */
    record.blob = to;
    *moved = true;
    return write_record(change, &record);
}

/* --- putting --- */

struct waiting {
    size_t count;
    uint64_t bytes;
};

static int count_one(uint64_t number, const struct outgoing_record *record, void *arg)
{
    struct waiting *waiting = arg;
    (void)number;
    waiting->count++;
    waiting->bytes += record->message.size;
    return 0;
}

/* When the rate lets another message go (the generic cell rate algorithm): the record says until
 * when what has been sent takes up the rate, in milliseconds. */
static int take_turn(struct change *change, int64_t *when)
{
    struct key key;
    uint64_t until = 0, now = (uint64_t)change->now * 1000;
    uint32_t rate = change->view->store->outgoing_rate;
    struct slice name = key_numbers(&key, KEY_OUTGOING_RATE, 0, NULL);
    *when = change->now;
    if (!rate)
        return 0;
    int error = value_get(change->transaction, name, &change->value);
    if (!error)
        error = number_record_read(buffer_slice(&change->value), &until);
    if (error && error != ERROR_NOT_FOUND && error != ERROR_CORRUPT)
        return error;
    uint64_t interval = 3600 * UINT64_C(1000) / rate;
    if (error || until < now)
        until = now;
    if (until > now + OUTGOING_BURST * interval)
        *when = (int64_t)((until - OUTGOING_BURST * interval + 999) / 1000);
    number_record_write(until + interval, &change->value);
    return change_put(change, name, &change->value);
}

static int put_body(struct change *change, const struct departing *departing, uint64_t number)
{
    struct key key;
    if (departing->blob.pack)
        return 0;
    return change_put(change, key_of_message(&key, KEY_OUTGOING_BODY, number), &departing->bytes);
}

static int put(struct change *change, struct departing *departing)
{
    const struct outgoing_envelope *envelope = &departing->departure->envelope;
    struct outgoing_record record = {.message = {.number = change->account.next_message++,
                                                 .envelope = *envelope,
                                                 .size = departing->bytes.size,
                                                 .created = change->now},
                                     .in_blob = departing->blob.pack != 0,
                                     .blob = departing->blob};
    int error = take_turn(change, &record.message.next);
    if (!error)
        error = put_body(change, departing, record.message.number);
    if (!error)
        error = write_record(change, &record);
    departing->made = !error;
    return error;
}

int outgoing_check(const struct outgoing_envelope *envelope)
{
    if (envelope->sender.size > OUTGOING_ADDRESS_MAXIMUM || !envelope->recipient_count ||
        envelope->recipient_count > OUTGOING_RECIPIENTS_MAXIMUM)
        return ERROR_LIMIT;
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].address.size > OUTGOING_ADDRESS_MAXIMUM)
            return ERROR_LIMIT;
    return 0;
}

int outgoing_put(struct change *change, struct departing *departing)
{
    struct waiting waiting = {0};
    departing->made = false;
    int error = outgoing_each(change->transaction, count_one, &waiting);
    if (error)
        return error;
    if (waiting.count < OUTGOING_MAXIMUM && waiting.bytes < OUTGOING_BYTES_MAXIMUM)
        return put(change, departing);
    return departing->departure->envelope.kind == OUTGOING_REDIRECT ? ERROR_BUSY : 0;
}

/* --- reading --- */

static struct outgoing_recipient *copy_recipients(const struct outgoing_envelope *envelope,
                                                  struct arena *arena)
{
    struct outgoing_recipient *copy =
        arena_alloc_array(arena, envelope->recipient_count, sizeof(*copy));
    for (size_t i = 0; copy && i < envelope->recipient_count; i++) {
        copy[i] = envelope->recipients[i];
        copy[i].address = arena_copy(arena, copy[i].address);
        copy[i].reply = arena_copy(arena, copy[i].reply);
    }
    return copy;
}

static int copy_message(const struct outgoing_message *from, struct arena *arena,
                        struct outgoing_message *to)
{
    *to = *from;
    to->envelope.sender = arena_copy(arena, from->envelope.sender);
    to->envelope.recipients = copy_recipients(&from->envelope, arena);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

struct listing {
    struct arena *arena;
    struct outgoing_message *list;
    size_t count;
};

static int list_one(uint64_t number, const struct outgoing_record *record, void *arg)
{
    struct listing *listing = arg;
    (void)number;
    if (listing->count == OUTGOING_MAXIMUM)
        return 0;
    return copy_message(&record->message, listing->arena, &listing->list[listing->count++]);
}

int outgoing_list(struct store_view *view, struct arena *arena, struct outgoing_message **list,
                  size_t *count)
{
    struct kv_transaction *transaction;
    struct listing listing = {.arena = arena};
    int error = view_require_system(view);
    if (!error)
        error = view_read(view, &transaction);
    if (error)
        return error;
    listing.list = arena_alloc_array(arena, OUTGOING_MAXIMUM, sizeof(*listing.list));
    error = listing.list ? outgoing_each(transaction, list_one, &listing) : ERROR_LIMIT;
    view_read_end(view, &transaction);
    if (!error) {
        *list = listing.list;
        *count = listing.count;
    }
    return error;
}

int outgoing_read(struct store_view *view, uint64_t number, struct buffer *body)
{
    struct kv_transaction *transaction;
    struct outgoing_record record;
    struct buffer value;
    int error = view_require_system(view);
    if (!error)
        error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = read_record(transaction, number, &value, &record);
    if (!error)
        error = read_body(view, transaction, &record, body);
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}

/* --- attempts --- */

struct attempt {
    uint64_t number;
    int64_t seconds;                             /* of a claim */
    int64_t next;                                /* of what is to be tried again */
    uint32_t attempts;                           /* with the claim that is given back */
    const struct outgoing_recipient *recipients; /* what came of it */
    size_t count;
};

static int change_one(struct store_view *view, enum kv_durability durability,
                      int (*fn)(struct change *change, void *arg), struct attempt *attempt)
{
    int error = view_require_system(view);
    return error ? error : view_change(view, durability, fn, attempt);
}

/* Changes of records of a family that nobody who follows the account sees. */
static int begin(struct change *change, const struct attempt *attempt,
                 struct outgoing_record *record)
{
    change->quiet = true;
    return read_record(change->transaction, attempt->number, &change->message, record);
}

static int claim(struct change *change, void *arg)
{
    const struct attempt *attempt = arg;
    struct outgoing_record record;
    int error = begin(change, attempt, &record);
    if (error)
        return error;
    if (record.message.claimed > change->now || record.message.next > change->now)
        return ERROR_BUSY;
    record.message.claimed = change->now + attempt->seconds;
    record.message.attempts++;
    return write_record(change, &record);
}

static int read_claimed(struct store_view *view, uint64_t number, struct arena *arena,
                        struct outgoing_message *message, struct buffer *body)
{
    struct kv_transaction *transaction;
    struct outgoing_record record;
    struct buffer value;
    int error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = read_record(transaction, number, &value, &record);
    if (!error)
        error = copy_message(&record.message, arena, message);
    if (!error)
        error = read_body(view, transaction, &record, body);
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}

int outgoing_claim(struct store_view *view, uint64_t number, int64_t seconds, struct arena *arena,
                   struct outgoing_message *message, struct buffer *body)
{
    struct attempt attempt = {.number = number, .seconds = seconds};
    int error = change_one(view, KV_RELAXED, claim, &attempt);
    return error ? error : read_claimed(view, number, arena, message, body);
}

static int renew(struct change *change, void *arg)
{
    const struct attempt *attempt = arg;
    struct outgoing_record record;
    int error = begin(change, attempt, &record);
    if (!error && record.message.claimed <= change->now)
        error = ERROR_BUSY;
    record.message.claimed = change->now + attempt->seconds;
    return error ? error : write_record(change, &record);
}

int outgoing_renew(struct store_view *view, uint64_t number, int64_t seconds)
{
    struct attempt attempt = {.number = number, .seconds = seconds};
    return change_one(view, KV_RELAXED, renew, &attempt);
}

/* The number of attempts says whose claim it is: each claim counts one. */
static int release(struct change *change, void *arg)
{
    const struct attempt *attempt = arg;
    struct outgoing_record record;
    int error = begin(change, attempt, &record);
    if (error || !record.message.claimed || record.message.attempts != attempt->attempts)
        return error;
    record.message.claimed = 0;
    record.message.attempts--;
    return write_record(change, &record);
}

int outgoing_release(struct store_view *view, uint64_t number, uint32_t attempts)
{
    struct attempt attempt = {.number = number, .attempts = attempts};
    return change_one(view, KV_RELAXED, release, &attempt);
}

static int settle(struct change *change, void *arg)
{
    const struct attempt *attempt = arg;
    struct outgoing_record record;
    bool waits = false;
    int error = begin(change, attempt, &record);
    if (!error && attempt->count != record.message.envelope.recipient_count)
        error = ERROR_INVALID;
    for (size_t i = 0; i < attempt->count && !error; i++) {
        struct outgoing_recipient *recipient = &record.recipients[i];
        if (recipient->state == OUTGOING_WAITING) {
            recipient->state = attempt->recipients[i].state;
            recipient->reply = slice_sub(attempt->recipients[i].reply, 0, OUTGOING_REPLY_MAXIMUM);
        }
        waits = waits || recipient->state == OUTGOING_WAITING;
    }
    if (error || !waits)
        return error ? error : remove_record(change, &record);
    record.message.claimed = 0;
    record.message.next = attempt->next;
    return write_record(change, &record);
}

int outgoing_settle(struct store_view *view, uint64_t number,
                    const struct outgoing_recipient *recipients, size_t count, int64_t next)
{
    struct attempt attempt = {
        .number = number, .recipients = recipients, .count = count, .next = next};
    return change_one(view, KV_DURABLE, settle, &attempt);
}

static int retry(struct change *change, void *arg)
{
    struct outgoing_record record;
    int error = begin(change, arg, &record);
    if (!error && record.message.claimed > change->now)
        error = ERROR_BUSY;
    record.message.next = change->now;
    return error ? error : write_record(change, &record);
}

int outgoing_retry(struct store_view *view, uint64_t number)
{
    struct attempt attempt = {.number = number};
    int error = view_require_system(view);
    if (!error)
        error = due_note_begin(view->store, DUE_OUTGOING, view->account->id);
    if (!error)
        error = change_one(view, KV_DURABLE, retry, &attempt);
    if (!error && view->store->due)
        view->store->due(view->account->id, DUE_OUTGOING, view->store->due_arg);
    return error;
}

static int remove_one(struct change *change, void *arg)
{
    struct outgoing_record record;
    int error = begin(change, arg, &record);
    if (!error && record.message.claimed > change->now)
        error = ERROR_BUSY;
    return error ? error : remove_record(change, &record);
}

int outgoing_remove(struct store_view *view, uint64_t number)
{
    struct attempt attempt = {.number = number};
    return change_one(view, KV_DURABLE, remove_one, &attempt);
}
