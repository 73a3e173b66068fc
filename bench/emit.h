/* SPDX-License-Identifier: MIT */
/* The parts of bench-emit. Each prints its results; all but the last two run on the pinned main thread of a worker that emits. */
#ifndef GB_BENCH_EMIT_H
#define GB_BENCH_EMIT_H

#include <stdbool.h>

#include "bench/view.h"

#define EMIT_BURST 2000

struct emit {
    bool quick;
    const char *collector; /* NULL: none to be had */
    const char *directory;
    struct view view; /* of the main thread's ring */
    double ticks_per_ns;
};

/* All that was emitted is taken: by the collector, or by the bench itself. Exits when the collector does not drain. */
void emit_drain(const struct emit *emit, bool collector);

/* ns a call: without a collector, with one that drains lazily, and with one that chases the tail; cold. */
void emit_bursts(const struct emit *emit);
/* A scope whose ring is full: as it is set, and, in a process of its own, with dropping asked for. */
void emit_ring_full(const struct emit *emit);
void emit_ring_full_dropping(const struct emit *emit, const char *self);
void emit_cold(const struct emit *emit);
/* The distribution of single scopes, and what those above 1 us and 10 us were doing. */
void emit_tail(const struct emit *emit);

/* First events, each in a fresh process: `self` is this program. */
void emit_start(const struct emit *emit, const char *self);
int emit_start_child(void);

/* Instructions of each kind, under callgrind. */
void emit_instructions(const struct emit *emit, const char *self);
int emit_instructions_child(void);

#endif
