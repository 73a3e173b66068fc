/* SPDX-License-Identifier: MIT */
/* A collector beside the bench. In: where gb-collector is, and its reporters. Out: a child process, draining a private directory. */
#ifndef GB_BENCH_CHILD_H
#define GB_BENCH_CHILD_H

#include <stdint.h>
#include <sys/types.h>

/* Makes a private directory of segments and points this process's environment at it. Once, before the first emit. */
const char *bench_directory(void);
void bench_directory_remove(void);
/* Segments in it: how many, and away with them. */
int bench_directory_segments(void);
void bench_directory_sweep(void);

/* The program: from GB_COLLECTOR. NULL: not given, and the reason was printed as the result of that case (NULL: of the whole part). */
const char *bench_collector(const char *part, const char *name);

/* Starts gb-collector on the core (-1: any) and returns when it holds the directory. 0: it could not be started (said). */
pid_t collector_spawn(const char *program, const char *reporter, int core);
/* The same with several reporters (a list that ends with NULL), and a descriptor for its stdout (-1: /dev/null). */
pid_t collector_spawn_with(const char *program, const char *const *reporters, int out, int core);
/* The same with one reporter, on any core; its messages and the ledger at its end go to the descriptor `tell`. */
pid_t collector_spawn_telling(const char *program, const char *reporter, int tell);
/* SIGTERM, then its user + system CPU seconds. */
double collector_end(pid_t pid);

/* From an envelope that the reporter summary wrote (format=json): what all workers attempted, and what of it was not delivered. 0 or
 * -1 (said). */
int ledger_in(const char *path, uint64_t *ret_attempted, uint64_t *ret_dropped);

/* CPU seconds of a running process so far. */
double cpu_of(pid_t pid);

/* To the nth core that this process could use when it started; -1: leaves it where it is. */
void pin_to(int core);
/* Number of cores this process could use when it started. */
int cores(void);

#endif
