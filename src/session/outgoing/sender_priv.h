/*
 * What the sender's files share.
 *
 *   sender.c       the loop's side: channels, what is under way, when there is work
 *   work.c         the pool's side: claiming, settling
 *   wake.c         likewise: waking what sleeps
 *   returned.c     the report to the owner of a message that could not be redirected
 *
 * A sending's life; `loop` and `pool` say who may touch it:
 *
 *     FREE --pool: claimed--> CLAIMED --loop: handed over--> UNDER_WAY --loop: done, or lost--.
 *       ^                        '--loop: could not be--.                                      |
 *       |                                               v                                      v
 *       '-------pool: settled, or given back--------- FINISHED <-------------------------------'
 *
 * The pool's thread touches only those that the job names, and the loop none of these until the job
 * is done; but for a claim that is renewed, of which the thread reads what stays the same, and for
 * the state: the loop looks for those that are UNDER_WAY, which the thread makes none.
 */
#ifndef SESSION_OUTGOING_SENDER_PRIV_H
#define SESSION_OUTGOING_SENDER_PRIV_H

#include "ipc/channel.h"
#include "session/sender.h"
#include "store/outgoing.h"

#include <pthread.h>

enum { SENDING_MEMORY_MAXIMUM = 512 * 1024 };

enum sending_state { SENDING_FREE, SENDING_CLAIMED, SENDING_UNDER_WAY, SENDING_FINISHED };

struct sending {
    _Atomic enum sending_state state;
    uint64_t id;
    struct account_id account;
    struct arena arena; /* what follows */
    struct outgoing_message message;
    struct outgoing_recipient *results; /* of each recipient of the message */
    size_t asked;                       /* of them, those that wait: they are handed over */
    size_t answered;
    bool untried; /* once finished: chapar-send has not begun with it, so it is given back */
    bool told;    /* the log and the counters know of the results */
    int file;     /* -1: none */
    struct ipc_channel *channel;
    uint64_t settle_at, renew_at; /* not before then; the loop's milliseconds */
};

/* What the pool's thread is to do, and has done. */
struct job {
    uint64_t now_ms;
    bool claims; /* it may claim; else what is due is left to others */
    bool looks;  /* it asks the directory which accounts there are */
    struct account_id accounts[SENDER_ACCOUNTS];
    size_t account_count;
    struct sending *finished[SEND_UNDER_WAY_MAXIMUM]; /* to be settled */
    size_t finished_count;
    struct sending *renewed[SEND_UNDER_WAY_MAXIMUM]; /* whose claim is to be renewed */
    size_t renewed_count;
    struct sending *vacant[SEND_UNDER_WAY_MAXIMUM]; /* to be filled */
    size_t vacant_count, filled;
    /* Accounts to be looked at again: for want of room, or as the gate was closed. */
    struct account_id again[SENDER_ACCOUNTS];
    size_t again_count;
    bool wakes;                                      /* it asks the directory what is to be woken */
    struct account_id sleepers[2 * SENDER_ACCOUNTS]; /* in which something may be */
    size_t sleeper_count; /* then: of those that are still to be looked at */
    int64_t wake_at;      /* when the next wakes, as far as it has seen; seconds since 1970 */
};

/* Accounts that somebody has told of. */
struct told {
    struct account_id accounts[SENDER_ACCOUNTS];
    size_t count;
    bool more; /* for which there was no room: the directory knows */
};

struct peer {
    struct sender *sender;
    uint32_t slot;
    struct ipc_channel *channel; /* NULL: there is none */
    bool ending;                 /* it takes nothing more; what is under way there is answered */
    uint64_t since;              /* the later, the greater */
};

struct sender {
    struct sender_options options;
    uv_timer_t timer;
    uv_async_t wake;
    uv_work_t work;
    bool working, look, draining, holding;
    bool ended, gone;                 /* sender_end was called; its handles are closed */
    uint64_t drain_deadline, look_at; /* the loop's milliseconds */
    uint64_t last_id, last_peer;
    struct peer peers[SERVICE_SLOTS];
    struct sending sendings[SEND_UNDER_WAY_MAXIMUM];
    struct job job;
    bool look_asleep;
    int64_t wake_at;      /* seconds since 1970 */
    pthread_mutex_t lock; /* of what follows */
    struct told departed, asleep;
};

/* --- work.c --- */

void job_run(struct sender *sender, struct job *job);

void job_log_failure(const char *event, struct account_id account, int error);

/* --- wake.c --- */

void job_wake(struct sender *sender, struct job *job);

/* --- returned.c --- */

/* Puts the report and the message into the owner's INBOX, once for each message. Errors of
 * store_deliver. */
int return_to_owner(const struct sender *sender, struct store_view *view,
                    const struct sending *sending);

#endif
