/* SPDX-License-Identifier: MIT */
/* What time it is, in ns. For all of the collector, its reporters as well; a worker's time is in clock.h. */
#ifndef GB_COLLECTOR_NOW_H
#define GB_COLLECTOR_NOW_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_mono_now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

/* Since 1970. */
static inline int64_t clock_wall_now(void)
{
    return clock_now(CLOCK_REALTIME);
}

#endif
