/* SPDX-License-Identifier: MIT */
/* The worker of the policy's curves: a child process that emits scopes on a core of its own and times them. */
#ifndef GB_BENCH_DRAIN_POLICY_WORKER_H
#define GB_BENCH_DRAIN_POLICY_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct policy_worker;

struct policy_answer {
    double call_ns; /* mean, without the slowest hundredth of the groups of calls: those were preempted */
    uint64_t calls, lost;
};

/* Forks; it has emitted once when this returns. After bench_directory(). NULL: said on stderr. */
struct policy_worker *policy_worker_start(void);
/* Emits at the rate for so long; meanwhile the caller drains. */
void policy_worker_begin(struct policy_worker *worker, double per_second, int64_t ns);
bool policy_worker_is_done(const struct policy_worker *worker);
void policy_worker_end(struct policy_worker *worker, struct policy_answer *ret_answer);
void policy_worker_stop(struct policy_worker *worker); /* takes NULL */

#endif
