/*
 * A turn: one thread at a time has it, the others wait up to a limit. A mutex would do but for
 * the limit, and may not be given back by another thread.
 */
#ifndef KV_TURN_PRIV_H
#define KV_TURN_PRIV_H

#include <pthread.h>
#include <stdbool.h>

struct turn {
    pthread_mutex_t lock;
    pthread_cond_t given;
    bool taken;
};

void turn_init(struct turn *turn);
void turn_release(struct turn *turn);

/* Blocks. ERROR_BUSY when it was not had in time. */
int turn_take(struct turn *turn, unsigned timeout_ms);
void turn_give(struct turn *turn);

#endif
