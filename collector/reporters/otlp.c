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
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/otlp_metrics.h"
#include "collector/reporters/otlp_send.h"
#include "collector/reporters/otlp_series.h"
#include "collector/reporters/otlp_settings.h"
#include "collector/reporters/otlp_spans.h"
#include "collector/reporters/otlp_value.h"

#define SECOND 1000000000ll
#define METRICS_BYTES (2u << 20)   /* a request of metrics ends with the worker that reaches this */
#define SPANS_BYTES (1u << 20)     /* one of spans with the span that does */
#define ENDED_SERIES_MAX 100000    /* of workers that have ended, while no receiver takes their last export */
#define CLOSE_NS (SECOND * 8 / 10) /* what close may take, whatever the deadline */
#define MARGIN_NS (SECOND / 5)     /* of the deadline, to settle what came of it */

struct otlp {
    const struct gb_reporter_setup *setup;
    struct otlp_settings settings;
    struct otlp_store store;
    struct otlp_spans spans;
    struct otlp_sender *sender;
    bool curl;
    struct protobuf resource; /* the collector's own */
    int64_t start_wall_ns;
    int64_t due_ns;                  /* of the next export; 0: not set yet */
    uint32_t in_flight;              /* requests of metrics */
    const char *cause[OTLP_SIGNALS]; /* of the last failure */
};

static const char *const signal_names[OTLP_SIGNALS] = {"metrics", "spans"};

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

static void drop(struct otlp *self, const char *cause, uint64_t events)
{
    if (events > 0)
        self->setup->count_drop(self->setup->collector, cause, events);
}

/* Returns the events that nobody was told of. The span request may have been that worker's last. */
static uint64_t forget(struct otlp *self, struct otlp_worker *worker)
{
    otlp_spans_close(&self->spans);
    return otlp_worker_drop(&self->store, worker);
}

/* ---- events ---- */

static void push_spans(struct otlp *self)
{
    struct otlp_spans *spans = &self->spans;
    otlp_spans_close(spans);
    if (spans->count == 0)
        return;
    struct otlp_message *message = spans->request.failed ? NULL : calloc(1, sizeof(*message));
    if (message == NULL) {
        drop(self, "no_memory", spans->counted);
        free(spans->request.bytes);
    } else {
        uint8_t *fitting = realloc(spans->request.bytes, spans->request.length);
        *message = (struct otlp_message){.signal = OTLP_TRACES,
                                         .body = fitting != NULL ? fitting : spans->request.bytes,
                                         .length = spans->request.length,
                                         .points = spans->count,
                                         .events = spans->counted};
        if (otlp_sender_push(self->sender, message) < 0) {
            drop(self, "buffer_full", message->events);
            otlp_message_free(message);
        }
    }
    otlp_spans_reset(spans);
}

static void record_event(struct otlp *self, struct otlp_worker *worker, const struct gb_run *run,
                         const struct gb_event *event)
{
    bool counted = gb_event_is_counted(event);
    if (worker == NULL) {
        drop(self, "no_memory", counted);
        return;
    }
    bool spanned = self->settings.traces && event->kind == GB_EVENT_TIMING &&
                   otlp_spans_add(&self->spans, worker, run, event, counted);
    int result = otlp_worker_record(&self->store, worker, event, counted && !spanned);
    if (result < 0 && !spanned)
        drop(self, result == -EINVAL ? "bad_value" : "no_memory", counted);
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
            drop(self, "buffer_full", forget(self, worker));
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
        push_spans(self);
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
        drop(self, "no_memory", folded->count);
    else if (folded->kind == GB_EVENT_SAMPLE && folded->not_finite)
        drop(self, "bad_value", folded->not_finite);
}

/* ---- what came back ---- */

/* One worker's part of a request. Returns how many events the request told of it. */
static uint64_t settle_worker(struct otlp *self, struct otlp_worker *worker, const struct otlp_message *message)
{
    uint64_t events = worker->taken_events;
    bool lost = message->outcome == OTLP_REFUSED && (self->settings.delta || worker->ended);
    if (message->outcome != OTLP_ACCEPTED && !lost) {
        otlp_worker_untold(&self->store, worker);
        return 0;
    }
    otlp_worker_told(&self->store, worker);
    if (lost)
        drop(self, message->cause, events);
    if (worker->ended && !worker->dirty)
        forget(self, worker);
    return lost ? 0 : events;
}

static void settle(struct otlp *self, struct otlp_message *message)
{
    uint64_t told = message->outcome == OTLP_ACCEPTED ? message->events : 0;
    if (message->cause != NULL)
        self->cause[message->signal] = message->cause;
    self->in_flight -= message->signal == OTLP_METRICS;
    for (uint32_t i = 0; i < message->worker_count; i++)
        told += settle_worker(self, message->workers[i], message);
    if (message->signal == OTLP_TRACES && message->outcome != OTLP_ACCEPTED)
        drop(self, message->cause != NULL ? message->cause : "unsent", message->events);
    if (message->outcome == OTLP_REFUSED)
        SAY(self, "%s refused %" PRIu64 " %s for good: %s", self->settings.target[message->signal].shown,
            message->points, message->signal == OTLP_METRICS ? "data points" : "spans", message->why);
    if (message->outcome == OTLP_ACCEPTED && (message->rejected > 0 || message->why[0] != '\0')) {
        SAY(self, "%s rejected %" PRIu64 " of %" PRIu64 " %s: %s", self->settings.target[message->signal].shown,
            message->rejected, message->points, message->signal == OTLP_METRICS ? "data points" : "spans",
            message->why);
        drop(self, "rejected", message->rejected < told ? message->rejected : told);
    }
}

static void collect(struct otlp *self)
{
    struct otlp_message *next;
    for (struct otlp_message *message = otlp_sender_done(self->sender); message != NULL; message = next) {
        next = message->next;
        settle(self, message);
        otlp_message_free(message);
    }
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        char why[240];
        if (!otlp_sender_trouble(self->sender, i, why, sizeof(why)))
            continue;
        if (why[0] != '\0')
            SAY(self, "cannot send %s to %s: %s", signal_names[i], self->settings.target[i].shown, why);
        else
            SAY(self, "%s are sent to %s again", signal_names[i], self->settings.target[i].shown);
    }
}

/* ---- metrics ---- */

/* A request that is being filled. */
struct draft {
    struct protobuf body;
    struct otlp_message *message;
};

static void push_draft(struct otlp *self, struct draft *draft)
{
    struct otlp_message *message = draft->message;
    draft->message = NULL;
    if (message == NULL)
        return;
    message->body = draft->body.bytes;
    message->length = draft->body.length;
    bool failed = draft->body.failed;
    draft->body = (struct protobuf){0};
    if (!failed) {
        self->in_flight++;
        otlp_sender_push(self->sender, message);
        return;
    }
    for (uint32_t i = 0; i < message->worker_count; i++)
        otlp_worker_untold(&self->store, message->workers[i]);
    otlp_message_free(message);
}

/* Room for one more worker. */
static bool ready_draft(struct draft *draft)
{
    if (draft->message == NULL && (draft->message = calloc(1, sizeof(*draft->message))) == NULL)
        return false;
    struct otlp_message *message = draft->message;
    message->signal = OTLP_METRICS;
    if (message->worker_count < message->worker_room)
        return true;
    uint32_t room = 2 * message->worker_room + 16;
    struct otlp_worker **workers = realloc(message->workers, room * sizeof(struct otlp_worker *));
    if (workers == NULL)
        return false;
    message->workers = workers;
    message->worker_room = room;
    return true;
}

static void export_worker(struct otlp *self, struct draft *draft, struct otlp_worker *worker, int64_t wall_ns)
{
    if (worker->in_flight || !ready_draft(draft))
        return;
    otlp_worker_take(&self->store, worker, wall_ns > worker->start_wall_ns ? wall_ns : worker->start_wall_ns);
    uint64_t points = otlp_put_worker(&draft->body, &self->store, worker);
    if (points == 0) {
        otlp_worker_untold(&self->store, worker);
        worker->dirty = false;
        if (worker->ended)
            drop(self, "no_memory", forget(self, worker));
        return;
    }
    draft->message->points += points;
    draft->message->workers[draft->message->worker_count++] = worker;
    if (draft->body.length >= METRICS_BYTES || draft->body.failed)
        push_draft(self, draft);
}

static void export_metrics(struct otlp *self)
{
    struct draft draft = {0};
    int64_t wall_ns = clock_wall_now();
    for (uint32_t i = 0; i < self->store.capacity; i++)
        if (self->store.workers[i] != NULL)
            export_worker(self, &draft, self->store.workers[i], wall_ns);
    struct otlp_worker *next;
    for (struct otlp_worker *worker = self->store.ended; worker != NULL; worker = next) {
        next = worker->next;
        export_worker(self, &draft, worker, wall_ns);
    }
    if (ready_draft(&draft))
        draft.message->points +=
            otlp_put_collector(&draft.body, self->setup, &self->resource, self->start_wall_ns, wall_ns);
    push_draft(self, &draft);
    protobuf_free(&draft.body);
}

static void otlp_tick(void *context, int64_t now_ns)
{
    struct otlp *self = context;
    collect(self);
    if (self->due_ns == 0)
        self->due_ns = now_ns + self->settings.interval_ns;
    if (now_ns < self->due_ns)
        return;
    if (self->in_flight > 0) { /* newer sums stand in for those that only wait; the next tick sees them back */
        otlp_sender_supersede(self->sender);
        return;
    }
    push_spans(self);
    export_metrics(self);
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
        drop(self, cause, forget(self, self->store.ended));
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
    push_spans(self);
    otlp_sender_supersede(self->sender);
    collect(self);
    while (self->in_flight > 0 && clock_mono_now() < now_ns + (deadline_ns - now_ns) / 2) {
        otlp_sender_wait(self->sender, now_ns + (deadline_ns - now_ns) / 2);
        otlp_sender_supersede(self->sender);
        collect(self);
    }
    export_metrics(self);
    otlp_sender_finish(self->sender, deadline_ns);
    collect(self);
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
