/* SPDX-License-Identifier: MIT */
/* What bench-latency and its reporter share: a file that the bench makes and both map. Writer: the reporter, unless noted. */
#ifndef GB_BENCH_LATENCY_STAMP_H
#define GB_BENCH_LATENCY_STAMP_H

#include <stdint.h>

#define STAMPS_MOST (4u << 20)

struct stamps {
    _Atomic uint64_t events;      /* timings that came; release, after their stamps */
    _Atomic uint64_t beside_lost; /* events that the other reporters of this collector have dropped */
    float us[STAMPS_MOST];        /* from the end of each scope to the reporter */
};

#endif
