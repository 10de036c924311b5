/*
 * Time. Two clocks, so that nobody measures a duration with the one that can jump.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since some start, never going back. For durations and deadlines. */
uint64_t clock_monotonic_us(void);

/* The same clock as it was at the last tick, some milliseconds ago at most, for a small part of the
 * cost: for a deadline that is looked at again and again. */
uint64_t clock_monotonic_tick_us(void);

/* Seconds since 1970 (UTC). For what is stored and shown. */
int64_t clock_wall(void);

/* Microseconds since 1970 (UTC). */
int64_t clock_wall_us(void);

#endif
