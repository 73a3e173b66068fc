/* SPDX-License-Identifier: MIT */
/*
 * What a scrape is made from: families of series. In: values, from the reporter's thread. Out: copies, to the thread that answers
 * scrapes.
 *
 * Families and series are never taken away (a worker that ends leaves its sums in them), so a scrape walks them in small
 * portions, each copied under the lock, and never keeps the reporter's thread waiting for longer than a portion takes.
 * What is constant after the making of a family or a series - names, labels, bounds - may be read without the lock.
 */
#ifndef GB_REPORTERS_PROMETHEUS_STORE_H
#define GB_REPORTERS_PROMETHEUS_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/reporters/histogram.h"
#include "collector/reporters/keyed.h"
#include "collector/reporters/prometheus_names.h"
#include "collector/reporters/tally.h"

#define PROMETHEUS_BOUNDS_MAX 63
#define PROMETHEUS_LABELS_MAX 12 /* scope, service and what the user lists */
#define PROMETHEUS_OVERFLOW "(overflow)"

struct prometheus_label {
    const char *name, *value; /* valid UTF-8 without control characters but for newlines */
};

/* The upper bounds of classic buckets, rising, without +Inf. */
struct prometheus_bounds {
    double bound[PROMETHEUS_BOUNDS_MAX];
    char text[PROMETHEUS_BOUNDS_MAX][PROMETHEUS_BOUND_SIZE];
    uint32_t count;
};

enum prometheus_gauges { PROMETHEUS_LAST, PROMETHEUS_SUM, PROMETHEUS_MAX };
enum prometheus_use {
    PROMETHEUS_OF_TIMINGS,
    PROMETHEUS_OF_UNFINISHED,
    PROMETHEUS_OF_COUNTERS,
    PROMETHEUS_OF_GAUGES,
    PROMETHEUS_OF_SAMPLES
};
#define PROMETHEUS_USES 5

struct prometheus_worker;

/* What one live worker said last of one gauge. In the list of its series and in that of its worker. */
struct prometheus_cell {
    struct keyed keyed; /* by the series, among its worker's */
    struct prometheus_series *series;
    struct prometheus_worker *worker;
    struct prometheus_cell *next, *previous; /* of the series */
    struct prometheus_cell *next_of_worker;
    double value;
    int64_t wall_ns;
};

struct prometheus_histogram {
    unsigned __int128 ns; /* sum of durations; samples have theirs in `native` */
    struct histogram native;
    uint64_t *buckets; /* [bounds->count + 1], not cumulative */
};

struct prometheus_gauge {
    struct prometheus_cell *cells;
    double value;               /* the newest of all workers' */
    int64_t wall_ns, vacant_ns; /* vacant_ns: monotonic, when the last cell went */
};

struct prometheus_series {
    struct keyed keyed; /* by family and labels */
    struct prometheus_family *family;
    uint32_t label_count;
    const struct prometheus_label *labels;
    union {
        struct tally_counter counter;
        struct prometheus_gauge gauge;
        struct prometheus_histogram histogram;
    } as;
};

struct prometheus_family {
    struct keyed keyed; /* by type and the name that the workers use */
    char *name, *help;  /* without _total */
    enum prometheus_type type;
    enum prometheus_use use;
    const struct prometheus_bounds *bounds; /* NULL: no histogram */
    struct prometheus_series **series;
    uint32_t count, room;
    struct prometheus_series *overflow; /* for labels that the limit did not let in */
};

struct prometheus_store {
    /* fair: whoever waits for `data` holds `next`, so neither side can take `data` twice while the other waits */
    pthread_mutex_t next, data;
    struct prometheus_names names;
    ck_hs_t families_by_name, series_by_labels;
    struct prometheus_family **families;
    uint32_t family_count, family_room;
    uint32_t series_count, series_max;
    enum prometheus_gauges gauges;
};

int prometheus_store_init(struct prometheus_store *store, uint32_t series_max, enum prometheus_gauges gauges);
void prometheus_store_free(struct prometheus_store *store);

void prometheus_store_lock(struct prometheus_store *store);
void prometheus_store_unlock(struct prometheus_store *store);

enum prometheus_type prometheus_type_of(enum prometheus_use use);

/* What follows: the lock is held. */

/* The family of `key`, or NULL. */
struct prometheus_family *prometheus_family_find(struct prometheus_store *store, const char *key, uint32_t length);
/* A new one; takes over `name`, copies the others. NULL: no memory. */
struct prometheus_family *prometheus_family_add(struct prometheus_store *store, const char *key, uint32_t length,
                                                char *name, const char *help, enum prometheus_use use,
                                                const struct prometheus_bounds *bounds);

/* The series with these labels, made when there is room; NULL with -ENOSPC or -ENOMEM in *ret_error. Labels are copied. */
struct prometheus_series *prometheus_series_get(struct prometheus_store *store, struct prometheus_family *family,
                                                const struct prometheus_label *labels, uint32_t count, int *ret_error);
/* The one for what found no room. NULL: no memory. */
struct prometheus_series *prometheus_series_overflow(struct prometheus_family *family);

void prometheus_histogram_add(struct prometheus_series *series, double value);
void prometheus_duration_add(struct prometheus_series *series, int64_t ns);
/* Timings or samples that found their ring full. */
void prometheus_histogram_fold(struct prometheus_series *series, const struct gb_folded *folded);

#endif
