/* SPDX-License-Identifier: MIT */
/*
 * All that the collector does with an attached segment of anybody's making: rings, names, records, folds, checkpoints, open scopes, three
 * passes over each ring. Checks that each event that comes out is whole, by the promises of gb/reporter.h. One thread.
 */
#ifndef TESTS_FUZZ_READING_H
#define TESTS_FUZZ_READING_H

#include <stdbool.h>

#include "collector/segment.h"

#define READING_RINGS 2u /* are read; what others have is the same code */

struct reading {
    bool moving;                                   /* it changes while it is read: sums of it need not agree */
    void (*between)(void *context, unsigned pass); /* after each pass over a ring; may be NULL */
    void *context;
};

/* Detaches the segment. The number of events that came out. */
unsigned long reading_run(struct segment *segment, const struct reading *reading);

#endif
