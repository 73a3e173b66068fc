/* SPDX-License-Identifier: MIT */
/*
 * The worker's clock. In: nothing. Out: ticks, read inline on the hot path. Any thread, also in signal handlers.
 */
#ifndef GB_LIB_CLOCK_H
#define GB_LIB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "gb/wire.h"

/* Chosen once by clock_choose, before the first segment is made; a forked child keeps it. */
extern uint32_t gb_clock_kind __attribute__((visibility("hidden"))); /* enum gbw_clock */

static inline uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Is the clock a register? Then clock_counter reads it: without a call, not serialising, since what the CPU reorders around it is less than
 * what a fence costs. */
static inline bool clock_is_counter(void)
{
    return __builtin_expect(gb_clock_kind != GBW_CLOCK_MONOTONIC, 1);
}

static inline uint64_t clock_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return clock_monotonic_ns(); /* never asked for: clock_choose knows no counter here */
#endif
}

static inline uint64_t clock_ticks(void)
{
    return clock_is_counter() ? clock_counter() : clock_monotonic_ns();
}

enum clock_wish { CLOCK_WISH_AUTO, CLOCK_WISH_TSC, CLOCK_WISH_MONOTONIC };

/* Sets gb_clock_kind. auto: the CPU's counter only where the CPU says invariant (cpuinfo: constant_tsc and nonstop_tsc) and the
 * kernel's own clock source is tsc (aarch64: arch_sys_counter). Files are parameters for the tests. */
void clock_choose(enum clock_wish wish, const char *cpuinfo, const char *clocksource);

/* Ticks per second: exact for monotonic and aarch64; the TSC's from CPUID, else measured for 200 us. */
uint64_t clock_frequency(void);

struct gbw_anchor clock_anchor(void);

#endif
