/* SPDX-License-Identifier: MIT */
/*
 * Which segments are there. In: inotify on the segments' directory, and scans of it: the watch comes first, then the
 * scan, so that nothing falls between; an overflow of the queue means another scan. Out: names, handed to callbacks; the
 * same one may come more than once, so whoever takes them knows files by (device, inode). Control thread.
 */
#ifndef GB_COLLECTOR_DISCOVER_H
#define GB_COLLECTOR_DISCOVER_H

#include <stdbool.h>

#include "collector/bell.h"
#include "collector/directory.h"

struct discover_calls {
    void (*found)(void *context, const char *file); /* a segment stands there, perhaps a changed one */
    void (*closed)(void *context,
                   const char *file); /* somebody who could write it has closed it: its worker may be gone */
    void (*lock_gone)(void *context); /* the lock file is no longer there */
    void *context;
};

struct discover;

/* `directory` must outlive it. */
int discover_open(const struct directory *directory, const struct discover_calls *calls,
                  struct discover **ret_discover);
void discover_close(struct discover *discover); /* takes NULL */

int discover_fd(const struct discover *discover); /* readable: call discover_read */
void discover_read(struct discover *discover);
int discover_scan(struct discover *discover);

/* After the directory was made again: watches the new one, then scans it. */
int discover_rewatch(struct discover *discover);

/* Removes files that a worker was making when it died. Call it between bell_removal_begin and _end. Returns how many. */
unsigned discover_sweep(struct discover *discover);

#endif
