/*
 * A login's request.
 *
 *   AUTH_BEGIN --no response yet--> EXCHANGE --AUTH_RESPONSE--+
 *       |                              ^-- AUTH_CHALLENGE     |
 *       +--------------------> check <-----------------------+
 *                                |-- remembered: granted at once
 *                                +-- QUEUED (jobs.c) -- done --> AUTH_GRANTED or AUTH_REFUSED
 *
 * AUTH_CANCEL and the peer's end: an EXCHANGE or QUEUED request is gone at once; one whose job
 * runs loses its peer and is freed when the job is done. The peer's tree holds a request exactly
 * as long as request->peer is set.
 */
#include "front/auth/auth_priv.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "format/login_name.h"
#include "proto/sasl/plain.h"

#include <search.h>
#include <sodium.h>
#include <stdlib.h>

struct request {
    uint64_t id;
    struct job job;
    struct auth *auth;
    struct peer *peer; /* NULL: nobody waits */
    bool exchange;     /* waits for the client's response */
    bool tls;
    char client[AUTH_CLIENT_MAXIMUM + 1];
    struct ticket_facts facts; /* name is empty when what was given is no login name */
    struct buffer password;
    uint64_t generation;
    int error;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct request *)a)->id, right = ((const struct request *)b)->id;
    return (left > right) - (left < right);
}

void secret_release(struct buffer *secret)
{
    if (secret->data)
        sodium_memzero(secret->data, secret->capacity);
    buffer_release(secret);
}

static struct request *find(struct peer *peer, uint64_t id)
{
    struct request key = {.id = id};
    void *node = tfind(&key, &peer->requests, compare);
    return node ? *(struct request **)node : NULL;
}

static void request_free(struct request *request)
{
    if (request->peer)
        tdelete(request, &request->peer->requests, compare);
    request->auth->requests--;
    secret_release(&request->password);
    free(request);
}

/* Nobody waits any more. The peer's tree is the caller's to mend. */
static void abandon(struct request *request)
{
    request->peer = NULL;
    if (request->exchange || jobs_cancel(&request->job))
        request_free(request);
}

static void abandon_node(void *node)
{
    abandon(node);
}

void requests_abandon(struct peer *peer)
{
    tdestroy(peer->requests, abandon_node);
    peer->requests = NULL;
}

/* --- answers --- */

static void send_refused(struct peer *peer, uint64_t id, int error)
{
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u64(&body, id);
    ipc_put_u32(&body, (uint32_t)-error);
    peer_send(peer, IPC_AUTH_REFUSED, &body);
    buffer_release(&body);
}

static const char *protocol_name(uint8_t protocol)
{
    return protocol == PROTOCOL_IMAP ? "imap" : protocol == PROTOCOL_POP3 ? "pop3" : "unknown";
}

static void refuse(struct request *request, int error)
{
    if (error == ERROR_DENIED)
        counters_add(COUNTER_AUTH_FAILURES, 1);
    log_info("auth_refused", LOG_TEXT("name", request->facts.name),
             LOG_TEXT("client", request->client),
             LOG_TEXT("protocol", protocol_name(request->facts.protocol)),
             LOG_TEXT("reason", error_name(error)));
    if (request->peer)
        send_refused(request->peer, request->id, error);
    request_free(request);
}

/* Accounts' ids are random, but that is not this process's to know. The key is fixed, so that an
 * account's worker stays the same when this process is restarted. */
static uint64_t route_of(const uint8_t account[16])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t route;
    crypto_shorthash(hash, account, 16, key);
    memcpy(&route, hash, sizeof route);
    return route;
}

static void send_granted(struct request *request, const uint8_t ticket[TICKET_SIZE])
{
    struct buffer body;
    buffer_init(&body, 512);
    ipc_put_u64(&body, request->id);
    buffer_append(&body, slice_make(ticket, TICKET_SIZE));
    ipc_put_u64(&body, route_of(request->facts.account));
    ipc_put_bytes(&body, slice_from_string(request->facts.name));
    peer_send(request->peer, IPC_AUTH_GRANTED, &body);
    secret_release(&body);
}

static void grant(struct request *request, bool remembered)
{
    uint8_t ticket[TICKET_SIZE];
    int error = request->peer ? tickets_issue(request->auth->tickets, &request->facts,
                                              clock_monotonic_us(), ticket)
                              : ERROR_CLOSED;
    if (error) {
        refuse(request, error);
        return;
    }
    counters_add(COUNTER_AUTH_SUCCESSES, 1);
    counters_add(COUNTER_AUTH_REMEMBERED, remembered);
    log_info("auth_granted", LOG_TEXT("name", request->facts.name),
             LOG_TEXT("client", request->client),
             LOG_TEXT("protocol", protocol_name(request->facts.protocol)),
             LOG_NUMBER("tls", request->tls), LOG_NUMBER("remembered", remembered));
    send_granted(request, ticket);
    sodium_memzero(ticket, sizeof ticket);
    request_free(request);
}

/* --- the check --- */

static struct request *request_of(struct job *job)
{
    return (struct request *)((char *)job - offsetof(struct request, job));
}

/* Pool thread. */
static void verify(struct job *job)
{
    struct request *request = request_of(job);
    request->error =
        credentials_verify(request->auth->credentials, slice_from_string(request->facts.name),
                           buffer_slice(&request->password), request->facts.account);
}

static void verified(struct job *job)
{
    struct request *request = request_of(job);
    struct auth *auth = request->auth;
    if (request->error) {
        refuse(request, request->error);
    } else {
        cache_remember(auth->cache, slice_from_string(request->facts.name),
                       buffer_slice(&request->password), request->facts.account,
                       request->generation, clock_monotonic_us());
        grant(request, false);
    }
    auth_job_done(auth);
}

/* Sets facts.name and password. A name that is no address stays empty: it is verified, and
 * refused, like one that nobody has. */
static int take_plain(struct request *request, struct slice response)
{
    struct sasl_plain plain;
    int error = sasl_plain_parse(response, &plain);
    if (error)
        return error;
    const char *domain = request->auth->default_domain;
    struct buffer name, other;
    buffer_init(&name, CREDENTIALS_NAME_MAXIMUM);
    buffer_init(&other, CREDENTIALS_NAME_MAXIMUM);
    if (address_normalise(plain.authentication, domain, &name) == 0)
        memcpy(request->facts.name, name.data, name.size + 1);
    /* Nobody may act for somebody else yet. */
    if (plain.authorization.size && (address_normalise(plain.authorization, domain, &other) ||
                                     !slice_equal(buffer_slice(&name), buffer_slice(&other))))
        error = ERROR_DENIED;
    buffer_release(&name);
    buffer_release(&other);
    return error ? error : buffer_append(&request->password, plain.password);
}

static void check(struct request *request, struct slice response)
{
    struct auth *auth = request->auth;
    request->exchange = false;
    int error = auth->draining ? ERROR_CLOSED : take_plain(request, response);
    if (error) {
        refuse(request, error);
        return;
    }
    if (cache_find(auth->cache, slice_from_string(request->facts.name),
                   buffer_slice(&request->password), clock_monotonic_us(),
                   request->facts.account)) {
        grant(request, true);
        return;
    }
    request->generation = cache_generation(auth->cache);
    error = jobs_submit(&auth->jobs, &request->job);
    if (error)
        refuse(request, error);
}

/* PLAIN's challenge is empty: the client was only asked to begin. */
static void challenge(struct request *request)
{
    struct buffer body;
    buffer_init(&body, 64);
    request->exchange = true;
    ipc_put_u64(&body, request->id);
    ipc_put_bytes(&body, SLICE(""));
    peer_send(request->peer, IPC_AUTH_CHALLENGE, &body);
    buffer_release(&body);
}

/* --- messages --- */

/* An id that is in use is the peer's mistake. */
static int open_request(struct peer *peer, uint64_t id, struct request **opened)
{
    if (find(peer, id))
        return ERROR_PROTOCOL;
    if (peer->auth->requests == AUTH_REQUESTS_MAXIMUM)
        return ERROR_BUSY;
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return ERROR_MEMORY;
    request->id = id;
    if (!tsearch(request, &peer->requests, compare)) {
        free(request);
        return ERROR_MEMORY;
    }
    request->peer = peer;
    request->auth = peer->auth;
    request->job.work = verify;
    request->job.done = verified;
    buffer_init(&request->password, SASL_PASSWORD_MAXIMUM);
    peer->auth->requests++;
    *opened = request;
    return 0;
}

int request_begin(struct peer *peer, struct ipc_reader *reader)
{
    uint64_t id = ipc_get_u64(reader);
    uint8_t protocol = ipc_get_u8(reader);
    bool tls = ipc_get_u8(reader);
    struct slice client = ipc_get_bytes(reader, AUTH_CLIENT_MAXIMUM);
    struct slice mechanism = ipc_get_bytes(reader, AUTH_MECHANISM_MAXIMUM);
    bool has_response = ipc_get_u8(reader);
    struct slice response = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    struct request *request;
    int error = open_request(peer, id, &request);
    if (error == ERROR_PROTOCOL)
        return error;
    if (error) {
        send_refused(peer, id, error);
        return 0;
    }
    request->facts.protocol = protocol;
    request->tls = tls;
    if (client.size)
        memcpy(request->client, client.data, client.size);
    if (!slice_equal_nocase(mechanism, SLICE("PLAIN")))
        refuse(request, ERROR_UNSUPPORTED);
    else if (has_response)
        check(request, response);
    else
        challenge(request);
    return 0;
}

int request_response(struct peer *peer, struct ipc_reader *reader)
{
    uint64_t id = ipc_get_u64(reader);
    struct slice response = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    struct request *request = find(peer, id);
    if (!request || !request->exchange)
        return ERROR_PROTOCOL;
    check(request, response);
    return 0;
}

/* One that was answered meanwhile is unknown here: the messages crossed. */
int request_cancel(struct peer *peer, struct ipc_reader *reader)
{
    struct request *request = find(peer, ipc_get_u64(reader));
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    if (!request)
        return 0;
    tdelete(request, &peer->requests, compare);
    abandon(request);
    return 0;
}
