/* SPDX-License-Identifier: MIT */
/*
 * The mirror of a segment's names. In: the entries that the worker published. Out: segment->names, an array that
 * decode indexes by the worker's ids. Each entry and its text is copied once, checked, and interned in paths.h; an entry that
 * is broken stays empty, so that records which use it are malformed. Drain thread.
 */
#ifndef GB_COLLECTOR_NAMES_H
#define GB_COLLECTOR_NAMES_H

#include <stdint.h>

#include "collector/paths.h"
#include "collector/segment.h"

/* Takes in what was published since. -ENOMEM: not all was; what uses the rest has to wait, so try again later. */
int names_mirror(struct segment *segment, struct paths *paths);

#endif
