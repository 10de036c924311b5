#include "base/error.h"
#include "kv/turn_priv.h"

#include <time.h>

void turn_init(struct turn *turn)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&turn->lock, NULL);
    pthread_cond_init(&turn->given, &attributes);
    pthread_condattr_destroy(&attributes);
    turn->taken = false;
}

void turn_release(struct turn *turn)
{
    pthread_cond_destroy(&turn->given);
    pthread_mutex_destroy(&turn->lock);
}

static struct timespec deadline_in(unsigned timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

int turn_take(struct turn *turn, unsigned timeout_ms)
{
    int error = 0;
    pthread_mutex_lock(&turn->lock);
    if (turn->taken) {
        struct timespec deadline = deadline_in(timeout_ms);
        while (turn->taken && !error)
            error = pthread_cond_timedwait(&turn->given, &turn->lock, &deadline);
    }
    bool had = !turn->taken;
    turn->taken = true;
    pthread_mutex_unlock(&turn->lock);
    return had ? 0 : ERROR_BUSY;
}

void turn_give(struct turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->taken = false;
    pthread_cond_signal(&turn->given);
    pthread_mutex_unlock(&turn->lock);
}
