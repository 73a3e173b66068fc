/* SPDX-License-Identifier: MIT */
/*
 * What a row of `sqlite` costs: ns per event, of its thread's CPU and of the clock on the wall, checkpoints of the WAL included. In: batches
 * made here, as many to a flush as the collector gives under load; a directory (default: /tmp). Out: a table; the spread of
 * repeated passes, and the bytes that an event takes in the database. Aim: at most 1.8 us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/stats.h"
#include "collector/options.h"
#include "collector/reporters/builtin.h"

#define RUNS 16
#define RUN_EVENTS 64
#define FILL_EVENTS (RUNS * RUN_EVENTS)
#define FLUSH_BATCHES 64 /* reporter_work.c flushes after so many */
#define FLUSHES 3
#define PASS_EVENTS (FLUSHES * FLUSH_BATCHES * FILL_EVENTS)
#define REPEATS 9

enum mix { PLAIN, ATTRIBUTES, GAUGES, MIXES };
static const char *const mix_names[MIXES] = {"timing", "timing, 2 attributes", "gauge"};

static struct gb_run runs[RUNS];
static struct gb_event events[RUNS][RUN_EVENTS];
static struct gb_path paths[8];
static char texts[8][32];
static const struct gb_event_key keys[2] = {{0, 10, "batch_size"}, {1, 5, "model"}};
static const struct gb_event_attr attrs[2] = {{&keys[0], {.type = GB_VALUE_INT, .as.i = 16}},
                                              {&keys[1], {.type = GB_VALUE_TEXT, .length = 5, .as.text = "flash"}}};
static const struct gb_worker worker = {.pid = 4711,
                                        .program = "batch",
                                        .service = "batch",
                                        .host = "node-1",
                                        .segment = "9f0123456789abcdef0123456789abcd",
                                        .clock = "tsc"};
static uint64_t next_seq;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void make_paths(void)
{
    for (uint32_t i = 0; i < 8; i++) {
        int length = snprintf(texts[i], sizeof(texts[i]), i ? "step%u" : "pipeline", i);
        paths[i] = (struct gb_path){
            .id = i, .text = texts[i], .name = texts[i], .length = (uint32_t)length, .name_length = (uint32_t)length};
    }
}

static void fill_event(struct gb_event *event, enum mix mix, uint64_t seq)
{
    *event = (struct gb_event){.kind = mix == GAUGES ? GB_EVENT_GAUGE : GB_EVENT_TIMING,
                               .seq = seq,
                               .path = &paths[seq % 8],
                               .call_count = seq + 1,
                               .start_mono_ns = 81200000000 + (int64_t)seq * 977,
                               .start_wall_ns = 1795365682503888889 + (int64_t)seq * 977};
    if (mix == GAUGES)
        event->as.value = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = 1.0 / (double)(seq + 3)};
    else
        event->as.duration_ns = 1234567 + (int64_t)(seq * 7919 % 1000003);
    if (mix == ATTRIBUTES) {
        event->attr_count = 2;
        event->attrs = attrs;
    }
}

/* The next batch of four rings, whose runs take turns. */
static struct gb_batch fill(enum mix mix)
{
    for (uint32_t r = 0; r < RUNS; r++) {
        uint64_t first = next_seq + r / 4 * RUN_EVENTS;
        for (uint32_t i = 0; i < RUN_EVENTS; i++)
            fill_event(&events[r][i], mix, first + i);
        runs[r] = (struct gb_run){.worker = &worker,
                                  .ring = r % 4,
                                  .ring_known = 1,
                                  .tid = 4712 + r % 4,
                                  .thread = "worker-1",
                                  .lease = 1,
                                  .first_seq = first,
                                  .next_seq = first + RUN_EVENTS,
                                  .events = events[r],
                                  .count = RUN_EVENTS};
    }
    next_seq += RUNS / 4 * RUN_EVENTS;
    return (struct gb_batch){.runs = runs, .run_count = RUNS, .event_count = FILL_EVENTS};
}

static int pass(void *self, enum mix mix, double *ret_cpu, double *ret_wall)
{
    int64_t cpu = 0, wall = 0;

    for (int f = 0; f < FLUSHES; f++) {
        int error = 0;
        for (int b = 0; b <= FLUSH_BATCHES; b++) {
            const struct gb_batch batch = b < FLUSH_BATCHES ? fill(mix) : (struct gb_batch){0};
            int64_t cpu_before = clock_ns(CLOCK_THREAD_CPUTIME_ID), before = clock_ns(CLOCK_MONOTONIC);
            if (b < FLUSH_BATCHES)
                gb_reporter_sqlite.record_batch(self, &batch);
            else
                error = gb_reporter_sqlite.flush(self);
            cpu += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
            wall += clock_ns(CLOCK_MONOTONIC) - before;
        }
        if (error)
            return error;
    }
    *ret_cpu = (double)cpu / PASS_EVENTS;
    *ret_wall = (double)wall / PASS_EVENTS;
    return 0;
}

static __attribute__((format(printf, 2, 3))) void say(void *collector, const char *format, ...)
{
    (void)collector;
    (void)format;
}

static void count_drop(void *collector, const char *cause, uint64_t count)
{
    (void)collector;
    fprintf(stderr, "%llu events: %s\n", (unsigned long long)count, cause);
}

static int measure(void *self, const char *more, enum mix mix)
{
    double cpu[REPEATS], wall[REPEATS];
    double ignored;

    int error = pass(self, mix, &ignored, &ignored);
    for (int i = 0; i < REPEATS && !error; i++)
        error = pass(self, mix, &cpu[i], &wall[i]);
    if (error)
        return error;
    struct spread spread = spread_of(cpu, REPEATS), waited = spread_of(wall, REPEATS);
    printf("%-16s %-22s %7.0f %7.0f %7.0f %9.0f", more + 1, mix_names[mix], spread.p10, spread.p50, spread.p90,
           waited.p50);
    return 0;
}

static int bench(const char *directory, const char *more, enum mix mix)
{
    char options[600], path[512], error[256];
    struct reporter_spec spec;
    struct stat status;
    void *self;

    snprintf(path, sizeof(path), "%s/bench-sqlite.db", directory);
    snprintf(options, sizeof(options), "sqlite:path=%s%s", path, more);
    if (reporter_spec_parse(options, &spec, error, sizeof(error))) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    const struct gb_reporter_setup setup = {
        .name = "sqlite", .options = spec.values, .host = "node-1", .say = say, .count_drop = count_drop};
    int result = gb_reporter_sqlite.open(&setup, &self);
    if (!result) {
        result = measure(self, more, mix);
        gb_reporter_sqlite.close(self);
    }
    if (!result && !stat(path, &status))
        printf(" %9.1f\n", (double)status.st_size / (PASS_EVENTS * (REPEATS + 1.0)));
    unlink(path);
    reporter_spec_clear(&spec);
    if (result)
        fprintf(stderr, "bench-sqlite: %s: %s\n", path, strerror(-result));
    return result;
}

int main(int argc, char **argv)
{
    char directory[256];
    int failed = 0;

    snprintf(directory, sizeof(directory), "%s/gb-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(directory)) {
        perror(directory);
        return 1;
    }
    make_paths();
    printf("%-16s %-22s %7s %7s %7s %9s %9s\n%-16s %-22s %25s %9s %9s\n", "options", "events", "p10", "p50", "p90",
           "wall p50", "bytes", "", "", "ns of CPU an event", "ns", "an event");
    for (int mix = 0; mix < MIXES; mix++)
        failed |= bench(directory, ",max_size=0", (enum mix)mix);
    failed |= bench(directory, ",max_size=64MiB", PLAIN);
    rmdir(directory);
    return failed != 0;
}
