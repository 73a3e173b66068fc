/* SPDX-License-Identifier: MIT */
/*
 * A slow path: all signals blocked, no cancellation, errno kept, and one lock for the whole process, tried for a bounded time. Whatever is written in
 * struct gb_process, in the segments' tables and in the private tables of names is written inside.
 *
 * The lock lies on a page that is wiped in the child of a fork (MADV_WIPEONFORK, and the atfork handler stores as well): a
 * thread of the parent that held it does not exist there.
 */
#ifndef GB_LIB_SLOW_H
#define GB_LIB_SLOW_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* A page that is wiped in the child of a fork. */
struct wiped {
    uint32_t held; /* the lock */
    uint32_t reserved_0[15];
    uint32_t
        on; /* 1: gb_switch_.state is GB_ON_STATE_. For the end of a scope: the program has the switch itself, so that the
                  * library reaches it only by way of a table */
    uint32_t reserved_1[1024 - 17];
} __attribute__((aligned(4096)));
extern struct wiped gb_wiped __attribute__((visibility("hidden")));

struct slow {
    sigset_t mask;
    int saved_errno, cancellation;
};

/* Without the lock. */
void slow_begin(struct slow *slow);
void slow_end(const struct slow *slow);

/* Between the two, never nested. false: not to be had in time (GBW_BUSY). */
bool slow_lock(void);
void slow_unlock(void);

/* Once, early. */
void slow_start(void);

/* Child of a fork. Only stores. */
void slow_after_fork(void);

/* Marks a page to be wiped in the child of a fork. Where that is impossible the atfork handler's store does it alone. */
void wipe_on_fork(void *page, unsigned long bytes);

#endif
