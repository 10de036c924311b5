#include "format/summary.h"
#include "format_test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
