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

struct gb_event folded_event(const struct gb_folded *folded)
{
    struct gb_event event = {.kind = folded->kind,
                             .flags = folded->flags,
                             .path = folded->path,
                             .start_mono_ns = folded->last_mono_ns,
                             .start_wall_ns = folded->last_wall_ns};
    if (folded->kind == GB_EVENT_TIMING)
        event.as.duration_ns = folded->last.as.u < INT64_MAX ? (int64_t)folded->last.as.u : INT64_MAX;
    else
        event.as.value = folded->last;
    return event;
}

static double middle_of(const struct gb_folded *folded, const struct gb_folded_bucket *bucket)
{
    double least = folded_number(&folded->least), greatest = folded_number(&folded->greatest);
    double middle = histogram_middle(bucket->index);
    middle = bucket->negative ? -middle : middle;
    return middle < least ? least : middle > greatest ? greatest : middle;
}

void folded_each(const struct gb_folded *folded, double scale,
                 void (*each)(void *context, double value, uint64_t count), void *context)
{
    uint64_t finite = folded->count - folded->not_finite;
    if (folded->zero)
        each(context, 0, folded->zero);
    for (uint32_t i = 0; i < folded->bucket_count; i++)
        each(context, middle_of(folded, &folded->buckets[i]) * scale, folded->buckets[i].count);
    if (folded->unplaced)
        each(context, folded_real(folded) / (double)finite * scale, folded->unplaced);
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
    for (uint32_t i = 0; i < folded->bucket_count; i++)
        histogram_place(into, middle_of(folded, &folded->buckets[i]) * scale, folded->buckets[i].count);
}
