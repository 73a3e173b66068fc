/* SPDX-License-Identifier: MIT */
/*
 * A thousand workers at once, far more than cores: each emits 100 scopes, sleeps, and so on. What a scope costs then, what the
 * collector takes an event, and whether all arrived: attempted by the workers' own account, delivered by the collector's. See scale.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/crew.h"
#include "bench/kinds.h"
#include "bench/lost.h"
#include "bench/result.h"
#include "bench/scale.h"
#include "bench/ticks.h"

#define CALLS 100
#define TURNS 10
#define WARM 2
#define PAUSE_NS 50000000

struct told {
    double ns[TURNS];
    uint64_t attempted, dropped;
};

static void member(struct crew *crew, int number)
{
    struct told *told = (struct told *)crew->shared + number;
    const struct kind *scope = kind_named("scope");
    struct gb_stats stats;
    for (int turn = -WARM; turn < TURNS; turn++) {
        /* spread, as workers are that know nothing of each other */
        struct timespec pause = {.tv_nsec = PAUSE_NS / 2 + (long)((unsigned)number * 7919u % PAUSE_NS) / 2};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        int64_t start = scale_cpu_now();
        scope->run(CALLS);
        if (turn >= 0)
            told->ns[turn] = (double)(scale_cpu_now() - start) / CALLS;
    }
    crew_meet(crew); /* all are alive at once */
    if (crew->processes || number == 0) {
        gb_stats(&stats);
        told->attempted = stats.attempted;
        told->dropped = bench_lost();
    }
}

/* Threads of a process of their own, so that its account holds nothing else. What they wrote goes out through `outer`. */
static void with_threads(struct crew *outer, int number)
{
    struct crew crew;
    (void)number;
    crew_make(&crew, (int)(outer->bytes / sizeof(struct told)), false, outer->bytes);
    crew_run(&crew, member);
    memcpy(outer->shared, crew.shared, outer->bytes);
}

static void print(const struct told *told, int members, bool processes, double wall, double cpu, double delivered)
{
    struct samples samples = {0};
    uint64_t attempted = 0, dropped = 0;
    char note[128];
    for (int i = 0; i < members; i++) {
        for (int turn = 0; turn < TURNS; turn++)
            samples_add(&samples, told[i].ns[turn]);
        attempted += told[i].attempted;
        dropped += told[i].dropped;
    }
    snprintf(note, sizeof note, "%llu attempted = %.0f delivered + %llu dropped%s", (unsigned long long)attempted,
             delivered, (unsigned long long)dropped, (double)(attempted - dropped) == delivered ? "" : ": MISMATCH");
    struct result result = {.part = "scale",
                            .name = processes ? "crowd_processes_scope" : "crowd_threads_scope",
                            .unit = "cpu_ns",
                            .samples = &samples,
                            .calls_per_sample = CALLS,
                            .drops = dropped,
                            .x = members,
                            .x_name = processes ? "processes" : "threads",
                            .note = note};
    result_print(&result);
    result.name = processes ? "crowd_processes_collector" : "crowd_threads_collector";
    result.note = "CPU of the collector for an event, attaching included";
    result.drops = 0;
    result_value(result, delivered > 0 ? cpu * 1e9 / delivered : -1);
    result.name = processes ? "crowd_processes_wall" : "crowd_threads_wall";
    result.unit = "s";
    result.note = "from the first start until the collector has told all and ended";
    result_value(result, wall);
    samples_free(&samples);
}

static void measure(const struct scale *scale, int members, bool processes)
{
    struct crew crew;
    uint64_t attempted = 0, lost = 0;
    char path[160], reporter[200];
    fprintf(stderr, "bench-scale: a crowd of %d %s\n", members, processes ? "processes" : "threads");
    snprintf(path, sizeof path, "%s/envelope.json", scale->directory);
    snprintf(reporter, sizeof reporter, "summary:format=json,interval=0,path=%s", path);
    pid_t pid = collector_spawn(scale->collector, reporter, -1);
    if (!pid)
        exit(1);
    crew_make(&crew, processes ? members : 1, true, (size_t)members * sizeof(struct told));
    int64_t start = mono_now();
    int failed = crew_run(&crew, processes ? member : with_threads);
    double cpu = collector_end(pid), wall = (double)(mono_now() - start) * 1e-9;
    if (ledger_in(path, &attempted, &lost))
        failed++;
    if (failed)
        result_skipped("scale", processes ? "crowd_processes_scope" : "crowd_threads_scope",
                       "a process failed, or told no ledger");
    else
        print(crew.shared, members, processes, wall, cpu, (double)(attempted - lost));
    crew_free(&crew);
    remove(path);
}

void scale_crowd(const struct scale *scale)
{
    int members = scale->quick ? 200 : 1000;
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "65536", 1); /* a thousand segments at once */
    measure(scale, members, true);
    unsetenv("GEMINI_BATCH_TELEMETRY_RING_BYTES");
    setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "1073741824", 1); /* a ring for each of a thousand threads */
    measure(scale, members, false);
    unsetenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES");
}
