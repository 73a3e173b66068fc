/* SPDX-License-Identifier: MIT */
/* See fork.h. */
#include "lib/fork.h"

#include <pthread.h>
#include <stddef.h>

#include "lib/path.h"
#include "lib/process.h"
#include "lib/rings.h"
#include "lib/slow.h"
#include "lib/thread.h"

__thread uint32_t gb_inherited;

/* The block of an emit that a signal handler interrupted, and then forked. */
static struct gb_thread *running;

/* What the thread that forked must remember, and drop. An emit that goes on when the handler returns goes on in private
 * memory: the ring has one writer, and that is the parent's thread. */
static void leave_parent(void)
{
    struct gb_thread *self = gb_mine.self;
    if (!thread_has_ring(self))
        return;
    gb_inherited = path_in(self->top->head);
    running = thread_is_busy(self) ? self : NULL;
    gb_mine = (struct gb_mine){.self = THREAD_NONE};
    if (running) {
        running->orphan = 0;
        rings_detach(running);
    }
}

static void in_child(void)
{
    __atomic_store_n(&gb_switch_.state, GB_UNDECIDED_, __ATOMIC_RELAXED);
    slow_after_fork();
    leave_parent();
}

void fork_start(void)
{
    wipe_on_fork(&gb_switch_, sizeof gb_switch_);
    pthread_atfork(NULL, NULL, in_child);
}

void fork_adopt(void)
{
    leave_parent(); /* after a raw clone it has not happened */
    rings_forget(running);
    running = NULL;
    for (uint32_t i = 0; i < gb_process.segment_count; i++)
        segment_forget(&gb_process.segments[i]);
    gb_process.segment_count = 0;
    gb_process.header = NULL;
    gb_process.generation++;
}
