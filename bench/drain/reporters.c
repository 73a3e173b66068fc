/* SPDX-License-Identifier: MIT */
/*
 * What each reporter costs the collector a record: CPU of its own threads, flushes and what it sends included, as it runs behind the real
 * drain and decode. Files go to a private directory, lines to /dev/null, datagrams and requests to a local sink in another process.
 */
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/drain/parts.h"
#include "bench/drain/pipeline.h"
#include "bench/drain/sink.h"
#include "bench/result.h"
#include "collector/reporters/builtin.h"

#define SLOTS 16384u          /* a ring of 1 MiB */
#define SLOTS_DURABLE 131072u /* room for what is not committed yet */
#define FILL 4096u
#define WARM_UP 12 /* fills: more batches than the queue has places, so that each has been touched */
#define COMMON "queue=64"

enum sink_kind { NO_SINK, HTTP, UDP };

/* In the options, @ is the private directory and # the sink's port. */
static const struct row {
    const char *reporter, *options, *label;
    enum records kind;
    enum sink_kind sink;
    unsigned fills; /* of 8,192 records, to a sample */
    bool durable;
} rows[] = {
    {"summary", "path=/dev/null", "default", RECORDS_TIMING, NO_SINK, 8},
    {"summary", "path=/dev/null", "default", RECORDS_TIMING_3, NO_SINK, 8},
    {"summary", "path=/dev/null", "default", RECORDS_COUNTER, NO_SINK, 8},
    {"summary", "path=/dev/null", "default", RECORDS_GAUGE, NO_SINK, 8},
    {"log", "path=/dev/null", "json", RECORDS_TIMING, NO_SINK, 4},
    {"log", "path=/dev/null", "json", RECORDS_TIMING_3, NO_SINK, 4},
    {"log", "path=/dev/null", "json", RECORDS_GAUGE, NO_SINK, 4},
    {"log", "path=/dev/null,fields=compact", "json_compact", RECORDS_TIMING, NO_SINK, 4},
    {"log", "path=/dev/null,format=logfmt", "logfmt", RECORDS_TIMING, NO_SINK, 4},
    {"log", "path=@/events.jsonl", "json_file", RECORDS_TIMING, NO_SINK, 4, true},
    {"sqlite", "path=@/t.db,max_size=0", "default", RECORDS_TIMING, NO_SINK, 8, true},
    {"sqlite", "path=@/t.db,max_size=0", "default", RECORDS_TIMING_3, NO_SINK, 8, true},
    {"sqlite", "path=@/t.db,max_size=16MiB", "retention", RECORDS_TIMING, NO_SINK, 8, true},
    {"prometheus", "listen=127.0.0.1:0", "default", RECORDS_TIMING, NO_SINK, 8},
    {"prometheus", "listen=127.0.0.1:0", "default", RECORDS_COUNTER, NO_SINK, 8},
    {"otlp", "endpoint=http://127.0.0.1:#,interval=1s", "metrics", RECORDS_TIMING, HTTP, 8},
    {"otlp", "endpoint=http://127.0.0.1:#,interval=1s", "metrics", RECORDS_COUNTER, HTTP, 8},
    {"otlp", "endpoint=http://127.0.0.1:#,interval=1s,signals=metrics+traces", "metrics_traces", RECORDS_TIMING, HTTP,
     2},
    {"otlp", "endpoint=http://127.0.0.1:#,interval=1s,signals=metrics+traces", "metrics_traces", RECORDS_TIMING_3, HTTP,
     2},
    {"statsd", "address=127.0.0.1:#,interval=1s", "statsd", RECORDS_TIMING, UDP, 8},
    {"statsd", "address=127.0.0.1:#,interval=1s", "statsd", RECORDS_COUNTER, UDP, 8},
    {"statsd", "address=127.0.0.1:#,interval=1s,flavour=datadog", "datadog", RECORDS_TIMING, UDP, 8},
    {"statsd", "address=127.0.0.1:#,interval=1s,flavour=datadog,raw=yes", "datadog_raw", RECORDS_TIMING, UDP, 2},
    {"trace", "path=@/trace.json,max_size=16MiB,keep=1", "default", RECORDS_TIMING, NO_SINK, 4},
    {"trace", "path=@/trace.json,max_size=16MiB,keep=1", "default", RECORDS_TIMING_3, NO_SINK, 4},
    {"exec", "command='cat >/dev/null'", "default", RECORDS_TIMING, NO_SINK, 4},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct figures {
    struct samples reporter, all;
    uint64_t lost;
    const char *missing; /* why there is nothing */
};

static void write_spec(const struct row *row, const char *directory, int port, char *ret_spec, size_t room)
{
    size_t length = (size_t)snprintf(ret_spec, room, "%s:" COMMON ",", row->reporter);
    for (const char *in = row->options; *in && length + 1 < room; in++) {
        int added = *in == '@'   ? snprintf(ret_spec + length, room - length, "%s", directory)
                    : *in == '#' ? snprintf(ret_spec + length, room - length, "%d", port)
                                 : snprintf(ret_spec + length, room - length, "%c", *in);
        length += (size_t)added;
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void print(const struct row *row, struct figures *figures)
{
    char name[64];
    struct result result = {.part = PART,
                            .name = name,
                            .unit = "cpu_ns",
                            .samples = &figures->reporter,
                            .calls_per_sample = 2ull * FILL * row->fills,
                            .drops = figures->lost,
                            .label = {{"events", records_names[row->kind]}, {"options", row->label}},
                            .note = "CPU a record of the reporter's threads, flushes included"};
    snprintf(name, sizeof(name), "reporter_%s", row->reporter);
    if (figures->missing) {
        result_skipped(PART, name, figures->missing);
        return;
    }
    result_print(&result);
    snprintf(name, sizeof(name), "drain_decode_%s", row->reporter);
    result.samples = &figures->all;
    result.note = "CPU a record of the whole collector: drain, decode, hand-over, reporter";
    result_print(&result);
    samples_free(&figures->reporter);
    samples_free(&figures->all);
}

/* Adds some samples of a row. False: its reporter did not start. */
static bool sample_row(const struct row *row, const char *spec, unsigned count, struct figures *figures)
{
    struct pipeline *pipeline = pipeline_start(spec, row->durable ? SLOTS_DURABLE : SLOTS);
    if (!pipeline)
        return false;
    pipeline_run(pipeline, row->kind, FILL, WARM_UP); /* names, pages, connections */
    for (unsigned i = 0; i < count; i++) {
        struct pipeline_cost cost = pipeline_run(pipeline, row->kind, FILL, row->fills);
        samples_add(&figures->reporter, cost.reporter_ns / (double)cost.events);
        samples_add(&figures->all, (cost.reporter_ns + cost.drain_ns) / (double)cost.events);
        figures->lost += cost.lost;
    }
    pipeline_end(pipeline);
    return true;
}

/* With a directory and a sink of its own. */
static bool visit_row(const struct row *row, unsigned count, struct figures *figures)
{
    char directory[] = "/tmp/gb-bench-XXXXXX", spec[400];
    struct sink sink = {0};
    if (!mkdtemp(directory)) {
        perror(directory);
        exit(1);
    }
    int error = row->sink == HTTP ? sink_http(&sink) : row->sink == UDP ? sink_udp(&sink) : 0;
    if (error)
        fprintf(stderr, "drain: no sink for %s: %s\n", row->reporter, strerror(-error));
    write_spec(row, directory, sink.port, spec, sizeof(spec));
    bool measured = !error && sample_row(row, spec, count, figures);
    sink_end(&sink);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return measured;
}

/* In turn, several times over: a noisy moment of the machine falls on all of them. */
void measure_reporters(bool quick)
{
    static struct figures figures[ROWS];
    unsigned visits = quick ? 2 : 4, samples = quick ? 3 : 5;
    for (unsigned visit = 0; visit < visits; visit++) {
        for (size_t i = 0; i < ROWS; i++) {
            if (figures[i].missing)
                continue;
            if (!builtin_find(rows[i].reporter))
                figures[i].missing = "this build is without it";
            else if (!visit_row(&rows[i], samples, &figures[i]))
                figures[i].missing = "it did not start";
        }
    }
    for (size_t i = 0; i < ROWS; i++)
        print(&rows[i], &figures[i]);
}
