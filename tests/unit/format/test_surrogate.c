#include "format/surrogate.h"

#include "format_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define INVALID "<invalid@internationalized.invalid>"

static int directory;

/* A message in memory. */
struct fixture {
    struct slice message;
    struct arena arena;
    struct buffer encoded;
    struct summary summary;
    struct surrogate_source source;
    int error; /* that reading ends with */
};

static int read_message(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct fixture *fixture = arg;
    int error = buffer_append(bytes, slice_sub(fixture->message, (size_t)offset, size));
    return fixture->error ? fixture->error : error;
}

static void begin(struct fixture *fixture, struct slice message)
{
    *fixture = (struct fixture){.message = message};
    arena_init(&fixture->arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&fixture->encoded, SUMMARY_SIZE_MAXIMUM);
    assert_int_equal(summary_build(message, &fixture->arena, &fixture->encoded), 0);
    assert_int_equal(summary_parse(buffer_slice(&fixture->encoded), &fixture->summary), 0);
    fixture->source = (struct surrogate_source){&fixture->summary, read_message, fixture};
}

static void done(struct fixture *fixture)
{
    arena_release(&fixture->arena);
    buffer_release(&fixture->encoded);
}

/* All of it in pieces of at most `size` bytes. */
static int read_all(struct fixture *fixture, size_t size, struct buffer *all)
{
    struct surrogate surrogate;
    surrogate_init(&surrogate, directory, 1024);
    size_t before;
    int error;
    do {
        before = all->size;
        error = surrogate_next(&surrogate, &fixture->source, size, all);
        assert_true(all->size - before <= size);
    } while (!error && all->size > before);
    surrogate_release(&surrogate);
    return error;
}

static void check_pieces(struct fixture *fixture, size_t piece, struct slice expected)
{
    struct buffer all;
    buffer_init(&all, 64 * 1024 * 1024);
    assert_int_equal(read_all(fixture, piece, &all), 0);
    assert_int_equal(all.size, expected.size);
    assert_memory_equal(all.data, expected.data, expected.size);
    buffer_release(&all);
}

static void check(const char *message, const char *expected)
{
    struct fixture fixture;
    uint64_t size;
    bool needed;
    begin(&fixture, slice_from_string(message));
    assert_int_equal(surrogate_is_needed(&fixture.source, 0, UINT64_MAX, &needed), 0);
    assert_int_equal(needed, strcmp(message, expected) != 0);
    assert_int_equal(surrogate_size(&fixture.source, &size), 0);
    assert_int_equal(size, strlen(expected));
    check_pieces(&fixture, SIZE_MAX, slice_from_string(expected));
    check_pieces(&fixture, 1, slice_from_string(expected));
    check_pieces(&fixture, 7, slice_from_string(expected));
    done(&fixture);
}

/* RFC 6858: what is not in a header stays as it is. */
static void test_simple(void **state)
{
    (void)state;
    check("Subject: x\r\n\r\nb\xc3\xa9\r\n", "Subject: x\r\n\r\nb\xc3\xa9\r\n");
    check("Subject: \xc3\xa9\r\n\r\nb\xc3\xa9\r\n",
          "Subject: =?utf-8?B?w6k=?=\r\n\r\nb\xc3\xa9\r\n");
    check("From: F <\xc3\xa9@x>\nX-\xc3\xa9: y\n\n", "From: F " INVALID "\r\n\n");
    check("", "");
    check("\r\n", "\r\n");
    /* Of the header nothing is left. */
    check("X-A: \xc3\xa9\r\n", "");
}

#define PARTS(of_message, of_nested, of_file)                                                      \
    "From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n" of_message "\r\n"                 \
    "pr\xc3\xa9\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" of_nested "\r\nnest\xc3\xa9\r\n"   \
    "--b\r\nContent-Type: text/plain" of_file "\r\n\r\nfile\r\n--b--\r\n\xc3\xa9pi\r\n"

static void test_parts(void **state)
{
    (void)state;
    check(PARTS("", "Subject: x\r\n", ""), PARTS("", "Subject: x\r\n", ""));
    check(PARTS("Subject: \xc3\xa9\r\n", "", ""), PARTS("Subject: =?utf-8?B?w6k=?=\r\n", "", ""));
    check(PARTS("", "Subject: \xc3\xa9\r\nX: \xc3\xa9\r\n", ""),
          PARTS("", "Subject: =?utf-8?B?w6k=?=\r\n", ""));
    check(PARTS("", "", "; name=\xc3\xa9"), PARTS("", "", ""));
    check(PARTS("X: \xc3\xa9\r\n", "To: \xc3\xa9@x\r\n", "; name=\xc3\xa9; charset=utf-8"),
          PARTS("", "To: =?utf-8?B?w6lAeA==?= " INVALID "\r\n", ";\r\n charset=utf-8"));
}

/* Only headers in the range count. */
static void test_ranges(void **state)
{
    (void)state;
    static const char text[] = PARTS("", "Subject: \xc3\xa9\r\n", "");
    uint64_t begins = (uint64_t)(strstr(text, "Subject") - text);
    uint64_t ends = (uint64_t)(strstr(text, "nest") - text);
    const struct {
        uint64_t offset, size;
        bool needed;
    } ranges[] = {{0, begins, false},    {0, begins + 1, true},        {begins, 1, true},
                  {ends - 1, 1, true},   {ends, UINT64_MAX, false},    {ends, 1, false},
                  {0, UINT64_MAX, true}, {ends - 1, UINT64_MAX, true}, {begins, 0, false}};
    struct fixture fixture;
    begin(&fixture, slice_from_string(text));
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        bool needed;
        assert_int_equal(
            surrogate_is_needed(&fixture.source, ranges[i].offset, ranges[i].size, &needed), 0);
        assert_int_equal(needed, ranges[i].needed);
    }
    done(&fixture);
}

/* A header with `before` bytes, then one beyond ASCII, then `behind` bytes. */
static struct buffer long_header(size_t before, size_t behind)
{
    struct buffer text;
    buffer_init(&text, 4 * SURROGATE_HEADER_MAXIMUM);
    buffer_append_string(&text, "A: b\r\nC: d\r\nX: ");
    while (text.size < before)
        buffer_append_byte(&text, 'x');
    buffer_append_string(&text, "\xc3\xa9");
    for (size_t i = 0; i < behind; i++)
        buffer_append_byte(&text, 'y');
    buffer_append_string(&text, "\r\n\r\nbody");
    return text;
}

static void test_header_maximum(void **state)
{
    (void)state;
    struct fixture fixture;
    uint64_t size;
    bool needed;
    /* Beyond it nothing is looked at. */
    struct buffer text = long_header(SURROGATE_HEADER_MAXIMUM, 10);
    begin(&fixture, buffer_slice(&text));
    assert_int_equal(surrogate_is_needed(&fixture.source, 0, UINT64_MAX, &needed), 0);
    assert_false(needed);
    assert_int_equal(surrogate_size(&fixture.source, &size), 0);
    assert_int_equal(size, text.size);
    check_pieces(&fixture, 64 * 1024, buffer_slice(&text));
    done(&fixture);
    buffer_release(&text);
    /* Nor is it shown. */
    text = long_header(SURROGATE_HEADER_MAXIMUM - 2, 10);
    begin(&fixture, buffer_slice(&text));
    assert_int_equal(surrogate_size(&fixture.source, &size), 0);
    assert_int_equal(size, strlen("A: b\r\nC: d\r\nbody"));
    check_pieces(&fixture, SIZE_MAX, SLICE("A: b\r\nC: d\r\nbody"));
    done(&fixture);
    buffer_release(&text);
}

/* What is downgraded goes into a file where it is long. Of what grows most there is room for as
 * much as is looked at. */
static void test_downgraded_maximum(void **state)
{
    (void)state;
    struct buffer text, expected;
    struct fixture fixture;
    uint64_t size;
    buffer_init(&text, SURROGATE_HEADER_MAXIMUM);
    while (text.size < SURROGATE_HEADER_MAXIMUM - 1000) {
        buffer_append_string(&text, "To: \xc3\xa9");
        for (int i = 0; i < 200; i++)
            buffer_append_string(&text, ",\xc3\xa9");
        buffer_append_string(&text, "\r\n");
    }
    buffer_append_string(&text, "\r\n");
    begin(&fixture, buffer_slice(&text));
    buffer_init(&expected, SURROGATE_DOWNGRADED_MAXIMUM);
    assert_int_equal(read_all(&fixture, SIZE_MAX, &expected), 0);
    assert_true(expected.size > 10 * text.size);
    assert_int_equal(surrogate_size(&fixture.source, &size), 0);
    assert_int_equal(size, expected.size);
    check_pieces(&fixture, 1000, buffer_slice(&expected));
    buffer_release(&expected);
    done(&fixture);
    buffer_release(&text);
}

static void test_errors(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer all;
    uint64_t size = 7;
    bool needed;
    begin(&fixture, SLICE("Subject: \xc3\xa9\r\n\r\nbody"));
    buffer_init(&all, 1024);
    fixture.error = ERROR_IO;
    assert_int_equal(surrogate_is_needed(&fixture.source, 0, 1, &needed), ERROR_IO);
    assert_int_equal(surrogate_size(&fixture.source, &size), ERROR_IO);
    assert_int_equal(size, 7);
    assert_int_equal(read_all(&fixture, 10, &all), ERROR_IO);
    /* Shorter than its summary says. */
    fixture.error = 0;
    fixture.message.size--;
    assert_int_equal(read_all(&fixture, 10, &all), ERROR_CORRUPT);
    buffer_release(&all);
    done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_header_maximum),
        cmocka_unit_test(test_downgraded_maximum),
        cmocka_unit_test(test_errors),
    };
    directory = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
