/*
 * One connection to the mail server.
 *
 *   CONNECTING --> TALKING <--> HANDSHAKE
 *       |            |
 *       +-----> HANDSHAKE (TLS from the first byte)
 *
 *   and ENDING: what is still to be written is, then it ends.
 *
 * Each step does one thing that can be done at once: it writes what the engine said, gives it a
 * piece of the message, or reads. The timer runs for the answer that is awaited, and not anew for
 * each byte of it.
 *
 * A server may have closed a connection that was kept, or be about to, just when a message is begun
 * on it. Nothing of the message has been taken then, so it goes back to the pool, once.
 */
#include "agents/send/send_priv.h"

#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

/* What became of a step. */
enum outcome {
    GO_ON, /* the next step can be done at once */
    WAIT,  /* for the socket or the timer */
    GONE,  /* not to be touched */
};

static void run(struct connection *connection);

/* --- the end --- */

static void handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles == 0)
        free(connection);
}

void connection_destroy(struct connection *connection)
{
    struct sender *sender = connection->sender;
    TAILQ_REMOVE(&sender->connections, connection, entry);
    sender->connection_count--;
    sender->opening -= !connection->served;
    counters_add(COUNTER_SEND_OPEN, -1);
    if (connection->handles == 2)
        uv_close((uv_handle_t *)&connection->poll, handle_closed);
    uv_close((uv_handle_t *)&connection->timer, handle_closed);
    transport_close(&connection->transport);
    smtp_client_release(&connection->client);
    buffer_release(&connection->input);
    buffer_release(&connection->output);
}

/* Whether the server had gone, or was going, before the message was begun. */
static bool came_too_late(const struct connection *connection)
{
    const struct smtp_result *results = connection->client.results;
    bool leaving = false;
    if (!connection->sent || connection->message->again || connection->sender->draining)
        return false;
    for (size_t i = 0; i < connection->message->mail.recipient_count; i++) {
        if (results[i].outcome != SMTP_DEFERRED)
            return false;
        leaving = leaving || results[i].code == 421;
    }
    return leaving || !connection->heard;
}

static void finish_message(struct connection *connection)
{
    struct message *message = connection->message;
    bool back = came_too_late(connection);
    connection->message = NULL;
    connection->sent++;
    if (back)
        pool_put_back(connection->sender, message);
    else
        pool_finish(connection->sender, message, connection->client.results);
}

/* The engine has closed. */
static enum outcome end(struct connection *connection)
{
    struct sender *sender = connection->sender;
    struct smtp_result failure = connection->client.failure;
    bool served = connection->served;
    if (connection->message)
        finish_message(connection);
    connection_destroy(connection);
    pool_lost(sender, served, &failure);
    return GONE;
}

static enum outcome lose(struct connection *connection, const char *why)
{
    smtp_client_closed(&connection->client, why);
    return end(connection);
}

void connection_lose(struct connection *connection, const char *why)
{
    lose(connection, why);
}

/* --- waiting --- */

static void timer_fired(uv_timer_t *timer);
static void polled(uv_poll_t *poll, int status, int events);

static void set_timer(struct connection *connection, int64_t seconds)
{
    uv_timer_start(&connection->timer, timer_fired, (uint64_t)seconds * 1000, 0);
}

static int64_t shorter(const struct connection *connection, int64_t seconds)
{
    int64_t timeout = connection->sender->config->outgoing_timeout;
    return timeout < seconds ? timeout : seconds;
}

/* RFC 5321 section 4.5.3.2: the end of a message takes the server longest. */
static void await_answer(struct connection *connection)
{
    int64_t timeout = connection->sender->config->outgoing_timeout;
    set_timer(connection, connection->quitting ? shorter(connection, SEND_FAREWELL_TIME)
                          : connection->ended  ? 2 * timeout
                                               : timeout);
}

static enum outcome wait_for(struct connection *connection, int events)
{
    uv_poll_start(&connection->poll, events, polled);
    return WAIT;
}

/* --- connecting --- */

static int make_connection(struct sender *sender, size_t address, size_t tried, bool plain);

/* In its place, another one. */
static enum outcome replace(struct connection *connection, size_t address, size_t tried, bool plain)
{
    if (make_connection(connection->sender, address, tried, plain))
        return lose(connection, error_text(ERROR_MEMORY));
    connection_destroy(connection);
    return GONE;
}

static enum outcome connect_failed(struct connection *connection, int error)
{
    const struct send_server *server = &connection->sender->server;
    char why[SMTP_RESULT_MAXIMUM];
    if (connection->tried + 1 < server->address_count)
        return replace(connection, (connection->address + 1) % server->address_count,
                       connection->tried + 1, connection->smtp.tls == SMTP_TLS_NEVER);
    snprintf(why, sizeof(why), "no connection to %.200s: %s", server->host, strerror(error));
    return lose(connection, why);
}

static enum outcome begin_handshake(struct connection *connection)
{
    struct send_server *server = &connection->sender->server;
    if (transport_connect_tls(&connection->transport, server->tls, server->host))
        return lose(connection, error_text(ERROR_MEMORY));
    connection->state = HANDSHAKE;
    set_timer(connection, shorter(connection, SEND_CONNECT_TIME));
    return GO_ON;
}

static enum outcome step_connect(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(connection->transport.socket, SOL_SOCKET, SO_ERROR, &error, &size))
        error = errno;
    if (error)
        return connect_failed(connection, error);
    connection->sender->address = connection->address;
    if (connection->sender->server.tls_first)
        return begin_handshake(connection);
    connection->state = TALKING;
    await_answer(connection);
    return GO_ON;
}

static enum outcome handshake_failed(struct connection *connection)
{
    struct sender *sender = connection->sender;
    if (connection->smtp.tls != SMTP_TLS_OFFERED) {
        char why[SMTP_RESULT_MAXIMUM];
        long verified = SSL_get_verify_result(connection->transport.ssl);
        snprintf(why, sizeof(why), "TLS: %s",
                 verified == X509_V_OK ? tls_reason() : X509_verify_cert_error_string(verified));
        return lose(connection, why);
    }
    log_warning("outgoing_tls_failed", LOG_TEXT("server", sender->server.host),
                LOG_TEXT("reason", tls_reason()),
                LOG_TEXT("now", "going on without it for some time"));
    sender->plain_until = uv_now(sender->loop) + SEND_PLAIN_TIME * UINT64_C(1000);
    return replace(connection, connection->address, connection->tried, true);
}

static enum outcome step_handshake(struct connection *connection)
{
    int events = 0;
    int error = transport_handshake(&connection->transport, &events);
    if (error == ERROR_BUSY)
        return wait_for(connection, events);
    if (error)
        return handshake_failed(connection);
    smtp_client_secured(&connection->client, &connection->output);
    connection->state = TALKING;
    await_answer(connection);
    return GO_ON;
}

/* --- reading and writing --- */

static enum outcome step_write(struct connection *connection)
{
    int events = 0;
    struct buffer *output = &connection->output;
    if (buffer_error(output))
        return lose(connection, error_text(buffer_error(output)));
    ssize_t put = transport_write(&connection->transport, output->data, output->size, &events);
    if (put == ERROR_BUSY)
        return wait_for(connection, events);
    if (put < 0)
        return lose(connection, "the connection to the server was lost");
    buffer_consume(output, (size_t)put);
    await_answer(connection);
    return GO_ON;
}

static enum outcome step_read(struct connection *connection)
{
    int events = 0;
    char *room = buffer_reserve(&connection->input, SEND_INPUT_MAXIMUM);
    if (!room)
        return lose(connection, error_text(ERROR_MEMORY));
    ssize_t got = transport_read(&connection->transport, room, SEND_INPUT_MAXIMUM, &events);
    if (got == ERROR_BUSY)
        return wait_for(connection, events);
    if (got <= 0)
        return lose(connection, got ? "the connection to the server was lost"
                                    : "the server has closed the connection");
    buffer_commit(&connection->input, (size_t)got);
    connection->heard = true;
    return GO_ON;
}

/* A piece of the message, or its end. */
static enum outcome step_feed(struct connection *connection)
{
    static char piece[SEND_PIECE];
    const struct message *message = connection->message;
    uint64_t left = message->mail.size - connection->offset;
    if (!left) {
        connection->feeding = false;
        connection->ended = true;
        smtp_client_data_end(&connection->client, &connection->output);
        return GO_ON;
    }
    ssize_t got = pread(message->file, piece, left < SEND_PIECE ? (size_t)left : SEND_PIECE,
                        (off_t)connection->offset);
    if (got <= 0)
        return lose(connection, got ? "the message cannot be read"
                                    : "the message is shorter than it should be");
    connection->offset += (uint64_t)got;
    smtp_client_data(&connection->client, slice_make(piece, (size_t)got), &connection->output);
    return GO_ON;
}

/* --- talking --- */

static void become_idle(struct connection *connection)
{
    connection->idle = true;
    set_timer(connection, SEND_IDLE_TIME);
}

static void quit(struct connection *connection)
{
    connection->quitting = true;
    smtp_client_quit(&connection->client, &connection->output);
}

static enum outcome step_ready(struct connection *connection)
{
    if (!connection->served)
        pool_connected(connection->sender);
    connection->served = true;
    connection->message = pool_next(connection->sender, connection);
    if (connection->message) {
        connection->idle = connection->heard = connection->ended = false;
        connection->offset = 0;
        if (smtp_client_begin(&connection->client, &connection->message->mail,
                              &connection->output) == SMTP_DONE)
            finish_message(connection);
        return GO_ON;
    }
    if (connection->sender->draining) {
        connection->idle = false;
        quit(connection);
        return GO_ON;
    }
    if (!connection->idle)
        become_idle(connection);
    return step_read(connection);
}

static enum outcome react(struct connection *connection, enum smtp_action action)
{
    switch (action) {
    case SMTP_MORE:
        return connection->output.size || connection->input.size ? GO_ON : step_read(connection);
    case SMTP_STARTTLS:
        return begin_handshake(connection);
    case SMTP_READY:
        return step_ready(connection);
    case SMTP_DATA:
        connection->feeding = true;
        return GO_ON;
    case SMTP_DONE:
        finish_message(connection);
        return GO_ON;
    case SMTP_END:
        connection->state = ENDING;
        return GO_ON;
    }
    return GO_ON;
}

static enum outcome step_talk(struct connection *connection)
{
    struct slice rest = buffer_slice(&connection->input);
    size_t before = rest.size;
    enum smtp_action action = smtp_client_consume(&connection->client, &rest, &connection->output);
    buffer_consume(&connection->input, before - rest.size);
    return react(connection, action);
}

static enum outcome step(struct connection *connection)
{
    if (connection->state == CONNECTING)
        return step_connect(connection);
    if (connection->state == HANDSHAKE)
        return step_handshake(connection);
    if (connection->output.size || buffer_error(&connection->output))
        return step_write(connection);
    if (connection->state == ENDING) {
        transport_end(&connection->transport);
        return end(connection);
    }
    return connection->feeding ? step_feed(connection) : step_talk(connection);
}

static void run(struct connection *connection)
{
    enum outcome outcome = GO_ON;
    for (int i = 0; i < SEND_STEPS_AT_ONCE && outcome == GO_ON; i++)
        outcome = step(connection);
    /* The others first; what it would do next can be done. */
    if (outcome == GO_ON)
        wait_for(connection, UV_READABLE | UV_WRITABLE);
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    (void)status, (void)events;
    uv_poll_stop(poll);
    run(connection);
}

static void timer_fired(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    if (connection->state == CONNECTING) {
        int error = connection->connect_error;
        connect_failed(connection, error ? error : ETIMEDOUT);
    } else if (connection->idle) {
        connection->idle = false;
        quit(connection);
        run(connection);
    } else {
        lose(connection, connection->state == HANDSHAKE ? "TLS: no handshake in time"
                         : connection->output.size      ? "the server takes no more in time"
                                                        : "the server does not answer in time");
    }
}

void connection_wake(struct connection *connection)
{
    if (connection->idle)
        run(connection);
}

/* --- the beginning --- */

static socklen_t address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* A failure is told by the timer, from the loop. */
static void begin_connect(struct connection *connection)
{
    const struct sockaddr_storage *address =
        &connection->sender->server.addresses[connection->address];
    int on = 1;
    int made = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connection->transport.socket = made;
    set_timer(connection, shorter(connection, SEND_CONNECT_TIME));
    if (made >= 0 && uv_poll_init(connection->sender->loop, &connection->poll, made) == 0) {
        connection->poll.data = connection;
        connection->handles = 2;
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        int result = connect(made, (const struct sockaddr *)address, address_size(address));
        if (result == 0 || errno == EINPROGRESS) {
            wait_for(connection, UV_WRITABLE);
            return;
        }
    }
    connection->connect_error = errno;
    set_timer(connection, 0);
}

static int make_connection(struct sender *sender, size_t address, size_t tried, bool plain)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return ERROR_MEMORY;
    *connection = (struct connection){.sender = sender, .address = address, .tried = tried};
    connection->smtp = sender->server.smtp;
    if (plain && connection->smtp.tls == SMTP_TLS_OFFERED)
        connection->smtp.tls = SMTP_TLS_NEVER;
    if (smtp_client_init(&connection->client, &connection->smtp)) {
        free(connection);
        return ERROR_INVALID;
    }
    buffer_init(&connection->input, 2 * SEND_INPUT_MAXIMUM);
    buffer_init(&connection->output, SEND_OUTPUT_MAXIMUM);
    uv_timer_init(sender->loop, &connection->timer);
    connection->timer.data = connection;
    connection->handles = 1;
    TAILQ_INSERT_TAIL(&sender->connections, connection, entry);
    sender->connection_count++;
    sender->opening++;
    counters_add(COUNTER_SEND_CONNECTIONS, 1);
    counters_add(COUNTER_SEND_OPEN, 1);
    begin_connect(connection);
    return 0;
}

int connection_create(struct sender *sender, bool plain)
{
    return make_connection(sender, sender->address, 0, plain);
}
