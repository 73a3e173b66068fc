/* SPDX-License-Identifier: MIT */
/* The plug-in `check` of the torture: check.c is the reporter, check_run.c what it does with a run, check_places.c where that stands in the book. */
#ifndef GB_TESTS_TORTURE_CHECK_H
#define GB_TESTS_TORTURE_CHECK_H

#include <gb/reporter.h>

#include "tests/torture/book.h"

struct check {
    struct book *book;
    const struct gb_reporter_setup *setup;
    bool durable;
    int64_t slow_ns;
    uint64_t skipped;
    int64_t pid;
    uint64_t queue_dropped; /* of this collector, as far as it was counted */
};

/* A step of the plug-in is whole, in program order, wherever its process is killed: only the compiler has to be held. */
static inline void check_fence(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* NULL: the book is full. */
struct segment_seen *check_segment(struct check *check, const struct gb_worker *worker);
struct ring_seen *check_ring(struct check *check, const struct gb_run *run);
bool check_is_scapegoat(const struct book *book, uint32_t pid);

/* The events of a ring; what is told of a worker as a whole. */
void check_ring_run(struct check *check, const struct gb_run *run);
void check_worker_run(struct check *check, const struct gb_run *run);
/* Repeats the step that a kill has cut. */
void check_repeat_step(struct book *book);

#endif
