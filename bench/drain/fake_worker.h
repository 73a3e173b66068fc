/* SPDX-License-Identifier: MIT */
/*
 * A worker that is none: a thread on the worker's core fills the rings of a faked segment when it is told to, so that each record comes
 * out of another core's cache, as in life, and nothing of its making is in what is timed. In: a kind of records. Out: full rings.
 */
#ifndef GB_BENCH_DRAIN_FAKE_WORKER_H
#define GB_BENCH_DRAIN_FAKE_WORKER_H

#include <stdint.h>

#include "tests/collector/fake_segment.h"

#define FAKE_WORKER_RINGS 2u

enum records { RECORDS_TIMING, RECORDS_TIMING_3, RECORDS_TIMING_TEXT, RECORDS_COUNTER, RECORDS_GAUGE, RECORDS };
extern const char *const records_names[RECORDS];

struct fake_worker;

/* Its rings have `slots` each. Exits when that cannot be had. */
struct fake_worker *fake_worker_start(uint32_t slots);
void fake_worker_end(struct fake_worker *worker);

const char *fake_worker_directory(const struct fake_worker *worker);
struct fake_segment *fake_worker_segment(struct fake_worker *worker);

/* Has it put records into `slots` slots of each ring, and waits for it. Returns how many events that are. */
uint64_t fake_worker_fill(struct fake_worker *worker, enum records kind, uint32_t slots);
/* The same on the calling thread: what is filled is in its own cache. */
uint64_t fake_worker_fill_here(struct fake_worker *worker, enum records kind, uint32_t slots);

/* CPU ns of its thread. */
double fake_worker_cpu_ns(const struct fake_worker *worker);

#endif
