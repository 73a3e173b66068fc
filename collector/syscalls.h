/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a collector needs; all others are refused with EPERM, for the calling thread and those that it starts.
 * syscalls.c has it by libseccomp; syscalls_none.c is what a build without that library, or with sanitizers, takes.
 */
#ifndef GB_COLLECTOR_SYSCALLS_H
#define GB_COLLECTOR_SYSCALLS_H

/* -ENOTSUP: this build has none. no_new_privs must be set. */
int syscalls_restrict(void);

#endif
