/*
 * Notices between nodes, by watch and notify on one object of the namespace, "NOTICES": a name no
 * space has. Every process that has a ring watches it; every process tells it what it commits. One
 * object for all: who would watch one for each account had a watch to renew for each session that
 * waits.
 *
 * What is committed while notifies are under way goes with the next one. A notify is never waited
 * for: a watcher that is dead keeps one from ending until its time limit, but from nothing else.
 *
 *     message: 8 bytes number of the sender's ring (0: it has none), then 8 for each space that
 *     changed, big-endian; none: everything may have changed
 *
 * A notice is a hint, and some get lost. Who cannot be sure to have heard of all tells the ring
 * that it missed some: after an error of the watch, and after a time without a sign of life.
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/notice_ring.h"
#include "kv/rados/rados_priv.h"

#include <endian.h>
#include <stdlib.h>

enum {
    PENDING_MAXIMUM = 512,  /* spaces of one message; when there are more, "everything" */
    UNDER_WAY_MAXIMUM = 16, /* notifies */
    NOTIFY_TIMEOUT_MS = 1000,
    WATCH_SECONDS = 10, /* the cluster gives up a watcher it does not hear of */
    SILENCE_MS = 10000, /* the watcher gives up the watch */
    LOOK_MS = 1000,     /* how often that is looked at */
    STOP_WAIT_MS = 200, /* for notifies under way, at the end */
};

struct notices {
    struct rados_engine *engine;
    rados_ioctx_t io;
    uint64_t ring_number;
    pthread_t thread;
    bool watching;
    uint64_t cookie;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t pending[PENDING_MAXIMUM]; /* by lock, as what follows */
    size_t pending_count;
    bool overflow;
    unsigned under_way;
    bool broken; /* the watch */
    bool stopping;
};

/* --- receiving --- */

static uint64_t number_at(const char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

static void take_message(struct notices *notices, const char *bytes, size_t size)
{
    struct notice_ring *ring = notices->engine->engine.ring;
    if (size < sizeof(uint64_t) || number_at(bytes) == notices->ring_number)
        return; /* of this node: who committed has told the ring */
    if (size == sizeof(uint64_t))
        notice_ring_post_missed(ring);
    for (size_t at = sizeof(uint64_t); at + sizeof(uint64_t) <= size; at += sizeof(uint64_t))
        notice_ring_post(ring, number_at(bytes + at));
}

static void on_notify(void *arg, uint64_t notify_id, uint64_t handle, uint64_t notifier_id,
                      void *data, size_t size)
{
    struct notices *notices = arg;
    (void)notifier_id;
    rados_notify_ack(notices->io, NOTICES_OBJECT, notify_id, handle, NULL, 0);
    take_message(notices, data, size);
}

static void on_watch_error(void *arg, uint64_t cookie, int error)
{
    struct notices *notices = arg;
    (void)cookie, (void)error;
    pthread_mutex_lock(&notices->lock);
    notices->broken = true;
    pthread_cond_broadcast(&notices->changed);
    pthread_mutex_unlock(&notices->lock);
}

static int create_object(struct notices *notices)
{
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_create(operation, LIBRADOS_CREATE_IDEMPOTENT, NULL);
    int result = rados_write_op_operate2(operation, notices->io, NOTICES_OBJECT, NULL, 0);
    rados_release_write_op(operation);
    return cluster_error(result);
}

static int watch(struct notices *notices)
{
    int error = create_object(notices);
    if (!error)
        error = cluster_error(rados_watch3(notices->io, NOTICES_OBJECT, &notices->cookie, on_notify,
                                           on_watch_error, WATCH_SECONDS, notices));
    notices->watching = !error;
    return error;
}

static void unwatch(struct notices *notices)
{
    if (notices->watching)
        rados_unwatch2(notices->io, notices->cookie);
    notices->watching = false;
}

/* Without the lock: it blocks. What was committed elsewhere in between nobody has heard of. */
static void renew(struct notices *notices)
{
    pthread_mutex_lock(&notices->lock);
    notices->broken = false;
    pthread_mutex_unlock(&notices->lock);
    unwatch(notices);
    if (watch(notices)) {
        on_watch_error(notices, 0, 0);
        return;
    }
    notice_ring_post_missed(notices->engine->engine.ring);
}

static bool is_silent(struct notices *notices)
{
    int age = notices->watching ? rados_watch_check(notices->io, notices->cookie) : -1;
    return age < 0 || age > SILENCE_MS;
}

/* --- sending --- */

static void on_sent(rados_completion_t completion, void *arg)
{
    struct notices *notices = arg;
    rados_aio_release(completion);
    pthread_mutex_lock(&notices->lock);
    notices->under_way--;
    pthread_cond_broadcast(&notices->changed);
    pthread_mutex_unlock(&notices->lock);
}

/* Under the lock: takes what is pending. Returns the message's size. */
static size_t make_message(struct notices *notices, uint64_t message[PENDING_MAXIMUM + 1])
{
    size_t count = notices->overflow ? 0 : notices->pending_count;
    message[0] = htobe64(notices->ring_number);
    for (size_t i = 0; i < count; i++)
        message[i + 1] = htobe64(notices->pending[i]);
    notices->pending_count = 0;
    notices->overflow = false;
    notices->under_way++;
    return (count + 1) * sizeof(uint64_t);
}

/* Under the lock, which it gives up meanwhile. */
static void send_pending(struct notices *notices)
{
    uint64_t message[PENDING_MAXIMUM + 1];
    rados_completion_t completion;
    size_t size = make_message(notices, message);
    pthread_mutex_unlock(&notices->lock);
    int result = rados_aio_create_completion2(notices, on_sent, &completion);
    if (!result) {
        result = rados_aio_notify(notices->io, NOTICES_OBJECT, completion, (const char *)message,
                                  (int)size, NOTIFY_TIMEOUT_MS, NULL, NULL);
        if (result)
            rados_aio_release(completion);
    }
    pthread_mutex_lock(&notices->lock);
    notices->under_way -= result != 0;
}

void notices_post(struct notices *notices, uint64_t space)
{
    pthread_mutex_lock(&notices->lock);
    bool there = false;
    for (size_t i = 0; i < notices->pending_count && !there; i++)
        there = notices->pending[i] == space;
    if (!there && notices->pending_count < PENDING_MAXIMUM)
        notices->pending[notices->pending_count++] = space;
    else if (!there)
        notices->overflow = true;
    pthread_cond_broadcast(&notices->changed);
    pthread_mutex_unlock(&notices->lock);
}

/* --- the thread --- */

static struct timespec in_ms(unsigned ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    uint64_t ns = (uint64_t)deadline.tv_nsec + (uint64_t)ms * 1000000;
    deadline.tv_sec += (time_t)(ns / 1000000000);
    deadline.tv_nsec = (long)(ns % 1000000000);
    return deadline;
}

static bool can_send(const struct notices *notices)
{
    return notices->pending_count && notices->under_way < UNDER_WAY_MAXIMUM;
}

/* Under the lock, which it gives up meanwhile. */
static void look_after_watch(struct notices *notices)
{
    bool broken = notices->broken;
    pthread_mutex_unlock(&notices->lock);
    if (notices->engine->engine.ring && (broken || is_silent(notices)))
        renew(notices);
    pthread_mutex_lock(&notices->lock);
}

static void *run(void *arg)
{
    struct notices *notices = arg;
    struct timespec next = in_ms(LOOK_MS);
    pthread_mutex_lock(&notices->lock);
    while (!notices->stopping || notices->pending_count) {
        if (can_send(notices)) {
            send_pending(notices);
        } else if (notices->stopping) {
            break;
        } else if (pthread_cond_timedwait(&notices->changed, &notices->lock, &next)) {
            look_after_watch(notices);
            next = in_ms(LOOK_MS);
        }
    }
    struct timespec deadline = in_ms(STOP_WAIT_MS);
    int late = 0;
    while (notices->under_way && !late)
        late = pthread_cond_timedwait(&notices->changed, &notices->lock, &deadline);
    pthread_mutex_unlock(&notices->lock);
    return NULL;
}

static void notices_free(struct notices *notices)
{
    unwatch(notices);
    if (notices->io) {
        rados_watch_flush(cluster_handle(notices->engine->cluster));
        rados_aio_flush(notices->io); /* on_sent is still to be called */
        rados_ioctx_destroy(notices->io);
    }
    pthread_cond_destroy(&notices->changed);
    pthread_mutex_destroy(&notices->lock);
    free(notices);
}

static int open_and_watch(struct notices *notices)
{
    struct rados_engine *engine = notices->engine;
    rados_ioctx_t copy;
    char name_space[KV_NAME_MAXIMUM];
    if (rados_ioctx_get_namespace(engine->io, name_space, sizeof(name_space)) < 0)
        return ERROR_INVALID;
    int error = cluster_open(engine->cluster, name_space, &copy);
    if (error)
        return error;
    notices->io = copy;
    if (!engine->engine.ring)
        return 0;
    notices->ring_number = notice_ring_number(engine->engine.ring);
    return watch(notices);
}

int notices_start(struct rados_engine *engine, struct notices **notices)
{
    struct notices *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->engine = engine;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&made->lock, NULL);
    int error = open_and_watch(made);
    if (!error && pthread_create(&made->thread, NULL, run, made))
        error = ERROR_MEMORY;
    if (error)
        notices_free(made);
    else
        *notices = made;
    return error;
}

void notices_stop(struct notices **notices)
{
    struct notices *old = *notices;
    if (!old)
        return;
    pthread_mutex_lock(&old->lock);
    old->stopping = true;
    pthread_cond_broadcast(&old->changed);
    pthread_mutex_unlock(&old->lock);
    pthread_join(old->thread, NULL);
    notices_free(old);
    *notices = NULL;
}
