#include "base/clock.h"

#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return time;
}

static uint64_t microseconds(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void)
{
    return microseconds(now(CLOCK_MONOTONIC));
}

uint64_t clock_monotonic_tick_us(void)
{
    return microseconds(now(CLOCK_MONOTONIC_COARSE));
}

int64_t clock_wall(void)
{
    return now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_wall_us(void)
{
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}
