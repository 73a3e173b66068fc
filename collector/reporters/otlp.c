/* SPDX-License-Identifier: MIT */
/*
 * The reporter `otlp`: metrics, and by choice spans, to a receiver of OpenTelemetry's protocol over HTTP. In: batches. Out:
 * requests, which a thread of the sender's brings there (otlp_send.h). Its own thread.
 *
 *   record_batch   an event goes into its worker's series; a timing also becomes a span of the request that is being filled
 *   tick           what came back from the sender is settled; each interval, and for spans also at 1 MiB, requests are pushed
 *   close          a last export of everything, as far as the deadline allows
 *
 * Each event is accounted for once: a timing that makes a span by its span, anything else by the metrics. Metrics wait
 * for a receiver as sums and are lost only when it refuses them for good, or at the end; spans wait as bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/otlp_requests.h"
#include "collector/reporters/otlp_value.h"

#define SECOND 1000000000ll
#define SPANS_BYTES (1u << 20)     /* a request of spans ends with the span that reaches this */
#define ENDED_SERIES_MAX 100000    /* of workers that have ended, while no receiver takes their last export */
#define CLOSE_NS (SECOND * 8 / 10) /* what close may take, whatever the deadline */
#define MARGIN_NS (SECOND / 5)     /* of the deadline, to settle what came of it */

/* ---- events ---- */

static void record_event(struct otlp *self, struct otlp_worker *worker, const struct gb_run *run,
                         const struct gb_event *event)
{
    bool counted = gb_event_is_counted(event);
    if (worker == NULL) {
        otlp_drop(self, "no_memory", counted);
        return;
    }
    bool spanned = self->settings.traces && event->kind == GB_EVENT_TIMING &&
                   otlp_spans_add(&self->spans, worker, run, event, counted);
    int result = otlp_worker_record(&self->store, worker, event, counted && !spanned);
    if (result < 0 && !spanned)
        otlp_drop(self, result == -EINVAL ? "bad_value" : "no_memory", counted);
}

/* While nobody takes them, the last exports of workers pile up: the oldest goes. */
static void bound_ended(struct otlp *self)
{
    struct otlp_worker *next;
    for (struct otlp_worker *worker = self->store.ended; worker != NULL; worker = next) {
        next = worker->next;
        if (self->store.ended_series <= ENDED_SERIES_MAX)
            break;
        if (!worker->in_flight)
            otlp_drop(self, "buffer_full", otlp_forget(self, worker));
    }
}

static void record_run(struct otlp *self, const struct gb_run *run)
{
    struct otlp_worker *worker = otlp_worker_of(&self->store, run->worker);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (event->kind <= GB_EVENT_SAMPLE) {
            record_event(self, worker, run, event);
        } else if (event->kind == GB_EVENT_FINISHED) {
            otlp_spans_close(&self->spans);
            otlp_worker_end(&self->store, run->worker->id);
            bound_ended(self);
            return;
        }
    }
    if (self->spans.request.length >= SPANS_BYTES)
        otlp_push_spans(self);
}

static void otlp_record(void *context, const struct gb_batch *batch)
{
    struct otlp *self = context;
    for (uint32_t i = 0; i < batch->run_count; i++)
        if (batch->runs[i].worker != NULL)
            record_run(self, &batch->runs[i]);
}

static void otlp_folded(void *context, const struct gb_folded *folded)
{
    struct otlp *self = context;
    struct otlp_worker *worker = otlp_worker_of(&self->store, folded->worker);
    if (worker == NULL || otlp_worker_fold(&self->store, worker, folded) < 0)
        otlp_drop(self, "no_memory", folded->count);
    else if (folded->kind == GB_EVENT_SAMPLE && folded->not_finite)
        otlp_drop(self, "bad_value", folded->not_finite);
}

static void otlp_tick(void *context, int64_t now_ns)
{
    struct otlp *self = context;
    otlp_collect(self);
    if (self->due_ns == 0)
        self->due_ns = now_ns + self->settings.interval_ns;
    if (now_ns < self->due_ns)
        return;
    if (self->in_flight > 0) { /* newer sums stand in for those that only wait; the next tick sees them back */
        otlp_sender_supersede(self->sender);
        return;
    }
    otlp_push_spans(self);
    otlp_push_metrics(self);
    self->due_ns = now_ns + self->settings.interval_ns;
}

static int otlp_flush(void *context)
{
    (void)context;
    return 0;
}

/* ---- life ---- */

static void otlp_free(struct otlp *self)
{
    otlp_sender_free(self->sender);
    otlp_spans_free(&self->spans);
    otlp_store_free(&self->store);
    protobuf_free(&self->resource);
    otlp_settings_clear(&self->settings);
    if (self->curl)
        curl_global_cleanup();
    free(self);
}

/* What nobody has taken is lost now. */
static void drop_rest(struct otlp *self)
{
    const char *cause = self->cause[OTLP_METRICS] != NULL ? self->cause[OTLP_METRICS] : "unsent";
    for (uint32_t i = 0; i < self->store.capacity; i++)
        otlp_worker_end(&self->store, i);
    while (self->store.ended != NULL)
        otlp_drop(self, cause, otlp_forget(self, self->store.ended));
}

static void otlp_close(void *context)
{
    struct otlp *self = context;
    if (self == NULL)
        return;
    int64_t now_ns = clock_mono_now(), deadline_ns = now_ns + CLOSE_NS;
    int64_t allowed_ns = self->setup->deadline != NULL ? self->setup->deadline(self->setup->collector) : 0;
    if (allowed_ns - MARGIN_NS > deadline_ns)
        deadline_ns = allowed_ns - MARGIN_NS;
    otlp_push_spans(self);
    otlp_sender_supersede(self->sender);
    otlp_collect(self);
    while (self->in_flight > 0 && clock_mono_now() < now_ns + (deadline_ns - now_ns) / 2) {
        otlp_sender_wait(self->sender, now_ns + (deadline_ns - now_ns) / 2);
        otlp_sender_supersede(self->sender);
        otlp_collect(self);
    }
    otlp_push_metrics(self);
    otlp_sender_finish(self->sender, deadline_ns);
    otlp_collect(self);
    drop_rest(self);
    otlp_free(self);
}

static int make_resource(struct otlp *self)
{
    uint64_t random[2] = {(uint64_t)self->start_wall_ns, (uint64_t)getpid()};
    char instance[33];
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
        random[1] ^= (uint64_t)clock_mono_now() << 20; /* early at boot: still nearly unique */
    snprintf(instance, sizeof(instance), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    otlp_put_resource(&self->resource, "gb-collector", instance, (uint32_t)getpid(), "gb-collector",
                      self->setup->host != NULL ? self->setup->host : "");
    return self->resource.failed ? -ENOMEM : 0;
}

static int otlp_check(const struct gb_reporter_setup *setup)
{
    struct otlp_settings settings = {0};
    int result = otlp_settings_make(setup, &settings);
    otlp_settings_clear(&settings);
    return result;
}

static int otlp_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct otlp *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return -ENOMEM;
    self->setup = setup;
    self->start_wall_ns = clock_wall_now();
    self->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    int result = self->curl ? otlp_store_init(&self->store, setup, setup->options[OTLP_OPTION_LABELS].text) : -ENOMEM;
    if (result == 0)
        result = otlp_settings_make(setup, &self->settings);
    if (result == 0)
        result = make_resource(self);
    if (result == 0)
        result = otlp_sender_make(&self->settings, &self->sender);
    if (result < 0) {
        otlp_free(self);
        return result;
    }
    self->store.delta = self->settings.delta;
    self->store.series_max = self->settings.max_series;
    self->spans.min_ns = self->settings.min_ns;
    self->spans.levels = self->settings.levels;
    self->spans.sampled = self->settings.sampled;
    *ret_self = self;
    return 0;
}

const struct gb_reporter gb_reporter_otlp = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "otlp",
    .help = "Sends metrics, and spans by choice, to a receiver of OpenTelemetry (OTLP/HTTP protobuf)",
    .options = otlp_options,
    .open = otlp_open,
    .record_batch = otlp_record,
    .record_folded = otlp_folded,
    .flush = otlp_flush,
    .tick = otlp_tick,
    .close = otlp_close,
    .reach = otlp_reach,
    .check = otlp_check,
};
