/* SPDX-License-Identifier: MIT */
/*
 * See trace_events.h.
 *
 * Viewers nest timings by their times alone, and a time that was rounded by a nanosecond can make a child outlast its parent. What ends
 * in order on a thread is therefore made to nest: a timing does not begin before the one that ended before it, nor end before one inside
 * it, where that takes less than a microsecond. What is further off was so measured, and stays.
 */
#include "collector/reporters/trace_events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/escape.h"
#include "collector/reporters/json.h"
#include "collector/reporters/tally.h"
#include "collector/times.h"

#define NUDGE_NS 1000
#define AROUND 640 /* bytes of an object beside its texts and attributes */

bool trace_events_init(struct trace_events *events)
{
    *events = (struct trace_events){.threads = calloc(TRACE_THREADS, sizeof(struct trace_thread)), .first = true};
    return events->threads != NULL;
}

void trace_events_clear(struct trace_events *events)
{
    for (uint32_t i = 0; i < events->worker_count; i++)
        free(events->workers[i].by_path);
    free(events->workers);
    free(events->threads);
    *events = (struct trace_events){0};
}

void trace_events_begin_file(struct trace_events *events)
{
    for (unsigned i = 0; i < TRACE_THREADS; i++)
        events->threads[i].lease = 0;
    events->first = true;
}

static uint64_t hash_of(const char *segment, uint64_t a, uint64_t b)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (a * 0x9e3779b97f4a7c15u);

    for (; *segment; segment++)
        hash = (hash ^ (uint8_t)*segment) * 0x100000001b3u;
    return (hash ^ b) * 0xff51afd7ed558ccdu;
}

size_t trace_event_room(const struct gb_run *run, const struct gb_event *event)
{
    size_t bytes = 4 * AROUND + ESCAPE_MAX(strlen(run->worker->program)) + ESCAPE_MAX(strlen(run->worker->service));

    if (event->path)
        bytes += 2 * (ESCAPE_MAX(event->path->length) + ESCAPE_MAX(event->path->name_length));
    for (unsigned i = 0; i < event->attr_count; i++) {
        const struct gb_event_attr *attr = &event->attrs[i];
        bytes += ESCAPE_MAX(attr->key->length) + NUMBER_MAX + 8;
        bytes += attr->value.type == GB_VALUE_TEXT ? ESCAPE_MAX(attr->value.length) : 0;
    }
    return bytes;
}

/* ns as microseconds with all digits. */
static char *put_us(char *out, int64_t ns)
{
    uint64_t rest = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

    if (ns < 0)
        *out++ = '-';
    out = number_put_uint(out, rest / 1000);
    *out++ = '.';
    *out++ = (char)('0' + rest / 100 % 10);
    *out++ = (char)('0' + rest / 10 % 10);
    *out++ = (char)('0' + rest % 10);
    return out;
}

/* {"ph":"X","pid":1,"tid":2 */
static char *put_head(struct trace_events *events, char *out, const char *phase, const struct gb_run *run, bool thread)
{
    out = events->first ? out : LINE_TEXT(out, ",\n");
    events->first = false;
    out = LINE_TEXT(out, "{\"ph\":\"");
    out = line_copy(out, phase, 1);
    out = LINE_TEXT(out, "\",\"pid\":");
    out = number_put_uint(out, run->worker->pid);
    out = LINE_TEXT(out, ",\"tid\":");
    return number_put_uint(out, thread ? run->tid : run->worker->pid);
}

static char *put_name(char *out, const char *name, size_t length)
{
    out = LINE_TEXT(out, ",\"name\":");
    return json_put_string(out, name, length);
}

static char *put_time(char *out, int64_t ns)
{
    out = LINE_TEXT(out, ",\"ts\":");
    return put_us(out, ns);
}

static char *put_track_name(struct trace_events *events, char *out, const struct gb_run *run)
{
    const struct gb_worker *worker = run->worker;

    out = put_head(events, out, "M", run, false);
    out = LINE_TEXT(out, ",\"name\":\"process_name\",\"args\":{\"name\":");
    out = json_put_string(out, worker->program, strlen(worker->program));
    out = LINE_TEXT(out, ",\"service\":");
    out = json_put_string(out, worker->service, strlen(worker->service));
    out = LINE_TEXT(out, ",\"segment\":");
    out = json_put_string(out, worker->segment, strlen(worker->segment));
    out = LINE_TEXT(out, "}}");
    out = put_head(events, out, "M", run, true);
    out = LINE_TEXT(out, ",\"name\":\"thread_name\",\"args\":{\"name\":");
    out = json_put_string(out, run->thread, strnlen(run->thread, sizeof(run->thread)));
    return LINE_TEXT(out, "}}");
}

/* The thread of a run, which is named when it is new in this file. */
static struct trace_thread *thread_of(struct trace_events *events, char **out, const struct gb_run *run)
{
    const char *segment = run->worker->segment;
    uint64_t lease = run->lease ? run->lease : 1;
    struct trace_thread *thread = &events->threads[hash_of(segment, run->ring, lease) >> 32 & (TRACE_THREADS - 1)];

    if (thread->lease == lease && thread->ring == run->ring && strcmp(thread->segment, segment) == 0)
        return thread;
    *thread = (struct trace_thread){.ring = run->ring, .lease = lease};
    memcpy(thread->segment, segment, sizeof(thread->segment));
    for (unsigned i = 0; i < TRACE_DEPTH; i++)
        thread->ends[i] = INT64_MIN;
    *out = put_track_name(events, *out, run);
    return thread;
}

static bool is_just_before(int64_t a, int64_t b)
{
    return a < b && time_between(a, b) < NUDGE_NS;
}

static void nest(struct trace_thread *thread, unsigned depth, int64_t *start, int64_t *end)
{
    unsigned inside = depth + 1;

    if (inside >= TRACE_DEPTH)
        return;
    for (unsigned i = 0; i <= depth; i++)
        if (is_just_before(*start, thread->ends[i]))
            *start = thread->ends[i];
    bool parent = thread->ends[inside] != INT64_MIN;
    if (parent && is_just_before(thread->first_starts[inside], *start))
        *start = thread->first_starts[inside];
    if (parent && is_just_before(*end, thread->ends[inside]))
        *end = thread->ends[inside];
    if (*end < *start)
        *end = *start;
    if (thread->ends[depth] == INT64_MIN)
        thread->first_starts[depth] = *start;
    thread->ends[depth] = *end;
    for (unsigned i = inside; i < TRACE_DEPTH && thread->ends[i] != INT64_MIN; i++)
        thread->ends[i] = INT64_MIN;
}

/* ,"args":{…}} and so the end of an object. `extra`: members of our own, or "". */
static char *put_args(char *out, const struct gb_event *event, const char *extra)
{
    bool more = false;

    if (event->attr_count == 0 && !extra[0]) /* viewers would show the empty braces beside the name */
        return LINE_TEXT(out, "}");
    out = LINE_TEXT(out, ",\"args\":{");
    for (unsigned i = 0; i < event->attr_count; i++) {
        const struct gb_event_attr *attr = &event->attrs[i];
        if (more)
            *out++ = ',';
        out = json_put_string(out, attr->key->text, attr->key->length);
        *out++ = ':';
        out = json_put_value(out, &attr->value);
        more = true;
    }
    if (more && extra[0])
        *out++ = ',';
    out = line_copy(out, extra, strlen(extra));
    return LINE_TEXT(out, "}}");
}

static const char *mark_of(unsigned flags)
{
    if (flags & GB_EVENT_ABANDONED)
        return "\"gb.unfinished\":true,\"gb.cause\":\"abandoned\"";
    if (flags & GB_EVENT_OPEN)
        return "\"gb.unfinished\":true,\"gb.cause\":\"open\"";
    if (flags & GB_EVENT_UNFINISHED)
        return "\"gb.unfinished\":true,\"gb.cause\":\"died\"";
    return flags & GB_EVENT_FAILED ? "\"gb.failed\":true" : "";
}

static char *put_category(char *out, unsigned flags)
{
    if (flags & GB_EVENT_UNFINISHED)
        return LINE_TEXT(out, ",\"cat\":\"unfinished\",\"cname\":\"terrible\"");
    return flags & GB_EVENT_FAILED ? LINE_TEXT(out, ",\"cat\":\"failed\",\"cname\":\"bad\"")
                                   : LINE_TEXT(out, ",\"cat\":\"scope\"");
}

static char *put_span_end(struct trace_events *events, char *out, const struct gb_run *run,
                          const struct gb_event *event, const char *phase, int64_t ns)
{
    out = put_head(events, out, phase, run, true);
    out = put_name(out, event->path->name, event->path->name_length);
    out = LINE_TEXT(out, ",\"cat\":\"span\",\"id\":\"0x");
    uint64_t id = hash_of(run->worker->segment, run->ring, event->seq);
    for (int shift = 60; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[id >> shift & 15];
    *out++ = '"';
    return put_time(out, ns);
}

static char *put_timing(struct trace_events *events, char *out, const struct gb_run *run, struct trace_thread *thread,
                        const struct gb_event *event)
{
    int64_t start = event->start_mono_ns,
            end = time_after(start, event->as.duration_ns > 0 ? event->as.duration_ns : 0);

    if (event->flags & GB_EVENT_DETACHED) {
        out = put_span_end(events, out, run, event, "b", start);
        out = put_args(out, event, mark_of(event->flags));
        out = put_span_end(events, out, run, event, "e", end);
        return LINE_TEXT(out, "}");
    }
    if (!(event->flags & GB_EVENT_UNFINISHED))
        nest(thread, event->path->depth, &start, &end);
    out = put_head(events, out, "X", run, true);
    out = put_name(out, event->path->name, event->path->name_length);
    out = put_category(out, event->flags);
    out = put_time(out, start);
    out = LINE_TEXT(out, ",\"dur\":");
    out = put_us(out, time_between(start, end));
    return put_args(out, event, mark_of(event->flags));
}

/* A counter's total of this worker, or NULL without memory. */
static long double *total_of(struct trace_events *events, uint32_t worker, uint32_t path)
{
    if (worker >= events->worker_count) {
        struct trace_totals *workers = reallocarray(events->workers, 2 * (size_t)worker + 16, sizeof(*workers));
        if (!workers)
            return NULL;
        memset(workers + events->worker_count, 0, (2 * (size_t)worker + 16 - events->worker_count) * sizeof(*workers));
        events->workers = workers;
        events->worker_count = 2 * worker + 16;
    }
    struct trace_totals *totals = &events->workers[worker];
    if (path >= totals->count) {
        uint32_t count = path + path / 2 + 16;
        long double *by_path = reallocarray(totals->by_path, count, sizeof(*by_path));
        if (!by_path)
            return NULL;
        for (uint32_t i = totals->count; i < count; i++)
            by_path[i] = 0;
        totals->by_path = by_path;
        totals->count = count;
    }
    return &totals->by_path[path];
}

static char *put_number(char *out, struct trace_events *events, const struct gb_run *run, const struct gb_event *event)
{
    const struct gb_event_value *value = &event->as.value;
    long double *total = NULL;

    if (event->kind == GB_EVENT_COUNTER)
        total = total_of(events, run->worker->id, event->path->id);
    if (!total)
        return json_put_value(out, value);
    if (value->type == GB_VALUE_INT)
        *total += (long double)value->as.i;
    else if (value->type == GB_VALUE_UINT)
        *total += (long double)value->as.u;
    else
        *total += tally_real(value);
    if (*total >= 0 && *total < 0x1p64L && truncl(*total) == *total)
        return number_put_uint(out, (uint64_t)*total);
    return number_put_double(out, (double)*total);
}

static char *put_metric(struct trace_events *events, char *out, const struct gb_run *run, const struct gb_event *event)
{
    bool track = event->kind != GB_EVENT_SAMPLE && isfinite(tally_real(&event->as.value));

    out = put_head(events, out, track ? "C" : "i", run, true);
    out = put_name(out, event->path->text, event->path->length);
    out = put_time(out, event->start_mono_ns);
    if (track) { /* every argument would be a line of the graph, so the attributes stay out */
        out = LINE_TEXT(out, ",\"args\":{\"value\":");
        out = put_number(out, events, run, event);
        return LINE_TEXT(out, "}}");
    }
    out = LINE_TEXT(out, ",\"s\":\"t\"");
    char extra[NUMBER_MAX + 32], *end = LINE_TEXT(extra, "\"value\":");
    end = event->as.value.type == GB_VALUE_TEXT ? LINE_TEXT(end, "null") : json_put_value(end, &event->as.value);
    *end = 0;
    return put_args(out, event, extra);
}

static char *put_lost(struct trace_events *events, char *out, const struct gb_run *run, const struct gb_event *event)
{
    out = put_head(events, out, "i", run, run->ring_known);
    out = LINE_TEXT(out, ",\"name\":\"events lost\",\"s\":\"p\"");
    out = put_time(out, event->start_mono_ns);
    out = LINE_TEXT(out, ",\"args\":{");
    for (unsigned cause = 0; cause < GB_WORKER_CAUSES; cause++) {
        const char *name = gb_cause_name(cause);
        if (cause)
            *out++ = ',';
        out = json_put_string(out, name, strlen(name));
        *out++ = ':';
        out = number_put_uint(out, event->as.account->dropped[cause]);
    }
    return LINE_TEXT(out, "}}");
}

static char *put_finished(struct trace_events *events, char *out, const struct gb_run *run,
                          const struct gb_event *event)
{
    const struct gb_worker *worker = run->worker;

    if (worker->id < events->worker_count) {
        free(events->workers[worker->id].by_path);
        events->workers[worker->id] = (struct trace_totals){0};
    }
    if (event->start_mono_ns == 0)
        return out;
    out = put_head(events, out, "i", run, false);
    out = LINE_TEXT(out, ",\"name\":\"worker finished\",\"s\":\"p\"");
    out = put_time(out, event->start_mono_ns);
    out = LINE_TEXT(out, ",\"args\":{\"how\":");
    out = json_put_string(out, worker->how, strnlen(worker->how, sizeof(worker->how)));
    return LINE_TEXT(out, "}}");
}

char *trace_put_event(struct trace_events *events, char *out, const struct gb_run *run, const struct gb_event *event)
{
    struct trace_thread *thread = run->ring_known ? thread_of(events, &out, run) : NULL;

    switch (event->kind) {
    case GB_EVENT_TIMING:
        return thread ? put_timing(events, out, run, thread, event) : out;
    case GB_EVENT_COUNTER:
    case GB_EVENT_GAUGE:
    case GB_EVENT_SAMPLE:
        return put_metric(events, out, run, event);
    case GB_EVENT_LOST:
        return event->start_mono_ns ? put_lost(events, out, run, event) : out;
    case GB_EVENT_FINISHED:
        return put_finished(events, out, run, event);
    default:
        return out;
    }
}
