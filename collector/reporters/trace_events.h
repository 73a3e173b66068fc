/* SPDX-License-Identifier: MIT */
/*
 * Events as Chrome's trace format has them. In: runs and events. Out: JSON objects, each with ",\n" before it but the first of a file.
 * Reporter's thread.
 *
 *   timing            "X", in the track of its thread; a span of GB_BEGIN, which may overlap others: "b" and "e"
 *   counter, gauge    "C", in its process: the counter's total so far, the gauge's value
 *   sample            "i" at its thread; events that were lost, and a worker's end: "i" at its process
 *   names of tracks   "M", before the first event of a thread in a file
 */
#ifndef GB_REPORTERS_TRACE_EVENTS_H
#define GB_REPORTERS_TRACE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gb/reporter.h"

#define TRACE_THREADS 1024 /* remembered; one that is forgotten is named again, which harms nothing */
#define TRACE_DEPTH 34

struct trace_thread {
    char segment[33];
    uint32_t ring;
    uint64_t lease;                    /* 0: free */
    int64_t ends[TRACE_DEPTH];         /* of the last timing so deep; INT64_MIN: none inside the open scope */
    int64_t first_starts[TRACE_DEPTH]; /* of the first timing so deep in the scope around it */
};

struct trace_totals {
    long double *by_path; /* of counters; 64 bits are exact */
    uint32_t count;
};

struct trace_events {
    struct trace_thread *threads;
    struct trace_totals *workers; /* by id; given back when the worker is finished */
    uint32_t worker_count;
    bool first; /* nothing stands in the file yet */
};

bool trace_events_init(struct trace_events *events);
void trace_events_clear(struct trace_events *events);
/* A new file: all tracks are named again. */
void trace_events_begin_file(struct trace_events *events);

/* Bytes that trace_put_event may need for it, names of tracks included. */
size_t trace_event_room(const struct gb_run *run, const struct gb_event *event);
char *trace_put_event(struct trace_events *events, char *out, const struct gb_run *run, const struct gb_event *event);

#endif
