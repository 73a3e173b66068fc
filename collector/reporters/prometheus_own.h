/* SPDX-License-Identifier: MIT */
/*
 * What the collector says of itself: the ledger, the reporters, this exposition, the process. In: sums that the reporter's thread
 * keeps, and what can be asked of the system. Out: families on a page. The HTTP thread, but for prometheus_own_init.
 */
#ifndef GB_REPORTERS_PROMETHEUS_OWN_H
#define GB_REPORTERS_PROMETHEUS_OWN_H

#include <stdatomic.h>

#include "collector/reporters/prometheus_page.h"
#include "collector/reporters/prometheus_routes.h"

enum prometheus_how { HOW_EXIT, HOW_EXEC, HOW_VANISHED, HOW_KILLED, HOW_UNKNOWN };
#define PROMETHEUS_HOWS 5
enum prometheus_response { RESPONSE_200, RESPONSE_404, RESPONSE_405, RESPONSE_503 };
#define PROMETHEUS_RESPONSES 4
#define PROMETHEUS_FORMATS 3

struct prometheus_own {
    const struct gb_reporter_setup *setup;
    struct prometheus_store *store;
    const struct prometheus_routes *routes;
    double process_start; /* since 1970: worked out once, as a start must not move with the clock */
    /* under the store's lock; the reporter's thread writes them */
    struct gb_account total;
    uint64_t workers, finished[PROMETHEUS_HOWS];
    /* of HTTP; any thread */
    _Atomic uint64_t scrapes[PROMETHEUS_FORMATS], responses[PROMETHEUS_RESPONSES], cut, connections;
};

enum prometheus_how prometheus_how(const char *how);

/* At open: takes the names of all of these, before workers' names come. -ENOMEM. */
int prometheus_own_init(struct prometheus_own *own);
void prometheus_own_write(void *own, struct prometheus_page *page);

/* process_*: prometheus_process.c. */
extern const struct prometheus_head prometheus_process_heads[];
double prometheus_process_start(void);
void prometheus_process_write(struct prometheus_page *page, double start);

#endif
