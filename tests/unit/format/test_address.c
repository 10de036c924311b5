#include "format/address.h"
#include "format_test.h"

/* Shows a list as text: name|route|local|domain, a line for each; "name:" and ";" for groups. */
static void show(struct slice field, struct buffer *text)
{
    struct address_parser parser;
    struct address a;
    address_parser_init(&parser, field);
    while (address_next(&parser, &a)) {
        if (a.kind == ADDRESS_GROUP_BEGIN)
            buffer_append_format(text, "%.*s:\n", SLICE_FORMAT(a.name));
        else if (a.kind == ADDRESS_GROUP_END)
            buffer_append_string(text, ";\n");
        else
            buffer_append_format(text, "%.*s|%.*s|%.*s|%.*s\n", SLICE_FORMAT(a.name),
                                 SLICE_FORMAT(a.route), SLICE_FORMAT(a.local),
                                 SLICE_FORMAT(a.domain));
    }
}

static const char *const lists[][2] = {
    /* RFC 5322 appendix A. */
    {"John Doe <jdoe@machine.example>", "John Doe||jdoe|machine.example\n"},
    {"\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public||john.q.public|example.com\n"},
    {"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
     "Mary Smith||mary|x.test\n||jdoe|example.org\nWho?||one|y.test\n"},
    {"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
     "||boss|nil.test\nGiant; \"Big\" Box||sysservices|example.net\n"},
    {"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
     "A Group:\nEd Jones||c|a.test\n||joe|where.test\nJohn||jdoe|one.test\n;\n"},
    {"Undisclosed recipients:;", "Undisclosed recipients:\n;\n"},
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete||pete|silly.test\n"},
    {"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
     "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
     "A Group:\nChris Jones||c|public.example\n||joe|example.org\nJohn||jdoe|one.test\n;\n"},
    {"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "Hidden recipients:\n;\n"},
    {"Joe Q. Public <john.q.public@example.com>", "Joe Q. Public||john.q.public|example.com\n"},
    {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
     "Mary Smith|@node.test|mary|example.net\n||jdoe|test.example\n"},
    {"John Doe <jdoe@machine(comment).  example>", "John Doe||jdoe|machine.example\n"},
    /* Obsolete and odd forms. */
    {"<@a.test,@b.test:c@d.test>", "|@a.test,@b.test|c|d.test\n"},
    {"user@host (Full \\(Name\\))", "Full (Name)||user|host\n"},
    {"\"quoted local\"@host", "||quoted local|host\n"},
    {"\"a\\\"b\"@[IPv6:2001:db8::1]", "||a\"b|[IPv6:2001:db8::1]\n"},
    {"joe . smith @ host . test", "||joe.smith|host.test\n"},
    {"=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_K?= <j@k>", "=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_K?=||j|k\n"},
    {"Jos\xc3\xa9 <jos\xc3\xa9@ex\xc3\xa4mple.test>",
     "Jos\xc3\xa9||jos\xc3\xa9|ex\xc3\xa4mple.test\n"},
    /* Garbage, for what it was meant to be. */
    {"", ""},
    {" ,, ;", ""},
    {"<>", ""},
    {"root", "||root|\n"},
    {"a@b <a@b>", "a@b||a|b\n"},
    {"\"a@b\" <a@b>", "a@b||a|b\n"},
    {"a@b; c@d", "||a|b\n||c|d\n"},
    {"Name <a@b", "Name||a|b\n"},
    {"Name <a@b>>, c@d", "Name||a|b\n||c|d\n"},
    {"\"open <a@b>", "||open <a@b>|\n"},
    {"(open a@b", ""},
    {"@b", "|||b\n"},
    {"g: h: a@b;", "g:\n||a|b\n;\n"},
    {"g: a@b", "g:\n||a|b\n;\n"},
    {"a@b c@d, e@f", "||a|bc\n||e|f\n"},
};

static void test_lists(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 10000);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        show(slice_from_string(lists[i][0]), &text);
        if (!slice_equal(buffer_slice(&text), slice_from_string(lists[i][1])))
            print_message("for: %s\n", lists[i][0]);
        assert_buffer(&text, lists[i][1]);
    }
    buffer_release(&text);
}

static void test_many(void **state)
{
    (void)state;
    struct buffer field;
    buffer_init(&field, 4 << 20);
    buffer_append_string(&field, "g:");
    for (int i = 0; i < 100000; i++)
        buffer_append_string(&field, "A <a@b>,");
    struct address_parser parser;
    struct address address;
    size_t count = 0;
    address_parser_init(&parser, buffer_slice(&field));
    while (address_next(&parser, &address))
        count++;
    assert_int_equal(count, ADDRESS_LIST_MAXIMUM + 1); /* the group's end comes all the same */
    assert_int_equal(address.kind, ADDRESS_GROUP_END);
    assert_true(parser.cut);
    buffer_release(&field);
}

static void test_long_parts(void **state)
{
    (void)state;
    struct buffer field;
    buffer_init(&field, 4 << 20);
    for (int i = 0; i < 1 << 20; i++)
        buffer_append_byte(&field, 'x');
    buffer_append_string(&field, "@b, c@d");
    struct address_parser parser;
    struct address address;
    address_parser_init(&parser, buffer_slice(&field));
    assert_true(address_next(&parser, &address));
    assert_int_equal(address.local.size, ADDRESS_WORDS_MAXIMUM);
    assert_true(parser.cut);
    assert_true(address_next(&parser, &address));
    assert_slice(address.local, "c");
    buffer_clear(&field);
    for (int i = 0; i < 1 << 20; i++)
        buffer_append_byte(&field, '(');
    address_parser_init(&parser, buffer_slice(&field));
    assert_false(address_next(&parser, &address));
    buffer_release(&field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
