/* SPDX-License-Identifier: MIT */
/* A collector beside the bench. In: where gb-collector is, and its reporter. Out: a child process, draining a private directory. */
#ifndef GB_BENCH_CHILD_H
#define GB_BENCH_CHILD_H

#include <sys/types.h>

/* Makes a private directory of segments and points this process's environment at it. Once, before the first emit. */
const char *bench_directory(void);
void bench_directory_remove(void);

/* Starts gb-collector on the core (-1: any) and returns when it holds the directory. 0: it could not be started (said). */
pid_t collector_spawn(const char *program, const char *reporter, int core);
/* SIGTERM, then its user + system CPU seconds. */
double collector_end(pid_t pid);

void pin_to(int core);
/* Number of cores this process may use. */
int cores(void);

#endif
