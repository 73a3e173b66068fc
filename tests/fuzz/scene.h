/* SPDX-License-Identifier: MIT */
/*
 * A segment with one of each thing that a worker writes, made by the wire format alone: names, records with and without attributes, a gap,
 * open scopes, folds, two rings. And where in the file each of them stands: most of it is empty. Once in a process.
 */
#ifndef TESTS_FUZZ_SCENE_H
#define TESTS_FUZZ_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/collector/fake_segment.h"

#define SCENE_EVENTS 13 /* 10 in the first ring, a gap among them, its 2 open scopes, 1 in the second ring */

enum scene_part {
    SCENE_HEADER,
    SCENE_NAMES,
    SCENE_TEXT,
    SCENE_ENTRIES,
    SCENE_PRODUCER,
    SCENE_SLOTS,
    SCENE_FOLDS,
    SCENE_CONSUMER,
    SCENE_PARTS
};

struct scene {
    struct fake_directory directory; /* removed when the process ends */
    struct fake_segment *fake;
    struct {
        size_t offset, length;
    } part[SCENE_PARTS];
    uint8_t *pristine; /* fake->bytes: the file as it was made */
};

/* fold_bytes: of the first ring's tables. */
struct scene *scene_make(uint32_t fold_bytes);
void scene_restore(struct scene *scene);

#endif
