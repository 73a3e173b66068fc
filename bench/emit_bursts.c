/* SPDX-License-Identifier: MIT */
/*
 * Bursts below half a ring, all kinds in turn, drained in between; a burst with a drop in it is thrown away. The lower decile of the
 * bursts shows the machine's quiet phases, the median what it is like most of the time. See emit.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/emit.h"
#include "bench/kinds.h"
#include "bench/lost.h"
#include "bench/result.h"
#include "bench/ticks.h"

struct row {
    struct samples samples;
    uint64_t discarded;
};

/* ns a call, or negative: events were dropped. */
static double burst(const struct emit *emit, const struct kind *kind)
{
    uint32_t state = gb_switch_.state;
    uint64_t before = bench_lost();
    if (kind->disabled)
        gb_switch_.state = GB_OFF_;
    uint64_t start = ticks_now();
    kind->run(EMIT_BURST);
    uint64_t ticks = ticks_now() - start;
    gb_switch_.state = state;
    return bench_lost() == before ? (double)ticks / emit->ticks_per_ns / EMIT_BURST : -1;
}

static void print_row(const struct kind *kind, struct row *row, const char *phase)
{
    result_print(&(struct result){.part = "emit",
                                  .name = kind->name,
                                  .unit = "ns",
                                  .samples = &row->samples,
                                  .calls_per_sample = EMIT_BURST,
                                  .discarded = row->discarded,
                                  .floor = kind->floor,
                                  .label = {{"collector", phase}},
                                  .note = kind->note});
    samples_free(&row->samples);
}

/* `collector`: gb-collector drains; otherwise the bench moves head itself, after each burst, unless somebody else does. */
static void phase(const struct emit *emit, const char *name, int rounds, bool collector)
{
    struct row *rows = calloc(kind_count, sizeof *rows);
    if (!rows)
        exit(1);
    for (int round = -rounds / 10 - 1; round < rounds; round++) {
        for (size_t i = 0; i < kind_count; i++) {
            double ns = burst(emit, &kinds[i]);
            if (kinds[i].emits)
                emit_drain(emit, collector);
            if (round < 0)
                continue;
            if (ns < 0)
                rows[i].discarded++;
            else
                samples_add(&rows[i].samples, ns);
        }
    }
    for (size_t i = 0; i < kind_count; i++)
        print_row(&kinds[i], &rows[i], name);
    free(rows);
}

void emit_bursts(const struct emit *emit)
{
    int rounds = emit->quick ? 400 : 1500;
    fprintf(stderr, "bench-emit: no collector\n");
    phase(emit, "none", rounds, false);
    if (emit->collector && cores() > 1) {
        fprintf(stderr, "bench-emit: a greedy collector\n");
        pid_t pid = greedy_start(&emit->view, 1);
        phase(emit, "greedy", rounds / 4, false);
        greedy_end(pid);
    } else {
        result_skipped("emit", "scope", "a greedy collector takes a core of its own");
    }
    if (!emit->collector)
        return;
    fprintf(stderr, "bench-emit: gb-collector drains\n");
    pid_t pid = collector_spawn(emit->collector, "summary:path=/dev/null", cores() > 1 ? 1 : -1);
    if (!pid)
        exit(1);
    phase(emit, "lazy", rounds, true);
    collector_end(pid);
}
