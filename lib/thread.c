/* SPDX-License-Identifier: MIT */
/*
 * See thread.h. A thread takes a ring at its first emit and gives it back when it ends; how: docs/protocol.md, section 4. Everything
 * here is a slow path, on the thread itself, with all signals blocked.
 *
 * The end of a thread is told by a key of pthread_key_create. It is made when the library is loaded, so that it is one of the
 * first: glibc keeps those in the thread's own block and allocates nothing when they are set.
 */
#include "lib/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/directory.h"
#include "lib/fork.h"
#include "lib/process.h"
#include "lib/rings.h"
#include "lib/say.h"
#include "lib/scope.h"
#include "lib/slow.h"

#define STARVED_NS 100000000u /* a thread that got no ring tries again after that, or when one comes back */
#define POSTPONED 1u          /* bit in the key's value */

__thread struct gb_mine gb_mine = {.self = THREAD_NONE};

static pthread_key_t end_key;
static bool end_key_made;
static uint64_t starved_until; /* monotonic */
static uint32_t leases;        /* of this process, for tokens */

/* Refusals while there is no segment of this process to count them in. */
static uint64_t early[GBW_CAUSES];

/* Of a segment that is this process's. Undecided with a segment: the child of a fork, and the segment is its parent's. */
static struct gbw_header *own_header(void)
{
    bool decided = __atomic_load_n(&gb_switch_.state, __ATOMIC_ACQUIRE) != GB_UNDECIDED_;
    return decided ? gb_process.header : NULL;
}

/*
 * Whoever decides stores the switch and then comes here; who was refused before adds and then comes here as well. With a full
 * fence between the two steps on both sides, one of them sees what the other has done.
 */
void thread_early_refusals(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    struct gbw_header *header = own_header();
    for (unsigned i = 0; header && i < GBW_CAUSES; i++) {
        uint64_t count = __atomic_exchange_n(&early[i], 0, __ATOMIC_RELAXED);
        if (count)
            __atomic_fetch_add(&header->refused[i], count, __ATOMIC_RELAXED);
    }
}

void thread_refuse(enum gbw_cause cause)
{
    struct gbw_header *header = own_header();
    __atomic_fetch_add(header ? &header->refused[cause] : &early[cause], 1, __ATOMIC_RELAXED);
    if (!header)
        thread_early_refusals();
}

/* Everything of the thread before is forgotten but what belongs to the ring: its indices, its counts, and the path cache, which
 * holds for the whole process. */
static void reset(struct gb_thread *self)
{
    self->limit = self->wake_at = self->tail; /* the first emit takes the slow way and looks at head */
    self->orphan = self->roots = 0;
    scope_reset(self, gb_inherited);
    self->tokens = (uint64_t)__atomic_add_fetch(&leases, 1, __ATOMIC_RELAXED) << 32 | 1;
    self->stack_low = self->stack_high = 0;
    self->rest = clock_is_counter() ? self : NULL;
    self->refusals = 0;
    self->refused_at = 0;
    memset(self->calls, 0, self->calls_high * sizeof *self->calls);
    self->lease_pending = true;
}

static void introduce(struct gb_thread *self)
{
    struct gbw_producer *producer = self->producer;

    memset(self->name, 0, sizeof self->name);
    prctl(PR_GET_NAME, self->name, 0, 0, 0);
    self->name[sizeof self->name - 1] = '\0';
    self->tid = (uint32_t)syscall(SYS_gettid);
    producer->tid = self->tid;
    memcpy(producer->thread, self->name, sizeof producer->thread);
    __atomic_store_n(&producer->lease, producer->lease + 1, __ATOMIC_RELEASE);
}

/* A ring that is new, in a segment that may have to be new as well. */
static int make(struct gb_thread **ret_thread)
{
    if (!slow_lock())
        return -EBUSY;
    int error = segment_check(process_segment());
    if (error == -ESTALE)
        error = process_replace_segment();
    if (!error)
        error = rings_make(ret_thread);
    slow_unlock();
    if (!error)
        rings_populate(*ret_thread);
    return error;
}

static const char *why_starved(int error)
{
    if (__atomic_load_n(&gb_process.budget, __ATOMIC_RELAXED) >= GBW_RING_BYTES_MIN)
        return why_error(-error);
    return gb_settings.max_bytes ? "GEMINI_BATCH_TELEMETRY_MAX_BYTES is used up"
                                 : "the smaller of 64M and a quarter of the space that was free is used up "
                                   "(GEMINI_BATCH_TELEMETRY_MAX_BYTES sets another limit)";
}

static struct gb_thread *take(void)
{
    static uint32_t said;
    struct gb_thread *self = segment_intact(process_segment()) ? rings_take() : NULL;
    if (self)
        return self;
    if (clock_monotonic_ns() < __atomic_load_n(&starved_until, __ATOMIC_RELAXED)) {
        thread_refuse(GBW_NO_RING);
        return NULL;
    }
    int error = make(&self);
    if (!error)
        return self;
    if (error == -EBUSY) {
        thread_refuse(GBW_BUSY);
        return NULL;
    }
    __atomic_store_n(&starved_until, clock_monotonic_ns() + STARVED_NS, __ATOMIC_RELAXED);
    if (first_time(&said))
        say("a thread gets no ring in %s: %s; what it emits is dropped and counted", gb_settings.directory,
            why_starved(error));
    thread_refuse(GBW_NO_RING);
    return NULL;
}

static struct gb_thread *lease(void)
{
    struct gb_thread *self = take();
    if (!self)
        return NULL;
    reset(self);
    introduce(self);
    if (end_key_made)
        pthread_setspecific(end_key, self);
    self->busy = 0;
    gb_mine = (struct gb_mine){.self = self, .ready = self->rest};
    return self;
}

struct gb_thread *thread_lease(void)
{
    struct gb_thread *self = NULL;
    struct slow slow;

    if (__atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_OFF_)
        return NULL;
    slow_begin(&slow);
    int error = process_ready();
    if (error == -ENOTSUP)
        self = NULL;
    else if (error)
        thread_refuse(GBW_BUSY);
    else if (gb_mine.self == THREAD_LATE)
        thread_refuse(GBW_LATE);
    else
        self = thread_has_ring(gb_mine.self) ? gb_mine.self
                                             : lease(); /* a signal handler may have been here just before */
    slow_end(&slow);
    return self;
}

struct gb_thread *thread_reentered(struct gb_thread *self)
{
    struct gb_thread *fresh = NULL;
    struct slow slow;

    slow_begin(&slow);
    if (self->refused_at != self->producer->attempted) {
        self->refused_at = self->producer->attempted;
        self->refusals = 0;
    }
    /* a handler that left by siglongjmp never lets the emit go on: do not refuse for ever */
    if (++self->refusals > REFUSALS_MAX && self == gb_mine.self) {
        fresh = lease();
        self->orphan = fresh != NULL;
    } else {
        thread_refuse(GBW_REENTRANT);
    }
    slow_end(&slow);
    return fresh;
}

static void give(struct gb_thread *self)
{
    scope_abandon_all(self);
    self->busy = 1;
    self->orphan = 0;
    rings_give(self);
}

void thread_left(struct gb_thread *orphan)
{
    struct slow slow;
    slow_begin(&slow);
    if (orphan->orphan)
        give(orphan);
    struct gb_thread *self = gb_mine.self;
    gb_mine.ready = thread_has_ring(self) ? self->rest : NULL;
    slow_end(&slow);
}

/* The destructors of other keys may still emit: ours waits for the second round. An emit that a signal handler interrupted and then ended
 * the thread will never finish: its ring is not given to anybody. */
static void thread_ends(void *value)
{
    struct slow slow;

    if (!((uintptr_t)value & POSTPONED)) {
        pthread_setspecific(end_key, (void *)((uintptr_t)value | POSTPONED));
        return;
    }
    slow_begin(&slow);
    struct gb_thread *self = gb_mine.self, *ready = gb_mine.ready;
    if (__atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_ON_STATE_ && thread_has_ring(self)) {
        if (ready && ready != self)
            thread_left(ready);
        if (!thread_is_busy(self))
            give(self);
        gb_mine = (struct gb_mine){.self = THREAD_LATE};
    }
    slow_end(&slow);
}

void thread_start(void)
{
    end_key_made = pthread_key_create(&end_key, thread_ends) == 0;
}
