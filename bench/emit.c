/* SPDX-License-Identifier: MIT */
/*
 * What a call costs the worker. In: nothing. Out: a table: ns per call of each kind, beside the floor (one and two clock reads)
 * measured in the same run, with no collector and with one draining.
 *
 * Method: bursts below half a ring, in turn (floor, disabled, counter, ...), drained in between; a burst with a drop in it is
 * thrown away. The lower decile of the bursts shows the machine's quiet phases, the median what it is like most of the time.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/stats.h"
#include "gb/wire.h"
#include "lib/process.h"
#include "lib/thread.h"

#define BURST 2000
#define NOINLINE __attribute__((noinline))

static uint64_t sink;

static NOINLINE void floor_one(int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += __rdtsc();
    sink += sum;
}

static NOINLINE void floor_two(int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        uint64_t start = __rdtsc();
        __asm__ volatile("" ::: "memory");
        sum += __rdtsc() - start;
    }
    sink += sum;
}

static NOINLINE void scope(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope")
            __asm__ volatile("" ::: "memory");
}

static NOINLINE void scope_3(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_3", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u))
            __asm__ volatile("" ::: "memory");
}

static NOINLINE void scope_8(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_8", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u), GB_KV("d", 4), GB_KV("e", 5),
                  GB_KV("f", 6), GB_KV("g", 7), GB_KV("h", 8))
            __asm__ volatile("" ::: "memory");
}

static NOINLINE void scope_text(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_text", GB_KV("model", "a-model-name"))
            __asm__ volatile("" ::: "memory");
}

static NOINLINE void nested_4(int n)
{
    for (int i = 0; i < n; i += 4)
        GB_SCOPE ("n1")
            GB_SCOPE ("n2")
                GB_SCOPE ("n3")
                    GB_SCOPE ("n4")
                        __asm__ volatile("" ::: "memory");
}

static void nest(int depth)
{
    GB_SCOPE ("level") {
        if (depth > 1)
            nest(depth - 1);
    }
}

static NOINLINE void nested_16(int n)
{
    for (int i = 0; i < n; i += 16)
        nest(16);
}

static NOINLINE void nested_40(int n)
{
    for (int i = 0; i < n; i += 40)
        nest(40);
}

static NOINLINE void counter(int n)
{
    for (int i = 0; i < n; i++)
        GB_COUNT("counter", 3);
}

static NOINLINE void gauge(int n)
{
    for (int i = 0; i < n; i++)
        GB_GAUGE("gauge", 0.92);
}

static NOINLINE void span(int n)
{
    for (int i = 0; i < n; i++) {
        struct gb_span fetch = GB_BEGIN("span");
        gb_end(&fetch);
    }
}

enum floor_kind { NO_FLOOR, ONE_READ, TWO_READS };
static const struct row {
    const char *name;
    void (*run)(int n);
    enum floor_kind floor;
    bool disabled;
    double target; /* ratio to the floor, lower decile; 0: none is stated. Of disabled: ns */
} rows[] = {
    {"one clock read", floor_one, NO_FLOOR, false, 0},
    {"two clock reads", floor_two, NO_FLOOR, false, 0},
    {"scope, disabled", scope, NO_FLOOR, true, 0.7},
    {"counter, disabled", counter, NO_FLOOR, true, 0.7},
    {"counter", counter, ONE_READ, false, 1.30},
    {"gauge", gauge, ONE_READ, false, 1.30},
    {"scope", scope, TWO_READS, false, 1.10},
    {"scope, 3 attributes", scope_3, TWO_READS, false, 1.25},
    {"scope, 8 attributes", scope_8, TWO_READS, false, 0},
    {"scope, a text", scope_text, TWO_READS, false, 0},
    {"scopes nested 4 deep", nested_4, TWO_READS, false, 0},
    {"scopes nested 16 deep", nested_16, TWO_READS, false, 0},
    {"scopes nested 40 deep", nested_40, TWO_READS, false, 0},
    {"span (GB_BEGIN)", span, TWO_READS, false, 0},
};
#define ROWS (sizeof rows / sizeof rows[0])

static double ticks_per_ns;

static void calibrate(void)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t start = __rdtsc();
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < 50000000);
    ticks_per_ns = (double)(__rdtsc() - start) / (double)((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec);
}

static uint64_t dropped(void)
{
    struct gb_stats stats;
    uint64_t sum = 0;
    gb_stats(&stats);
    for (int i = 0; i < GB_CAUSES_; i++)
        sum += stats.dropped[i];
    return sum;
}

/* Without a collector the bench itself moves head: what a call costs when nobody touches the ring. */
static void drain(bool collector)
{
    if (collector) {
        if (gb_flush(5000) != 0) {
            fprintf(stderr, "gb bench: the collector does not drain\n");
            exit(1);
        }
        return;
    }
    struct gb_thread *self = gb_self;
    if ((uintptr_t)self > 1)
        __atomic_store_n(&((struct gbw_consumer *)(uintptr_t)self->consumer)->head, self->tail, __ATOMIC_RELEASE);
}

/* ns per call, or a negative number when events were dropped. */
static double burst(const struct row *row, bool collector)
{
    uint32_t state = gb_switch_.state;
    if (row->disabled)
        gb_switch_.state = GB_OFF_;
    uint64_t before = dropped(), start = __rdtsc();
    row->run(BURST);
    uint64_t ticks = __rdtsc() - start;
    gb_switch_.state = state;
    bool clean = dropped() == before;
    drain(collector);
    return clean ? (double)ticks / ticks_per_ns / BURST : -1;
}

static int table(const char *title, int rounds, bool collector)
{
    static double sample[ROWS][100000], sorted[100000];
    size_t counts[ROWS] = {0}, thrown = 0;
    struct spread spread[ROWS];
    int missed = 0;

    for (int round = -rounds / 10; round < rounds; round++) {
        for (size_t i = 0; i < ROWS; i++) {
            double ns = burst(&rows[i], collector);
            if (ns < 0)
                thrown++;
            else if (round >= 0)
                sample[i][counts[i]++] = ns;
        }
        if (round % 100 == 0)
            fprintf(stderr, "\r%s: round %d of %d ", title, round < 0 ? 0 : round, rounds);
    }
    fprintf(stderr, "\r%*s\r", 70, "");
    for (size_t i = 0; i < ROWS; i++) {
        memcpy(sorted, sample[i], counts[i] * sizeof *sorted);
        spread[i] = spread_of(sorted, counts[i]);
    }
    printf("\n%s: %d bursts of %d calls each; thrown away for a drop: %zu\n", title, rounds, BURST, thrown);
    printf("%-24s %8s %8s %8s  %-21s %s\n", "ns a call", "p10", "median", "p90", "ratio p10 (median)", "target");
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        printf("%-24s %8.2f %8.2f %8.2f  ", row->name, spread[i].p10, spread[i].p50, spread[i].p90);
        double judged = row->disabled ? spread[i].p10 : 0;
        if (row->floor != NO_FLOOR) {
            const struct spread *base = &spread[row->floor == ONE_READ ? 0 : 1];
            judged = spread[i].p10 / base->p10;
            printf("%6.2f (%.2f)        ", judged, spread[i].p50 / base->p50);
        } else {
            printf("%-22s", "");
        }
        if (row->target > 0) {
            printf("<= %.2f%s %s", row->target, row->disabled ? " ns" : "", judged <= row->target ? "met" : "MISSED");
            missed += judged > row->target;
        }
        printf("\n");
    }
    return missed;
}

int main(int argc, char **argv)
{
    const char *program = NULL;
    int rounds = 2000, option;
    static const struct option options[] = {{"collector", required_argument, NULL, 'c'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    while ((option = getopt_long(argc, argv, "c:r:h", options, NULL)) != -1) {
        if (option == 'c')
            program = optarg;
        else if (option == 'r' && atoi(optarg) > 0 && atoi(optarg) <= 100000)
            rounds = atoi(optarg);
        else {
            fprintf(option == 'h' ? stdout : stderr,
                    "usage: emit [--collector PATH_OF_GB_COLLECTOR] [--rounds N]   (N: 1 to 100000, default 2000)\n"
                    "ns per call of the library, without and with a collector that drains.\n");
            return option == 'h' ? 0 : 2;
        }
    }
    bench_directory();
    calibrate();
    pin_to(0);
    for (size_t i = 0; i < ROWS; i++)
        rows[i].run(BURST); /* names interned, pages touched */
    int missed = table("no collector", rounds, false);
    if (program) {
        pid_t pid = collector_spawn(program, "summary:path=/dev/null", cores() > 1 ? 1 : -1);
        if (!pid) {
            bench_directory_remove();
            return 1;
        }
        missed += table("collector draining", rounds, true);
        printf("collector: %.2f s of CPU\n", collector_end(pid));
    }
    printf("\n%s\n", missed ? "some targets were missed in this run" : "all targets were met in this run");
    gb_shutdown();
    bench_directory_remove();
    return 0;
}
