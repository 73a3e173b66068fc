/* SPDX-License-Identifier: MIT */
/*
 * The running gb-collector, as another process, with the reporter summary: CPU in percent of a core while this process emits at steady
 * rates, while 0, 1 and 100 workers are there and emit nothing, and its resident memory over time under load.
 */
#include <gb/telemetry.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/drain/parts.h"
#include "bench/lost.h"
#include "bench/pace.h"
#include "bench/result.h"

#define MS 1000000
#define WORKERS_MOST 100
#define FLUSH_MS 5000
#define SETTLE_MS 300 /* it goes to sleep by steps */
#define REPORTER "summary:path=/dev/null"
#define RSS_RATE 1000000

static const double rates[] = {1e4, 1e5, 1e6, 5e6};
static const unsigned idle_workers[] = {0, 1, 100};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS}, NULL);
}

static void measure_rate(pid_t collector, double rate, unsigned rounds, int64_t ns)
{
    struct samples percent = {0}, each = {0};
    uint64_t drops = bench_lost(), all = 0;
    char note[120];
    for (unsigned i = 0; i < rounds; i++) {
        double before = cpu_of(collector);
        uint64_t emitted = pace(rate, ns);
        gb_flush(FLUSH_MS);
        double used = cpu_of(collector) - before;
        all += emitted;
        samples_add(&percent, 100 * used / ((double)ns * 1e-9));
        samples_add(&each, used * 1e9 / (double)emitted);
    }
    snprintf(note, sizeof(note), "reporter summary, one worker with one thread, which came to %.3g events/s",
             (double)all / (rounds * (double)ns * 1e-9));
    struct result result = {.part = PART,
                            .name = "collector_cpu",
                            .unit = "percent_core",
                            .samples = &percent,
                            .drops = bench_lost() - drops,
                            .x_name = "events_per_s",
                            .x = rate,
                            .note = note};
    result_print(&result);
    result.name = "collector_cpu_per_event";
    result.unit = "cpu_ns";
    result.samples = &each;
    result_print(&result);
    samples_free(&percent);
    samples_free(&each);
}

/* A worker that emitted once. */
static pid_t spawn_idle(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        GB_SCOPE ("idle")
            __asm__ volatile("" ::: "memory");
        gb_flush(FLUSH_MS);
        for (;;)
            pause();
    }
    return pid;
}

static void measure_idle(const char *program, unsigned workers, unsigned rounds, int64_t ms)
{
    pid_t worker[WORKERS_MOST];
    struct samples percent = {0};
    bench_directory();
    pid_t collector = collector_spawn(program, REPORTER, cores() > 1 ? 1 : 0);
    for (unsigned i = 0; i < workers; i++)
        worker[i] = spawn_idle();
    for (int i = 0; i < 100 && bench_directory_segments() < (int)workers; i++)
        sleep_ms(10);
    sleep_ms(SETTLE_MS);
    for (unsigned i = 0; i < rounds && collector; i++) {
        double before = cpu_of(collector);
        sleep_ms(ms);
        samples_add(&percent, 100 * (cpu_of(collector) - before) / ((double)ms * 1e-3));
    }
    result_print(&(struct result){.part = PART,
                                  .name = "collector_cpu_idle",
                                  .unit = "percent_core",
                                  .samples = &percent,
                                  .x_name = "workers",
                                  .x = workers,
                                  .note = "workers that have emitted once and are alive"});
    for (unsigned i = 0; i < workers; i++) {
        kill(worker[i], SIGKILL);
        waitpid(worker[i], NULL, 0);
    }
    collector_end(collector);
    bench_directory_remove();
    samples_free(&percent);
}

static double rss_of(pid_t pid)
{
    char path[64];
    unsigned long pages = 0, ignored;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%lu %lu", &ignored, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void measure_rss(pid_t collector, unsigned seconds)
{
    for (unsigned second = 0; second <= seconds; second++) {
        struct result result = {
            .part = PART,
            .name = "collector_rss",
            .unit = "bytes",
            .better = "none",
            .x_name = "seconds_running",
            .x = second,
            .note = "resident memory at 1,000,000 events a second; shared memory of the rings included"};
        result_value(result, rss_of(collector));
        if (second < seconds)
            pace(RSS_RATE, 1000 * (int64_t)MS);
    }
}

void measure_load(bool quick)
{
    const char *program = bench_collector(PART, "collector_cpu");
    if (!program)
        return;
    for (size_t i = 0; i < COUNT(idle_workers); i++)
        measure_idle(program, idle_workers[i], quick ? 1 : 3, 1000);
    bench_directory();
    pid_t collector = collector_spawn(program, REPORTER, cores() > 1 ? 1 : 0);
    if (collector) {
        pin_to(0);
        for (size_t i = 0; i < COUNT(rates); i++)
            measure_rate(collector, rates[i], quick ? 2 : 5, (quick ? 300 : 400) * (int64_t)MS);
        measure_rss(collector, quick ? 2 : 5);
        collector_end(collector);
    }
    gb_shutdown();
    bench_directory_remove();
}
