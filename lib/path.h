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

static inline struct path_cache *path_slot(struct gb_thread *self, uint32_t name)
{
    return &self->cache[(self->path * 31 + name) % PATH_CACHE];
}

static inline uint32_t path_of(struct gb_thread *self, struct gb_name *name)
{
    uint32_t id = __atomic_load_n(&name->id, __ATOMIC_RELAXED);
    const struct path_cache *slot = path_slot(self, id);
    /* an empty slot matches id 0 and holds path 0: the slow way */
    if (likely(slot->name == id && slot->parent == self->path && slot->path))
        return slot->path;
    return path_look_up(self, name);
}

#endif
