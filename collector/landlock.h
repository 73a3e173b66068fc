/* SPDX-License-Identifier: MIT */
/*
 * A Landlock domain (Documentation/userspace-api/landlock.rst of the kernel). In: what stays allowed, as paths and TCP ports. Out:
 * everything else in the file system and of TCP is refused with EACCES, for the calling thread and those that it starts.
 */
#ifndef GB_COLLECTOR_LANDLOCK_H
#define GB_COLLECTOR_LANDLOCK_H

#include <stdbool.h>

enum landlock_path { LANDLOCK_READ, LANDLOCK_WRITE, LANDLOCK_WRITE_AND_MAKE };
enum landlock_port { LANDLOCK_BIND, LANDLOCK_CONNECT };

struct landlock {
    int fd, abi;
};

/* -ENOSYS, -EOPNOTSUPP: the kernel has none, or it is switched off. */
int landlock_begin(struct landlock *ret_landlock);

/* A file, or a directory with all below it. -ENOENT: there is none. MAKE: directories and sockets as well as
 * files. */
int landlock_allow_path(const struct landlock *landlock, const char *path, enum landlock_path what);
/* Kernels before 6.7 cannot tell ports apart: all stay allowed there. 0: a free one. */
int landlock_allow_port(const struct landlock *landlock, unsigned port, enum landlock_port what);

bool landlock_knows_ports(const struct landlock *landlock);

/* no_new_privs must be set. */
int landlock_enter(const struct landlock *landlock);
/* Takes one that is half made, or has none. */
void landlock_end(struct landlock *landlock);

#endif
