/* SPDX-License-Identifier: MIT */
/* Sums by path: see tally.h. Here is what comes as a sum already: a fold, or another tally. */
#include <errno.h>

#include "collector/reporters/folded.h"
#include "collector/reporters/tally_private.h"

static void fold_duration(struct tally_duration *duration, const struct gb_folded *folded)
{
    int64_t longest = folded->greatest.as.u < INT64_MAX ? (int64_t)folded->greatest.as.u : INT64_MAX;
    if (folded->flags & GB_EVENT_UNFINISHED) {
        duration->unfinished += folded->count;
        if (longest > duration->unfinished_max_ns)
            duration->unfinished_max_ns = longest;
        return;
    }
    duration->total_ns = add_saturated(duration->total_ns, folded_ns(folded));
    if (!(folded->flags & GB_EVENT_DETACHED))
        duration->attached_ns = add_saturated(duration->attached_ns, folded_ns(folded));
    folded_add(&duration->histogram, folded, 1);
}

void tally_counter_fold(struct tally_counter *counter, const struct gb_folded *folded)
{
    counter->count += folded->count;
    if (folded->least.type != GB_VALUE_DOUBLE) {
        counter->integers += folded_integer(folded);
        return;
    }
    add_real(counter, folded->sum);
    counter->lost += folded->sum_lost;
    counter->has_reals = true;
}

static bool fold_counter(struct tally_path *entry, const struct gb_folded *folded)
{
    struct tally_counter *counter = part_of(&entry->counter, sizeof(*counter));
    if (counter != NULL)
        tally_counter_fold(counter, folded);
    return counter != NULL;
}

static int merge_gauge(struct tally_path *into, const struct tally_gauge *from)
{
    struct tally_gauge *gauge = part_of(&into->gauge, sizeof(*gauge));
    if (gauge == NULL)
        return -ENOMEM;
    if (gauge->count == 0 || from->last_ns >= gauge->last_ns) {
        gauge->last = from->last;
        gauge->last_ns = from->last_ns;
    }
    if (from->count > from->not_finite) {
        bool first = gauge->count == gauge->not_finite;
        gauge->min = first || from->min < gauge->min ? from->min : gauge->min;
        gauge->max = first || from->max > gauge->max ? from->max : gauge->max;
    }
    gauge->sum += from->sum;
    gauge->count += from->count;
    gauge->not_finite += from->not_finite;
    return 0;
}

static bool fold_gauge(struct tally_path *entry, const struct gb_folded *folded)
{
    const struct tally_gauge gauge = {.last = folded->last,
                                      .last_ns = folded->last_wall_ns,
                                      .min = folded_number(&folded->least),
                                      .max = folded_number(&folded->greatest),
                                      .sum = folded_real(folded),
                                      .count = folded->count,
                                      .not_finite = folded->not_finite};
    return merge_gauge(entry, &gauge) == 0;
}

static bool fold_sample(struct tally_path *entry, const struct gb_folded *folded)
{
    struct tally_sample *sample = part_of(&entry->sample, sizeof(*sample));
    if (sample == NULL)
        return false;
    sample->not_finite += folded->not_finite;
    folded_add(&sample->histogram, folded, 1);
    return true;
}

void tally_folded(struct tally *tally, const struct gb_folded *folded)
{
    struct tally_path *entry = entry_of(tally, folded->path);
    bool done = entry != NULL;
    if (folded->kind == GB_EVENT_TIMING) {
        tally->timings += folded->count;
        if (done)
            fold_duration(&entry->duration, folded);
    } else {
        tally->metrics += folded->count;
        done = done && (folded->kind == GB_EVENT_COUNTER ? fold_counter(entry, folded)
                        : folded->kind == GB_EVENT_GAUGE ? fold_gauge(entry, folded)
                                                         : fold_sample(entry, folded));
    }
    if (!done)
        tally->without_memory += folded->count;
}

void tally_counter_merge(struct tally_counter *into, const struct tally_counter *from)
{
    into->integers += from->integers;
    add_real(into, from->reals);
    into->lost += from->lost;
    into->has_reals |= from->has_reals;
    into->count += from->count;
}

static int merge_counter(struct tally_path *into, const struct tally_counter *from)
{
    struct tally_counter *counter = part_of(&into->counter, sizeof(*counter));
    if (counter == NULL)
        return -ENOMEM;
    tally_counter_merge(counter, from);
    return 0;
}

static int merge_sample(struct tally_path *into, const struct tally_sample *from)
{
    struct tally_sample *sample = part_of(&into->sample, sizeof(*sample));
    if (sample == NULL)
        return -ENOMEM;
    sample->not_finite += from->not_finite;
    return histogram_merge(&sample->histogram, &from->histogram);
}

int tally_path_merge(struct tally_path *into, const struct tally_path *from)
{
    struct tally_duration *duration = &into->duration;
    duration->total_ns = add_saturated(duration->total_ns, from->duration.total_ns);
    duration->attached_ns = add_saturated(duration->attached_ns, from->duration.attached_ns);
    duration->failed += from->duration.failed;
    duration->unfinished += from->duration.unfinished;
    if (from->duration.unfinished_max_ns > duration->unfinished_max_ns)
        duration->unfinished_max_ns = from->duration.unfinished_max_ns;
    int result = histogram_merge(&duration->histogram, &from->duration.histogram);
    if (from->counter != NULL && merge_counter(into, from->counter) < 0)
        result = -ENOMEM;
    if (from->gauge != NULL && merge_gauge(into, from->gauge) < 0)
        result = -ENOMEM;
    if (from->sample != NULL && merge_sample(into, from->sample) < 0)
        result = -ENOMEM;
    return result;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->timings += from->timings;
    into->metrics += from->metrics;
    into->without_memory += from->without_memory;
    for (uint32_t i = 0; i < from->count; i++) {
        struct tally_path *entry = entry_of(into, from->list[i]->path);
        if (entry == NULL || tally_path_merge(entry, from->list[i]) < 0)
            into->without_memory++;
    }
}
