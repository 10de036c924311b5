/*
 * The admin socket: chapard checks who is there (SO_PEERCRED), answers what is asked of itself, and
 * passes other connections on. Only root and chapard's own user get past the check, so what is
 * read here does not come from strangers.
 */
#include "base/error.h"
#include "base/log.h"
#include "supervisor/supervisor_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS_PIECE = 32 * 1024 };

struct connection {
    TAILQ_ENTRY(connection) link;
    struct admin *admin;
    struct ipc_channel *channel;
    struct ucred peer;
};

struct admin {
    struct supervisor *supervisor;
    uv_poll_t poll;
    int socket;
    TAILQ_HEAD(connection_list, connection) connections;
    size_t count;
};

static void free_connection(struct connection *connection)
{
    struct admin *admin = connection->admin;
    freeze_forget(admin->supervisor->freeze, connection);
    ipc_channel_free(&connection->channel);
    TAILQ_REMOVE(&admin->connections, connection, link);
    admin->count--;
    free(connection);
}

static int answer(struct ipc_channel *channel, int error, const char *text)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u32(&body, (uint32_t)-error);
    ipc_put_bytes(&body, slice_from_string(text));
    int result = ipc_channel_send(channel, IPC_ADMIN_RESULT, &body, NULL, 0);
    buffer_release(&body);
    return result;
}

/* One that has closed its control channel is still ready until its end is known. */
static struct child *ready_child(struct supervisor *supervisor, enum process_role role)
{
    struct child *child;
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link))
        if (child->role == role && child->state == CHILD_READY && child->control)
            return child;
    return NULL;
}

static int pass_on(struct connection *connection, enum process_role role)
{
    struct child *child = ready_child(connection->admin->supervisor, role);
    if (!child)
        return answer(connection->channel, ERROR_BUSY, "The process is not running at the moment");
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u32(&body, connection->peer.uid);
    ipc_put_u32(&body, (uint32_t)connection->peer.pid);
    int socket = ipc_channel_detach(&connection->channel);
    ipc_channel_send(child->control, IPC_ADMIN, &body, &socket, 1);
    close(socket);
    buffer_release(&body);
    free_connection(connection);
    return 0;
}

static int handle_open(struct connection *connection, struct ipc_message *message)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    switch (ipc_get_u8(&reader)) {
    case ADMIN_SERVICE_SUPERVISOR:
        ipc_channel_set_state(connection->channel, IPC_STATE_RUNNING);
        return 0;
    case ADMIN_SERVICE_SESSION:
        return pass_on(connection, PROCESS_SESSION);
    case ADMIN_SERVICE_AUTH:
        return pass_on(connection, PROCESS_AUTH);
    default:
        return answer(connection->channel, ERROR_NOT_FOUND, "There is no such service");
    }
}

static int send_status(struct connection *connection)
{
    struct buffer json, body;
    buffer_init(&json, STATUS_MAXIMUM);
    buffer_init(&body, IPC_BODY_MAXIMUM);
    status_write(connection->admin->supervisor, &json);
    int error = buffer_error(&json);
    for (size_t sent = 0; !error && sent < json.size; sent += STATUS_PIECE) {
        buffer_clear(&body);
        ipc_put_u8(&body, sent + STATUS_PIECE >= json.size);
        ipc_put_bytes(&body, slice_sub(buffer_slice(&json), sent, STATUS_PIECE));
        error = ipc_channel_send(connection->channel, IPC_ADMIN_STATUS_TEXT, &body, NULL, 0);
    }
    buffer_release(&json);
    buffer_release(&body);
    return error;
}

static void freeze_done(int error, void *arg)
{
    struct connection *connection = arg;
    answer(connection->channel, error, error ? "It did not come about in its time" : "");
}

static int handle_freeze(struct connection *connection, struct ipc_message *message)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    uint32_t timeout = ipc_get_u32(&reader);
    bool hold = ipc_get_u8(&reader) != 0;
    int error = freeze_begin(connection->admin->supervisor->freeze, timeout, connection, hold,
                             freeze_done, connection);
    if (!error)
        return 0;
    return answer(connection->channel, error,
                  error == ERROR_BUSY ? "There is one already" : "The time must be 1 ms to 240 s");
}

static int handle_thaw(struct connection *connection)
{
    int error = freeze_end(connection->admin->supervisor->freeze);
    return answer(connection->channel, error,
                  error == ERROR_TIMEOUT     ? "The freeze had ended before, by its deadline"
                  : error == ERROR_NOT_FOUND ? "There was no freeze"
                                             : "");
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    if (message->type == IPC_ADMIN_OPEN)
        return handle_open(arg, message);
    if (message->type == IPC_ADMIN_STATUS)
        return send_status(arg);
    if (message->type == IPC_ADMIN_FREEZE)
        return handle_freeze(arg, message);
    if (message->type == IPC_ADMIN_THAW)
        return handle_thaw(arg);
    return answer(channel, ERROR_INVALID, "chapard does not do this itself");
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    (void)channel;
    (void)error;
    free_connection(arg);
}

static bool may_connect(int socket, struct ucred *peer)
{
    socklen_t size = sizeof(*peer);
    return !getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, &size) &&
           (peer->uid == 0 || peer->uid == geteuid());
}

static int add_connection(struct admin *admin, int socket, struct ucred peer)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return ERROR_MEMORY;
    *connection = (struct connection){.admin = admin, .peer = peer};
    struct ipc_channel_options options = {.kind = IPC_CHANNEL_ADMIN,
                                          .state = IPC_STATE_SETUP,
                                          .received = received,
                                          .closed = closed,
                                          .arg = connection,
                                          .idle_seconds = CHANNEL_ADMIN_TIME};
    int error =
        ipc_channel_create(&admin->supervisor->loop, socket, &options, &connection->channel);
    if (error) {
        free(connection);
        return error;
    }
    TAILQ_INSERT_TAIL(&admin->connections, connection, link);
    admin->count++;
    return 0;
}

static void refuse(int socket, const struct ucred *peer)
{
    struct buffer body;
    buffer_init(&body, 256);
    ipc_put_u32(&body, (uint32_t)-ERROR_DENIED);
    ipc_put_bytes(&body, SLICE("Only root and the server's own user may do this"));
    ipc_send(socket, IPC_ADMIN_RESULT, buffer_slice(&body), NULL, 0);
    buffer_release(&body);
    log_warning("admin_refused", LOG_NUMBER("uid", peer->uid), LOG_NUMBER("client", peer->pid));
}

static void connection_waits(uv_poll_t *poll, int status, int events)
{
    struct admin *admin = poll->data;
    struct ucred peer = {0};
    (void)status;
    (void)events;
    int socket = accept4(admin->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0)
        return;
    bool may = may_connect(socket, &peer);
    if (!may)
        refuse(socket, &peer);
    if (!may || admin->count >= ADMIN_CONNECTIONS_MAXIMUM || add_connection(admin, socket, peer))
        close(socket);
}

int admin_open(struct supervisor *supervisor, struct admin **admin)
{
    struct admin *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    *made = (struct admin){.supervisor = supervisor};
    TAILQ_INIT(&made->connections);
    made->socket = listen_unix(supervisor->config->admin_socket, SOCK_SEQPACKET, 0660, "");
    if (made->socket < 0) {
        int error = made->socket;
        free(made);
        return error;
    }
    uv_poll_init(&supervisor->loop, &made->poll, made->socket);
    made->poll.data = made;
    uv_poll_start(&made->poll, UV_READABLE, connection_waits);
    *admin = made;
    return 0;
}

static void poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void admin_close(struct admin **admin)
{
    struct admin *old = *admin;
    if (!old)
        return;
    while (!TAILQ_EMPTY(&old->connections))
        free_connection(TAILQ_FIRST(&old->connections));
    unlink(old->supervisor->config->admin_socket);
    uv_close((uv_handle_t *)&old->poll, poll_closed);
    close(old->socket);
    *admin = NULL;
}
