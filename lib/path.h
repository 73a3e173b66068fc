/* SPDX-License-Identifier: MIT */
/*
 * Where an event belongs: the path of a name inside the thread's current scope. In: the thread, a name. Out: a path id, from
 * the thread's own cache; and the call counts of that thread. Runs inside an emit.
 */
#ifndef GB_LIB_PATH_H
#define GB_LIB_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/names.h"
#include "lib/ring.h"

/* The slow way: interns. 0: refused; the drop has been counted. */
uint32_t path_look_up(struct gb_thread *self, struct gb_name *name);

/* Word 0 of a timing on this path without attributes. A metric's differs in its low half only. */
static inline uint64_t path_head(uint32_t path)
{
    return GBW_TIMING | (uint64_t)path << 32;
}

static inline uint32_t path_in(uint64_t head)
{
    return (uint32_t)(head >> 32);
}

/* Of a parent's head and the id of a name. Never 0, which is the key of an empty slot; and none with the name 0, which is no id, is
 * ever stored. */
static inline uint64_t path_key(uint64_t parent, uint32_t name)
{
    return parent + name;
}

/* Where its slot stands in the cache, in bytes. The product has the name from bit 31 on, and the path 159 times from bit 32 on: siblings
 * stand side by side. */
static inline uint64_t path_offset(uint64_t key)
{
    return key * 0x7fffff9f >> 27 & (PATH_CACHE - 1) * sizeof(struct path_cache);
}

static inline struct path_cache *path_slot(struct gb_thread *self, uint64_t offset)
{
    return (struct path_cache *)((uintptr_t)self->cache + offset);
}

/* Its head, when it is in the cache. */
static inline bool path_found(struct gb_thread *self, uint64_t parent, const struct gb_name *name, uint64_t *ret_head)
{
    uint64_t key = path_key(parent, __atomic_load_n(&name->id, __ATOMIC_RELAXED)), offset = path_offset(key);
    if (unlikely(path_slot(self, offset)->key != key))
        return false;
    OPAQUE(offset);
    *ret_head = path_slot(self, offset)->head;
    return true;
}

static inline uint32_t path_of(struct gb_thread *self, struct gb_name *name)
{
    uint64_t head;
    return path_found(self, self->top->head, name, &head) ? path_in(head) : path_look_up(self, name);
}

/* Counts one more timing on this path, that begins now. Returns word 3 of its record. */
static inline uint64_t path_count(const struct gb_thread *self, const struct open_scope *top, uint32_t path)
{
    uint32_t *calls = self->calls;
    calls[path]++;
    signal_fence(); /* in memory, by one instruction, and then read again */
    OPAQUE(calls);
    return calls[path] | top->calls << 32;
}

/* Counts it as a root, when nothing is open. Returns word 4 of its record without keys. */
static inline uint64_t path_root(struct gb_thread *self, const struct open_scope *top)
{
    self->roots += top->root;
    signal_fence();
    return self->roots & 0xffff;
}

#endif
