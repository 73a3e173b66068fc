/* SPDX-License-Identifier: MIT */
/*
 * Several workers at once, as threads of this process or as processes of their own. In: what each does. Out: what they
 * wrote into memory that all of them share. Members are numbered from 0.
 */
#ifndef GB_BENCH_CREW_H
#define GB_BENCH_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew {
    int members;
    bool processes;
    void *shared; /* `bytes` of zeros, the same for all members, when they are processes too */
    size_t bytes;
    /* for crew_meet */
    struct {
        _Atomic uint32_t arrived, turn;
    } * meeting;
};

/* Exits when there is no memory. */
void crew_make(struct crew *crew, int members, bool processes, size_t bytes);
void crew_free(struct crew *crew);

/* Runs `work` once for each member, and returns when all have ended. Threads of one process; processes are forked. How many could not be
 * started or failed. */
int crew_run(struct crew *crew, void (*work)(struct crew *crew, int member));

/* A member waits here until all members are here. Spins, so that they go on together, and yields after a while. */
void crew_meet(struct crew *crew);

#endif
