#include "base/error.h"
#include "base/log.h"
#include "supervisor/supervisor_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SYSTEMD_FIRST = 3, SOCKET_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK };

/* --- systemd --- */

void systemd_sockets_take(struct systemd_sockets *sockets)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    *sockets = (struct systemd_sockets){0};
    if (pid && count && strtol(pid, NULL, 10) == getpid()) {
        size_t wanted = strtoul(count, NULL, 10);
        struct slice rest = slice_from_string(names);
        for (; sockets->count < wanted && sockets->count < SYSTEMD_SOCKETS_MAXIMUM;) {
            size_t end = slice_find(rest, ':');
            int descriptor = SYSTEMD_FIRST + (int)sockets->count;
            snprintf(sockets->names[sockets->count], sizeof(sockets->names[0]), "%.*s", (int)end,
                     rest.data ? rest.data : "");
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
            fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
            sockets->sockets[sockets->count++] = descriptor;
            rest = slice_sub(rest, end + 1, rest.size);
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

static int take_systemd(const struct systemd_sockets *systemd, const char *name)
{
    for (size_t i = 0; i < systemd->count; i++) {
        if (strcmp(systemd->names[i], name) != 0)
            continue;
        int copy = fcntl(systemd->sockets[i], F_DUPFD_CLOEXEC, 0);
        return copy < 0 ? error_from_errno(errno) : copy;
    }
    return ERROR_NOT_FOUND;
}

/* --- opening --- */

/* Closes it after a failure and says why. */
static int failed(int descriptor)
{
    int error = errno == EADDRINUSE ? ERROR_BUSY : error_from_errno(errno);
    if (descriptor >= 0)
        close(descriptor);
    return error;
}

static int listen_tcp(const struct listen_address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    bool is_v4 = inet_pton(AF_INET, address->text, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address->text, &v6.sin6_addr) != 1)
        return ERROR_SYNTAX;
    int descriptor = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCKET_FLAGS, 0);
    int on = 1;
    if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        (!is_v4 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
        bind(descriptor, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             is_v4 ? sizeof(v4) : sizeof(v6)) ||
        listen(descriptor, SOMAXCONN))
        return failed(descriptor);
    return descriptor;
}

/* A socket file nobody listens on any more is taken away; anything else is left alone. */
static int remove_stale(const struct sockaddr_un *address, int type)
{
    struct stat status;
    if (lstat(address->sun_path, &status))
        return errno == ENOENT ? 0 : error_from_errno(errno);
    if (!S_ISSOCK(status.st_mode))
        return ERROR_EXISTS;
    int probe = socket(AF_UNIX, type | SOCKET_FLAGS, 0);
    bool alive = probe >= 0 && (connect(probe, (struct sockaddr *)address, sizeof(*address)) == 0 ||
                                errno == EAGAIN);
    if (probe >= 0)
        close(probe);
    if (alive)
        return ERROR_BUSY;
    return unlink(address->sun_path) ? error_from_errno(errno) : 0;
}

static int find_group(const char *name, gid_t *gid)
{
    struct group entry, *found = NULL;
    char room[16384];
    *gid = (gid_t)-1; /* as it is */
    if (!*name)
        return 0;
    getgrnam_r(name, &entry, room, sizeof(room), &found);
    if (!found)
        return ERROR_NOT_FOUND;
    *gid = found->gr_gid;
    return 0;
}

int listen_set_access(const char *path, mode_t mode, const char *group)
{
    struct stat status;
    char opened[64];
    gid_t gid;
    int error = find_group(group, &gid);
    if (error)
        return error;
    int descriptor = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status))
        return failed(descriptor);
    snprintf(opened, sizeof(opened), "/proc/self/fd/%d", descriptor);
    if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
        error = ERROR_DENIED;
    else if ((gid != (gid_t)-1 && fchownat(descriptor, "", (uid_t)-1, gid, AT_EMPTY_PATH)) ||
             chmod(opened, mode))
        error = error_from_errno(errno);
    close(descriptor);
    return error;
}

int listen_unix(const char *path, int type, mode_t mode, const char *group)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return ERROR_LIMIT;
    memcpy(address.sun_path, path, strlen(path));
    int error = remove_stale(&address, type);
    if (error)
        return error;
    int descriptor = socket(AF_UNIX, type | SOCKET_FLAGS, 0);
    /* Made with the umask's 077, opened to others only when it is complete. */
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, sizeof(address)) ||
        listen(descriptor, SOMAXCONN))
        return failed(descriptor);
    error = listen_set_access(path, mode, group);
    if (error) {
        close(descriptor);
        unlink(path);
        return error;
    }
    return descriptor;
}

static int open_address(const struct config *config, const struct systemd_sockets *systemd,
                        const char *text)
{
    struct listen_address address;
    int error = config_listen_address(text, &address);
    if (error)
        return error;
    switch (address.kind) {
    case LISTEN_TCP:
        return listen_tcp(&address);
    case LISTEN_UNIX:
        return listen_unix(address.text, SOCK_STREAM, (mode_t)config->lmtp_socket_mode,
                           config->lmtp_socket_group);
    case LISTEN_SYSTEMD:
        break;
    }
    return take_systemd(systemd, address.text);
}

/* --- the list --- */

static void close_listener(struct listener_list *listeners, struct listener *listener)
{
    struct listen_address address;
    if (config_listen_address(listener->text, &address) == 0 && address.kind == LISTEN_UNIX)
        unlink(address.text);
    TAILQ_REMOVE(listeners, listener, link);
    close(listener->socket);
    free(listener->text);
    free(listener);
}

static struct listener *find(struct listener_list *listeners, const char *service, const char *text)
{
    struct listener *listener;
    for (listener = TAILQ_FIRST(listeners); listener; listener = TAILQ_NEXT(listener, link))
        if (strcmp(listener->service, service) == 0 && strcmp(listener->text, text) == 0)
            return listener;
    return NULL;
}

static int add_listener(struct listener_list *listeners, const struct config *config,
                        const struct systemd_sockets *systemd, const char *service,
                        const char *text)
{
    struct listener *listener = find(listeners, service, text);
    if (listener) {
        listener->newest = true;
        return 0;
    }
    int descriptor = open_address(config, systemd, text);
    if (descriptor < 0) {
        log_error("listen_failed", LOG_TEXT("service", service), LOG_TEXT("address", text),
                  LOG_TEXT("error", error_name(descriptor)),
                  LOG_TEXT("reason", error_text(descriptor)));
        return descriptor;
    }
    listener = calloc(1, sizeof(*listener));
    char *copy = strdup(text);
    if (!listener || !copy) {
        free(listener);
        free(copy);
        close(descriptor);
        return ERROR_MEMORY;
    }
    *listener =
        (struct listener){.service = service, .text = copy, .socket = descriptor, .newest = true};
    TAILQ_INSERT_TAIL(listeners, listener, link);
    log_info("listen", LOG_TEXT("service", service), LOG_TEXT("address", text));
    return 0;
}

int listeners_open(struct listener_list *listeners, const struct config *config,
                   const struct systemd_sockets *systemd)
{
    const struct {
        const char *service;
        const struct config_list *list;
    } services[] = {
        {"imap", &config->imap_listen},         {"imaps", &config->imaps_listen},
        {"pop3", &config->pop3_listen},         {"pop3s", &config->pop3s_listen},
        {"lmtp", &config->lmtp_listen},         {"mta", &config->mta_listen},
        {"managesieve", &config->sieve_listen}, {"lmtp-remote", &config->lmtp_remote_listen},
    };
    int error = 0;
    struct listener *listener;
    for (listener = TAILQ_FIRST(listeners); listener; listener = TAILQ_NEXT(listener, link))
        listener->newest = false;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
        for (size_t item = 0; !error && item < services[i].list->count; item++)
            error = add_listener(listeners, config, systemd, services[i].service,
                                 services[i].list->items[item]);
    if (error)
        listeners_give_up(listeners);
    return error;
}

static void keep(struct listener_list *listeners, bool newest)
{
    struct listener *listener = TAILQ_FIRST(listeners), *next;
    for (; listener; listener = next) {
        next = TAILQ_NEXT(listener, link);
        bool kept = newest ? listener->newest : listener->accepted;
        listener->accepted = listener->newest = kept;
        if (!kept)
            close_listener(listeners, listener);
    }
}

void listeners_accept(struct listener_list *listeners)
{
    keep(listeners, true);
}

void listeners_give_up(struct listener_list *listeners)
{
    keep(listeners, false);
}

void listeners_close(struct listener_list *listeners)
{
    while (!TAILQ_EMPTY(listeners))
        close_listener(listeners, TAILQ_FIRST(listeners));
}
