/* SPDX-License-Identifier: MIT */
/*
 * What `statsd` gathers over an interval. In: events with the keys of their series. Out: lines for the sender. Reporter's thread.
 *
 * Sums of counters are exact while they are integers. Of a series' timings and samples at most 100 values are kept, each with the
 * same chance (reservoir sampling), and sent with the rate at which they were kept. A series that had no event in an interval goes.
 */
#ifndef GB_REPORTERS_STATSD_SERIES_H
#define GB_REPORTERS_STATSD_SERIES_H

#include <ck_hs.h>

#include "collector/reporters/keyed.h"
#include "collector/reporters/statsd_names.h"
#include "collector/reporters/statsd_send.h"
#include "collector/reporters/tally.h"

#define STATSD_VALUES_MAX 100
#define STATSD_SERIES_MAX 32768

struct statsd_series {
    struct keyed keyed;
    struct statsd_series *next;
    uint64_t count;  /* events in this interval */
    uint64_t events; /* of them, those of the ledger */
    struct tally_counter counter;
    struct gb_event_value last; /* gauge */
    int64_t last_ns;
    union statsd_number {
        int64_t ns;
        double real;
    } * values; /* [min(count, STATSD_VALUES_MAX)] */
    uint32_t room;
    char key[];
};

struct statsd_table {
    ck_hs_t set;
    struct statsd_series *list;
    uint32_t count;
    uint64_t random;
};

bool statsd_table_init(struct statsd_table *table);
void statsd_table_clear(struct statsd_table *table);

/* NULL: no memory, or (ret_full) as many series as may be. */
struct statsd_series *statsd_series_get(struct statsd_table *table, const char *key, uint32_t length, bool overflow,
                                        bool *ret_full);

/* False: no memory. The value is a finite number. */
bool statsd_series_add(struct statsd_table *table, struct statsd_series *series, enum statsd_kind kind,
                       const struct gb_event *event, bool counted);

/* Events that found their ring full: of their distribution as many values are kept as of single ones. False: no memory. */
bool statsd_series_fold(struct statsd_table *table, struct statsd_series *series, enum statsd_kind kind,
                        const struct gb_folded *folded);

/* How lines are written. */
struct statsd_style {
    bool datadog;
    const char *tags; /* that all lines have; "": none */
    char *line;
    size_t room;
};

/* Writes the lines of a series, and empties it. */
void statsd_series_send(struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender);
/* All series; those without events go. */
void statsd_table_send(struct statsd_table *table, struct statsd_style *style, struct statsd_sender *sender);

#endif
