/* SPDX-License-Identifier: MIT */
/* See cursor.h. Segments are few (one per worker) and looked up once per run, so a plain array serves. */
#include "collector/reporters/cursor.h"

#include <stdlib.h>
#include <string.h>

static void segment_free(struct cursor_segment *segment)
{
    if (segment)
        free(segment->rings);
    free(segment);
}

void cursors_clear(struct cursors *cursors)
{
    for (size_t i = 0; i < cursors->count; i++)
        segment_free(cursors->segments[i]);
    free(cursors->segments);
    free(cursors->by_worker);
    *cursors = (struct cursors){0};
}

static bool reserve(struct cursor_segment ***array, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity)
        return true;
    size_t larger = wanted + wanted / 2 + 16;
    struct cursor_segment **moved = reallocarray(*array, larger, sizeof(struct cursor_segment *));
    if (!moved)
        return false;
    memset(moved + *capacity, 0, (larger - *capacity) * sizeof(struct cursor_segment *));
    *array = moved;
    *capacity = larger;
    return true;
}

static struct cursor_segment *find(struct cursors *cursors, const char *id)
{
    for (size_t i = cursors->count; i > 0; i--)
        if (memcmp(cursors->segments[i - 1]->id, id, SEGMENT_TEXT) == 0)
            return cursors->segments[i - 1];
    return NULL;
}

struct cursor_segment *cursors_short(struct cursors *cursors, const char *digits, size_t length)
{
    for (size_t i = 0; i < cursors->count; i++) {
        struct cursor_segment *segment = cursors->segments[i];
        if (segment->digits == length && memcmp(segment->id, digits, length) == 0)
            return segment;
    }
    return NULL;
}

struct cursor_segment *cursors_segment(struct cursors *cursors, const char *id)
{
    struct cursor_segment *segment = find(cursors, id);

    if (segment)
        return segment;
    if (!reserve(&cursors->segments, &cursors->capacity, cursors->count + 1))
        return NULL;
    segment = calloc(1, sizeof(*segment));
    if (!segment)
        return NULL;
    memcpy(segment->id, id, SEGMENT_TEXT);
    segment->digits = cursors_short(cursors, id, SEGMENT_TEXT_SHORT) ? SEGMENT_TEXT : SEGMENT_TEXT_SHORT;
    cursors->segments[cursors->count++] = segment;
    return segment;
}

struct cursor_segment *cursors_of(struct cursors *cursors, const struct gb_worker *worker)
{
    if (!reserve(&cursors->by_worker, &cursors->worker_capacity, (size_t)worker->id + 1))
        return NULL;
    struct cursor_segment **cached = &cursors->by_worker[worker->id];
    if (!*cached || memcmp((*cached)->id, worker->segment, SEGMENT_TEXT) != 0)
        *cached = cursors_segment(cursors, worker->segment);
    if (*cached)
        (*cached)->seen = true;
    return *cached;
}

static void remove_at(struct cursors *cursors, size_t at)
{
    struct cursor_segment *segment = cursors->segments[at];

    for (size_t i = 0; i < cursors->worker_capacity; i++)
        if (cursors->by_worker[i] == segment)
            cursors->by_worker[i] = NULL;
    memmove(&cursors->segments[at], &cursors->segments[at + 1], (cursors->count - at - 1) * sizeof(segment));
    cursors->count--;
    segment_free(segment);
}

void cursors_forget(struct cursors *cursors, const char *id)
{
    for (size_t i = 0; i < cursors->count; i++)
        if (memcmp(cursors->segments[i]->id, id, SEGMENT_TEXT) == 0) {
            remove_at(cursors, i);
            return;
        }
}

void cursors_prune(struct cursors *cursors, size_t most)
{
    size_t unseen = 0;

    for (size_t i = 0; i < cursors->count; i++)
        unseen += !cursors->segments[i]->seen;
    for (size_t i = 0; i < cursors->count && unseen > most;) {
        if (cursors->segments[i]->seen) {
            i++;
            continue;
        }
        remove_at(cursors, i);
        unseen--;
    }
}

void cursors_forget_threads(struct cursors *cursors)
{
    for (size_t i = 0; i < cursors->count; i++)
        for (uint32_t ring = 0; ring < cursors->segments[i]->ring_count; ring++)
            cursors->segments[i]->rings[ring].lease_told = 0;
}

struct cursor_ring *cursor_ring(struct cursor_segment *segment, uint32_t ring)
{
    if (ring >= CURSOR_RINGS_MAX)
        return NULL;
    if (ring >= segment->ring_count) {
        uint32_t larger = ring + ring / 2 + 1;
        struct cursor_ring *moved = reallocarray(segment->rings, larger, sizeof(*moved));
        if (!moved)
            return NULL;
        memset(moved + segment->ring_count, 0, (larger - segment->ring_count) * sizeof(*moved));
        segment->rings = moved;
        segment->ring_count = larger;
    }
    return &segment->rings[ring];
}
