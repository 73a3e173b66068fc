/* SPDX-License-Identifier: MIT */
/*
 * How an event count of Concurrency Kit (ck_ec) sleeps and wakes on Linux: by futex, on CLOCK_MONOTONIC.
 */
#ifndef GB_COLLECTOR_EVENTCOUNT_H
#define GB_COLLECTOR_EVENTCOUNT_H

#include <ck_ec.h>
#include <stdint.h>

/* The drain and the control thread both wake. */
extern const struct ck_ec_ops eventcount_ops;
static const struct ck_ec_mode eventcount_mode = {.ops = &eventcount_ops, .single_producer = false};

/* Sleeps while `count` is `seen`, until `deadline_ns` (monotonic) at most. */
void eventcount_wait(struct ck_ec32 *count, uint32_t seen, int64_t deadline_ns);

static inline void eventcount_wake(struct ck_ec32 *count)
{
    ck_ec32_inc(count, &eventcount_mode);
}

#endif
