/* SPDX-License-Identifier: MIT */
/*
 * What is lost with a dead worker's segment. In: its file. Out: one line at the end of GBW_REAPED_NAME:
 *     <segment, 32 hex digits> <pid> <program> attempted=<n> delivered=<n> lost=<n>
 * lost: published, and not known to have been handed to any reporter. When the file grows too long its lines are added up into
 * one, with a segment of zeros, pid 0 and the program "several". Under the slow lock and byte 1 of the lock file.
 */
#ifndef GB_LIB_OBITUARY_H
#define GB_LIB_OBITUARY_H

int obituary_write(int directory_fd, int segment_fd);

#endif
