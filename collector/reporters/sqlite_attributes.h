/* SPDX-License-Identifier: MIT */
/*
 * The attributes of a run's events, as a table that SQLite reads: one statement puts them all into the table `attributes`, instead of one
 * for each, which would look for its place from the root of the tree again and again (docs/decisions.md, 29). In: the events, and
 * the id of the first of them. Out: rows (event_id, position, key, type, value). Reporter's thread.
 */
#ifndef GB_REPORTERS_SQLITE_ATTRIBUTES_H
#define GB_REPORTERS_SQLITE_ATTRIBUTES_H

#include <sqlite3.h>
#include <stdint.h>

#include "gb/reporter.h"

#define ATTRIBUTES_TABLE "held_attributes"

/* What the table holds while the statement runs. */
struct attributes_source {
    const struct gb_event *events;
    uint32_t count;
    int64_t first_id;
};

/* Makes the table known to this connection. The source stays the caller's, and must live as long. SQLite's result codes. */
int attributes_register(sqlite3 *db, struct attributes_source *source);

/* Does the event take an id of its own? What tells of a worker as a whole takes none. */
static inline bool attributes_takes_id(const struct gb_event *event)
{
    return event->kind <= GB_EVENT_LOST;
}

static inline uint32_t attributes_of(const struct gb_event *event)
{
    return event->kind <= GB_EVENT_SAMPLE ? event->attr_count : 0;
}

#endif
