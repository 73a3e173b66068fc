/* SPDX-License-Identifier: MIT */
/*
 * Scopes: begin, end, attributes. In: the macros of telemetry.h. Out: frames in the segment, and a timing in the ring at each
 * end. On the calling thread; the hot path of the library.
 *
 * Frame, then depth (release): the autopsy reads `depth` and then that many frames. At the end the timing is published first and depth
 * lowered after, so a kill in between shows the scope twice, which the autopsy recognises by path and start.
 *
 * longjmp runs no cleanup. A begin therefore discards frames that cannot be open any more: those whose object has the
 * address of the one that is begun now (`anchors` is a filter over those addresses), and those whose object lies below the
 * caller's frame on the same stack.
 */
#include "lib/scope.h"

#include "lib/attr.h"
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/ring.h"
#include "lib/stack.h"

static inline uint64_t anchor_bit(uintptr_t anchor)
{
    return 1ull << (anchor >> 3 & 63);
}

static inline uint64_t *frame_at(struct gb_thread *self, uint32_t index)
{
    return self->producer->frame[frame_index(index)].word;
}

/* The last place in the segment is about to hold another frame: while it changes, depth says that there are only 31. */
static void deep_save(struct gb_thread *self)
{
    __atomic_store_n(&self->producer->depth, GBW_FRAMES - 1, __ATOMIC_RELEASE);
    signal_fence();
    self->deep[self->depth - 1] = self->producer->frame[GBW_FRAMES - 1];
}

static void deep_restore(struct gb_thread *self)
{
    const struct open_scope *top = &self->open[self->depth - 1];
    __atomic_store_n(&self->producer->depth, GBW_FRAMES - 1, __ATOMIC_RELEASE);
    signal_fence();
    self->producer->frame[GBW_FRAMES - 1] = self->deep[self->depth - 1];
    self->producer->ext[GBW_FRAMES - 1] = (struct gbw_frame_ext){(uint16_t)top->ext_offset, (uint16_t)top->ext_length};
}

/* The books of a new top frame, whose record is in place but for its start. */
static inline void frame_enter(struct gb_thread *self, uint32_t path, uint32_t call, uint32_t ext_length,
                               uint64_t token, uintptr_t anchor)
{
    uint32_t index = self->depth;
    self->open[index] = (struct open_scope){.token = token,
                                            .anchor = anchor,
                                            .anchors = self->anchors,
                                            .path = self->path,
                                            .call = self->call,
                                            .ext_offset = self->arena_used,
                                            .ext_length = ext_length};
    self->producer->ext[frame_index(index)] = (struct gbw_frame_ext){(uint16_t)self->arena_used, (uint16_t)ext_length};
    self->arena_used += ext_length;
    self->anchors |= anchor_bit(anchor);
    self->path = path;
    self->call = call;
    self->depth = index + 1;
}

static inline void frame_leave(struct gb_thread *self)
{
    uint32_t index = self->depth - 1;
    const struct open_scope *top = &self->open[index];
    self->arena_used = top->ext_offset;
    self->anchors = top->anchors;
    self->path = top->path;
    self->call = top->call;
    self->depth = index;
    if (unlikely(index >= GBW_FRAMES))
        deep_restore(self);
    /* release: what was published before is visible to an autopsy that sees the frame gone */
    __atomic_store_n(&self->producer->depth, index, __ATOMIC_RELEASE);
}

void scope_push(struct gb_thread *self, const uint64_t record[8], uint32_t ext_length, uint64_t token, uintptr_t anchor)
{
    if (self->depth >= GBW_FRAMES)
        deep_save(self);
    uint64_t *word = frame_at(self, self->depth);
    ring_copy_record(word, record);
    frame_enter(self, (uint32_t)(record[0] >> 32), (uint32_t)record[3], ext_length, token, anchor);
    __atomic_store_n(&self->producer->depth, self->depth, __ATOMIC_RELEASE);
}

void scope_pop(struct gb_thread *self)
{
    frame_leave(self);
}

void scope_abandon(struct gb_thread *self, uint32_t depth)
{
    uint64_t now = clock_ticks();
    while (self->depth > depth) {
        const struct open_scope *top = &self->open[self->depth - 1];
        uint64_t *word = frame_at(self, self->depth - 1);
        word[2] = now - word[1];
        word[0] |= (uint64_t)GBW_F_ABANDONED << 16;
        ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
        frame_leave(self);
    }
}

void scope_abandon_all(struct gb_thread *self)
{
    if (self->depth == 0 || self->busy)
        return;
    self->busy = 1;
    signal_fence();
    scope_abandon(self, 0);
    signal_fence();
    self->busy = 0;
}

/* Frames that a longjmp has left. `below`: no live object of this stack has a lower address. */
static __attribute__((noinline)) void discard_left(struct gb_thread *self, uintptr_t anchor, uintptr_t below)
{
    uint32_t keep = self->depth;
    for (uint32_t i = self->depth; i > 0; i--) {
        if (self->open[i - 1].anchor == anchor)
            keep = i - 1;
    }
    while (keep > 0 && self->open[keep - 1].anchor < below && stack_is_same(self, self->open[keep - 1].anchor, below))
        keep--;
    scope_abandon(self, keep);
}

static __attribute__((noinline)) struct gb_scope too_deep(struct gb_thread *self)
{
    ring_attempt(self);
    ring_drop(self, GBW_TOO_DEEP);
    emit_leave(self);
    return (struct gb_scope){0};
}

struct gb_scope gb_scope_begin_(struct gb_name *name, const struct gb_attr *attrs, uint32_t count, void *anchor)
{
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return (struct gb_scope){0};

    /* every object of our callers on this stack lies above our own frame */
    uintptr_t here = (uintptr_t)anchor, below = (uintptr_t)__builtin_frame_address(0);
    if (self->depth && unlikely((self->open[self->depth - 1].anchor < below) | !!(self->anchors & anchor_bit(here))))
        discard_left(self, here, below);
    if (unlikely(self->depth >= SCOPES_MAX))
        return too_deep(self);
    uint32_t path = path_of(self, name);
    if (unlikely(path == 0)) {
        emit_leave(self);
        return (struct gb_scope){0};
    }

    if (unlikely(self->depth >= GBW_FRAMES))
        deep_save(self);
    uint64_t *word = frame_at(self, self->depth);
    uint32_t call = ++self->calls[path];
    if (self->depth == 0)
        self->roots++;
    word[0] = GBW_TIMING | (uint64_t)path << 32;
    word[3] = call | (uint64_t)self->call << 32;
    word[4] = self->roots & 0xffff;
    uint32_t ext_length = 0;
    if (count) {
        uint32_t left = GBW_ARENA_BYTES - self->arena_used;
        struct draft draft = {
            .word = word, .ext = self->arena + self->arena_used, .room = left < GBW_EXT_MAX ? left : GBW_EXT_MAX};
        attrs_append(&draft, attrs, count);
        ext_length = draft.length;
    }
    uint64_t token = self->tokens++;
    frame_enter(self, path, call, ext_length, token, here);
    word[1] = clock_ticks();
    /* release: an autopsy that sees this depth sees the whole frame */
    __atomic_store_n(&self->producer->depth, self->depth, __ATOMIC_RELEASE);
    emit_leave(self);
    return (struct gb_scope){token};
}

/* The top frame is not the one that ends: take the frames above it away, or do nothing when it is gone already. */
static __attribute__((noinline)) bool unwind_to(struct gb_thread *self, uint64_t token)
{
    uint32_t depth = self->depth;
    while (depth > 0 && self->open[depth - 1].token != token)
        depth--;
    if (depth == 0)
        return false;
    scope_abandon(self, depth);
    return true;
}

void gb_scope_end_(struct gb_scope scope)
{
    uint64_t end = clock_ticks();
    struct gb_thread *self = gb_self;
    /* in the child of a fork, or at the very end of a thread, there is nothing of ours to end */
    if (unlikely((uintptr_t)self <= (uintptr_t)THREAD_LATE || gb_switch_.state != GB_ON_STATE_))
        return;
    self = emit_enter();
    if (unlikely(!self))
        return;
    if (unlikely(self->depth == 0 || self->open[self->depth - 1].token != scope.token) &&
        !unwind_to(self, scope.token)) {
        emit_leave(self);
        return;
    }
    const struct open_scope *top = &self->open[self->depth - 1];
    uint64_t *word = frame_at(self, self->depth - 1);
    word[2] = end - word[1];
    ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
    frame_leave(self);
    emit_leave(self);
}

void gb_attr_(struct gb_attr attr)
{
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return;
    if (likely(self->depth)) {
        struct open_scope *top = &self->open[self->depth - 1];
        uint32_t left = GBW_ARENA_BYTES - top->ext_offset;
        struct draft draft = {.word = frame_at(self, self->depth - 1),
                              .ext = self->arena + top->ext_offset,
                              .length = top->ext_length,
                              .room = left < GBW_EXT_MAX ? left : GBW_EXT_MAX};
        attrs_append(&draft, &attr, 1);
        top->ext_length = draft.length;
        self->arena_used = top->ext_offset + draft.length;
        self->producer->ext[frame_index(self->depth - 1)].length = (uint16_t)draft.length;
    }
    emit_leave(self);
}
