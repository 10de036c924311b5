/*
 * The channels to every chapar-session.
 *
 *   SEND_BEGIN --> SEND_RECIPIENT, 1 to SMTP_RECIPIENTS_MAXIMUM --> SEND_END --> the pool
 *
 * The answer is a SEND_RESULT for each recipient, none when it has not been tried, and SEND_DONE.
 *
 * Anything else is a breach of the protocol, and ends the channel. With the channel end its
 * messages, wherever they are: nobody would hear of them, and the session sends them again.
 */
#include "agents/send/send_priv.h"

#include "base/counters.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

struct peer {
    struct sender *sender;
    uint32_t slot;
    struct ipc_channel *channel;
    struct message_list messages;
    size_t count;
    TAILQ_ENTRY(peer) entry;
};

/* --- messages --- */

static void free_slice(struct slice *slice)
{
    free((char *)slice->data);
}

static void message_free(struct message *message)
{
    TAILQ_REMOVE(&message->peer->messages, message, entry);
    message->peer->count--;
    for (size_t i = 0; i < message->mail.recipient_count; i++)
        free_slice(&message->recipients[i]);
    free_slice(&message->mail.sender);
    free_slice(&message->mail.by);
    close(message->file);
    free(message);
}

/* Of what is longer than SMTP carries, as much as it takes to be refused. */
static int copy_slice(struct slice from, struct slice *to)
{
    from = slice_sub(from, 0, SMTP_ADDRESS_MAXIMUM + 1);
    char *bytes = from.size ? malloc(from.size) : NULL;
    if (from.size && !bytes)
        return ERROR_MEMORY;
    if (bytes)
        memcpy(bytes, from.data, from.size);
    *to = slice_make(bytes, from.size);
    return 0;
}

static struct message *find(struct peer *peer, uint64_t id)
{
    struct message *message = TAILQ_FIRST(&peer->messages);
    while (message && message->id != id)
        message = TAILQ_NEXT(message, entry);
    return message;
}

/* One that is still being said. */
static struct message *find_open(struct peer *peer, uint64_t id)
{
    struct message *message = find(peer, id);
    return message && !message->complete ? message : NULL;
}

/* --- answers --- */

static void send_answer(struct peer *peer, enum ipc_type type, struct buffer *body)
{
    int error = ipc_channel_send(peer->channel, type, body, NULL, 0);
    if (error)
        log_warning("send_failed", LOG_NUMBER("message", type),
                    LOG_TEXT("reason", error_name(error)));
    buffer_clear(body);
}

/* chapar-session logs it as well, with the account that has it sent. */
static void report(const struct message *message, size_t recipient,
                   const struct smtp_result *result)
{
    static const struct {
        const char *name;
        enum counter counter;
    } outcomes[] = {[SMTP_DEFERRED] = {"deferred", COUNTER_SEND_DEFERRED},
                    [SMTP_SENT] = {"sent", COUNTER_SEND_SENT},
                    [SMTP_REFUSED] = {"refused", COUNTER_SEND_REFUSED}};
    counters_add(outcomes[result->outcome].counter, 1);
    log_debug("smtp_result", LOG_TEXT("outcome", outcomes[result->outcome].name),
              LOG_SLICE("sender", message->mail.sender),
              LOG_SLICE("recipient", message->recipients[recipient]),
              LOG_NUMBER("bytes", message->mail.size), LOG_NUMBER("code", result->code),
              LOG_TEXT("answer", result->text));
}

void message_finish(struct message *message, const struct smtp_result *results)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    for (size_t i = 0; results && i < message->mail.recipient_count; i++) {
        report(message, i, &results[i]);
        ipc_put_u64(&body, message->id);
        ipc_put_u32(&body, (uint32_t)i);
        ipc_put_u8(&body, (uint8_t)results[i].outcome);
        ipc_put_u32(&body, (uint32_t)results[i].code);
        ipc_put_bytes(&body, slice_from_string(results[i].text));
        send_answer(message->peer, IPC_SEND_RESULT, &body);
    }
    ipc_put_u64(&body, message->id);
    send_answer(message->peer, IPC_SEND_DONE, &body);
    buffer_release(&body);
    message_free(message);
}

/* --- what is asked --- */

static int read_begin(struct message *message, struct ipc_reader *reader)
{
    struct smtp_mail *mail = &message->mail;
    mail->size = ipc_get_u64(reader);
    mail->eight_bit = ipc_get_u8(reader);
    mail->utf8 = ipc_get_u8(reader);
    mail->notify = ipc_get_u8(reader);
    mail->ret = (char)ipc_get_u8(reader);
    mail->recipients = message->recipients;
    struct slice by = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    struct slice sender = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || mail->size > INT64_MAX ||
        (mail->ret && mail->ret != 'F' && mail->ret != 'H'))
        return ERROR_PROTOCOL;
    int error = copy_slice(by, &mail->by);
    return error ? error : copy_slice(sender, &mail->sender);
}

static int begin(struct peer *peer, struct ipc_reader *reader, struct ipc_message *body)
{
    uint64_t id = ipc_get_u64(reader);
    if (peer->count == SEND_UNDER_WAY_MAXIMUM || find(peer, id))
        return ERROR_PROTOCOL;
    struct message *message = calloc(1, sizeof(*message));
    if (!message)
        return ERROR_MEMORY;
    message->peer = peer;
    message->id = id;
    message->file = body->descriptors[0];
    body->descriptors[0] = -1;
    TAILQ_INSERT_TAIL(&peer->messages, message, entry);
    peer->count++;
    return read_begin(message, reader);
}

static int recipient(struct peer *peer, struct ipc_reader *reader, struct ipc_message *body)
{
    (void)body;
    struct message *message = find_open(peer, ipc_get_u64(reader));
    struct slice address = ipc_get_bytes(reader, IPC_STRING_MAXIMUM);
    if (ipc_reader_finish(reader) || !message ||
        message->mail.recipient_count == SMTP_RECIPIENTS_MAXIMUM)
        return ERROR_PROTOCOL;
    int error = copy_slice(address, &message->recipients[message->mail.recipient_count]);
    message->mail.recipient_count += !error;
    return error;
}

static int complete(struct peer *peer, struct ipc_reader *reader, struct ipc_message *body)
{
    (void)body;
    struct message *message = find_open(peer, ipc_get_u64(reader));
    if (ipc_reader_finish(reader) || !message || !message->mail.recipient_count)
        return ERROR_PROTOCOL;
    message->complete = true;
    pool_add(peer->sender, message);
    return 0;
}

static const struct {
    enum ipc_type type;
    int (*handle)(struct peer *peer, struct ipc_reader *reader, struct ipc_message *body);
} handlers[] = {
    {IPC_SEND_BEGIN, begin},
    {IPC_SEND_RECIPIENT, recipient},
    {IPC_SEND_END, complete},
};

/* --- channels --- */

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    (void)channel;
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (handlers[i].type == message->type)
            return handlers[i].handle(arg, &reader, message);
    return ERROR_PROTOCOL;
}

static void peer_free(struct peer *peer)
{
    struct sender *sender = peer->sender;
    for (struct message *message; (message = TAILQ_FIRST(&peer->messages));) {
        if (message->complete)
            pool_withdraw(sender, message);
        message_free(message);
    }
    TAILQ_REMOVE(&sender->peers, peer, entry);
    ipc_channel_free(&peer->channel);
    free(peer);
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct peer *peer = arg;
    struct sender *sender = peer->sender;
    (void)channel;
    if (error != ERROR_CLOSED)
        log_warning("peer_ended", LOG_NUMBER("channel", IPC_CHANNEL_SESSION_SEND),
                    LOG_TEXT("reason", error_name(error)));
    if (sender->peer_lost)
        sender->peer_lost(IPC_CHANNEL_SESSION_SEND, peer->slot, error, sender->peer_lost_arg);
    peer_free(peer);
    pool_look_for_end(sender);
}

void peers_add(struct sender *sender, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct peer *peer = kind == IPC_CHANNEL_SESSION_SEND ? calloc(1, sizeof(*peer)) : NULL;
    if (!peer) {
        close(socket);
        return;
    }
    *peer = (struct peer){.sender = sender, .slot = slot};
    TAILQ_INIT(&peer->messages);
    struct ipc_channel_options options = {.kind = kind,
                                          .asking = false,
                                          .state = IPC_STATE_RUNNING,
                                          .received = received,
                                          .closed = closed,
                                          .arg = peer};
    int error = ipc_channel_create(sender->loop, socket, &options, &peer->channel);
    if (error) {
        log_error("peer_failed", LOG_TEXT("reason", error_name(error)));
        close(socket);
        free(peer);
        return;
    }
    TAILQ_INSERT_TAIL(&sender->peers, peer, entry);
    pool_look_for_end(sender);
}

void peers_end_input(struct sender *sender)
{
    for (struct peer *peer = TAILQ_FIRST(&sender->peers); peer; peer = TAILQ_NEXT(peer, entry))
        ipc_channel_end_input(peer->channel);
}

void peers_release(struct sender *sender)
{
    while (!TAILQ_EMPTY(&sender->peers))
        peer_free(TAILQ_FIRST(&sender->peers));
}
