/* SPDX-License-Identifier: MIT */
/*
 * See fanout.h. What each reporter does is in reporter_thread.c; here is who gets what.
 *
 * A durable reporter's commits come back in ring->committed, each by its thread. What its full queue did not take can never be
 * committed by it; the drain knows how far its queue took each ring (queued) and how far the ring was offered
 * (offered): once all that was queued is committed, so is the gap behind it.
 */
#include "collector/fanout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/reporter_thread.h"
#include "collector/say.h"
#include "collector/worker.h"

#define IN_HAND 4 /* batches outside of the queues: the drain's, and what reporters work on has its own */

#define PATIENCE_NS 1000000000

/* How far a reporter was when it took a batch last; the drain's. */
struct progress {
    uint64_t taken;
    int64_t since_ns;
};

struct fanout {
    struct reporter_thread *reporters[REPORTERS_MAX];
    unsigned count;
    bool has_durable;
    struct batch_pool *pool;
    char *directory;
    struct account total;
    struct progress progress[REPORTERS_MAX];
};

static int make_reporter(struct fanout *fanout, const struct reporter_spec *spec)
{
    struct reporter_thread *thread = aligned_alloc(64, (sizeof(*thread) + 63) & ~(size_t)63);
    if (!thread)
        return -ENOMEM;
    memset(thread, 0, sizeof(*thread));
    thread->index = fanout->count;
    thread->total = &fanout->total;
    thread->fanout = fanout;
    int error = reporter_open(thread, spec, fanout->directory, worker_host());
    if (error) {
        reporter_free(thread);
        return error;
    }
    fanout->reporters[fanout->count++] = thread;
    fanout->has_durable |= thread->durable;
    return 0;
}

static int open_all(struct fanout *fanout, const struct reporter_spec *specs, unsigned count)
{
    size_t batches = IN_HAND;
    for (unsigned i = 0; i < count; i++) {
        int error = make_reporter(fanout, &specs[i]);
        if (error)
            return error;
        batches += ck_ring_capacity(&fanout->reporters[i]->queue) + 1; /* what it works on */
    }
    return batch_pool_make(batches, &fanout->pool);
}

int fanout_start(const struct reporter_spec *specs, unsigned count, const char *directory, struct fanout **ret_fanout)
{
    if (count > REPORTERS_MAX) {
        say("there are %u reporters; at most %u can run", count, REPORTERS_MAX);
        return -E2BIG;
    }
    struct fanout *fanout = calloc(1, sizeof(*fanout));
    if (!fanout)
        return -ENOMEM;
    fanout->directory = strdup(directory);
    int error = fanout->directory ? open_all(fanout, specs, count) : -ENOMEM;
    for (unsigned i = 0; i < fanout->count && !error; i++) {
        fanout->reporters[i]->pool = fanout->pool;
        error = reporter_run(fanout->reporters[i]);
    }
    if (error) {
        fanout_stop(fanout, clock_mono_now());
        fanout_free(fanout);
        return error;
    }
    *ret_fanout = fanout;
    return 0;
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
    return fanout->has_durable;
}

struct account *fanout_total(struct fanout *fanout)
{
    return &fanout->total;
}

unsigned fanout_pressure(struct fanout *fanout, int64_t now_ns)
{
    unsigned most = 0;
    for (unsigned i = 0; i < fanout->count; i++) {
        const ck_ring_t *queue = &fanout->reporters[i]->queue;
        struct progress *progress = &fanout->progress[i];
        uint64_t pushed = atomic_load_explicit(&fanout->reporters[i]->pushed, memory_order_relaxed);
        unsigned queued = ck_ring_size(queue);
        if (pushed - queued != progress->taken || !queued)
            *progress = (struct progress){.taken = pushed - queued, .since_ns = now_ns};
        unsigned percent = (unsigned)(100ull * queued / ck_ring_capacity(queue));
        if (percent > most && now_ns - progress->since_ns < PATIENCE_NS)
            most = percent;
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
    batch_hold(batch, fanout->count);
    for (unsigned i = 0; i < fanout->count; i++) {
        struct reporter_thread *thread = fanout->reporters[i];
        bool queued = false;
        if (batch->replay && !thread->durable)
            atomic_fetch_add_explicit(&thread->unknown, reporter_counts(thread, batch), memory_order_relaxed);
        else
            queued = reporter_push(thread, batch);
        if (thread->durable)
            note_rings(batch, i, queued);
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

uint64_t fanout_committed(const struct fanout *fanout, const struct ring *ring, bool may_yield)
{
    uint64_t least = ring->taken;
    for (unsigned i = 0; i < fanout->count; i++) {
        const struct reporter_thread *thread = fanout->reporters[i];
        if (!thread->durable || (may_yield && thread->when_behind == BEHIND_YIELD))
            continue;
        uint64_t committed = committed_by(ring, i);
        if ((int64_t)(committed - least) < 0)
            least = committed;
    }
    return least;
}

static void mark(const struct fanout *fanout, uint64_t finish[REPORTERS_MAX])
{
    for (unsigned i = 0; i < fanout->count; i++)
        finish[i] = atomic_load_explicit(&fanout->reporters[i]->pushed, memory_order_relaxed);
}

static bool is_committed(const struct fanout *fanout, const uint64_t finish[REPORTERS_MAX])
{
    for (unsigned i = 0; i < fanout->count; i++) {
        const struct reporter_thread *thread = fanout->reporters[i];
        /* pairs with the release in the reporter's commit */
        if (thread->durable && atomic_load_explicit(&thread->committed, memory_order_acquire) < finish[i])
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

void fanout_adopt(struct fanout *fanout, struct ring *ring, uint64_t from)
{
    for (unsigned i = 0; i < fanout->count; i++) {
        ring->offered[i] = ring->queued[i] = ring->recorded[i] = from;
        atomic_store_explicit(&ring->committed[i], from, memory_order_relaxed); /* its thread sees it by the queue */
    }
}

void fanout_reopen(struct fanout *fanout)
{
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_ask_reopen(fanout->reporters[i]);
}

void fanout_forget(struct fanout *fanout, const char *segment)
{
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_ask_forget(fanout->reporters[i], segment);
}

void fanout_stop(struct fanout *fanout, int64_t deadline_ns)
{
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_finish(fanout->reporters[i], deadline_ns);
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_await(fanout->reporters[i], deadline_ns);
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_close(fanout->reporters[i], deadline_ns);
}

bool fanout_left_behind(const struct fanout *fanout)
{
    for (unsigned i = 0; i < fanout->count; i++) {
        if (fanout->reporters[i]->abandoned)
            return true;
    }
    return false;
}

void fanout_free(struct fanout *fanout)
{
    if (!fanout)
        return;
    bool left_behind = fanout_left_behind(fanout);
    for (unsigned i = 0; i < fanout->count; i++)
        reporter_free(fanout->reporters[i]);
    if (left_behind) /* what that thread may still touch stays */
        return;
    batch_pool_free(fanout->pool);
    free(fanout->directory);
    free(fanout);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_account(const struct reporter_thread *thread, struct reporter_account *ret_account)
{
    uint64_t own = load(&thread->already), out = load(&thread->out_events), in = load(&thread->in_events);
    *ret_account = (struct reporter_account){.durable = thread->durable,
                                             .handed = load(&thread->handed),
                                             .unknown = load(&thread->unknown),
                                             .skipped = load(&thread->skipped) + own,
                                             .queued = (uint32_t)(in - out + load(&thread->unflushed))};
    memcpy(ret_account->name, thread->name, sizeof(ret_account->name));
    unsigned used = 0;
    for (unsigned i = 0; i < REPORTER_CAUSES - 1; i++) {
        uint64_t events = load(&thread->dropped[i].events);
        if (!events)
            continue;
        own += i >= CAUSE_OWN ? events : 0;
        ret_account->dropped[used].cause = atomic_load_explicit(&thread->dropped[i].cause, memory_order_relaxed);
        ret_account->dropped[used++].events = events;
    }
    /* what it lost of its own, or skipped, was flushed as far as we know */
    uint64_t flushed = load(&thread->flushed);
    ret_account->delivered = flushed > own ? flushed - own : 0;
}

unsigned fanout_accounts(struct fanout *fanout, struct reporter_account *ret, unsigned capacity)
{
    unsigned count = fanout->count < capacity ? fanout->count : capacity;
    for (unsigned i = 0; i < count; i++)
        read_account(fanout->reporters[i], &ret[i]);
    return count;
}
