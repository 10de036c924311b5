#include "front/auth/jobs_priv.h"

#include "base/error.h"

static void start_next(struct jobs *jobs);

static void work(uv_work_t *uv)
{
    struct job *job = uv->data;
    job->work(job);
}

static void done(uv_work_t *uv, int status)
{
    struct job *job = uv->data;
    struct jobs *jobs = job->jobs;
    (void)status;
    jobs->running--;
    start_next(jobs);
    job->done(job);
}

static void start_next(struct jobs *jobs)
{
    struct job *job = TAILQ_FIRST(&jobs->queue);
    if (!job || jobs->running == JOBS_RUNNING_MAXIMUM)
        return;
    TAILQ_REMOVE(&jobs->queue, job, entry);
    jobs->waiting--;
    jobs->running++;
    job->running = true;
    job->uv.data = job;
    /* It fails only without a work function. */
    (void)uv_queue_work(jobs->loop, &job->uv, work, done);
}

void jobs_init(struct jobs *jobs, uv_loop_t *loop)
{
    *jobs = (struct jobs){.loop = loop};
    TAILQ_INIT(&jobs->queue);
}

int jobs_submit(struct jobs *jobs, struct job *job)
{
    if (jobs->waiting == JOBS_WAITING_MAXIMUM)
        return ERROR_BUSY;
    job->jobs = jobs;
    job->running = false;
    TAILQ_INSERT_TAIL(&jobs->queue, job, entry);
    jobs->waiting++;
    start_next(jobs);
    return 0;
}

bool jobs_cancel(struct job *job)
{
    if (job->running)
        return false;
    TAILQ_REMOVE(&job->jobs->queue, job, entry);
    job->jobs->waiting--;
    return true;
}
