/* SPDX-License-Identifier: MIT */
/*
 * See prometheus_routes.h. Three steps, each only when the one before does not know: the series that the path had last; the
 * table of routes, by path, service, use and the values of attributes; then names and labels are made as text, and the
 * store is asked. Different nestings with one text, and values with one text, meet there.
 */
#include "collector/reporters/prometheus_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/number.h"
#include "collector/utf8.h"

#define VALUE_MAX 512 /* bytes of an attribute as text: 120, each as U+FFFD at worst, and the end */

struct prometheus_recent {
    const char *service; /* NULL: none yet */
    struct prometheus_series *series[PROMETHEUS_USES];
};

struct service {
    struct keyed keyed;
    uint32_t number;
    char name[];
};

struct route {
    struct keyed keyed;
    struct prometheus_series *series;
    char key[];
};

/* The key of a route, and the values in it. */
struct route_key {
    char bytes[sizeof(uint32_t) * 3 + PROMETHEUS_ATTRS_MAX * VALUE_MAX];
    uint32_t length;
    const char *values[PROMETHEUS_ATTRS_MAX];
};

void prometheus_routes_free(struct prometheus_routes *routes)
{
    for (uint32_t i = 0; i < routes->offender_count; i++) {
        free(routes->offenders[i].metric);
        free(routes->offenders[i].scope);
    }
    keyed_free(&routes->routes, free);
    keyed_free(&routes->services, free);
    free(routes->recent);
    free(routes->attr_of_key);
}

int prometheus_service(struct prometheus_routes *routes, const char *name, uint32_t *ret_number, const char **ret_name)
{
    char clean[VALUE_MAX];
    size_t length = utf8_clean(clean, sizeof(clean), name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    struct service *service = keyed_find(&routes->services, clean, (uint32_t)length);
    if (service == NULL && routes->service_count >= routes->settings->series_max) {
        length = utf8_clean(clean, sizeof(clean), PROMETHEUS_OVERFLOW, strlen(PROMETHEUS_OVERFLOW));
        service = keyed_find(&routes->services, clean, (uint32_t)length);
    }
    if (service == NULL) {
        service = malloc(sizeof(*service) + length + 1);
        if (service == NULL)
            return -ENOMEM;
        memcpy(service->name, clean, length + 1);
        service->number = routes->service_count;
        if (!keyed_add(&routes->services, &service->keyed, service->name, (uint32_t)length)) {
            free(service);
            return -ENOMEM;
        }
        routes->service_count++;
    }
    *ret_number = service->number;
    *ret_name = service->name;
    return 0;
}

/* Which label the attribute is: its place in settings->attrs, or -1. */
static int attr_place(struct prometheus_routes *routes, const struct gb_event_key *key)
{
    const struct prometheus_settings *settings = routes->settings;
    if (key->id >= routes->key_count) {
        uint32_t count = 2 * key->id + 64;
        int8_t *grown = realloc(routes->attr_of_key, count);
        if (grown == NULL)
            return -1;
        memset(grown + routes->key_count, 0, count - routes->key_count);
        routes->attr_of_key = grown;
        routes->key_count = count;
    }
    int8_t *known = &routes->attr_of_key[key->id];
    if (*known == 0) {
        *known = -1;
        for (uint32_t i = 0; i < settings->attr_count; i++)
            if (strcmp(settings->attrs[i].key, key->text) == 0)
                *known = (int8_t)(i + 1);
    }
    return *known > 0 ? *known - 1 : -1;
}

static size_t put_value(char *to, const struct gb_event_value *value)
{
    char *end = to;
    switch (value->type) {
    case GB_VALUE_BOOL:
        end = stpcpy(to, value->as.boolean ? "true" : "false");
        break;
    case GB_VALUE_INT:
        end = number_put_int(to, value->as.i);
        break;
    case GB_VALUE_UINT:
        end = number_put_uint(to, value->as.u);
        break;
    case GB_VALUE_DOUBLE:
        end = number_put_double(to, value->as.d);
        break;
    case GB_VALUE_TEXT:
        end = to + utf8_clean(to, VALUE_MAX, value->as.text, value->length);
        break;
    default:
        break;
    }
    *end = '\0';
    return (size_t)(end - to);
}

static void make_key(struct prometheus_routes *routes, uint32_t service, enum prometheus_use use,
                     const struct gb_event *event, struct route_key *key)
{
    const struct gb_event_value *values[PROMETHEUS_ATTRS_MAX] = {NULL};
    const uint32_t numbers[] = {event->path->id, service, use};
    memcpy(key->bytes, numbers, sizeof(numbers));
    key->length = sizeof(numbers);
    for (unsigned i = 0; i < event->attr_count; i++) {
        int place = attr_place(routes, event->attrs[i].key);
        if (place >= 0)
            values[place] = &event->attrs[i].value;
    }
    for (uint32_t i = 0; i < routes->settings->attr_count; i++) {
        char *to = key->bytes + key->length;
        key->values[i] = to;
        key->length += (uint32_t)(values[i] != NULL ? put_value(to, values[i]) : 0) + 1;
        *(key->bytes + key->length - 1) = '\0';
    }
}

static void count_offence(struct prometheus_routes *routes, const char *metric, const char *scope)
{
    for (uint32_t i = 0; i < routes->offender_count; i++) {
        struct prometheus_offender *known = &routes->offenders[i];
        if (strcmp(known->metric, metric) == 0 && strcmp(known->scope, scope) == 0) {
            known->events++;
            return;
        }
    }
    struct prometheus_offender offender = {.events = 1};
    if (routes->offender_count == PROMETHEUS_OFFENDERS || (offender.metric = strdup(metric)) == NULL ||
        (offender.scope = strdup(scope)) == NULL) {
        free(offender.metric);
        routes->other_offences++;
        return;
    }
    routes->offenders[routes->offender_count++] = offender;
    routes->setup->say(routes->setup->collector,
                       "max_series=%u is reached: new series of %s, scope %s, count in scope=\"" PROMETHEUS_OVERFLOW
                       "\" (labels= with many values? exclude= keeps scopes out)",
                       routes->settings->series_max, metric, *scope ? scope : "(none)");
}

static struct prometheus_family *make_family(struct prometheus_routes *routes, enum prometheus_use use, char *key,
                                             char *name)
{
    static const char *const helps[] = {
        [PROMETHEUS_OF_TIMINGS] = "Time that scopes took.",
        [PROMETHEUS_OF_UNFINISHED] = "Scopes that never ended: their worker died, or they were left by longjmp.",
        [PROMETHEUS_OF_COUNTERS] = "Sum of what workers counted under this name.",
        [PROMETHEUS_OF_GAUGES] = "What live workers gave under this name.",
        [PROMETHEUS_OF_SAMPLES] = "Distribution of what workers sampled under this name."};
    const struct prometheus_settings *settings = routes->settings;
    const struct prometheus_bounds *bounds = use == PROMETHEUS_OF_TIMINGS   ? &settings->durations
                                             : use == PROMETHEUS_OF_SAMPLES ? &settings->samples
                                                                            : NULL;
    name = prometheus_names_take(&routes->store->names, name, prometheus_type_of(use));
    if (name == NULL)
        return NULL;
    if (strcmp(name, key + 1) != 0)
        routes->setup->say(routes->setup->collector, "%s is taken by another type of metric: this one is called %s",
                           key + 1, name);
    return prometheus_family_add(routes->store, key, (uint32_t)strlen(key), name, helps[use], use, bounds);
}

/* The family that `name` has in this use; NULL with -ENOSPC or -ENOMEM. `forced`: the limit does not count. */
static struct prometheus_family *family_of(struct prometheus_routes *routes, enum prometheus_use use, const char *name,
                                           size_t length, bool forced, int *ret_error)
{
    const char *prefix = routes->settings->prefix;
    if (use == PROMETHEUS_OF_TIMINGS || use == PROMETHEUS_OF_UNFINISHED) {
        prefix = "gb_scope_";
        name = use == PROMETHEUS_OF_TIMINGS ? "duration_seconds" : "unfinished";
        length = strlen(name);
        forced = true;
    }
    char *text = prometheus_family_name(prefix, name, length, prometheus_type_of(use)), *key = NULL;
    struct prometheus_family *family = NULL;
    *ret_error = -ENOMEM;
    if (text == NULL || asprintf(&key, "%u%s", (unsigned)use, text) < 0) {
        free(text);
        return NULL;
    }
    family = prometheus_family_find(routes->store, key, (uint32_t)strlen(key));
    if (family != NULL)
        free(text);
    else if (!forced && routes->store->series_count >= routes->store->series_max) {
        free(text);
        *ret_error = -ENOSPC;
    } else
        family = make_family(routes, use, key, text);
    free(key);
    return family;
}

int prometheus_routes_init(struct prometheus_routes *routes, const struct prometheus_settings *settings,
                           const struct gb_reporter_setup *setup, struct prometheus_store *store)
{
    int error;
    routes->settings = settings;
    routes->setup = setup;
    routes->store = store;
    if (!keyed_init(&routes->routes) || !keyed_init(&routes->services))
        return -ENOMEM;
    /* before any worker's names, so that nobody takes theirs */
    return family_of(routes, PROMETHEUS_OF_TIMINGS, "", 0, true, &error) == NULL ||
                   family_of(routes, PROMETHEUS_OF_UNFINISHED, "", 0, true, &error) == NULL
               ? -ENOMEM
               : 0;
}

static struct prometheus_series *overflow_of(struct prometheus_routes *routes, enum prometheus_use use,
                                             struct prometheus_family *family, const struct gb_path *path,
                                             const char *scope)
{
    int error;
    if (family == NULL) {
        char *name =
            prometheus_family_name(routes->settings->prefix, path->name, path->name_length, prometheus_type_of(use));
        count_offence(routes, name != NULL ? name : "", scope);
        free(name);
    } else
        count_offence(routes, family->name, scope);
    if (use == PROMETHEUS_OF_GAUGES) { /* several gauges in one say nothing */
        routes->setup->count_drop(routes->setup->collector, "series_limit", 1);
        return NULL;
    }
    if (family == NULL)
        family = family_of(routes, use, "overflow", strlen("overflow"), true, &error);
    struct prometheus_series *series = family != NULL ? prometheus_series_overflow(family) : NULL;
    if (series == NULL)
        routes->setup->count_drop(routes->setup->collector, "no_memory", 1);
    return series;
}

static void remember(struct prometheus_routes *routes, const struct route_key *key, struct prometheus_series *series)
{
    if (routes->route_count >= 4 * routes->settings->series_max)
        return; /* what is not remembered is found the long way */
    struct route *route = malloc(sizeof(*route) + key->length);
    if (route == NULL)
        return;
    memcpy(route->key, key->bytes, key->length);
    route->series = series;
    if (keyed_add(&routes->routes, &route->keyed, route->key, key->length))
        routes->route_count++;
    else
        free(route);
}

static struct prometheus_series *find_series(struct prometheus_routes *routes, const struct prometheus_worker *worker,
                                             enum prometheus_use use, const struct gb_path *path,
                                             const struct route_key *key)
{
    const struct prometheus_settings *settings = routes->settings;
    struct prometheus_label labels[PROMETHEUS_LABELS_MAX];
    uint32_t count = 0;
    bool timing = use == PROMETHEUS_OF_TIMINGS || use == PROMETHEUS_OF_UNFINISHED;
    const char *scope = timing ? path->text : path->parent != NULL ? path->parent->text : "";
    /* an empty label is the same as none: left out, so that one set has one form */
    if (*scope)
        labels[count++] = (struct prometheus_label){"scope", scope};
    if (*worker->service_name)
        labels[count++] = (struct prometheus_label){"service", worker->service_name};
    for (uint32_t i = 0; i < settings->attr_count; i++)
        if (*key->values[i])
            labels[count++] = (struct prometheus_label){settings->attrs[i].label, key->values[i]};

    int error;
    struct prometheus_family *family = family_of(routes, use, path->name, path->name_length, false, &error);
    struct prometheus_series *series =
        family != NULL ? prometheus_series_get(routes->store, family, labels, count, &error) : NULL;
    if (series != NULL)
        remember(routes, key, series);
    else if (error == -ENOSPC)
        series = overflow_of(routes, use, family, path, scope);
    else
        routes->setup->count_drop(routes->setup->collector, "no_memory", 1);
    return series;
}

/* Where the path's last series are; NULL: not kept. */
static struct prometheus_recent *recent_of(struct prometheus_routes *routes, uint32_t id)
{
    if (id < routes->recent_count)
        return &routes->recent[id];
    uint32_t count = 2 * id + 64;
    struct prometheus_recent *grown = realloc(routes->recent, count * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    memset(grown + routes->recent_count, 0, (count - routes->recent_count) * sizeof(*grown));
    routes->recent = grown;
    routes->recent_count = count;
    return &grown[id];
}

struct prometheus_series *prometheus_route(struct prometheus_routes *routes, const struct prometheus_worker *worker,
                                           enum prometheus_use use, const struct gb_event *event)
{
    struct prometheus_recent *recent = NULL;
    if (routes->settings->attr_count == 0)
        recent = recent_of(routes, event->path->id);
    if (recent != NULL && recent->service == worker->service_name && recent->series[use] != NULL)
        return recent->series[use];
    struct route_key key;
    make_key(routes, worker->service, use, event, &key);
    struct route *route = keyed_find(&routes->routes, key.bytes, key.length);
    struct prometheus_series *series =
        route != NULL ? route->series : find_series(routes, worker, use, event->path, &key);
    if (recent != NULL && series != NULL && series != series->family->overflow) {
        if (recent->service != worker->service_name)
            *recent = (struct prometheus_recent){.service = worker->service_name};
        recent->series[use] = series;
    }
    return series;
}
