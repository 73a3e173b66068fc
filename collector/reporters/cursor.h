/* SPDX-License-Identifier: MIT */
/*
 * Cursors: how far a durable reporter has come in each ring of each segment. In: runs and events that it records. Out: which of those
 * it has already. The reporter's thread alone. What stands here is the truth of "recorded"; cursor_file.h makes it durable.
 *
 * Invariant: an event is recorded if its seq lies before its ring's `next` (modulo 2^64, as slots are counted), or, for the lines
 * about a worker, if its segment's flag is set.
 */
#ifndef GB_REPORTERS_CURSOR_H
#define GB_REPORTERS_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gb/reporter.h"

#define SEGMENT_TEXT 32      /* hex digits of a segment's id */
#define SEGMENT_TEXT_SHORT 8 /* of them, what a compact line tells unless another known segment begins alike */

#define CURSOR_RINGS_MAX 65536u /* far more than a segment can have: a bound for what a broken file says */

struct cursor_ring {
    bool known;          /* something of it was recorded */
    uint64_t next;       /* seq of the first event that is not */
    uint64_t lease_told; /* compact lines: whose thread was told last; 0: nobody's. Not durable */
};

struct cursor_segment {
    char id[SEGMENT_TEXT + 1];
    uint8_t digits; /* of the id in compact lines */
    bool started, finished;
    bool seen; /* in this life of the collector: its file exists */
    struct cursor_ring *rings;
    uint32_t ring_count;
};

struct cursors {
    struct cursor_segment **segments; /* in the order in which they were first met */
    size_t count, capacity;
    struct cursor_segment **by_worker; /* what cursors_of found last for a worker's id; entries may be NULL */
    size_t worker_capacity;
};

void cursors_clear(struct cursors *cursors);

/* The segment with this id (32 digits, need not be terminated), made when it is new. NULL: no memory. */
struct cursor_segment *cursors_segment(struct cursors *cursors, const char *id);
/* The one that compact lines call so; NULL: none. */
struct cursor_segment *cursors_short(struct cursors *cursors, const char *digits, size_t length);
/* The worker's, marked as seen. NULL: no memory. */
struct cursor_segment *cursors_of(struct cursors *cursors, const struct gb_worker *worker);
void cursors_forget(struct cursors *cursors, const char *id);

/* Keeps at most `most` of those that were not seen: their segments went while nobody told us, the oldest first. */
void cursors_prune(struct cursors *cursors, size_t most);

/* A new thread in each ring, as far as compact lines go: a new file tells again whose ring it is. */
void cursors_forget_threads(struct cursors *cursors);

/* NULL: no memory, or a number that no ring has. */
struct cursor_ring *cursor_ring(struct cursor_segment *segment, uint32_t ring);

static inline bool cursor_has(const struct cursor_ring *ring, uint64_t seq)
{
    return ring->known && (int64_t)(seq - ring->next) < 0;
}

static inline void cursor_advance(struct cursor_ring *ring, uint64_t next)
{
    if (!ring->known || (int64_t)(next - ring->next) > 0)
        ring->next = next;
    ring->known = true;
}

#endif
