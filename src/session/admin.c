/*
 *      idle --ADMIN_CALL--> running (in the pool) --> finishing (rows that are left) --> idle
 *
 * The operation's rows wait in a queue, from which the loop sends as the peer takes them; when the
 * queue is full the operation waits. A connection whose peer goes while its operation runs is freed
 * when that has ended, which it soon does: its next row or report is refused.
 */
#include "session/admin.h"
#include "admin/admin.h"
#include "base/error.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
    QUEUE_MAXIMUM = 1024 * 1024, /* bytes of rows that wait; the operation waits beyond that */
    PUMP_MS = 10,
    REPORT_MS = 200, /* between two reports of progress */
};

struct connection {
    struct admin *admin;
    LIST_ENTRY(connection) all;
    struct ipc_channel *channel; /* NULL: the peer has gone */
    uv_work_t work;
    uv_timer_t pump;
    const struct admin_operation *operation; /* NULL: idle */
    struct admin_call call;
    struct admin_argument *arguments;
    struct buffer request; /* what the arguments point into */
    bool running;          /* in the pool */
    int error;
    uint64_t reported;    /* the loop's millisecond of the last report or row */
    pthread_mutex_t lock; /* of what the pool's thread and the loop's share, below */
    pthread_cond_t room;
    struct buffer rows; /* u32 size, body of an ADMIN_ROW; each */
    uint64_t done, total;
    bool progressed, refused;
    bool has_gone;
    struct account_id gone; /* an account whose sessions are to end */
};

struct admin {
    struct admin_options options;
    LIST_HEAD(connection_list, connection) connections;
    size_t count, running; /* connections; those whose operation is in the pool */
    bool ending;
};

static struct connection *connection_of(struct admin_call *call)
{
    return (struct connection *)((char *)call - offsetof(struct connection, call));
}

/* --- in the pool --- */

static int queue_row(struct connection *connection, struct slice body)
{
    uint32_t size = (uint32_t)body.size;
    pthread_mutex_lock(&connection->lock);
    while (!connection->refused && connection->rows.size > QUEUE_MAXIMUM)
        pthread_cond_wait(&connection->room, &connection->lock);
    bool refused = connection->refused;
    if (!refused) {
        buffer_append(&connection->rows, slice_make(&size, sizeof(size)));
        buffer_append(&connection->rows, body);
        refused = buffer_error(&connection->rows) != 0;
    }
    pthread_mutex_unlock(&connection->lock);
    return refused ? ERROR_CLOSED : 0;
}

static int take_row(struct admin_call *call, const struct admin_field *fields, size_t count)
{
    struct buffer row, body;
    buffer_init(&row, IPC_BODY_MAXIMUM);
    buffer_init(&body, IPC_BODY_MAXIMUM);
    admin_put_fields(&row, fields, count);
    ipc_put_bytes(&body, buffer_slice(&row));
    int error = buffer_error(&row) ? buffer_error(&row) : buffer_error(&body);
    if (!error)
        error = queue_row(connection_of(call), buffer_slice(&body));
    buffer_release(&row);
    buffer_release(&body);
    return error;
}

static int take_progress(struct admin_call *call, uint64_t done, uint64_t total)
{
    struct connection *connection = connection_of(call);
    pthread_mutex_lock(&connection->lock);
    connection->done = done;
    connection->total = total;
    connection->progressed = true;
    bool refused = connection->refused;
    pthread_mutex_unlock(&connection->lock);
    return refused ? ERROR_CLOSED : 0;
}

static void take_gone(struct admin_call *call, struct account_id account)
{
    struct connection *connection = connection_of(call);
    connection->has_gone = true;
    connection->gone = account;
}

static void run_in_thread(uv_work_t *work)
{
    struct connection *connection = work->data;
    connection->error = connection->operation->run(&connection->call);
}

/* --- connections --- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    pthread_mutex_destroy(&connection->lock);
    pthread_cond_destroy(&connection->room);
    free(connection);
}

static void drop(struct connection *connection)
{
    ipc_channel_free(&connection->channel);
    pthread_mutex_lock(&connection->lock);
    connection->refused = true;
    pthread_cond_signal(&connection->room);
    pthread_mutex_unlock(&connection->lock);
    if (connection->running)
        return;
    LIST_REMOVE(connection, all);
    connection->admin->count--;
    buffer_release(&connection->rows);
    buffer_release(&connection->request);
    free(connection->arguments);
    uv_close((uv_handle_t *)&connection->pump, on_closed);
}

static void channel_closed(struct ipc_channel *channel, int error, void *arg)
{
    (void)channel;
    (void)error;
    drop(arg);
}

/* --- the answer --- */

static void send_result(struct connection *connection)
{
    struct buffer body;
    const char *text = connection->error && !connection->call.detail[0]
                           ? error_text(connection->error)
                           : connection->call.detail;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u32(&body, (uint32_t)-connection->error);
    ipc_put_bytes(&body, slice_from_string(text));
    ipc_channel_send(connection->channel, IPC_ADMIN_RESULT, &body, NULL, 0);
    buffer_release(&body);
}

/* Sends rows while the socket takes them. Whether any are left. */
static bool send_rows(struct connection *connection)
{
    struct buffer body;
    uint32_t size;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    pthread_mutex_lock(&connection->lock);
    size_t at = 0;
    while (at < connection->rows.size && ipc_channel_queued(connection->channel) < QUEUE_MAXIMUM) {
        memcpy(&size, connection->rows.data + at, sizeof(size));
        buffer_clear(&body);
        buffer_append(&body, slice_make(connection->rows.data + at + sizeof(size), size));
        ipc_channel_send(connection->channel, IPC_ADMIN_ROW, &body, NULL, 0);
        at += sizeof(size) + size;
    }
    buffer_consume(&connection->rows, at);
    bool left = connection->rows.size > 0;
    pthread_cond_signal(&connection->room);
    pthread_mutex_unlock(&connection->lock);
    if (at)
        connection->reported = uv_now(connection->admin->options.loop);
    buffer_release(&body);
    return left;
}

/* When there is something new to say, and so often that nobody takes silence for the end. */
static void send_progress(struct connection *connection)
{
    uint64_t silent = uv_now(connection->admin->options.loop) - connection->reported;
    struct buffer body;
    buffer_init(&body, 64);
    pthread_mutex_lock(&connection->lock);
    bool wanted = silent >= (connection->progressed ? REPORT_MS : ADMIN_PROGRESS_SECONDS * 1000);
    ipc_put_u64(&body, connection->done);
    ipc_put_u64(&body, connection->total);
    connection->progressed = connection->progressed && !wanted;
    pthread_mutex_unlock(&connection->lock);
    if (wanted) {
        connection->reported += silent;
        ipc_channel_send(connection->channel, IPC_ADMIN_PROGRESS, &body, NULL, 0);
    }
    buffer_release(&body);
}

static void become_idle(struct connection *connection)
{
    uv_timer_stop(&connection->pump);
    connection->operation = NULL;
    buffer_release(&connection->rows);
    buffer_release(&connection->request);
    free(connection->arguments);
    connection->arguments = NULL;
}

static void on_pump(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    if (!connection->channel)
        return;
    bool left = send_rows(connection);
    if (connection->running) {
        send_progress(connection);
    } else if (!left) {
        send_result(connection);
        become_idle(connection);
    }
}

static void log_done(const struct connection *connection)
{
    struct slice what = {NULL, 0};
    if (connection->call.argument_count)
        what = connection->arguments[0].value;
    if (connection->operation->changes)
        log_info("admin", LOG_TEXT("operation", connection->operation->name),
                 LOG_SLICE("argument", what), LOG_TEXT("result", error_name(connection->error)),
                 LOG_TEXT("detail", connection->call.detail));
}

static void run_done(uv_work_t *work, int status)
{
    struct connection *connection = work->data;
    struct admin *admin = connection->admin;
    (void)status;
    connection->running = false;
    admin->running--;
    log_done(connection);
    if (connection->has_gone)
        worker_end_account(admin->options.worker, connection->gone);
    if (connection->channel)
        on_pump(&connection->pump);
    else
        drop(connection);
    if (admin->ending && admin->running == 0)
        admin->options.ended(admin->options.arg);
}

/* --- requests --- */

static int take_arguments(struct connection *connection, struct slice bytes)
{
    struct admin_call *call = &connection->call;
    int error = buffer_append(&connection->request, bytes);
    connection->arguments = calloc(ADMIN_ARGUMENTS_MAXIMUM, sizeof(*connection->arguments));
    if (!error && !connection->arguments)
        error = ERROR_MEMORY;
    if (!error)
        error = admin_get_arguments(buffer_slice(&connection->request), connection->arguments,
                                    &call->argument_count);
    call->arguments = connection->arguments;
    return error;
}

static void start(struct connection *connection)
{
    struct admin *admin = connection->admin;
    connection->error = 0;
    connection->done = connection->total = 0;
    connection->progressed = connection->has_gone = false;
    connection->running = true;
    connection->reported = uv_now(admin->options.loop);
    admin->running++;
    uv_timer_start(&connection->pump, on_pump, PUMP_MS, PUMP_MS);
    uv_queue_work(admin->options.loop, &connection->work, run_in_thread, run_done);
}

/* What does not fit into the call itself. */
static int keep_arguments(struct connection *connection, const struct ipc_message *message)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    struct slice arguments = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
    int error = ipc_reader_finish(&reader);
    return error ? error : buffer_append(&connection->request, arguments);
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct connection *connection = arg;
    struct ipc_reader reader;
    (void)channel;
    if (message->type == IPC_ADMIN_ARGUMENTS && !connection->operation)
        return keep_arguments(connection, message);
    if (message->type != IPC_ADMIN_CALL || connection->operation)
        return ERROR_PROTOCOL; /* for another service, or a second one at once */
    ipc_reader_init(&reader, message->body);
    struct slice name = ipc_get_bytes(&reader, ADMIN_NAME_MAXIMUM);
    struct slice arguments = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
    int error = ipc_reader_finish(&reader);
    connection->call = (struct admin_call){.store = connection->admin->options.store,
                                           .row = take_row,
                                           .progress = take_progress,
                                           .account_gone = take_gone};
    if (!error)
        error = take_arguments(connection, arguments);
    if (error)
        return error;
    connection->operation = admin_operation_find(name);
    if (connection->operation) {
        start(connection);
        return 0;
    }
    connection->error = admin_run(name, &connection->call);
    send_result(connection);
    become_idle(connection);
    return 0;
}

void admin_accept(struct admin *admin, int socket)
{
    bool served = !admin->ending && admin->count < ADMIN_CONNECTIONS_MAXIMUM;
    struct connection *connection = served ? calloc(1, sizeof(*connection)) : NULL;
    const struct ipc_channel_options options = {.kind = IPC_CHANNEL_ADMIN,
                                                .asking = false,
                                                .state = IPC_STATE_RUNNING,
                                                .received = received,
                                                .closed = channel_closed,
                                                .arg = connection,
                                                .idle_seconds = CHANNEL_ADMIN_TIME};
    if (!connection ||
        ipc_channel_create(admin->options.loop, socket, &options, &connection->channel)) {
        free(connection);
        close(socket);
        return;
    }
    connection->admin = admin;
    connection->work.data = connection->pump.data = connection;
    pthread_mutex_init(&connection->lock, NULL);
    pthread_cond_init(&connection->room, NULL);
    buffer_init(&connection->rows, QUEUE_MAXIMUM + 2 * IPC_BODY_MAXIMUM);
    buffer_init(&connection->request, ADMIN_REQUEST_MAXIMUM);
    uv_timer_init(admin->options.loop, &connection->pump);
    LIST_INSERT_HEAD(&admin->connections, connection, all);
    admin->count++;
}

int admin_create(const struct admin_options *options, struct admin **admin)
{
    struct admin *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->options = *options;
    LIST_INIT(&made->connections);
    *admin = made;
    return 0;
}

void admin_end(struct admin *admin)
{
    admin->ending = true;
    struct connection *connection = LIST_FIRST(&admin->connections), *next;
    for (; connection; connection = next) {
        next = LIST_NEXT(connection, all);
        drop(connection);
    }
    if (admin->running == 0)
        admin->options.ended(admin->options.arg);
}

void admin_free(struct admin **admin)
{
    free(*admin);
    *admin = NULL;
}
