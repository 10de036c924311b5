/*
 * The channels to chapar-auth and to every chapar-session.
 *
 * A question that is open is in login->requests and known to chapar-auth; both end together. When
 * chapar-auth goes, every open question that waits for an answer is refused as temporary.
 *
 * A peer that does not read for a while costs the clients of that time, not the channel: nothing
 * that clients cause is sent when LOGIN_QUEUE_MAXIMUM waits already.
 */
#include "front/login/engine_priv.h"
#include "front/login/login_priv.h"
#include "proto/sasl/login.h"

#include "base/error.h"
#include "base/log.h"

#include <netinet/in.h>
#include <search.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct question *)a)->id, right = ((const struct question *)b)->id;
    return (left > right) - (left < right);
}

static struct question *find(struct login *login, uint64_t id)
{
    struct question key = {.id = id};
    void *node = tfind(&key, &login->requests, compare);
    return node ? *(struct question **)node : NULL;
}

/* Forgets the question, without a word to chapar-auth. */
static void forget(struct login *login, struct question *question)
{
    tdelete(question, &login->requests, compare);
    question->id = 0;
}

/* --- chapar-auth's answers; one to a question that was closed meanwhile is dropped --- */

static int challenged(struct login *login, struct ipc_reader *reader)
{
    struct question *question = find(login, ipc_get_u64(reader));
    struct slice challenge = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    if (question)
        connection_challenged(question->connection, challenge);
    return 0;
}

static int granted(struct login *login, struct ipc_reader *reader)
{
    uint8_t ticket[TICKET_SIZE];
    struct question *question = find(login, ipc_get_u64(reader));
    ipc_get_fixed(reader, ticket, sizeof ticket);
    uint64_t route = ipc_get_u64(reader);
    struct slice name = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    if (question) {
        forget(login, question);
        connection_granted(question->connection, ticket, route, name);
    }
    sodium_memzero(ticket, sizeof ticket);
    return 0;
}

static int refused(struct login *login, struct ipc_reader *reader)
{
    struct question *question = find(login, ipc_get_u64(reader));
    int error = -(int)(ipc_get_u32(reader) & 0xffff);
    if (ipc_reader_finish(reader) || !error)
        return ERROR_PROTOCOL;
    if (question) {
        forget(login, question);
        connection_refused(question->connection, error);
    }
    return 0;
}

static const struct {
    enum ipc_type type;
    int (*handle)(struct login *login, struct ipc_reader *reader);
} answers[] = {
    {IPC_AUTH_CHALLENGE, challenged},
    {IPC_AUTH_GRANTED, granted},
    {IPC_AUTH_REFUSED, refused},
};

static int auth_received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    (void)channel;
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].type == message->type)
            return answers[i].handle(arg, &reader);
    return ERROR_PROTOCOL;
}

/* The tree is taken off first: what is refused may ask again, and must not find it. */
static void refuse_question(void *node)
{
    struct question *question = node;
    question->id = 0;
    connection_refused(question->connection, ERROR_BUSY);
}

static void auth_gone(struct login *login)
{
    void *requests = login->requests;
    login->requests = NULL;
    ipc_channel_free(&login->auth);
    tdestroy(requests, refuse_question);
}

static void tell_lost(struct login *login, enum ipc_channel_kind kind, uint32_t slot, int error)
{
    if (login->peer_lost)
        login->peer_lost(kind, slot, error, login->peer_lost_arg);
}

static void auth_closed(struct ipc_channel *channel, int error, void *arg)
{
    struct login *login = arg;
    (void)channel;
    log_warning("auth_lost", LOG_TEXT("reason", error_name(error)));
    tell_lost(login, IPC_CHANNEL_LOGIN_AUTH, login->auth_slot, error);
    auth_gone(login);
}

/* --- questions --- */

static bool is_stuck(const struct ipc_channel *channel)
{
    return ipc_channel_queued(channel) > LOGIN_QUEUE_MAXIMUM;
}

/* Bodies may hold a password. */
static int send_secret(struct login *login, enum ipc_type type, struct buffer *body)
{
    int error = ipc_channel_send(login->auth, type, body, NULL, 0);
    if (body->data)
        sodium_memzero(body->data, body->capacity);
    buffer_release(body);
    return error ? ERROR_CLOSED : 0;
}

static void put_question(struct buffer *body, uint64_t id, const struct question_facts *facts,
                         const struct login_exchange *exchange)
{
    const struct transport_bindings *bindings = &facts->bindings;
    ipc_put_u64(body, id);
    ipc_put_u8(body, (uint8_t)facts->protocol);
    ipc_put_u8(body, facts->tls);
    ipc_put_bytes(body, slice_from_string(facts->client));
    ipc_put_bytes(body, slice_from_string(exchange->mechanism));
    ipc_put_u8(body, exchange->has_response);
    ipc_put_bytes(body, buffer_slice(&exchange->response));
    ipc_put_bytes(body, slice_make(bindings->exporter, bindings->exporter_size));
    ipc_put_bytes(body, slice_make(bindings->unique, bindings->unique_size));
    ipc_put_bytes(body, slice_make(bindings->end_point, bindings->end_point_size));
}

int question_begin(struct login *login, struct question *question,
                   const struct question_facts *facts, const struct login_exchange *exchange)
{
    question_close(login, question);
    if (!login->auth)
        return ERROR_CLOSED;
    if (is_stuck(login->auth))
        return ERROR_BUSY;
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    /* In one piece, so that no part of a password is left behind by growing. */
    (void)buffer_reserve(&body, exchange->response.size + 512);
    question->id = ++login->last_request;
    if (!tsearch(question, &login->requests, compare)) {
        question->id = 0;
        buffer_release(&body);
        return ERROR_CLOSED;
    }
    put_question(&body, question->id, facts, exchange);
    int error = send_secret(login, IPC_AUTH_BEGIN, &body);
    if (error)
        forget(login, question);
    return error;
}

int question_go_on(struct login *login, struct question *question, struct slice response)
{
    if (!login->auth || !question->id)
        return ERROR_CLOSED;
    if (is_stuck(login->auth))
        return ERROR_BUSY;
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    (void)buffer_reserve(&body, response.size + 64);
    ipc_put_u64(&body, question->id);
    ipc_put_bytes(&body, response);
    return send_secret(login, IPC_AUTH_RESPONSE, &body);
}

void question_close(struct login *login, struct question *question)
{
    if (!question->id)
        return;
    uint64_t id = question->id;
    forget(login, question);
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u64(&body, id);
    if (login->auth)
        (void)ipc_channel_send(login->auth, IPC_AUTH_CANCEL, &body, NULL, 0);
    buffer_release(&body);
}

/* --- sessions --- */

/* A string of the message that must fit. */
static void get_string(struct ipc_reader *reader, char *text, size_t size)
{
    struct slice string = ipc_get_bytes(reader, size - 1);
    snprintf(text, size, "%.*s", SLICE_FORMAT(string));
}

/* All that a session says: it gives a stream back. */
static int session_received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct login_session *session = arg;
    struct ipc_reader reader;
    char client[INET6_ADDRSTRLEN], tls[TLS_FACTS_MAXIMUM];
    (void)channel;
    ipc_reader_init(&reader, message->body);
    const struct login_protocol *protocol = login_protocol_find(ipc_get_u8(&reader));
    get_string(&reader, client, sizeof client);
    get_string(&reader, tls, sizeof tls);
    const struct returned returned = {.tls = tls,
                                      .input = ipc_get_bytes(&reader, STREAM_BACK_INPUT_MAXIMUM)};
    if (ipc_reader_finish(&reader) || !protocol)
        return ERROR_PROTOCOL;
    int socket = message->descriptors[0];
    message->descriptors[0] = -1;
    listener_accepted(session->login, socket, protocol, client, &returned);
    return 0;
}

static void session_free(struct login_session *session)
{
    struct login *login = session->login;
    for (size_t i = 0; i < login->session_count; i++)
        if (login->sessions[i] == session)
            login->sessions[i] = login->sessions[--login->session_count];
    ipc_channel_free(&session->channel);
    free(session);
}

static void session_closed(struct ipc_channel *channel, int error, void *arg)
{
    struct login_session *session = arg;
    (void)channel;
    log_debug("session_lost", LOG_NUMBER("slot", session->slot),
              LOG_TEXT("reason", error_name(error)));
    tell_lost(session->login, IPC_CHANNEL_LOGIN_SESSION, session->slot, error);
    session_free(session);
}

/* How much a route prefers a slot. Each route goes to the living session it prefers most, so that
 * only the routes of one that ended move, and move back when its slot lives again. */
static uint64_t preference(uint64_t route, uint32_t slot)
{
    uint64_t mixed = (route ^ (slot + 1)) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return mixed ^ mixed >> 32;
}

static struct login_session *choose_session(struct login *login, uint64_t route)
{
    struct login_session *best = NULL;
    for (size_t i = 0; i < login->session_count; i++) {
        struct login_session *session = login->sessions[i];
        if (!best || preference(route, session->slot) > preference(route, best->slot))
            best = session;
    }
    return best;
}

int peers_hand_over(struct login *login, const struct handover *handover)
{
    struct login_session *session;
    struct buffer body;
    int error = ERROR_CLOSED;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u8(&body, (uint8_t)handover->protocol);
    buffer_append(&body, slice_make(handover->ticket, TICKET_SIZE));
    ipc_put_bytes(&body, slice_from_string(handover->client));
    ipc_put_bytes(&body, slice_from_string(handover->tls));
    ipc_put_bytes(&body, handover->tag);
    ipc_put_u8(&body, (uint8_t)handover->language);
    ipc_put_bytes(&body, handover->input);
    while (error == ERROR_CLOSED && (session = choose_session(login, handover->route))) {
        error = is_stuck(session->channel)
                    ? ERROR_BUSY
                    : ipc_channel_send(session->channel, IPC_STREAM, &body, &handover->stream, 1);
        if (error == ERROR_CLOSED) /* what it was sent before, it has */
            session_free(session);
    }
    if (body.data)
        sodium_memzero(body.data, body.size);
    buffer_release(&body);
    return !error || error == ERROR_BUSY ? error : ERROR_CLOSED;
}

/* --- channels --- */

static int open_channel(struct login *login, enum ipc_channel_kind kind, int socket, void *arg,
                        struct ipc_channel **channel)
{
    bool auth = kind == IPC_CHANNEL_LOGIN_AUTH;
    struct ipc_channel_options options = {
        .kind = kind,
        .asking = true,
        .state = IPC_STATE_RUNNING,
        .received = auth ? auth_received : session_received,
        .closed = auth ? auth_closed : session_closed,
        .arg = arg,
    };
    int error = ipc_channel_create(login->loop, socket, &options, channel);
    if (error) {
        log_error("peer_failed", LOG_TEXT("reason", error_name(error)));
        close(socket);
    }
    return error;
}

static void add_session(struct login *login, uint32_t slot, int socket)
{
    for (size_t i = 0; i < login->session_count; i++)
        if (login->sessions[i]->slot == slot)
            session_free(login->sessions[i]);
    struct login_session *session =
        login->session_count < LOGIN_SESSIONS_MAXIMUM ? calloc(1, sizeof *session) : NULL;
    if (!session) {
        close(socket);
        return;
    }
    session->login = login;
    session->slot = slot;
    if (open_channel(login, IPC_CHANNEL_LOGIN_SESSION, socket, session, &session->channel))
        free(session);
    else
        login->sessions[login->session_count++] = session;
}

void peers_add(struct login *login, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    if (kind == IPC_CHANNEL_LOGIN_AUTH) {
        auth_gone(login);
        login->auth_slot = slot;
        (void)open_channel(login, kind, socket, login, &login->auth);
    } else if (kind == IPC_CHANNEL_LOGIN_SESSION) {
        add_session(login, slot, socket);
    } else {
        close(socket);
    }
}

void peers_release(struct login *login)
{
    auth_gone(login);
    while (login->session_count)
        session_free(login->sessions[0]);
}
