/* SPDX-License-Identifier: MIT */
/*
 * Is the worker of a segment alive? In: the identity that its header gives, and its record lock. Out: alive, dead or
 * unknown, and how it ended. A free lock alone never means dead, and a `closed` header never finishes a segment.
 * Control thread (and `gb ls`).
 */
#ifndef GB_COLLECTOR_LIVENESS_H
#define GB_COLLECTOR_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/segment.h"

/* What this process shares, or does not share, with a worker. */
struct surroundings {
    uint8_t boot_id[16];
    uint64_t pid_ns, time_ns; /* inode numbers; 0: unknown */
};
/* Read once, kept. */
const struct surroundings *liveness_surroundings(void);

enum liveness { LIVENESS_ALIVE, LIVENESS_DEAD, LIVENESS_UNKNOWN };

/* ret_how (may be NULL) at LIVENESS_DEAD: "exit", "exec" or "vanished". */
enum liveness liveness_probe(const struct segment *segment, const char **ret_how);

/* Field 22 of /proc/PID/stat, and field 4; -ESRCH without such a process. */
int liveness_process(pid_t pid, uint64_t *ret_start_time, pid_t *ret_parent);

#endif
