/*
 * systemd's readiness protocol is one datagram; libsystemd would bring much more than that into a
 * process that runs as root.
 */
#include "supervisor/supervisor_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address;
static socklen_t address_size; /* 0: nobody listens */

void notify_init(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path ? strlen(path) : 0;
    if (size > 1 && size < sizeof(address.sun_path) && (path[0] == '/' || path[0] == '@')) {
        address.sun_family = AF_UNIX;
        memcpy(address.sun_path, path, size);
        if (path[0] == '@') /* the abstract name space */
            address.sun_path[0] = '\0';
        address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    }
    unsetenv("NOTIFY_SOCKET"); /* children must not speak for us */
}

void notify(const char *text)
{
    int descriptor = address_size ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (descriptor < 0)
        return;
    /* Nobody to tell when it fails: systemd will notice the silence. */
    ssize_t sent = sendto(descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                          address_size);
    (void)sent;
    close(descriptor);
}
