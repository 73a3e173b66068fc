/* SPDX-License-Identifier: MIT */
/*
 * Truncated mappings. Whoever may write a segment's file may shorten it under us; the next load would kill the
 * collector. In: ranges of mapped files, each with a mark. A fault inside a range maps zeros from its page to the
 * end of the range, sets the mark, and lets the load go on; who works on the range looks at the mark afterwards.
 * A fault anywhere else goes to whoever handled SIGBUS before us.
 *
 * Any thread. The handler takes no lock: a range is added before its first use and taken out after its last one.
 */
#ifndef GB_COLLECTOR_SIGBUS_H
#define GB_COLLECTOR_SIGBUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Installs the handler; again is harmless. */
int sigbus_install(void);

/* `mark` becomes true at the first fault in [start, start + length). -ENOMEM. */
int sigbus_guard(const void *start, size_t length, atomic_bool *mark);

/* Takes the range that begins at `start` out again; harmless when there is none. */
void sigbus_unguard(const void *start);

#endif
