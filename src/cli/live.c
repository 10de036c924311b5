/*
 * Accounts through the running server: the admin socket of chapard, which checks who we are and
 * passes the connection on to chapar-session (accounts) or chapar-auth (passwords).
 */
#include "base/error.h"
#include "cli/backend_priv.h"
#include "ipc/message.h"
#include "ipc/service.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ADMIN_TIMEOUT = 60, /* seconds to wait for an answer */
    ARENA_MAXIMUM = 1 << 30,
    ACCOUNTS_MAXIMUM = 10 * 1000 * 1000,
};

struct live {
    struct backend backend;
    int session, auth;  /* sockets; -1: not yet connected */
    struct buffer body; /* of the last answer */
};

int admin_connect(const struct config *config, int service, int *made)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(config->admin_socket);
    if (length >= sizeof(address.sun_path))
        return ERROR_LIMIT;
    memcpy(address.sun_path, config->admin_socket, length);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0)
        return error_from_errno(errno);
    struct timeval timeout = {.tv_sec = ADMIN_TIMEOUT};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    int error = 0;
    if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
        error = errno == ECONNREFUSED ? ERROR_NOT_FOUND : error_from_errno(errno);
    char byte = (char)service;
    if (!error)
        error = ipc_send(connection, IPC_ADMIN_OPEN, slice_make(&byte, 1), NULL, 0);
    if (error)
        close(connection);
    else
        *made = connection;
    return error;
}

/* Sends one request and receives one answer into live->body. */
static int exchange(struct live *live, int *connection, int service, enum ipc_type type,
                    struct buffer *request, struct ipc_message *answer)
{
    int error = buffer_error(request);
    if (!error && *connection < 0)
        error = admin_connect(live->backend.config, service, connection);
    if (!error)
        error = ipc_send(*connection, type, buffer_slice(request), NULL, 0);
    if (!error)
        error = ipc_receive(*connection, &live->body, answer);
    if (!error && !ipc_permitted(IPC_CHANNEL_ADMIN, false, IPC_STATE_RUNNING, answer->type,
                                 answer->descriptor_count)) {
        ipc_message_clear(answer);
        error = ERROR_PROTOCOL;
    }
    return error;
}

/* What an ADMIN_RESULT says: 0 or an error, with its text kept as the detail. */
static int result_error(struct live *live, const struct ipc_message *answer)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, answer->body);
    uint32_t code = ipc_get_u32(&reader);
    struct slice text = ipc_get_bytes(&reader, IPC_STRING_MAXIMUM);
    if (answer->type != IPC_ADMIN_RESULT || ipc_reader_finish(&reader))
        return ERROR_PROTOCOL;
    text = slice_sub(text, 0, sizeof(live->backend.detail) - 1);
    if (text.size)
        memcpy(live->backend.detail, text.data, text.size);
    live->backend.detail[text.size] = '\0';
    return -(int)code;
}

static int read_account(struct live *live, const struct ipc_message *answer,
                        struct account_info *account)
{
    struct ipc_reader reader;
    struct account_info info = {0};
    ipc_reader_init(&reader, answer->body);
    ipc_get_fixed(&reader, info.id.bytes, sizeof(info.id.bytes));
    info.created = (int64_t)ipc_get_u64(&reader);
    info.address = arena_copy(&live->backend.arena, ipc_get_bytes(&reader, ADDRESS_MAXIMUM));
    int error = ipc_reader_finish(&reader);
    if (!error && arena_failed(&live->backend.arena))
        error = ERROR_LIMIT;
    if (!error)
        *account = info;
    return error;
}

static int request_account(struct live *live, enum ipc_type type, struct slice address,
                           struct account_info *account)
{
    struct buffer request;
    struct ipc_message answer = {0};
    if (address.size > ADDRESS_MAXIMUM)
        return ERROR_LIMIT;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    ipc_put_bytes(&request, address);
    int error = exchange(live, &live->session, ADMIN_SERVICE_SESSION, type, &request, &answer);
    buffer_release(&request);
    if (error)
        return error;
    if (answer.type == IPC_ADMIN_ACCOUNT)
        return read_account(live, &answer, account);
    error = result_error(live, &answer);
    return error ? error : ERROR_PROTOCOL;
}

static int live_account_add(struct backend *backend, struct slice address,
                            struct account_info *made)
{
    return request_account((struct live *)backend, IPC_ADMIN_ACCOUNT_ADD, address, made);
}

static int live_account_find(struct backend *backend, struct slice address,
                             struct account_info *found)
{
    return request_account((struct live *)backend, IPC_ADMIN_ACCOUNT_FIND, address, found);
}

static int live_account_delete(struct backend *backend, const struct account_info *account)
{
    struct account_info gone;
    return request_account((struct live *)backend, IPC_ADMIN_ACCOUNT_DELETE, account->address,
                           &gone);
}

static int live_account_list(struct backend *backend, struct account_info **accounts, size_t *count)
{
    struct live *live = (struct live *)backend;
    struct buffer request, list;
    struct ipc_message answer = {0};
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_init(&list, ACCOUNTS_MAXIMUM * sizeof(struct account_info));
    int error = exchange(live, &live->session, ADMIN_SERVICE_SESSION, IPC_ADMIN_ACCOUNT_LIST,
                         &request, &answer);
    while (!error && answer.type == IPC_ADMIN_ACCOUNT) {
        struct account_info account;
        error = read_account(live, &answer, &account);
        if (!error)
            error = buffer_append(&list, slice_make(&account, sizeof(account)));
        if (!error)
            error = ipc_receive(live->session, &live->body, &answer);
    }
    if (!error)
        error = result_error(live, &answer);
    struct slice copy = {NULL, 0};
    if (!error)
        copy = arena_copy(&backend->arena, buffer_slice(&list));
    if (!error && !copy.data)
        error = ERROR_LIMIT;
    if (!error) {
        *accounts = (struct account_info *)copy.data;
        *count = copy.size / sizeof(struct account_info);
    }
    buffer_release(&list);
    buffer_release(&request);
    return error;
}

static int request_auth(struct live *live, enum ipc_type type, struct buffer *request)
{
    struct ipc_message answer = {0};
    int error = exchange(live, &live->auth, ADMIN_SERVICE_AUTH, type, request, &answer);
    return error ? error : result_error(live, &answer);
}

static int live_password_set(struct backend *backend, const struct account_info *account,
                             struct slice password)
{
    struct buffer request;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_reserve(&request, 2048); /* at once: growing would leave a copy of the password */
    buffer_append(&request, slice_make(account->id.bytes, sizeof(account->id.bytes)));
    ipc_put_bytes(&request, account->address);
    ipc_put_bytes(&request, password);
    int error = request_auth((struct live *)backend, IPC_ADMIN_PASSWORD_SET, &request);
    if (request.data)
        explicit_bzero(request.data, request.capacity);
    buffer_release(&request);
    return error;
}

static int live_password_delete(struct backend *backend, struct slice name)
{
    struct buffer request;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    ipc_put_bytes(&request, name);
    int error = request_auth((struct live *)backend, IPC_ADMIN_PASSWORD_DELETE, &request);
    buffer_release(&request);
    return error;
}

static void live_close(struct backend *backend)
{
    struct live *live = (struct live *)backend;
    if (live->session >= 0)
        close(live->session);
    if (live->auth >= 0)
        close(live->auth);
    buffer_release(&live->body);
    free(live);
}

static const struct backend_operations live_operations = {
    .account_add = live_account_add,
    .account_find = live_account_find,
    .account_delete = live_account_delete,
    .account_list = live_account_list,
    .password_set = live_password_set,
    .password_delete = live_password_delete,
    .close = live_close,
};

int backend_live_open(const struct config *config, struct backend **backend)
{
    struct live *live = calloc(1, sizeof(*live));
    if (!live)
        return ERROR_MEMORY;
    live->backend.operations = &live_operations;
    live->backend.config = config;
    live->session = live->auth = -1;
    arena_init(&live->backend.arena, ARENA_MAXIMUM);
    buffer_init(&live->body, IPC_BODY_MAXIMUM);
    int error = admin_connect(config, ADMIN_SERVICE_SESSION, &live->session);
    if (error)
        free(live);
    else
        *backend = &live->backend;
    return error;
}
