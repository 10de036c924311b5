#include "format/imap_structure.h"
#include "format_test.h"

struct fixture {
    struct arena arena;
    struct buffer text;
    struct mime_tree tree;
    struct imap_writer writer;
};

static void parse(struct fixture *f, struct slice message)
{
    arena_init(&f->arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&f->text, 1 << 20);
    assert_int_equal(mime_tree_parse(message, NULL, &f->arena, &f->tree), 0);
    f->writer = (struct imap_writer){
        .text = &f->text, .string_maximum = IMAP_STRING_MAXIMUM, .address_maximum = 100};
}

static void done(struct fixture *f)
{
    arena_release(&f->arena);
    buffer_release(&f->text);
}

static void envelope_is(struct slice message, const char *expected)
{
    struct fixture f;
    parse(&f, message);
    mime_write_envelope(&f.writer, f.tree.root);
    assert_buffer(&f.text, expected);
    assert_false(f.writer.cut);
    done(&f);
}

static void body_is(const char *message, bool extension, const char *expected)
{
    struct fixture f;
    parse(&f, slice_from_string(message));
    mime_write_body(&f.writer, f.tree.root, extension);
    assert_buffer(&f.text, expected);
    done(&f);
}

/* RFC 9051 section 8's message, but for the slips in its response. */
static void test_envelope(void **state)
{
    (void)state;
    envelope_is(SLICE("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
                      "From: Terry Gray <gray@cac.washington.edu>\r\n"
                      "Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
                      "To: imap@cac.washington.edu\r\n"
                      "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
                      "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
                      "MIME-Version: 1.0\r\n"
                      "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"),
                "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
                "\"IMAP4rev2 WG mtg summary and minutes\" "
                "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
                "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
                "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
                "((NIL NIL \"imap\" \"cac.washington.edu\")) "
                "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
                "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
                "\"<B27397-0100000@cac.washington.edu>\")");
}

static void test_envelope_rules(void **state)
{
    (void)state;
    envelope_is(SLICE("\n"), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    /* Empty strings, empty lists, and From for what is empty. */
    envelope_is(SLICE("Date:\nSubject: \nIn-Reply-To:\nMessage-ID:\nFrom: a@b\nSender:\n"
                      "Reply-To: ,\nTo:\nCc: (nobody)\n\n"),
                "(\"\" \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
                "((NIL NIL \"a\" \"b\")) NIL NIL NIL \"\" \"\")");
    /* Groups, routes, comments, quoted local parts, and an address without domain. */
    envelope_is(SLICE("To: Friends: <@r.test,@s.test:a@b>, \"x y\"@z (Zed);, root\n\n"),
                "(NIL NIL NIL NIL NIL ((NIL NIL \"Friends\" NIL)"
                "(NIL \"@r.test,@s.test\" \"a\" \"b\")(\"Zed\" NIL \"x y\" \"z\")"
                "(NIL NIL NIL NIL)(NIL NIL \"root\" \"\")) NIL NIL NIL NIL)");
    /* Quoted, or a literal: never 8-bit in quotes, never a NUL, no folds. */
    envelope_is(SLICE("Subject: a \"quoted\" \\ b\r\n\tfolded\0 nul\n\n"),
                "(NIL \"a \\\"quoted\\\" \\\\ b\tfolded nul\" "
                "NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is(SLICE("Subject: \xc3\xa9 \"\\\r\n x\0\nFrom: \"J\xf6rg\" <j@k>\n\n"),
                "(NIL {7}\r\n\xc3\xa9 \"\\ x (({4}\r\nJ\xf6rg NIL \"j\" \"k\")) "
                "(({4}\r\nJ\xf6rg NIL \"j\" \"k\")) (({4}\r\nJ\xf6rg NIL \"j\" \"k\")) "
                "NIL NIL NIL NIL NIL)");
    /* Several fields of one name; the first Subject. */
    envelope_is(SLICE("To: a@b\nSubject: 1\nTo: c@d\nSubject: 2\n\n"),
                "(NIL \"1\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) "
                "NIL NIL NIL NIL)");
}

static void test_body(void **state)
{
    (void)state;
    body_is("\nx", false, "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0)");
    body_is("Content-Type: text/html\nContent-Transfer-Encoding: Quoted-Printable (c)\n\nx\n", true,
            "(\"TEXT\" \"HTML\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"QUOTED-PRINTABLE\" 2 1 "
            "NIL NIL NIL NIL)");
    body_is("Content-Type: image/png; name=\"a.png\"\nContent-Transfer-Encoding: base64\n"
            "Content-ID: <a@b>\nContent-Description: A\n picture\nContent-MD5: x==\n"
            "Content-Disposition: inline; filename*0=a; filename*1=.png\n"
            "Content-Language: en, de (c)\nContent-Location: a.png\n\nAAAA\n",
            true,
            "(\"IMAGE\" \"PNG\" (\"NAME\" \"a.png\") \"<a@b>\" \"A picture\" \"BASE64\" 5 \"x==\" "
            "(\"INLINE\" (\"FILENAME\" \"a.png\")) (\"en\" \"de\") \"a.png\")");
    body_is("Content-Type: a/b\nContent-Language: en\nContent-Disposition: attachment\n\n", true,
            "(\"A\" \"B\" NIL NIL NIL \"7BIT\" 0 NIL (\"ATTACHMENT\" NIL) \"en\" NIL)");
    /* RFC 9051 section 7.5.2's two-part message, in small. */
    body_is("Content-Type: multipart/mixed; boundary=\"b\"\nContent-Language: en\n\n"
            "--b\n\nText\n\n--b\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\n"
            "Content-ID: <960723163407.20117h@cac.washington.edu>\n"
            "Content-Description: Compiler diff\nContent-Transfer-Encoding: BASE64\n\n"
            "AAAA\nAAAA\n--b--\n",
            true,
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 5 1 NIL NIL NIL NIL)"
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
            "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 9 1 "
            "NIL NIL NIL NIL) \"MIXED\" (\"BOUNDARY\" \"b\") NIL \"en\" NIL)");
    body_is("Content-Type: multipart/mixed; boundary=b\n\n", false,
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0) \"MIXED\")");
    body_is("Content-Type: message/rfc822\n\nSubject: x\n\nbody\n", false,
            "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 17 "
            "(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) "
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 5 1) 3)");
}

/* RFC 2049 appendix A. */
static void test_complex_multipart(void **state)
{
    (void)state;
    body_is(
        "MIME-Version: 1.0\r\nFrom: Nathaniel Borenstein <nsb@nsb.fv.com>\r\n"
        "Content-Type: multipart/mixed;\r\n              boundary=unique-boundary-1\r\n\r\n"
        "This is the preamble area of a multipart message.\r\n\r\n--unique-boundary-1\r\n\r\n"
        "  ... Some text appears here ...\r\n\r\n--unique-boundary-1\r\n"
        "Content-type: text/plain; charset=US-ASCII\r\n\r\n"
        "This could have been part of the previous part\r\n\r\n--unique-boundary-1\r\n"
        "Content-Type: multipart/parallel; boundary=unique-boundary-2\r\n\r\n"
        "--unique-boundary-2\r\nContent-Type: audio/basic\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n\r\n--unique-boundary-2\r\n"
        "Content-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n\r\n"
        "--unique-boundary-2--\r\n\r\n--unique-boundary-1\r\nContent-type: text/enriched\r\n\r\n"
        "This is <bold>enriched.</bold>\r\n\r\n--unique-boundary-1\r\n"
        "Content-Type: message/rfc822\r\n\r\nFrom: (mailbox in US-ASCII)\r\n"
        "Subject: (subject in US-ASCII)\r\nContent-Type: Text/plain; charset=ISO-8859-1\r\n"
        "Content-Transfer-Encoding: Quoted-printable\r\n\r\n  ... goes here ...\r\n\r\n"
        "--unique-boundary-1--\r\n",
        false,
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 34 1)"
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 48 1)"
        "((\"AUDIO\" \"BASIC\" NIL NIL NIL \"BASE64\" 6)"
        "(\"IMAGE\" \"JPEG\" NIL NIL NIL \"BASE64\" 6) \"PARALLEL\")"
        "(\"TEXT\" \"ENRICHED\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 32 1)"
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 175 "
        "(NIL \"(subject in US-ASCII)\" NIL NIL NIL NIL NIL NIL NIL NIL) "
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"ISO-8859-1\") NIL NIL \"QUOTED-PRINTABLE\" 21 1) 6)"
        " \"MIXED\")");
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture f;
    parse(&f, SLICE("Subject: abc\xc3\xa9x\nTo: g: a@b, c@d;, e@f\n\n"));
    f.writer.string_maximum = 4;
    f.writer.address_maximum = 2;
    mime_write_envelope(&f.writer, f.tree.root);
    assert_buffer(&f.text, "(NIL \"abc\" NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")"
                           "(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
    assert_true(f.writer.cut);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope), cmocka_unit_test(test_envelope_rules),
        cmocka_unit_test(test_body),     cmocka_unit_test(test_complex_multipart),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
