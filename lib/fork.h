/* SPDX-License-Identifier: MIT */
/*
 * fork. In: the atfork handler, which only stores (but for the case in leave_parent): the switch back to undecided, the lock
 * free, where the thread was.
 * Out: the first slow path in the child finds the switch undecided in a process that had decided, and calls fork_adopt.
 *
 * A raw clone runs no handler: the page of the switch is wiped by the kernel. A child of vfork shares its parent's
 * memory: there the switch is intact and the pid is another one; slow paths are refused (process_ready).
 */
#ifndef GB_LIB_FORK_H
#define GB_LIB_FORK_H

#include <stdint.h>

/* The path that the thread had when its process was forked: depth 0 of this thread is inside it. Initial-exec. */
extern __thread uint32_t gb_inherited __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Once, when the library is loaded: pthread_atfork allocates. */
void fork_start(void);

/* Child, under the slow lock: lets go of everything that is the parent's, but for the names. */
void fork_adopt(void);

#endif
