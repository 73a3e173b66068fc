/* SPDX-License-Identifier: MIT */
/* Which clock an emit reads, asked of the library's own code: an optimised bench sees no hidden symbol of the shared library. */
#include <stdlib.h>
#include <string.h>

#include "bench/ticks.h"
#include "lib/clock.h"

bool bench_reads_counter = true;

void bench_clock_choose(void)
{
    const char *set = getenv("GEMINI_BATCH_TELEMETRY_CLOCK");
    enum clock_wish wish = set && strcmp(set, "tsc") == 0         ? CLOCK_WISH_TSC
                           : set && strcmp(set, "monotonic") == 0 ? CLOCK_WISH_MONOTONIC
                                                                  : CLOCK_WISH_AUTO;
    clock_choose(wish, "/proc/cpuinfo", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    bench_reads_counter = clock_is_counter();
}
