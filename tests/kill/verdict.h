/* SPDX-License-Identifier: MIT */
/*
 * Of one state of a segment: what must hold of it, what a collector then told of it, and whether the two agree (I1 to I5). In: the runs of
 * its worker, on the reporter's thread, the one of its end last; out, once that has been seen: what is wrong.
 */
#ifndef GB_TESTS_KILL_VERDICT_H
#define GB_TESTS_KILL_VERDICT_H

#include <gb/reporter.h>
#include <stdbool.h>
#include <stdint.h>

#define VERDICT_RINGS 4u

/* The bounds over all instructions that left the same state. */
struct expected {
    const char *scenario;
    uint64_t point;                      /* the first such instruction */
    uint64_t begun, returned;            /* least begun, most returned; the worker's own emits and its handler's */
    uint64_t scopes_least, scopes_begun; /* begins of scopes that returned: least, most; scopes_least ~0: not checked */
    uint64_t taken_before;               /* events that a collector had taken out of the ring already */
    uint64_t first_payload;              /* of what is in the first ring now, lost ones included; ~0: not known */
};

struct verdict {
    struct expected expected;
    struct gb_account account;
    uint64_t events, timings, unfinished; /* timings: of scopes */
    uint64_t next_seq[VERDICT_RINGS], next_payload[VERDICT_RINGS], lost[VERDICT_RINGS];
    uint64_t first_payload; /* of the first ring, less what was told as lost before it */
    const char *wrong;      /* the first thing */
    bool met[VERDICT_RINGS];
    bool started;
    _Atomic bool finished; /* stored last by verdict_record, and read before all else by whoever is on another thread */
};

/* Returns whether this run told its end. */
bool verdict_record(struct verdict *verdict, const struct gb_run *run);

/* NULL: all of it is as it must be. */
const char *verdict_wrong(struct verdict *verdict);

/* The sum over the causes that a worker counts. */
uint64_t verdict_dropped(const struct verdict *verdict);

#endif
