#include "format/summary.h"
#include "format_test.h"

#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct buffer encoded;
    struct summary summary;
};

static void build(struct fixture *fixture, struct slice message)
{
    arena_init(&fixture->arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&fixture->encoded, SUMMARY_SIZE_MAXIMUM);
    assert_int_equal(summary_build(message, &fixture->arena, &fixture->encoded), 0);
    assert_int_equal(summary_parse(buffer_slice(&fixture->encoded), &fixture->summary), 0);
    assert_int_equal(fixture->summary.size, message.size);
}

static void done(struct fixture *fixture)
{
    arena_release(&fixture->arena);
    buffer_release(&fixture->encoded);
}

static void test_simple(void **state)
{
    (void)state;
    /* RFC 5322 appendix A.1.1, with what the summary shows. */
    static const char text[] = "From: John Doe <jdoe@machine.example>\r\n"
                               "To: Mary Smith <mary@example.net>\r\n"
                               "To: \"Joe Q. Public\" <john.q.public@example.com>\r\n"
                               "Subject: Saying\r\n =?utf-8?q?Hello_=E2=82=AC?=\r\n"
                               "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
                               "Message-ID: <1234@local.machine.example> (made here)\r\n"
                               "Cc:\r\n"
                               "\r\n"
                               "> Quoted.\r\n"
                               "This is a message  just to say hello.\r\n"
                               "So, \"Hello\".\r\n";
    struct fixture f;
    build(&f, slice_from_string(text));
    const struct summary *s = &f.summary;
    assert_slice(s->headers[SUMMARY_FROM], "John Doe <jdoe@machine.example>");
    assert_slice(s->headers[SUMMARY_TO], "Mary Smith <mary@example.net>, "
                                         "\"Joe Q. Public\" <john.q.public@example.com>");
    assert_slice(s->headers[SUMMARY_SUBJECT], "Saying Hello \xe2\x82\xac");
    assert_slice(s->headers[SUMMARY_MESSAGE_ID], "<1234@local.machine.example>");
    assert_slice(s->headers[SUMMARY_CC], "");
    assert_non_null(s->headers[SUMMARY_CC].data);
    assert_null(s->headers[SUMMARY_BCC].data);
    assert_int_equal(s->sent_date, 880127706);
    assert_slice(s->preview, "This is a message just to say hello. So, \"Hello\".");
    assert_slice(s->envelope,
                 "(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"Saying =?utf-8?q?Hello_=E2=82=AC?=\" "
                 "((\"John Doe\" NIL \"jdoe\" \"machine.example\")) "
                 "((\"John Doe\" NIL \"jdoe\" \"machine.example\")) "
                 "((\"John Doe\" NIL \"jdoe\" \"machine.example\")) "
                 "((\"Mary Smith\" NIL \"mary\" \"example.net\")"
                 "(\"Joe Q. Public\" NIL \"john.q.public\" \"example.com\")) NIL NIL NIL "
                 "\"<1234@local.machine.example> (made here)\")");
    assert_slice(s->body, "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 64 3)");
    assert_slice(s->bodystructure, "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL "
                                   "\"7BIT\" 64 3 NIL NIL NIL NIL)");
    assert_false(s->truncated);
    assert_false(s->has_attachment);
    done(&f);
}

static const char nested[] =
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    "--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/html; charset=ISO-8859-1\r\n\r\n<p>caf\xe9</p>\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nY2Fmw6kgIHRleHQ=\r\n--b--\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    "--c\r\n\r\ninner\r\n--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: "
    "x\r\n\r\ndeep\r\n--c--\r\n"
    "--a\r\nContent-Type: application/pdf; name=x.pdf\r\n\r\npdf\r\n--a--\r\n";

static void test_parts(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, slice_from_string(nested));
    assert_slice(f.summary.preview, "caf\xc3\xa9 text");
    assert_true(f.summary.has_attachment);
    assert_int_equal(f.summary.part_count, 10);
    static const struct {
        uint32_t numbers[4];
        size_t count, index; /* 0 beyond the root: not found */
    } rows[] = {
        {{0}, 0, 0},       {{1}, 1, 1},          {{1, 1}, 2, 2},    {{1, 2}, 2, 3},
        {{2}, 1, 4},       {{2, 1}, 2, 6},       {{2, 2}, 2, 7},    {{2, 2, 1}, 3, 8},
        {{3}, 1, 9},       {{4}, 1, 0},          {{0}, 1, 0},       {{1, 3}, 2, 0},
        {{1, 1, 1}, 3, 0}, {{2, 2, 1, 1}, 4, 0}, {{2, 2, 2}, 3, 0}, {{3, 1}, 2, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t index = 99;
        int error = summary_part_find(&f.summary, rows[i].numbers, rows[i].count, &index);
        bool found = rows[i].index || rows[i].count == 0;
        assert_int_equal(error, found ? 0 : ERROR_NOT_FOUND);
        assert_int_equal(index, found ? rows[i].index : 99);
    }
    struct summary_part part;
    assert_int_equal(summary_part_at(&f.summary, 3, &part), 0);
    assert_int_equal(part.parent, 1);
    assert_int_equal(part.number, 2);
    assert_int_equal(part.kind, SUMMARY_PART_TEXT_PLAIN);
    assert_int_equal(part.encoding, SUMMARY_ENCODING_BASE64);
    assert_slice(part.charset, "utf-8");
    assert_slice(slice_sub(slice_from_string(nested), part.body_offset, part.body_size),
                 "Y2Fmw6kgIHRleHQ=");
    assert_int_equal(summary_part_at(&f.summary, 10, &part), ERROR_NOT_FOUND);
    done(&f);
    build(&f, SLICE("Subject: x\n\nbody"));
    size_t index = 99;
    assert_int_equal(summary_part_find(&f.summary, (uint32_t[]){1}, 1, &index), 0);
    assert_int_equal(index, 0);
    assert_int_equal(summary_part_find(&f.summary, (uint32_t[]){1, 1}, 2, &index), ERROR_NOT_FOUND);
    done(&f);
}

/* Wherever a message ends, it has a summary, and the same one each time. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(nested); size++) {
        struct fixture f, again;
        char *copy = malloc(size + 1); /* so that the sanitizer sees its end */
        memcpy(copy, nested, size);
        copy = realloc(copy, size ? size : 1);
        build(&f, slice_make(copy, size));
        build(&again, slice_make(copy, size));
        assert_true(slice_equal(buffer_slice(&f.encoded), buffer_slice(&again.encoded)));
        done(&f);
        done(&again);
        free(copy);
    }
}

static void test_preview(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\n> only\n> quoted\n", "> only > quoted"},
        {"\nJane wrote:\n> quoted\n\n\tMy\xc2\xa0 answer \n", "Jane wrote: My answer"},
        {"Content-Type: text/html\n\n<style>p{}</style><p>Hi&nbsp;&amp;&zwnj; bye</p>", "Hi & bye"},
        {"Content-Type: text/plain; charset=koi8-r\n\n\xf0\xd2", "\xd0\x9f\xd1\x80"},
        {"Content-Type: text/plain; charset=no-such\n\nx\xe9", "x\xef\xbf\xbd"},
        {"Content-Type: text/plain\nContent-Disposition: attachment\n\nx", ""},
        {"Content-Type: image/png\n\nx", ""},
        {"Content-Type: message/rfc822\n\n\nx", ""},
        {"", ""},
    };
    struct fixture f;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        build(&f, slice_from_string(rows[i][0]));
        assert_slice(f.summary.preview, rows[i][1]);
        done(&f);
    }
    struct buffer message;
    buffer_init(&message, 100000);
    buffer_append_string(&message, "Content-Type: text/html\n\n<style>");
    for (int i = 0; i < 1000; i++)
        buffer_append_string(&message, "p { color: red } ");
    buffer_append_string(&message, "</style>");
    for (int i = 0; i < 300; i++)
        buffer_append_string(&message, "\xc3\xa9");
    build(&f, buffer_slice(&message));
    assert_int_equal(f.summary.preview.size, 2 * SUMMARY_PREVIEW_MAXIMUM);
    done(&f);
    buffer_release(&message);
}

/* A word, then others: the preview ends in the midst of one, and never with a blank. */
static void test_preview_at_its_limit(void **state)
{
    (void)state;
    struct fixture f;
    for (size_t first = 1; first <= SUMMARY_PREVIEW_MAXIMUM + 2; first++) {
        char text[600], expected[600];
        memset(text, 'a', sizeof(text));
        text[0] = '\n';
        text[first + 1] = ' ';
        memcpy(text + first + 2, "b\xc3\xa9 c", 5);
        memset(expected, 'a', sizeof(expected));
        expected[first] = ' ';
        memcpy(expected + first + 1, "b\xc3\xa9 c", 5);
        size_t size = first + 3 < SUMMARY_PREVIEW_MAXIMUM   ? SUMMARY_PREVIEW_MAXIMUM + 1
                      : first + 2 < SUMMARY_PREVIEW_MAXIMUM ? first + 4
                                                            : SUMMARY_PREVIEW_MAXIMUM;
        size -= expected[size - 1] == ' ';
        build(&f, slice_make(text, sizeof(text)));
        assert_true(slice_equal(f.summary.preview, slice_make(expected, size)));
        done(&f);
    }
}

static void test_attachments(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool attachment;
    } rows[] = {
        {"Content-Type: text/plain\n", false},
        {"Content-Type: text/plain\nContent-Disposition: attachment\n", true},
        {"Content-Type: text/x-patch; name=a.diff\n", true},
        {"Content-Type: image/png\n", true},
        {"Content-Type: image/png\nContent-ID: <a@b>\n", false},
        {"Content-Type: application/pgp-signature; name=signature.asc\n", false},
        {"Content-Type: message/rfc822\n", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer message;
        struct fixture f;
        buffer_init(&message, 1000);
        buffer_append_format(&message, "Content-Type: multipart/mixed; boundary=b\n\n--b\n%s\nx\n",
                             rows[i].header);
        build(&f, buffer_slice(&message));
        assert_int_equal(f.summary.has_attachment, rows[i].attachment);
        done(&f);
        buffer_release(&message);
    }
}

static void repeat(struct buffer *message, const char *text, int count)
{
    for (int i = 0; i < count; i++)
        buffer_append_string(message, text);
}

/* Messages that are too much in one way or another still have a summary of its size. */
static void test_too_much(void **state)
{
    (void)state;
    static const struct {
        const char *before, *text, *after;
        int count;
    } rows[] = {
        {"To: ", "Somebody <somebody@example.test>, ", "x@y\n\nbody", 100000},
        {"", "To: Somebody With A Name <somebody@example.test>\n", "\nbody", 100000},
        {"Subject: ", "0123456789abcdef", "\n\nbody", 65536},
        {"Subject: ", "=?utf-8?q?=E2=82=AC?= ", "\n\nbody", 65536},
        {"", "X-Field: value\n", "\nbody", 100000},
        {"Subject: ", "\n folded", "\n\nbody", 100000},
        {"Content-Type: multipart/mixed; boundary=b\n\n",
         "--b\nContent-Type: a/b; name=0123456789012345678901234567890123456789\n"
         "Content-Description: 0123456789012345678901234567890123456789\n\n",
         "", 10000},
        {"Content-Type: multipart/digest; boundary=b\n\n",
         "--b\n\nFrom: 0123456789012345678901234567890123456789@example.test\nSubject: x\n\n", "",
         10000},
        {"", "Content-Type: message/rfc822\n\n", "", 10000},
        {"\n", "x", "", 1 << 20},
        {"", "x", "", 1 << 20},
        {"\n--", " ", "", 1 << 20},
        {"Content-Type: a/b", ";\"", "\n\n", 1 << 19},
        {"References: ", "<0123456789@example.test> ", "\n\n", 100000},
        {"From: ", "(", "\n\n", 1 << 20},
        {"From: ", "a:;<@", "\n\n", 1 << 18},
        {"Subject: ", "=?a?q?", "\n\n", 1 << 18},
        {"Content-Type: text/html\n\n", "<", "", 1 << 20},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer message;
        struct fixture f;
        buffer_init(&message, 16 << 20);
        buffer_append_string(&message, rows[i].before);
        repeat(&message, rows[i].text, rows[i].count);
        buffer_append_string(&message, rows[i].after);
        build(&f, buffer_slice(&message));
        assert_in_range(f.encoded.size, 100, SUMMARY_SIZE_MAXIMUM);
        done(&f);
        buffer_release(&message);
    }
}

static void test_narrow_room(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer encoded;
    arena_init(&arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&encoded, 50);
    buffer_append_string(&encoded, "kept");
    assert_int_equal(summary_build(SLICE("Subject: x\n\n"), &arena, &encoded), ERROR_LIMIT);
    assert_buffer(&encoded, "kept");
    arena_release(&arena);
    arena_init(&arena, 100);
    encoded.maximum = 10000;
    assert_int_equal(summary_build(SLICE("Subject: x\n\n"), &arena, &encoded), ERROR_LIMIT);
    assert_int_equal(encoded.size, 0);
    arena_release(&arena);
    buffer_release(&encoded);
}

static void test_damaged(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, slice_from_string(nested));
    struct slice good = buffer_slice(&f.encoded);
    struct summary summary;
    for (size_t size = 0; size < good.size; size++)
        assert_int_equal(summary_parse(slice_sub(good, 0, size), &summary), ERROR_CORRUPT);
    for (size_t i = 0; i < good.size; i++) {
        f.encoded.data[i] ^= 0x40;
        if (summary_parse(good, &summary) == 0)
            for (size_t part = 0; part < summary.part_count; part++) {
                struct summary_part row;
                summary_part_at(&summary, part, &row);
            }
        f.encoded.data[i] ^= 0x40;
    }
    f.encoded.data[0] = SUMMARY_VERSION + 1;
    assert_int_equal(summary_parse(good, &summary), ERROR_CORRUPT);
    done(&f);
}

static void test_header_names(void **state)
{
    (void)state;
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++)
        assert_int_equal(
            summary_header_find(slice_from_string(summary_header_name((enum summary_header)i))), i);
    assert_int_equal(summary_header_find(SLICE("reply-to")), SUMMARY_REPLY_TO);
    assert_int_equal(summary_header_find(SLICE("X-Other")), -1);
}

static void assert_fields(struct fixture *f, const char *names, const char *expected)
{
    static const struct {
        char letter;
        enum summary_header header;
    } letters[] = {{'f', SUMMARY_FROM},       {'t', SUMMARY_TO},         {'c', SUMMARY_CC},
                   {'s', SUMMARY_SUBJECT},    {'d', SUMMARY_DATE},       {'m', SUMMARY_MESSAGE_ID},
                   {'r', SUMMARY_REFERENCES}, {'i', SUMMARY_IN_REPLY_TO}};
    enum summary_header wanted[SUMMARY_HEADER_COUNT];
    size_t count = 0;
    struct buffer fields;
    for (; names[count]; count++)
        for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
            if (letters[i].letter == names[count])
                wanted[count] = letters[i].header;
    buffer_init(&fields, SUMMARY_SIZE_MAXIMUM);
    int error = summary_fields(&f->summary, wanted, count, &fields);
    assert_int_equal(error, expected ? 0 : ERROR_NOT_FOUND);
    assert_slice(buffer_slice(&fields), expected ? expected : "");
    buffer_release(&fields);
}

/* Those that stand in the message as they are kept, in its order. */
static void test_fields(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, SLICE("From: a@example.test\r\nX-Other: x\r\nSubject: one  two\r\n"
                    "To: b@example.test,\r\n c@example.test\r\nDate: \r\n"
                    "Message-Id: <1@example.test>\r\nReferences: <0@example.test>\r\n"
                    "In-Reply-To: <0@example.test> \r\n\r\nText\r\n"));
    assert_fields(&f, "f", "From: a@example.test\r\n");
    assert_fields(&f, "sf", "From: a@example.test\r\nSubject: one  two\r\n");
    assert_fields(&f, "ssfs", "From: a@example.test\r\nSubject: one  two\r\n");
    assert_fields(&f, "rcs", "Subject: one  two\r\nReferences: <0@example.test>\r\n");
    assert_fields(&f, "c", "");
    assert_fields(&f, "", "");
    assert_fields(&f, "t", "To: b@example.test,\r\n c@example.test\r\n"); /* folded */
    assert_fields(&f, "tsf",
                  "From: a@example.test\r\nSubject: one  two\r\n"
                  "To: b@example.test,\r\n c@example.test\r\n");
    assert_fields(&f, "m", "Message-Id: <1@example.test>\r\n");   /* in other letters */
    assert_fields(&f, "i", "In-Reply-To: <0@example.test> \r\n"); /* a blank at its end */
    assert_fields(&f, "im", "Message-Id: <1@example.test>\r\nIn-Reply-To: <0@example.test> \r\n");
    assert_fields(&f, "d", NULL); /* empty */
    done(&f);
    build(&f, SLICE("Subject:x\r\nFrom: =?utf-8?q?a?= <a@example.test>\r\nTo: b\r\n"
                    "References: \xc3\xa4\r\nTo: c\r\nCc : d\r\nDate: 1\n"
                    "Message-ID: <1@example.test> (made here)\r\n\r\nCc: none\r\n"));
    assert_fields(&f, "s", "Subject:x\r\n");
    assert_fields(&f, "dcfs",
                  "Subject:x\r\nFrom: =?utf-8?q?a?= <a@example.test>\r\nCc : d\r\nDate: 1\n");
    assert_fields(&f, "m", "Message-ID: <1@example.test> (made here)\r\n");
    assert_fields(&f, "t", NULL); /* twice */
    assert_fields(&f, "ft", NULL);
    assert_fields(&f, "r", NULL); /* not ASCII */
    assert_fields(&f, "i", "");
    done(&f);
    build(&f, SLICE("Subject:\r\n =?utf-8?q?a?=\r\n \r\n\t b\r\n"
                    "References: <1@x>\r\n <2@x>\r\n\r\nText"));
    assert_fields(&f, "s", "Subject:\r\n =?utf-8?q?a?=\r\n \r\n\t b\r\n");
    assert_fields(&f, "r", NULL); /* folded */
    done(&f);
    build(&f, SLICE("Subject: the end"));
    assert_fields(&f, "s", NULL);
    done(&f);
}

/* One of so many bytes is kept as it stands, a longer one is not. */
static void test_longest_field(void **state)
{
    (void)state;
    enum { LONGEST = 1024 };
    for (size_t size = LONGEST; size <= LONGEST + 1; size++) {
        struct fixture f;
        struct buffer text, field;
        buffer_init(&field, 2 * LONGEST);
        buffer_init(&text, 4 * LONGEST);
        buffer_append_string(&field, "To: a,\r\n ");
        while (field.size < size - 2)
            buffer_append_byte(&field, 'x');
        buffer_append_string(&field, "\r\n");
        buffer_append(&text, buffer_slice(&field));
        buffer_append_string(&text, "\r\n");
        build(&f, buffer_slice(&text));
        assert_fields(&f, "t", size == LONGEST ? field.data : NULL);
        done(&f);
        buffer_release(&text);
        buffer_release(&field);
    }
}

/* Of what was cut nothing is told: a field that is not there may have been. */
static void test_fields_of_truncated(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer text;
    buffer_init(&text, 64 * 1024);
    buffer_append_string(&text, "From: a@example.test\r\nSubject: ");
    for (int i = 0; i < 17 * 1024; i++)
        buffer_append_byte(&text, 'x');
    buffer_append_string(&text, "\r\n\r\n");
    build(&f, buffer_slice(&text));
    assert_true(f.summary.truncated);
    assert_fields(&f, "f", "From: a@example.test\r\n");
    assert_fields(&f, "s", NULL);
    assert_fields(&f, "c", NULL);
    done(&f);
    buffer_release(&text);
}

static void test_shift(void **state)
{
    (void)state;
    /* What is made of the longer message at once is made of the summary, too. */
    static const char prefix[] =
        "Return-Path: <a@example.test>\r\nDelivered-To: b@example.test\r\n";
    static const char text[] = "From: a@example.test\r\nMIME-Version: 1.0\r\n"
                               "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                               "--x\r\n\r\nOne\r\n"
                               "--x\r\nContent-Type: message/rfc822\r\n\r\n"
                               "Subject: Two\r\n\r\nTwo\r\n"
                               "--x--\r\n";
    char both[sizeof(prefix) + sizeof(text)];
    int size = snprintf(both, sizeof(both), "%s%s", prefix, text);
    struct fixture f, whole;
    struct buffer shifted;
    build(&f, slice_from_string(text));
    build(&whole, slice_make(both, (size_t)size));
    buffer_init(&shifted, SUMMARY_SIZE_MAXIMUM);
    struct slice encoded = buffer_slice(&f.encoded);
    assert_int_equal(summary_shift(encoded, sizeof(prefix) - 1, &shifted), 0);
    assert_true(slice_equal(buffer_slice(&shifted), buffer_slice(&whole.encoded)));
    assert_int_equal(summary_shift(slice_sub(encoded, 0, encoded.size - 1), 1, &shifted),
                     ERROR_CORRUPT);
    buffer_release(&shifted);
    done(&f);
    done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_parts),         cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_preview),       cmocka_unit_test(test_preview_at_its_limit),
        cmocka_unit_test(test_attachments),   cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_narrow_room),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_header_names),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_longest_field), cmocka_unit_test(test_fields_of_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
