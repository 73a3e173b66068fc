/* SPDX-License-Identifier: MIT */
/* Order statistics of samples. In: an array of doubles. Out: quantiles. */
#ifndef GB_BENCH_STATS_H
#define GB_BENCH_STATS_H

#include <stddef.h>

struct spread {
    double p10, p50, p90;
    size_t count;
};

/* Sorts `sample` in place. */
struct spread spread_of(double *sample, size_t count);

#endif
