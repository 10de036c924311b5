/*
 * What every child of chapard does the same way: start, be set up, confine itself, run, drain.
 *
 *     int main(int count, char **arguments)
 *     {
 *         struct service *service;
 *         if (service_start(count, arguments, PROCESS_LOGIN, &handlers, &state, &service))
 *             return 1;
 *         ... open what is needed while it can be opened ...
 *         if (service_confine(service)) return 1;     // the last step; tells chapard READY
 *         return service_run(service);                // the loop, until drained
 *     }
 *
 * service_start reads the configuration (-c FILE), sets up the log, and receives from chapard on
 * descriptor 3 (the control channel) everything up to START: shared memory, listeners, channels to
 * peers. Signals: SIGPIPE and SIGXFSZ are ignored, as the call that fails says it as well; SIGTERM,
 * SIGINT and SIGHUP too (chapard speaks for them).
 * When chapard has gone, the process drains and ends.
 *
 * This part may log: only executables link it.
 */
#ifndef IPC_SERVICE_H
#define IPC_SERVICE_H

#include "base/config.h"
#include "ipc/channel.h"

/* The executables, in the order they are started. */
enum process_role {
    PROCESS_SUPERVISOR,
    PROCESS_AUTH,
    PROCESS_SESSION,
    PROCESS_LOGIN,
    PROCESS_SEND,
    PROCESS_ROLES
};
const char *process_role_name(enum process_role role); /* "chapard", "chapar-auth", ... */

/* Whether it works on stored data: such a process gets the notices, and changes only through the
 * gate. */
bool process_role_stores(enum process_role role);

/* Protocols of listeners and streams. */
enum service_protocol {
    PROTOCOL_IMAP = 1,
    PROTOCOL_IMAPS,
    PROTOCOL_LMTP,
    PROTOCOL_MTA,
    PROTOCOL_POP3,
    PROTOCOL_POP3S,
    PROTOCOL_MANAGESIEVE,
    PROTOCOL_LMTP_REMOTE, /* a listener's: what is behind the login is PROTOCOL_LMTP */
};
/* "imap", ... : of the enum, or "unknown" for another number. */
const char *service_protocol_name(unsigned protocol);

enum admin_service { ADMIN_SERVICE_SUPERVISOR = 1, ADMIN_SERVICE_SESSION, ADMIN_SERVICE_AUTH };

enum {
    TICKET_SIZE = 32,
    STREAM_BACK_INPUT_MAXIMUM = 4096, /* bytes read already of a stream that is given back */
    CHANNEL_BINDING_MAXIMUM = 64,     /* bytes that a TLS connection is known by */
    SEND_UNDER_WAY_MAXIMUM = 16,      /* messages of one chapar-session with chapar-send */
    SERVICE_LISTENERS_MAXIMUM = 64,
    SERVICE_SLOTS = 128, /* processes at a time; kv/notice_ring.h's NOTICE_SLOTS */
};

struct service;

struct service_listener {
    enum service_protocol protocol;
    char address[300]; /* as configured */
    int socket;        /* listening, non-blocking; owned by the service until taken (set -1) */
};

struct service_handlers {
    /* A channel to a peer process: those of the set-up come first thing in service_run, later ones
     * when a peer was restarted or the server reloaded. Takes the socket. */
    void (*peer)(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket);
    /* An admin connection, its peer checked by chapard. Takes the socket. NULL: not served. */
    void (*admin)(struct service *service, uint32_t uid, int socket);
    /* Take nothing new; when done call service_stop. seconds: UINT32_MAX: no hurry. May come again
     * with less time. */
    void (*drain)(struct service *service, uint32_t seconds);
};

int service_start(int count, char **arguments, enum process_role role,
                  const struct service_handlers *handlers, void *state, struct service **service);

/* Lets the process connect to these TCP ports once it is confined. ERROR_LIMIT: too many ranges. */
int service_allow_ports(struct service *service, unsigned first, unsigned last);

/* Confines the process (ipc/confine.h) and reports READY. Nothing can be opened afterwards but
 * what the role's row permits. */
int service_confine(struct service *service);

/* Runs the loop until service_stop. Returns the process's exit status. Frees the service; handles
 * still in the loop must not be touched afterwards. */
int service_run(struct service *service);
void service_stop(struct service *service);

/* To be told when a peer's channel has closed, with the error that it closed with. Unless the peer
 * has just gone (ERROR_CLOSED), chapard is asked to replace one of the two (PEER_LOST): else both
 * would live on without a channel. For the loop's thread. */
void service_peer_lost(struct service *service, enum ipc_channel_kind kind, uint32_t slot,
                       int error);

uv_loop_t *service_loop(struct service *service);
const struct config *service_config(const struct service *service);
void *service_state(struct service *service);
uint32_t service_slot(const struct service *service);
struct service_listener *service_listeners(struct service *service, size_t *count);

/* The notices ring's memory and SERVICE_SLOTS wake descriptors as received, for
 * kv/notice_ring.h; -1 and all -1 in a process that has no use for notices (process_role_stores).
 */
int service_notices(const struct service *service, const int **wake);

/* Paths as this process sees them after confinement: the mail root, the credentials' root
 * ("/" when chrooted). Valid before confinement only for opening by descriptor. */
const char *service_root(const struct service *service);

/* --- crash notes: what a process is serving, for the log line after it died --- */

enum {
    CRASH_NOTE_MAXIMUM = 128, /* bytes, the NUL's included */
    CRASH_NOTES = 80,         /* threads of a process; a thread beyond is not noted */
    /* Where the notes of the next slot begin. A process maps its own only; so this is the largest
     * page any Linux machine has. */
    CRASH_NOTE_STRIDE = 65536
};

/* Notes what this thread serves now ("imap alice@example.test FETCH"); NULL: nothing. Shared
 * memory, no system call. No secrets. */
void service_note(struct service *service, const char *text);

#endif
