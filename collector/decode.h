/* SPDX-License-Identifier: MIT */
/*
 * Decode: from slots to events. In: committed slots of one ring. Out: events with names resolved, in a batch. Drain thread.
 *
 * Each word of shared memory is loaded once into private memory, checked there, and used from there: the worker may change a
 * slot between our check and our use. A slot that is no record is counted (`malformed`) and skipped, alone.
 */
#ifndef GB_COLLECTOR_DECODE_H
#define GB_COLLECTOR_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/paths.h"
#include "collector/segment.h"

/*
 * Decodes what begins in [ring->taken, limit) and is published below `tail`, where limit <= tail. Moves ring->taken past it, always
 * to the end of an event, and with it delivered, malformed and the lease. False: the batch is full, there is more.
 */
bool decode_ring(struct ring *ring, struct paths *paths, uint64_t limit, uint64_t tail, struct batch *batch);

/*
 * One record from private memory, with its extension. Fills all of `ret_event` but seq; attributes and text go to the
 * batch, which must have room. -EPROTO: it is none.
 */
int decode_record(struct segment *segment, struct paths *paths, const struct gbw_record *record, const uint8_t *ext,
                  uint32_t ext_bytes, struct batch *batch, struct gb_event *ret_event);

/* The fields of a record's first word. */
static inline uint32_t record_kind(const struct gbw_record *record)
{
    return record->word[0] & 0xff;
}

static inline uint32_t record_attrs(const struct gbw_record *record)
{
    return record->word[0] >> 8 & 0xff;
}

static inline uint32_t record_flags(const struct gbw_record *record)
{
    return record->word[0] >> 16 & 0xff;
}

static inline enum gbw_type record_type(const struct gbw_record *record, uint32_t inline_attr)
{
    return (enum gbw_type)(record->word[0] >> (24 + 2 * inline_attr) & 3);
}

static inline uint32_t record_path(const struct gbw_record *record)
{
    return (uint32_t)(record->word[0] >> 32);
}

#endif
