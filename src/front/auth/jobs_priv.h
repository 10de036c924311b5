/*
 * Slow work (Argon2id, durable commits) in libuv's thread pool: few at a time, so that memory
 * stays bounded and the loop's thread keeps a core's share, and a bounded queue before them.
 *
 *     submitted --> waiting --> running --> done()
 *                      |  cancelled: nothing is called
 *
 * The loop's thread alone calls these functions. work() runs in a pool thread and touches only its
 * own job and what is thread-safe.
 */
#ifndef FRONT_AUTH_JOBS_PRIV_H
#define FRONT_AUTH_JOBS_PRIV_H

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

enum {
    JOBS_RUNNING_MAXIMUM = 2,   /* each takes password_memory KiB while it runs */
    JOBS_WAITING_MAXIMUM = 256, /* some seconds of work; beyond it the answer is "busy" */
};

struct jobs;

struct job {
    void (*work)(struct job *job); /* pool thread */
    void (*done)(struct job *job); /* loop thread; may free the job */
    struct jobs *jobs;
    bool running;
    uv_work_t uv;
    TAILQ_ENTRY(job) entry;
};

struct jobs {
    uv_loop_t *loop;
    TAILQ_HEAD(job_queue, job) queue;
    unsigned waiting, running;
};

void jobs_init(struct jobs *jobs, uv_loop_t *loop);

/* work and done are set. ERROR_BUSY: too many wait already. */
int jobs_submit(struct jobs *jobs, struct job *job);

/* true: the job had not begun and is the caller's again; false: it runs, done() will be called. */
bool jobs_cancel(struct job *job);

static inline bool jobs_idle(const struct jobs *jobs)
{
    return jobs->waiting + jobs->running == 0;
}

#endif
