#include "format/content_type.h"
#include "format_test.h"

/* Shows a value: TYPE/SUBTYPE, then a line NAME=value for each parameter. */
static void show(struct slice field, bool disposition, struct buffer *text)
{
    struct arena arena;
    struct content_value value;
    arena_init(&arena, 1 << 20);
    int error = disposition ? content_disposition_parse(field, &arena, &value)
                            : content_type_parse(field, &arena, &value);
    if (error) {
        buffer_append_string(text, error_name(error));
    } else {
        buffer_append_format(text, "%.*s/%.*s", SLICE_FORMAT(value.type),
                             SLICE_FORMAT(value.subtype));
        for (size_t i = 0; i < value.parameter_count; i++)
            buffer_append_format(text, "\n%.*s=%.*s", SLICE_FORMAT(value.parameters[i].name),
                                 SLICE_FORMAT(value.parameters[i].value));
    }
    arena_release(&arena);
}

static const char *const rows[][2] = {
    {"text/plain; charset=us-ascii (Plain text)", "TEXT/PLAIN\nCHARSET=us-ascii"},
    {"text/plain; charset=\"us-ascii\"", "TEXT/PLAIN\nCHARSET=us-ascii"},
    {" Text / (c) Plain ;; x = y ;", "TEXT/PLAIN\nX=y"},
    {"text/plain charset=utf-8; format=flowed", "TEXT/PLAIN\nCHARSET=utf-8\nFORMAT=flowed"},
    {"image/png; name=my picture (1).png; x=", "IMAGE/PNG\nNAME=my picture\nX="},
    {"image/png; name=picture(1).png", "IMAGE/PNG\nNAME=picture(1).png"},
    {"image/png; name=\"a \\\"b\\\" ;c\r\n d\"; x=\"open", "IMAGE/PNG\nNAME=a \"b\" ;c d\nX=open"},
    /* RFC 2231 sections 3 and 4, the last one's semicolons put right. */
    {"message/external-body; access-type=URL;\n URL*0=\"ftp://\";\n"
     " URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
     "MESSAGE/EXTERNAL-BODY\nACCESS-TYPE=URL\n"
     "URL=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"},
    {"application/x-stuff;\n title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
     "APPLICATION/X-STUFF\nTITLE*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"},
    {"application/x-stuff; title*2=\"isn't it!\"; title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n"
     " title*0*=us-ascii'en'This%20is%20even%20more%20",
     "APPLICATION/X-STUFF\n"
     "TITLE*=us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!"},
    {"a/b; x*1=late; y*0=a; y*2=gap", "A/B\nY=a"},
    {"a/b; x**=1; *=2; x*a=3; x*99999=4", "A/B\nX**=1\n*=2\nX*A=3\nX*99999=4"},
    {"text", "syntax"},
    {"text/", "syntax"},
    {"", "syntax"},
    {"/plain", "syntax"},
};

static void test_values(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 10000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        show(slice_from_string(rows[i][0]), false, &text);
        if (!slice_equal(buffer_slice(&text), slice_from_string(rows[i][1])))
            print_message("for: %s\n", rows[i][0]);
        assert_buffer(&text, rows[i][1]);
    }
    show(SLICE("attachment; filename=genome.jpeg;\n modification-date=\"Wed, 12 Feb 1997\""), true,
         &text);
    assert_buffer(&text, "ATTACHMENT/\nFILENAME=genome.jpeg\nMODIFICATION-DATE=Wed, 12 Feb 1997");
    buffer_release(&text);
}

static void decode(const char *field, const char *name, const char *expected)
{
    struct arena arena;
    struct content_value value;
    struct buffer text;
    arena_init(&arena, 1 << 20);
    buffer_init(&text, 1000);
    assert_int_equal(content_disposition_parse(slice_from_string(field), &arena, &value), 0);
    const struct content_parameter *parameter = content_parameter_find(&value, name);
    assert_non_null(parameter);
    assert_int_equal(content_parameter_decode(parameter, &text), 0);
    assert_buffer(&text, expected);
    assert_null(content_parameter_find(&value, "OTHER"));
    buffer_release(&text);
    arena_release(&arena);
}

static void test_decode(void **state)
{
    (void)state;
    decode("x; filename=plain; filename*=utf-8''%e2%82%ac%20x", "FILENAME", "\xe2\x82\xac x");
    decode("x; filename*0*=iso-8859-1'fr'%e9t; filename*1=\"%e9\"", "FILENAME", "\xc3\xa9t%e9");
    decode("x; filename*=%e9%zz%4", "FILENAME", "\xef\xbf\xbd%zz%4");
    decode("x; filename*=no-such''a%41%4", "FILENAME", "aA%4");
    decode("x; filename=\"=?utf-8?q?=C3=A9?=.txt\"", "FILENAME", "\xc3\xa9.txt");
}

static void test_limits(void **state)
{
    (void)state;
    struct arena arena;
    struct content_value value;
    struct buffer field;
    arena_init(&arena, 1 << 20);
    buffer_init(&field, 1 << 20);
    buffer_append_string(&field, "a/b");
    for (int i = 0; i < 1000; i++)
        buffer_append_format(&field, ";x*%d=%d", i, i);
    assert_int_equal(content_type_parse(buffer_slice(&field), &arena, &value), 0);
    assert_true(value.cut);
    assert_int_equal(value.parameter_count, 1);
    buffer_clear(&field);
    buffer_append_string(&field, "a/b; x=");
    for (int i = 0; i < 100000; i++)
        buffer_append_byte(&field, 'y');
    assert_int_equal(content_type_parse(buffer_slice(&field), &arena, &value), 0);
    assert_true(value.cut);
    assert_in_range(value.parameters[0].value.size, 1, CONTENT_VALUE_MAXIMUM);
    arena_release(&arena);
    arena_init(&arena, 100);
    assert_int_equal(content_type_parse(buffer_slice(&field), &arena, &value), ERROR_LIMIT);
    arena_release(&arena);
    buffer_release(&field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
