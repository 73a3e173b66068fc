/* SPDX-License-Identifier: MIT */
/*
 * A segment file, from the side of the worker that makes it. In: a directory, settings. Out: the mapped header, tables of names and of
 * rings, and space for rings. Slow paths, under the slow lock.
 *
 * Everything is allocated (fallocate) before it is touched: a full tmpfs is an error here, never a SIGBUS later. The file is
 * found under its final name only when it is whole and its record lock is held.
 */
#ifndef GB_LIB_SEGMENT_H
#define GB_LIB_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gb/wire.h"
#include "lib/config.h"

#define SEGMENT_NAME_MAX 80 /* of the file, with its zero */

/* One of the tables that grow in place. */
struct segment_table {
    uint64_t offset, capacity, ready; /* bytes; `ready` of them are allocated */
};

struct segment {
    struct gbw_header *header; /* mapped together with the tables */
    struct gbw_name *names;
    char *text;
    struct gbw_ring_entry *rings;
    struct segment_table name_table, text_table, ring_table;
    uint32_t text_filled;     /* bytes of text that are there: the names' (names.c) */
    uint64_t meta_bytes, end; /* end: of the file, where the next ring goes */
    int fd;                   /* O_CLOEXEC, record-locked, never used before segment_check */
    dev_t dev;
    ino_t ino;
    bool frozen;                 /* an older one that could not take a further name: it gets none any more */
    char file[SEGMENT_NAME_MAX]; /* in gb_settings.directory */
};

/*
 * A whole segment under its temporary name, with room for `names` entries and `text` bytes; the caller fills its names in. Its header is
 * complete. On error nothing is left behind.
 */
int segment_make(int directory_fd, const struct settings *settings, uint32_t names, uint32_t text,
                 struct segment *ret_segment);

/* Gives it its final name. On error the caller destroys it. */
int segment_publish(int directory_fd, struct segment *segment);

/* Unmaps and closes, and removes the file when it was never published. */
void segment_destroy(int directory_fd, struct segment *segment);

/* Child of a fork: lets go of its parent's. The file, and the parent's lock, stay. */
void segment_forget(struct segment *segment);

/* Is the descriptor still ours? And has the file a name? The quick half of segment_check: a system call, no lock, no repair. */
bool segment_has_descriptor(const struct segment *segment);
bool segment_intact(const struct segment *segment);

/* Is the descriptor still ours? A program may have closed it and opened something else: then it is left alone, and the file
 * opened again by its path. -ESTALE: the file is gone; another error: not to be had now. */
int segment_check(struct segment *segment);

/* Makes the first `bytes` of a table usable. Checks the descriptor. */
int segment_reserve(struct segment *segment, struct segment_table *table, uint64_t bytes);

/* `bytes` more at the end of the file: page aligned, allocated, zero. Checks the descriptor. */
int segment_extend(struct segment *segment, uint64_t bytes, uint64_t *ret_offset);

#endif
