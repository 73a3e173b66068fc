/* SPDX-License-Identifier: MIT */
/* See slow.h. */
#include "lib/slow.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "lib/clock.h"

#define SPINS 200u
#define YIELDS 50u
#define NAP_NS 50000
#define BOUND_NS 50000000u /* only a holder that the scheduler keeps away makes anybody wait that long */

struct wiped gb_wiped;

void slow_begin(struct slow *slow)
{
    sigset_t all;
    slow->saved_errno = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &slow->cancellation);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &slow->mask);
}

void slow_end(const struct slow *slow)
{
    pthread_sigmask(SIG_SETMASK, &slow->mask, NULL);
    pthread_setcancelstate(slow->cancellation, NULL);
    errno = slow->saved_errno;
}

static bool try_lock(void)
{
    /* acquire: pairs with the release in slow_unlock */
    return __atomic_load_n(&gb_wiped.held, __ATOMIC_RELAXED) == 0 &&
           __atomic_exchange_n(&gb_wiped.held, 1, __ATOMIC_ACQUIRE) == 0;
}

bool slow_lock(void)
{
    for (unsigned i = 0; i < SPINS; i++)
        if (try_lock())
            return true;
    uint64_t until = clock_monotonic_ns() + BOUND_NS;
    for (unsigned i = 0; clock_monotonic_ns() < until; i++) {
        if (try_lock())
            return true;
        if (i < YIELDS) {
            sched_yield();
        } else { /* a holder of lower priority must get the processor */
            const struct timespec nap = {0, NAP_NS};
            nanosleep(&nap, NULL);
        }
    }
    return try_lock();
}

void slow_unlock(void)
{
    __atomic_store_n(&gb_wiped.held, 0, __ATOMIC_RELEASE);
}

void wipe_on_fork(void *page, unsigned long bytes)
{
    if (sysconf(_SC_PAGESIZE) == (long)bytes)
        madvise(page, bytes, MADV_WIPEONFORK);
}

void slow_start(void)
{
    wipe_on_fork(&gb_wiped, sizeof gb_wiped);
}

void slow_after_fork(void)
{
    __atomic_store_n(&gb_wiped.held, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&gb_wiped.on, 0, __ATOMIC_RELAXED);
}
