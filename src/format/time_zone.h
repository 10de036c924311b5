/*
 * Local times in the zones of the IANA time zone database, as ICU has it: in its library, so that a
 * name becomes no file's, and a confined process has it as well.
 *
 * A local time is a day, in days since 1970-01-01, and a second of it. One that comes twice, as
 * clocks are put back, is meant the first time; one that does not come, as they are put forward, is
 * meant with the offset from before (draft-ietf-extra-sieve-snooze-07 section 4.3).
 *
 * Of one thread at a time.
 */
#ifndef FORMAT_TIME_ZONE_H
#define FORMAT_TIME_ZONE_H

#include "base/slice.h"

enum { TIME_ZONE_NAME_MAXIMUM = 64 }; /* bytes; the longest there is has 32 */

struct time_zone;

/* "Europe/Berlin", in this very case. ERROR_NOT_FOUND: there is none of this name; ERROR_MEMORY. */
int time_zone_open(struct slice name, struct time_zone **zone);

/* One without changes, minutes east of UTC. ERROR_MEMORY. */
int time_zone_open_fixed(int minutes, struct time_zone **zone);

void time_zone_close(struct time_zone **zone);

/* The local day of a moment, seconds since 1970. */
int64_t time_zone_day(struct time_zone *zone, int64_t moment);

/* The day of the week, 0: Sunday. */
static inline unsigned time_zone_weekday(int64_t day)
{
    return (unsigned)(((day + 4) % 7 + 7) % 7);
}

/* The moment of a local time. */
int64_t time_zone_moment(struct time_zone *zone, int64_t day, unsigned second);

#endif
