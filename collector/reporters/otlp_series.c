/* SPDX-License-Identifier: MIT */
/* See otlp_series.h: which series an event belongs to, and what it adds there. The workers are in otlp_workers.c. */
#include "collector/reporters/otlp_series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/folded.h"
#include "collector/reporters/otlp_value.h"

#define NAMES_MAX 65536

/* The field of a data point that holds its attributes. */
enum { NUMBER_ATTRIBUTES = 7, HISTOGRAM_ATTRIBUTES = 1 };

/* Which kind had a name first; the text follows. */
struct name {
    struct keyed keyed;
    enum otlp_kind kind;
    bool told; /* that another kind has it as well */
    char text[];
};

static const char *const fixed_names[OTLP_KINDS] = {
    [OTLP_DURATION] = "gb.scope.duration", [OTLP_UNFINISHED] = "gb.scope.unfinished"};
static const char *const overflow_names[OTLP_KINDS] = {[OTLP_DURATION] = "gb.scope.duration",
                                                       [OTLP_UNFINISHED] = "gb.scope.unfinished",
                                                       [OTLP_COUNTER] = "gb.overflow.counter",
                                                       [OTLP_GAUGE] = "gb.overflow.gauge",
                                                       [OTLP_SAMPLE] = "gb.overflow.sample"};
static const char *const suffixes[OTLP_KINDS] = {
    [OTLP_COUNTER] = "_counter", [OTLP_GAUGE] = "_gauge", [OTLP_SAMPLE] = "_sample"};

static uint32_t attributes_field(enum otlp_kind kind)
{
    return kind == OTLP_DURATION || kind == OTLP_SAMPLE ? HISTOGRAM_ATTRIBUTES : NUMBER_ATTRIBUTES;
}

/* True: another kind of metric has that name already, so this one gets a suffix. */
static bool name_is_taken(struct otlp_store *store, const char *text, uint32_t length, enum otlp_kind kind)
{
    struct name *name = keyed_find(&store->names, text, length);
    if (name != NULL && name->kind != kind && !name->told) {
        name->told = true;
        store->setup->say(store->setup->collector, "%.*s is a metric of two kinds: one is called %.*s%s", (int)length,
                          text, (int)length, text, suffixes[kind]);
    }
    if (name != NULL)
        return name->kind != kind;
    if (store->name_count >= NAMES_MAX || (name = malloc(sizeof(*name) + length)) == NULL)
        return false;
    memcpy(name->text, text, length);
    name->kind = kind;
    name->told = false;
    if (keyed_add(&store->names, &name->keyed, name->text, length))
        store->name_count++;
    else
        free(name);
    return false;
}

/* The key of a series into scratch: kind, name, zero, attributes. Returns where the attributes begin; 0: no memory. */
static size_t put_key(struct otlp_store *store, enum otlp_kind kind, const struct gb_event *event, bool overflow)
{
    struct protobuf *out = &store->scratch;
    const struct gb_path *path = event->path;
    bool own = fixed_names[kind] != NULL;
    protobuf_clear(out);
    protobuf_put_uint(out, kind);
    const char *name = overflow ? overflow_names[kind] : own ? fixed_names[kind] : path->name;
    uint32_t length = overflow || own ? (uint32_t)strlen(name) : path->name_length;
    protobuf_put_raw(out, name, length);
    if (!overflow && !own && name_is_taken(store, name, length, kind))
        protobuf_put_raw(out, suffixes[kind], strlen(suffixes[kind]));
    protobuf_put_uint(out, 0);
    size_t attributes = out->length;
    uint32_t field = attributes_field(kind);
    const struct gb_path *scope = own ? path : path->parent;
    if (overflow)
        otlp_put_text(out, field, OTLP_SCOPE_KEY, OTLP_OVERFLOW, strlen(OTLP_OVERFLOW));
    else if (scope != NULL)
        otlp_put_text(out, field, OTLP_SCOPE_KEY, scope->text, scope->length);
    for (uint32_t i = 0; i < store->label_count && !overflow; i++)
        for (uint32_t k = 0; k < event->attr_count; k++)
            if (strcmp(event->attrs[k].key->text, store->labels[i]) == 0) {
                otlp_put_attribute(out, field, store->labels[i], strlen(store->labels[i]), &event->attrs[k].value);
                break;
            }
    return out->failed ? 0 : attributes;
}

static bool add_to_list(struct otlp_worker *worker, struct otlp_series *series)
{
    if (worker->count == worker->room) {
        uint32_t room = worker->room > 0 ? 2 * worker->room : 16;
        struct otlp_series **list = realloc(worker->list, room * sizeof(struct otlp_series *));
        if (list == NULL)
            return false;
        worker->list = list;
        worker->room = room;
    }
    worker->list[worker->count++] = series;
    worker->sorted = false;
    return true;
}

/* A new series whose key is in scratch. */
static struct otlp_series *add_series(struct otlp_store *store, struct otlp_worker *worker, enum otlp_kind kind,
                                      size_t attributes)
{
    size_t length = store->scratch.length;
    struct otlp_series *series = calloc(1, sizeof(*series) + length);
    if (series == NULL)
        return NULL;
    uint8_t *key = (uint8_t *)(series + 1);
    memcpy(key, store->scratch.bytes, length);
    series->kind = kind;
    series->name = (const char *)key + 1; /* the kind is one byte */
    series->name_length = (uint32_t)(attributes - 2);
    series->attributes = key + attributes;
    series->attributes_length = (uint32_t)(length - attributes);
    if (!keyed_add(&worker->set, &series->keyed, key, (uint32_t)length)) {
        free(series);
        return NULL;
    }
    if (!add_to_list(worker, series)) {
        keyed_remove(&worker->set, &series->keyed);
        free(series);
        return NULL;
    }
    return series;
}

static struct otlp_series *find_series(struct otlp_store *store, struct otlp_worker *worker, enum otlp_kind kind,
                                       const struct gb_event *event)
{
    size_t attributes = put_key(store, kind, event, false);
    struct otlp_series *series =
        attributes ? keyed_find(&worker->set, store->scratch.bytes, (uint32_t)store->scratch.length) : NULL;
    if (series != NULL || attributes == 0)
        return series;
    if (worker->count < store->series_max)
        return add_series(store, worker, kind, attributes);
    if (!worker->overflowed)
        store->setup->say(
            store->setup->collector,
            "worker %.8s has more than %u series (max_series): the rest, such as %s, counts in " OTLP_OVERFLOW,
            worker->segment, store->series_max, event->path->text);
    worker->overflowed = true;
    attributes = put_key(store, kind, event, true);
    series = attributes ? keyed_find(&worker->set, store->scratch.bytes, (uint32_t)store->scratch.length) : NULL;
    return series != NULL || attributes == 0 ? series : add_series(store, worker, kind, attributes);
}

/* Where the series of this path are remembered; NULL: nowhere, for want of memory. */
static struct otlp_path *path_of(struct otlp_worker *worker, uint32_t id)
{
    if (id >= worker->path_room) {
        uint32_t room = worker->path_room > 0 ? worker->path_room : 64;
        while (room <= id && room <= UINT32_MAX / 2)
            room *= 2;
        struct otlp_path **by_path = room > id ? realloc(worker->by_path, room * sizeof(struct otlp_path *)) : NULL;
        if (by_path == NULL)
            return NULL;
        memset(by_path + worker->path_room, 0, (room - worker->path_room) * sizeof(struct otlp_path *));
        worker->by_path = by_path;
        worker->path_room = room;
    }
    if (worker->by_path[id] == NULL)
        worker->by_path[id] = calloc(1, sizeof(struct otlp_path));
    return worker->by_path[id];
}

static struct otlp_series *series_of(struct otlp_store *store, struct otlp_worker *worker, enum otlp_kind kind,
                                     const struct gb_event *event)
{
    uint32_t id = event->path->id;
    if (store->label_count == 0 && id < worker->path_room && worker->by_path[id] != NULL &&
        worker->by_path[id]->by_kind[kind] != NULL)
        return worker->by_path[id]->by_kind[kind];
    struct otlp_series *series = find_series(store, worker, kind, event);
    struct otlp_path *path = series != NULL && store->label_count == 0 ? path_of(worker, id) : NULL;
    if (path != NULL)
        path->by_kind[kind] = series;
    return series;
}

static enum otlp_kind kind_of(const struct gb_event *event)
{
    switch (event->kind) {
    case GB_EVENT_COUNTER:
        return OTLP_COUNTER;
    case GB_EVENT_GAUGE:
        return OTLP_GAUGE;
    case GB_EVENT_SAMPLE:
        return OTLP_SAMPLE;
    default:
        return event->flags & GB_EVENT_UNFINISHED ? OTLP_UNFINISHED : OTLP_DURATION;
    }
}

/* A sum only rises, and a histogram has no place for what is no number. */
static bool is_sound(enum otlp_kind kind, const struct gb_event *event)
{
    if (kind == OTLP_GAUGE)
        return event->as.value.type != GB_VALUE_NULL && event->as.value.type != GB_VALUE_TEXT;
    double value = kind == OTLP_COUNTER || kind == OTLP_SAMPLE ? tally_real(&event->as.value) : 0;
    return isfinite(value) && (kind != OTLP_COUNTER || value >= 0);
}

static void add(struct otlp_values *values, enum otlp_kind kind, const struct gb_event *event)
{
    static const struct gb_event_value one = {.type = GB_VALUE_INT, .as.i = 1};
    bool first = values->events++ == 0;
    uint64_t ns = event->as.duration_ns > 0 ? (uint64_t)event->as.duration_ns : 0;
    switch (kind) {
    case OTLP_DURATION:
        values->as.histogram.ns += ns;
        histogram_add(&values->as.histogram.buckets, (double)ns / 1e9);
        break;
    case OTLP_UNFINISHED:
        tally_counter_add(&values->as.counter, &one);
        break;
    case OTLP_COUNTER:
        tally_counter_add(&values->as.counter, &event->as.value);
        break;
    case OTLP_GAUGE:
        if (first || event->start_wall_ns >= values->as.gauge.wall_ns) {
            values->as.gauge.last = event->as.value;
            values->as.gauge.wall_ns = event->start_wall_ns;
        }
        break;
    case OTLP_SAMPLE:
        histogram_add(&values->as.histogram.buckets, tally_real(&event->as.value));
        break;
    }
}

int otlp_worker_record(struct otlp_store *store, struct otlp_worker *worker, const struct gb_event *event, bool counted)
{
    enum otlp_kind kind = kind_of(event);
    if (!is_sound(kind, event))
        return -EINVAL;
    struct otlp_series *series = series_of(store, worker, kind, event);
    if (series == NULL)
        return -ENOMEM;
    add(&series->now, kind, event);
    worker->dirty = true;
    worker->events += counted;
    return 0;
}

static void add_folded(struct otlp_values *values, enum otlp_kind kind, const struct gb_folded *folded)
{
    bool first = values->events == 0;
    values->events += folded->count;
    switch (kind) {
    case OTLP_DURATION:
        values->as.histogram.ns += (unsigned __int128)folded_integer(folded);
        folded_add(&values->as.histogram.buckets, folded, 1e-9);
        break;
    case OTLP_UNFINISHED:
        tally_counter_add(&values->as.counter, &(struct gb_event_value){GB_VALUE_UINT, 0, {.u = folded->count}});
        break;
    case OTLP_COUNTER:
        tally_counter_fold(&values->as.counter, folded);
        break;
    case OTLP_GAUGE:
        if (first || folded->last_wall_ns >= values->as.gauge.wall_ns) {
            values->as.gauge.last = folded->last;
            values->as.gauge.wall_ns = folded->last_wall_ns;
        }
        break;
    case OTLP_SAMPLE:
        folded_add(&values->as.histogram.buckets, folded, 1);
        break;
    }
}

int otlp_worker_fold(struct otlp_store *store, struct otlp_worker *worker, const struct gb_folded *folded)
{
    const struct gb_event event = folded_event(folded);
    enum otlp_kind kind = kind_of(&event);
    struct otlp_series *series = series_of(store, worker, kind, &event);
    if (series == NULL)
        return -ENOMEM;
    add_folded(&series->now, kind, folded);
    worker->dirty = true;
    worker->events += kind == OTLP_SAMPLE ? folded->count - folded->not_finite : folded->count;
    return 0;
}
