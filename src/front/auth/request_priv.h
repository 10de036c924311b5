/*
 * A login's request: what requests.c and the mechanisms share. States: requests.c.
 *
 *   requests.c  messages, answers, PLAIN
 *   scram.c     SCRAM-SHA-256 and SCRAM-SHA-256-PLUS
 *   deliver.c   EXTERNAL: mail servers that need not log in
 */
#ifndef FRONT_AUTH_REQUEST_PRIV_H
#define FRONT_AUTH_REQUEST_PRIV_H

#include "front/auth/auth_priv.h"

struct request;
struct scram_exchange;

struct mechanism {
    const char *name;
    bool binds; /* to the TLS connection */
    /* Takes the client's response. It challenges, refuses, grants or submits a job. */
    void (*respond)(struct request *request, struct slice response);
};

/* What the TLS connection is known by at both ends (RFC 5056); size 0: not known. */
struct channel_binding {
    uint8_t bytes[CHANNEL_BINDING_MAXIMUM];
    uint8_t size;
};

enum { BINDING_EXPORTER, BINDING_UNIQUE, BINDING_END_POINT, BINDINGS };

struct request {
    uint64_t id;
    struct job job;
    struct auth *auth;
    struct peer *peer; /* NULL: nobody waits */
    const struct mechanism *mechanism;
    bool exchange; /* waits for the client's response */
    bool tls;
    bool trusted; /* by its address: nobody logs in */
    char client[AUTH_CLIENT_MAXIMUM + 1];
    struct ticket_facts facts; /* name is empty when what was given is no login name */
    struct buffer password;    /* of PLAIN */
    uint64_t generation;
    struct channel_binding bindings[BINDINGS];
    struct scram_exchange *scram; /* owned; NULL: another mechanism, or not begun */
    int error;
};

/* Each answers and frees the request. What is to be granted is refused to who is not permitted. */
void request_refuse(struct request *request, int error);
void request_grant(struct request *request, bool remembered);

/* Asks the client for a response. One that nobody waits for is freed. */
void request_challenge(struct request *request, struct slice challenge);

/* Sets facts.name. A name that is no address stays empty: it is checked, and refused, like one that
 * nobody has. ERROR_DENIED: it is not who is to be acted for (empty: the same). */
int request_set_name(struct request *request, struct slice name, struct slice authorization);

/* Work in the pool, and what comes after it in the loop, which ends with auth_job_done. When there
 * is no room the request is refused. */
void request_submit(struct request *request, void (*work)(struct job *job),
                    void (*done)(struct job *job));
struct request *request_of(struct job *job);

/* --- deliver.c --- */

/* Whether who this is may use the protocol: with LMTP, only some may. Logs a no. */
bool request_is_permitted(const struct request *request);

/* For LMTP only: grants over TLS to an address of lmtp_trusted. */
void external_respond(struct request *request, struct slice response);

/* --- scram.c --- */

void scram_respond(struct request *request, struct slice response);

/* Wipes and frees. */
void scram_free(struct scram_exchange **exchange);

#endif
