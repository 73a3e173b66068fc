/* SPDX-License-Identifier: MIT */
/*
 * What a line of `log` costs: ns of its thread per event, for each format, with its output thrown away. In: batches made once, as
 * the drain makes them (runs of 64 events: timings without and with two attributes, counters, computed gauges). Out: a
 * table; the median and the spread of repeated passes.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/stats.h"
#include "collector/options.h"
#include "collector/reporters/builtin.h"

#define RUNS 16
#define RUN_EVENTS 64
#define BATCHES 200
#define REPEATS 15

static struct gb_run runs[RUNS];
static struct gb_event events[RUNS][RUN_EVENTS];
static struct gb_path paths[8];
static char texts[8][64];
static const struct gb_event_key keys[2] = {{0, 10, "batch_size"}, {1, 5, "model"}};
static struct gb_event_attr attrs[2] = {{&keys[0], {.type = GB_VALUE_INT, .as.i = 16}},
                                        {&keys[1], {.type = GB_VALUE_TEXT, .length = 5, .as.text = "flash"}}};
static const struct gb_worker worker = {.pid = 4711,
                                        .program = "batch",
                                        .service = "batch",
                                        .host = "node-1",
                                        .segment = "9f0123456789abcdef0123456789abcd",
                                        .clock = "tsc"};

enum mix { PLAIN, ATTRIBUTES, GAUGES, MIXES };
static const char *const mix_names[MIXES] = {"timing", "timing, 2 attributes", "computed gauge"};

static void fill_event(struct gb_event *event, enum mix mix, uint64_t i)
{
    *event = (struct gb_event){.kind = mix == GAUGES ? GB_EVENT_GAUGE : GB_EVENT_TIMING,
                               .seq = i,
                               .path = &paths[i % 8],
                               .call_count = i + 1,
                               .start_mono_ns = 81200000000 + (int64_t)i * 977,
                               .start_wall_ns = 1795365682503888889 + (int64_t)i * 977};
    if (mix == GAUGES)
        event->as.value = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = 1.0 / (double)(i + 3)};
    else
        event->as.duration_ns = 1234567 + (int64_t)(i * 7919 % 1000003);
    if (mix == ATTRIBUTES) {
        event->attr_count = 2;
        event->attrs = attrs;
    }
}

static void fill(enum mix mix)
{
    for (uint32_t i = 0; i < 8; i++) {
        int length = snprintf(texts[i], sizeof(texts[i]), "my.pipeline.step%u", i);
        paths[i] = (struct gb_path){.id = i, .depth = 1, .text = texts[i], .length = (uint32_t)length};
        paths[i].parent = i ? &paths[0] : NULL;
    }
    for (uint32_t r = 0; r < RUNS; r++) {
        for (uint32_t i = 0; i < RUN_EVENTS; i++)
            fill_event(&events[r][i], mix, r / 4 * RUN_EVENTS + i);
        runs[r] = (struct gb_run){.worker = &worker,
                                  .ring = r % 4,
                                  .ring_known = 1,
                                  .tid = 4712 + r % 4,
                                  .thread = "worker-1",
                                  .lease = 1,
                                  .events = events[r],
                                  .count = RUN_EVENTS};
    }
}

static double thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double pass(void *log)
{
    const struct gb_batch batch = {.runs = runs, .run_count = RUNS, .event_count = RUNS * RUN_EVENTS};
    double before = thread_ns();
    for (int i = 0; i < BATCHES; i++)
        gb_reporter_log.record_batch(log, &batch);
    gb_reporter_log.flush(log);
    return (thread_ns() - before) / (BATCHES * RUNS * RUN_EVENTS);
}

static __attribute__((format(printf, 2, 3))) void say(void *collector, const char *format, ...)
{
    (void)collector;
    fprintf(stderr, "log: %s\n", format);
}

static void count_drop(void *collector, const char *cause, uint64_t count)
{
    (void)collector;
    fprintf(stderr, "%llu events dropped: %s\n", (unsigned long long)count, cause);
}

static int bench(const char *options, enum mix mix)
{
    struct reporter_spec spec;
    char error[256];
    double ns[REPEATS];
    void *log;

    if (reporter_spec_parse(options, &spec, error, sizeof(error))) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    const struct gb_reporter_setup setup = {
        .name = "log", .options = spec.values, .host = "node-1", .say = say, .count_drop = count_drop};
    if (gb_reporter_log.open(&setup, &log))
        return 1;
    fill(mix);
    pass(log);
    for (int i = 0; i < REPEATS; i++)
        ns[i] = pass(log);
    struct spread spread = spread_of(ns, REPEATS);
    printf("%-50s %-22s %7.1f %7.1f %7.1f\n", options, mix_names[mix], spread.p10, spread.p50, spread.p90);
    gb_reporter_log.close(log);
    reporter_spec_clear(&spec);
    return 0;
}

int main(void)
{
    static const char *const formats[] = {"log:path=/dev/null", "log:path=/dev/null,fields=compact",
                                          "log:path=/dev/null,format=logfmt",
                                          "log:path=/dev/null,format=logfmt,fields=compact"};
    int failed = 0;

    printf("%-50s %-22s %7s %7s %7s  ns of CPU a line\n", "reporter", "events", "p10", "p50", "p90");
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        for (int mix = 0; mix < MIXES; mix++)
            failed |= bench(formats[i], (enum mix)mix);
    return failed;
}
