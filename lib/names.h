/* SPDX-License-Identifier: MIT */
/*
 * Names: text -> id, once. In: the static `struct gb_name` and `struct gb_key` of a site. Out: ids, and entries in the
 * segment. Order of interning: bytes into the shared table, shared count (release), private table (release), the
 * site's id (release), so that a forked child, whose copy of the private table tells which entries are whole, can
 * carry the same ids over into a segment of its own.
 *
 * Look-ups take no lock; additions take the slow lock (slow.h). No malloc, no stdio.
 */
#ifndef GB_LIB_NAMES_H
#define GB_LIB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gb/telemetry.h"
#include "gb/wire.h"
#include "lib/segment.h"

#define NAME_BAD UINT32_MAX        /* refused: empty, too long, or not lowercase dotted under strict scopes */
#define NAME_SECRET (1u << 31)     /* bit of a key's id: its value must never be written */
#define NAME_BUSY (UINT32_MAX - 1) /* the lock was not to be had in time */

/* The id of a name by its text alone (private to the process; the same text gives the same id), or NAME_BAD, NAME_BUSY.
 * Also kept in name->id, so that a site asks once. */
uint32_t names_of(struct gb_name *name);

/* The id of the path `name` (an id of names_of) inside the path `parent`, or NAME_BUSY. Beyond the budget, or inside it:
 * GBW_OVERFLOW_PATH, counted. */
uint32_t names_path(uint32_t parent, uint32_t name);

/* The id of a key, or GBW_OVERFLOW_KEY (the attribute is then left out and counted), or NAME_BUSY; kept in key->id with the
 * bit NAME_SECRET when its value must never be written. */
uint32_t names_key(struct gb_key *key);

/* A run-time name: the same text gives the same pointer for the life of the process. Beyond the budget: the one of
 * GBW_OVERFLOW_TEXT. NULL: refused, or the lock was not to be had in time. */
const struct gb_name *names_runtime(const char *text, size_t length);

/* Once, before the first segment, under the slow lock. */
int names_start(void);

/* Writes everything below the private count into a segment that is not published yet: a new process's, a forked child's, or one that
 * takes the place of a file that was removed. names_entries and names_text say how much room that takes. */
int names_carry(struct segment *segment);
uint32_t names_entries(void); /* 0: not started */
uint32_t names_text(void);

#endif
