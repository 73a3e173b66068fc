/* SPDX-License-Identifier: MIT */
/* Clocks: that of an emit, which is the floor of all figures, and the counter that short spans are measured with. Any thread. */
#ifndef GB_BENCH_TICKS_H
#define GB_BENCH_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline int64_t mono_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return (uint64_t)mono_now();
#endif
}

/* Does an emit read the counter here? Set by bench_clock_choose, with the library's own rules; main calls it before any thread starts. */
extern bool bench_reads_counter;
void bench_clock_choose(void);

/* The clock that an emit reads, read the same way. Where the library does not trust the counter this is CLOCK_MONOTONIC: a floor of
 * counter reads would be one that no emit can come near. */
static inline uint64_t clock_now(void)
{
    return __builtin_expect(bench_reads_counter, 1) ? ticks_now() : (uint64_t)mono_now();
}

/* Waits until all loads before it are done, so that what comes next is timed alone. */
static inline void ticks_fence(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Measured against CLOCK_MONOTONIC for 50 ms. */
static inline double ticks_per_ns(void)
{
    int64_t from = mono_now(), now;
    uint64_t start = ticks_now();
    while ((now = mono_now()) - from < 50000000) {
    }
    return (double)(ticks_now() - start) / (double)(now - from);
}

#ifdef __cplusplus
}
#endif

#endif
