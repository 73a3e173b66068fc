/* SPDX-License-Identifier: MIT */
/*
 * Runs a program under ptrace, all its threads, and does harm at one of its system calls: counted over all threads, from the first
 * fstatfs on (the collector then opens its directory; what comes before is the loader's).
 */
#ifndef GB_TESTS_KILL_TRACE_H
#define GB_TESTS_KILL_TRACE_H

#include <stdbool.h>

enum harm {
    HARM_KILL,       /* SIGKILL before the call */
    HARM_KILL_AFTER, /* ... after it */
    HARM_KILL_AMID,  /* a write: half of it is done, then SIGKILL */
    HARM_SHORT,      /* a write: half of it is done */
    HARM_ENOSPC,     /* a call that can say so fails, and is not done */
    HARM_EIO,
    HARM_EINTR,
    HARMS
};
extern const char *const harm_names[HARMS];

struct traced {
    unsigned calls; /* that were counted */
    long call;      /* the number of the one that was harmed; -1: that harm does nothing to it, or there were fewer */
    bool killed;    /* by us */
    int status;     /* as of wait, when not */
};

/* `at`: 1, 2, ...; 0: no harm. Exits the test when the program hangs. */
struct traced trace_run(const char *const argv[], unsigned at, enum harm harm);

#endif
