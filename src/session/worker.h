/*
 * The worker: the loop's side of streams (session/stream.h).
 *
 * It owns sockets, buffers, time limits and notices; it decides when a stream runs, and a bounded
 * pool of threads (libuv's, UV_THREADPOOL_SIZE) runs it. An idle stream is one small struct.
 *
 *     worker_create(&options, &worker);
 *     worker_listen(worker, socket, &lmtp_protocol, busy_text);
 *     worker_adopt(worker, socket, &facts);
 *     ... the loop runs ...
 *     worker_drain(worker, 10);          // options.drained is called when all is closed
 *     worker_free(&worker);
 *
 * All of this is for the loop's thread alone; nothing here blocks.
 */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include "session/stream.h"

#include <uv.h>

enum {
    WORKER_LISTENERS_MAXIMUM = SERVICE_LISTENERS_MAXIMUM,
    WORKER_ACCEPT_MAXIMUM = 16, /* connections accepted before other work gets its turn */
    WORKER_TEND_INTERVAL = 60,  /* seconds between two looks for accounts that are to be tended */
    WORKER_POOL = 3, /* threads of the pool for each of session_threads: one that runs a command,
                        one that runs another while the first waits at the gate, one that lingers */
    WORKER_DRAIN_NO_HURRY = UINT32_MAX,
};

struct worker;
struct notice_ring;

/* Nothing is owned; all must outlive the worker. */
struct worker_options {
    uv_loop_t *loop;
    const struct config *config;
    struct service *service;     /* for crash notes; NULL: none are made */
    struct store *store;         /* NULL: no maintenance is done */
    int spool_directory;         /* -1: none */
    struct notice_ring *notices; /* NULL: none */
    /* Whether somebody may be logged in to the account (store_account_check); asked before a
     * stream's first run, and before the next one when the directory has changed. ERROR_DENIED,
     * ERROR_NOT_FOUND: it is asked to say goodbye. NULL: he may. */
    int (*check_account)(struct store *store, struct account_id account);
    void (*drained)(void *arg); /* nothing of the worker is left in the loop */
    void *arg;
};

int worker_create(const struct worker_options *options, struct worker **worker);

/* After `drained` was called (it may be called from there). */
void worker_free(struct worker **worker);

/* What is known of a stream; everything is copied. */
struct worker_facts {
    const struct stream_protocol *protocol;
    bool has_account; /* counted against account_connections, woken by its notices */
    struct account_id account;
    const char *user, *client, *tls, *tag; /* as in struct stream; NULL: none */
    enum language language;
    struct slice input; /* read already; at most STREAM_INPUT_MAXIMUM */
};

/* Takes over a socket (made non-blocking) and runs its protocol. On failure the socket stays the
 * caller's. ERROR_LIMIT: session_connections, account_connections or too much input; ERROR_CLOSED:
 * draining; ERROR_MEMORY. */
int worker_adopt(struct worker *worker, int socket, const struct worker_facts *facts);

/* Accepts connections from a listening, non-blocking socket, which it takes over, for a protocol
 * without login. Those beyond the limits get `busy` (must stay valid) and are closed. */
int worker_listen(struct worker *worker, int socket, const struct stream_protocol *protocol,
                  const char *busy);

/* Sends a last text to a socket nobody has adopted, as far as it takes it, and closes it. */
void worker_refuse(int socket, struct slice text);

/* Asks the account's streams to say goodbye (it is being deleted, or shared). */
void worker_end_account(struct worker *worker, struct account_id account);

/* Closes the listeners, asks every stream to say goodbye, and ends those that are left after
 * `seconds`. WORKER_DRAIN_NO_HURRY: streams end when their clients want, and new ones that were on
 * their way are still taken. May be called again with less time. */
void worker_drain(struct worker *worker, uint32_t seconds);

/* While it is held, a draining worker does not end: streams may still come. Let it go as often as
 * it was held. */
void worker_hold(struct worker *worker);
void worker_let_go(struct worker *worker);

/* What becomes of a stream with STREAM_NEED_LOGIN, whose output has been sent: the function takes
 * the socket. Without one the stream is closed. */
void worker_on_give_back(struct worker *worker,
                         void (*give_back)(void *arg, int socket, const struct stream *stream,
                                           struct slice input),
                         void *arg);

/* Streams open now. */
size_t worker_streams(const struct worker *worker);

/* Heap bytes of one idle stream beyond its protocol's state, without its strings. */
size_t worker_stream_size(void);

#endif
