/*
 * Time limits of streams, in whole seconds: a wheel of WHEEL_SLOTS lists.
 *
 * Invariant: a stream with due != 0 hangs in slot due % WHEEL_SLOTS, and
 * now < due <= now + WHEEL_SLOTS - 1. It is looked at by its deadline: due <= deadline, or due is
 * the next second.
 */
#include "session/worker_priv.h"

void wheel_init(struct worker *worker)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        LIST_INIT(&worker->wheel[i]);
    worker->now = worker_second(worker);
}

void wheel_remove(struct served *served)
{
    if (served->due)
        LIST_REMOVE(served, wheel);
    served->due = 0;
}

static void hang(struct served *served)
{
    struct worker *worker = served->worker;
    uint64_t furthest = worker->now + WHEEL_SLOTS - 1;
    served->due = served->deadline < furthest ? served->deadline : furthest;
    if (served->due <= worker->now)
        served->due = worker->now + 1;
    LIST_INSERT_HEAD(&worker->wheel[served->due % WHEEL_SLOTS], served, wheel);
}

void wheel_set(struct served *served, uint64_t deadline)
{
    served->deadline = deadline;
    if (served->due && served->due <= deadline)
        return;
    wheel_remove(served);
    hang(served);
}

static void look(struct worker *worker, void (*expired)(struct served *served))
{
    struct served_list *slot = &worker->wheel[worker->now % WHEEL_SLOTS];
    struct served *served;
    while ((served = LIST_FIRST(slot)) != NULL) {
        wheel_remove(served);
        if (served->deadline <= worker->now)
            expired(served);
        else
            hang(served);
    }
}

void wheel_advance(struct worker *worker, uint64_t now, void (*expired)(struct served *served))
{
    while (worker->now < now) {
        worker->now++;
        look(worker, expired);
    }
}
