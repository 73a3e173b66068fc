/* SPDX-License-Identifier: MIT */
/*
 * See batch.h. The drain alone takes from the pool: it has a private list, and when that is empty it takes at one blow
 * all that the reporters' threads have returned. So there is no lock, no ABA, and the batch used last, which is
 * still in the cache, is used next.
 */
#include "collector/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct batch_pool {
    struct batch *ready; /* the drain's */
    size_t made, limit;
    _Alignas(64) _Atomic(struct batch *) returned;
};

int batch_pool_make(size_t batches, struct batch_pool **ret_pool)
{
    struct batch_pool *pool = aligned_alloc(64, (sizeof(*pool) + 63) & ~(size_t)63);
    if (!pool)
        return -ENOMEM;
    memset(pool, 0, sizeof(*pool));
    pool->limit = batches;
    *ret_pool = pool;
    return 0;
}

static void free_list(struct batch *batch)
{
    while (batch) {
        struct batch *next = batch->next;
        free(batch);
        batch = next;
    }
}

void batch_pool_free(struct batch_pool *pool)
{
    if (!pool)
        return;
    free_list(pool->ready);
    free_list(atomic_load_explicit(&pool->returned, memory_order_acquire));
    free(pool);
}

void batch_pool_limit(struct batch_pool *pool, size_t batches)
{
    pool->limit = batches;
}

/* What was made before the limit was lowered. */
static void free_beyond_limit(struct batch_pool *pool)
{
    while (pool->made > pool->limit && pool->ready) {
        struct batch *batch = pool->ready;
        pool->ready = batch->next;
        pool->made--;
        free(batch);
    }
}

static struct batch *pool_take(struct batch_pool *pool)
{
    if (!pool->ready) /* pairs with the release in batch_put */
        pool->ready = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    if (pool->made > pool->limit)
        free_beyond_limit(pool);
    struct batch *batch = pool->ready;
    if (batch) {
        pool->ready = batch->next;
        return batch;
    }
    if (pool->made >= pool->limit)
        return NULL;
    batch = malloc(sizeof(*batch)); /* pages that are never used are never touched */
    if (batch)
        pool->made++;
    return batch;
}

struct batch *batch_get(struct batch_pool *pool)
{
    struct batch *batch = pool_take(pool);
    if (!batch)
        return NULL;
    memset(&batch->view, 0, sizeof(batch->view));
    batch->view.runs = batch->runs;
    batch->attr_count = batch->text_bytes = batch->account_count = batch->counted = 0;
    batch->replay = batch->last_of_worker = false;
    batch->next = NULL;
    batch->folds = NULL;
    batch->folded = 0;
    atomic_store_explicit(&batch->references, 1, memory_order_relaxed);
    return batch;
}

void batch_hold(struct batch *batch, uint32_t references)
{
    atomic_fetch_add_explicit(&batch->references, references, memory_order_relaxed);
}

void batch_put(struct batch_pool *pool, struct batch *batch)
{
    /* release: our reads are over; acquire: the last one sees that the others' are */
    if (atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < batch->view.run_count; i++)
        atomic_fetch_sub_explicit(&batch->segments[i]->batches, 1, memory_order_release);
    for (const struct folds *folds = batch->folds; folds; folds = folds->next)
        atomic_fetch_sub_explicit(&folds->segment->batches, 1, memory_order_release);
    folds_free(batch->folds);
    batch->folds = NULL;
    struct batch *head = atomic_load_explicit(&pool->returned, memory_order_relaxed);
    do {
        batch->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&pool->returned, &head, batch, memory_order_release,
                                                    memory_order_relaxed));
}

bool batch_has_room(const struct batch *batch)
{
    return batch->view.event_count < BATCH_EVENTS && batch->view.run_count < BATCH_RUNS &&
           batch->account_count < BATCH_ACCOUNTS && batch->attr_count + BATCH_EVENT_ATTRS <= BATCH_ATTRS &&
           batch->text_bytes + BATCH_EVENT_TEXT <= BATCH_TEXT;
}

struct gb_run *batch_begin_run(struct batch *batch, struct segment *segment, struct ring *ring,
                               const struct lease *lease, uint64_t first_seq)
{
    uint32_t index = batch->view.run_count++;
    struct gb_run *run = &batch->runs[index];
    *run = (struct gb_run){.worker = segment->worker,
                           .ring = ring ? ring->index : 0,
                           .tid = lease ? lease->tid : 0,
                           .lease = lease ? lease->number : 0,
                           .first_seq = first_seq,
                           .next_seq = first_seq,
                           .events = batch->events + batch->view.event_count,
                           .ring_known = ring != NULL,
                           .origin = ring ? (void *)ring : segment};
    if (lease)
        memcpy(run->thread, lease->thread, sizeof(run->thread));
    batch->segments[index] = segment;
    atomic_fetch_add_explicit(&segment->batches, 1, memory_order_relaxed);
    return run;
}

void batch_end_run(struct batch *batch, struct gb_run *run, uint64_t next_seq)
{
    run->next_seq = next_seq;
    run->count = (uint32_t)(batch->events + batch->view.event_count - run->events);
    if (run->count || run->next_seq != run->first_seq)
        return;
    batch->view.run_count--;
    atomic_fetch_sub_explicit(&batch->segments[batch->view.run_count]->batches, 1, memory_order_release);
}

void batch_add_folds(struct batch *batch, struct folds *folds)
{
    atomic_fetch_add_explicit(&folds->segment->batches, 1, memory_order_relaxed);
    folds->next = batch->folds;
    batch->folds = folds;
    batch->folded += folds->events;
}
