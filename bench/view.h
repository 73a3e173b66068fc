/* SPDX-License-Identifier: MIT */
/*
 * The bench's own hand on the ring of its main thread, as a collector would have it: for figures without a collector, and for
 * one that does what ours does not. In: the segment in the bench's directory. Out: a mapping; a process that drains greedily.
 */
#ifndef GB_BENCH_VIEW_H
#define GB_BENCH_VIEW_H

#include <stdint.h>
#include <sys/types.h>

#include "gb/wire.h"

struct view {
    struct gbw_producer *producer;
    struct gbw_consumer *consumer;
    struct gbw_record *slots;
    uint64_t mask;
    struct gbw_bell *bell; /* NULL: there was no lock file yet */
};

/* The first ring of this process: of the thread that emitted first. After its first emit. 0 or -errno. */
int view_open(const char *directory, struct view *ret_view);

/* Gives all slots free. */
void view_drain(const struct view *view);

/* A process on that core that copies each record as soon as it is there. 0: none. */
pid_t greedy_start(const struct view *view, int core);
void greedy_end(pid_t pid);

#endif
