/*
 * Streams and when they run.
 *
 *                 wake, or need is OUTPUT
 *      resting  --------------------------->  running (a thread of the pool)
 *         ^                                      |  run() and a first send
 *         |            all output sent           v
 *         +---------------------------------  waiting for the peer to take output
 *
 * proceed() is the one place that decides what a stream that is not running does next; everything
 * that happens only notes what happened (wake bits, flags) and calls it.
 *
 * No notice is lost: it sets WAKE_NOTICE whatever the stream does, and the bit is cleared when a
 * run begins that reads the account anew, before it reads.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "format/login_name.h"
#include "kv/notice_ring.h"
#include "session/worker_priv.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/summaries.h"
#include "store/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUCKETS_MINIMUM = 64,
    BUCKETS_MAXIMUM = 65536,
    LINGER_US = 2000,  /* how long a thread waits for a peer that answers at once */
    GATE_LOOK_MS = 10, /* between two looks at a gate that is closed */
};

static void proceed(struct served *served);
static void leave_line(struct served *served);
static void start_first_in_line(struct worker *worker);

uint64_t worker_second(const struct worker *worker)
{
    return uv_now(worker->options.loop) / 1000;
}

size_t worker_streams(const struct worker *worker)
{
    return worker->streams;
}

size_t worker_stream_size(void)
{
    return sizeof(struct served);
}

/* --- the end of the worker --- */

static void on_handle_closed(uv_handle_t *handle)
{
    worker_handle_closed(handle->data);
}

/* Draining, and the last stream has ended. */
static void finish(struct worker *worker)
{
    worker->finishing = true;
    listeners_close(worker);
    uv_close((uv_handle_t *)&worker->tick, on_handle_closed);
    uv_close((uv_handle_t *)&worker->gate, on_handle_closed);
    if (worker->options.notices)
        uv_close((uv_handle_t *)&worker->notices, on_handle_closed);
}

static void look_for_end(struct worker *worker)
{
    if (worker->draining && !worker->finishing && worker->streams + worker->holds == 0)
        finish(worker);
}

void worker_on_give_back(struct worker *worker,
                         void (*give_back)(void *arg, int socket, const struct stream *stream,
                                           struct slice input),
                         void *arg)
{
    worker->give_back = give_back;
    worker->give_back_arg = arg;
}

void worker_hold(struct worker *worker)
{
    worker->holds++;
}

void worker_let_go(struct worker *worker)
{
    worker->holds--;
    look_for_end(worker);
}

void worker_handle_closed(struct worker *worker)
{
    worker->handles--;
    if (worker->finishing && worker->handles == 0)
        worker->options.drained(worker->options.arg);
}

/* --- the end of a stream --- */

static const char given_back[] = "unauthenticated";

static void log_end(const struct served *served, const char *why)
{
    const struct stream *stream = &served->stream;
    uint64_t duration = clock_monotonic_us() - served->started_us;
    log_info("stream_end", LOG_TEXT("protocol", stream->protocol->name),
             LOG_TEXT("user", stream->user), LOG_TEXT("client", stream->client),
             LOG_TEXT("tls", stream->tls), LOG_NUMBER("bytes_in", stream->bytes_in),
             LOG_NUMBER("bytes_out", stream->bytes_out), LOG_NUMBER("commands", stream->commands),
             LOG_NUMBER("fetched", stream->fetched), LOG_NUMBER("stored", stream->stored),
             LOG_NUMBER("expunged", stream->expunged), LOG_NUMBER("duration_ms", duration / 1000),
             LOG_NUMBER("run_ms", stream->times.run / 1000),
             LOG_NUMBER("gate_ms", stream->times.gate / 1000),
             LOG_NUMBER("thread_ms", stream->times.thread / 1000),
             LOG_NUMBER("peer_ms", stream->times.peer / 1000), LOG_TEXT("reason", why));
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct served *served = handle->data;
    struct worker *worker = served->worker;
    watches_free(served);
    free(served);
    worker_handle_closed(worker);
}

/* The loop polls the socket no more. */
static void leave_socket(struct served *served, const char *why)
{
    struct worker *worker = served->worker;
    if (why == given_back && worker->give_back)
        worker->give_back(worker->give_back_arg, served->socket, &served->stream,
                          buffer_slice(&served->unread));
    else
        worker_close_socket(served->socket);
}

static void end(struct served *served, const char *why)
{
    struct worker *worker = served->worker;
    served->stream.protocol->close(&served->stream, why);
    log_end(served, why);
    counters_add(COUNTER_SESSION_OPEN, -1);
    wheel_remove(served);
    LIST_REMOVE(served, all);
    leave_line(served);
    if (served->has_account) {
        LIST_REMOVE(served, accounts);
        if (worker->options.notices)
            notice_ring_unwant(worker->options.notices, served->notice);
    }
    watches_stop(served);
    uv_close((uv_handle_t *)&served->poll, on_stream_closed);
    leave_socket(served, why);
    buffer_release(&served->unread);
    buffer_release(&served->stream.output);
    worker->streams--;
    look_for_end(worker);
}

static bool wants_to_run(const struct served *served)
{
    uint8_t wakes = WAKE_INPUT | WAKE_END | WAKE_TIMEOUT | WAKE_DRAIN;
    if (served->need == STREAM_NEED_NOTICE)
        wakes |= WAKE_NOTICE;
    if (served->need == STREAM_NEED_GATE)
        return !gate_is_closed();
    return served->need == STREAM_NEED_OUTPUT || (served->wake & wakes);
}

/* It is in the middle of something that goes on without input. */
static bool goes_on(const struct served *served)
{
    return served->need == STREAM_NEED_OUTPUT || served->need == STREAM_NEED_GATE;
}

static const char *reason_after_goodbye(const struct served *served)
{
    const struct stream *stream = &served->stream;
    if (stream->timed_out)
        return stream->timed_out;
    if (stream->draining)
        return "drained";
    return stream->input_ended ? "closed" : "logout";
}

/* Why a stream that is not running ends now; NULL: it goes on. */
static const char *reason_to_end(const struct served *served)
{
    if (served->killed)
        return served->killed;
    if (served->overflow)
        return "output_limit";
    if (served->read_failed || served->write_failed)
        return "reset";
    if (served->stream.output.size > 0)
        return NULL;
    if (served->need == STREAM_NEED_LOGIN)
        return given_back;
    if (served->need == STREAM_NEED_CLOSE)
        return reason_after_goodbye(served);
    if (wants_to_run(served) || goes_on(served))
        return NULL;
    if (served->stream.timed_out)
        return served->stream.timed_out;
    if (served->stream.input_ended)
        return "closed";
    /* It asks for more than it may leave unread. */
    return served->unread.size >= STREAM_INPUT_MAXIMUM ? "input_limit" : NULL;
}

/* --- slots --- */

/* Who waits at the gate keeps his slot, and another is there instead: so those who only read go on.
 */
static unsigned slots(const struct worker *worker)
{
    unsigned threads = (unsigned)worker->options.config->session_threads;
    unsigned waiting = gate_waiting();
    return threads ? threads + (waiting < threads ? waiting : threads) : UINT_MAX;
}

static bool has_slot(const struct worker *worker)
{
    return atomic_load(&worker->running) < slots(worker);
}

/* False: there is none. Of the loop's thread for a stream that is to run, and of the pool's. */
static bool take_slot(struct served *served)
{
    struct worker *worker = served->worker;
    unsigned running = atomic_load(&worker->running);
    while (running < slots(worker))
        if (atomic_compare_exchange_weak(&worker->running, &running, running + 1)) {
            served->has_slot = true;
            return true;
        }
    return false;
}

static void give_slot(struct served *served)
{
    if (served->has_slot)
        atomic_fetch_sub(&served->worker->running, 1);
    served->has_slot = false;
}

/* --- bytes --- */

static size_t input_room(const struct served *served)
{
    return STREAM_INPUT_MAXIMUM - served->unread.size;
}

static void receive(struct served *served)
{
    char *bytes = served->worker->read_buffer;
    ssize_t size = recv(served->socket, bytes, input_room(served), MSG_DONTWAIT);
    if (size < 0) {
        served->read_failed = errno != EAGAIN && errno != EINTR;
        return;
    }
    served->active = worker_second(served->worker);
    served->quick = clock_monotonic_us() - served->ran_us <= LINGER_US;
    served->ended = size == 0;
    served->wake |= size == 0 ? WAKE_END : WAKE_INPUT;
    served->stream.bytes_in += (uint64_t)size;
    if (buffer_append(&served->unread, slice_make(bytes, (size_t)size)))
        served->killed = "memory";
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Reading goes on while there is room, also while it waits for the peer to take output. */
static void update_poll(struct served *served)
{
    int events = 0;
    if (!served->running && !served->ended && !served->read_failed && input_room(served) > 0)
        events |= UV_READABLE;
    if (!served->running && served->stream.output.size > 0)
        events |= UV_WRITABLE;
    if (events == served->events)
        return;
    served->events = events;
    if (events)
        uv_poll_start(&served->poll, events, on_poll);
    else
        uv_poll_stop(&served->poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct served *served = poll->data;
    if (status < 0) { /* the loop polls it no more */
        served->events = 0;
        served->read_failed = true;
    } else if (events & UV_READABLE) {
        receive(served);
    }
    if (status == 0 && events & UV_WRITABLE)
        worker_send(served);
    proceed(served);
}

/* --- running --- */

/* What an account's owner may has been asked when he logged in. When he is none any more, which may
 * have happened in any process, it is told by the directory. */
static void check_account(struct served *served)
{
    const struct worker_options *options = &served->worker->options;
    unsigned changes = atomic_load(&served->worker->directory_changes);
    if (!served->has_account || !options->check_account || served->directory_seen == changes)
        return;
    int error = options->check_account(options->store, served->stream.account);
    if (error == ERROR_DENIED || error == ERROR_NOT_FOUND)
        served->stream.draining = served->stream.dismissed = true;
    else if (error)
        return; /* asked again before the next run */
    served->directory_seen = changes;
}

static void run_once(struct served *served)
{
    struct service *service = served->worker->options.service;
    struct stream *stream = &served->stream;
    stream->run_began = clock_monotonic_us();
    if (service)
        service_note(service, served->note);
    check_account(served);
    served->need = served->stream.protocol->run(&served->stream);
    served->overflow = buffer_error(&served->stream.output) != 0;
    if (service)
        service_note(service, NULL);
    worker_send(served);
    buffer_consume(&served->unread, served->given - served->stream.input.size);
    served->stream.input = slice_make(NULL, 0);
    served->given = 0;
    served->ran_us = clock_monotonic_us();
    stream->times.run += served->ran_us - stream->run_began;
}

static bool is_readable(int socket)
{
    struct pollfd poll = {.fd = socket, .events = POLLIN};
    struct timespec limit = {.tv_nsec = LINGER_US * 1000};
    return ppoll(&poll, 1, &limit, NULL) == 1 && poll.revents == POLLIN;
}

/* More input, taken by the thread itself. An end of the stream is left to the loop. */
static bool take_input(struct served *served)
{
    char *bytes = buffer_reserve(&served->unread, input_room(served));
    if (!bytes)
        return false;
    ssize_t size = recv(served->socket, bytes, input_room(served), MSG_DONTWAIT);
    served->read_failed = size < 0 && errno != EAGAIN && errno != EINTR;
    if (size <= 0)
        return false;
    buffer_commit(&served->unread, (size_t)size);
    served->stream.bytes_in += (uint64_t)size;
    served->stream.noticed = false;
    served->stream.input = buffer_slice(&served->unread);
    served->given = served->unread.size;
    return true;
}

static bool may_linger(const struct served *served)
{
    return served->quick && served->need == STREAM_NEED_INPUT && !served->overflow &&
           !served->write_failed && !served->stream.output.size && input_room(served) > 0 &&
           !served->stream.draining && !served->stream.timed_out;
}

/*
 * A peer that answers at once, as a mail server on the same machine does, is waited for here: what
 * it sends is run without going through the loop and another thread's waking, which take as long as
 * the command. Who lingers has no slot and so holds up nobody: the pool has threads for that
 * (WORKER_POOL). Not while another stream stands in line for the slot.
 */
static bool linger(struct served *served)
{
    struct worker *worker = served->worker;
    if (!may_linger(served))
        return false;
    give_slot(served);
    unsigned others = atomic_fetch_add(&worker->lingering, 1);
    bool more = others < (unsigned)worker->options.config->session_threads &&
                !atomic_load(&worker->in_line) && is_readable(served->socket);
    atomic_fetch_sub(&worker->lingering, 1);
    return take_slot(served) && more && take_input(served);
}

static void run_in_thread(uv_work_t *work)
{
    struct served *served = work->data;
    uint64_t now = clock_monotonic_us(), until = now + STREAM_SLICE_US;
    served->stream.times.thread += now - served->queued_us;
    do
        run_once(served);
    while (clock_monotonic_us() < until && linger(served));
}

static void run_done(uv_work_t *work, int status)
{
    struct served *served = work->data;
    (void)status; /* is never cancelled */
    struct worker *worker = served->worker;
    served->running = false;
    give_slot(served);
    if (!served->quiet)
        served->active = worker_second(worker);
    if (!watches_follow(served))
        served->killed = "memory";
    proceed(served);
    start_first_in_line(worker);
}

/* The greeting's run sees no input; that stays noted for the next. A run that goes on with what
 * an earlier one began has read the account then: a notice stays noted for the next. */
static uint8_t wakes_kept(const struct served *served)
{
    if (!served->greeted)
        return served->wake & (WAKE_INPUT | WAKE_END);
    return goes_on(served) ? served->wake & WAKE_NOTICE : 0;
}

/* What it has waited for since its last run. */
static void count_waiting(struct served *served)
{
    struct stream_times *times = &served->stream.times;
    uint64_t now = clock_monotonic_us();
    uint64_t ready = served->ready_us ? served->ready_us : now;
    served->queued_us = now;
    served->ready_us = 0;
    times->thread += now - ready;
    if (!served->greeted || ready < served->ran_us)
        return;
    if (served->need == STREAM_NEED_GATE)
        times->gate += ready - served->ran_us;
    else if (served->need == STREAM_NEED_OUTPUT)
        times->peer += ready - served->ran_us;
}

static void start(struct served *served)
{
    struct stream *stream = &served->stream;
    count_waiting(served);
    uint8_t kept = wakes_kept(served);
    if (served->greeted) {
        stream->input = buffer_slice(&served->unread);
        stream->input_ended = served->ended;
    }
    stream->noticed = served->wake & ~kept & WAKE_NOTICE;
    watches_tell(served);
    if (served->wake & WAKE_DRAIN)
        stream->draining = true;
    served->quiet = served->wake == WAKE_NOTICE && served->need == STREAM_NEED_NOTICE;
    served->given = stream->input.size;
    served->wake = kept;
    served->greeted = true;
    served->blocked = false;
    served->running = true;
    uv_queue_work(served->worker->options.loop, &served->work, run_in_thread, run_done);
}

/* What stands in line is seen by who lingers, or what he has given back is seen here. */
static void stand_in_line(struct served *served)
{
    if (!served->is_ready) {
        TAILQ_INSERT_TAIL(&served->worker->ready, served, ready);
        atomic_fetch_add(&served->worker->in_line, 1);
        served->ready_us = clock_monotonic_us();
    }
    served->is_ready = true;
}

static void leave_line(struct served *served)
{
    if (served->is_ready) {
        TAILQ_REMOVE(&served->worker->ready, served, ready);
        atomic_fetch_sub(&served->worker->in_line, 1);
    }
    served->is_ready = false;
}

static void start_or_wait(struct served *served)
{
    if (!take_slot(served)) {
        stand_in_line(served);
        if (!take_slot(served))
            return;
    }
    leave_line(served);
    start(served);
}

static void start_first_in_line(struct worker *worker)
{
    struct served *served;
    while ((served = TAILQ_FIRST(&worker->ready)) && has_slot(worker)) {
        leave_line(served);
        proceed(served);
    }
}

/* --- the gate --- */

static void on_gate(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    start_first_in_line(worker);
    if (gate_is_closed())
        return;
    uv_timer_stop(timer);
    struct served *served = LIST_FIRST(&worker->all), *next;
    for (; served; served = next) {
        next = LIST_NEXT(served, all);
        if (served->need == STREAM_NEED_GATE && !served->running)
            proceed(served);
    }
}

static void watch_gate(struct worker *worker)
{
    if (!worker->finishing && !uv_is_active((uv_handle_t *)&worker->gate))
        uv_timer_start(&worker->gate, on_gate, GATE_LOOK_MS, GATE_LOOK_MS);
}

static void wait_for_peer(struct served *served)
{
    if (served->blocked && served->blocked_at == served->stream.bytes_out)
        return;
    served->blocked = true;
    served->blocked_at = served->stream.bytes_out;
    wheel_set(served, worker_second(served->worker) +
                          (uint64_t)served->worker->options.config->write_timeout + 1);
}

static void rest(struct served *served)
{
    served->blocked = false;
    if (served->unread.size == 0)
        buffer_release(&served->unread);
    wheel_set(served, served->active + served->stream.protocol->idle_limit(&served->stream) + 1);
}

static void proceed(struct served *served)
{
    const char *why = reason_to_end(served);
    if (why) {
        end(served, why);
        return;
    }
    if (served->stream.output.size > 0)
        wait_for_peer(served);
    else if (wants_to_run(served))
        start_or_wait(served);
    else
        rest(served);
    if (gate_is_closed())
        watch_gate(served->worker);
    update_poll(served);
}

static void wake(struct served *served, enum wake why)
{
    served->wake |= why;
    if (!served->running && wants_to_run(served))
        proceed(served);
}

static void expired(struct served *served)
{
    if (served->running) {
        wheel_set(served, served->worker->now + 1);
    } else if (served->blocked) {
        served->killed = "write_timeout";
        proceed(served);
    } else {
        served->stream.timed_out = served->stream.protocol->idle_limit_name;
        wake(served, WAKE_TIMEOUT);
    }
}

/* --- accounts and notices --- */

static struct served_list *bucket(struct worker *worker, uint64_t notice)
{
    return &worker->buckets[notice & worker->bucket_mask];
}

static size_t account_streams(struct worker *worker, struct account_id account)
{
    size_t count = 0;
    struct served *served;
    LIST_FOREACH(served, bucket(worker, store_account_notice(account)), accounts)
    count += account_id_equal(served->stream.account, account);
    return count;
}

static void wake_watcher(struct served *served)
{
    wake(served, WAKE_NOTICE);
}

static void on_notice(uint64_t space, bool missed, void *arg)
{
    struct worker *worker = arg;
    size_t first = missed ? 0 : space & worker->bucket_mask;
    size_t last = missed ? worker->bucket_mask : first;
    if (missed || space == store_directory_notice())
        atomic_fetch_add(&worker->directory_changes, 1);
    for (size_t i = first; i <= last; i++) {
        struct served *served = LIST_FIRST(&worker->buckets[i]), *next;
        for (; served; served = next) {
            next = LIST_NEXT(served, accounts);
            if (missed || served->notice == space)
                wake(served, WAKE_NOTICE);
        }
        watches_notice(worker, i, space, missed, wake_watcher);
    }
}

static void on_notices(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    (void)status;
    (void)events;
    notice_ring_read(worker->options.notices, on_notice, worker);
}

void worker_end_account(struct worker *worker, struct account_id account)
{
    struct served *served = LIST_FIRST(bucket(worker, store_account_notice(account))), *next;
    atomic_fetch_add(&worker->directory_changes, 1); /* its notice may be on its way */
    for (; served; served = next) {
        next = LIST_NEXT(served, accounts);
        if (account_id_equal(served->stream.account, account))
            wake(served, WAKE_DRAIN);
    }
}

/* --- once a second --- */

static void maintain_in_thread(uv_work_t *work)
{
    struct worker *worker = work->data;
    int error = store_maintain(worker->options.store);
    if (error)
        log_error("maintain", LOG_TEXT("reason", error_name(error)));
}

static void maintain_done(uv_work_t *work, int status)
{
    struct worker *worker = work->data;
    (void)status;
    worker->maintaining = false;
    worker_handle_closed(worker);
}

static void maintain(struct worker *worker)
{
    if (!worker->options.store || worker->maintaining)
        return;
    worker->maintaining = true;
    worker->handles++;
    uv_queue_work(worker->options.loop, &worker->maintenance, maintain_in_thread, maintain_done);
}

/* --- at the start and once a minute: moves that were interrupted, what was deleted long ago,
 * bodies that are to be settled, summaries of another version --- */

static void recover(struct worker *worker)
{
    size_t finished;
    int error = store_recover(worker->options.store, &finished);
    if (error)
        log_error("recover", LOG_TEXT("reason", error_name(error)));
    else if (finished)
        log_info("recover", LOG_NUMBER("moves_finished", (int64_t)finished));
}

static void tend_in_thread(uv_work_t *work)
{
    struct worker *worker = work->data;
    recover(worker);
    int error = store_purge_used(worker->options.store, &worker->stopping);
    if (error)
        log_error("purge", LOG_TEXT("reason", error_name(error)));
    error = store_settle_used(worker->options.store, &worker->stopping);
    if (error)
        log_error("settle", LOG_TEXT("reason", error_name(error)));
    error = store_remake_used(worker->options.store, &worker->stopping);
    if (error)
        log_error("remake_summaries", LOG_TEXT("reason", error_name(error)));
}

static void tend_done(uv_work_t *work, int status)
{
    struct worker *worker = work->data;
    (void)status;
    worker->tending = false;
    worker_handle_closed(worker);
}

static void tend(struct worker *worker, uint64_t now)
{
    if (!worker->options.store || worker->tending || worker->draining || now < worker->tend_at)
        return;
    worker->tend_at = now + WORKER_TEND_INTERVAL;
    worker->tending = true;
    worker->handles++;
    uv_queue_work(worker->options.loop, &worker->tend, tend_in_thread, tend_done);
}

/* Those still running end when their run does. */
static void kill_all(struct worker *worker, const char *why)
{
    struct served *served = LIST_FIRST(&worker->all), *next;
    for (; served; served = next) {
        next = LIST_NEXT(served, all);
        served->killed = why;
        if (!served->running)
            proceed(served);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now = worker_second(worker);
    wheel_advance(worker, now, expired);
    listeners_resume(worker);
    if (worker->options.notices)
        notice_ring_read(worker->options.notices, on_notice, worker);
    if (now >= worker->drain_deadline)
        kill_all(worker, "drain_time");
    if (!worker->finishing) {
        maintain(worker);
        tend(worker, now);
    }
}

void worker_drain(struct worker *worker, uint32_t seconds)
{
    struct served *served = LIST_FIRST(&worker->all), *next;
    worker->draining = true;
    atomic_store(&worker->stopping, true);
    listeners_close(worker);
    if (seconds != WORKER_DRAIN_NO_HURRY) {
        worker->hurry = true;
        worker->drain_deadline = worker_second(worker) + seconds;
    }
    for (; served; served = next) {
        next = LIST_NEXT(served, all);
        if (worker->hurry || served->stream.administrator)
            wake(served, WAKE_DRAIN);
    }
    look_for_end(worker);
}

/* --- the beginning of a stream --- */

static int may_adopt(struct worker *worker, const struct worker_facts *facts)
{
    const struct config *config = worker->options.config;
    if (worker->hurry || worker->finishing)
        return ERROR_CLOSED;
    if (worker->streams >= (size_t)config->session_connections ||
        facts->input.size > STREAM_INPUT_MAXIMUM)
        return ERROR_LIMIT;
    if (facts->has_account &&
        account_streams(worker, facts->account) >= (size_t)config->account_connections)
        return ERROR_LIMIT;
    return 0;
}

/* A copy of the string in *place, which moves on; NULL stays NULL. */
static const char *keep(char **place, const char *string)
{
    if (!string)
        return NULL;
    char *copy = *place;
    size_t size = strlen(string) + 1;
    memcpy(copy, string, size);
    *place += size;
    return copy;
}

/* Nobody becomes one by a configuration that is not in force any more. */
static bool is_administrator(const struct worker *worker, const struct worker_facts *facts)
{
    const struct config *config = worker->options.config;
    return facts->protocol->has_administrators && facts->user && !worker->draining &&
           address_is_listed(&config->administrators, config->default_domain,
                             slice_from_string(facts->user));
}

/* The struct and its strings are one piece of memory. */
static struct served *make(struct worker *worker, const struct worker_facts *facts)
{
    const char *who = facts->user ? facts->user : facts->client;
    char note[NOTE_MAXIMUM];
    snprintf(note, sizeof(note), "%s %s", facts->protocol->name, who ? who : "");
    const char *strings[] = {facts->user, facts->client, facts->tls, facts->tag, note};
    size_t size = 0;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        size += strings[i] ? strlen(strings[i]) + 1 : 0;
    struct served *served = calloc(1, sizeof(*served) + size);
    if (!served)
        return NULL;
    char *place = (char *)(served + 1);
    served->stream = (struct stream){.protocol = facts->protocol,
                                     .config = worker->options.config,
                                     .service = worker->options.service,
                                     .store = worker->options.store,
                                     .spool_directory = worker->options.spool_directory,
                                     .send = worker_send_within_run,
                                     .account = facts->account,
                                     .user = keep(&place, facts->user),
                                     .administrator = is_administrator(worker, facts),
                                     .client = keep(&place, facts->client),
                                     .tls = keep(&place, facts->tls),
                                     .tag = keep(&place, facts->tag),
                                     .language = facts->language};
    served->note = keep(&place, note);
    served->worker = worker;
    served->work.data = served;
    buffer_init(&served->stream.output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    buffer_init(&served->unread, STREAM_INPUT_MAXIMUM);
    return served;
}

static int open_stream(struct served *served, int socket, struct slice input)
{
    int error = buffer_append(&served->unread, input);
    if (error)
        return error;
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(socket, F_SETFL, flags | O_NONBLOCK)))
        return error_from_errno(errno);
    error = served->stream.protocol->open(&served->stream);
    if (error)
        return error;
    if (uv_poll_init(served->worker->options.loop, &served->poll, socket)) {
        served->stream.protocol->close(&served->stream, "socket");
        return ERROR_INVALID;
    }
    served->poll.data = served;
    served->socket = socket;
    return 0;
}

static void enter(struct served *served, const struct worker_facts *facts)
{
    struct worker *worker = served->worker;
    served->started_us = clock_monotonic_us();
    served->active = worker_second(worker);
    served->need = STREAM_NEED_OUTPUT; /* the greeting */
    served->wake = facts->input.size > 0 ? WAKE_INPUT : 0;
    served->stream.bytes_in = facts->input.size;
    LIST_INSERT_HEAD(&worker->all, served, all);
    served->has_account = facts->has_account;
    if (facts->has_account) {
        served->notice = store_account_notice(facts->account);
        LIST_INSERT_HEAD(bucket(worker, served->notice), served, accounts);
        if (worker->options.notices)
            notice_ring_want(worker->options.notices, served->notice);
    }
    worker->streams++;
    worker->handles++;
    counters_add(COUNTER_SESSION_STREAMS, 1);
    counters_add(COUNTER_SESSION_OPEN, 1);
}

int worker_adopt(struct worker *worker, int socket, const struct worker_facts *facts)
{
    int error = may_adopt(worker, facts);
    if (error)
        return error;
    struct served *served = make(worker, facts);
    if (!served)
        return ERROR_MEMORY;
    error = open_stream(served, socket, facts->input);
    if (error) {
        buffer_release(&served->unread);
        free(served);
        return error;
    }
    enter(served, facts);
    proceed(served);
    return 0;
}

/* --- the worker --- */

static size_t bucket_count(const struct config *config)
{
    size_t count = BUCKETS_MINIMUM;
    while (count < BUCKETS_MAXIMUM && count < (size_t)config->session_connections)
        count *= 2;
    return count;
}

static int watch_notices(struct worker *worker)
{
    if (!worker->options.notices)
        return 0;
    int descriptor = notice_ring_descriptor(worker->options.notices);
    if (uv_poll_init(worker->options.loop, &worker->notices, descriptor))
        return ERROR_INVALID;
    worker->notices.data = worker;
    worker->handles++;
    uv_poll_start(&worker->notices, UV_READABLE, on_notices);
    if (worker->options.check_account)
        notice_ring_want(worker->options.notices, store_directory_notice());
    return 0;
}

int worker_create(const struct worker_options *options, struct worker **worker)
{
    struct worker *made = calloc(1, sizeof(*made));
    size_t buckets = bucket_count(options->config);
    if (made) {
        made->buckets = calloc(buckets, sizeof(*made->buckets));
        made->watched = calloc(buckets, sizeof(*made->watched));
    }
    if (!made || !made->buckets || !made->watched) {
        worker_free(&made);
        return ERROR_MEMORY;
    }
    made->options = *options;
    made->bucket_mask = buckets - 1;
    made->drain_deadline = UINT64_MAX;
    made->directory_changes = 1;
    made->maintenance.data = made;
    made->tend.data = made;
    int error = watch_notices(made);
    if (error) {
        worker_free(&made);
        return error;
    }
    wheel_init(made);
    TAILQ_INIT(&made->ready);
    uv_timer_init(options->loop, &made->tick);
    uv_timer_init(options->loop, &made->gate);
    made->tick.data = made->gate.data = made;
    made->handles += 2;
    uv_timer_start(&made->tick, on_tick, 1000, 1000);
    *worker = made;
    return 0;
}

void worker_free(struct worker **worker)
{
    if (!*worker)
        return;
    free((*worker)->buckets);
    free((*worker)->watched);
    free(*worker);
    *worker = NULL;
}
