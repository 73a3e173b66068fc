/* SPDX-License-Identifier: MIT */
/*
 * What the drain does with one segment in one pass: takes what is due out of its rings, and ends it when its worker is dead.
 * In: a segment. Out: batches, pushed to the fan-out; heads and checkpoints. Drain thread.
 */
#ifndef GB_COLLECTOR_TAKE_H
#define GB_COLLECTOR_TAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/account.h"
#include "collector/batch.h"
#include "collector/fanout.h"
#include "collector/paths.h"
#include "collector/segment.h"

#define BEHIND_PERCENT 75 /* a queue this full: rings serve as buffers */

struct taker {
    struct fanout *fanout;
    struct paths *paths;
    struct account *total; /* the ledger of all workers */
    bool durable;          /* some reporter is */
    struct batch *batch;   /* being filled; NULL: none */
    uint32_t newcomers;    /* reporters that came with the last change: bits */
    int64_t filled_ns;     /* when something came into it first */
    int64_t news_ns;       /* when a segment or a ring was met for the first time: more is to come, and soon */

    /* of this pass */
    int64_t now_ns;
    bool hurried;     /* a reporter is far behind: rings serve as buffers, as long as their workers lose nothing */
    int64_t final_ns; /* until when that is no hurry: its batches wait for room in the queues */
    bool final;       /* the drain ends: everything up to ring->stop_at */
    bool more;        /* a ring has more than it was allowed */
    bool starved;     /* no batch, or no memory for names, was to be had */
    bool found;       /* some ring had something */
    bool waiting;     /* something handed out is not committed yet */
    uint32_t fill;    /* the fullest ring that was found, in 64ths */
};

/* An open batch for a replay, or for what is new; NULL: none is to be had now. */
struct batch *taker_batch(struct taker *taker, bool replay);
/* Stores the checkpoints of the rings in it, and hands it on. */
void taker_push(struct taker *taker);

/* Are the names here of all that was published when the caller looked? False: no memory, so what has such names waits. */
bool taker_has_names(struct taker *taker, struct segment *segment);

/* Takes one ring, as far as it is due. */
void take_ring(struct taker *taker, struct ring *ring);
/* Is everything taken that was published? Looks at the tail again. */
bool ring_is_drained(struct ring *ring);
/* Lets head follow what was committed, and tells the worker. */
void take_head(struct taker *taker, struct ring *ring);

/* newcomers.c: another set of reporters, between two passes; the first and the third for each segment. */
void newcomers_prepare(struct taker *taker, struct segment *segment);
void newcomers_switch(struct taker *taker);
void newcomers_welcome(struct taker *taker, struct segment *segment);
void newcomers_push(struct taker *taker);

/* take_folds.c: hands out what a ring's fold tables have, when it is due; and lets the worker use a table again. */
void take_folds(struct taker *taker, struct ring *ring, bool dead);
bool folds_are_taken(const struct ring *ring);
void free_folds(struct taker *taker, struct ring *ring);

/* segment_pass.c: one pass over a segment, without its heads; and those. */
void pass_segment(struct taker *taker, struct segment *segment);
void pass_heads(struct taker *taker, struct segment *segment);

#endif
