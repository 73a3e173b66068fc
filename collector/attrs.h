/* SPDX-License-Identifier: MIT */
/*
 * The attributes of a record. In: a private copy of the record and of its extension. Out: attributes in a batch, each key
 * once: of a key that repeats, the later value stands in the place of the first. Drain thread.
 */
#ifndef GB_COLLECTOR_ATTRS_H
#define GB_COLLECTOR_ATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/paths.h"
#include "collector/segment.h"

/* Has the record an extension? */
bool attrs_extend(const struct gbw_record *record);

/* Sets attrs, attr_count and, for the key `error`, GB_EVENT_FAILED. -EPROTO: something in it is out of bounds; nothing
 * was added to the batch then. */
int attrs_decode(struct segment *segment, struct paths *paths, const struct gbw_record *record, const uint8_t *ext,
                 uint32_t ext_bytes, struct batch *batch, struct gb_event *event);

#endif
