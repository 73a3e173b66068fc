/* SPDX-License-Identifier: MIT */
/*
 * See fanout.h. What each reporter does is in reporter_thread.c, how they are exchanged in fanout_change.c; here is who gets what.
 *
 * A durable reporter's commits come back in ring->committed, each by its thread. What its full queue did not take can never be
 * committed by it; the drain knows how far its queue took each ring (queued) and how far the ring was offered
 * (offered): once all that was queued is committed, so is the gap behind it.
 */
#include "collector/fanout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/fanout_private.h"
#include "collector/now.h"
#include "collector/say.h"
#include "collector/worker.h"

#define PATIENCE_NS 1000000000

struct reporter_set *fanout_published(const struct fanout *fanout)
{
    return atomic_load_explicit(&fanout->published.set, memory_order_relaxed);
}

/* The drain's; after its end the control thread's. */
static struct reporter_set *current(const struct fanout *fanout)
{
    return atomic_load_explicit(&fanout->current, memory_order_relaxed);
}

int fanout_make_reporter(struct fanout *fanout, const struct reporter_spec *spec, struct reporter_thread **ret_thread)
{
    unsigned slot = 0;
    while (slot < REPORTER_SLOTS && fanout->slots & 1u << slot)
        slot++;
    if (slot == REPORTER_SLOTS)
        return -ENOSPC;
    int error = reporter_make(spec, fanout, ret_thread);
    if (error)
        return error;
    (*ret_thread)->index = slot;
    fanout->slots |= 1u << slot;
    return 0;
}

/* The slot of one that was left behind is never given to another: its thread may still write there. */
void fanout_free_reporter(struct fanout *fanout, struct reporter_thread *thread)
{
    static struct reporter_thread *left; /* known for ever, and what they may still touch with them */
    if (thread->abandoned) {
        thread->next_left = left;
        left = thread;
        return;
    }
    fanout->slots &= ~(1u << thread->index);
    reporter_free(thread);
}

static int open_all(struct fanout *fanout, const struct reporter_spec *specs, unsigned count)
{
    struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < count; i++) {
        struct reporter_thread *thread = NULL;
        int error = fanout_make_reporter(fanout, &specs[i], &thread);
        if (error)
            return error;
        error = reporter_open(thread, fanout->directory, worker_host());
        if (error) {
            fanout_free_reporter(fanout, thread);
            return error;
        }
        reporter_set_add(set, thread, thread->durable);
        set->taking = set->count;
    }
    batch_pool_limit(fanout->pool, IN_HAND + set->batches);
    return 0;
}

static int make(const char *directory, struct fanout **ret_fanout)
{
    struct fanout *fanout = calloc(1, sizeof(*fanout));
    if (!fanout)
        return -ENOMEM;
    struct reporter_set *set = reporter_set_make(NULL);
    fanout->directory = strdup(directory);
    atomic_store_explicit(&fanout->published.set, set, memory_order_relaxed);
    atomic_store_explicit(&fanout->current, set, memory_order_relaxed);
    if (!set || !fanout->directory || batch_pool_make(0, &fanout->pool)) {
        fanout_free(fanout);
        return -ENOMEM;
    }
    *ret_fanout = fanout;
    return 0;
}

int fanout_start(const struct reporter_spec *specs, unsigned count, const char *directory, struct fanout **ret_fanout)
{
    struct fanout *fanout = NULL;
    if (count > REPORTERS_MAX) {
        say("there are %u reporters; at most %u can run", count, REPORTERS_MAX);
        return -E2BIG;
    }
    int error = make(directory, &fanout);
    if (error)
        return error;
    error = open_all(fanout, specs, count);
    for (unsigned i = 0; i < count && !error; i++)
        error = reporter_run(fanout_published(fanout)->entries[i].thread);
    if (error) {
        fanout_stop(fanout, clock_mono_now());
        fanout_free(fanout);
        return error;
    }
    *ret_fanout = fanout;
    return 0;
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

void fanout_reopen(struct fanout *fanout)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->taking; i++)
        if (set->entries[i].thread->runs)
            reporter_ask_reopen(set->entries[i].thread);
}

void fanout_forget(struct fanout *fanout, const char *segment)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->count; i++)
        reporter_ask_forget(set->entries[i].thread, segment);
}

void fanout_stop(struct fanout *fanout, int64_t deadline_ns)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->count; i++)
        reporter_finish(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++)
        reporter_await(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++)
        reporter_close(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++) {
        if (set->entries[i].thread->abandoned)
            fanout->left_behind = true;
        else
            reporter_give_up(set->entries[i].thread, "not_opened"); /* nothing, if it ran */
    }
}

bool fanout_left_behind(const struct fanout *fanout)
{
    return fanout->left_behind;
}

void fanout_free(struct fanout *fanout)
{
    if (!fanout)
        return;
    struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; set && i < set->count; i++)
        fanout_free_reporter(fanout, set->entries[i].thread);
    if (fanout->left_behind) /* what that thread may still touch stays */
        return;
    free(fanout->change.replaced); /* the drain's, if it has not gone on to `set` */
    free(set);
    batch_pool_free(fanout->pool);
    free(fanout->directory);
    free(fanout);
}

unsigned fanout_accounts(struct fanout *fanout, struct reporter_account *ret, unsigned capacity)
{
    unsigned count = reporter_set_accounts(reporter_set_read_begin(&fanout->published), ret, capacity);
    reporter_set_read_end(&fanout->published);
    return count;
}
