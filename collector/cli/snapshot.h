/* SPDX-License-Identifier: MIT */
/*
 * The recordings of a directory, for `gb snapshot`. In: the directory of the workers. Out: frozen copies in another one, and what
 * became of each recording. What cannot be done is said on stderr. Main thread.
 */
#ifndef GB_COLLECTOR_CLI_SNAPSHOT_H
#define GB_COLLECTOR_CLI_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/directory.h"

#define SNAPSHOT_PIDS 64u

/* Which of them. */
struct snapshot_wish {
    uint32_t pid[SNAPSHOT_PIDS];
    bool met[SNAPSHOT_PIDS]; /* there was one */
    unsigned pids;           /* 0: all */
};

struct snapshot_recording {
    char *file;
    dev_t dev;
    ino_t ino;
    uint32_t pid;
    bool dead; /* provably */
};

struct snapshot_recordings {
    struct snapshot_recording *list; /* those that were frozen */
    unsigned count;
    unsigned wanted; /* that were to be */
};

/* Freezes those that are wanted into the directory `to_fd`. False: something was amiss, and has been said. */
bool snapshot_freeze(const struct directory *from, struct snapshot_wish *wish, int to_fd,
                     struct snapshot_recordings *ret_recordings);

/* Removes the files of those whose worker is dead; says whose stay. False: one could not be removed, which has been said. */
bool snapshot_remove(const struct directory *from, const struct snapshot_recordings *recordings);

void snapshot_free(struct snapshot_recordings *recordings);

#endif
