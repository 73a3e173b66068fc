/* SPDX-License-Identifier: MIT */
/*
 * The drain goes over to another set of reporters (see fanout.h). In: every segment, with nothing of it in an open batch. Out: each
 * ring has places for the newcomers, from which on they get everything; they are told which workers there are. Drain thread.
 */
#include "collector/checkpoint.h"
#include "collector/notice.h"
#include "collector/take.h"

void newcomers_prepare(struct taker *taker, struct segment *segment)
{
    fanout_prepare(taker->fanout, segment);
}

void newcomers_switch(struct taker *taker)
{
    fanout_switch(taker->fanout, &taker->newcomers);
    taker->durable = fanout_has_durable(taker->fanout);
}

void newcomers_push(struct taker *taker)
{
    struct batch *batch = taker->batch;
    if (!batch || !batch->view.run_count)
        return;
    taker->batch = NULL;
    fanout_push_to(taker->fanout, batch, taker->newcomers);
}

/* That a worker started is told once; who comes later is told then. */
void newcomers_welcome(struct taker *taker, struct segment *segment)
{
    uint32_t rings = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
    for (uint32_t i = 0; i < rings; i++) {
        if (segment->rings[i] && segment->rings[i]->adopted)
            checkpoint_plan(segment->rings[i], taker->durable);
    }
    if (!taker->newcomers || !segment->started_told ||
        atomic_load_explicit(&segment->life, memory_order_acquire) > SEGMENT_DEAD)
        return;
    struct batch *batch = taker_batch(taker, false);
    if (batch && !batch_has_room(batch)) {
        newcomers_push(taker);
        batch = taker_batch(taker, false);
    }
    if (batch)
        notice_started(segment, batch);
}
