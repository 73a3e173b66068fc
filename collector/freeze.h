/* SPDX-License-Identifier: MIT */
/*
 * From a recording to an ordinary segment. In: the attached recording of a flight recorder, whose worker may write to it all the
 * while. Out: a file of its own that nobody changes any more, of a worker that is finished: its names, and of each ring the whole
 * events that had not been overwritten, with a count of the others. The collector's stages take it from there, and check it like any other.
 *
 * One thread. Each word of shared memory is copied once, and the copy is what is looked at.
 */
#ifndef GB_COLLECTOR_FREEZE_H
#define GB_COLLECTOR_FREEZE_H

#include "collector/segment.h"

/*
 * Makes `recording`, whose worker has ended so, a segment in the directory. 0, or: -EIO: the file was truncated under us, or is
 * broken beyond use; -ENOSPC and others: the copy could not be made. On error no file is left.
 */
int freeze_recording(struct segment *recording, enum gbw_how how, int directory_fd);

/* freeze_ring.c. What a ring is made of, in private memory, as it stands in a file. */
struct frozen_ring {
    struct gbw_producer *producer; /* the first byte of all of it */
    uint8_t *arena;
    struct gbw_consumer *consumer;
    struct gbw_record *slot;
    uint32_t slots;
};
#define FROZEN_BYTES(slots) (GBW_RING_OVERHEAD + (uint64_t)(slots)*GBW_SLOT)

/* -ENOMEM; -EPROTO: its indices make no sense. */
int freeze_ring(const struct ring *ring, enum gbw_how how, struct frozen_ring *ret_frozen);
void frozen_ring_free(struct frozen_ring *frozen);

#endif
