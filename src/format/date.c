#include "format/date.h"

#include "base/error.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct date {
    int64_t year;
    int month; /* 1 to 12 */
    int day, hour, minute, second;
    int zone; /* minutes east of UTC */
};

/* Days since 1970-01-01 of a date in the Gregorian calendar, before 1582 too. Years begin in
 * March here, so that the leap day is a year's last. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, struct date *date)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    date->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 3 : month - 9);
    date->year = year_of_era + era * 400 + (date->month <= 2);
}

static int month_length(int64_t year, int month)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* A second of 60 is a leap second (RFC 5322 section 3.3); it is the next minute's first here. */
static int date_to_seconds(const struct date *date, int64_t *seconds)
{
    if (date->month < 1 || date->month > 12 || date->day < 1 ||
        date->day > month_length(date->year, date->month) || date->hour > 23 || date->minute > 59 ||
        date->second > 60)
        return ERROR_SYNTAX;
    int64_t minutes = (days_from_date(date->year, date->month, date->day) * 24 + date->hour) * 60 +
                      date->minute - date->zone;
    *seconds = minutes * 60 + date->second;
    return 0;
}

/* Reading. A cursor with a sticky error: `bad`. */
struct cursor {
    struct slice rest;
    bool bad;
};

static void advance(struct cursor *cursor, size_t size)
{
    cursor->rest = slice_sub(cursor->rest, size, SIZE_MAX);
}

static bool next_is(const struct cursor *cursor, char c)
{
    return cursor->rest.size && cursor->rest.data[0] == c;
}

static bool take(struct cursor *cursor, char c)
{
    bool found = next_is(cursor, c);
    if (found)
        advance(cursor, 1);
    return found;
}

static void expect(struct cursor *cursor, char c)
{
    cursor->bad |= !take(cursor, c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Between least and most digits; returns how many there were. */
static size_t take_number(struct cursor *cursor, size_t least, size_t most, int *number)
{
    size_t size = 0;
    int value = 0;
    while (size < most && size < cursor->rest.size && is_digit(cursor->rest.data[size]))
        value = value * 10 + (cursor->rest.data[size++] - '0');
    cursor->bad |= size < least;
    *number = value;
    advance(cursor, size);
    return size;
}

static struct slice take_word(struct cursor *cursor)
{
    size_t size = 0;
    while (size < cursor->rest.size && is_letter(cursor->rest.data[size]))
        size++;
    struct slice word = slice_sub(cursor->rest, 0, size);
    advance(cursor, size);
    return word;
}

/* 1 to 12, or 0. Full names are accepted where abbreviations are (`exact` false). */
static int month_from_name(struct slice name, bool exact)
{
    if (name.size < 3 || (exact && name.size != 3))
        return 0;
    for (int i = 0; i < 12; i++)
        if (strncasecmp(name.data, months[i], 3) == 0)
            return i + 1;
    return 0;
}

/* Comments, nested as they may be, and folding white space. */
static void skip_cfws(struct cursor *cursor)
{
    size_t depth = 0, i = 0;
    for (; i < cursor->rest.size; i++) {
        char c = cursor->rest.data[i];
        if (c == '(')
            depth++;
        else if (depth && c == ')')
            depth--;
        else if (depth && c == '\\')
            i++;
        else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    advance(cursor, i);
}

/* RFC 5322 section 4.3: two digits are 1950 to 2049, three are counted from 1900. */
static void take_year(struct cursor *cursor, struct date *date)
{
    int year;
    size_t digits = take_number(cursor, 2, 4, &year);
    if (digits == 2)
        year += year < 50 ? 2000 : 1900;
    else if (digits == 3)
        year += 1900;
    date->year = year;
}

/* hour ":" minute [":" second]; "." for ":" is met too. */
static void take_time(struct cursor *cursor, struct date *date)
{
    take_number(cursor, 1, 2, &date->hour);
    skip_cfws(cursor);
    char colon = next_is(cursor, '.') ? '.' : ':';
    expect(cursor, colon);
    skip_cfws(cursor);
    take_number(cursor, 1, 2, &date->minute);
    skip_cfws(cursor);
    if (!take(cursor, colon))
        return;
    skip_cfws(cursor);
    take_number(cursor, 1, 2, &date->second);
    int fraction;
    if (take(cursor, '.'))
        take_number(cursor, 1, 9, &fraction);
}

/* RFC 5322 section 4.3. Other names, the military letters among them, say nothing: UTC. */
static int zone_from_name(struct slice name)
{
    static const struct {
        char name[4];
        int hours;
    } zones[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6},
                 {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}};
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
        if (slice_equal_nocase(name, slice_make(zones[i].name, 3)))
            return zones[i].hours * 60;
    return 0;
}

/* +hhmm and its deviations +hh:mm, +hh, +hmm. */
static int take_numeric_zone(struct cursor *cursor)
{
    bool west = next_is(cursor, '-');
    advance(cursor, 1);
    int zone, minutes = 0;
    size_t digits = take_number(cursor, 1, 4, &zone);
    if (digits >= 3) {
        minutes = zone % 100;
        zone /= 100;
    } else if (take(cursor, ':')) {
        take_number(cursor, 2, 2, &minutes);
    }
    cursor->bad |= minutes > 59 || zone > 24;
    zone = zone * 60 + minutes;
    return west ? -zone : zone;
}

/* A name may be followed by an offset ("GMT+0200"), which then counts. */
static void take_zone(struct cursor *cursor, struct date *date)
{
    skip_cfws(cursor);
    struct slice name = take_word(cursor);
    date->zone = zone_from_name(name);
    skip_cfws(cursor);
    if (next_is(cursor, '+') || next_is(cursor, '-'))
        date->zone = take_numeric_zone(cursor);
}

static void skip_separator(struct cursor *cursor)
{
    skip_cfws(cursor);
    take(cursor, '-');
    skip_cfws(cursor);
}

/* day month year time zone, with "-" between them as some write. */
static void take_day_first(struct cursor *cursor, struct date *date)
{
    take_number(cursor, 1, 2, &date->day);
    take(cursor, '.');
    skip_separator(cursor);
    date->month = month_from_name(take_word(cursor), false);
    skip_separator(cursor);
    take_year(cursor, date);
    skip_cfws(cursor);
    take(cursor, ',');
    skip_cfws(cursor);
    take_time(cursor, date);
    take_zone(cursor, date);
}

/* C's own form, "Wed Jul 17 02:44:25 1996", with or without a zone before the year. */
static void take_month_first(struct cursor *cursor, struct date *date, struct slice month)
{
    date->month = month_from_name(month, false);
    skip_cfws(cursor);
    take_number(cursor, 1, 2, &date->day);
    skip_cfws(cursor);
    take_time(cursor, date);
    take_zone(cursor, date);
    skip_cfws(cursor);
    take_year(cursor, date);
}

int date_parse_rfc5322(struct slice text, int64_t *seconds, int *zone)
{
    struct cursor cursor = {text, false};
    struct date date = {0};
    skip_cfws(&cursor);
    struct slice word = take_word(&cursor); /* the day's name; it is not checked */
    skip_cfws(&cursor);
    bool comma = take(&cursor, ',');
    skip_cfws(&cursor);
    if (word.size && !comma) {
        struct slice second = take_word(&cursor);
        skip_cfws(&cursor);
        if (second.size)
            word = second;
        if (second.size || month_from_name(word, true))
            take_month_first(&cursor, &date, word);
        else
            take_day_first(&cursor, &date);
    } else {
        take_day_first(&cursor, &date);
    }
    int error = cursor.bad ? ERROR_SYNTAX : date_to_seconds(&date, seconds);
    if (!error && zone)
        *zone = date.zone;
    return error;
}

/* dd-Mon-yyyy; `fixed` is date-day-fixed: two digits, or a space and one. */
static void take_imap_day(struct cursor *cursor, struct date *date, bool fixed)
{
    bool space = fixed && take(cursor, ' ');
    take_number(cursor, fixed && !space ? 2 : 1, space ? 1 : 2, &date->day);
    expect(cursor, '-');
    date->month = month_from_name(take_word(cursor), true);
    expect(cursor, '-');
    int year;
    take_number(cursor, 4, 4, &year);
    date->year = year;
}

int date_parse_imap(struct slice text, int64_t *seconds)
{
    struct cursor cursor = {text, false};
    struct date date = {0};
    take_imap_day(&cursor, &date, true);
    expect(&cursor, ' ');
    take_number(&cursor, 2, 2, &date.hour);
    expect(&cursor, ':');
    take_number(&cursor, 2, 2, &date.minute);
    expect(&cursor, ':');
    take_number(&cursor, 2, 2, &date.second);
    expect(&cursor, ' ');
    bool west = next_is(&cursor, '-');
    expect(&cursor, west ? '-' : '+');
    int zone;
    take_number(&cursor, 4, 4, &zone);
    zone = zone / 100 * 60 + zone % 100;
    date.zone = west ? -zone : zone;
    if (cursor.bad || cursor.rest.size || zone > 24 * 60)
        return ERROR_SYNTAX;
    return date_to_seconds(&date, seconds);
}

int date_parse_imap_day(struct slice text, int64_t *seconds)
{
    struct cursor cursor = {text, false};
    struct date date = {0};
    take_imap_day(&cursor, &date, false);
    if (cursor.bad || cursor.rest.size)
        return ERROR_SYNTAX;
    return date_to_seconds(&date, seconds);
}

static void take_3339_zone(struct cursor *cursor, struct date *date)
{
    int hours, minutes;
    if (take(cursor, 'Z') || take(cursor, 'z'))
        return;
    bool west = next_is(cursor, '-');
    expect(cursor, west ? '-' : '+');
    take_number(cursor, 2, 2, &hours);
    expect(cursor, ':');
    take_number(cursor, 2, 2, &minutes);
    if (hours > 23 || minutes > 59)
        cursor->bad = true;
    date->zone = (west ? -1 : 1) * (hours * 60 + minutes);
}

int date_parse_rfc3339(struct slice text, int64_t *seconds)
{
    struct cursor cursor = {text, false};
    struct date date = {0};
    int year, fraction;
    take_number(&cursor, 4, 4, &year);
    expect(&cursor, '-');
    take_number(&cursor, 2, 2, &date.month);
    expect(&cursor, '-');
    take_number(&cursor, 2, 2, &date.day);
    if (!take(&cursor, 't'))
        expect(&cursor, 'T');
    take_number(&cursor, 2, 2, &date.hour);
    expect(&cursor, ':');
    take_number(&cursor, 2, 2, &date.minute);
    expect(&cursor, ':');
    take_number(&cursor, 2, 2, &date.second);
    if (take(&cursor, '.'))
        take_number(&cursor, 1, 9, &fraction);
    take_3339_zone(&cursor, &date);
    date.year = year;
    if (cursor.bad || cursor.rest.size)
        return ERROR_SYNTAX;
    return date_to_seconds(&date, seconds);
}

enum { DAY = 24 * 60 * 60 };

/* The formats have room for the years 0 to 9999; what lies outside is shown as their ends.
 * Returns the days since 1970. */
static int64_t split(int64_t seconds, struct date *date)
{
    int64_t least = days_from_date(0, 1, 1) * DAY, most = days_from_date(10000, 1, 1) * DAY - 1;
    seconds = seconds < least ? least : seconds > most ? most : seconds;
    int64_t days = (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
    int left = (int)(seconds - days * DAY);
    date_from_days(days, date);
    date->hour = left / 3600;
    date->minute = left / 60 % 60;
    date->second = left % 60;
    return days;
}

int date_format_imap(int64_t seconds, struct buffer *text)
{
    struct date date;
    split(seconds, &date);
    return buffer_append_format(text, "%02d-%s-%04d %02d:%02d:%02d +0000", date.day,
                                months[date.month - 1], (int)date.year, date.hour, date.minute,
                                date.second);
}

int date_format_rfc5322(int64_t seconds, struct buffer *text)
{
    struct date date;
    int64_t days = split(seconds, &date);
    int weekday = (int)(((days + 4) % 7 + 7) % 7);
    return buffer_append_format(text, "%s, %02d %s %04d %02d:%02d:%02d +0000", weekdays[weekday],
                                date.day, months[date.month - 1], (int)date.year, date.hour,
                                date.minute, date.second);
}
