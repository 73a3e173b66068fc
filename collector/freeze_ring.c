/* SPDX-License-Identifier: MIT */
/*
 * See freeze.h: one ring. The reader's half of P12: tail, a copy of slots, and only then the mark of what its worker may have written
 * meanwhile. What lies further below the mark than the ring is long is left out. The newest slots are copied first, a piece at a time: the worker
 * comes from the other end, and where we meet is where the window begins, however fast it is.
 *
 * What is left begins in the middle of things. At each announcement the worker has written whose events these are and how many came
 * before (struct gbw_lease), so a window with one of these in it tells both of its first event. They are written into the two slots before
 * it, as a lease and a lost record: a reader of the copy meets nothing that it would not meet in a segment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/decode.h"
#include "collector/freeze.h"
#include "collector/words.h"

#define PIECE 32u           /* slots that are copied between two looks at the mark */
#define HALF_NS 100000000   /* so long for a half of what a ring can hold, where its worker is very fast, ... */
#define TRIES_NS 1000000000 /* ... and so long for a window whose beginning is known */
#define SYNTHETIC 2u        /* slots before the window: a lease and a lost record */

/* Whole events of a copied ring, and what is known of those before. */
struct window {
    uint64_t start, first, tail; /* slots: of the ring's life; of the window, first to tail */
    uint64_t events, before;     /* in the window; published before it */
    struct lease lease;          /* in force at first */
    struct gbw_anchor anchor;    /* ... or the next one after it */
    bool known;                  /* there was a lease record in it, or never anything in the ring */
};

static struct gbw_record *slot_at(const struct frozen_ring *frozen, uint64_t at)
{
    return &frozen->slot[at & (frozen->slots - 1)];
}

static bool is_event(const struct frozen_ring *frozen, uint64_t at)
{
    return record_kind(slot_at(frozen, at)) - GBW_TIMING <= GBW_SAMPLE - GBW_TIMING;
}

/* Where the next event or control record begins. */
static uint64_t next_border(const struct frozen_ring *frozen, uint64_t at, uint64_t tail)
{
    while (at != tail && record_kind(slot_at(frozen, at)) == GBW_MORE)
        at++;
    return at;
}

/* The first lease record says who it was that wrote what stands before it, if it was the same thread. */
static void learn(const struct frozen_ring *frozen, uint64_t at, struct window *window)
{
    struct gbw_lease lease;
    memcpy(&lease, slot_at(frozen, at), sizeof(lease));
    window->known = true;
    window->anchor = lease.anchor;
    window->before = lease.events > window->events ? lease.events - window->events : 0;
    window->lease = (struct lease){.number = lease.number};
    if (lease.again || at == window->first) {
        window->lease.tid = lease.tid;
        memcpy(window->lease.thread, lease.thread, sizeof(lease.thread));
    } else if (lease.number) {
        window->lease.number--;
    }
}

static void count_events(const struct frozen_ring *frozen, struct window *window)
{
    window->events = 0;
    window->known = window->start == window->tail;
    for (uint64_t at = window->first; at != window->tail; at++) {
        if (!window->known && record_kind(slot_at(frozen, at)) == GBW_LEASE)
            learn(frozen, at, window);
        window->events += is_event(frozen, at);
    }
}

/* The slots [from, at), then the mark: the first of them that is whole for sure; `at`: none is. */
static uint64_t copy_piece(const struct ring *ring, struct frozen_ring *frozen, uint64_t from, uint64_t at)
{
    for (uint64_t i = from; i != at; i++)
        words_copy(slot_at(frozen, i), ring->slot + (i & (ring->slots - 1)) * GBW_SLOT, GBW_SLOT);
    /* pairs with the worker's fence after the mark (P12) */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    uint64_t whole = __atomic_load_n(&ring->producer->overwriting, __ATOMIC_RELAXED) - ring->slots;
    return (int64_t)(whole - from) <= 0 ? from : (int64_t)(whole - at) < 0 ? whole : at;
}

static int copy_slots(const struct ring *ring, struct frozen_ring *frozen, struct window *window)
{
    const struct gbw_producer *producer = ring->producer;
    uint64_t start = __atomic_load_n(&ring->consumer->head, __ATOMIC_RELAXED);
    uint64_t tail = __atomic_load_n(&producer->tail, __ATOMIC_ACQUIRE); /* P1 */
    uint64_t overwriting = __atomic_load_n(&producer->overwriting, __ATOMIC_RELAXED);
    uint64_t first = tail, from = tail, all = tail - start;
    if ((int64_t)all < 0 || (int64_t)(overwriting - tail) < 0)
        return -EPROTO;
    uint64_t least = all > ring->slots ? tail - ring->slots : start;
    while (first == from && first != least) {
        from = first - least > PIECE ? first - PIECE : least;
        first = copy_piece(ring, frozen, from, first);
    }
    if (first != start && tail - first > ring->slots - SYNTHETIC)
        first = tail - (ring->slots - SYNTHETIC);
    *window = (struct window){.start = start, .first = next_border(frozen, first, tail), .tail = tail};
    return 0;
}

/* Without a lease record in it nobody can say what comes before a window. */
static bool is_enough(const struct ring *ring, const struct window *window, int64_t tried_ns)
{
    uint64_t all = window->tail - window->start, most = all < ring->slots ? all : ring->slots;
    return tried_ns >= TRIES_NS || (window->known && (tried_ns >= HALF_NS || window->tail - window->first >= most / 2));
}

static int copy_window(const struct ring *ring, enum gbw_how how, struct frozen_ring *frozen, struct window *window)
{
    int64_t began = clock_mono_now();
    do {
        int error = copy_slots(ring, frozen, window);
        if (error)
            return error;
        count_events(frozen, window);
    } while (how == GBW_STILL_RUNS && !is_enough(ring, window, clock_mono_now() - began) &&
             !atomic_load_explicit(&ring->segment->faulted, memory_order_relaxed));
    if (!window->known) {
        window->first = window->tail;
        window->events = 0;
    }
    return 0;
}

/* The outermost scopes that were open all the while: the frame of one that ended, or began, differs between two looks, or is not below
 * the depth after the first. */
static uint32_t same_frames(const struct ring *ring, const struct frozen_ring *frozen, uint32_t depth)
{
    const struct gbw_producer *copy = frozen->producer;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    uint32_t after = __atomic_load_n(&ring->producer->depth, __ATOMIC_ACQUIRE);
    uint32_t frames = depth < after ? depth : after, i = 0;
    for (; i < frames && i < GBW_FRAMES; i++) {
        struct gbw_record again;
        struct gbw_frame_ext ext = copy->ext[i];
        words_copy(&again, &ring->producer->frame[i], sizeof(again));
        if (memcmp(&again, &copy->frame[i], sizeof(again)) ||
            __atomic_load_n(&ring->producer->ext[i].offset, __ATOMIC_RELAXED) != ext.offset ||
            __atomic_load_n(&ring->producer->ext[i].length, __ATOMIC_RELAXED) != ext.length)
            break;
        if (ext.offset <= GBW_ARENA_BYTES && ext.length <= GBW_ARENA_BYTES - ext.offset &&
            memcmp(frozen->arena + ext.offset, ring->arena + ext.offset, ext.length) != 0)
            break;
    }
    return i;
}

/* With the open scopes, and counts that agree with the window. attempted comes last (P3). */
static void copy_producer(const struct ring *ring, enum gbw_how how, struct frozen_ring *frozen,
                          const struct window *window)
{
    struct gbw_producer *copy = frozen->producer;
    const struct gbw_producer *producer = ring->producer;
    uint64_t dropped = 0, counted;
    /* pairs with the worker's release (P6) */
    uint32_t depth = __atomic_load_n(&producer->depth, __ATOMIC_ACQUIRE);
    words_copy(copy, producer, sizeof(*copy));
    words_copy(frozen->arena, ring->arena, GBW_ARENA_BYTES);
    copy->depth = same_frames(ring, frozen, depth);
    for (unsigned i = 0; i < GBW_CAUSES; i++) {
        copy->dropped[i] = __atomic_load_n(&producer->dropped[i], __ATOMIC_ACQUIRE);
        dropped += copy->dropped[i];
    }
    uint64_t attempted = __atomic_load_n(&producer->attempted, __ATOMIC_RELAXED);
    if (window->known)
        counted = window->before + window->events + dropped;
    else
        counted = attempted > dropped ? attempted : dropped;
    copy->tail = window->tail;
    copy->overwritten = counted - dropped - window->events;
    /* whoever lives has gone on since the tail was read; who is dead may have been killed inside an emit */
    copy->attempted = how == GBW_STILL_RUNS || attempted < counted ? counted : attempted;
    copy->folded = copy->fold_epoch = copy->fold_busy = copy->overwriting = 0;
    copy->leased = 0;
}

/* What was before the window, as a reader of segments understands it. */
static void write_before(struct frozen_ring *frozen, const struct window *window)
{
    struct gbw_lost lost = {.kind = GBW_LOST, .overwritten = frozen->producer->overwritten};
    struct gbw_lease lease = {
        .kind = GBW_LEASE, .tid = window->lease.tid, .number = window->lease.number, .anchor = window->anchor};
    uint64_t head = window->first;
    memcpy(lease.thread, window->lease.thread, sizeof(lease.thread));
    if (window->first != window->start) {
        if (lost.overwritten)
            memcpy(slot_at(frozen, --head), &lost, sizeof(lost));
        if (window->known)
            memcpy(slot_at(frozen, --head), &lease, sizeof(lease));
    }
    frozen->consumer->head = head;
}

int freeze_ring(const struct ring *ring, enum gbw_how how, struct frozen_ring *ret_frozen)
{
    struct window window;
    uint8_t *image = calloc(1, FROZEN_BYTES(ring->slots));
    if (!image)
        return -ENOMEM;
    *ret_frozen = (struct frozen_ring){.producer = (struct gbw_producer *)(void *)image,
                                       .arena = image + GBW_PAGE,
                                       .consumer = (struct gbw_consumer *)(void *)(image + GBW_PAGE + GBW_ARENA_BYTES),
                                       .slot = (struct gbw_record *)(void *)(image + GBW_RING_OVERHEAD),
                                       .slots = ring->slots};
    int error = copy_window(ring, how, ret_frozen, &window);
    if (error) {
        frozen_ring_free(ret_frozen);
        return error;
    }
    copy_producer(ring, how, ret_frozen, &window);
    write_before(ret_frozen, &window);
    return 0;
}

void frozen_ring_free(struct frozen_ring *frozen)
{
    free(frozen->producer);
}
