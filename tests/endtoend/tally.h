/* SPDX-License-Identifier: MIT */
/*
 * What a worker of the end-to-end tests says of itself, outside the library: a page that it shares with the test and that
 * outlives its kill. `begun` is counted before each emit, `returned` after it.
 */
#ifndef GB_TESTS_TALLY_H
#define GB_TESTS_TALLY_H

#include <stdint.h>

#define TALLY_THREADS 64

struct tally {
    struct {
        uint64_t begun, returned;
        uint64_t reserved[6];
    } thread[TALLY_THREADS];
    uint32_t processes; /* forked so far, the first included */
    uint32_t finished;  /* that came to their end */
    uint32_t stop;      /* the test asks the threads to end after their burst */
};

/* What the attribute `check` of the event number n says. */
static inline uint32_t payload_check(uint64_t n)
{
    return (uint32_t)(n * 2654435761u) ^ 0x5bd1e995u;
}

#endif
