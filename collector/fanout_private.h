/* SPDX-License-Identifier: MIT */
/* What fanout.c (who gets what), fanout_life.c (start and end), and fanout_change.c (other reporters under a running drain) share. */
#ifndef GB_COLLECTOR_FANOUT_PRIVATE_H
#define GB_COLLECTOR_FANOUT_PRIVATE_H

#include "collector/reporter_set.h"

#define IN_HAND 4 /* batches outside of the queues: the drain's, and what reporters work on has its own */

/* What a change of reporters waits for next; the order of the steps. */
enum change_step {
    CHANGE_NONE,
    CHANGE_SWITCHING, /* the drain to go by the new set */
    CHANGE_ENDING,    /* those that leave to put out what they have */
    CHANGE_CLOSING,   /* ... and to close, one after the other */
    CHANGE_LEAVING    /* the drain to go by a set without them */
};

struct change {
    enum change_step step;
    bool opened; /* the new ones were, or could not be, ... */
    bool failed; /* ... some of them */
    int64_t deadline_ns;
    unsigned closing;              /* index of the entry that closes now */
    struct reporter_set *replaced; /* freed when nobody goes by it any more */
};

/* Writers: D drain, C control. */
struct fanout {
    struct reporter_set_source published;   /* C; any thread reads */
    _Atomic(struct reporter_set *) current; /* D: what it goes by; release, for the control thread */
    struct batch_pool *pool;
    char *directory;
    struct account total;
    struct change change; /* C */
    uint32_t slots;       /* C: bits; those in use, also by threads that were left behind */
    size_t lost_batches;  /* C: what those may hold for ever */
    bool left_behind;     /* C */
};

struct reporter_set *fanout_published(const struct fanout *fanout); /* control thread */
int fanout_make_reporter(struct fanout *fanout, const struct reporter_spec *spec, struct reporter_thread **ret_thread);
void fanout_free_reporter(struct fanout *fanout, struct reporter_thread *thread);

#endif
