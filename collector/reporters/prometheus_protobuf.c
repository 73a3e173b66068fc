/* SPDX-License-Identifier: MIT */
/*
 * The protobuf format: a stream of io.prometheus.client.MetricFamily, each after its length. The only one that has native
 * histograms; ours are of schema 5, and their buckets are those of histogram.h, one further on: Prometheus numbers a bucket by
 * its upper bound, we by its lower. The classic buckets are in the same message. The HTTP thread.
 */
#include <errno.h>
#include <float.h>
#include <string.h>

#include "collector/reporters/prometheus_page.h"

enum { FAMILY_NAME = 1, FAMILY_HELP = 2, FAMILY_TYPE = 3, FAMILY_METRIC = 4 };
enum { METRIC_LABEL = 1, METRIC_GAUGE = 2, METRIC_COUNTER = 3, METRIC_HISTOGRAM = 7 };
enum { LABEL_NAME = 1, LABEL_VALUE = 2 };
enum { VALUE = 1 }; /* of Counter and Gauge */
enum {
    HISTOGRAM_COUNT = 1,
    HISTOGRAM_SUM = 2,
    HISTOGRAM_BUCKET = 3,
    HISTOGRAM_SCHEMA = 5,
    HISTOGRAM_ZERO_THRESHOLD = 6,
    HISTOGRAM_ZERO_COUNT = 7,
    HISTOGRAM_NEGATIVE_SPAN = 9,
    HISTOGRAM_NEGATIVE_DELTA = 10,
    HISTOGRAM_POSITIVE_SPAN = 12,
    HISTOGRAM_POSITIVE_DELTA = 13
};
enum { BUCKET_COUNT = 1, BUCKET_BOUND = 2 };
enum { SPAN_OFFSET = 1, SPAN_LENGTH = 2 };

#define GAP_MAX 2 /* so many empty buckets are told as such: less than a span of their own takes */

static void protobuf_head(struct prometheus_page *page, const struct prometheus_head *head)
{
    static const unsigned types[] = {[PROMETHEUS_COUNTER] = 0, [PROMETHEUS_GAUGE] = 1, [PROMETHEUS_HISTOGRAM] = 4};
    struct protobuf *out = &page->bytes;
    page->family = protobuf_begin_delimited(out);
    if (head->type == PROMETHEUS_COUNTER) {
        char name[2048];
        snprintf(name, sizeof(name), "%s_total", head->name);
        protobuf_text(out, FAMILY_NAME, name);
    } else
        protobuf_text(out, FAMILY_NAME, head->name);
    protobuf_text(out, FAMILY_HELP, head->help);
    protobuf_uint(out, FAMILY_TYPE, types[head->type]);
}

static void put_classic(struct protobuf *out, const struct prometheus_head *head, const struct prometheus_point *point)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i < head->bounds->count; i++) {
        below += point->buckets[i];
        size_t bucket = protobuf_begin(out, HISTOGRAM_BUCKET);
        protobuf_uint(out, BUCKET_COUNT, below);
        protobuf_double(out, BUCKET_BOUND, head->bounds->bound[i]);
        protobuf_end(out, bucket);
    }
}

/* Calls for each bucket that is told, the empty ones of short gaps included. */
static size_t span_length(const struct prometheus_bucket *buckets, size_t count, size_t at)
{
    size_t next = at + 1;
    while (next < count && buckets[next].index - buckets[next - 1].index <= GAP_MAX + 1)
        next++;
    return next - at;
}

static void put_spans(struct protobuf *out, uint32_t field, const struct prometheus_bucket *buckets, size_t count)
{
    int expected = 0; /* the first offset counts from index 0, each other from the end of the span before */
    for (size_t at = 0, next; at < count; at = next) {
        next = at + span_length(buckets, count, at);
        int first = buckets[at].index + 1, end = buckets[next - 1].index + 2;
        size_t span = protobuf_begin(out, field);
        protobuf_sint(out, SPAN_OFFSET, first - expected);
        protobuf_uint(out, SPAN_LENGTH, (uint64_t)(end - first));
        protobuf_end(out, span);
        expected = end;
    }
}

static void put_deltas(struct protobuf *out, uint32_t field, const struct prometheus_bucket *buckets, size_t count)
{
    uint64_t before = 0;
    size_t list = protobuf_begin(out, field);
    for (size_t at = 0, next; at < count; at = next) {
        next = at + span_length(buckets, count, at);
        int index = buckets[at].index;
        for (size_t i = at; i < next; i++) {
            for (; index < buckets[i].index; index++) {
                protobuf_put_sint(out, (int64_t)(0 - before));
                before = 0;
            }
            protobuf_put_sint(out, (int64_t)(buckets[i].count - before));
            before = buckets[i].count;
            index++;
        }
    }
    protobuf_end(out, list);
}

static void put_side(struct prometheus_page *page, uint32_t spans, uint32_t deltas, const struct prometheus_side *side)
{
    if (side->count == 0)
        return;
    put_spans(&page->bytes, spans, page->buckets + side->first, side->count);
    put_deltas(&page->bytes, deltas, page->buckets + side->first, side->count);
}

static void put_histogram(struct prometheus_page *page, const struct prometheus_head *head,
                          const struct prometheus_point *point)
{
    struct protobuf *out = &page->bytes;
    protobuf_uint(out, HISTOGRAM_COUNT, point->count);
    protobuf_double(out, HISTOGRAM_SUM, point->value);
    put_classic(out, head, point);
    protobuf_sint(out, HISTOGRAM_SCHEMA, HISTOGRAM_SCALE);
    protobuf_double(out, HISTOGRAM_ZERO_THRESHOLD, DBL_MIN);
    protobuf_uint(out, HISTOGRAM_ZERO_COUNT, point->zero);
    put_side(page, HISTOGRAM_NEGATIVE_SPAN, HISTOGRAM_NEGATIVE_DELTA, &point->negative);
    put_side(page, HISTOGRAM_POSITIVE_SPAN, HISTOGRAM_POSITIVE_DELTA, &point->positive);
}

static void protobuf_point(struct prometheus_page *page, const struct prometheus_head *head,
                           const struct prometheus_point *point)
{
    static const uint32_t fields[] = {[PROMETHEUS_COUNTER] = METRIC_COUNTER,
                                      [PROMETHEUS_GAUGE] = METRIC_GAUGE,
                                      [PROMETHEUS_HISTOGRAM] = METRIC_HISTOGRAM};
    struct protobuf *out = &page->bytes;
    size_t metric = protobuf_begin(out, FAMILY_METRIC);
    for (uint32_t i = 0; i < point->label_count; i++) {
        size_t label = protobuf_begin(out, METRIC_LABEL);
        protobuf_text(out, LABEL_NAME, point->labels[i].name);
        protobuf_text(out, LABEL_VALUE, point->labels[i].value);
        protobuf_end(out, label);
    }
    size_t value = protobuf_begin(out, fields[head->type]);
    if (head->type == PROMETHEUS_HISTOGRAM)
        put_histogram(page, head, point);
    else
        protobuf_double(out, VALUE, point->value);
    protobuf_end(out, value);
    protobuf_end(out, metric);
}

static void protobuf_foot(struct prometheus_page *page, const struct prometheus_head *head)
{
    (void)head;
    protobuf_end(&page->bytes, page->family);
}

static int protobuf_finish(struct prometheus_page *page, void **ret_bytes, size_t *ret_length)
{
    if (page->bytes.failed || page->failed)
        return -ENOMEM;
    *ret_bytes = page->bytes.bytes;
    *ret_length = page->bytes.length;
    page->bytes = (struct protobuf){0};
    return 0;
}

const struct prometheus_format prometheus_protobuf = {
    .name = "protobuf",
    .content_type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    .native = true,
    .head = protobuf_head,
    .point = protobuf_point,
    .foot = protobuf_foot,
    .end = protobuf_finish,
};
