/* SPDX-License-Identifier: MIT */
/*
 * See take.h: the fold tables of one ring. An epoch goes through four steps, each told to whom it concerns before the next:
 *
 *   closed   the worker folds no more into it (P9); only when the epoch before is freed, so the worker always has a table
 *   taken    it stands still; its folds are in a batch. In the checkpoint before that is queued (P11)
 *   freed    every durable reporter has committed them; in the checkpoint, then in the consumer page: the worker may clear it
 *
 * A dead worker closes nothing and clears nothing any more: what it left is taken at once, both tables.
 */
#include <errno.h>
#include <time.h>

#include "collector/checkpoint.h"
#include "collector/say.h"
#include "collector/take.h"

#define FOLD_NS 100000000 /* an epoch lasts so long at least */
#define TRIES 100         /* at the end, for a worker that is inside a fold */
#define TRY_NS 20000

static bool is_due(const struct taker *taker, const struct ring *ring)
{
    return taker->final || (!taker->hurried && taker->now_ns - ring->fold_ns >= FOLD_NS);
}

static void close_epoch(const struct taker *taker, struct ring *ring, uint64_t epoch)
{
    ring->fold_closed = epoch;
    ring->fold_ns = taker->now_ns;
    __atomic_store_n(&ring->consumer->fold_closed, epoch, __ATOMIC_RELAXED);
    /* pairs with the fence in the worker's fold: it sees that the epoch is closed, or we see it inside */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Does the table of a closed epoch stand still? Acquire pairs with the release at the end of a fold. */
static bool stands_still(const struct taker *taker, const struct ring *ring, uint64_t epoch)
{
    for (unsigned i = 0; __atomic_load_n(&ring->producer->fold_busy, __ATOMIC_ACQUIRE) == epoch; i++) {
        if (!taker->final || i == TRIES)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
    }
    return true;
}

/* Nothing of it is believed any more: what it would have told stays in flight for ever, and that is said. */
static void distrust(struct taker *taker, struct ring *ring)
{
    ring->fold_bytes = 0;
    say("the fold tables of ring %u of %s make no sense: what they hold is lost, and stays in flight in the ledger",
        ring->index, ring->segment->file);
    account_add(&ring->segment->account.violations, 1);
    account_add(&taker->total->violations, 1);
}

static void count_folds(struct taker *taker, struct ring *ring, const struct folds *folds)
{
    struct account *account = &ring->segment->account;
    ring->folded += folds->events + folds->malformed;
    account_add(&account->folded, folds->events);
    account_add(&taker->total->folded, folds->events);
    account_add(&account->malformed, folds->malformed);
    account_add(&taker->total->malformed, folds->malformed);
}

static bool hand_on(struct taker *taker, struct ring *ring, struct folds *folds, uint64_t epoch)
{
    struct batch *batch = taker_batch(taker, epoch <= ring->fold_replayed);
    if (!batch)
        return false;
    count_folds(taker, ring, folds);
    ring->fold_taken = epoch;
    if (folds->count)
        batch_add_folds(batch, folds);
    else
        folds_free(folds);
    checkpoint_store(ring);
    taker_push(taker);
    fanout_mark_folds(taker->fanout, ring);
    taker->found = true;
    return true;
}

/* False: no more of this ring in this pass. */
static bool take_epoch(struct taker *taker, struct ring *ring, bool dead)
{
    /* pairs with the worker's release (P10) */
    uint64_t folded = __atomic_load_n(&ring->producer->folded, __ATOMIC_ACQUIRE);
    uint64_t current = __atomic_load_n(&ring->producer->fold_epoch, __ATOMIC_ACQUIRE);
    uint64_t epoch = ring->fold_taken + 1, most = folded - ring->folded;
    struct folds *folds = NULL;
    if (!most)
        return false;
    if (current + 1 - epoch > 2 || most > INT64_MAX) { /* epochs out of reach, or fewer events than there were */
        distrust(taker, ring);
        return false;
    }
    taker->waiting = true;
    if (current < epoch || (!dead && ring->fold_taken != ring->fold_freed))
        return false;
    if (!dead) {
        if (ring->fold_closed < epoch) {
            if (!is_due(taker, ring))
                return false;
            close_epoch(taker, ring, epoch);
        }
        if (!stands_still(taker, ring, epoch))
            return false;
    }
    /* read again: more may have come into it before it was closed */
    most = __atomic_load_n(&ring->producer->folded, __ATOMIC_ACQUIRE) - ring->folded;
    if (!taker_has_names(taker, ring->segment))
        return false;
    int error = folds_read(ring, taker->paths, epoch, dead, most, &folds);
    if (!error && dead && current == epoch && folds->events + folds->malformed != most)
        error = -EPROTO;
    if (error == -EPROTO)
        distrust(taker, ring);
    if (error || !hand_on(taker, ring, folds, epoch)) {
        folds_free(folds);
        return false;
    }
    return dead;
}

void take_folds(struct taker *taker, struct ring *ring, bool dead)
{
    while (ring->fold_bytes && take_epoch(taker, ring, dead))
        ;
}

bool folds_are_taken(const struct ring *ring)
{
    return !ring->fold_bytes || __atomic_load_n(&ring->producer->folded, __ATOMIC_ACQUIRE) == ring->folded;
}

void free_folds(struct taker *taker, struct ring *ring)
{
    if (ring->fold_taken == ring->fold_freed)
        return;
    if (taker->durable && !fanout_has_folds(taker->fanout, ring)) {
        taker->waiting = true;
        return;
    }
    ring->fold_freed = ring->fold_taken;
    ring->folded_freed = ring->folded;
    checkpoint_store(ring);
    /* our copy is done: pairs with the worker's acquire */
    __atomic_store_n(&ring->consumer->fold_freed, ring->fold_freed, __ATOMIC_RELEASE);
}
