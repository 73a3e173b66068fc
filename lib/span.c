/* SPDX-License-Identifier: MIT */
/*
 * Detached spans. In: gb_begin on one thread, gb_end on any. Out: a timing in the ring of the thread that ends it. The record travels in
 * the caller's struct gb_span; what does not fit a record (text, more than three attributes) in a block of a private pool.
 *
 * The pool: a lock-free stack of blocks, its top word with a tag against ABA. A block belongs to the span whose token it holds;
 * who exchanges the token for 0 gives it back, so that ending two copies of a span gives it back once.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/attr.h"
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/process.h"
#include "lib/ring.h"

#define BLOCKS 4096u /* spans with an extension that are open at once; beyond, what does not fit is left out, counted */

struct block {
    uint64_t token;
    uint32_t next; /* 1 + index, 0: last */
    uint32_t reserved;
    uint8_t ext[GBW_EXT_MAX];
};

static struct block *blocks; /* mapped at the first need, for the life of the process */
static uint64_t free_top;    /* tag 32 | 1 + index 32 */
static uint32_t blocks_used; /* never handed out before: at and above */

static struct block *pool(void)
{
    struct block *mapped = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE);
    if (likely(mapped != NULL))
        return mapped;
    int saved = errno;
    struct block *fresh = mmap(NULL, sizeof(struct block) * BLOCKS, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (fresh == MAP_FAILED)
        return NULL;
    if (__atomic_compare_exchange_n(&blocks, &mapped, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    munmap(fresh, sizeof(struct block) * BLOCKS);
    return mapped;
}

/* 1 + index of a block, or 0. */
static uint32_t block_take(uint64_t token)
{
    struct block *all = pool();
    if (!all)
        return 0;
    uint64_t top = __atomic_load_n(&free_top, __ATOMIC_ACQUIRE);
    uint32_t taken;
    while ((taken = (uint32_t)top) != 0) {
        uint64_t next = ((top >> 32) + 1) << 32 | __atomic_load_n(&all[taken - 1].next, __ATOMIC_RELAXED);
        if (__atomic_compare_exchange_n(&free_top, &top, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            break;
    }
    if (!taken) {
        taken = __atomic_load_n(&blocks_used, __ATOMIC_RELAXED);
        do {
            if (taken >= BLOCKS)
                return 0;
        } while (
            !__atomic_compare_exchange_n(&blocks_used, &taken, taken + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        taken++;
    }
    __atomic_store_n(&all[taken - 1].token, token, __ATOMIC_RELEASE);
    return taken;
}

/* true: the block was this span's, and is now nobody's: read it, then block_free. */
static bool block_claim(uint32_t block, uint64_t token)
{
    struct block *all = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE);
    return all && block <= BLOCKS &&
           __atomic_compare_exchange_n(&all[block - 1].token, &token, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void block_free(uint32_t block)
{
    uint64_t top = __atomic_load_n(&free_top, __ATOMIC_RELAXED), fresh;
    do {
        __atomic_store_n(&blocks[block - 1].next, (uint32_t)top, __ATOMIC_RELAXED);
        fresh = ((top >> 32) + 1) << 32 | block;
    } while (!__atomic_compare_exchange_n(&free_top, &top, fresh, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Does anything of these attributes have to stand outside the record? */
static bool needs_block(const struct gb_attr *attrs, uint32_t count)
{
    bool needed = count > GBW_ATTRS_INLINE;
    for (uint32_t i = 0; i < count && !needed; i++)
        needed = attrs[i].type == GB_ATTR_TEXT_;
    return needed;
}

struct gb_span gb_begin(const struct gb_name *name, const struct gb_attr *attrs, uint32_t count)
{
    struct gb_span span = {0};
    if (!name || !gb_enabled())
        return span;
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return span;
    uint32_t path = path_of(self, (struct gb_name *)(uintptr_t)name);
    if (likely(path != 0)) {
        span.token_ = self->tokens++;
        span.generation_ = gb_process.generation;
        span.record_[0] = GBW_TIMING | (uint64_t)GBW_F_DETACHED << 16 | (uint64_t)path << 32;
        span.record_[3] = path_count(self, self->top, path);
        span.record_[4] = path_root(self, self->top);
        if (count) {
            span.block_ = needs_block(attrs, count) ? block_take(span.token_) : 0;
            struct draft draft = {.word = span.record_, .ext = (uint8_t *)span.record_}; /* no room there */
            if (span.block_) {
                draft.ext = blocks[span.block_ - 1].ext;
                draft.room = GBW_EXT_MAX;
            }
            attrs_write(&draft, attrs, count);
            span.length_ = draft.length;
        }
        span.record_[1] = clock_ticks();
    }
    emit_leave(self);
    return span;
}

void gb_end(struct gb_span *span)
{
    uint64_t end = clock_ticks();
    if (!span || !span->token_)
        return;
    uint64_t token = span->token_;
    span->token_ = 0;
    /* the generation is looked at after the thread was entered: in the child of a fork only that makes it grow */
    struct gb_thread *self = gb_enabled() ? emit_enter() : NULL;
    if (!self)
        return;
    if (span->generation_ == gb_process.generation) {
        bool ours = span->block_ && block_claim(span->block_, token);
        span->record_[2] = end - span->record_[1];
        ring_emit(self, span->record_, ours ? blocks[span->block_ - 1].ext : NULL, ours ? span->length_ : 0);
        if (ours)
            block_free(span->block_);
    }
    emit_leave(self);
}
