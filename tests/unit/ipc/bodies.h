/*
 * Well-formed bodies of every message, made from the layout in ipc/messages.def.
 */
#ifndef TESTS_UNIT_IPC_BODIES_H
#define TESTS_UNIT_IPC_BODIES_H

#include "ipc/message.h"

#include <stdlib.h>

static inline void make_field(struct buffer *body, const char *type, uint8_t fill)
{
    static const char zeros[64];
    switch (*type) {
    case '[':
        buffer_append(body, slice_make(zeros, strtoul(type + 1, NULL, 10)));
        break;
    case 'b':
        ipc_put_bytes(body, slice_make("some text", fill % 10));
        break;
    default:
        for (unsigned long i = strtoul(type + 1, NULL, 10) / 8; i > 0; i--)
            buffer_append_byte(body, (char)fill);
    }
}

static inline void make_body(struct buffer *body, const struct ipc_description *row, uint8_t fill)
{
    for (const char *field = row->body; (field = strchr(field, ':'));)
        make_field(body, ++field, fill);
}

#endif
