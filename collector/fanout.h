/* SPDX-License-Identifier: MIT */
/*
 * The fan-out: one bounded queue (ck_ring, SPSC) and one thread per reporter.
 *
 * In: full batches from the drain thread (fanout_push). Out: the callbacks of each reporter on that reporter's thread,
 * and, when a durable one has flushed, ring->committed[reporter]. A full queue drops the batch for that reporter
 * alone, counted by events (cause queue_full), and its commit passes over the gap. A reporter without work sleeps on an event count
 * (ck_ec); the drain never waits for one.
 */
#ifndef GB_COLLECTOR_FANOUT_H
#define GB_COLLECTOR_FANOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "collector/batch.h"
#include "collector/reporter_spec.h"
#include "collector/segment.h"
#include "gb/reporter.h"

#define QUEUE_BATCHES 256
#define QUEUE_BATCHES_MAX 65536

struct fanout;
struct collector;

/* Opens every reporter in its order, then starts their threads. The specs are copied. On error everything is undone. */
int fanout_start(const struct reporter_spec *specs, unsigned count, const char *directory, struct fanout **ret_fanout);

/*
 * Control thread: others are to run from now on, while the drain goes on. Those that both know stay as they are: no event is
 * lost or repeated for them. The rest goes in steps, fanout_change_step, to be called (with the bell rung for the drain) until it
 * says that there is nothing more to do:
 *   - from one pass of the drain to the next, the queue of a new or changed one takes the place of the old one's;
 *   - those that leave put out what they have and close, with a deadline; rings wait for the durable ones until then;
 *   - the new ones are opened and work off their queues. One that cannot be opened is left out, what it was given counted `not_opened`.
 * ret_changes: what each is in for, as text for a message, "sqlite (changed), summary (left out)". Returns 1: a change was begun; 0: all
 * stay as they are; -EBUSY: the last change is not over; -ENOSPC, -ENOMEM: nothing has changed. The names of `specs` are set.
 */
int fanout_change(struct fanout *fanout, struct reporter_spec *specs, unsigned count, int64_t deadline_ns,
                  FILE *ret_changes);
bool fanout_change_step(struct fanout *fanout);
/* After the last step: could one not be opened? */
bool fanout_change_failed(const struct fanout *fanout);
/* Those that still leave may take no longer than this. */
void fanout_change_hurry(struct fanout *fanout, int64_t deadline_ns);

/*
 * Drain thread, between two passes and with no batch open: is there another set of reporters? Then, in this order: every segment is
 * prepared for it; it comes into force; those that are new are told what went before.
 */
bool fanout_has_news(const struct fanout *fanout);
void fanout_prepare(const struct fanout *fanout, struct segment *segment);
void fanout_switch(struct fanout *fanout, uint32_t *ret_new);
void fanout_push_to(struct fanout *fanout, struct batch *batch, uint32_t some);

/* Drain thread. Takes over the caller's reference. */
void fanout_push(struct fanout *fanout, struct batch *batch);
struct batch *fanout_batch(struct fanout *fanout);
void fanout_unused(struct fanout *fanout, struct batch *batch); /* gives one back; takes NULL */

/*
 * Drain thread: how full the queue is for which the drain slows down, in percent: the fullest of a durable reporter, for whom a loss weighs
 * most; otherwise the emptiest, since a reporter that is slow must not delay one that is not. Who has taken nothing for a
 * second is not waited for.
 */
unsigned fanout_pressure(struct fanout *fanout, int64_t now_ns);
/* The fullest queue of all that still take: for the end, when nobody is delayed any more. */
unsigned fanout_fullest(struct fanout *fanout, int64_t now_ns);

/* Has a thread been left behind, which may still use what it was given? */
bool fanout_left_behind(const struct fanout *fanout);

/* Drain thread: the least slot of `ring` that every durable reporter has committed, as far as it can be known;
 * ring->taken without one. With `may_yield`, reporters that yield do not hold it back. */
uint64_t fanout_committed(const struct fanout *fanout, const struct ring *ring, bool may_yield);
bool fanout_has_durable(const struct fanout *fanout);

/* Drain thread: after the push of the batch with FINISHED; then: has every durable reporter committed it? */
void fanout_mark_finish(const struct fanout *fanout, struct segment *segment);
bool fanout_has_finished(const struct fanout *fanout, const struct segment *segment);
/* The same with the batch of the ring's folds that were taken last. */
void fanout_mark_folds(const struct fanout *fanout, struct ring *ring);
bool fanout_has_folds(const struct fanout *fanout, const struct ring *ring);

/* What batches come from, and go back to. */
struct batch_pool *fanout_pool(struct fanout *fanout);

/* The sum of all workers: the drain writes it, any thread reads it. */
struct account *fanout_total(struct fanout *fanout);

/* Drain thread: a new ring: `from` is where every reporter starts. */
void fanout_adopt(struct fanout *fanout, struct ring *ring, uint64_t from);

/* Control thread. */
void fanout_reopen(struct fanout *fanout);
void fanout_forget(struct fanout *fanout, const char *segment);

/* Control thread, after the drain has stopped: waits until every queue is empty and flushed, or the deadline (monotonic ns) has
 * passed; what is left then is counted by cause `stalled`. Closes the reporters, which print what they have to. */
void fanout_stop(struct fanout *fanout, int64_t deadline_ns);
void fanout_free(struct fanout *fanout);

/* Any thread: the ledger of each reporter, those that run first, then those that ran. */
#define REPORTER_CAUSES 16
#define ACCOUNTS_MAX 32
struct reporter_account {
    char name[32];
    bool durable;
    uint64_t handed;    /* events offered to it */
    uint64_t delivered; /* recorded and flushed */
    uint64_t skipped;   /* replayed ones that it had already, or filtered out by its globs */
    uint64_t unknown;   /* replayed ones that only an earlier collector can have given it */
    uint32_t queued;    /* events in its queue now */
    int64_t lag_ns;     /* since the oldest of what it took and has not flushed was handed out; 0: none */
    struct {
        const char *cause;
        uint64_t events;
    } dropped[REPORTER_CAUSES]; /* ends at cause == NULL */
};
unsigned fanout_accounts(struct fanout *fanout, struct reporter_account *ret, unsigned capacity);

#endif
