/* SPDX-License-Identifier: MIT */
/*
 * The same burst on 1..n workers at once: all start together, then all wait for the collector. Beside it the floor, in the same rounds.
 * A burst with a drop in it is thrown away. Each member writes into its own part of the shared memory. See scale.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/crew.h"
#include "bench/kinds.h"
#include "bench/lost.h"
#include "bench/result.h"
#include "bench/scale.h"

#define BURST 7000 /* below half of a ring of 1 MiB */
#define ROUNDS_MOST 30
#define WARM 3

struct figures {
    double floor[ROUNDS_MOST], scope[ROUNDS_MOST]; /* CPU ns a call; negative: dropped */
};

static int rounds;

static double cpu_of_burst(const struct kind *kind)
{
    int64_t start = scale_cpu_now();
    kind->run(BURST);
    return (double)(scale_cpu_now() - start) / BURST;
}

static void member(struct crew *crew, int number)
{
    struct figures *figures = (struct figures *)crew->shared + number;
    const struct kind *two = kind_named(FLOOR_TWO), *scope = kind_named("scope");
    if (crew->members <= cores())
        pin_to(number);
    scope->run(1);
    for (int round = -WARM; round < rounds; round++) {
        crew_meet(crew);
        double floor = cpu_of_burst(two);
        crew_meet(crew);
        uint64_t dropped = bench_lost();
        double ns = cpu_of_burst(scope);
        bool clean = bench_lost() == dropped;
        crew_meet(crew);
        clean = gb_flush(10000) == 0 && clean;
        if (round >= 0) {
            figures->floor[round] = floor;
            figures->scope[round] = clean ? ns : -1;
        }
    }
}

/* One point of the curve, gathered over all passes. */
struct point {
    int members;
    bool processes;
    struct samples floor, scope;
    uint64_t discarded;
};

static void gather(struct point *point)
{
    struct crew crew;
    crew_make(&crew, point->members, point->processes, (size_t)point->members * sizeof(struct figures));
    crew_run(&crew, member);
    const struct figures *figures = crew.shared;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < crew.members; i++) {
            samples_add(&point->floor, figures[i].floor[round]);
            if (figures[i].scope[round] < 0)
                point->discarded++;
            else
                samples_add(&point->scope, figures[i].scope[round]);
        }
    }
    crew_free(&crew);
}

static void print_point(struct point *point)
{
    struct result result = {.part = "scale",
                            .name = point->processes ? "floor_processes" : "floor_threads",
                            .unit = "cpu_ns",
                            .samples = &point->floor,
                            .calls_per_sample = BURST,
                            .x = point->members,
                            .x_name = point->processes ? "processes" : "threads",
                            .label = {{"cores", point->members <= cores() ? "enough" : "oversubscribed"}},
                            .note = "two clock reads"};
    result_print(&result);
    result.floor = result.name;
    result.name = point->processes ? "scope_processes" : "scope_threads";
    result.samples = &point->scope;
    result.discarded = point->discarded;
    result.note = point->members < cores() ? "target: flat within 10 %" : NULL;
    result_print(&result);
    samples_free(&point->floor);
    samples_free(&point->scope);
}

/* 1, 2, 4, ... below the cores, all but one, all, twice and four times as many. */
static size_t points(struct point *ret_points, bool processes)
{
    size_t count = 0;
    int n = cores();
    for (int members = 1; members < n; members *= 2)
        ret_points[count++] = (struct point){.members = members, .processes = processes};
    if (n > 3 && ((n - 1) & (n - 2)) != 0)
        ret_points[count++] = (struct point){.members = n - 1, .processes = processes};
    for (int times = 1; times <= 4; times *= 2)
        ret_points[count++] = (struct point){.members = times * n, .processes = processes};
    return count;
}

void scale_curve(const struct scale *scale)
{
    struct point point[64];
    size_t count = points(point, true);
    count += points(point + count, false);
    int passes = scale->quick ? 4 : 8; /* the machine's phases last longer than one point */
    rounds = scale->quick ? 15 : ROUNDS_MOST;
    pid_t pid = collector_spawn(scale->collector, "summary:path=/dev/null", -1);
    if (!pid)
        exit(1);
    for (int pass = 0; pass < passes; pass++) {
        fprintf(stderr, "bench-scale: 1 to %d workers, pass %d of %d\n", 4 * cores(), pass + 1, passes);
        for (size_t i = 0; i < count; i++)
            gather(&point[i]);
    }
    for (size_t i = 0; i < count; i++)
        print_point(&point[i]);
    collector_end(pid);
}
