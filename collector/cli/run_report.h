/* SPDX-License-Identifier: MIT */
/* What `gb run` says besides the report. In: a collector that has run. Out: lines on stderr, mostly none. Main thread. */
#ifndef GB_COLLECTOR_CLI_RUN_REPORT_H
#define GB_COLLECTOR_CLI_RUN_REPORT_H

#include <stdbool.h>

#include "collector/collector.h"

/* What reporters lost; then the workers that outlive the command, with their backlog; or that there were none at all, and why
 * that happens. True: the directory is still needed, and that was said. */
bool run_report_rest(struct collector *collector, const char *directory, bool private_directory, const char *word);

/* Segments are left, though their workers have ended: a reporter could not take all in time. */
void run_report_left(const char *directory, unsigned segments);
void run_report_recordings(const char *directory, unsigned recordings, bool private_directory);

#endif
