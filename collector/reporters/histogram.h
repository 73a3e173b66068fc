/* SPDX-License-Identifier: MIT */
/*
 * A distribution in base-2 exponential buckets of scale 5: 32 buckets a doubling, so that a value and the middle of its
 * bucket are never more than 1.09 % apart. In: values. Out: percentiles, and the buckets for exporters.
 *
 * Bucket i of a sign holds the magnitudes in (2^(i/32), 2^((i+1)/32)], as OpenTelemetry's exponential histogram of scale
 * 5 has it. Buckets are kept by bands of one doubling, allocated at first use: a path whose durations spread over three
 * doublings costs 768 bytes. Not thread-safe: one thread owns a histogram. All zeros is an empty one.
 */
#ifndef GB_COLLECTOR_REPORTERS_HISTOGRAM_H
#define GB_COLLECTOR_REPORTERS_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/bucket.h"

#define HISTOGRAM_SCALE GB_BUCKET_SCALE
#define HISTOGRAM_BAND GB_BUCKETS /* buckets of a doubling */

struct histogram_side {
    uint64_t **band; /* by exponent, from `low` on; NULL: no value there yet */
    uint32_t low, bands;
};

struct histogram {
    uint64_t count;    /* finite values; count == zero + all buckets + unplaced */
    uint64_t zero;     /* magnitude below the least normal double */
    uint64_t unplaced; /* no memory for their bucket: they are in count, sum, min and max */
    double sum, min, max;
    struct histogram_side positive, negative;
};

/* `value` must be finite. */
void histogram_add(struct histogram *histogram, double value);

/* `count` values of about this size into their bucket, and nothing else: count, sum, min and max are the caller's. */
void histogram_place(struct histogram *histogram, double value, uint64_t count);

/* into += from. -ENOMEM: some of it is unplaced. */
int histogram_merge(struct histogram *into, const struct histogram *from);

/* The value at rank ceil(quantile * count), within 1.1 % of the exact one; 0 when empty. 0 gives min, 1 gives max. */
double histogram_quantile(const struct histogram *histogram, double quantile);

/* The buckets of one side in rising order of magnitude: index as above. */
void histogram_each(const struct histogram_side *side, void (*each)(void *context, int index, uint64_t count),
                    void *context);

/* Upper bound of bucket `index`. */
double histogram_bound(int index);

/* The value of which both bounds are equally far in relation to themselves: less than 1.084 % from anything inside. */
double histogram_middle(int index);

/* Frees what it holds and empties it. */
void histogram_clear(struct histogram *histogram);

#endif
