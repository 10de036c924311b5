/*
 * A freeze.
 *
 *   none --begin--> flushing --> closing --> flushing the rest --> frozen --end, deadline--> none
 *
 * What can be flushed is flushed first, with changes going on; then the gate (base/gate.h) is
 * closed, those inside leave, and what little they have written meanwhile is flushed. The time runs
 * from the moment the gate closes. It lies in the gate itself: it opens whatever becomes of
 * chapard.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "supervisor/supervisor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOK_MS = 1 /* between two looks whether all have left */ };

enum state { NONE, FLUSHING, CLOSING, FLUSHING_REST, FROZEN };

struct freeze {
    struct supervisor *supervisor;
    enum state state;
    bool expired; /* the last one ended by its deadline, and nobody was told yet */
    bool ending;  /* chapard stops */
    uint32_t timeout_ms;
    uint64_t deadline_us;
    uv_timer_t timer;
    uv_work_t flush;
    int flush_error;
    const void *holder; /* NULL: gone */
    bool hold;
    void (*done)(int error, void *arg);
    void *arg;
};

const char *freeze_state(const struct freeze *freeze)
{
    return freeze->state == NONE ? "none" : freeze->state == FROZEN ? "frozen" : "closing";
}

static void tell(struct freeze *freeze, int error)
{
    if (freeze->holder)
        freeze->done(error, freeze->arg);
}

/* --- its end --- */

static bool end(struct freeze *freeze)
{
    uv_timer_stop(&freeze->timer);
    freeze->state = NONE;
    freeze->holder = NULL;
    return gate_open();
}

/* Who waits for it is told, unless that was done. */
static void fail(struct freeze *freeze, int error)
{
    log_warning("freeze_failed", LOG_TEXT("error", error_name(error)),
                LOG_NUMBER("inside", gate_inside()));
    if (freeze->state != FROZEN)
        tell(freeze, error);
    end(freeze);
}

static void expire(uv_timer_t *timer)
{
    struct freeze *freeze = timer->data;
    log_warning("freeze_expired", LOG_NUMBER("timeout_ms", freeze->timeout_ms));
    counters_add(COUNTER_GATE_EXPIRED, 1);
    freeze->expired = true;
    end(freeze);
}

/* --- its beginning --- */

static void flush_in_thread(uv_work_t *work)
{
    struct freeze *freeze = work->data;
    int folder =
        open(freeze->supervisor->config->data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    freeze->flush_error = folder < 0 || syncfs(folder) ? error_from_errno(errno) : 0;
    if (folder >= 0)
        close(folder);
}

static void flush_done(uv_work_t *work, int status);

static void flush(struct freeze *freeze, enum state state)
{
    freeze->state = state;
    uv_queue_work(&freeze->supervisor->loop, &freeze->flush, flush_in_thread, flush_done);
}

static void look(uv_timer_t *timer)
{
    struct freeze *freeze = timer->data;
    if (clock_monotonic_us() >= freeze->deadline_us) {
        fail(freeze, ERROR_TIMEOUT);
    } else if (gate_inside() == 0) {
        uv_timer_stop(timer);
        flush(freeze, FLUSHING_REST);
    }
}

static void come_into_force(struct freeze *freeze)
{
    uint64_t now = clock_monotonic_us();
    if (now >= freeze->deadline_us) {
        fail(freeze, ERROR_TIMEOUT);
        return;
    }
    freeze->state = FROZEN;
    counters_add(COUNTER_GATE_FREEZES, 1);
    log_info("frozen", LOG_NUMBER("timeout_ms", freeze->timeout_ms));
    uv_timer_start(&freeze->timer, expire, (freeze->deadline_us - now) / 1000 + 1, 0);
    tell(freeze, 0);
}

static void flush_done(uv_work_t *work, int status)
{
    struct freeze *freeze = work->data;
    (void)status;
    if (freeze->ending || !freeze->holder) {
        end(freeze);
    } else if (freeze->flush_error) {
        fail(freeze, freeze->flush_error);
    } else if (freeze->state == FLUSHING) {
        freeze->state = CLOSING;
        freeze->deadline_us = clock_monotonic_us() + (uint64_t)freeze->timeout_ms * 1000;
        gate_close(freeze->deadline_us);
        uv_timer_start(&freeze->timer, look, LOOK_MS, LOOK_MS);
    } else {
        come_into_force(freeze);
    }
}

int freeze_begin(struct freeze *freeze, uint32_t timeout_ms, const void *holder, bool hold,
                 void (*done)(int error, void *arg), void *arg)
{
    if (timeout_ms == 0 || timeout_ms > FREEZE_MAXIMUM_MS)
        return ERROR_INVALID;
    if (freeze->state != NONE || freeze->ending)
        return ERROR_BUSY;
    freeze->timeout_ms = timeout_ms;
    freeze->expired = false;
    freeze->holder = holder;
    freeze->hold = hold;
    freeze->done = done;
    freeze->arg = arg;
    flush(freeze, FLUSHING);
    return 0;
}

/* --- from outside --- */

int freeze_end(struct freeze *freeze)
{
    bool expired = freeze->expired;
    freeze->expired = false;
    if (freeze->state != FROZEN)
        return expired ? ERROR_TIMEOUT : ERROR_NOT_FOUND;
    log_info("thawed");
    return end(freeze) ? 0 : ERROR_TIMEOUT;
}

void freeze_forget(struct freeze *freeze, const void *holder)
{
    if (!freeze || freeze->holder != holder)
        return;
    freeze->holder = NULL;
    if (freeze->state == CLOSING || (freeze->state == FROZEN && freeze->hold))
        end(freeze);
}

void freeze_stop(struct freeze *freeze)
{
    if (!freeze)
        return;
    freeze->ending = true;
    if (freeze->state == CLOSING || freeze->state == FROZEN)
        fail(freeze, ERROR_CLOSED);
}

int freeze_create(struct supervisor *supervisor, struct freeze **freeze)
{
    struct freeze *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->supervisor = supervisor;
    uv_timer_init(&supervisor->loop, &made->timer);
    made->timer.data = made->flush.data = made;
    *freeze = made;
    return 0;
}

/* When the loop has ended: no flush is under way. */
void freeze_free(struct freeze **freeze)
{
    if (!*freeze)
        return;
    gate_open();
    free(*freeze);
    *freeze = NULL;
}
