#include "../check.h"
#include "format/downgrade.h"

static void check(const char *header, const char *expected, int line)
{
    struct buffer surrogate;
    buffer_init(&surrogate, 64 * 1024);
    assert_int_equal(downgrade_header(slice_from_string(header), &surrogate), 0);
    check_slice(buffer_slice(&surrogate), expected, __FILE__, line);
    buffer_release(&surrogate);
}

#define CHECK(header, expected) check(header, expected, __LINE__)
#define SAME(header)            check(header, header, __LINE__)
#define INVALID                 "<invalid@internationalized.invalid>"

static void test_ascii(void **state)
{
    (void)state;
    SAME("");
    SAME("\r\n");
    SAME("From: a@x\nSubject:  x\r\n\ty \r\nno field\r\n: x\r\n\r\n");
    SAME("To: a");
    assert_true(downgrade_is_ascii(SLICE("a\x7f")));
    assert_false(downgrade_is_ascii(SLICE("a\x80")));
}

/* RFC 6858 section 2.1. */
static void test_addresses(void **state)
{
    (void)state;
    CHECK("From: Fred Foo <fred@\xc3\x89X.com>\r\n\r\n", "From: Fred Foo " INVALID "\r\n\r\n");
    CHECK("to: \xc3\xa9@example.com\n", "To: =?utf-8?B?w6lAZXhhbXBsZS5jb20=?= " INVALID "\r\n");
    /* What is ASCII of a list is kept. */
    CHECK(
        "Cc: \"J\xc3\xb6rg, A.\" <j@example.org>,\r\n \"b \\\"c\" <\"d e\"@x>, f@x, =?utf-8?q?g?= "
        "<g@x>\r\n",
        "Cc: =?utf-8?B?SsO2cmcsIEEu?= <j@example.org>,\r\n \"b \\\"c\" <\"d e\"@x>,\r\n <f@x>,\r\n"
        " =?utf-8?q?g?= <g@x>\r\n");
    CHECK("Reply-To: \xc3\xbc: a@x, \xc3\xa9@x;, b@x\r\n",
          "Reply-To: =?utf-8?B?w7w=?=:\r\n <a@x>,\r\n =?utf-8?B?w6lAeA==?= " INVALID
          ";,\r\n <b@x>\r\n");
    CHECK("Return-Path: <\xc3\xa9@x>\r\n", "Return-Path: =?utf-8?B?w6lAeA==?= " INVALID "\r\n");
}

/* Sections 2.2 to 2.4. */
static void test_others(void **state)
{
    (void)state;
    CHECK("Content-Disposition: attachment; filename=FOO\xc3\x89\r\n",
          "Content-Disposition: attachment\r\n");
    CHECK("Content-Type: text/plain; name=\"\xc3\xa9;x\" ; charset=utf-8 (\xc3\xa9); "
          "format=flowed\r\n",
          "Content-Type: text/plain;\r\n format=flowed\r\n");
    CHECK("Content-Type: text/pl\xc3\xa9in; charset=utf-8\r\nA: b\r\n", "A: b\r\n");
    CHECK("Subject: =?utf-8?q?a_?=\r\n \xc3\xa9\r\n", "Subject: =?utf-8?B?YSAgw6k=?=\r\n");
    /* What is no UTF-8, too. */
    CHECK("Subject: \xe9\r\n", "Subject: =?utf-8?B?77+9?=\r\n");
    CHECK(
        "Received: \xc3\xa9\r\nX-\xc3\xa9: a\r\n\xc3\xa9\r\nMessage-ID: <\xc3\xa9>\r\nA: b\r\n\r\n",
        "A: b\r\n\r\n");
}

/* Words of 75 characters at most, cut between characters. */
static void test_long(void **state)
{
    (void)state;
    CHECK(
        "Subject: x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\r\n",
        "Subject: =?utf-8?B?eMOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOp?=\r\n"
        " =?utf-8?B?w6k=?=\r\n");
    struct buffer small;
    buffer_init(&small, 8);
    assert_int_not_equal(downgrade_header(SLICE("Subject: \xc3\xa9\r\n"), &small), 0);
    buffer_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ascii),
                                       cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_others), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
