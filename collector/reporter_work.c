/* SPDX-License-Identifier: MIT */
/*
 * What a reporter's thread does in turn: take a batch, record it, flush, commit. See reporter_thread.h.
 *
 * A ring is in `touched` when its commit lags behind what was recorded of it; each entry holds the ring's segment, so
 * that it is not detached before the commit is stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporter_thread.h"

#define MS 1000000
#define FLUSH_NS (100 * MS)
#define FLUSH_BATCHES 64
#define FLUSH_BYTES (8u << 20)
#define TICK_NS (100 * MS)
#define RETRY_FIRST_NS (5 * MS)
#define RETRY_LAST_NS (500 * MS)
#define EVENT_BYTES 160 /* a rough measure of what an event makes in an output */

/* The one writer of a counter that any thread reads. */
static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static struct batch *pop(struct reporter_thread *thread)
{
    void *batch = NULL;
    /* pairs with the release in reporter_push */
    if (atomic_load_explicit(&thread->pushed, memory_order_acquire) == thread->popped ||
        !ck_ring_dequeue_spsc(&thread->queue, thread->slots, &batch))
        return NULL;
    thread->popped++;
    if (!atomic_load_explicit(&thread->oldest_ns, memory_order_relaxed))
        atomic_store_explicit(&thread->oldest_ns, ((struct batch *)batch)->pushed_ns, memory_order_relaxed);
    /* release: its place in the queue is free; pairs with the acquire in reporter_push */
    atomic_fetch_add_explicit(&thread->out_events, reporter_counts(thread, batch), memory_order_release);
    return batch;
}

static void commit(struct reporter_thread *thread)
{
    for (size_t i = 0; i < thread->touched_count; i++) {
        struct ring *ring = thread->touched[i];
        /* what was recorded is out: pairs with the drain's acquire */
        atomic_store_explicit(&ring->committed[thread->index], ring->recorded[thread->index], memory_order_release);
        atomic_fetch_sub_explicit(&ring->segment->batches, 1, memory_order_release);
    }
    thread->touched_count = 0;
    atomic_store_explicit(&thread->committed, thread->popped, memory_order_release);
}

/* The reporter has all that it was given, or has lost it for good and said so. */
static void settle(struct reporter_thread *thread, int64_t now_ns)
{
    atomic_store_explicit(&thread->unflushed, 0, memory_order_relaxed);
    atomic_store_explicit(&thread->oldest_ns, 0, memory_order_relaxed);
    thread->dirty = thread->stuck = false;
    thread->backoff_ns = 0;
    thread->flushed_ns = now_ns;
    thread->unflushed_batches = thread->unflushed_bytes = 0;
    commit(thread);
}

void reporter_flush(struct reporter_thread *thread, int64_t now_ns)
{
    uint64_t events = atomic_load_explicit(&thread->unflushed, memory_order_relaxed);
    int error = thread->reporter->flush ? thread->reporter->flush(thread->self) : 0;
    if (error == -EAGAIN) {
        thread->backoff_ns = thread->backoff_ns ? 2 * thread->backoff_ns : RETRY_FIRST_NS;
        if (thread->backoff_ns > RETRY_LAST_NS)
            thread->backoff_ns = RETRY_LAST_NS;
        thread->retry_ns = now_ns + thread->backoff_ns;
        thread->stuck = true;
        return;
    }
    if (error) {
        say_limited(&thread->limit, "%s: %s", thread->spec.name, strerror(-error));
        reporter_count_drop(thread, "failed", events);
    } else {
        count(&thread->flushed, events);
    }
    settle(thread, now_ns);
}

/* Room in `touched` for all runs of a batch; without it a flush has to come first. */
static bool reserve(struct reporter_thread *thread, size_t runs)
{
    if (thread->touched_count + runs <= thread->touched_capacity)
        return true;
    size_t capacity = 2 * thread->touched_capacity + BATCH_RUNS;
    struct ring **grown = realloc(thread->touched, capacity * sizeof(struct ring *));
    if (!grown)
        return false;
    thread->touched = grown;
    thread->touched_capacity = capacity;
    return true;
}

/* Every ring of the batch is to be committed with the next flush. The batch still holds the segments here. */
static void touch(struct reporter_thread *thread, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        const struct gb_run *run = &batch->view.runs[i];
        if (!run->ring_known)
            continue;
        struct ring *ring = run->origin;
        uint64_t committed = atomic_load_explicit(&ring->committed[thread->index], memory_order_relaxed);
        if (ring->recorded[thread->index] == committed && run->next_seq != committed) {
            atomic_fetch_add_explicit(&ring->segment->batches, 1, memory_order_relaxed);
            thread->touched[thread->touched_count++] = ring;
        }
        ring->recorded[thread->index] = run->next_seq;
    }
}

static void record_each(struct reporter_thread *thread, const struct gb_run *run)
{
    const struct gb_reporter *reporter = thread->reporter;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (event->kind == GB_EVENT_TIMING) {
            if (reporter->record_timing)
                reporter->record_timing(thread->self, run, event);
        } else if (event->kind <= GB_EVENT_SAMPLE && reporter->record_metric) {
            reporter->record_metric(thread->self, run, event);
        }
    }
}

/* One that was not open yet when this came could have been durable. */
static bool is_for_others(const struct reporter_thread *thread, const struct batch *batch)
{
    return batch->replay && !thread->durable;
}

static void pass_over(struct reporter_thread *thread, const struct batch *batch)
{
    atomic_fetch_sub_explicit(&thread->handed, reporter_counts(thread, batch), memory_order_relaxed);
    atomic_fetch_add_explicit(&thread->unknown, reporter_counts(thread, batch), memory_order_relaxed);
}

/* Returns the events that the filter kept from it. */
static uint64_t record_folds(struct reporter_thread *thread, const struct folds *folds)
{
    uint64_t rejected = 0;
    for (; folds && thread->record_folded; folds = folds->next) {
        for (uint32_t i = 0; i < folds->count; i++) {
            if (filter_passes(thread->filter, folds->item[i].path))
                thread->record_folded(thread->self, &folds->item[i]);
            else
                rejected += folds->item[i].count;
        }
        thread->unflushed_bytes += (uint64_t)folds->count * EVENT_BYTES;
    }
    return rejected;
}

static void record(struct reporter_thread *thread, const struct batch *batch)
{
    uint32_t rejected;
    const struct gb_batch *view = filter_batch(thread->filter, batch, &rejected);
    if (thread->reporter->record_batch)
        thread->reporter->record_batch(thread->self, view);
    if (thread->reporter->record_timing || thread->reporter->record_metric) {
        for (uint32_t i = 0; i < view->run_count; i++)
            record_each(thread, &view->runs[i]);
    }
    uint64_t left_out = rejected + record_folds(thread, batch->folds);
    if (thread->durable)
        touch(thread, batch);
    count(&thread->skipped, left_out);
    count(&thread->unflushed, reporter_counts(thread, batch) - left_out);
    thread->unflushed_batches++;
    thread->unflushed_bytes += (uint64_t)view->event_count * EVENT_BYTES + batch->text_bytes;
    thread->dirty = true;
}

static bool flush_is_due(const struct reporter_thread *thread, int64_t now_ns)
{
    return thread->dirty && (now_ns - thread->flushed_ns >= FLUSH_NS || thread->unflushed_batches >= FLUSH_BATCHES ||
                             thread->unflushed_bytes >= FLUSH_BYTES);
}

bool reporter_work(struct reporter_thread *thread, int64_t now_ns)
{
    if (thread->reporter->tick && now_ns - thread->ticked_ns >= TICK_NS) {
        thread->ticked_ns = now_ns;
        thread->reporter->tick(thread->self, now_ns);
    }
    if (thread->stuck) {
        if (now_ns < thread->retry_ns)
            return false;
        reporter_flush(thread, now_ns);
        return !thread->stuck;
    }
    if (flush_is_due(thread, now_ns) || !reserve(thread, BATCH_RUNS)) {
        reporter_flush(thread, now_ns);
        return !thread->stuck;
    }
    struct batch *batch = pop(thread);
    if (batch) {
        if (is_for_others(thread, batch))
            pass_over(thread, batch);
        else
            record(thread, batch);
        batch_put(thread->pool, batch);
    } else if (thread->dirty) {
        reporter_flush(thread, now_ns);
    }
    return batch || thread->dirty;
}

void reporter_give_up(struct reporter_thread *thread, const char *cause)
{
    uint64_t left = atomic_exchange_explicit(&thread->unflushed, 0, memory_order_relaxed);
    for (struct batch *batch; (batch = pop(thread));) {
        left += reporter_counts(thread, batch);
        batch_put(thread->pool, batch);
    }
    for (size_t i = 0; i < thread->touched_count; i++)
        atomic_fetch_sub_explicit(&thread->touched[i]->segment->batches, 1, memory_order_release);
    thread->touched_count = 0;
    thread->dirty = thread->stuck = false;
    atomic_store_explicit(&thread->oldest_ns, 0, memory_order_relaxed);
    reporter_count_drop(thread, cause, left);
}
