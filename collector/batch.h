/* SPDX-License-Identifier: MIT */
/*
 * Batches: arrays of decoded events on their way from the drain to the reporters, pooled and reference-counted.
 *
 * The drain thread takes an empty one, fills it (runs, events, attributes, text), and hands it to the fan-out, which
 * gives every reporter the same batch, read-only. The last batch_put returns it to the pool. The pool is as large as
 * all queues together and what is in hand, so batch_get cannot fail while the queues are bounded.
 */
#ifndef GB_COLLECTOR_BATCH_H
#define GB_COLLECTOR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/folds.h"
#include "collector/segment.h"
#include "gb/reporter.h"

#define BATCH_EVENTS 1024
#define BATCH_RUNS 128
#define BATCH_ATTRS 4096
#define BATCH_TEXT (64u << 10)
#define BATCH_ACCOUNTS 64
#define BATCH_EVENT_ATTRS 16   /* what one event can have at most, ... */
#define BATCH_EVENT_TEXT 2048u /* ... and its bytes of text */

struct batch {
    struct gb_batch view; /* what reporters see: points into the arrays below */
    uint32_t attr_count, text_bytes, account_count;
    _Atomic uint32_t references;
    bool replay;         /* everything in it was handed out by an earlier collector: durable reporters only */
    bool last_of_worker; /* holds a FINISHED event */
    uint32_t
        counted; /* events that the ledger counts: neither lines about a worker nor unfinished scopes of a dead one */
    int64_t pushed_ns;                    /* CLOCK_MONOTONIC: when it was handed out */
    struct folds *folds;                  /* its own list: each holds its segment; told after the events */
    uint64_t folded;                      /* events in them */
    struct batch *next;                   /* in the pool */
    struct segment *segments[BATCH_RUNS]; /* of each run: held until the batch is put */
    struct gb_run runs[BATCH_RUNS];
    struct gb_event events[BATCH_EVENTS];
    struct gb_event_attr attrs[BATCH_ATTRS];
    struct gb_account accounts[BATCH_ACCOUNTS];
    char text[BATCH_TEXT];
};

struct batch_pool;

int batch_pool_make(size_t batches, struct batch_pool **ret_pool);
void batch_pool_free(struct batch_pool *pool);
/* Drain thread, or before it runs. */
void batch_pool_limit(struct batch_pool *pool, size_t batches);

/* Drain thread. An empty batch with one reference, or NULL when all are in use. */
struct batch *batch_get(struct batch_pool *pool);
void batch_hold(struct batch *batch, uint32_t references);
/* Any thread. */
void batch_put(struct batch_pool *pool, struct batch *batch);

/* Drain thread, while filling: room left for one more event with the most attributes and text it can have? */
bool batch_has_room(const struct batch *batch);

/* Drain thread. Begins a run where the last one ended; `ring` NULL: about the worker as a whole. The batch must have room. */
struct gb_run *batch_begin_run(struct batch *batch, struct segment *segment, struct ring *ring,
                               const struct lease *lease, uint64_t first_seq);
/* Ends it: it has what was added to view.event_count since. One that accounts for nothing is taken back. */
void batch_end_run(struct batch *batch, struct gb_run *run, uint64_t next_seq);

/* Drain thread, while filling. The batch owns them from here on. */
void batch_add_folds(struct batch *batch, struct folds *folds);

#endif
