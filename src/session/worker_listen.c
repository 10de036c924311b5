/*
 * Listening sockets of protocols without login (LMTP). Several processes listen on the same
 * socket: who accepts first, has the connection.
 */
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "session/worker_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_storage storage;
};

/* "unix", or the numeric address without a port. */
static void name_client(const union address *address, char text[INET6_ADDRSTRLEN])
{
    const void *bytes = NULL;
    if (address->any.sa_family == AF_INET)
        bytes = &address->ip4.sin_addr;
    else if (address->any.sa_family == AF_INET6)
        bytes = &address->ip6.sin6_addr;
    if (!bytes || !inet_ntop(address->any.sa_family, bytes, text, INET6_ADDRSTRLEN))
        memcpy(text, "unix", sizeof("unix"));
}

static void take(struct listener *listener, int socket, const union address *address)
{
    char client[INET6_ADDRSTRLEN];
    name_client(address, client);
    const struct worker_facts facts = {.protocol = listener->protocol, .client = client};
    int error = worker_adopt(listener->worker, socket, &facts);
    if (!error)
        return;
    log_warning("refused", LOG_TEXT("protocol", listener->protocol->name),
                LOG_TEXT("client", client), LOG_TEXT("reason", error_name(error)));
    worker_refuse(socket, slice_from_string(listener->busy));
}

/* Out of descriptors or memory: what waits would wake the loop again at once, for nothing. */
static void pause_listener(struct listener *listener)
{
    log_error("accept", LOG_TEXT("reason", error_name(error_from_errno(errno))));
    listener->paused = true;
    uv_poll_stop(&listener->poll);
}

static bool accept_one(struct listener *listener)
{
    union address address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    int socket = accept4(listener->socket, &address.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0)
        take(listener, socket, &address);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_listener(listener);
    return socket >= 0;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < WORKER_ACCEPT_MAXIMUM && accept_one(listener); i++)
        continue;
}

static void on_closed(uv_handle_t *handle)
{
    worker_handle_closed(((struct listener *)handle->data)->worker);
}

int worker_listen(struct worker *worker, int socket, const struct stream_protocol *protocol,
                  const char *busy)
{
    if (worker->listener_count == WORKER_LISTENERS_MAXIMUM)
        return ERROR_LIMIT;
    struct listener *listener = &worker->listeners[worker->listener_count];
    if (uv_poll_init(worker->options.loop, &listener->poll, socket))
        return ERROR_INVALID;
    listener->worker = worker;
    listener->protocol = protocol;
    listener->busy = busy;
    listener->socket = socket;
    listener->poll.data = listener;
    worker->listener_count++;
    worker->handles++;
    uv_poll_start(&listener->poll, UV_READABLE, on_connection);
    return 0;
}

void listeners_resume(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];
        if (listener->paused && listener->socket >= 0)
            uv_poll_start(&listener->poll, UV_READABLE, on_connection);
        listener->paused = false;
    }
}

void listeners_close(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];
        if (listener->socket < 0)
            continue;
        uv_close((uv_handle_t *)&listener->poll, on_closed);
        close(listener->socket);
        listener->socket = -1;
    }
}

void worker_close_socket(int socket)
{
    char forgotten[4096];
    shutdown(socket, SHUT_WR);
    for (int i = 0; i < STREAM_INPUT_MAXIMUM / (int)sizeof(forgotten); i++)
        if (recv(socket, forgotten, sizeof(forgotten), MSG_DONTWAIT) <= 0)
            break;
    close(socket);
}

void worker_refuse(int socket, struct slice text)
{
    counters_add(COUNTER_SESSION_REFUSED, 1);
    ssize_t sent = send(socket, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a peer that has gone already */
    worker_close_socket(socket);
}
