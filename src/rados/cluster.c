#include "rados/cluster.h"
#include "base/config.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    VALUE_MAXIMUM = 4096, /* bytes of one option */
    KEYRING_MAXIMUM = 64 * 1024,
    NAME_MAXIMUM = 128, /* of a pool or user */
    MONITOR_PORT_V2 = 3300,
    MONITOR_PORT_V1 = 6789,
};

struct cluster {
    rados_t handle;
    bool connected;
    rados_ioctx_t pool;
    char pool_name[NAME_MAXIMUM];
    char user[NAME_MAXIMUM];
};

int cluster_error(int result)
{
    switch (result < 0 ? -result : 0) {
    case 0:
        return 0;
    case ETIMEDOUT:
    case EAGAIN:
    case EBUSY:
    case ENOTCONN:
    case ECONNREFUSED:
    case EINTR:
        return ERROR_BUSY;
    case ENOENT:
        return ERROR_NOT_FOUND;
    case EEXIST:
        return ERROR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERROR_SPACE;
    case ENOMEM:
        return ERROR_MEMORY;
    case EACCES:
    case EPERM:
        return ERROR_DENIED;
    case E2BIG:
    case EMSGSIZE:
        return ERROR_LIMIT;
    default:
        return ERROR_IO;
    }
}

/* --- the configuration --- */

struct setting {
    const char *name, *value;
};

static int set_all(struct cluster *cluster, const struct setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rados_conf_set(cluster->handle, settings[i].name, settings[i].value) < 0)
            return ERROR_INVALID;
    return 0;
}

/* The library says nothing by itself: its caller does. */
static int set_defaults(struct cluster *cluster)
{
    static const struct setting settings[] = {
        {"log_to_stderr", "false"},
        {"err_to_stderr", "false"},
        {"log_file", ""},
        {"admin_socket", ""},
    };
    return set_all(cluster, settings, sizeof(settings) / sizeof(settings[0]));
}

static int set_timeouts(struct cluster *cluster, unsigned timeout)
{
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%u", timeout);
    const struct setting settings[] = {
        {"client_mount_timeout", seconds},
        {"rados_osd_op_timeout", seconds},
        {"rados_mon_op_timeout", seconds},
    };
    return set_all(cluster, settings, sizeof(settings) / sizeof(settings[0]));
}

static int read_file(const char *path, struct buffer *text)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_from_errno(errno);
    char *room = buffer_reserve(text, KEYRING_MAXIMUM);
    ssize_t got = room ? read(file, room, KEYRING_MAXIMUM) : -1;
    if (got >= 0)
        buffer_commit(text, (size_t)got);
    close(file);
    return got < 0 ? ERROR_IO : 0;
}

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r", text.data[0]))
        text = slice_sub(text, 1, SIZE_MAX);
    while (text.size && strchr(" \t\r", text.data[text.size - 1]))
        text.size--;
    return text;
}

/* "[client.USER]", and below it "key = VALUE". */
static int find_key(struct slice text, const char *user, struct buffer *key)
{
    char section[NAME_MAXIMUM + 16];
    int size = snprintf(section, sizeof(section), "[client.%s]", user);
    bool inside = false;
    while (text.size) {
        size_t end = slice_find(text, '\n');
        struct slice line = trim(slice_sub(text, 0, end));
        text = slice_sub(text, end + 1, SIZE_MAX);
        if (line.size && line.data[0] == '[')
            inside = slice_equal(line, slice_make(section, (size_t)size));
        size_t equals = slice_find(line, '=');
        if (inside && equals < line.size &&
            slice_equal(trim(slice_sub(line, 0, equals)), SLICE("key")))
            return buffer_append(key, trim(slice_sub(line, equals + 1, SIZE_MAX)));
    }
    return ERROR_NOT_FOUND;
}

/* Of the files that librados would look for, the first that is there. */
static int find_keyring(const char *paths, const char *user, struct buffer *key)
{
    struct buffer text;
    int error = ERROR_NOT_FOUND;
    buffer_init(&text, KEYRING_MAXIMUM);
    while (*paths && error == ERROR_NOT_FOUND) {
        size_t size = strcspn(paths, ",; ");
        char path[VALUE_MAXIMUM];
        snprintf(path, sizeof(path), "%.*s", (int)size, paths);
        buffer_clear(&text);
        error = size ? read_file(path, &text) : ERROR_NOT_FOUND;
        if (!error)
            error = find_key(buffer_slice(&text), user, key);
        paths += size + (paths[size] != '\0');
    }
    buffer_release(&text);
    return error;
}

/* The key goes into the configuration, as its file is out of reach later. A cluster without
 * authentication has none. */
static int read_key(struct cluster *cluster)
{
    char paths[VALUE_MAXIMUM];
    struct buffer key;
    if (rados_conf_get(cluster->handle, "keyring", paths, sizeof(paths)) < 0)
        return ERROR_INVALID;
    buffer_init(&key, VALUE_MAXIMUM);
    int error = find_keyring(paths, cluster->user, &key);
    if (!error) {
        const struct setting settings[] = {{"key", key.data}, {"keyring", ""}};
        error = set_all(cluster, settings, sizeof(settings) / sizeof(settings[0]));
    }
    buffer_release(&key);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_config(struct cluster *cluster, const char *path)
{
    if (!path || !path[0])
        path = "/etc/ceph/ceph.conf";
    if (access(path, R_OK))
        return error_from_errno(errno);
    return rados_conf_read_file(cluster->handle, path) < 0 ? ERROR_SYNTAX : 0;
}

/* --- the connection --- */

static int copy_name(char *copy, const char *name, const char *otherwise)
{
    if (!name || !name[0])
        name = otherwise;
    size_t size = strlen(name);
    if (size == 0 || size >= NAME_MAXIMUM)
        return ERROR_INVALID;
    memcpy(copy, name, size + 1);
    return 0;
}

int cluster_create(const struct cluster_options *options, struct cluster **cluster)
{
    struct cluster *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    int error = copy_name(made->pool_name, options->pool, "");
    if (!error)
        error = copy_name(made->user, options->user, "admin");
    if (!error)
        error = cluster_error(rados_create(&made->handle, made->user));
    if (!error)
        error = set_defaults(made);
    if (!error)
        error = read_config(made, options->config);
    if (!error)
        error = set_timeouts(made, options->timeout ? options->timeout : CLUSTER_TIMEOUT);
    if (!error)
        error = read_key(made);
    if (error)
        cluster_free(&made);
    else
        *cluster = made;
    return error;
}

int cluster_from_config(const struct config *config, const char *user, struct cluster **cluster)
{
    const struct cluster_options options = {.config = config->rados_config,
                                            .user = *user ? user : config->rados_user,
                                            .pool = config->rados_pool,
                                            .timeout = (unsigned)config->rados_timeout};
    if (strcmp(config->engine, "rados") != 0) {
        *cluster = NULL;
        return 0;
    }
    return cluster_create(&options, cluster);
}

int cluster_connect(struct cluster *cluster)
{
    int error = cluster_error(rados_connect(cluster->handle));
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_DENIED : error;
    cluster->connected = true;
    return cluster_error(rados_ioctx_create(cluster->handle, cluster->pool_name, &cluster->pool));
}

void cluster_free(struct cluster **cluster)
{
    struct cluster *old = *cluster;
    if (!old)
        return;
    if (old->pool)
        rados_ioctx_destroy(old->pool);
    if (old->handle)
        rados_shutdown(old->handle);
    free(old);
    *cluster = NULL;
}

/* By the pool's number, which is known: asking for its name may ask the monitor. Operations on a
 * full pool are tried: librados would hold them back until there is room. */
int cluster_open(struct cluster *cluster, const char *name_space, rados_ioctx_t *io)
{
    int error =
        cluster_error(rados_ioctx_create2(cluster->handle, rados_ioctx_get_id(cluster->pool), io));
    if (error)
        return error;
    rados_ioctx_set_namespace(*io, name_space);
    rados_set_pool_full_try(*io);
    return 0;
}

rados_t cluster_handle(struct cluster *cluster)
{
    return cluster->handle;
}

/* --- ports --- */

static unsigned option_number(struct cluster *cluster, const char *name, unsigned otherwise)
{
    char text[32];
    if (rados_conf_get(cluster->handle, name, text, sizeof(text)) < 0)
        return otherwise;
    unsigned long number = strtoul(text, NULL, 10);
    return number > 0 && number <= UINT16_MAX ? (unsigned)number : otherwise;
}

/* In mon_host each address ends with ":PORT", before "/NONCE", a comma or the end; colons inside
 * of an IPv6 address are followed by what may look like one, and then a port too many is let
 * through. */
void cluster_each_ports(struct cluster *cluster,
                        void (*fn)(unsigned first, unsigned last, void *arg), void *arg)
{
    char hosts[VALUE_MAXIMUM];
    fn(MONITOR_PORT_V2, MONITOR_PORT_V2, arg);
    fn(MONITOR_PORT_V1, MONITOR_PORT_V1, arg);
    fn(option_number(cluster, "ms_bind_port_min", 6800),
       option_number(cluster, "ms_bind_port_max", 7300), arg);
    if (rados_conf_get(cluster->handle, "mon_host", hosts, sizeof(hosts)) < 0)
        return;
    for (const char *at = strchr(hosts, ':'); at; at = strchr(at + 1, ':')) {
        char *end;
        unsigned long port = strtoul(at + 1, &end, 10);
        if (end > at + 1 && port > 0 && port <= UINT16_MAX && (!*end || strchr("/,;] ", *end)))
            fn((unsigned)port, (unsigned)port, arg);
    }
}
