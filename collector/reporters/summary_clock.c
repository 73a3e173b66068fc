/* SPDX-License-Identifier: MIT */
/* What a clock read costs here: see summary_clock.h. On the reporter's thread or the one that opens it. */
#include "collector/reporters/summary_clock.h"

#include <stdint.h>
#include <stdlib.h>

#include "collector/now.h"

#define BURSTS 31
#define READS 256

static inline uint64_t read_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return (uint64_t)clock_mono_now();
#endif
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double summary_clock_read_ns(bool counter)
{
    double burst[BURSTS];
    volatile uint64_t sink;
    for (int i = 0; i < BURSTS; i++) {
        int64_t start = clock_mono_now();
        for (int k = 0; k < READS; k++)
            sink = counter ? read_counter() : (uint64_t)clock_mono_now();
        (void)sink;
        burst[i] = (double)(clock_mono_now() - start) / READS;
    }
    qsort(burst, BURSTS, sizeof(burst[0]), by_value);
    return burst[BURSTS / 2];
}
