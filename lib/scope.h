/* SPDX-License-Identifier: MIT */
/*
 * Open scopes: a stack of records under construction in the segment (frames), so that a kill leaves behind where the
 * thread was. Runs on the owning thread, inside an emit.
 */
#ifndef GB_LIB_SCOPE_H
#define GB_LIB_SCOPE_H

#include <stdint.h>

#include "lib/thread.h"

/* Frames beyond the 31st share the last place in the segment: it is the innermost one's. */
static inline uint32_t frame_index(uint32_t depth)
{
    return depth < GBW_FRAMES ? depth : GBW_FRAMES - 1;
}

/* A new lease: nothing is open, and what is begun is inside the path `inherited`. */
void scope_reset(struct gb_thread *self, uint32_t inherited);

/* Puts `record` on top as an open scope; its extension stands at the end of the used arena already. */
void scope_push(struct gb_thread *self, const uint64_t record[8], uint32_t ext_length, uintptr_t anchor);

/* Takes the top frame away, without a word. */
void scope_pop(struct gb_thread *self);

/* Reports open scopes above `depth` as abandoned timings, the innermost first, and takes them away. Inside an emit. */
void scope_abandon(struct gb_thread *self, uint32_t depth);

/* At the end of a thread, outside an emit: all of them. */
void scope_abandon_all(struct gb_thread *self);

#endif
