/* SPDX-License-Identifier: MIT */
/* See prometheus_page.h: copies portions of the store and hands them to a format. */
#include "collector/reporters/prometheus_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/now.h"
#include "collector/reporters/prometheus_gauges.h"

#define PORTION 32 /* series that are copied at a time: some ten microseconds */

static void copy_bucket(void *context, int index, uint64_t count)
{
    struct prometheus_page *page = context;
    if (page->bucket_count == page->bucket_room) {
        size_t room = page->bucket_room > 0 ? 2 * page->bucket_room : 1024;
        struct prometheus_bucket *grown = realloc(page->buckets, room * sizeof(*grown));
        if (grown == NULL) {
            page->failed = true;
            return;
        }
        page->buckets = grown;
        page->bucket_room = room;
    }
    page->buckets[page->bucket_count++] = (struct prometheus_bucket){.index = index, .count = count};
}

static struct prometheus_side copy_side(struct prometheus_page *page, const struct histogram_side *side)
{
    struct prometheus_side copy = {.first = page->bucket_count};
    histogram_each(side, copy_bucket, page);
    copy.count = page->bucket_count - copy.first;
    return copy;
}

static void copy_histogram(struct prometheus_page *page, const struct prometheus_series *series,
                           struct prometheus_point *point)
{
    const struct prometheus_histogram *histogram = &series->as.histogram;
    bool durations = series->family->use == PROMETHEUS_OF_TIMINGS;
    point->value = durations ? (double)histogram->ns / 1e9 : histogram->native.sum;
    point->count = histogram->native.count;
    memcpy(point->buckets, histogram->buckets, (series->family->bounds->count + 1) * sizeof(point->buckets[0]));
    if (!page->format->native)
        return;
    /* for want of memory there can be fewer in its buckets; the sum must hold all the same */
    point->count -= histogram->native.unplaced;
    point->zero = histogram->native.zero;
    point->positive = copy_side(page, &histogram->native.positive);
    point->negative = copy_side(page, &histogram->native.negative);
}

/* False: it has no value now. */
static bool copy_series(struct prometheus_page *page, const struct prometheus_store *store,
                        const struct prometheus_series *series, int64_t now_ns, struct prometheus_point *point)
{
    point->labels = series->labels;
    point->label_count = series->label_count;
    point->whole = false;
    switch (series->family->type) {
    case PROMETHEUS_COUNTER: {
        const struct tally_counter *counter = &series->as.counter;
        point->value = tally_counter_real(counter);
        point->whole = !counter->has_reals && counter->integers <= UINT64_MAX;
        point->integer = (uint64_t)counter->integers;
        return true;
    }
    case PROMETHEUS_GAUGE:
        return prometheus_gauge_value(&series->as.gauge, store->gauges, now_ns, &point->value);
    default:
        copy_histogram(page, series, point);
        return true;
    }
}

/* At most PORTION series from *at on, the overflow series last; *at moves on. */
static uint32_t copy_portion(struct prometheus_page *page, struct prometheus_store *store,
                             const struct prometheus_family *family, uint32_t *at, bool *ret_last,
                             struct prometheus_point *points)
{
    uint32_t count = 0, end;
    int64_t now_ns = clock_mono_now();
    page->bucket_count = 0;
    prometheus_store_lock(store);
    end = *at + PORTION < family->count ? *at + PORTION : family->count;
    for (; *at < end; (*at)++)
        count += copy_series(page, store, family->series[*at], now_ns, &points[count]);
    *ret_last = end == family->count;
    if (*ret_last && family->overflow != NULL)
        count += copy_series(page, store, family->overflow, now_ns, &points[count]);
    prometheus_store_unlock(store);
    return count;
}

static void write_family(struct prometheus_page *page, struct prometheus_store *store,
                         const struct prometheus_family *family, struct prometheus_point *points)
{
    const struct prometheus_head head = {
        .name = family->name, .help = family->help, .type = family->type, .bounds = family->bounds};
    bool begun = false, last = false;
    for (uint32_t at = 0; !last && !page->failed;) {
        uint32_t count = copy_portion(page, store, family, &at, &last, points);
        if (count > 0 && !begun) {
            page->format->head(page, &head);
            begun = true;
        }
        for (uint32_t i = 0; i < count && !page->failed; i++)
            page->format->point(page, &head, &points[i]);
    }
    if (begun)
        page->format->foot(page, &head);
}

/* NULL: there is none of this number. */
static const struct prometheus_family *family_at(struct prometheus_store *store, uint32_t number)
{
    prometheus_store_lock(store);
    const struct prometheus_family *family = number < store->family_count ? store->families[number] : NULL;
    prometheus_store_unlock(store);
    return family;
}

int prometheus_page_make(const struct prometheus_format *format, struct prometheus_store *store,
                         void (*own)(void *context, struct prometheus_page *page), void *context, void **ret_bytes,
                         size_t *ret_length)
{
    struct prometheus_page page = {.format = format};
    struct prometheus_point *points = malloc((PORTION + 1) * sizeof(*points));
    page.text = memory_stream_open(&page.memory);
    int result = -ENOMEM;
    if (points == NULL || page.text == NULL)
        goto out;
    const struct prometheus_family *family;
    for (uint32_t number = 0; (family = family_at(store, number)) != NULL; number++)
        write_family(&page, store, family, points);
    own(context, &page);
    result = format->end(&page, ret_bytes, ret_length);
out:
    if (page.text != NULL)
        free(memory_stream_close(&page.memory, page.text));
    protobuf_free(&page.bytes);
    free(page.labels);
    free(page.buckets);
    free(points);
    return result;
}

void prometheus_page_begin(struct prometheus_page *page, const struct prometheus_head *head)
{
    page->format->head(page, head);
}

void prometheus_page_count(struct prometheus_page *page, const struct prometheus_head *head,
                           const struct prometheus_label *labels, uint32_t label_count, uint64_t value)
{
    const struct prometheus_point point = {
        .labels = labels, .label_count = label_count, .whole = true, .integer = value, .value = (double)value};
    page->format->point(page, head, &point);
}

void prometheus_page_real(struct prometheus_page *page, const struct prometheus_head *head,
                          const struct prometheus_label *labels, uint32_t label_count, double value)
{
    const struct prometheus_point point = {.labels = labels, .label_count = label_count, .value = value};
    page->format->point(page, head, &point);
}

void prometheus_page_end(struct prometheus_page *page, const struct prometheus_head *head)
{
    page->format->foot(page, head);
}
