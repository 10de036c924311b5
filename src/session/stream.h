/*
 * A stream: an authenticated (or, for LMTP, trusted) byte stream, served by a protocol.
 *
 * The loop (session/worker.c) owns the socket; the protocol (session/imap,
 * session/managesieve, ...) sees bytes. A stream is run by at most one thread at a time:
 *
 *   loop thread                          pool thread
 *   bytes arrived, or it was woken  -->  protocol->run(stream): takes input, appends output
 *   writes output, waits until the  <--  returns what it needs next
 *   peer has taken it, then again
 *
 * run() must return when output passes STREAM_OUTPUT_MARK (and be ready to go on) and after
 * STREAM_SLICE_US at the latest, so that no stream holds a thread or a snapshot for long. Where
 * that is much output, it may send it itself, and goes on with what it has opened as long as the
 * peer takes all of it at once (stream->send).
 * While a stream waits it keeps no thread, no open view, no big buffer.
 */
#ifndef SESSION_STREAM_H
#define SESSION_STREAM_H

#include "base/buffer.h"
#include "base/config.h"
#include "format/language.h"
#include "ipc/service.h"
#include "store/store.h"

enum {
    STREAM_INPUT_MAXIMUM = 64 * 1024,        /* bytes read ahead of the protocol */
    STREAM_OUTPUT_MARK = 64 * 1024,          /* run() returns when output is longer */
    STREAM_OUTPUT_MAXIMUM = 4 * 1024 * 1024, /* what one step may add beyond the mark */
    STREAM_SLICE_US = 100 * 1000,
};

/* What a protocol needs next. */
enum stream_need {
    STREAM_NEED_INPUT,  /* all input was used (or all that can be): more bytes, please */
    STREAM_NEED_OUTPUT, /* output is to be written, then run me again without new input */
    STREAM_NEED_NOTICE, /* as INPUT, but also run me when the account has changed (IDLE) */
    STREAM_NEED_GATE,   /* what comes next changes something, and the gate is closed: run me again
                         * without new input when it is open (base/gate.h) */
    STREAM_NEED_LOGIN, /* write what there is, then give the stream, and what input is left, back to
                        * chapar-login: nobody is logged in on it any more */
    STREAM_NEED_CLOSE, /* write what there is, then close */
};

struct stream_protocol;

/* Where a stream's time went, in microseconds of its runs that have ended; what is left of its life
 * it waited for input. */
struct stream_times {
    uint64_t run;    /* in run() */
    uint64_t gate;   /* until a freeze was over */
    uint64_t thread; /* until there was a thread for it */
    uint64_t peer;   /* until the peer took what was written */
};

/* What a stream watches beside its own account: another one, or the directory (store/store.h has
 * their notices). */
struct stream_watch {
    uint64_t notice;
    bool noticed; /* it has changed: set before a run, for the protocol to clear */
};

struct stream {
    /* facts, fixed when the protocol is opened */
    const struct stream_protocol *protocol;
    const struct config *config;
    struct service *service;
    struct store *store;
    int spool_directory;       /* for base/spool.h */
    struct account_id account; /* of who has logged in */
    const char *user;          /* login name; NULL: nobody has (LMTP, the MTA's questions) */
    bool administrator;        /* the login name is among the option's `administrators` */
    const char *client;        /* address, for logs and Received */
    const char *tls;           /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; NULL: none */
    const char *tag;           /* what the engine before login left (its header); NULL: nothing */
    enum language language;    /* that the client has chosen before login */

    /* exchanged in run() */
    struct slice input; /* run() takes from the front */
    bool input_ended;   /* the peer will send no more */
    struct buffer output;
    bool noticed;   /* woken because the account, or what is watched, has changed; cleared by the
                       worker */
    bool draining;  /* the process ends, or the configuration that made who has logged in an
                       administrator is not in force any more: say goodbye at the next safe point */
    bool dismissed; /* and draining: it is since nobody may be logged in to the account any more */
    const char *timed_out; /* name of the time limit that has passed: say goodbye; or NULL */
    /* What is watched from when run() has returned; each is noticed at once when it was not watched
     * before, as something may have changed meanwhile. The protocol's array, which stays until the
     * next run() or close(). */
    struct stream_watch *watched;
    size_t watched_count;
    /* Sends what is in output, from within run(). True: the peer has taken it, output is empty, and
     * nobody waits for the thread. False: return and ask for STREAM_NEED_OUTPUT, whatever is left.
     * NULL: that cannot be done. */
    bool (*send)(struct stream *stream);

    /* statistics for the log line at the end */
    uint64_t bytes_in, bytes_out, commands;
    uint64_t fetched, stored, expunged; /* messages: shown in part or whole, put in, taken out */
    struct stream_times times;
    uint64_t run_began; /* the present run; monotonic */

    void *state; /* the protocol's own */
};

struct stream_protocol {
    const char *name; /* "imap", "lmtp", "managesieve", "mta", "pop3" */
    /* Makes stream->state. No output yet. ERROR_MEMORY... */
    int (*open)(struct stream *stream);
    /* In a pool thread. Called first with no input, for the greeting. */
    enum stream_need (*run)(struct stream *stream);
    /* chapar-login may hand over a stream that nobody has logged in on. */
    bool serves_nobody;
    /* There are administrators: struct stream says whether one has logged in. */
    bool has_administrators;
    /* What a stream that was handed over and cannot be served is told, before it is closed: instead
     * of the answer to the command of that tag (empty: none). ERROR_LIMIT: there are too many; else
     * it may be tried again. NULL for a protocol without login. */
    void (*refuse)(struct slice tag, enum language language, int error, struct buffer *output);
    /* Seconds without input before timed_out is set, in the state it is in now. The loop calls it
     * between runs. */
    uint32_t (*idle_limit)(const struct stream *stream);
    const char *idle_limit_name; /* what timed_out says then, an option: "idle_timeout" */
    /* Frees stream->state. `why`: "logout", "closed", ... The worker logs it, and the statistics.
     */
    void (*close)(struct stream *stream, const char *why);
};

/* session/imap/imap.c, session/lmtp/lmtp.c, ... */
extern const struct stream_protocol imap_protocol;
extern const struct stream_protocol lmtp_protocol;
extern const struct stream_protocol managesieve_protocol;
extern const struct stream_protocol mta_protocol;
extern const struct stream_protocol pop3_protocol;

#endif
