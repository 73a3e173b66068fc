/* SPDX-License-Identifier: MIT */
/* See pace.h. */
#include "bench/pace.h"

#include <gb/telemetry.h>

#include "bench/ticks.h"

#define TICK_NS 100000
#define BEHIND_NS 2000000

static void wait_until(int64_t at)
{
    struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0)) {
    }
}

uint64_t pace(double per_second, int64_t duration_ns)
{
    double interval = 1e9 / per_second; /* ns from one to the next */
    int64_t tick = interval > TICK_NS ? (int64_t)interval : TICK_NS;
    int64_t start = mono_now(), end = start + duration_ns, next = start;
    double due = 0;
    uint64_t emitted = 0;
    while (next < end) {
        int64_t now = mono_now();
        if (now - next > BEHIND_NS)
            next = now;
        for (due += (double)tick / interval; due >= 1; due--, emitted++)
            GB_SCOPE ("item")
                __asm__ volatile("" ::: "memory");
        next += tick;
        if (mono_now() < next)
            wait_until(next);
    }
    return emitted;
}
