/* SPDX-License-Identifier: MIT */
/*
 * Threads of the collector. They take no signals, so that those go to the main thread, but for what a thread does to itself:
 * SIGBUS must reach its handler (sigbus.h) on the thread that met it.
 */
#ifndef GB_COLLECTOR_START_THREAD_H
#define GB_COLLECTOR_START_THREAD_H

#include <pthread.h>

/* `name` is cut to what the kernel keeps. 0 or -errno. */
int start_thread(pthread_t *ret_thread, const char *name, void *(*run)(void *argument), void *argument);

#endif
