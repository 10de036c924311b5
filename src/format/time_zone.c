#include "format/time_zone.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/udata.h>

enum { DAY = 86400 };

struct time_zone {
    UCalendar *calendar; /* NULL: a fixed one */
    int64_t offset;      /* of that, seconds east of UTC */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    UErrorCode error = U_ZERO_ERROR;
    udata_setFileAccess(UDATA_NO_FILES, &error);
}

/* ICU knows also "GMT+5:30", which is no name of the database. */
static bool is_known(const UChar *name, int32_t size)
{
    UChar canonical[2 * TIME_ZONE_NAME_MAXIMUM];
    UBool known = false;
    UErrorCode error = U_ZERO_ERROR;
    ucal_getCanonicalTimeZoneID(name, size, canonical, 2 * TIME_ZONE_NAME_MAXIMUM, &known, &error);
    return U_SUCCESS(error) && known;
}

static UCalendar *open_calendar(struct slice name, int *failure)
{
    UChar wide[TIME_ZONE_NAME_MAXIMUM];
    UErrorCode error = U_ZERO_ERROR;
    *failure = ERROR_NOT_FOUND;
    if (!name.size || name.size > TIME_ZONE_NAME_MAXIMUM)
        return NULL;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f)
            return NULL;
        wide[i] = (UChar)name.data[i];
    }
    if (!is_known(wide, (int32_t)name.size))
        return NULL;
    UCalendar *calendar = ucal_open(wide, (int32_t)name.size, "", UCAL_GREGORIAN, &error);
    if (U_FAILURE(error)) {
        *failure = ERROR_MEMORY;
        return NULL;
    }
    ucal_setAttribute(calendar, UCAL_REPEATED_WALL_TIME, UCAL_WALLTIME_FIRST);
    ucal_setAttribute(calendar, UCAL_SKIPPED_WALL_TIME, UCAL_WALLTIME_LAST);
    return calendar;
}

int time_zone_open(struct slice name, struct time_zone **zone)
{
    int error;
    pthread_once(&once, set_up);
    UCalendar *calendar = open_calendar(name, &error);
    struct time_zone *made = calendar ? calloc(1, sizeof(*made)) : NULL;
    if (!made) {
        if (calendar)
            ucal_close(calendar);
        return calendar ? ERROR_MEMORY : error;
    }
    made->calendar = calendar;
    *zone = made;
    return 0;
}

int time_zone_open_fixed(int minutes, struct time_zone **zone)
{
    struct time_zone *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->offset = (int64_t)minutes * 60;
    *zone = made;
    return 0;
}

void time_zone_close(struct time_zone **zone)
{
    if (!*zone)
        return;
    if ((*zone)->calendar)
        ucal_close((*zone)->calendar);
    free(*zone);
    *zone = NULL;
}

static int64_t offset_at(struct time_zone *zone, int64_t moment)
{
    UErrorCode error = U_ZERO_ERROR;
    if (!zone->calendar)
        return zone->offset;
    ucal_setMillis(zone->calendar, (UDate)moment * 1000, &error);
    int32_t offset = ucal_get(zone->calendar, UCAL_ZONE_OFFSET, &error) +
                     ucal_get(zone->calendar, UCAL_DST_OFFSET, &error);
    return U_SUCCESS(error) ? offset / 1000 : 0;
}

int64_t time_zone_day(struct time_zone *zone, int64_t moment)
{
    int64_t local = moment + offset_at(zone, moment), rest = local % DAY;
    return (local - (rest < 0 ? rest + DAY : rest)) / DAY;
}

int64_t time_zone_moment(struct time_zone *zone, int64_t day, unsigned second)
{
    UErrorCode error = U_ZERO_ERROR;
    int64_t utc = day * DAY + second;
    if (!zone->calendar)
        return utc - zone->offset;
    ucal_clear(zone->calendar);
    ucal_setDateTime(zone->calendar, 1970, UCAL_JANUARY, (int32_t)(day + 1), (int32_t)second / 3600,
                     (int32_t)second / 60 % 60, (int32_t)second % 60, &error);
    UDate millis = ucal_getMillis(zone->calendar, &error);
    return U_SUCCESS(error) ? (int64_t)(millis / 1000) : utc;
}
