/* SPDX-License-Identifier: MIT */
/* See pipeline.h. */
#include "bench/drain/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "collector/attach.h"
#include "collector/clock.h"
#include "collector/fanout.h"
#include "collector/options.h"
#include "collector/take.h"

#define DEADLINE_NS 20000000000
#define ROOM_PERCENT 60 /* of its queue: nothing may be lost there */

struct pipeline {
    struct fake_worker *worker;
    struct segment *segment;
    struct fanout *fanout;
    struct paths *paths;
    struct reporter_spec spec;
    bool parsed;
    struct taker taker;
};

static int counter_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    *ret_self = NULL;
    return 0;
}

/* Touches what a reporter would: path, duration, attributes. */
static void counter_batch(void *self, const struct gb_batch *batch)
{
    (void)self;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        for (uint32_t j = 0; j < batch->runs[i].count; j++) {
            const struct gb_event *event = &batch->runs[i].events[j];
            sum += (uint64_t)event->as.duration_ns + (event->path ? event->path->id : 0) + event->attr_count;
        }
    }
    __asm__ volatile("" ::"r"(sum));
}

static void counter_close(void *self)
{
    (void)self;
}

static const struct gb_reporter counter = {.abi = GB_REPORTER_ABI,
                                           .size = sizeof(struct gb_reporter),
                                           .name = "counter",
                                           .help = "counts",
                                           .options = (const struct gb_option[]){{0}},
                                           .open = counter_open,
                                           .record_batch = counter_batch,
                                           .close = counter_close};

static double clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int read_spec(struct pipeline *pipeline, const char *spec)
{
    char error[300];
    if (!spec) {
        pipeline->spec = (struct reporter_spec){.reporter = &counter, .name = "counter"};
        return 0;
    }
    int result = reporter_spec_parse(spec, &pipeline->spec, error, sizeof(error));
    pipeline->parsed = result == 0;
    if (!result)
        result = reporter_specs_name(&pipeline->spec, 1, error, sizeof(error));
    if (result)
        fprintf(stderr, "bench-drain: %s: %s\n", spec, error);
    return result;
}

struct pipeline *pipeline_start(const char *spec, uint32_t slots)
{
    struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
    struct attach_result result;
    if (!pipeline)
        return NULL;
    if (read_spec(pipeline, spec)) {
        free(pipeline);
        return NULL;
    }
    clock_start();
    pipeline->worker = fake_worker_start(slots);
    struct fake_segment *fake = fake_worker_segment(pipeline->worker);
    pin_to(cores() > 1 ? 1 : 0); /* what the reporter starts runs where the worker does, which waits meanwhile */
    int error = paths_make(&pipeline->paths);
    error = error ? error : segment_attach(fake->directory_fd, fake->file, geteuid(), &result, &pipeline->segment);
    error =
        error ? error : fanout_start(&pipeline->spec, 1, fake_worker_directory(pipeline->worker), &pipeline->fanout);
    pin_to(0);
    if (error) {
        fprintf(stderr, "bench-drain: %s: %s\n", spec ? spec : "counter", strerror(-error));
        pipeline_end(pipeline);
        return NULL;
    }
    pipeline->taker = (struct taker){.fanout = pipeline->fanout,
                                     .paths = pipeline->paths,
                                     .total = fanout_total(pipeline->fanout),
                                     .durable = fanout_has_durable(pipeline->fanout)};
    pipeline_drain(pipeline); /* the rings are met */
    return pipeline;
}

double pipeline_end(struct pipeline *pipeline)
{
    if (!pipeline)
        return 0;
    double before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (pipeline->fanout) {
        fanout_unused(pipeline->fanout, pipeline->taker.batch);
        fanout_stop(pipeline->fanout, clock_mono_now() + DEADLINE_NS);
        fanout_free(pipeline->fanout);
    }
    double cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    segment_detach(pipeline->segment);
    paths_free(pipeline->paths);
    fake_worker_end(pipeline->worker);
    if (pipeline->parsed)
        reporter_spec_clear(&pipeline->spec);
    free(pipeline);
    return cpu;
}

void pipeline_drain(struct pipeline *pipeline)
{
    struct taker *taker = &pipeline->taker;
    do {
        taker->now_ns = clock_mono_now() + DEADLINE_NS; /* every ring is due */
        taker->more = false;
        pass_segment(taker, pipeline->segment);
        taker_push(taker);
        pass_heads(taker, pipeline->segment);
    } while (taker->more);
}

static uint64_t undelivered(struct pipeline *pipeline, uint64_t *ret_lost)
{
    struct reporter_account account;
    uint64_t lost = 0;
    fanout_accounts(pipeline->fanout, &account, 1);
    for (unsigned i = 0; i < REPORTER_CAUSES && account.dropped[i].cause; i++)
        lost += account.dropped[i].events;
    *ret_lost = lost;
    return account.handed - account.delivered - account.skipped - lost;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Lets a durable reporter's commits come back, so that the rings have room. */
static void await_delivery(struct pipeline *pipeline, uint64_t *ret_lost)
{
    int64_t deadline = clock_mono_now() + DEADLINE_NS;
    while (undelivered(pipeline, ret_lost) && clock_mono_now() < deadline)
        nap();
    pass_heads(&pipeline->taker, pipeline->segment);
}

struct pipeline_cost pipeline_run(struct pipeline *pipeline, enum records kind, uint32_t slots, unsigned fills)
{
    struct pipeline_cost cost = {0};
    uint64_t lost_before;
    undelivered(pipeline, &lost_before);
    double process = clock_ns(CLOCK_PROCESS_CPUTIME_ID), own = clock_ns(CLOCK_THREAD_CPUTIME_ID),
           worker = fake_worker_cpu_ns(pipeline->worker);
    for (unsigned i = 0; i < fills; i++) {
        cost.events += fake_worker_fill(pipeline->worker, kind, slots);
        double cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), wall = clock_ns(CLOCK_MONOTONIC);
        pipeline_drain(pipeline);
        cost.drain_wall_ns += clock_ns(CLOCK_MONOTONIC) - wall;
        cost.drain_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
        while (fanout_pressure(pipeline->fanout, clock_mono_now()) > ROOM_PERCENT)
            nap();
    }
    await_delivery(pipeline, &cost.lost);
    cost.lost -= lost_before;
    cost.reporter_ns = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process) - (clock_ns(CLOCK_THREAD_CPUTIME_ID) - own) -
                       (fake_worker_cpu_ns(pipeline->worker) - worker);
    return cost;
}

struct fake_worker *pipeline_worker(struct pipeline *pipeline)
{
    return pipeline->worker;
}

struct segment *pipeline_segment(struct pipeline *pipeline)
{
    return pipeline->segment;
}

struct paths *pipeline_paths(struct pipeline *pipeline)
{
    return pipeline->paths;
}

struct batch *pipeline_batch(struct pipeline *pipeline)
{
    return fanout_batch(pipeline->fanout);
}

void pipeline_unused(struct pipeline *pipeline, struct batch *batch)
{
    fanout_unused(pipeline->fanout, batch);
}
