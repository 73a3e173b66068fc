/* SPDX-License-Identifier: MIT */
/*
 * How the cost of a call holds when there are many. In: nothing. Out: results (result.h) of the part `scale`. Every figure is CPU time of the
 * emitting thread by its own clock, never wall time divided by a sum of events.
 */
#include "bench/arguments.h"
#include "bench/scale.h"

#include <stdio.h>
#include <time.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/ticks.h"

int64_t scale_cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const char usage[] = "usage: bench-scale [--quick]\n"
                            "What a scope costs with many threads and many processes: one JSON object a line.\n"
                            "GB_COLLECTOR: the path of gb-collector.\n";

int main(int argc, char **argv)
{
    struct scale scale = {0};
    int status = bench_arguments(argc, argv, usage, &scale.quick);
    if (status >= 0)
        return status;
    bench_clock_choose();
    scale.collector = bench_collector("scale", NULL);
    if (!scale.collector)
        return 1;
    scale.directory = bench_directory();
    cores(); /* before anything is pinned */
    /* the curve is last: its threads are of this process, and what forks from it afterwards has its parent's settings */
    scale_memory(&scale);
    scale_crowd(&scale);
    scale_curve(&scale);
    bench_directory_remove();
    return 0;
}
