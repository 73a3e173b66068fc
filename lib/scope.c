/* SPDX-License-Identifier: MIT */
/*
 * Scopes: begin, end, attributes. In: the macros of telemetry.h. Out: frames in the segment, and a timing in the ring at each
 * end. On the calling thread; the hot path of the library.
 *
 * Frame, then depth (release): the autopsy reads `depth` and then that many frames. At the end the timing is published first and depth
 * lowered after, so a kill in between shows the scope twice, which the autopsy recognises by path and start.
 *
 * longjmp runs no cleanup. A begin therefore discards frames that cannot be open any more: those whose object has the
 * address of the one that is begun now, and those whose object lies below the caller's frame on the same stack. An object that lies below
 * those of all open scopes (`lowest`), as it does inside further calls, says by one comparison that there are none of either.
 */
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/scope_private.h"
#include "lib/slow.h"
#include "lib/stack.h"

/* Frames that a longjmp has left. `below`: no live object of this stack has a lower address. */
static void discard_left(struct gb_thread *self, uintptr_t anchor, uintptr_t below)
{
    uint32_t keep = self->top->depth;
    for (uint32_t i = keep; i > 0; i--) {
        if (self->open[i].anchor == anchor)
            keep = i - 1;
    }
    while (keep > 0 && self->open[keep].anchor < below && stack_is_same(self, self->open[keep].anchor, below))
        keep--;
    scope_abandon(self, keep);
}

/* May frames have to be discarded before a scope with this anchor begins? Not when `here` is below all that is open: `below` is
 * no higher. */
static inline bool may_be_left(const struct open_scope *top, uintptr_t here, uintptr_t below)
{
    if (top->anchor < below)
        return true;
    for (; top->lowest <= here; top--) {
        if (top->anchor == here)
            return true;
    }
    return false;
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
    if (may_be_left(self->top, here, below))
        discard_left(self, here, below);
    if (self->top->depth >= SCOPES_MAX) {
        ring_attempt(self->producer);
        ring_drop(self, GBW_TOO_DEEP);
    } else if ((path = path_of(self, name)) != 0) {
        struct open_scope *top = self->top;
        uint32_t index = top->depth;
        if (index >= GBW_FRAMES)
            scope_deep_save(self);
        scope_make_place(self, index + 1);
        uint64_t *word = frame_at(self, index), head = path_head(path), calls = path_count(self, top, path);
        word[0] = head;
        word[3] = calls;
        word[4] = path_root(self, top);
        struct draft draft = draft_at(self, word, top + 1);
        attrs_write(&draft, attrs, count);
        open_next(top, head, calls, here, lowest_of(top, here));
        place_ext(self, top + 1, draft.length);
        word[1] = clock_ticks();
        publish_depth(self, self->producer, top + 1);
        scope.token = here;
    }
    emit_leave(self);
    return scope;
}

/* What the usual case knows of a scope's attributes. */
enum attrs_are { ATTRS_PLAIN, ATTRS_ANY };

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

    struct open_scope *top = self->top;
    uintptr_t lowest = here;
    if (unlikely(here >= top->lowest)) {
        if (may_be_left(top, here, below))
            goto general;
        lowest = top->lowest;
    }
    uint64_t first, keys = 0;
    if (unlikely(top->depth >= GBW_FRAMES - 1 || !path_found(self, top->head, name, &first)))
        goto general;
    /* nobody sees the frame before the depth says that it is there */
    uint64_t *word = top->frame, head = first;
    if (are == ATTRS_PLAIN && unlikely(!attrs_plain(word, &head, &keys, attrs, count)))
        goto general;
    word[0] = head;
    uint64_t calls = path_count(self, top, path_in(first));
    word[3] = calls;
    word[4] = keys | path_root(self, top);
    open_next(top, first, calls, here, lowest);
    if (are == ATTRS_ANY) {
        struct draft draft = draft_at(self, word, top + 1);
        attrs_write(&draft, attrs, count);
        place_ext(self, top + 1, draft.length);
    }
    word[1] = clock_counter();
    publish_depth(self, self->producer, top + 1);
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

/* The same for the most usual one. What is no longer needed is written first: so the few registers suffice that no function saves. */
static inline __attribute__((always_inline)) bool begin_plain_usual(struct gb_name *name, uintptr_t here)
{
    struct gb_thread *self = gb_mine.self;
    uint64_t *word, head;
    if (unlikely(!emit_enter_usual(self)))
        return false;
    struct open_scope *top = self->top;
    if (unlikely(top->depth >= GBW_FRAMES - 1))
        goto general;
    top[1].lowest = here;
    if (unlikely(here >= top->lowest)) {
        OPAQUE(top);
        if (may_be_left(top, here, (uintptr_t)__builtin_dwarf_cfa()))
            goto general;
        top[1].lowest = top->lowest;
    }
    if (unlikely(!path_found(self, top->head, name, &head)))
        goto general;
    top[1].anchor = here;
    word = top->frame;
    word[0] = head;
    top[1].head = head;
    uint64_t calls = path_count(self, top, path_in(head));
    word[3] = calls;
    top[1].calls = calls;
    word[4] = path_root(self, top);
    word[1] = clock_counter();
    publish_depth(self, self->producer, top + 1);
    emit_leave_usual(self);
    return true;

general:
    emit_leave_usual(self);
    return false;
}

static __attribute__((noinline)) void begin_plain_general(struct gb_name *name, void *anchor, uintptr_t below)
{
    begin_general(name, NULL, 0, anchor, below);
}

void gb_scope_begin_plain_(struct gb_name *name, void *anchor)
{
    if (unlikely(!begin_plain_usual(name, (uintptr_t)anchor)))
        begin_plain_general(name, anchor, (uintptr_t)__builtin_dwarf_cfa());
}

/* Saves no register of its own: all it does is to send each kind where it belongs. */
struct gb_scope gb_scope_begin_(struct gb_name *name, const struct gb_attr *attrs, uint32_t count, void *anchor)
{
    /* every object of our callers on this stack lies above our own frame */
    uintptr_t below = (uintptr_t)__builtin_dwarf_cfa();
    if (attrs_are_plain(attrs, count))
        return begin_with_numbers(name, attrs, count, anchor, below);
    return begin_with_any(name, attrs, count, anchor, below);
}

/* The top frame is not the one that ends: take the frames above it away, or do nothing when it is gone already. */
static bool unwind_to(struct gb_thread *self, uint64_t token)
{
    uint32_t depth = self->top->depth;
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
    struct gb_thread *self = gb_mine.self;
    /* at the very end of a thread there is nothing of ours to end; a scope that begins inside of an emit is refused, and counted
     * by then */
    if (!thread_has_ring(self) || thread_is_busy(self))
        return;
    self = emit_enter();
    if (!self)
        return;
    if (self->top->anchor == scope.token || unwind_to(self, scope.token)) {
        const struct open_scope *top = self->top;
        uint64_t *word = frame_at(self, top->depth - 1);
        word[2] = end - word[1];
        ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
        scope_pop(self);
    }
    emit_leave(self);
}

/* Of a scope that is deep, or whose record goes on in continuation slots. Inside an emit. */
static __attribute__((noinline)) void end_unusual(struct gb_thread *self, uint64_t end)
{
    const struct open_scope *top = self->top;
    uint64_t *word = frame_at(self, top->depth - 1);
    word[2] = end - word[1];
    ring_emit(self, word, self->arena + top->ext_offset, top->ext_length);
    scope_pop(self);
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

    struct open_scope *top = self->top;
    uint64_t at = self->tail;
    if (unlikely(top->anchor != scope.token || at == self->limit)) {
        emit_leave_usual(self);
        end_general(scope, end);
        return;
    }
    const uint64_t *word = top[-1].frame;
    uint64_t *to = self->slots[at & self->mask].word, head = word[0];
    if (unlikely(head & HAS_ATTRS)) {
        if (unlikely(top->ext_length != 0 || top->depth >= GBW_FRAMES)) {
            end_unusual(self, end);
            return;
        }
        to[5] = word[5];
        to[6] = word[6];
        to[7] = word[7];
    }
    to[0] = head;
    uint64_t start = word[1];
    to[1] = start;
    to[2] = end - start;
    to[3] = word[3];
    to[4] = word[4];
    struct gbw_producer *producer = self->producer;
    ring_attempt(producer);
    ring_publish(self, producer, at + 1);
    publish_depth(self, producer, top - 1);
    emit_leave_usual(self);
}

void gb_attr_(struct gb_attr attr)
{
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return;
    if (likely(self->top->depth)) {
        struct draft draft = draft_at(self, frame_at(self, self->top->depth - 1), self->top);
        attrs_append(&draft, &attr, 1);
        place_ext(self, self->top, draft.length);
    }
    emit_leave(self);
}
