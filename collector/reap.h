/* SPDX-License-Identifier: MIT */
/*
 * What janitors removed while no collector ran. A worker that has to make room appends one line for each segment to
 * the file `reaped` before it unlinks it, under the removal lock:
 *
 *   <segment, 32 hex digits> <pid> <program> attempted=<n> delivered=<n> lost=<n>
 *
 * In: that file. Out: the sums, once; the file is then empty. Control thread.
 */
#ifndef GB_COLLECTOR_REAP_H
#define GB_COLLECTOR_REAP_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "collector/bell.h"

struct reaped {
    uint64_t segments, attempted, delivered, lost;
    uint64_t unreadable; /* lines that say something else */
};

/* The lines of such a file. Adds to `sums`. */
void reap_parse(FILE *file, struct reaped *sums);

/* The same for that of a directory. -EAGAIN: somebody removes just now, try later. A missing file is no error. */
int reap_read(int directory_fd, uid_t owner, struct bell *bell, struct reaped *sums);

#endif
