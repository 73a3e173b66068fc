/* SPDX-License-Identifier: MIT */
/*
 * A flight recorder for the tests of `gb snapshot`: recorder EVENTS THREADS [stop]. Each thread opens a scope "work" and emits samples "n" as
 * fast as it can: their value is how many came before on this thread, and all else in them follows from it; each seventh is of several slots.
 * After EVENTS of them on each thread it says "ready", and goes on, or, with `stop`, stands still; until standard input ends.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gb/telemetry.h>

#define THREADS_MAX 8
#define TEXT 100

static unsigned long events;
static atomic_uint ready;
static atomic_bool over;
static bool stops;

static void emit(unsigned long n)
{
    char text[TEXT + 1];
    if (n % 7) {
        GB_METRIC("n", n, GB_KV("twice", 2 * n));
        return;
    }
    memset(text, 'a' + (int)(n % 26), TEXT);
    text[TEXT] = '\0';
    GB_METRIC("n", n, GB_KV("twice", 2 * n), GB_KV("text", text), GB_KV("more", text), GB_KV("half", 0.5 * (double)n));
}

static void *run(void *unused)
{
    GB_SCOPE ("work", GB_KV("file", "some name of a file")) {
        unsigned long n = 0;
        while (n < events)
            emit(n++);
        atomic_fetch_add(&ready, 1);
        while (!atomic_load_explicit(&over, memory_order_relaxed)) {
            if (stops)
                usleep(1000);
            else
                emit(n++);
        }
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MAX];
    unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    char byte;
    events = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    stops = argc > 3 && strcmp(argv[3], "stop") == 0;
    for (unsigned i = 0; i < threads && i < THREADS_MAX; i++)
        if (pthread_create(&thread[i], NULL, run, NULL) != 0)
            return 1;
    while (atomic_load(&ready) < threads)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) == 1)
        ;
    atomic_store(&over, true);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
