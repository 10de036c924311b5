/*
 * A channel in an event loop: messages of ipc/message.h over libuv, permissions checked.
 *
 * The loop's thread alone uses it. Sending never blocks: what the socket does not take is queued
 * up to CHANNEL_QUEUE_MAXIMUM bytes, beyond which the peer counts as stuck and the channel is
 * closed.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "ipc/message.h"

#include <uv.h>

enum {
    CHANNEL_QUEUE_MAXIMUM = 4 * 1024 * 1024,
    CHANNEL_ADMIN_TIME = 300, /* idle_seconds of connections of the chapar command */
};

struct ipc_channel;

struct ipc_channel_options {
    enum ipc_channel_kind kind;
    bool asking; /* this process is the asking side (see messages.def) */
    enum ipc_state state;
    /* A permitted message. The message is cleared after the call; the handler takes a descriptor
     * by setting its place to -1. A non-zero return ends the channel as a breach does. */
    int (*received)(struct ipc_channel *channel, struct ipc_message *message, void *arg);
    /* The peer has gone, or broke the protocol (error is ERROR_CLOSED or ERROR_PROTOCOL), or is
     * stuck (ERROR_LIMIT), or silent too long (ERROR_TIMEOUT). Called once, never from within
     * ipc_channel_send; free the channel here or later. */
    void (*closed)(struct ipc_channel *channel, int error, void *arg);
    void *arg;
    unsigned idle_seconds; /* without a message in either direction; 0: no limit */
};

/* Takes over the socket. */
int ipc_channel_create(uv_loop_t *loop, int socket, const struct ipc_channel_options *options,
                       struct ipc_channel **channel);

/* Closes the socket; what is queued is lost. `closed` is not called. May be called from handlers.
 */
void ipc_channel_free(struct ipc_channel **channel);

/* Descriptors are duplicated or sent at once: the caller closes its own. body's sticky error is
 * returned if set. */
int ipc_channel_send(struct ipc_channel *channel, enum ipc_type type, const struct buffer *body,
                     const int *descriptors, size_t descriptor_count);

/* Bytes the socket has not taken yet. Beyond CHANNEL_QUEUE_MAXIMUM the channel is lost, so who
 * sends what strangers cause stops long before. */
size_t ipc_channel_queued(const struct ipc_channel *channel);

void ipc_channel_set_state(struct ipc_channel *channel, enum ipc_state state);

/* Takes no more: what the peer sends from now on fails there with ERROR_CLOSED. What it had sent
 * before is still received; then `closed` is called. */
void ipc_channel_end_input(struct ipc_channel *channel);

/* Gives the socket back (to be passed on) and frees the channel. */
int ipc_channel_detach(struct ipc_channel **channel);

#endif
