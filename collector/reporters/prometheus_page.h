/* SPDX-License-Identifier: MIT */
/*
 * One answer to a scrape. In: the store, the collector's own figures, a format. Out: bytes. The HTTP thread; the store's lock is taken
 * for one portion of series at a time, and never while anything is written.
 */
#ifndef GB_REPORTERS_PROMETHEUS_PAGE_H
#define GB_REPORTERS_PROMETHEUS_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "collector/memory_stream.h"
#include "collector/reporters/prometheus_store.h"
#include "collector/reporters/protobuf.h"

struct prometheus_head {
    const char *name, *help; /* name: without _total */
    enum prometheus_type type;
    const struct prometheus_bounds *bounds; /* of a histogram */
};

struct prometheus_bucket {
    int index; /* of histogram.h */
    uint64_t count;
};

/* A slice of the page's buckets. */
struct prometheus_side {
    size_t first, count;
};

/* A series as it was when it was copied. */
struct prometheus_point {
    const struct prometheus_label *labels;
    uint32_t label_count;
    bool whole; /* the value is `integer`: exact, where a double is not */
    uint64_t integer;
    double value; /* of a counter or gauge; of a histogram: its sum */
    uint64_t count;
    uint64_t buckets[PROMETHEUS_BOUNDS_MAX + 1]; /* not cumulative; the last one: +Inf */
    uint64_t zero;                               /* of the native histogram, like the next two */
    struct prometheus_side positive, negative;
};

struct prometheus_page;

struct prometheus_format {
    const char *name, *content_type;
    bool native; /* wants the native buckets */
    bool open_metrics;
    void (*head)(struct prometheus_page *page, const struct prometheus_head *head);
    void (*point)(struct prometheus_page *page, const struct prometheus_head *head,
                  const struct prometheus_point *point);
    void (*foot)(struct prometheus_page *page, const struct prometheus_head *head);
    int (*end)(struct prometheus_page *page, void **ret_bytes, size_t *ret_length); /* bytes: to be freed */
};
extern const struct prometheus_format prometheus_text, prometheus_openmetrics, prometheus_protobuf;

struct prometheus_page {
    const struct prometheus_format *format;
    FILE *text; /* writes into `memory` */
    struct memory_stream memory;
    char *labels; /* those of a point, as text */
    size_t labels_room;
    struct protobuf bytes;
    size_t family;
    struct prometheus_bucket *buckets;
    size_t bucket_count, bucket_room;
    bool failed; /* no memory */
};

/* `own` writes what is not in the store. 0 or -ENOMEM. */
int prometheus_page_make(const struct prometheus_format *format, struct prometheus_store *store,
                         void (*own)(void *context, struct prometheus_page *page), void *context, void **ret_bytes,
                         size_t *ret_length);

/* For `own`: one family, begun, filled, ended. */
void prometheus_page_begin(struct prometheus_page *page, const struct prometheus_head *head);
void prometheus_page_count(struct prometheus_page *page, const struct prometheus_head *head,
                           const struct prometheus_label *labels, uint32_t label_count, uint64_t value);
void prometheus_page_real(struct prometheus_page *page, const struct prometheus_head *head,
                          const struct prometheus_label *labels, uint32_t label_count, double value);
void prometheus_page_end(struct prometheus_page *page, const struct prometheus_head *head);

#endif
