/* SPDX-License-Identifier: MIT */
/* See reporter_thread.h: the life of a thread and its requests. How it is made is in reporter_open.c, what it does with batches in
 * reporter_work.c. */
#include "collector/reporter_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/now.h"
#include "collector/start_thread.h"

#define WAKE_NS 100000000       /* a thread that has a tick, or something to flush, looks so often */
#define WAKE_IDLE_NS 1000000000 /* any other */
#define GRACE_NS 500000000      /* beyond a deadline, for a callback to return */

static void set_state(struct reporter_thread *thread, enum reporter_state state)
{
    pthread_mutex_lock(&thread->lock);
    thread->state = state;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

/* Reopening comes after what was recorded before it is out; a reporter that is stuck reopens all the same, as that may be
 * what gets it going. */
static void serve_requests(struct reporter_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    bool reopen = thread->reopen;
    char(*forget)[33] = thread->forget;
    size_t forget_count = thread->forget_count;
    thread->reopen = false;
    thread->forget = NULL;
    thread->forget_count = 0;
    atomic_store_explicit(&thread->asked, false, memory_order_relaxed);
    pthread_mutex_unlock(&thread->lock);
    if (reopen && thread->reporter->reopen) {
        if (thread->dirty && !thread->stuck)
            reporter_flush(thread, clock_mono_now());
        int error = thread->reporter->reopen(thread->self);
        if (error)
            say("%s: cannot be reopened: %s", thread->spec.name, strerror(-error));
    }
    for (size_t i = 0; i < forget_count; i++)
        thread->reporter->forget(thread->self, forget[i]);
    free(forget);
}

static bool queue_is_empty(const struct reporter_thread *thread)
{
    return atomic_load_explicit(&thread->pushed, memory_order_acquire) == thread->popped;
}

static int64_t next_look(const struct reporter_thread *thread, int64_t now_ns, int64_t deadline_ns)
{
    int64_t next = now_ns + (thread->reporter->tick || thread->dirty ? WAKE_NS : WAKE_IDLE_NS);
    if (thread->stuck && thread->retry_ns < next)
        next = thread->retry_ns;
    return deadline_ns && deadline_ns < next ? deadline_ns : next;
}

static void *run(void *argument)
{
    struct reporter_thread *thread = argument;
    for (;;) {
        uint32_t seen = ck_ec32_value(&thread->wakeup);
        int64_t now = clock_mono_now();
        /* pairs with the release in reporter_finish: nothing is pushed after it */
        int64_t deadline = atomic_load_explicit(&thread->deadline_ns, memory_order_acquire);
        if (atomic_load_explicit(&thread->asked, memory_order_relaxed))
            serve_requests(thread);
        bool worked = reporter_work(thread, now);
        if (deadline && queue_is_empty(thread) && !thread->dirty)
            break;
        if (deadline && now >= deadline) {
            reporter_give_up(thread, "stalled");
            break;
        }
        if (!worked)
            eventcount_wait(&thread->wakeup, seen, next_look(thread, now, deadline));
    }
    set_state(thread, REPORTER_DRAINED);
    for (;;) {
        uint32_t seen = ck_ec32_value(&thread->wakeup);
        if (atomic_load_explicit(&thread->may_close, memory_order_acquire))
            break;
        eventcount_wait(&thread->wakeup, seen, clock_mono_now() + WAKE_IDLE_NS);
    }
    thread->reporter->close(thread->self);
    set_state(thread, REPORTER_CLOSED);
    return NULL;
}

int reporter_run(struct reporter_thread *thread)
{
    char name[40];
    snprintf(name, sizeof(name), "gb-%s", thread->spec.name);
    thread->flushed_ns = thread->ticked_ns = clock_mono_now();
    int error = start_thread(&thread->thread, name, run, thread);
    thread->runs = !error;
    return error;
}

static void ask(struct reporter_thread *thread)
{
    atomic_store_explicit(&thread->asked, true, memory_order_relaxed);
    pthread_mutex_unlock(&thread->lock);
    eventcount_wake(&thread->wakeup);
}

void reporter_ask_reopen(struct reporter_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    thread->reopen = true;
    ask(thread);
}

void reporter_ask_forget(struct reporter_thread *thread, const char *segment)
{
    if (!thread->reporter->forget)
        return;
    pthread_mutex_lock(&thread->lock);
    char(*grown)[33] = realloc(thread->forget, (thread->forget_count + 1) * sizeof(*grown));
    if (grown) { /* without memory a stale cursor stays: harmless */
        thread->forget = grown;
        snprintf(grown[thread->forget_count++], sizeof(*grown), "%s", segment);
    }
    ask(thread);
}

bool reporter_push(struct reporter_thread *thread, struct batch *batch)
{
    uint64_t events = reporter_counts(thread, batch);
    atomic_fetch_add_explicit(&thread->handed, events, memory_order_relaxed);
    /* ck_ring orders by itself; this is the same order in a form that race detectors know. Pairs with the release in pop */
    (void)atomic_load_explicit(&thread->out_events, memory_order_acquire);
    if (!ck_ring_enqueue_spsc(&thread->queue, thread->slots, batch)) {
        reporter_count_drop(thread, "queue_full", events);
        return false;
    }
    atomic_fetch_add_explicit(&thread->in_events, events, memory_order_relaxed);
    atomic_fetch_add_explicit(&thread->pushed, 1, memory_order_release); /* pairs with the acquire in pop */
    eventcount_wake(&thread->wakeup);
    return true;
}

void reporter_finish(struct reporter_thread *thread, int64_t deadline_ns)
{
    atomic_store_explicit(&thread->deadline_ns, deadline_ns ? deadline_ns : 1, memory_order_release);
    eventcount_wake(&thread->wakeup);
}

/* True: it got there. */
static bool wait_for(struct reporter_thread *thread, enum reporter_state state, int64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)};
    int error = 0;
    pthread_mutex_lock(&thread->lock);
    while (thread->state < state && !error)
        error = pthread_cond_timedwait(&thread->changed, &thread->lock, &until);
    bool reached = thread->state >= state;
    pthread_mutex_unlock(&thread->lock);
    return reached;
}

static void abandon(struct reporter_thread *thread, const char *what)
{
    uint64_t left = atomic_load(&thread->handed) - atomic_load(&thread->flushed) - atomic_load(&thread->skipped);
    for (unsigned i = 0; i < CAUSE_OWN; i++)
        left -= atomic_load(&thread->dropped[i].events); /* its own causes are within what it flushed */
    say("%s: does not %s; it is left behind", thread->spec.name, what);
    thread->abandoned = true;
    /* should it come back, it closes by itself: what it had locked is free again */
    atomic_store_explicit(&thread->may_close, true, memory_order_release);
    thread->runs = false;
    pthread_detach(thread->thread);
    reporter_count_drop(thread, "stalled", left);
}

void reporter_await(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (thread->runs && !wait_for(thread, REPORTER_DRAINED, deadline_ns + GRACE_NS))
        abandon(thread, "finish in time");
}

/* It is waited for until the deadline, and for a second from when it was asked at the least. */
static void ask_to_close(struct reporter_thread *thread, int64_t deadline_ns)
{
    int64_t patience = clock_mono_now() + 2 * GRACE_NS;
    thread->close_by_ns = patience > deadline_ns ? patience : deadline_ns;
    atomic_store_explicit(&thread->may_close, true, memory_order_release);
    eventcount_wake(&thread->wakeup);
}

static void join(struct reporter_thread *thread)
{
    pthread_join(thread->thread, NULL);
    thread->runs = false;
    thread->opened = false;
}

void reporter_close(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (!thread->runs)
        return;
    ask_to_close(thread, deadline_ns);
    if (wait_for(thread, REPORTER_CLOSED, thread->close_by_ns))
        join(thread);
    else
        abandon(thread, "close");
}

bool reporter_has_finished(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (!thread->runs || wait_for(thread, REPORTER_DRAINED, 0))
        return true;
    if (clock_mono_now() < deadline_ns + GRACE_NS)
        return false;
    abandon(thread, "finish in time");
    return true;
}

bool reporter_has_closed(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (!thread->runs)
        return true;
    if (!thread->close_by_ns)
        ask_to_close(thread, deadline_ns);
    if (wait_for(thread, REPORTER_CLOSED, 0))
        join(thread);
    else if (clock_mono_now() >= thread->close_by_ns)
        abandon(thread, "close");
    return !thread->runs;
}
