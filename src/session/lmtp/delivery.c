/*
 * Delivery of one message to the recipients of its transaction. The message is parsed and hashed
 * once; each recipient gets its own trace fields in front and one durable commit.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "session/lmtp/lmtp_priv.h"
#include "store/acl.h"

#include <inttypes.h>
#include <stdatomic.h>

/* Bytes of the messages that this process is taking in. */
static atomic_uint_fast64_t pending;

uint64_t delivery_pending(void)
{
    return pending;
}

static void spool_begin(struct delivery *delivery)
{
    const struct stream *stream = delivery->stream;
    spool_init(&delivery->spool, stream->spool_directory, MESSAGE_INLINE_MAXIMUM,
               (uint64_t)stream->config->message_size);
    spool_keep_free(&delivery->spool, (uint64_t)stream->config->minimum_free);
}

void delivery_init(struct delivery *delivery, struct stream *stream, const struct lmtp *lmtp)
{
    size_t one = sizeof(struct recipient) + 2 * LMTP_ADDRESS_MAXIMUM +
                 LMTP_ORIGINAL_RECIPIENT_MAXIMUM + 5 * _Alignof(max_align_t);
    *delivery = (struct delivery){.stream = stream, .lmtp = lmtp};
    delivery->last = &delivery->first;
    /* Twice, for what the arena's blocks leave over. */
    arena_init(&delivery->arena, 2 * (one * (lmtp->limits.recipients + 16) +
                                      DELIVERY_ACCOUNTS_MAXIMUM * sizeof(struct receiver)));
    arena_init(&delivery->scratch, DELIVERY_SCRATCH);
    spool_begin(delivery);
}

void delivery_clear(struct delivery *delivery)
{
    prepared_message_free(&delivery->prepared);
    arena_release(&delivery->arena);
    arena_release(&delivery->scratch);
    spool_release(&delivery->spool);
    atomic_fetch_sub(&pending, delivery->pending);
    delivery->pending = 0;
    delivery->accounts = 0;
    delivery->first = delivery->next = NULL;
    delivery->last = &delivery->first;
    delivery->error = 0;
}

static struct receiver *make_receivers(struct arena *arena, const struct resolution *resolution)
{
    struct receiver *receivers = arena_alloc_array(arena, resolution->count, sizeof(*receivers));
    for (size_t i = 0; i < resolution->count && receivers; i++)
        receivers[i].account = resolution->accounts[i];
    return receivers;
}

static int add_recipient(struct delivery *delivery, struct slice address,
                         const struct resolution *resolution)
{
    struct arena *arena = &delivery->arena;
    if (resolution->count > DELIVERY_ACCOUNTS_MAXIMUM - delivery->accounts)
        return ERROR_LIMIT;
    struct recipient *recipient = arena_alloc(arena, sizeof(*recipient));
    struct receiver *receivers = make_receivers(arena, resolution);
    struct slice copy = arena_copy(arena, address), detail = arena_copy(arena, resolution->detail);
    struct slice original = arena_copy(arena, buffer_slice(&delivery->lmtp->original));
    if (arena_failed(arena))
        return ERROR_LIMIT;
    *recipient = (struct recipient){.receivers = receivers,
                                    .count = resolution->count,
                                    .address = copy,
                                    .detail = detail,
                                    .original = original,
                                    .ignore_quota = delivery->lmtp->ignore_quota,
                                    .notify = delivery->lmtp->notify};
    delivery->accounts += resolution->count;
    *delivery->last = recipient;
    delivery->last = &recipient->next;
    return 0;
}

int delivery_add(struct delivery *delivery, struct slice address)
{
    struct resolution resolution;
    arena_clear(&delivery->scratch);
    int error = store_resolve(delivery->stream->store, WHO_SYSTEM, address, &delivery->scratch,
                              &resolution);
    /* The directory's addresses are ASCII: what is SMTPUTF8's is well-formed, and nobody's. */
    if (error == ERROR_SYNTAX && delivery->lmtp->utf8)
        error = ERROR_NOT_FOUND;
    return error ? error : add_recipient(delivery, address, &resolution);
}

void delivery_data(struct delivery *delivery, struct slice bytes)
{
    if (!spool_append(&delivery->spool, bytes)) {
        delivery->pending += bytes.size;
        atomic_fetch_add(&pending, bytes.size);
    }
}

void delivery_begin(struct delivery *delivery)
{
    static atomic_uint sequence;
    delivery->next = delivery->first;
    delivery->date = clock_wall();
    snprintf(delivery->id, sizeof(delivery->id), "%" PRIx64 ".%x", (uint64_t)clock_wall_us(),
             atomic_fetch_add(&sequence, 1));
    delivery->error = spool_view(&delivery->spool, &delivery->message);
    if (delivery->error)
        return;
    trace_read(delivery->message, delivery->stream->config->hostname, &delivery->trace);
    delivery->error = prepared_message_create(delivery->message, &delivery->prepared);
}

/* The one mailbox whose path is this in another case. */
static int find_any_case(struct delivery *delivery, struct store_view *view, struct slice path,
                         collection_id *id)
{
    struct collection *list;
    size_t count, fitting = 0;
    int error = collection_list(view, COLLECTION_MAILBOX, &delivery->scratch, &list, &count);
    if (error)
        return error == ERROR_LIMIT ? ERROR_NOT_FOUND : error;
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_nocase(list[i].path, path))
            continue;
        *id = list[i].id;
        fitting++;
    }
    return fitting == 1 ? 0 : ERROR_NOT_FOUND;
}

static int find_mailbox(struct delivery *delivery, struct store_view *view, struct slice path,
                        collection_id *id)
{
    arena_clear(&delivery->scratch);
    int error = collection_find_id(view, COLLECTION_MAILBOX, path, id);
    return error == ERROR_NOT_FOUND ? find_any_case(delivery, view, path, id) : error;
}

/* ERROR_NOT_FOUND: also when its list takes no messages. */
static int find_addressed(struct delivery *delivery, struct store_view *view, struct slice path,
                          collection_id *id)
{
    bool takes = true;
    int error = find_mailbox(delivery, view, path, id);
    if (!error)
        error = acl_takes_post(view, *id, &takes);
    return error || takes ? error : ERROR_NOT_FOUND;
}

/* Where a message goes that is kept: the mailbox whose path the detail is, as it stands or else in
 * the only other case there is; without one, INBOX. */
static int find_place(struct delivery *delivery, struct store_view *view,
                      const struct recipient *recipient, collection_id *place)
{
    int error = ERROR_NOT_FOUND;
    if (recipient->detail.size > 0)
        error = find_addressed(delivery, view, recipient->detail, place);
    if (error == ERROR_NOT_FOUND || error == ERROR_SYNTAX)
        error = find_mailbox(delivery, view, SLICE("INBOX"), place);
    return error;
}

/* local@domain of "local+detail@domain". */
static struct slice cut_detail(struct delivery *delivery, const struct recipient *recipient)
{
    struct slice address = recipient->address, domain;
    size_t at = slice_find(address, '@');
    if (!recipient->detail.size || at < recipient->detail.size + 1)
        return address;
    domain = slice_sub(address, at, SIZE_MAX);
    struct slice local = slice_sub(address, 0, at - recipient->detail.size - 1);
    char *text = arena_alloc(&delivery->scratch, local.size + domain.size);
    if (!text)
        return address;
    memcpy(text, local.data, local.size);
    if (domain.size)
        memcpy(text + local.size, domain.data, domain.size);
    return slice_make(text, local.size + domain.size);
}

/* All that scripts want, in one commit. A message about an error is not what a full mailbox should
 * fail for. */
static int store_all(struct delivery *delivery, struct store_view *view,
                     const struct filter *filter)
{
    uint64_t number = prepared_message_delivery(delivery->prepared, delivery->next->address);
    struct delivery_plan plan = filter_plan(filter, number, false);
    plan.ignore_quota = delivery->next->ignore_quota;
    if (!plan.filing_count && !plan.departure_count && !plan.remembered_count && !plan.delivery)
        return 0;
    int error = store_deliver(view, &plan);
    if (error != ERROR_QUOTA)
        return error;
    plan = filter_plan(filter, number, true);
    plan.ignore_quota = delivery->next->ignore_quota;
    return store_deliver(view, &plan);
}

static int filter_and_store(struct delivery *delivery, const struct filter_facts *facts,
                            struct receiver *receiver)
{
    struct filter *filter = NULL;
    struct slice reason;
    int error = filter_create(facts, &filter);
    if (error)
        return error;
    error = store_all(delivery, facts->view, filter);
    if (!error && filter_rejects(filter, &reason)) {
        receiver->reason =
            arena_copy(&delivery->arena, slice_sub(reason, 0, DELIVERY_REASON_MAXIMUM));
        error = ERROR_DENIED;
    }
    filter_free(&filter);
    return error;
}

static bool sends(const struct config *config)
{
    return config->outgoing_server && *config->outgoing_server;
}

static int store_message(struct delivery *delivery, const struct recipient *recipient,
                         struct receiver *receiver, struct slice prefix)
{
    struct slice sender = buffer_slice(&delivery->lmtp->sender);
    struct filter_facts facts = {
        .programs = programs_of_process(),
        .store = delivery->stream->store,
        .account = receiver->account,
        .prepared = delivery->prepared,
        .prefix = prefix,
        .date = delivery->date,
        .message = delivery->message,
        .sender = sender.size ? sender : SLICE(""),
        .original = recipient->detail.size ? recipient->address : (struct slice){NULL, 0},
        .notify = (uint8_t)recipient->notify,
        .ret = delivery->lmtp->ret == LMTP_RETURN_FULL      ? 'F'
               : delivery->lmtp->ret == LMTP_RETURN_HEADERS ? 'H'
                                                            : 0,
        .sends = sends(delivery->stream->config),
        .hostname = delivery->stream->config->hostname,
        .id = delivery->id,
    };
    int error = store_view_open(facts.store, WHO_SYSTEM, receiver->account, &facts.view);
    if (error)
        return error;
    store_view_hold(facts.view); /* until store_deliver */
    error = find_place(delivery, facts.view, recipient, &facts.keep);
    facts.recipient = cut_detail(delivery, recipient);
    if (!error)
        error = filter_and_store(delivery, &facts, receiver);
    store_view_close(&facts.view);
    return error;
}

/* Whom the message comes from: the mail server, or who that has told. */
static struct slice client_of(const struct delivery *delivery)
{
    struct slice told = buffer_slice(&delivery->lmtp->told);
    return told.size ? told : slice_from_string(delivery->stream->client);
}

static int deliver(struct delivery *delivery, const struct recipient *recipient,
                   struct receiver *receiver)
{
    const struct stream *stream = delivery->stream;
    if (delivery->error)
        return delivery->error;
    if (trace_is_loop(&delivery->trace, recipient->address))
        return ERROR_CONFLICT;
    const struct trace_facts facts = {.sender = buffer_slice(&delivery->lmtp->sender),
                                      .recipient = recipient->address,
                                      .client_name = buffer_slice(&delivery->lmtp->client),
                                      .client = client_of(delivery),
                                      .hostname = stream->config->hostname,
                                      .utf8 = delivery->lmtp->utf8,
                                      .tls = stream->tls,
                                      .authenticated = stream->user,
                                      .id = delivery->id,
                                      .date = delivery->date};
    struct buffer prefix;
    buffer_init(&prefix, MESSAGE_PREFIX_MAXIMUM);
    int error = trace_prefix(&facts, &prefix);
    if (!error)
        error = store_message(delivery, recipient, receiver, buffer_slice(&prefix));
    buffer_release(&prefix);
    return error;
}

/* The same account behind an earlier recipient, or NULL. Another detail is another mailbox, and a
 * quota may not count for this one. */
static const struct receiver *find_earlier(const struct delivery *delivery,
                                           const struct recipient *recipient,
                                           struct account_id account)
{
    for (const struct recipient *other = delivery->first; other != recipient; other = other->next)
        for (size_t i = 0; i < other->count && slice_equal(other->detail, recipient->detail); i++)
            if (account_id_equal(other->receivers[i].account, account) &&
                !(recipient->ignore_quota && other->receivers[i].error == ERROR_QUOTA))
                return &other->receivers[i];
    return NULL;
}

static int worse(int error, int other)
{
    if (!error || (other && error_is_temporary(other) && !error_is_temporary(error)))
        return other;
    return error;
}

static void deliver_to_receiver(struct delivery *delivery, struct recipient *recipient,
                                struct receiver *receiver)
{
    const struct receiver *earlier = find_earlier(delivery, recipient, receiver->account);
    receiver->error = earlier ? earlier->error : deliver(delivery, recipient, receiver);
    if (earlier)
        receiver->reason = earlier->reason;
    if (receiver->error == ERROR_EXISTS) {
        counters_add(COUNTER_LMTP_DUPLICATES, 1);
        recipient->duplicates++;
        receiver->error = 0;
    }
    recipient->reached = recipient->reached || !receiver->error;
    /* An account that has gone meanwhile is not missed where there are others. */
    if (receiver->error != ERROR_NOT_FOUND)
        recipient->error = worse(recipient->error, receiver->error);
    if (receiver->error == ERROR_DENIED && receiver->reason.data)
        recipient->reason = receiver->reason;
}

static void log_delivery(const struct delivery *delivery, const struct recipient *recipient)
{
    log_info("delivery", LOG_TEXT("id", delivery->id), LOG_SLICE("recipient", recipient->address),
             LOG_SLICE("original", recipient->original),
             LOG_SLICE("envelope_id", buffer_slice(&delivery->lmtp->envelope_id)),
             LOG_SLICE("sender", buffer_slice(&delivery->lmtp->sender)),
             LOG_SLICE("client", client_of(delivery)),
             LOG_TEXT("server", delivery->lmtp->told.size ? delivery->stream->client : NULL),
             LOG_TEXT("user", delivery->stream->user), LOG_NUMBER("size", delivery->spool.size),
             LOG_NUMBER("accounts", (int64_t)recipient->count),
             LOG_NUMBER("duplicates", (int64_t)recipient->duplicates),
             LOG_TEXT("result", error_name(recipient->error)));
}

bool delivery_step(struct delivery *delivery, int *error, struct slice *reason)
{
    struct recipient *recipient = delivery->next;
    deliver_to_receiver(delivery, recipient, &recipient->receivers[recipient->done++]);
    if (recipient->done < recipient->count)
        return false;
    if (!recipient->error && !recipient->reached)
        recipient->error = ERROR_NOT_FOUND;
    log_delivery(delivery, recipient);
    delivery->next = recipient->next;
    *error = recipient->error;
    *reason = recipient->error == ERROR_DENIED ? recipient->reason : (struct slice){NULL, 0};
    return true;
}
