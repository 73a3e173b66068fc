/* SPDX-License-Identifier: MIT */
/*
 * What a call costs the worker. In: nothing. Out: results (result.h) of the part `emit`: ns a call of each kind beside the floor
 * measured in the same rounds, the tail of single calls, first events, instructions.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/emit.h"
#include "bench/kinds.h"
#include "bench/result.h"
#include "bench/ticks.h"

void emit_drain(const struct emit *emit, bool collector)
{
    if (!collector) {
        view_drain(&emit->view);
    } else if (gb_flush(5000) != 0) {
        fprintf(stderr, "bench-emit: the collector does not drain\n");
        bench_directory_remove();
        exit(1);
    }
}

static int usage(FILE *to, int status)
{
    fputs("usage: bench-emit [--quick]\n"
          "What a call costs the worker: one JSON object a line.\n"
          "GB_COLLECTOR: the path of gb-collector, for the figures with one.\n",
          to);
    return status;
}

/* `ring_full`: that alone, for the run in a process of its own. */
static int run(struct emit *emit, const char *self, bool ring_full)
{
    kinds_warm();
    int error = view_open(emit->directory, &emit->view);
    if (error) {
        fprintf(stderr, "bench-emit: no segment of this process in %s: %s\n", emit->directory, strerror(-error));
        return 1;
    }
    if (ring_full) {
        emit_ring_full(emit);
        return 0;
    }
    result_value((struct result){.part = "emit",
                                 .name = "clock_rate",
                                 .unit = "ticks/ns",
                                 .better = "none",
                                 .note = "ns x this = cycles of the clock register"},
                 emit->ticks_per_ns);
    emit_bursts(emit);
    emit_ring_full(emit);
    emit_ring_full_dropping(emit, self);
    emit_cold(emit);
    emit_tail(emit);
    emit_start(emit, self);
    emit_instructions(emit, self);
    return 0;
}

int main(int argc, char **argv)
{
    struct emit emit = {0};
    bool ring_full = false;
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"first-events", no_argument, NULL, 'f'}, /* of itself */
                                            {"count", no_argument, NULL, 'c'},
                                            {"ring-full", no_argument, NULL, 'r'},
                                            {0}};
    bench_clock_choose();
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'f')
            return emit_start_child();
        if (option == 'c')
            return emit_instructions_child();
        ring_full = ring_full || option == 'r';
        if (option != 'q' && option != 'r')
            return option == 'h' ? usage(stdout, 0) : usage(stderr, 2);
        emit.quick = emit.quick || option == 'q';
    }
    if (optind < argc)
        return usage(stderr, 2);
    emit.collector = ring_full ? NULL : bench_collector("emit", "with_a_collector");
    emit.directory = bench_directory();
    emit.ticks_per_ns = ticks_per_ns();
    cores(); /* before the pinning */
    pin_to(0);
    int status = run(&emit, "/proc/self/exe", ring_full);
    gb_shutdown();
    bench_directory_remove();
    return status;
}
