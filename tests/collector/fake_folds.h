/* SPDX-License-Identifier: MIT */
/* What a worker writes into the fold tables of a faked ring, by the wire format alone; see fake_segment.h. */
#ifndef TESTS_FAKE_FOLDS_H
#define TESTS_FAKE_FOLDS_H

#include "gb/wire_fold.h"
#include "tests/collector/fake_segment.h"

/* The table that is folded into now, after the step to the next epoch where the drain has closed the last one. */
struct gbw_fold_table *fake_fold_table(struct fake_segment *segment, uint32_t ring);

/* Folds one event of integers (a timing is in nanoseconds); attempted is counted as well. */
void fake_fold(struct fake_segment *segment, uint32_t ring, enum gbw_kind kind, uint32_t path, uint64_t value);
/* The same, killed when it has been counted, and nothing is in its place. */
void fake_fold_cut(struct fake_segment *segment, uint32_t ring, enum gbw_kind kind, uint32_t path, uint64_t value);

#endif
