/* SPDX-License-Identifier: MIT */
/*
 * What the collector gives up before it opens anything. In: the segments' directory, the configuration's file and what the
 * reporters say that they reach. Out: no new privileges, no capabilities, a Landlock domain, a list of system calls, no core
 * dumps, for the whole process; and a process outside of it that starts the programs of `exec` (outside.h). What the kernel lacks
 * costs one line. Main thread, before there is another. See docs/sandbox.md.
 */
#ifndef GB_COLLECTOR_SANDBOX_H
#define GB_COLLECTOR_SANDBOX_H

#include "collector/fanout.h"

struct sandbox_plan {
    const char *directory; /* of the segments; NULL: the default */
    const char *config;    /* the file, which SIGHUP reads again; NULL: none */
    const struct reporter_spec *reporters;
    unsigned reporter_count;
};

/* On error it was said what is wrong: the collector must not run as if it had one. */
int sandbox_enter(const struct sandbox_plan *plan);

#endif
