/* SPDX-License-Identifier: MIT */
/* The books of open scopes, for scope.c and scope_frames.c alone. Inside an emit. */
#ifndef GB_LIB_SCOPE_PRIVATE_H
#define GB_LIB_SCOPE_PRIVATE_H

#include <stdint.h>

#include "lib/attr.h"
#include "lib/ring.h"
#include "lib/scope.h"

/* An attribute count in word 0. */
#define HAS_ATTRS 0xff00u

/* Makes the constants of the place that stands for `depth` open scopes. */
void scope_make_place(struct gb_thread *self, uint32_t depth);

/* Keeps the frame of the last place in the segment, which another one is going to take. */
void scope_deep_save(struct gb_thread *self);

static inline uint64_t *frame_at(struct gb_thread *self, uint32_t index)
{
    return self->producer->frame[frame_index(index)].word;
}

/* `top` is the innermost open scope from now on. release: an autopsy that sees this depth sees the whole frame */
static inline void publish_depth(struct gb_thread *self, struct gbw_producer *producer, struct open_scope *top)
{
    self->top = top;
    __atomic_store_n(&producer->depth, top->depth, __ATOMIC_RELEASE);
}

/* The books of the scope that is going to be the innermost. Its record is in place; depth follows when that is complete. */
static inline void open_next(struct open_scope *top, uint64_t head, uint64_t calls, uintptr_t anchor, uintptr_t lowest)
{
    struct open_scope *next = top + 1;
    next->anchor = anchor;
    next->lowest = lowest;
    next->head = head;
    next->calls = calls;
}

static inline uintptr_t lowest_of(const struct open_scope *top, uintptr_t anchor)
{
    return anchor < top->lowest ? anchor : top->lowest;
}

/* What stands in the arena of the scope in this place: the innermost, or going to be. Without an extension, nobody looks. */
static inline void place_ext(struct gb_thread *self, struct open_scope *open, uint32_t length)
{
    if (!length)
        return;
    if (!open->ext_length)
        open->ext_offset = self->arena_used;
    open->ext_length = length;
    self->arena_used = open->ext_offset + length;
    self->producer->ext[frame_index(open->depth - 1)] =
        (struct gbw_frame_ext){(uint16_t)open->ext_offset, (uint16_t)length};
}

static inline struct draft draft_at(struct gb_thread *self, uint64_t *word, const struct open_scope *open)
{
    uint32_t offset = open->ext_length ? open->ext_offset : self->arena_used, left = GBW_ARENA_BYTES - offset;
    return (struct draft){.word = word,
                          .ext = self->arena + offset,
                          .length = open->ext_length,
                          .room = left < GBW_EXT_MAX ? left : GBW_EXT_MAX};
}

#endif
