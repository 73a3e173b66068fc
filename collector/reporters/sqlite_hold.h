/* SPDX-License-Identifier: MIT */
/*
 * What `sqlite` holds until it is committed. In: runs as they are recorded. Out: deep copies of them, in that order, which stay as they
 * are while a transaction is tried as often as it takes. Reporter's thread.
 *
 * Memory comes in blocks that are used again after each commit; what is held at most follows from how often the
 * collector flushes.
 */
#ifndef GB_REPORTERS_SQLITE_HOLD_H
#define GB_REPORTERS_SQLITE_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "gb/reporter.h"

struct held_run {
    struct gb_run run;  /* origin: NULL */
    uint64_t gap, next; /* slots [gap, run.first_seq) never came; the ring's cursor after this run */
    struct held_run *later;
};

struct held_fold {
    struct gb_folded folded; /* without its buckets */
    struct held_fold *later;
};

struct hold_block;

struct hold {
    struct held_run *first, **end; /* end: where the next one is linked */
    struct held_fold *first_fold, **fold_end;
    uint64_t events;
    struct hold_block *blocks, *filling; /* all of them; the one in use. Those behind it are empty */
    const struct gb_worker **workers;    /* by id: the copies made since the last clear */
    size_t worker_capacity;
};

void hold_init(struct hold *hold);
/* Forgets all runs; keeps a few blocks. */
void hold_clear(struct hold *hold);
void hold_free(struct hold *hold);

/* Copies the run without its first `skip` events. -ENOMEM: nothing of it is held. */
int hold_run(struct hold *hold, const struct gb_run *run, uint32_t skip, struct held_run **ret_held);
int hold_fold(struct hold *hold, const struct gb_folded *folded);

#endif
