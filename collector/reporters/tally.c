/* SPDX-License-Identifier: MIT */
/* Sums by path: see tally.h. Runs on the thread of its owner; an event takes no lock and, once its path is known, no
 * memory. Where memory is refused, the event is counted in `without_memory`. What comes as a sum already is in tally_merge.c. */
#include <string.h>

#include "collector/reporters/tally_private.h"

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

__attribute__((noinline, cold)) struct tally_path *tally_add_path(struct tally *tally, const struct gb_path *path)
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
