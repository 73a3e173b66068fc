/* SPDX-License-Identifier: MIT */
/*
 * What the files of the roster share: roster.c (from a name to an attached segment, and its worker's death), roster_end.c
 * (from there to its detachment), roster_sums.c (counts). Control thread.
 */
#ifndef GB_COLLECTOR_ROSTER_PRIVATE_H
#define GB_COLLECTOR_ROSTER_PRIVATE_H

#include "collector/exits.h"
#include "collector/known.h"
#include "collector/roster.h"
#include "collector/say.h"

#define ROSTER_QUARANTINED_TOLD 32u

struct roster {
    const struct directory *directory;
    struct bell *bell;
    struct cds_list_head segments;
    struct known *known;
    struct segment *leaving; /* out of the list, not detached yet */
    unsigned seen, attached, refused, quarantined;
    uint64_t names;
    int64_t scanned_ns, retry_ns; /* no attach before */
    bool waiting;
    struct say_limit refusals, others;
    struct exits exits;
    char quarantined_last[ROSTER_QUARANTINED_TOLD][96]; /* names of the files; [quarantined % that] is the next place */
};

#endif
