/* SPDX-License-Identifier: MIT */
/*
 * What is told of a worker as a whole, in runs without a ring: that it was attached, what it was refused outside of
 * any ring, and its last line. In: a segment. Out: one event in a batch, which must have room. Drain thread.
 */
#ifndef GB_COLLECTOR_NOTICE_H
#define GB_COLLECTOR_NOTICE_H

#include "collector/batch.h"
#include "collector/segment.h"

void notice_started(struct segment *segment, struct batch *batch);

/* What header.refused grew by since it was told last. */
void notice_refused(struct segment *segment, struct batch *batch);

/* With the worker's account; `how` and the end are set in the worker first. */
void notice_finished(struct segment *segment, struct batch *batch);

#endif
