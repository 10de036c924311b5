/*
 * Invariant: a stream that waits is in waiting[id % HANDOVER_WAITING_MAXIMUM]; ids are never used
 * again, so an answer that comes too late finds nothing.
 */
#include "session/handover.h"
#include "base/error.h"
#include "base/log.h"
#include "store/directory.h"

#include <stdlib.h>
#include <unistd.h>

/* A login's stream; the message's body is kept, the facts point into it. */
struct waiting {
    uint64_t id, deadline;
    const struct stream_protocol *protocol;
    int socket;
    struct slice client, tls, tag, input;
    enum language language;
    size_t size;
    char body[];
};

struct handover {
    uv_loop_t *loop;
    struct worker *worker;
    const struct handover_protocol *protocols;
    struct ipc_channel *logins[SERVICE_SLOTS];
    struct ipc_channel *auth;
    uint32_t auth_slot;
    void (*lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg); /* or NULL */
    void *lost_arg;
    uv_timer_t timer; /* runs while something waits */
    struct waiting *waiting[HANDOVER_WAITING_MAXIMUM];
    size_t waiting_count;
    uint64_t last_id;
    bool draining;
    bool holding; /* the worker */
};

/* --- draining --- */

static void look_for_end(struct handover *handover)
{
    if (!handover->draining || !handover->holding || handover->waiting_count)
        return;
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        if (handover->logins[i])
            return;
    handover->holding = false;
    worker_let_go(handover->worker);
}

void handover_drain(struct handover *handover)
{
    handover->draining = true;
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        if (handover->logins[i])
            ipc_channel_end_input(handover->logins[i]);
    look_for_end(handover);
}

/* --- refusing --- */

static void refuse(int socket, const struct stream_protocol *protocol, struct slice tag,
                   enum language language, int error)
{
    struct buffer line;
    buffer_init(&line, IPC_STRING_MAXIMUM + 256);
    protocol->refuse(tag, language, error, &line);
    worker_refuse(socket, buffer_slice(&line));
    buffer_release(&line);
}

static void log_refused(const struct waiting *stream, int error)
{
    log_warning("refused", LOG_TEXT("protocol", stream->protocol->name),
                LOG_SLICE("client", stream->client), LOG_TEXT("reason", error_name(error)));
}

/* The stream is not waiting any more. */
static void forget(struct handover *handover, struct waiting *stream)
{
    handover->waiting[stream->id % HANDOVER_WAITING_MAXIMUM] = NULL;
    if (--handover->waiting_count == 0)
        uv_timer_stop(&handover->timer);
    free(stream);
    look_for_end(handover);
}

static void give_up(struct handover *handover, struct waiting *stream, int error)
{
    log_refused(stream, error);
    refuse(stream->socket, stream->protocol, stream->tag, stream->language, error);
    forget(handover, stream);
}

static void give_all_up(struct handover *handover, int error)
{
    for (size_t i = 0; i < HANDOVER_WAITING_MAXIMUM; i++)
        if (handover->waiting[i])
            give_up(handover, handover->waiting[i], error);
}

static void on_timer(uv_timer_t *timer)
{
    struct handover *handover = timer->data;
    for (size_t i = 0; i < HANDOVER_WAITING_MAXIMUM; i++)
        if (handover->waiting[i] && handover->waiting[i]->deadline <= uv_now(handover->loop))
            give_up(handover, handover->waiting[i], ERROR_TIMEOUT);
}

/* --- answers of chapar-auth --- */

static struct waiting *find(struct handover *handover, uint64_t id)
{
    struct waiting *stream = handover->waiting[id % HANDOVER_WAITING_MAXIMUM];
    return stream && stream->id == id ? stream : NULL;
}

static int adopt(struct handover *handover, const struct waiting *stream, struct account_id account,
                 struct slice user)
{
    struct arena arena;
    arena_init(&arena, 8 * IPC_STRING_MAXIMUM);
    struct worker_facts facts = {
        .protocol = stream->protocol,
        .has_account = user.size > 0,
        .account = account,
        .user = user.size ? arena_string(&arena, user) : NULL,
        .client = arena_string(&arena, stream->client),
        .tls = stream->tls.size ? arena_string(&arena, stream->tls) : NULL,
        .tag = stream->tag.size ? arena_string(&arena, stream->tag) : NULL,
        .language = stream->language,
        .input = stream->input,
    };
    int error = arena_failed(&arena) ? ERROR_MEMORY
                                     : worker_adopt(handover->worker, stream->socket, &facts);
    arena_release(&arena);
    return error;
}

static int granted(struct handover *handover, struct ipc_reader *reader)
{
    struct account_id account;
    uint64_t id = ipc_get_u64(reader);
    ipc_get_fixed(reader, account.bytes, sizeof(account.bytes));
    struct slice user = ipc_get_bytes(reader, ADDRESS_MAXIMUM);
    int error = ipc_reader_finish(reader);
    if (error)
        return error;
    struct waiting *stream = find(handover, id);
    if (!stream)
        return 0;
    error = user.size || stream->protocol->serves_nobody ? adopt(handover, stream, account, user)
                                                         : ERROR_DENIED;
    if (error)
        give_up(handover, stream, error);
    else
        forget(handover, stream);
    return 0;
}

static int refused(struct handover *handover, struct ipc_reader *reader)
{
    uint64_t id = ipc_get_u64(reader);
    int error = ipc_reader_finish(reader);
    struct waiting *stream = error ? NULL : find(handover, id);
    if (stream)
        give_up(handover, stream, ERROR_DENIED);
    return error;
}

static int auth_received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct ipc_reader reader;
    (void)channel;
    ipc_reader_init(&reader, message->body);
    return message->type == IPC_TICKET_GRANTED ? granted(arg, &reader) : refused(arg, &reader);
}

static void tell_lost(struct handover *handover, enum ipc_channel_kind kind, uint32_t slot,
                      int error)
{
    if (handover->lost)
        handover->lost(kind, slot, error, handover->lost_arg);
}

static void auth_closed(struct ipc_channel *channel, int error, void *arg)
{
    struct handover *handover = arg;
    (void)channel;
    log_warning("auth_gone", LOG_TEXT("reason", error_name(error)));
    tell_lost(handover, IPC_CHANNEL_SESSION_AUTH, handover->auth_slot, error);
    ipc_channel_free(&handover->auth);
    give_all_up(handover, ERROR_BUSY);
}

static int redeem(struct handover *handover, uint64_t id, const uint8_t *ticket, uint8_t protocol)
{
    if (!handover->auth)
        return ERROR_BUSY;
    struct buffer body;
    buffer_init(&body, 256);
    ipc_put_u64(&body, id);
    buffer_append(&body, slice_make(ticket, TICKET_SIZE));
    ipc_put_u8(&body, protocol);
    int error = ipc_channel_send(handover->auth, IPC_TICKET_REDEEM, &body, NULL, 0);
    explicit_bzero(body.data, body.size);
    buffer_release(&body);
    return error;
}

/* --- streams of chapar-login --- */

static const struct stream_protocol *find_protocol(const struct handover *handover, uint8_t number)
{
    const struct handover_protocol *row = handover->protocols;
    while (row->protocol && row->number != number)
        row++;
    return row->protocol;
}

/* A place for one more; its id. */
static struct waiting *make_waiting(struct handover *handover, struct slice body)
{
    if (handover->waiting_count == HANDOVER_WAITING_MAXIMUM)
        return NULL;
    struct waiting *stream = calloc(1, sizeof(*stream) + body.size);
    if (!stream)
        return NULL;
    do
        stream->id = ++handover->last_id;
    while (handover->waiting[stream->id % HANDOVER_WAITING_MAXIMUM]);
    stream->deadline = uv_now(handover->loop) + HANDOVER_TIMEOUT * 1000;
    stream->size = body.size;
    memcpy(stream->body, body.data, body.size);
    handover->waiting[stream->id % HANDOVER_WAITING_MAXIMUM] = stream;
    if (handover->waiting_count++ == 0)
        uv_timer_start(&handover->timer, on_timer, 1000, 1000);
    return stream;
}

static int read_stream(struct handover *handover, struct waiting *stream, uint8_t *number,
                       uint8_t ticket[TICKET_SIZE])
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, slice_make(stream->body, stream->size));
    *number = ipc_get_u8(&reader);
    ipc_get_fixed(&reader, ticket, TICKET_SIZE);
    stream->client = ipc_get_bytes(&reader, IPC_STRING_MAXIMUM);
    stream->tls = ipc_get_bytes(&reader, IPC_STRING_MAXIMUM);
    stream->tag = ipc_get_bytes(&reader, IPC_STRING_MAXIMUM);
    uint8_t language = ipc_get_u8(&reader);
    stream->input = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
    stream->protocol = find_protocol(handover, *number);
    int error = ipc_reader_finish(&reader);
    if (!error && (!stream->protocol || language >= LANGUAGES))
        error = ERROR_PROTOCOL;
    stream->language = error ? LANGUAGE_DEFAULT : (enum language)language;
    return error;
}

/* There is no place to keep it in. */
static int refuse_at_once(const struct handover *handover, struct ipc_message *message)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    const struct stream_protocol *protocol = find_protocol(handover, ipc_get_u8(&reader));
    if (!protocol)
        return ERROR_PROTOCOL;
    refuse(message->descriptors[0], protocol, SLICE(""), LANGUAGE_DEFAULT, ERROR_LIMIT);
    message->descriptors[0] = -1;
    return 0;
}

static int login_received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct handover *handover = arg;
    uint8_t number, ticket[TICKET_SIZE];
    (void)channel;
    struct waiting *stream = make_waiting(handover, message->body);
    if (!stream)
        return refuse_at_once(handover, message);
    int error = read_stream(handover, stream, &number, ticket);
    if (error) {
        forget(handover, stream);
        return error;
    }
    stream->socket = message->descriptors[0];
    message->descriptors[0] = -1;
    error = redeem(handover, stream->id, ticket, number);
    explicit_bzero(ticket, sizeof(ticket));
    if (error)
        give_up(handover, stream, error);
    return 0;
}

/* What this login has handed over goes on without it, or ends when its sockets do. */
static void login_closed(struct ipc_channel *channel, int error, void *arg)
{
    struct handover *handover = arg;
    for (size_t i = 0; i < SERVICE_SLOTS; i++) {
        if (handover->logins[i] != channel)
            continue;
        if (error != ERROR_CLOSED)
            log_warning("login_gone", LOG_TEXT("reason", error_name(error)));
        tell_lost(handover, IPC_CHANNEL_LOGIN_SESSION, (uint32_t)i, error);
        ipc_channel_free(&handover->logins[i]);
    }
    look_for_end(handover);
}

/* --- streams that go back --- */

static uint8_t number_of(const struct handover *handover, const struct stream_protocol *protocol)
{
    const struct handover_protocol *row = handover->protocols;
    while (row->protocol && row->protocol != protocol)
        row++;
    return row->number;
}

static int send_back(struct handover *handover, const struct buffer *body, int socket)
{
    int error = ERROR_CLOSED;
    for (size_t i = 0; i < SERVICE_SLOTS && error; i++)
        if (handover->logins[i])
            error = ipc_channel_send(handover->logins[i], IPC_STREAM_BACK, body, &socket, 1);
    return error;
}

/* Any login will do: what it needs to know of the stream it is told. */
static void give_back(void *arg, int socket, const struct stream *stream, struct slice input)
{
    struct handover *handover = arg;
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u8(&body, number_of(handover, stream->protocol));
    ipc_put_bytes(&body, slice_from_string(stream->client));
    ipc_put_bytes(&body, slice_from_string(stream->tls));
    ipc_put_bytes(&body, input);
    int error =
        input.size > STREAM_BACK_INPUT_MAXIMUM ? ERROR_LIMIT : send_back(handover, &body, socket);
    if (error)
        refuse(socket, stream->protocol, SLICE(""), LANGUAGE_DEFAULT, error);
    else
        close(socket);
    if (body.data)
        explicit_bzero(body.data, body.size);
    buffer_release(&body);
}

/* --- channels --- */

static int open_channel(struct handover *handover, struct ipc_channel **place, int socket,
                        const struct ipc_channel_options *options)
{
    ipc_channel_free(place);
    int error = ipc_channel_create(handover->loop, socket, options, place);
    if (error)
        close(socket);
    return error;
}

int handover_login(struct handover *handover, uint32_t slot, int socket)
{
    const struct ipc_channel_options options = {.kind = IPC_CHANNEL_LOGIN_SESSION,
                                                .asking = false,
                                                .state = IPC_STATE_RUNNING,
                                                .received = login_received,
                                                .closed = login_closed,
                                                .arg = handover};
    if (slot >= SERVICE_SLOTS || handover->draining) {
        close(socket);
        return handover->draining ? 0 : ERROR_INVALID;
    }
    return open_channel(handover, &handover->logins[slot], socket, &options);
}

int handover_auth(struct handover *handover, uint32_t slot, int socket)
{
    const struct ipc_channel_options options = {.kind = IPC_CHANNEL_SESSION_AUTH,
                                                .asking = true,
                                                .state = IPC_STATE_RUNNING,
                                                .received = auth_received,
                                                .closed = auth_closed,
                                                .arg = handover};
    handover->auth_slot = slot;
    give_all_up(handover, ERROR_BUSY);
    return open_channel(handover, &handover->auth, socket, &options);
}

int handover_create(uv_loop_t *loop, struct worker *worker,
                    const struct handover_protocol *protocols, struct handover **handover)
{
    struct handover *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->loop = loop;
    made->worker = worker;
    made->protocols = protocols;
    uv_timer_init(loop, &made->timer);
    made->timer.data = made;
    made->holding = true;
    worker_hold(worker);
    worker_on_give_back(worker, give_back, made);
    *handover = made;
    return 0;
}

void handover_on_lost(struct handover *handover,
                      void (*lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg),
                      void *arg)
{
    handover->lost = lost;
    handover->lost_arg = arg;
}

void handover_end(struct handover *handover)
{
    give_all_up(handover, ERROR_CLOSED);
    ipc_channel_free(&handover->auth);
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        ipc_channel_free(&handover->logins[i]);
    handover->draining = true;
    look_for_end(handover);
    uv_close((uv_handle_t *)&handover->timer, NULL);
}

void handover_free(struct handover **handover)
{
    free(*handover);
    *handover = NULL;
}
