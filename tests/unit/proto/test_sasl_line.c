#include "../check.h"

#include "proto/sasl/line.h"

#include <stdlib.h>

static const char *const kinds[] = {[LINE_TOO_LONG] = "(too long)", [LINE_FLOOD] = "(flood)"};

static void read_lines(struct slice input, size_t piece, size_t maximum, struct buffer *lines)
{
    struct line_reader reader;
    line_reader_init(&reader, maximum);
    while (input.size) {
        struct slice part = slice_sub(input, 0, piece), line;
        input = slice_sub(input, part.size, SIZE_MAX);
        enum line_event kind;
        while ((kind = line_reader_next(&reader, &part, &line)) != LINE_MORE) {
            if (kind == LINE_COMPLETE)
                buffer_append(lines, line);
            else
                buffer_append_string(lines, kinds[kind]);
            buffer_append_byte(lines, '\n');
            if (kind == LINE_FLOOD) {
                line_reader_release(&reader);
                return;
            }
        }
    }
    line_reader_release(&reader);
}

static void check_lines(struct slice input, size_t maximum, const char *expected)
{
    static const size_t pieces[] = {1, 3, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct buffer lines;
        buffer_init(&lines, 65536);
        read_lines(input, pieces[i], maximum, &lines);
        assert_slice_equal(buffer_slice(&lines), expected);
        buffer_release(&lines);
    }
}

static void test_lines(void **state)
{
    (void)state;
    check_lines(SLICE("STAT\r\nNOOP\n\r\n\nx\ry\r\nrest"), 20, "STAT\nNOOP\n\n\nx\ry\n");
    check_lines(SLICE("1234\r\n12345\r\n123456789\r\n1234\n"), 4,
                "1234\n(too long)\n(too long)\n1234\n");
    /* The CR of a line that is as long as may be does not count. */
    check_lines(SLICE("1234\r\r\n1234\r\n"), 4, "(too long)\n1234\n");
}

static void test_flood(void **state)
{
    (void)state;
    size_t size = LINE_DISCARD_MAXIMUM + 100;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    check_lines(slice_make(bytes, size), 20, "(flood)\n");
    bytes[LINE_DISCARD_MAXIMUM - 10] = '\n';
    check_lines(slice_make(bytes, size), 20, "(too long)\n");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
