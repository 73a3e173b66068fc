/* SPDX-License-Identifier: MIT */
/* Counts over the roster, see roster.h. Control thread. */
#include <urcu/rculist.h>

#include "collector/roster_private.h"

struct roster_counts roster_count(struct roster *roster)
{
    struct segment *segment;
    struct roster_counts counts = {.seen = roster->seen,
                                   .refused = roster->refused,
                                   .quarantined = roster->quarantined,
                                   .waiting = roster->waiting};
    cds_list_for_each_entry (segment, &roster->segments, node) {
        int life = atomic_load_explicit(&segment->life, memory_order_relaxed);
        counts.live += life == SEGMENT_LIVE;
        counts.dead += life == SEGMENT_DEAD;
        counts.ending += life == SEGMENT_CLOSED || life == SEGMENT_COMMITTED;
        counts.hurried += life == SEGMENT_LIVE && segment->hurry;
    }
    return counts;
}

/* In the order of wire.h P3. */
static uint64_t backlog_of(const struct segment *segment)
{
    struct gb_account account;
    uint32_t count = atomic_load_explicit(&segment->ring_count, memory_order_acquire);
    uint64_t pending = 0;
    account_read(&segment->account, &account);
    for (uint32_t i = 0; i < count; i++) {
        const struct gbw_producer *producer = segment->rings[i] ? segment->rings[i]->producer : NULL;
        uint64_t dropped = 0;
        for (unsigned cause = 0; producer && cause < GBW_RING_CAUSES; cause++)
            dropped += __atomic_load_n(&producer->dropped[cause], __ATOMIC_ACQUIRE);
        if (producer)
            pending += __atomic_load_n(&producer->attempted, __ATOMIC_RELAXED) - dropped;
    }
    uint64_t taken = account.delivered + account.folded + account.malformed;
    return pending > taken ? pending - taken : 0;
}

void roster_each_live(struct roster *roster,
                      void (*each)(void *context, const struct gb_worker *worker, uint64_t backlog), void *context)
{
    struct segment *segment;
    cds_list_for_each_entry (segment, &roster->segments, node) {
        if (atomic_load_explicit(&segment->life, memory_order_relaxed) == SEGMENT_LIVE)
            each(context, segment->worker, backlog_of(segment));
    }
}

unsigned roster_quarantined(const struct roster *roster, const char *ret_files[], unsigned most)
{
    unsigned count = 0;
    for (; count < roster->quarantined && count < ROSTER_QUARANTINED_TOLD && count < most; count++)
        ret_files[count] = roster->quarantined_last[(roster->quarantined - 1 - count) % ROSTER_QUARANTINED_TOLD];
    return count;
}
