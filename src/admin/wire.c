/*
 * Each argument: its name and its value. Each field: its name, its kind (u8), and its text or its
 * number (u64). Names, values and texts have a u32 length in front.
 */
#include "admin/admin.h"
#include "base/error.h"
#include "ipc/message.h"

void admin_put_arguments(struct buffer *bytes, const struct admin_argument *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ipc_put_bytes(bytes, arguments[i].name);
        ipc_put_bytes(bytes, arguments[i].value);
    }
}

void admin_put_fields(struct buffer *bytes, const struct admin_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ipc_put_bytes(bytes, fields[i].name);
        ipc_put_u8(bytes, (uint8_t)fields[i].kind);
        if (fields[i].kind == ADMIN_TEXT)
            ipc_put_bytes(bytes, fields[i].text);
        else
            ipc_put_u64(bytes, (uint64_t)fields[i].number);
    }
}

int admin_get_arguments(struct slice bytes, struct admin_argument *arguments, size_t *count)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, bytes);
    size_t read = 0;
    while (!reader.failed && reader.rest.size) {
        if (read == ADMIN_ARGUMENTS_MAXIMUM)
            return ERROR_PROTOCOL;
        arguments[read].name = ipc_get_bytes(&reader, ADMIN_NAME_MAXIMUM);
        arguments[read].value = ipc_get_bytes(&reader, ADMIN_VALUE_MAXIMUM);
        read++;
    }
    int error = ipc_reader_finish(&reader);
    if (!error)
        *count = read;
    return error;
}

int admin_get_fields(struct slice bytes, struct admin_field *fields, size_t *count)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, bytes);
    size_t read = 0;
    while (!reader.failed && reader.rest.size) {
        if (read == ADMIN_FIELDS_MAXIMUM)
            return ERROR_PROTOCOL;
        struct admin_field *field = &fields[read++];
        *field = (struct admin_field){.name = ipc_get_bytes(&reader, ADMIN_NAME_MAXIMUM)};
        field->kind = ipc_get_u8(&reader);
        if (field->kind > ADMIN_TIME)
            return ERROR_PROTOCOL;
        if (field->kind == ADMIN_TEXT)
            field->text = ipc_get_bytes(&reader, ADMIN_VALUE_MAXIMUM);
        else
            field->number = (int64_t)ipc_get_u64(&reader);
    }
    int error = ipc_reader_finish(&reader);
    if (!error)
        *count = read;
    return error;
}
