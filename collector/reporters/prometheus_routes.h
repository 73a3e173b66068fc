/* SPDX-License-Identifier: MIT */
/*
 * Which series an event belongs to. In: a worker's service, a path, attributes. Out: the series, made at its first event as long as
 * the limit lets it in, else the family's overflow series. The reporter's thread, with the store's lock.
 */
#ifndef GB_REPORTERS_PROMETHEUS_ROUTES_H
#define GB_REPORTERS_PROMETHEUS_ROUTES_H

#include "collector/reporters/prometheus_gauges.h"
#include "collector/reporters/prometheus_store.h"
#include "gb/reporter.h"

#define PROMETHEUS_ATTRS_MAX (PROMETHEUS_LABELS_MAX - 2)
#define PROMETHEUS_OFFENDERS 16

/* What the user said, parsed. */
struct prometheus_settings {
    const char *prefix;
    struct {
        char *key, *label; /* of the attribute; of the metric */
    } attrs[PROMETHEUS_ATTRS_MAX];
    uint32_t attr_count;
    struct prometheus_bounds durations, samples;
    enum prometheus_gauges gauges;
    uint32_t series_max;
};

/* Who found no room. */
struct prometheus_offender {
    char *metric, *scope;
    uint64_t events;
};

struct prometheus_recent; /* the series of a path and the service that asked last */

struct prometheus_routes {
    const struct prometheus_settings *settings;
    const struct gb_reporter_setup *setup;
    struct prometheus_store *store;
    struct prometheus_recent *recent; /* by path id; only without attributes as labels */
    uint32_t recent_count;
    ck_hs_t routes, services;
    uint32_t route_count, service_count;
    int8_t *attr_of_key; /* by key id: -1 no label, 0 not known yet, else one more than its place in settings->attrs */
    uint32_t key_count;
    struct prometheus_offender offenders[PROMETHEUS_OFFENDERS];
    uint32_t offender_count;
    uint64_t other_offences;
};

int prometheus_routes_init(struct prometheus_routes *routes, const struct prometheus_settings *settings,
                           const struct gb_reporter_setup *setup, struct prometheus_store *store);
void prometheus_routes_free(struct prometheus_routes *routes);

/* The number of a service and its name, which lives as long as `routes`. -ENOMEM. */
int prometheus_service(struct prometheus_routes *routes, const char *name, uint32_t *ret_number, const char **ret_name);

/* NULL: the event is lost for want of memory or, if a gauge, of room: it was counted. */
struct prometheus_series *prometheus_route(struct prometheus_routes *routes, const struct prometheus_worker *worker,
                                           enum prometheus_use use, const struct gb_event *event);

#endif
