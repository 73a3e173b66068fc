/* SPDX-License-Identifier: MIT */
/* The calls that are measured, each in a loop of its own, and the floors they are compared with. Any thread. */
#ifndef GB_BENCH_KINDS_H
#define GB_BENCH_KINDS_H

#include <stdbool.h>
#include <stddef.h>

#define FLOOR_ONE "floor_one_clock_read"
#define FLOOR_TWO "floor_two_clock_reads"
#define FLOOR_LINE "floor_one_cache_line"

struct kind {
    const char *name;
    void (*run)(int calls);
    const char *floor; /* NULL: is one itself, or has none */
    bool emits;
    bool disabled;    /* measured with telemetry switched off */
    const char *note; /* what is to be reached */
};
extern const struct kind kinds[];
extern const size_t kind_count;

const struct kind *kind_named(const char *name);

/* Each once: names interned, run-time names made. */
void kinds_warm(void);

#endif
