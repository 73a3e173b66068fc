/* SPDX-License-Identifier: MIT */
/*
 * The consumer page of a ring: `head`, which tells the worker what it may overwrite, and two checkpoints, which tell a new
 * collector where the last one was. In: cursors of the drain. Out: the page. Drain thread (after its end: the control thread).
 *
 * The invariant is one of order: a checkpoint that says `taken` is stored before the batch that ends there is
 * queued, and a checkpoint that says `head` before head is published. So whatever a kill leaves, the newest valid
 * checkpoint is never behind what was published, and the slots from its head on are all still there.
 */
#ifndef GB_COLLECTOR_CHECKPOINT_H
#define GB_COLLECTOR_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/segment.h"

/*
 * Sets the cursors of a ring that was just attached: from the newest valid checkpoint, else from consumer->head. What no
 * worker and no collector can have written is not believed: then the ring starts at its tail, a violation. -ENOMEM.
 */
int checkpoint_restore(struct ring *ring, bool durable);

/* Other reporters: with a durable one, head is to lag behind taken; without, no more once it has caught up. */
void checkpoint_plan(struct ring *ring, bool durable);

/* Everything up to `taken` is about to be queued: a place where head may go. Followed by checkpoint_store. */
void checkpoint_mark(struct ring *ring);

/* Moves ring->head to the last mark that is not behind `committed`. */
void checkpoint_advance(struct ring *ring, uint64_t committed);

/* Writes the older checkpoint anew, unless nothing has changed. */
void checkpoint_store(struct ring *ring);

/* Stores what is not stored, then tells the worker. */
void checkpoint_publish(struct ring *ring);

/* A tail that jumped: forgets what was between, and starts anew at `tail`. */
void checkpoint_resync(struct ring *ring, uint64_t tail);

#endif
