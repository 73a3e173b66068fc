/* SPDX-License-Identifier: MIT */
/* See fake_worker.h. */
#include "bench/drain/fake_worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/child.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#define CLOCK_KIND GBW_CLOCK_TSC
static uint64_t ticks_now(void)
{
    return __rdtsc();
}
#else
#define CLOCK_KIND GBW_CLOCK_MONOTONIC
static uint64_t ticks_now(void)
{
    return fake_now();
}
#endif

#define PATHS 16u
#define KEYS 8u

const char *const records_names[RECORDS] = {"timing", "timing_3_attributes", "timing_8_attributes_text", "counter",
                                            "gauge"};
static const struct shape {
    uint8_t kind, flags;
    unsigned attrs;
    bool text;
} shapes[RECORDS] = {{GBW_TIMING, 0, 0, false},
                     {GBW_TIMING, 0, 3, false},
                     {GBW_TIMING, 0, 8, true},
                     {GBW_COUNTER, GBW_INT, 0, false},
                     {GBW_GAUGE, GBW_DOUBLE, 0, false}};

struct fake_worker {
    struct fake_directory directory;
    struct fake_segment *fake;
    uint32_t path[PATHS], key[KEYS];
    uint64_t made;
    pthread_t thread;
    /* passed at the barrier, so never touched by both */
    pthread_barrier_t turn;
    bool end;
    enum records kind;
    uint32_t slots;
    uint64_t filled;
};

static void use_ticks(struct gbw_header *header)
{
    header->clock = CLOCK_KIND;
    header->anchor.ticks = ticks_now();
}

/* Durations over some decades, as a worker's are; values that need all their digits. */
static uint64_t value_of(const struct shape *shape, uint64_t i)
{
    double real = 1.0 / (double)(i + 3);
    uint64_t bits;
    if (shape->kind == GBW_TIMING)
        return 1000 + (i * 7919 % 1000003) * (i & 7);
    if (shape->kind == GBW_COUNTER)
        return i & 1023;
    __builtin_memcpy(&bits, &real, sizeof(bits));
    return bits;
}

static uint64_t fill_ring(struct fake_worker *worker, uint32_t ring, const struct shape *shape, uint32_t slots)
{
    struct fake_attr attrs[KEYS];
    uint64_t events = 0, from = worker->fake->ring[ring].producer->tail;
    for (unsigned i = 0; i < KEYS; i++)
        attrs[i] = (struct fake_attr){.key = worker->key[i], .type = GBW_INT, .value = i};
    if (shape->text)
        attrs[KEYS - 1] = (struct fake_attr){
            .key = worker->key[KEYS - 1], .type = GBW_SPECIAL, .value = GBW_TEXT, .text = "a-file.txt"};
    while (worker->fake->ring[ring].producer->tail - from < slots) {
        struct fake_emit emit = {.kind = shape->kind,
                                 .flags = shape->flags,
                                 .path = worker->path[worker->made % PATHS],
                                 .start = ticks_now(),
                                 .value = value_of(shape, worker->made),
                                 .call = (uint32_t)worker->made,
                                 .attrs = attrs,
                                 .attr_count = shape->attrs};
        if (!fake_emit(worker->fake, ring, &emit)) {
            fprintf(stderr, "bench-drain: a ring is full that must not be\n");
            exit(1);
        }
        worker->made++;
        events++;
    }
    return events;
}

uint64_t fake_worker_fill_here(struct fake_worker *worker, enum records kind, uint32_t slots)
{
    uint64_t events = 0;
    for (uint32_t ring = 0; ring < FAKE_WORKER_RINGS; ring++)
        events += fill_ring(worker, ring, &shapes[kind], slots);
    return events;
}

static void *work(void *argument)
{
    struct fake_worker *worker = argument;
    pin_to(cores() > 1 ? 1 : 0);
    for (;;) {
        pthread_barrier_wait(&worker->turn);
        if (worker->end)
            return NULL;
        worker->filled = fake_worker_fill_here(worker, worker->kind, worker->slots);
        pthread_barrier_wait(&worker->turn);
    }
}

uint64_t fake_worker_fill(struct fake_worker *worker, enum records kind, uint32_t slots)
{
    worker->kind = kind;
    worker->slots = slots;
    pthread_barrier_wait(&worker->turn);
    pthread_barrier_wait(&worker->turn);
    return worker->filled;
}

struct fake_worker *fake_worker_start(uint32_t slots)
{
    struct fake_worker *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        perror("bench-drain");
        exit(1);
    }
    fake_directory_make(&worker->directory);
    worker->fake = fake_segment_make(worker->directory.fd, use_ticks);
    for (uint32_t i = 0; i < FAKE_WORKER_RINGS; i++)
        fake_ring_add(worker->fake, slots, 0);
    for (unsigned i = 0; i < PATHS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "step%u", i);
        worker->path[i] = fake_path(worker->fake, i ? worker->path[i / 2] : GBW_ROOT, i ? name : "pipeline");
    }
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "key_%u", i);
        worker->key[i] = fake_key(worker->fake, name, 0);
    }
    pthread_barrier_init(&worker->turn, NULL, 2);
    if (pthread_create(&worker->thread, NULL, work, worker)) {
        perror("bench-drain: thread");
        exit(1);
    }
    return worker;
}

void fake_worker_end(struct fake_worker *worker)
{
    worker->end = true;
    pthread_barrier_wait(&worker->turn);
    pthread_join(worker->thread, NULL);
    pthread_barrier_destroy(&worker->turn);
    fake_segment_free(worker->fake);
    fake_directory_remove(&worker->directory);
    free(worker);
}

const char *fake_worker_directory(const struct fake_worker *worker)
{
    return worker->directory.path;
}

struct fake_segment *fake_worker_segment(struct fake_worker *worker)
{
    return worker->fake;
}

double fake_worker_cpu_ns(const struct fake_worker *worker)
{
    clockid_t clock;
    struct timespec used = {0};
    if (pthread_getcpuclockid(worker->thread, &clock) == 0)
        clock_gettime(clock, &used);
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}
