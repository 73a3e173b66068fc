/* SPDX-License-Identifier: MIT */
/*
 * See take.h: one segment. Its rings are adopted as they appear; its worker is told of once; when the control thread
 * has found it dead, the tails are read again, what is left is taken, the scopes that were open are told, then its last
 * line. Then it is CLOSED, and COMMITTED once every durable reporter has all of it.
 */
#include "collector/take.h"

#include "collector/attach.h"
#include "collector/autopsy.h"
#include "collector/checkpoint.h"
#include "collector/notice.h"
#include "collector/times.h"

#include <errno.h>

#define REFUSED_NS 1000000000    /* refusals are told in sums, so often */
#define DEAD_WAIT_NS 60000000000 /* so long a dead worker's segment waits for room in the queues */

static uint32_t rings_of(const struct segment *segment)
{
    return atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
}

static void adopt_ring(struct taker *taker, struct ring *ring)
{
    if (checkpoint_restore(ring, taker->durable))
        return; /* no memory: again in the next pass */
    struct account *account = &ring->segment->account;
    fanout_adopt(taker->fanout, ring, ring->head);
    account_add(&account->delivered, ring->delivered);
    account_add(&taker->total->delivered, ring->delivered);
    account_add(&account->folded, ring->folded);
    account_add(&taker->total->folded, ring->folded);
    account_add(&account->malformed, ring->malformed);
    account_add(&taker->total->malformed, ring->malformed);
    account_add(&account->violations, ring->violations);
    account_add(&taker->total->violations, ring->violations);
    ring->tail = ring->taken;
    ring->stop_at = __atomic_load_n(&ring->producer->tail, __ATOMIC_RELAXED);
    ring->adopted = true;
    taker->news_ns = taker->now_ns;
}

/* Returns whether every ring that the worker has published is here. */
static bool adopt_rings(struct taker *taker, struct segment *segment)
{
    /* pairs with the worker's release (P5) */
    uint32_t published = __atomic_load_n(&segment->header->ring_count, __ATOMIC_ACQUIRE);
    bool all = true;
    if (published > segment->rings_capacity)
        published = segment->rings_capacity;
    if (published > GBW_RINGS_MAX)
        published = GBW_RINGS_MAX;
    while (rings_of(segment) < published) {
        int error = ring_attach(segment, rings_of(segment));
        if (error == -EPROTO) {
            account_add(&segment->account.violations, 1);
            account_add(&taker->total->violations, 1);
        } else if (error) {
            all = false;
            break;
        }
    }
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        struct ring *ring = segment->rings[i];
        if (ring && !ring->adopted)
            adopt_ring(taker, ring);
        all = all && (!ring || ring->adopted);
    }
    return all;
}

/* A batch with room for one more event of any kind; NULL: none is to be had now. */
static struct batch *batch_with_room(struct taker *taker, bool replay)
{
    struct batch *batch = taker_batch(taker, replay);
    if (!batch || batch_has_room(batch))
        return batch;
    taker_push(taker);
    return taker_batch(taker, replay);
}

/* Told before the first of its events. Told again, to durable reporters alone, when an earlier collector may have been
 * killed before they had it. */
static void tell_started(struct taker *taker, struct segment *segment)
{
    if (segment->started_done)
        return;
    if (!segment->started_told || (!segment->started_safe && taker->durable)) {
        struct batch *batch = batch_with_room(taker, segment->started_told);
        if (!batch)
            return;
        notice_started(segment, batch);
    }
    segment->started_told = segment->started_done = true;
}

static void add_growth(struct account *account, struct account *total, size_t field, uint64_t *seen, uint64_t now)
{
    if (now == *seen)
        return;
    account_add((_Atomic uint64_t *)((char *)account + field), now - *seen);
    account_add((_Atomic uint64_t *)((char *)total + field), now - *seen);
    *seen = now;
}

/* The counters that no ring has. Each refusal is its own attempt as well. */
static void count_header(struct taker *taker, struct segment *segment, bool last)
{
    const struct gbw_header *header = segment->header;
    bool untold = false;
    for (unsigned i = 0; i < GBW_CAUSES; i++) {
        uint64_t now = __atomic_load_n(&header->refused[i], __ATOMIC_RELAXED);
        uint64_t attempted = segment->refused[i];
        add_growth(&segment->account, taker->total, offsetof(struct account, attempted), &attempted, now);
        add_growth(&segment->account, taker->total, offsetof(struct account, dropped) + i * sizeof(uint64_t),
                   &segment->refused[i], now);
        untold = untold || now != segment->refused_told[i];
    }
    add_growth(&segment->account, taker->total, offsetof(struct account, attributes_left_out), &segment->left_out,
               __atomic_load_n(&header->attributes_left_out, __ATOMIC_RELAXED));
    add_growth(&segment->account, taker->total, offsetof(struct account, names_overflowed), &segment->overflowed,
               __atomic_load_n(&header->names_overflowed, __ATOMIC_RELAXED));
    if (!untold || (!last && taker->now_ns - segment->refused_told_ns < REFUSED_NS))
        return;
    struct batch *batch = batch_with_room(taker, false);
    if (batch) {
        notice_refused(segment, batch);
        segment->refused_told_ns = taker->now_ns;
    }
}

static bool is_drained(struct segment *segment)
{
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        if (segment->rings[i] && (!ring_is_drained(segment->rings[i]) || !folds_are_taken(segment->rings[i])))
            return false;
    }
    return true;
}

/* True: all rings were looked into. */
static bool tell_unfinished(struct taker *taker, struct segment *segment, bool replay)
{
    int64_t last_sign = autopsy_last_sign(segment);
    for (; segment->autopsied < rings_of(segment); segment->autopsied++) {
        struct ring *ring = segment->rings[segment->autopsied];
        struct batch *batch = taker_batch(taker, replay);
        if (batch && !autopsy_has_room(batch)) {
            taker_push(taker);
            batch = taker_batch(taker, replay);
        }
        if (!batch)
            return false;
        uint32_t told = ring ? autopsy_ring(ring, taker->paths, last_sign, batch) : 0;
        segment->unfinished += told;
        account_add(&segment->account.unfinished, told);
        account_add(&taker->total->unfinished, told);
    }
    return true;
}

/* The mark that the end was told is stored with the checkpoints of all rings before any of it is queued. */
static void close_segment(struct taker *taker, struct segment *segment)
{
    bool replay = segment->finished_replay;
    int dead = SEGMENT_DEAD;
    taker_push(taker);
    segment->finished_told = true;
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        if (segment->rings[i])
            checkpoint_store(segment->rings[i]);
    }
    if (!tell_unfinished(taker, segment, replay))
        return;
    struct batch *batch = batch_with_room(taker, replay);
    if (!batch)
        return;
    notice_finished(segment, batch);
    taker_push(taker);
    fanout_mark_finish(taker->fanout, segment);
    atomic_compare_exchange_strong(&segment->life, &dead, SEGMENT_CLOSED);
}

/* A truncated file reads as zeros from where it was cut: nothing of it is believed any more. */
static bool is_faulted(struct segment *segment)
{
    if (!atomic_load_explicit(&segment->faulted, memory_order_relaxed))
        return false;
    atomic_store_explicit(&segment->life, SEGMENT_QUARANTINED, memory_order_release);
    return true;
}

/* Whoever is dead loses nothing by waiting, while many that died at once would fill the queues with their ends: what a full
 * queue does not take is lost. Not for ever, as the living wait to be attached. */
static bool waits_for_room(struct taker *taker, const struct segment *segment)
{
    int64_t now = clock_mono_now();
    if (taker->final || time_between(segment->dead_ns, now) > DEAD_WAIT_NS ||
        fanout_pressure(taker->fanout, now) < BEHIND_PERCENT)
        return false;
    taker->waiting = taker->hurried = true;
    return true;
}

void pass_segment(struct taker *taker, struct segment *segment)
{
    /* pairs with the control thread's release: what the worker published before it died is visible */
    int life = atomic_load_explicit(&segment->life, memory_order_acquire);
    if (life > SEGMENT_DEAD || is_faulted(segment))
        return;
    if (life == SEGMENT_DEAD && !segment->dead_ns)
        segment->dead_ns = segment->frozen ? segment->frozen_ns : taker->now_ns;
    if (!segment->met)
        taker->news_ns = taker->now_ns;
    segment->met = true;
    if (life == SEGMENT_DEAD && waits_for_room(taker, segment))
        return;
    timebase_refresh(&segment->timebase);
    bool all = adopt_rings(taker, segment);
    if (rings_of(segment) || life == SEGMENT_DEAD)
        tell_started(taker, segment);
    if (!segment->started_done)
        return;
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        if (segment->rings[i] && segment->rings[i]->adopted)
            take_ring(taker, segment->rings[i]);
    }
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        if (segment->rings[i] && segment->rings[i]->adopted)
            take_folds(taker, segment->rings[i], life == SEGMENT_DEAD);
    }
    bool last = life == SEGMENT_DEAD && all && is_drained(segment);
    count_header(taker, segment, last);
    if (!is_faulted(segment) && last && taker_has_names(taker, segment))
        close_segment(taker, segment);
}

void pass_heads(struct taker *taker, struct segment *segment)
{
    int closed = SEGMENT_CLOSED;
    int life = atomic_load_explicit(&segment->life, memory_order_acquire);
    if (life > SEGMENT_CLOSED)
        return;
    bool finished = life == SEGMENT_CLOSED && fanout_has_finished(taker->fanout, segment);
    for (uint32_t i = 0; i < rings_of(segment); i++) {
        if (segment->rings[i] && segment->rings[i]->adopted)
            take_head(taker, segment->rings[i]);
        if (segment->rings[i] && segment->rings[i]->adopted)
            free_folds(taker, segment->rings[i]);
    }
    if (life == SEGMENT_CLOSED && !finished)
        taker->waiting = true;
    if (finished)
        atomic_compare_exchange_strong(&segment->life, &closed, SEGMENT_COMMITTED);
}
