/* SPDX-License-Identifier: MIT */
/*
 * The reporter `prometheus`: keeps sums of what workers emit, for a Prometheus to fetch. In: batches, on the reporter's thread.
 * Out: nothing by itself; the HTTP server's thread (prometheus_http.c) answers scrapes from the store.
 *
 * A batch is recorded under the store's lock; a scrape holds that for portions of some ten microseconds. Workers are
 * known only while they live: their sums stand in series that belong to a service, and stay when they end.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/now.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/folded.h"
#include "collector/reporters/prometheus_http.h"
#include "collector/reporters/prometheus_settings.h"

enum {
    OPTION_LISTEN,
    OPTION_PREFIX,
    OPTION_LABELS,
    OPTION_BUCKETS,
    OPTION_SAMPLE_BUCKETS,
    OPTION_GAUGES,
    OPTION_MAX_SERIES
};

static const struct gb_option prometheus_options[] = {
    {"listen", GB_OPTION_TEXT, "127.0.0.1:9464", NULL,
     "HOST:PORT of /metrics, /healthz and /readyz; port 0: a free one"},
    {"prefix", GB_OPTION_TEXT, "app_", NULL, "what the names of the workers' metrics begin with"},
    {"labels", GB_OPTION_TEXT, NULL, NULL, "attributes that become labels, separated by ; (each value makes series)"},
    {"buckets", GB_OPTION_TEXT,
     "1e-6;2.5e-6;5e-6;1e-5;2.5e-5;5e-5;1e-4;2.5e-4;5e-4;1e-3;2.5e-3;5e-3;0.01;0.025;0.05;"
     "0.1;0.25;0.5;1;2.5;5;10;25;50;100",
     NULL, "upper bounds of the classic buckets of timings, in seconds, separated by ;"},
    {"sample_buckets", GB_OPTION_TEXT, "1e-6;1e-5;1e-4;1e-3;0.01;0.1;1;10;100;1e3;1e4;1e5;1e6;1e7;1e8;1e9", NULL,
     "the same for samples, in their own unit"},
    {"gauges", GB_OPTION_CHOICE, "last", "last|sum|max", "what the gauges of live workers come to"},
    {"max_series", GB_OPTION_INT, "10000", NULL,
     "sets of labels, a histogram counting as one; what comes beyond counts in scope=\"(overflow)\""},
    {NULL},
};

struct prometheus {
    const struct gb_reporter_setup *setup;
    struct prometheus_settings settings;
    struct prometheus_store store;
    struct prometheus_routes routes;
    struct prometheus_own own;
    struct prometheus_worker **workers; /* by id */
    uint32_t worker_count;
    struct prometheus_http *http;
};

static void count_drop(struct prometheus *self, const char *cause)
{
    self->setup->count_drop(self->setup->collector, cause, 1);
}

static void worker_end(struct prometheus *self, uint32_t id, const char *how)
{
    struct prometheus_worker *worker = id < self->worker_count ? self->workers[id] : NULL;
    if (worker == NULL)
        return;
    prometheus_gauges_leave(worker, clock_mono_now());
    free(worker);
    self->workers[id] = NULL;
    self->own.workers--;
    self->own.finished[prometheus_how(how)]++;
}

/* NULL: no memory. One whose end was lost to a full queue is found out when its id comes again. */
static struct prometheus_worker *worker_of(struct prometheus *self, const struct gb_worker *from)
{
    if (from->id >= self->worker_count) {
        uint32_t count = from->id < UINT32_MAX / 2 - 16 ? 2 * from->id + 16 : 0;
        struct prometheus_worker **grown = count > 0 ? realloc(self->workers, count * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return NULL;
        memset(grown + self->worker_count, 0, (count - self->worker_count) * sizeof(*grown));
        self->workers = grown;
        self->worker_count = count;
    }
    struct prometheus_worker *worker = self->workers[from->id];
    if (worker != NULL && memcmp(worker->segment, from->segment, sizeof(worker->segment)) == 0)
        return worker;
    worker_end(self, from->id, "unknown");
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL ||
        prometheus_service(&self->routes, from->service, &worker->service, &worker->service_name) < 0) {
        free(worker);
        return NULL;
    }
    memcpy(worker->segment, from->segment, sizeof(worker->segment));
    self->own.workers++;
    return self->workers[from->id] = worker;
}

static void record_timing(struct prometheus *self, struct prometheus_worker *worker, const struct gb_event *event)
{
    static const struct gb_event_value one = {.type = GB_VALUE_INT, .as.i = 1};
    bool unfinished = event->flags & GB_EVENT_UNFINISHED;
    struct prometheus_series *series =
        prometheus_route(&self->routes, worker, unfinished ? PROMETHEUS_OF_UNFINISHED : PROMETHEUS_OF_TIMINGS, event);
    if (series == NULL)
        return;
    if (unfinished)
        tally_counter_add(&series->as.counter, &one);
    else
        prometheus_duration_add(series, event->as.duration_ns);
}

/* A counter only rises, and a histogram has no place for what is no number. */
static bool is_sound(const struct gb_event *event)
{
    double value = tally_real(&event->as.value);
    if (event->kind == GB_EVENT_COUNTER)
        return isfinite(value) && value >= 0;
    return event->kind == GB_EVENT_GAUGE ? event->as.value.type != GB_VALUE_NULL : isfinite(value) != 0;
}

static void record_metric(struct prometheus *self, struct prometheus_worker *worker, const struct gb_event *event)
{
    enum prometheus_use use = event->kind == GB_EVENT_COUNTER ? PROMETHEUS_OF_COUNTERS
                              : event->kind == GB_EVENT_GAUGE ? PROMETHEUS_OF_GAUGES
                                                              : PROMETHEUS_OF_SAMPLES;
    if (!is_sound(event)) {
        count_drop(self, "bad_value");
        return;
    }
    struct prometheus_series *series = prometheus_route(&self->routes, worker, use, event);
    if (series == NULL)
        return;
    double value = tally_real(&event->as.value);
    if (use == PROMETHEUS_OF_COUNTERS)
        tally_counter_add(&series->as.counter, &event->as.value);
    else if (use == PROMETHEUS_OF_SAMPLES)
        prometheus_histogram_add(series, value);
    else if (prometheus_gauge_set(worker, series, value, event->start_wall_ns) < 0)
        count_drop(self, "no_memory");
}

static void record_run(struct prometheus *self, const struct gb_run *run)
{
    struct prometheus_worker *worker = worker_of(self, run->worker);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (event->kind == GB_EVENT_FINISHED) {
            worker_end(self, run->worker->id, run->worker->how);
            return;
        }
        if (event->kind > GB_EVENT_SAMPLE)
            continue;
        if (worker == NULL) {
            if (gb_event_is_counted(event))
                count_drop(self, "no_memory");
        } else if (event->kind == GB_EVENT_TIMING)
            record_timing(self, worker, event);
        else
            record_metric(self, worker, event);
    }
}

static void prometheus_record(void *context, const struct gb_batch *batch)
{
    struct prometheus *self = context;
    prometheus_store_lock(&self->store);
    for (uint32_t i = 0; i < batch->run_count; i++)
        if (batch->runs[i].worker != NULL)
            record_run(self, &batch->runs[i]);
    self->own.total = *self->setup->total(self->setup->collector);
    prometheus_store_unlock(&self->store);
}

static void record_folded(struct prometheus *self, struct prometheus_worker *worker, const struct gb_folded *folded)
{
    const struct gb_event event = folded_event(folded);
    enum prometheus_use use = folded->flags & GB_EVENT_UNFINISHED ? PROMETHEUS_OF_UNFINISHED
                              : folded->kind == GB_EVENT_TIMING   ? PROMETHEUS_OF_TIMINGS
                              : folded->kind == GB_EVENT_COUNTER  ? PROMETHEUS_OF_COUNTERS
                              : folded->kind == GB_EVENT_GAUGE    ? PROMETHEUS_OF_GAUGES
                                                                  : PROMETHEUS_OF_SAMPLES;
    struct prometheus_series *series = worker != NULL ? prometheus_route(&self->routes, worker, use, &event) : NULL;
    uint64_t lost = series == NULL ? folded->count - (worker != NULL) : 0; /* the route has told of one */
    if (series == NULL)
        self->setup->count_drop(self->setup->collector, "no_memory", lost);
    else if (use == PROMETHEUS_OF_UNFINISHED)
        tally_counter_add(&series->as.counter, &(struct gb_event_value){GB_VALUE_UINT, 0, {.u = folded->count}});
    else if (use == PROMETHEUS_OF_COUNTERS)
        tally_counter_fold(&series->as.counter, folded);
    else if (use != PROMETHEUS_OF_GAUGES)
        prometheus_histogram_fold(series, folded);
    else if (prometheus_gauge_set(worker, series, folded_number(&folded->last), folded->last_wall_ns) < 0)
        self->setup->count_drop(self->setup->collector, "no_memory", folded->count);
    if (series != NULL && use == PROMETHEUS_OF_SAMPLES && folded->not_finite)
        self->setup->count_drop(self->setup->collector, "bad_value", folded->not_finite);
}

static void prometheus_folded(void *context, const struct gb_folded *folded)
{
    struct prometheus *self = context;
    prometheus_store_lock(&self->store);
    record_folded(self, worker_of(self, folded->worker), folded);
    prometheus_store_unlock(&self->store);
}

static void prometheus_tick(void *context, int64_t now_ns)
{
    struct prometheus *self = context;
    prometheus_store_lock(&self->store);
    self->own.total = *self->setup->total(self->setup->collector);
    prometheus_store_unlock(&self->store);
    prometheus_http_tick(self->http, now_ns);
}

static int prometheus_flush(void *context)
{
    (void)context;
    return 0;
}

static void prometheus_close(void *context)
{
    struct prometheus *self = context;
    if (self == NULL)
        return;
    prometheus_http_stop(self->http);
    for (uint32_t i = 0; i < self->worker_count; i++)
        worker_end(self, i, "unknown");
    free(self->workers);
    prometheus_routes_free(&self->routes);
    prometheus_store_free(&self->store);
    prometheus_settings_free(&self->settings);
    free(self);
}

static int read_options(const struct gb_reporter_setup *setup, struct prometheus_settings *settings)
{
    const struct gb_option_value *options = setup->options;
    char error[384];
    int result = prometheus_settings_read(settings,
                                          &(const struct prometheus_texts){
                                              .prefix = options[OPTION_PREFIX].text,
                                              .labels = options[OPTION_LABELS].text,
                                              .buckets = options[OPTION_BUCKETS].text,
                                              .sample_buckets = options[OPTION_SAMPLE_BUCKETS].text,
                                              .max_series = options[OPTION_MAX_SERIES].number,
                                          },
                                          error, sizeof(error));
    settings->gauges = (enum prometheus_gauges)options[OPTION_GAUGES].number;
    if (result == 0)
        result = prometheus_listen_check(options[OPTION_LISTEN].text, error, sizeof(error));
    if (result < 0)
        setup->say(setup->collector, "%s", error);
    return result;
}

static int prometheus_check(const struct gb_reporter_setup *setup)
{
    struct prometheus_settings *settings = calloc(1, sizeof(*settings));
    if (settings == NULL)
        return -ENOMEM;
    int result = read_options(setup, settings);
    prometheus_settings_free(settings);
    free(settings);
    return result;
}

static int prometheus_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct prometheus *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return -ENOMEM;
    self->setup = setup;
    self->own.setup = setup;
    self->own.store = &self->store;
    self->own.routes = &self->routes;
    int result = read_options(setup, &self->settings);
    if (prometheus_store_init(&self->store, self->settings.series_max, self->settings.gauges) < 0 && result == 0)
        result = -ENOMEM;
    if (result == 0)
        result = prometheus_own_init(&self->own);
    if (result == 0)
        result = prometheus_routes_init(&self->routes, &self->settings, setup, &self->store);
    if (result == 0)
        result = prometheus_http_start(setup, setup->options[OPTION_LISTEN].text, &self->own, &self->http);
    if (result < 0) {
        prometheus_close(self);
        return result;
    }
    *ret_self = self;
    return 0;
}

static void prometheus_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    const char *colon = strrchr(options[OPTION_LISTEN].text, ':');
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : ULONG_MAX;
    if (port <= 65535) /* check refuses others, and says so */
        reach->listens(reach->collector, (unsigned)port);
}

const struct gb_reporter gb_reporter_prometheus = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "prometheus",
    .help = "Serves sums of all workers over HTTP, for a Prometheus server to fetch",
    .options = prometheus_options,
    .open = prometheus_open,
    .record_batch = prometheus_record,
    .flush = prometheus_flush,
    .tick = prometheus_tick,
    .close = prometheus_close,
    .record_folded = prometheus_folded,
    .reach = prometheus_reach,
    .check = prometheus_check,
};
