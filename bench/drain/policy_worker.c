/* SPDX-License-Identifier: MIT */
/* See policy_worker.h. Both processes map the order and its answer; `state` says whose they are. */
#include "bench/drain/policy_worker.h"

#include <gb/telemetry.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/lost.h"
#include "bench/ticks.h"

#define GROUP 32 /* calls that are timed together */
#define GROUPS_MOST 65536

enum state { STARTING, IDLE, ORDERED, DONE };

struct policy_worker {
    pid_t pid;
    struct {
        _Alignas(64) uint32_t state; /* enum state: IDLE and DONE are the caller's turns */
        _Alignas(64) double per_second;
        int64_t ns;
        struct policy_answer answer;
    } * shared;
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double mean_of_most(double *group, size_t count)
{
    double sum = 0;
    size_t most = count - count / 100;
    qsort(group, count, sizeof(*group), by_value);
    for (size_t i = 0; i < most; i++)
        sum += group[i];
    return most ? sum / (double)most : 0;
}

/* Between two groups it works on, as a worker does that has something to measure. */
static void emit(struct policy_worker *worker, double per_ns)
{
    static double group[GROUPS_MOST];
    size_t groups = 0;
    double interval = GROUP * 1e9 / worker->shared->per_second;
    uint64_t lost = bench_lost(), calls = 0;
    int64_t start = mono_now(), end = start + worker->shared->ns, now = start;
    for (double due = (double)start; now < end; due += interval) {
        while (now < (int64_t)due)
            now = mono_now();
        if ((double)now > due + 2e6)
            due = (double)now;
        uint64_t before = ticks_now();
        for (int i = 0; i < GROUP; i++)
            GB_SCOPE ("item")
                __asm__ volatile("" ::: "memory");
        uint64_t ticks = ticks_now() - before;
        calls += GROUP;
        if (groups < GROUPS_MOST)
            group[groups++] = (double)ticks / GROUP;
        now = mono_now();
    }
    worker->shared->answer = (struct policy_answer){
        .call_ns = mean_of_most(group, groups) / per_ns, .calls = calls, .lost = bench_lost() - lost};
}

static void work(struct policy_worker *worker)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_to(0);
    double per_ns = ticks_per_ns();
    GB_SCOPE ("item")
        __asm__ volatile("" ::: "memory");
    __atomic_store_n(&worker->shared->state, IDLE, __ATOMIC_RELEASE);
    for (;;) {
        while (__atomic_load_n(&worker->shared->state, __ATOMIC_ACQUIRE) != ORDERED)
            nap();
        emit(worker, per_ns);
        __atomic_store_n(&worker->shared->state, DONE, __ATOMIC_RELEASE);
    }
}

struct policy_worker *policy_worker_start(void)
{
    struct policy_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return NULL;
    worker->shared = mmap(NULL, sizeof(*worker->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (worker->shared == MAP_FAILED) {
        free(worker);
        return NULL;
    }
    worker->pid = fork();
    if (worker->pid == 0)
        work(worker);
    for (int i = 0; i < 50000 && worker->pid > 0; i++) {
        if (__atomic_load_n(&worker->shared->state, __ATOMIC_ACQUIRE) == IDLE)
            return worker;
        nap();
    }
    fprintf(stderr, "bench-drain: the worker did not start\n");
    policy_worker_stop(worker);
    return NULL;
}

void policy_worker_begin(struct policy_worker *worker, double per_second, int64_t ns)
{
    worker->shared->per_second = per_second;
    worker->shared->ns = ns;
    __atomic_store_n(&worker->shared->state, ORDERED, __ATOMIC_RELEASE);
}

bool policy_worker_is_done(const struct policy_worker *worker)
{
    return __atomic_load_n(&worker->shared->state, __ATOMIC_ACQUIRE) == DONE;
}

void policy_worker_end(struct policy_worker *worker, struct policy_answer *ret_answer)
{
    while (!policy_worker_is_done(worker))
        nap();
    *ret_answer = worker->shared->answer;
    __atomic_store_n(&worker->shared->state, IDLE, __ATOMIC_RELEASE);
}

void policy_worker_stop(struct policy_worker *worker)
{
    if (!worker)
        return;
    if (worker->pid > 0) {
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
    }
    munmap(worker->shared, sizeof(*worker->shared));
    free(worker);
}
