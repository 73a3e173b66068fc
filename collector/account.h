/* SPDX-License-Identifier: MIT */
/*
 * A struct gb_account that one thread writes while any thread reads: sums that are never torn, each as of its own moment.
 */
#ifndef GB_COLLECTOR_ACCOUNT_H
#define GB_COLLECTOR_ACCOUNT_H

#include <stdatomic.h>
#include <stdint.h>

#include "gb/reporter.h"

struct account {
    _Atomic uint64_t attempted, delivered, malformed;
    _Atomic uint64_t dropped[GB_WORKER_CAUSES];
    _Atomic uint64_t unfinished, attributes_left_out, names_overflowed, folded;
    _Atomic uint64_t violations; /* tails that jumped */
};

/* The one writer: cheaper than an atomic addition. Release: pairs with the acquire in account_get. */
static inline void account_add(_Atomic uint64_t *sum, uint64_t more)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + more, memory_order_release);
}

static inline uint64_t account_get(const _Atomic uint64_t *sum)
{
    return atomic_load_explicit(sum, memory_order_acquire);
}

/* Any thread. What was taken is read first, `attempted` last, so that nothing seems delivered that was not attempted. */
static inline void account_read(const struct account *account, struct gb_account *ret_account)
{
    ret_account->delivered = account_get(&account->delivered);
    ret_account->malformed = account_get(&account->malformed);
    ret_account->folded = account_get(&account->folded);
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        ret_account->dropped[i] = account_get(&account->dropped[i]);
    ret_account->unfinished = account_get(&account->unfinished);
    ret_account->attributes_left_out = account_get(&account->attributes_left_out);
    ret_account->names_overflowed = account_get(&account->names_overflowed);
    ret_account->attempted = account_get(&account->attempted);
}

#endif
