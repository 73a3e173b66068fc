/* SPDX-License-Identifier: MIT */
/*
 * The workers that `summary` has heard of. In: what events say of them. Out: a struct summary_worker each, while it runs
 * and, as long as there is room, after its end; and the sums of those that have ended. On the reporter's thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_WORKERS_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_WORKERS_H

#include "collector/reporters/summary.h"

struct summary_workers {
    struct summary_worker **running; /* by the collector's number for them; NULL: none of that number */
    uint32_t capacity;
    struct summary_worker **finished;
    uint32_t finished_count;
    uint64_t entries_kept;               /* of the tallies of finished ones */
    uint64_t left_out;                   /* finished ones that are only in the sums */
    struct tally ended;                  /* sums of the tallies of finished ones */
    int64_t first_wall_ns, last_wall_ns; /* of finished ones; 0: none */
    double ended_ns;                     /* wall time of finished ones together */
};

int summary_workers_make(struct summary_workers *ret_workers);
void summary_workers_clear(struct summary_workers *workers);

/* NULL for want of memory. A worker whose last event was lost to a full queue is found out when its number comes again. */
struct summary_worker *summary_worker_of(struct summary_workers *workers, const struct gb_worker *from);

/* It has ended. `last`, `account`: what its last event said, or NULL. */
void summary_worker_end(struct summary_workers *workers, uint32_t id, const struct gb_worker *last,
                        const struct gb_account *account);

#endif
