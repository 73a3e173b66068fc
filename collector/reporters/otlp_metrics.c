/* SPDX-License-Identifier: MIT */
/* See otlp_metrics.h. Field numbers: opentelemetry/proto/metrics/v1/metrics.proto. */
#include "collector/reporters/otlp_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "collector/reporters/otlp_value.h"

enum { REQUEST_RESOURCE_METRICS = 1 };
enum { RESOURCE_METRICS_SCOPE = 2 };
enum { SCOPE_METRICS_METRICS = 2 };
enum { METRIC_NAME = 1, METRIC_UNIT = 3, METRIC_GAUGE = 5, METRIC_SUM = 7, METRIC_EXPONENTIAL = 10 };
enum { DATA_POINTS = 1, DATA_TEMPORALITY = 2, SUM_MONOTONIC = 3 };
enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE = 2 };
enum { POINT_START = 2, POINT_TIME = 3, NUMBER_DOUBLE = 4, NUMBER_INT = 6, NUMBER_ATTRIBUTES = 7 };
enum {
    EXP_COUNT = 4,
    EXP_SUM = 5,
    EXP_SCALE = 6,
    EXP_ZERO = 7,
    EXP_POSITIVE = 8,
    EXP_NEGATIVE = 9,
    EXP_MIN = 12,
    EXP_MAX = 13
};
enum { BUCKETS_OFFSET = 1, BUCKETS_COUNTS = 2 };

static int by_metric(const void *a, const void *b)
{
    const struct otlp_series *one = *(struct otlp_series *const *)a, *other = *(struct otlp_series *const *)b;
    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    uint32_t least = one->name_length < other->name_length ? one->name_length : other->name_length;
    int order = memcmp(one->name, other->name, least);
    return order != 0 ? order : (one->name_length > other->name_length) - (one->name_length < other->name_length);
}

static bool same_metric(const struct otlp_series *one, const struct otlp_series *other)
{
    return one->kind == other->kind && one->name_length == other->name_length &&
           memcmp(one->name, other->name, one->name_length) == 0;
}

struct buckets {
    struct protobuf *out;
    int next; /* index of the bucket that comes next; before the first: its own */
    size_t counts;
    bool any;
    uint32_t field;
    size_t message;
};

/* Buckets are told from the first to the last that is not empty, without gaps. */
static void put_bucket(void *context, int index, uint64_t count)
{
    struct buckets *buckets = context;
    if (!buckets->any) {
        buckets->message = protobuf_begin(buckets->out, buckets->field);
        protobuf_sint(buckets->out, BUCKETS_OFFSET, index);
        buckets->counts = protobuf_begin(buckets->out, BUCKETS_COUNTS);
        buckets->any = true;
        buckets->next = index;
    }
    for (; buckets->next < index; buckets->next++)
        protobuf_put_uint(buckets->out, 0);
    protobuf_put_uint(buckets->out, count);
    buckets->next = index + 1;
}

static void put_side(struct protobuf *out, uint32_t field, const struct histogram_side *side)
{
    struct buckets buckets = {.out = out, .field = field};
    histogram_each(side, put_bucket, &buckets);
    if (buckets.any) {
        protobuf_end(out, buckets.counts);
        protobuf_end(out, buckets.message);
    }
}

static void put_histogram(struct protobuf *out, const struct otlp_values *values, bool duration)
{
    const struct histogram *histogram = &values->as.histogram.buckets;
    protobuf_fixed64(out, EXP_COUNT, histogram->count - histogram->unplaced);
    if (duration)
        protobuf_double(out, EXP_SUM, (double)values->as.histogram.ns / 1e9);
    else if (histogram->min >= 0) /* OTLP has sums of what is never negative */
        protobuf_double(out, EXP_SUM, histogram->sum);
    protobuf_sint(out, EXP_SCALE, HISTOGRAM_SCALE);
    protobuf_fixed64(out, EXP_ZERO, histogram->zero);
    put_side(out, EXP_POSITIVE, &histogram->positive);
    put_side(out, EXP_NEGATIVE, &histogram->negative);
    protobuf_double(out, EXP_MIN, histogram->min);
    protobuf_double(out, EXP_MAX, histogram->max);
}

static void put_integer(struct protobuf *out, __int128 value)
{
    if (value >= INT64_MIN && value <= INT64_MAX)
        protobuf_fixed64(out, NUMBER_INT, (uint64_t)value);
    else
        protobuf_double(out, NUMBER_DOUBLE, (double)value);
}

static void put_number(struct protobuf *out, const struct otlp_series *series, const struct otlp_values *values)
{
    if (series->kind != OTLP_GAUGE) {
        if (values->as.counter.has_reals)
            protobuf_double(out, NUMBER_DOUBLE, tally_counter_real(&values->as.counter));
        else
            put_integer(out, values->as.counter.integers);
        return;
    }
    const struct gb_event_value *last = &values->as.gauge.last;
    if (last->type == GB_VALUE_DOUBLE)
        protobuf_double(out, NUMBER_DOUBLE, last->as.d);
    else
        put_integer(out, last->type == GB_VALUE_UINT   ? (__int128)last->as.u
                         : last->type == GB_VALUE_BOOL ? last->as.boolean
                                                       : last->as.i);
}

static void put_point(struct protobuf *out, const struct otlp_store *store, const struct otlp_worker *worker,
                      const struct otlp_series *series)
{
    const struct otlp_values *values = otlp_values_of(store, series);
    bool number = series->kind != OTLP_DURATION && series->kind != OTLP_SAMPLE;
    size_t point = protobuf_begin(out, DATA_POINTS);
    protobuf_put_raw(out, series->attributes, series->attributes_length);
    if (series->kind != OTLP_GAUGE)
        protobuf_fixed64(out, POINT_START, (uint64_t)worker->start_wall_ns);
    protobuf_fixed64(out, POINT_TIME, (uint64_t)worker->taken_wall_ns);
    if (number)
        put_number(out, series, values);
    else
        put_histogram(out, values, series->kind == OTLP_DURATION);
    protobuf_end(out, point);
}

static size_t begin_data(struct protobuf *out, enum otlp_kind kind)
{
    return protobuf_begin(out, kind == OTLP_GAUGE                                ? METRIC_GAUGE
                               : kind == OTLP_COUNTER || kind == OTLP_UNFINISHED ? METRIC_SUM
                                                                                 : METRIC_EXPONENTIAL);
}

static void end_data(struct protobuf *out, enum otlp_kind kind, bool delta, size_t data)
{
    if (kind != OTLP_GAUGE)
        protobuf_uint(out, DATA_TEMPORALITY, delta ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE);
    if (kind == OTLP_COUNTER || kind == OTLP_UNFINISHED)
        protobuf_uint(out, SUM_MONOTONIC, 1);
    protobuf_end(out, data);
}

static void put_unit(struct protobuf *out, enum otlp_kind kind)
{
    if (kind == OTLP_DURATION)
        protobuf_text(out, METRIC_UNIT, "s");
    else if (kind == OTLP_UNFINISHED)
        protobuf_text(out, METRIC_UNIT, "{scope}");
}

uint64_t otlp_put_worker(struct protobuf *out, const struct otlp_store *store, struct otlp_worker *worker)
{
    uint64_t points = 0;
    if (!worker->sorted && worker->count)
        qsort(worker->list, worker->count, sizeof(struct otlp_series *), by_metric);
    worker->sorted = true;
    size_t resource = protobuf_begin(out, REQUEST_RESOURCE_METRICS);
    protobuf_put_raw(out, worker->resource.bytes, worker->resource.length);
    size_t scope = protobuf_begin(out, RESOURCE_METRICS_SCOPE);
    otlp_put_instrumentation(out);
    for (uint32_t i = 0; i < worker->count;) {
        const struct otlp_series *first = worker->list[i];
        uint64_t before = points;
        size_t metric = protobuf_begin(out, SCOPE_METRICS_METRICS);
        protobuf_bytes(out, METRIC_NAME, first->name, first->name_length);
        put_unit(out, first->kind);
        size_t data = begin_data(out, first->kind);
        for (; i < worker->count && same_metric(first, worker->list[i]); i++)
            if (otlp_values_of(store, worker->list[i])->events > 0) {
                put_point(out, store, worker, worker->list[i]);
                points++;
            }
        end_data(out, first->kind, store->delta, data);
        protobuf_end(out, metric);
        if (points == before)
            protobuf_cancel(out, metric, SCOPE_METRICS_METRICS);
    }
    protobuf_end(out, scope);
    protobuf_end(out, resource);
    if (points == 0)
        protobuf_cancel(out, resource, REQUEST_RESOURCE_METRICS);
    return points;
}
