/* SPDX-License-Identifier: MIT */
/*
 * What `summary` costs an event: the reporter's record_batch over batches made by hand, in bursts. In: nothing. Out: a
 * table: lower decile and median of ns an event. Aim: at most 15 ns for a timing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/reporters/builtin.h"

#define EVENTS 1024
#define BATCHES 16
#define BURSTS 400

static struct gb_event events[BATCHES][EVENTS];
static struct gb_path paths[256];
static char names[256][16];

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static __attribute__((format(printf, 2, 3))) void say(void *context, const char *format, ...)
{
    (void)context;
    fputs(format, stderr);
}

static void count_drop(void *context, const char *cause, uint64_t count)
{
    (void)context;
    (void)cause;
    (void)count;
}

static const struct gb_account *total(void *context)
{
    (void)context;
    static const struct gb_account none;
    return &none;
}

/* Durations over two decades, as a worker's are. */
static void make_events(unsigned path_count, uint8_t kind)
{
    for (unsigned b = 0; b < BATCHES; b++)
        for (unsigned i = 0; i < EVENTS; i++) {
            struct gb_event *event = &events[b][i];
            *event = (struct gb_event){.kind = kind, .path = &paths[(unsigned)random() % path_count]};
            double value = 1000 * exp((double)(random() % 1000) / 1000 * 4.6);
            if (kind == GB_EVENT_TIMING)
                event->as.duration_ns = (int64_t)value;
            else {
                event->as.value.type = kind == GB_EVENT_SAMPLE ? GB_VALUE_DOUBLE : GB_VALUE_INT;
                if (kind == GB_EVENT_SAMPLE)
                    event->as.value.as.d = value;
                else
                    event->as.value.as.i = (int64_t)value;
            }
        }
}

static void measure(const char *what, unsigned path_count, uint8_t kind, bool json)
{
    static double burst[BURSTS];
    const struct gb_option_value options[] = {{"/dev/null", 0}, {json ? "json" : "text", json}, {"0", 0}};
    const struct gb_reporter_setup setup = {
        .name = "summary", .options = options, .host = "host", .say = say, .count_drop = count_drop, .total = total};
    const struct gb_worker worker = {.program = "bench", .service = "bench", .segment = "0", .clock = "tsc"};
    void *self = NULL;
    make_events(path_count, kind);
    if (gb_reporter_summary.open(&setup, &self) < 0)
        exit(1);
    for (unsigned i = 0; i < BURSTS; i++) {
        int64_t start = now_ns();
        for (unsigned b = 0; b < BATCHES; b++) {
            const struct gb_run run = {.worker = &worker, .events = events[b], .count = EVENTS, .ring_known = 1};
            const struct gb_batch batch = {.runs = &run, .run_count = 1, .event_count = EVENTS};
            gb_reporter_summary.record_batch(self, &batch);
        }
        burst[i] = (double)(now_ns() - start) / (BATCHES * EVENTS);
    }
    gb_reporter_summary.close(self);
    qsort(burst, BURSTS, sizeof(burst[0]), by_value);
    printf("%-44s %8.2f %8.2f\n", what, burst[BURSTS / 10], burst[BURSTS / 2]);
}

int main(void)
{
    for (unsigned i = 0; i < 256; i++) {
        snprintf(names[i], sizeof(names[i]), "path_%u", i);
        paths[i] = (struct gb_path){.id = i, .text = names[i], .name = names[i], .length = 8, .name_length = 8};
    }
    printf("%-44s %8s %8s\n", "ns an event", "decile", "median");
    measure("timing, 8 paths, text", 8, GB_EVENT_TIMING, false);
    measure("timing, 8 paths, json", 8, GB_EVENT_TIMING, true);
    measure("timing, 256 paths, text", 256, GB_EVENT_TIMING, false);
    measure("counter, 8 paths, text", 8, GB_EVENT_COUNTER, false);
    measure("gauge, 8 paths, text", 8, GB_EVENT_GAUGE, false);
    measure("sample, 8 paths, text", 8, GB_EVENT_SAMPLE, false);
    return 0;
}
