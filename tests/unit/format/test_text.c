#include "format/html_text.h"
#include "format/text.h"
#include "format_test.h"

#include <pthread.h>

static const char *const header_rows[][2] = {
    /* RFC 2047 section 8. */
    {"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"},
    {"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>",
     "Keld J\xc3\xb8rn Simonsen <keld@dkuug.dk>"},
    {"=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>",
     "Andr\xc3\xa9 Pirard <PIRARD@vm1.ulg.ac.be>"},
    {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
     " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
     "If you can read this you understand the example."},
    {"(=?ISO-8859-1?Q?a?=)", "(a)"},
    {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)"},
    {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
    /* RFC 2231 section 5: a language. */
    {"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"},
    /* A character cut between words. */
    {"=?utf-8?q?=E2=82?= =?UTF-8?b?rA==?=", "\xe2\x82\xac"},
    {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"},
    {"=?koi8-r?Q?=F0=D2=C9=D7=C5=D4?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
    {"=?windows-1252?q?=80?=", "\xe2\x82\xac"},
    /* What is none stays. */
    {"=?utf-8?q?open", "=?utf-8?q?open"},
    {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
    {"=?=?=?=? a =? b", "=?=?=?=? a =? b"},
    {"=?no-such?q?a=C3=A9?=", "a\xc3\xa9"},
    {"=?/etc/passwd?q?a?=", "a"},
    /* Unfolding, and nothing that a header must not hold. */
    {" a\r\n b\n\tc ", "a b\tc"},
    {"=?utf-8?q?a=0D=0Ab=00?=", "a  b "},
    {"raw \xe9 latin", "raw \xef\xbf\xbd latin"},
    {"", ""},
};

static void test_headers(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 1000);
    for (size_t i = 0; i < sizeof(header_rows) / sizeof(header_rows[0]); i++) {
        assert_int_equal(text_decode_header(slice_from_string(header_rows[i][0]), &text), 0);
        assert_buffer(&text, header_rows[i][1]);
    }
    buffer_release(&text);
}

static void test_charsets(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"", "a\xc3\xa9\xff", "a\xc3\xa9\xef\xbf\xbd"},
        {"US-ASCII", "a\xc3\xa9", "a\xc3\xa9"},
        {"UTF-8", "\xed\xa0\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
        {"ISO-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac"},
        {"iso-8859-15", "\xa4", "\xe2\x82\xac"},
        {"GB2312", "\xd6\xd0\xce\xc4", "\xe4\xb8\xad\xe6\x96\x87"},
        {"Shift_JIS", "\x93\xfa\x96{", "\xe6\x97\xa5\xe6\x9c\xac"},
        {"big5", "\xa4\xa4\xa4\xe5", "\xe4\xb8\xad\xe6\x96\x87"},
        {"ks_c_5601-1987", "\xc7\xd1", "\xed\x95\x9c"},
        {"windows-1251", "\xcf", "\xd0\x9f"},
    };
    struct buffer text;
    buffer_init(&text, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            text_to_utf8(slice_from_string(rows[i][0]), slice_from_string(rows[i][1]), &text), 0);
        assert_buffer(&text, rows[i][2]);
    }
    static const char *const unknown[] = {"no-such", "utf-8,swaplfnl", "../../x", "a b",
                                          "0123456789012345678901234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(text_to_utf8(slice_from_string(unknown[i]), SLICE("x"), &text),
                         ERROR_UNSUPPORTED);
    assert_int_equal(text.size, 0);
    buffer_release(&text);
}

static void *convert_in_thread(void *argument)
{
    (void)argument;
    struct buffer text;
    buffer_init(&text, 100);
    static const char *const charsets[] = {"koi8-r", "big5", "euc-jp", "windows-1251", "koi8-u"};
    for (int i = 0; i < 20; i++)
        text_to_utf8(slice_from_string(charsets[i % 5]), SLICE("x"), &text);
    assert_int_equal(text.size, 20);
    buffer_release(&text);
    return NULL;
}

/* Each thread keeps its converters and frees them at its end; the sanitizer sees a leak. */
static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, convert_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static bool contains(const char *text, const char *wanted)
{
    struct buffer key, scratch;
    buffer_init(&key, 10000);
    buffer_init(&scratch, 10000);
    assert_int_equal(text_search_key(slice_from_string(wanted), &key), 0);
    bool found = text_contains(slice_from_string(text), buffer_slice(&key), &scratch);
    buffer_release(&key);
    buffer_release(&scratch);
    return found;
}

static void test_search(void **state)
{
    (void)state;
    assert_true(contains("Hello World", "lo w"));
    assert_true(contains("Hello", ""));
    assert_false(contains("Hello", "hellos"));
    assert_true(contains("\xc3\x89T\xc3\x89", "\xc3\xa9t"));          /* case */
    assert_true(contains("e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9")); /* composition */
    assert_true(contains("STRASSE", "stra\xc3\x9f"
                                    "e"));
    assert_true(contains("\xef\xbc\xa8"
                         "ello",
                         "hello"));                 /* full width */
    assert_true(contains("\xf0\x9d\x90\x80", "a")); /* mathematical bold */
    assert_true(contains("\xce\xa3\xce\x91\xce\xa3", "\xcf\x83\xce\xb1\xcf\x82")); /* sigma */
    assert_true(contains("a\xff"
                         "Z\xfe",
                         "\xff"
                         "z\xfe")); /* invalid bytes stay */
    assert_false(contains("a", "\xff"));
    struct buffer key;
    buffer_init(&key, 20);
    assert_int_equal(text_search_key(SLICE("012345678901234567890"), &key), ERROR_LIMIT);
    buffer_release(&key);
}

/* RFC 5051 section 2, with its example. */
static void test_sort_key(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"aZ_[0", "AZ_[0"},
        {"\xc7\x84", "Dz\xcc\x8c"},        /* U+01C4 becomes U+01C5, D z U+030C */
        {"\xc3\xa4pfel", "A\xcc\x88PFEL"}, /* U+00E4 */
        {"stra\xc3\x9f"
         "e",
         "STRA\xc3\x9f"
         "E"},                                    /* U+00DF has no title case of one character */
        {"\xce\xa3\xcf\x82", "\xce\xa3\xce\xa3"}, /* both sigmas */
        {"\xef\xac\x81", "fi"},                   /* U+FB01 has none either; it is decomposed */
        {"\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"}, /* U+10428 */
        {"a\xff"
         "b",
         "A\xff"
         "B"}, /* invalid bytes stay */
    };
    struct buffer key;
    buffer_init(&key, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buffer_clear(&key);
        assert_int_equal(text_sort_key(slice_from_string(rows[i][0]), &key), 0);
        assert_true(slice_equal(buffer_slice(&key), slice_from_string(rows[i][1])));
    }
    buffer_release(&key);
}

static void test_long_search(void **state)
{
    (void)state;
    struct buffer text, key, scratch;
    buffer_init(&text, 1 << 20);
    buffer_init(&key, 100);
    buffer_init(&scratch, 4 << 20);
    for (int i = 0; i < 5000; i++)
        buffer_append_string(&text, "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 e\xcc\x81");
    buffer_append_string(&text, "\xd0\x9c\xd0\x98\xd0\xa0");
    text_search_key(SLICE("\xc3\xa9\xd0\xbc\xd0\xb8\xd1\x80"), &key);
    assert_true(text_contains(buffer_slice(&text), buffer_slice(&key), &scratch));
    buffer_release(&text);
    buffer_release(&key);
    buffer_release(&scratch);
}

static void test_html(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"<p>a &lt;b&gt; &amp;amp; &euro;&#8364;&#x20AC; &unknown; &</p>",
         "\na <b> &amp; \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac &unknown; &\n"},
        {"<style>p { a > b }</style>x<script>if (a < b) '</p>'</script>y", "xy"},
        {"<!DOCTYPE html><!-- <b> --><title>T</title>a<br>b", "a\nb"},
        {"<a title='a > b' href=\"x>\">link</a> 1 < 2 <3", "link 1 < 2 <3"},
        {"<style>open", ""},
        {"<!-- open", ""},
        {"<p open", "\n"},
        {"&#0;&#xD800;&#x110000;&#99999999;", "&#0;&#xD800;&#x110000;&#99999999;"},
    };
    struct buffer text;
    buffer_init(&text, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(html_text(slice_from_string(rows[i][0]), &text), 0);
        assert_buffer(&text, rows[i][1]);
    }
    buffer_release(&text);
}

static void test_net_unicode(void **state)
{
    (void)state;
    static const char *const good[] = {"", "INBOX", "\xc3\xa4", "\xe4\xb8\xad"};
    static const char *const bad[] = {
        "a\xcc\x88",                            /* decomposed */
        "\xe2\x84\xab",                         /* U+212B, which is U+00C5 in form C */
        "\xc2\x85",                             /* a control character */
        "\x7f",         "a\nb", "\xe2\x80\xa8", /* separators of lines and paragraphs */
        "\xe2\x80\xa9", "\xff", "\xc3",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(text_is_net_unicode(slice_from_string(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(text_is_net_unicode(slice_from_string(bad[i])));
    char name[TEXT_NAME_MAXIMUM + 1];
    memset(name, 'x', sizeof(name));
    assert_true(text_is_net_unicode(slice_make(name, TEXT_NAME_MAXIMUM)));
    assert_false(text_is_net_unicode(slice_make(name, TEXT_NAME_MAXIMUM + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_unicode), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_charsets),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_search),      cmocka_unit_test(test_sort_key),
        cmocka_unit_test(test_long_search), cmocka_unit_test(test_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
