/* SPDX-License-Identifier: MIT */
/* See otlp_series.h: the workers and what is on its way of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/otlp_series.h"
#include "collector/reporters/otlp_value.h"

static bool is_histogram(enum otlp_kind kind)
{
    return kind == OTLP_DURATION || kind == OTLP_SAMPLE;
}

static void values_clear(struct otlp_values *values, enum otlp_kind kind)
{
    if (is_histogram(kind))
        histogram_clear(&values->as.histogram.buckets);
    memset(values, 0, sizeof(*values));
}

/* into += from, which is the older of the two; `from` is empty then. Buckets without memory stay unplaced, as everywhere. */
static void values_return(struct otlp_values *into, struct otlp_values *from, enum otlp_kind kind)
{
    if (from->events > 0 && into->events == 0) {
        *into = *from;
        memset(from, 0, sizeof(*from));
        return;
    }
    into->events += from->events;
    if (is_histogram(kind)) {
        into->as.histogram.ns += from->as.histogram.ns;
        histogram_merge(&into->as.histogram.buckets, &from->as.histogram.buckets);
    } else if (kind != OTLP_GAUGE) {
        tally_counter_merge(&into->as.counter, &from->as.counter);
    }
    values_clear(from, kind);
}

static void worker_free(struct otlp_worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        values_clear(&worker->list[i]->now, worker->list[i]->kind);
        values_clear(&worker->list[i]->taken, worker->list[i]->kind);
        free(worker->list[i]);
    }
    for (uint32_t i = 0; i < worker->path_room; i++)
        free(worker->by_path[i]);
    if (worker->set.map != NULL)
        ck_hs_destroy(&worker->set);
    protobuf_free(&worker->resource);
    free(worker->leases);
    free(worker->by_path);
    free(worker->list);
    free(worker);
}

static struct otlp_worker *worker_new(const struct gb_worker *from)
{
    struct otlp_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->id = from->id;
    memcpy(worker->segment, from->segment, sizeof(worker->segment));
    worker->start_wall_ns = from->start_wall_ns;
    otlp_put_resource(&worker->resource, from->service, from->segment, from->pid, from->program, from->host);
    if (worker->resource.failed || !keyed_init(&worker->set)) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

struct otlp_worker *otlp_worker_of(struct otlp_store *store, const struct gb_worker *from)
{
    if (from->id >= store->capacity) {
        uint32_t capacity = from->id < UINT32_MAX / 2 - 16 ? 2 * from->id + 16 : 0;
        struct otlp_worker **grown =
            capacity > 0 ? realloc(store->workers, capacity * sizeof(struct otlp_worker *)) : NULL;
        if (grown == NULL)
            return NULL;
        memset(grown + store->capacity, 0, (capacity - store->capacity) * sizeof(struct otlp_worker *));
        store->workers = grown;
        store->capacity = capacity;
    }
    struct otlp_worker *worker = store->workers[from->id];
    if (worker != NULL && memcmp(worker->segment, from->segment, sizeof(worker->segment)) == 0)
        return worker;
    otlp_worker_end(store, from->id); /* its last event was lost to a full queue */
    return store->workers[from->id] = worker_new(from);
}

void otlp_worker_end(struct otlp_store *store, uint32_t id)
{
    struct otlp_worker *worker = id < store->capacity ? store->workers[id] : NULL;
    if (worker == NULL)
        return;
    store->workers[id] = NULL;
    worker->ended = true;
    worker->next = NULL;
    *store->ended_end = worker;
    store->ended_end = &worker->next;
    store->ended_series += worker->count;
}

uint64_t otlp_worker_drop(struct otlp_store *store, struct otlp_worker *worker)
{
    uint64_t events = worker->events + worker->taken_events;
    struct otlp_worker **place = &store->ended;
    while (*place != worker)
        place = &(*place)->next;
    *place = worker->next;
    if (store->ended_end == &worker->next)
        store->ended_end = place;
    store->ended_series -= worker->count;
    worker_free(worker);
    return events;
}

void otlp_worker_take(struct otlp_store *store, struct otlp_worker *worker, int64_t wall_ns)
{
    worker->in_flight = true;
    worker->dirty = false;
    worker->taken_wall_ns = wall_ns;
    worker->taken_events = worker->events;
    worker->events = 0;
    for (uint32_t i = 0; i < worker->count && store->delta; i++) {
        worker->list[i]->taken = worker->list[i]->now;
        memset(&worker->list[i]->now, 0, sizeof(worker->list[i]->now));
    }
}

void otlp_worker_told(struct otlp_store *store, struct otlp_worker *worker)
{
    worker->in_flight = false;
    worker->taken_events = 0;
    if (!store->delta)
        return;
    worker->start_wall_ns = worker->taken_wall_ns;
    for (uint32_t i = 0; i < worker->count; i++)
        values_clear(&worker->list[i]->taken, worker->list[i]->kind);
}

void otlp_worker_untold(struct otlp_store *store, struct otlp_worker *worker)
{
    worker->in_flight = false;
    worker->dirty = true;
    worker->events += worker->taken_events;
    worker->taken_events = 0;
    for (uint32_t i = 0; i < worker->count && store->delta; i++)
        values_return(&worker->list[i]->now, &worker->list[i]->taken, worker->list[i]->kind);
}

static int take_labels(struct otlp_store *store, const char *labels)
{
    store->label_text = strdup(labels);
    if (store->label_text == NULL)
        return -ENOMEM;
    char *rest = store->label_text;
    for (char *label; (label = strsep(&rest, ";, ")) != NULL;) {
        if (*label == '\0')
            continue;
        if (store->label_count == OTLP_LABELS_MAX) {
            store->setup->say(store->setup->collector, "labels=%s: at most %d are accepted", labels, OTLP_LABELS_MAX);
            return -EINVAL;
        }
        store->labels[store->label_count++] = label;
    }
    return 0;
}

int otlp_store_init(struct otlp_store *store, const struct gb_reporter_setup *setup, const char *labels)
{
    store->setup = setup;
    store->ended_end = &store->ended;
    if (!keyed_init(&store->names))
        return -ENOMEM;
    return labels != NULL ? take_labels(store, labels) : 0;
}

void otlp_store_free(struct otlp_store *store)
{
    for (uint32_t i = 0; i < store->capacity; i++)
        if (store->workers[i] != NULL)
            worker_free(store->workers[i]);
    while (store->ended != NULL)
        otlp_worker_drop(store, store->ended);
    keyed_free(&store->names, free);
    protobuf_free(&store->scratch);
    free(store->label_text);
    free(store->workers);
}
