/*
 * States: open -> closing (freed or detached: the handles are closed, the memory goes with the
 * last of their callbacks). A channel that failed (error set) stays open until `closed` was
 * called, but reads and sends nothing.
 *
 * Invariant: the poll watches for writable exactly while the queue is not empty.
 */
#include "ipc/channel.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages handled before the loop's other handles get their turn. */
enum { MESSAGES_AT_ONCE = 64 };

struct queued {
    struct queued *next;
    enum ipc_type type;
    int descriptors[IPC_DESCRIPTORS_MAXIMUM];
    size_t descriptor_count;
    size_t size;
    char body[];
};

struct ipc_channel {
    struct ipc_channel_options options;
    int socket;
    uv_poll_t poll;
    uv_timer_t failure; /* calls `closed` from the loop */
    uv_timer_t idle;
    int handles; /* not closed yet */
    bool closing;
    int error;
    struct queued *first, **last;
    size_t queued_bytes;
    struct buffer body;
};

/* What it occupies; its body may be a password and is wiped. */
static size_t queued_size(const struct queued *entry)
{
    return sizeof(*entry) + entry->size;
}

static void free_queued(struct queued *entry)
{
    explicit_bzero(entry->body, entry->size);
    for (size_t i = 0; i < entry->descriptor_count; i++)
        close(entry->descriptors[i]);
    free(entry);
}

static void handle_closed(uv_handle_t *handle)
{
    struct ipc_channel *channel = handle->data;
    if (--channel->handles > 0)
        return;
    buffer_release(&channel->body);
    free(channel);
}

/* Everything but the socket. */
static void let_go(struct ipc_channel *channel)
{
    channel->closing = true;
    for (struct queued *entry; (entry = channel->first);) {
        channel->first = entry->next;
        free_queued(entry);
    }
    uv_close((uv_handle_t *)&channel->poll, handle_closed);
    uv_close((uv_handle_t *)&channel->failure, handle_closed);
    uv_close((uv_handle_t *)&channel->idle, handle_closed);
}

void ipc_channel_free(struct ipc_channel **channel)
{
    if (!*channel)
        return;
    int socket = ipc_channel_detach(channel);
    close(socket);
}

int ipc_channel_detach(struct ipc_channel **channel)
{
    int socket = (*channel)->socket;
    let_go(*channel);
    *channel = NULL;
    return socket;
}

static void report_failure(uv_timer_t *timer)
{
    struct ipc_channel *channel = timer->data;
    channel->options.closed(channel, channel->error, channel->options.arg);
}

/* Nothing more goes in or out; `closed` is called from the loop. */
static void fail(struct ipc_channel *channel, int error)
{
    if (channel->error)
        return;
    channel->error = error;
    uv_poll_stop(&channel->poll);
    uv_timer_start(&channel->failure, report_failure, 0, 0);
}

static void out_of_time(uv_timer_t *timer)
{
    fail(timer->data, ERROR_TIMEOUT);
}

/* A message came or went. */
static void touch(struct ipc_channel *channel)
{
    if (channel->options.idle_seconds)
        uv_timer_start(&channel->idle, out_of_time, channel->options.idle_seconds * UINT64_C(1000),
                       0);
}

static void polled(uv_poll_t *poll, int status, int events);

static void watch(struct ipc_channel *channel)
{
    if (!channel->error && !channel->closing)
        uv_poll_start(&channel->poll, UV_READABLE | (channel->first ? UV_WRITABLE : 0), polled);
}

/* What ipc_send returned, as the channel sees it: a peer that has gone is noticed by reading,
 * after what it had still sent. */
static int sent(struct ipc_channel *channel, int error)
{
    if (error && error != ERROR_CLOSED && error != ERROR_BUSY)
        fail(channel, error);
    return error;
}

static void write_queue(struct ipc_channel *channel)
{
    for (struct queued *entry; (entry = channel->first);) {
        int error = sent(channel, ipc_send(channel->socket, entry->type,
                                           slice_make(entry->body, entry->size), entry->descriptors,
                                           entry->descriptor_count));
        if (error == ERROR_BUSY || channel->error)
            return;
        channel->first = entry->next;
        channel->queued_bytes -= queued_size(entry);
        free_queued(entry);
    }
    channel->last = &channel->first;
    watch(channel);
}

static bool handle_message(struct ipc_channel *channel, struct ipc_message *message)
{
    const struct ipc_channel_options *options = &channel->options;
    int error = ERROR_PROTOCOL;
    touch(channel);
    if (ipc_permitted(options->kind, !options->asking, options->state, message->type,
                      message->descriptor_count))
        error = options->received(channel, message, options->arg);
    ipc_message_clear(message);
    explicit_bzero(channel->body.data, channel->body.size);
    if (error && !channel->closing)
        fail(channel, ERROR_PROTOCOL);
    return !error && !channel->closing && !channel->error;
}

static void read_messages(struct ipc_channel *channel)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct ipc_message message;
        int error = ipc_receive(channel->socket, &channel->body, &message);
        if (error == ERROR_BUSY)
            return;
        if (error)
            fail(channel, error == ERROR_PROTOCOL ? ERROR_PROTOCOL : ERROR_CLOSED);
        if (error || !handle_message(channel, &message))
            return;
    }
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct ipc_channel *channel = poll->data;
    if (status == 0 && (events & UV_WRITABLE))
        write_queue(channel);
    if (!channel->error && (status < 0 || (events & UV_READABLE)))
        read_messages(channel);
}

int ipc_channel_create(uv_loop_t *loop, int socket, const struct ipc_channel_options *options,
                       struct ipc_channel **channel)
{
    struct ipc_channel *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    *made = (struct ipc_channel){.options = *options, .socket = socket, .handles = 3};
    made->last = &made->first;
    buffer_init(&made->body, IPC_BODY_MAXIMUM);
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) ||
        uv_poll_init(loop, &made->poll, socket)) {
        free(made);
        return ERROR_INVALID;
    }
    uv_timer_init(loop, &made->failure);
    uv_timer_init(loop, &made->idle);
    made->poll.data = made->failure.data = made->idle.data = made;
    touch(made);
    watch(made);
    *channel = made;
    return 0;
}

static int duplicate(struct queued *entry, const int *descriptors, size_t count)
{
    for (; entry->descriptor_count < count; entry->descriptor_count++) {
        int copy = fcntl(descriptors[entry->descriptor_count], F_DUPFD_CLOEXEC, 0);
        if (copy < 0)
            return error_from_errno(errno);
        entry->descriptors[entry->descriptor_count] = copy;
    }
    return 0;
}

static int enqueue(struct ipc_channel *channel, enum ipc_type type, struct slice body,
                   const int *descriptors, size_t descriptor_count)
{
    struct queued *entry = calloc(1, sizeof(*entry) + body.size);
    if (!entry)
        return ERROR_MEMORY;
    entry->type = type;
    entry->size = body.size;
    if (body.size)
        memcpy(entry->body, body.data, body.size);
    int error = duplicate(entry, descriptors, descriptor_count);
    if (error) {
        free_queued(entry);
        return error;
    }
    bool was_empty = !channel->first;
    *channel->last = entry;
    channel->last = &entry->next;
    channel->queued_bytes += queued_size(entry);
    if (was_empty)
        watch(channel);
    return 0;
}

int ipc_channel_send(struct ipc_channel *channel, enum ipc_type type, const struct buffer *body,
                     const int *descriptors, size_t descriptor_count)
{
    if (channel->error)
        return ERROR_CLOSED;
    if (body && buffer_error(body))
        return buffer_error(body);
    struct slice bytes = body ? buffer_slice(body) : slice_make(NULL, 0);
    if (bytes.size > IPC_BODY_MAXIMUM || descriptor_count > IPC_DESCRIPTORS_MAXIMUM)
        return ERROR_LIMIT;
    touch(channel);
    if (!channel->first) {
        int error =
            sent(channel, ipc_send(channel->socket, type, bytes, descriptors, descriptor_count));
        if (error != ERROR_BUSY)
            return error;
    }
    if (channel->queued_bytes + bytes.size > CHANNEL_QUEUE_MAXIMUM) {
        fail(channel, ERROR_LIMIT);
        return ERROR_LIMIT;
    }
    return enqueue(channel, type, bytes, descriptors, descriptor_count);
}

void ipc_channel_end_input(struct ipc_channel *channel)
{
    (void)shutdown(channel->socket, SHUT_RD);
}

size_t ipc_channel_queued(const struct ipc_channel *channel)
{
    return channel->queued_bytes;
}

void ipc_channel_set_state(struct ipc_channel *channel, enum ipc_state state)
{
    channel->options.state = state;
}
