/* SPDX-License-Identifier: MIT */
/*
 * How children of this process ended, as whoever waited for them saw it. In: notes from any thread. Out: the answer to
 * one question: was that worker killed by a signal?
 */
#ifndef GB_COLLECTOR_EXITS_H
#define GB_COLLECTOR_EXITS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define EXITS_KEPT 64u

struct exits {
    pthread_mutex_t change;
    struct {
        pid_t pid; /* 0: none */
        int signal;
    } last[EXITS_KEPT];
    unsigned noted;
};

void exits_make(struct exits *ret_exits);
void exits_note(struct exits *exits, pid_t pid, int signal);
bool exits_find(struct exits *exits, pid_t pid, int *ret_signal);

#endif
