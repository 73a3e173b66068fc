/* SPDX-License-Identifier: MIT */
/*
 * Reporters that are not built in. In: the path of a shared object. Out: its descriptor, checked, or one sentence that says
 * why it is refused. Control thread.
 *
 * What was loaded stays loaded: a thread of a reporter that did not end in time may still be in its code. The descriptor's
 * tables are trusted once they were checked, and so is its code: a plug-in runs in the collector's process.
 */
#ifndef GB_COLLECTOR_PLUGIN_H
#define GB_COLLECTOR_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "gb/reporter.h"

#define PLUGIN_OPTIONS_MAX 48

/* Does this word name a plug-in? It holds a slash, or ends in .so. */
bool plugin_is_path(const char *word);

/* The same descriptor each time for one file. -EINVAL, -ENOMEM: `error` has the sentence. */
int plugin_load(const char *path, const struct gb_reporter **ret_reporter, char *error, size_t error_size);

/* What plugin_load asks of a descriptor, whether its file is called `path` or is built in. */
int plugin_check(const char *path, const struct gb_reporter *reporter, char *error, size_t error_size);

#endif
