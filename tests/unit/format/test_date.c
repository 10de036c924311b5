#include "format/date.h"
#include "format_test.h"

struct row {
    const char *text;
    int64_t seconds;
    int zone;
};

static const struct row dates[] = {
    /* RFC 5322 appendix A. */
    {"Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360},
    {"Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120},
    {"Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -210},
    {"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
     "               -0330 (Newfoundland Time)",
     -27723480, -210},
    {"21 Nov 97 09:55:06 GMT", 880106106, 0},
    {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360},
    /* Obsolete zones and years, section 4.3. */
    {"Wed, 17 Jul 96 02:44:25 PDT", 837596665, -420},
    {"Wed, 17 Jul 49 02:44:25 Z", 2510102665, 0},
    {"Sat, 1 Jan 100 00:00:00 UT", 946684800, 0},
    {"Wed, 17 Jul 1996 02:44:25", 837571465, 0},
    /* Deviations. */
    {"Wed Jul 17 02:44:25 1996", 837571465, 0},
    {"Wed Jul 17 02:44:25 PDT 1996", 837596665, -420},
    {"Wed, 17-Jul-1996 02:44:25 GMT", 837571465, 0},
    {"Wed 17 Jul 1996 02:44:25 GMT+0200", 837564265, 120},
    {"Wednesday, 17 July 1996 2:44:25 +02:00 (CEST)", 837564265, 120},
    {"17 Jul 1996 02.44.25 +0000", 837571465, 0},
    {"(x (y) \\) ) 17 Jul 1996 02:44:25.123 +0000", 837571465, 0},
    {"31 Dec 2016 23:59:60 +0000", 1483228800, 0},
    {"29 Feb 2000 00:00:00 +0000", 951782400, 0},
};

static void test_rfc5322(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        int64_t seconds = 0;
        int zone = 0;
        if (date_parse_rfc5322(slice_from_string(dates[i].text), &seconds, &zone))
            fail_msg("%s", dates[i].text);
        if (seconds != dates[i].seconds || zone != dates[i].zone)
            fail_msg("%s: %lld %d", dates[i].text, (long long)seconds, zone);
    }
}

static void test_rfc5322_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "Fri",
                                        "Fri, 21",
                                        "Fri, 21 Nov",
                                        "Fri, 21 Nov 1997",
                                        "21 Nov 1997 25:00:00 +0000",
                                        "30 Feb 1997 00:00:00 +0000",
                                        "29 Feb 1900 00:00:00 +0000",
                                        "21 Xyz 1997 00:00:00 +0000",
                                        "0 Jan 1997 00:00:00 +0000",
                                        "21 Nov 1997 00:61:00 +0000",
                                        "((((",
                                        "\\",
                                        "(\\",
                                        "21 Nov 1997 00:00:00 +0099",
                                        "today"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t seconds = 42;
        if (date_parse_rfc5322(slice_from_string(wrong[i]), &seconds, NULL) != ERROR_SYNTAX)
            fail_msg("%s", wrong[i]);
        assert_int_equal(seconds, 42);
    }
}

static void test_imap(void **state)
{
    (void)state;
    int64_t seconds;
    assert_int_equal(date_parse_imap(SLICE("17-Jul-1996 02:44:25 -0700"), &seconds), 0);
    assert_int_equal(seconds, 837596665);
    assert_int_equal(date_parse_imap(SLICE(" 7-jul-1996 02:44:25 +0000"), &seconds), 0);
    assert_int_equal(seconds, 836707465);
    assert_int_equal(date_parse_imap_day(SLICE("1-Feb-1994"), &seconds), 0);
    assert_int_equal(seconds, 760060800);
    assert_int_equal(date_parse_imap_day(SLICE("01-Feb-1994"), &seconds), 0);
    static const char *const wrong[] = {"7-Jul-1996 02:44:25 -0700", "17-Jul-1996 02:44:25",
                                        "17-Jul-96 02:44:25 -0700",  "17-Jul-1996 02:44:25 -070",
                                        "17-Jul-1996 2:44:25 -0700", "17-Jul-1996 02:44:25 -07000",
                                        "17-July-1996 02:44:25 +00", "31-Jun-1996 02:44:25 +0000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(date_parse_imap(slice_from_string(wrong[i]), &seconds), ERROR_SYNTAX);
    assert_int_equal(date_parse_imap_day(SLICE("32-Jan-1996"), &seconds), ERROR_SYNTAX);
    assert_int_equal(date_parse_imap_day(SLICE("1-Jan-1996 "), &seconds), ERROR_SYNTAX);
}

static void test_format(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 100);
    assert_int_equal(date_format_imap(837571465, &text), 0);
    assert_buffer(&text, "17-Jul-1996 02:44:25 +0000");
    date_format_rfc5322(837571465, &text);
    assert_buffer(&text, "Wed, 17 Jul 1996 02:44:25 +0000");
    date_format_rfc5322(0, &text);
    assert_buffer(&text, "Thu, 01 Jan 1970 00:00:00 +0000");
    date_format_rfc5322(-1, &text);
    assert_buffer(&text, "Wed, 31 Dec 1969 23:59:59 +0000");
    date_format_imap(INT64_MIN, &text);
    assert_buffer(&text, "01-Jan-0000 00:00:00 +0000");
    date_format_imap(INT64_MAX, &text);
    assert_buffer(&text, "31-Dec-9999 23:59:59 +0000");
    for (int64_t day = -800000; day < 800000; day += 13) {
        int64_t back = 0;
        date_format_rfc5322(day * 86400 + 12345, &text);
        if (day > -710000)
            assert_int_equal(date_parse_rfc5322(buffer_slice(&text), &back, NULL), 0);
        if (day > -350000)
            assert_int_equal(back, day * 86400 + 12345);
        buffer_clear(&text);
    }
    buffer_release(&text);
}

static void test_rfc3339(void **state)
{
    (void)state;
    int64_t seconds = 7;
    /* RFC 3339 section 5.8. */
    assert_int_equal(date_parse_rfc3339(SLICE("1985-04-12T23:20:50.52Z"), &seconds), 0);
    assert_int_equal(seconds, 482196050);
    assert_int_equal(date_parse_rfc3339(SLICE("1996-12-19T16:39:57-08:00"), &seconds), 0);
    assert_int_equal(seconds, 851042397);
    assert_int_equal(date_parse_rfc3339(SLICE("1990-12-31T23:59:60Z"), &seconds), 0);
    assert_int_equal(seconds, 662688000);
    assert_int_equal(date_parse_rfc3339(SLICE("1937-01-01t12:00:27.87+00:20"), &seconds), 0);
    assert_int_equal(seconds, -1041337173);
    static const char *const wrong[] = {
        "",
        "1985-04-12",
        "1985-04-12T23:20:50",
        "1985-04-12 23:20:50Z",
        "85-04-12T23:20:50Z",
        "1985-4-12T23:20:50Z",
        "1985-13-12T23:20:50Z",
        "1985-00-12T23:20:50Z",
        "1985-02-29T23:20:50Z",
        "1985-04-12T24:20:50Z",
        "1985-04-12T23:60:50Z",
        "1985-04-12T23:20:61Z",
        "1985-04-12T23:20:50.Z",
        "1985-04-12T23:20:50.1234567890Z",
        "1985-04-12T23:20:50Zx",
        "1985-04-12T23:20:50+0100",
        "1985-04-12T23:20:50+24:00",
        "1985-04-12T23:20:50+01:60",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(date_parse_rfc3339(slice_from_string(wrong[i]), &seconds), ERROR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339),         cmocka_unit_test(test_rfc5322),
        cmocka_unit_test(test_rfc5322_refused), cmocka_unit_test(test_imap),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
