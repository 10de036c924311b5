/*
 * One client before it is logged in.
 *
 *   HANDSHAKE -----------> READING <----------------------+
 *      ^                    |  |  |                       |
 *      |       STARTTLS     |  |  | AUTHENTICATE          | challenge, refused
 *   SECURING <--------------+  |  +--> ASKING --> CHECKING --> DELAYING
 *                              |                     |
 *                     closed, BYE: a farewell     granted: handed over
 *
 * ASKING: what was written goes out first, so that nothing is pending when the stream is handed
 * over. CHECKING and DELAYING: nothing is read, so what was left over of the input stays within
 * CONNECTION_READ_MAXIMUM and the rest waits in the kernel. A STARTTLS's left-over input is
 * dropped: it came in plaintext (RFC 9051 section 11.1).
 *
 * A stream that chapar-session has given back (struct returned) begins in READING. One that is
 * encrypted is an end of a socket pair then: the pump goes on with the client's socket.
 *
 * Memory before login, each piece taken only while there is something in it: the struct, the
 * engine's line, literals and arena, the SASL response, output, left-over input. Together they
 * are below CONNECTION_MEMORY_MAXIMUM, which the compiler checks.
 */
#include "front/login/engine_priv.h"
#include "front/login/login_priv.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"
#include "base/network.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum state { HANDSHAKE, READING, SECURING, ASKING, CHECKING, DELAYING, STATES };

/* What became of a step. */
enum outcome {
    GO_ON, /* the state's next step can be done at once */
    WAIT,  /* waits_for says for what */
    GONE,  /* handed over, saying farewell, or lost: not to be touched */
};

struct connection {
    struct login *login;
    struct client *counted;
    struct transport transport;
    const struct login_protocol *protocol;
    enum state state;
    uv_poll_t poll;
    uv_timer_t timer;  /* until deadline, or a failure's delay */
    int handles;       /* not closed yet */
    int events;        /* watched now */
    int waits_for;     /* of the socket; 0: for an answer or a timer */
    uint64_t deadline; /* uv_now's milliseconds */
    union login_engines engines;
    struct buffer input; /* left over */
    struct buffer output;
    struct question question;
    int refusals;
    int refusal; /* DELAYING: the error to be told */
    char client[INET6_ADDRSTRLEN];
    char returned_tls[TLS_FACTS_MAXIMUM]; /* of one that was given back, and is encrypted elsewhere
                                           */
    TAILQ_ENTRY(connection) entry;
};

_Static_assert(sizeof(struct connection) + LOGIN_ENGINE_HEAP_MAXIMUM + LOGIN_ENGINE_OUTPUT_MAXIMUM +
                       CONNECTION_READ_MAXIMUM <=
                   CONNECTION_MEMORY_MAXIMUM,
               "a connection before login stays within its budget");
_Static_assert((size_t)CONNECTION_READ_MAXIMUM <= (size_t)IPC_STRING_MAXIMUM &&
                   (size_t)STREAM_BACK_INPUT_MAXIMUM <= (size_t)CONNECTION_READ_MAXIMUM,
               "left-over input can be handed over, and back");

static void run(struct connection *connection);

/* --- the end --- */

static void handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles == 0)
        free(connection);
}

static struct login_engine *engine_of(struct connection *connection)
{
    return &connection->engines.engine;
}

/* Everything but the transport, which somebody else has now, or which is closed. */
static void let_go(struct connection *connection)
{
    struct login *login = connection->login;
    question_close(login, &connection->question);
    TAILQ_REMOVE(&login->connections, connection, entry);
    clients_leave(login, connection->counted);
    login_engine_release(engine_of(connection));
    buffer_release(&connection->input);
    buffer_release(&connection->output);
    uv_close((uv_handle_t *)&connection->timer, handle_closed);
    login_closed(login);
}

/* The loop must not watch a socket that is closed or passed on. */
static void unwatch(struct connection *connection)
{
    uv_close((uv_handle_t *)&connection->poll, handle_closed);
}

void connection_destroy(struct connection *connection)
{
    unwatch(connection);
    transport_close(&connection->transport);
    let_go(connection);
}

/* What is in output is still sent. */
static void finish(struct connection *connection)
{
    unwatch(connection);
    pump_create(connection->login, &connection->transport, -1, buffer_slice(&connection->output));
    let_go(connection);
}

static void dismiss(struct connection *connection, bool unavailable, const char *text)
{
    if (connection->state == HANDSHAKE) {
        connection_destroy(connection);
        return;
    }
    login_engine_bye(engine_of(connection), unavailable, text, &connection->output);
    finish(connection);
}

void connection_dismiss(struct connection *connection, const char *text)
{
    dismiss(connection, true, text);
}

/* --- time --- */

static void timer_fired(uv_timer_t *timer);

static void set_timer(struct connection *connection, uint64_t milliseconds)
{
    uint64_t now = uv_now(connection->login->loop);
    uint64_t left = connection->deadline > now ? connection->deadline - now : 0;
    uv_timer_start(&connection->timer, timer_fired, milliseconds < left ? milliseconds : left, 0);
}

static enum outcome tell_refusal(struct connection *connection);

static void timer_fired(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    if (uv_now(connection->login->loop) < connection->deadline) {
        set_timer(connection, UINT64_MAX);
        if (connection->state == DELAYING && tell_refusal(connection) != GONE)
            run(connection);
        return;
    }
    counters_add(COUNTER_LOGIN_TIMEOUTS, 1);
    log_info("login_timeout", LOG_TEXT("client", connection->client),
             LOG_TEXT("limit", "login_timeout"));
    dismiss(connection, false, "Not logged in in time");
}

/* --- steps --- */

static enum outcome wait_for(struct connection *connection, int events)
{
    connection->waits_for = events;
    return WAIT;
}

static enum outcome lose(struct connection *connection)
{
    connection_destroy(connection);
    return GONE;
}

/* GO_ON: nothing is left in output. */
static enum outcome flush(struct connection *connection)
{
    struct buffer *output = &connection->output;
    while (output->size) {
        int events = 0;
        ssize_t put = transport_write(&connection->transport, output->data, output->size, &events);
        if (put == ERROR_BUSY)
            return wait_for(connection, events);
        if (put < 0)
            return lose(connection);
        buffer_consume(output, (size_t)put);
    }
    buffer_release(output);
    return GO_ON;
}

static enum outcome step_handshake(struct connection *connection)
{
    int events = 0;
    int error = transport_handshake(&connection->transport, &events);
    if (error == ERROR_BUSY)
        return wait_for(connection, events);
    if (error) {
        counters_add(COUNTER_LOGIN_TLS_FAILURES, 1);
        log_info("tls_failed", LOG_TEXT("client", connection->client),
                 LOG_TEXT("reason", tls_reason()));
        return lose(connection);
    }
    connection->state = READING;
    if (connection->protocol->tls)
        login_engine_greet(engine_of(connection), &connection->output);
    else
        login_engine_tls_started(engine_of(connection), &connection->output);
    return GO_ON;
}

static enum outcome step_securing(struct connection *connection)
{
    enum outcome outcome = flush(connection);
    if (outcome != GO_ON)
        return outcome;
    if (transport_start_tls(&connection->transport, connection->login->tls))
        return lose(connection);
    connection->state = HANDSHAKE;
    return GO_ON;
}

static enum outcome act(struct connection *connection, enum login_action action)
{
    if (buffer_error(&connection->output))
        return lose(connection);
    if (action == LOGIN_CLOSE) {
        finish(connection);
        return GONE;
    }
    if (action == LOGIN_STARTTLS) {
        buffer_release(&connection->input);
        connection->state = SECURING;
    } else if (action == LOGIN_AUTHENTICATE) {
        connection->state = ASKING;
    }
    return GO_ON;
}

/* What the engine leaves is kept: it waits for the output to be sent, or for an answer. */
static enum outcome consume(struct connection *connection, struct slice input)
{
    bool kept = connection->input.size > 0;
    size_t size = input.size;
    enum login_action action =
        login_engine_consume(engine_of(connection), &input, &connection->output);
    if (kept)
        buffer_consume(&connection->input, size - input.size);
    else if (input.size && buffer_append(&connection->input, input))
        return lose(connection);
    if (connection->input.size == 0)
        buffer_release(&connection->input);
    return act(connection, action);
}

static enum outcome step_reading(struct connection *connection)
{
    enum outcome outcome = flush(connection);
    if (outcome != GO_ON)
        return outcome;
    if (connection->input.size)
        return consume(connection, buffer_slice(&connection->input));
    char *scratch = connection->login->scratch;
    int events = 0;
    ssize_t got = transport_read(&connection->transport, scratch, CONNECTION_READ_MAXIMUM, &events);
    if (got == ERROR_BUSY)
        return wait_for(connection, events);
    if (got <= 0)
        return lose(connection);
    outcome = consume(connection, slice_make(scratch, (size_t)got));
    sodium_memzero(scratch, (size_t)got);
    return outcome;
}

static enum outcome refuse(struct connection *connection, int error);

static int ask(struct connection *connection)
{
    struct login_exchange *exchange = &engine_of(connection)->exchange;
    struct question_facts facts = {.protocol = connection->protocol->number,
                                   .tls = engine_of(connection)->tls,
                                   .client = connection->client};
    if (!exchange->first_response)
        return question_go_on(connection->login, &connection->question,
                              buffer_slice(&exchange->response));
    transport_bind(&connection->transport, &facts.bindings);
    return question_begin(connection->login, &connection->question, &facts, exchange);
}

static enum outcome step_asking(struct connection *connection)
{
    enum outcome outcome = flush(connection);
    if (outcome != GO_ON)
        return outcome;
    connection->state = CHECKING;
    int error = ask(connection);
    login_exchange_wipe(&engine_of(connection)->exchange);
    return error ? refuse(connection, ERROR_BUSY) : GO_ON;
}

static enum outcome step_waiting(struct connection *connection)
{
    return wait_for(connection, 0);
}

static enum outcome (*const steps[STATES])(struct connection *connection) = {
    [HANDSHAKE] = step_handshake, [READING] = step_reading,  [SECURING] = step_securing,
    [ASKING] = step_asking,       [CHECKING] = step_waiting, [DELAYING] = step_waiting,
};

/* libuv has stopped watching a socket with an error; what came before the error is still read. */
static void polled(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    (void)events;
    if (status < 0)
        connection->events = 0;
    run(connection);
}

/* A client that sends faster than it is served must not keep the loop from all others: after
 * CONNECTION_STEPS_AT_ONCE it waits for what is true at once, unless its own output is stuck. */
static void run(struct connection *connection)
{
    int left = CONNECTION_STEPS_AT_ONCE;
    enum outcome outcome;
    do
        outcome = steps[connection->state](connection);
    while (outcome == GO_ON && --left > 0);
    if (outcome == GO_ON)
        outcome = wait_for(connection, UV_READABLE | UV_WRITABLE);
    if (outcome == GONE || connection->waits_for == connection->events)
        return;
    connection->events = connection->waits_for;
    if (connection->events)
        uv_poll_start(&connection->poll, connection->events, polled);
    else
        uv_poll_stop(&connection->poll);
}

/* --- answers of chapar-auth --- */

/* The client hears of it now. */
static enum outcome tell_refusal(struct connection *connection)
{
    login_engine_refused(engine_of(connection), connection->refusal, &connection->output);
    connection->state = READING;
    if (connection->refusals < connection->login->config->login_attempts)
        return GO_ON;
    login_engine_bye(engine_of(connection), false, "Too many failed logins", &connection->output);
    finish(connection);
    return GONE;
}

/* A wrong password is answered late, so that guessing is slow; what is not the client's fault is
 * answered at once. Both count against login_attempts. */
static enum outcome refuse(struct connection *connection, int error)
{
    uint64_t delay = (uint64_t)connection->login->config->login_failure_delay * 1000;
    log_info("login_refused", LOG_TEXT("client", connection->client),
             LOG_TEXT("mechanism", engine_of(connection)->exchange.mechanism),
             LOG_TEXT("reason", error_name(error)));
    connection->refusals++;
    connection->refusal = error;
    if (error != ERROR_DENIED || !delay)
        return tell_refusal(connection);
    connection->state = DELAYING;
    set_timer(connection, delay);
    return GO_ON;
}

void connection_refused(struct connection *connection, int error)
{
    if (connection->state == CHECKING && refuse(connection, error) != GONE)
        run(connection);
}

void connection_challenged(struct connection *connection, struct slice challenge)
{
    if (connection->state != CHECKING)
        return;
    login_engine_challenge(engine_of(connection), challenge, &connection->output);
    connection->state = READING;
    run(connection);
}

/* A plaintext connection's own socket goes to the session, and nothing of it stays here. Of a
 * TLS one the session gets an end of a pair, and the pump keeps the client. */
static int hand_over(struct connection *connection, struct handover *handover)
{
    struct login *login = connection->login;
    handover->stream = connection->transport.socket;
    if (!connection->transport.ssl)
        return peers_hand_over(login, handover);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return ERROR_BUSY;
    handover->stream = pair[1];
    int error = peers_hand_over(login, handover);
    close(pair[1]);
    if (error) {
        close(pair[0]);
        return error;
    }
    unwatch(connection);
    pump_create(login, &connection->transport, pair[0], SLICE(""));
    return 0;
}

void connection_granted(struct connection *connection, const uint8_t ticket[TICKET_SIZE],
                        uint64_t route, struct slice name)
{
    char tls[TLS_FACTS_MAXIMUM];
    if (connection->state != CHECKING)
        return;
    transport_describe(&connection->transport, tls);
    if (connection->returned_tls[0])
        memcpy(tls, connection->returned_tls, sizeof tls);
    struct handover handover = {
        .protocol = connection->protocol->number,
        .ticket = ticket,
        .route = route,
        .client = connection->client,
        .tls = tls,
        .tag = buffer_slice(&engine_of(connection)->exchange.tag),
        .language = engine_of(connection)->language,
        .input = buffer_slice(&connection->input),
    };
    if (hand_over(connection, &handover)) {
        connection_refused(connection, ERROR_BUSY);
        return;
    }
    log_info("login", LOG_SLICE("name", name), LOG_TEXT("client", connection->client),
             LOG_TEXT("tls", tls),
             LOG_TEXT("mechanism", engine_of(connection)->exchange.mechanism));
    if (!connection->transport.ssl) {
        unwatch(connection);
        transport_close(&connection->transport);
    }
    let_go(connection);
}

/* --- the beginning --- */

/* The channel that an encrypted stream was bound to is not known any more. */
static const char *tls_mechanisms(const struct connection *connection)
{
    return connection->returned_tls[0] ? "SCRAM-SHA-256 PLAIN"
                                       : "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN";
}

static int start(struct connection *connection, const struct returned *returned)
{
    struct login *login = connection->login;
    const struct config *config = login->config;
    struct login_options options = {
        .hostname = config->hostname,
        .tls_available = login->tls,
        .plaintext_allowed = config->plaintext_login,
        .mechanisms = "SCRAM-SHA-256 PLAIN",
        .tls_mechanisms = tls_mechanisms(connection),
        .message = (uint64_t)config->message_size,
        .trusted = network_list_contains(&config->lmtp_trusted, connection->client),
    };
    bool tls = connection->protocol->tls && !returned;
    if (tls && (!login->tls || transport_start_tls(&connection->transport, login->tls)))
        return ERROR_UNSUPPORTED;
    buffer_init(&connection->input, CONNECTION_READ_MAXIMUM);
    if (returned && buffer_append(&connection->input, returned->input))
        return ERROR_MEMORY;
    if (uv_poll_init(login->loop, &connection->poll, connection->transport.socket))
        return ERROR_INVALID;
    uv_timer_init(login->loop, &connection->timer);
    connection->poll.data = connection->timer.data = connection;
    connection->handles = 2;
    connection->protocol->init(&connection->engines, &options, tls || *connection->returned_tls);
    buffer_init(&connection->output, LOGIN_ENGINE_OUTPUT_MAXIMUM);
    connection->state = tls ? HANDSHAKE : READING;
    if (!tls && !returned)
        login_engine_greet(engine_of(connection), &connection->output);
    return 0;
}

void connection_create(struct login *login, int socket, const struct login_protocol *protocol,
                       const char *client, struct client *counted, const struct returned *returned)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        clients_leave(login, counted);
        close(socket);
        return;
    }
    connection->login = login;
    connection->counted = counted;
    connection->transport.socket = socket;
    connection->protocol = protocol;
    connection->question.connection = connection;
    snprintf(connection->client, sizeof connection->client, "%s", client);
    if (returned)
        snprintf(connection->returned_tls, sizeof connection->returned_tls, "%s", returned->tls);
    if (start(connection, returned)) {
        clients_leave(login, counted);
        transport_close(&connection->transport);
        buffer_release(&connection->input);
        free(connection);
        return;
    }
    log_debug("connected", LOG_TEXT("client", client));
    TAILQ_INSERT_TAIL(&login->connections, connection, entry);
    login_opened(login);
    connection->deadline = uv_now(login->loop) + (uint64_t)login->config->login_timeout * 1000;
    set_timer(connection, UINT64_MAX);
    run(connection);
}
