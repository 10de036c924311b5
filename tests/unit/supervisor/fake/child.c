/*
 * A child of chapard with the real skeleton and confinement and no mail: its role is its file name.
 *
 * It greets whoever connects to a listener with "ROLE SLOT PID PEERS" and keeps the connection.
 * What the client says then, in lines: "crash" notes what it serves and ends by SIGSEGV, "exit"
 * ends with status 3, "breach" sends chapard what is not permitted, "lost CHANNEL SLOT" says that
 * the peer in that slot broke the rules of a channel of that kind. It answers any admin request
 * with ADMIN_RESULT, the greeting as its text. With hostname = "fails" it ends at once; with
 * "stuck" it does not drain.
 */
#include "base/error.h"
#include "base/log.h"
#include "ipc/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS = 8, REQUEST_TIME = 10 * 1000 /* ms */ };

struct fake {
    struct service *service;
    enum process_role role;
    int peers, connections;
    bool draining;
    uv_poll_t listeners[LISTENERS];
    int sockets[LISTENERS];
    size_t listener_count;
};

static int greeting(const struct fake *fake, char *text, size_t size)
{
    return snprintf(text, size, "%s %u %d %d\n", process_role_name(fake->role),
                    service_slot(fake->service), (int)getpid(), fake->peers);
}

static void stop_when_idle(struct fake *fake)
{
    if (fake->draining && fake->connections == 0 &&
        strcmp(service_config(fake->service)->hostname, "stuck") != 0)
        service_stop(fake->service);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void obey(struct fake *fake, const char *command)
{
    if (strncmp(command, "crash", 5) == 0) {
        service_note(fake->service, "imap alice@example.test FETCH");
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (strncmp(command, "exit", 4) == 0)
        _exit(3);
    if (strncmp(command, "breach", 6) == 0 && write(3, "?", 1) < 0)
        _exit(4);
    if (strncmp(command, "lost ", 5) == 0) {
        char *rest;
        unsigned long kind = strtoul(command + 5, &rest, 10);
        service_peer_lost(fake->service, (enum ipc_channel_kind)kind,
                          (uint32_t)strtoul(rest, NULL, 10), ERROR_PROTOCOL);
    }
}

static void said(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = service_state(poll->data);
    char command[64] = "";
    int socket;
    uv_fileno((uv_handle_t *)poll, &socket);
    (void)status;
    (void)events;
    if (read(socket, command, sizeof(command) - 1) > 0) {
        /* What is said at once may arrive at once. */
        for (char *line = command, *end; line; line = end) {
            end = strchr(line, '\n');
            if (end)
                *end++ = '\0';
            obey(fake, line);
        }
        return;
    }
    uv_close((uv_handle_t *)poll, free_handle);
    close(socket);
    fake->connections--;
    stop_when_idle(fake);
}

static void connected(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = service_state(poll->data);
    int listening;
    uv_fileno((uv_handle_t *)poll, &listening);
    (void)status;
    (void)events;
    int socket = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0)
        return;
    char text[128];
    int size = greeting(fake, text, sizeof(text));
    if (write(socket, text, (size_t)size) != size)
        log_error("greeting_failed");
    uv_poll_t *handle = calloc(1, sizeof(*handle));
    uv_poll_init(service_loop(fake->service), handle, socket);
    handle->data = fake->service;
    uv_poll_start(handle, UV_READABLE, said);
    fake->connections++;
}

static void on_peer(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct fake *fake = service_state(service);
    (void)kind;
    (void)slot;
    (void)socket; /* stays open to the end */
    fake->peers++;
}

static void on_admin(struct service *service, uint32_t uid, int socket)
{
    struct buffer body, answer;
    struct ipc_message message;
    char text[128];
    (void)uid;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_init(&answer, IPC_BODY_MAXIMUM);
    greeting(service_state(service), text, sizeof(text));
    /* The request comes behind ADMIN_OPEN, but need not be here yet. */
    struct pollfd request = {.fd = socket, .events = POLLIN};
    if (poll(&request, 1, REQUEST_TIME) == 1 && ipc_receive(socket, &body, &message) == 0) {
        ipc_put_u32(&answer, 0);
        ipc_put_bytes(&answer, slice_from_string(text));
        ipc_send(socket, IPC_ADMIN_RESULT, buffer_slice(&answer), NULL, 0);
        ipc_message_clear(&message);
    }
    close(socket);
    buffer_release(&body);
    buffer_release(&answer);
}

static void on_drain(struct service *service, uint32_t seconds)
{
    struct fake *fake = service_state(service);
    fake->draining = true;
    for (size_t i = 0; i < fake->listener_count; i++) {
        if (!uv_is_closing((uv_handle_t *)&fake->listeners[i])) {
            uv_close((uv_handle_t *)&fake->listeners[i], NULL);
            close(fake->sockets[i]);
        }
    }
    if (seconds == 0 && strcmp(service_config(service)->hostname, "stuck") != 0)
        service_stop(service);
    stop_when_idle(fake);
}

static enum process_role role_of(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    for (int role = PROCESS_AUTH; role < PROCESS_ROLES; role++)
        if (strcmp(name, process_role_name((enum process_role)role)) == 0)
            return (enum process_role)role;
    return PROCESS_AUTH;
}

int main(int count, char **arguments)
{
    static const struct service_handlers handlers = {on_peer, on_admin, on_drain};
    static struct fake fake;
    fake.role = role_of(arguments[0]);
    if (service_start(count, arguments, fake.role, &handlers, &fake, &fake.service))
        return 1;
    if (strcmp(service_config(fake.service)->hostname, "fails") == 0)
        return 5;
    struct service_listener *listeners = service_listeners(fake.service, &fake.listener_count);
    for (size_t i = 0; i < fake.listener_count && i < LISTENERS; i++) {
        fake.sockets[i] = listeners[i].socket;
        listeners[i].socket = -1;
        uv_poll_init(service_loop(fake.service), &fake.listeners[i], fake.sockets[i]);
        fake.listeners[i].data = fake.service;
        uv_poll_start(&fake.listeners[i], UV_READABLE, connected);
    }
    return service_confine(fake.service) ? 1 : service_run(fake.service);
}
