/* SPDX-License-Identifier: MIT */
/*
 * The collector's stages from the ring to one reporter, run by hand: drain and decode on the calling thread, the reporter on its own. In:
 * a reporter as a user would write it, records of a faked worker. Out: CPU of each side.
 */
#ifndef GB_BENCH_DRAIN_PIPELINE_H
#define GB_BENCH_DRAIN_PIPELINE_H

#include <stdint.h>

#include "bench/drain/fake_worker.h"
#include "collector/paths.h"
#include "collector/segment.h"

struct pipeline;

/* NULL: it cannot run; said on stderr. `spec` NULL: a reporter that touches what others would, and nothing more. */
struct pipeline *pipeline_start(const char *spec, uint32_t slots);
/* Returns the reporter's CPU ns of its end: what it writes last. Takes NULL. */
double pipeline_end(struct pipeline *pipeline);

struct pipeline_cost {
    uint64_t events;
    double drain_wall_ns, drain_ns; /* of drain, decode and the hand-over */
    double reporter_ns;             /* CPU of all other threads of the process, but the worker's */
    uint64_t lost;                  /* events the reporter did not deliver */
};

/* `fills` times `slots` records into each ring, drained each time; then waits until the reporter has delivered all. */
struct pipeline_cost pipeline_run(struct pipeline *pipeline, enum records kind, uint32_t slots, unsigned fills);

/* For stages alone. */
struct fake_worker *pipeline_worker(struct pipeline *pipeline);
struct segment *pipeline_segment(struct pipeline *pipeline);
struct paths *pipeline_paths(struct pipeline *pipeline);
struct batch *pipeline_batch(struct pipeline *pipeline);
void pipeline_unused(struct pipeline *pipeline, struct batch *batch);
/* One pass that takes everything. */
void pipeline_drain(struct pipeline *pipeline);

#endif
