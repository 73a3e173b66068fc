/* SPDX-License-Identifier: MIT */
/*
 * The command of `gb run`. In: its words. Out: its wait status. Main thread.
 *
 * It is forked before the collector's threads exist, and waits for its word to go; so it inherits what `gb` was
 * started with (signals, descriptors, the terminal) and nothing of the collector.
 */
#ifndef GB_COLLECTOR_CLI_RUN_COMMAND_H
#define GB_COLLECTOR_CLI_RUN_COMMAND_H

#include <signal.h>
#include <sys/types.h>

struct run_command {
    char **words;
    pid_t pid;
    int go, failed;   /* pipes: to it, the word to go; from it, the errno of a failed exec */
    sigset_t signals; /* blocked in this process: those that are waited for */
    sigset_t before;
};

/* 0, or the errno value for which execvp would fail: looked up beforehand, so that nothing is started in vain. */
int run_command_find(const char *word);

/* Forks. The child's environment tells workers of `directory`. */
int run_command_prepare(struct run_command *command, char **words, const char *directory);
/* Lets it go: 0, or -errno of its exec; then it has ended. */
int run_command_start(struct run_command *command);
/* Until it has ended: forwards SIGTERM and SIGHUP. `ended` is called before it is reaped. Returns its wait status. */
int run_command_wait(struct run_command *command, void (*ended)(void *context, pid_t pid, int signal), void *context);
/* Instead of start: it never runs. */
void run_command_cancel(struct run_command *command);

#endif
