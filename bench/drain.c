/* SPDX-License-Identifier: MIT */
/*
 * What the collector pays for a record: drain and decode, and with it the hand-over to a counting reporter. In: rings of a faked
 * worker, filled anew for each round, outside of what is timed. Out: ns a record, the lower decile and the median of
 * all rounds, for three kinds of records. The first column is the drain's own thread; the reporter's is beside it.
 *
 *   drain [rounds]
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/stats.h"
#include "collector/attach.h"
#include "collector/clock.h"
#include "collector/fanout.h"
#include "collector/take.h"
#include "tests/collector/fake_segment.h"

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

#define SLOTS 16384u /* a ring of 1 MiB */
#define RINGS 2u
#define BURST 4096u /* slots filled in a ring before it is drained: what a millisecond at 4 M events/s leaves */
#define PATHS 16u

static _Atomic uint64_t counted;
static uint64_t reporter_ns;

static int counter_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    *ret_self = &counted;
    return 0;
}

/* Touches what a reporter would: path, duration, attributes. */
static void counter_batch(void *self, const struct gb_batch *batch)
{
    _Atomic uint64_t *events = self;
    uint64_t before = fake_now(), sum = 0, timings = 0;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        for (uint32_t j = 0; j < batch->runs[i].count; j++) {
            const struct gb_event *event = &batch->runs[i].events[j];
            timings += event->kind == GB_EVENT_TIMING;
            sum += (uint64_t)event->as.duration_ns + (event->path ? event->path->id : 0) + event->attr_count;
        }
    }
    __asm__ volatile("" ::"r"(sum));
    reporter_ns += fake_now() - before;
    atomic_fetch_add_explicit(events, timings, memory_order_release);
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

struct kind {
    const char *name;
    unsigned attrs;
    bool text;
};
static const struct kind kinds[] = {
    {"timing", 0, false}, {"timing, 3 attributes", 3, false}, {"timing, 8, one text", 8, true}};

static struct fake_segment *fake;
static uint32_t path[PATHS], key[8];

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set); /* best effort */
}

static void use_ticks(struct gbw_header *header)
{
    header->clock = CLOCK_KIND;
    header->anchor.ticks = ticks_now();
}

/* Writes records, publishes them at once. Returns the events. */
static uint64_t fill(uint32_t ring, const struct kind *kind)
{
    uint64_t events = 0, from = fake->ring[ring].producer->tail;
    struct fake_attr attrs[8];
    for (unsigned i = 0; i < 8; i++)
        attrs[i] = (struct fake_attr){.key = key[i], .type = GBW_INT, .value = i};
    if (kind->text)
        attrs[7] = (struct fake_attr){.key = key[7], .type = GBW_SPECIAL, .value = GBW_TEXT, .text = "a-file-name.txt"};
    while (fake->ring[ring].producer->tail - from < BURST) {
        struct fake_emit emit = {.kind = GBW_TIMING,
                                 .path = path[events % PATHS],
                                 .start = ticks_now(),
                                 .value = 1000 + events,
                                 .call = (uint32_t)events,
                                 .attrs = attrs,
                                 .attr_count = kind->attrs};
        if (!fake_emit(fake, ring, &emit))
            break;
        events++;
    }
    return events;
}

/* The worker: on another core, so that each record comes from that core's cache, as it does in life. */
static pthread_barrier_t turn;
static const struct kind *filled_kind; /* NULL: end */
static uint64_t filled;

static void *work(void *argument)
{
    (void)argument;
    pin(1);
    for (;;) {
        pthread_barrier_wait(&turn);
        if (!filled_kind)
            return NULL;
        filled = 0;
        for (uint32_t ring = 0; ring < RINGS; ring++)
            filled += fill(ring, filled_kind);
        pthread_barrier_wait(&turn);
    }
}

static uint64_t fill_all(const struct kind *kind)
{
    filled_kind = kind;
    pthread_barrier_wait(&turn);
    if (kind)
        pthread_barrier_wait(&turn);
    return filled;
}

static void measure(struct taker *taker, struct segment *segment, const struct kind *kind, unsigned rounds)
{
    double *ns = calloc(rounds, sizeof(*ns));
    uint64_t all = 0, before = atomic_load(&counted);
    if (!ns)
        exit(1);
    reporter_ns = 0;
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t events = fill_all(kind);
        int64_t start = clock_mono_now();
        do {
            taker->now_ns = clock_mono_now() + 2000000 * (int64_t)(round + 1);
            taker->more = false;
            pass_segment(taker, segment);
            taker_push(taker);
            pass_heads(taker, segment);
        } while (taker->more);
        ns[round] = (double)(clock_mono_now() - start) / (double)events;
        all += events;
        while (atomic_load_explicit(&counted, memory_order_acquire) - before < all)
            sched_yield();
    }
    struct spread spread = spread_of(ns, rounds);
    printf("%-24s %10.1f %10.1f %14.1f\n", kind->name, spread.p10, spread.p50, (double)reporter_ns / (double)all);
    free(ns);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 300;
    struct fake_directory directory;
    struct segment *segment;
    struct attach_result result;
    struct fanout *fanout;
    struct paths *paths;
    struct reporter_spec spec = {.reporter = &counter, .name = "counter"};

    clock_start();
    fake_directory_make(&directory);
    fake = fake_segment_make(directory.fd, use_ticks);
    for (uint32_t i = 0; i < RINGS; i++)
        fake_ring_add(fake, SLOTS, 0);
    for (unsigned i = 0; i < PATHS; i++)
        path[i] = fake_path(fake, i ? path[i / 2] : GBW_ROOT, (const char[]){(char)('a' + i), 0});
    for (unsigned i = 0; i < 8; i++)
        key[i] = fake_key(fake, (const char[]){'k', (char)('0' + i), 0}, 0);
    if (paths_make(&paths) || segment_attach(directory.fd, fake->file, geteuid(), &result, &segment) ||
        fanout_start(&spec, 1, directory.path, &fanout))
        return 1;
    pthread_t worker;
    pthread_barrier_init(&turn, NULL, 2);
    pthread_create(&worker, NULL, work, NULL);
    pin(0);
    struct taker taker = {.fanout = fanout, .paths = paths, .total = fanout_total(fanout)};
    printf("%-24s %10s %10s %14s\n", "ns a record", "decile", "median", "reporter");
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(&taker, segment, &kinds[i], rounds);
    fill_all(NULL);
    pthread_join(worker, NULL);
    fanout_unused(fanout, taker.batch);
    fanout_stop(fanout, clock_mono_now() + 5000000000);
    fanout_free(fanout);
    segment_detach(segment);
    paths_free(paths);
    fake_segment_free(fake);
    fake_directory_remove(&directory);
    return 0;
}
