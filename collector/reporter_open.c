/* SPDX-License-Identifier: MIT */
/* See reporter_thread.h: how one is made, opened and freed, and what it may ask of the collector. */
#include "collector/reporter_thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void say_of_reporter(void *collector, const char *format, ...)
{
    struct reporter_thread *thread = collector;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    say_limited(&thread->limit, "%s: %s", thread->spec.name, text);
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
    struct reporter_account accounts[ACCOUNTS_MAX];
    unsigned count = fanout_accounts(thread->fanout, accounts, ACCOUNTS_MAX);
    for (unsigned i = 0; i < count && i < capacity; i++) {
        ret_accounts[i] = (struct gb_reporter_account){.handed = accounts[i].handed,
                                                       .delivered = accounts[i].delivered,
                                                       .skipped = accounts[i].skipped,
                                                       .unknown = accounts[i].unknown,
                                                       .queued = accounts[i].queued,
                                                       .lag_ns = accounts[i].lag_ns};
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

int reporter_make(const struct reporter_spec *spec, struct fanout *fanout, struct reporter_thread **ret_thread)
{
    static const char *const first[CAUSE_OWN] = {
        [CAUSE_QUEUE_FULL] = "queue_full", [CAUSE_STALLED] = "stalled", [CAUSE_FAILED] = "failed"};
    struct reporter_thread *thread = aligned_alloc(64, (sizeof(*thread) + 63) & ~(size_t)63);
    if (!thread)
        return -ENOMEM;
    memset(thread, 0, sizeof(*thread));
    thread->reporter = spec->reporter;
    if (spec->reporter->size > offsetof(struct gb_reporter, record_folded))
        thread->record_folded = spec->reporter->record_folded;
    thread->fanout = fanout;
    thread->total = fanout_total(fanout);
    thread->pool = fanout_pool(fanout);
    for (unsigned i = 0; i < CAUSE_OWN; i++)
        atomic_store_explicit(&thread->dropped[i].cause, first[i], memory_order_relaxed);
    make_lock(thread);
    int error = reporter_spec_copy(spec, &thread->spec);
    if (!error)
        error = filter_make(&thread->spec, &thread->filter);
    if (!error)
        error = make_queue(thread, spec->queue ? spec->queue : QUEUE_BATCHES);
    if (error) {
        reporter_free(thread);
        return error;
    }
    *ret_thread = thread;
    return 0;
}

int reporter_open(struct reporter_thread *thread, const char *directory, const char *host)
{
    thread->setup = (struct gb_reporter_setup){.name = thread->spec.name,
                                               .options = thread->spec.values,
                                               .directory = directory,
                                               .host = host,
                                               .say = say_of_reporter,
                                               .count_drop = count_drop_of_reporter,
                                               .total = total_for_reporter,
                                               .reporters = accounts_for_reporter,
                                               .deadline = deadline_for_reporter,
                                               .collector = thread};
    int error = thread->reporter->open(&thread->setup, &thread->self);
    if (error) {
        say("%s: cannot be opened: %s", thread->spec.name, strerror(-error));
        return error;
    }
    thread->opened = true;
    atomic_store(&thread->durable, thread->reporter->durable && thread->reporter->durable(thread->self));
    return 0;
}

void reporter_free(struct reporter_thread *thread)
{
    if (!thread || thread->abandoned)
        return;
    if (thread->opened)
        thread->reporter->close(thread->self);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    filter_free(thread->filter);
    reporter_spec_clear(&thread->spec);
    free(thread->slots);
    free(thread->touched);
    free(thread->forget);
    free(thread);
}
