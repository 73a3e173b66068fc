/* SPDX-License-Identifier: MIT */
/* See reporter_thread.h: the life of one, its requests, its account. What it does with batches is in reporter_work.c. */
#include "collector/reporter_thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/clock.h"
#include "collector/start_thread.h"

#define WAKE_NS 100000000       /* a thread that has a tick, or something to flush, looks so often */
#define WAKE_IDLE_NS 1000000000 /* any other */
#define GRACE_NS 500000000      /* beyond a deadline, for a callback to return */

static void say_of_reporter(void *collector, const char *format, ...)
{
    struct reporter_thread *thread = collector;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    say_limited(&thread->limit, "%s: %s", thread->name, text);
}

void reporter_count_drop(struct reporter_thread *thread, const char *cause, uint64_t events)
{
    for (unsigned i = 0; events && i < REPORTER_CAUSES - 1; i++) {
        const char *known = atomic_load_explicit(&thread->dropped[i].cause, memory_order_relaxed);
        if (!known && atomic_compare_exchange_strong(&thread->dropped[i].cause, &known, cause))
            known = cause;
        if (strcmp(known, cause) && i < REPORTER_CAUSES - 2) /* beyond the table's end: under its last cause */
            continue;
        atomic_fetch_add_explicit(&thread->dropped[i].events, events, memory_order_relaxed);
        return;
    }
}

static void count_drop_of_reporter(void *collector, const char *cause, uint64_t events)
{
    struct reporter_thread *thread = collector;
    if (strcmp(cause, GB_SKIPPED) == 0)
        atomic_fetch_add_explicit(&thread->already, events, memory_order_relaxed);
    else
        reporter_count_drop(thread, cause, events);
}

static const struct gb_account *total_for_reporter(void *collector)
{
    struct reporter_thread *thread = collector;
    account_read(thread->total, &thread->total_copy);
    return &thread->total_copy;
}

static unsigned accounts_for_reporter(void *collector, struct gb_reporter_account *ret_accounts, unsigned capacity)
{
    struct reporter_thread *thread = collector;
    struct reporter_account accounts[REPORTERS_MAX];
    unsigned count = fanout_accounts(thread->fanout, accounts, REPORTERS_MAX);
    for (unsigned i = 0; i < count && i < capacity; i++) {
        ret_accounts[i] = (struct gb_reporter_account){.handed = accounts[i].handed,
                                                       .delivered = accounts[i].delivered,
                                                       .skipped = accounts[i].skipped,
                                                       .unknown = accounts[i].unknown,
                                                       .queued = accounts[i].queued};
        memcpy(ret_accounts[i].name, accounts[i].name, sizeof(ret_accounts[i].name));
        for (unsigned k = 0; k < GB_REPORTER_CAUSES && k < REPORTER_CAUSES && accounts[i].dropped[k].cause; k++) {
            ret_accounts[i].dropped[k].cause = accounts[i].dropped[k].cause;
            ret_accounts[i].dropped[k].events = accounts[i].dropped[k].events;
        }
    }
    return count;
}

static int64_t deadline_for_reporter(void *collector)
{
    struct reporter_thread *thread = collector;
    return atomic_load_explicit(&thread->deadline_ns, memory_order_acquire);
}

static int make_queue(struct reporter_thread *thread, uint32_t batches)
{
    unsigned size = 4;
    while (size < batches + 1) /* a ck_ring holds one less than its size */
        size *= 2;
    thread->slots = calloc(size, sizeof(*thread->slots));
    if (!thread->slots)
        return -ENOMEM;
    ck_ring_init(&thread->queue, size);
    ck_ec32_init(&thread->wakeup, 0);
    return 0;
}

static void make_lock(struct reporter_thread *thread)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int reporter_open(struct reporter_thread *thread, const struct reporter_spec *spec, const char *directory,
                  const char *host)
{
    static const char *const first[CAUSE_OWN] = {
        [CAUSE_QUEUE_FULL] = "queue_full", [CAUSE_STALLED] = "stalled", [CAUSE_FAILED] = "failed"};
    thread->reporter = spec->reporter;
    if (spec->reporter->size > offsetof(struct gb_reporter, record_folded))
        thread->record_folded = spec->reporter->record_folded;
    thread->when_behind = spec->when_behind;
    memcpy(thread->name, spec->name, sizeof(thread->name));
    for (unsigned i = 0; i < CAUSE_OWN; i++)
        atomic_store_explicit(&thread->dropped[i].cause, first[i], memory_order_relaxed);
    make_lock(thread);
    thread->setup = (struct gb_reporter_setup){.name = thread->name,
                                               .options = spec->values,
                                               .directory = directory,
                                               .host = host,
                                               .say = say_of_reporter,
                                               .count_drop = count_drop_of_reporter,
                                               .total = total_for_reporter,
                                               .reporters = accounts_for_reporter,
                                               .deadline = deadline_for_reporter,
                                               .collector = thread};
    int error = filter_make(spec->include, spec->exclude, &thread->filter);
    if (!error)
        error = make_queue(thread, spec->queue ? spec->queue : QUEUE_BATCHES);
    if (!error)
        error = thread->reporter->open(&thread->setup, &thread->self);
    if (error) {
        say("%s: cannot be opened: %s", thread->name, strerror(-error));
        return error;
    }
    thread->opened = true;
    thread->durable = thread->reporter->durable && thread->reporter->durable(thread->self);
    return 0;
}

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
            say("%s: cannot be reopened: %s", thread->name, strerror(-error));
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
            reporter_give_up(thread);
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
    snprintf(name, sizeof(name), "gb-%s", thread->name);
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
    uint64_t left =
        atomic_load(&thread->in_events) - atomic_load(&thread->out_events) + atomic_load(&thread->unflushed);
    say("%s: does not %s; it is left behind", thread->name, what);
    thread->abandoned = true;
    thread->runs = false;
    pthread_detach(thread->thread);
    reporter_count_drop(thread, "stalled", left);
}

void reporter_await(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (thread->runs && !wait_for(thread, REPORTER_DRAINED, deadline_ns + GRACE_NS))
        abandon(thread, "finish in time");
}

void reporter_close(struct reporter_thread *thread, int64_t deadline_ns)
{
    if (!thread->runs)
        return;
    int64_t patience = clock_mono_now() + 2 * GRACE_NS;
    atomic_store_explicit(&thread->may_close, true, memory_order_release);
    eventcount_wake(&thread->wakeup);
    if (!wait_for(thread, REPORTER_CLOSED, patience > deadline_ns ? patience : deadline_ns)) {
        abandon(thread, "close");
        return;
    }
    pthread_join(thread->thread, NULL);
    thread->runs = false;
    thread->opened = false;
}

void reporter_free(struct reporter_thread *thread)
{
    if (!thread || thread->abandoned)
        return;
    if (thread->opened)
        thread->reporter->close(thread->self);
    if (thread->reporter) {
        pthread_cond_destroy(&thread->changed);
        pthread_mutex_destroy(&thread->lock);
    }
    filter_free(thread->filter);
    free(thread->slots);
    free(thread->touched);
    free(thread->forget);
    free(thread);
}
