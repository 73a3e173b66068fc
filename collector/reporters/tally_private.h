/* SPDX-License-Identifier: MIT */
/* What tally.c (events, one by one) and tally_merge.c (sums that others made) share. */
#ifndef GB_COLLECTOR_REPORTERS_TALLY_PRIVATE_H
#define GB_COLLECTOR_REPORTERS_TALLY_PRIVATE_H

#include <math.h>
#include <stdlib.h>

#include "collector/reporters/tally.h"

/* NULL: no memory. */
struct tally_path *tally_add_path(struct tally *tally, const struct gb_path *path);

static inline struct tally_path *entry_of(struct tally *tally, const struct gb_path *path)
{
    if (__builtin_expect(path->id < tally->capacity, 1)) {
        struct tally_path *entry = tally->by_id[path->id];
        if (__builtin_expect(entry != NULL, 1))
            return entry;
    }
    return tally_add_path(tally, path);
}

static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* What an entry has of one kind, made at its first event. */
static inline void *part_of(void *place, size_t bytes)
{
    void **part = place;
    if (__builtin_expect(*part == NULL, 0))
        *part = calloc(1, bytes);
    return *part;
}

static inline void add_real(struct tally_counter *counter, double value)
{
    double sum = counter->reals + value;
    counter->lost += fabs(counter->reals) >= fabs(value) ? counter->reals - sum + value : value - sum + counter->reals;
    counter->reals = sum;
}

#endif
