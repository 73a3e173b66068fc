/* SPDX-License-Identifier: MIT */
/*
 * Exponential buckets, by bands of one doubling (gb/bucket.h). In: doubles. Out: counts by bucket. Runs on the thread of its owner.
 */
#include "collector/reporters/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for a value in `band`: the directory first, then the band's buckets. */
static __attribute__((noinline, cold)) uint64_t *side_grow(struct histogram_side *side, uint32_t band)
{
    uint32_t low = side->bands == 0 || band < side->low ? band : side->low;
    uint32_t end = side->bands == 0 || band >= side->low + side->bands ? band + 1 : side->low + side->bands;
    if (side->bands != end - low) {
        uint64_t **directory = calloc(end - low, sizeof(*directory));
        if (directory == NULL)
            return NULL;
        if (side->bands > 0)
            memcpy(directory + (side->low - low), side->band, side->bands * sizeof(*directory));
        free(side->band);
        side->band = directory;
        side->low = low;
        side->bands = end - low;
    }
    uint64_t **place = &side->band[band - side->low];
    if (*place == NULL)
        *place = calloc(HISTOGRAM_BAND, sizeof(**place));
    return *place;
}

static inline uint64_t *side_band(struct histogram_side *side, uint32_t band)
{
    uint32_t at = band - side->low; /* wraps to a large one when below */
    if (__builtin_expect(at < side->bands && side->band[at] != NULL, 1))
        return side->band[at];
    return side_grow(side, band);
}

static inline void place(struct histogram *histogram, double value, uint64_t count)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    struct histogram_side *side = bits >> 63 ? &histogram->negative : &histogram->positive;
    bits &= INT64_MAX;
    if (bits < GB_BUCKET_LEAST) {
        histogram->zero += count;
        return;
    }
    uint32_t exponent, bucket = gb_bucket_place(bits, &exponent);
    uint64_t *band = side_band(side, exponent);
    if (band != NULL)
        band[bucket] += count;
    else
        histogram->unplaced += count;
}

void histogram_add(struct histogram *histogram, double value)
{
    if (histogram->count == 0 || value < histogram->min)
        histogram->min = value;
    if (histogram->count == 0 || value > histogram->max)
        histogram->max = value;
    histogram->count++;
    histogram->sum += value;
    place(histogram, value, 1);
}

void histogram_place(struct histogram *histogram, double value, uint64_t count)
{
    place(histogram, value, count);
}

static uint64_t side_merge(struct histogram_side *into, const struct histogram_side *from)
{
    uint64_t unplaced = 0;
    for (uint32_t i = 0; i < from->bands; i++) {
        const uint64_t *source = from->band[i];
        if (source == NULL)
            continue;
        uint64_t *target = side_band(into, from->low + i);
        for (uint32_t k = 0; k < HISTOGRAM_BAND; k++) {
            if (target != NULL)
                target[k] += source[k];
            else
                unplaced += source[k];
        }
    }
    return unplaced;
}

int histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return 0;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (into->count == 0 || from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    into->zero += from->zero;
    uint64_t unplaced = side_merge(&into->positive, &from->positive) + side_merge(&into->negative, &from->negative);
    into->unplaced += from->unplaced + unplaced;
    return unplaced > 0 ? -ENOMEM : 0;
}

static int index_of(uint32_t band, uint32_t bucket)
{
    return ((int)band - GB_BUCKET_BIAS) * (int)HISTOGRAM_BAND + (int)bucket;
}

double histogram_bound(int index)
{
    int band = (index + 1) >> HISTOGRAM_SCALE; /* rounds down, also below zero */
    uint64_t bound = gb_bucket_bounds[(uint32_t)(index + 1) & (HISTOGRAM_BAND - 1)];
    return ldexp((double)(GB_BUCKET_LEAST | bound), band - GB_BUCKET_MANTISSA_BITS);
}

double histogram_middle(int index)
{
    double low = histogram_bound(index - 1), high = histogram_bound(index);
    double share = isfinite(high) ? low / high : exp2(-1.0 / HISTOGRAM_BAND); /* low + high may be beyond a double */
    return low * (2 / (1 + share));
}

/* In rising order of value: negative buckets from the far end, zero, positive buckets. *rank: how many are still to be
 * passed; on success 0. */
static bool find_in_side(const struct histogram_side *side, bool from_far_end, uint64_t *rank, int *ret_index)
{
    for (uint32_t i = 0; i < side->bands; i++) {
        uint32_t band = from_far_end ? side->bands - 1 - i : i;
        if (side->band[band] == NULL)
            continue;
        for (uint32_t k = 0; k < HISTOGRAM_BAND; k++) {
            uint32_t bucket = from_far_end ? HISTOGRAM_BAND - 1 - k : k;
            uint64_t count = side->band[band][bucket];
            if (count >= *rank) {
                *ret_index = index_of(side->low + band, bucket);
                return true;
            }
            *rank -= count;
        }
    }
    return false;
}

double histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t placed = histogram->count - histogram->unplaced;
    if (histogram->count == 0)
        return 0;
    if (placed == 0 || quantile >= 1)
        return histogram->max;
    if (quantile <= 0)
        return histogram->min;
    uint64_t rank = (uint64_t)ceil(quantile * (double)placed);
    rank = rank < 1 ? 1 : rank > placed ? placed : rank;

    double value;
    int index;
    if (find_in_side(&histogram->negative, true, &rank, &index))
        value = -histogram_middle(index);
    else if (histogram->zero >= rank)
        value = 0;
    else {
        rank -= histogram->zero;
        value = find_in_side(&histogram->positive, false, &rank, &index) ? histogram_middle(index) : histogram->max;
    }
    return value < histogram->min ? histogram->min : value > histogram->max ? histogram->max : value;
}

void histogram_each(const struct histogram_side *side, void (*each)(void *context, int index, uint64_t count),
                    void *context)
{
    for (uint32_t i = 0; i < side->bands; i++)
        for (uint32_t k = 0; side->band[i] != NULL && k < HISTOGRAM_BAND; k++)
            if (side->band[i][k] > 0)
                each(context, index_of(side->low + i, k), side->band[i][k]);
}

static void side_clear(struct histogram_side *side)
{
    for (uint32_t i = 0; i < side->bands; i++)
        free(side->band[i]);
    free(side->band);
}

void histogram_clear(struct histogram *histogram)
{
    side_clear(&histogram->positive);
    side_clear(&histogram->negative);
    memset(histogram, 0, sizeof(*histogram));
}
