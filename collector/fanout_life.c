/* SPDX-License-Identifier: MIT */
/* See fanout.h: the reporters' start, what all of them are asked, and their end. Control thread. */
#include "collector/fanout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/fanout_private.h"
#include "collector/now.h"
#include "collector/say.h"
#include "collector/worker.h"

struct reporter_set *fanout_published(const struct fanout *fanout)
{
    return atomic_load_explicit(&fanout->published.set, memory_order_relaxed);
}

int fanout_make_reporter(struct fanout *fanout, const struct reporter_spec *spec, struct reporter_thread **ret_thread)
{
    unsigned slot = 0;
    while (slot < REPORTER_SLOTS && fanout->slots & 1u << slot)
        slot++;
    if (slot == REPORTER_SLOTS)
        return -ENOSPC;
    int error = reporter_make(spec, fanout, ret_thread);
    if (error)
        return error;
    (*ret_thread)->index = slot;
    fanout->slots |= 1u << slot;
    return 0;
}

/* The slot of one that was left behind is never given to another: its thread may still write there. */
void fanout_free_reporter(struct fanout *fanout, struct reporter_thread *thread)
{
    static struct reporter_thread *left; /* known for ever, and what they may still touch with them */
    if (thread->abandoned) {
        thread->next_left = left;
        left = thread;
        return;
    }
    fanout->slots &= ~(1u << thread->index);
    reporter_free(thread);
}

static int open_all(struct fanout *fanout, const struct reporter_spec *specs, unsigned count)
{
    struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < count; i++) {
        struct reporter_thread *thread = NULL;
        int error = fanout_make_reporter(fanout, &specs[i], &thread);
        if (error) {
            say("%s: cannot be made: %s", specs[i].name, strerror(-error));
            return error;
        }
        error = reporter_open(thread, fanout->directory, worker_host());
        if (error) {
            fanout_free_reporter(fanout, thread);
            return error;
        }
        reporter_set_add(set, thread, thread->durable);
        set->taking = set->count;
    }
    batch_pool_limit(fanout->pool, IN_HAND + set->batches);
    return 0;
}

static int make(const char *directory, struct fanout **ret_fanout)
{
    struct fanout *fanout = calloc(1, sizeof(*fanout));
    if (!fanout)
        return -ENOMEM;
    pthread_rwlock_init(&fanout->published.lock, NULL);
    struct reporter_set *set = reporter_set_make(NULL);
    fanout->directory = strdup(directory);
    atomic_store_explicit(&fanout->published.set, set, memory_order_relaxed);
    atomic_store_explicit(&fanout->current, set, memory_order_relaxed);
    if (!set || !fanout->directory || batch_pool_make(0, &fanout->pool)) {
        fanout_free(fanout);
        return -ENOMEM;
    }
    *ret_fanout = fanout;
    return 0;
}

int fanout_start(const struct reporter_spec *specs, unsigned count, const char *directory, struct fanout **ret_fanout)
{
    struct fanout *fanout = NULL;
    if (count > REPORTERS_MAX) {
        say("there are %u reporters; at most %u can run", count, REPORTERS_MAX);
        return -E2BIG;
    }
    int error = make(directory, &fanout);
    if (error) {
        say("cannot start: %s", strerror(-error));
        return error;
    }
    error = open_all(fanout, specs, count);
    for (unsigned i = 0; i < count && !error; i++) {
        error = reporter_run(fanout_published(fanout)->entries[i].thread);
        if (error)
            say("%s: cannot run: %s", specs[i].name, strerror(-error));
    }
    if (error) {
        fanout_stop(fanout, clock_mono_now());
        fanout_free(fanout);
        return error;
    }
    *ret_fanout = fanout;
    return 0;
}

void fanout_reopen(struct fanout *fanout)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->taking; i++)
        if (set->entries[i].thread->runs)
            reporter_ask_reopen(set->entries[i].thread);
}

void fanout_forget(struct fanout *fanout, const char *segment)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->count; i++)
        reporter_ask_forget(set->entries[i].thread, segment);
}

void fanout_stop(struct fanout *fanout, int64_t deadline_ns)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; i < set->count; i++)
        reporter_finish(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++)
        reporter_await(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++)
        reporter_close(set->entries[i].thread, deadline_ns);
    for (unsigned i = 0; i < set->count; i++) {
        if (set->entries[i].thread->abandoned)
            fanout->left_behind = true;
        else
            reporter_give_up(set->entries[i].thread, "not_opened"); /* nothing, if it ran */
    }
}

bool fanout_left_behind(const struct fanout *fanout)
{
    return fanout->left_behind;
}

void fanout_free(struct fanout *fanout)
{
    if (!fanout)
        return;
    struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = 0; set && i < set->count; i++)
        fanout_free_reporter(fanout, set->entries[i].thread);
    if (fanout->left_behind) /* what that thread may still touch stays */
        return;
    free(fanout->change.replaced); /* the drain's, if it has not gone on to `set` */
    free(set);
    pthread_rwlock_destroy(&fanout->published.lock);
    batch_pool_free(fanout->pool);
    free(fanout->directory);
    free(fanout);
}

unsigned fanout_accounts(struct fanout *fanout, struct reporter_account *ret, unsigned capacity)
{
    unsigned count = reporter_set_accounts(reporter_set_read_begin(&fanout->published), ret, capacity);
    reporter_set_read_end(&fanout->published);
    return count;
}
