/* SPDX-License-Identifier: MIT */
/*
 * What does not fit into a full ring goes, as a sum, into the ring's fold tables (gb/wire_fold.h). In: a finished record. Out:
 * its fold, counted by `folded`. Inside an emit, on the emitting thread: no lock, no system call, no memory; bounded.
 */
#ifndef GB_LIB_FOLD_H
#define GB_LIB_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/thread.h"

/* What a new ring of this process gets for its tables; 0: none. `budget`: what is left of it, the ring already taken off. */
uint64_t fold_bytes_wanted(uint64_t budget);

/* The tables of a new ring, all zeros. Its thread's block is complete but for this. */
void fold_start(struct gb_thread *self, uint8_t *area, uint64_t bytes);

/* false: no tables, or no room in them. `word`: eight words, may lie in the segment. */
bool fold_event(struct gb_thread *self, const uint64_t *word);

#endif
