/* SPDX-License-Identifier: MIT */
/* A steady rate of scopes from the calling thread, as a worker with a steady load emits them. */
#ifndef GB_BENCH_PACE_H
#define GB_BENCH_PACE_H

#include <stdint.h>

/*
 * Emits for so many ns, its share each 100 us (or one at a time, when that is less often). A thread that was preempted does not catch up in one
 * go, which would be a burst and not the rate: what is more than 2 ms behind is left out. Returns the scopes emitted.
 */
uint64_t pace(double per_second, int64_t duration_ns);

#endif
