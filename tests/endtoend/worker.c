/* SPDX-License-Identifier: MIT */
/*
 * The worker of the end-to-end tests. usage: worker TALLY_FILE THREADS EVENTS BURST PAUSE_US [MODE]
 * Each thread emits EVENTS counters (0: until the tally says stop) named `n`, value 1, with the attributes i (ordinal), check (f of i) and thread,
 * every tenth inside a scope `block`; after each BURST it pauses. MODE: flush (wait for the collector instead of
 * pausing), fork (each process forks one child in the middle, three deep), churn (a new thread for each burst).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "tests/endtoend/tally.h"

static struct tally *tally;
static uint64_t events;
static long burst, pause_us;
static bool flush, churn;

static void emit(uint64_t thread, uint64_t i)
{
    __atomic_fetch_add(&tally->thread[thread].begun, 1, __ATOMIC_RELAXED);
    GB_COUNT("n", 1, GB_KV("i", i), GB_KV("check", payload_check(i)), GB_KV("thread", thread));
    __atomic_fetch_add(&tally->thread[thread].returned, 1, __ATOMIC_RELAXED);
}

static void pause_now(void)
{
    if (flush)
        gb_flush(60000);
    else if (pause_us)
        nanosleep(&(struct timespec){.tv_sec = pause_us / 1000000, .tv_nsec = pause_us % 1000000 * 1000}, NULL);
}

struct part {
    uint64_t thread, from, to;
};

static void *run_part(void *context)
{
    const struct part *part = context;
    for (uint64_t i = part->from; i < part->to; i++)
        emit(part->thread, i);
    return NULL;
}

static void *run_thread(void *context)
{
    uint64_t thread = (uint64_t)(uintptr_t)context;
    for (uint64_t i = 0; events ? i < events : !__atomic_load_n(&tally->stop, __ATOMIC_RELAXED); i += (uint64_t)burst) {
        struct part part = {thread, i, i + (uint64_t)burst};
        if (events && part.to > events)
            part.to = events;
        if (churn) {
            pthread_t short_lived;
            if (pthread_create(&short_lived, NULL, run_part, &part) == 0)
                pthread_join(short_lived, NULL);
        } else {
            run_part(&part);
        }
        pause_now();
    }
    return NULL;
}

static void run_threads(long threads, uint64_t first)
{
    pthread_t thread[TALLY_THREADS];
    for (long i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, run_thread, (void *)(uintptr_t)(first + (uint64_t)i));
    for (long i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    __atomic_fetch_add(&tally->finished, 1, __ATOMIC_RELAXED);
}

/* Every process emits before the fork, in the child, and after it. */
static int run_forks(long threads, int depth)
{
    uint64_t first = (uint64_t)__atomic_fetch_add(&tally->processes, 1, __ATOMIC_RELAXED) * (uint64_t)threads;
    int status = 0;
    GB_SCOPE ("before_fork") {
        pid_t child = depth ? fork() : -1;
        if (child == 0)
            return run_forks(threads, depth - 1);
        run_threads(threads, first);
        if (child > 0)
            waitpid(child, &status, 0);
    }
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: worker TALLY_FILE THREADS EVENTS BURST PAUSE_US [flush|fork|churn]\n");
        return 2;
    }
    int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *tally)) {
        perror(argv[1]);
        return 1;
    }
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    long threads = atol(argv[2]);
    events = strtoull(argv[3], NULL, 10);
    burst = atol(argv[4]);
    pause_us = atol(argv[5]);
    const char *mode = argc > 6 ? argv[6] : "";
    flush = strcmp(mode, "flush") == 0;
    churn = strcmp(mode, "churn") == 0;
    if (tally == MAP_FAILED || threads < 1 || threads > TALLY_THREADS || burst < 1)
        return 2;
    if (strcmp(mode, "fork") == 0)
        return run_forks(threads, 3);
    run_threads(threads, 0);
    return EXIT_SUCCESS;
}
