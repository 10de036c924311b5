#include "base/clock.h"

#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return time;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
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
