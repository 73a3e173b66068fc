/* SPDX-License-Identifier: MIT */
/*
 * See scope.h: the stack of frames off the hot path: a new lease, scopes that come from elsewhere, that were left, that are deep. In: the
 * thread. Out: frames in the segment, and a timing for each scope that was abandoned. On the owning thread, inside an emit.
 */
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/scope_private.h"

/* The frame of a place that is too deep for the usual way: its attributes send the end of the scope the long way. Never written. */
static struct gbw_record nowhere = {{GBW_TIMING | HAS_ATTRS}};

void scope_make_place(struct gb_thread *self, uint32_t depth)
{
    struct open_scope *place = &self->open[depth];
    place->depth = depth;
    place->root = depth == 0;
    place->ext_length = 0;
    place->frame = depth < GBW_FRAMES - 1 ? self->producer->frame[depth].word : nowhere.word;
}

/* What is deeper is made when it is used: many threads never are. */
void scope_reset(struct gb_thread *self, uint32_t inherited)
{
    for (uint32_t depth = 0; depth < GBW_FRAMES; depth++)
        scope_make_place(self, depth);
    self->top = self->open;
    self->top->anchor = self->top->lowest = UINTPTR_MAX;
    self->top->head = path_head(inherited);
    self->top->calls = 0;
    self->arena_used = 0;
}

/* The last place in the segment is about to hold another frame: while it changes, depth says that there are only 31. */
static void deep_begin(struct gb_thread *self)
{
    __atomic_store_n(&self->producer->depth, GBW_FRAMES - 1, __ATOMIC_RELEASE);
    signal_fence();
}

void scope_deep_save(struct gb_thread *self)
{
    deep_begin(self);
    self->deep[self->top->depth - 1] = self->producer->frame[GBW_FRAMES - 1];
}

static void deep_restore(struct gb_thread *self, const struct open_scope *top)
{
    deep_begin(self);
    self->producer->frame[GBW_FRAMES - 1] = self->deep[top->depth - 1];
    self->producer->ext[GBW_FRAMES - 1] = (struct gbw_frame_ext){(uint16_t)top->ext_offset, (uint16_t)top->ext_length};
}

/* The books of the innermost scope, when it has ended. */
static inline void close_top(struct gb_thread *self)
{
    struct open_scope *top = self->top;
    if (top->ext_length) {
        self->arena_used = top->ext_offset;
        top->ext_length = 0;
    }
}

void scope_push(struct gb_thread *self, const uint64_t record[8], uint32_t ext_length, uintptr_t anchor)
{
    struct open_scope *top = self->top;
    uint32_t index = top->depth;
    if (index >= GBW_FRAMES)
        scope_deep_save(self);
    scope_make_place(self, index + 1);
    ring_copy_record(frame_at(self, index), record);
    open_next(top, path_head(path_in(record[0])), record[3], anchor, lowest_of(top, anchor));
    place_ext(self, top + 1, ext_length);
    publish_depth(self, self->producer, top + 1);
}

void scope_pop(struct gb_thread *self)
{
    struct open_scope *below = self->top - 1;
    close_top(self);
    if (unlikely(below->depth >= GBW_FRAMES))
        deep_restore(self, below);
    publish_depth(self, self->producer, below);
}

void scope_abandon(struct gb_thread *self, uint32_t depth)
{
    uint64_t now = clock_ticks();
    while (self->top->depth > depth) {
        const struct open_scope *top = self->top;
        uint64_t *word = frame_at(self, top->depth - 1);
        word[2] = now - word[1];
        word[0] |= (uint64_t)GBW_F_ABANDONED << 16;
        ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
        scope_pop(self);
    }
}

void scope_abandon_all(struct gb_thread *self)
{
    if (self->top->depth == 0 || self->busy)
        return;
    self->busy = 1;
    signal_fence();
    scope_abandon(self, 0);
    signal_fence();
    self->busy = 0;
}
