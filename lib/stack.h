/* SPDX-License-Identifier: MIT */
/*
 * Which stack an address lies on. In: two addresses. Out: whether both lie in the same mapping of the process. Needed before
 * "lower means left by longjmp" may be said: a fibre's stack can lie anywhere. Rare, and slow (reads /proc/self/maps) only when the
 * stack is not the one that was looked at last.
 */
#ifndef GB_LIB_STACK_H
#define GB_LIB_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/thread.h"

bool stack_is_same(struct gb_thread *self, uintptr_t a, uintptr_t here);

#endif
