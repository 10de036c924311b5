/*
 * What the worker's files share: the worker, a stream as it sees it, and the wheel of deadlines.
 */
#ifndef SESSION_WORKER_PRIV_H
#define SESSION_WORKER_PRIV_H

#include "session/worker.h"

#include <stdatomic.h>
#include <sys/queue.h>

enum {
    WHEEL_SLOTS = 256, /* seconds until a far deadline is looked at again */
    READ_SIZE = STREAM_INPUT_MAXIMUM,
    NOTE_MAXIMUM = CRASH_NOTE_MAXIMUM,
};

/* Why a stream is to run. */
enum wake {
    WAKE_INPUT = 1,   /* bytes have come */
    WAKE_END = 2,     /* the peer will send no more */
    WAKE_NOTICE = 4,  /* its account has changed */
    WAKE_TIMEOUT = 8, /* its idle limit has passed */
    WAKE_DRAIN = 16,  /* it must say goodbye */
};

/* One of a stream's watches, in the bucket of its notice. */
struct watcher {
    LIST_ENTRY(watcher) watchers;
    struct served *served; /* NULL: it has been taken out of the bucket */
    uint64_t notice;
    bool noticed; /* and the stream has not been told */
};
LIST_HEAD(watcher_list, watcher);

/* One stream. While `running`, the pool's thread owns `stream`, `unread`, `given`, `need`, `sent`,
 * `ran_us`, `has_slot` and the failures of reading and writing, and the loop does not poll the
 * socket; the loop's thread owns the rest, always. */
struct served {
    struct stream stream;
    struct worker *worker;
    uv_poll_t poll;
    uv_work_t work;
    LIST_ENTRY(served) all;      /* of the worker */
    LIST_ENTRY(served) accounts; /* of its bucket, when it has an account */
    LIST_ENTRY(served) wheel;    /* of the slot of `due` */
    TAILQ_ENTRY(served) ready;   /* wants to run, and there is no thread for it */
    uint64_t notice;             /* store_account_notice of the account */
    uint64_t deadline;           /* the loop's second in which its present limit has passed */
    uint64_t due;        /* the second in which the wheel looks at it; 0: not in the wheel */
    uint64_t active;     /* the second of the last input or command */
    uint64_t blocked_at; /* bytes_out when the peer was last seen to take something */
    uint64_t started_us;
    uint64_t ran_us;      /* when the last run ended; monotonic */
    uint64_t ready_us;    /* when it wanted to run and found no thread; 0: it found one */
    uint64_t queued_us;   /* when it was given to the pool */
    struct buffer unread; /* what stream.input shows */
    size_t given;         /* of unread, to the present run */
    size_t sent;          /* of stream.output */
    const char *killed;   /* ends it without a goodbye: the reason */
    const char *note;     /* for service_note */
    int socket;
    int events; /* polled for */
    enum stream_need need;
    struct watcher *watchers; /* of stream.watched, in its order */
    size_t watcher_count;
    uint8_t wake;            /* enum wake bits, since the last run began */
    unsigned directory_seen; /* the worker's directory_changes when the account was asked about */
    bool has_account, greeted, running, quiet, blocked, ended;
    bool is_ready; /* in the worker's list */
    bool has_slot; /* one of session_threads; the pool's thread's while running */
    bool quick;    /* its last input came soon after the run before */
    bool read_failed, write_failed, overflow;
};
LIST_HEAD(served_list, served);
TAILQ_HEAD(ready_list, served);

struct listener {
    uv_poll_t poll;
    struct worker *worker;
    const struct stream_protocol *protocol;
    const char *busy;
    int socket; /* -1: closed */
    bool paused;
};

struct worker {
    struct worker_options options;
    uv_timer_t tick; /* once a second */
    uv_poll_t notices;
    uv_work_t maintenance;
    uv_work_t tend;
    size_t handles; /* open in the loop, the work under way included */
    size_t streams;
    size_t holds; /* worker_hold */
    struct served_list all;
    struct ready_list ready;
    atomic_uint running;          /* streams with a slot, those that wait at the gate included */
    atomic_uint in_line;          /* of `ready` */
    uv_timer_t gate;              /* looks whether it is open, while anybody waits for that */
    struct served_list *buckets;  /* by notice */
    struct watcher_list *watched; /* by notice */
    size_t bucket_mask;
    struct served_list wheel[WHEEL_SLOTS];
    uint64_t now; /* the second the wheel has come to */
    struct listener listeners[WORKER_LISTENERS_MAXIMUM];
    size_t listener_count;
    uint64_t drain_deadline;       /* second; UINT64_MAX: none */
    atomic_uint directory_changes; /* notices of the directory, and one */
    atomic_uint lingering;         /* threads that wait for input of a stream */
    uint64_t tend_at;              /* second */
    atomic_bool stopping;          /* as draining, for the thread that tends */
    void (*give_back)(void *arg, int socket, const struct stream *stream, struct slice input);
    void *give_back_arg;
    bool draining, hurry, maintaining, tending, finishing;
    char read_buffer[READ_SIZE];
};

/* worker_wheel.c: time limits. A stream hangs in the slot of one second; when that comes and its
 * deadline has moved meanwhile, as nearly always, it is hung up again. So activity costs nothing.
 */
void wheel_init(struct worker *worker);
void wheel_set(struct served *served, uint64_t deadline);
void wheel_remove(struct served *served);
/* Calls expired for each stream whose deadline has passed; it is out of the wheel then. */
void wheel_advance(struct worker *worker, uint64_t now, void (*expired)(struct served *served));

/* worker_watch.c: what streams watch beside their own accounts. */

/* After a run: watches what the stream wants now. False: there is no memory for that. */
bool watches_follow(struct served *served);
/* Before a run: tells the stream which of them were noticed. */
void watches_tell(struct served *served);
/* Of a stream that ends. The memory stays, as a walk through a bucket may be at it. */
void watches_stop(struct served *served);
void watches_free(struct served *served);
/* Calls wake for each stream that watches what the notice is of; missed: every one that watches
 * something of this bucket. */
void watches_notice(struct worker *worker, size_t bucket, uint64_t notice, bool missed,
                    void (*wake)(struct served *served));

/* worker_send.c */

/* Sends what the peer takes now of the output, and forgets it when that is all. Of who runs the
 * stream, or of the loop between runs. */
void worker_send(struct served *served);
/* stream->send. A run that goes on when this has been false may add to the output, but not send. */
bool worker_send_within_run(struct stream *stream);

/* worker_listen.c */
void listeners_resume(struct worker *worker);
void listeners_close(struct worker *worker);

/* worker.c: a handle of the worker has been closed. */
void worker_handle_closed(struct worker *worker);
uint64_t worker_second(const struct worker *worker);

/* Says that no more will be written, forgets what has come (so that the kernel does not answer it
 * with a reset, which would take our last words from the peer), and closes. */
void worker_close_socket(int socket);

#endif
