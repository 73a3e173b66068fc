/* SPDX-License-Identifier: MIT */
/*
 * Attributes into a record: the first three inline, the rest and all text into the extension (layout: wire.h). In: the
 * caller's attributes. Out: words 0, 4 to 7 of a record, and bytes. Runs inside an emit.
 */
#ifndef GB_LIB_ATTR_H
#define GB_LIB_ATTR_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/telemetry.h"
#include "gb/wire.h"
#include "lib/names.h"

/* A record under construction and its extension. */
struct draft {
    uint64_t *word; /* the eight words; 0 and 4 are valid */
    uint8_t *ext;
    uint32_t length, room; /* bytes of ext: used, and all of it */
};

/* Appends. What does not fit is left out, or a text cut shorter, and counted in header.attributes_left_out. The
 * attribute count in word 0 is written after the attribute itself, so a kill in between shows the record without it. */
void attrs_append(struct draft *draft, const struct gb_attr *attrs, uint32_t count);

/* The same, faster, for a record that nobody sees yet. */
void attrs_write(struct draft *draft, const struct gb_attr *attrs, uint32_t count);

/* At most three numbers? Then attrs_plain may do it. */
static inline bool attrs_are_plain(const struct gb_attr *attrs, uint32_t count)
{
    if (count > GBW_ATTRS_INLINE)
        return false;
#pragma GCC unroll 3
    for (uint32_t i = 0; i < GBW_ATTRS_INLINE; i++) {
        if (i == count)
            break;
        if (attrs[i].type > GB_ATTR_DOUBLE_)
            return false;
    }
    return true;
}

/* An id below the secrets' bit, and none of the reserved ones. */
static inline bool attr_key_is_usual(uint32_t key)
{
    return __builtin_expect(key - GBW_FIRST_NAME < NAME_SECRET - GBW_FIRST_NAME, 1);
}

/*
 * The usual case, without a call: plain ones whose keys are known. Completes the head (word 0) and the keys (word 4) of a record
 * that nobody sees yet, and writes its values. false: attrs_write has to do it.
 */
static inline bool attrs_plain(uint64_t *word, uint64_t *head, uint64_t *keys, const struct gb_attr *attrs,
                               uint32_t count)
{
#pragma GCC unroll 3
    for (uint32_t i = 0; i < GBW_ATTRS_INLINE; i++) {
        if (i == count)
            break;
        uint32_t key = __atomic_load_n(&attrs[i].key->id, __ATOMIC_RELAXED);
        if (!attr_key_is_usual(key))
            return false;
        word[5 + i] = attrs[i].as.u;
        *keys |= (uint64_t)key << (16 + 16 * i);
        *head |= (uint64_t)attrs[i].type << (24 + 2 * i);
    }
    *head |= count << 8;
    return true;
}

static inline uint32_t draft_count(const struct draft *draft)
{
    return (uint32_t)(draft->word[0] >> 8) & 0xff;
}

#endif
