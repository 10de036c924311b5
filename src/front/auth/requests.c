/*
 * A login's request.
 *
 *   AUTH_BEGIN --no response yet--> EXCHANGE --AUTH_RESPONSE--+
 *       |                              ^-- AUTH_CHALLENGE     |
 *       +----------> the mechanism's respond <----------------+
 *                      |-- more is to be said: AUTH_CHALLENGE, EXCHANGE (SCRAM, scram.c)
 *                      |-- remembered: granted at once (PLAIN)
 *                      +-- QUEUED (jobs.c) -- done --> AUTH_GRANTED or AUTH_REFUSED, or on
 *
 * AUTH_CANCEL and the peer's end: an EXCHANGE or QUEUED request is gone at once; one whose job
 * runs loses its peer and is freed when the job is done. The peer's tree holds a request exactly
 * as long as request->peer is set.
 */
#include "front/auth/request_priv.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "format/login_name.h"
#include "proto/sasl/plain.h"

#include <search.h>
#include <sodium.h>
#include <stdlib.h>

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
    scram_free(&request->scram);
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

void request_refuse(struct request *request, int error)
{
    if (error == ERROR_DENIED)
        counters_add(COUNTER_AUTH_FAILURES, 1);
    log_info("auth_refused", LOG_TEXT("name", request->facts.name),
             LOG_TEXT("client", request->client),
             LOG_TEXT("protocol", service_protocol_name(request->facts.protocol)),
             LOG_TEXT("reason", error_name(error)));
    if (request->peer)
        send_refused(request->peer, request->id, error);
    request_free(request);
}

/* Accounts' ids are random, but that is not this process's to know. The key is fixed, so that an
 * account's worker stays the same when this process is restarted. Where there is no account, any
 * worker will do. */
static uint64_t route_of(const struct request *request)
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t route;
    if (request->trusted)
        randombytes_buf(hash, sizeof hash);
    else
        crypto_shorthash(hash, request->facts.account, 16, key);
    memcpy(&route, hash, sizeof route);
    return route;
}

static void send_granted(struct request *request, const uint8_t ticket[TICKET_SIZE])
{
    struct buffer body;
    buffer_init(&body, 512);
    ipc_put_u64(&body, request->id);
    buffer_append(&body, slice_make(ticket, TICKET_SIZE));
    ipc_put_u64(&body, route_of(request));
    ipc_put_bytes(&body, slice_from_string(request->facts.name));
    peer_send(request->peer, IPC_AUTH_GRANTED, &body);
    secret_release(&body);
}

void request_grant(struct request *request, bool remembered)
{
    uint8_t ticket[TICKET_SIZE];
    if (!request_is_permitted(request)) {
        request_refuse(request, ERROR_DENIED);
        return;
    }
    int error = request->peer ? tickets_issue(request->auth->tickets, &request->facts,
                                              clock_monotonic_us(), ticket)
                              : ERROR_CLOSED;
    if (error) {
        request_refuse(request, error);
        return;
    }
    counters_add(COUNTER_AUTH_SUCCESSES, 1);
    counters_add(COUNTER_AUTH_REMEMBERED, remembered);
    log_info("auth_granted", LOG_TEXT("name", request->facts.name),
             LOG_TEXT("client", request->client),
             LOG_TEXT("protocol", service_protocol_name(request->facts.protocol)),
             LOG_NUMBER("tls", request->tls), LOG_NUMBER("remembered", remembered));
    send_granted(request, ticket);
    sodium_memzero(ticket, sizeof ticket);
    request_free(request);
}

void request_challenge(struct request *request, struct slice challenge)
{
    struct buffer body;
    if (!request->peer) {
        request_free(request);
        return;
    }
    buffer_init(&body, IPC_BODY_MAXIMUM);
    request->exchange = true;
    ipc_put_u64(&body, request->id);
    ipc_put_bytes(&body, challenge);
    peer_send(request->peer, IPC_AUTH_CHALLENGE, &body);
    buffer_release(&body);
}

struct request *request_of(struct job *job)
{
    return (struct request *)((char *)job - offsetof(struct request, job));
}

void request_submit(struct request *request, void (*work)(struct job *job),
                    void (*done)(struct job *job))
{
    request->job.work = work;
    request->job.done = done;
    int error = jobs_submit(&request->auth->jobs, &request->job);
    if (error)
        request_refuse(request, error);
}

int request_set_name(struct request *request, struct slice name, struct slice authorization)
{
    const char *domain = request->auth->default_domain;
    struct buffer own, other;
    int error = 0;
    buffer_init(&own, CREDENTIALS_NAME_MAXIMUM);
    buffer_init(&other, CREDENTIALS_NAME_MAXIMUM);
    if (address_normalise(name, domain, &own) == 0)
        memcpy(request->facts.name, own.data, own.size + 1);
    /* Nobody may act for somebody else yet. */
    if (authorization.size && (address_normalise(authorization, domain, &other) ||
                               !slice_equal(buffer_slice(&own), buffer_slice(&other))))
        error = ERROR_DENIED;
    buffer_release(&own);
    buffer_release(&other);
    return error;
}

/* --- PLAIN --- */

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
        request_refuse(request, request->error);
    } else {
        cache_remember(auth->cache, slice_from_string(request->facts.name),
                       buffer_slice(&request->password), request->facts.account,
                       request->generation, clock_monotonic_us());
        request_grant(request, false);
    }
    auth_job_done(auth);
}

static int take_plain(struct request *request, struct slice response)
{
    struct sasl_plain plain;
    int error = sasl_plain_parse(response, &plain);
    if (!error)
        error = request_set_name(request, plain.authentication, plain.authorization);
    return error ? error : buffer_append(&request->password, plain.password);
}

static void respond_plain(struct request *request, struct slice response)
{
    struct auth *auth = request->auth;
    int error = take_plain(request, response);
    if (error) {
        request_refuse(request, error);
        return;
    }
    if (cache_find(auth->cache, slice_from_string(request->facts.name),
                   buffer_slice(&request->password), clock_monotonic_us(),
                   request->facts.account)) {
        request_grant(request, true);
        return;
    }
    request->generation = cache_generation(auth->cache);
    request_submit(request, verify, verified);
}

/* --- mechanisms --- */

static const struct mechanism mechanisms[] = {
    {.name = "PLAIN", .respond = respond_plain},
    {.name = "SCRAM-SHA-256", .respond = scram_respond},
    {.name = "SCRAM-SHA-256-PLUS", .respond = scram_respond, .binds = true},
    {.name = "EXTERNAL", .respond = external_respond},
};

static const struct mechanism *find_mechanism(struct slice name)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
        if (slice_equal_nocase(name, slice_from_string(mechanisms[i].name)))
            return &mechanisms[i];
    return NULL;
}

static void respond(struct request *request, struct slice response)
{
    request->exchange = false;
    if (request->auth->draining)
        request_refuse(request, ERROR_CLOSED);
    else
        request->mechanism->respond(request, response);
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
    buffer_init(&request->password, SASL_PASSWORD_MAXIMUM);
    peer->auth->requests++;
    *opened = request;
    return 0;
}

static void set_binding(struct channel_binding *binding, struct slice bytes)
{
    binding->size = (uint8_t)bytes.size;
    if (bytes.size)
        memcpy(binding->bytes, bytes.data, bytes.size);
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
    struct slice bindings[BINDINGS];
    for (size_t i = 0; i < BINDINGS; i++)
        bindings[i] = ipc_get_bytes(reader, CHANNEL_BINDING_MAXIMUM);
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
    for (size_t i = 0; i < BINDINGS; i++)
        set_binding(&request->bindings[i], bindings[i]);
    request->mechanism = find_mechanism(mechanism);
    if (!request->mechanism)
        request_refuse(request, ERROR_UNSUPPORTED);
    else if (has_response)
        respond(request, response);
    else
        request_challenge(request, SLICE(""));
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
    respond(request, response);
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
