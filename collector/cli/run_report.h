/* SPDX-License-Identifier: MIT */
/* What `gb run` says besides the report. In: a collector that has run. Out: lines on stderr, mostly none. Main thread. */
#ifndef GB_COLLECTOR_CLI_RUN_REPORT_H
#define GB_COLLECTOR_CLI_RUN_REPORT_H

#include <stdbool.h>

#include "collector/collector.h"

/* Workers that outlive the command, with their backlog; or that there were none at all, and why that happens. */
void run_report_rest(struct collector *collector, const char *directory, bool private_directory, const char *word);

#endif
