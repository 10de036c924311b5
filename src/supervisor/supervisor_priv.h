/*
 * chapard's parts and the state they share. One thread, one loop.
 *
 * A generation is one set of chapar-login, chapar-session and chapar-send processes with one
 * configuration and one set of listeners; a reload starts the next. `accepted` is the newest whose
 * processes have all been ready; `newest` is above it only while a reload is under way. chapar-auth
 * outlives generations.
 */
#ifndef SUPERVISOR_SUPERVISOR_PRIV_H
#define SUPERVISOR_SUPERVISOR_PRIV_H

#include "base/config.h"
#include "ipc/channel.h"
#include "ipc/service.h"

#include <sys/queue.h>
#include <sys/types.h>

enum {
    /* At least what kv/notice_ring.h maps; a unit test holds them together, as the supervisor
     * does not link the storage code. */
    NOTICES_SIZE = 1280 * 1024,
    START_TIMEOUT = 30 * 1000,   /* ms from exec to READY */
    CLOSE_TIMEOUT = 5 * 1000,    /* ms from the control channel's end to the process's */
    STOP_GRACE = 2 * 1000,       /* ms beyond drain_time before SIGKILL */
    BACKOFF_FIRST = 100,         /* ms; doubles */
    BACKOFF_MAXIMUM = 30 * 1000, /* ms */
    LIFE_GOOD = 60 * 1000,       /* ms of life after which failures are forgotten */
    START_FAILURES_MAXIMUM = 5,  /* in a row, before a generation is given up */
    SERVING_MAXIMUM = 512,       /* bytes of crash notes shown */
    ADMIN_CONNECTIONS_MAXIMUM = 64,
    SYSTEMD_SOCKETS_MAXIMUM = 64,
    STATUS_MAXIMUM = 1024 * 1024,
};

/* --- shared.c: memory and descriptors every process gets --- */

struct shared {
    int counters, notices, notes, gate;
    int wake[SERVICE_SLOTS];
};
int shared_create(struct shared *shared);
void shared_release(struct shared *shared);
/* What the process of a slot noted it was serving, its notes joined with "; ". Forgets them. */
void shared_take_notes(const struct shared *shared, uint32_t slot, char text[SERVING_MAXIMUM]);

/* --- listeners.c --- */

struct listener {
    TAILQ_ENTRY(listener) link;
    const char *service; /* "imap", "imaps", "lmtp", "mta" */
    char *text;          /* as configured */
    int socket;
    bool accepted, newest; /* belongs to that generation */
};
TAILQ_HEAD(listener_list, listener);

struct systemd_sockets {
    size_t count;
    int sockets[SYSTEMD_SOCKETS_MAXIMUM];
    char names[SYSTEMD_SOCKETS_MAXIMUM][64];
};

/* What systemd passed (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES); takes the variables away. */
void systemd_sockets_take(struct systemd_sockets *sockets);

/* Opens what the configuration names and is not open, and marks what belongs to the newest
 * generation. On failure everything is as before, and the reason was logged. */
int listeners_open(struct listener_list *listeners, const struct config *config,
                   const struct systemd_sockets *systemd);
/* The newest generation becomes the accepted one (or is given up): what is not in it is closed. */
void listeners_accept(struct listener_list *listeners);
void listeners_give_up(struct listener_list *listeners);
void listeners_close(struct listener_list *listeners);
/* Binds and listens; takes a stale socket file away. */
int listen_unix(const char *path, int type, mode_t mode, const char *group);

/* Mode and group ("": as it is) of a socket file that this process has made. It may lie in a
 * directory of somebody else's, such as Postfix's, who could put another file or a link to one in
 * its place: then ERROR_DENIED, and nothing is changed. ERROR_NOT_FOUND: no such group. */
int listen_set_access(const char *path, mode_t mode, const char *group);

/* --- children.c --- */

enum child_state { CHILD_STARTING, CHILD_READY, CHILD_DRAINING, CHILD_WAITING };

struct crash {
    int64_t time; /* 0: none yet */
    int signal, status;
    char serving[SERVING_MAXIMUM];
};

struct supervisor;

struct child {
    TAILQ_ENTRY(child) link;
    struct supervisor *supervisor;
    enum process_role role;
    enum child_state state;
    uint32_t slot, generation;
    pid_t pid;        /* 0: none */
    bool killed;      /* by us, on purpose: no crash */
    uv_timer_t timer; /* start timeout, close timeout or backoff */
    struct ipc_channel *control;
    uint64_t started_us;
    unsigned failures; /* in a row */
    unsigned restarts, crashes;
    struct crash last_crash;
    uint32_t landlock;
};
TAILQ_HEAD(child_list, child);

/* The processes of a role the configuration asks for, in that generation. */
int children_start(struct supervisor *supervisor, enum process_role role, uint32_t generation);
/* Drains it as fast as its state permits: one that is not ready is killed. */
void child_drain(struct child *child, uint32_t seconds);
void child_kill(struct child *child);
/* Channels between processes that are to talk to each other. */
void children_connect(struct child *one, struct child *other);
/* The delay before the next start after so many failures in a row, in ms. */
unsigned child_backoff(unsigned failures);

/* --- admin.c, status.c --- */

struct admin;
int admin_open(struct supervisor *supervisor, struct admin **admin);
void admin_close(struct admin **admin);
void status_write(struct supervisor *supervisor, struct buffer *json);

/* --- freeze.c: changes of stored data are held for a moment --- */

enum { FREEZE_MAXIMUM_MS = 240 * 1000 /* less than a silent admin connection has */ };

struct freeze;
int freeze_create(struct supervisor *supervisor, struct freeze **freeze);
void freeze_free(struct freeze **freeze);

/* Begins one. `done` is called once: with 0 when it is in force, or with why it is not. hold: it
 * ends with freeze_forget(holder) as well. ERROR_BUSY: there is one; ERROR_INVALID: the time. */
int freeze_begin(struct freeze *freeze, uint32_t timeout_ms, const void *holder, bool hold,
                 void (*done)(int error, void *arg), void *arg);

/* Ends it: 0 when it was in force until now, ERROR_TIMEOUT when its deadline had passed,
 * ERROR_NOT_FOUND when there is none. */
int freeze_end(struct freeze *freeze);

/* The holder has gone: `done` is not called any more, and what it holds ends. */
void freeze_forget(struct freeze *freeze, const void *holder);

/* chapard stops: there is no freeze any more, and none begins. */
void freeze_stop(struct freeze *freeze);

/* "none", "closing", "frozen". */
const char *freeze_state(const struct freeze *freeze);

/* --- notify.c: systemd's readiness protocol --- */

/* Takes NOTIFY_SOCKET out of the environment. */
void notify_init(void);
void notify(const char *text);

/* --- reload.c --- */

void reload(struct supervisor *supervisor);
/* All processes of the newest generation are ready. */
void reload_finish(struct supervisor *supervisor);
void reload_give_up(struct supervisor *supervisor);
/* Writes the configuration in force to where children read it: they must not see a file that is
 * being edited. */
int config_write_active(const struct config *config, const char *path);

/* --- main.c --- */

struct supervisor {
    uv_loop_t loop;
    const char *config_path; /* of -c */
    char *active_path;
    char *program_directory;          /* chapard's own */
    struct config *config, *previous; /* previous: while a reload is under way */
    struct shared shared;
    struct systemd_sockets systemd;
    struct listener_list listeners;
    struct child_list children;
    struct admin *admin;
    struct freeze *freeze;
    uint32_t accepted, newest;
    uint64_t started_us;
    uv_signal_t signals[3];
    uv_timer_t stop_timer;
    bool ready, stopping, reload_again;
    bool owns_data; /* no other chapard runs on it */
    int exit_status;
};

/* A child is ready, has gone for good, or keeps failing before its generation was accepted. */
void supervisor_child_ready(struct supervisor *supervisor);
void supervisor_child_gone(struct supervisor *supervisor);
void supervisor_child_fails(struct supervisor *supervisor);
void supervisor_stop(struct supervisor *supervisor, int exit_status);
void supervisor_set_log(const struct config *config);

#endif
