/* SPDX-License-Identifier: MIT */
/* The parts of bench-scale. Each prints its results. */
#ifndef GB_BENCH_SCALE_H
#define GB_BENCH_SCALE_H

#include <stdbool.h>
#include <stdint.h>

struct scale {
    bool quick;
    const char *collector;
    const char *directory;
};

/* CPU of the calling thread so far, in ns. */
int64_t scale_cpu_now(void);

/* CPU ns of a scope with 1..n threads, and 1..n processes, and more than there are cores. */
void scale_curve(const struct scale *scale);
/* What a thread that emits takes of memory. */
void scale_memory(const struct scale *scale);
/* A thousand threads; a thousand processes. */
void scale_crowd(const struct scale *scale);

#endif
