/* SPDX-License-Identifier: MIT */
/* See prometheus_store.h. */
#include "collector/reporters/prometheus_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/folded.h"

/* A series and all that is constant of it in one piece of memory: the key, which is its family's address and then the labels' names
 * and values with their zeros, and the labels, which point into it. */
struct series_memory {
    struct prometheus_series series;
    struct prometheus_label labels[PROMETHEUS_LABELS_MAX];
    char key[];
};

int prometheus_store_init(struct prometheus_store *store, uint32_t series_max, enum prometheus_gauges gauges)
{
    store->series_max = series_max;
    store->gauges = gauges;
    pthread_mutex_init(&store->next, NULL);
    pthread_mutex_init(&store->data, NULL);
    if (!prometheus_names_init(&store->names) || !keyed_init(&store->families_by_name) ||
        !keyed_init(&store->series_by_labels))
        return -ENOMEM;
    return 0;
}

static void series_free(void *thing)
{
    struct prometheus_series *series = thing;
    if (series == NULL)
        return;
    if (series->family->type == PROMETHEUS_HISTOGRAM) {
        histogram_clear(&series->as.histogram.native);
        free(series->as.histogram.buckets);
    }
    free(series);
}

static void family_free(void *thing)
{
    struct prometheus_family *family = thing;
    series_free(family->overflow);
    free((void *)family->keyed.key);
    free(family->series);
    free(family->name);
    free(family->help);
    free(family);
}

void prometheus_store_free(struct prometheus_store *store)
{
    keyed_free(&store->series_by_labels, series_free);
    keyed_free(&store->families_by_name, family_free);
    prometheus_names_free(&store->names);
    free(store->families);
    pthread_mutex_destroy(&store->data);
    pthread_mutex_destroy(&store->next);
}

void prometheus_store_lock(struct prometheus_store *store)
{
    pthread_mutex_lock(&store->next);
    pthread_mutex_lock(&store->data);
    pthread_mutex_unlock(&store->next);
}

void prometheus_store_unlock(struct prometheus_store *store)
{
    pthread_mutex_unlock(&store->data);
}

/* `array` with room for one more pointer; NULL: no memory, and the old one stays. */
static void *grow(void *array, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return array;
    uint32_t more = *room > 0 ? 2 * *room : 16;
    void *grown = realloc(array, more * sizeof(void *));
    if (grown != NULL)
        *room = more;
    return grown;
}

enum prometheus_type prometheus_type_of(enum prometheus_use use)
{
    static const enum prometheus_type types[] = {
        [PROMETHEUS_OF_TIMINGS] = PROMETHEUS_HISTOGRAM, [PROMETHEUS_OF_UNFINISHED] = PROMETHEUS_COUNTER,
        [PROMETHEUS_OF_COUNTERS] = PROMETHEUS_COUNTER,  [PROMETHEUS_OF_GAUGES] = PROMETHEUS_GAUGE,
        [PROMETHEUS_OF_SAMPLES] = PROMETHEUS_HISTOGRAM,
    };
    return types[use];
}

struct prometheus_family *prometheus_family_find(struct prometheus_store *store, const char *key, uint32_t length)
{
    return keyed_find(&store->families_by_name, key, length);
}

struct prometheus_family *prometheus_family_add(struct prometheus_store *store, const char *key, uint32_t length,
                                                char *name, const char *help, enum prometheus_use use,
                                                const struct prometheus_bounds *bounds)
{
    char *own_key = malloc(length);
    struct prometheus_family *family = calloc(1, sizeof(*family));
    struct prometheus_family **families = grow(store->families, store->family_count, &store->family_room);
    if (families != NULL)
        store->families = families;
    if (families == NULL || family == NULL || own_key == NULL || name == NULL || (family->help = strdup(help)) == NULL)
        goto fail;
    memcpy(own_key, key, length);
    family->name = name;
    family->use = use;
    family->type = prometheus_type_of(use);
    family->bounds = bounds;
    if (!keyed_add(&store->families_by_name, &family->keyed, own_key, length))
        goto fail;
    store->families[store->family_count++] = family;
    return family;
fail:
    if (family != NULL)
        free(family->help);
    free(family);
    free(own_key);
    free(name);
    return NULL;
}

/* The labels as key: *to moves on. */
static void put_labels(char **to, const struct prometheus_label *labels, uint32_t count,
                       struct prometheus_label *ret_labels)
{
    for (uint32_t i = 0; i < count; i++) {
        ret_labels[i].name = *to;
        *to = stpcpy(*to, labels[i].name) + 1;
        ret_labels[i].value = *to;
        *to = stpcpy(*to, labels[i].value) + 1;
    }
}

static size_t labels_bytes(const struct prometheus_label *labels, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += strlen(labels[i].name) + strlen(labels[i].value) + 2;
    return bytes;
}

static struct series_memory *series_make(struct prometheus_family *family, const struct prometheus_label *labels,
                                         uint32_t count, size_t *ret_key_bytes)
{
    *ret_key_bytes = sizeof(family) + labels_bytes(labels, count);
    struct series_memory *memory = calloc(1, sizeof(*memory) + *ret_key_bytes);
    if (memory == NULL)
        return NULL;
    memory->series.family = family;
    memory->series.label_count = count;
    memory->series.labels = memory->labels;
    char *to = memory->key + sizeof(family);
    memcpy(memory->key, &family, sizeof(family));
    put_labels(&to, labels, count, memory->labels);
    return memory;
}

/* Puts it among the others of its family. */
static bool series_enter(struct prometheus_store *store, struct series_memory *memory, size_t key_bytes)
{
    struct prometheus_family *family = memory->series.family;
    if (family->type == PROMETHEUS_HISTOGRAM) {
        memory->series.as.histogram.buckets = calloc(family->bounds->count + 1, sizeof(uint64_t));
        if (memory->series.as.histogram.buckets == NULL)
            return false;
    }
    struct prometheus_series **list = grow(family->series, family->count, &family->room);
    if (list == NULL)
        return false;
    family->series = list;
    if (!keyed_add(&store->series_by_labels, &memory->series.keyed, memory->key, (uint32_t)key_bytes))
        return false;
    list[family->count++] = &memory->series;
    return true;
}

struct prometheus_series *prometheus_series_get(struct prometheus_store *store, struct prometheus_family *family,
                                                const struct prometheus_label *labels, uint32_t count, int *ret_error)
{
    /* made first, as it holds the key to be looked for; this is not what an event does usually */
    size_t key_bytes;
    struct series_memory *memory = series_make(family, labels, count, &key_bytes);
    *ret_error = -ENOMEM;
    if (memory == NULL)
        return NULL;
    struct prometheus_series *known = keyed_find(&store->series_by_labels, memory->key, (uint32_t)key_bytes);
    if (known != NULL) {
        series_free(&memory->series);
        return known;
    }
    if (store->series_count >= store->series_max) {
        *ret_error = -ENOSPC;
        goto fail;
    }
    if (!series_enter(store, memory, key_bytes))
        goto fail;
    store->series_count++;
    return &memory->series;
fail:
    series_free(&memory->series);
    return NULL;
}

struct prometheus_series *prometheus_series_overflow(struct prometheus_family *family)
{
    static const struct prometheus_label labels[] = {{"scope", PROMETHEUS_OVERFLOW}};
    size_t key_bytes;
    if (family->overflow != NULL)
        return family->overflow;
    struct series_memory *memory = series_make(family, labels, 1, &key_bytes);
    if (memory == NULL)
        return NULL;
    if (family->type == PROMETHEUS_HISTOGRAM) {
        memory->series.as.histogram.buckets = calloc(family->bounds->count + 1, sizeof(uint64_t));
        if (memory->series.as.histogram.buckets == NULL) {
            free(memory);
            return NULL;
        }
    }
    return family->overflow = &memory->series;
}

static void bucket_count(void *context, double value, uint64_t count)
{
    struct prometheus_series *series = context;
    const struct prometheus_bounds *bounds = series->family->bounds;
    uint32_t low = 0, high = bounds->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (value <= bounds->bound[middle])
            high = middle;
        else
            low = middle + 1;
    }
    series->as.histogram.buckets[low] += count;
}

static void bucket_add(struct prometheus_series *series, double value)
{
    bucket_count(series, value, 1);
    histogram_add(&series->as.histogram.native, value);
}

void prometheus_histogram_add(struct prometheus_series *series, double value)
{
    bucket_add(series, value);
}

void prometheus_duration_add(struct prometheus_series *series, int64_t ns)
{
    /* a clock that an odd worker set backwards adds no negative time */
    uint64_t positive = ns > 0 ? (uint64_t)ns : 0;
    series->as.histogram.ns += positive;
    bucket_add(series, (double)positive / 1e9);
}

void prometheus_histogram_fold(struct prometheus_series *series, const struct gb_folded *folded)
{
    double scale = folded->kind == GB_EVENT_TIMING ? 1e-9 : 1;
    if (folded->kind == GB_EVENT_TIMING)
        series->as.histogram.ns += (unsigned __int128)folded_integer(folded);
    folded_each(folded, scale, bucket_count, series);
    folded_add(&series->as.histogram.native, folded, scale);
}
