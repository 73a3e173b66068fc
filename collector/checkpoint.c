/* SPDX-License-Identifier: MIT */
/*
 * See checkpoint.h. With a durable reporter, head lags behind taken. What is in force at head (counts, lease, anchor)
 * is then remembered in marks, one for each time that a part of the ring was queued: head moves from mark to mark. A ring has
 * few; when they run out, the newest is moved ahead, so head takes a longer step later.
 */
#include "collector/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/utf8.h"
#include "collector/words.h"

#define MARKS 128u /* a power of two */

struct mark {
    uint64_t seq, delivered, malformed;
    struct lease lease;
    struct gbw_anchor anchor;
};

struct marks {
    uint32_t first, count; /* first grows for ever, modulo */
    struct mark mark[MARKS];
};

/* Words of gbw_checkpoint.refused: how much of header.refused was told, so that a new collector does not tell it again. */
_Static_assert(GBW_CAUSES <= 10, "refused counts fit the reserved words");

static uint64_t checksum(const struct gbw_checkpoint *checkpoint)
{
    const uint8_t *bytes = (const uint8_t *)checkpoint;
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < offsetof(struct gbw_checkpoint, checksum); i++)
        h = (h ^ bytes[i]) * 0x100000001b3ull;
    return h;
}

/* The newest valid one. */
static bool load_newest(const struct gbw_consumer *consumer, struct gbw_checkpoint *ret_checkpoint)
{
    bool found = false;
    for (unsigned i = 0; i < 2; i++) {
        struct gbw_checkpoint copy;
        words_copy(&copy, &consumer->checkpoint[i], sizeof(copy));
        if (copy.checksum != checksum(&copy) || (found && copy.generation < ret_checkpoint->generation))
            continue;
        *ret_checkpoint = copy;
        found = true;
    }
    return found;
}

static void set_cursors(struct ring *ring, uint64_t head, uint64_t taken)
{
    ring->head = ring->taken = ring->stored_head = head;
    ring->stored_taken = head;
    ring->replayed_below = taken;
    ring->published_head = head;
}

static void restore_segment(struct segment *segment, const struct gbw_checkpoint *checkpoint)
{
    segment->started_told |= (checkpoint->told & GBW_TOLD_STARTED) != 0;
    segment->started_safe |= (checkpoint->told & GBW_TOLD_STARTED_SAFE) != 0;
    segment->finished_replay |= (checkpoint->told & GBW_TOLD_FINISHED) != 0;
    for (unsigned i = 0; i < GBW_CAUSES; i++) {
        if (segment->refused_told[i] < checkpoint->refused[i])
            segment->refused_told[i] = checkpoint->refused[i];
    }
}

static void restore_ring(struct ring *ring, const struct gbw_checkpoint *checkpoint, uint64_t tail)
{
    uint64_t pending = tail - checkpoint->head, replay = checkpoint->taken - checkpoint->head;
    set_cursors(ring, checkpoint->head, replay <= pending ? checkpoint->taken : tail);
    ring->checkpoint_generation = checkpoint->generation;
    ring->delivered = ring->delivered_head = checkpoint->delivered_head;
    ring->malformed = ring->malformed_head = checkpoint->malformed_head;
    ring->delivered_before = checkpoint->delivered_taken;
    ring->fold_freed = ring->fold_taken = ring->stored_fold_freed = ring->stored_fold_taken = checkpoint->fold_freed;
    ring->fold_replayed = checkpoint->fold_taken - checkpoint->fold_freed <= 2 ? checkpoint->fold_taken : 0;
    ring->folded = ring->folded_freed = checkpoint->folded_freed;
    ring->folded_before = checkpoint->folded_taken;
    ring->lease = (struct lease){.number = checkpoint->lease, .tid = checkpoint->tid};
    utf8_clean(ring->lease.thread, sizeof(ring->lease.thread), checkpoint->thread,
               strnlen(checkpoint->thread, sizeof(checkpoint->thread)));
    ring->lease_head = ring->lease;
    ring->anchor = ring->anchor_head = checkpoint->anchor;
    if (ring->lease.number)
        timebase_anchor(&ring->segment->timebase, &ring->anchor);
}

/* Without memory head follows taken: what a durable reporter has not stored when the collector is killed is lost for it. */
void checkpoint_plan(struct ring *ring, bool durable)
{
    if (durable && !ring->marks) {
        ring->marks = malloc(sizeof(*ring->marks));
        if (ring->marks)
            ring->marks->first = ring->marks->count = 0;
    } else if (!durable && ring->marks && !ring->marks->count) {
        free(ring->marks);
        ring->marks = NULL;
    }
}

int checkpoint_restore(struct ring *ring, bool durable)
{
    struct gbw_checkpoint checkpoint;
    if (durable)
        checkpoint_plan(ring, true);
    if (durable && !ring->marks)
        return -ENOMEM;
    uint64_t head = __atomic_load_n(&ring->consumer->head, __ATOMIC_RELAXED);
    /* pairs with the worker's release (P1) */
    uint64_t tail = __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
    ring->anchor = ring->anchor_head = ring->segment->timebase.anchor;
    if (load_newest(ring->consumer, &checkpoint)) {
        ring->checkpoint_generation = checkpoint.generation; /* the next one must win, whatever this one says */
        if (tail - checkpoint.head <= ring->slots) {
            restore_segment(ring->segment, &checkpoint);
            restore_ring(ring, &checkpoint, tail);
            return 0;
        }
        ring->violations++;
    }
    if (tail - head > ring->slots) {
        ring->violations++;
        head = tail;
    }
    set_cursors(ring, head, head);
    return 0;
}

static struct mark mark_of(const struct ring *ring)
{
    return (struct mark){.seq = ring->taken,
                         .delivered = ring->delivered,
                         .malformed = ring->malformed,
                         .lease = ring->lease,
                         .anchor = ring->anchor};
}

static void set_head(struct ring *ring, const struct mark *mark)
{
    ring->head = mark->seq;
    ring->delivered_head = mark->delivered;
    ring->malformed_head = mark->malformed;
    ring->lease_head = mark->lease;
    ring->anchor_head = mark->anchor;
}

void checkpoint_mark(struct ring *ring)
{
    struct marks *marks = ring->marks;
    struct mark mark = mark_of(ring);
    if (!marks) {
        set_head(ring, &mark);
        return;
    }
    uint32_t last = marks->first + marks->count - 1;
    if (marks->count && marks->mark[last % MARKS].seq == mark.seq)
        return;
    if (marks->count < MARKS) {
        marks->count++;
        last++;
    }
    marks->mark[last % MARKS] = mark;
}

void checkpoint_advance(struct ring *ring, uint64_t committed)
{
    struct marks *marks = ring->marks;
    if (!marks)
        return;
    while (marks->count && (int64_t)(committed - marks->mark[marks->first % MARKS].seq) >= 0) {
        set_head(ring, &marks->mark[marks->first % MARKS]);
        marks->first++;
        marks->count--;
    }
}

void checkpoint_store(struct ring *ring)
{
    const struct segment *segment = ring->segment;
    struct gbw_checkpoint checkpoint = {.generation = ring->checkpoint_generation + 1,
                                        .head = ring->head,
                                        .taken = ring->taken,
                                        .delivered_head = ring->delivered_head,
                                        .delivered_taken = ring->delivered,
                                        .malformed_head = ring->malformed_head,
                                        .malformed_taken = ring->malformed,
                                        .fold_taken = ring->fold_taken,
                                        .fold_freed = ring->fold_freed,
                                        .folded_taken = ring->folded,
                                        .folded_freed = ring->folded_freed,
                                        .lease = ring->lease_head.number,
                                        .tid = ring->lease_head.tid,
                                        .anchor = ring->anchor_head};
    if (ring->checkpoint_generation && ring->stored_head == ring->head && ring->stored_taken == ring->taken &&
        ring->stored_fold_taken == ring->fold_taken && ring->stored_fold_freed == ring->fold_freed &&
        !segment->finished_told)
        return;
    if (ring->fold_replayed > ring->fold_taken) {
        checkpoint.fold_taken = ring->fold_replayed;
        checkpoint.folded_taken = ring->folded_before;
    }
    if ((int64_t)(ring->replayed_below - ring->taken) >
        0) { /* a restart meanwhile must not forget what was told before */
        checkpoint.taken = ring->replayed_below;
        checkpoint.delivered_taken = ring->delivered_before;
    }
    checkpoint.told = (segment->started_told ? GBW_TOLD_STARTED : 0u) |
                      (segment->started_safe ? GBW_TOLD_STARTED_SAFE : 0u) |
                      (segment->finished_told || segment->finished_replay ? GBW_TOLD_FINISHED : 0u);
    memcpy(checkpoint.thread, ring->lease_head.thread, sizeof(checkpoint.thread));
    memcpy(checkpoint.refused, segment->refused_told, sizeof(segment->refused_told));
    checkpoint.checksum = checksum(&checkpoint);
    ring->checkpoint_generation = checkpoint.generation;
    ring->stored_head = ring->head;
    ring->stored_taken = ring->taken;
    ring->stored_fold_taken = ring->fold_taken;
    ring->stored_fold_freed = ring->fold_freed;
    memcpy(&ring->consumer->checkpoint[checkpoint.generation % 2], &checkpoint, sizeof(checkpoint));
    /* Stored before whatever is queued or published next. Only the compiler could turn that round: what a killed thread has
     * stored stays, in order. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void checkpoint_publish(struct ring *ring)
{
    if (ring->published_head == ring->head)
        return;
    if (ring->stored_head != ring->head)
        checkpoint_store(ring);
    ring->published_head = ring->head;
    /* our copies are done (P2): pairs with the worker's acquire of head */
    __atomic_store_n(&ring->consumer->head, ring->head, __ATOMIC_RELEASE);
}

void checkpoint_resync(struct ring *ring, uint64_t tail)
{
    struct mark mark;
    ring->violations++;
    ring->taken = ring->replayed_below = tail;
    if (ring->marks)
        ring->marks->count = 0;
    mark = mark_of(ring);
    set_head(ring, &mark);
}
