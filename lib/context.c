/* SPDX-License-Identifier: MIT */
/*
 * Contexts: the open scopes of a coroutine or fibre, while it is not running. In: gb_context_save on the thread that it leaves. Out:
 * the same scopes on top of those of the thread that calls gb_context_restore. What is saved stands in private memory, mapped for
 * each saved context that has scopes open; pooled, so that a switch costs no system call.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/process.h"
#include "lib/ring.h"
#include "lib/scope.h"

struct saved_scope {
    uint64_t record[8];
    uintptr_t anchor;
    uint32_t ext_offset, ext_length;
};

struct saved {
    struct saved *next;
    uint64_t token; /* of the context that it belongs to: who exchanges it for 0 may restore it, once */
    uint32_t depth, ext_used;
    struct saved_scope scope[SCOPES_MAX]; /* the outermost first; only what is used is ever touched */
    uint8_t ext[GBW_ARENA_BYTES];
};

/* Free ones. A take empties the whole list and puts the rest back, so that no element can come and go under a compare-and-swap. */
static struct saved *pool;

static void saved_put(struct saved *first, struct saved *last)
{
    struct saved *top = __atomic_load_n(&pool, __ATOMIC_RELAXED);
    do
        last->next = top;
    while (!__atomic_compare_exchange_n(&pool, &top, first, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static struct saved *saved_take(void)
{
    struct saved *all = __atomic_exchange_n(&pool, NULL, __ATOMIC_ACQUIRE);
    if (all) {
        if (all->next) {
            struct saved *last = all->next;
            while (last->next)
                last = last->next;
            saved_put(all->next, last);
        }
        return all;
    }
    int saved_errno = errno;
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    return all == MAP_FAILED ? NULL : all;
}

static void save_scope(struct gb_thread *self, struct saved *saved, uint32_t i)
{
    const struct open_scope *open = &self->open[i + 1];
    struct saved_scope *to = &saved->scope[i];
    bool in_segment = i < GBW_FRAMES - 1 || i == self->top->depth - 1;
    const struct gbw_record *from = in_segment ? &self->producer->frame[frame_index(i)] : &self->deep[i];
    memcpy(to->record, from->word, sizeof to->record);
    to->anchor = open->anchor;
    to->ext_offset = saved->ext_used;
    to->ext_length = open->ext_length;
    memcpy(saved->ext + saved->ext_used, self->arena + open->ext_offset, open->ext_length);
    saved->ext_used += open->ext_length;
}

struct gb_context gb_context_save(void)
{
    struct gb_context context = {0};
    struct gb_thread *self = gb_enabled() ? emit_enter() : NULL;
    if (!self)
        return context;
    context.generation_ = gb_process.generation;
    struct saved *saved = self->top->depth ? saved_take() : NULL;
    if (saved) {
        saved->depth = self->top->depth;
        saved->ext_used = 0;
        for (uint32_t i = 0; i < saved->depth; i++)
            save_scope(self, saved, i);
        while (self->top->depth)
            scope_pop(self);
        context.block_ = saved;
        context.token_ = self->tokens++;
        __atomic_store_n(&saved->token, context.token_, __ATOMIC_RELEASE);
    }
    emit_leave(self);
    return context;
}

void gb_context_restore(struct gb_context *context)
{
    if (!context || !context->block_)
        return;
    struct gb_thread *self = gb_enabled() ? emit_enter() : NULL;
    if (!self)
        return;
    struct saved *saved = context->block_;
    bool ours = context->generation_ == gb_process.generation;
    uint64_t token = context->token_;
    *context = (struct gb_context){0};
    if (!__atomic_compare_exchange_n(&saved->token, &token, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        emit_leave(self);
        return;
    }
    /* scopes that were begun before a fork are their parent's to end */
    for (uint32_t i = 0; ours && i < saved->depth; i++) {
        if (self->top->depth >= SCOPES_MAX) {
            ring_attempt(self->producer);
            ring_drop(self, GBW_TOO_DEEP);
            continue;
        }
        const struct saved_scope *scope = &saved->scope[i];
        uint32_t used = self->arena_used, left = GBW_ARENA_BYTES - used;
        uint32_t length = scope->ext_length <= left ? scope->ext_length : 0;
        uint64_t record[8];
        memcpy(record, scope->record, sizeof record);
        if (length != scope->ext_length) { /* no room for its texts: they are left out, and counted */
            record[0] &= ~(uint64_t)0xff00;
            __atomic_fetch_add(&gb_process.header->attributes_left_out, 1, __ATOMIC_RELAXED);
        }
        memcpy(self->arena + used, saved->ext + scope->ext_offset, length);
        scope_push(self, record, length, scope->anchor);
    }
    saved_put(saved, saved);
    emit_leave(self);
}
