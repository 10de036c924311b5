#include "front/auth/auth_priv.h"

#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

/* Which channel may send which message is ipc/messages.def's; this is only who handles it. */
static const struct {
    enum ipc_type type;
    int (*handle)(struct peer *peer, struct ipc_reader *reader);
} handlers[] = {
    {IPC_AUTH_BEGIN, request_begin},
    {IPC_AUTH_RESPONSE, request_response},
    {IPC_AUTH_CANCEL, request_cancel},
    {IPC_TICKET_REDEEM, redeem},
    {IPC_ADMIN_PASSWORD_SET, admin_password_set},
    {IPC_ADMIN_PASSWORD_DELETE, admin_password_delete},
    {IPC_ADMIN_PASSWORD_RENAME, admin_password_rename},
    {IPC_ADMIN_PASSWORD_CLOSE, admin_password_close},
};

static int handle(struct peer *peer, const struct ipc_message *message)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].type != message->type)
            continue;
        struct ipc_reader reader;
        ipc_reader_init(&reader, message->body);
        return handlers[i].handle(peer, &reader);
    }
    return ERROR_PROTOCOL;
}

/* The channel wipes each body, passwords and tickets with it. */
static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    (void)channel;
    return handle(arg, message);
}

static void peer_free(struct peer *peer)
{
    struct auth *auth = peer->auth;
    requests_abandon(peer);
    admin_abandon(peer);
    auth->admin_connections -= peer->kind == IPC_CHANNEL_ADMIN;
    TAILQ_REMOVE(&auth->peers, peer, entry);
    ipc_channel_free(&peer->channel);
    free(peer);
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct peer *peer = arg;
    (void)channel;
    if (error != ERROR_CLOSED)
        log_warning("peer_ended", LOG_NUMBER("channel", peer->kind),
                    LOG_TEXT("reason", error_name(error)));
    if (peer->kind != IPC_CHANNEL_ADMIN && peer->auth->peer_lost)
        peer->auth->peer_lost(peer->kind, peer->slot, error, peer->auth->peer_lost_arg);
    peer_free(peer);
}

void peer_send(struct peer *peer, enum ipc_type type, const struct buffer *body)
{
    int error = ipc_channel_send(peer->channel, type, body, NULL, 0);
    if (error)
        log_warning("send_failed", LOG_NUMBER("message", type),
                    LOG_TEXT("reason", error_name(error)));
}

void peers_add(struct auth *auth, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    bool admin = kind == IPC_CHANNEL_ADMIN;
    bool served = kind == IPC_CHANNEL_LOGIN_AUTH || kind == IPC_CHANNEL_SESSION_AUTH ||
                  (admin && auth->admin_connections < AUTH_ADMIN_MAXIMUM);
    struct peer *peer = served ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        close(socket);
        return;
    }
    peer->auth = auth;
    peer->kind = kind;
    peer->slot = slot;
    struct ipc_channel_options options = {
        .kind = kind,
        .asking = false,
        .state = IPC_STATE_RUNNING,
        .received = received,
        .closed = closed,
        .arg = peer,
        .idle_seconds = admin ? CHANNEL_ADMIN_TIME : 0,
    };
    int error = ipc_channel_create(auth->loop, socket, &options, &peer->channel);
    if (error) {
        log_error("peer_failed", LOG_TEXT("reason", error_name(error)));
        close(socket);
        free(peer);
        return;
    }
    auth->admin_connections += admin;
    TAILQ_INSERT_TAIL(&auth->peers, peer, entry);
}

int auth_init(struct auth *auth, uv_loop_t *loop, const char *default_domain, uint64_t cache_time)
{
    *auth = (struct auth){.loop = loop, .default_domain = default_domain};
    TAILQ_INIT(&auth->peers);
    jobs_init(&auth->jobs, loop);
    uv_timer_init(loop, &auth->drain_timer);
    int error = cache_create(cache_time, &auth->cache);
    if (!error)
        error = tickets_create(&auth->tickets);
    return error;
}

void auth_release(struct auth *auth)
{
    while (!TAILQ_EMPTY(&auth->peers))
        peer_free(TAILQ_FIRST(&auth->peers));
    tickets_free(&auth->tickets);
    cache_free(&auth->cache);
    uv_close((uv_handle_t *)&auth->drain_timer, NULL);
}

/* --- draining --- */

static void finish(struct auth *auth)
{
    void (*drained)(void *) = auth->drained;
    auth->drained = NULL;
    uv_timer_stop(&auth->drain_timer);
    if (drained)
        drained(auth->drained_arg);
}

static void out_of_time(uv_timer_t *timer)
{
    finish(timer->data);
}

void auth_job_done(struct auth *auth)
{
    if (auth->draining && jobs_idle(&auth->jobs))
        finish(auth);
}

void auth_drain(struct auth *auth, uint32_t seconds, void (*drained)(void *arg), void *arg)
{
    auth->draining = true;
    auth->drained = drained;
    auth->drained_arg = arg;
    auth->drain_timer.data = auth;
    if (jobs_idle(&auth->jobs))
        finish(auth);
    else if (seconds != UINT32_MAX)
        uv_timer_start(&auth->drain_timer, out_of_time, seconds * UINT64_C(1000), 0);
}
