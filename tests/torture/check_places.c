/* SPDX-License-Identifier: MIT */
/* See check.h: segments and rings of the book, found by their keys. A key is stored when all else of its place is there. */
#include <stdlib.h>
#include <string.h>

#include "tests/torture/check.h"

static uint64_t segment_key(const struct gb_worker *worker)
{
    char digits[17] = {0};
    memcpy(digits, worker->segment, 16);
    return strtoull(digits, NULL, 16) | 1;
}

/* The key is stored when all else is in place. NULL: full. */
struct segment_seen *check_segment(struct check *check, const struct gb_worker *worker)
{
    uint64_t key = segment_key(worker);
    for (uint64_t at = book_mix(key), tries = 0; tries < BOOK_SEGMENTS; at++, tries++) {
        struct segment_seen *segment = &check->book->segment[at % BOOK_SEGMENTS];
        if (segment->key == key)
            return segment;
        if (!segment->key) {
            segment->pid = (int32_t)worker->pid;
            check_fence();
            segment->key = key;
            return segment;
        }
    }
    return NULL;
}

struct ring_seen *check_ring(struct check *check, const struct gb_run *run)
{
    uint64_t key = book_mix(segment_key(run->worker) + run->ring) | 1;
    for (uint64_t at = key >> 1, tries = 0; tries < BOOK_RINGS; at++, tries++) {
        struct ring_seen *ring = &check->book->ring[at % BOOK_RINGS];
        if (ring->key == key)
            return ring;
        if (!ring->key) {
            struct segment_seen *segment = check_segment(check, run->worker);
            if (!segment)
                return NULL;
            ring->segment = (uint32_t)(segment - check->book->segment);
            ring->last_stream = UINT32_MAX;
            ring->next = run->first_seq;
            check_fence();
            ring->key = key;
            return ring;
        }
    }
    return NULL;
}

bool check_is_scapegoat(const struct book *book, uint32_t pid)
{
    for (uint32_t i = 0; i < BOOK_SCAPEGOATS; i++) {
        if (book->scapegoat[i] == (int32_t)pid)
            return true;
    }
    return false;
}
