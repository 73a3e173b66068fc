/* SPDX-License-Identifier: MIT */
/*
 * Would several drain threads take more? 64 rings, halves of two segments each, drained by one thread or by two that share nothing: each has
 * its own segments, takers, names and way to the reporter, so this is the most that a second thread could bring. In: rings
 * filled by the main thread. Out: records a second by the clock, and CPU of the drain threads for each record. Why there is one: docs/decisions.md, 23.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/drain/parts.h"
#include "bench/result.h"
#include "collector/attach.h"
#include "collector/clock.h"
#include "collector/paths.h"
#include "collector/take.h"
#include "tests/collector/fake_segment.h"

#define RINGS 64u
#define LANES 2u /* a segment, with half of the rings, is drained in one of them */
#define SLOTS 4096u
#define BURST 1024u
#define PATHS 16u
#define AHEAD_NS 1000000000 /* every ring is due */
#define WAIT_NS 20000000000

struct lane {
    struct fake_segment *fake;
    struct segment *segment;
    struct paths *paths;
    struct fanout *fanout;
    struct taker taker;
    uint32_t path[PATHS];
    double cpu_ns;
};

struct team {
    struct fake_directory directory;
    struct lane lanes[LANES];
    unsigned threads; /* of this round */
    bool end;
    pthread_barrier_t begin, done;
    pthread_t thread[LANES];
};

struct member {
    struct team *team;
    unsigned number;
};

static double clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- a reporter that touches each event ---- */

static int open_nothing(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    *ret_self = NULL;
    return 0;
}

static void touch_batch(void *self, const struct gb_batch *batch)
{
    uint64_t sum = 0;
    (void)self;
    for (uint32_t i = 0; i < batch->run_count; i++)
        for (uint32_t k = 0; k < batch->runs[i].count; k++)
            sum += (uint64_t)batch->runs[i].events[k].as.duration_ns;
    __asm__ volatile("" ::"r"(sum));
}

static void close_nothing(void *self)
{
    (void)self;
}

static const struct gb_reporter toucher = {.abi = GB_REPORTER_ABI,
                                           .size = sizeof(struct gb_reporter),
                                           .name = "toucher",
                                           .help = "touches each event",
                                           .options = (const struct gb_option[]){{0}},
                                           .open = open_nothing,
                                           .record_batch = touch_batch,
                                           .close = close_nothing};

/* ---- the lanes ---- */

static void drain_lane(struct lane *lane)
{
    struct taker *taker = &lane->taker;
    do {
        taker->now_ns = clock_mono_now() + AHEAD_NS;
        taker->more = false;
        pass_segment(taker, lane->segment);
        taker_push(taker);
        pass_heads(taker, lane->segment);
    } while (taker->more);
}

static int make_lane(struct team *team, struct lane *lane, bool with_reporter)
{
    struct reporter_spec spec = {.reporter = &toucher, .name = "toucher", .queue = 512};
    struct attach_result result;
    lane->fake = fake_segment_make(team->directory.fd, NULL);
    for (uint32_t i = 0; i < RINGS / LANES; i++)
        fake_ring_add(lane->fake, SLOTS, 0);
    for (unsigned i = 0; i < PATHS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "step%u", i);
        lane->path[i] = fake_path(lane->fake, GBW_ROOT, name);
    }
    int error = paths_make(&lane->paths);
    if (!error)
        error = segment_attach(team->directory.fd, lane->fake->file, geteuid(), &result, &lane->segment);
    if (!error)
        error = fanout_start(&spec, with_reporter, team->directory.path, &lane->fanout);
    if (error)
        return error;
    lane->taker = (struct taker){.fanout = lane->fanout, .paths = lane->paths, .total = fanout_total(lane->fanout)};
    drain_lane(lane); /* the rings are met */
    return 0;
}

static void end_lane(struct lane *lane)
{
    if (lane->fanout) {
        fanout_unused(lane->fanout, lane->taker.batch);
        fanout_stop(lane->fanout, clock_mono_now() + WAIT_NS);
        fanout_free(lane->fanout);
    }
    segment_detach(lane->segment);
    paths_free(lane->paths);
    fake_segment_free(lane->fake);
}

/* ---- the rounds ---- */

static void *run_member(void *argument)
{
    const struct member *member = argument;
    struct team *team = member->team;
    pin_to((int)member->number % cores());
    for (;;) {
        pthread_barrier_wait(&team->begin);
        if (team->end)
            return NULL;
        double before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < LANES; i++)
            if (i % team->threads == member->number)
                drain_lane(&team->lanes[i]);
        team->lanes[member->number].cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
        pthread_barrier_wait(&team->done);
    }
}

static void fill(struct lane *lane)
{
    for (uint32_t ring = 0; ring < RINGS / LANES; ring++)
        for (uint32_t i = 0; i < BURST; i++)
            if (!fake_timing(lane->fake, ring, lane->path[i % PATHS], fake_now(), 1000 + i, i + 1)) {
                fprintf(stderr, "bench-drain: a ring is full that must not be\n");
                exit(1);
            }
}

static void run_round(struct team *team, unsigned threads, struct samples *rates, struct samples *cpu)
{
    const double records = RINGS * BURST;
    for (unsigned i = 0; i < LANES; i++)
        fill(&team->lanes[i]);
    team->threads = threads;
    double start = clock_ns(CLOCK_MONOTONIC), used = 0;
    pthread_barrier_wait(&team->begin);
    pthread_barrier_wait(&team->done);
    samples_add(rates, records / ((clock_ns(CLOCK_MONOTONIC) - start) * 1e-9));
    for (unsigned i = 0; i < LANES; i++)
        used += team->lanes[i].cpu_ns;
    samples_add(cpu, used / records);
    for (unsigned i = 0; i < LANES; i++) /* the reporters' share is not measured */
        while (fanout_pressure(team->lanes[i].fanout, clock_mono_now()))
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void print(unsigned threads, bool with_reporter, const struct samples *rates, const struct samples *cpu)
{
    const struct result result = {.part = PART,
                                  .x_name = "drain_threads",
                                  .x = threads,
                                  .calls_per_sample = RINGS * BURST,
                                  .label = {{"reporter", with_reporter ? "touches each event" : "none"}}};
    struct result one = result;
    one.name = "threads_rate";
    one.unit = "events/s";
    one.better = "higher";
    one.samples = rates;
    one.note = "64 rings; two threads share nothing: the most that a second one could bring";
    result_print(&one);
    one = result;
    one.name = "threads_cpu";
    one.unit = "cpu_ns";
    one.samples = cpu;
    one.note = "of the drain threads, a record";
    result_print(&one);
}

static void measure_with(bool with_reporter, unsigned rounds)
{
    struct team team = {0};
    struct member members[LANES];
    struct samples rates[LANES] = {0}, cpu[LANES] = {0};
    int error = 0;
    fake_directory_make(&team.directory);
    for (unsigned i = 0; i < LANES && !error; i++)
        error = make_lane(&team, &team.lanes[i], with_reporter);
    pthread_barrier_init(&team.begin, NULL, LANES + 1);
    pthread_barrier_init(&team.done, NULL, LANES + 1);
    for (unsigned i = 0; i < LANES && !error; i++) {
        members[i] = (struct member){&team, i};
        error = -pthread_create(&team.thread[i], NULL, run_member, &members[i]);
    }
    if (error) {
        fprintf(stderr, "bench-drain: threads: %s\n", strerror(-error));
        exit(1);
    }
    for (unsigned i = 0; i < rounds; i++)
        for (unsigned threads = 1; threads <= LANES; threads++)
            run_round(&team, threads, &rates[threads - 1], &cpu[threads - 1]);
    for (unsigned threads = 1; threads <= LANES; threads++)
        print(threads, with_reporter, &rates[threads - 1], &cpu[threads - 1]);
    team.end = true;
    pthread_barrier_wait(&team.begin);
    for (unsigned i = 0; i < LANES; i++) {
        pthread_join(team.thread[i], NULL);
        end_lane(&team.lanes[i]);
        samples_free(&rates[i]);
        samples_free(&cpu[i]);
    }
    pthread_barrier_destroy(&team.begin);
    pthread_barrier_destroy(&team.done);
    fake_directory_remove(&team.directory);
}

void measure_threads(bool quick)
{
    if (cores() < (int)LANES) {
        result_skipped(PART, "threads_rate", "there is one core");
        return;
    }
    clock_start();
    measure_with(false, quick ? 40 : 120);
    measure_with(true, quick ? 40 : 120);
}
