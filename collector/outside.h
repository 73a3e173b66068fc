/* SPDX-License-Identifier: MIT */
/*
 * What a collector does that its sandbox forbids: starting the programs of reporters, and looking into the maps of workers.
 *
 * Before the sandbox is entered, outside_start forks a process that stays outside of it and does these things on request, one at
 * a time, over a socket pair: the programs are those that it was started with, and no others. Without outside_start (`gb run`,
 * --no-sandbox) the same is done in place. The process ends with the collector, however that ends.
 */
#ifndef GB_COLLECTOR_OUTSIDE_H
#define GB_COLLECTOR_OUTSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#define OUTSIDE_COMMANDS_MAX 16

/* Single-threaded, once. Keeps copies of the commands: those of a configuration go when SIGHUP brings another. */
int outside_start(const char *const *commands, unsigned count);

/* The two halves of that process, for a fuzzer: the commands; one request from `fd`, false: that was the last. */
int outside_know(const char *const *commands, unsigned count);
bool outside_serve(int fd);

/* The rest: any thread. `sh -c command` in a process group of its own, `input` as its standard input. -EPERM: it was not known at the
 * start. */
int outside_spawn(const char *command, int input, pid_t *ret_pid);
/* Has it ended? *ret_status as of waitpid. */
bool outside_ended(pid_t pid, int *ret_status);
/* A signal to the group of a program that was spawned and has not ended. */
void outside_kill(pid_t pid, int signal);

/* Does the address space of `pid` hold this file? */
enum outside_maps { OUTSIDE_MAPPED, OUTSIDE_NOT_MAPPED, OUTSIDE_UNREADABLE };
enum outside_maps outside_maps(pid_t pid, dev_t dev, ino_t ino);

#endif
