/* SPDX-License-Identifier: MIT */
/*
 * What a process has one of: its configuration, its segment, the mark that tells enabled from disabled. Everything
 * here is written under the process lock (bounded spin, all signals blocked), or before the switch says *on*.
 */
#ifndef GB_LIB_PROCESS_H
#define GB_LIB_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gb/telemetry.h"
#include "gb/wire.h"

struct gb_process {
    struct gbw_header *header; /* the segment, mapped; NULL: none */
    struct gbw_name *names;
    char *text;
    struct gbw_ring_entry *rings;
    struct gbw_bell *bell; /* NULL: the lock file could not be had; nobody is woken then */
    int fd;                /* of the segment: O_CLOEXEC, record-locked; check device and inode before each use */
    dev_t dev;
    ino_t ino;
    pid_t pid;           /* who made it */
    uint64_t budget;     /* bytes of slots that rings may still take */
    uint32_t generation; /* grows in each forked child: spans of another one are not ours to end */
    bool strict_scopes, raw_preview;
};
extern struct gb_process gb_process __attribute__((visibility("hidden")));

#endif
