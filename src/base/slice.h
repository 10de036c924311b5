/*
 * A slice: bytes that somebody else owns.
 *
 * Passed and returned by value. The bytes are not NUL-terminated, may contain NUL, and live as
 * long as their owner says. An empty slice may have data == NULL.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t size; /* bytes */
};

/* printf's "%.*s" with a slice. */
#define SLICE_FORMAT(s) (int)(s).size, (s).data

/* A slice of a string literal, without its NUL. */
#define SLICE(literal) ((struct slice){"" literal "", sizeof(literal) - 1})

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){(const char *)data, size};
}

/* NULL gives an empty slice. */
static inline struct slice slice_from_string(const char *string)
{
    return (struct slice){string, string ? strlen(string) : 0};
}

/* Equal byte for byte; empty slices are equal whatever their data. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Equal but for the case of ASCII letters. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

/* Whether the first bytes of s are prefix; the empty one always is. */
static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size &&
           (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

/* memcmp order; a prefix sorts before what it begins. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The bytes from offset on, at most size of them; clamped to what there is. */
static inline struct slice slice_sub(struct slice s, size_t offset, size_t size)
{
    if (offset >= s.size)
        return (struct slice){s.data ? s.data + s.size : NULL, 0};
    if (size > s.size - offset)
        size = s.size - offset;
    return (struct slice){s.data + offset, size};
}

/* The offset of the first byte equal to c, or s.size where there is none. */
static inline size_t slice_find(struct slice s, char c)
{
    const char *hit = s.size ? (const char *)memchr(s.data, c, s.size) : NULL;
    return hit ? (size_t)(hit - s.data) : s.size;
}

#endif
