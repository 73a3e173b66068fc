/* SPDX-License-Identifier: MIT */
/*
 * A worker that does nothing but compute, for bench-app: a fixed amount of work on several threads, in units, each in a scope. In: kind, threads,
 * units of each thread, iterations of each unit. Out: one line: ns of wall time and of CPU from the first unit to the last, events attempted,
 * and those that went into no ring (dropped, or folded). Built twice: with telemetry, and with telemetry compiled out.
 *
 *   cpu      multiplications and shifts, in registers
 *   memory   dependent loads all over 32 MiB a thread
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <gb/telemetry.h>

#define THREADS_MOST 256
#define SET_WORDS (4u << 20) /* of 8 bytes */

static pthread_barrier_t start_line, finish_line;
static long units, iterations;
static uint64_t (*compute)(uint64_t state, long count, const uint64_t *set);

static uint64_t compute_cpu(uint64_t state, long count, const uint64_t *set)
{
    (void)set;
    for (long i = 0; i < count; i++) {
        state ^= state >> 29;
        state *= 0xbf58476d1ce4e5b9u;
        state ^= state << 17;
    }
    return state;
}

static uint64_t compute_memory(uint64_t state, long count, const uint64_t *set)
{
    for (long i = 0; i < count; i++)
        state = state * 6364136223846793005u + 1442695040888963407u + set[state >> 42];
    return state;
}

static void *work(void *argument)
{
    uint64_t state = (uintptr_t)argument;
    uint64_t *set = mmap(NULL, SET_WORDS * sizeof *set, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | (compute == compute_memory ? MAP_POPULATE : 0), -1, 0);
    if (set == MAP_FAILED) {
        perror("bench-kernel");
        exit(1);
    }
    GB_SCOPE ("start") /* the thread has its ring: what that costs is a figure of its own */
        state = compute(state, iterations, set);
    pthread_barrier_wait(&start_line);
    for (long i = 0; i < units; i++)
        GB_SCOPE ("unit")
            state = compute(state, iterations, set);
    pthread_barrier_wait(&finish_line);
    __asm__ volatile("" ::"r"(state));
    return NULL;
}

static long long now_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MOST];
    struct gb_stats stats;
    unsigned long long dropped;
    long threads = argc == 5 ? strtol(argv[2], NULL, 10) : 0;
    if (threads < 1 || threads > THREADS_MOST || (strcmp(argv[1], "cpu") != 0 && strcmp(argv[1], "memory") != 0)) {
        fprintf(stderr, "usage: bench-kernel cpu|memory THREADS UNITS ITERATIONS\n");
        return 2;
    }
    compute = *argv[1] == 'c' ? compute_cpu : compute_memory;
    units = strtol(argv[3], NULL, 10);
    iterations = strtol(argv[4], NULL, 10);
    pthread_barrier_init(&start_line, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&finish_line, NULL, (unsigned)threads + 1);
    for (long i = 0; i < threads; i++) {
        if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)(0x9e3779b97f4a7c15u * (uint64_t)(i + 1)))) {
            perror("bench-kernel");
            return 1;
        }
    }
    pthread_barrier_wait(&start_line);
    long long wall = now_of(CLOCK_MONOTONIC), cpu = now_of(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&finish_line);
    wall = now_of(CLOCK_MONOTONIC) - wall;
    cpu = now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (long i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    memset(&stats, 0, sizeof stats);
    gb_stats(&stats);
    dropped = stats.folded;
    for (int i = 0; i < GB_CAUSES_; i++)
        dropped += stats.dropped[i];
    printf("%lld %lld %llu %llu\n", wall, cpu, (unsigned long long)stats.attempted, dropped);
    return 0;
}
