/* SPDX-License-Identifier: MIT */
/*
 * An event as a line of logfmt. In: events. Out: key=value pairs separated by one space, and a newline. Reporter's thread.
 * The fields and their order are those of json.c, which says what they mean.
 */
#include "collector/reporters/logfmt.h"

#include "collector/reporters/escape.h"
#include "collector/times.h"

static char *put_text(char *out, const char *text)
{
    return escape_logfmt(out, text, strlen(text));
}

static char *put_value(char *out, const struct gb_event_value *value)
{
    switch (value->type) {
    case GB_VALUE_INT:
        return number_put_int(out, value->as.i);
    case GB_VALUE_UINT:
        return number_put_uint(out, value->as.u);
    case GB_VALUE_DOUBLE:
        return number_put_double(out, value->as.d);
    case GB_VALUE_BOOL:
        return value->as.boolean ? LINE_TEXT(out, "true") : LINE_TEXT(out, "false");
    case GB_VALUE_TEXT:
        return escape_logfmt(out, value->as.text, value->length);
    default:
        return out;
    }
}

static char *put_path(char *out, const struct gb_path *path, uint32_t *ret_first)
{
    char *start = out;

    out = LINE_TEXT(out, " scope=");
    out = escape_logfmt(out, path->text, path->length);
    *ret_first = (uint32_t)(out - start);
    out = LINE_TEXT(out, " depth=");
    out = number_put_uint(out, path->depth);
    out = LINE_TEXT(out, " parent_scope=");
    return path->parent ? escape_logfmt(out, path->parent->text, path->parent->length) : out;
}

static char *put_key(char *out, const struct gb_event_key *key)
{
    out = LINE_TEXT(out, " metadata.");
    out = escape_logfmt_key(out, key->text, key->length);
    *out++ = '=';
    return out;
}

static char *put_number(char *out, const char *key, uint64_t number)
{
    *out++ = ' ';
    out = line_copy(out, key, strlen(key));
    *out++ = '=';
    return number_put_uint(out, number);
}

static char *put_program(char *out, const struct lines *lines, const struct gb_worker *worker)
{
    out = LINE_TEXT(out, " program=");
    out = put_text(out, worker->program);
    out = LINE_TEXT(out, " service=");
    out = put_text(out, worker->service);
    out = LINE_TEXT(out, " host=");
    return put_text(out, lines->host);
}

static char *put_segment(char *out, const char *segment, uint32_t digits)
{
    out = LINE_TEXT(out, " segment=");
    return line_copy(out, segment, strnlen(segment, digits));
}

static char *put_run(char *out, const struct lines *lines, const struct gb_run *run, uint32_t *ret_first)
{
    char *start = out;

    if (!lines->compact)
        out = put_number(out, "pid", run->worker->pid);
    out = put_number(out, "tid", run->tid);
    out = LINE_TEXT(out, " thread=");
    out = escape_logfmt(out, run->thread, strnlen(run->thread, sizeof(run->thread)));
    *ret_first = (uint32_t)(out - start);
    if (!lines->compact)
        out = put_program(out, lines, run->worker);
    out = put_segment(out, run->worker->segment, lines->segment_digits);
    out = put_number(out, "ring", run->ring);
    return LINE_TEXT(out, " seq=");
}

static char *put_end(char *out, struct lines *lines, const struct gb_event *event)
{
    uint32_t from = !lines->compact || lines->tell_thread ? 0 : lines->run.first;

    lines->tell_thread = false;
    out = line_copy(out, lines->run.text + from, lines->run.length - from);
    out = number_put_uint(out, event->seq);
    *out++ = '\n';
    return out;
}

static char *put_worker_end(char *out, const struct lines *lines, const struct gb_worker *worker)
{
    out = put_number(out, "pid", worker->pid);
    out = put_program(out, lines, worker);
    out = put_segment(out, worker->segment, SEGMENT_DIGITS);
    *out++ = '\n';
    return out;
}

static char *put_head(char *out, struct lines *lines, bool compact, const char *kind, size_t length, int64_t wall_ns)
{
    out = compact ? LINE_TEXT(out, "event=telemetry.") : LINE_TEXT(out, "schema=1 event=telemetry.");
    out = line_copy(out, kind, length);
    out = LINE_TEXT(out, " ts=");
    out = number_put_date(out, &lines->date, wall_ns);
    return compact ? out : LINE_TEXT(out, " level=info");
}
#define PUT_HEAD(out, lines, compact, kind, wall_ns) put_head(out, lines, compact, kind, sizeof(kind) - 1, wall_ns)

static char *put_seconds(char *out, const char *key, size_t length, int64_t ns)
{
    out = line_copy(out, key, length);
    return number_put_seconds(out, ns);
}
#define PUT_SECONDS(out, key, ns) put_seconds(out, key, sizeof(key) - 1, ns)

static char *put_metadata(char *out, const struct lines *lines, const struct gb_event *event)
{
    for (uint32_t i = 0; i < event->attr_count; i++) {
        const struct piece *key = &lines->keys[event->attrs[i].key->id];
        out = line_copy(out, key->text, key->length);
        out = put_value(out, &event->attrs[i].value);
    }
    return out;
}

static char *put_flags(char *out, unsigned flags)
{
    if (flags & GB_EVENT_UNFINISHED)
        out = flags & GB_EVENT_ABANDONED ? LINE_TEXT(out, " unfinished=true cause=abandoned")
              : flags & GB_EVENT_OPEN    ? LINE_TEXT(out, " unfinished=true cause=open")
                                         : LINE_TEXT(out, " unfinished=true cause=died");
    if (flags & GB_EVENT_FAILED)
        out = LINE_TEXT(out, " failed=true");
    if (flags & GB_EVENT_DETACHED)
        out = LINE_TEXT(out, " detached=true");
    if (flags & GB_EVENT_PREVIEW)
        out = LINE_TEXT(out, " preview=true");
    return out;
}

static char *put_timing(char *out, struct lines *lines, const struct gb_event *event)
{
    const struct piece *path = &lines->paths[event->path->id];
    int64_t duration = event->as.duration_ns, end_wall = time_after(event->start_wall_ns, duration);

    out = PUT_HEAD(out, lines, lines->compact, "timing", end_wall);
    out = line_copy(out, path->text, path->first);
    out = PUT_SECONDS(out, " duration_s=", duration);
    if (!lines->compact) {
        out = line_copy(out, path->text + path->first, path->length - path->first);
        out = LINE_TEXT(out, " call_count=");
        out = number_put_uint(out, event->call_count);
        out = PUT_SECONDS(out, " start_monotonic_s=", event->start_mono_ns);
        out = PUT_SECONDS(out, " end_monotonic_s=", time_after(event->start_mono_ns, duration));
        out = PUT_SECONDS(out, " start_wall_time_s=", event->start_wall_ns);
        out = PUT_SECONDS(out, " end_wall_time_s=", end_wall);
    }
    out = put_metadata(out, lines, event);
    out = put_flags(out, event->flags);
    return put_end(out, lines, event);
}

static char *put_metric(char *out, struct lines *lines, const struct gb_event *event)
{
    const struct piece *path = &lines->paths[event->path->id];

    out = PUT_HEAD(out, lines, lines->compact, "metric", event->start_wall_ns);
    out = line_copy(out, path->text, path->first);
    out = LINE_TEXT(out, " value=");
    out = put_value(out, &event->as.value);
    if (event->kind == GB_EVENT_COUNTER)
        out = LINE_TEXT(out, " metric_type=counter");
    else if (event->kind == GB_EVENT_GAUGE)
        out = LINE_TEXT(out, " metric_type=gauge");
    if (!lines->compact) {
        out = line_copy(out, path->text + path->first, path->length - path->first);
        out = PUT_SECONDS(out, " monotonic_s=", event->start_mono_ns);
        out = PUT_SECONDS(out, " wall_time_s=", event->start_wall_ns);
    }
    out = put_metadata(out, lines, event);
    out = put_flags(out, event->flags);
    return put_end(out, lines, event);
}

static char *put_dropped(char *out, const struct gb_account *account)
{
    for (unsigned cause = 0; cause < GB_WORKER_CAUSES; cause++) {
        const char *name = gb_cause_name(cause);
        out = LINE_TEXT(out, " dropped.");
        out = line_copy(out, name, strlen(name));
        *out++ = '=';
        out = number_put_uint(out, account->dropped[cause]);
    }
    return out;
}

static char *put_folded(char *out, const struct gb_account *account)
{
    return account->folded ? put_number(out, "folded", account->folded) : out;
}

static char *put_lost(char *out, struct lines *lines, const struct gb_run *run, const struct gb_event *event)
{
    out = PUT_HEAD(out, lines, lines->compact && run->ring_known, "lost", event->start_wall_ns);
    out = put_folded(out, event->as.account);
    out = put_dropped(out, event->as.account);
    return run->ring_known ? put_end(out, lines, event) : put_worker_end(out, lines, run->worker);
}

static char *put_gap(char *out, struct lines *lines, const struct gb_event *gap, uint64_t from)
{
    out = PUT_HEAD(out, lines, lines->compact, "gap", gap->start_wall_ns);
    out = put_number(out, "from_seq", from);
    return put_end(out, lines, gap);
}

static char *put_worker(char *out, struct lines *lines, const struct gb_worker *worker, const struct gb_event *event)
{
    bool started = event->kind == GB_EVENT_STARTED;

    out = PUT_HEAD(out, lines, false, "worker", event->start_wall_ns);
    if (started) {
        out = LINE_TEXT(out, " state=started clock=");
        out = put_text(out, worker->clock);
        return put_worker_end(out, lines, worker);
    }
    const struct gb_account *account = event->as.account;
    out = LINE_TEXT(out, " state=finished how=");
    out = escape_logfmt(out, worker->how, strnlen(worker->how, sizeof(worker->how)));
    out = put_number(out, "attempted", account->attempted);
    out = put_number(out, "delivered", account->delivered);
    out = put_folded(out, account);
    out = put_dropped(out, account);
    out = put_number(out, "malformed", account->malformed);
    out = put_number(out, "unfinished", account->unfinished);
    out = put_number(out, "attributes_left_out", account->attributes_left_out);
    out = put_number(out, "names_overflowed", account->names_overflowed);
    return put_worker_end(out, lines, worker);
}

const struct line_format logfmt_format = {put_path,   put_key,  put_run,    put_timing,
                                          put_metric, put_lost, put_worker, put_gap};
