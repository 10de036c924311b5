#include "base/buffer.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 256,
    DIGITS_MAXIMUM = 20, /* of a 64-bit number */
};

void buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer){.maximum = maximum};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->error = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->maximum);
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->error)
        return NULL;
    if (size > buffer->maximum - buffer->size || buffer->maximum == SIZE_MAX) {
        buffer->error = ERROR_LIMIT;
        return NULL;
    }
    size_t needed = buffer->size + size + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
        while (capacity < needed)
            capacity *= 2;
        if (capacity > buffer->maximum + 1)
            capacity = buffer->maximum + 1;
        char *data = realloc(buffer->data, capacity);
        if (!data) {
            buffer->error = ERROR_MEMORY;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

int buffer_append(struct buffer *buffer, struct slice bytes)
{
    char *room = buffer_reserve(buffer, bytes.size);
    if (!room)
        return buffer->error;
    if (bytes.size)
        memcpy(room, bytes.data, bytes.size);
    buffer_commit(buffer, bytes.size);
    return 0;
}

int buffer_append_string(struct buffer *buffer, const char *string)
{
    return buffer_append(buffer, slice_from_string(string));
}

int buffer_append_byte(struct buffer *buffer, char byte)
{
    return buffer_append(buffer, slice_make(&byte, 1));
}

int buffer_append_number(struct buffer *buffer, uint64_t number)
{
    char digits[DIGITS_MAXIMUM];
    size_t at = DIGITS_MAXIMUM;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return buffer_append(buffer, slice_make(digits + at, DIGITS_MAXIMUM - at));
}

int buffer_append_formatv(struct buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length);
    if (!room)
        return buffer->error;
    vsnprintf(room, (size_t)length + 1, format, arguments);
    buffer_commit(buffer, (size_t)length);
    return 0;
}

int buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int error = buffer_append_formatv(buffer, format, arguments);
    va_end(arguments);
    return error;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    if (size >= buffer->size) {
        buffer_truncate(buffer, 0);
        return;
    }
    memmove(buffer->data, buffer->data + size, buffer->size - size + 1);
    buffer->size -= size;
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    if (size < buffer->size) {
        buffer->size = size;
        buffer->data[size] = '\0';
    }
}
