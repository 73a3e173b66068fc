/* SPDX-License-Identifier: MIT */
/*
 * LTTng's daemons, private to one run: lttng-sessiond (which starts lttng-consumerd) with its sockets and traces in a directory of our
 * own, and one session whose channel discards what does not fit. On the main thread.
 */
#ifndef GB_BENCH_PEERS_LTTNG_DAEMONS_H
#define GB_BENCH_PEERS_LTTNG_DAEMONS_H

#include <sched.h>
#include <stdint.h>

/* The library of tracepoints looks for the daemons before main(): they must run when the program is executed. So this starts them, as
 * another user when we are root (whose daemons' places are fixed, and might be in use), and executes the program again;
 * in that second life it returns. `cpus`: what the program may use, before it was pinned. On error the text says why. */
int lttng_daemons_start(const char *directory, char **argv, const cpu_set_t *cpus, char *ret_error, unsigned room);

/* What the tracer counted as discarded so far. Takes a good part of a second. */
uint64_t lttng_daemons_discarded(void);

void lttng_daemons_end(void);

#endif
