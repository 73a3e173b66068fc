/* SPDX-License-Identifier: MIT */
/*
 * The directory of the segments, and the lock file in it with the bell. In: a path. Out: a descriptor of a directory that is ours, 0700
 * and on a tmpfs; or the reason why not. Slow paths, under the slow lock.
 */
#ifndef GB_LIB_DIRECTORY_H
#define GB_LIB_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/wire.h"

/* Why the directory, or the segment in it, cannot be had: a static text that continues "PATH: ". */
const char *why_error(int error);

/* Makes it if it does not exist. On success *ret_fd is O_CLOEXEC. On error *ret_why says why. */
int directory_open(const char *path, int *ret_fd, const char **ret_why);

/* Bytes that are free in its file system. */
uint64_t directory_free(int directory_fd);

/* Opens or makes the lock file. -errno. The descriptor must be closed before the process takes record locks on the file again. */
int lock_file_open(int directory_fd);

/* Its first page, mapped; NULL: not to be had. */
struct gbw_bell *bell_map(int lock_fd);

/* Does a collector hold byte 0? */
bool collector_runs(int lock_fd);

/* Byte 1, held until the descriptor is closed: by whoever removes files, or writes off what is lost. false: somebody else does. */
bool removal_lock(int lock_fd);

/* A descriptor at 3 or above: a program that closed its stdin must not find ours in its place. */
int fd_above_stdio(int fd);

#endif
