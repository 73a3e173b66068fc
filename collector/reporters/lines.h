/* SPDX-License-Identifier: MIT */
/*
 * One event, one line. In: runs and events. Out: lines of text in JSON or logfmt, full or compact, written where the caller
 * says. Reporter's thread.
 *
 *   lines_begin_run    once per run: the end of its lines (worker, thread, ring), which they all share
 *     lines_room       per event: the bytes that its line may need; makes what is cached per path and key
 *     lines_put        per event: the line
 *
 * The parts of a line that a path, a key or a run decides are made once and copied from then on: that is what keeps a
 * line cheap.
 */
#ifndef GB_REPORTERS_LINES_H
#define GB_REPORTERS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "collector/reporters/number.h"
#include "gb/reporter.h"

/* A segment's id has so many digits; a compact line tells the first of them, where they are unique and the worker's line was told. */
#define SEGMENT_DIGITS 32
#define SEGMENT_DIGITS_COMPACT 8

/* Text made once: of a path its scope [0, first), then depth and parent [first, length). */
struct piece {
    char *text; /* NULL: not made yet */
    uint32_t first, length;
};

struct lines;

/* What JSON and logfmt do differently. All return the end of what they wrote. */
struct line_format {
    char *(*put_path)(char *out, const struct gb_path *path, uint32_t *ret_first);
    char *(*put_key)(char *out, const struct gb_event_key *key);
    /* The end of a line up to the number of the event; [0, *ret_first) tells the thread and may be left out. */
    char *(*put_run)(char *out, const struct lines *lines, const struct gb_run *run, uint32_t *ret_first);
    /* Whole lines. */
    char *(*put_timing)(char *out, struct lines *lines, const struct gb_event *event);
    char *(*put_metric)(char *out, struct lines *lines, const struct gb_event *event);
    char *(*put_lost)(char *out, struct lines *lines, const struct gb_run *run, const struct gb_event *event);
    char *(*put_worker)(char *out, struct lines *lines, const struct gb_worker *worker, const struct gb_event *event);
    char *(*put_gap)(char *out, struct lines *lines, const struct gb_event *gap, uint64_t from);
};

struct lines {
    const struct line_format *format;
    bool compact;
    bool tell_thread; /* compact: the next line of this run says which thread it is */
    uint32_t segment_digits;
    const char *host; /* the setup's */
    struct number_date date;
    struct piece *paths, *keys; /* by id */
    uint32_t path_count, key_count;
    struct piece run;
    size_t run_room;
};

/* `host` stays the caller's and must live as long. */
void lines_init(struct lines *lines, const struct line_format *format, bool compact, const char *host);
void lines_clear(struct lines *lines);

/* `tell_thread`: these are the first lines of this thread in this ring (full lines say it always). `segment_digits`: of a
 * compact line. -ENOMEM: no line of this run can be written. */
int lines_begin_run(struct lines *lines, const struct gb_run *run, bool tell_thread, uint32_t segment_digits);

/* 0: no memory. */
size_t lines_room(struct lines *lines, const struct gb_run *run, const struct gb_event *event);

static inline char *lines_put(struct lines *lines, char *out, const struct gb_run *run, const struct gb_event *event)
{
    switch (event->kind) {
    case GB_EVENT_TIMING:
        return lines->format->put_timing(out, lines, event);
    case GB_EVENT_COUNTER:
    case GB_EVENT_GAUGE:
    case GB_EVENT_SAMPLE:
        return lines->format->put_metric(out, lines, event);
    case GB_EVENT_LOST:
        return lines->format->put_lost(out, lines, run, event);
    default:
        return lines->format->put_worker(out, lines, run->worker, event);
    }
}

/* Slots of the run's ring that never came here, `from` to the seq of `gap`, found at its time. Its room is that of an event without path. */
static inline char *lines_put_gap(struct lines *lines, char *out, const struct gb_event *gap, uint64_t from)
{
    return lines->format->put_gap(out, lines, gap, from);
}

/* For the formats: a literal; bytes that somebody made before; the end of an event, saturated. */
#define LINE_TEXT(out, literal) ((char *)memcpy(out, literal, sizeof(literal) - 1) + (sizeof(literal) - 1))

static inline char *line_copy(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

#endif
