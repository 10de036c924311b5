#include "session/sender.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "proto/smtp/client.h"
#include "session/outgoing/sender_priv.h"

#include <stdlib.h>
#include <unistd.h>

static void proceed(struct sender *sender);

static uint64_t now_ms(const struct sender *sender)
{
    return uv_now(sender->options.loop);
}

/* --- draining --- */

static bool is_told(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool told = sender->departed.count || sender->asleep.count;
    pthread_mutex_unlock(&sender->lock);
    return told;
}

static bool is_idle(struct sender *sender)
{
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++)
        if (sender->sendings[i].state != SENDING_FREE)
            return false;
    return !sender->working && !is_told(sender);
}

static void look_for_end(struct sender *sender)
{
    if (!sender->draining || !sender->holding || sender->working)
        return;
    if (!is_idle(sender) && now_ms(sender) < sender->drain_deadline)
        return;
    sender->holding = false;
    worker_let_go(sender->options.worker);
}

void sender_drain(struct sender *sender, uint32_t seconds)
{
    sender->draining = true;
    sender->drain_deadline =
        seconds == UINT32_MAX ? UINT64_MAX : now_ms(sender) + (uint64_t)seconds * 1000;
    look_for_end(sender);
}

/* --- what comes back --- */

/* chapar-send has its own, or needs none. */
static void close_file(struct sending *sending)
{
    if (sending->file >= 0)
        close(sending->file);
    sending->file = -1;
}

static void finish(struct sending *sending, bool tried)
{
    close_file(sending);
    counters_add(COUNTER_OUTGOING_ATTEMPTS, tried);
    sending->untried = !tried;
    sending->channel = NULL;
    sending->state = SENDING_FINISHED;
}

static struct sending *find(struct sender *sender, const struct ipc_channel *channel, uint64_t id)
{
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        struct sending *sending = &sender->sendings[i];
        if (sending->state == SENDING_UNDER_WAY && sending->channel == channel && sending->id == id)
            return sending;
    }
    return NULL;
}

/* The index-th of those that were asked for. */
static struct outgoing_recipient *asked(struct sending *sending, size_t index)
{
    const struct outgoing_envelope *envelope = &sending->message.envelope;
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].state == OUTGOING_WAITING && index-- == 0)
            return &sending->results[i];
    return NULL;
}

/* "550 5.1.1 Nobody there"; only why when there was no reply. */
static struct slice make_reply(struct sending *sending, uint32_t code, struct slice text)
{
    char reply[SMTP_RESULT_MAXIMUM + 16];
    if (!code)
        return arena_copy(&sending->arena, text);
    int size = snprintf(reply, sizeof(reply), "%u %.*s", code, SLICE_FORMAT(text));
    return arena_copy(&sending->arena,
                      slice_make(reply, (size_t)size < sizeof(reply) ? (size_t)size : 0));
}

static int take_result(struct sender *sender, struct ipc_channel *channel,
                       struct ipc_reader *reader)
{
    static const enum outgoing_state states[] = {[SMTP_DEFERRED] = OUTGOING_WAITING,
                                                 [SMTP_SENT] = OUTGOING_SENT,
                                                 [SMTP_REFUSED] = OUTGOING_REFUSED};
    struct sending *sending = find(sender, channel, ipc_get_u64(reader));
    uint32_t index = ipc_get_u32(reader);
    uint8_t outcome = ipc_get_u8(reader);
    uint32_t code = ipc_get_u32(reader);
    struct slice text = ipc_get_bytes(reader, SMTP_RESULT_MAXIMUM);
    if (ipc_reader_finish(reader) || !sending || index != sending->answered ||
        outcome > SMTP_REFUSED)
        return ERROR_PROTOCOL;
    struct outgoing_recipient *result = asked(sending, index);
    if (!result)
        return ERROR_PROTOCOL;
    sending->answered++;
    result->state = states[outcome];
    result->reply = make_reply(sending, code, text);
    return 0;
}

/* Without a result: it has not been tried, and no more is to be handed to this chapar-send, or it
 * would be claimed and given back again and again. */
static int take_done(struct peer *peer, struct ipc_reader *reader)
{
    struct sending *sending = find(peer->sender, peer->channel, ipc_get_u64(reader));
    if (ipc_reader_finish(reader) || !sending ||
        (sending->answered && sending->answered != sending->asked))
        return ERROR_PROTOCOL;
    peer->ending = peer->ending || !sending->answered;
    finish(sending, sending->answered);
    proceed(peer->sender);
    return 0;
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct peer *peer = arg;
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    return message->type == IPC_SEND_RESULT ? take_result(peer->sender, channel, &reader)
                                            : take_done(peer, &reader);
}

/* What it had not answered is tried again, though it may have been sent. */
static void drop_channel(struct peer *peer)
{
    struct sender *sender = peer->sender;
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        struct sending *sending = &sender->sendings[i];
        if (sending->state == SENDING_UNDER_WAY && sending->channel == peer->channel)
            finish(sending, true);
    }
    ipc_channel_free(&peer->channel);
}

static void lose_channel(struct peer *peer, int error)
{
    struct sender *sender = peer->sender;
    log_info("send_gone", LOG_TEXT("reason", error_name(error)));
    drop_channel(peer);
    if (sender->options.lost)
        sender->options.lost(IPC_CHANNEL_SESSION_SEND, peer->slot, error, sender->options.arg);
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct peer *peer = arg;
    (void)channel;
    lose_channel(peer, error);
    proceed(peer->sender);
}

int sender_peer(struct sender *sender, uint32_t slot, int socket)
{
    struct peer *peer = slot < SERVICE_SLOTS ? &sender->peers[slot] : NULL;
    const struct ipc_channel_options options = {.kind = IPC_CHANNEL_SESSION_SEND,
                                                .asking = true,
                                                .state = IPC_STATE_RUNNING,
                                                .received = received,
                                                .closed = closed,
                                                .arg = peer};
    if (!peer || sender->ended) {
        close(socket);
        return ERROR_INVALID;
    }
    if (peer->channel)
        drop_channel(peer);
    *peer = (struct peer){.sender = sender, .slot = slot, .since = ++sender->last_peer};
    int error = ipc_channel_create(sender->options.loop, socket, &options, &peer->channel);
    if (error) {
        close(socket);
        peer->channel = NULL;
        return error;
    }
    sender->look = true;
    proceed(sender);
    return 0;
}

/* --- what is handed over --- */

/* The newest: an older one is about to end. NULL: there is none that takes messages. */
static struct peer *choose_peer(struct sender *sender)
{
    struct peer *newest = NULL;
    for (size_t i = 0; i < SERVICE_SLOTS; i++) {
        struct peer *peer = &sender->peers[i];
        if (peer->channel && !peer->ending && (!newest || peer->since > newest->since))
            newest = peer;
    }
    return newest;
}

/* The time that is left, as BY says it (RFC 2852 section 4). */
static void put_time(const struct outgoing_envelope *envelope, int64_t now, struct buffer *body)
{
    char text[32] = "";
    if (envelope->by_mode)
        snprintf(text, sizeof(text), "%lld;%c%s", (long long)(envelope->by_until - now),
                 envelope->by_mode, envelope->by_trace ? "T" : "");
    ipc_put_bytes(body, slice_from_string(text));
}

static int send_begin(const struct sending *sending, struct buffer *body)
{
    const struct outgoing_envelope *envelope = &sending->message.envelope;
    buffer_clear(body);
    ipc_put_u64(body, sending->id);
    ipc_put_u64(body, sending->message.size);
    ipc_put_u8(body, envelope->eight_bit);
    ipc_put_u8(body, envelope->utf8);
    ipc_put_u8(body, envelope->notify);
    ipc_put_u8(body, envelope->ret);
    put_time(envelope, clock_wall(), body);
    ipc_put_bytes(body, envelope->sender);
    return ipc_channel_send(sending->channel, IPC_SEND_BEGIN, body, &sending->file, 1);
}

static int send_recipients(struct sending *sending, struct buffer *body)
{
    const struct outgoing_envelope *envelope = &sending->message.envelope;
    int error = 0;
    sending->asked = sending->answered = 0;
    for (size_t i = 0; i < envelope->recipient_count && !error; i++) {
        if (envelope->recipients[i].state != OUTGOING_WAITING)
            continue;
        buffer_clear(body);
        ipc_put_u64(body, sending->id);
        ipc_put_bytes(body, envelope->recipients[i].address);
        error = ipc_channel_send(sending->channel, IPC_SEND_RECIPIENT, body, NULL, 0);
        sending->asked++;
    }
    return error;
}

/* It is all there, or has not been tried. */
static int hand_over(struct sending *sending)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    int error = send_begin(sending, &body);
    if (!error)
        error = send_recipients(sending, &body);
    buffer_clear(&body);
    ipc_put_u64(&body, sending->id);
    if (!error)
        error = ipc_channel_send(sending->channel, IPC_SEND_END, &body, NULL, 0);
    buffer_release(&body);
    return error;
}

/* Of a chapar-send that has gone, or is going, the answers that it has given are still to be read;
 * one that has half a message and lives on is to be replaced. */
static void hand_over_failed(struct peer *peer, int error)
{
    peer->ending = true;
    if (error != ERROR_CLOSED)
        lose_channel(peer, error);
}

static void hand_over_to(struct peer *peer, struct sending *sending)
{
    struct sender *sender = peer->sender;
    sending->channel = peer->channel;
    sending->id = ++sender->last_id;
    sending->renew_at = now_ms(sender) + SENDER_RENEW_SECONDS * 1000;
    sending->state = SENDING_UNDER_WAY;
    int error = hand_over(sending);
    close_file(sending);
    if (!error)
        return;
    finish(sending, false);
    hand_over_failed(peer, error);
}

static void hand_all_over(struct sender *sender)
{
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        struct sending *sending = &sender->sendings[i];
        if (sending->state != SENDING_CLAIMED)
            continue;
        struct peer *peer = choose_peer(sender);
        if (peer)
            hand_over_to(peer, sending);
        else
            finish(sending, false);
    }
}

/* --- when there is work --- */

static void run_in_thread(uv_work_t *work)
{
    struct sender *sender = work->data;
    job_run(sender, &sender->job);
}

static void remember(struct sender *sender, struct told *told, struct account_id account)
{
    pthread_mutex_lock(&sender->lock);
    size_t i = 0;
    while (i < told->count && !account_id_equal(told->accounts[i], account))
        i++;
    if (i == SENDER_ACCOUNTS)
        told->more = true;
    else if (i == told->count)
        told->accounts[told->count++] = account;
    pthread_mutex_unlock(&sender->lock);
}

static void run_done(uv_work_t *work, int status)
{
    struct sender *sender = work->data;
    (void)status; /* is never cancelled */
    sender->working = false;
    if (sender->job.wakes || sender->job.wake_at < sender->wake_at)
        sender->wake_at = sender->job.wake_at;
    for (size_t i = 0; i < sender->job.again_count; i++)
        remember(sender, &sender->departed, sender->job.again[i]);
    for (size_t i = 0; i < sender->job.sleeper_count; i++)
        remember(sender, &sender->asleep, sender->job.sleepers[i]);
    hand_all_over(sender);
    proceed(sender);
}

/* What somebody has told of. *look: and what the directory knows. */
static size_t take_told(struct sender *sender, struct told *told, struct account_id *accounts,
                        bool *look)
{
    pthread_mutex_lock(&sender->lock);
    size_t count = told->count;
    memcpy(accounts, told->accounts, count * sizeof(*accounts));
    *look = *look || told->more;
    told->count = 0;
    told->more = false;
    pthread_mutex_unlock(&sender->lock);
    return count;
}

static void take_departed(struct sender *sender, struct job *job)
{
    job->looks = sender->look;
    job->account_count = take_told(sender, &sender->departed, job->accounts, &job->looks);
    sender->look = false;
}

static void take_asleep(struct sender *sender, struct job *job)
{
    job->wakes = sender->look_asleep || clock_wall() >= sender->wake_at;
    job->sleeper_count = take_told(sender, &sender->asleep, job->sleepers, &job->wakes);
    sender->look_asleep = false;
}

/* Whether there is something to do. Who drains looks at what it is told of, however much is under
 * way, and leaves the directory to others. */
static bool make_job(struct sender *sender, struct job *job)
{
    *job = (struct job){.now_ms = now_ms(sender), .wake_at = INT64_MAX};
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        struct sending *sending = &sender->sendings[i];
        if (sending->state == SENDING_FINISHED && sending->settle_at <= job->now_ms)
            job->finished[job->finished_count++] = sending;
        else if (sending->state == SENDING_FREE)
            job->vacant[job->vacant_count++] = sending;
        else if (sending->state == SENDING_UNDER_WAY && sending->renew_at <= job->now_ms)
            job->renewed[job->renewed_count++] = sending;
    }
    job->claims = !sender->draining && choose_peer(sender);
    if (sender->draining || (job->claims && job->vacant_count))
        take_departed(sender, job);
    take_asleep(sender, job);
    if (sender->draining)
        job->looks = job->wakes = false;
    for (size_t i = 0; i < job->renewed_count; i++)
        job->renewed[i]->renew_at = job->now_ms + SENDER_RENEW_SECONDS * 1000;
    return job->finished_count || job->renewed_count || job->account_count || job->looks ||
           job->sleeper_count || job->wakes;
}

static void close_handles(struct sender *sender)
{
    sender->gone = true;
    uv_close((uv_handle_t *)&sender->timer, NULL);
    uv_close((uv_handle_t *)&sender->wake, NULL);
    if (sender->options.ended)
        sender->options.ended(sender->options.arg);
}

/* With the gate closed nothing can be noted: the timer asks again. */
static void proceed(struct sender *sender)
{
    if (sender->working || sender->gone)
        return;
    bool open = !gate_is_closed();
    if (open && make_job(sender, &sender->job)) {
        sender->working = true;
        uv_queue_work(sender->options.loop, &sender->work, run_in_thread, run_done);
    }
    look_for_end(sender);
    if (open && sender->ended && !sender->working)
        close_handles(sender);
}

static void on_timer(uv_timer_t *timer)
{
    struct sender *sender = timer->data;
    if (now_ms(sender) >= sender->look_at) {
        sender->look = sender->look_asleep = true;
        sender->look_at = now_ms(sender) + SENDER_LOOK_SECONDS * 1000;
    }
    proceed(sender);
}

static void on_wake(uv_async_t *wake)
{
    proceed(wake->data);
}

void sender_due(struct sender *sender, enum due_kind kind, struct account_id account)
{
    remember(sender, kind == DUE_SNOOZED ? &sender->asleep : &sender->departed, account);
    uv_async_send(&sender->wake);
}

/* --- the sender --- */

int sender_create(const struct sender_options *options, struct sender **sender)
{
    struct sender *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->options = *options;
    made->wake_at = INT64_MAX;
    made->work.data = made->timer.data = made->wake.data = made;
    pthread_mutex_init(&made->lock, NULL);
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        made->sendings[i].file = -1;
        arena_init(&made->sendings[i].arena, SENDING_MEMORY_MAXIMUM);
    }
    uv_timer_init(options->loop, &made->timer);
    uv_async_init(options->loop, &made->wake, on_wake);
    uv_timer_start(&made->timer, on_timer, 1000, 1000);
    worker_hold(options->worker);
    made->holding = true;
    *sender = made;
    return 0;
}

void sender_end(struct sender *sender)
{
    if (sender->ended)
        return;
    sender->ended = sender->draining = true;
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        if (sender->peers[i].channel)
            drop_channel(&sender->peers[i]);
    proceed(sender);
}

void sender_free(struct sender **sender)
{
    struct sender *old = *sender;
    if (!old)
        return;
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++) {
        close_file(&old->sendings[i]);
        arena_release(&old->sendings[i].arena);
    }
    pthread_mutex_destroy(&old->lock);
    free(old);
    *sender = NULL;
}
