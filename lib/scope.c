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
#include "lib/slow.h"
#include "lib/stack.h"

static inline uint64_t anchor_bit(uintptr_t anchor)
{
    return 1ull << (anchor >> 3 & 63);
}

static inline uint64_t *frame_at(struct gb_thread *self, uint32_t index)
{
    return self->producer->frame[frame_index(index)].word;
}

/* release: an autopsy that sees this depth sees the whole frame */
static inline void publish_depth(struct gb_thread *self, uint32_t depth)
{
    self->depth = depth;
    __atomic_store_n(&self->producer->depth, depth, __ATOMIC_RELEASE);
}

/* The last place in the segment is about to hold another frame: while it changes, depth says that there are only 31. */
static void deep_begin(struct gb_thread *self)
{
    __atomic_store_n(&self->producer->depth, GBW_FRAMES - 1, __ATOMIC_RELEASE);
    signal_fence();
}

static void deep_save(struct gb_thread *self)
{
    deep_begin(self);
    self->deep[self->depth - 1] = self->producer->frame[GBW_FRAMES - 1];
}

static void deep_restore(struct gb_thread *self, uint32_t depth)
{
    const struct open_scope *top = &self->open[depth];
    deep_begin(self);
    self->producer->frame[GBW_FRAMES - 1] = self->deep[depth - 1];
    self->producer->ext[GBW_FRAMES - 1] = (struct gbw_frame_ext){(uint16_t)top->ext_offset, (uint16_t)top->ext_length};
}

/* The books of the scope that is going to be the innermost. Its record is in place; depth follows when that is complete. */
static inline void open_next(struct open_scope *top, uint32_t path, uint32_t call, uintptr_t anchor)
{
    struct open_scope *next = top + 1;
    next->anchor = anchor;
    next->anchors = top->anchors | anchor_bit(anchor);
    next->path = path;
    next->call = call;
    next->ext_offset = arena_used(top);
    next->ext_length = 0;
}

/* Where the extension of the scope at `index` stands. Without one, nobody looks. */
static void place_ext(struct gb_thread *self, uint32_t index, uint32_t length)
{
    struct open_scope *open = &self->open[index + 1];
    open->ext_length = length;
    if (length)
        self->producer->ext[frame_index(index)] = (struct gbw_frame_ext){(uint16_t)open->ext_offset, (uint16_t)length};
}

static inline struct draft draft_at(struct gb_thread *self, uint64_t *word, uint32_t offset, uint32_t length)
{
    uint32_t left = GBW_ARENA_BYTES - offset;
    return (struct draft){
        .word = word, .ext = self->arena + offset, .length = length, .room = left < GBW_EXT_MAX ? left : GBW_EXT_MAX};
}

void scope_push(struct gb_thread *self, const uint64_t record[8], uint32_t ext_length, uintptr_t anchor)
{
    uint32_t index = self->depth;
    if (index >= GBW_FRAMES)
        deep_save(self);
    ring_copy_record(frame_at(self, index), record);
    open_next(scope_top(self), (uint32_t)(record[0] >> 32), (uint32_t)record[3], anchor);
    place_ext(self, index, ext_length);
    publish_depth(self, index + 1);
}

void scope_pop(struct gb_thread *self)
{
    uint32_t depth = self->depth - 1;
    if (unlikely(depth >= GBW_FRAMES))
        deep_restore(self, depth);
    publish_depth(self, depth);
}

void scope_abandon(struct gb_thread *self, uint32_t depth)
{
    uint64_t now = clock_ticks();
    while (self->depth > depth) {
        const struct open_scope *top = scope_top(self);
        uint64_t *word = frame_at(self, self->depth - 1);
        word[2] = now - word[1];
        word[0] |= (uint64_t)GBW_F_ABANDONED << 16;
        ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
        scope_pop(self);
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
static void discard_left(struct gb_thread *self, uintptr_t anchor, uintptr_t below)
{
    uint32_t keep = self->depth;
    for (uint32_t i = self->depth; i > 0; i--) {
        if (self->open[i].anchor == anchor)
            keep = i - 1;
    }
    while (keep > 0 && self->open[keep].anchor < below && stack_is_same(self, self->open[keep].anchor, below))
        keep--;
    scope_abandon(self, keep);
}

/* May frames have to be discarded before a scope with this anchor begins? */
static inline bool may_be_left(const struct open_scope *top, uintptr_t anchor, uintptr_t below)
{
    return (top->anchor < below) | ((top->anchors & anchor_bit(anchor)) != 0);
}

/* Counts a scope that begins on this path, inside `depth` others. Returns its call count; *ret_root is word 4 of its record without
 * keys. */
static inline uint32_t count_call(struct gb_thread *self, uint32_t depth, uint32_t path, uint64_t *ret_root)
{
    if (depth == 0)
        self->roots++;
    *ret_root = self->roots & 0xffff;
    return ++self->calls[path];
}

static inline uint64_t head_of(uint32_t path)
{
    return GBW_TIMING | (uint64_t)path << 32;
}

static inline uint64_t calls_of(uint32_t call, uint32_t parent_call)
{
    return call | (uint64_t)parent_call << 32;
}

/* Any scope, on any thread, at any depth. */
static __attribute__((noinline)) struct gb_scope begin_general(struct gb_name *name, const struct gb_attr *attrs,
                                                               uint32_t count, void *anchor, uintptr_t below)
{
    struct gb_scope scope = {0};
    uintptr_t here = (uintptr_t)anchor;
    struct gb_thread *self = emit_enter();
    uint32_t path;
    if (!self)
        return scope;
    if (may_be_left(scope_top(self), here, below))
        discard_left(self, here, below);
    if (self->depth >= SCOPES_MAX) {
        ring_attempt(self);
        ring_drop(self, GBW_TOO_DEEP);
    } else if ((path = path_of(self, name)) != 0) {
        uint32_t index = self->depth;
        if (index >= GBW_FRAMES)
            deep_save(self);
        uint64_t *word = frame_at(self, index);
        uint32_t call = count_call(self, index, path, &word[4]);
        word[0] = head_of(path);
        word[3] = calls_of(call, scope_top(self)->call);
        struct draft draft = draft_at(self, word, arena_used(scope_top(self)), 0);
        attrs_write(&draft, attrs, count);
        open_next(scope_top(self), path, call, here);
        place_ext(self, index, draft.length);
        word[1] = clock_ticks();
        publish_depth(self, index + 1);
        scope.token = here;
    }
    emit_leave(self);
    return scope;
}

/* Keeps the compiler from working out an address again that it has. */
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))

/* What the usual case knows of a scope's attributes. */
enum attrs_are { ATTRS_NONE, ATTRS_PLAIN, ATTRS_ANY };

/*
 * The usual case: a thread that has its ring, outside of any emit, not deep, nothing left behind, a path that it has been on
 * before. Without attributes, or with at most three numbers, every call stands at the very end, so hardly a register is saved.
 */
static inline __attribute__((always_inline)) struct gb_scope begin_usual(enum attrs_are are, struct gb_name *name,
                                                                         const struct gb_attr *attrs, uint32_t count,
                                                                         void *anchor, uintptr_t below)
{
    struct gb_thread *self = gb_mine.self;
    uintptr_t here = (uintptr_t)anchor;
    if (unlikely(!emit_enter_usual(self)))
        return begin_general(name, attrs, count, anchor, below);

    uint32_t index = self->depth;
    struct open_scope *top = &self->open[index];
    OPAQUE(top);
    const struct path_cache *cached;
    if (unlikely(index >= GBW_FRAMES - 1 || may_be_left(top, here, below)) ||
        unlikely(!(cached = path_found(self, top->path, name))))
        goto general;
    /* nobody sees the frame before the depth says that it is there */
    uint64_t *word = self->producer->frame[index].word, head = head_of(cached->path), keys = 0;
    OPAQUE(word);
    if (are == ATTRS_PLAIN && unlikely(!attrs_plain(word, &head, &keys, attrs, count)))
        goto general;
    word[0] = head;
    uint64_t root;
    uint32_t path = cached->path, call = count_call(self, index, path, &root);
    word[4] = keys | root;
    word[3] = calls_of(call, top->call);
    open_next(top, path, call, here);
    if (are == ATTRS_ANY) {
        struct draft draft = draft_at(self, word, top[1].ext_offset, 0);
        attrs_write(&draft, attrs, count);
        place_ext(self, index, draft.length);
    }
    word[1] = clock_counter();
    publish_depth(self, index + 1);
    emit_leave_usual(self);
    return (struct gb_scope){here};

general:
    emit_leave_usual(self);
    return begin_general(name, attrs, count, anchor, below);
}

static __attribute__((noinline)) struct gb_scope begin_with_any(struct gb_name *name, const struct gb_attr *attrs,
                                                                uint32_t count, void *anchor, uintptr_t below)
{
    return begin_usual(ATTRS_ANY, name, attrs, count, anchor, below);
}

static __attribute__((noinline)) struct gb_scope begin_with_numbers(struct gb_name *name, const struct gb_attr *attrs,
                                                                    uint32_t count, void *anchor, uintptr_t below)
{
    return begin_usual(ATTRS_PLAIN, name, attrs, count, anchor, below);
}

static __attribute__((noinline)) struct gb_scope begin_without(struct gb_name *name, void *anchor, uintptr_t below)
{
    return begin_usual(ATTRS_NONE, name, NULL, 0, anchor, below);
}

/* Saves no register of its own: all it does is to send each kind where it belongs. */
struct gb_scope gb_scope_begin_(struct gb_name *name, const struct gb_attr *attrs, uint32_t count, void *anchor)
{
    /* every object of our callers on this stack lies above our own frame */
    uintptr_t below = (uintptr_t)__builtin_dwarf_cfa();
    if (!count)
        return begin_without(name, anchor, below);
    if (attrs_are_plain(attrs, count))
        return begin_with_numbers(name, attrs, count, anchor, below);
    return begin_with_any(name, attrs, count, anchor, below);
}

/* The top frame is not the one that ends: take the frames above it away, or do nothing when it is gone already. */
static bool unwind_to(struct gb_thread *self, uint64_t token)
{
    uint32_t depth = self->depth;
    while (depth > 0 && self->open[depth].anchor != token)
        depth--;
    if (depth == 0)
        return false;
    scope_abandon(self, depth);
    return true;
}

/* `end`: of the counter, where that is the clock. */
static __attribute__((noinline)) void end_general(struct gb_scope scope, uint64_t end)
{
    if (!clock_is_counter())
        end = clock_monotonic_ns();
    /* at the very end of a thread there is nothing of ours to end */
    struct gb_thread *self = thread_has_ring(gb_mine.self) ? emit_enter() : NULL;
    if (!self)
        return;
    if (scope_top(self)->anchor == scope.token || unwind_to(self, scope.token)) {
        const struct open_scope *top = scope_top(self);
        uint64_t *word = frame_at(self, self->depth - 1);
        word[2] = end - word[1];
        ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
        scope_pop(self);
    }
    emit_leave(self);
}

/* Of a scope whose record goes on in continuation slots. Inside an emit; `word` is complete. */
static __attribute__((noinline)) void end_with_ext(struct gb_thread *self, const uint64_t *word)
{
    const struct open_scope *top = scope_top(self);
    ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
    publish_depth(self, self->depth - 1);
    emit_leave_usual(self);
}

/* The usual case, as above: the innermost scope ends, and there is room in the ring. */
void gb_scope_end_(struct gb_scope scope)
{
    /* first of all, so that what follows is not part of the scope; without meaning where the clock is no counter */
    uint64_t end = clock_counter();
    struct gb_thread *self = gb_mine.self;
    /* in the child of a fork there is nothing of ours to end */
    if (unlikely(!__atomic_load_n(&gb_wiped.on, __ATOMIC_RELAXED)))
        return;
    if (unlikely(!emit_enter_usual(self))) {
        end_general(scope, end);
        return;
    }

    uint32_t index = self->depth - 1;
    const struct open_scope *top = &self->open[index + 1];
    uint64_t at = self->tail;
    if (unlikely(top->anchor != scope.token || index >= GBW_FRAMES - 1 || (int64_t)(self->limit - at) <= 0)) {
        emit_leave_usual(self);
        end_general(scope, end);
        return;
    }
    uint64_t *word = self->producer->frame[index].word;
    word[2] = end - word[1];
    if (unlikely(top->ext_length != 0)) {
        end_with_ext(self, word);
        return;
    }
    ring_attempt(self);
    ring_copy_record(self->slots[at & self->mask].word, word);
    ring_publish(self, at + 1);
    publish_depth(self, index);
    emit_leave_usual(self);
}

void gb_attr_(struct gb_attr attr)
{
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return;
    if (likely(self->depth)) {
        const struct open_scope *top = scope_top(self);
        struct draft draft = draft_at(self, frame_at(self, self->depth - 1), top->ext_offset, top->ext_length);
        attrs_append(&draft, &attr, 1);
        place_ext(self, self->depth - 1, draft.length);
    }
    emit_leave(self);
}
