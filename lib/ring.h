/* SPDX-License-Identifier: MIT */
/*
 * The producer's side of a ring, and the frame around every emit. In: a finished record of a thread. Out: slots in shared
 * memory, published by one release store of `tail`; or a drop, counted. Runs on the emitting thread, in signal handlers too.
 *
 *   emit_enter      a thread's state, marked busy; or NULL, and the refusal has been counted
 *     ring_emit     attempted + 1, then published or dropped (docs/protocol.md, rule P3)
 *   emit_leave
 *
 * The producer never reads `head` while its own `limit` says that there is room: the consumer's cache line is touched once per
 * half ring. `limit` is never behind `tail`.
 */
#ifndef GB_LIB_RING_H
#define GB_LIB_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gb/telemetry.h"
#include "gb/wire.h"
#include "lib/thread.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Makes the compiler work out an address, or read a value, again where it is used, rather than keep it in a register. */
#define OPAQUE(value) __asm__("" : "+r"(value))

/* Orders memory operations for a signal handler of the same thread, and for whoever reads the segment after a kill. */
#define signal_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* The caller has looked at the switch (gb_enabled): in the child of a fork its page is wiped, and gb_mine is the parent's. */
static inline struct gb_thread *emit_enter(void)
{
    struct gb_thread *self = gb_mine.self;
    if (unlikely(!thread_has_ring(self))) {
        self = thread_lease();
        if (!self)
            return NULL;
    }
    if (unlikely(thread_is_busy(self))) {
        self = thread_reentered(self);
        if (!self)
            return NULL;
    }
    struct gb_thread *ready = gb_mine.ready;
    if (unlikely(ready && ready != self))
        thread_left(ready);
    gb_mine.ready = NULL;
    signal_fence();
    self->busy = 1;
    signal_fence();
    return self;
}

static inline void emit_leave(struct gb_thread *self)
{
    signal_fence();
    self->busy = 0;
    signal_fence();
    if (likely(gb_mine.self == self))
        gb_mine.ready = self->rest;
    else
        thread_left(self);
}

/* The same, faster, where there is nothing to do but to begin: else false, and emit_enter finds out why. */
static inline bool emit_enter_usual(struct gb_thread *self)
{
    if (unlikely(gb_mine.ready != self))
        return false;
    gb_mine.ready = NULL;
    signal_fence();
    return true;
}

/* When another ring was leased meanwhile, the next emit finds `ready` to be another than gb_mine.self, and returns this one. */
static inline void emit_leave_usual(struct gb_thread *self)
{
    signal_fence();
    gb_mine.ready = self;
}

/* Counts an event that is dropped. After `attempted` of that event. */
void ring_drop(struct gb_thread *self, enum gbw_cause cause);

/*
 * The slow way to `slots` free slots: looks at `head` again, wakes a sleeping collector past half full, and writes the lease and
 * lost records that must go first. true: *ret_at is where the event's first slot stands. false: the event was dropped.
 */
bool ring_make_room(struct gb_thread *self, uint32_t slots, uint64_t *ret_at);

/* The event that found no room: folded, or dropped. */
void ring_overflow(struct gb_thread *self, const uint64_t *word);

/* Continuation slots from `at` on. */
void ring_write_more(struct gb_thread *self, uint64_t at, const uint8_t *ext, uint32_t length);

static inline void ring_attempt(struct gbw_producer *producer)
{
    /* relaxed: a reader loads it last, after tail and dropped (acquire), so it can only be ahead of them, never behind */
    uint64_t *attempted = &producer->attempted;
#if defined(__x86_64__)
    /* what compilers make of the below takes three instructions; neither is locked, as there is one writer */
    __asm__ volatile("incq %0" : "+m"(*attempted) : : "cc", "memory");
#else
    __atomic_store_n(attempted, __atomic_load_n(attempted, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
#endif
}

/* Word by word, and never in wider pieces: the words were written a moment ago, and a wider load would wait for all of them. */
static inline void ring_copy_record(uint64_t *to, const uint64_t *from)
{
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        __atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* release: pairs with the drain's acquire of tail; everything of the event is visible before it */
static inline void ring_publish(struct gb_thread *self, struct gbw_producer *producer, uint64_t tail)
{
    self->tail = tail;
    __atomic_store_n(&producer->tail, tail, __ATOMIC_RELEASE);
}

/* One event. `word` and `ext` may lie in the segment; they are read once. */
static inline void ring_emit(struct gb_thread *self, const uint64_t word[8], const uint8_t *ext, uint32_t ext_length)
{
    uint64_t at = self->tail;
    uint32_t slots = 1;

    if (unlikely(ext_length != 0))
        slots += (ext_length + GBW_MORE_BYTES - 1) / GBW_MORE_BYTES;
    ring_attempt(self->producer);
    if (unlikely((int64_t)(self->limit - at - slots) < 0) && !ring_make_room(self, slots, &at)) {
        ring_overflow(self, word);
        return;
    }
    ring_copy_record(self->slots[at & self->mask].word, word);
    if (unlikely(slots > 1))
        ring_write_more(self, at + 1, ext, ext_length);
    ring_publish(self, self->producer, at + slots);
}

#endif
