/* SPDX-License-Identifier: MIT */
/*
 * The segment of a worker that is another process, seen by the wire format alone: the one segment in the scratch directory (child.h), and its
 * only ring. In the parent, which fails its test by cmocka.
 */
#ifndef GB_TESTS_VIEW_H
#define GB_TESTS_VIEW_H

#include <stdint.h>

#include "gb/wire.h"

extern struct view {
    int fd;
    const uint8_t *map;
    const struct gbw_header *header;
    /* of the ring, after view_find_ring */
    const struct gbw_producer *producer;
    const uint8_t *arena;
    const struct gbw_record *slots;
    const struct gbw_consumer *consumer;
    const uint8_t *fold_area;
    uint32_t fold_bytes;
    uint64_t mask;
} view;

void view_open(void);
void view_close(void);
/* Once the ring is published. */
void view_find_ring(void);

/* Events that the ring's worker counted as dropped, by whatever cause. */
uint64_t view_dropped(void);

static inline uint32_t kind_of(const struct gbw_record *record)
{
    return record->word[0] & 0xff;
}

static inline uint32_t path_of(const struct gbw_record *record)
{
    return (uint32_t)(record->word[0] >> 32);
}

#endif
