/* SPDX-License-Identifier: MIT */
/*
 * A thread's private state while it leases a ring. In: the first emit of a thread. Out: a `struct gb_thread` in which
 * everything that an emit touches stands together; private memory, never read by another process.
 *
 * All fields are written by the owning thread only, the signal handlers that run on it included: `busy` keeps those
 * out of an emit. The blocks are mmap'd, pooled with their rings, and never freed while the process lives.
 */
#ifndef GB_LIB_THREAD_H
#define GB_LIB_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/telemetry.h"
#include "gb/wire.h"

#define SCOPES_MAX 512u /* open scopes of a thread; the segment shows GBW_FRAMES of them */
#define PATH_CACHE 512u /* entries, direct-mapped */
#define REFUSALS_MAX 1024u

/* (parent path, name) -> path. */
struct path_cache {
    uint64_t key;  /* path_key; 0: empty */
    uint64_t head; /* path_head */
};

/*
 * The books of an open scope, in its place in a stack of them. The record itself is in the segment (frame), or, between the outermost
 * 31 and the innermost, in `deep`. A cache line each.
 */
struct open_scope {
    uintptr_t anchor; /* address of the scope's object on the stack: also the token that ends it */
    uintptr_t lowest; /* of the anchors of all that is open, this one included */
    uint64_t
        head; /* path_head: words 0 and 3 of its record, but for the attributes: what is emitted inside needs them */
    uint64_t calls;
    uint32_t ext_length; /* its extension in the arena; 0: none. It is 0 in all places above the top */
    uint32_t ext_offset;
    /* constant for this place (scope_reset) */
    uint32_t root;   /* 1: what is begun inside of this is a root */
    uint32_t depth;  /* scopes that are open when this is the top */
    uint64_t *frame; /* of the next one inside, on the usual way; nowhere in the segment when that is too deep */
} __attribute__((aligned(64)));

struct gb_thread {
    /* the ring, as mapped */
    struct gbw_producer *producer;
    const struct gbw_consumer *consumer;
    struct gbw_record *slots;
    uint8_t *arena;
    uint64_t mask;          /* slots - 1 */
    uint64_t tail;          /* our copy */
    uint64_t limit;         /* an emit whose last slot would be at or beyond takes the slow path: the ring is full, the
                           * half-full mark is passed, or a lease or lost record must go first */
    struct gb_thread *rest; /* gb_mine.ready outside of emits: this; NULL where the clock is no counter */
    uint32_t busy;          /* 1 inside an emit that is not on the usual way. Also 1 while the block is in the pool */
    uint32_t orphan;        /* 1: another ring was leased over this one's head; its last emit returns it */
    struct open_scope *top; /* the innermost open scope: a place in `open` */
    uint32_t roots;         /* root scopes begun */
    uint32_t arena_used;    /* bytes of the arena that open scopes use */
    uint64_t tokens;        /* next token of spans and contexts; its high half is unique to the lease */
    uintptr_t stack_low, stack_high; /* the mapping of the stack that was looked at last; 0: none */
    uint32_t *calls;                 /* call counts by path id: GBW_NAMES_MAX of them, mapped lazily */
    uint32_t calls_high; /* ids at and above were never counted by this block: a new lease clears what is below */
    uint32_t refusals;   /* in a row against the same emit */
    uint64_t refused_at; /* producer->attempted at the first of them */
    uint64_t dropped[GBW_RING_CAUSES]; /* our copy of producer->dropped */
    uint64_t lost[GBW_RING_CAUSES];    /* dropped since the last *lost* record */
    uint64_t lost_folded;              /* folded since then */
    uint64_t wake_at;                  /* tail at which the bell is looked at next */
    uint64_t announced;                /* our copy of producer->overwriting */
    uint8_t *fold;                     /* the fold tables; NULL: none */
    uint32_t fold_bytes;               /* both of them */
    uint64_t fold_epoch, folded;       /* our copies of the producer's */
    double fold_tick_ns;               /* nanoseconds of a tick */
    bool lease_pending;                /* the next publication begins with a lease record */
    bool lost_pending;                 /* ... with a lost record */
    uint32_t ring;                     /* index in the segment */
    uint32_t tid;
    char name[16];    /* of the thread, at the time of the lease */
    uint32_t block;   /* index among all blocks of the process */
    uint32_t segment; /* index in gb_process.segments */
    struct path_cache cache[PATH_CACHE];
    /* open[0] stands for being outside of all: an anchor above every address, and the path that was inherited over a fork,
     * else GBW_ROOT */
    struct open_scope open[SCOPES_MAX + 1];
    struct gbw_record deep[SCOPES_MAX]; /* index = depth - 1, for GBW_FRAMES - 1 <= index < depth - 1 */
};

/*
 * A thread's own: what it leases, and whether an emit may begin on the usual way (ring.h). That is so while `ready` is `self`: one
 * comparison says that there is a ring, that no emit is running on this thread, and that the clock is a counter. An emit begins
 * with ready = NULL and ends with ready = self->rest. Initial-exec.
 */
struct gb_mine {
    struct gb_thread *self; /* THREAD_NONE before the first emit of a thread; THREAD_LATE after its ring was returned */
    struct gb_thread
        *ready; /* of another block: an emit that another ring was leased over, or that a fork left behind, has ended */
};
extern __thread struct gb_mine gb_mine __attribute__((tls_model("initial-exec"), visibility("hidden")));
#define THREAD_LATE ((struct gb_thread *)1)
#define THREAD_NONE ((struct gb_thread *)2) /* not NULL: `ready` is that */

static inline bool thread_has_ring(const struct gb_thread *self)
{
    return (uintptr_t)self > (uintptr_t)THREAD_NONE;
}

/* Another ring was leased over the head of an emit, or a fork left it behind, and it has ended: returns the ring of an orphan to the
 * pool, and lets the thread emit on what it leases now. */
void thread_left(struct gb_thread *orphan);

/* Is an emit running on this thread? */
static inline bool thread_is_busy(const struct gb_thread *self)
{
    return self->busy || (self->rest && !gb_mine.ready);
}

/*
 * The slow way to a thread's state: decides whether telemetry is enabled, makes the segment, makes a new one in the child of a
 * fork, leases a ring. Blocks all signals meanwhile; restores errno. NULL: this emit cannot happen: telemetry
 * is off, or the refusal (no_ring, late, busy) has been counted in header.refused.
 */
struct gb_thread *thread_lease(void);

/* Called by an emit that found another one running: counts the refusal (reentrant); after REFUSALS_MAX in a row against the same emit
 * orphans the ring and leases another. Returns the new block, or NULL: drop. */
struct gb_thread *thread_reentered(struct gb_thread *self);

/* Atomic add to header.refused[cause]; kept for the segment to come while there is none. */
void thread_refuse(enum gbw_cause cause);

/* A new segment: what was refused before there was one. */
void thread_early_refusals(void);

/* Once, when the library is loaded. */
void thread_start(void);

#endif
