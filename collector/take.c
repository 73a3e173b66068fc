/* SPDX-License-Identifier: MIT */
/*
 * See take.h: one ring. The policy of when to take it is what decides the worker's cost: a drain right behind the tail would
 * steal, for each record, the cache line that the worker writes next.
 */
#include "collector/take.h"

#include <errno.h>
#include <time.h>

#include "collector/checkpoint.h"
#include "collector/decode.h"
#include "collector/names.h"

#define MS 1000000
#define QUOTA 4096u     /* slots of a ring in a pass, so that a flooding one starves nobody */
#define DUE_SHARE 16    /* a ring is due when this part of it is pending, ... */
#define DUE_NS MS       /* ... or after this time */
#define HURRIED_SHARE 2 /* the same while a reporter is far behind */
#define HURRIED_NS (20 * MS)
#define QUIET_NS (1000 * MS) /* ... and of a ring that its worker does not fill any more */

struct batch *taker_batch(struct taker *taker, bool replay)
{
    if (taker->batch && taker->batch->replay != replay)
        taker_push(taker);
    if (taker->batch) {
        taker->batch->replay = replay; /* it is for the same, or has nothing in it */
        return taker->batch;
    }
    taker->batch = fanout_batch(taker->fanout);
    if (!taker->batch) {
        taker->starved = true;
        return NULL;
    }
    taker->batch->replay = replay;
    taker->filled_ns = taker->now_ns;
    return taker->batch;
}

/* Nobody waits for the drain any more, and what a full queue does not take would be lost. */
static void wait_for_room(struct taker *taker)
{
    for (int64_t now = clock_mono_now(); fanout_fullest(taker->fanout, now) >= BEHIND_PERCENT && now < taker->final_ns;
         now = clock_mono_now())
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
}

void taker_push(struct taker *taker)
{
    struct batch *batch = taker->batch;
    if (!batch || (!batch->view.run_count && !batch->folds))
        return;
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        if (!batch->runs[i].ring_known)
            continue;
        checkpoint_mark(batch->runs[i].origin);
        checkpoint_store(batch->runs[i].origin);
    }
    taker->batch = NULL;
    if (taker->final)
        wait_for_room(taker);
    fanout_push(taker->fanout, batch);
}

/* Of a frozen recording alone: it does not change. */
static void count_overwritten(struct taker *taker, struct ring *ring)
{
    if (!ring->segment->frozen || ring->dropped[GB_OVERWRITTEN])
        return;
    uint64_t events = __atomic_load_n(&ring->producer->overwritten, __ATOMIC_RELAXED);
    account_add(&ring->segment->account.dropped[GB_OVERWRITTEN], events);
    account_add(&taker->total->dropped[GB_OVERWRITTEN], events);
    ring->dropped[GB_OVERWRITTEN] = events;
}

/* attempted = delivered + dropped + in flight: tail and drops first, attempted last (P3). */
static void count_ring(struct taker *taker, struct ring *ring)
{
    struct account *account = &ring->segment->account;
    const struct gbw_producer *producer = ring->producer;
    for (unsigned i = 0; i < GBW_RING_CAUSES; i++) {
        /* pairs with the worker's release */
        uint64_t dropped = __atomic_load_n(&producer->dropped[i], __ATOMIC_ACQUIRE);
        if (dropped == ring->dropped[i])
            continue;
        account_add(&account->dropped[i], dropped - ring->dropped[i]);
        account_add(&taker->total->dropped[i], dropped - ring->dropped[i]);
        ring->dropped[i] = dropped;
    }
    count_overwritten(taker, ring);
    uint64_t attempted = __atomic_load_n(&producer->attempted, __ATOMIC_RELAXED);
    if (attempted == ring->attempted)
        return;
    account_add(&account->attempted, attempted - ring->attempted);
    account_add(&taker->total->attempted, attempted - ring->attempted);
    ring->attempted = attempted;
}

static void decode_to(struct taker *taker, struct ring *ring, uint64_t limit, uint64_t tail)
{
    uint64_t delivered = ring->delivered, malformed = ring->malformed;
    while ((int64_t)(limit - ring->taken) > 0) {
        bool replay = (int64_t)(ring->replayed_below - ring->taken) > 0;
        uint64_t stop = replay && (int64_t)(ring->replayed_below - limit) < 0 ? ring->replayed_below : limit;
        struct batch *batch = taker_batch(taker, replay);
        if (!batch)
            break;
        if (!decode_ring(ring, taker->paths, stop, tail, batch))
            taker_push(taker);
    }
    struct account *account = &ring->segment->account;
    account_add(&account->delivered, ring->delivered - delivered);
    account_add(&taker->total->delivered, ring->delivered - delivered);
    if (ring->malformed == malformed)
        return;
    account_add(&account->malformed, ring->malformed - malformed);
    account_add(&taker->total->malformed, ring->malformed - malformed);
}

bool taker_has_names(struct taker *taker, struct segment *segment)
{
    bool here = names_mirror(segment, taker->paths) != -ENOMEM;
    taker->starved = taker->starved || !here;
    return here;
}

static bool is_due(const struct taker *taker, const struct ring *ring, uint64_t pending, bool quiet)
{
    int64_t waited = taker->now_ns - ring->taken_ns;
    if (taker->final)
        return true;
    if (!taker->hurried)
        return pending >= ring->slots / DUE_SHARE || waited >= DUE_NS;
    bool replay = (int64_t)(ring->replayed_below - ring->taken) > 0;
    if (quiet ||
        (replay && pending < ring->slots / 4 * 3)) /* nobody loses by waiting; in a full queue much would be lost */
        return waited >= QUIET_NS;
    return pending >= ring->slots / HURRIED_SHARE || waited >= HURRIED_NS;
}

void take_ring(struct taker *taker, struct ring *ring)
{
    /* pairs with the worker's release (P1) */
    uint64_t tail = __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
    uint64_t pending = tail - ring->taken;
    bool quiet = tail == ring->tail;
    if (pending > ring->slots) {
        checkpoint_resync(ring, tail);
        account_add(&ring->segment->account.violations, 1);
        account_add(&taker->total->violations, 1);
        pending = 0;
    }
    ring->tail = tail;
    count_ring(taker, ring);
    if (taker->final && (int64_t)(ring->stop_at - tail) < 0)
        pending = (int64_t)(ring->stop_at - ring->taken) > 0 ? ring->stop_at - ring->taken : 0;
    if (!pending) {
        ring->taken_ns = taker->now_ns;
        return;
    }
    taker->found = true;
    uint32_t fill = (uint32_t)(64 * pending / ring->slots);
    if (fill > taker->fill)
        taker->fill = fill;
    if (!is_due(taker, ring, pending, quiet) || !taker_has_names(taker, ring->segment))
        return;
    uint64_t limit = ring->taken + (pending < QUOTA ? pending : QUOTA);
    decode_to(taker, ring, limit, tail);
    if (pending <= QUOTA || taker->hurried)
        ring->taken_ns = taker->now_ns;
    if (pending > QUOTA)
        taker->more = true;
}

bool ring_is_drained(struct ring *ring)
{
    return __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE) == ring->taken; /* P1 */
}

void take_head(struct taker *taker, struct ring *ring)
{
    if (ring->marks && ring->head != ring->taken) {
        uint64_t before = ring->head;
        bool crowded = ring->tail - ring->head >= ring->slots / 4 * 3;
        checkpoint_advance(ring, fanout_committed(taker->fanout, ring, crowded));
        if (ring->head != before) /* what was told first has been committed as well */
            ring->segment->started_safe = ring->segment->started_told;
    }
    if (ring->head != ring->taken)
        taker->waiting = true;
    checkpoint_publish(ring);
}
