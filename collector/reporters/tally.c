/* SPDX-License-Identifier: MIT */
/* Sums by path: see tally.h. Runs on the thread of its owner; an event takes no lock and, once its path is known, no
 * memory. Where memory is refused, the event is counted in `without_memory`. */
#include "collector/reporters/tally.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/folded.h"

static bool grow_index(struct tally *tally, uint32_t id)
{
    uint32_t capacity = tally->capacity > 0 ? tally->capacity : 64;
    while (capacity <= id)
        capacity *= 2;
    struct tally_path **by_id = realloc(tally->by_id, capacity * sizeof(*by_id));
    if (by_id == NULL)
        return false;
    memset(by_id + tally->capacity, 0, (capacity - tally->capacity) * sizeof(*by_id));
    tally->by_id = by_id;
    tally->capacity = capacity;
    return true;
}

static __attribute__((noinline, cold)) struct tally_path *add_path(struct tally *tally, const struct gb_path *path)
{
    if (path->id >= tally->capacity && (path->id > UINT32_MAX / 2 || !grow_index(tally, path->id)))
        return NULL;
    if (tally->count == tally->room) {
        uint32_t room = tally->room > 0 ? 2 * tally->room : 16;
        struct tally_path **list = realloc(tally->list, room * sizeof(*list));
        if (list == NULL)
            return NULL;
        tally->list = list;
        tally->room = room;
    }
    struct tally_path *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    entry->path = path;
    tally->by_id[path->id] = entry;
    tally->list[tally->count++] = entry;
    return entry;
}

static inline struct tally_path *entry_of(struct tally *tally, const struct gb_path *path)
{
    if (__builtin_expect(path->id < tally->capacity, 1)) {
        struct tally_path *entry = tally->by_id[path->id];
        if (__builtin_expect(entry != NULL, 1))
            return entry;
    }
    return add_path(tally, path);
}

static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void tally_timing(struct tally *tally, const struct gb_event *event)
{
    tally->timings++;
    struct tally_path *entry = entry_of(tally, event->path);
    if (__builtin_expect(entry == NULL, 0)) {
        tally->without_memory++;
        return;
    }
    struct tally_duration *duration = &entry->duration;
    int64_t ns = event->as.duration_ns > 0 ? event->as.duration_ns : 0;
    if (__builtin_expect((event->flags & GB_EVENT_UNFINISHED) != 0, 0)) {
        duration->unfinished++;
        if (ns > duration->unfinished_max_ns)
            duration->unfinished_max_ns = ns;
        return;
    }
    duration->total_ns = add_saturated(duration->total_ns, (uint64_t)ns);
    if (!(event->flags & GB_EVENT_DETACHED))
        duration->attached_ns = add_saturated(duration->attached_ns, (uint64_t)ns);
    if (event->flags & GB_EVENT_FAILED)
        duration->failed++;
    histogram_add(&duration->histogram, (double)ns);
}

double tally_real(const struct gb_event_value *value)
{
    switch (value->type) {
    case GB_VALUE_BOOL:
        return value->as.boolean;
    case GB_VALUE_INT:
        return (double)value->as.i;
    case GB_VALUE_UINT:
        return (double)value->as.u;
    case GB_VALUE_DOUBLE:
        return value->as.d;
    default:
        return NAN;
    }
}

/* What an entry has of one kind, made at its first event. */
static inline void *part_of(void *place, size_t bytes)
{
    void **part = place;
    if (__builtin_expect(*part == NULL, 0))
        *part = calloc(1, bytes);
    return *part;
}

static void add_real(struct tally_counter *counter, double value)
{
    double sum = counter->reals + value;
    counter->lost += fabs(counter->reals) >= fabs(value) ? counter->reals - sum + value : value - sum + counter->reals;
    counter->reals = sum;
}

double tally_counter_real(const struct tally_counter *counter)
{
    /* beyond the largest double, `lost` is no number */
    return (double)counter->integers + (isfinite(counter->reals) ? counter->reals + counter->lost : counter->reals);
}

void tally_counter_add(struct tally_counter *counter, const struct gb_event_value *value)
{
    counter->count++;
    if (value->type == GB_VALUE_INT)
        counter->integers += value->as.i;
    else if (value->type == GB_VALUE_UINT)
        counter->integers += value->as.u;
    else {
        add_real(counter, tally_real(value));
        counter->has_reals = true;
    }
}

static bool count_event(struct tally_path *entry, const struct gb_event_value *value)
{
    struct tally_counter *counter = part_of(&entry->counter, sizeof(*counter));
    if (counter != NULL)
        tally_counter_add(counter, value);
    return counter != NULL;
}

static bool gauge_event(struct tally_path *entry, const struct gb_event *event)
{
    struct tally_gauge *gauge = part_of(&entry->gauge, sizeof(*gauge));
    if (gauge == NULL)
        return false;
    if (gauge->count == 0 || event->start_wall_ns >= gauge->last_ns) {
        gauge->last = event->as.value;
        gauge->last_ns = event->start_wall_ns;
    }
    double real = tally_real(&event->as.value);
    if (isfinite(real)) {
        bool first = gauge->count == gauge->not_finite;
        gauge->min = first || real < gauge->min ? real : gauge->min;
        gauge->max = first || real > gauge->max ? real : gauge->max;
        gauge->sum += real;
    } else
        gauge->not_finite++;
    gauge->count++;
    return true;
}

static bool sample_event(struct tally_path *entry, const struct gb_event_value *value)
{
    struct tally_sample *sample = part_of(&entry->sample, sizeof(*sample));
    if (sample == NULL)
        return false;
    double real = tally_real(value);
    if (isfinite(real))
        histogram_add(&sample->histogram, real);
    else
        sample->not_finite++;
    return true;
}

void tally_metric(struct tally *tally, const struct gb_event *event)
{
    tally->metrics++;
    struct tally_path *entry = entry_of(tally, event->path);
    bool done = entry != NULL && (event->kind == GB_EVENT_COUNTER ? count_event(entry, &event->as.value)
                                  : event->kind == GB_EVENT_GAUGE ? gauge_event(entry, event)
                                                                  : sample_event(entry, &event->as.value));
    if (!done)
        tally->without_memory++;
}

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

static int merge_gauge(struct tally_path *into, const struct tally_gauge *from);

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

void tally_freeze(struct tally *tally)
{
    free(tally->by_id);
    tally->by_id = NULL;
    tally->capacity = 0;
}

void tally_path_clear(struct tally_path *entry)
{
    histogram_clear(&entry->duration.histogram);
    if (entry->sample != NULL)
        histogram_clear(&entry->sample->histogram);
    free(entry->counter);
    free(entry->gauge);
    free(entry->sample);
    memset(entry, 0, sizeof(*entry));
}

void tally_clear(struct tally *tally)
{
    for (uint32_t i = 0; i < tally->count; i++) {
        tally_path_clear(tally->list[i]);
        free(tally->list[i]);
    }
    free(tally->list);
    free(tally->by_id);
    memset(tally, 0, sizeof(*tally));
}
