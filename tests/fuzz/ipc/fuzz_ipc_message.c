/*
 * Arbitrary bytes as a frame's type and body: the walk of ipc_receive, and the reading of the same
 * fields with the functions its handlers use, must agree; and the permission table answers for
 * every channel and state. Input: type (u8), body.
 */
#include "ipc/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_field(struct ipc_reader *reader, const char *type)
{
    uint8_t fixed[64];
    if (*type == '[')
        ipc_get_fixed(reader, fixed, strtoul(type + 1, NULL, 10));
    else if (*type == 'b')
        ipc_get_bytes(reader, IPC_BODY_MAXIMUM);
    else if (type[1] == '8')
        ipc_get_u8(reader);
    else if (type[1] == '3')
        ipc_get_u32(reader);
    else
        ipc_get_u64(reader);
}

static void check_body(const struct ipc_description *row, struct slice body)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, body);
    for (const char *field = row->body; (field = strchr(field, ':'));)
        read_field(&reader, ++field);
    if ((ipc_reader_finish(&reader) == 0) != ipc_body_is_valid(row->type, body))
        abort();
}

static size_t count_permitted(enum ipc_type type)
{
    size_t count = 0;
    for (int channel = IPC_CHANNEL_CONTROL; channel <= IPC_CHANNEL_ADMIN; channel++)
        for (int asking = 0; asking < 2; asking++)
            for (int state = IPC_STATE_SETUP; state <= IPC_STATE_DRAINING; state *= 2)
                for (size_t descriptors = 0; descriptors <= IPC_DESCRIPTORS_MAXIMUM; descriptors++)
                    count += ipc_permitted((enum ipc_channel_kind)channel, asking,
                                           (enum ipc_state)state, type, descriptors);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice body = slice_make(data + 1, size - 1);
    const struct ipc_description *row = ipc_describe(data[0]);
    if (row)
        check_body(row, body);
    else if (ipc_body_is_valid((enum ipc_type)data[0], body))
        abort();
    /* A message has one channel and one side, and is permitted in one state at least. */
    if ((count_permitted((enum ipc_type)data[0]) > 0) != (row != NULL))
        abort();
    return 0;
}
