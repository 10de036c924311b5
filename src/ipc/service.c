/*
 * Life of a service: set up (blocking, on descriptor 3) -> confined -> running (the control channel
 * in the loop) -> draining -> stopped.
 */
#include "ipc/service.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "ipc/confine.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTROL_SOCKET = 3, EARLY_PEERS_MAXIMUM = 2 * SERVICE_SLOTS };

/* A peer that came during set-up, kept until the process is ready for it. */
struct early_peer {
    enum ipc_channel_kind kind;
    uint32_t slot;
    int socket;
};

struct service {
    enum process_role role;
    const struct service_handlers *handlers;
    void *state;
    struct config *config;
    uv_loop_t loop;
    struct ipc_channel *control;
    uint32_t slot;
    int notices;
    int wake[SERVICE_SLOTS];
    struct service_listener listeners[SERVICE_LISTENERS_MAXIMUM];
    size_t listener_count;
    struct early_peer early_peers[EARLY_PEERS_MAXIMUM];
    size_t early_peer_count;
    char *root;
    char (*notes)[CRASH_NOTE_MAXIMUM]; /* shared memory; NULL: none */
    bool shared, started, draining;
    struct confinement_ports ports;
};

static const char *const role_names[PROCESS_ROLES] = {"chapard", "chapar-auth", "chapar-session",
                                                      "chapar-login", "chapar-send"};

const char *process_role_name(enum process_role role)
{
    return role_names[role];
}

bool process_role_stores(enum process_role role)
{
    return role == PROCESS_AUTH || role == PROCESS_SESSION;
}

/* --- set-up messages --- */

static int map_notes(struct service *service, int descriptor)
{
    void *memory = mmap(NULL, CRASH_NOTE_STRIDE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                        (off_t)service->slot * CRASH_NOTE_STRIDE);
    if (memory == MAP_FAILED)
        return error_from_errno(errno);
    service->notes = memory;
    return 0;
}

static int take_descriptor(struct ipc_message *message, size_t index)
{
    int descriptor = message->descriptors[index];
    message->descriptors[index] = -1;
    return descriptor;
}

static int receive_shared(struct service *service, struct ipc_reader *reader,
                          struct ipc_message *message)
{
    uint32_t slot = ipc_get_u32(reader);
    ipc_get_u32(reader); /* the generation, for whoever reads a trace */
    if (service->shared || slot >= SERVICE_SLOTS)
        return ERROR_PROTOCOL;
    service->shared = true;
    service->slot = slot;
    if (process_role_stores(service->role))
        service->notices = take_descriptor(message, 1);
    int error = counters_attach(message->descriptors[0], (int)slot);
    if (!error)
        error = map_notes(service, message->descriptors[2]);
    if (!error && process_role_stores(service->role))
        error = gate_attach(message->descriptors[3], (int)slot);
    return error;
}

static int receive_wake(struct service *service, struct ipc_reader *reader,
                        struct ipc_message *message)
{
    uint32_t slot = ipc_get_u32(reader);
    if (slot >= SERVICE_SLOTS || service->wake[slot] >= 0)
        return ERROR_PROTOCOL;
    service->wake[slot] = take_descriptor(message, 0);
    return 0;
}

static const char *const protocol_names[] = {
    [PROTOCOL_IMAP] = "imap",
    [PROTOCOL_IMAPS] = "imaps",
    [PROTOCOL_LMTP] = "lmtp",
    [PROTOCOL_MTA] = "mta",
    [PROTOCOL_POP3] = "pop3",
    [PROTOCOL_POP3S] = "pop3s",
    [PROTOCOL_MANAGESIEVE] = "managesieve",
    [PROTOCOL_LMTP_REMOTE] = "lmtp-remote",
};
enum { PROTOCOLS = sizeof(protocol_names) / sizeof(protocol_names[0]) };

const char *service_protocol_name(unsigned protocol)
{
    return protocol >= PROTOCOL_IMAP && protocol < PROTOCOLS ? protocol_names[protocol] : "unknown";
}

static enum service_protocol protocol_of(struct slice name)
{
    for (size_t i = PROTOCOL_IMAP; i < PROTOCOLS; i++)
        if (slice_equal(name, slice_from_string(protocol_names[i])))
            return (enum service_protocol)i;
    return 0;
}

static int receive_listener(struct service *service, struct ipc_reader *reader,
                            struct ipc_message *message)
{
    struct service_listener *listener = &service->listeners[service->listener_count];
    enum service_protocol protocol = protocol_of(ipc_get_bytes(reader, 16));
    struct slice address = ipc_get_bytes(reader, sizeof(listener->address) - 1);
    if (reader->failed || !protocol || service->listener_count == SERVICE_LISTENERS_MAXIMUM)
        return ERROR_PROTOCOL;
    *listener =
        (struct service_listener){.protocol = protocol, .socket = take_descriptor(message, 0)};
    if (address.size)
        memcpy(listener->address, address.data, address.size);
    service->listener_count++;
    return 0;
}

static int receive_peer(struct service *service, struct ipc_reader *reader,
                        struct ipc_message *message)
{
    enum ipc_channel_kind kind = (enum ipc_channel_kind)ipc_get_u8(reader);
    uint32_t slot = ipc_get_u32(reader);
    if (kind < IPC_CHANNEL_LOGIN_AUTH || kind > IPC_CHANNEL_SESSION_SEND || slot >= SERVICE_SLOTS)
        return ERROR_PROTOCOL;
    if (service->control) {
        service->handlers->peer(service, kind, slot, take_descriptor(message, 0));
        return 0;
    }
    if (service->early_peer_count == EARLY_PEERS_MAXIMUM)
        return ERROR_PROTOCOL;
    service->early_peers[service->early_peer_count++] =
        (struct early_peer){kind, slot, take_descriptor(message, 0)};
    return 0;
}

static int receive_start(struct service *service, struct ipc_reader *reader,
                         struct ipc_message *message)
{
    (void)reader;
    (void)message;
    service->started = service->shared;
    return service->shared ? 0 : ERROR_PROTOCOL;
}

static void drain(struct service *service, uint32_t seconds)
{
    service->draining = true;
    ipc_channel_set_state(service->control, IPC_STATE_DRAINING);
    service->handlers->drain(service, seconds);
}

static int receive_drain(struct service *service, struct ipc_reader *reader,
                         struct ipc_message *message)
{
    (void)message;
    uint32_t seconds = ipc_get_u32(reader);
    log_debug("drain", LOG_NUMBER("seconds", seconds));
    drain(service, seconds);
    return 0;
}

static int receive_admin(struct service *service, struct ipc_reader *reader,
                         struct ipc_message *message)
{
    uint32_t uid = ipc_get_u32(reader);
    if (service->handlers->admin)
        service->handlers->admin(service, uid, take_descriptor(message, 0));
    return 0;
}

static const struct {
    enum ipc_type type;
    int (*receive)(struct service *service, struct ipc_reader *reader, struct ipc_message *message);
} control_messages[] = {
    {IPC_SHARED, receive_shared}, {IPC_WAKE, receive_wake},   {IPC_LISTENER, receive_listener},
    {IPC_PEER, receive_peer},     {IPC_START, receive_start}, {IPC_DRAIN, receive_drain},
    {IPC_ADMIN, receive_admin},
};

static int handle_control(struct service *service, struct ipc_message *message)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    for (size_t i = 0; i < sizeof(control_messages) / sizeof(control_messages[0]); i++)
        if (control_messages[i].type == message->type)
            return control_messages[i].receive(service, &reader, message);
    return ERROR_PROTOCOL;
}

/* Everything up to START, blocking. */
static int receive_setup(struct service *service)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    int error = 0;
    while (!error && !service->started) {
        struct ipc_message message;
        error = ipc_receive(CONTROL_SOCKET, &body, &message);
        if (error)
            break;
        if (ipc_permitted(IPC_CHANNEL_CONTROL, false, IPC_STATE_SETUP, message.type,
                          message.descriptor_count))
            error = handle_control(service, &message);
        else
            error = ERROR_PROTOCOL;
        ipc_message_clear(&message);
    }
    buffer_release(&body);
    return error;
}

/* --- start --- */

static const char *config_path(int count, char **arguments)
{
    const char *path = NULL;
    optind = 1;
    for (int option; (option = getopt(count, arguments, "c:")) != -1;)
        path = option == 'c' ? optarg : NULL;
    return optind == count ? path : NULL;
}

/* Descriptor 3 is what chapard left there: a socket that keeps frames whole. */
static bool started_by_chapard(void)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof(int);
    return !getsockopt(CONTROL_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) &&
           !getsockopt(CONTROL_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &size) &&
           type == SOCK_SEQPACKET && domain == AF_UNIX;
}

static void ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
}

static int read_config(struct service *service, const char *path)
{
    struct buffer problems;
    buffer_init(&problems, 64 * 1024);
    int error = config_read(path, &service->config, &problems);
    if (error) {
        log_error("config_refused", LOG_SLICE("problems", buffer_slice(&problems)));
    } else {
        enum log_level level = LOG_LEVEL_INFO;
        log_level_parse(slice_from_string(service->config->log_level), &level);
        log_init(process_role_name(service->role), level,
                 strcmp(service->config->log_format, "json") ? LOG_FORMAT_KEY_VALUE
                                                             : LOG_FORMAT_JSON);
    }
    buffer_release(&problems);
    return error;
}

/* chapard made the directory. A process that can change its root sees it as "/". */
static int set_root(struct service *service)
{
    static const char *const directories[PROCESS_ROLES] = {"", "auth", "mail", "empty", "empty"};
    return asprintf(&service->root, "%s/%s", service->config->data_directory,
                    directories[service->role]) < 0
               ? ERROR_MEMORY
               : 0;
}

static void service_free(struct service **service)
{
    struct service *old = *service;
    for (size_t i = 0; i < old->listener_count; i++)
        if (old->listeners[i].socket >= 0)
            close(old->listeners[i].socket);
    for (size_t i = 0; i < old->early_peer_count; i++)
        close(old->early_peers[i].socket);
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        if (old->wake[i] >= 0)
            close(old->wake[i]);
    if (old->notices >= 0)
        close(old->notices);
    if (old->notes)
        munmap(old->notes, CRASH_NOTE_STRIDE);
    config_free(&old->config);
    free(old->root);
    free(old);
    *service = NULL;
}

static int set_up(struct service *service, const char *path)
{
    int error = read_config(service, path);
    if (error)
        return error;
    error = set_root(service);
    if (!error)
        error = receive_setup(service);
    if (!error)
        error = error_from_errno(-uv_loop_init(&service->loop));
    /* chapard going away while it starts a process is no news of this process's. */
    if (error && error != ERROR_CLOSED)
        log_error("start_failed", LOG_TEXT("error", error_name(error)));
    return error;
}

int service_start(int count, char **arguments, enum process_role role,
                  const struct service_handlers *handlers, void *state, struct service **service)
{
    log_init(process_role_name(role), LOG_LEVEL_INFO, LOG_FORMAT_KEY_VALUE);
    const char *path = config_path(count, arguments);
    if (!path || !started_by_chapard()) {
        fprintf(stderr, "%s: is started by chapard, not by hand; see chapard(8)\n",
                process_role_name(role));
        return ERROR_INVALID;
    }
    umask(077);
    ignore_signals();
    struct service *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->role = role;
    made->handlers = handlers;
    made->state = state;
    made->notices = -1;
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        made->wake[i] = -1;
    int error = set_up(made, path);
    if (error)
        service_free(&made);
    else
        *service = made;
    return error;
}

/* --- confinement --- */

static const char *user_of(const struct service *service)
{
    const struct config *config = service->config;
    switch (service->role) {
    case PROCESS_LOGIN:
        return config->login_user;
    case PROCESS_AUTH:
        return config->auth_user;
    case PROCESS_SEND:
        return config->send_user;
    default:
        return config->session_user;
    }
}

static int report_ready(const struct confinement_result *result)
{
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u32(&body, (uint32_t)result->landlock);
    ipc_put_u8(&body, result->chrooted);
    int error = ipc_send(CONTROL_SOCKET, IPC_READY, buffer_slice(&body), NULL, 0);
    buffer_release(&body);
    return error;
}

int service_allow_ports(struct service *service, unsigned first, unsigned last)
{
    struct confinement_ports *ports = &service->ports;
    if (ports->count == CONFINEMENT_PORTS_MAXIMUM)
        return ERROR_LIMIT;
    ports->ranges[ports->count].first = (uint16_t)first;
    ports->ranges[ports->count++].last = (uint16_t)last;
    return 0;
}

int service_confine(struct service *service)
{
    struct confinement_request request = {service->role, service->root, user_of(service),
                                          service->ports.count ? &service->ports : NULL};
    struct confinement_result result;
    const char *step = "";
    int error = confine(&request, &result, &step);
    if (error) {
        log_error("confine_failed", LOG_TEXT("step", step), LOG_TEXT("error", error_name(error)),
                  LOG_TEXT("user", request.user), LOG_TEXT("root", request.root));
        return error;
    }
    if (!result.chrooted)
        log_info("not_root", LOG_TEXT("without", "chroot and user switch"));
    if (!result.landlock)
        log_warning("no_landlock", LOG_TEXT("reason", "the kernel has none"));
    if (result.chrooted)
        service->root[1] = '\0'; /* it is absolute: "/" is left */
    return report_ready(&result);
}

/* --- running --- */

static int control_received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    (void)channel;
    return handle_control(arg, message);
}

/* Without chapard nobody would restart this process or its peers. */
static void control_closed(struct ipc_channel *channel, int error, void *arg)
{
    struct service *service = arg;
    (void)channel;
    log_warning("chapard_gone", LOG_TEXT("error", error_name(error)));
    drain(service, (uint32_t)service->config->drain_time);
}

int service_run(struct service *service)
{
    struct ipc_channel_options options = {.kind = IPC_CHANNEL_CONTROL,
                                          .asking = true,
                                          .state = IPC_STATE_RUNNING,
                                          .received = control_received,
                                          .closed = control_closed,
                                          .arg = service};
    int error = ipc_channel_create(&service->loop, CONTROL_SOCKET, &options, &service->control);
    for (size_t i = 0; !error && i < service->early_peer_count; i++)
        service->handlers->peer(service, service->early_peers[i].kind, service->early_peers[i].slot,
                                service->early_peers[i].socket);
    service->early_peer_count = error ? service->early_peer_count : 0;
    if (!error)
        uv_run(&service->loop, UV_RUN_DEFAULT);
    ipc_channel_free(&service->control);
    /* Handles (or threads that would wake the loop) the process still has end with the process. */
    uv_run(&service->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&service->loop) == 0)
        service_free(&service);
    return error ? 1 : 0;
}

void service_peer_lost(struct service *service, enum ipc_channel_kind kind, uint32_t slot,
                       int error)
{
    if (error == ERROR_CLOSED || !service->control)
        return;
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u8(&body, (uint8_t)kind);
    ipc_put_u32(&body, slot);
    ipc_put_u32(&body, (uint32_t)-error);
    error = ipc_channel_send(service->control, IPC_PEER_LOST, &body, NULL, 0);
    if (error)
        log_warning("send_failed", LOG_NUMBER("message", IPC_PEER_LOST),
                    LOG_TEXT("reason", error_name(error)));
    buffer_release(&body);
}

void service_stop(struct service *service)
{
    uv_stop(&service->loop);
}

/* --- what the process asks --- */

uv_loop_t *service_loop(struct service *service)
{
    return &service->loop;
}

const struct config *service_config(const struct service *service)
{
    return service->config;
}

void *service_state(struct service *service)
{
    return service->state;
}

uint32_t service_slot(const struct service *service)
{
    return service->slot;
}

struct service_listener *service_listeners(struct service *service, size_t *count)
{
    *count = service->listener_count;
    return service->listeners;
}

int service_notices(const struct service *service, const int **wake)
{
    *wake = service->wake;
    return service->notices;
}

const char *service_root(const struct service *service)
{
    return service->root;
}

/* A thread takes the next place the first time it notes something. */
void service_note(struct service *service, const char *text)
{
    static atomic_int next;
    static _Thread_local int own = -1;
    if (own < 0)
        own = atomic_fetch_add(&next, 1);
    if (!service->notes || own >= CRASH_NOTES)
        return;
    size_t size = text ? strnlen(text, CRASH_NOTE_MAXIMUM - 1) : 0;
    char *note = service->notes[own];
    note[size] = '\0';
    if (size)
        memcpy(note, text, size);
}
