/* SPDX-License-Identifier: MIT */
/*
 * What a process has one of: its segment, the mark that tells enabled from disabled. Everything here is written under
 * the slow lock (slow.h).
 */
#ifndef GB_LIB_PROCESS_H
#define GB_LIB_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gb/telemetry.h"
#include "gb/wire.h"
#include "lib/segment.h"

#define SEGMENTS_MAX 16

struct gb_process {
    struct gbw_header *header; /* of the newest segment; NULL: none */
    struct gbw_bell *bell;     /* NULL: the lock file could not be had; nobody is woken then */
    pid_t pid;                 /* who decided, and made the segment. Differs in a child of vfork */
    uint64_t budget;           /* bytes of slots and fold tables that rings may still take */
    uint32_t generation;       /* grows in each forked child: spans of another one are not ours to end */
    bool strict_scopes, raw_preview;
    /* More than one when a segment's file was removed: threads that have a ring in it go on there. The newest is the last. */
    struct segment segments[SEGMENTS_MAX];
    uint32_t segment_count;
};
extern struct gb_process gb_process __attribute__((visibility("hidden")));

static inline struct segment *process_segment(void)
{
    /* acquire: pairs with the release in add_segment */
    return &gb_process.segments[__atomic_load_n(&gb_process.segment_count, __ATOMIC_ACQUIRE) - 1];
}

/*
 * Is telemetry on? Decides when that is still open, and makes a segment; in the child of a fork, one of its own. Between
 * slow_begin and slow_end, without the lock. -EBUSY: the lock was not to be had in time.
 */
int process_ready(void);

/* Under the slow lock: the newest segment's file was removed. */
int process_replace_segment(void);

#endif
