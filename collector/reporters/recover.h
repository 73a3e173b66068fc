/* SPDX-License-Identifier: MIT */
/*
 * Recovery: what stands in an output behind the size that its cursor file knows. In: an output, and where to begin. Out: cursors moved
 * past the lines found there. Before the reporter's thread runs.
 *
 * Why this is exactly once. An output is written first, then its cursors are stored, then the rings' heads may pass. So when
 * a collector is killed, the lines behind the stored size are whole lines of events that the cursors do not know, in the order of
 * their rings, and at the end perhaps a torn one. The whole ones are read, and the cursors moved past them; the torn
 * one is cut off: its event was never stored nor passed by head, and comes again. Nothing that is whole is ever cut, so lines that
 * somebody else appended meanwhile stay, and whoever follows the file sees it shrink by no line that it could have read.
 */
#ifndef GB_REPORTERS_RECOVER_H
#define GB_REPORTERS_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/reporters/cursor.h"

/* The number of our lines is for a message. -EIO and the like: nothing was cut, the cursors may have moved part of the way. */
int recover_output(int fd, uint64_t from, struct cursors *cursors, uint64_t *ret_lines);

/* One line without its newline: is it ours? Moves the cursors past it. */
bool recover_line(struct cursors *cursors, const char *line, size_t length);

#endif
