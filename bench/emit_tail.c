/* SPDX-License-Identifier: MIT */
/*
 * The tail of single scopes, beside that of two clock reads taken in turn with them: what the machine itself does to any code of
 * that length shows in both. Each call above 1 us is told by what happened meanwhile. See emit.h.
 *
 *   burst   10,000 in a row, past half a ring: with an idle collector one of them wakes it
 *   paced   100 every 100 us: a steady million a second
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/emit.h"
#include "bench/lost.h"
#include "bench/result.h"
#include "bench/ticks.h"

enum cause { PAGE_FAULT, WAKE, PREEMPTED, OTHER, CAUSES };
static const char *const cause_name[CAUSES] = {"page_fault", "wake", "preempted", "other"};
static const double limits[] = {1000, 10000};
#define LIMITS 2

struct tail {
    float *ns;
    size_t count, room;
    uint64_t over[LIMITS][CAUSES];
    uint64_t discarded; /* bursts */
};

/* What the kernel did to this thread. */
struct seen {
    long faults, switches;
};

static struct seen look(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct seen){usage.ru_minflt + usage.ru_majflt, usage.ru_nvcsw + usage.ru_nivcsw};
}

static uint32_t asleep(const struct emit *emit)
{
    return emit->view.bell ? __atomic_load_n(&emit->view.bell->asleep, __ATOMIC_RELAXED) : 0;
}

static void tell(struct tail *tail, double ns, struct seen *seen, bool woke)
{
    struct seen now = look();
    enum cause cause = now.switches != seen->switches ? PREEMPTED
                       : now.faults != seen->faults   ? PAGE_FAULT
                       : woke                         ? WAKE
                                                      : OTHER;
    *seen = now;
    for (int i = 0; i < LIMITS; i++)
        tail->over[i][cause] += ns > limits[i];
}

/* `calls` single calls, each between two stamps. */
static void run(const struct emit *emit, struct tail *tail, bool scope, int calls)
{
    struct seen seen = look();
    uint64_t last = ticks_now(), slow = (uint64_t)(limits[0] * emit->ticks_per_ns);
    float per_tick = (float)(1 / emit->ticks_per_ns);
    for (int i = 0; i < calls; i++) {
        uint32_t before = asleep(emit);
        if (scope) {
            GB_SCOPE ("tail")
                __asm__ volatile("" ::: "memory");
        } else {
            clock_now();
            __asm__ volatile("" ::: "memory");
            clock_now();
        }
        uint64_t now = ticks_now(), ticks = now - last;
        tail->ns[tail->count++] = (float)ticks * per_tick;
        if (__builtin_expect(ticks > slow, 0)) {
            tell(tail, (double)ticks / emit->ticks_per_ns, &seen, before && !asleep(emit));
            now = ticks_now();
        }
        last = now;
    }
}

/* A burst with a drop in it is none. */
static void run_clean(const struct emit *emit, struct tail *tail, bool scope, int calls)
{
    struct tail before = *tail;
    uint64_t dropped = bench_lost();
    run(emit, tail, scope, calls);
    if (bench_lost() != dropped) {
        *tail = before;
        tail->discarded++;
    }
}

static void run_paced(const struct emit *emit, struct tail *tail, bool scope, int calls)
{
    int64_t due = mono_now();
    for (int done = 0; done < calls; done += 100, due += 100000) {
        while (mono_now() < due) {
        }
        run_clean(emit, tail, scope, 100);
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_tail(struct tail *tail, const char *what, const char *load, int calls)
{
    static const double wanted[] = {0,     0.01,  0.05,   0.1,    0.25,    0.5,     0.75,     0.9,      0.95, 0.99,
                                    0.995, 0.999, 0.9995, 0.9999, 0.99995, 0.99999, 0.999995, 0.999999, 1};
    enum { WANTED = sizeof wanted / sizeof wanted[0] };
    double quantiles[WANTED][2];
    char name[64];
    qsort(tail->ns, tail->count, sizeof *tail->ns, compare);
    for (int i = 0; i < WANTED && tail->count; i++) {
        quantiles[i][0] = wanted[i];
        quantiles[i][1] = (double)tail->ns[(size_t)(wanted[i] * (double)(tail->count - 1))];
    }
    snprintf(name, sizeof name, "%s_distribution", what);
    result_print(&(struct result){.part = "emit",
                                  .name = name,
                                  .unit = "ns",
                                  .better = "none",
                                  .quantiles = (const double(*)[2])quantiles,
                                  .quantile_count = tail->count ? WANTED : 0,
                                  .calls_per_sample = (uint64_t)calls,
                                  .discarded = tail->discarded,
                                  .label = {{"load", load}},
                                  .note = "each with one clock read more, the stamp"});
    for (int limit = 0; limit < LIMITS; limit++) {
        uint64_t sum = 0;
        char floor[64];
        snprintf(name, sizeof name, "%s_over_%d_us", what, limit ? 10 : 1);
        snprintf(floor, sizeof floor, "floor_over_%d_us", limit ? 10 : 1);
        struct result result = {.part = "emit",
                                .name = name,
                                .unit = "share",
                                .calls_per_sample = tail->count,
                                .floor = strcmp(what, "floor") ? floor : NULL};
        for (int cause = 0; cause < CAUSES; cause++) {
            sum += tail->over[limit][cause];
            result.label[0] = (struct result_label){"load", load};
            result.label[1] = (struct result_label){"cause", cause_name[cause]};
            result_value(result, (double)tail->over[limit][cause] / (double)(tail->count ? tail->count : 1));
        }
        result.label[1].value = "any";
        result.note = limit ? NULL : "target: 0.0001 but for preemption; what the floor shows as well is the machine's";
        result_value(result, (double)sum / (double)(tail->count ? tail->count : 1));
    }
}

static void measure(const struct emit *emit, bool paced, size_t calls, int burst)
{
    struct tail tails[2] = {0}; /* floor, scope */
    for (int i = 0; i < 2; i++) {
        tails[i].room = calls + (size_t)burst;
        tails[i].ns = malloc(tails[i].room * sizeof(float));
        if (!tails[i].ns)
            exit(1);
        memset(tails[i].ns, 1,
               tails[i].room * sizeof(float)); /* so that its pages are there; zeros would come from calloc */
    }
    for (size_t done = 0; done < calls; done += (size_t)burst) {
        for (int i = 0; i < 2; i++)
            (paced ? run_paced : run_clean)(emit, &tails[i], i == 1, burst);
        emit_drain(emit, true);
    }
    print_tail(&tails[0], "floor", paced ? "paced" : "burst", burst);
    print_tail(&tails[1], "scope", paced ? "paced" : "burst", burst);
    free(tails[0].ns);
    free(tails[1].ns);
}

void emit_tail(const struct emit *emit)
{
    if (!emit->collector)
        return;
    fprintf(stderr, "bench-emit: the tail\n");
    pid_t pid = collector_spawn(emit->collector, "summary:path=/dev/null", cores() > 1 ? 1 : -1);
    if (!pid)
        exit(1);
    struct emit with_bell = *emit;
    view_open(emit->directory, &with_bell.view);
    measure(&with_bell, false, emit->quick ? 1000000 : 6000000, 10000);
    measure(&with_bell, true, emit->quick ? 1000000 : 6000000, 100000);
    collector_end(pid);
}
