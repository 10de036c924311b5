/*
 * Through the running server: the admin socket of chapard, which checks who we are and passes the
 * connection on to chapar-session (operations on the store) or chapar-auth (passwords).
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
    ARENA_MAXIMUM = 1 << 20,
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

static int take_row(const struct ipc_message *message, const struct answer *answer)
{
    struct ipc_reader reader;
    struct admin_field fields[ADMIN_FIELDS_MAXIMUM];
    size_t count;
    ipc_reader_init(&reader, message->body);
    struct slice bytes = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
    int error = ipc_reader_finish(&reader);
    if (!error)
        error = admin_get_fields(bytes, fields, &count);
    return error ? error : answer->row(fields, count, answer->arg);
}

static int take_progress(const struct ipc_message *message, const struct answer *answer)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    uint64_t done = ipc_get_u64(&reader), total = ipc_get_u64(&reader);
    int error = ipc_reader_finish(&reader);
    if (!error && answer->progress)
        answer->progress(done, total, answer->arg);
    return error;
}

/* Until ADMIN_RESULT comes. */
static int take_answer(struct live *live, struct ipc_message *message, const struct answer *answer)
{
    int error = 0;
    while (!error && message->type != IPC_ADMIN_RESULT) {
        if (message->type == IPC_ADMIN_ROW)
            error = take_row(message, answer);
        else if (message->type == IPC_ADMIN_PROGRESS)
            error = take_progress(message, answer);
        else
            error = ERROR_PROTOCOL;
        if (!error)
            error = ipc_receive(live->session, &live->body, message);
    }
    return error ? error : result_error(live, message);
}

/* How many of the arguments, from the first on, go into one message. */
static size_t count_fitting(const struct admin_argument *arguments, size_t count)
{
    size_t size = 0, fitting = 0;
    for (; fitting < count; fitting++) {
        size += 2 * sizeof(uint32_t) + arguments[fitting].name.size + arguments[fitting].value.size;
        if (size > IPC_BODY_MAXIMUM - 2 * ADMIN_NAME_MAXIMUM)
            break;
    }
    return fitting;
}

/* Sends what does not fit into the call ahead of it; what is left does. */
static int send_ahead(struct live *live, const struct admin_argument **arguments, size_t *count)
{
    struct buffer request, bytes;
    int error = 0;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_init(&bytes, IPC_BODY_MAXIMUM);
    size_t fitting = count_fitting(*arguments, *count);
    for (; fitting && fitting < *count && !error; fitting = count_fitting(*arguments, *count)) {
        buffer_clear(&request);
        buffer_clear(&bytes);
        admin_put_arguments(&bytes, *arguments, fitting);
        ipc_put_bytes(&request, buffer_slice(&bytes));
        error = buffer_error(&request);
        if (!error)
            error = ipc_send(live->session, IPC_ADMIN_ARGUMENTS, buffer_slice(&request), NULL, 0);
        *arguments += fitting;
        *count -= fitting;
    }
    buffer_release(&request);
    buffer_release(&bytes);
    return error;
}

static int live_call(struct backend *backend, const char *operation,
                     const struct admin_argument *arguments, size_t count,
                     const struct answer *answer)
{
    struct live *live = (struct live *)backend;
    struct buffer request, bytes;
    struct ipc_message message = {0};
    backend->detail[0] = '\0';
    int error = send_ahead(live, &arguments, &count);
    if (error)
        return error;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_init(&bytes, IPC_BODY_MAXIMUM);
    admin_put_arguments(&bytes, arguments, count);
    ipc_put_bytes(&request, slice_from_string(operation));
    ipc_put_bytes(&request, buffer_slice(&bytes));
    error = buffer_error(&bytes);
    if (!error)
        error = exchange(live, &live->session, ADMIN_SERVICE_SESSION, IPC_ADMIN_CALL, &request,
                         &message);
    if (!error)
        error = take_answer(live, &message, answer);
    buffer_release(&request);
    buffer_release(&bytes);
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

static int live_password_rename(struct backend *backend, const struct account_info *account,
                                struct slice name)
{
    struct buffer request;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_append(&request, slice_make(account->id.bytes, sizeof(account->id.bytes)));
    ipc_put_bytes(&request, name);
    ipc_put_bytes(&request, account->address);
    int error = request_auth((struct live *)backend, IPC_ADMIN_PASSWORD_RENAME, &request);
    buffer_release(&request);
    return error;
}

static int live_password_close(struct backend *backend, const struct account_info *account,
                               bool closed)
{
    struct buffer request;
    buffer_init(&request, IPC_BODY_MAXIMUM);
    buffer_append(&request, slice_make(account->id.bytes, sizeof(account->id.bytes)));
    ipc_put_bytes(&request, account->address);
    ipc_put_u8(&request, closed);
    int error = request_auth((struct live *)backend, IPC_ADMIN_PASSWORD_CLOSE, &request);
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
    .call = live_call,
    .password_set = live_password_set,
    .password_delete = live_password_delete,
    .password_rename = live_password_rename,
    .password_close = live_password_close,
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
