/* SPDX-License-Identifier: MIT */
/* See otlp_spans.h. Field numbers: opentelemetry/proto/trace/v1/trace.proto. */
#include "collector/reporters/otlp_spans.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/otlp_value.h"
#include "collector/times.h"

enum { REQUEST_RESOURCE_SPANS = 1 };
enum { RESOURCE_SPANS_SCOPE = 2 };
enum { SCOPE_SPANS_SPANS = 2 };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15
};
enum { KIND_INTERNAL = 1 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3, STATUS_ERROR = 2 };

/* The finalizer of splitmix64: a bijection that spreads. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) + 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}

static uint64_t mix_text(uint64_t hash, const char *text, size_t length)
{
    for (; length > 0;) {
        uint64_t word = 0;
        size_t step = length < 8 ? length : 8;
        memcpy(&word, text, step);
        hash = mix(hash, le64toh(word));
        text += step;
        length -= step;
    }
    return hash;
}

/* By nesting: `a` around `b.c` is not `a.b` around `c`. By names, as the collector's numbers end with it. */
static uint64_t hash_path(const struct gb_path *path)
{
    uint64_t hash = path->parent != NULL ? hash_path(path->parent) : 1;
    hash = mix_text(mix(hash, path->name_length), path->name, path->name_length);
    return hash != 0 ? hash : 1;
}

/* NULL: no memory. */
static struct otlp_span_path *known_path(struct otlp_spans *spans, const struct gb_path *path)
{
    if (path->id >= spans->path_room) {
        uint32_t room = path->id < UINT32_MAX / 2 - 64 ? 2 * path->id + 64 : 0;
        struct otlp_span_path *grown = room > 0 ? realloc(spans->by_path, room * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return NULL;
        memset(grown + spans->path_room, 0, (room - spans->path_room) * sizeof(*grown));
        spans->by_path = grown;
        spans->path_room = room;
    }
    struct otlp_span_path *known = &spans->by_path[path->id];
    if (known->hash == 0 || known->attribute.failed) {
        known->hash = hash_path(path);
        protobuf_clear(&known->attribute);
        otlp_put_text(&known->attribute, SPAN_ATTRIBUTES, OTLP_SCOPE_KEY, path->text, path->length);
    }
    return known;
}

static uint64_t hash_of(struct otlp_spans *spans, const struct gb_path *path)
{
    const struct otlp_span_path *known = known_path(spans, path);
    return known != NULL ? known->hash : hash_path(path);
}

/* Runs of one thread come one after the other, with thousands of spans. */
static const struct otlp_span_thread *known_thread(struct otlp_spans *spans, const struct gb_run *run)
{
    struct otlp_span_thread *thread = &spans->thread;
    if (thread->ring == run->ring && thread->lease == run->lease && thread->hash != 0 && !thread->attributes.failed &&
        memcmp(thread->segment, run->worker->segment, sizeof(thread->segment)) == 0)
        return thread;
    memcpy(thread->segment, run->worker->segment, sizeof(thread->segment));
    thread->ring = run->ring;
    thread->lease = run->lease;
    thread->hash = mix(mix(mix_text(2, thread->segment, sizeof(thread->segment) - 1), run->ring), run->lease);
    protobuf_clear(&thread->attributes);
    otlp_put_int(&thread->attributes, SPAN_ATTRIBUTES, "thread.id", run->tid);
    otlp_put_text(&thread->attributes, SPAN_ATTRIBUTES, "thread.name", run->thread,
                  strnlen(run->thread, sizeof(run->thread)));
    return thread;
}

/* The ordinal of the root with all its bits. */
static uint64_t root_of(struct otlp_worker *worker, const struct gb_run *run, const struct gb_event *event)
{
    if (run->ring >= worker->lease_count) {
        uint32_t count = run->ring < UINT32_MAX / 2 - 8 ? 2 * run->ring + 8 : 0;
        struct otlp_lease *grown = count > 0 ? realloc(worker->leases, count * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return event->root;
        memset(grown + worker->lease_count, 0, (count - worker->lease_count) * sizeof(*grown));
        worker->leases = grown;
        worker->lease_count = count;
    }
    struct otlp_lease *lease = &worker->leases[run->ring];
    if (lease->lease != run->lease)
        *lease = (struct otlp_lease){.lease = run->lease, .root = event->root};
    /* the nearest to the last one, ahead or behind: a span may outlive its root */
    int16_t step = (int16_t)(uint16_t)(event->root - lease->root);
    uint64_t root = lease->root + (uint64_t)(int64_t)step;
    if (step > 0)
        lease->root = root;
    return root;
}

struct identity {
    uint64_t trace[2], span, parent;
};

static uint64_t not_zero(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

static struct identity identify(struct otlp_spans *spans, uint64_t thread, const struct gb_event *event, uint64_t root)
{
    struct identity identity = {.trace = {mix(mix(thread, root), 3), not_zero(mix(mix(thread, root), 4))}};
    uint64_t span = mix(mix(mix(thread, 5), hash_of(spans, event->path)), event->call_count);
    if (event->flags & GB_EVENT_DETACHED)
        span = mix(mix(span, 6), event->seq);
    identity.span = not_zero(span);
    if (event->path->parent != NULL && event->parent_call > 0)
        identity.parent = not_zero(mix(mix(mix(thread, 5), hash_of(spans, event->path->parent)), event->parent_call));
    return identity;
}

static void put_id(struct protobuf *out, uint32_t field, const uint64_t *words, unsigned count)
{
    uint64_t big[2];
    for (unsigned i = 0; i < count; i++)
        big[i] = htobe64(words[i]);
    protobuf_bytes(out, field, big, count * sizeof(*big));
}

static void put_status(struct protobuf *out, const struct gb_event *event)
{
    if (!(event->flags & (GB_EVENT_FAILED | GB_EVENT_UNFINISHED)))
        return;
    size_t status = protobuf_begin(out, SPAN_STATUS);
    for (uint32_t i = 0; i < event->attr_count; i++)
        if (strcmp(event->attrs[i].key->text, "error") == 0 && event->attrs[i].value.type == GB_VALUE_TEXT) {
            otlp_put_string(out, STATUS_MESSAGE, event->attrs[i].value.as.text, event->attrs[i].value.length);
            break;
        }
    protobuf_uint(out, STATUS_CODE, STATUS_ERROR);
    protobuf_end(out, status);
}

/* What was encoded before goes in as it is; when there was no memory for it, this span goes without, as the request would. */
static void put_encoded(struct protobuf *out, const struct protobuf *encoded)
{
    if (encoded->failed)
        out->failed = true;
    else
        protobuf_put_raw(out, encoded->bytes, encoded->length);
}

static void put_attributes(struct otlp_spans *spans, const struct otlp_span_thread *thread,
                           const struct gb_event *event)
{
    static const struct gb_event_value yes = {.type = GB_VALUE_BOOL, .as.boolean = true};
    struct protobuf *out = &spans->request;
    const struct otlp_span_path *path = known_path(spans, event->path);
    if (path != NULL)
        put_encoded(out, &path->attribute);
    else
        out->failed = true;
    put_encoded(out, &thread->attributes);
    if (event->flags & GB_EVENT_UNFINISHED)
        otlp_put_attribute(out, SPAN_ATTRIBUTES, "gb.unfinished", strlen("gb.unfinished"), &yes);
    for (uint32_t i = 0; i < event->attr_count; i++)
        otlp_put_attribute(out, SPAN_ATTRIBUTES, event->attrs[i].key->text, event->attrs[i].key->length,
                           &event->attrs[i].value);
}

static void open_worker(struct otlp_spans *spans, const struct otlp_worker *worker)
{
    if (spans->worker == worker)
        return;
    otlp_spans_close(spans);
    spans->worker = worker;
    spans->resource = protobuf_begin(&spans->request, REQUEST_RESOURCE_SPANS);
    protobuf_put_raw(&spans->request, worker->resource.bytes, worker->resource.length);
    spans->scope = protobuf_begin(&spans->request, RESOURCE_SPANS_SCOPE);
    otlp_put_instrumentation(&spans->request);
}

bool otlp_spans_add(struct otlp_spans *spans, struct otlp_worker *worker, const struct gb_run *run,
                    const struct gb_event *event, bool counted)
{
    uint64_t root = root_of(worker, run, event);
    int64_t duration_ns = event->as.duration_ns > 0 ? event->as.duration_ns : 0;
    if (duration_ns < spans->min_ns || (spans->levels > 0 && event->path->depth >= spans->levels))
        return false;
    const struct otlp_span_thread *thread = known_thread(spans, run);
    struct identity identity = identify(spans, thread->hash, event, root);
    if (identity.trace[1] > spans->sampled)
        return false;
    open_worker(spans, worker);
    struct protobuf *out = &spans->request;
    size_t span = protobuf_begin(out, SCOPE_SPANS_SPANS);
    put_id(out, SPAN_TRACE_ID, identity.trace, 2);
    put_id(out, SPAN_ID, &identity.span, 1);
    if (identity.parent != 0)
        put_id(out, SPAN_PARENT, &identity.parent, 1);
    protobuf_bytes(out, SPAN_NAME, event->path->name, event->path->name_length);
    protobuf_uint(out, SPAN_KIND, KIND_INTERNAL);
    int64_t start_ns = event->start_wall_ns > 0 ? event->start_wall_ns : 0; /* before 1970 has no number there */
    protobuf_fixed64(out, SPAN_START, (uint64_t)start_ns);
    protobuf_fixed64(out, SPAN_END, (uint64_t)time_after(start_ns, duration_ns));
    put_attributes(spans, thread, event);
    put_status(out, event);
    protobuf_end(out, span);
    spans->count++;
    spans->counted += counted;
    return true;
}

void otlp_spans_close(struct otlp_spans *spans)
{
    if (spans->worker == NULL)
        return;
    protobuf_end(&spans->request, spans->scope);
    protobuf_end(&spans->request, spans->resource);
    spans->worker = NULL;
}

void otlp_spans_reset(struct otlp_spans *spans)
{
    spans->request = (struct protobuf){0};
    spans->worker = NULL;
    spans->count = spans->counted = 0;
}

void otlp_spans_free(struct otlp_spans *spans)
{
    protobuf_free(&spans->request);
    protobuf_free(&spans->thread.attributes);
    for (uint32_t i = 0; i < spans->path_room; i++)
        protobuf_free(&spans->by_path[i].attribute);
    free(spans->by_path);
}
