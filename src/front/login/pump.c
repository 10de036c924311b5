/*
 * The pump.
 *
 *     client == TLS ==> up   ==> session
 *            <== TLS == down <==
 *
 * Each direction reads only when what it read before has been written, so a slow reader slows its
 * writer and nothing piles up. What is read passes through the process's scratch buffer; only what
 * the other side did not take at once is kept, at most one record, and freed when it has gone.
 *
 * Ends: the client's end is passed on to the session, which may still send. The session's end is
 * passed on to the client (close_notify) when everything has been sent; from then on the client's
 * bytes are dropped, until it ends too or LOGIN_LINGER_TIME has passed.
 */
#include "front/login/login_priv.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct direction {
    char *pending; /* read, not yet written; NULL: nothing */
    size_t offset, size;
    bool ended; /* the source will send no more */
    bool told;  /* and the sink knows */
};

struct pump {
    struct login *login;
    struct transport client;
    int session; /* -1: closed */
    struct direction up, down;
    uv_poll_t client_poll, session_poll;
    int client_events, session_events; /* watched now */
    uv_timer_t timer;                  /* of the farewell */
    bool farewell;                     /* the timer runs */
    int handles;                       /* not closed yet */
    TAILQ_ENTRY(pump) entry;
};

static void handle_closed(uv_handle_t *handle)
{
    struct pump *pump = handle->data;
    if (--pump->handles == 0)
        free(pump);
}

static void close_session(struct pump *pump)
{
    if (pump->session < 0)
        return;
    uv_close((uv_handle_t *)&pump->session_poll, handle_closed);
    close(pump->session);
    pump->session = -1;
}

void pump_destroy(struct pump *pump)
{
    struct login *login = pump->login;
    TAILQ_REMOVE(&login->pumps, pump, entry);
    close_session(pump);
    uv_close((uv_handle_t *)&pump->timer, handle_closed);
    uv_close((uv_handle_t *)&pump->client_poll, handle_closed);
    transport_close(&pump->client);
    free(pump->up.pending);
    free(pump->down.pending);
    login_closed(login);
}

static void out_of_time(uv_timer_t *timer)
{
    pump_destroy(timer->data);
}

static void set_timer(struct pump *pump, uint64_t seconds)
{
    pump->farewell = true;
    uv_timer_start(&pump->timer, out_of_time, seconds * 1000, 0);
}

/* --- one direction --- */

static ssize_t write_session(struct pump *pump, const void *bytes, size_t size)
{
    ssize_t put = send(pump->session, bytes, size, MSG_NOSIGNAL);
    if (put >= 0)
        return put;
    return errno == EAGAIN || errno == EINTR ? ERROR_BUSY : ERROR_CLOSED;
}

static ssize_t read_session(struct pump *pump, void *bytes, size_t size)
{
    ssize_t got = recv(pump->session, bytes, size, 0);
    if (got >= 0)
        return got;
    /* A session that died is one that ended. */
    return errno == EAGAIN || errno == EINTR ? ERROR_BUSY : 0;
}

static void clear_pending(struct direction *direction)
{
    free(direction->pending);
    direction->pending = NULL;
    direction->offset = direction->size = 0;
}

/* Keeps what was not written. */
static int keep(struct direction *direction, struct slice rest)
{
    char *copy = malloc(rest.size);
    if (!copy)
        return ERROR_MEMORY;
    memcpy(copy, rest.data, rest.size);
    *direction = (struct direction){.pending = copy, .size = rest.size, .ended = direction->ended};
    return 0;
}

/* ERROR_BUSY: the sink takes no more now. */
static int write_up(struct pump *pump, struct slice *bytes)
{
    while (bytes->size) {
        ssize_t put = pump->session < 0 ? (ssize_t)bytes->size
                                        : write_session(pump, bytes->data, bytes->size);
        if (put == ERROR_CLOSED)
            put = (ssize_t)bytes->size; /* nobody reads it: its end is what comes next */
        if (put < 0)
            return (int)put;
        *bytes = slice_sub(*bytes, (size_t)put, bytes->size);
    }
    return 0;
}

static int write_down(struct pump *pump, struct slice *bytes, int *events)
{
    while (bytes->size) {
        ssize_t put = transport_write(&pump->client, bytes->data, bytes->size, events);
        if (put < 0)
            return (int)put;
        *bytes = slice_sub(*bytes, (size_t)put, bytes->size);
    }
    return 0;
}

/* What is pending of a direction, as written so far. */
static struct slice pending_of(const struct direction *direction)
{
    return slice_make(direction->pending ? direction->pending + direction->offset : NULL,
                      direction->size - direction->offset);
}

/* After a write: rest is what was not taken of `pending` or of the scratch buffer. */
static int settle(struct direction *direction, struct slice rest, int error)
{
    if (error && error != ERROR_BUSY)
        return error;
    if (rest.size == 0)
        clear_pending(direction);
    else if (direction->pending)
        direction->offset = direction->size - rest.size;
    else if (keep(direction, rest))
        return ERROR_MEMORY;
    return error;
}

/* Client to session. Sets bits of what is waited for. */
static int step_up(struct pump *pump, int *client, int *session)
{
    struct direction *up = &pump->up;
    struct slice bytes = pending_of(up);
    if (!bytes.size && !up->ended) {
        int events = 0;
        ssize_t got =
            transport_read(&pump->client, pump->login->scratch, TLS_RECORD_MAXIMUM, &events);
        *client |= events;
        if (got < 0)
            return (int)got;
        up->ended = got == 0;
        bytes = slice_make(pump->login->scratch, (size_t)got);
    }
    int error = write_up(pump, &bytes);
    error = settle(up, bytes, error);
    if (error == ERROR_BUSY)
        *session |= UV_WRITABLE;
    else if (!error && !up->ended)
        *client |= UV_READABLE;
    if (!error && up->ended && !up->told && pump->session >= 0)
        (void)shutdown(pump->session, SHUT_WR);
    up->told = !error && up->ended;
    return error;
}

/* Session to client. */
static int step_down(struct pump *pump, int *client, int *session)
{
    struct direction *down = &pump->down;
    struct slice bytes = pending_of(down);
    int events = 0;
    if (!bytes.size && !down->ended) {
        ssize_t got = read_session(pump, pump->login->scratch, TLS_RECORD_MAXIMUM);
        if (got < 0) {
            *session |= UV_READABLE;
            return (int)got;
        }
        down->ended = got == 0;
        bytes = slice_make(pump->login->scratch, (size_t)got);
    }
    int error = write_down(pump, &bytes, &events);
    error = settle(down, bytes, error);
    if (error == ERROR_BUSY)
        *client |= events;
    else if (!error && !down->ended)
        *session |= UV_READABLE;
    return error;
}

/* The session has ended: the client has a time to take what is left, and then to end too. */
static void say_farewell(struct pump *pump)
{
    struct direction *down = &pump->down;
    if (!down->ended || down->told)
        return;
    if (!down->pending) {
        down->told = true;
        transport_end(&pump->client);
        close_session(pump);
        set_timer(pump, LOGIN_LINGER_TIME);
    } else if (!pump->farewell) {
        set_timer(pump, (uint64_t)pump->login->config->write_timeout);
    }
}

/* --- the loop --- */

static void run(struct pump *pump);

/* libuv has stopped watching a socket with an error; what came before the error is still read. */
static void polled(uv_poll_t *poll, int status, int events)
{
    struct pump *pump = poll->data;
    (void)events;
    if (status < 0)
        *(poll == &pump->client_poll ? &pump->client_events : &pump->session_events) = 0;
    run(pump);
}

static void watch(uv_poll_t *poll, int *watched, int events)
{
    if (events == *watched)
        return;
    *watched = events;
    if (events)
        uv_poll_start(poll, events, polled);
    else
        uv_poll_stop(poll);
}

static void run(struct pump *pump)
{
    int client = 0, session = 0;
    int up = step_up(pump, &client, &session);
    int down = step_down(pump, &client, &session);
    bool failed = (up && up != ERROR_BUSY) || (down && down != ERROR_BUSY);
    if (!failed)
        say_farewell(pump);
    if (failed || (pump->up.ended && pump->down.told)) {
        pump_destroy(pump);
        return;
    }
    watch(&pump->client_poll, &pump->client_events, client);
    if (pump->session >= 0)
        watch(&pump->session_poll, &pump->session_events, session);
}

static struct pump *make(struct login *login, const struct transport *client, int session)
{
    struct pump *pump = calloc(1, sizeof *pump);
    if (!pump)
        return NULL;
    *pump = (struct pump){.login = login, .client = *client, .session = session, .handles = 2};
    pump->client_poll.data = pump->session_poll.data = pump->timer.data = pump;
    if (uv_poll_init(login->loop, &pump->client_poll, client->socket)) {
        free(pump);
        return NULL;
    }
    uv_timer_init(login->loop, &pump->timer);
    if (session >= 0 && uv_poll_init(login->loop, &pump->session_poll, session) == 0)
        pump->handles++;
    else
        pump->down.ended = true;
    return pump;
}

void pump_create(struct login *login, const struct transport *client, int session,
                 struct slice pending)
{
    struct pump *pump = make(login, client, session);
    if (!pump) {
        struct transport lost = *client;
        transport_close(&lost);
        if (session >= 0)
            close(session);
        return;
    }
    TAILQ_INSERT_TAIL(&login->pumps, pump, entry);
    login_opened(login);
    if (pending.size && keep(&pump->down, pending)) {
        pump_destroy(pump);
        return;
    }
    if (session < 0)
        set_timer(pump, LOGIN_FAREWELL_TIME);
    run(pump);
}
