/* SPDX-License-Identifier: MIT */
/* What `gb ls` shows of a segment, and the two ways of writing it: see ls.c. */
#ifndef GB_COLLECTOR_CLI_LS_WRITE_H
#define GB_COLLECTOR_CLI_LS_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/status.h"
#include "gb/reporter.h"

struct ls_ring {
    uint32_t index, slots, tid, depth;
    char thread[17];
    bool leased; /* a thread has it now */
    bool broken; /* tail and head cannot both be true */
    uint64_t backlog, attempted, folded;
    uint64_t dropped[GB_WORKER_CAUSES];
};

struct ls_segment {
    const char *file, *state;
    const struct gb_worker *worker;
    uint64_t bytes, backlog, attempted, folded; /* backlog: slots */
    uint64_t dropped[GB_WORKER_CAUSES];
    bool recording; /* of a flight recorder */
    struct ls_ring *rings;
    uint32_t ring_count, broken_rings;
};

struct ls_writer {
    void (*begin)(const char *directory, unsigned files, pid_t collector);
    void (*reporters)(const struct status *status, int error); /* with a collector; error: why it did not answer */
    void (*segments)(void);                                    /* they follow, if there are files */
    void (*segment)(const struct ls_segment *segment);
    void (*refused)(const char *file, const char *why);
    void (*quarantined)(const char *file); /* by the collector that runs */
};

extern const struct ls_writer ls_text, ls_json;

#endif
