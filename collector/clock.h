/* SPDX-License-Identifier: MIT */
/*
 * From a worker's ticks to nanoseconds. In: ticks of a segment's clock. Out: CLOCK_MONOTONIC and wall nanoseconds.
 *
 * The control thread samples an anchor (ticks, monotonic, wall) about once a second (clock_sample); for workers of this
 * boot that use the TSC those anchors also give the frequency, far better than a worker's first guess. The drain converts.
 * Durations use the frequency alone, never a difference of converted times. The wall time of an instant is
 * interpolated between the anchors around it when they are more than 2 s apart, else taken from the last one before it,
 * so that a stepped or slewed wall clock shows as it was. Segments of another boot have their own anchors only.
 */
#ifndef GB_COLLECTOR_CLOCK_H
#define GB_COLLECTOR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/now.h"
#include "gb/wire.h"

/* Drain thread. How to read one segment's ticks. Zero all but the first five, which whoever attaches fills in. */
struct timebase {
    uint32_t clock; /* enum gbw_clock */
    bool same_boot;
    bool foreign_time;         /* another time namespace: its CLOCK_MONOTONIC is not ours, its ticks are */
    uint64_t ticks_per_second; /* the worker's own estimate: used when ours does not apply */
    struct gbw_anchor anchor;  /* the segment's, then that of each lease */

    /* what timebase_refresh took from the samples */
    uint64_t seen;                            /* samples so far */
    uint64_t scale;                           /* ns per tick, times 2^CLOCK_SHIFT; 0: not refreshed yet */
    struct gbw_anchor last, previous, oldest; /* of our samples; valid when seen > 0 */
};
#define CLOCK_SHIFT 48

/* Control thread, once before any other call: takes the first sample, measuring the frequency for a few ms. */
void clock_start(void);

/* Control thread, about once a second. */
void clock_sample(void);

/* The same with an anchor that was recorded elsewhere; `first`: forgets all others. */
void clock_feed(const struct gbw_anchor *anchor, bool first);

/* Is this clock one that our samples are of? Not that of a worker built for another architecture, run by an emulator. */
bool clock_sampled(uint32_t clock);

/* Drain thread, once a pass: makes `tb` use what was sampled since. Cheap. */
void timebase_refresh(struct timebase *tb);

/* Drain thread: the anchor of a lease record. */
void timebase_anchor(struct timebase *tb, const struct gbw_anchor *anchor);

/* Ticks -> ns. A nonsense value gives a nonsense time, never undefined behaviour. */
int64_t timebase_duration_ns(const struct timebase *tb, uint64_t ticks);
int64_t timebase_mono_ns(const struct timebase *tb, uint64_t ticks);

/* CLOCK_MONOTONIC ns -> ns since 1970. */
int64_t timebase_wall_ns(const struct timebase *tb, int64_t mono_ns);

#endif
