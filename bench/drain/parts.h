/* SPDX-License-Identifier: MIT */
/* What bench-drain consists of; each prints its own results. */
#ifndef GB_BENCH_DRAIN_PARTS_H
#define GB_BENCH_DRAIN_PARTS_H

#include <stdbool.h>

#define PART "drain"

/* Drain alone, decode alone, both with the hand-over. */
void measure_stages(bool quick);
/* Each reporter, at the end of the pipeline. */
void measure_reporters(bool quick);
/* When to take a ring, and how long to sleep: what it costs the worker and the collector. */
void measure_policy(bool quick);
/* One drain thread, and two. */
void measure_threads(bool quick);
/* The running collector's CPU at steady rates and idle, and its memory over time. */
void measure_load(bool quick);

#endif
