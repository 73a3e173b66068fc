/* SPDX-License-Identifier: MIT */
/*
 * Attributes into a record: the first three inline, the rest and all text into the extension (layout: wire.h). In: the
 * caller's attributes. Out: words 0, 4 to 7 of a record, and bytes. Runs inside an emit.
 */
#ifndef GB_LIB_ATTR_H
#define GB_LIB_ATTR_H

#include <stdint.h>

#include "gb/telemetry.h"
#include "gb/wire.h"

/* A record under construction and its extension. */
struct draft {
    uint64_t *word; /* the eight words; 0 and 4 are valid */
    uint8_t *ext;
    uint32_t length, room; /* bytes of ext: used, and all of it */
};

/* Appends. What does not fit is left out, or a text cut shorter, and counted in header.attributes_left_out. The
 * attribute count in word 0 is written after the attribute itself, so a kill in between shows the record without it. */
void attrs_append(struct draft *draft, const struct gb_attr *attrs, uint32_t count);

static inline uint32_t draft_count(const struct draft *draft)
{
    return (uint32_t)(draft->word[0] >> 8) & 0xff;
}

#endif
