/*
 * cmocka with the headers it wants, in the order it wants them.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

#define assert_slice_equal(actual, expected) check_slice((actual), (expected), __FILE__, __LINE__)

static inline void check_slice(struct slice actual, const char *expected, const char *file,
                               int line)
{
    if (slice_equal(actual, slice_from_string(expected)))
        return;
    print_error("\"%.*s\" != \"%s\"\n", SLICE_FORMAT(actual), expected);
    _fail(file, line);
}

#endif
