#include "format/mime.h"
#include "format_test.h"

/* Shows the tree: a line for each part with its section number, type, and where it lies. */
static void show(struct slice message, const struct mime_limits *limits, struct buffer *text)
{
    struct arena arena;
    struct mime_tree tree;
    arena_init(&arena, SUMMARY_MEMORY_MAXIMUM);
    assert_int_equal(mime_tree_parse(message, limits, &arena, &tree), 0);
    for (const struct mime_part *part = tree.root; part; part = mime_part_next(part)) {
        for (const struct mime_part *up = part->parent; up; up = up->parent)
            buffer_append_byte(text, ' ');
        struct slice body = slice_sub(message, part->body_offset, part->body_size);
        buffer_append_format(text, "%zu %.*s/%.*s%s", part->number, SLICE_FORMAT(part->type.type),
                             SLICE_FORMAT(part->type.subtype), part->opaque ? "!" : "");
        if (part->media == MIME_LEAF)
            buffer_append_format(text, " [%.*s] %zu", SLICE_FORMAT(body), part->lines);
        else if (part->media == MIME_MESSAGE)
            buffer_append_format(text, " %zu", part->lines);
        buffer_append_byte(text, '\n');
    }
    if (tree.truncated)
        buffer_append_string(text, "truncated\n");
    arena_release(&arena);
}

struct row {
    const char *message, *tree;
};

static const struct row rows[] = {
    {"", "1 TEXT/PLAIN [] 0\n"},
    {"\n", "1 TEXT/PLAIN [] 0\n"},
    {"\nbody", "1 TEXT/PLAIN [body] 0\n"},
    {"Subject: x", "1 TEXT/PLAIN [] 0\n"},
    {"Subject: x\r\n", "1 TEXT/PLAIN [] 0\n"},
    {"Subject: x\r\n\r\na\r\nb\r\n", "1 TEXT/PLAIN [a\r\nb\r\n] 2\n"},
    {"Subject: x\n\na\rb\n", "1 TEXT/PLAIN [a\rb\n] 1\n"},
    {"Subject: x\r\ra\rb", "1 TEXT/PLAIN [a\rb] 1\n"},
    {"no header at all\nx: y\n", "1 TEXT/PLAIN [no header at all\nx: y\n] 2\n"},
    {" blank first\n", "1 TEXT/PLAIN [ blank first\n] 1\n"},
    {"From a@b Fri Nov 21 09:55:06 1997\nContent-Type: text/html\n\nx", "1 TEXT/HTML [x] 0\n"},
    {"A: b\nodd line\nContent-Type : text/html\n\nx", "1 TEXT/HTML [x] 0\n"},
    {"Content-Type: text\n\nx", "1 TEXT/PLAIN [x] 0\n"},
    {"Content-Type:\n TEXT\n /\n hTML (comment); charset=x\n\nx", "1 TEXT/HTML [x] 0\n"},
    /* Boundaries. */
    {"Content-Type: multipart/mixed\n\n--\n\nx", "1 TEXT/PLAIN [--\n\nx] 2\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\n1\n--b\n\n2\n--b--\nepilogue\n--b\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [1] 0\n 2 TEXT/PLAIN [2] 0\n"},
    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n\r\n--b "
     "\t\r\n\r\n2\r\n--b--",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [1\r\n] 1\n 2 TEXT/PLAIN [2] 0\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nunterminated\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [unterminated\n] 1\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n--b--",
     "1 MULTIPART/MIXED\n 1 TEXT/HTML [] 0\n 2 TEXT/PLAIN [] 0\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\n", "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [] 0\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b--\nx\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [] 0\n"},
    {"Content-Type: multipart/mixed; boundary=\"b \\\"c\"\n\n--b \"c\n\nx\n--b \"c--\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [x] 0\n"},
    {"Content-Type: multipart/mixed; boundary*0=b; boundary*1*=%63\n\n--b%63\n\nx\n--b%63--\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [x] 0\n"},
    {"Content-Type: multipart/mixed; boundary*=us-ascii''b%63\n\n--bc\n\nx\n--bc--\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [x] 0\n"},
    /* A line that only begins with the boundary is text. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\n--b-\n --b\n--b--\n",
     "1 MULTIPART/MIXED\n 1 TEXT/PLAIN [--bc\n--b-\n --b] 2\n"},
    /* One boundary is another's beginning. */
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
     "boundary=ab\n"
     "\n--ab\n\n1\n--ab--\n--a\n\n2\n--a--\n",
     "1 MULTIPART/MIXED\n 1 MULTIPART/MIXED\n  1 TEXT/PLAIN [1] 0\n 2 TEXT/PLAIN [2] 0\n"},
    {"Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; "
     "boundary=a\n"
     "\n--a\n\n1\n--ab\n\n2\n--ab--\n",
     "1 MULTIPART/MIXED\n 1 MULTIPART/MIXED\n  1 TEXT/PLAIN [1] 0\n 2 TEXT/PLAIN [2] 0\n"},
    /* The same boundary twice: the inner multipart's until it is closed. */
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n"
     "\n--a\n\n1\n--a--\n--a\n\n2\n--a--\n",
     "1 MULTIPART/MIXED\n 1 MULTIPART/MIXED\n  1 TEXT/PLAIN [1] 0\n 2 TEXT/PLAIN [2] 0\n"},
    /* Messages. */
    {"Content-Type: message/rfc822\n\nSubject: x\n\nbody\n",
     "1 MESSAGE/RFC822 3\n 1 TEXT/PLAIN [body\n] 1\n"},
    {"Content-Type: message/global\nContent-Transfer-Encoding: 8bit\n\n\nbody",
     "1 MESSAGE/GLOBAL 1\n 1 TEXT/PLAIN [body] 0\n"},
    {"Content-Type: message/rfc822\nContent-Transfer-Encoding: BASE64\n\nU3ViamVjdDogeAo=",
     "1 APPLICATION/OCTET-STREAM! [U3ViamVjdDogeAo=] 0\n"},
    {"Content-Type: message/partial; id=x\n\nx", "1 MESSAGE/PARTIAL [x] 0\n"},
    {"Content-Type: message/external-body; access-type=x\n\nx", "1 MESSAGE/EXTERNAL-BODY [x] 0\n"},
    {"Content-Type: message/delivery-status\n\nx", "1 MESSAGE/DELIVERY-STATUS [x] 0\n"},
    {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\n1\n--b\n"
     "Content-Type: text/plain\n\n2\n--b--\n",
     "1 MULTIPART/DIGEST\n 1 MESSAGE/RFC822 2\n  1 TEXT/PLAIN [1] 0\n 2 TEXT/PLAIN [2] 0\n"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b--\n",
     "1 MULTIPART/MIXED\n 1 MESSAGE/RFC822 0\n  1 TEXT/PLAIN [] 0\n"},
};

static void test_trees(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 10000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        show(slice_from_string(rows[i].message), NULL, &text);
        if (!slice_equal(buffer_slice(&text), slice_from_string(rows[i].tree)))
            print_message("for: %s\n", rows[i].message);
        assert_buffer(&text, rows[i].tree);
    }
    buffer_release(&text);
}

static void test_fields(void **state)
{
    (void)state;
    static const char message[] = "Subject: a\r\n b\r\nX-Odd \t: y\r\nno field\r\nTo:\r\n\r\nbody";
    struct mime_parser parser;
    struct mime_event event;
    mime_parser_init(&parser, slice_from_string(message), NULL);
    assert_true(mime_next(&parser, &event));
    assert_int_equal(event.kind, MIME_PART_BEGIN);
    assert_true(mime_next(&parser, &event));
    assert_slice(event.name, "Subject");
    assert_slice(event.value, " a\r\n b");
    assert_true(mime_next(&parser, &event));
    assert_slice(event.name, "X-Odd");
    assert_slice(event.value, " y");
    assert_int_equal(event.offset, 16);
    assert_true(mime_next(&parser, &event));
    assert_slice(event.name, "To");
    assert_slice(event.value, "");
    assert_true(mime_next(&parser, &event));
    assert_int_equal(event.kind, MIME_PART_BODY);
    assert_slice(slice_from_string(message + event.offset), "body");
    assert_true(mime_next(&parser, &event));
    assert_int_equal(event.kind, MIME_PART_END);
    assert_int_equal(event.offset, strlen(message));
    assert_false(mime_next(&parser, &event));
    assert_false(mime_next(&parser, &event));
}

/* Limits. */

static void test_small_limits(void **state)
{
    (void)state;
    static const char message[] =
        "Content-Type: multipart/mixed; boundary=a\n\n"
        "--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n"
        "--a\n\n2\n--a\n\n3\n--a--\n";
    struct buffer text;
    buffer_init(&text, 10000);
    struct mime_limits limits = {2, 100, 1000, 100};
    show(slice_from_string(message), &limits, &text);
    assert_buffer(&text, "1 MULTIPART/MIXED\n"
                         " 1 APPLICATION/OCTET-STREAM! [--b\n\n1\n--b--] 3\n"
                         " 2 TEXT/PLAIN [2] 0\n 3 TEXT/PLAIN [3] 0\ntruncated\n");
    limits = (struct mime_limits){10, 4, 1000, 100};
    show(slice_from_string(message), &limits, &text);
    assert_buffer(&text, "1 MULTIPART/MIXED\n 1 MULTIPART/MIXED\n  1 TEXT/PLAIN [1] 0\n"
                         " 2 APPLICATION/OCTET-STREAM! [2\n--a\n\n3\n--a--\n] 5\ntruncated\n");
    limits = (struct mime_limits){0, 0, 0, 0};
    show(SLICE("Subject: x\n\nbody"), &limits, &text);
    assert_buffer(&text, "1 APPLICATION/OCTET-STREAM! [body] 0\ntruncated\n");
    limits = (struct mime_limits){10, 10, 1000, 2};
    show(SLICE("A: x\nB: y\nContent-Type: text/html\n\nbody"), &limits, &text);
    assert_buffer(&text, "1 TEXT/PLAIN [body] 0\ntruncated\n");
    limits = (struct mime_limits){10, 10, 12, 100};
    show(SLICE("A: x\nB: y\nContent-Type: text/html\n\nbody"), &limits, &text);
    assert_buffer(&text, "1 TEXT/PLAIN [body] 0\ntruncated\n");
    buffer_release(&text);
}

static void test_boundary_limit(void **state)
{
    (void)state;
    struct buffer message, text;
    buffer_init(&message, 1000);
    buffer_init(&text, 1000);
    for (int size = MIME_BOUNDARY_MAXIMUM; size <= MIME_BOUNDARY_MAXIMUM + 1; size++) {
        buffer_clear(&message);
        buffer_append_format(&message,
                             "Content-Type: multipart/mixed; boundary=%0*d\n\n--%0*d\n\nx", size, 1,
                             size, 1);
        show(buffer_slice(&message), NULL, &text);
        assert_non_null(strstr(text.data, size == MIME_BOUNDARY_MAXIMUM ? " 1 TEXT/PLAIN [x] 0\n"
                                                                        : "truncated"));
        buffer_clear(&text);
    }
    buffer_release(&message);
    buffer_release(&text);
}

static struct mime_tree parse(struct arena *arena, struct slice message)
{
    struct mime_tree tree;
    arena_init(arena, 6 << 20); /* what mime.h says is enough */
    assert_int_equal(mime_tree_parse(message, NULL, arena, &tree), 0);
    return tree;
}

static void test_deep(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer message;
    buffer_init(&message, 8 << 20);
    for (int i = 0; i < 10000; i++)
        buffer_append_format(&message, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
                             i);
    struct mime_tree tree = parse(&arena, buffer_slice(&message));
    assert_int_equal(tree.part_count, MIME_DEPTH_MAXIMUM);
    assert_true(tree.truncated);
    arena_release(&arena);
    buffer_clear(&message);
    for (int i = 0; i < 10000; i++)
        buffer_append_string(&message, "Content-Type: message/rfc822\n\n");
    tree = parse(&arena, buffer_slice(&message));
    assert_int_equal(tree.part_count, MIME_DEPTH_MAXIMUM);
    assert_true(tree.truncated);
    arena_release(&arena);
    buffer_release(&message);
}

static void test_many_parts(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer message;
    buffer_init(&message, 16 << 20);
    buffer_append_string(&message, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 10000; i++)
        buffer_append_string(&message, "--b\nContent-Type: multipart/mixed; boundary=c\n\n");
    struct mime_tree tree = parse(&arena, buffer_slice(&message));
    assert_in_range(tree.part_count, MIME_PARTS_MAXIMUM, MIME_PARTS_MAXIMUM + 1);
    assert_true(tree.truncated);
    arena_release(&arena);
    buffer_release(&message);
}

/* The worst that headers can ask for stays within the arena. */
static void test_heavy_headers(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer message;
    buffer_init(&message, 64 << 20);
    buffer_append_string(&message, "Content-Type: multipart/digest; boundary=b\n\n");
    for (int i = 0; i < 600; i++) {
        buffer_append_string(&message, "--b\nContent-Type: x/y");
        for (int j = 0; j < 200; j++)
            buffer_append_format(&message, "; p%d*=%050d", j, j);
        buffer_append_string(&message, "\n\n--b\n\n");
        for (int j = 0; j < 100; j++)
            buffer_append_string(&message, "To: a\n");
        buffer_append_string(&message, "\n");
    }
    struct mime_tree tree = parse(&arena, buffer_slice(&message));
    assert_true(tree.truncated);
    assert_int_equal(tree.part_count, MIME_PARTS_MAXIMUM);
    arena_release(&arena);
    buffer_release(&message);
}

static void test_heavy_types(void **state)
{
    (void)state;
    static const struct {
        const char *field, *text, *end;
        int count;
    } fields[] = {
        {"Content-Type: ", "x", "/y", 16000},
        {"Content-Disposition: ", "x", "", 16000},
        {"Content-Type: a/b; x*0*=a", ";x*1=\"\\\\ \"", "", 1000},
        {"Content-Type: a/b", ";x*1=", "", 1000},
        {"Content-Type: a/b; x*0*=a; x*1=\"", " ", "\"", 16000},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct arena arena;
        struct buffer message;
        buffer_init(&message, 64 << 20);
        buffer_append_string(&message, "Content-Type: multipart/mixed; boundary=b\n\n");
        for (int part = 0; part < MIME_PARTS_MAXIMUM; part++) {
            buffer_append_format(&message, "--b\n%s", fields[i].field);
            for (int j = 0; j < fields[i].count; j++)
                buffer_append_string(&message, fields[i].text);
            buffer_append_format(&message, "%s\n\n", fields[i].end);
        }
        struct mime_tree tree = parse(&arena, buffer_slice(&message));
        assert_true(tree.truncated);
        arena_release(&arena);
        buffer_release(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),         cmocka_unit_test(test_fields),
        cmocka_unit_test(test_small_limits),  cmocka_unit_test(test_boundary_limit),
        cmocka_unit_test(test_deep),          cmocka_unit_test(test_many_parts),
        cmocka_unit_test(test_heavy_headers), cmocka_unit_test(test_heavy_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
