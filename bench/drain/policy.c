/* SPDX-License-Identifier: MIT */
/*
 * When to take a ring. In: a real worker in another process, which emits at a steady rate from the other core and times its own calls.
 * Out: what a call costs it, what the drain costs, and what is lost, for a drain of our own that uses the collector's stages but
 * another policy: it sleeps longer or shorter, is woken at half a ring or not, waits for more or less to be pending, tells the worker
 * its head more or less often. The collector's own choice is one of the points of each curve.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/drain/parts.h"
#include "bench/drain/policy_worker.h"
#include "bench/result.h"
#include "collector/attach.h"
#include "collector/bell.h"
#include "collector/clock.h"
#include "collector/discover.h"
#include "collector/fanout.h"
#include "collector/options.h"
#include "collector/take.h"
#include "gb/wire.h"

#define US 1000
#define LONGEST_NS 10000000 /* a ring is taken after this time at the latest, whatever the threshold */
#define FOREVER_NS 20000000000

struct policy {
    int64_t sleep_ns; /* 0: never sleeps */
    bool bell;        /* woken by a worker whose ring passes half full */
    uint32_t share;   /* takes when one share-th of the ring is pending; 0: whatever is */
    uint32_t passes;  /* head is published every so many passes */
};

static const int64_t sleeps_us[] = {0, 50, 100, 250, 500, 1000, 2000, 4000, 10000};
static const uint32_t shares[] = {64, 32, 16, 8, 4, 2};
static const uint32_t passes[] = {1, 2, 4, 8};
#define HIGH_RATE 5e6 /* a ring of 1 MiB is full after 3.3 ms */
static const double rates[] = {1e6, HIGH_RATE};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bench_drain {
    struct segment *segment;
    struct fanout *fanout;
    struct paths *paths;
    struct bell *bell;
    struct reporter_spec spec;
    struct taker taker;
} own;

static double thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t pending(void)
{
    const struct ring *ring = own.segment->ring_count ? own.segment->rings[0] : NULL;
    return ring && ring->adopted ? __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE) - ring->taken : 0;
}

static void take_pass(bool publish)
{
    do {
        own.taker.now_ns = clock_mono_now() + FOREVER_NS; /* every ring is due */
        own.taker.more = false;
        pass_segment(&own.taker, own.segment);
        taker_push(&own.taker);
    } while (own.taker.more);
    if (publish)
        pass_heads(&own.taker, own.segment);
}

static void rest(const struct policy *policy)
{
    if (policy->bell) {
        bell_declare_asleep(own.bell);
        if (pending() < own.segment->rings[0]->slots / 2)
            bell_sleep(own.bell, policy->sleep_ns);
        bell_declare_awake(own.bell);
    } else if (policy->sleep_ns) {
        nanosleep(&(struct timespec){.tv_nsec = policy->sleep_ns}, NULL);
    }
}

/* Drains by a policy until the worker is done. Returns CPU ns. */
static double drain(const struct policy *policy, struct policy_worker *worker)
{
    double before = thread_ns();
    int64_t taken = clock_mono_now();
    for (uint32_t pass = 1; !policy_worker_is_done(worker);) {
        uint64_t enough = policy->share ? own.segment->rings[0]->slots / policy->share : 1;
        if (pending() >= enough || clock_mono_now() - taken >= LONGEST_NS) {
            take_pass(pass++ % policy->passes == 0);
            taken = clock_mono_now();
        }
        rest(policy);
    }
    double used = thread_ns() - before;
    take_pass(true);
    return used;
}

static void print(const char *name, const char *unit, const struct samples *samples, uint64_t drops, double rate,
                  const char *x_name, double x, const struct policy *policy)
{
    char rate_text[16];
    snprintf(rate_text, sizeof(rate_text), "%.0f", rate);
    result_print(
        &(struct result){.part = PART,
                         .name = name,
                         .unit = unit,
                         .samples = samples,
                         .drops = drops,
                         .x_name = x_name,
                         .x = x,
                         .label = {{"events_per_s", rate_text}, {"wake", policy->bell ? "half_full" : "polling"}}});
}

static void measure_point(struct policy_worker *worker, const struct policy *policy, double rate, const char *name,
                          const char *x_name, double x, unsigned rounds, int64_t ns)
{
    struct samples call = {0}, percent = {0}, share_lost = {0};
    uint64_t lost = 0;
    char text[64];
    for (unsigned i = 0; i < rounds; i++) {
        struct policy_answer answer;
        policy_worker_begin(worker, rate, ns);
        double used = drain(policy, worker);
        policy_worker_end(worker, &answer);
        samples_add(&call, answer.call_ns);
        samples_add(&percent, 100 * used / (double)ns);
        samples_add(&share_lost, (double)answer.lost / (double)answer.calls);
        lost += answer.lost;
    }
    snprintf(text, sizeof(text), "policy_%s_worker", name);
    print(text, "ns", &call, lost, rate, x_name, x, policy);
    snprintf(text, sizeof(text), "policy_%s_collector", name);
    print(text, "percent_core", &percent, lost, rate, x_name, x, policy);
    snprintf(text, sizeof(text), "policy_%s_lost", name);
    if (rate >= HIGH_RATE)
        print(text, "share", &share_lost, 0, rate, x_name, x, policy);
    samples_free(&call);
    samples_free(&percent);
    samples_free(&share_lost);
}

static void found(void *context, const char *file)
{
    struct attach_result result;
    struct directory *directory = context;
    if (!own.segment)
        segment_attach(directory->fd, file, geteuid(), &result, &own.segment);
}

static void ignore(void *context, const char *file)
{
    (void)context, (void)file;
}

static void ignore_lock(void *context)
{
    (void)context;
}

static int set_up(const char *path)
{
    static struct directory directory;
    struct discover *discover = NULL;
    char error_text[300];
    clock_start();
    int error = directory_open(path, false, &directory, error_text, sizeof(error_text));
    const struct discover_calls calls = {
        .found = found, .closed = ignore, .lock_gone = ignore_lock, .context = &directory};
    error = error ? error : bell_open(directory.fd, &own.bell, NULL);
    error = error ? error : reporter_spec_parse("summary:path=/dev/null", &own.spec, error_text, sizeof(error_text));
    error = error ? error : paths_make(&own.paths);
    error = error ? error : fanout_start(&own.spec, 1, path, &own.fanout);
    error = error ? error : discover_open(&directory, &calls, &discover);
    error = error ? error : discover_scan(discover);
    discover_close(discover);
    if (error || !own.segment)
        return error ? error : -ENOENT;
    own.taker = (struct taker){.fanout = own.fanout, .paths = own.paths, .total = fanout_total(own.fanout)};
    for (int i = 0; i < 1000 && !own.segment->ring_count; i++) {
        take_pass(true);
        nanosleep(&(struct timespec){.tv_nsec = 1000 * US}, NULL);
    }
    return own.segment->ring_count ? 0 : -ENOENT;
}

static void tear_down(void)
{
    if (own.fanout) {
        fanout_unused(own.fanout, own.taker.batch);
        fanout_stop(own.fanout, clock_mono_now() + FOREVER_NS);
        fanout_free(own.fanout);
        reporter_spec_clear(&own.spec);
    }
    segment_detach(own.segment);
    paths_free(own.paths);
    bell_close(own.bell);
}

/* In a quick run every third point. */
static void measure_curves(struct policy_worker *worker, double rate, bool quick, unsigned rounds, int64_t ns)
{
    size_t step = quick ? 3 : 1;
    for (size_t i = 0; i < COUNT(sleeps_us); i += step) {
        for (int bell = 0; bell < 2 && (sleeps_us[i] || !bell); bell++) {
            struct policy policy = {.sleep_ns = sleeps_us[i] * US, .bell = bell, .passes = 1};
            measure_point(worker, &policy, rate, "sleep", "sleep_us", (double)sleeps_us[i], rounds, ns);
        }
    }
    for (size_t i = 0; i < COUNT(shares); i += step) {
        struct policy policy = {.sleep_ns = 50 * US, .bell = true, .share = shares[i], .passes = 1};
        measure_point(worker, &policy, rate, "threshold", "share_of_ring", 1.0 / shares[i], rounds, ns);
    }
    for (size_t i = 0; i < COUNT(passes); i += step) {
        struct policy policy = {.sleep_ns = 1000 * US, .bell = true, .passes = passes[i]};
        measure_point(worker, &policy, rate, "head", "passes_per_head", passes[i], rounds, ns);
    }
}

void measure_policy(bool quick)
{
    const char *path = bench_directory();
    struct policy_worker *worker = policy_worker_start();
    pin_to(cores() > 1 ? 1 : 0);
    int error = worker ? set_up(path) : -ECHILD;
    if (error)
        result_skipped(PART, "policy_sleep_worker", strerror(-error));
    else
        for (size_t r = 0; r < COUNT(rates); r++)
            measure_curves(worker, rates[r], quick, quick ? 2 : 3, (quick ? 50 : 100) * 1000 * (int64_t)US);
    policy_worker_stop(worker);
    tear_down();
    bench_directory_remove();
}
