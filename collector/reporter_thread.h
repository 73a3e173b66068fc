/* SPDX-License-Identifier: MIT */
/*
 * One running reporter: its queue, its thread, its account. In: batches from the drain. Out: the reporter's callbacks, all on
 * this thread, and the commits of what a durable reporter has flushed.
 *
 * Batches come in the order in which they were pushed, and are committed in that order. While a flush says -EAGAIN nothing
 * more is handed to the reporter; its queue fills up behind it. A queue is there before its reporter is open: one that takes
 * another's place loses nothing while that one ends.
 */
#ifndef GB_COLLECTOR_REPORTER_THREAD_H
#define GB_COLLECTOR_REPORTER_THREAD_H

#include <ck_ring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/eventcount.h"
#include "collector/fanout.h"
#include "collector/filter.h"
#include "collector/say.h"

enum reporter_state { REPORTER_RUNS, REPORTER_DRAINED, REPORTER_CLOSED };

/* The first causes of every reporter; those that it tells of itself follow. */
enum { CAUSE_QUEUE_FULL, CAUSE_STALLED, CAUSE_FAILED, CAUSE_OWN };

/* Writers: D drain, R this thread, C control. */
struct reporter_thread {
    /* constant once it runs */
    struct gb_reporter_setup setup;
    const struct gb_reporter *reporter;
    void (*record_folded)(void *self, const struct gb_folded *folded); /* NULL: folded events are none of its */
    void *self;
    struct reporter_spec spec; /* a copy of its own */
    unsigned index;            /* in ring->committed */
    atomic_bool durable;       /* C: from open on */
    struct batch_pool *pool;
    const struct account *total;
    struct fanout *fanout; /* of which it is one */
    struct filter *filter;
    pthread_t thread;
    bool opened;                       /* C: to be closed */
    bool runs;                         /* C: the thread was made and not joined */
    bool abandoned;                    /* C: it never came back: its memory cannot go */
    struct reporter_thread *next_left; /* C: of those */
    int64_t close_by_ns;               /* C: asked to close, and until when it may take */

    /* the queue */
    ck_ring_t queue;
    ck_ring_buffer_t *slots;
    struct ck_ec32 wakeup;
    _Alignas(64) _Atomic uint64_t pushed;         /* D: batches; release, after the enqueue */
    _Atomic uint64_t in_events;                   /* D: of those, events that the ledger counts */
    _Atomic uint64_t handed, unknown;             /* D, R */
    uint64_t seen_taken;                          /* D: how many it had taken when it took one last, ... */
    int64_t seen_ns;                              /* ... and when that was */
    _Alignas(64) _Atomic uint64_t committed;      /* R: batches; release, after the rings' commits */
    _Atomic uint64_t out_events;                  /* R: taken out of the queue */
    _Atomic uint64_t flushed, skipped, unflushed; /* R: events */
    _Atomic int64_t oldest_ns;                    /* R: when the oldest that is not flushed was pushed; 0: none */
    _Atomic uint64_t already;                     /* events that it had from before, by its own word */
    uint64_t popped;                              /* R: batches */

    /* R: since the last flush */
    struct ring **touched; /* rings that its commit moves; each holds its segment */
    size_t touched_count, touched_capacity;
    int64_t flushed_ns, ticked_ns, retry_ns, backoff_ns;
    uint64_t unflushed_batches, unflushed_bytes;
    bool dirty; /* something was recorded since the last flush */
    bool stuck; /* the last flush said -EAGAIN */
    struct gb_account total_copy;
    struct say_limit limit;

    struct {
        _Atomic(const char *) cause;
        _Atomic uint64_t events;
    } dropped[REPORTER_CAUSES];

    /* what the control thread wants */
    _Atomic int64_t deadline_ns; /* not 0: drain the queue, flush, and end, by then */
    atomic_bool may_close;
    atomic_bool asked; /* there are requests */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum reporter_state state; /* under the lock */
    bool reopen;               /* the same */
    char (*forget)[33];
    size_t forget_count;
};

/* Control thread. One with a queue; then it is opened (on error it has been said); then its thread runs. */
int reporter_make(const struct reporter_spec *spec, struct fanout *fanout, struct reporter_thread **ret_thread);
int reporter_open(struct reporter_thread *thread, const char *directory, const char *host);
int reporter_run(struct reporter_thread *thread);
void reporter_ask_reopen(struct reporter_thread *thread);
void reporter_ask_forget(struct reporter_thread *thread, const char *segment);

/* Control thread, at the end: all of them are told to finish; then each is waited for; then each closes, one after the other. */
void reporter_finish(struct reporter_thread *thread, int64_t deadline_ns);
void reporter_await(struct reporter_thread *thread, int64_t deadline_ns);
void reporter_close(struct reporter_thread *thread, int64_t deadline_ns);
/* The last two without waiting. False: not yet. */
bool reporter_has_finished(struct reporter_thread *thread, int64_t deadline_ns);
bool reporter_has_closed(struct reporter_thread *thread, int64_t deadline_ns);
void reporter_free(struct reporter_thread *thread);

/* Events of a batch that are in this reporter's account. */
static inline uint64_t reporter_counts(const struct reporter_thread *thread, const struct batch *batch)
{
    return batch->counted + (thread->record_folded ? batch->folded : 0);
}

/* Drain thread. False: its queue is full; it was counted. Takes a reference of the caller. */
bool reporter_push(struct reporter_thread *thread, struct batch *batch);

/* Any thread. */
void reporter_count_drop(struct reporter_thread *thread, const char *cause, uint64_t events);

/* Its thread (reporter_work.c): one turn; false: nothing to do. */
bool reporter_work(struct reporter_thread *thread, int64_t now_ns);
void reporter_flush(struct reporter_thread *thread, int64_t now_ns);
/* Its thread, at the deadline (the control thread, when it never ran): what is left is counted and let go, and never committed. */
void reporter_give_up(struct reporter_thread *thread, const char *cause);

#endif
