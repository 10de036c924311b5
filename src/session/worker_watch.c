/*
 * What streams watch beside their own accounts (struct stream_watch): watchers hang in buckets by
 * notice, so that a notice finds those it is for.
 */
#include "kv/notice_ring.h"
#include "session/worker_priv.h"

#include <stdlib.h>

static void take_out(struct served *served, struct watcher *watcher)
{
    struct worker *worker = served->worker;
    LIST_REMOVE(watcher, watchers);
    watcher->served = NULL;
    if (worker->options.notices)
        notice_ring_unwant(worker->options.notices, watcher->notice);
}

static void put_in(struct served *served, struct watcher *watcher, uint64_t notice)
{
    struct worker *worker = served->worker;
    *watcher = (struct watcher){.served = served, .notice = notice, .noticed = true};
    LIST_INSERT_HEAD(&worker->watched[notice & worker->bucket_mask], watcher, watchers);
    if (worker->options.notices)
        notice_ring_want(worker->options.notices, notice);
}

void watches_stop(struct served *served)
{
    for (size_t i = 0; i < served->watcher_count; i++)
        take_out(served, &served->watchers[i]);
    served->watcher_count = 0;
}

void watches_free(struct served *served)
{
    free(served->watchers);
    served->watchers = NULL;
}

static bool is_same(const struct served *served)
{
    const struct stream *stream = &served->stream;
    if (stream->watched_count != served->watcher_count)
        return false;
    for (size_t i = 0; i < served->watcher_count; i++)
        if (stream->watched[i].notice != served->watchers[i].notice)
            return false;
    return true;
}

/* What has changed between the run that asked for it and now is noticed like what changes later. */
bool watches_follow(struct served *served)
{
    const struct stream *stream = &served->stream;
    if (is_same(served))
        return true;
    watches_stop(served);
    watches_free(served);
    if (!stream->watched_count)
        return true;
    served->watchers = calloc(stream->watched_count, sizeof(*served->watchers));
    if (!served->watchers)
        return false;
    for (size_t i = 0; i < stream->watched_count; i++)
        put_in(served, &served->watchers[i], stream->watched[i].notice);
    served->watcher_count = stream->watched_count;
    served->wake |= WAKE_NOTICE;
    return true;
}

void watches_tell(struct served *served)
{
    for (size_t i = 0; i < served->watcher_count; i++) {
        served->stream.watched[i].noticed |= served->watchers[i].noticed;
        served->watchers[i].noticed = false;
    }
}

/* A stream that is woken may end, and its watchers leave the bucket: they still say which was next.
 */
void watches_notice(struct worker *worker, size_t bucket, uint64_t notice, bool missed,
                    void (*wake)(struct served *served))
{
    struct watcher *watcher = LIST_FIRST(&worker->watched[bucket]), *next;
    for (; watcher; watcher = next) {
        next = LIST_NEXT(watcher, watchers);
        if (!watcher->served || !(missed || watcher->notice == notice))
            continue;
        watcher->noticed = true;
        wake(watcher->served);
    }
}
