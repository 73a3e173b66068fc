/* SPDX-License-Identifier: MIT */
/*
 * The autopsy: which scopes were open in a ring when its worker died. In: the frames in the producer's page, records
 * under construction. Out: timings with GB_EVENT_UNFINISHED, from their start until the last sign of life, numbered on from
 * the ring's last slot. Drain thread, when the worker is dead and its ring drained.
 */
#ifndef GB_COLLECTOR_AUTOPSY_H
#define GB_COLLECTOR_AUTOPSY_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/paths.h"
#include "collector/segment.h"

/* Room for all that one ring can have? An empty batch always has. */
bool autopsy_has_room(const struct batch *batch);

/* Returns how many were told. */
uint32_t autopsy_ring(struct ring *ring, struct paths *paths, int64_t last_sign_ns, struct batch *batch);

/* Monotonic, in the segment's own terms: when it was found dead; of a machine that was restarted since: its last event. */
int64_t autopsy_last_sign(const struct segment *segment);

#endif
