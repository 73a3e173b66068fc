/* SPDX-License-Identifier: MIT */
/*
 * What reporters reach (files, ports, programs), compared with what the sandbox was made for: nothing can be added to it later.
 */
#ifndef GB_COLLECTOR_SANDBOX_REACH_H
#define GB_COLLECTOR_SANDBOX_REACH_H

#include "collector/reporter_spec.h"

/* The sandbox is in force, made for these. Files are in it, and ports if the kernel knows them. */
void sandbox_reach_note(const struct reporter_spec *specs, unsigned count, bool ports);

/* False: one of them, from the configuration `path`, would be refused something, which is said. Without a sandbox nothing is. */
bool sandbox_reach_keeps(const struct reporter_spec *specs, unsigned count, const char *path);

#endif
