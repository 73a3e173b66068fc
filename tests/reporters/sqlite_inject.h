/* SPDX-License-Identifier: MIT */
/*
 * Faults in the system calls by which SQLite changes files, through the hooks of its own VFS: the k-th of them (write, truncate, allocate,
 * unlink) is where the process dies, or where the disk is full.
 */
#ifndef GB_TESTS_REPORTERS_SQLITE_INJECT_H
#define GB_TESTS_REPORTERS_SQLITE_INJECT_H

enum fault {
    FAULT_NONE,
    FAULT_KILL_BEFORE, /* the call */
    FAULT_KILL_AMID,   /* a write that was done in part */
    FAULT_KILL_AFTER,
    FAULT_FULL, /* from this call on until inject_stop: no space; the first write is done in part */
    FAULT_ERROR /* the same: EIO */
};

/* Counts from the next call on. 0: none. */
void inject(unsigned call, enum fault fault);
/* No faults any more. Returns how many calls there were since inject. */
unsigned inject_stop(void);

#endif
