/* SPDX-License-Identifier: MIT */
/*
 * First events, each in a fresh process that runs this program again: of the process, of a thread that gets a new ring, and of one that
 * gets a ring from the pool. Then the first lap through the new ring. See emit.h.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/emit.h"
#include "bench/result.h"
#include "bench/ticks.h"

#define LAP 16000 /* scopes: nearly all of a ring of 1 MiB */

enum { FIRST_OF_PROCESS, FIRST_NEW_RING, FIRST_POOLED_RING, LAP_FIRST, FIRSTS };

static double lap_mean;

static void *first_of_thread(void *argument)
{
    double *ns = argument;
    int64_t start = mono_now();
    GB_COUNT("thread", 1);
    *ns = (double)(mono_now() - start);
    if (lap_mean == 0) {
        start = mono_now();
        for (int i = 0; i < LAP; i++)
            GB_SCOPE ("lap")
                __asm__ volatile("" ::: "memory");
        lap_mean = (double)(mono_now() - start) / LAP;
    }
    return NULL;
}

static double of_thread(void)
{
    pthread_t thread;
    double ns = 0;
    if (pthread_create(&thread, NULL, first_of_thread, &ns) == 0)
        pthread_join(thread, NULL);
    return ns;
}

int emit_start_child(void)
{
    double ns[FIRSTS];
    int64_t start = mono_now();
    GB_COUNT("process", 1);
    ns[FIRST_OF_PROCESS] = (double)(mono_now() - start);
    ns[FIRST_NEW_RING] = of_thread();
    ns[LAP_FIRST] = lap_mean;
    ns[FIRST_POOLED_RING] = of_thread(); /* the thread before has given its ring back */
    for (int i = 0; i < FIRSTS; i++)
        printf("%.17g ", ns[i]);
    return 0;
}

static bool one_process(const char *self, double ns[FIRSTS])
{
    char command[4200], path[4096];
    ssize_t length = readlink(self, path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    snprintf(command, sizeof command, "exec '%s' --first-events", path);
    FILE *out = popen(command, "r");
    int got = 0;
    while (out && got < FIRSTS && fscanf(out, "%lf", &ns[got]) == 1)
        got++;
    return out && pclose(out) == 0 && got == FIRSTS;
}

void emit_start(const struct emit *emit, const char *self)
{
    static const struct {
        const char *name, *note;
    } cases[FIRSTS] = {[FIRST_OF_PROCESS] = {"first_event_of_process", "target: 1 ms; makes the segment and a ring"},
                       [FIRST_NEW_RING] = {"first_event_of_thread_new_ring", "target: 700 us"},
                       [FIRST_POOLED_RING] = {"first_event_of_thread_pooled_ring", "target: 5 us"},
                       [LAP_FIRST] = {"scope_first_lap", "mean of the first 16,000 scopes in a new ring"}};
    struct samples samples[FIRSTS] = {0};
    double ns[FIRSTS];
    fprintf(stderr, "bench-emit: first events\n");
    for (int round = 0, rounds = emit->quick ? 20 : 100; round < rounds; round++) {
        if (!one_process(self, ns)) {
            result_skipped("emit", cases[0].name, "a child process failed");
            return;
        }
        for (int i = 0; i < FIRSTS; i++)
            samples_add(&samples[i], ns[i]);
    }
    for (int i = 0; i < FIRSTS; i++) {
        result_print(&(struct result){.part = "emit",
                                      .name = cases[i].name,
                                      .unit = "ns",
                                      .samples = &samples[i],
                                      .calls_per_sample = i == LAP_FIRST ? LAP : 1,
                                      .note = cases[i].note});
        samples_free(&samples[i]);
    }
}
