/* SPDX-License-Identifier: MIT */
/*
 * Gauges over live workers. In: what each worker says. Out: one value a series, by the way that the user chose. A worker that
 * ends takes its values with it. The store's lock is held.
 */
#ifndef GB_REPORTERS_PROMETHEUS_GAUGES_H
#define GB_REPORTERS_PROMETHEUS_GAUGES_H

#include "collector/reporters/prometheus_store.h"

/* With `last`, the newest value of all stays for so long when no worker is left that has one. */
#define PROMETHEUS_KEPT_NS 300000000000

struct prometheus_worker {
    char segment[33];
    uint32_t service; /* its number */
    const char *service_name;
    ck_hs_t cells; /* by series; made at the first */
    struct prometheus_cell *first;
};

/* -ENOMEM: nothing has changed. */
int prometheus_gauge_set(struct prometheus_worker *worker, struct prometheus_series *series, double value,
                         int64_t wall_ns);

/* The worker has ended. */
void prometheus_gauges_leave(struct prometheus_worker *worker, int64_t now_ns);

/* False: there is none at this (monotonic) time. */
bool prometheus_gauge_value(const struct prometheus_gauge *gauge, enum prometheus_gauges way, int64_t now_ns,
                            double *ret_value);

#endif
