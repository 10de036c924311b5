/*
 * Messages between processes: framed, typed, with descriptors.
 *
 * The channel is a Unix SOCK_SEQPACKET socket pair: the kernel keeps frames whole and descriptors
 * with their frame. A frame is: type (u16), body. Numbers are little-endian. A short or surplus
 * byte, an unknown type, a descriptor too many or a message that is not permitted in the
 * channel's state ends the peer (ERROR_PROTOCOL): nothing ambiguous passes between processes.
 *
 * docs/ipc.md describes every message; a test holds it against the table in ipc/messages.def.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "base/buffer.h"

enum {
    IPC_BODY_MAXIMUM = 60 * 1024, /* bytes; well below the socket buffer */
    IPC_DESCRIPTORS_MAXIMUM = 4,
    IPC_STRING_MAXIMUM = 8192,
};

enum ipc_type {
#define IPC_MESSAGE(identifier, number, channel, from, states, descriptors, body)                  \
    IPC_##identifier = number,
#include "ipc/messages.def"
#undef IPC_MESSAGE
};

/* The channels, and who speaks. */
enum ipc_channel_kind {
    IPC_CHANNEL_CONTROL,       /* chapard - child */
    IPC_CHANNEL_LOGIN_AUTH,    /* chapar-login - chapar-auth */
    IPC_CHANNEL_SESSION_AUTH,  /* chapar-session - chapar-auth */
    IPC_CHANNEL_LOGIN_SESSION, /* chapar-login - chapar-session */
    IPC_CHANNEL_SESSION_SEND,  /* chapar-session - chapar-send */
    IPC_CHANNEL_ADMIN,         /* chapar - chapard, then chapar-session or chapar-auth */
};

/* A state of a channel, as bits. What they mean is in the channel's rows of messages.def. */
enum ipc_state {
    IPC_STATE_SETUP = 1,
    IPC_STATE_RUNNING = 2,
    IPC_STATE_DRAINING = 4,
    IPC_STATE_ANY = 7
};

struct ipc_message {
    enum ipc_type type;
    struct slice body;
    int descriptors[IPC_DESCRIPTORS_MAXIMUM]; /* owned by the receiver; -1 when taken */
    size_t descriptor_count;
};

/* Closes the descriptors that nobody took. */
void ipc_message_clear(struct ipc_message *message);

/* Whether a message of this type may come on this channel in this state. from_asking_side: it was
 * sent by the child, login, session or chapar of that channel; see messages.def. */
bool ipc_permitted(enum ipc_channel_kind channel, bool from_asking_side, enum ipc_state state,
                   enum ipc_type type, size_t descriptor_count);

/* Whether a body has exactly the fields its type has in messages.def. */
bool ipc_body_is_valid(enum ipc_type type, struct slice body);

/* One row of messages.def, for tests and tools. NULL: no such type. */
struct ipc_description {
    const char *name; /* "SHARED", ... */
    enum ipc_type type;
    enum ipc_channel_kind channel;
    bool from_asking_side;
    unsigned states; /* bits of enum ipc_state */
    size_t descriptors;
    const char *body; /* "name:type name:type" */
};
const struct ipc_description *ipc_describe(unsigned type);

/* --- encoding: sticky errors of struct buffer --- */
void ipc_put_u8(struct buffer *body, uint8_t value);
void ipc_put_u32(struct buffer *body, uint32_t value);
void ipc_put_u64(struct buffer *body, uint64_t value);
void ipc_put_bytes(struct buffer *body, struct slice bytes); /* u32 length, bytes */

/* --- decoding: a sticky failure, checked once by ipc_reader_finish --- */
struct ipc_reader {
    struct slice rest;
    bool failed;
};
static inline void ipc_reader_init(struct ipc_reader *reader, struct slice body)
{
    *reader = (struct ipc_reader){.rest = body};
}
uint8_t ipc_get_u8(struct ipc_reader *reader);
uint32_t ipc_get_u32(struct ipc_reader *reader);
uint64_t ipc_get_u64(struct ipc_reader *reader);
/* Points into the body; longer than maximum is a failure. */
struct slice ipc_get_bytes(struct ipc_reader *reader, size_t maximum);
/* Exactly size bytes, without a length before them. */
void ipc_get_fixed(struct ipc_reader *reader, void *bytes, size_t size);
/* 0, or ERROR_PROTOCOL for a short or surplus byte. */
int ipc_reader_finish(const struct ipc_reader *reader);

/* --- sending and receiving on a descriptor, blocking or not as the descriptor is --- */

/* ERROR_BUSY: the socket buffer is full (non-blocking); ERROR_CLOSED; ERROR_LIMIT. Descriptors
 * stay the caller's. */
int ipc_send(int socket, enum ipc_type type, struct slice body, const int *descriptors,
             size_t descriptor_count);

/* body must have a maximum of IPC_BODY_MAXIMUM at least; message->body points into it. ERROR_BUSY:
 * nothing there (non-blocking); ERROR_CLOSED; ERROR_PROTOCOL: an unknown type, a body that is not
 * as in messages.def, too many descriptors. Descriptors are close-on-exec. */
int ipc_receive(int socket, struct buffer *body, struct ipc_message *message);

/* A pair of close-on-exec sockets. */
int ipc_pair(int sockets[2]);

#endif
