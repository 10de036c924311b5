/*
 * date and currentdate (RFC 5260 sections 4, 5).
 */
#include "base/error.h"
#include "format/date.h"
#include "sieve/fields_priv.h"

enum { DATE_ORIGINALZONE = 1 };

static const struct tag date_tags[] = {
    {"originalzone", EXT_BASE, TAG_FLAG, 0, DATE_ORIGINALZONE},
    {"zone", EXT_BASE, TAG_VALUE, 1, 0},
    FIELDS_INDEX_TAGS,
    {0},
};

static const struct tag currentdate_tags[] = {
    {"zone", EXT_BASE, TAG_VALUE, 1, 0},
    {0},
};

enum date_part {
    DATE_YEAR,
    DATE_MONTH,
    DATE_DAY,
    DATE_DATE,
    DATE_JULIAN,
    DATE_HOUR,
    DATE_MINUTE,
    DATE_SECOND,
    DATE_TIME,
    DATE_ISO8601,
    DATE_STD11,
    DATE_ZONE,
    DATE_WEEKDAY,
    DATE_PARTS
};

static enum date_part find_part(struct slice name)
{
    static const char *const names[DATE_PARTS] = {"year",  "month",  "day",    "date", "julian",
                                                  "hour",  "minute", "second", "time", "iso8601",
                                                  "std11", "zone",   "weekday"};
    unsigned part = 0;
    while (part < DATE_PARTS && !slice_equal_nocase(name, slice_from_string(names[part])))
        part++;
    return (enum date_part)part;
}

/* "+hhmm" or "-hhmm" in minutes. */
static bool parse_zone(struct slice text, int *minutes)
{
    int digits[4];
    if (text.size != 5 || (text.data[0] != '+' && text.data[0] != '-'))
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (text.data[i + 1] < '0' || text.data[i + 1] > '9')
            return false;
        digits[i] = text.data[i + 1] - '0';
    }
    int value = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3];
    *minutes = text.data[0] == '-' ? -value : value;
    return digits[2] < 6;
}

static void check_part(struct validator *validator, const struct tree_string *part)
{
    if (validator_is_constant(validator, part->text) && find_part(part->text) == DATE_PARTS)
        validator_error(validator, part->line, part->column, "a date has no part \"%.*s\"",
                        QUOTED(part->text));
}

static void check_zone(struct validator *validator, const struct command *command)
{
    const struct tree_string *zone = operand_strings(command, 1);
    int minutes;
    if (zone && validator_is_constant(validator, zone->text) && !parse_zone(zone->text, &minutes))
        validator_error(validator, zone->line, zone->column,
                        "\"%.*s\" is no time zone: it is +hhmm or -hhmm", QUOTED(zone->text));
}

static void check_date(struct validator *validator, struct command *command)
{
    check_part(validator, operand_strings(command, 4));
    check_zone(validator, command);
    check_index(validator, command, 0, 3);
    if (operand_strings(command, 1) && command->operands[0].word & DATE_ORIGINALZONE)
        validator_error(validator, command->line, command->column,
                        ":zone and :originalzone do not go together");
}

static void check_currentdate(struct validator *validator, struct command *command)
{
    check_part(validator, operand_strings(command, 2));
    check_zone(validator, command);
}

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second, weekday;
    int64_t days; /* since 1970 */
};

/* Days to the Gregorian calendar: eras of 400 years that begin in March. */
static struct civil civil_from(int64_t seconds)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day = shifted - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t yearday = day - (365 * year + year / 4 - year / 100), month = (5 * yearday + 2) / 153;
    struct civil civil = {.days = days};
    civil.day = (unsigned)(yearday - (153 * month + 2) / 5 + 1);
    civil.month = (unsigned)(month < 10 ? month + 3 : month - 9);
    civil.year = year + era * 400 + (civil.month <= 2);
    civil.hour = (unsigned)(rest / 3600);
    civil.minute = (unsigned)(rest / 60 % 60);
    civil.second = (unsigned)(rest % 60);
    civil.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    return civil;
}

static void put_zone(struct buffer *text, int zone, const char *colon)
{
    int minutes = zone < 0 ? -zone : zone;
    buffer_append_format(text, "%c%02d%s%02d", zone < 0 ? '-' : '+', minutes / 60, colon,
                         minutes % 60);
}

static void put_long(struct buffer *text, const struct civil *c, int zone, bool std11)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (std11) {
        buffer_append_format(text, "%s, %02u %s %04lld %02u:%02u:%02u ", days[c->weekday], c->day,
                             months[c->month - 1], (long long)c->year, c->hour, c->minute,
                             c->second);
        put_zone(text, zone, "");
        return;
    }
    buffer_append_format(text, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)c->year, c->month,
                         c->day, c->hour, c->minute, c->second);
    if (zone)
        put_zone(text, zone, ":");
    else
        buffer_append_byte(text, 'Z');
}

static void put_part(struct buffer *text, enum date_part part, int64_t seconds, int zone)
{
    struct civil c = civil_from(seconds + (int64_t)zone * 60);
    const unsigned two[DATE_PARTS] = {[DATE_MONTH] = c.month,
                                      [DATE_DAY] = c.day,
                                      [DATE_HOUR] = c.hour,
                                      [DATE_MINUTE] = c.minute,
                                      [DATE_SECOND] = c.second};
    buffer_clear(text);
    switch (part) {
    case DATE_YEAR:
        buffer_append_format(text, "%04lld", (long long)c.year);
        break;
    case DATE_DATE:
        buffer_append_format(text, "%04lld-%02u-%02u", (long long)c.year, c.month, c.day);
        break;
    case DATE_JULIAN:
        buffer_append_format(text, "%lld", (long long)(c.days + 40587));
        break;
    case DATE_TIME:
        buffer_append_format(text, "%02u:%02u:%02u", c.hour, c.minute, c.second);
        break;
    case DATE_ISO8601:
    case DATE_STD11:
        put_long(text, &c, zone, part == DATE_STD11);
        break;
    case DATE_ZONE:
        put_zone(text, zone, "");
        break;
    case DATE_WEEKDAY:
        buffer_append_format(text, "%u", c.weekday);
        break;
    default:
        buffer_append_format(text, "%02u", two[part]);
        break;
    }
}

/* Compares the part of the time that is asked for. */
static int match_date(struct matcher *matcher, uint32_t part_name, int64_t seconds, int zone)
{
    struct run *run = matcher->run;
    enum date_part part = find_part(run_string(run, part_name));
    if (part == DATE_PARTS)
        return match_end(matcher);
    struct buffer text;
    buffer_init(&text, 64);
    put_part(&text, part, seconds, zone);
    struct slice copy = run_copy(run, buffer_slice(&text));
    buffer_release(&text);
    if (copy.data)
        match_text(matcher, copy);
    return match_end(matcher);
}

/* The zone that is asked for; false for what is none. */
static bool wanted_zone(struct run *run, uint32_t text, int *zone)
{
    *zone = run->zone;
    return text == NO_CONSTANT || parse_zone(run_string(run, text), zone);
}

/* The whole value, or what is behind its last semicolon. */
static bool field_date(struct slice value, int64_t *seconds, int *zone)
{
    size_t at = value.size;
    while (at && value.data[at - 1] != ';')
        at--;
    return date_parse_rfc5322(slice_sub(value, at, SIZE_MAX), seconds, zone) == 0;
}

/* Operands: 0 flags, 1 zone, 2 the field's name, 3 index, 4 the part, 5 keys. */
static int run_date(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct slice name = run_string(run, operands[2]);
    struct field *field =
        field_at(run_whole_header(run), name, name_hash(name), run_number(run, operands[3], 1),
                 (operands[0] & FIELDS_LAST) != 0);
    int zone, original;
    int64_t seconds;
    match_begin(&matcher, run, operands[5]);
    if (!field || !field_date(field->raw, &seconds, &original) ||
        !wanted_zone(run, operands[1], &zone))
        return match_end(&matcher);
    if (operands[0] & DATE_ORIGINALZONE)
        zone = original;
    return match_date(&matcher, operands[4], seconds, zone);
}

const struct definition definition_date = {.name = "date",
                                           .extension = EXT_DATE,
                                           .test = true,
                                           .operands = "wSsNsk",
                                           .positions = "cef",
                                           .tags = {match_tags, date_tags},
                                           .check = check_date,
                                           .run = run_date};

/* Operands: 0 nothing, 1 zone, 2 the part, 3 keys. */
static int run_currentdate(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    int zone;
    match_begin(&matcher, run, operands[3]);
    if (!wanted_zone(run, operands[1], &zone))
        return match_end(&matcher);
    return match_date(&matcher, operands[2], run->started, zone);
}

const struct definition definition_currentdate = {.name = "currentdate",
                                                  .extension = EXT_DATE,
                                                  .test = true,
                                                  .operands = "wSsk",
                                                  .positions = "cd",
                                                  .tags = {match_tags, currentdate_tags},
                                                  .check = check_currentdate,
                                                  .run = run_currentdate};
