/* SPDX-License-Identifier: MIT */
/* See stats.h. */
#include "bench/stats.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double q)
{
    double at = q * (double)(count - 1);
    size_t below = (size_t)at;
    double next = below + 1 < count ? sorted[below + 1] : sorted[below];
    return sorted[below] + (next - sorted[below]) * (at - (double)below);
}

struct spread spread_of(double *sample, size_t count)
{
    if (count == 0)
        return (struct spread){0};
    qsort(sample, count, sizeof *sample, compare);
    return (struct spread){quantile(sample, count, 0.1), quantile(sample, count, 0.5), quantile(sample, count, 0.9),
                           count};
}
