/* SPDX-License-Identifier: MIT */
/* See rings.h. */
#include "lib/rings.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/config.h"
#include "lib/fold.h"
#include "lib/process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SHARE 32u                 /* a ring takes at most that part of what is left of the budget */
#define POPULATE_MAX (4ull << 20) /* bytes touched at the lease; the rest of a huge ring at its first use */

uint64_t gb_ring_start;

static struct gb_thread *blocks[GBW_RINGS_MAX];
static uint32_t next_free[GBW_RINGS_MAX]; /* 1 + index, 0: last */
static uint32_t block_count;              /* release; written under the slow lock */
static uint64_t pool_top;                 /* tag 32 | 1 + index 32 */

/* A block: the thread's state, then its call counts. */
#define BLOCK_BYTES (sizeof(struct gb_thread) + GBW_NAMES_MAX * sizeof(uint32_t))

static uint64_t ring_bytes(const struct gb_thread *thread)
{
    return GBW_RING_OVERHEAD + (thread->mask + 1) * GBW_SLOT + thread->fold_bytes;
}

static struct gb_thread *pop(void)
{
    /* acquire: pairs with the release in push; what the thread before wrote into the block is visible */
    uint64_t top = __atomic_load_n(&pool_top, __ATOMIC_ACQUIRE), next;
    do {
        if ((uint32_t)top == 0)
            return NULL;
        next = ((top >> 32) + 1) << 32 | __atomic_load_n(&next_free[(uint32_t)top - 1], __ATOMIC_RELAXED);
    } while (!__atomic_compare_exchange_n(&pool_top, &top, next, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
    return blocks[(uint32_t)top - 1];
}

static void push(const struct gb_thread *thread)
{
    uint64_t top = __atomic_load_n(&pool_top, __ATOMIC_RELAXED), next;
    do {
        __atomic_store_n(&next_free[thread->block], (uint32_t)top, __ATOMIC_RELAXED);
        next = ((top >> 32) + 1) << 32 | (thread->block + 1);
    } while (!__atomic_compare_exchange_n(&pool_top, &top, next, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

struct gb_thread *rings_take(void)
{
    struct gb_thread *thread;
    while ((thread = pop())) {
        uint32_t unleased = 0;
        if (&gb_process.segments[thread->segment] != process_segment())
            continue; /* its file is gone: nobody would find what is written there */
        /* acquire: pairs with the release of who returned it. It can only fail when a foreign hand wrote it */
        if (__atomic_compare_exchange_n(&thread->producer->leased, &unleased, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return thread;
    }
    return NULL;
}

void rings_give(struct gb_thread *thread)
{
    __atomic_store_n(&thread->producer->depth, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->producer->leased, 0, __ATOMIC_RELEASE);
    push(thread);
}

struct gb_thread *rings_at(uint32_t index)
{
    return index < __atomic_load_n(&block_count, __ATOMIC_ACQUIRE) ? blocks[index] : NULL;
}

static uint64_t power_of_two_below(uint64_t bytes)
{
    return bytes ? 1ull << (63 - __builtin_clzll(bytes)) : 0;
}

/* What a new ring may take: RING_BYTES, a thirty-second of what is left, at least the least. 0: the budget is used up. */
static uint64_t size_wanted(void)
{
    uint64_t share = power_of_two_below(gb_process.budget / SHARE);
    uint64_t bytes = share < gb_settings.ring_bytes ? share : gb_settings.ring_bytes;
    if (bytes < GBW_RING_BYTES_MIN)
        bytes = GBW_RING_BYTES_MIN;
    return bytes <= gb_process.budget ? bytes : 0;
}

/* Space in the file; smaller when there is not enough, and then without fold tables. */
static int allocate(struct segment *segment, uint64_t *ret_offset, uint64_t *ret_bytes, uint64_t *ret_fold_bytes)
{
    int error = -ENOSPC;
    uint64_t bytes = size_wanted(), fold_bytes = bytes ? fold_bytes_wanted(gb_process.budget - bytes) : 0;
    while (bytes >= GBW_RING_BYTES_MIN) {
        error = segment_extend(segment, GBW_RING_OVERHEAD + bytes + fold_bytes, ret_offset);
        if (error != -ENOSPC && error != -EFBIG)
            break;
        bytes /= fold_bytes ? 1 : 2;
        fold_bytes = 0;
    }
    *ret_bytes = bytes;
    *ret_fold_bytes = fold_bytes;
    return error;
}

static void fill_block(struct gb_thread *thread, uint8_t *ring, uint64_t slots, uint32_t index)
{
    thread->producer = (struct gbw_producer *)(void *)ring;
    thread->arena = ring + GBW_PAGE;
    thread->consumer = (const struct gbw_consumer *)(void *)(ring + GBW_PAGE + GBW_ARENA_BYTES);
    thread->slots = (struct gbw_record *)(void *)(ring + GBW_RING_OVERHEAD);
    thread->mask = slots - 1;
    thread->tail = gb_ring_start;
    thread->calls = (uint32_t *)(thread + 1);
    thread->busy = 1;
    thread->ring = index;
    thread->block = block_count;
    thread->segment = gb_process.segment_count - 1;
    thread->producer->tail = gb_ring_start;
    thread->announced = thread->producer->overwriting = gb_ring_start;
    ((struct gbw_consumer *)(void *)(ring + GBW_PAGE + GBW_ARENA_BYTES))->head = gb_ring_start;
    thread->producer->leased = 1;
}

int rings_make(struct gb_thread **ret_thread)
{
    struct segment *segment = process_segment();
    uint32_t index = segment->header->ring_count;
    uint64_t offset, bytes, fold_bytes;
    int error;

    if (block_count >= GBW_RINGS_MAX || index >= GBW_RINGS_MAX)
        return -ENOSPC;
    error = segment_reserve(segment, &segment->ring_table, (index + 1) * sizeof(struct gbw_ring_entry));
    if (!error)
        error = allocate(segment, &offset, &bytes, &fold_bytes);
    if (error)
        return error;
    void *block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return -errno;
    uint64_t all = GBW_RING_OVERHEAD + bytes + fold_bytes;
    void *ring = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd, (off_t)offset);
    if (ring == MAP_FAILED) {
        error = -errno;
        munmap(block, BLOCK_BYTES);
        return error;
    }
    fill_block(block, ring, bytes / GBW_SLOT, index);
    fold_start(block, (uint8_t *)ring + GBW_RING_OVERHEAD + bytes, fold_bytes);
    segment->rings[index] = (struct gbw_ring_entry){
        .offset = offset, .slots = (uint32_t)(bytes / GBW_SLOT), .fold_bytes = (uint32_t)fold_bytes};
    /* release: pairs with the collector's acquire; the entry and the first indices are visible before it */
    __atomic_store_n(&segment->header->ring_count, index + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&gb_process.budget, gb_process.budget - bytes - fold_bytes, __ATOMIC_RELAXED);
    blocks[block_count] = block;
    __atomic_store_n(&block_count, block_count + 1, __ATOMIC_RELEASE);
    *ret_thread = block;
    return 0;
}

void rings_populate(const struct gb_thread *thread)
{
    uint64_t bytes = ring_bytes(thread) - thread->fold_bytes; /* those are for a ring that is full */
    if (bytes > POPULATE_MAX)
        bytes = POPULATE_MAX;
    if (madvise(thread->producer, bytes, MADV_POPULATE_WRITE) == 0)
        return;
    /* an older kernel. A read maps a page of a shared mapping for writing as well */
    for (uint64_t at = 0; at < bytes; at += GBW_PAGE)
        (void)*((const volatile uint8_t *)thread->producer + at);
}

void rings_detach(const struct gb_thread *thread)
{
    mmap(thread->producer, ring_bytes(thread), PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void rings_forget(const struct gb_thread *running)
{
    for (uint32_t i = 0; i < block_count; i++) {
        struct gb_thread *thread = blocks[i];
        if (thread == running)
            continue;
        munmap(thread->producer, ring_bytes(thread));
        munmap(thread, BLOCK_BYTES);
    }
    memset(blocks, 0, block_count * sizeof *blocks);
    block_count = 0;
    pool_top = 0;
}
