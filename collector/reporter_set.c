/* SPDX-License-Identifier: MIT */
/* See reporter_set.h. */
#include "collector/reporter_set.h"

#include <stdlib.h>
#include <string.h>

#include "collector/now.h"

struct reporter_set *reporter_set_make(const struct reporter_set *before)
{
    struct reporter_set *set = calloc(1, sizeof(*set));
    if (set && before) {
        set->past_count = before->past_count;
        memcpy(set->past, before->past, sizeof(set->past));
    }
    return set;
}

void reporter_set_add(struct reporter_set *set, struct reporter_thread *thread, bool durable)
{
    set->entries[set->count++] = (struct reporter_entry){thread, durable};
    set->has_durable |= durable;
    set->batches += ck_ring_capacity(&thread->queue) + 1; /* and what it works on */
}

bool reporter_set_has(const struct reporter_set *set, const struct reporter_thread *thread)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->entries[i].thread == thread)
            return true;
    return false;
}

const struct reporter_set *reporter_set_read_begin(struct reporter_set_source *source)
{
    pthread_rwlock_rdlock(&source->lock);
    return atomic_load_explicit(&source->set, memory_order_acquire); /* pairs with the release of who publishes */
}

void reporter_set_read_end(struct reporter_set_source *source)
{
    pthread_rwlock_unlock(&source->lock);
}

void reporter_set_await_readers(struct reporter_set_source *source)
{
    pthread_rwlock_wrlock(&source->lock); /* who comes later sees what was published before */
    pthread_rwlock_unlock(&source->lock);
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
    int64_t oldest = atomic_load_explicit(&thread->oldest_ns, memory_order_relaxed);
    ret_account->lag_ns = oldest ? clock_mono_now() - oldest : 0;
    memcpy(ret_account->name, thread->spec.name, sizeof(ret_account->name));
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

static void add_dropped(struct reporter_account *sum, const char *cause, uint64_t events)
{
    unsigned i = 0;
    while (i < REPORTER_CAUSES - 2 && sum->dropped[i].cause && strcmp(sum->dropped[i].cause, cause))
        i++;
    if (!sum->dropped[i].cause)
        sum->dropped[i].cause = cause;
    sum->dropped[i].events += events;
}

static void add_account(struct reporter_account *sum, const struct reporter_account *more)
{
    sum->durable |= more->durable;
    sum->handed += more->handed;
    sum->delivered += more->delivered;
    sum->skipped += more->skipped;
    sum->unknown += more->unknown;
    sum->queued += more->queued;
    sum->lag_ns = sum->lag_ns > more->lag_ns ? sum->lag_ns : more->lag_ns;
    for (unsigned i = 0; i < REPORTER_CAUSES && more->dropped[i].cause; i++)
        add_dropped(sum, more->dropped[i].cause, more->dropped[i].events);
}

/* To the one of that name, which is made if there is room; else to the last. */
static unsigned add_by_name(struct reporter_account *accounts, unsigned count, unsigned capacity,
                            const struct reporter_account *more)
{
    unsigned i = 0;
    while (i < count && strcmp(accounts[i].name, more->name))
        i++;
    if (i < count)
        add_account(&accounts[i], more);
    else if (count < capacity)
        accounts[count++] = *more;
    else if (count)
        add_account(&accounts[count - 1], more);
    return count;
}

void reporter_set_bury(struct reporter_set *set, const struct reporter_thread *thread)
{
    struct reporter_account account;
    read_account(thread, &account);
    account.queued = 0; /* of one that was left behind: it is in `stalled` */
    account.durable = false;
    set->past_count = add_by_name(set->past, set->past_count, ACCOUNTS_MAX, &account);
}

unsigned reporter_set_accounts(const struct reporter_set *set, struct reporter_account *ret, unsigned capacity)
{
    unsigned count = 0;
    for (unsigned i = 0; i < set->count; i++) {
        struct reporter_account account;
        read_account(set->entries[i].thread, &account);
        count = add_by_name(ret, count, capacity, &account);
    }
    for (unsigned i = 0; i < set->past_count; i++)
        count = add_by_name(ret, count, capacity, &set->past[i]);
    return count;
}
