/* SPDX-License-Identifier: MIT */
/*
 * The file of a durable output's cursors: `cursor.<reporter>-<hash of its path>` in the segments' directory, so that it is found again
 * whatever the reporter's own name has become. In: cursors, and the place in the
 * output (device, inode, size after the last complete write) that they belong to. Out: both, after a kill. Reporter's thread.
 *
 *   +--------------------+ 0
 *   | magic, slot bytes  |   written once, before the file gets its name
 *   +--------------------+ 64
 *   | slot 0             |   written alternately; the valid one of the higher generation counts
 *   +--------------------+ 64 + slot bytes
 *   | slot 1             |
 *   +--------------------+
 *
 * A kill during a store leaves the other slot, which is one flush older: what was written to the output since then is
 * found again by reading the output behind that slot's size (recover.h). When the cursors outgrow a slot, or need
 * far less, a new file takes the name by rename, so that there is always a whole one. It survives the death of the
 * process, and not the machine's: segments do not either.
 */
#ifndef GB_REPORTERS_CURSOR_FILE_H
#define GB_REPORTERS_CURSOR_FILE_H

#include <stdint.h>

#include "collector/reporters/cursor.h"

/* Where an output stands. */
struct place {
    uint64_t device, inode, size;
};

struct cursor_file;

/* Opens the directory. The file itself may not be there yet. `output`: its path, absolute. */
int cursor_file_open(const char *directory, const char *reporter, const char *output, struct cursor_file **ret_file);
/* Its name in the directory. */
const char *cursor_file_name(const struct cursor_file *file);
void cursor_file_free(struct cursor_file *file);

/* Adds what the file says to `cursors`, which are empty on error. -ENOENT: there is none; -EBADMSG: none that is valid. */
int cursor_file_load(struct cursor_file *file, struct cursors *cursors, struct place *ret_place);

/* Takes a copy of the cursors as they are now: what the next stores write. -ENOMEM. */
int cursor_file_take(struct cursor_file *file, const struct cursors *cursors);

/* Writes the copy, with `place`. On error the file still says what it said before. */
int cursor_file_store(struct cursor_file *file, const struct place *place);

#endif
