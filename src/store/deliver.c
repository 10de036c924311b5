#include "store/deliver.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "store/annotation_priv.h"
#include "store/delivered_priv.h"
#include "store/outgoing_priv.h"
#include "store/prepared_priv.h"
#include "store/snooze_priv.h"
#include "store/thread_priv.h"

#include <stdlib.h>

/* A filing, ready to be stored. */
struct item {
    const struct filing *filing;
    struct stored_message message;
    struct buffer bytes, summary;
    const struct item *same; /* an earlier one with the same message, or NULL */
    bool made;               /* in the transaction at hand */
    uint64_t number;         /* of its message there */
};

struct deliver_call {
    const struct delivery_plan *plan;
    struct item *items;
    struct departing *departing;
    int64_t now; /* the save date */
};

/* --- what is remembered --- */

uint64_t remember_number(const char *kind, struct slice which)
{
    struct buffer text;
    uint8_t sha256[32] = {0};
    buffer_init(&text, SIZE_MAX - 1);
    buffer_append_string(&text, kind);
    buffer_append_byte(&text, '\0');
    buffer_append(&text, which);
    int error = buffer_error(&text) ? buffer_error(&text) : bytes_hash(buffer_slice(&text), sha256);
    buffer_release(&text);
    uint64_t number = load_u64(sha256);
    return error || !number ? 1 : number; /* 0 is nothing */
}

static int is_remembered(struct kv_transaction *transaction, uint64_t what, int64_t now,
                         struct buffer *value, bool *remembered)
{
    struct key key;
    uint64_t until = 0;
    int error = value_get(transaction, key_remembered(&key, what), value);
    if (!error)
        error = number_record_read(buffer_slice(value), &until);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    *remembered = !error && (int64_t)until > now;
    return 0;
}

int store_remembers(struct store_view *view, uint64_t what, bool *remembered)
{
    struct kv_transaction *transaction;
    struct buffer value;
    int error = view_require_system(view);
    if (!error)
        error = view_read(view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = is_remembered(transaction, what, view->store->clock(), &value, remembered);
    buffer_release(&value);
    view_read_end(view, &transaction);
    return error;
}

int64_t store_now(const struct store_view *view)
{
    return view->store->clock();
}

static int remember(struct change *change, const struct remembered *remembered)
{
    struct key key;
    number_record_write((uint64_t)remembered->until, &change->value);
    return change_put(change, key_remembered(&key, remembered->what), &change->value);
}

/* Whether what is to be made once has not been made yet. */
static int ask_once(struct change *change, const struct remembered *once, bool *wanted)
{
    bool remembered = false;
    int error = 0;
    if (once->what)
        error = is_remembered(change->transaction, once->what, change->now, &change->value,
                              &remembered);
    *wanted = !remembered;
    if (!error && *wanted && once->what)
        error = remember(change, once);
    return error;
}

/* --- one filing --- */

static int add_keywords(struct mailbox *mailbox, const struct append *append, struct entry *entry)
{
    for (size_t i = 0; i < append->keyword_count; i++) {
        unsigned index;
        int error = mailbox_keyword(mailbox, append->keywords[i], true, &index);
        if (error == ERROR_LIMIT || error == ERROR_SYNTAX)
            continue;
        if (error)
            return error;
        entry->keywords.bits[index / 64] |= UINT64_C(1) << (index % 64);
    }
    return 0;
}

/* The message once in the transaction, and a place for each filing. */
static int place(struct change *change, struct item *item, struct position position)
{
    uint64_t thread = 0;
    if (item->same) {
        item->number = item->same->number;
        return message_place(change, item->number, (struct position){0}, position);
    }
    int error = thread_join(change, item->message.ids, &thread);
    return error ? error : message_add(change, &item->message, thread, position, &item->number);
}

/* awake: not NULL when it would have slept, and wakes at once. */
static int file_into(struct change *change, const struct deliver_call *call, struct item *item,
                     struct mailbox *mailbox, const struct snooze *awake)
{
    const struct append *append = &item->filing->append;
    bool annotated;
    struct entry entry = {.internal_date = append->internal_date,
                          .save_date = call->now,
                          .flags = append->flags & ENTRY_FLAGS,
                          .size = item->message.bytes.size,
                          .internationalized = item->message.internationalized};
    int error = call->plan->ignore_quota ? 0 : quota_require_messages(change, 1, entry.size);
    if (!error)
        error = add_keywords(mailbox, append, &entry);
    if (!error && awake)
        error = snooze_adjust(mailbox, awake, &entry);
    if (!error)
        error = place(change, item, mailbox_next_position(mailbox));
    entry.message = item->number;
    if (!error)
        error = mailbox_add(change, mailbox, &entry);
    if (!error)
        error = annotations_add(change, mailbox, entry.uid, append->annotations,
                                append->annotation_count, &annotated);
    if (!error && item->filing->snooze && !awake)
        error = snooze_put(change, mailbox, entry.uid, item->filing->snooze);
    item->made = !error;
    return error ? error : mailbox_finish(change, mailbox);
}

static int file(struct change *change, const struct deliver_call *call, struct item *item)
{
    struct mailbox mailbox;
    const struct snooze *snooze = item->filing->snooze;
    collection_id id = item->filing->mailbox;
    bool wanted, room = true;
    item->made = false;
    int error = ask_once(change, &item->filing->once, &wanted);
    if (error || !wanted)
        return error;
    if (snooze)
        error = snooze_has_room(change, &room);
    if (!error && !room)
        error = snooze_target(change, snooze, &id);
    if (!error)
        error = mailbox_open(change->transaction, id, &mailbox);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_BUSY : error;
    error = file_into(change, call, item, &mailbox, room ? NULL : snooze);
    mailbox_release(&mailbox);
    return error;
}

static int send_out(struct change *change, struct departing *departing)
{
    bool wanted;
    departing->made = false;
    int error = ask_once(change, &departing->departure->once, &wanted);
    return error || !wanted ? error : outgoing_put(change, departing);
}

static int deliver(struct change *change, void *arg)
{
    const struct deliver_call *call = arg;
    const struct delivery_plan *plan = call->plan;
    int error = delivered_note(change, plan->delivery);
    for (size_t i = 0; i < plan->filing_count && !error; i++)
        error = file(change, call, &call->items[i]);
    for (size_t i = 0; i < plan->departure_count && !error; i++)
        error = send_out(change, &call->departing[i]);
    for (size_t i = 0; i < plan->remembered_count && !error; i++)
        error = remember(change, &plan->remembered[i]);
    return error;
}

/* --- the whole --- */

/* What may not be made does not stand for another. */
static bool is_same(const struct filing *a, const struct filing *b)
{
    return !a->once.what && !b->once.what && a->append.message == b->append.message &&
           a->append.prefix.data == b->append.prefix.data &&
           a->append.prefix.size == b->append.prefix.size;
}

/* A large message lies in its blob, flushed, before the record that refers to it. */
static int prepare(struct store_view *view, struct item *items, size_t at)
{
    struct item *item = &items[at];
    const struct append *append = &item->filing->append;
    for (size_t i = 0; i < at && !item->same; i++)
        if (is_same(items[i].filing, item->filing))
            item->same = items[i].same ? items[i].same : &items[i];
    if (item->same) {
        item->message = item->same->message;
        return 0;
    }
    int error = stored_message_make(append->message, append->prefix, &item->message, &item->bytes,
                                    &item->summary);
    item->message.received = append->internal_date;
    if (!error && item->message.bytes.size > MESSAGE_INLINE_MAXIMUM)
        error = blob_put(view->store->blob, view->account->space, item->message.bytes,
                         &item->message.blob);
    return error;
}

/* The same of one that goes out. */
static int prepare_departing(struct store_view *view, struct departing *departing)
{
    const struct departure *departure = departing->departure;
    struct buffer *bytes = &departing->bytes;
    int error = outgoing_check(&departure->envelope);
    for (size_t i = 0; i < DEPARTURE_PIECES && !error; i++)
        error = buffer_append(bytes, departure->pieces[i]);
    if (!error && bytes->size > MESSAGE_INLINE_MAXIMUM)
        error = blob_put(view->store->blob, view->account->space, buffer_slice(bytes),
                         &departing->blob);
    return error;
}

/* Of what was not stored in the end; equal messages share a blob. */
static void drop_blobs(struct store_view *view, const struct deliver_call *call, bool all)
{
    for (size_t i = 0; i < call->plan->filing_count; i++) {
        const struct item *item = &call->items[i];
        if (item->message.blob.pack && !item->same && (all || !item->made))
            blob_drop(view->store->blob, view->account->space, item->message.blob);
    }
    for (size_t i = 0; i < call->plan->departure_count; i++) {
        const struct departing *departing = &call->departing[i];
        if (departing->blob.pack && (all || !departing->made))
            blob_drop(view->store->blob, view->account->space, departing->blob);
    }
}

static void count_stored(struct store_view *view, const struct deliver_call *call)
{
    bool is_inline = false;
    for (size_t i = 0; i < call->plan->filing_count; i++) {
        const struct item *item = &call->items[i];
        is_inline = is_inline || (item->made && !item->message.blob.pack);
        counters_add(COUNTER_STORE_MESSAGES, item->made);
        counters_add(COUNTER_STORE_BYTES, item->made ? (int64_t)item->message.bytes.size : 0);
    }
    if (is_inline)
        account_mark_due(view->account, ACCOUNT_UNSETTLED);
}

static void tell_due(const struct store_view *view, const struct deliver_call *call)
{
    const struct store *store = view->store;
    bool departed = false, asleep = false;
    for (size_t i = 0; i < call->plan->departure_count; i++)
        departed = departed || call->departing[i].made;
    for (size_t i = 0; i < call->plan->filing_count; i++)
        asleep = asleep || (call->items[i].made && call->plan->filings[i].snooze);
    if (departed && store->due)
        store->due(view->account->id, DUE_OUTGOING, store->due_arg);
    if (asleep && store->due)
        store->due(view->account->id, DUE_SNOOZED, store->due_arg);
}

/* Before the transaction: the directory says that the account may have such things. */
static int note_due(struct store_view *view, const struct delivery_plan *plan)
{
    bool asleep = false;
    int error = 0;
    for (size_t i = 0; i < plan->filing_count && !error; i++) {
        error = plan->filings[i].snooze ? snooze_check(plan->filings[i].snooze) : 0;
        asleep = asleep || plan->filings[i].snooze;
    }
    if (!error && plan->departure_count)
        error = due_note_begin(view->store, DUE_OUTGOING, view->account->id);
    if (!error && asleep)
        error = due_note_begin(view->store, DUE_SNOOZED, view->account->id);
    return error;
}

static int run(struct store_view *view, struct deliver_call *call)
{
    int error = 0;
    store_view_let_go(view); /* a blob may take its time */
    gate_enter();            /* for the blobs and for what refers to them */
    for (size_t i = 0; i < call->plan->filing_count && !error; i++)
        error = prepare(view, call->items, i);
    for (size_t i = 0; i < call->plan->departure_count && !error; i++)
        error = prepare_departing(view, &call->departing[i]);
    if (!error)
        error = view_change(view, KV_DURABLE, deliver, call);
    if (!error || change_has_failed(error))
        drop_blobs(view, call, error != 0);
    gate_leave();
    if (!error)
        count_stored(view, call);
    if (!error)
        tell_due(view, call);
    return error;
}

static int make_call(const struct delivery_plan *plan, struct deliver_call *call)
{
    *call = (struct deliver_call){
        .plan = plan,
        .items = calloc(plan->filing_count + 1, sizeof(*call->items)),
        .departing = calloc(plan->departure_count + 1, sizeof(*call->departing)),
        .now = clock_wall(),
    };
    if (!call->items || !call->departing)
        return ERROR_MEMORY;
    for (size_t i = 0; i < plan->filing_count; i++) {
        call->items[i].filing = &plan->filings[i];
        buffer_init(&call->items[i].bytes, SIZE_MAX - 1);
        buffer_init(&call->items[i].summary, SUMMARY_SIZE_MAXIMUM);
    }
    for (size_t i = 0; i < plan->departure_count; i++) {
        call->departing[i].departure = &plan->departures[i];
        buffer_init(&call->departing[i].bytes, SIZE_MAX - 1);
    }
    return 0;
}

static void release_call(struct deliver_call *call)
{
    for (size_t i = 0; i < call->plan->filing_count && call->items; i++) {
        buffer_release(&call->items[i].bytes);
        buffer_release(&call->items[i].summary);
    }
    for (size_t i = 0; i < call->plan->departure_count && call->departing; i++)
        buffer_release(&call->departing[i].bytes);
    free(call->items);
    free(call->departing);
}

int store_deliver(struct store_view *view, const struct delivery_plan *plan)
{
    if (plan->filing_count > FILINGS_MAXIMUM || plan->remembered_count > REMEMBERED_MAXIMUM ||
        plan->departure_count > DEPARTURES_MAXIMUM)
        return ERROR_LIMIT;
    struct deliver_call call;
    int error = view_require_system(view);
    if (error)
        return error;
    error = make_call(plan, &call);
    if (!error)
        error = note_due(view, plan);
    if (!error)
        error = run(view, &call);
    release_call(&call);
    return error;
}
