/* SPDX-License-Identifier: MIT */
/* What a worker of the bench has lost so far. Any thread. */
#ifndef GB_BENCH_LOST_H
#define GB_BENCH_LOST_H

#include <gb/telemetry.h>

/* Events of this process that went out as none: what is folded keeps its sums alone. */
static inline uint64_t bench_lost(void)
{
    struct gb_stats stats;
    gb_stats(&stats);
    uint64_t sum = stats.folded;
    for (int i = 0; i < GB_CAUSES_; i++)
        sum += stats.dropped[i];
    return sum;
}

#endif
