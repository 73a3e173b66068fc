/* SPDX-License-Identifier: MIT */
/*
 * See fanout.h. What each reporter does is in reporter_thread.c, how they start and end in fanout_life.c, how they are exchanged in
 * fanout_change.c; here is who gets what.
 *
 * A durable reporter's commits come back in ring->committed, each by its thread. What its full queue did not take can never be
 * committed by it; the drain knows how far its queue took each ring (queued) and how far the ring was offered
 * (offered): once all that was queued is committed, so is the gap behind it.
 */
#include "collector/fanout.h"

#include "collector/fanout_private.h"
#include "collector/now.h"

#define PATIENCE_NS 1000000000

/* The drain's; after its end the control thread's. */
static struct reporter_set *current(const struct fanout *fanout)
{
    return atomic_load_explicit(&fanout->current, memory_order_relaxed);
}

struct batch_pool *fanout_pool(struct fanout *fanout)
{
    return fanout->pool;
}

struct batch *fanout_batch(struct fanout *fanout)
{
    return batch_get(fanout->pool);
}

void fanout_unused(struct fanout *fanout, struct batch *batch)
{
    if (batch)
        batch_put(fanout->pool, batch);
}

bool fanout_has_durable(const struct fanout *fanout)
{
    return current(fanout)->has_durable;
}

struct account *fanout_total(struct fanout *fanout)
{
    return &fanout->total;
}

/* In percent; 0 when it has taken nothing for a second: nobody waits for it. *ret_stuck says that. */
static unsigned fullness(struct reporter_thread *thread, int64_t now_ns, bool *ret_stuck)
{
    uint64_t pushed = atomic_load_explicit(&thread->pushed, memory_order_relaxed);
    unsigned queued = ck_ring_size(&thread->queue);
    if (pushed - queued != thread->seen_taken || !queued) {
        thread->seen_taken = pushed - queued;
        thread->seen_ns = now_ns;
    }
    *ret_stuck = now_ns - thread->seen_ns >= PATIENCE_NS;
    return *ret_stuck ? 0 : (unsigned)(100ull * queued / ck_ring_capacity(&thread->queue));
}

unsigned fanout_pressure(struct fanout *fanout, int64_t now_ns)
{
    const struct reporter_set *set = current(fanout);
    unsigned durable = 0, least = 100, counted = 0;
    for (unsigned i = 0; i < set->taking; i++) {
        bool stuck;
        unsigned percent = fullness(set->entries[i].thread, now_ns, &stuck);
        if (stuck)
            continue;
        counted++;
        least = percent < least ? percent : least;
        if (set->entries[i].durable && percent > durable)
            durable = percent;
    }
    return !counted || durable > least ? durable : least;
}

unsigned fanout_fullest(struct fanout *fanout, int64_t now_ns)
{
    const struct reporter_set *set = current(fanout);
    unsigned most = 0;
    for (unsigned i = 0; i < set->taking; i++) {
        bool stuck;
        unsigned percent = fullness(set->entries[i].thread, now_ns, &stuck);
        most = percent > most ? percent : most;
    }
    return most;
}

static void note_rings(const struct batch *batch, unsigned index, bool queued)
{
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        const struct gb_run *run = &batch->view.runs[i];
        if (!run->ring_known)
            continue;
        struct ring *ring = run->origin;
        ring->offered[index] = run->next_seq;
        if (queued)
            ring->queued[index] = run->next_seq;
    }
}

void fanout_push(struct fanout *fanout, struct batch *batch)
{
    const struct reporter_set *set = current(fanout);
    batch->pushed_ns = clock_mono_now();
    batch_hold(batch, set->taking);
    for (unsigned i = 0; i < set->taking; i++) {
        struct reporter_thread *thread = set->entries[i].thread;
        bool queued = false;
        if (batch->replay && !set->entries[i].durable)
            atomic_fetch_add_explicit(&thread->unknown, reporter_counts(thread, batch), memory_order_relaxed);
        else
            queued = reporter_push(thread, batch);
        if (set->entries[i].durable)
            note_rings(batch, thread->index, queued);
        if (!queued)
            batch_put(fanout->pool, batch);
    }
    batch_put(fanout->pool, batch);
}

/* How far one durable reporter is. Signed differences: indices may pass 2^64. */
static uint64_t committed_by(const struct ring *ring, unsigned index)
{
    /* pairs with the release in the reporter's commit */
    uint64_t committed = atomic_load_explicit(&ring->committed[index], memory_order_acquire);
    return (int64_t)(committed - ring->queued[index]) >= 0 ? ring->offered[index] : committed;
}

/* Those that leave count as well, as long as they may still commit. */
uint64_t fanout_committed(const struct fanout *fanout, const struct ring *ring, bool may_yield)
{
    const struct reporter_set *set = current(fanout);
    uint64_t least = ring->taken;
    for (unsigned i = 0; i < set->count; i++) {
        const struct reporter_entry *entry = &set->entries[i];
        if (!entry->durable || (may_yield && entry->thread->spec.when_behind == BEHIND_YIELD))
            continue;
        uint64_t committed = committed_by(ring, entry->thread->index);
        if ((int64_t)(committed - least) < 0)
            least = committed;
    }
    return least;
}

static void mark(const struct fanout *fanout, uint64_t finish[REPORTER_SLOTS])
{
    const struct reporter_set *set = current(fanout);
    for (unsigned i = 0; i < set->count; i++) {
        const struct reporter_thread *thread = set->entries[i].thread;
        finish[thread->index] = atomic_load_explicit(&thread->pushed, memory_order_relaxed);
    }
}

static bool is_committed(const struct fanout *fanout, const uint64_t finish[REPORTER_SLOTS])
{
    const struct reporter_set *set = current(fanout);
    for (unsigned i = 0; i < set->count; i++) {
        const struct reporter_thread *thread = set->entries[i].thread;
        /* pairs with the release in the reporter's commit */
        if (set->entries[i].durable &&
            atomic_load_explicit(&thread->committed, memory_order_acquire) < finish[thread->index])
            return false;
    }
    return true;
}

void fanout_mark_finish(const struct fanout *fanout, struct segment *segment)
{
    mark(fanout, segment->finish);
}

bool fanout_has_finished(const struct fanout *fanout, const struct segment *segment)
{
    return is_committed(fanout, segment->finish);
}

void fanout_mark_folds(const struct fanout *fanout, struct ring *ring)
{
    mark(fanout, ring->fold_finish);
}

bool fanout_has_folds(const struct fanout *fanout, const struct ring *ring)
{
    return is_committed(fanout, ring->fold_finish);
}

static void adopt_for(struct ring *ring, unsigned slot, uint64_t from)
{
    ring->fold_finish[slot] = 0;
    ring->offered[slot] = ring->queued[slot] = ring->recorded[slot] = from;
    atomic_store_explicit(&ring->committed[slot], from, memory_order_relaxed); /* its thread sees it by the queue */
}

void fanout_adopt(struct fanout *fanout, struct ring *ring, uint64_t from)
{
    const struct reporter_set *set = current(fanout);
    for (unsigned i = 0; i < set->count; i++)
        adopt_for(ring, set->entries[i].thread->index, from);
}

bool fanout_has_news(const struct fanout *fanout)
{
    return atomic_load_explicit(&fanout->published.set, memory_order_acquire) != current(fanout);
}

/* A new one starts where all others are: no batch is open, so what was taken was pushed. */
void fanout_prepare(const struct fanout *fanout, struct segment *segment)
{
    const struct reporter_set *set = atomic_load_explicit(&fanout->published.set, memory_order_acquire);
    uint32_t rings = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
    for (unsigned i = 0; i < set->count; i++) {
        const struct reporter_thread *thread = set->entries[i].thread;
        if (reporter_set_has(current(fanout), thread))
            continue;
        segment->finish[thread->index] = 0;
        for (uint32_t k = 0; k < rings; k++) {
            if (segment->rings[k] && segment->rings[k]->adopted)
                adopt_for(segment->rings[k], thread->index, segment->rings[k]->taken);
        }
    }
}

/* One load: what was prepared for is what comes into force, as nothing is published while a change waits for the drain. */
void fanout_switch(struct fanout *fanout, uint32_t *ret_new)
{
    struct reporter_set *set = atomic_load_explicit(&fanout->published.set, memory_order_acquire);
    *ret_new = 0;
    for (unsigned i = 0; i < set->taking; i++) {
        if (!reporter_set_has(current(fanout), set->entries[i].thread))
            *ret_new |= 1u << i;
    }
    batch_pool_limit(fanout->pool, IN_HAND + set->batches);
    atomic_store_explicit(&fanout->current, set, memory_order_release); /* the last one may go */
}

void fanout_push_to(struct fanout *fanout, struct batch *batch, uint32_t some)
{
    const struct reporter_set *set = current(fanout);
    batch->pushed_ns = clock_mono_now();
    for (unsigned i = 0; i < set->taking; i++) {
        if (!(some & 1u << i))
            continue;
        batch_hold(batch, 1);
        if (!reporter_push(set->entries[i].thread, batch))
            batch_put(fanout->pool, batch);
    }
    batch_put(fanout->pool, batch);
}
