/* SPDX-License-Identifier: MIT */
/*
 * Opens the files of the segments' directory. Anybody who may write there may put anything under any name: a file is what stands in
 * the directory itself, never what a link leads to, never what a name with a slash or `..` leads to, and on the same file system (a
 * bind mount is another one). The kernel looks (openat2) in the same step that opens; before Linux 5.6, and where a container's
 * filter forbids it, names are checked here and only the last part may be no link, which for a single name is the same but for mounts.
 * Pure; any thread.
 */
#ifndef GB_COLLECTOR_INSIDE_H
#define GB_COLLECTOR_INSIDE_H

#include <sys/types.h>

/* As openat, with O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK and O_NOCTTY added. The descriptor or -errno: -ELOOP for a link, -EXDEV for what is
 * outside. Then the caller looks at what it is, through the descriptor: kind, owner, names, mode. */
int inside_open(int directory_fd, const char *name, int flags, mode_t mode);

#endif
