/* SPDX-License-Identifier: MIT */
/*
 * The drain: one thread that copies committed records out of the rings of all segments, has them decoded, and pushes
 * the batches to the fan-out.
 *
 * It stays away from the tail: a ring is taken when a sixteenth of it is pending or a millisecond has passed, in one pass,
 * and `head` is published once per pass. Idle it sleeps up to 100 ms on the bell (bell.h); a worker whose ring passes
 * half full wakes it.
 */
#ifndef GB_COLLECTOR_DRAIN_H
#define GB_COLLECTOR_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/bell.h"
#include "collector/fanout.h"
#include "collector/segment.h"

struct drain;

/* `segments`: RCU list, written by the control thread. `patient`: it takes nothing faster than the slowest reporter does, as where no
 * worker waits for it. */
int drain_start(struct cds_list_head *segments, struct fanout *fanout, struct bell *bell, bool patient,
                struct drain **ret_drain);

/* Control thread: sets a segment's life to SEGMENT_DEAD first when it is; the drain moves it to CLOSED and COMMITTED. */

/* Any thread: passes so far. Some ten a second when idle; one that stands still hangs. */
uint64_t drain_passes(const struct drain *drain);

/* Control thread: takes everything that is published now, closes batches, stores checkpoints, and ends the thread. Afterwards
 * call fanout_stop, then drain_finish, which publishes the last heads and checkpoints from what was committed. */
void drain_stop(struct drain *drain);
void drain_finish(struct drain *drain);
void drain_free(struct drain *drain);

#endif
