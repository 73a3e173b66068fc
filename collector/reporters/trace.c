/* SPDX-License-Identifier: MIT */
/*
 * The reporter `trace`: files for trace viewers. In: batches. Out: Chrome's trace format, an array of JSON objects, one a line. Its own
 * thread. At most once.
 *
 *   record_batch   events -> objects in the output's buffer; a file that is long enough is ended
 *   flush          buffer -> file
 *   tick           a file that is old enough is ended; reopen: any
 *
 * A file is ended by `]`, then renamed to path.1 (path.1 to path.2, ...), and the next begun. What was at the path before is renamed too,
 * never added to. A file that a killed collector left lacks the `]`, which viewers accept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/reporters/builtin.h"
#include "collector/reporters/output.h"
#include "collector/reporters/trace_events.h"

#define WRITE_AT (256u << 10)
#define WAIT_MS 100
#define SIZE_LEAST (64 << 10)
#define KEEP_MOST 999

enum { OPTION_PATH, OPTION_MAX_SIZE, OPTION_MAX_AGE, OPTION_KEEP };
static const struct gb_option trace_options[] = {
    [OPTION_PATH] = {"path", GB_OPTION_TEXT, "trace.json", NULL, "the file (its directory must exist)"},
    [OPTION_MAX_SIZE] = {"max_size", GB_OPTION_BYTES, "128MiB", NULL,
                         "a file is ended when it has so many bytes, about; 0: never"},
    [OPTION_MAX_AGE] = {"max_age", GB_OPTION_DURATION, "1h", NULL, "a file is ended when it is so old; 0: never"},
    [OPTION_KEEP] = {"keep", GB_OPTION_INT, "8", NULL, "files that were ended and are kept, as path.1, path.2, ..."},
    {0}};

struct trace {
    const struct gb_reporter_setup *setup;
    const char *path;
    uint64_t max_size;
    int64_t max_age_ns, keep, begun_ns; /* begun: 0 until the first tick */
    struct output output;
    struct trace_events events;
    uint64_t put; /* bytes of this file, written or held */
    bool ended;   /* its `]` is put */
    bool has_any; /* an event */
    int trouble;
};

#define SAY(trace, ...) (trace)->setup->say((trace)->setup->collector, __VA_ARGS__)

static int tell_trouble(struct trace *trace, int error, const char *why)
{
    if (error != trace->trouble && error)
        SAY(trace, "%s: %s; %zu bytes wait", trace->path, why, output_held(&trace->output));
    else if (error != trace->trouble)
        SAY(trace, "%s is written again", trace->path);
    trace->trouble = error;
    return error ? -EAGAIN : 0;
}

static bool put_text(struct trace *trace, const char *text)
{
    size_t length = strlen(text);
    char *out = output_room(&trace->output, length);

    if (!out)
        return false;
    output_add(&trace->output, (char *)mempcpy(out, text, length));
    trace->put += length;
    return true;
}

/* path.keep goes, path.n becomes path.n+1, and the path itself path.1. */
static void rename_files(const struct trace *trace)
{
    size_t size = strlen(trace->path) + 8;
    char *from = malloc(size), *to = malloc(size);

    for (int64_t i = trace->keep; from && to && i >= 0; i--) {
        snprintf(from, size, i ? "%s.%d" : "%s", trace->path, (int)i);
        snprintf(to, size, "%s.%d", trace->path, (int)i + 1);
        if (i == trace->keep)
            unlink(from);
        else
            rename(from, to);
    }
    free(from);
    free(to);
}

/* A file of our own, empty and locked; what was there before has moved. why: a sentence. */
static int open_file(struct trace *trace, char *why, size_t why_size)
{
    for (int tries = 0; tries < 2; tries++) {
        struct place place;
        int error = output_open(&trace->output, trace->path, why, why_size);
        if (error)
            return error;
        if (!output_is_named_file(&trace->output)) {
            snprintf(why, why_size, "is no regular file");
            output_close(&trace->output);
            return -EINVAL;
        }
        if (output_place(&trace->output, &place) == 0 && place.size == 0) {
            trace_events_begin_file(&trace->events);
            trace->put = 0;
            trace->ended = trace->has_any = false;
            trace->begun_ns = 0;
            put_text(trace, "[\n");
            return 0;
        }
        rename_files(trace);
        output_close(&trace->output);
    }
    snprintf(why, why_size, "cannot be renamed: %s", strerror(errno));
    return -EACCES;
}

/* 0: all is in the file. -EAGAIN: it waits. */
static int write_out(struct trace *trace, int wait_ms)
{
    char why[256];

    if (trace->output.fd < 0) {
        int error = open_file(trace, why, sizeof(why));
        if (error)
            return tell_trouble(trace, error, why);
    }
    int error = output_write(&trace->output, wait_ms);
    if (error == -EAGAIN)
        return error;
    return error || trace->trouble ? tell_trouble(trace, error, strerror(-error)) : 0;
}

/* Ends the file and begins the next; where that cannot be done now, the next flush goes on with it. */
static int roll(struct trace *trace)
{
    bool removed;

    if (!trace->ended && !put_text(trace, "\n]\n"))
        return -EAGAIN;
    trace->ended = true;
    int error = write_out(trace, WAIT_MS);
    if (error)
        return error;
    if (!output_has_moved(&trace->output, &removed))
        rename_files(trace);
    output_close(&trace->output);
    return write_out(trace, WAIT_MS);
}

static bool is_long(const struct trace *trace)
{
    return trace->max_size && trace->has_any && trace->put >= trace->max_size;
}

static bool put_event(struct trace *trace, const struct gb_run *run, const struct gb_event *event)
{
    if (trace->ended || trace->output.fd < 0 || is_long(trace))
        roll(trace);
    if (trace->ended || trace->output.fd < 0)
        return false;
    char *out = output_room(&trace->output, trace_event_room(run, event));
    if (!out)
        return false;
    char *end = trace_put_event(&trace->events, out, run, event);
    trace->put += (size_t)(end - out);
    trace->has_any |= end > out;
    output_add(&trace->output, end);
    return true;
}

static void trace_record_batch(void *context, const struct gb_batch *batch)
{
    struct trace *trace = context;
    uint64_t lost = 0;

    for (uint32_t i = 0; i < batch->run_count; i++) {
        const struct gb_run *run = &batch->runs[i];
        for (uint32_t k = 0; k < run->count; k++)
            if (!put_event(trace, run, &run->events[k]))
                lost += gb_event_is_counted(&run->events[k]);
    }
    if (lost)
        trace->setup->count_drop(trace->setup->collector, "not_written", lost);
    if (output_held(&trace->output) >= WRITE_AT)
        write_out(trace, 0);
}

static int trace_flush(void *context)
{
    struct trace *trace = context;
    return trace->ended || is_long(trace) ? roll(trace) : write_out(trace, WAIT_MS);
}

static void trace_tick(void *context, int64_t now_ns)
{
    struct trace *trace = context;

    if (trace->begun_ns == 0)
        trace->begun_ns = now_ns;
    if (trace->max_age_ns && trace->has_any && !trace->trouble && now_ns - trace->begun_ns >= trace->max_age_ns)
        roll(trace);
}

static int trace_reopen(void *context)
{
    struct trace *trace = context;

    if (trace->has_any)
        roll(trace);
    return 0;
}

static void trace_free(struct trace *trace)
{
    output_close(&trace->output);
    trace_events_clear(&trace->events);
    free(trace);
}

static void trace_close(void *context)
{
    struct trace *trace = context;

    if (!trace)
        return;
    if (trace->output.fd >= 0 && (trace->ended || put_text(trace, "\n]\n")))
        write_out(trace, WAIT_MS);
    if (output_held(&trace->output) > 0) {
        SAY(trace, "%zu bytes could not be written to %s", output_held(&trace->output), trace->path);
        if (trace->output.fd >= 0)
            output_rewind(&trace->output, true); /* no torn line stays */
    }
    trace_free(trace);
}

static int trace_check(const struct gb_reporter_setup *setup)
{
    const struct gb_option_value *max_size = &setup->options[OPTION_MAX_SIZE], *keep = &setup->options[OPTION_KEEP];

    if (max_size->number && max_size->number < SIZE_LEAST) {
        setup->say(setup->collector, "max_size=%s: 0, or 64KiB and more are accepted", max_size->text);
        return -EINVAL;
    }
    if (keep->number < 0 || keep->number > KEEP_MOST) {
        setup->say(setup->collector, "keep=%s: 0 to %d are accepted", keep->text, KEEP_MOST);
        return -EINVAL;
    }
    return 0;
}

static int trace_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    char why[256];

    if (!trace)
        return -ENOMEM;
    trace->setup = setup;
    trace->output.fd = -1;
    trace->path = setup->options[OPTION_PATH].text;
    trace->max_size = (uint64_t)setup->options[OPTION_MAX_SIZE].number;
    trace->max_age_ns = setup->options[OPTION_MAX_AGE].number;
    trace->keep = setup->options[OPTION_KEEP].number;
    int error = trace_events_init(&trace->events) ? trace_check(setup) : -ENOMEM;
    if (!error) {
        error = open_file(trace, why, sizeof(why));
        if (error)
            SAY(trace, "%s %s", trace->path, why);
    }
    if (error) {
        trace_free(trace);
        return error;
    }
    *ret_self = trace;
    return 0;
}

static void trace_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    reach->writes(reach->collector, options[OPTION_PATH].text);
}

const struct gb_reporter gb_reporter_trace = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "trace",
    .help = "Writes files for trace viewers: a track for each thread, graphs of counters and gauges",
    .options = trace_options,
    .open = trace_open,
    .record_batch = trace_record_batch,
    .flush = trace_flush,
    .tick = trace_tick,
    .reopen = trace_reopen,
    .close = trace_close,
    .reach = trace_reach,
    .check = trace_check,
};
