/* SPDX-License-Identifier: MIT */
/*
 * The rings of a process, each with the private block of whoever leases it: allocation by the budget rule, and the pool
 * of those that are free. Thread by thread they go round: rings_take or rings_make, then rings_give.
 *
 * The pool is a lock-free stack of block indices, its top word with a tag against ABA; nothing is ever unmapped while the process
 * lives, so that a reader of the list (rings_each) needs no lock either.
 */
#ifndef GB_LIB_RINGS_H
#define GB_LIB_RINGS_H

#include <stdint.h>

#include "lib/thread.h"

/* Where the indices of new rings start: 0, but for tests near 2^32 and 2^64. */
extern uint64_t gb_ring_start __attribute__((visibility("hidden")));

/* A free ring of the newest segment, leased, its block marked busy; or NULL. No lock. */
struct gb_thread *rings_take(void);

/* A new one. Under the slow lock. -ENOSPC and others: not to be had. */
int rings_make(struct gb_thread **ret_thread);

/* Touches its pages, so that no emit has to. Without the lock, by the thread that got it from rings_make. */
void rings_populate(const struct gb_thread *thread);

/* Back to the pool; a ring of an older segment is only marked free. */
void rings_give(struct gb_thread *thread);

/* All blocks: index from 0; NULL beyond the last. */
struct gb_thread *rings_at(uint32_t index);

/* Child of a fork. Puts private memory in the place of a ring. */
void rings_detach(const struct gb_thread *thread);

/* Child of a fork: lets go of all of its parent's, but for `running` (may be NULL): an emit of it was interrupted and may go
 * on. */
void rings_forget(const struct gb_thread *running);

#endif
