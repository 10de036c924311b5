/*
 * A growing buffer with a mandatory maximum and a sticky error.
 *
 * Appending past the maximum appends nothing and marks the buffer as failed; every later append
 * does nothing. So straight-line code appends and checks buffer_error once at its end.
 * The bytes always have a NUL behind them (not counted), so data may be used as a string when it
 * holds no NUL of its own.
 *
 * Not thread-safe. Pointers into data live until the next append, clear or release.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdint.h>

struct buffer {
    char *data;      /* NULL until the first append */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated, the NUL's included */
    size_t maximum;  /* size never passes it */
    int error;       /* 0, ERROR_LIMIT or ERROR_MEMORY; sticky until clear or release */
};

/* No memory is taken before the first append. */
void buffer_init(struct buffer *buffer, size_t maximum);

/* Forgets content and error, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Frees the memory, forgets content and error; the buffer can be used again. */
void buffer_release(struct buffer *buffer);

/* Appends; returns the buffer's sticky error. */
int buffer_append(struct buffer *buffer, struct slice bytes);
int buffer_append_string(struct buffer *buffer, const char *string);
int buffer_append_byte(struct buffer *buffer, char byte);
int buffer_append_number(struct buffer *buffer, uint64_t number); /* in digits */
int buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int buffer_append_formatv(struct buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Room for at least size more bytes; returns where to write them, or NULL (sticky error).
 * buffer_commit(size) then counts what was really written. */
char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_commit(struct buffer *buffer, size_t size);

/* Removes size bytes from the front (all of them when there are fewer). */
void buffer_consume(struct buffer *buffer, size_t size);

/* Cuts the content back to size bytes; nothing happens when it is shorter. */
void buffer_truncate(struct buffer *buffer, size_t size);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data, buffer->size);
}

static inline int buffer_error(const struct buffer *buffer)
{
    return buffer->error;
}

#endif
