/* SPDX-License-Identifier: MIT */
/*
 * What a scope costs that finds its ring full: nobody drains. It is folded into the totals of its path (the default), or dropped, as
 * GEMINI_BATCH_TELEMETRY_OVERFLOW says, which holds for a process: the second one is this program run again. See emit.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/emit.h"
#include "bench/kinds.h"
#include "bench/lost.h"
#include "bench/result.h"
#include "bench/ticks.h"

static double burst(const struct emit *emit, const struct kind *kind)
{
    uint64_t start = ticks_now();
    kind->run(EMIT_BURST);
    return (double)(ticks_now() - start) / emit->ticks_per_ns / EMIT_BURST;
}

void emit_ring_full(const struct emit *emit)
{
    const struct kind *scope = kind_named("scope"), *two = kind_named(FLOOR_TWO);
    const char *overflow = getenv("GEMINI_BATCH_TELEMETRY_OVERFLOW");
    struct samples samples = {0}, floor = {0};
    for (uint64_t i = 0; i <= emit->view.mask; i += EMIT_BURST)
        scope->run(EMIT_BURST);
    uint64_t before = bench_lost();
    for (int round = 0, rounds = emit->quick ? 300 : 1500; round < rounds; round++) {
        samples_add(&floor, burst(emit, two));
        samples_add(&samples, burst(emit, scope));
    }
    struct result result = {.part = "emit",
                            .name = "floor_of_ring_full",
                            .unit = "ns",
                            .samples = &floor,
                            .calls_per_sample = EMIT_BURST,
                            .label = {{"overflow", overflow ? overflow : "fold"}},
                            .note = "two clock reads"};
    result_print(&result);
    result.floor = result.name;
    result.name = "ring_full";
    result.samples = &samples;
    result.drops = bench_lost() - before;
    result.note = overflow ? "a scope that finds no room and is counted as dropped"
                           : "a scope that finds no room and is folded into the totals of its path";
    result_print(&result);
    samples_free(&samples);
    samples_free(&floor);
    emit_drain(emit, false);
}

void emit_ring_full_dropping(const struct emit *emit, const char *self)
{
    static char line[1 << 16];
    char command[4200], path[4096];
    ssize_t length = readlink(self, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    snprintf(command, sizeof command, "GEMINI_BATCH_TELEMETRY_OVERFLOW=drop exec '%s' --ring-full%s", path,
             emit->quick ? " --quick" : "");
    fflush(stdout);
    FILE *out = popen(command, "r");
    while (out && fgets(line, sizeof line, out))
        fputs(line, stdout);
    if (!out || pclose(out) != 0)
        result_skipped("emit", "ring_full", "the process that drops failed");
    fflush(stdout);
}
