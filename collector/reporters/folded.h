/* SPDX-License-Identifier: MIT */
/*
 * Events that found their ring full (struct gb_folded), for reporters that add up: its sums as numbers, its distribution into a
 * histogram. The thread of one reporter.
 */
#ifndef GB_COLLECTOR_REPORTERS_FOLDED_H
#define GB_COLLECTOR_REPORTERS_FOLDED_H

#include "collector/reporters/histogram.h"
#include "gb/reporter.h"

/* Integers: their sum. */
static inline __int128 folded_integer(const struct gb_folded *folded)
{
    return (__int128)folded->sum_high << 64 | folded->sum_low;
}

/* Of a timing: ns, at most UINT64_MAX. */
static inline uint64_t folded_ns(const struct gb_folded *folded)
{
    return folded->sum_high ? UINT64_MAX : folded->sum_low;
}

/* The sum, whatever its type. */
double folded_real(const struct gb_folded *folded);

/* The number in a value that is no text. */
double folded_number(const struct gb_event_value *value);

/* The last of its events, as it would have come, without attributes: to find a series by. */
struct gb_event folded_event(const struct gb_folded *folded);

/* Its buckets one by one: about where their values are, times `scale`, never outside of the least and the greatest. What was not
 * placed comes as its mean. */
void folded_each(const struct gb_folded *folded, double scale,
                 void (*each)(void *context, double value, uint64_t count), void *context);

/*
 * into += the finite values, each times `scale`. Count and sum are exact, least and greatest too. With a scale of 1 so are the
 * buckets; with another one each goes, whole, where its middle falls.
 */
void folded_add(struct histogram *into, const struct gb_folded *folded, double scale);

#endif
