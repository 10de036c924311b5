/*
 * A script and a message, with a NUL between them: whatever both are, the message is stored, sent
 * on, refused by the script, or discarded by it, and nothing else. What is sent goes to addresses.
 * A script that says "imapsieve" is run for an append and a change of flags besides: the message
 * stays where it is.
 */
#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "session/sieve/event.h"
#include "session/sieve/filter.h"
#include "store/annotation.h"
#include "store/directory.h"
#include "store/event.h"
#include "store/script.h"

#include <stdlib.h>

enum { DELIVERIES = 200 /* before the house is built anew */ };

static struct house {
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct store_view *view;
    struct account_id account;
    collection_id inbox;
    unsigned deliveries;
} house;

static void check(bool right)
{
    if (!right)
        abort();
}

static void build(void)
{
    struct arena arena;
    struct collection inbox;
    struct store_options options = {.open_accounts = 4, .default_domain = "example.test"};
    check(!kv_memory_create(&house.kv) && !blob_memory_create(&house.blob));
    options.kv = house.kv;
    options.blob = house.blob;
    check(!store_open(&options, &house.store));
    check(!store_account_create(house.store, WHO_SYSTEM, SLICE("alice"), &house.account));
    check(!store_view_open(house.store, WHO_SYSTEM, house.account, &house.view));
    arena_init(&arena, 65536);
    check(!collection_find(house.view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox));
    house.inbox = inbox.id;
    arena_release(&arena);
}

static void tear_down(void)
{
    store_view_close(&house.view);
    store_close(&house.store);
    blob_engine_free(&house.blob);
    kv_engine_free(&house.kv);
    house.deliveries = 0;
}

static bool says(struct slice script, struct slice word)
{
    for (size_t i = 0; i + word.size <= script.size; i++)
        if (slice_equal_nocase(slice_sub(script, i, word.size), word))
            return true;
    return false;
}

/* Nothing that would end a command of SMTP. */
static void check_departure(const struct departure *departure)
{
    const struct outgoing_envelope *envelope = &departure->envelope;
    check(envelope->recipient_count > 0);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        struct slice address = envelope->recipients[i].address;
        check(address.size > 0 && address.size <= OUTGOING_ADDRESS_MAXIMUM);
        for (size_t j = 0; j < address.size; j++)
            check((unsigned char)address.data[j] >= ' ' && address.data[j] != 0x7f);
    }
}

static void deliver(struct slice script, struct slice message)
{
    struct filter *filter = NULL;
    struct slice reason;
    struct filter_facts facts = {.programs = programs_of_process(),
                                 .store = house.store,
                                 .view = house.view,
                                 .account = house.account,
                                 .message = message,
                                 .prefix = SLICE("Return-Path: <s@x.test>\r\n"),
                                 .date = 1000000000,
                                 .sender = SLICE("s@x.test"),
                                 .recipient = SLICE("alice@example.test"),
                                 .original = SLICE("alice+a@example.test"),
                                 .sends = true,
                                 .hostname = "mx.example.test",
                                 .id = "1",
                                 .keep = house.inbox};
    if (prepared_message_create(message, &facts.prepared))
        return;
    check(!filter_create(&facts, &filter));
    struct delivery_plan plan = filter_plan(filter, 0, false);
    bool rejected = filter_rejects(filter, &reason);
    check(plan.filing_count || plan.departure_count || rejected || says(script, SLICE("discard")) ||
          says(script, SLICE("reject")));
    for (size_t i = 0; i < plan.departure_count; i++)
        check_departure(&plan.departures[i]);
    check(!rejected || (says(script, SLICE("reject")) && reason.data));
    int error = store_deliver(house.view, &plan);
    check(!error || error == ERROR_LIMIT || error == ERROR_BUSY); /* too many are on their way */
    filter_free(&filter);
    prepared_message_free(&facts.prepared);
}

static void run_events(struct slice message)
{
    const struct annotation annotation = {ANNOTATION_SHARED, SLICE(EVENT_ANNOTATION),
                                          SLICE("fuzz")};
    struct append append = {.internal_date = 1000000000, .flags = ENTRY_SEEN};
    struct append_result result;
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct event event = {.programs = programs_of_process(),
                          .store = house.store,
                          .hostname = "mx.example.test",
                          .sends = true,
                          .user = "alice",
                          .user_id = house.account,
                          .account = house.account,
                          .mailbox = house.inbox};
    if (prepared_message_create(message, &append.message))
        return;
    check(!annotations_set(house.view, house.inbox, &annotation, 1));
    check(!mailbox_append(house.view, house.inbox, &append, &result));
    check(store_view_take_events(house.view));
    check(!event_run(&event, result.uid));
    event.cause = EVENT_FLAG;
    event.changed_flags = ENTRY_SEEN;
    check(!event_run(&event, result.uid));
    check(!mailbox_snapshot_open(house.view, house.inbox, &snapshot));
    entry_cursor_init(&cursor, snapshot, result.uid, 0);
    check(!entry_cursor_next(&cursor, &entry) && entry.uid == result.uid &&
          entry.size == message.size);
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    prepared_message_free(&append.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    size_t end = slice_find(input, '\0');
    struct slice script = slice_sub(input, 0, end), message = slice_sub(input, end + 1, SIZE_MAX);
    log_init("fuzz_filter", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    if (!house.store)
        build();
    if (!script_put(house.view, SLICE("fuzz"), script) &&
        !script_activate(house.view, SLICE("fuzz")))
        deliver(script, message);
    if (says(script, SLICE("imapsieve")) && !script_put(house.view, SLICE("fuzz"), script))
        run_events(message);
    if (++house.deliveries == DELIVERIES) {
        tear_down();
        house.store = NULL;
    }
    return 0;
}
