/* SPDX-License-Identifier: MIT */
/* What a clock read costs here, for the cost that `summary` tells. In: nothing. Out: ns. Takes less than a millisecond. */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_CLOCK_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_CLOCK_H

#include <stdbool.h>

/* The CPU's own counter, or CLOCK_MONOTONIC (also where there is no such counter): the median of several bursts. */
double summary_clock_read_ns(bool counter);

#endif
