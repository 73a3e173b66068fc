/* SPDX-License-Identifier: MIT */
/* Arithmetic on times that a worker has told, which may be any: what does not fit is the nearest that does. Nanoseconds. Any thread. */
#ifndef GB_COLLECTOR_TIMES_H
#define GB_COLLECTOR_TIMES_H

#include <stdint.h>

/* `duration`: not negative. */
static inline int64_t time_after(int64_t time, int64_t duration)
{
    int64_t sum;
    return __builtin_add_overflow(time, duration, &sum) ? INT64_MAX : sum;
}

/* 0 where `to` is not later. */
static inline int64_t time_between(int64_t from, int64_t to)
{
    int64_t between;
    return to <= from ? 0 : __builtin_sub_overflow(to, from, &between) ? INT64_MAX : between;
}

#endif
