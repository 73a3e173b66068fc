/* SPDX-License-Identifier: MIT */
/* See folded.h. */
#include "collector/reporters/folded.h"

#include <math.h>

double folded_number(const struct gb_event_value *value)
{
    return value->type == GB_VALUE_INT    ? (double)value->as.i
           : value->type == GB_VALUE_UINT ? (double)value->as.u
                                          : value->as.d;
}

double folded_real(const struct gb_folded *folded)
{
    if (folded->least.type != GB_VALUE_DOUBLE)
        return (double)folded_integer(folded);
    return isfinite(folded->sum) ? folded->sum + folded->sum_lost : folded->sum;
}

void folded_add(struct histogram *into, const struct gb_folded *folded, double scale)
{
    uint64_t finite = folded->count - folded->not_finite;
    double least = folded_number(&folded->least) * scale, greatest = folded_number(&folded->greatest) * scale;
    if (!finite)
        return;
    if (into->count == 0 || least < into->min)
        into->min = least;
    if (into->count == 0 || greatest > into->max)
        into->max = greatest;
    into->count += finite;
    into->sum += folded_real(folded) * scale;
    into->zero += folded->zero;
    into->unplaced += folded->unplaced;
    for (uint32_t i = 0; i < folded->bucket_count; i++) {
        const struct gb_folded_bucket *bucket = &folded->buckets[i];
        double middle = histogram_middle(bucket->index) * scale;
        histogram_place(into, bucket->negative ? -middle : middle, bucket->count);
    }
}
