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
#include "collector/segment.h"
#include "gb/reporter.h"

#define QUEUE_BATCHES 256
#define QUEUE_BATCHES_MAX 65536

enum when_behind { BEHIND_YIELD, BEHIND_HOLD };

/* What the command line or a file says of one reporter. */
struct reporter_spec {
    const struct gb_reporter *reporter;
    char name[32];                  /* instance: log, log-2 */
    struct gb_option_value *values; /* in the order of reporter->options */
    uint32_t queue;                 /* batches; 0: QUEUE_BATCHES */
    enum when_behind when_behind;
    char **include, **exclude; /* globs on the scope, NULL-terminated; NULL: all */
};

struct fanout;
struct collector;

/* Opens every reporter in its order, then starts their threads. On error everything is undone. */
int fanout_start(const struct reporter_spec *specs, unsigned count, const char *directory, struct fanout **ret_fanout);

/* Drain thread. Takes over the caller's reference. */
void fanout_push(struct fanout *fanout, struct batch *batch);
struct batch *fanout_batch(struct fanout *fanout);
void fanout_unused(struct fanout *fanout, struct batch *batch); /* gives one back; takes NULL */

/* Drain thread: the fullest queue, in percent, but for those of reporters that have taken nothing for a second: nobody waits for
 * them. */
unsigned fanout_pressure(struct fanout *fanout, int64_t now_ns);

/* After fanout_stop: has a thread been left behind, which may still use what it was given? */
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

/* Any thread: the ledger of each reporter. */
#define REPORTER_CAUSES 16
struct reporter_account {
    char name[32];
    bool durable;
    uint64_t handed;    /* events offered to it */
    uint64_t delivered; /* recorded and flushed */
    uint64_t skipped;   /* replayed ones that it had already, or filtered out by its globs */
    uint64_t unknown;   /* replayed ones that only an earlier collector can have given it */
    uint32_t queued;    /* events in its queue now */
    struct {
        const char *cause;
        uint64_t events;
    } dropped[REPORTER_CAUSES]; /* ends at cause == NULL */
};
unsigned fanout_accounts(struct fanout *fanout, struct reporter_account *ret, unsigned capacity);

#endif
