/* SPDX-License-Identifier: MIT */
/*
 * Fold tables (gb/wire_fold.h), from the side of the collector. In: one table of a ring that stands still. Out: what reporters get of
 * it, in private memory. Drain thread.
 *
 * The table is copied once; the copy is checked and used. A fold that makes no sense is counted malformed with all its events; a
 * table that counts more events than its worker is not believed at all.
 */
#ifndef GB_COLLECTOR_FOLDS_H
#define GB_COLLECTOR_FOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/paths.h"
#include "collector/segment.h"

/* One table, handed over. The batch that carries it holds its segment. */
struct folds {
    struct folds *next;
    struct segment *segment;
    uint64_t events, malformed; /* in all items; in what could not be read */
    uint32_t count;
    struct gb_folded item[]; /* their buckets follow */
};

/*
 * Epoch `epoch` of a ring; `cut`: its worker is dead, and what its last fold began is finished here. `most`: events that can be in it.
 * -EPROTO: nonsense. -ENOMEM.
 */
int folds_read(struct ring *ring, struct paths *paths, uint64_t epoch, bool cut, uint64_t most,
               struct folds **ret_folds);
void folds_free(struct folds *folds); /* the whole list; takes NULL */

#endif
