#include "ipc/message.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_SIZE = 2, TYPES = 128 };

enum { ANSWERING, ASKING };

#define IPC_MESSAGE(identifier, number, channel, from, states, descriptors, body)                  \
    [number] = {#identifier, number, IPC_CHANNEL_##channel, from == ASKING, states,                \
                descriptors, body},
static const struct ipc_description descriptions[TYPES] = {
#include "ipc/messages.def"
};
#undef IPC_MESSAGE

const struct ipc_description *ipc_describe(unsigned type)
{
    return type < TYPES && descriptions[type].name ? &descriptions[type] : NULL;
}

void ipc_message_clear(struct ipc_message *message)
{
    for (size_t i = 0; i < message->descriptor_count; i++)
        if (message->descriptors[i] >= 0)
            close(message->descriptors[i]);
    message->descriptor_count = 0;
    message->body = (struct slice){NULL, 0};
}

bool ipc_permitted(enum ipc_channel_kind channel, bool from_asking_side, enum ipc_state state,
                   enum ipc_type type, size_t descriptor_count)
{
    const struct ipc_description *row = ipc_describe(type);
    return row && row->channel == channel && row->from_asking_side == from_asking_side &&
           (row->states & state) && row->descriptors == descriptor_count;
}

/* Reads over one field whose type begins at `type`. */
static void skip_field(struct ipc_reader *reader, const char *type)
{
    switch (*type) {
    case '[':
        ipc_get_fixed(reader, NULL, strtoul(type + 1, NULL, 10));
        break;
    case 'b':
        ipc_get_bytes(reader, IPC_BODY_MAXIMUM);
        break;
    default: /* u8, u32, u64 */
        ipc_get_fixed(reader, NULL, strtoul(type + 1, NULL, 10) / 8);
    }
}

bool ipc_body_is_valid(enum ipc_type type, struct slice body)
{
    const struct ipc_description *row = ipc_describe(type);
    if (!row)
        return false;
    struct ipc_reader reader;
    ipc_reader_init(&reader, body);
    for (const char *field = row->body; (field = strchr(field, ':'));)
        skip_field(&reader, ++field);
    return ipc_reader_finish(&reader) == 0;
}

/* --- encoding --- */

static void put_number(struct buffer *body, uint64_t value, size_t size)
{
    char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(value >> (8 * i));
    buffer_append(body, slice_make(bytes, size));
}

void ipc_put_u8(struct buffer *body, uint8_t value)
{
    put_number(body, value, 1);
}

void ipc_put_u32(struct buffer *body, uint32_t value)
{
    put_number(body, value, 4);
}

void ipc_put_u64(struct buffer *body, uint64_t value)
{
    put_number(body, value, 8);
}

void ipc_put_bytes(struct buffer *body, struct slice bytes)
{
    if (bytes.size > IPC_BODY_MAXIMUM) {
        body->error = body->error ? body->error : ERROR_LIMIT;
        return;
    }
    ipc_put_u32(body, (uint32_t)bytes.size);
    buffer_append(body, bytes);
}

/* --- decoding --- */

static struct slice take(struct ipc_reader *reader, size_t size)
{
    if (reader->failed || size > reader->rest.size) {
        reader->failed = true;
        return (struct slice){NULL, 0};
    }
    struct slice taken = slice_make(reader->rest.data, size);
    reader->rest = slice_sub(reader->rest, size, reader->rest.size);
    return taken;
}

static uint64_t get_number(struct ipc_reader *reader, size_t size)
{
    struct slice bytes = take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++)
        value |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    return value;
}

uint8_t ipc_get_u8(struct ipc_reader *reader)
{
    return (uint8_t)get_number(reader, 1);
}

uint32_t ipc_get_u32(struct ipc_reader *reader)
{
    return (uint32_t)get_number(reader, 4);
}

uint64_t ipc_get_u64(struct ipc_reader *reader)
{
    return get_number(reader, 8);
}

struct slice ipc_get_bytes(struct ipc_reader *reader, size_t maximum)
{
    uint32_t size = ipc_get_u32(reader);
    if (size > maximum)
        reader->failed = true;
    return take(reader, size);
}

void ipc_get_fixed(struct ipc_reader *reader, void *bytes, size_t size)
{
    struct slice taken = take(reader, size);
    if (bytes && taken.size)
        memcpy(bytes, taken.data, taken.size);
    else if (bytes)
        memset(bytes, 0, size);
}

int ipc_reader_finish(const struct ipc_reader *reader)
{
    return reader->failed || reader->rest.size > 0 ? ERROR_PROTOCOL : 0;
}

/* --- sockets --- */

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(IPC_DESCRIPTORS_MAXIMUM * sizeof(int))];
};

static int send_error(int errnum)
{
    switch (errnum) {
    case EAGAIN:
    case ENOBUFS:
        return ERROR_BUSY;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERROR_CLOSED;
    case EMSGSIZE:
    case ETOOMANYREFS: /* descriptors under way to processes that do not read */
        return ERROR_LIMIT;
    default:
        return error_from_errno(errnum);
    }
}

static void attach_descriptors(struct msghdr *header, union control *control,
                               const int *descriptors, size_t count)
{
    header->msg_control = control->room;
    header->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), descriptors, count * sizeof(int));
}

int ipc_send(int socket, enum ipc_type type, struct slice body, const int *descriptors,
             size_t descriptor_count)
{
    if (body.size > IPC_BODY_MAXIMUM || descriptor_count > IPC_DESCRIPTORS_MAXIMUM)
        return ERROR_LIMIT;
    unsigned char number[TYPE_SIZE] = {type & 0xff, type >> 8};
    struct iovec parts[] = {{number, sizeof(number)}, {(char *)body.data, body.size}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
    union control control = {.room = {0}};
    if (descriptor_count)
        attach_descriptors(&header, &control, descriptors, descriptor_count);
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? send_error(errno) : 0;
}

/* Takes every descriptor that came, so that none is left open when there are too many. */
static bool take_descriptors(struct msghdr *header, struct ipc_message *message)
{
    bool good = !(header->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (message->descriptor_count < IPC_DESCRIPTORS_MAXIMUM)
                message->descriptors[message->descriptor_count++] = descriptor;
            else
                good = close(descriptor) && false;
        }
    }
    return good;
}

int ipc_receive(int socket, struct buffer *body, struct ipc_message *message)
{
    unsigned char number[TYPE_SIZE];
    buffer_clear(body);
    char *room = buffer_reserve(body, IPC_BODY_MAXIMUM);
    if (!room)
        return buffer_error(body);
    struct iovec parts[] = {{number, sizeof(number)}, {room, IPC_BODY_MAXIMUM}};
    union control control = {.room = {0}};
    struct msghdr header = {.msg_iov = parts,
                            .msg_iovlen = 2,
                            .msg_control = control.room,
                            .msg_controllen = sizeof(control.room)};
    ssize_t got;
    do
        got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return send_error(errno);
    if (got == 0)
        return ERROR_CLOSED;

    struct ipc_message came = {.descriptors = {-1, -1, -1, -1}};
    bool good = take_descriptors(&header, &came) && !(header.msg_flags & MSG_TRUNC);
    if (good && got >= TYPE_SIZE) {
        buffer_commit(body, (size_t)got - TYPE_SIZE);
        came.type = (enum ipc_type)(number[0] | number[1] << 8);
        came.body = buffer_slice(body);
        if (ipc_body_is_valid(came.type, came.body)) {
            *message = came;
            return 0;
        }
    }
    ipc_message_clear(&came);
    return ERROR_PROTOCOL;
}

int ipc_pair(int sockets[2])
{
    int made[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made))
        return error_from_errno(errno);
    sockets[0] = made[0];
    sockets[1] = made[1];
    return 0;
}
