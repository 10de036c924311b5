/*
 * chapar-auth: what its files share.
 *
 *   peers.c     channels: who may ask, the table of requests
 *   requests.c  a login's request: SASL exchange, remembered password, Argon2id, ticket
 *   scram.c     SCRAM's part of it (request_priv.h)
 *   deliver.c   who may deliver by LMTP
 *   redeem.c    a session redeems a ticket
 *   admin.c     an administrator sets or deletes a password
 *   jobs.c      slow work in the thread pool
 *   tickets.c, cache.c  what is kept in memory
 */
#ifndef FRONT_AUTH_AUTH_PRIV_H
#define FRONT_AUTH_AUTH_PRIV_H

#include "base/config.h"
#include "credentials/credentials.h"
#include "front/auth/cache_priv.h"
#include "front/auth/jobs_priv.h"
#include "front/auth/tickets_priv.h"

enum {
    AUTH_REQUESTS_MAXIMUM = 65536, /* open at once, SASL exchanges that wait for the client too */
    AUTH_ADMIN_MAXIMUM = 16,       /* admin connections at once */
    AUTH_MECHANISM_MAXIMUM = 32,   /* bytes of a mechanism's name */
    AUTH_CLIENT_MAXIMUM = 64,      /* bytes of a client's address */
};

struct auth {
    uv_loop_t *loop;
    const char *default_domain; /* not owned */
    /* Who may deliver. Set by who made the auth; not owned. */
    struct config_list lmtp_accounts, lmtp_trusted;
    struct credentials *credentials;
    struct cache *cache;
    struct tickets *tickets;
    struct jobs jobs;
    TAILQ_HEAD(peers, peer) peers;
    size_t requests;          /* open */
    size_t admin_connections; /* open */
    uv_timer_t drain_timer;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    /* A peer's channel has closed with that error. Set by who made the auth; NULL: nobody asks. */
    void (*peer_lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg);
    void *peer_lost_arg;
};

/* A process that asks. */
struct peer {
    struct auth *auth;
    struct ipc_channel *channel;
    enum ipc_channel_kind kind;
    uint32_t slot;               /* of its process; 0: an administrator's */
    void *requests;              /* tsearch tree of the login's requests by id */
    struct admin_request *admin; /* the one under way */
    TAILQ_ENTRY(peer) entry;
};

/* --- peers.c --- */

/* credentials is set by the caller before the first message is read, and not owned. ERROR_MEMORY:
 * release all the same. */
int auth_init(struct auth *auth, uv_loop_t *loop, const char *default_domain, uint64_t cache_time);

/* Ends every channel. */
void auth_release(struct auth *auth);

/* A channel to serve: of the process of that slot, or (slot 0) an administrator's. Takes the
 * socket. */
void peers_add(struct auth *auth, enum ipc_channel_kind kind, uint32_t slot, int socket);

/* Calls drained when no work is under way, after `seconds` at the latest (UINT32_MAX: no limit);
 * new logins are refused with ERROR_CLOSED from now on. */
void auth_drain(struct auth *auth, uint32_t seconds, void (*drained)(void *arg), void *arg);

/* To be called when a job is done. */
void auth_job_done(struct auth *auth);

/* Sends; a channel that fails is ended by its own closed call. */
void peer_send(struct peer *peer, enum ipc_type type, const struct buffer *body);

/* --- handlers of messages: 0, or ERROR_PROTOCOL, which ends the peer --- */
int request_begin(struct peer *peer, struct ipc_reader *reader);
int request_response(struct peer *peer, struct ipc_reader *reader);
int request_cancel(struct peer *peer, struct ipc_reader *reader);
int redeem(struct peer *peer, struct ipc_reader *reader);
int admin_password_set(struct peer *peer, struct ipc_reader *reader);
int admin_password_delete(struct peer *peer, struct ipc_reader *reader);
int admin_password_rename(struct peer *peer, struct ipc_reader *reader);
int admin_password_close(struct peer *peer, struct ipc_reader *reader);

/* The peer has gone: nobody waits for its requests any more. */
void requests_abandon(struct peer *peer);
void admin_abandon(struct peer *peer);

/* Wipes and frees. */
void secret_release(struct buffer *secret);

#endif
