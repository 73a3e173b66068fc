/* SPDX-License-Identifier: MIT */
/* The parts of bench-latency. */
#ifndef GB_BENCH_LATENCY_H
#define GB_BENCH_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/result.h"

/* Lines of the reporter `log`, read from a pipe. 0, or -1: it could not be measured. */
int latency_of_log(const char *collector, bool quick);

/* Sorts `us`. */
void latency_print(const char *reporter, double rate, struct samples *us, uint64_t lost);

#endif
