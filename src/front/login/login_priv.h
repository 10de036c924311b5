/*
 * chapar-login: what its files share.
 *
 *   listener.c    accepts, within login_connections
 *   clients.c     counts each client's connections before login
 *   connection.c  one client before it is logged in
 *   peers.c       asks chapar-auth, hands streams to chapar-session
 *   pump.c        after login over TLS: encrypts and decrypts for the session; and every farewell
 *   tls.c         OpenSSL
 *   login.c       what holds them together: start, counting, draining
 *
 * Everything runs in the loop's thread.
 */
#ifndef FRONT_LOGIN_LOGIN_PRIV_H
#define FRONT_LOGIN_LOGIN_PRIV_H

#include "format/language.h"
#include "front/login/tls_priv.h"
#include "ipc/service.h"

#include <sys/queue.h>

enum {
    CONNECTION_MEMORY_MAXIMUM = 64 * 1024, /* bytes before login, OpenSSL's own not counted */
    CONNECTION_READ_MAXIMUM = 4096,        /* bytes read at once, and left over at most */
    CONNECTION_STEPS_AT_ONCE = 16,         /* reads, writes before other connections get a turn */
    LOGIN_SESSIONS_MAXIMUM = 256,          /* chapar-session processes, ending ones included */
    LOGIN_QUEUE_MAXIMUM = 256 * 1024, /* bytes a peer has not read, until clients are refused */
    LOGIN_FAREWELL_TIME = 5,          /* seconds a client has to take the last lines */
    LOGIN_LINGER_TIME = 2,            /* seconds until its side is closed too */
};

struct client;
struct login_exchange; /* proto/sasl/login.h */
struct login_protocol; /* engine_priv.h */
struct connection;
struct pump;
struct listener;

struct login_session {
    struct login *login;
    uint32_t slot;
    struct ipc_channel *channel;
};

struct login {
    uv_loop_t *loop;
    const struct config *config; /* not owned */
    SSL_CTX *tls;                /* owned; NULL: no certificate is configured */
    TAILQ_HEAD(listener_list, listener) listeners;
    TAILQ_HEAD(connection_list, connection) connections;
    TAILQ_HEAD(pump_list, pump) pumps;
    size_t open;              /* connections and pumps */
    void *clients;            /* tsearch tree of who has connections, by network */
    uint64_t refused_logged;  /* when a refusal was last logged, clock_monotonic_us */
    struct ipc_channel *auth; /* NULL: chapar-auth is away */
    void *requests;           /* tsearch tree of the connections that asked it, by request */
    uint64_t last_request;
    struct login_session *sessions[LOGIN_SESSIONS_MAXIMUM]; /* the living, in no order */
    size_t session_count;
    uv_timer_t drain_timer;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    /* A peer's channel has closed with that error. Set by who made the login; NULL: nobody asks. */
    void (*peer_lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg);
    void *peer_lost_arg;
    uint32_t auth_slot;
    char scratch[TLS_RECORD_MAXIMUM]; /* what is read passes through here; never kept */
};

/* --- login.c --- */

void login_init(struct login *login, uv_loop_t *loop, const struct config *config, SSL_CTX *tls);

/* Closes everything at once. The memory may go when the loop has run the handles' callbacks. */
void login_release(struct login *login);

/* Takes nothing new, says goodbye to who has not logged in, pumps on for those who have; calls
 * drained when the last is gone, or after `seconds` (UINT32_MAX: no limit). May be called again
 * with less time. */
void login_drain(struct login *login, uint32_t seconds, void (*drained)(void *arg), void *arg);

/* One connection or pump more, one less. */
void login_opened(struct login *login);
void login_closed(struct login *login);

/* --- listener.c --- */

/* Accepts from the listening socket, which it takes over. ERROR_MEMORY, ERROR_INVALID: of the
 * protocol too, when chapar-login does not speak it. */
int listener_create(struct login *login, int socket, enum service_protocol protocol);

/* Closes all. */
void listeners_close(struct login *login);

/* A stream that somebody was logged in on, and is not any more. */
struct returned {
    const char *tls;    /* as transport_describe has it; "": none */
    struct slice input; /* at most STREAM_BACK_INPUT_MAXIMUM bytes */
};

/* A new connection, or one that has been given back (NULL: it has not): within the limits it is
 * served, beyond one told so and closed. Takes the socket. */
void listener_accepted(struct login *login, int socket, const struct login_protocol *protocol,
                       const char *client, const struct returned *returned);

/* --- clients.c --- */

/* One more connection of this client (a numeric address). NULL: it has as many as it may, or there
 * is no memory. */
struct client *clients_enter(struct login *login, const char *address);
/* One less: it has ended, or is logged in. */
void clients_leave(struct login *login, struct client *client);

/* --- connection.c --- */

/* Serves a client until it is logged in or gone, and then leaves `counted`. Takes the socket. One
 * that was given back is not greeted. */
void connection_create(struct login *login, int socket, const struct login_protocol *protocol,
                       const char *client, struct client *counted, const struct returned *returned);

/* chapar-auth's answers to connection's request. */
void connection_challenged(struct connection *connection, struct slice challenge);
void connection_granted(struct connection *connection, const uint8_t ticket[TICKET_SIZE],
                        uint64_t route, struct slice name);
void connection_refused(struct connection *connection, int error);

/* "* BYE [UNAVAILABLE] text", and the end. */
void connection_dismiss(struct connection *connection, const char *text);

/* Ends it without a word. */
void connection_destroy(struct connection *connection);

/* --- pump.c --- */

/* Carries bytes between client and session until both sides have ended. Takes transport and
 * session socket. `pending` is sent to the client first. session -1: it has ended already, so
 * this is the farewell: pending is sent, and what the client still sends is read and dropped, so
 * that it is not reset before it has read. */
void pump_create(struct login *login, const struct transport *client, int session,
                 struct slice pending);
void pump_destroy(struct pump *pump);

/* --- peers.c --- */

/* A channel to a peer. Takes the socket; a new one to the same peer replaces the old. */
void peers_add(struct login *login, enum ipc_channel_kind kind, uint32_t slot, int socket);
void peers_release(struct login *login);

/* One question to chapar-auth. */
struct question {
    struct connection *connection;
    uint64_t id; /* 0: none is open. An open one goes on with AUTH_RESPONSE. */
};

/* Asks; the answer comes by connection_challenged, _granted or _refused, unless question_close
 * is called. ERROR_CLOSED: chapar-auth is away, or has been away since the question was begun;
 * ERROR_BUSY: it has more to read than LOGIN_QUEUE_MAXIMUM. */
struct question_facts {
    enum service_protocol protocol;
    bool tls;
    const char *client;
    struct transport_bindings bindings;
};
int question_begin(struct login *login, struct question *question,
                   const struct question_facts *facts, const struct login_exchange *exchange);
int question_go_on(struct login *login, struct question *question, struct slice response);
void question_close(struct login *login, struct question *question);

/* Hands a stream to the session its account is routed to, or to the next when that one takes no
 * more (it is draining). The descriptor stays the caller's. ERROR_CLOSED: no chapar-session lives;
 * ERROR_BUSY: it has more to read than LOGIN_QUEUE_MAXIMUM.
 */
struct handover {
    enum service_protocol protocol;
    const uint8_t *ticket;
    uint64_t route;
    const char *client, *tls;
    struct slice tag, input;
    enum language language;
    int stream;
};
int peers_hand_over(struct login *login, const struct handover *handover);

#endif
