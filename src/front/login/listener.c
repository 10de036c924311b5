#include "front/login/engine_priv.h"
#include "front/login/login_priv.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_AT_ONCE = 64,         /* before the loop's other handles get their turn */
    PAUSE_MS = 100,               /* without accepting, when the process has no descriptor left */
    REFUSED_LOG_US = 1000 * 1000, /* between two log lines about refusals */
    KEEPALIVE_IDLE = 120,         /* seconds */
};

struct listener {
    struct login *login;
    int socket;
    const struct login_protocol *protocol;
    uv_poll_t poll;
    uv_timer_t pause;
    int handles; /* not closed yet */
    TAILQ_ENTRY(listener) entry;
};

static bool may_log_refusal(struct login *login)
{
    uint64_t now = clock_monotonic_us();
    if (login->refused_logged && now - login->refused_logged < REFUSED_LOG_US)
        return false;
    login->refused_logged = now;
    return true;
}

static void refuse(struct login *login, int socket, const struct login_protocol *protocol,
                   const char *client, const char *limit)
{
    counters_add(COUNTER_LOGIN_REFUSED, 1);
    if (may_log_refusal(login))
        log_warning("connection_refused", LOG_TEXT("client", client), LOG_TEXT("limit", limit),
                    LOG_NUMBER("open", login->open));
    if (protocol->busy)
        (void)!send(socket, protocol->busy, strlen(protocol->busy), MSG_DONTWAIT | MSG_NOSIGNAL);
    close(socket);
}

void listener_accepted(struct login *login, int socket, const struct login_protocol *protocol,
                       const char *client, const struct returned *returned)
{
    counters_add(COUNTER_LOGIN_CONNECTIONS, 1);
    if (login->draining || login->open >= (size_t)login->config->login_connections) {
        refuse(login, socket, protocol, client, "login_connections");
        return;
    }
    struct client *counted = clients_enter(login, client);
    if (counted)
        connection_create(login, socket, protocol, client, counted, returned);
    else
        refuse(login, socket, protocol, client, "login_client_connections");
}

/* Small answers go at once; a peer that vanished is noticed some minutes later. */
static void set_socket_options(int socket)
{
    static const int on = 1, idle = KEEPALIVE_IDLE;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}

/* An IPv4 client of an IPv6 socket is shown as the IPv4 client it is. */
static void format_client(const struct sockaddr_storage *address, char client[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    const void *bytes = &four->sin_addr;
    int family = address->ss_family;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        family = AF_INET;
        bytes = &six->sin6_addr.s6_addr[12];
    } else if (family == AF_INET6) {
        bytes = &six->sin6_addr;
    }
    if ((family != AF_INET && family != AF_INET6) ||
        !inet_ntop(family, bytes, client, INET6_ADDRSTRLEN))
        memcpy(client, "local", sizeof "local");
}

static void pause_over(uv_timer_t *timer);

/* false: nothing more to accept now. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char client[INET6_ADDRSTRLEN];
    int socket =
        accept4(listener->socket, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_error("accept_failed", LOG_TEXT("reason", strerrordesc_np(errno)));
            uv_poll_stop(&listener->poll);
            uv_timer_start(&listener->pause, pause_over, PAUSE_MS, 0);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    set_socket_options(socket);
    format_client(&address, client);
    listener_accepted(listener->login, socket, listener->protocol, client, NULL);
    return true;
}

static void acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(poll->data); i++)
        ;
}

static void pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, acceptable);
}

int listener_create(struct login *login, int socket, enum service_protocol protocol)
{
    struct listener *listener = calloc(1, sizeof *listener);
    const struct login_protocol *spoken = login_protocol_find(protocol);
    int error = !listener ? ERROR_MEMORY : spoken ? 0 : ERROR_INVALID;
    if (!error && uv_poll_init(login->loop, &listener->poll, socket))
        error = ERROR_INVALID;
    if (error) {
        free(listener);
        close(socket);
        return error;
    }
    listener->login = login;
    listener->socket = socket;
    listener->protocol = spoken;
    listener->handles = 2;
    uv_timer_init(login->loop, &listener->pause);
    listener->poll.data = listener->pause.data = listener;
    TAILQ_INSERT_TAIL(&login->listeners, listener, entry);
    uv_poll_start(&listener->poll, UV_READABLE, acceptable);
    return 0;
}

static void handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->handles == 0)
        free(listener);
}

void listeners_close(struct login *login)
{
    struct listener *listener;
    while ((listener = TAILQ_FIRST(&login->listeners))) {
        TAILQ_REMOVE(&login->listeners, listener, entry);
        uv_close((uv_handle_t *)&listener->poll, handle_closed);
        uv_close((uv_handle_t *)&listener->pause, handle_closed);
        close(listener->socket);
    }
}
