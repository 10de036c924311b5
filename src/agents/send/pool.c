/*
 * Messages wait in one queue; connections take them from it, one after the other, and are made when
 * more wait than connections are being opened, up to outgoing_connections.
 *
 *     pool_add --> waiting --pool_next--> a connection's --pool_finish--> answered
 *                     ^----pool_put_back----┘
 *
 * A connection that fails before it was of any use says something of the server, not of a message.
 * So what waits is deferred only when there is no other connection that could still take it. Where
 * there is one, the server has had enough of us (421), and no further one is opened for a while.
 *
 * What waits when the time to end is over, and what comes while it draws near, has not been tried:
 * it is given back, for another chapar-send. So that nothing that has been handed over is without
 * an answer, the end comes when all channels have been read to theirs:
 *
 *     drain --> nothing under way --> what comes fails there --> the channels are empty --> drained
 */
#include "agents/send/send_priv.h"

#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"

static void say(struct smtp_result *result, const char *text)
{
    *result = (struct smtp_result){.outcome = SMTP_DEFERRED};
    snprintf(result->text, sizeof(result->text), "%s", text);
}

void pool_look_for_end(struct sender *sender)
{
    void (*drained)(void *) = sender->drained;
    if (!sender->draining || sender->under_way || !drained)
        return;
    peers_end_input(sender);
    if (!TAILQ_EMPTY(&sender->peers))
        return;
    sender->drained = NULL;
    uv_timer_stop(&sender->drain_timer);
    drained(sender->drained_arg);
}

void pool_finish(struct sender *sender, struct message *message, const struct smtp_result *results)
{
    message->connection = NULL;
    sender->under_way--;
    message_finish(message, results);
    pool_look_for_end(sender);
}

/* One result for every recipient. */
static void finish_alike(struct sender *sender, struct message *message,
                         const struct smtp_result *result)
{
    static struct smtp_result results[SMTP_RECIPIENTS_MAXIMUM];
    for (size_t i = 0; i < message->mail.recipient_count; i++)
        results[i] = *result;
    pool_finish(sender, message, results);
}

static void defer_waiting(struct sender *sender, const struct smtp_result *why)
{
    for (struct message *message; (message = TAILQ_FIRST(&sender->waiting));) {
        TAILQ_REMOVE(&sender->waiting, message, waiting);
        finish_alike(sender, message, why);
    }
}

static void give_back_waiting(struct sender *sender)
{
    for (struct message *message; (message = TAILQ_FIRST(&sender->waiting));) {
        TAILQ_REMOVE(&sender->waiting, message, waiting);
        pool_finish(sender, message, NULL);
    }
}

static size_t count_waiting(const struct sender *sender)
{
    size_t count = 0;
    for (struct message *message = TAILQ_FIRST(&sender->waiting); message;
         message = TAILQ_NEXT(message, waiting))
        count++;
    return count;
}

static bool may_connect(const struct sender *sender)
{
    return sender->connection_count < (size_t)sender->config->outgoing_connections &&
           (!sender->connection_count || !uv_is_active((uv_handle_t *)&sender->pause_timer));
}

static struct connection *find_idle(const struct sender *sender)
{
    struct connection *connection = TAILQ_FIRST(&sender->connections);
    while (connection && !connection->idle)
        connection = TAILQ_NEXT(connection, entry);
    return connection;
}

/* By who is idle, and by new connections for the rest. */
static void serve_waiting(struct sender *sender)
{
    struct smtp_result failure;
    for (struct connection *idle; !TAILQ_EMPTY(&sender->waiting) && (idle = find_idle(sender));)
        connection_wake(idle);
    bool plain = uv_now(sender->loop) < sender->plain_until;
    for (size_t waiting = count_waiting(sender); sender->opening < waiting && may_connect(sender);)
        if (connection_create(sender, plain))
            break;
    say(&failure, error_text(ERROR_MEMORY));
    if (!sender->connection_count)
        defer_waiting(sender, &failure);
}

void pool_add(struct sender *sender, struct message *message)
{
    struct smtp_result failure;
    sender->under_way++;
    if (sender->draining) {
        pool_finish(sender, message, NULL);
    } else if (!sender->server.address_count) {
        say(&failure, "the name of outgoing_server was not found");
        finish_alike(sender, message, &failure);
    } else {
        TAILQ_INSERT_TAIL(&sender->waiting, message, waiting);
        serve_waiting(sender);
    }
}

void pool_withdraw(struct sender *sender, struct message *message)
{
    struct connection *connection = message->connection;
    sender->under_way--;
    message->connection = NULL;
    if (!connection) {
        TAILQ_REMOVE(&sender->waiting, message, waiting);
    } else {
        connection_destroy(connection);
        serve_waiting(sender);
    }
    pool_look_for_end(sender);
}

struct message *pool_next(struct sender *sender, struct connection *connection)
{
    struct message *message = TAILQ_FIRST(&sender->waiting);
    if (!message)
        return NULL;
    TAILQ_REMOVE(&sender->waiting, message, waiting);
    message->connection = connection;
    return message;
}

void pool_put_back(struct sender *sender, struct message *message)
{
    message->connection = NULL;
    message->again = true;
    TAILQ_INSERT_HEAD(&sender->waiting, message, waiting);
}

void pool_connected(struct sender *sender)
{
    sender->opening--;
    uv_timer_stop(&sender->pause_timer);
}

static void pause_over(uv_timer_t *timer)
{
    serve_waiting(timer->data);
}

void pool_lost(struct sender *sender, bool served, const struct smtp_result *failure)
{
    if (!served) {
        counters_add(COUNTER_SEND_CONNECTION_FAILURES, 1);
        log_warning("outgoing_failed", LOG_TEXT("server", sender->server.host),
                    LOG_NUMBER("code", failure->code), LOG_TEXT("reason", failure->text));
        uv_timer_start(&sender->pause_timer, pause_over, SEND_PAUSE * UINT64_C(1000), 0);
        if (!sender->connection_count)
            defer_waiting(sender, failure);
    }
    serve_waiting(sender);
}

/* --- life --- */

void sender_init(struct sender *sender, uv_loop_t *loop, const struct config *config)
{
    *sender = (struct sender){.loop = loop, .config = config};
    TAILQ_INIT(&sender->peers);
    TAILQ_INIT(&sender->connections);
    TAILQ_INIT(&sender->waiting);
    uv_timer_init(loop, &sender->drain_timer);
    uv_timer_init(loop, &sender->pause_timer);
    sender->drain_timer.data = sender->pause_timer.data = sender;
}

static void close_connections(struct sender *sender)
{
    for (struct connection *connection; (connection = TAILQ_FIRST(&sender->connections));)
        connection_destroy(connection);
}

void sender_release(struct sender *sender)
{
    peers_release(sender);
    close_connections(sender);
    send_server_release(&sender->server);
    uv_close((uv_handle_t *)&sender->drain_timer, NULL);
    uv_close((uv_handle_t *)&sender->pause_timer, NULL);
}

/* --- draining --- */

static void out_of_time(uv_timer_t *timer)
{
    static const char why[] = "chapar-send had to end";
    struct sender *sender = timer->data;
    give_back_waiting(sender);
    for (struct connection *connection; (connection = TAILQ_FIRST(&sender->connections));)
        connection_lose(connection, why);
}

void sender_drain(struct sender *sender, uint32_t seconds, void (*drained)(void *arg), void *arg)
{
    sender->draining = true;
    sender->drained = drained;
    sender->drained_arg = arg;
    for (struct connection *idle; (idle = find_idle(sender));)
        connection_wake(idle);
    if (seconds != UINT32_MAX)
        uv_timer_start(&sender->drain_timer, out_of_time, seconds * UINT64_C(1000), 0);
    pool_look_for_end(sender);
}
