/*
 * What the format library's tests share.
 */
#ifndef TESTS_UNIT_FORMAT_FORMAT_TEST_H
#define TESTS_UNIT_FORMAT_FORMAT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/* Compares bytes as text, so that a failure shows both. */
static inline void assert_slice(struct slice found, const char *expected)
{
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 4);
    buffer_append(&text, found);
    buffer_append_byte(&text, '\0');
    assert_string_equal(text.data, expected);
    buffer_release(&text);
    assert_int_equal(found.size, strlen(expected));
}

/* The same, and empties the buffer. */
static inline void assert_buffer(struct buffer *buffer, const char *expected)
{
    assert_slice(buffer_slice(buffer), expected);
    buffer_clear(buffer);
}

#endif
