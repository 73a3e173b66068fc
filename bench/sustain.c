/* SPDX-License-Identifier: MIT */
/*
 * A steady rate for some seconds. In: events a second, threads, seconds. Out: what was attempted, dropped, and the CPU
 * that worker and collector took. Each thread emits its share every 100 us, as a worker with a steady load does.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <gb/telemetry.h>

#include "bench/child.h"

#define TICK_NS 100000

static long rate = 5000000, threads = 2, seconds = 5;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *worker(void *unused)
{
    (void)unused;
    int64_t start = now_ns(), end = start + seconds * 1000000000;
    double per_ns = (double)rate / (double)threads / 1e9;
    long done = 0;
    for (int64_t now = start; now < end; now = now_ns()) {
        long due = (long)((double)(now - start) * per_ns);
        /* a thread that was preempted does not catch up in one go: that would be a burst, not the rate */
        if (due - done > 2000) {
            start += (int64_t)((double)(due - done - 2000) / per_ns);
            end = start + seconds * 1000000000;
            due = done + 2000;
        }
        for (; done < due; done++)
            GB_SCOPE ("item")
                __asm__ volatile("" ::: "memory");
        struct timespec until = {.tv_nsec = TICK_NS / 2};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &until, NULL);
    }
    return NULL;
}

static long number(const char *text, long low, long high, const char *what)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || value < low || value > high) {
        fprintf(stderr, "sustain: %s must be a number from %ld to %ld, not '%s'\n", what, low, high, text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    const char *program = NULL, *reporter = "summary:path=/dev/null";
    static const struct option options[] = {{"collector", required_argument, NULL, 'c'},
                                            {"reporter", required_argument, NULL, 'R'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:R:r:t:s:h", options, NULL)) != -1) {
        if (option == 'c')
            program = optarg;
        else if (option == 'R')
            reporter = optarg;
        else if (option == 'r')
            rate = number(optarg, 1, 100000000, "--rate");
        else if (option == 't')
            threads = number(optarg, 1, 64, "--threads");
        else if (option == 's')
            seconds = number(optarg, 1, 3600, "--seconds");
        else {
            fprintf(option == 'h' ? stdout : stderr,
                    "usage: sustain --collector PATH [--reporter SPEC] [--rate N] [--threads N] [--seconds N]\n"
                    "Emits scopes at a steady rate (default 5000000 a second from 2 threads for 5 s).\n");
            return option == 'h' ? 0 : 2;
        }
    }
    if (!program) {
        fprintf(stderr, "sustain: --collector PATH is missing\n");
        return 2;
    }
    bench_directory();
    pid_t pid = collector_spawn(program, reporter, -1);
    if (!pid) {
        bench_directory_remove();
        return 1;
    }
    pthread_t thread[64];
    for (long i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, worker, NULL);
    for (long i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    int flushed = gb_flush(10000);
    struct gb_stats stats;
    struct rusage usage;
    gb_stats(&stats);
    getrusage(RUSAGE_SELF, &usage);
    double cpu = collector_end(pid);
    uint64_t dropped = 0;
    for (int i = 0; i < GB_CAUSES_; i++)
        dropped += stats.dropped[i];
    printf("attempted %lu in %ld s: %.2f M/s; dropped %lu; flush %d\n", (unsigned long)stats.attempted, seconds,
           (double)stats.attempted / (double)seconds / 1e6, (unsigned long)dropped, flushed);
    printf("CPU: worker %.2f s, collector %.2f s (%.1f ns an event)\n",
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6,
           cpu, cpu * 1e9 / (double)(stats.attempted ? stats.attempted : 1));
    gb_shutdown();
    bench_directory_remove();
    return 0;
}
