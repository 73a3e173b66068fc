/* SPDX-License-Identifier: MIT */
/*
 * From a file in the segments' directory to a validated, mapped segment. In: a name; nothing about the file is trusted.
 * Out: a struct segment whose geometry is private, or the reason why it was refused.
 */
#ifndef GB_COLLECTOR_ATTACH_H
#define GB_COLLECTOR_ATTACH_H

#include <sys/types.h>
#include <time.h>

#include "collector/segment.h"

/* Every way in which a file can be no segment of ours. */
enum attach_refusal {
    ATTACH_ACCEPTED = 0,
    ATTACH_GONE,     /* not there any more: nothing to say */
    ATTACH_NO_MEANS, /* descriptors, memory or mappings have run out: worth another try */
    ATTACH_SYMLINK,  /* what it is */
    ATTACH_NO_FILE,  /* a FIFO, a device, a socket, a directory */
    ATTACH_HARD_LINK,
    ATTACH_OWNER,
    ATTACH_MODE,
    ATTACH_UNREADABLE,
    ATTACH_EMPTY, /* its size */
    ATTACH_SHORT,
    ATTACH_HUGE,
    ATTACH_MAGIC, /* its header */
    ATTACH_BYTE_ORDER,
    ATTACH_MAJOR,
    ATTACH_SIZES,
    ATTACH_OFFSETS,
    ATTACH_CLOCK,
    ATTACH_NAME, /* the id inside is not the one in its name */
    ATTACH_REFUSALS
};

#define ATTACH_BYTES_MAX (64ull << 30) /* a larger file is no segment */
#define ATTACH_META_MAX (128ull << 20) /* header, names, text and ring entries together */

struct attach_result {
    enum attach_refusal refusal;
    char why[160]; /* a sentence without file name and full stop */
    dev_t dev;     /* with ino: which file this was said of; 0: none */
    ino_t ino;
    struct timespec ctime;
};

/* Does a file of this name hold a segment (GBW_SEGMENT_SUFFIX), or a recording (GBW_RECORDING_SUFFIX)? */
bool segment_is_name(const char *file, const char *suffix);

/* Control thread. `owner`: whose file it must be. On refusal -EPROTO (it is no segment), -ENOENT, or what ran out. */
int segment_attach(int directory_fd, const char *file, uid_t owner, struct attach_result *ret_result,
                   struct segment **ret_segment);

/* Control thread, when no other thread can see the segment any more. Unmaps, closes, frees, the rings too. Takes NULL. */
void segment_detach(struct segment *segment);

/*
 * Drain thread, when header.ring_count has grown: maps ring `index`, which must be segment->ring_count, and publishes it:
 * segment->rings[index], then ring_count. Cursors and commits are left zero: the drain sets them from the checkpoints.
 * -EPROTO: its entry is broken; rings[index] stays NULL, ring_count passes it. Other errors: means have run out, try later.
 */
int ring_attach(struct segment *segment, uint32_t index);

#endif
