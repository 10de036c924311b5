/*
 *      idle --request--> running (in the pool) --> sending (a piece of the answer each turn) -->
 * idle
 *
 * A connection whose peer goes while its request runs is freed when the request is done.
 */
#include "session/admin.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

struct connection {
    struct admin *admin;
    LIST_ENTRY(connection) all;
    struct ipc_channel *channel; /* NULL: the peer has gone */
    uv_work_t work;
    uv_timer_t sending;
    const struct request *request; /* NULL: idle */
    bool running;                  /* in the pool */
    char address[ADDRESS_MAXIMUM + 1];
    size_t address_size;
    int error;
    struct arena arena;
    struct account_info *accounts; /* the answer; in the arena */
    size_t count, sent;
};

struct admin {
    struct admin_options options;
    LIST_HEAD(connection_list, connection) connections;
    size_t count, running; /* connections; those whose request is in the pool */
    bool ending;
};

/* --- in the pool --- */

static int list(struct connection *connection)
{
    return store_account_list(connection->admin->options.store, WHO_SYSTEM, &connection->arena,
                              &connection->accounts, &connection->count);
}

static struct slice address_of(const struct connection *connection)
{
    return slice_make(connection->address, connection->address_size);
}

/* Fills in the answer: this one account. */
static int answer(struct connection *connection, struct account_id id)
{
    connection->accounts = arena_alloc(&connection->arena, sizeof(*connection->accounts));
    connection->count = 1;
    if (!connection->accounts)
        return ERROR_LIMIT;
    return store_account_get(connection->admin->options.store, WHO_SYSTEM, id, &connection->arena,
                             connection->accounts);
}

static int find(struct connection *connection)
{
    struct account_id id;
    int error = store_account_find(connection->admin->options.store, WHO_SYSTEM,
                                   address_of(connection), &id);
    return error ? error : answer(connection, id);
}

static int add(struct connection *connection)
{
    struct account_id id;
    int error = store_account_create(connection->admin->options.store, WHO_SYSTEM,
                                     address_of(connection), &id);
    return error ? error : answer(connection, id);
}

/* "local+detail@domain" finds an account that must not be deleted by that name. */
static int is_own_name(struct connection *connection)
{
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error =
        store_normalise_address(connection->admin->options.store, address_of(connection), &normal);
    if (!error && !slice_equal(buffer_slice(&normal), connection->accounts[0].address))
        error = ERROR_NOT_FOUND;
    buffer_release(&normal);
    return error;
}

static int delete (struct connection *connection)
{
    int error = find(connection);
    if (!error)
        error = is_own_name(connection);
    return error ? error
                 : store_account_delete(connection->admin->options.store, WHO_SYSTEM,
                                        connection->accounts[0].id);
}

static const struct request {
    enum ipc_type type;
    const char *name;
    bool has_address;
    bool ends_with_result;
    bool ends_streams;
    int (*run)(struct connection *connection);
} requests[] = {
    {IPC_ADMIN_ACCOUNT_ADD, "account_add", true, false, false, add},
    {IPC_ADMIN_ACCOUNT_DELETE, "account_delete", true, false, true, delete},
    {IPC_ADMIN_ACCOUNT_FIND, "account_find", true, false, false, find},
    {IPC_ADMIN_ACCOUNT_LIST, "account_list", false, true, false, list},
};

static void run_in_thread(uv_work_t *work)
{
    struct connection *connection = work->data;
    connection->error = connection->request->run(connection);
}

/* --- connections --- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct connection *connection)
{
    ipc_channel_free(&connection->channel);
    if (connection->running)
        return;
    LIST_REMOVE(connection, all);
    connection->admin->count--;
    arena_release(&connection->arena);
    uv_close((uv_handle_t *)&connection->sending, on_closed);
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
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u32(&body, (uint32_t)-connection->error);
    ipc_put_bytes(&body, slice_from_string(connection->error ? error_text(connection->error) : ""));
    ipc_channel_send(connection->channel, IPC_ADMIN_RESULT, &body, NULL, 0);
    buffer_release(&body);
}

static void send_account(struct connection *connection, const struct account_info *account)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_append(&body, slice_make(account->id.bytes, sizeof(account->id.bytes)));
    ipc_put_u64(&body, (uint64_t)account->created);
    ipc_put_bytes(&body, account->address);
    ipc_channel_send(connection->channel, IPC_ADMIN_ACCOUNT, &body, NULL, 0);
    buffer_release(&body);
}

static void become_idle(struct connection *connection)
{
    connection->request = NULL;
    arena_release(&connection->arena);
}

/* A piece; the timer calls again while there is more, so that the queue can empty meanwhile. */
static void send_piece(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    size_t end = connection->error ? 0 : connection->sent + ADMIN_LIST_PIECE;
    for (; connection->sent < end && connection->sent < connection->count; connection->sent++)
        send_account(connection, &connection->accounts[connection->sent]);
    if (!connection->error && connection->sent < connection->count) {
        uv_timer_start(&connection->sending, send_piece, 5, 0);
        return;
    }
    if (connection->error || connection->request->ends_with_result)
        send_result(connection);
    become_idle(connection);
}

static void log_done(const struct connection *connection)
{
    log_info("admin", LOG_TEXT("request", connection->request->name),
             LOG_SLICE("address", address_of(connection)),
             LOG_TEXT("result", error_name(connection->error)));
}

static void run_done(uv_work_t *work, int status)
{
    struct connection *connection = work->data;
    struct admin *admin = connection->admin;
    (void)status;
    connection->running = false;
    admin->running--;
    log_done(connection);
    if (!connection->error && connection->request->ends_streams)
        worker_end_account(admin->options.worker, connection->accounts[0].id);
    if (connection->channel)
        send_piece(&connection->sending);
    else
        drop(connection);
    if (admin->ending && admin->running == 0)
        admin->options.ended(admin->options.arg);
}

/* --- requests --- */

static int begin(struct connection *connection, const struct request *request,
                 struct ipc_message *message)
{
    struct ipc_reader reader;
    struct slice address = {NULL, 0};
    ipc_reader_init(&reader, message->body);
    if (request->has_address)
        address = ipc_get_bytes(&reader, ADDRESS_MAXIMUM);
    int error = ipc_reader_finish(&reader);
    if (error || connection->request)
        return ERROR_PROTOCOL;
    if (address.size)
        memcpy(connection->address, address.data, address.size);
    connection->address_size = address.size;
    connection->request = request;
    connection->count = connection->sent = 0;
    connection->running = true;
    connection->admin->running++;
    uv_queue_work(connection->admin->options.loop, &connection->work, run_in_thread, run_done);
    return 0;
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    (void)channel;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].type == message->type)
            return begin(arg, &requests[i], message);
    return ERROR_PROTOCOL; /* for another service */
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
    connection->work.data = connection->sending.data = connection;
    arena_init(&connection->arena, ADMIN_LIST_MEMORY);
    uv_timer_init(admin->options.loop, &connection->sending);
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
