/*
 * Delivery of one message to the recipients of its transaction. The message is parsed and hashed
 * once; each recipient gets its own trace fields in front and one durable commit.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "session/lmtp/lmtp_priv.h"

#include <inttypes.h>
#include <stdatomic.h>

static void spool_begin(struct delivery *delivery)
{
    const struct stream *stream = delivery->stream;
    spool_init(&delivery->spool, stream->spool_directory, MESSAGE_INLINE_MAXIMUM,
               (uint64_t)stream->config->message_size);
}

void delivery_init(struct delivery *delivery, struct stream *stream, const struct lmtp *lmtp)
{
    size_t one = sizeof(struct recipient) + LMTP_ADDRESS_MAXIMUM + 2 * _Alignof(max_align_t);
    *delivery = (struct delivery){.stream = stream, .lmtp = lmtp};
    delivery->last = &delivery->first;
    /* Twice, for what the arena's blocks leave over. */
    arena_init(&delivery->arena, 2 * one * (lmtp->limits.recipients + 16));
    arena_init(&delivery->scratch, DELIVERY_SCRATCH);
    spool_begin(delivery);
}

void delivery_clear(struct delivery *delivery)
{
    prepared_message_free(&delivery->prepared);
    arena_release(&delivery->arena);
    arena_release(&delivery->scratch);
    spool_release(&delivery->spool);
    delivery->first = delivery->next = NULL;
    delivery->last = &delivery->first;
    delivery->error = 0;
}

/* "local+detail@domain" is cut into "local@domain" (in the arena) and "detail". */
static bool cut_detail(struct arena *arena, struct slice address, struct slice *base,
                       struct slice *detail)
{
    size_t at = address.size, plus = slice_find(address, '+');
    while (at > 0 && address.data[at - 1] != '@')
        at--;
    size_t local = at ? at - 1 : address.size;
    if (plus >= local)
        return false;
    *detail = slice_sub(address, plus + 1, local - plus - 1);
    size_t rest = address.size - local;
    char *copy = arena_alloc(arena, plus + rest + 1);
    if (!copy)
        return false;
    memcpy(copy, address.data, plus);
    memcpy(copy + plus, address.data + local, rest);
    *base = slice_make(copy, plus + rest);
    return true;
}

/* The detail says where, unless "local+detail" is an account of its own. */
static void find_detail(struct delivery *delivery, struct recipient *recipient)
{
    struct slice base, detail;
    struct account_id id;
    arena_clear(&delivery->scratch);
    if (cut_detail(&delivery->scratch, recipient->address, &base, &detail) &&
        store_account_find(delivery->stream->store, WHO_SYSTEM, base, &id) == 0 &&
        account_id_equal(id, recipient->account))
        recipient->detail = detail;
}

int delivery_add(struct delivery *delivery, struct slice address)
{
    struct account_id account;
    int error = store_account_find(delivery->stream->store, WHO_SYSTEM, address, &account);
    if (error)
        return error;
    struct recipient *recipient = arena_alloc(&delivery->arena, sizeof(*recipient));
    struct slice copy = arena_copy(&delivery->arena, address);
    if (arena_failed(&delivery->arena))
        return ERROR_LIMIT;
    *recipient = (struct recipient){.account = account, .address = copy};
    find_detail(delivery, recipient);
    *delivery->last = recipient;
    delivery->last = &recipient->next;
    return 0;
}

void delivery_data(struct delivery *delivery, struct slice bytes)
{
    spool_append(&delivery->spool, bytes);
}

void delivery_begin(struct delivery *delivery)
{
    static atomic_uint sequence;
    struct slice message;
    delivery->next = delivery->first;
    delivery->date = clock_wall();
    snprintf(delivery->id, sizeof(delivery->id), "%" PRIx64 ".%x", (uint64_t)clock_wall_us(),
             atomic_fetch_add(&sequence, 1));
    delivery->error = spool_view(&delivery->spool, &message);
    if (delivery->error)
        return;
    trace_read(message, delivery->stream->config->hostname, &delivery->trace);
    delivery->error = prepared_message_create(message, &delivery->prepared);
}

static int find_mailbox(struct delivery *delivery, struct store_view *view, struct slice path,
                        collection_id *id)
{
    struct collection found;
    arena_clear(&delivery->scratch);
    int error = collection_find(view, COLLECTION_MAILBOX, path, &delivery->scratch, &found);
    if (!error && found.type != COLLECTION_MAILBOX)
        error = ERROR_NOT_FOUND;
    if (!error)
        *id = found.id;
    return error;
}

static int append_to(struct delivery *delivery, struct store_view *view, struct slice path,
                     struct slice prefix)
{
    collection_id mailbox;
    struct append_result result;
    const struct append append = {
        .message = delivery->prepared, .prefix = prefix, .internal_date = delivery->date};
    int error = find_mailbox(delivery, view, path, &mailbox);
    return error ? error : mailbox_append(view, mailbox, &append, &result);
}

/* Into the mailbox the detail names, when there is one, else INBOX. */
static int store_message(struct delivery *delivery, const struct recipient *recipient,
                         struct slice prefix)
{
    struct store_view *view;
    int error = store_view_open(delivery->stream->store, WHO_SYSTEM, recipient->account, &view);
    if (error)
        return error;
    error = ERROR_NOT_FOUND;
    if (recipient->detail.size > 0)
        error = append_to(delivery, view, recipient->detail, prefix);
    if (error == ERROR_NOT_FOUND || error == ERROR_SYNTAX)
        error = append_to(delivery, view, SLICE("INBOX"), prefix);
    store_view_close(&view);
    return error;
}

static int deliver(struct delivery *delivery, const struct recipient *recipient)
{
    const struct stream *stream = delivery->stream;
    if (delivery->error)
        return delivery->error;
    if (trace_is_loop(&delivery->trace, recipient->address))
        return ERROR_CONFLICT;
    const struct trace_facts facts = {.sender = buffer_slice(&delivery->lmtp->sender),
                                      .recipient = recipient->address,
                                      .client_name = buffer_slice(&delivery->lmtp->client),
                                      .client = stream->client,
                                      .hostname = stream->config->hostname,
                                      .id = delivery->id,
                                      .date = delivery->date};
    struct buffer prefix;
    buffer_init(&prefix, MESSAGE_PREFIX_MAXIMUM);
    int error = trace_prefix(&facts, &prefix);
    if (!error)
        error = store_message(delivery, recipient, buffer_slice(&prefix));
    buffer_release(&prefix);
    return error;
}

int delivery_step(struct delivery *delivery)
{
    const struct recipient *recipient = delivery->next;
    delivery->next = recipient->next;
    int error = deliver(delivery, recipient);
    log_info("delivery", LOG_TEXT("id", delivery->id), LOG_SLICE("recipient", recipient->address),
             LOG_SLICE("sender", buffer_slice(&delivery->lmtp->sender)),
             LOG_TEXT("client", delivery->stream->client), LOG_NUMBER("size", delivery->spool.size),
             LOG_TEXT("result", error_name(error)));
    return error;
}
