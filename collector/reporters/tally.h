/* SPDX-License-Identifier: MIT */
/*
 * What is known of each path: durations, counters, gauges, samples. In: events. Out: sums, for `summary`.
 *
 * A tally is an array indexed by the path's id (reporter.h numbers them without gaps) of pointers to entries, and the
 * list of those entries in order of their first event; so an event costs two loads and its own sums. One thread owns it.
 *
 * Self time is not kept but follows from two sums: a scope's own total less `attached_ns` of the paths right inside it,
 * for a path has one parent only. A detached span (GB_BEGIN) may outlive the scope around it or run beside it, so
 * its time is in its own total but is taken from nobody's self time. Timings without an end are counted, and enter no sum of durations.
 */
#ifndef GB_COLLECTOR_REPORTERS_TALLY_H
#define GB_COLLECTOR_REPORTERS_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/reporters/histogram.h"
#include "gb/reporter.h"

struct tally_duration {
    uint64_t total_ns;          /* of all calls; stays at UINT64_MAX rather than wrap */
    uint64_t attached_ns;       /* of those that are part of the scope around them */
    uint64_t failed;            /* calls with an attribute `error` */
    uint64_t unfinished;        /* timings without an end: in no other field but the next */
    int64_t unfinished_max_ns;  /* the longest that one of them had been open */
    struct histogram histogram; /* of ns; its count is the number of calls */
};

/* A sum that is exact while all of it are integers. */
struct tally_counter {
    __int128 integers;
    double reals, lost; /* lost: what rounding took from reals (Neumaier) */
    bool has_reals;
    uint64_t count;
};

struct tally_gauge {
    struct gb_event_value last; /* never text */
    int64_t last_ns;            /* wall clock */
    double min, max, sum;       /* of the finite ones */
    uint64_t count, not_finite; /* count: all */
};

struct tally_sample {
    struct histogram histogram; /* of the finite ones */
    uint64_t not_finite;
};

struct tally_path {
    const struct gb_path *path;
    struct tally_duration duration;
    struct tally_counter *counter; /* NULL: no such event */
    struct tally_gauge *gauge;
    struct tally_sample *sample;
};

struct tally {
    struct tally_path **by_id; /* NULL: no event yet. Gone after tally_freeze */
    uint32_t capacity;
    uint32_t count, room;
    struct tally_path **list; /* [count] */
    uint64_t timings, metrics;
    uint64_t without_memory; /* events that are missing in the entries, for want of memory */
};

/* GB_EVENT_TIMING; GB_EVENT_COUNTER, GB_EVENT_GAUGE, GB_EVENT_SAMPLE. */
void tally_timing(struct tally *tally, const struct gb_event *event);
void tally_metric(struct tally *tally, const struct gb_event *event);

/* Events that found their ring full, as their sum. */
void tally_folded(struct tally *tally, const struct gb_folded *folded);

/* into += from. `from` may be frozen. */
void tally_merge(struct tally *into, const struct tally *from);
/* The same for one path; `into->path` is set. */
int tally_path_merge(struct tally_path *into, const struct tally_path *from);

/* No more events: gives back what only they need. */
void tally_freeze(struct tally *tally);

/* Frees what it holds and empties it. */
void tally_clear(struct tally *tally);
void tally_path_clear(struct tally_path *entry);

void tally_counter_add(struct tally_counter *counter, const struct gb_event_value *value);
void tally_counter_fold(struct tally_counter *counter, const struct gb_folded *folded);
/* into += from */
void tally_counter_merge(struct tally_counter *into, const struct tally_counter *from);
double tally_counter_real(const struct tally_counter *counter);

/* The number in a metric's value. */
double tally_real(const struct gb_event_value *value);

#endif
