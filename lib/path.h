/* SPDX-License-Identifier: MIT */
/*
 * Where an event belongs: the path of a name inside the thread's current scope. In: the thread, a name. Out: a path id, from
 * the thread's own cache; and the call counts of that thread. Runs inside an emit.
 */
#ifndef GB_LIB_PATH_H
#define GB_LIB_PATH_H

#include <stdint.h>

#include "lib/names.h"
#include "lib/ring.h"

/* The slow way: interns. 0: refused; the drop has been counted. */
uint32_t path_look_up(struct gb_thread *self, struct gb_name *name);

/* Never 0, which is the key of an empty slot; and none with the name 0, which is no id, is ever stored. */
static inline uint64_t path_key(uint32_t parent, uint32_t name)
{
    return (uint64_t)name << 32 | (parent + 1);
}

static inline struct path_cache *path_slot(struct gb_thread *self, uint32_t parent, uint32_t name)
{
    return &self->cache[(parent * 31 + name) % PATH_CACHE];
}

/* NULL: not in the cache. */
static inline const struct path_cache *path_found(struct gb_thread *self, uint32_t parent, const struct gb_name *name)
{
    uint32_t id = __atomic_load_n(&name->id, __ATOMIC_RELAXED);
    const struct path_cache *slot = path_slot(self, parent, id);
    return likely(slot->key == path_key(parent, id)) ? slot : NULL;
}

static inline uint32_t path_of(struct gb_thread *self, struct gb_name *name)
{
    const struct path_cache *found = path_found(self, scope_top(self)->path, name);
    return likely(found != NULL) ? found->path : path_look_up(self, name);
}

#endif
