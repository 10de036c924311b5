#include "base/error.h"
#include "format/time_zone.h"
#include "format_test.h"

static struct time_zone *open_zone(const char *name)
{
    struct time_zone *zone = NULL;
    assert_int_equal(time_zone_open(slice_from_string(name), &zone), 0);
    return zone;
}

/* The day, the second of it, and the moment that they are. */
static const struct {
    const char *zone;
    int64_t day; /* since 1970 */
    unsigned hour, minute;
    int64_t moment;
} rows[] = {
    {"Europe/Berlin", 20600, 12, 0, INT64_C(1779876000)},    /* 2026-05-27, +02 */
    {"Europe/Berlin", 20450, 12, 0, INT64_C(1766919600)},    /* 2025-12-28, +01 */
    {"Europe/Berlin", 20541, 1, 59, INT64_C(1774745940)},    /* 2026-03-29: 02:00 becomes 03:00 */
    {"Europe/Berlin", 20541, 2, 0, INT64_C(1774746000)},     /* does not come: 03:00 +02 */
    {"Europe/Berlin", 20541, 2, 30, INT64_C(1774747800)},    /* 03:30 +02 */
    {"Europe/Berlin", 20541, 3, 0, INT64_C(1774746000)},     /* comes */
    {"Europe/Berlin", 20751, 1, 59, INT64_C(1792886340)},    /* 2026-10-25: 03:00 becomes 02:00 */
    {"Europe/Berlin", 20751, 2, 0, INT64_C(1792886400)},     /* comes twice: +02 */
    {"Europe/Berlin", 20751, 2, 59, INT64_C(1792889940)},    /* +02 */
    {"Europe/Berlin", 20751, 3, 0, INT64_C(1792893600)},     /* +01 */
    {"America/New_York", 18567, 1, 30, INT64_C(1604208600)}, /* 2020-11-01: twice, -04 */
    {"America/New_York", 18567, 2, 0, INT64_C(1604214000)},  /* -05 */
    {"America/New_York", 18700, 2, 30, INT64_C(1615707000)}, /* 2021-03-14: does not come */
    {"America/New_York", 18700, 3, 0, INT64_C(1615705200)},
    {"UTC", 0, 0, 0, 0},
    {"Asia/Kolkata", 0, 5, 30, 0},
    {"Pacific/Apia", 15337, 12, 0, INT64_C(1325196000)}, /* 2011-12-29, -10 */
    {"Pacific/Apia", 15338, 12, 0, INT64_C(1325282400)}, /* a day that does not come */
    {"Pacific/Apia", 15339, 12, 0, INT64_C(1325282400)}, /* +14 */
};

static void test_moments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct time_zone *zone = open_zone(rows[i].zone);
        unsigned second = rows[i].hour * 3600 + rows[i].minute * 60;
        int64_t moment = time_zone_moment(zone, rows[i].day, second);
        if (moment != rows[i].moment)
            print_error("%s, day %lld %02u:%02u: %lld\n", rows[i].zone, (long long)rows[i].day,
                        rows[i].hour, rows[i].minute, (long long)moment);
        assert_true(moment == rows[i].moment);
        time_zone_close(&zone);
    }
}

static void test_days(void **state)
{
    (void)state;
    struct time_zone *zone = open_zone("Europe/Berlin");
    assert_int_equal(time_zone_day(zone, INT64_C(1774738799)), 20540); /* 23:59:59 +01 */
    assert_int_equal(time_zone_day(zone, INT64_C(1774738800)), 20541);
    assert_int_equal(time_zone_day(zone, INT64_C(1774821599)), 20541); /* 23 hours of it */
    assert_int_equal(time_zone_day(zone, INT64_C(1774821600)), 20542);
    assert_int_equal(time_zone_day(zone, -1), 0);
    assert_int_equal(time_zone_day(zone, -3601), -1);
    assert_int_equal(time_zone_weekday(0), 4);
    assert_int_equal(time_zone_weekday(-5), 6);
    assert_int_equal(time_zone_weekday(20541), 0);
    time_zone_close(&zone);
    time_zone_close(&zone);
}

static void test_fixed(void **state)
{
    (void)state;
    struct time_zone *zone = NULL;
    assert_int_equal(time_zone_open_fixed(-90, &zone), 0);
    assert_int_equal(time_zone_day(zone, 5399), -1);
    assert_int_equal(time_zone_day(zone, 5400), 0);
    assert_int_equal(time_zone_moment(zone, 1, 60), 86400 + 60 + 5400);
    time_zone_close(&zone);
}

/* No name becomes a file's, and what the database has not, nobody has. */
static void test_names(void **state)
{
    static const char *const wrong[] = {"",
                                        "American/New_York",
                                        "../../etc/passwd",
                                        "/etc/localtime",
                                        "Europe/Berlin ",
                                        "Europe",
                                        "GMT+5:30",
                                        "GMT+25",
                                        "Etc/Unknown",
                                        "Europe/Berl\xc3\xadn",
                                        "a/very/long/name/that/no/zone/of/the/database/has/"
                                        "nor/will/ever/have/one"};
    struct time_zone *zone = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int error = time_zone_open(slice_from_string(wrong[i]), &zone);
        if (error != ERROR_NOT_FOUND)
            print_error("%s\n", wrong[i]);
        assert_int_equal(error, ERROR_NOT_FOUND);
    }
    assert_null(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments), cmocka_unit_test(test_days),
                                       cmocka_unit_test(test_fixed), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
