/* SPDX-License-Identifier: MIT */
/* What tests of threads have in common. In a child (child.h). */
#ifndef GB_TESTS_THREADS_H
#define GB_TESTS_THREADS_H

#include <pthread.h>
#include <sys/prctl.h>

#include "lib/rings.h"
#include "lib/thread.h"
#include "tests/lib/child.h"

static inline void on_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, arg) == 0);
    pthread_join(thread, NULL);
}

/* As a collector would: everything was taken. */
static inline void take_all(void)
{
    const struct gb_thread *thread;
    for (uint32_t i = 0; (thread = rings_at(i)); i++)
        __atomic_store_n(&((struct gbw_consumer *)(uintptr_t)thread->consumer)->head,
                         __atomic_load_n(&thread->producer->tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static inline void *emit_one(void *arg)
{
    prctl(PR_SET_NAME, "short-lived");
    GB_SCOPE ("work")
        GB_COUNT("items", 1);
    return arg;
}

#endif
