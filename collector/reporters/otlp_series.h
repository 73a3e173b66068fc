/* SPDX-License-Identifier: MIT */
/*
 * What is known of the workers, until it is exported: a set of series each. In: events. Out: series for otlp_metrics.h, and
 * the number of events that no accepted export has told of. The reporter's thread.
 *
 * `now` is what was recorded since the worker's start (cumulative) or since what the receiver was told last (delta). An export
 * begins with otlp_worker_take and ends with either otlp_worker_told or otlp_worker_untold; between them new events are
 * recorded as ever. With delta, `taken` holds what is on its way, and comes back when it did not arrive.
 *
 * Invariant: every event that was recorded is in `events`, or in `taken_events`, or was told.
 */
#ifndef GB_REPORTERS_OTLP_SERIES_H
#define GB_REPORTERS_OTLP_SERIES_H

#include <ck_hs.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/reporters/histogram.h"
#include "collector/reporters/keyed.h"
#include "collector/reporters/protobuf.h"
#include "collector/reporters/tally.h"
#include "gb/reporter.h"

enum otlp_kind { OTLP_DURATION, OTLP_UNFINISHED, OTLP_COUNTER, OTLP_GAUGE, OTLP_SAMPLE };
#define OTLP_KINDS 5
#define OTLP_LABELS_MAX 16

struct otlp_values {
    uint64_t events;
    union {
        struct tally_counter counter; /* also of unfinished ones */
        struct {
            struct gb_event_value last;
            int64_t wall_ns;
        } gauge;
        struct {
            struct histogram buckets;
            unsigned __int128 ns; /* the exact sum of durations */
        } histogram;
    } as;
};

struct otlp_series {
    struct keyed keyed; /* by all that follows, but the values */
    enum otlp_kind kind;
    uint32_t name_length, attributes_length;
    const char *name;          /* not terminated */
    const uint8_t *attributes; /* KeyValues as fields of a data point of this kind */
    struct otlp_values now, taken;
};

struct otlp_path {
    struct otlp_series *by_kind[OTLP_KINDS];
};

struct otlp_worker {
    uint32_t id;
    bool ended, in_flight;
    bool dirty;      /* something was recorded since it was taken */
    bool overflowed; /* said so */
    char segment[33];
    struct protobuf resource; /* as field 1 of ResourceMetrics or ResourceSpans */
    int64_t start_wall_ns; /* of the window: the worker's start, or with delta the time of the last accepted export */
    int64_t taken_wall_ns;
    uint64_t events, taken_events;
    ck_hs_t set;
    struct otlp_series **list;
    uint32_t count, room;
    bool sorted;
    struct otlp_path **by_path; /* by the path's id; unused when attributes make series */
    uint32_t path_room;
    struct otlp_lease *leases; /* by ring; of otlp_spans.h */
    uint32_t lease_count;
    struct otlp_worker *next; /* among those that have ended, the oldest first */
};

struct otlp_store {
    bool delta;
    uint32_t series_max; /* of one worker; beyond: gb.scope="(overflow)" */
    const char *labels[OTLP_LABELS_MAX];
    uint32_t label_count;
    char *label_text; /* what labels point into */
    ck_hs_t names;    /* of metrics, with the kind that had them first */
    uint32_t name_count;
    struct protobuf scratch;
    struct otlp_worker **workers; /* live ones, by id */
    uint32_t capacity;
    struct otlp_worker *ended, **ended_end;
    uint64_t ended_series;
    const struct gb_reporter_setup *setup;
};

/* labels: keys separated by ; or NULL. */
int otlp_store_init(struct otlp_store *store, const struct gb_reporter_setup *setup, const char *labels);
void otlp_store_free(struct otlp_store *store);

/* NULL: no memory. */
struct otlp_worker *otlp_worker_of(struct otlp_store *store, const struct gb_worker *from);
/* Its last event was recorded: it stays among `ended` until otlp_worker_drop. */
void otlp_worker_end(struct otlp_store *store, uint32_t id);
/* One of the ended ones. Returns the events that were not told. */
uint64_t otlp_worker_drop(struct otlp_store *store, struct otlp_worker *worker);

/* Timing or metric. -ENOMEM; -EINVAL: a value that its metric cannot hold. `counted`: an event of the ledger that is accounted for
 * by the metrics. */
int otlp_worker_record(struct otlp_store *store, struct otlp_worker *worker, const struct gb_event *event,
                       bool counted);

/* Events that found their ring full. -ENOMEM: none of them is in. */
int otlp_worker_fold(struct otlp_store *store, struct otlp_worker *worker, const struct gb_folded *folded);

void otlp_worker_take(struct otlp_store *store, struct otlp_worker *worker, int64_t wall_ns);
void otlp_worker_told(struct otlp_store *store, struct otlp_worker *worker);
void otlp_worker_untold(struct otlp_store *store, struct otlp_worker *worker);

/* What an export is made of: `taken` with delta, else `now`. */
static inline const struct otlp_values *otlp_values_of(const struct otlp_store *store, const struct otlp_series *series)
{
    return store->delta ? &series->taken : &series->now;
}

#endif
