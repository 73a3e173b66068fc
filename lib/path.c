/* SPDX-License-Identifier: MIT */
/* See path.h. */
#include "lib/path.h"

uint32_t path_look_up(struct gb_thread *self, struct gb_name *name)
{
    uint64_t parent = self->top->head;
    uint32_t id = names_of(name);
    uint32_t path = id == NAME_BAD || id == NAME_BUSY ? id : names_path(path_in(parent), id);
    if (path == NAME_BAD || path == NAME_BUSY) {
        ring_attempt(self->producer);
        ring_drop(self, path == NAME_BAD ? GBW_BAD_NAME : GBW_BUSY);
        return 0;
    }
    uint64_t key = path_key(parent, id);
    *path_slot(self, path_offset(key)) = (struct path_cache){.key = key, .head = path_head(path)};
    if (path >= self->calls_high)
        self->calls_high = path + 1;
    return path;
}
