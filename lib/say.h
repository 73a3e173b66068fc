/* SPDX-License-Identifier: MIT */
/*
 * What the library tells a person: one line on stderr, at most once for each thing. In: a format of %s, %d, %u and
 * %llu. Out: "gb-telemetry: ...\n" in one write(2). No stdio, no malloc; for slow paths, where all signals are blocked.
 *
 * It never harms the worker: a stderr that would block loses the line, and one that is a closed pipe raises no SIGPIPE.
 */
#ifndef GB_LIB_SAY_H
#define GB_LIB_SAY_H

#include <stdbool.h>
#include <stdint.h>

#define SAY_MAX 1024 /* bytes of a line */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True for the first caller of all: `flag` is static and starts 0. A forked child counts as the same caller. */
static inline bool first_time(uint32_t *flag)
{
    return __atomic_exchange_n(flag, 1, __ATOMIC_RELAXED) == 0;
}

#endif
