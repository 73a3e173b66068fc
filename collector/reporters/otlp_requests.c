/* SPDX-License-Identifier: MIT */
/* See otlp_requests.h. */
#include "collector/reporters/otlp_requests.h"

#include <inttypes.h>
#include <stdlib.h>

#include "collector/now.h"

#define METRICS_BYTES (2u << 20) /* a request of metrics ends with the worker that reaches this */

static const char *const signal_names[OTLP_SIGNALS] = {"metrics", "spans"};

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

void otlp_drop(struct otlp *self, const char *cause, uint64_t events)
{
    if (events > 0)
        self->setup->count_drop(self->setup->collector, cause, events);
}

/* The span request may have been that worker's last. */
uint64_t otlp_forget(struct otlp *self, struct otlp_worker *worker)
{
    otlp_spans_close(&self->spans);
    return otlp_worker_drop(&self->store, worker);
}

void otlp_push_spans(struct otlp *self)
{
    struct otlp_spans *spans = &self->spans;
    otlp_spans_close(spans);
    if (spans->count == 0)
        return;
    struct otlp_message *message = spans->request.failed ? NULL : calloc(1, sizeof(*message));
    if (message == NULL) {
        otlp_drop(self, "no_memory", spans->counted);
        free(spans->request.bytes);
    } else {
        uint8_t *fitting = realloc(spans->request.bytes, spans->request.length);
        *message = (struct otlp_message){.signal = OTLP_TRACES,
                                         .body = fitting != NULL ? fitting : spans->request.bytes,
                                         .length = spans->request.length,
                                         .points = spans->count,
                                         .events = spans->counted};
        if (otlp_sender_push(self->sender, message) < 0) {
            otlp_drop(self, "buffer_full", message->events);
            otlp_message_free(message);
        }
    }
    otlp_spans_reset(spans);
}

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
            otlp_drop(self, "no_memory", otlp_forget(self, worker));
        return;
    }
    draft->message->points += points;
    draft->message->workers[draft->message->worker_count++] = worker;
    if (draft->body.length >= METRICS_BYTES || draft->body.failed)
        push_draft(self, draft);
}

void otlp_push_metrics(struct otlp *self)
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
        otlp_drop(self, message->cause, events);
    if (worker->ended && !worker->dirty)
        otlp_forget(self, worker);
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
        otlp_drop(self, message->cause != NULL ? message->cause : "unsent", message->events);
    if (message->outcome == OTLP_REFUSED)
        SAY(self, "%s refused %" PRIu64 " %s for good: %s", self->settings.target[message->signal].shown,
            message->points, message->signal == OTLP_METRICS ? "data points" : "spans", message->why);
    if (message->outcome == OTLP_ACCEPTED && (message->rejected > 0 || message->why[0] != '\0')) {
        SAY(self, "%s rejected %" PRIu64 " of %" PRIu64 " %s: %s", self->settings.target[message->signal].shown,
            message->rejected, message->points, message->signal == OTLP_METRICS ? "data points" : "spans",
            message->why);
        otlp_drop(self, "rejected", message->rejected < told ? message->rejected : told);
    }
}

void otlp_collect(struct otlp *self)
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
